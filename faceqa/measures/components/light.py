"""Light and colour of the face: quality components from luminance histograms and the colour of the cheeks.

Luminance is relative luminance Y of the sRGB pixel in 256 levels, as OFIQ has it; it is linear in light, so
that the middle grey 128 has the luminance 55.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np

from faceqa.faces.alignment import ARCFACE_TEMPLATE, align_transform, transform_points
from faceqa.faces.mask import THRESHOLD
from faceqa.measures.batch import FaceBatch
from faceqa.measures.components.mapping import columns, sigmoid

LUMINANCE_WEIGHTS = (0.2126, 0.7152, 0.0722)
"""Of linear red, green and blue in relative luminance (IEC 61966-2-1)."""

EYE_DISTANCE = 113.0
"""px between the eyes of an aligned face of OFIQ's: the scale of the cheek zones."""

CHEEK = 0.3
"""Side of the two cheek zones in inter-eye distances."""

XYZ_D50 = np.array([[0.43605, 0.38508, 0.14309], [0.22249, 0.71689, 0.06062], [0.01393, 0.09710, 0.71419]])
"""Linear sRGB to CIE XYZ under illuminant D50."""

WHITE_D50 = np.array([0.964221, 1.0, 0.825211])

SKIN_A, SKIN_B = (5.0, 25.0), (5.0, 35.0)
"""CIELAB a* and b* of natural skin."""

UNNATURAL = 100.0
"""Distance to natural skin of a colour with a negative a* or b*."""

DARK, LIGHT = slice(0, 26), slice(247, 256)
"""Levels of luminance that count as under- and over-exposed."""


def _linear(level: np.ndarray) -> np.ndarray:
    """Non-linear sRGB in [0, 1] to linear light in [0, 1]."""
    return np.where(level > 0.04045, ((level + 0.055) / 1.055) ** 2.4, level / 12.92)


_LINEAR_255 = (255 * _linear(np.arange(256) / 255)).astype(np.float32)


def luminance(picture: np.ndarray) -> np.ndarray:
    """Relative luminance of a picture, rounded to 256 levels.

    Args:
        picture: RGB uint8 (H, W, 3).

    Returns:
        uint8 (H, W).
    """
    linear = cv2.LUT(picture, _LINEAR_255)
    return cv2.convertScaleAbs(cv2.transform(linear, np.array([LUMINANCE_WEIGHTS], np.float32)))


