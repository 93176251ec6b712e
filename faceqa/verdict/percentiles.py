"""What the numbers mean among real pictures: percentiles and pass rates over two reference populations.

`weights/calibration.json`, made by training/calibration, holds the measures of every face of

- *photographs*: the faces of BIQ2021's training photographs, sharp and spoilt as people take them;
- *synthetic*: sharp generated portraits, an upper bound.

They are kept apart. Percentiles are those among the photographs.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from faceqa.measures.registry import GATED, SCORE, WEIGHTED, Measure
from faceqa.types import Measures
from faceqa.verdict.judge import accepts, cafi
from faceqa.verdict.policy import Policy

PERCENTILE_POPULATION = "photographs"

MOST = 1e9
"""More than any limit; stands for infinity."""

CALIBRATED_ROLES = ("embedding", "face_mask", "iqa")
"""The models that make the measures: with others, the calibration says nothing."""


@dataclass(frozen=True, eq=False)
class Calibration:
    """The measures of the reference populations.

    Attributes:
        models: Name of the weights by role that they were taken with.
        populations: The measures of each face, by population.
    """

    models: Mapping[str, str]
    populations: Mapping[str, tuple[Measures, ...]]

    def percentiles(self, measures: Measures, policy: Policy) -> dict[str, int]:
        """How many percent of the reference photographs' faces have less of the score and of its parts.

        CAFI is compared with that of all faces, whether or not they pass the gates.
        """
        parts = {row.name: getattr(measures, row.name) for row in WEIGHTED}
        return {
            **{name: _percentile(_sorted_measure(self, name), value) for name, value in parts.items()},
            SCORE.name: _percentile(_sorted_cafi(self, policy), cafi(measures, policy)),
        }

    def pass_rate(self, policy: Policy, population: str = PERCENTILE_POPULATION) -> float:
        """The share of a population's faces that a policy accepts, in [0, 1]."""
        faces = self.populations[population]
        return sum(accepts(face, policy) for face in faces) / len(faces)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Calibration:
        """The content of `weights/calibration.json`.

        A measure that the file lacks, because its gate is younger than the file, is passed by every face.

        Raises:
            MeasureError: when a measure is out of its range.
            KeyError: when something is missing.
        """
        columns = data["columns"]
        lacking = {
            row.name: _passing_any(row) for row in GATED if row.name not in columns and not row.on_request
        }
        populations = {
            name: tuple(
                Measures(**dict(zip(columns, face, strict=True)), **lacking) for face in known["faces"]
            )
            for name, known in data["populations"].items()
        }
        return cls(data["models"], populations)


def _passing_any(row: Measure) -> float:
    """A value that passes a gate at any limit."""
    return min(row.highest, MOST) if row.higher_is_better else max(0.0, row.lowest)


@lru_cache(maxsize=16)
def _sorted_measure(calibration: Calibration, name: str) -> list[float]:
    return sorted(getattr(face, name) for face in calibration.populations[PERCENTILE_POPULATION])


@lru_cache(maxsize=16)
def _sorted_cafi(calibration: Calibration, policy: Policy) -> list[float]:
    return sorted(cafi(face, policy) for face in calibration.populations[PERCENTILE_POPULATION])


def _percentile(ascending: list[float], value: float) -> int:
    return round(100 * bisect_left(ascending, value) / len(ascending))
