"""Close the eyes and open the mouth of a face: its mesh is moved and the picture with it.

The skin between crease and lashes is drawn down over the eye, the line of the lashes comes to lie on the
lower lid. Of an opened mouth the gap between the lips is painted: dark, with teeth and tongue or without.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np

sys.path.append(str(Path(__file__).parents[2]))

from training.face_mask.mesh import OVAL

# MediaPipe's contours, the person's right eye and left eye, from the outer corner to the inner one.
# fmt: off
UPPER_LIDS = ((246, 161, 160, 159, 158, 157, 173), (466, 388, 387, 386, 385, 384, 398))
LOWER_LIDS = ((7, 163, 144, 145, 153, 154, 155), (249, 390, 373, 374, 380, 381, 382))
CREASES = ((247, 30, 29, 27, 28, 56, 190), (467, 260, 259, 257, 258, 286, 414))
SOCKETS = ((113, 225, 224, 223, 222, 221, 189), (342, 445, 444, 443, 442, 441, 413))
BELOW = ((25, 110, 24, 23, 22, 26, 112), (255, 339, 254, 253, 252, 256, 341))
CORNERS = ((33, 133), (263, 362))
UPPER_LIP = (191, 80, 81, 82, 13, 312, 311, 310, 415)
LOWER_LIP = (95, 88, 178, 87, 14, 317, 402, 318, 324)
MOUTH_CORNERS = (78, 308)
# fmt: on

CREASE_FOLLOWS, SOCKET_FOLLOWS, LOWER_RISES = 0.45, 0.1, 0.12
"""Shares of the way that the upper lid goes."""


def lid_apertures(points: np.ndarray) -> np.ndarray:
    """Of both eyes the largest distance of points that face each other, (2,) px; points (468, 2 or 3)."""
    xy = points[:, :2]
    gaps = [
        np.linalg.norm(xy[list(up)] - xy[list(low)], axis=1)
        for up, low in zip(UPPER_LIDS, LOWER_LIDS, strict=True)
    ]
    return np.max(gaps, axis=1)


def lip_aperture(points: np.ndarray) -> float:
    """The largest distance of points of the inner lips that face each other, px; points (468, 2 or 3)."""
    xy = points[:, :2]
    return float(np.linalg.norm(xy[list(UPPER_LIP)] - xy[list(LOWER_LIP)], axis=1).max())


def close_eye(points: np.ndarray, eye: int, closure: float) -> np.ndarray:
    """The mesh with an eye closed: 0 as it is, 1 shut, below 0 wider; (468, 3)."""
    moved = points.copy()
    upper, lower = list(UPPER_LIDS[eye]), list(LOWER_LIDS[eye])
    way = closure * (points[lower] - points[upper])
    moved[upper] += (1 - LOWER_RISES) * way
    moved[lower] -= LOWER_RISES * way
    moved[list(BELOW[eye])] -= 0.5 * LOWER_RISES * way
    moved[list(CREASES[eye])] += CREASE_FOLLOWS * way
    moved[list(SOCKETS[eye])] += SOCKET_FOLLOWS * way
    return moved


def open_mouth(points: np.ndarray, drop: float, narrowing: float) -> np.ndarray:
    """The mesh with the jaw dropped.

    Args:
        points: (468, 3) px.
        drop: How far the lower lip goes, in distances from the mouth to the chin.
        narrowing: How much closer the corners of the mouth come, as a share.
    """
    moved = points.copy()
    mouth = points[list(MOUTH_CORNERS)].mean(axis=0)
    down = points[152] - (points[13] + points[14]) / 2
    length = np.linalg.norm(down[:2])
    unit = down / length
    along = (points - mouth) @ unit / length  # 0 at the mouth, about 1 at the chin
    width = np.linalg.norm(points[454] - points[234])
    aside = np.abs((points - mouth) @ (points[308] - points[78])) / np.linalg.norm(points[308] - points[78])
    share = np.clip((along + 0.12) / 0.3, 0, 1) * np.clip(1.15 - 1.6 * aside / width, 0, 1)
    lower = list(LOWER_LIP)
    inner = 1 - (np.abs(np.arange(len(lower)) - 4) / 5) ** 3
    share[lower] = inner
    share[list(UPPER_LIP)] = -0.08 * inner
    share[list(MOUTH_CORNERS)] = 0.25
    moved += (drop * length * share)[:, None] * unit
    lips = np.linalg.norm(points - mouth, axis=1) < 0.75 * np.linalg.norm(points[308] - points[78])
    centre = moved[list(MOUTH_CORNERS)].mean(axis=0)
    pull = np.where(lips, narrowing, 0)[:, None]
    across = (points[308] - points[78]) / np.linalg.norm(points[308] - points[78])
    moved -= pull * ((moved - centre) @ across)[:, None] * across
    return moved


def paint_lashes(image: np.ndarray, points: np.ndarray, eye: int, rng: np.random.Generator) -> np.ndarray:
    """A shut eye's line, darker, with lashes or without."""
    outer, inner = CORNERS[eye]
    line = points[[outer, *UPPER_LIDS[eye], inner], :2]
    scale = np.linalg.norm(line[0] - line[-1])
    skin = image[tuple(np.clip(line[4][::-1].round().astype(int), 0, np.array(image.shape[:2]) - 1))]
    dark = skin * rng.uniform(0.1, 0.55)
    alpha: np.ndarray = np.zeros(image.shape[:2], np.float32)
    fixed = np.round(line * 16).astype(np.int32)
    cv2.polylines(alpha, [fixed], False, 1.0, max(1, round(scale * rng.uniform(0.02, 0.07))), cv2.LINE_AA, 4)
    if rng.random() < 0.5:
        below = points[list(LOWER_LIDS[eye]), :2].mean(0) - points[list(CREASES[eye]), :2].mean(0)
        below = below / max(np.linalg.norm(below), 1e-6)
        for start in np.linspace(line[0], line[-1], 16)[1:-1]:
            nearest = line[np.abs(line - start).sum(1).argmin()]
            start = start + below * ((nearest - start) @ below)
            end = (
                start + below * scale * rng.uniform(0.05, 0.2) + (line[0] - line[-1]) * rng.normal(0.03, 0.04)
            )
            pair = [np.round(16 * one).astype(int).tolist() for one in (start, end)]
            cv2.line(alpha, pair[0], pair[1], float(rng.uniform(0.3, 0.9)), 1, cv2.LINE_AA, 4)
    alpha = cv2.GaussianBlur(alpha, (0, 0), rng.uniform(0.4, 1.0))[..., None] * rng.uniform(0.4, 1.0)
    return (image * (1 - alpha) + dark * alpha).astype(np.uint8)


