"""Faces turned by known angles, and what the face mask's encoder makes of them.

    python training/dbcnn/crops.py               # runs/dbcnn/sharp.npz
    python training/head_pose/samples.py         # runs/head_pose/{samples,held_out}.npz

The rotation of a face comes from MediaPipe's mesh, laid over its canonical model. That holds to about 50
degrees. Beyond, faces that look at the camera are rendered turned (`face_mask/turn.py`), to the full profile,
and their rotation is the mesh's, turned by what they were turned by. All are covered at times, mirrored,
tilted, cut out as faceqa does it, and spoilt.
"""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
import torch
from tqdm import tqdm

sys.path.append(str(Path(__file__).parents[2]))

from faceqa.engines.torch import face_mask_net
from faceqa.faces.alignment import crop_face
from faceqa.faces.detection import load_detector
from faceqa.faces.pose import pose_of_rotation
from faceqa.measures.registry import TOLD_BY_NETWORK
from faceqa.networks.face_mask import CROP_SIZE, FaceMaskMaps
from faceqa.networks.head_pose import HeadPose
from faceqa.types import Face
from training.distortions.damage import drawn
from training.face_mask import turn
from training.face_mask.mesh import FaceMesh, canonical_model
from training.face_mask.occluders import Scene, Supply
from training.face_mask.samples import covered

TURNED = 4
"""Views of a face that looks at the camera, beside itself."""

FRONTAL_YAW, FRONTAL_PITCH = 22.0, 20.0
"""Degrees within which a face is turned."""

TRUSTED_YAW = 50.0
"""Degrees to which the mesh's rotation is believed."""

PRESENCE = 3.0
"""Logit of the mesh from which it is believed."""

MOST_YAW, PITCH_DEVIATION, ROLL_DEVIATION = 95.0, 13.0, 12.0
"""Degrees."""

SCALES = (0.85, 1.05)

BOX_DEVIATION = 0.04
"""Of the place and size of the box, as a share of its longer side."""

COVERED = 0.3
"""How often a view may be covered, as the face mask's samples are."""

PROCESSES = 2

NAMES = ("middle", "high", "rotation")
"""Of the arrays that are kept, see `Sample`."""

View = tuple[np.ndarray, np.ndarray]
"""RGB uint8 (384, 384, 3); the rotation (3, 3) from the head's axes to the photo's, x right, y down, z away
from the camera."""


Sample = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Of N views of a face the encoder's maps of stride 16 and 32, float16 (N, 112, 16, 16) and (N, 320, 8, 8),
and the rotations (N, 3, 3)."""


class Maker:
    """Makes the views of a face; one in each process."""

    def __init__(self, mesh: Path, data: Path, held_out: bool):
        cv2.setNumThreads(1)
        torch.set_num_threads(1)
        self.mesh, self.detector = FaceMesh(mesh), load_detector()
        self.canonical = canonical_model(mesh)
        self.triangles = turn.triangles(self.canonical)
        self.supply = Supply(data, held_out)
        self.net = FaceMaskMaps(face_mask_net(), HeadPose())

    def __call__(self, image: np.ndarray, seed: int) -> Sample | None:
        """What is kept of a face's views; None where it has none."""
        views = self.views(image, seed)
        if not views:
            return None
        images, rotations = (np.stack(part) for part in zip(*views, strict=True))
        with torch.inference_mode():
            middle, high = self.net.encoded(torch.from_numpy(images))[-2:]
        return middle.half().numpy(), high.half().numpy(), rotations

    def views(self, image: np.ndarray, seed: int) -> list[View]:
        """The face itself, if the mesh can be believed, and turned views of it, if it looks at the camera."""
        found = self.detector.detect(image)
        if not found:
            return []
        points, presence = self.mesh(image, found[0])
        rotation = rotation_of(points, self.canonical)
        pose = pose_of_rotation(rotation)
        if pose is None or presence < PRESENCE or abs(pose.yaw) > TRUSTED_YAW:
            return []
        rng = np.random.default_rng(seed)
        views = [self.covered(image, points, rotation, rng)]
        if abs(pose.yaw) < FRONTAL_YAW and abs(pose.pitch) < FRONTAL_PITCH:
            views += [self.turned(image, points, rotation, pose.yaw, rng) for _ in range(TURNED)]
        return [spoilt(self.framed(tilted(view, rng), rng), rng) for view in views]

    def turned(
        self,
        image: np.ndarray,
        points: np.ndarray,
        rotation: np.ndarray,
        yaw: float,
        rng: np.random.Generator,
    ) -> View:
        """A view of the face from another side, before another background."""
        by = float(rng.uniform(-MOST_YAW, MOST_YAW)) - yaw
        nod = float(rng.normal(0, PITCH_DEVIATION))
        mesh, source, faces = turn.turned_mesh(points.astype(np.float64), self.triangles, by, nod)
        place = turn.painted(mesh, source, faces, image.shape[:2])
        beyond = np.isnan(place).any(axis=2)
        x, y = cv2.split(np.nan_to_num(place))
        view = cv2.remap(image, x, y, cv2.INTER_LINEAR)
        view[beyond] = self.supply.photograph(rng, beyond.shape)[beyond]
        return self.covered(view, mesh[:468].astype(np.float32), turn.rotation(by, nod) @ rotation, rng)

    def covered(
        self, image: np.ndarray, mesh: np.ndarray, rotation: np.ndarray, rng: np.random.Generator
    ) -> View:
        """The view with things over the face, at times."""
        if rng.random() < COVERED and (pose := pose_of_rotation(rotation)) is not None:
            scene = Scene(image, mesh, pose.yaw, rng, self.supply)
            nothing = np.zeros(image.shape[:2], np.uint8)
            image = covered(scene, image, nothing, nothing, nothing)[0]
        return image, rotation

    def framed(self, view: View, rng: np.random.Generator) -> View:
        """The view as faceqa cuts it out; as it is where the detector sees nothing."""
        image, rotation = view
        found = self.detector.detect(image)
        if not found:
            return view
        return crop_face(image, moved_box(found[0], rng)).image, rotation


