"""Five landmarks -> yaw, pitch and roll of the head, in degrees.

The camera is taken to be far away (scaled orthography). Then the five points are an affine image of the
model of a head: the 2 x 3 matrix follows from one least-squares step, and its nearest pair of orthonormal
rows is the rotation. That closed form has one answer, so there is no start, no iteration and no
ambiguity, and neither the size of the photo nor where it was cropped changes the pose, as it would with a
pinhole camera of a guessed focal length. It is as accurate as OpenCV's `solvePnP` with the best such
guess, and a camera as near as 50 cm adds 1.4 degrees.

How far to trust it, measured with YuNet's landmarks (benchmarks/pose.py):

- yaw: mean absolute error 0.9 in portraits, 3.3 in photographs, 4 to 6 between 30 and 60 degrees. Beyond 60
  it comes out about 10 too small.
- roll: 0.6 in portraits, 2.5 in photographs; right to 0.5 when a portrait is tilted by up to 40 degrees.
- pitch: little more than a direction. The landmarks follow a nod by a quarter to a third, so 30 degrees read
  as about 10: 2.7 in portraits, 8.1 in photographs, where a constant would be wrong by 9.
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
pitch of 102 neutral studio portraits is zero (benchmarks/pose.py)."""

MIN_STRETCH_RATIO = 0.05
"""The model's affine image has a larger and a smaller stretch (singular values). Where the smaller is
below this part of the larger, the landmarks lie on a line. Of 8,364 faces found by YuNet the lowest ratio
is 0.3."""

_CENTRED = MODEL - MODEL.mean(axis=0)
_INVERSE = np.linalg.pinv(_CENTRED)  # (3, 5)


def head_pose(landmarks: Sequence[Point] | np.ndarray) -> Pose | None:
    """Head pose from the five landmarks of one face.

    In the order of ISO/IEC 39794-5 a head that faces the camera is turned by roll, then pitch, then yaw,
    each about a fixed axis of the camera. So yaw and pitch are the direction in which the face looks, and
    they stay well defined at full profile. A rotation of the photo changes roll alone only for a face
    that looks into the camera.

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
