"""Aligned crop -> a descriptor of how the face looks in this picture, to tell the same picture from another.

Three parts of the grey crop, each reduced by area averaging, without its mean and at length 1: the whole
face, the eyes and the mouth. So the correlation of two pictures is the mean of three correlations, in which
the mouth counts twice: what differs between two pictures of a person taken one after the other is mostly the
mouth, a small part of the whole (benchmarks/duplicates.py).
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np


class Part(NamedTuple):
    """A part of the aligned crop.

    Attributes:
        rows: In px of the crop.
        columns: Likewise.
        height: To which it is reduced, in cells.
        width: Likewise.
        weight: In the correlation of two pictures.
    """

    rows: slice
    columns: slice
    height: int
    width: int
    weight: float


PARTS = (
    Part(slice(0, 112), slice(0, 112), 8, 8, 0.25),
    Part(slice(38, 62), slice(26, 86), 4, 12, 0.25),
    Part(slice(77, 107), slice(29, 83), 6, 9, 0.5),
)
"""Whole face, eyes and mouth, where `faces.alignment.ARCFACE_TEMPLATE` puts them."""

LENGTH = sum(part.height * part.width for part in PARTS)
"""Of a descriptor."""

FLATTEST = 1e-6
"""A part of less contrast, in levels, is left out."""


def describe(aligned: np.ndarray) -> np.ndarray:
    """The descriptor of a face.

    Args:
        aligned: RGB uint8 (112, 112, 3), as `faces.alignment.align` gives it.

    Returns:
        float32 (`LENGTH`,), a unit vector where no part is flat; brightness and contrast do not move it.
    """
    grey = cv2.cvtColor(aligned, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return np.concatenate([_described(grey[part.rows, part.columns], part) for part in PARTS])


def _described(grey: np.ndarray, part: Part) -> np.ndarray:
    small = cv2.resize(np.ascontiguousarray(grey), (part.width, part.height), interpolation=cv2.INTER_AREA)
    cells = small.ravel() - small.mean()
    return part.weight**0.5 * cells / max(float(np.linalg.norm(cells)), FLATTEST)
