"""Five landmarks, and what the face mask's network tells -> yaw, pitch and roll of the head, in degrees.

A head that looks at the camera is measured best by its five landmarks, a head that is turned away, and every
nod, by the network (`networks.head_pose`).

For the landmarks the camera is taken to be far away (scaled orthography). Then the five points are an affine
image of the model of a head: the 2 x 3 matrix follows from one least-squares step, and its nearest pair of
orthonormal rows is the rotation. That closed form has one answer, so there is no start, no iteration and no
ambiguity, and neither the size of the photo nor where it was cropped changes the pose.

How far to trust it: benchmarks/pose.py.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from faceqa.types import Pose

if TYPE_CHECKING:
    from collections.abc import Sequence

    from faceqa.types import Point

MODEL = np.array(
    [
        [-0.500, 0.000, 0.000],
        [0.500, 0.000, 0.000],
        [0.000, 0.612, -0.623],
        [-0.388, 1.101, -0.101],
        [0.388, 1.101, -0.101],
    ]
)
"""A head that faces the camera: `types.LANDMARKS` in x right, y down, z away from the camera, as seen in the
photo. Unit: the distance between the eye centres.

From MediaPipe's canonical face model (Apache-2.0): the eye centres are the means of vertices 33, 133,
159, 145 and 362, 263, 386, 374, the mouth corners 61 and 291, the nose tip 4. One number is measured
instead: YuNet puts the nose lower than that vertex (0.488), so its height is the one at which the median
pitch of 102 neutral studio portraits is zero (benchmarks/pose.py of version 0.1.0)."""

MIN_STRETCH_RATIO = 0.05
"""The model's affine image has a larger and a smaller stretch (singular values). Where the smaller is
below this part of the larger, the landmarks lie on a line. Of 8,364 faces found by YuNet the lowest ratio
is 0.3."""

FRONTAL, TURNED = 25.0, 45.0
"""Degrees of yaw, by the network: up to the first yaw and roll are those of the landmarks, from the second
those of the network, and between them they pass from one to the other."""

_CENTRED = MODEL - MODEL.mean(axis=0)
_INVERSE = np.linalg.pinv(_CENTRED)  # (3, 5)


def head_pose(landmarks: Sequence[Point] | np.ndarray, rotation: np.ndarray) -> Pose | None:
    """Head pose of one face.

    In the order of ISO/IEC 39794-5 a head that faces the camera is turned by roll, then pitch, then yaw,
    each about a fixed axis of the camera. So yaw and pitch are the direction in which the face looks, and
    they stay well defined at full profile. A rotation of the photo changes roll alone only for a face
    that looks into the camera.

    Args:
        landmarks: See `pose_of_landmarks`.
        rotation: Of the network, see `pose_of_rotation`.

    Returns:
        The pose, or None when the network's is not finite. Landmarks without a pose count for nothing.

    Raises:
        ValueError: when there are not five points of two coordinates.
    """
    seen, told = pose_of_landmarks(landmarks), pose_of_rotation(rotation)
    if seen is None or told is None:
        return told
    share = min(1.0, max(0.0, (abs(told.yaw) - FRONTAL) / (TURNED - FRONTAL)))
    return Pose(_between(seen.yaw, told.yaw, share), told.pitch, _between(seen.roll, told.roll, share))


def pose_of_landmarks(landmarks: Sequence[Point] | np.ndarray) -> Pose | None:
    """The pose that five landmarks show; pitch is little more than a direction.

    Args:
        landmarks: Five (x, y) in px in the order of `types.LANDMARKS`, x right, y down.

    Returns:
        The pose, or None when the landmarks have none: not finite, or all on one line or in one point.

    Raises:
        ValueError: when there are not five points of two coordinates.
    """
    points = np.asarray(landmarks, dtype=np.float64)
    if points.shape != MODEL[:, :2].shape:
        raise ValueError(f"a pose needs five (x, y) landmarks, not an array of shape {points.shape}")
    with np.errstate(over="ignore", invalid="ignore"):
        affine = (_INVERSE @ (points - points.mean(axis=0))).T  # (2, 3): photo = affine @ model
    if not np.isfinite(affine).all():
        return None
    left, stretch, right = np.linalg.svd(affine, full_matrices=False)
    if stretch[1] <= MIN_STRETCH_RATIO * stretch[0]:
        return None
    rows = left @ right
    return pose_of_rotation(np.vstack([rows, np.cross(*rows)]))


def pose_of_rotation(rotation: np.ndarray) -> Pose | None:
    """The angles of a rotation.

    Args:
        rotation: float (3, 3), from the axes of the head to those of the photo: x right, y down, z away from
            the camera.

    Returns:
        The pose, or None when the rotation is not finite.
    """
    if not np.isfinite(rotation).all():
        return None
    x_axis, y_axis, z_axis = rotation.astype(float)  # of the photo, in the axes of the head
    return Pose(
        yaw=math.degrees(math.atan2(-x_axis[2], z_axis[2])),
        pitch=math.degrees(-math.asin(max(-1.0, min(1.0, y_axis[2])))),
        roll=math.degrees(math.atan2(-y_axis[0], y_axis[1])),
    )


def _between(first: float, second: float, share: float) -> float:
    """An angle on the shorter way from one to another, in [-180, 180)."""
    difference = (second - first + 180) % 360 - 180
    return (first + share * difference + 180) % 360 - 180
