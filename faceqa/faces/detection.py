"""Image -> faces: box, five landmarks, confidence.

A photo is seen at two scales. Measured on YuNet with synthetic faces from 6 to 768 px wide
(benchmarks/detection.py): it finds the faces between 14 and 512 px, and its boxes are best between 24
and 384 px. So

- the *fine* pass reduces the photo until a 32 px face is 14 px wide, which finds every face that has a use
  (below 112 px a face is too small to assess) without running at 12 megapixels;
- the *coarse* pass, at 320 px on the long side, finds the faces that are too large for the fine pass, up to
  one that fills the photo.

Where both find a face, the fine pass is believed if the face is at most 384 px wide there, the coarse pass if
it is wider.

A single YuNet answer misplaces the landmarks by 5 to 9 % of the inter-eye distance, and differently at every
size of the same photo, which would make every score downstream jump. `Detector.refine` therefore looks at
one face again at a fixed size, plain and mirrored, and averages all overlapping candidates. Against
hand-placed landmarks the error becomes 4 to 6 %, and what changes when the photo is enlarged by 6 % falls
from up to 7 % of the inter-eye distance to at most 1.6 %. A tilted face is turned upright first: the eye
line of faces tilted by 40 degrees is off by 14 degrees after one look, and by 1 after a levelled look (same
benchmark).
"""

from __future__ import annotations

import math
import threading
from typing import Protocol

import cv2
import numpy as np

from faceqa import weights
from faceqa.engines.base import STANDARD_SIZES, STRIDES, Engine
from faceqa.engines.openvino import OpenVinoEngine
from faceqa.types import Face

MIN_CONFIDENCE = 0.7
"""Detections below this confidence are patterns more often than faces. This was found by looking through the
detections on BSDS500's photographs, at their own size and enlarged by 3; profiles and faces in the dark have
0.73 or more there."""

MIN_CANDIDATE_CONFIDENCE = 0.3
"""Weaker candidates do not take part in the average that makes a detection."""

SMALLEST_FACE = 32
"""Width in px, in the photo, of the smallest face that must be found."""

SMALLEST_INPUT_FACE = 14
"""Width in px, at the network's input, that a face needs to be found."""

LARGEST_INPUT_FACE = 384
"""Width in px, at the network's input, above which boxes lose accuracy and the coarse pass takes over."""

COARSE_SIDE = 320
"""Long side in px of the coarse pass."""

FINE_SIDE_LIMITS = (640, 2560)
"""Shortest and longest long side in px of the fine pass. A smaller photo keeps its size; in a photo of more
than about 23 megapixels the smallest face that is found grows with the photo."""

REFINED_FACE = 240
"""Longer side in px of the box when a face is looked at again; the best of 120, 160, 200 and 240."""

REFINED_SIDE = STANDARD_SIZES["detection"][0]
"""Side in px of the square that is cut out to look at a face again."""

LEVEL = math.radians(8)
"""A face whose eyes are further from level, in the patch, is turned back by that angle and looked at again:
YuNet's landmarks do not follow a tilt to the end."""

MOST_LOOKS = 3
"""How often one face is looked at again at most."""

SAME_FACE_IOU = 0.3
"""Two detections that overlap more are one face."""

NESTED_SHARE = 0.8
"""A detection that lies inside a stronger one by this share of its area is a part of that face, such as an
eye in a close-up, unless it is nearly as strong."""

NESTED_CONFIDENCE = 0.1
"""How much weaker the detection of a part must be, in confidence."""

SAME_CANDIDATE_IOU = 0.5
"""Candidates that overlap the strongest more than this are averaged with it."""

MIRRORED_LANDMARKS = (1, 0, 2, 4, 3)
"""The order of the landmarks after left and right were exchanged."""


class Network(Protocol):
    """A face detector at one scale, before non-maximum suppression."""

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """RGB uint8 (H, W, 3) -> float (N, 15): x, y, width, height, five landmarks (x, y), confidence."""
        ...


