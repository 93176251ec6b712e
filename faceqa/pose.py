"""Five landmarks -> yaw, pitch and roll of the head, in degrees.

The camera is taken to be far away (scaled orthography). Then the five points of a head are an affine image of
their 3D model: the 2 x 3 matrix follows from one least-squares step, and its nearest pair of orthonormal rows
is the rotation. That is a closed form with one answer, so there is no start, no iteration and no ambiguity, and
the pose depends neither on the size of the photo nor on where it was cropped, as it would with a pinhole camera
of a guessed focal length. Measured, it is at least as accurate as OpenCV's `solvePnP` with any of its solvers.

How far to trust it (benchmarks/pose.py, real photographs, YuNet landmarks): see ACCURACY_PLACEHOLDER
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
        [0.000, 0.573, -0.623],
        [-0.388, 1.101, -0.101],
        [0.388, 1.101, -0.101],
    ]
)
"""A head that faces the camera: `types.LANDMARKS` in x right, y down, z away from the camera, as seen in the
photo. Unit: the distance between the eye centres.

From MediaPipe's canonical face model (Apache-2.0): eye centres are the means of vertices 33, 133, 159, 145 and
362, 263, 386, 374, mouth corners 61 and 291, nose tip 4. One number differs: YuNet puts the nose landmark lower
than that vertex (0.488), so its height is the one that makes the median pitch error zero on synthetic faces
(benchmarks/pose.py)."""

MIN_STRETCH_RATIO = 0.05
"""Landmarks whose smaller stretch is below this part of the larger one lie on a line and have no pose. The
lowest ratio of 8,364 faces found by YuNet is 0.3."""

_CENTRED = MODEL - MODEL.mean(axis=0)
_INVERSE = np.linalg.pinv(_CENTRED)  # (3, 5)


def head_pose(landmarks: Sequence[Point] | np.ndarray) -> Pose | None:
    """Head pose from the five landmarks of one face.

    The angles follow ISO/IEC 39794-5: starting from a head that faces the camera, it is turned by roll, then
    pitch, then yaw, each about a fixed axis of the camera. So yaw and pitch are the direction in which the face
    looks, and they stay well defined at full profile. A rotation of the photo is a change of roll alone only
    for a face that looks into the camera.

    Args:
        landmarks: Five (x, y) in px in the order of `types.LANDMARKS`, x right, y down.

    Returns:
        The pose, or None when the landmarks have none: not finite, or all on one line or in one point.

    Raises:
        ValueError: when there are not five points of two coordinates.
    """
    points = np.asarray(landmarks, dtype=np.float64)
    if points.shape != MODEL[:, :2].shape:
        raise ValueError(f"head_pose needs five (x, y) landmarks, not an array of shape {points.shape}")
    with np.errstate(over="ignore", invalid="ignore"):
        affine = (_INVERSE @ (points - points.mean(axis=0))).T  # (2, 3): photo = affine @ model
    if not np.isfinite(affine).all():
        return None
    left, stretch, right = np.linalg.svd(affine, full_matrices=False)
    if stretch[1] <= MIN_STRETCH_RATIO * stretch[0]:
        return None
    x_axis, y_axis = left @ right  # of the photo, in the axes of the head
    z_axis = np.cross(x_axis, y_axis)
    return Pose(
        yaw=math.degrees(math.atan2(-x_axis[2], z_axis[2])),
        pitch=math.degrees(-math.asin(max(-1.0, min(1.0, y_axis[2])))),
        roll=math.degrees(math.atan2(-y_axis[0], y_axis[1])),
    )
