"""Stress test: one photo, made worse step by step in one way, the face in its place or near it.

Recognisability and picture quality fall on different ladders: that is why CAFI takes both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import repeat

import cv2
import numpy as np
from numpy.typing import ArrayLike

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
    [
        *((0.0, 0.32), (0.30, 0.44), (0.62, 0.56), (0.98, 0.62)),
        *((0.98, 1.00), (0.90, 1.35), (0.68, 1.68), (0.35, 1.90), (0.0, 1.97)),
    ]
)
"""Half of a surgical mask in inter-eye distances from the point between the eyes, x to the person's left, y
down: nose bridge, cheeks, jaw, chin. Drawn by hand over frontal faces."""

MASK_COLOUR = (142, 190, 205)
PLEAT_COLOUR = (116, 156, 168)
LOOP_COLOUR = (235, 238, 240)
PLEATS = ((0.85, 0.95), (1.10, 0.93), (1.35, 0.86))
"""How far below the eyes each pleat lies, and half its width."""
EAR_LOOPS = (((0.98, 0.66), (1.22, 0.34)), ((0.90, 1.33), (1.22, 0.75)))

GAMMA = 2.2


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One step of a ladder.

    Attributes:
        level: How strong it is, as a number in the ladder's unit.
        picture: RGB uint8 (H, W, 3), of the same size on every step.
        face: Where the face was on the first step, in px of the picture.
        reduction: How many times fewer px of detail each side of the face has than px in the picture, which
            was enlarged to its old size.
    """

    level: str
    picture: np.ndarray
    face: Face
    reduction: float = 1.0


def climb(kind: str, photo: np.ndarray, face: Face) -> Iterator[Step]:
    """The steps of a ladder, from the photo itself to its worst state.

    Args:
        kind: One of `LADDERS`.
        photo: RGB uint8 (H, W, 3).
        face: The face that is looked at, in px of the photo.
    """
    small, face = _reduced(photo, face)
    reductions = REDUCTIONS if kind == "resolution" else repeat(1.0)
    for (level, picture), reduction in zip(LADDERS[kind](small, face), reductions, strict=False):
        yield Step(level, picture, face, reduction)


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
    masked = with_mask(photo, face)
    origin, _across, down = _face_axes(face)
    rows, columns = np.mgrid[: photo.shape[0], : photo.shape[1]]
    height = (np.stack([columns, rows], axis=-1) - origin) @ down / (down @ down)
    top, bottom = MASK_OUTLINE[0, 1], MASK_OUTLINE[-1, 1]
    depth = (height - top) / (bottom - top)
    for percent in COVERED_PERCENTS:
        reached = (depth >= 1 - percent / 100)[..., None]
        yield str(percent), np.where(reached, masked, photo) if percent else photo


def with_mask(photo: np.ndarray, face: Face, oversampling: int = 1) -> np.ndarray:
    """The photo with a surgical mask drawn over a face.

    Args:
        photo: RGB uint8 (H, W, 3).
        face: In px of the photo.
        oversampling: How many times larger the mask is drawn, for finer edges.

    Returns:
        RGB uint8 (H, W, 3).
    """
    height, width = photo.shape[:2]
    canvas = cv2.resize(photo, (width * oversampling, height * oversampling), interpolation=cv2.INTER_CUBIC)
    place = _placement(face, oversampling)
    unit = oversampling * face.inter_eye_distance

    for side in (-1, 1):
        for start, end in EAR_LOOPS:
            points = place([(side * start[0], start[1]), (side * end[0], end[1])])
            cv2.polylines(canvas, [points], False, LOOP_COLOUR, _width(0.035 * unit), cv2.LINE_AA)

    outline = np.vstack([MASK_OUTLINE, (MASK_OUTLINE * (-1, 1))[-2:0:-1]])
    cover = np.zeros(canvas.shape[:2], dtype=np.float32)
    cv2.fillPoly(cover, [place(_rounded_off(outline))], 1.0, cv2.LINE_AA)
    soft = cv2.GaussianBlur(cover, (0, 0), 0.012 * unit)[..., None]
    blended = canvas * (1 - soft) + _shaded_cloth(canvas.shape, place, unit) * soft
    return cv2.resize(np.round(blended).astype(np.uint8), (width, height), interpolation=cv2.INTER_AREA)


def _face_axes(face: Face) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The point between the eyes, and an inter-eye distance to the person's left and down the face, px."""
    right_eye, left_eye = (np.array(point) for point in face.landmarks[:2])
    across = left_eye - right_eye
    return (right_eye + left_eye) / 2, across, np.array([-across[1], across[0]])


def _placement(face: Face, oversampling: int) -> Callable[[ArrayLike], np.ndarray]:
    """A function from inter-eye distances to whole pixels of the oversampled photo."""
    origin, across, down = _face_axes(face)
    # A turned head moves its nose to one side; the mask moves half as far.
    turn = 0.5 * np.dot(np.array(face.landmarks[2]) - origin, across) / np.dot(across, across)

    def place(points: ArrayLike) -> np.ndarray:
        x, y = np.asarray(points, dtype=float).T
        pixels = origin + (x + turn)[:, None] * across + y[:, None] * down
        return np.round((pixels + 0.5) * oversampling - 0.5).astype(np.int32)

    return place


def _rounded_off(outline: np.ndarray) -> np.ndarray:
    """A closed polygon with its corners rounded (Chaikin, three times)."""
    for _ in range(3):
        following = np.roll(outline, -1, axis=0)
        outline = np.stack([0.75 * outline + 0.25 * following, 0.25 * outline + 0.75 * following], axis=1)
        outline = outline.reshape(-1, 2)
    return outline


def _shaded_cloth(
    shape: tuple[int, ...], place: Callable[[ArrayLike], np.ndarray], unit: float
) -> np.ndarray:
    """The mask's surface, float32 (H, W, 3): darker to its sides, with three pleats."""
    cloth = np.zeros(shape, dtype=np.float32) + MASK_COLOUR
    centre, edge = place([(0, 1.1), (1.0, 1.1)]).astype(float)
    columns = np.abs(np.arange(shape[1]) - centre[0]) / np.linalg.norm(edge - centre)
    cloth *= (1.06 - 0.22 * columns**2)[None, :, None]
    for depth, half_width in PLEATS:
        x = np.linspace(-half_width, half_width, 40)
        pleat = place(np.column_stack([x, depth + 0.06 * np.cos(x / half_width * np.pi / 2)]))
        cv2.polylines(cloth, [pleat], False, PLEAT_COLOUR, _width(0.022 * unit), cv2.LINE_AA)
    return cloth


def _width(pixels: float) -> int:
    return max(1, round(pixels))


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

DISTORTION_OF = {
    "resolution": "low_resolution",
    "blur": "blur",
    "jpeg": "compression",
    "noise": "noise",
    "darkness": "too_dark",
}
"""The distortion (`registry.DISTORTIONS`) that a ladder makes worse; a mask and a rotation are none."""


def _reduced(photo: np.ndarray, face: Face) -> tuple[np.ndarray, Face]:
    scale = LONGER_SIDE / max(photo.shape[:2])
    if scale >= 1:
        return photo, face
    small = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    x1, y1, x2, y2 = (scale * value for value in face.box)
    landmarks = tuple((scale * x, scale * y) for x, y in face.landmarks)
    return small, Face((x1, y1, x2, y2), landmarks, face.confidence)
