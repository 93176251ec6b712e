"""Face -> the two crops that the networks see, with the exact maps between crop and photo.

- `align` turns the five landmarks into ArcFace's 112 x 112 crop, for the embedding;
- `crop_face` cuts the 384 x 384 square around the whole face, for the mask and the perceptual quality.

A transform is a float64 (2, 3) matrix that maps pixel centres (x, y, 1) to (x, y).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from faceqa.types import Box, Face

ALIGNED_SIZE = 112
"""Side in px of ArcFace's input."""

ARCFACE_TEMPLATE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)
"""Where the five landmarks come to lie in the aligned crop, px (insightface.utils.face_align.arcface_dst)."""

CROP_SIZE = 384
"""Side in px of the face crop: the input size of the reference system (2022)."""

CROP_MARGIN = 1.4
"""The square's side as a multiple of the longer side of the detector's box."""

CROP_LIFT = 0.05
"""How far the centre of the square lies above the centre of the box, in heights of the box: boxes end at the
chin but begin below the hairline."""


@dataclass(frozen=True, slots=True)
class FaceCrop:
    """The square around a face.

    Attributes:
        image: RGB uint8 (size, size, 3); black where the square reaches beyond the photo.
        to_photo: Transform from the crop's pixels to the photo's.
    """

    image: np.ndarray
    to_photo: np.ndarray

    @property
    def to_crop(self) -> np.ndarray:
        """Transform from the photo's pixels to the crop's; the inverse of `to_photo`."""
        return cv2.invertAffineTransform(self.to_photo)

    @property
    def box(self) -> Box:
        """The crop's outer edge in the photo: (x1, y1, x2, y2) in px."""
        size = len(self.image)
        (x1, y1), (x2, y2) = transform_points(np.array([[-0.5] * 2, [size - 0.5] * 2]), self.to_photo)
        return float(x1), float(y1), float(x2), float(y2)


def align(image: np.ndarray, face: Face) -> np.ndarray:
    """The aligned crop: the photo under the similarity that brings the landmarks closest to the template.

    A photo in which the face is much larger than 112 px is first reduced by area averaging, so that what is
    scored is the face and not the aliasing; up to a factor of two this equals insightface's `norm_crop`.

    Args:
        image: RGB uint8 (H, W, 3).
        face: A face of this photo.

    Returns:
        RGB uint8 (112, 112, 3); black where it reaches beyond the photo.
    """
    transform = align_transform(face)
    scale = float(np.sqrt(abs(np.linalg.det(transform[:, :2]))))
    reduction = int(0.5 / scale) if scale > 0 else 1
    if reduction > 1:
        image, transform = _reduce_around(image, transform, reduction)
    return cv2.warpAffine(image, transform, (ALIGNED_SIZE, ALIGNED_SIZE), flags=cv2.INTER_LINEAR)


def align_transform(face: Face) -> np.ndarray:
    """Transform from the photo to the aligned crop: Umeyama's (1991) least-squares similarity."""
    source = np.asarray(face.landmarks, dtype=np.float64)
    source_mean, target_mean = source.mean(axis=0), ARCFACE_TEMPLATE.mean(axis=0)
    # In the plane a similarity is one complex factor and one offset, which makes least squares one division.
    z = (source - source_mean) @ (1, 1j)
    w = (ARCFACE_TEMPLATE - target_mean) @ (1, 1j)
    spread = np.vdot(z, z).real
    factor = np.vdot(z, w) / spread if spread > 0 else 1.0 + 0j
    rotation = np.array([[factor.real, -factor.imag], [factor.imag, factor.real]])
    return np.column_stack([rotation, target_mean - rotation @ source_mean])


def crop_face(image: np.ndarray, face: Face, size: int = CROP_SIZE) -> FaceCrop:
    """Cut the upright square around a face and bring it to `size` x `size`, never stretched.

    Args:
        image: RGB uint8 (H, W, 3).
        face: A face of this photo.
        size: Side of the crop in px.
    """
    left, top, side = _square(face)
    return _resized(_cut(image, left, top, side), left, top, size)


def whole_crop(image: np.ndarray, size: int = CROP_SIZE) -> FaceCrop:
    """A picture that is a face crop already, brought to `size` x `size`: RGB uint8 (S, S, 3)."""
    return _resized(image, 0, 0, size)


def _resized(patch: np.ndarray, left: int, top: int, size: int) -> FaceCrop:
    side = len(patch)
    interpolation = cv2.INTER_AREA if side > size else cv2.INTER_CUBIC
    scale = side / size
    # cv2.resize keeps the corners of pixels in place: x_photo + 0.5 = left + (x_crop + 0.5) * scale.
    to_photo = np.array([[scale, 0, left + scale / 2 - 0.5], [0, scale, top + scale / 2 - 0.5]])
    return FaceCrop(cv2.resize(patch, (size, size), interpolation=interpolation), to_photo)


def transform_points(points: np.ndarray, transform: np.ndarray) -> np.ndarray:
    """Apply a transform to points: float (N, 2) -> float64 (N, 2)."""
    return np.asarray(points, dtype=np.float64) @ transform[:, :2].T + transform[:, 2]


def _square(face: Face) -> tuple[int, int, int]:
    """Left, top and side of the square in whole px of the photo."""
    x1, y1, x2, y2 = face.box
    side = max(1, round(CROP_MARGIN * face.longer_side))
    centre_x, centre_y = (x1 + x2) / 2, (y1 + y2) / 2 - CROP_LIFT * face.height
    return round(centre_x - side / 2), round(centre_y - side / 2), side


def _cut(image: np.ndarray, left: int, top: int, side: int) -> np.ndarray:
    """The square, black beyond the photo's border; a view of the photo where it lies inside."""
    height, width = image.shape[:2]
    x1, x2 = max(left, 0), min(left + side, width)
    y1, y2 = max(top, 0), min(top + side, height)
    if (x2 - x1, y2 - y1) == (side, side):
        return image[y1:y2, x1:x2]
    patch = np.zeros((side, side, 3), dtype=np.uint8)
    if x1 < x2 and y1 < y2:
        patch[y1 - top : y2 - top, x1 - left : x2 - left] = image[y1:y2, x1:x2]
    return patch


def _reduce_around(image: np.ndarray, transform: np.ndarray, reduction: int) -> tuple[np.ndarray, np.ndarray]:
    """Cut out what `transform` shows of the photo, reduce it by a whole factor, and adapt the transform."""
    corners = np.array([[0, 0], [ALIGNED_SIZE, 0], [0, ALIGNED_SIZE], [ALIGNED_SIZE, ALIGNED_SIZE]]) - 0.5
    seen = transform_points(corners, cv2.invertAffineTransform(transform))
    left, top = np.floor(seen.min(axis=0)).astype(int) - reduction
    side = int(np.ceil((seen.max(axis=0) - (left, top)).max() / reduction) + 1) * reduction
    patch = _cut(image, int(left), int(top), side)
    small = cv2.resize(patch, (side // reduction,) * 2, interpolation=cv2.INTER_AREA)
    offset = np.array([left, top]) + (reduction - 1) / 2
    return small, np.column_stack([transform[:, :2] * reduction, transform[:, :2] @ offset + transform[:, 2]])
