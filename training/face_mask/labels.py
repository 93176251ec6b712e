"""Picture and mesh -> the two labels: outline (up to the hairline) and visible (no hair)."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np

sys.path.append(str(Path(__file__).parents[2]))

from training.face_mask.turn import outline_mask

FOREHEAD = 0.16
"""How far a forehead may reach above the mesh, over the mesh's height. The mesh ends below the hairline: in
60 hand-marked templates of the London set it lies 0.13 above (10 % 0.09, 90 % 0.16)."""

SMOOTHING = 0.03
"""Sigma with which the hairline is smoothed, over the mesh's height."""

DARK_EYES = 0.56
"""Light below the eyes over that of the cheeks below which dark glasses are possible: on the contact sheets
most of the faces below 0.4 wear them and hardly any above 0.56."""

SUNGLASSES = 0.33
"""The same ratio below which they are taken for certain: about one face in twelve down there is shadowed."""

SIDE = 160
"""Side in px at which hair and skin are told apart."""

# A polygon of the mesh that is face in every picture: brows to chin, without the cheeks' outer thirds.
# fmt: off
SURE = (70, 63, 105, 66, 107, 336, 296, 334, 293, 300, 372, 352, 280, 425, 287, 273, 405, 17, 181, 43, 57,
        205, 50, 123, 143)
# fmt: on

EYES = ((33, 133), (362, 263))
CHEEKS = (50, 280, 205, 425)
BROWS = (127, 70, 63, 105, 66, 107, 336, 296, 334, 293, 300, 356)
BELOW_GLASSES = (323, 280, 425, 4, 205, 50, 93)
"""Points of the mesh."""

COLOUR_WEIGHT = (1, 0.7, 0.7)
"""Of the channels of CIELAB when a lens and skin are told apart."""


def raised(points: np.ndarray) -> np.ndarray:
    """The mesh with its outline's upper part moved up by `FOREHEAD`, fading out at the height of the eyes."""
    up = points[10] - points[152]
    eyes = (points[33] + points[263]) / 2
    height = ((points - eyes) @ up) / ((points[10] - eyes) @ up)
    lifted = points.copy()
    lifted += np.clip(height, 0, 1.2)[:, None] ** 1.5 * FOREHEAD * up * (1, 1, 0)
    return lifted.astype(np.float32)