class Detector:
    """Finds the faces of a photo; safe to call from several threads."""

    def __init__(self, network: Network):
        self._network = network

    def detect(self, image: np.ndarray) -> list[Face]:
        """All faces of a photo, the largest box first.

        Args:
            image: RGB uint8 (H, W, 3).
        """
        fine_side = _fine_side(image)
        fine, scale = _reduce(image, fine_side / max(image.shape[:2]))
        rows = self._detect_in(fine, scale)
        largest = LARGEST_INPUT_FACE * max(image.shape[:2]) / fine_side
        rank = rows[:, 14] + (_longer_side(rows) <= largest)
        if fine_side > LARGEST_INPUT_FACE:
            small, further = _reduce(fine, COARSE_SIDE / max(fine.shape[:2]))
            coarse = self._detect_in(small, scale * further)
            rows = np.concatenate([rows, coarse])
            rank = np.concatenate([rank, coarse[:, 14] + (_longer_side(coarse) > largest)])
        rows = rows[_suppress(rows, rank)]
        faces = [_face(row) for row in rows if not _is_part(row, rows)]
        return sorted(faces, key=lambda face: face.area, reverse=True)

    def refine(self, image: np.ndarray, face: Face) -> Face:
        """Look at one face again, closely and upright: the same face with a steadier box and landmarks.

        Args:
            image: RGB uint8 (H, W, 3).
            face: A face that `detect` found in it.
        """
        levelled = 0.0
        for _ in range(MOST_LOOKS):
            face = self._look_at(image, face, levelled)
            if abs(tilt := _tilt(face) - levelled) < LEVEL:
                break
            levelled += tilt
        return face

    def _look_at(self, image: np.ndarray, face: Face, angle: float) -> Face:
        """Find the face again in a patch of a fixed size that was turned back by `angle`, in radians."""
        scale = REFINED_FACE / face.longer_side
        x1, y1, x2, y2 = face.box
        centre = np.array([x1 + x2, y1 + y2]) / 2
        reach = 0.75 * REFINED_SIDE / scale  # to the corners of a turned patch
        offset = np.maximum(np.floor(centre - reach).astype(int), 0)
        end = np.ceil(centre + reach).astype(int)
        near, reduced = _averaged(image[offset[1] : end[1], offset[0] : end[0]], int(1 / scale))
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        linear = scale * turn / reduced
        shift = (REFINED_SIDE - 1) / 2 - linear @ ((centre - offset + 0.5) * reduced - 0.5)
        to_patch = np.column_stack([linear, shift])
        patch = cv2.warpAffine(near, to_patch, (REFINED_SIDE, REFINED_SIDE), flags=cv2.INTER_LINEAR)
        views = [self._strongest(patch), _mirror(self._strongest(np.ascontiguousarray(patch[:, ::-1])))]
        found = [row for row in views if row is not None]
        if not found:
            return face
        row = np.mean(found, axis=0)
        size = row[2:4]
        points = np.vstack([row[:2] + size / 2, row[4:14].reshape(5, 2)])
        points = ((points - shift) @ np.linalg.inv(linear).T + 0.5) / reduced - 0.5 + offset
        corner = points[0] - size / scale / 2
        return _face(np.concatenate([corner, size / scale, points[1:].ravel(), [face.confidence]]))

    def _detect_in(self, small: np.ndarray, scale: np.ndarray) -> np.ndarray:
        """Detections, in px of the photo, in the photo reduced by `scale`, (x, y)."""
        rows = self._run(small)
        rows[:, :14] /= np.tile(scale, 7)
        # Pixel centres: the middle of the reduced photo's first pixel is not the middle of the photo's.
        rows[:, 4:14] += np.tile((1 / scale - 1) / 2, 5)
        return rows

    def _strongest(self, patch: np.ndarray) -> np.ndarray | None:
        """The face in the middle of a patch."""
        rows = self._run(patch)
        middle = np.array([patch.shape[1], patch.shape[0]]) / 2
        inside = np.all(np.abs(rows[:, :2] + rows[:, 2:4] / 2 - middle) < REFINED_FACE / 4, axis=1)
        rows = rows[inside]
        return rows[np.argmax(rows[:, 14])] if len(rows) else None

    def _run(self, image: np.ndarray) -> np.ndarray:
        """Detections in a picture of the right size: RGB in, float64 (N, 15) out, one row a face."""
        candidates = self._network(image)
        sure = candidates[candidates[:, 14] >= MIN_CONFIDENCE]
        kept = sure[_suppress(sure, sure[:, 14])]
        return np.array([_average(row, candidates) for row in kept]).reshape(-1, 15)


def load_detector(models: weights.Models = "open") -> Detector:
    """Build the detector of a model set: YuNet for `open`, SCRFD-10G for `research`.

    Raises:
        WeightsError: when its weights are missing or wrong.
    """
    if models == "research":
        return Detector(_Scrfd(str(weights.fetch(weights.find("detection", models)))))
    return Detector(_YuNet(OpenVinoEngine(["detection"], precision="f32")))


