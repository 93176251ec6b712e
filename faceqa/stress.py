"""Stress test: one photo, made worse step by step in one way, the face in its place or near it.

Recognisability and picture quality fall on different ladders: that is why CAFI takes both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from faceqa.types import Face

LONGER_SIDE = 1280
"""px to which a larger photo is reduced first, so that every step takes the same short time."""

BLUR_SIGMAS = (0.0, 0.8, 1.6, 2.4, 3.6, 5.0)
"""Percent of the face's width."""

REDUCTIONS = (1.0, 2.0, 3.0, 4.0, 6.0, 8.0)
"""3 is the step from 1080p to 360p."""

JPEG_QUALITIES = (95, 50, 30, 15, 8, 4)

NOISE_DEVIATIONS = (0, 8, 16, 28, 44, 64)
"""Levels of 255."""

STOPS = (0, 1, 2, 3, 4, 5)

COVERED_PERCENTS = (0, 20, 40, 60, 80, 100)

ANGLES = (0, 15, 30, 45, 60, 90)

MASK_OUTLINE = np.array(
    [(0.0, 0.30), (0.55, 0.52), (0.98, 0.60), (0.95, 1.15), (0.70, 1.68), (0.35, 1.92), (0.0, 2.0)]
)
"""Half of a surgical mask from the nose bridge to the chin, in inter-eye distances from the point between the
eyes, x to the side, y down."""

MASK_COLOUR = (142, 190, 205)

GAMMA = 2.2


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One step of a ladder.

    Attributes:
        level: How strong it is, as a number in the ladder's unit.
        picture: RGB uint8 (H, W, 3), of the same size on every step.
        face: Where the face was on the first step, in px of the picture.
    """

    level: str
    picture: np.ndarray
    face: Face


def climb(kind: str, photo: np.ndarray, face: Face) -> Iterator[Step]:
    """The steps of a ladder, from the photo itself to its worst state.

    Args:
        kind: One of `LADDERS`.
        photo: RGB uint8 (H, W, 3).
        face: The face that is looked at, in px of the photo.
    """
    small, face = _reduced(photo, face)
    for level, picture in LADDERS[kind](small, face):
        yield Step(level, picture, face)


def _resolution(photo: np.ndarray, face: Face) -> Iterator[tuple[str, np.ndarray]]:
    size = photo.shape[1::-1]
    for reduction in REDUCTIONS:
        small = cv2.resize(photo, None, fx=1 / reduction, fy=1 / reduction, interpolation=cv2.INTER_AREA)
        picture = cv2.resize(small, size, interpolation=cv2.INTER_CUBIC)
        yield f"{face.width / reduction:.0f}", picture


def _blur(photo: np.ndarray, face: Face) -> Iterator[tuple[str, np.ndarray]]:
    for sigma in BLUR_SIGMAS:
        pixels = sigma / 100 * face.width
        yield f"{sigma:g}", cv2.GaussianBlur(photo, (0, 0), pixels) if sigma else photo


def _jpeg(photo: np.ndarray, _face: Face) -> Iterator[tuple[str, np.ndarray]]:
    for quality in JPEG_QUALITIES:
        packed = cv2.imencode(
            ".jpg", cv2.cvtColor(photo, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality]
        )[1]
        yield str(quality), np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR_RGB))


def _noise(photo: np.ndarray, _face: Face) -> Iterator[tuple[str, np.ndarray]]:
    grain = np.random.default_rng(0).standard_normal(photo.shape, np.float32)
    for deviation in NOISE_DEVIATIONS:
        yield str(deviation), np.clip(np.round(photo + deviation * grain), 0, 255).astype(np.uint8)


def _darkness(photo: np.ndarray, _face: Face) -> Iterator[tuple[str, np.ndarray]]:
    linear = (np.arange(256) / 255.0) ** GAMMA
    for stops in STOPS:
        table = np.round(255 * (linear / 2**stops) ** (1 / GAMMA)).astype(np.uint8)
        yield str(stops), cv2.LUT(photo, table)


def _mask(photo: np.ndarray, face: Face) -> Iterator[tuple[str, np.ndarray]]:
    right_eye, left_eye = (np.array(point) for point in face.landmarks[:2])
    across = left_eye - right_eye
    down = np.array([-across[1], across[0]])
    mirrored = MASK_OUTLINE[::-1] * (-1, 1)
    outline = np.concatenate([MASK_OUTLINE, mirrored])
    pixels = (right_eye + left_eye) / 2 + outline[:, :1] * across + outline[:, 1:] * down
    whole = np.zeros(photo.shape[:2], np.uint8)
    cv2.fillPoly(whole, [np.round(pixels).astype(np.int32)], 1)
    # How far each pixel lies below the mask's upper edge, 0 to 1 at the chin, along the face's own axis.
    rows, columns = np.mgrid[: photo.shape[0], : photo.shape[1]]
    offset = np.stack([columns, rows], axis=-1) - (right_eye + left_eye) / 2
    height = (offset @ down) / (down @ down)
    depth = (height - MASK_OUTLINE[0, 1]) / (MASK_OUTLINE[-1, 1] - MASK_OUTLINE[0, 1])
    for percent in COVERED_PERCENTS:
        picture = photo.copy()
        picture[(whole > 0) & (depth >= 1 - percent / 100) & (percent > 0)] = MASK_COLOUR
        yield str(percent), picture


def _rotation(photo: np.ndarray, face: Face) -> Iterator[tuple[str, np.ndarray]]:
    centre = (face.box[0] + face.box[2]) / 2, (face.box[1] + face.box[3]) / 2
    for angle in ANGLES:
        turn = cv2.getRotationMatrix2D(centre, angle, 1)
        picture = cv2.warpAffine(photo, turn, photo.shape[1::-1], borderMode=cv2.BORDER_REPLICATE)
        yield str(angle), picture


LADDERS: dict[str, Callable[[np.ndarray, Face], Iterator[tuple[str, np.ndarray]]]] = {
    "resolution": _resolution,
    "blur": _blur,
    "jpeg": _jpeg,
    "noise": _noise,
    "darkness": _darkness,
    "mask": _mask,
    "rotation": _rotation,
}


def _reduced(photo: np.ndarray, face: Face) -> tuple[np.ndarray, Face]:
    scale = LONGER_SIDE / max(photo.shape[:2])
    if scale >= 1:
        return photo, face
    small = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    x1, y1, x2, y2 = (scale * value for value in face.box)
    landmarks = tuple((scale * x, scale * y) for x, y in face.landmarks)
    return small, Face((x1, y1, x2, y2), landmarks, face.confidence)
