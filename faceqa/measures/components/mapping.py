"""What a formula gives -> a quality component: a whole number from 0 to 100."""

from __future__ import annotations

import math

import numpy as np


def sigmoid(x: float, x0: float, w: float) -> float:
    """1 / (1 + exp((x0 - x) / w)): the increasing S-curve from 0 to 1 with its middle at `x0`."""
    return 0.5 * (1 + math.tanh((x - x0) / (2 * w)))  # the same, and no exponent overflows


def component(value: float) -> float:
    """A value as a quality component: a whole number in [0, 100]; NaN, not assessed, stays."""
    return value if math.isnan(value) else float(min(100, max(0, math.floor(value + 0.5))))


def columns(faces: list[dict[str, float]]) -> dict[str, np.ndarray]:
    """Of faces, each with its values by name, the columns of quality components: float64 (N,)."""
    return {name: np.array([component(face[name]) for face in faces]) for name in faces[0]}
