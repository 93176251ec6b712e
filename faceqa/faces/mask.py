"""Face crop -> where the face is, what of it is seen, how it is turned, and the face without background.

One network (`networks.face_mask`) gives two maps, and beside them a rotation:

- *outline*: the whole face, hairline to chin and ear to ear, also where something covers it;
- *visible*: the part of it where skin, eyes, brows, nose, mouth, beard or clear lenses are seen; masks,
  hands, objects, scarves, dark glasses and hair that falls over the face are not.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from faceqa.engines.base import Engine

THRESHOLD = 0.5
"""A pixel of a map at or above it belongs to the region."""

EDGE_WIDTH = 2.0
"""Width in px of the ramp from black to the face, inside the outline. A hard edge would be the sharpest thing
in a blurred picture; a ramp that reached outwards would let background in."""

RIM = 4
"""px. No pixel further away has a say in the ramp."""

SLIVER = 3
"""Width in px. Where a narrower strip of the outline seems covered, the two maps do not quite meet; nothing
covers the face there."""


@dataclass(frozen=True, slots=True)
class FaceMasks:
    """What the network says of N face crops.

    Attributes:
        outline: float32 (N, 384, 384) in [0, 1]; one region a crop, or none.
        visible: float32 (N, 384, 384) in [0, 1], nowhere above `outline`.
        rotation: Of the heads, float32 (N, 3, 3), see `faces.pose.pose_of_rotation`.
    """

    outline: np.ndarray
    visible: np.ndarray
    rotation: np.ndarray


class FaceMasker:
    """Finds the face in face crops."""

    def __init__(self, engine: Engine):
        self._engine = engine

    def __call__(self, crops: np.ndarray) -> FaceMasks:
        """Face crops -> `FaceMasks`; what is said of a crop does not depend on which others come with it.

        Args:
            crops: RGB uint8 (N, 384, 384, 3), as cut by `alignment.crop_face`.
        """
        maps = self._engine.run("face_mask", crops)
        outline, visible = maps["outline"], maps["visible"]
        for i in range(len(crops)):
            outline[i] = _largest_region(outline[i])
            visible[i] = _without_slivers(visible[i], outline[i])
        return FaceMasks(outline, visible, maps["rotation"])


def remove_background(crop: np.ndarray, outline: np.ndarray) -> np.ndarray:
    """The masked face: the crop inside the outline, black outside, with a short ramp between them.

    The ramp is `EDGE_WIDTH` px wide and lies inside the outline, so that no background shows.

    Args:
        crop: RGB uint8 (H, W, 3).
        outline: float (H, W) in [0, 1].

    Returns:
        RGB uint8 (H, W, 3).
    """
    inside = (outline >= THRESHOLD).astype(np.uint8)
    x, y, width, height = cv2.boundingRect(inside)
    near = np.s_[max(y - RIM, 0) : y + height + RIM, max(x - RIM, 0) : x + width + RIM]
    masked = np.zeros_like(crop)
    masked[near] = _faded(crop[near], inside[near])
    return masked


def _faded(crop: np.ndarray, inside: np.ndarray) -> np.ndarray:
    # What lies beyond the crop's border is not background: the distance is measured on a copied border.
    padded = cv2.copyMakeBorder(inside, RIM, RIM, RIM, RIM, cv2.BORDER_REPLICATE)
    distance = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[RIM:-RIM, RIM:-RIM]
    masked = cv2.bitwise_and(crop, crop, mask=inside)
    ramp = (distance > 0) & (distance < EDGE_WIDTH + 1)
    masked[ramp] = np.round(crop[ramp] * (distance[ramp] / (EDGE_WIDTH + 1))[:, None])
    return masked


def _largest_region(outline: np.ndarray) -> np.ndarray:
    """A map with only its largest region; the uncertain rim around it stays."""
    count, regions = cv2.connectedComponents((outline >= THRESHOLD).astype(np.uint8))
    if count <= 2:
        return outline
    largest = 1 + int(np.argmax(np.bincount(regions.ravel())[1:]))
    others = (regions > 0) & (regions != largest)
    return np.where(
        cv2.dilate(others.astype(np.uint8), np.ones((9, 9), np.uint8)) & (regions != largest), 0, outline
    )


def _without_slivers(visible: np.ndarray, outline: np.ndarray) -> np.ndarray:
    """The visible map, nowhere above the outline, without covered strips narrower than `SLIVER`."""
    around = np.where(outline >= THRESHOLD, visible, np.float32(1))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (SLIVER, SLIVER))
    closed = cv2.morphologyEx(around, cv2.MORPH_CLOSE, kernel, borderType=cv2.BORDER_REPLICATE)
    return np.minimum(closed, outline)