def histogram(levels: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
    """The share of each of 256 levels: float64 (256,), the sum is 1; NaN where there is no pixel.

    Args:
        levels: uint8 (H, W).
        mask: uint8 (H, W); what is 0 does not count.
    """
    counts = cv2.calcHist([levels], [0], mask, [256], [0, 256]).ravel().astype(np.float64)
    total = counts.sum()
    return counts / total if total else np.full(256, np.nan)


def luminance_mean(face: np.ndarray) -> float:
    """100 S(m, .2, .05) (1 - S(m, .8, .05)), m the mean luminance in [0, 1] of the face (OFIQ: Luminance).

    Args:
        face: `histogram` of the face's luminance.
    """
    mean = _mean(face)
    return 100 * sigmoid(mean, 0.2, 0.05) * (1 - sigmoid(mean, 0.8, 0.05))


def luminance_variance(face: np.ndarray) -> float:
    """100 sin(pi 60 v / (60 v + 1)), v the variance of luminance in [0, 1] of the face (OFIQ: Luminance).

    Args:
        face: `histogram` of the face's luminance.
    """
    variance = float(face @ (np.arange(256) / 255 - _mean(face)) ** 2)
    return 100 * math.sin(math.pi * 60 * variance / (60 * variance + 1))


def dynamic_range(face: np.ndarray) -> float:
    """12.5 H, H the entropy in bits of the face's luminance (OFIQ: DynamicRange).

    Args:
        face: `histogram` of the face's luminance.
    """
    if np.isnan(face[0]):
        return math.nan
    present = face[face > 0]
    return -12.5 * float(present @ np.log2(present))


def under_exposure_prevention(seen: np.ndarray) -> float:
    """120 (.832 - S(p, .92, .05)), p the share of levels 0 to 25 (OFIQ: UnderExposurePrevention).

    Args:
        seen: `histogram` of the luminance of the face where nothing covers it.
    """
    return 120 * (0.832 - sigmoid(float(seen[DARK].sum()), 0.92, 0.05))


def over_exposure_prevention(seen: np.ndarray) -> float:
    """1 / (p + .01), p the share of levels 247 to 255 (OFIQ: OverExposurePrevention).

    Args:
        seen: `histogram` of the luminance of the face where nothing covers it.
    """
    return 1 / (float(seen[LIGHT].sum()) + 0.01)


def illumination_uniformity(right: np.ndarray, left: np.ndarray) -> float:
    """100 h^.3, h the intersection of both cheeks' luminance histograms (OFIQ: IlluminationUniformity).

    Args:
        right: The zone of the person's right cheek, RGB uint8 (S, S, 3), black outside of the face.
        left: That of the left cheek.
    """
    shared = np.minimum(histogram(luminance(right)), histogram(luminance(left)))
    return 100 * float(shared.sum()) ** 0.3


def natural_colour(cheeks: Sequence[np.ndarray]) -> float:
    """200 (1 - S(D, 0, 10)), D the distance of the cheeks' mean colour to that of skin (OFIQ: NaturalColour).

    In CIELAB natural skin has a* in [5, 25] and b* in [5, 35].

    Args:
        cheeks: Zones of the cheeks, RGB uint8 (S, S, 3), black outside of the face.
    """
    mean = np.mean([zone.mean(axis=(0, 1)) for zone in cheeks], axis=0) / 255
    x, y, z = np.vectorize(_lab_root)(XYZ_D50 @ _linear(mean) / WHITE_D50)
    a, b = 500 * (x - y), 200 * (y - z)
    distance = math.hypot(_beyond(a, *SKIN_A), _beyond(b, *SKIN_B)) if a >= 0 and b >= 0 else UNNATURAL
    return 200 * (1 - sigmoid(distance, 0, 10))


def measure(batch: FaceBatch) -> dict[str, np.ndarray]:
    """The components of each face: float64 (N,), whole numbers in [0, 100], NaN where not assessed."""
    return columns([_face(batch, i) for i in range(len(batch.faces))])


def _face(batch: FaceBatch, i: int) -> dict[str, float]:
    crop = batch.crops[i]
    inside = (batch.outline[i] >= THRESHOLD).astype(np.uint8)
    seen = (batch.visible[i] >= THRESHOLD).astype(np.uint8)
    left, top, width, height = cv2.boundingRect(inside)
    box = np.s_[top : top + height, left : left + width]
    if not width:
        face_levels = seen_levels = np.full(256, np.nan)
    else:
        levels = luminance(crop[box])
        face_levels, seen_levels = histogram(levels, inside[box]), histogram(levels, seen[box])
    cheeks = cheek_zones(batch, i, inside)
    return {
        "illumination_uniformity": illumination_uniformity(*cheeks) if cheeks else math.nan,
        "luminance_mean": luminance_mean(face_levels),
        "luminance_variance": luminance_variance(face_levels),
        "under_exposure_prevention": under_exposure_prevention(seen_levels),
        "over_exposure_prevention": over_exposure_prevention(seen_levels),
        "dynamic_range": dynamic_range(face_levels),
        "natural_colour": _natural_colour(crop, cheeks),
    }


def cheek_zones(batch: FaceBatch, i: int, inside: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """The squares below the eyes in which light and colour of the skin are judged, of the upright face.

    Each has a side of .3 inter-eye distances and begins halfway from the eyes to the mouth: the right one
    ends below the right eye, the left one begins below the left eye (OFIQ: CalculateRegionOfInterest).

    Args:
        batch: The faces.
        i: Which face.
        inside: Its outline in the crop, uint8 (384, 384), 0 or 1.

    Returns:
        The zones of the person's right and left cheek, RGB uint8 (S, S, 3), black outside of the face; None
        where the eyes are too close to each other for a zone.
    """
    scale = EYE_DISTANCE / math.dist(*ARCFACE_TEMPLATE[:2])
    to_aligned = scale * align_transform(batch.faces[i])
    points = np.rint(transform_points(np.array(batch.faces[i].landmarks), to_aligned))
    right_eye, left_eye = points[:2]
    eye_distance = math.dist(right_eye, left_eye)
    to_mouth = math.dist((right_eye + left_eye) / 2, (points[3] + points[4]) / 2)
    side = int(CHEEK * eye_distance)
    if side < 1:
        return None
    from_crop = to_aligned @ np.vstack([batch.to_photos[i], (0, 0, 1)])
    below = (0, int(to_mouth / 2))

    def zone(corner: np.ndarray) -> np.ndarray:
        transform = np.column_stack([from_crop[:, :2], from_crop[:, 2] - corner])
        skin = cv2.warpAffine(batch.crops[i], transform, (side, side), flags=cv2.INTER_LINEAR)
        return skin * cv2.warpAffine(inside, transform, (side, side), flags=cv2.INTER_NEAREST)[..., None]

    return zone(right_eye + below - (side, 0)), zone(left_eye + below)


def _natural_colour(crop: np.ndarray, cheeks: tuple[np.ndarray, np.ndarray] | None) -> float:
    """As `natural_colour`; a picture without colour counts as natural (OFIQ: IsColoured)."""
    red, green, blue = np.moveaxis(crop, 2, 0)
    if np.array_equal(red, green) and np.array_equal(red, blue):
        return 100.0
    return natural_colour(cheeks) if cheeks else math.nan


def _mean(shares: np.ndarray) -> float:
    return float(shares @ np.arange(256)) / 255


def _beyond(value: float, lowest: float, highest: float) -> float:
    """How far a value lies outside of a range."""
    return max(0.0, lowest - value, value - highest)


def _lab_root(t: float) -> float:
    """f(t) of CIELAB: the cube root, and a line near black."""
    return math.cbrt(t) if t > 216 / 24389 else (24389 / 27 * t + 16) / 116
