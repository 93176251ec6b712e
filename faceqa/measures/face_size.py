"""How large a face is in its photo: the resolution that there is to work with."""

from __future__ import annotations

import numpy as np

from faceqa.measures.batch import FaceBatch, Measurements, Setup


def face_size(batch: FaceBatch) -> np.ndarray:
    """The longer side of each face's box in px of the photo: float64 (N,)."""
    return np.array([face.longer_side for face in batch.faces], dtype=np.float64)


def load(_setup: Setup) -> Measurements:
    """The measurement of the registry's row."""
    return {"face_size": face_size}
