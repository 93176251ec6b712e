"""How far a head is turned to the side."""

from __future__ import annotations

import numpy as np

from faceqa.measures.batch import FaceBatch, Measurements, Setup


def yaw(batch: FaceBatch) -> np.ndarray:
    """Yaw of each head in degrees, positive when the face turns to its own left: float64 (N,).

    NaN where the pose is not finite: a face whose pose cannot be told never passes.
    """
    return np.array([np.nan if pose is None else pose.yaw for pose in batch.poses], dtype=np.float64)


def load(_setup: Setup) -> Measurements:
    """The measurement of the registry's row."""
    return {"yaw": yaw}
