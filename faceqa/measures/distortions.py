"""What spoils the picture of a face, by name: severities from 0, none, to 1.

Blur, noise, compression and low resolution are told by a head on DB-CNN's features (`networks.distortions`),
light and contrast by photometry on the face as far as it is seen. A severity says what such a damage costs a
sharp face in DBCNN: `FULL_COST` points or more are 1. Only uneven light, which DBCNN hardly minds, has a
scale of its own. All of it is measured by training/distortions.

Photometry looks at luma (ITU-R BT.709) in a picture of `SIDE` px, in which noise is averaged away. Darkness
is told from the brightest places of the face: light and dark skin alike have glints, and the whites of the
eyes. Contrast is told from the ratio of the darkest places to them, which neither skin nor exposure changes
much.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from faceqa.faces.alignment import CROP_MARGIN, CROP_SIZE
from faceqa.faces.mask import THRESHOLD
from faceqa.measures import registry
from faceqa.measures.batch import DISTORTIONS, FaceBatch

SIDE = 96
"""px of the picture that photometry looks at."""

LEAST_PIXELS = 40
"""Of a face in that picture; of fewer nothing is told."""

LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)

GAMMA = 2.2

DECIMALS = 3

FULL_COST = 40.0
"""DBCNN points that severity 1 costs."""

SHARP = 75.0
"""A DBCNN that leaves nothing to be desired: about the median of sharp faces that are held out."""

WHITE = 248
"""A channel of this level or more counts as burnt out."""

Knots = tuple[tuple[float, ...], tuple[float, ...]]
"""Values and severities, between which lines are drawn."""

DARK: Knots = ((0, 25, 37, 49, 66, 89, 119, 160), (1, 0.7, 0.52, 0.4, 0.295, 0.205, 0.067, 0))
BURNT: Knots = ((0.03, 0.33, 0.63, 0.81, 0.89, 0.94, 1), (0, 0.17, 0.42, 0.63, 0.81, 0.94, 1))
GLARE: Knots = ((238, 254), (0, 0.1))
FLAT: Knots = ((0, 0.11, 0.24, 0.37, 0.47, 0.55, 0.6), (1, 0.77, 0.46, 0.29, 0.15, 0.05, 0))
GLARE_IS_NOT_FLAT: Knots = ((225, 250), (1, 0))
ONE_SIDED: Knots = ((0.3, 4.3), (0, 0.6))


@dataclass(frozen=True, slots=True)
class Light:
    """How a face is lit.

    Attributes:
        dark: The level below which 2 % of the face lie, 0 to 255.
        bright: The level above which 2 % of the face lie.
        burnt: The share of the face in which a channel is at its end.
        stops: By how many powers of two one side of the face is brighter than the other.
    """

    dark: float
    bright: float
    burnt: float
    stops: float


PHOTOMETRY: dict[str, Callable[[Light], float]] = {
    "too_dark": lambda light: _between(DARK, light.bright),
    "too_bright": lambda light: max(_between(BURNT, light.burnt), _between(GLARE, light.bright)),
    "low_contrast": lambda light: (
        _between(FLAT, 1 - light.dark / max(light.bright, 1)) * _between(GLARE_IS_NOT_FLAT, light.bright)
    ),
    "uneven_light": lambda light: _between(ONE_SIDED, light.stops),
}
"""Severities by name. A burnt-out face is flat, too, but not for want of contrast."""


def measure(batch: FaceBatch, dbcnn: np.ndarray) -> list[dict[str, float]]:
    """The severities of each face by name, in the order of the registry.

    Those of the network only where it gave them, see `batch.DISTORTIONS`, and all of them reduced alike until
    none says that more is lost than the face lacks of `SHARP`: the grain of a film that DBCNN forgives is no
    fault. Of a face of which next to nothing is seen photometry tells nothing, 0.

    Args:
        batch: The faces.
        dbcnn: Their scores, (N,).
    """
    told = batch.by_products.get(DISTORTIONS)
    faces = []
    for i, crop in enumerate(batch.crops):
        light = lit(crop, batch.visible[i])
        found = {name: 0.0 if light is None else formula(light) for name, formula in PHOTOMETRY.items()}
        if told is not None:
            severities = told[i][: len(registry.TOLD_BY_NETWORK)]
            lost = max(0.0, (SHARP - float(dbcnn[i])) / FULL_COST)
            severities = severities * min(1.0, lost / max(float(severities.max()), 1e-6))
            found |= dict(zip(registry.TOLD_BY_NETWORK, severities.tolist(), strict=True))
        faces.append(
            {row.name: round(found[row.name], DECIMALS) for row in registry.DISTORTIONS if row.name in found}
        )
    return faces


def native_sizes(batch: FaceBatch) -> list[float | None]:
    """The longer side of each face in px at which its picture has all of its detail; see `Assessment`."""
    told = batch.by_products.get(DISTORTIONS)
    if told is None:
        return [None] * len(batch.faces)
    sides = (float(row[-1]) * CROP_SIZE / CROP_MARGIN for row in told)
    return [round(min(side, face.longer_side), 1) for side, face in zip(sides, batch.faces, strict=True)]


def lit(crop: np.ndarray, visible: np.ndarray) -> Light | None:
    """How a face is lit; None where too little of it is seen.

    Args:
        crop: RGB uint8 (384, 384, 3).
        visible: The part of the face that is seen, float32 (384, 384) in [0, 1].
    """
    small = cv2.resize(crop, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    seen = cv2.resize(visible, (SIDE, SIDE), interpolation=cv2.INTER_AREA) >= THRESHOLD
    face = cv2.erode(seen.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    if face.sum() < LEAST_PIXELS:
        return None
    luma = (small @ LUMA)[face]
    dark, bright = np.percentile(luma, (2, 98))
    columns = np.nonzero(face)[1]
    left = columns < (columns.min() + columns.max()) / 2
    linear = (luma / 255) ** GAMMA + 1e-4
    sides = [linear[side].mean() for side in (left, ~left) if side.any()]
    stops = abs(np.log2(sides[0] / sides[-1]))
    return Light(float(dark), float(bright), float((small.max(axis=2)[face] >= WHITE).mean()), float(stops))


def _between(knots: Knots, value: float) -> float:
    return float(np.interp(value, *knots))
