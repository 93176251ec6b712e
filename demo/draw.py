"""Overlays that show what the models saw: an `Inspection` -> pictures, and pictures -> files.

Pictures are RGB uint8 (H, W, 3), overlays RGBA uint8 (H, W, 4). What an overlay says by its colour it says by
its shape, too: the covered part of a face is hatched, the chosen face has the thick frame.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence

import cv2
import numpy as np

from faceqa.types import Box, Face, Point, Pose

CHOSEN = (56, 189, 248)
OTHER = (203, 213, 225)
DARK = (15, 23, 42)
NOSE_AXIS = (250, 204, 21)
SIDE_AXIS = (248, 113, 113)
CHIN_AXIS = (74, 222, 128)
VISIBLE = (34, 197, 160)
COVERED = (249, 115, 22)
EDGE = (255, 255, 255)

PHOTO_SIDE = 960
"""Longer side in px of an annotated photo."""

THUMBNAIL_SIDE = 112

AXIS_LENGTH = 0.42
"""Of the pose axes, over the inter-eye distance in the crop times two."""

FILL = 150
"""Opacity of an overlay's areas, of 255; its edges are opaque."""

HATCH_PERIOD = 14
"""px between the lines of the covered part's hatching."""

INSIDE = 0.5
"""A pixel of a face map at or above it belongs to the region (`mask.THRESHOLD`)."""

JPEG_QUALITY = 88


