"""Faces at every grade of every damage: what the precision of the engines is chosen and measured on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from faceqa.faces.mask import remove_background
from training.dbcnn.distortions import GRADES, graded

STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class GradedFaces:
    """Crops and the same faces without their background, RGB uint8 (N, 384, 384, 3)."""

    crops: np.ndarray
    masked: np.ndarray


def graded_faces(path: Path, held_out: bool, most: int) -> GradedFaces:
    """Damaged faces, each in one way and strength, always the same.

    Args:
        path: sharp.npz of training/dbcnn/crops.py.
        held_out: Whether to take the faces that no network has learnt from, or the others.
        most: The number of faces at most.
    """
    faces = np.load(path)
    images, outlines = faces["image"], faces["outline"]
    rng = np.random.default_rng(0)
    chosen = rng.permutation(np.flatnonzero(faces["held_out"] == held_out))[:most]
    crops = np.stack(
        [
            graded(images[face], GRADES[seed % len(GRADES)], [rng.choice(STRENGTHS)], seed)[0]
            for seed, face in enumerate(chosen)
        ]
    )
    masked = np.stack(
        [
            remove_background(crop, outlines[face].astype(np.float32) / 255)
            for crop, face in zip(crops, chosen, strict=True)
        ]
    )
    return GradedFaces(crops, masked)
