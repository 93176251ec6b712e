"""What the numbers mean among real pictures: percentiles and pass rates over two reference populations.

`weights/calibration.json`, made by training/calibration, holds the measures of every face of

- *photographs*: the faces of BIQ2021's training photographs, sharp and spoilt as people take them;
- *synthetic*: sharp generated portraits, an upper bound.

They are kept apart. Percentiles are those among the photographs.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

from faceqa import weights
from faceqa.fusion import cafi, judge
from faceqa.types import Measures, Policy

PERCENTILE_POPULATION = "photographs"

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
        """How many percent of the reference photographs' faces have less `ser_fiq`, `dbcnn` and `cafi`.

        CAFI is compared with that of all faces, whether or not they pass the gates.
        """
        score = cafi(measures.ser_fiq, measures.dbcnn, policy)
        return {
            "ser_fiq": _percentile(self._sorted["ser_fiq"], measures.ser_fiq),
            "dbcnn": _percentile(self._sorted["dbcnn"], measures.dbcnn),
            "cafi": _percentile(_sorted_cafi(self, policy), score),
        }

    def pass_rate(self, policy: Policy, population: str = PERCENTILE_POPULATION) -> float:
        """The share of a population's faces that a policy accepts, in [0, 1]."""
        faces = self.populations[population]
        return sum(judge(face, policy).decision == "accept" for face in faces) / len(faces)

    @cached_property
    def _sorted(self) -> dict[str, list[float]]:
        faces = self.populations[PERCENTILE_POPULATION]
        return {name: sorted(getattr(face, name) for face in faces) for name in ("ser_fiq", "dbcnn")}


def load_calibration(models: Mapping[str, str]) -> Calibration | None:
    """The calibration of these models; None where none was made for them.

    Args:
        models: Name of the weights by role.

    Raises:
        WeightsError: when the file is missing or wrong.
    """
    path = weights.fetch(weights.find("calibration", "open"))
    data = json.loads(path.read_text(encoding="utf-8"))
    if any(models.get(role) != data["models"][role] for role in CALIBRATED_ROLES):
        return None
    populations = {
        name: tuple(Measures(*face) for face in population["faces"])
        for name, population in data["populations"].items()
    }
    return Calibration(data["models"], populations)


@lru_cache(maxsize=16)
def _sorted_cafi(calibration: Calibration, policy: Policy) -> list[float]:
    faces = calibration.populations[PERCENTILE_POPULATION]
    return sorted(cafi(face.ser_fiq, face.dbcnn, policy) for face in faces)


def _percentile(ascending: list[float], value: float) -> int:
    return round(100 * bisect_left(ascending, value) / len(ascending))
