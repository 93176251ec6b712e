"""Everything expensive once: pictures -> framed faces, meshes and labels, as arrays that a training can map.

A face is framed like `alignment.crop_face` does, only wider by `REACH`, so that the crop can be jittered.
"""

from __future__ import annotations

import argparse
import sys
import time
from multiprocessing import Pool
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

sys.path.append(str(Path(__file__).parents[2]))

from faceqa.faces.alignment import CROP_LIFT, CROP_MARGIN, transform_points
from faceqa.faces.detection import load_detector
from faceqa.types import Face
from training.face_mask.labels import DARK_EYES, SUNGLASSES, eye_light, labels, labels_within, lenses, raised
from training.face_mask.mesh import FaceMesh
from training.face_mask.pictures import SOURCES, Picture, read
from training.face_mask.turn import outline_mask, triangles, turn

SIDE = 320
"""Side in px of a stored face; the crop itself is `SIDE / REACH` = 256 px wide."""

REACH = 1.25

SMALLEST_FACE = 90
"""Longer side in px of the smallest detector's box that is used."""

LOWEST_PRESENCE = 0.0
"""Of MediaPipe's presence logit. Good profiles have little more than 0, good frontal faces 10 or more."""

TURNED_SHARE = 0.5
"""Share of the frontal training faces that are also stored turned."""

LARGEST_FRONTAL_YAW = 20
"""Degrees, by the mesh, up to which a face is turned."""

NOT_LABELLED = ("glasses", "Glasses", "ccessories", "bad things")
"""Contact sheets on which sunglasses, scarves and hands cover faces without a label: these serve the outline
only."""


class Row(NamedTuple):
    """One prepared face: image, the masks outline, visible and photo, the mesh and what is known of them."""

    image: np.ndarray
    outline: np.ndarray
    visible: np.ndarray
    photo: np.ndarray
    points: np.ndarray
    picture: Picture
    yaw: float
    known: bool
    sunglasses: bool
    turned: bool


def main() -> None:
    """Write images, labels and meshes of all faces into one folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--out", type=Path, default=Path("runs/face_mask/faces"))
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    FaceMesh(arguments.data)  # fetches the network once, before the workers want it
    with Pool(arguments.workers) as pool:
        jobs = [(arguments.data, arguments.out / name, name) for name in SOURCES]
        pool.starmap(prepare, jobs, chunksize=1)


def prepare(data: Path, out: Path, source: str) -> None:
    """The preparation of one source; deterministic for the same pictures."""
    cv2.setNumThreads(1)
    out.mkdir(parents=True, exist_ok=True)
    detector, mesh = load_detector(), FaceMesh(data)
    frontal = read(data / "webmorphR.stim/inst/neutral_front/001_03.jpg")
    faces = triangles(mesh(frontal, detector.detect(frontal)[0])[0])
    rng = np.random.default_rng(0)
    rows: list[Row] = []
    thumbnails = np.zeros((0, 256), np.float32)
    started = time.monotonic()
    for picture in SOURCES[source](data):
        thumbnail = _thumbnail(picture.image)
        if picture.source != "london" and (thumbnails @ thumbnail > 0.985).any():
            continue  # the contact sheets show some pictures several times
        thumbnails = np.concatenate([thumbnails, thumbnail[None]])
        found = [face for face in detector.detect(picture.image) if face.height >= SMALLEST_FACE]
        if not found:
            continue
        points, presence = mesh(picture.image, found[0])
        if presence < LOWEST_PRESENCE:
            continue
        image, photo, transform = frame(picture.image, found[0])
        scale = transform[0, 0]
        points = np.column_stack([transform_points(points[:, :2], transform), points[:, 2] * scale])
        points = points.astype(np.float32)
        if picture.outline is None:
            outline, visible = labels(image, points, faces, photo)
        else:
            marked = transform_points(picture.outline, transform)
            outline, visible = labels_within(image, points, marked, photo)
        yaw = mesh_yaw(points)
        known, sunglasses = whole(picture.key, image, points)
        if sunglasses:
            visible &= ~lenses(image, points)
        rows.append(Row(image, outline, visible, photo, points, picture, yaw, known, sunglasses, False))
        if abs(yaw) < LARGEST_FRONTAL_YAW and known and not sunglasses and rng.random() < TURNED_SHARE:
            rows.append(_turned(rows[-1], faces, rng))
        if len(rows) % 200 < 2:
            print(f"{len(rows)} faces, {time.monotonic() - started:.0f} s, {picture.key}", flush=True)
    _write(rows, faces, out)


def whole(key: str, image: np.ndarray, points: np.ndarray) -> tuple[bool, bool]:
    """Whether `visible` can be labelled, and whether it is so because sunglasses are certain."""
    light = eye_light(image, points)
    listed = any(word in key for word in NOT_LABELLED)
    sunglasses = light < SUNGLASSES
    return sunglasses or (light >= DARK_EYES and not listed), sunglasses


def frame(image: np.ndarray, face: Face) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The framed face, where it is photo (uint8 0 or 255), and the transform from the picture to it."""
    side = CROP_MARGIN * REACH * face.longer_side
    scale = SIDE / side
    centre_x, centre_y = (face.box[0] + face.box[2]) / 2, (face.box[1] + face.box[3]) / 2
    centre_y -= CROP_LIFT * face.height
    # The corners of pixels stay in place, as in `alignment.crop_face`.
    transform = np.array(
        [
            [scale, 0, (SIDE - 1) / 2 - scale * centre_x],
            [0, scale, (SIDE - 1) / 2 - scale * centre_y],
        ]
    )
    if scale < 0.6:  # first by area averaging, against aliasing
        half = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        shrunk = transform * (2, 2, 1) + np.array([[0, 0, 0.5 * scale], [0, 0, 0.5 * scale]])
        framed = cv2.warpAffine(half, shrunk, (SIDE, SIDE), flags=cv2.INTER_LINEAR)
    else:
        framed = cv2.warpAffine(image, transform, (SIDE, SIDE), flags=cv2.INTER_LINEAR)
    photo = cv2.warpAffine(
        np.full(image.shape[:2], 255, np.uint8), transform, (SIDE, SIDE), flags=cv2.INTER_NEAREST
    )
    return framed, photo, transform