def moved_box(face: Face, rng: np.random.Generator) -> Face:
    """The face as another detector might frame it."""
    size = face.longer_side
    (x1, y1, x2, y2), (dx, dy) = face.box, rng.normal(0, BOX_DEVIATION * size, 2)
    grow = rng.normal(0, BOX_DEVIATION) * size
    return replace(face, box=(x1 + dx - grow, y1 + dy - grow, x2 + dx + grow, y2 + dy + grow))


def rotation_of(points: np.ndarray, canonical: np.ndarray) -> np.ndarray:
    """The rotation (3, 3) that brings the canonical model closest to a mesh, both (468, 3)."""
    product = (points - points.mean(0)).T @ (canonical - canonical.mean(0))
    left, _, right = np.linalg.svd(product)
    return left @ np.diag([1, 1, np.linalg.det(left @ right)]) @ right


def tilted(view: View, rng: np.random.Generator) -> View:
    """The view tilted, and mirrored or not."""
    image, rotation = view
    if rng.random() < 0.5:
        image = image[:, ::-1]
        mirror = np.diag([-1.0, 1, 1])
        rotation = mirror @ rotation @ mirror
    tilt = float(np.clip(rng.normal(0, ROLL_DEVIATION), -45, 45))
    matrix = cv2.getRotationMatrix2D(((CROP_SIZE - 1) / 2,) * 2, tilt, rng.uniform(*SCALES))
    size = (CROP_SIZE, CROP_SIZE)
    image = cv2.warpAffine(np.ascontiguousarray(image), matrix, size, borderMode=cv2.BORDER_REPLICATE)
    a = np.radians(tilt)  # anticlockwise for the viewer
    about_z = np.array([[np.cos(a), np.sin(a), 0], [-np.sin(a), np.cos(a), 0], [0, 0, 1]])
    return image, about_z @ rotation


def spoilt(view: View, rng: np.random.Generator) -> View:
    """The view darker or brighter, and at times without colour or damaged."""
    image, rotation = view
    if rng.random() < 0.4:
        image = drawn(str(rng.choice(TOLD_BY_NETWORK)), float(rng.uniform(0, 0.7)), rng)(image)
    if rng.random() < 0.15:
        image = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return np.clip(image * rng.uniform(0.5, 1.3), 0, 255).astype(np.uint8), rotation


_maker: Maker


def _begin(mesh: Path, data: Path, held_out: bool) -> None:
    global _maker
    _maker = Maker(mesh, data, held_out)


def _make(image: np.ndarray, seed: int) -> Sample | None:
    return _maker(image, seed)


def main() -> None:
    """Write samples.npz and held_out.npz."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--faces", type=Path, default=Path("runs/dbcnn/sharp.npz"))
    parser.add_argument("--data", type=Path, default=Path("data"), help="folder of the things that cover")
    parser.add_argument("--mesh", type=Path, default=Path("runs/face_mask/mesh"), help="folder of the mesh")
    parser.add_argument("--run", type=Path, default=Path("runs/head_pose"))
    arguments = parser.parse_args()
    arguments.run.mkdir(parents=True, exist_ok=True)
    for shared in (FaceMesh, canonical_model):
        shared(arguments.mesh)  # fetched once, not by each process
    faces = np.load(arguments.faces)
    images, held_out = faces["image"], faces["held_out"]
    spawn = get_context("spawn")
    for name, kept in (("held_out", held_out), ("samples", ~held_out)):
        chosen = np.flatnonzero(kept).tolist()
        setup = (arguments.mesh, arguments.data, name == "held_out")
        with ProcessPoolExecutor(PROCESSES, spawn, initializer=_begin, initargs=setup) as pool:
            made = pool.map(_make, images[chosen], chosen, chunksize=4)
            columns = zip(*filter(None, tqdm(made, total=len(chosen), mininterval=20)), strict=True)
            arrays = dict(zip(NAMES, map(np.concatenate, columns), strict=True))
        np.savez(arguments.run / f"{name}.npz", allow_pickle=False, **arrays)


if __name__ == "__main__":
    main()