def annotated(photo: np.ndarray, faces: Sequence[Face], chosen: int = 0) -> np.ndarray:
    """The photo, reduced to `PHOTO_SIDE`, with the box of every face and the landmarks of the chosen one."""
    picture, scale = _reduced(photo, PHOTO_SIDE)
    unit = max(2, round(max(picture.shape[:2]) / 180))
    for index, face in enumerate(faces):
        if index != chosen:
            _frame(picture, face.box, scale, OTHER, max(1, unit // 2))
    if faces:
        _frame(picture, faces[chosen].box, scale, CHOSEN, unit)
        for point in faces[chosen].landmarks:
            _dot(picture, _pixel(point, scale), round(1.5 * unit))
    return picture


def with_pose(crop: np.ndarray, crop_box: Box, face: Face, pose: Pose | None) -> np.ndarray:
    """The face crop with its landmarks and the axes of the head: out of the nose, to the side, to the chin.

    Args:
        crop: RGB uint8 (S, S, 3).
        crop_box: Where it lies in the photo, px.
        face: The face, in px of the photo.
        pose: Its pose; None draws no axes.
    """
    picture = crop.copy()
    scale = len(crop) / (crop_box[2] - crop_box[0])
    points = [((x - crop_box[0]) * scale, (y - crop_box[1]) * scale) for x, y in face.landmarks]
    for point in points:
        _dot(picture, _pixel(point), max(2, len(crop) // 110))
    if pose is not None:
        nose, length = points[2], 2 * AXIS_LENGTH * face.inter_eye_distance * scale
        turned = head_axes(pose)
        colours = (SIDE_AXIS, CHIN_AXIS, NOSE_AXIS)
        for (x, y, _), colour in sorted(zip(turned, colours, strict=True), key=lambda axis: -axis[0][2]):
            _arrow(picture, nose, (nose[0] + length * x, nose[1] + length * y), colour)
    return picture


def head_axes(pose: Pose) -> tuple[tuple[float, float, float], ...]:
    """Unit vectors to the person's left, to the chin and out of the nose, as (x right, y down, z away)."""
    roll, pitch, yaw = (math.radians(angle) for angle in (pose.roll, pose.pitch, pose.yaw))

    def turn(x: float, y: float, z: float) -> tuple[float, float, float]:
        x, y = x * math.cos(roll) + y * math.sin(roll), y * math.cos(roll) - x * math.sin(roll)
        y, z = y * math.cos(pitch) - z * math.sin(pitch), y * math.sin(pitch) + z * math.cos(pitch)
        return x * math.cos(yaw) - z * math.sin(yaw), y, x * math.sin(yaw) + z * math.cos(yaw)

    return turn(1, 0, 0), turn(0, 1, 0), turn(0, 0, -1)


def mask_overlay(outline: np.ndarray, visible: np.ndarray) -> np.ndarray:
    """What the mask network found, to lay over the crop: RGBA uint8 (S, S, 4).

    The visible face is filled, the covered part filled in another colour and hatched, the outline a line.

    Args:
        outline: float (S, S) in [0, 1].
        visible: Likewise.
    """
    whole, seen = outline >= INSIDE, (outline >= INSIDE) & (visible >= INSIDE)
    covered = whole & ~seen
    overlay = np.zeros((*outline.shape, 4), np.uint8)
    overlay[seen] = (*VISIBLE, FILL)
    overlay[covered] = (*COVERED, FILL)
    diagonal = np.add.outer(np.arange(len(outline)), np.arange(outline.shape[1])) % HATCH_PERIOD < 2
    overlay[covered & diagonal] = (*EDGE, 230)
    contours, _ = cv2.findContours(whole.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(overlay, contours, -1, (*EDGE, 255), 2, cv2.LINE_AA)
    return overlay


def laid_over(crop: np.ndarray, overlay: np.ndarray) -> np.ndarray:
    """An RGBA overlay on a crop of its size, as one picture."""
    opacity = overlay[..., 3:] / 255
    return np.round(crop * (1 - opacity) + overlay[..., :3] * opacity).astype(np.uint8)


def thumbnail(photo: np.ndarray, face: Face, side: int = THUMBNAIL_SIDE) -> np.ndarray:
    """The square around a face, as far as the photo shows it: RGB uint8 (side, side, 3)."""
    reach = 0.65 * face.longer_side
    x, y = (face.box[0] + face.box[2]) / 2, (face.box[1] + face.box[3]) / 2
    left, top = max(0, round(x - reach)), max(0, round(y - reach))
    patch = photo[top : round(y + reach), left : round(x + reach)]
    return _on_square(patch, side)


def fitted(picture: np.ndarray, side: int) -> np.ndarray:
    """The whole picture inside a square of `side` px, on dark ground: RGB uint8 (side, side, 3)."""
    return _on_square(picture, side)


def reduced(picture: np.ndarray, longer_side: int) -> np.ndarray:
    """The picture with its longer side at most so many px."""
    return _reduced(picture, longer_side)[0]


def jpeg(picture: np.ndarray, quality: int = JPEG_QUALITY) -> bytes:
    """A picture as a JPEG file."""
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def png(picture: np.ndarray) -> bytes:
    """A picture, RGB or RGBA, as a PNG file."""
    code = cv2.COLOR_RGBA2BGRA if picture.shape[2] == 4 else cv2.COLOR_RGB2BGR
    return cv2.imencode(".png", cv2.cvtColor(picture, code))[1].tobytes()


def data_url(file: bytes) -> str:
    """A JPEG or PNG file as a URL that holds it."""
    kind = "png" if file.startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(file).decode()}"


def _reduced(photo: np.ndarray, longer_side: int) -> tuple[np.ndarray, float]:
    """A copy with its longer side at most so many px, and the scale."""
    scale = min(1.0, longer_side / max(photo.shape[:2]))
    if scale == 1.0:
        return photo.copy(), scale
    size = (max(1, round(photo.shape[1] * scale)), max(1, round(photo.shape[0] * scale)))
    return cv2.resize(photo, size, interpolation=cv2.INTER_AREA), scale


def _on_square(picture: np.ndarray, side: int) -> np.ndarray:
    square = np.full((side, side, 3), DARK, np.uint8)
    if 0 in picture.shape:
        return square
    scale = side / max(picture.shape[:2])
    width, height = (max(1, round(length * scale)) for length in picture.shape[1::-1])
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    left, top = (side - width) // 2, (side - height) // 2
    square[top : top + height, left : left + width] = cv2.resize(
        picture, (width, height), interpolation=interpolation
    )
    return square


def _pixel(point: Point, scale: float = 1.0) -> tuple[int, int]:
    return round(point[0] * scale), round(point[1] * scale)


def _frame(picture: np.ndarray, box: Box, scale: float, colour: tuple[int, ...], width: int) -> None:
    corners = _pixel(box[:2], scale), _pixel(box[2:], scale)
    cv2.rectangle(picture, *corners, DARK, width + 2, cv2.LINE_AA)
    cv2.rectangle(picture, *corners, colour, width, cv2.LINE_AA)


def _dot(picture: np.ndarray, centre: tuple[int, int], radius: int) -> None:
    cv2.circle(picture, centre, radius + 1, DARK, cv2.FILLED, cv2.LINE_AA)
    cv2.circle(picture, centre, radius, NOSE_AXIS, cv2.FILLED, cv2.LINE_AA)


def _arrow(picture: np.ndarray, start: Point, end: Point, colour: tuple[int, ...]) -> None:
    width = max(2, len(picture) // 110)
    cv2.arrowedLine(picture, _pixel(start), _pixel(end), DARK, width + 2, cv2.LINE_AA, tipLength=0.18)
    cv2.arrowedLine(picture, _pixel(start), _pixel(end), colour, width, cv2.LINE_AA, tipLength=0.18)
