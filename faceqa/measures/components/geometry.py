"""Where the face lies in the photo, its size and how it is turned: quality components from landmarks.

OFIQ's eye centres are the means of the eye corners, its chin the lowest landmark of the jaw. Here they are
the eye landmarks of the detector and the lowest point of the face's outline in the direction from the eyes to
the mouth.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from faceqa.faces.alignment import transform_points
from faceqa.faces.mask import THRESHOLD
from faceqa.measures.batch import FaceBatch
from faceqa.measures.components.mapping import columns, sigmoid
from faceqa.types import Face, Pose

SAME_PLACE = 1e-6
"""Inter-eye distance in px, or cosine, below which two eyes count as one place."""


def inter_eye_distance(face: Face, yaw: float) -> float:
    """100 S(d, 70, 20), d = |eye - eye| / cos(yaw) in px of the photo (OFIQ: InterEyeDistance).

    Args:
        face: In px of the photo.
        yaw: Head pose in degrees, NaN where it is not known.
    """
    cosine = math.cos(math.radians(yaw))
    return math.nan if abs(cosine) < SAME_PLACE else 100 * sigmoid(face.inter_eye_distance / cosine, 70, 20)


def head_size(eyes_to_chin: float, photo_height: int) -> float:
    """200 (1 - S(|t / h - .45|, 0, .05)), t from between the eyes to the chin (OFIQ: HeadSize).

    Args:
        eyes_to_chin: t in px of the photo.
        photo_height: h in px.
    """
    return 200 * (1 - sigmoid(abs(eyes_to_chin / photo_height - 0.45), 0, 0.05))


def single_face_present(second_area: float) -> float:
    """100 (1 - f), f the area of the second largest face as a share of the largest (OFIQ: SingleFacePresent).

    Args:
        second_area: f in [0, 1], 0 where there is one face only.
    """
    return 100 * (1 - second_area)


def head_pose(angle: float) -> float:
    """100 max(0, cos(angle))^2 (OFIQ: HeadPose).

    Args:
        angle: In degrees, NaN where it is not known.
    """
    return 100 * float(np.maximum(0.0, np.cos(np.radians(angle)))) ** 2


def crops(face: Face, eyes_to_chin: float, photo_size: tuple[int, int]) -> dict[str, float]:
    """Is the face cut off? The room around it, by the side of the photo (OFIQ: CropOfTheFaceImage).

    - leftward: 100 S(x / d, .9, .1), x from the left edge to the nearer eye, d the distance of the eyes;
    - rightward: the same from the right edge;
    - above: 100 S(y / t, 1.4, .1), y from the upper edge to the middle of the eyes, t from there to the chin;
    - below: 100 S(y / t, 1.8, .1), y from the lower edge.

    Args:
        face: In px of the photo.
        eyes_to_chin: t in px of the photo, NaN where it is not known.
        photo_size: Width and height in px.
    """
    (right_x, right_y), (left_x, left_y) = face.landmarks[:2]
    width, height = photo_size
    between, eyes_y = face.inter_eye_distance, (right_y + left_y) / 2
    if between < SAME_PLACE:
        between = math.nan
    return {
        "leftward_crop": 100 * sigmoid(right_x / between, 0.9, 0.1),
        "rightward_crop": 100 * sigmoid((width - left_x) / between, 0.9, 0.1),
        "margin_above": 100 * sigmoid(eyes_y / eyes_to_chin, 1.4, 0.1),
        "margin_below": 100 * sigmoid((height - eyes_y) / eyes_to_chin, 1.8, 0.1),
    }


def eyes_to_chin(face: Face, outline: np.ndarray, to_photo: np.ndarray) -> float:
    """How far the outline reaches from between the eyes in the direction of the mouth, in px of the photo.

    Args:
        face: In px of the photo.
        outline: float (384, 384) in [0, 1].
        to_photo: Transform from the crop's pixels to the photo's.

    Returns:
        The distance; NaN where there is no outline below the eyes.
    """
    inside = (outline >= THRESHOLD).astype(np.uint8)
    contours, _ = cv2.findContours(inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    landmarks = np.array(face.landmarks)
    eyes, mouth = landmarks[:2].mean(axis=0), landmarks[3:5].mean(axis=0)
    length = math.dist(eyes, mouth)
    if not contours or length < SAME_PLACE:
        return math.nan
    rim = transform_points(np.concatenate(contours)[:, 0], to_photo)
    reach = float(((rim - eyes) @ (mouth - eyes)).max()) / length
    return reach if reach > SAME_PLACE else math.nan


def measure(batch: FaceBatch) -> dict[str, np.ndarray]:
    """The components of each face: float64 (N,), whole numbers in [0, 100], NaN where not assessed."""
    return columns([_face(batch, i) for i in range(len(batch.faces))])


def _face(batch: FaceBatch, i: int) -> dict[str, float]:
    face, photo_size = batch.faces[i], batch.photo_sizes[i]
    to_chin = eyes_to_chin(face, batch.outline[i], batch.to_photos[i])
    pose = batch.poses[i] or Pose(math.nan, math.nan, math.nan)
    return {
        "single_face_present": single_face_present(batch.second_areas[i]),
        "inter_eye_distance": inter_eye_distance(face, pose.yaw),
        "head_size": head_size(to_chin, photo_size[1]),
        **crops(face, to_chin, photo_size),
        "head_pose_yaw": head_pose(pose.yaw),
        "head_pose_pitch": head_pose(pose.pitch),
        "head_pose_roll": head_pose(pose.roll),
    }
