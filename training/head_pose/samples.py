"""Faces turned by known angles, and what the face mask's encoder makes of them.

    python training/dbcnn/crops.py               # runs/dbcnn/sharp.npz
    python training/head_pose/samples.py         # runs/head_pose/{samples,held_out}.npz

The rotation of a face comes from MediaPipe's mesh, laid over its canonical model. That holds to about 50
degrees. Beyond, faces that look at the camera are rendered turned (`face_mask/turn.py`), to the full profile,
and their rotation is the mesh's, turned by what they were turned by. All are tilted, moved, scaled, mirrored
and spoilt.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
import torch
from tqdm import tqdm

sys.path.append(str(Path(__file__).parents[2]))

from faceqa.engines.torch import face_mask_network
from faceqa.faces.detection import load_detector
from faceqa.networks.face_mask import FaceMaskMaps
from training.distortions.damage import LEARNT, drawn
from training.face_mask.mesh import FaceMesh, canonical_model
from training.face_mask.turn import painted, triangles, turned_mesh

TURNED = 5
"""Views of a face that looks at the camera, beside itself."""

FRONTAL_YAW, FRONTAL_PITCH = 22.0, 20.0
"""Degrees within which a face is turned."""

TRUSTED_YAW = 50.0
"""Degrees to which the mesh's rotation is believed."""

PRESENCE = 3.0
"""Logit of the mesh from which it is believed."""

MOST_YAW, PITCH_DEVIATION, ROLL_DEVIATION = 95.0, 13.0, 12.0
"""Degrees."""

POINTS = (33, 133, 159, 145, 362, 263, 386, 374, 61, 291, 13, 14)
"""Vertices of the mesh: of the right and of the left eye the corners and both lids, of the mouth its corners
and the inner edges of both lips."""

BATCH = 32

Job = tuple[np.ndarray, int, int]
View = tuple[np.ndarray, np.ndarray, np.ndarray, float]
"""RGB uint8 (384, 384, 3); the rotation (3, 3) from the head's axes to the photo's, x right, y down, z away
from the camera; the `POINTS` (12, 2) in px; by how many degrees of yaw the view was rendered turned."""


class Maker:
    """Makes the views of a face; one in each process."""

    def __init__(self, folder: Path):
        cv2.setNumThreads(1)
        torch.set_num_threads(1)
        self.mesh, self.detector = FaceMesh(folder), load_detector()
        self.canonical = canonical_model(folder)
        self.triangles = triangles(self.canonical.astype(np.float64))

    def __call__(self, job: Job) -> list[View]:
        """The face itself, if the mesh can be believed, and turned views of it, if it looks at the camera."""
        image, face, views = job
        found = self.detector.detect(image)
        if not found:
            return []
        points, presence = self.mesh(image, found[0])
        rotation = rotation_of(points, self.canonical)
        yaw, pitch, _ = angles(rotation)
        if presence < PRESENCE or abs(yaw) > TRUSTED_YAW:
            return []
        rng = np.random.default_rng(face)
        made: list[View] = [(image, rotation, points[POINTS, :2], 0.0)]
        if abs(yaw) < FRONTAL_YAW and abs(pitch) < FRONTAL_PITCH:
            made += [self.turned(image, points, rotation, rng) for _ in range(views)]
        return [moved(view, rng) for view in made]

    def turned(
        self, image: np.ndarray, points: np.ndarray, rotation: np.ndarray, rng: np.random.Generator
    ) -> View:
        """A view of the face from another side."""
        yaw, _, _ = angles(rotation)
        by = float(rng.uniform(-MOST_YAW, MOST_YAW)) - yaw
        nod = float(rng.normal(0, PITCH_DEVIATION))
        mesh, source, faces = turned_mesh(points.astype(np.float64), self.triangles, by, nod)
        place = np.nan_to_num(painted(mesh, source, faces, image.shape[:2]), nan=-1)
        x, y = cv2.split(place)
        view = cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return view, about(by, nod) @ rotation, mesh[POINTS, :2], by


def about(yaw: float, pitch: float) -> np.ndarray:
    """The rotation that `turn` does."""
    a, b = np.radians([yaw, pitch])
    about_y = np.array([[np.cos(a), 0, -np.sin(a)], [0, 1, 0], [np.sin(a), 0, np.cos(a)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), np.sin(b)], [0, -np.sin(b), np.cos(b)]])
    return about_x @ about_y


def rotation_of(points: np.ndarray, canonical: np.ndarray) -> np.ndarray:
    """The rotation (3, 3) that brings the canonical model closest to a mesh, both (468, 3)."""
    product = (points - points.mean(0)).T @ (canonical - canonical.mean(0))
    left, _, right = np.linalg.svd(product)
    return left @ np.diag([1, 1, np.linalg.det(left @ right)]) @ right


