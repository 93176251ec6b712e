"""Eyes in all states of closure and mouths in all states of opening, from many sides, covered and spoilt.

    python training/dbcnn/crops.py               # runs/dbcnn/sharp.npz
    python training/apertures/samples.py         # runs/apertures/{samples,held_out}.npz

Where the lids and lips of a face are is told by MediaPipe's face mesh and iris network. Then the mesh is
moved, and the picture with it: how far lids and lips are apart in the new picture is known.
"""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

sys.path.append(str(Path(__file__).parents[2]))

from faceqa.engines.openvino import OpenVinoEngine
from faceqa.faces.alignment import CROP_SIZE, transform_points
from faceqa.faces.apertures import patches, seen_shares, unit
from faceqa.faces.detection import load_detector
from faceqa.faces.mask import FaceMasker
from faceqa.faces.pose import pose_of_rotation
from training.apertures import expressions
from training.apertures.lids import Lids
from training.distortions.damage import mixture
from training.face_mask import turn
from training.face_mask.mesh import FaceMesh, canonical_model
from training.face_mask.occluders import Scene, Supply
from training.face_mask.samples import covered
from training.head_pose.samples import rotation_of

VIEWS = 6
"""Of a face."""

FRONTAL = 22.0
"""Degrees within which a face is turned to other sides."""

TURNED = 0.4
"""How often."""

MOST_YAW, PITCH_DEVIATION, ROLL_DEVIATION = 80.0, 12.0, 12.0
"""Degrees."""

HIDDEN_YAW = 45.0
"""Degrees from which the far eye is not learnt from."""

SCALES = (0.75, 1.05)

COVERED, DAMAGED = 0.3, 0.6
"""How often a view may be covered, as the face mask's samples are, and damaged."""

SEEN = 0.6
"""Share of what is around an eye or a mouth from which it counts as seen."""

PLACE_DEVIATION, SCALE_DEVIATION = 0.02, 0.04
"""Of the landmarks and of their distances, as another detector might find them, in units of the face."""

PRESENCE = 3.0
"""Logit of the mesh from which it is believed."""

NAMES = ("patches", "apertures", "known", "chin", "yaw", "face")

Sample = tuple[np.ndarray, np.ndarray, np.ndarray, float, float, int]
"""Patches, RGB uint8 (144, 64, 3); apertures of the right eye, the left eye and the mouth in units of the
face, (3,), and which of them are known, bool (3,); the distance from the eyes to the chin in units; yaw in
degrees; number of the face."""