def mesh_yaw(points: np.ndarray) -> float:
    """Yaw in degrees by the mesh; positive when the face turns to the right in the picture."""
    across = points[454] - points[234]
    return float(-np.degrees(np.arctan2(across[2], np.hypot(across[0], across[1]))))


def _turned(row: Row, faces: np.ndarray, rng: np.random.Generator) -> Row:
    yaw = rng.choice([-1, 1]) * rng.uniform(20, 85)
    pitch = rng.normal(0, 12)
    place, _, turned = turn(row.image, row.points, faces, yaw, pitch)
    drawn = np.isfinite(place[..., 0])
    place = np.nan_to_num(place, nan=-1)
    image, *shown = (
        cv2.remap(layer, place[..., 0], place[..., 1], cv2.INTER_LINEAR)
        for layer in (row.image, row.outline, row.visible, row.photo)
    )
    outline, visible, photo = (np.where(mask > 127, 255, 0).astype(np.uint8) for mask in shown)
    photo &= np.where(drawn, 255, 0).astype(np.uint8)
    # The raised forehead has only a guessed depth: it may not stand out beyond the raised mesh.
    outline &= outline_mask(raised(turned), faces, outline.shape)
    return row._replace(
        image=image,
        outline=outline,
        visible=visible & outline,
        photo=photo,
        points=turned,
        yaw=yaw,
        turned=True,
    )


def _thumbnail(image: np.ndarray) -> np.ndarray:
    small = cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (16, 16), interpolation=cv2.INTER_AREA)
    flat = small.ravel().astype(np.float32) - small.mean()
    return flat / (np.linalg.norm(flat) + 1e-6)


def _write(rows: list[Row], faces: np.ndarray, out: Path) -> None:
    pictures = [row.picture for row in rows]
    np.save(out / "images.npy", np.stack([row.image for row in rows]))
    masks = [np.stack([row.outline, row.visible, row.photo], axis=-1) for row in rows]
    np.save(out / "labels.npy", np.stack(masks))
    np.savez(
        out / "table.npz",
        points=np.stack([row.points for row in rows]),
        triangles=faces,
        key=np.array([picture.key for picture in pictures]),
        source=np.array([picture.source for picture in pictures]),
        marked=np.array([picture.outline is not None for picture in pictures]),
        held_out=np.array([picture.held_out for picture in pictures]),
        yaw=np.array([row.yaw for row in rows], np.float32),
        known=np.array([row.known for row in rows]),
        sunglasses=np.array([row.sunglasses for row in rows]),
        turned=np.array([row.turned for row in rows]),
    )
    print(f"{len(rows)} faces, {sum(picture.held_out for picture in pictures)} of them held out")


if __name__ == "__main__":
    main()