def labels(
    image: np.ndarray, points: np.ndarray, faces: np.ndarray, photo: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The labels of a picture whose face nothing but hair covers.

    Args:
        image: RGB uint8 (H, W, 3).
        points: The mesh (468, 3) in px.
        faces: The mesh's triangles (T, 3).
        photo: Where the picture is, not the black beyond its border; uint8 0 or 255 (H, W).

    Returns:
        outline and visible, uint8 0 or 255 (H, W).
    """
    shape = image.shape[:2]
    oval = outline_mask(points, faces, shape)
    reach = outline_mask(raised(points), faces, shape) | oval
    hair = _hair(image, points, reach)
    forehead = reach & ~oval & ~hair & photo
    # Only skin that hangs together with the face is forehead.
    parts = cv2.connectedComponents(oval | forehead)[1]
    forehead[parts != parts[oval > 0].min(initial=len(parts))] = 0
    outline = smooth(oval | forehead, points) | oval
    return outline, outline & ~hair & photo


def eye_light(image: np.ndarray, points: np.ndarray) -> float:
    """Light of the skin below the brighter eye over that of the cheeks; little means dark glasses."""
    grey = cv2.GaussianBlur(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (0, 0), 3).astype(np.float32)
    below = np.stack([_below_eye(points, eye, 0.06) for eye in EYES])
    light = _at(grey, np.concatenate([below, points[list(CHEEKS), :2]]))
    return float(light[:2].max() / (np.median(light[2:]) + 5))


def lenses(image: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The dark lenses of sunglasses, uint8 0 or 255 (H, W): what hangs together with the eyes and is dark.

    It is looked for between the brows and the cheeks only.
    """
    points = points[:, :2]
    down = points[152] - points[10]
    size = float(np.linalg.norm(down))
    lab = cv2.GaussianBlur(cv2.cvtColor(image, cv2.COLOR_RGB2LAB), (0, 0), 0.006 * size).astype(np.float32)
    seeds = np.stack(
        [
            _below_eye(points, (a, b), drop) + aside * (points[b] - points[a])
            for a, b in EYES
            for drop in (0, 0.04, 0.07)
            for aside in (-0.25, 0, 0.25)
        ]
    )
    lens, skin = _at(lab, seeds), np.median(_at(lab, points[[*CHEEKS, 4]]), axis=0)
    from_lens = np.min([np.linalg.norm((lab - colour) * COLOUR_WEIGHT, axis=2) for colour in lens], axis=0)
    from_skin = np.linalg.norm((lab - skin) * COLOUR_WEIGHT, axis=2)
    dark = (lab[..., 0] < (np.median(lens[:, 0]) + skin[0]) / 2) | (from_lens < 0.5 * from_skin)
    band = np.zeros(image.shape[:2], np.uint8)
    edge = np.concatenate([points[list(BROWS)] - 0.02 * down, points[list(BELOW_GLASSES)]])
    cv2.fillPoly(band, [np.round(edge).astype(np.int32)], 1)
    width = max(3, int(0.02 * size)) | 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
    parts = cv2.connectedComponents(cv2.morphologyEx(band * dark.astype(np.uint8), cv2.MORPH_OPEN, kernel))[1]
    found = np.isin(parts, np.setdiff1d(_at(parts, seeds), 0)).astype(np.uint8)
    filled = np.zeros_like(found)
    outer = cv2.findContours(found, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
    return cv2.drawContours(filled, outer, -1, 255, cv2.FILLED)


def _below_eye(points: np.ndarray, eye: tuple[int, int], drop: float) -> np.ndarray:
    """The middle of an eye, moved down by a part of the mesh's height, (2,)."""
    return points[list(eye), :2].mean(axis=0) + drop * (points[152, :2] - points[10, :2])


def _at(values: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Pixels at points (N, 2) in px; the nearest ones for points beyond the border."""
    x, y = np.round(points).astype(int).T
    return values[y.clip(0, values.shape[0] - 1), x.clip(0, values.shape[1] - 1)]


def smooth(outline: np.ndarray, points: np.ndarray) -> np.ndarray:
    """An outline without the steps and tongues of the colour segmentation; uint8 0 or 255 (H, W)."""
    sigma = SMOOTHING * float(np.linalg.norm(points[10, :2] - points[152, :2]))
    return np.where(cv2.GaussianBlur(outline, (0, 0), sigma) > 127, 255, 0).astype(np.uint8)


def labels_within(
    image: np.ndarray, points: np.ndarray, marked: np.ndarray, photo: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The same for a picture whose outline was marked by hand, (N, 2) px."""
    outline = np.zeros(image.shape[:2], np.uint8)
    cv2.fillPoly(outline, [np.round(marked * 16).astype(np.int32)], 255, cv2.LINE_8, 4)
    return outline, outline & ~_hair(image, points, outline) & photo


def _hair(image: np.ndarray, points: np.ndarray, reach: np.ndarray) -> np.ndarray:
    """Hair (or a hat) inside `reach`, uint8 0 or 255: GrabCut between the face's colours and those around."""
    scale = SIDE / image.shape[0]
    small = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    xy = np.round(points[:, :2] * scale).astype(np.int32)
    inside = cv2.resize(reach, (SIDE, SIDE), interpolation=cv2.INTER_AREA) > 127
    upper = np.zeros((SIDE, SIDE), np.uint8)
    _above(upper, xy)
    grown = cv2.dilate(inside.astype(np.uint8), np.ones((3, 3)), iterations=max(4, SIDE // 16)) > 0
    ring = grown & ~inside & (upper > 0) & (small.max(axis=2) > 0)
    mark = np.full((SIDE, SIDE), cv2.GC_BGD, np.uint8)
    mark[inside] = cv2.GC_PR_FGD
    mark[ring] = cv2.GC_PR_BGD
    outer = cv2.dilate(inside.astype(np.uint8), np.ones((3, 3)), iterations=4) == 0
    mark[ring & outer] = cv2.GC_BGD
    mark[~grown | ~((upper > 0) | inside)] = 4
    sure = np.zeros((SIDE, SIDE), np.uint8)
    cv2.fillPoly(sure, [xy[list(SURE)]], 1)
    mark[(sure > 0) | (inside & (upper == 0))] = cv2.GC_FGD
    known = mark < 4
    if ring.sum() < 50 or sure.sum() < 50:
        return np.zeros_like(reach)
    # Pixels that take no part are left out by giving them a colour of their own.
    work = cv2.cvtColor(small, cv2.COLOR_RGB2LAB)
    work[~known] = (0, 255, 0)
    mark[~known] = cv2.GC_BGD
    try:
        cv2.setRNGSeed(0)
        nowhere = (0, 0, 0, 0)
        models = np.zeros((1, 65)), np.zeros((1, 65))
        cv2.grabCut(work, mark, nowhere, *models, 3, cv2.GC_INIT_WITH_MASK)
    except cv2.error:
        return np.zeros_like(reach)
    hair = ((mark == cv2.GC_BGD) | (mark == cv2.GC_PR_BGD)) & inside & (upper > 0)
    smooth = cv2.GaussianBlur(hair.astype(np.float32), (0, 0), 0.8)
    full = cv2.resize(smooth, reach.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return np.where(full > 0.5, 255, 0).astype(np.uint8) & reach


def _above(mask: np.ndarray, xy: np.ndarray) -> None:
    """Mark the half-plane above the line through the mouth's corners."""
    up = (xy[10] - xy[152]).astype(np.float64)
    middle = (xy[61] + xy[291]) / 2
    rows, columns = np.indices(mask.shape)
    mask[((columns - middle[0]) * up[0] + (rows - middle[1]) * up[1]) > 0] = 1
