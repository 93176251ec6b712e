"""Sharpness of the face: how much of its detail is fine detail.

OFIQ asks a random forest, which looks at means and deviations of Laplacian, Sobel and mean-difference
filters. The forest is a model file and no formula. Here one of these filters, the mean difference, is
taken at two scales, and the ratio is mapped by a sigmoid of our own, so the values are not OFIQ's. The ratio
changes neither with the contrast nor with the amount of light. Like OFIQ's features it takes noise, halos of
sharpening and blocks of strong compression for detail.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from faceqa.faces.mask import THRESHOLD
from faceqa.measures.batch import FaceBatch
from faceqa.measures.components.mapping import columns, sigmoid

FINE, COARSE = 7, 31
"""Sides in px of the squares, in the 384 px crop, to whose mean a pixel is compared."""

MIDDLE, WIDTH = -2.79, 0.34
"""Of the sigmoid, in octaves (training/calibration/sharpness.py): the median sharp face has 95, and under a
Gaussian blur of 2 px in the 384 px crop 50."""


def detail(grey: np.ndarray, mask: np.ndarray, side: int) -> float:
    """Mean difference of the pixels in a mask to the mean of the square around each.

    Args:
        grey: float32 (H, W).
        mask: uint8 (H, W); what is 0 does not count.
        side: Of the square, px, odd.
    """
    return cv2.mean(cv2.absdiff(grey, cv2.blur(grey, (side, side))), mask)[0]


def fineness(crop: np.ndarray, outline: np.ndarray) -> float:
    """Fine detail as a share of coarse detail, in octaves: log2; NaN where the face has no detail.

    Args:
        crop: RGB uint8 (384, 384, 3).
        outline: float (384, 384) in [0, 1].
    """
    inside = (outline >= THRESHOLD).astype(np.uint8)
    left, top, width, height = cv2.boundingRect(inside)
    if not width:
        return math.nan
    box = np.s_[top : top + height, left : left + width]
    grey = cv2.cvtColor(crop[box], cv2.COLOR_RGB2GRAY).astype(np.float32)
    fine, coarse = (detail(grey, inside[box], side) for side in (FINE, COARSE))
    return math.log2(fine / coarse) if fine > 0 else math.nan


def sharpness(octaves: float) -> float:
    """100 S(f, -2.79, .34), f the `fineness` of the face.

    Args:
        octaves: f, NaN where the face has no detail.
    """
    return 100 * sigmoid(octaves, MIDDLE, WIDTH)


def measure(batch: FaceBatch) -> dict[str, np.ndarray]:
    """The component of each face: float64 (N,), whole numbers in [0, 100], NaN where not assessed."""
    pairs = zip(batch.crops, batch.outline, strict=True)
    return columns([{"sharpness": sharpness(fineness(*pair))} for pair in pairs])
