"""Are the eyes open and is the mouth closed? Quality components from how far lids and lips are apart.

OFIQ takes the apertures from landmarks, here a network tells them (`faces.apertures`). OFIQ's T ends at the
chin's landmark, here at the lowest point of the outline, see `geometry.eyes_to_chin`. OFIQ takes the smaller
of both eyes. Here an eye that something covers does not count, nor the far eye of a head that is turned away.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import cv2
import numpy as np

from faceqa.faces.alignment import transform_points
from faceqa.faces.apertures import seen_shares
from faceqa.faces.mask import THRESHOLD
from faceqa.faces.pose import TURNED
from faceqa.measures.batch import FaceBatch
from faceqa.measures.components.geometry import eyes_to_chin
from faceqa.measures.components.mapping import columns, sigmoid


def eyes_open(eyes: Iterable[float], to_chin: float) -> float:
    """100 S(a / T, .02, .01), a the smaller aperture of the lids (OFIQ: EyesOpen).

    Args:
        eyes: Apertures of the eyes that are seen, px.
        to_chin: T, from between the eyes to the chin, px; NaN where it is not known.

    Returns:
        The value; NaN where no eye is seen.
    """
    return 100 * sigmoid(min(eyes, default=math.nan) / to_chin, 0.02, 0.01)


def mouth_closed(lips: float, to_chin: float) -> float:
    """100 (1 - S(a / T, .2, .06)), a the aperture of the lips (OFIQ: MouthClosed).

    Args:
        lips: a in px; NaN where the mouth is not seen.
        to_chin: T, from between the eyes to the chin, px; NaN where it is not known.
    """
    return 100 * (1 - sigmoid(lips / to_chin, 0.2, 0.06))


def seen(batch: FaceBatch, i: int) -> np.ndarray:
    """Whether the right eye, the left eye and the mouth of a face are seen, bool (3,)."""
    to_crop = cv2.invertAffineTransform(batch.to_photos[i])
    landmarks = transform_points(np.array(batch.faces[i].landmarks), to_crop)
    shown = seen_shares(batch.visible[i], landmarks) >= THRESHOLD
    pose = batch.poses[i]
    if pose is not None and abs(pose.yaw) > TURNED:
        shown[1 if pose.yaw > 0 else 0] = False
    return shown


def measure(batch: FaceBatch) -> dict[str, np.ndarray]:
    """The components of each face: float64 (N,), whole numbers in [0, 100], NaN where not assessed."""
    return columns([_face(batch, i) for i in range(len(batch.faces))])


def _face(batch: FaceBatch, i: int) -> dict[str, float]:
    to_chin = eyes_to_chin(batch.faces[i], batch.outline[i], batch.to_photos[i])
    right, left, lips = np.where(seen(batch, i), batch.apertures[i], math.nan).tolist()
    return {
        "eyes_open": eyes_open((eye for eye in (right, left) if not math.isnan(eye)), to_chin),
        "mouth_closed": mouth_closed(lips, to_chin),
    }