class Maker:
    """Makes the samples of a face; one in each process."""

    def __init__(self, mesh: Path, data: Path, held_out: bool):
        cv2.setNumThreads(1)
        self.mesh, self.lids, self.detector = FaceMesh(mesh), Lids(mesh), load_detector()
        self.masker = FaceMasker(OpenVinoEngine(["face_mask"]))
        self.canonical = canonical_model(mesh)
        self.triangles = turn.triangles(self.canonical)
        self.supply = Supply(data, held_out)

    def __call__(self, image: np.ndarray, number: int) -> list[Sample]:
        """All samples of a face crop, RGB uint8 (384, 384, 3)."""
        found = self.detector.detect(image)
        if not found:
            return []
        points, presence = self.mesh(image, found[0])
        pose = pose_of_rotation(rotation_of(points, self.canonical))
        if presence < PRESENCE or pose is None:
            return []
        points = self.lids(image, points).astype(np.float64)
        seen = self.masker(image[None]).visible[0]
        rng = np.random.default_rng(number)
        views = (self.view(image, points, seen, pose.yaw, rng) for _ in range(VIEWS))
        return [(*view, number) for view in views if view is not None]

    def view(
        self, image: np.ndarray, points: np.ndarray, seen: np.ndarray, yaw: float, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, float, float] | None:
        """One sample; None where the detector does not find the face again."""
        by = nod = 0.0
        if abs(yaw) < FRONTAL and rng.random() < TURNED:
            by, nod = float(rng.uniform(-MOST_YAW, MOST_YAW)) - yaw, float(rng.normal(0, PITCH_DEVIATION))
        image, points, seen = self.expressed(image, points, seen, by, nod, rng)
        yaw += by
        if rng.random() < COVERED:
            scene = Scene(image, points.astype(np.float32), yaw, rng, self.supply)
            around = np.round(255 * seen).astype(np.uint8)
            image, _, around, _ = covered(
                scene, image, np.full_like(around, 255), around, np.zeros_like(around)
            )
            seen = around / np.float32(255)
        image, points, seen = tilted(image, points, seen, rng)
        mirrored = points[33, 0] > points[263, 0] and abs(yaw) < FRONTAL
        found = self.detector.detect(image)
        if not found or mirrored:
            return None
        if rng.random() < DAMAGED:
            for damage in mixture(rng):
                image = damage(image)
        if rng.random() < 0.1:
            image = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        landmarks = moved(np.array(found[0].landmarks), rng)
        apertures = np.array([*expressions.lid_apertures(points), expressions.lip_aperture(points)])
        known = self.known(points, landmarks, seen, yaw)
        size = unit(landmarks)
        chin = expressions.chin_distance(points) / size
        return patches(image, landmarks), (apertures / size).astype(np.float32), known, chin, yaw

    def expressed(
        self,
        image: np.ndarray,
        points: np.ndarray,
        seen: np.ndarray,
        by: float,
        nod: float,
        rng: np.random.Generator,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The face with another expression, from another side: picture, mesh and what is seen of it."""
        shut, drop = closures(rng), dropped(rng)
        mesh = points
        for eye, closure in enumerate(shut):
            mesh = expressions.close_eye(mesh, eye, closure)
        if drop:
            mesh = expressions.open_mouth(mesh, drop, float(rng.uniform(-0.1, 0.35)))
        if mesh is not points or by or nod:
            corners, _, faces = turn.turned_mesh(mesh, self.triangles, by, nod)
            source = turn.turned_mesh(points, self.triangles, 0, 0)[1]
            place = turn.painted(corners, source, faces, image.shape[:2])
            beyond = np.isnan(place).any(axis=2)
            x, y = cv2.split(np.nan_to_num(place))
            image, seen = (cv2.remap(layer, x, y, cv2.INTER_LINEAR) for layer in (image, seen))
            if beyond.any():
                image[beyond] = self.supply.photograph(rng, beyond.shape)[beyond]
            mesh = corners[:468]
        if drop:
            image = expressions.paint_gap(image, mesh, rng)
        for eye, closure in enumerate(shut):
            if closure > 0.85 and rng.random() < 0.7:
                image = expressions.paint_lashes(image, mesh, eye, rng)
        return image, mesh, seen

    def known(self, points: np.ndarray, landmarks: np.ndarray, seen: np.ndarray, yaw: float) -> np.ndarray:
        """Which of the eyes and the mouth are seen, bool (3,)."""
        far = 1 if yaw > 0 else 0
        known = seen_shares(seen, landmarks) > SEEN
        known[far] &= abs(yaw) < HIDDEN_YAW
        # Where the detector has the eyes wrong, the patch does not show them.
        middles = [points[list(pair), :2].mean(axis=0) for pair in (*expressions.CORNERS, (13, 14))]
        places = [*landmarks[:2], landmarks[3:].mean(axis=0)]
        apart = np.linalg.norm(np.array(middles) - np.array(places), axis=1) / unit(landmarks)
        return known & (apart < (0.2, 0.2, 0.5))


def closures(rng: np.random.Generator) -> tuple[float, float]:
    """How far both eyes are shut, see `expressions.close_eye`."""
    kind = rng.random()
    if kind < 0.35:
        closure = 0.0
    elif kind < 0.5:
        closure = float(rng.uniform(-0.25, 0.4))
    elif kind < 0.7:
        closure = float(rng.uniform(0, 1))
    else:
        closure = 1 - abs(float(rng.normal(0, 0.03)))
    wink = rng.random()
    return (closure, 0.0) if wink < 0.05 else (0.0, closure) if wink < 0.1 else (closure, closure)


def dropped(rng: np.random.Generator) -> float:
    """How far the mouth is opened, see `expressions.open_mouth`."""
    kind = rng.random()
    return 0.0 if kind < 0.5 else float(rng.uniform(0.02, 0.25) if kind < 0.8 else rng.uniform(0.2, 0.85))


def tilted(
    image: np.ndarray, points: np.ndarray, seen: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The picture, its mesh and what is seen, tilted and scaled."""
    tilt = float(np.clip(rng.normal(0, ROLL_DEVIATION), -45, 45))
    matrix = cv2.getRotationMatrix2D(((CROP_SIZE - 1) / 2,) * 2, tilt, rng.uniform(*SCALES))
    size = (CROP_SIZE, CROP_SIZE)
    image, seen = (
        cv2.warpAffine(layer, matrix, size, borderMode=cv2.BORDER_REPLICATE) for layer in (image, seen)
    )
    return image, transform_points(points[:, :2], matrix), seen


def moved(landmarks: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The landmarks as another detector might find them, (5, 2)."""
    size, centre = unit(landmarks), landmarks.mean(axis=0)
    scale = np.exp(rng.normal(0, SCALE_DEVIATION))
    return centre + scale * (landmarks - centre) + rng.normal(0, PLACE_DEVIATION * size, landmarks.shape)


_maker: Maker


def _begin(mesh: Path, data: Path, held_out: bool) -> None:
    global _maker
    _maker = Maker(mesh, data, held_out)


def _make(image: np.ndarray, number: int) -> list[Sample]:
    return _maker(image, number)


def main() -> None:
    """Write samples.npz and held_out.npz."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--faces", type=Path, default=Path("runs/dbcnn/sharp.npz"))
    parser.add_argument("--data", type=Path, default=Path("data"), help="folder of the things that cover")
    parser.add_argument("--mesh", type=Path, default=Path("runs/face_mask/mesh"), help="folder of the mesh")
    parser.add_argument("--run", type=Path, default=Path("runs/apertures"))
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--most", type=int, help="faces at most, to try")
    arguments = parser.parse_args()
    arguments.run.mkdir(parents=True, exist_ok=True)
    for shared in (FaceMesh, Lids, canonical_model):
        shared(arguments.mesh)  # fetched once, not by each process
    faces = np.load(arguments.faces)
    images, held_out = faces["image"], faces["held_out"]
    spawn = get_context("spawn")
    for name, kept in (("held_out", held_out), ("samples", ~held_out)):
        chosen = np.flatnonzero(kept)[: arguments.most].tolist()
        setup = (arguments.mesh, arguments.data, name == "held_out")
        with ProcessPoolExecutor(arguments.processes, spawn, initializer=_begin, initargs=setup) as pool:
            made = pool.map(_make, images[chosen], chosen, chunksize=4)
            samples = [one for face in tqdm(made, total=len(chosen), mininterval=20) for one in face]
        arrays = dict(zip(NAMES, map(np.array, zip(*samples, strict=True)), strict=True))
        np.savez(arguments.run / f"{name}.npz", allow_pickle=False, **arrays)


if __name__ == "__main__":
    main()
