"""Picture and mesh -> the two labels: outline (up to the hairline) and visible (no hair)."""

from __future__ import annotations

import cv2
import numpy as np
from turn import outline_mask

FOREHEAD = 0.16
"""How far a forehead may reach above the mesh, over the mesh's height. The mesh ends below the hairline: in
60 hand-marked templates of the London set it lies 0.13 above (10 % 0.09, 90 % 0.16)."""

SMOOTHING = 0.03
"""Sigma with which the hairline is smoothed, over the mesh's height."""

DARK_EYES = 0.5
"""Light below the eyes over that of the cheeks below which dark glasses are assumed: on the contact sheets
most of the faces below 0.4 wear them and few above 0.5."""

SIDE = 160
"""Side in px at which hair and skin are told apart."""

# A polygon of the mesh that is face in every picture: brows to chin, without the cheeks' outer thirds.
# fmt: off
SURE = (70, 63, 105, 66, 107, 336, 296, 334, 293, 300, 372, 352, 280, 425, 287, 273, 405, 17, 181, 43, 57,
        205, 50, 123, 143)
# fmt: on


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


def eyes_are_dark(image: np.ndarray, points: np.ndarray) -> bool:
    """Whether the skin below both eyes is so much darker than the cheeks that dark glasses are likely."""
    grey = cv2.GaussianBlur(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (0, 0), 3).astype(np.float32)
    down = 0.06 * (points[152, :2] - points[10, :2])
    below = np.stack([(points[a, :2] + points[b, :2]) / 2 + down for a, b in ((33, 133), (362, 263))])
    x, y = np.round(np.concatenate([below, points[[50, 280, 205, 425], :2]])).astype(int).T
    light = grey[y.clip(0, grey.shape[0] - 1), x.clip(0, grey.shape[1] - 1)]
    return float(light[:2].max()) < DARK_EYES * float(np.median(light[2:]) + 5)


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
        cv2.grabCut(work, mark, None, np.zeros((1, 65)), np.zeros((1, 65)), 3, cv2.GC_INIT_WITH_MASK)
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