def angles(rotation: np.ndarray) -> tuple[float, float, float]:
    """Yaw, pitch and roll in degrees, as `faces.pose` has them."""
    return (
        float(np.degrees(np.arctan2(-rotation[0, 2], rotation[2, 2]))),
        float(np.degrees(-np.arcsin(np.clip(rotation[1, 2], -1, 1)))),
        float(np.degrees(np.arctan2(-rotation[1, 0], rotation[1, 1]))),
    )


def moved(view: View, rng: np.random.Generator) -> View:
    """The view mirrored or not, tilted, scaled, moved, and spoilt at times."""
    image, rotation, points, by = view
    if rng.random() < 0.5:
        image = image[:, ::-1]
        mirror = np.diag([-1.0, 1, 1])
        rotation = mirror @ rotation @ mirror
        points, by = mirrored(points, image.shape[1]), -by
    tilt = float(np.clip(rng.normal(0, ROLL_DEVIATION), -45, 45))
    scale, (dx, dy) = rng.uniform(0.82, 1.12), rng.normal(0, 12, 2)
    matrix = cv2.getRotationMatrix2D((191.5, 191.5), tilt, scale)
    matrix[:, 2] += dx, dy
    image = cv2.warpAffine(np.ascontiguousarray(image), matrix, (384, 384), borderMode=cv2.BORDER_REPLICATE)
    a = np.radians(tilt)  # anticlockwise for the viewer
    about_z = np.array([[np.cos(a), np.sin(a), 0], [-np.sin(a), np.cos(a), 0], [0, 0, 1]])
    if rng.random() < 0.4:
        image = drawn(str(rng.choice(LEARNT)), float(rng.uniform(0, 0.7)), rng)(image)
    if rng.random() < 0.15:
        image = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    image = np.clip(image * rng.uniform(0.5, 1.3), 0, 255).astype(np.uint8)
    return image, about_z @ rotation, points @ matrix[:, :2].T + matrix[:, 2], by


def mirrored(points: np.ndarray, width: int) -> np.ndarray:
    """The `POINTS` in a mirrored picture, of which the right eye is the left one's."""
    order = [5, 4, 6, 7, 1, 0, 2, 3, 9, 8, 10, 11]
    return (points * (-1, 1) + (width - 1, 0))[order]


_maker: Maker


def _begin(folder: Path) -> None:
    global _maker
    _maker = Maker(folder)


def _make(job: Job) -> list[View]:
    return _maker(job)


@torch.inference_mode()
def encoded(net: FaceMaskMaps, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The encoder's maps of stride 16 and 32: float16 (N, 112, 16, 16) and (N, 320, 8, 8)."""
    maps = net.encoded(torch.from_numpy(images))
    return maps[-2].half().numpy(), maps[-1].half().numpy()


def main() -> None:
    """Write samples.npz and held_out.npz."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--faces", type=Path, default=Path("runs/dbcnn/sharp.npz"))
    parser.add_argument("--mesh", type=Path, default=Path("runs/face_mask/mesh"), help="folder of the mesh")
    parser.add_argument("--run", type=Path, default=Path("runs/head_pose"))
    parser.add_argument("--turned", type=int, default=TURNED)
    arguments = parser.parse_args()
    arguments.run.mkdir(parents=True, exist_ok=True)
    FaceMesh(arguments.mesh)  # takes it out of its package once
    faces = np.load(arguments.faces)
    images, held_out = faces["image"], faces["held_out"]
    for name, kept in (("held_out", held_out), ("samples", ~held_out)):
        chosen = np.flatnonzero(kept)
        jobs = ((images[face], int(face), arguments.turned) for face in chosen)
        write(jobs, len(chosen), arguments.mesh, arguments.run / f"{name}.npz")


def write(jobs: Iterator[Job], count: int, mesh: Path, path: Path) -> None:
    """Run the jobs and write maps, rotations, points and faces."""
    net = face_mask_network()
    columns: list[list[np.ndarray]] = [[], [], [], [], [], []]
    bar = tqdm(total=count, desc=path.stem, mininterval=20)
    context = get_context("spawn")
    with ProcessPoolExecutor(2, context, initializer=_begin, initargs=(mesh,)) as pool, bar:
        while batch := list(islice(jobs, BATCH)):
            for (_, face, _), views in zip(batch, pool.map(_make, batch, chunksize=4), strict=True):
                if views:
                    shown, rotations, points, by = (np.stack(part) for part in zip(*views, strict=True))
                    maps = encoded(net, shown)
                    found = (*maps, rotations, points, by, np.full(len(views), face))
                    for column, part in zip(columns, found, strict=True):
                        column.append(part)
            bar.update(len(batch))
    names = ("middle", "high", "rotation", "points", "turned", "face")
    arrays = {name: np.concatenate(column) for name, column in zip(names, columns, strict=True)}
    np.savez(path, allow_pickle=False, **arrays)


if __name__ == "__main__":
    main()
