"""The reference populations of a model set, from `weights/calibration.json`, and what follows from them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from faceqa import weights
from faceqa.languages import Language
from faceqa.types import Assessment
from faceqa.verdict import judge as verdict
from faceqa.verdict.percentiles import CALIBRATED_ROLES, Calibration
from faceqa.verdict.policy import Policy


def load_calibration(models: Mapping[str, str]) -> Calibration | None:
    """The calibration of these models; None where none was made for them.

    Args:
        models: Name of the weights by role.

    Raises:
        WeightsError: when the file is missing or wrong.
    """
    calibration = _read(weights.fetch(weights.find("calibration", "open")))
    same = all(models.get(role) == calibration.models[role] for role in CALIBRATED_ROLES)
    return calibration if same else None


def rejudge(assessment: Assessment, policy: Policy, language: Language = "en") -> Assessment:
    """The same assessment under another policy or in another language, without running a model.

    Verdict, reasons, CAFI and its percentile are the new policy's; all else stays.

    Raises:
        WeightsError: when the calibration is missing or wrong.
    """
    judged = verdict.rejudge(assessment, policy, language)
    measures = assessment.measures
    calibration = load_calibration(assessment.models)
    if measures is None or calibration is None:
        return judged
    return replace(judged, percentiles=calibration.percentiles(measures, policy))


@lru_cache(maxsize=2)
def _read(path: Path) -> Calibration:
    return Calibration.from_dict(json.loads(path.read_text(encoding="utf-8")))
