"""Eyes and mouth -> how far they are open: a small network on three upright patches of the face crop.

The detector's five landmarks say where the patches lie. Their scale is the distance between the eyes, and for
a head that is turned away, whose eyes come close to each other, what it would be by the distance from the
eyes to the mouth.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np

from faceqa.engines.base import Engine
from faceqa.faces.alignment import FaceCrop, transform_points
from faceqa.types import Face

WIDTH, HEIGHT = 64, 48
"""px of a patch."""

EYE_SCALE, MOUTH_SCALE = 80.0, 44.0
"""px of the patches to one inter-eye distance."""

MIDDLE = np.s_[HEIGHT // 4 : -HEIGHT // 4, WIDTH // 4 : -WIDTH // 4]
"""The part of a patch that an eye or a mouth fills."""

EYES_TO_MOUTH = 1.155
"""From the middle of the eyes to that of the mouth corners, in inter-eye distances: of
`alignment.ARCFACE_TEMPLATE`."""


class ApertureMeter:
    """Measures how far lids and lips of faces are apart."""

    def __init__(self, engine: Engine):
        self._engine = engine

    def __call__(self, crops: Sequence[FaceCrop], faces: Sequence[Face]) -> np.ndarray:
        """Faces -> the widest openings of the right eye, the left eye and the mouth.

        Args:
            crops: As cut by `alignment.crop_face`, 384 px wide.
            faces: The same faces, in px of their photos.

        Returns:
            Float32 (N, 3) in px of their photos, 0 or more.
        """
        pairs = [(crop, np.array(face.landmarks)) for crop, face in zip(crops, faces, strict=True)]
        seen = [patches(crop.image, transform_points(points, crop.to_crop)) for crop, points in pairs]
        told = self._engine.run("apertures", np.stack(seen))["apertures"]
        return told * np.array([[unit(points)] for _, points in pairs], np.float32)


def unit(landmarks: np.ndarray) -> float:
    """The scale of a face, px: its inter-eye distance, were the head not turned.

    Args:
        landmarks: Float (5, 2) px in the order of `types.LANDMARKS`.
    """
    between = math.dist(*landmarks[:2])
    return max(between, math.dist(landmarks[:2].mean(axis=0), landmarks[3:].mean(axis=0)) / EYES_TO_MOUTH)


def patch_transforms(landmarks: np.ndarray) -> np.ndarray:
    """Transforms from the picture to the patches of the right eye, the left eye and the mouth.

    In each the face is upright; the left eye is mirrored, so that both have their inner corner on one side.

    Args:
        landmarks: Float (5, 2) px in the order of `types.LANDMARKS`.

    Returns:
        Float64 (3, 2, 3).
    """
    right, left, _, *corners = landmarks
    middles = (right, left, np.mean(corners, axis=0))
    down = middles[2] - (right + left) / 2
    across = left - right
    # Upright by both directions, each as long as it is seen; (x, y) -> x + iy.
    turn = complex(*across) + complex(*down) / 1j
    turn = turn.conjugate() / abs(turn) if turn else 1
    rotation = np.array([[turn.real, -turn.imag], [turn.imag, turn.real]]) / max(unit(landmarks), 1e-6)
    centre = np.array([(WIDTH - 1) / 2, (HEIGHT - 1) / 2])
    scales = (EYE_SCALE * np.eye(2), EYE_SCALE * np.diag([-1, 1]), MOUTH_SCALE * np.eye(2))
    return np.stack(
        [
            np.column_stack([scale @ rotation, centre - scale @ rotation @ middle])
            for scale, middle in zip(scales, middles, strict=True)
        ]
    )


def patches(picture: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """The three patches of a face, one below the other: RGB uint8 (144, 64, 3).

    Args:
        picture: RGB uint8 (H, W, 3).
        landmarks: Float (5, 2) px of the picture, in the order of `types.LANDMARKS`.
    """
    size = (WIDTH, HEIGHT)
    return np.concatenate(
        [
            cv2.warpAffine(picture, transform, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            for transform in patch_transforms(landmarks)
        ]
    )


def seen_shares(seen: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """How much is seen of the right eye, the left eye and the mouth: float (3,) in the unit of the map.

    Args:
        seen: Float (H, W), what is seen of the picture.
        landmarks: Float (5, 2) px of the picture, in the order of `types.LANDMARKS`.
    """
    maps = (cv2.warpAffine(seen, transform, (WIDTH, HEIGHT)) for transform in patch_transforms(landmarks))
    return np.array([one[MIDDLE].mean() for one in maps])
