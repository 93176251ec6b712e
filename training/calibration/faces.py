"""Sharp faces from which DBCNN has not learnt, for the calibration and, apart from them, for the study."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal

import numpy as np

sys.path.append(str(Path(__file__).parents[2]))

from training.dbcnn.series import learnt

CALIBRATION_SHARE = 3
"""One unseen face in so many serves the calibration, the others the reference study."""


def unseen(path: Path, use: Literal["calibration", "study"]) -> np.ndarray:
    """Face crops, in a fixed random order: RGB uint8 (N, 384, 384, 3).

    Args:
        path: sharp.npz of training/dbcnn/crops.py.
        use: What for; no face serves both.
    """
    faces = np.load(path)
    others = np.setdiff1d(np.arange(len(faces["held_out"])), learnt(faces["held_out"]))
    others = np.random.default_rng(0).permutation(others)
    for_calibration = np.arange(len(others)) % CALIBRATION_SHARE == 0
    return faces["image"][others[for_calibration == (use == "calibration")]]
