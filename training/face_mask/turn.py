"""Turn a frontal face: the picture is laid over the mesh and the mesh is rotated.

The idea is Zhu et al.'s face profiling (2016): the mesh is continued beyond the outline over ears, hair and
background with a guessed depth, so that the whole picture turns. The outline of the turned mesh is exact.
"""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import cv2
import numpy as np
from scipy.spatial import Delaunay

sys.path.append(str(Path(__file__).parents[2]))

from training.face_mask.mesh import OVAL

RINGS = ((1.12, 0.22), (1.35, 0.5), (1.8, 0.6), (3.2, 0.6))
"""Rings around the outline: their size over the outline's, and how far they lie behind it in face widths."""

AXIS_DEPTH = 0.45
"""The axis of rotation lies this far behind the outline's front, in face widths."""


def triangles(frontal: np.ndarray) -> np.ndarray:
    """The mesh's triangles, int (T, 3), from one frontal mesh (468, 3), unrolled like a map of the earth."""
    middle = (frontal[234] + frontal[454]) / 2
    width = np.linalg.norm(frontal[454] - frontal[234])
    x, y, z = ((frontal - middle) / width).T
    plane = np.column_stack([np.arctan2(x, 0.4 - z), y])
    found = Delaunay(plane).simplices
    oval = (plane[list(OVAL)] * 1000).astype(np.float32)
    centres = plane[found].mean(axis=1) * 1000
    inside = [cv2.pointPolygonTest(oval, (float(a), float(b)), False) > 0 for a, b in centres]
    return found[np.array(inside)]


def outline_mask(points: np.ndarray, faces: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """What the mesh covers of a picture, uint8 0 or 255 (H, W): all its triangles, filled."""
    mask = np.zeros(shape, np.uint8)
    corners = np.round(points[:, :2] * 16).astype(np.int32)
    for face in faces:
        cv2.fillConvexPoly(mask, corners[face], 255, cv2.LINE_AA, 4)
    # The anti-aliased seams between the triangles are closed.
    return cv2.morphologyEx(np.where(mask > 127, 255, 0).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5)))


def turn(
    image: np.ndarray, points: np.ndarray, faces: np.ndarray, yaw: float, pitch: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Turn a picture by yaw and pitch in degrees around the head's axis.

    Returns:
        The map that `cv2.remap` takes to draw the turned picture, float32 (H, W, 2), NaN where nothing was
        drawn; the depth of each pixel (H, W); and the turned mesh (468, 3).
    """
    turned, source, all_faces = turned_mesh(points, faces, yaw, pitch)
    return *_draw(turned, source[:, :2], all_faces, image.shape[:2]), turned[:468].astype(np.float32)


def turned_mesh(
    points: np.ndarray, faces: np.ndarray, yaw: float, pitch: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Turn a mesh and what continues it by yaw and pitch in degrees around the head's axis.

    Returns:
        The turned corners and those that they were, float (V, 3), of which the first 468 are the mesh; and
        the triangles, int (T, 3).
    """
    source, all_faces = _with_rings(points, faces)
    middle = (points[234] + points[454]) / 2
    width = float(np.linalg.norm(points[454] - points[234]))
    middle[2] = points[:, 2].min() + AXIS_DEPTH * width
    turned = (source - middle) @ rotation(yaw, pitch).T + middle
    shift = (source[:468].mean(0) - turned[:468].mean(0)) * (1, 1, 0)
    return turned + shift, source, all_faces


def rotation(yaw: float, pitch: float) -> np.ndarray:
    """The rotation (3, 3) of a turn by yaw and pitch in degrees."""
    a, b = np.radians([yaw, pitch])
    about_y = np.array([[np.cos(a), 0, -np.sin(a)], [0, 1, 0], [np.sin(a), 0, np.cos(a)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), np.sin(b)], [0, -np.sin(b), np.cos(b)]])
    return about_x @ about_y


def painted(corners: np.ndarray, source: np.ndarray, faces: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """As the map of `turn`, from the farthest triangle to the nearest: fast, and nearly right."""
    order = np.argsort(-corners[faces, 2].mean(axis=1))
    shown = np.full(shape, -1, np.int32)
    fixed = np.round(corners[:, :2] * 16).astype(np.int32)
    for face in order:
        cv2.fillConvexPoly(shown, fixed[faces[face]], int(face), cv2.LINE_8, 4)
    homogeneous = np.concatenate([corners[faces, :2], np.ones((len(faces), 3, 1))], axis=2)
    affine = np.linalg.pinv(homogeneous) @ source[faces, :2]  # (T, 3, 2)
    y, x = np.nonzero(shown >= 0)
    place = np.full((*shape, 2), np.nan, np.float32)
    pixels = np.column_stack([x, y, np.ones(len(x))])[:, None]
    place[y, x] = (pixels @ affine[shown[y, x]])[:, 0]
    return place


def _with_rings(points: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    oval = points[list(OVAL)]
    centre = (points[10] + points[152]) / 2
    width = float(np.linalg.norm(points[454] - points[234]))
    rings = [oval]
    for size, depth in RINGS:
        ring = centre + (oval - centre) * size
        ring[:, 2] = np.maximum(oval[:, 2] + depth * width, ring[:, 2])
        rings.append(ring)
    source = np.concatenate([points, *rings[1:]])
    indices = [np.array(OVAL)] + [468 + 36 * k + np.arange(36) for k in range(len(RINGS))]
    belts = []
    for inner, outer in itertools.pairwise(indices):
        after = np.roll(np.arange(36), -1)
        belts.append(np.column_stack([inner, outer, outer[after]]))
        belts.append(np.column_stack([inner, outer[after], inner[after]]))
    return source, np.concatenate([faces, *belts])


def _draw(
    corners: np.ndarray, source: np.ndarray, faces: np.ndarray, shape: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Rasterise with a depth buffer: for every pixel the place in the source picture it shows."""
    height, width = shape
    depth = np.full(shape, np.inf, np.float32)
    place = np.full((height, width, 2), np.nan, np.float32)
    for face in faces:
        triangle = corners[face]
        x1, y1 = np.maximum(np.floor(triangle[:, :2].min(0)).astype(int), 0)
        x2, y2 = np.minimum(np.ceil(triangle[:, :2].max(0)).astype(int) + 1, (width, height))
        (ax, ay), (bx, by), (cx, cy) = triangle[:, :2]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if x1 >= x2 or y1 >= y2 or abs(area) < 1e-3:
            continue
        x, y = np.meshgrid(np.arange(x1, x2), np.arange(y1, y2))
        v = ((x - ax) * (cy - ay) - (y - ay) * (cx - ax)) / area
        w = ((bx - ax) * (y - ay) - (by - ay) * (x - ax)) / area
        weights = np.stack([1 - v - w, v, w], axis=-1)
        z = weights @ triangle[:, 2]
        window = (slice(y1, y2), slice(x1, x2))
        front = (weights >= -1e-3).all(-1) & (z < depth[window])
        depth[window][front] = z[front]
        place[window][front] = weights[front] @ source[face]
    return place, depth