class _YuNet:
    def __init__(self, engine: Engine):
        self._engine = engine

    def __call__(self, image: np.ndarray) -> np.ndarray:
        small = max(image.shape[:2]) <= REFINED_SIDE
        padded = _padded(image, REFINED_SIDE if small else STRIDES[-1])
        maps = self._engine.run("detection", padded[None])
        return np.concatenate([self._decoded(maps, stride, padded.shape[1]) for stride in STRIDES])

    def _decoded(self, maps: dict[str, np.ndarray], stride: int, width: int) -> np.ndarray:
        """The candidates of one map, whose cells are `stride` px wide."""
        score = np.sqrt(maps[f"cls_{stride}"][0, :, 0] * maps[f"obj_{stride}"][0, :, 0])
        (kept,) = np.nonzero(score >= MIN_CANDIDATE_CONFIDENCE)
        row, column = np.divmod(kept, width // stride)
        cell = np.column_stack([column, row])
        box = maps[f"bbox_{stride}"][0, kept].astype(np.float64)
        points = maps[f"kps_{stride}"][0, kept].astype(np.float64) + np.tile(cell, 5)
        extent = np.exp(box[:, 2:]) * stride
        corner = (cell + box[:, :2]) * stride - extent / 2
        return np.hstack([corner, extent, points * stride, score[kept, None]])


class _Scrfd:
    def __init__(self, path: str):
        from insightface.model_zoo.scrfd import SCRFD

        self._detector = SCRFD(path, static_shape_sessions=False)
        self._detector.prepare(-1, det_thresh=MIN_CANDIDATE_CONFIDENCE, nms_thresh=1.0)
        self._one_at_a_time = threading.Lock()  # it keeps its input's size as state

    def __call__(self, image: np.ndarray) -> np.ndarray:
        padded = _padded(image[..., ::-1], STRIDES[-1])
        with self._one_at_a_time:
            boxes, landmarks = self._detector.detect(padded, input_size=(padded.shape[1], padded.shape[0]))
        corner, size = boxes[:, :2], boxes[:, 2:4] - boxes[:, :2]
        return np.hstack([corner, size, landmarks.reshape(-1, 10), boxes[:, 4:]])


def _padded(image: np.ndarray, multiple: int) -> np.ndarray:
    """The picture with black to its right and below it, so that its sides are multiples of so many px.

    The coarsest map's stride is one for both networks.
    """
    bottom, right = -image.shape[0] % multiple, -image.shape[1] % multiple
    return cv2.copyMakeBorder(image, 0, bottom, 0, right, cv2.BORDER_CONSTANT)


def _fine_side(image: np.ndarray) -> int:
    long_side = max(image.shape[:2])
    lowest, highest = FINE_SIDE_LIMITS
    side = round(long_side * SMALLEST_INPUT_FACE / SMALLEST_FACE)
    return min(long_side, highest, max(lowest, side))


def _tilt(face: Face) -> float:
    """Angle of the line through the eyes in radians, clockwise for the viewer."""
    (x1, y1), (x2, y2) = face.landmarks[:2]
    return math.atan2(y2 - y1, x2 - x1)


def _reduce(image: np.ndarray, factor: float) -> tuple[np.ndarray, np.ndarray]:
    """The photo reduced, and the factors that whole pixels made of it, (x, y)."""
    if factor >= 1:
        return image, np.ones(2)
    near, reduced = _averaged(image, int(1 / factor))
    height, width = image.shape[:2]
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    small = cv2.resize(near, size, interpolation=cv2.INTER_LINEAR)
    return small, reduced * np.array(size) / (near.shape[1], near.shape[0])


def _averaged(image: np.ndarray, block: int) -> tuple[np.ndarray, np.ndarray]:
    """The means of blocks of `block` x `block` px, which keep aliasing out, and the factors, (x, y)."""
    if block < 2 or block > min(image.shape[:2]):
        return image, np.ones(2)
    height, width = (side // block for side in image.shape[:2])
    whole = image[: height * block, : width * block]
    return cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA), np.full(2, 1 / block)


def _longer_side(rows: np.ndarray) -> np.ndarray:
    return rows[:, 2:4].max(axis=1, initial=0)


def _suppress(rows: np.ndarray, rank: np.ndarray) -> list[int]:
    """Indices of the rows to keep: of two that overlap, the one of higher rank."""
    if not len(rows):
        return []
    return [int(index) for index in cv2.dnn.NMSBoxes(rows[:, :4].tolist(), rank.tolist(), 0.0, SAME_FACE_IOU)]


def _shared_area(row: np.ndarray, others: np.ndarray) -> np.ndarray:
    """How many px² the box of `row` shares with each of the others: (N,)."""
    corner = np.maximum(row[:2], others[:, :2])
    opposite = np.minimum(row[:2] + row[2:4], others[:, :2] + others[:, 2:4])
    return np.clip(opposite - corner, 0, None).prod(axis=1)


def _is_part(row: np.ndarray, rows: np.ndarray) -> bool:
    """Whether `row` is a part of another face."""
    inside = _shared_area(row, rows) > NESTED_SHARE * row[2:4].prod()
    return bool(np.any(inside & (rows[:, 14] > row[14] + NESTED_CONFIDENCE)))


def _average(row: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """The mean, weighted by confidence, of the candidates that overlap `row`; its own confidence stays."""
    shared = _shared_area(row, candidates)
    overlap = shared / (row[2:4].prod() + candidates[:, 2:4].prod(axis=1) - shared)
    near = candidates[overlap > SAME_CANDIDATE_IOU]
    return np.append(np.average(near[:, :14], axis=0, weights=near[:, 14]), row[14])


def _mirror(row: np.ndarray | None) -> np.ndarray | None:
    """A row found in the mirrored patch, in the coordinates of the patch."""
    if row is None:
        return None
    points = row[4:14].reshape(5, 2)[list(MIRRORED_LANDMARKS)]
    points[:, 0] = REFINED_SIDE - 1 - points[:, 0]
    return np.concatenate([[REFINED_SIDE - row[0] - row[2]], row[1:4], points.ravel(), row[14:]])


def _face(row: np.ndarray) -> Face:
    x, y, width, height = row[:4].tolist()
    points = row[4:14].reshape(5, 2).tolist()
    return Face(
        box=(x, y, x + width, y + height),
        landmarks=tuple((px, py) for px, py in points),
        confidence=float(row[14]),
    )
