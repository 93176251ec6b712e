"""How much of a face is covered: by a mask, a hand, hair, dark glasses or any other thing before it."""

from __future__ import annotations

import numpy as np

from faceqa.faces.mask import THRESHOLD
from faceqa.measures.batch import FaceBatch, Measurements, Setup


def occlusion(outline: np.ndarray, visible: np.ndarray) -> float:
    """The share of the outline's area in which the face is not seen, in [0, 1].

    Where no face was found (an empty outline) nothing of one is seen: 1.

    Args:
        outline: float (H, W) in [0, 1].
        visible: float (H, W) in [0, 1].
    """
    whole = outline >= THRESHOLD
    area = int(whole.sum())
    if area == 0:
        return 1.0
    return 1.0 - int((whole & (visible >= THRESHOLD)).sum()) / area


def of_batch(batch: FaceBatch) -> np.ndarray:
    """`occlusion` of each face: float64 (N,)."""
    pairs = zip(batch.outline, batch.visible, strict=True)
    return np.array([occlusion(*pair) for pair in pairs], dtype=np.float64)


def load(_setup: Setup) -> Measurements:
    """The measurement of the registry's row."""
    return {"occlusion": of_batch}