def paint_gap(image: np.ndarray, points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """What is seen between opened lips."""
    first, last = MOUTH_CORNERS
    gap = points[[first, *UPPER_LIP, last, *LOWER_LIP[::-1]], :2]
    height, width = lip_aperture(points), float(np.linalg.norm(gap[0] - gap[10]))
    inside: np.ndarray = np.zeros(image.shape[:2], np.float32)
    cv2.fillPoly(inside, [np.round(gap * 16).astype(np.int32)], 1.0, cv2.LINE_AA, 4)
    light = rng.uniform(0.5, 1.1) * image[image.shape[0] // 4 : -image.shape[0] // 4].mean() / 128
    layer: np.ndarray = np.empty_like(image, np.float32)
    layer[:] = np.array([60, 25, 25]) * rng.uniform(0.2, 1.0) * light
    down = points[14, :2] - points[13, :2]
    down = down / max(np.linalg.norm(down), 1e-6)
    if rng.random() < 0.55:
        tongue: np.ndarray = np.zeros_like(inside)
        centre = points[14, :2] - down * height * rng.uniform(0.0, 0.25)
        axes = (0.4 * width, height * float(rng.uniform(0.2, 0.45)))
        angle = float(np.degrees(np.arctan2(down[1], down[0]))) - 90
        cv2.ellipse(tongue, (tuple(centre.tolist()), (2 * axes[0], 2 * axes[1]), angle), 1.0, -1, cv2.LINE_AA)
        tongue = cv2.GaussianBlur(tongue, (0, 0), max(0.5, height * 0.06))[..., None]
        layer = layer * (1 - tongue) + np.array([190, 90, 95]) * rng.uniform(0.5, 1.0) * light * tongue
    for lip, sign, chance in ((UPPER_LIP, 1, 0.75), (LOWER_LIP, -1, 0.3)):
        if rng.random() < chance:
            edge = points[list(lip), :2]
            depth = (
                sign * down * min(height * rng.uniform(0.15, 0.4), 0.16 * np.linalg.norm(gap[0] - gap[10]))
            )
            teeth: np.ndarray = np.zeros_like(inside)
            outline = np.concatenate([edge, edge[::-1] + depth])
            cv2.fillPoly(teeth, [np.round(outline * 16).astype(np.int32)], 1.0, cv2.LINE_AA, 4)
            teeth = cv2.GaussianBlur(teeth, (0, 0), 0.7)[..., None] * rng.uniform(0.6, 1.0)
            layer = layer * (1 - teeth) + np.array([225, 215, 200]) * rng.uniform(0.7, 1.0) * light * teeth
    inside = cv2.GaussianBlur(inside, (0, 0), rng.uniform(0.5, 1.2))[..., None]
    return (image * (1 - inside) + layer.clip(0, 255) * inside).astype(np.uint8)


def chin_distance(points: np.ndarray) -> float:
    """From the middle of the eyes to the chin, px; points (468, 2 or 3)."""
    eyes = points[[corner for pair in CORNERS for corner in pair], :2].mean(axis=0)
    return float(np.linalg.norm(points[OVAL[18], :2] - eyes))
