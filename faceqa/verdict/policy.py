"""What is asked of a face: the gates, the weights of the score and its threshold."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, make_dataclass
from typing import Any

from faceqa.errors import PolicyError
from faceqa.languages import Words
from faceqa.measures.registry import (
    COMPONENTS,
    GATED,
    SCORE,
    WEIGHTED,
    Gate,
    Measure,
    Weight,
    replacements,
)

MOST_WEIGHT = 100.0


@dataclass(frozen=True, slots=True)
class Setting:
    """One number of a policy.

    Attributes:
        name: In `Policy`, in options and in the HTTP interface.
        measure: The measure that it belongs to.
        default: In the measure's unit; of a weight, a number.
        lowest: The lowest value that is taken.
        highest: The highest value that is taken.
        slider: Left end, right end and step of a slider for it.
        label: What it is called beside that slider.
        is_weight: Whether it is a weight of the score, and not a limit.
    """

    name: str
    measure: Measure
    default: float
    lowest: float
    highest: float
    slider: tuple[float, float, float]
    label: Words
    is_weight: bool = False


def _limit(measure: Measure, gate: Gate) -> Setting:
    ends = (0.0 if measure.signed else measure.lowest, measure.highest)
    return Setting(gate.setting, measure, gate.limit, *ends, gate.slider, gate.label)


def _weight(measure: Measure, weight: Weight) -> Setting:
    slider = (0.0, 3.0, 0.1)
    return Setting(weight.setting, measure, weight.default, 0.0, MOST_WEIGHT, slider, weight.label, True)


SETTINGS: tuple[Setting, ...] = (
    *(_limit(row, row.gate) for row in (*GATED, SCORE) if row.gate is not None),
    *(_weight(row, row.weight) for row in WEIGHTED if row.weight is not None),
)
"""Every number of a policy: the limits of the gates and of the score, then the weights."""

OF_A_FACE: tuple[Setting, ...] = tuple(one for one in SETTINGS if one.measure.module is not None)
"""The settings that rule a single face; the others belong to data sets."""

COMPONENT_NAMES = tuple(row.name for row in COMPONENTS)
"""What `Policy.minimums` may name."""

_Settings: Any = make_dataclass(
    "_Settings",
    [
        *((setting.name, float, field(default=setting.default)) for setting in SETTINGS),
        ("minimums", Mapping[str, float], field(default_factory=dict, hash=False)),
    ],
    namespace={"__post_init__": lambda self: None},  # `__init__` calls that of the class below
    frozen=True,
    kw_only=True,
)


class Policy(_Settings):
    """What is asked of a face; its fields are those of `SETTINGS`, and `minimums`.

    The default is *fair*: each gate asks for what its own measure is about, and stands where good pictures of
    every group of people pass (benchmarks/gates.py). SER-FIQ only filters, the score is DBCNN on the masked
    face.
    As a frozen dataclass it is compared by value and changed by `dataclasses.replace`.

    Attributes:
        min_face_size: The smallest face that passes: the longer side of its box in px of the photo.
        max_yaw: How far the head may be turned to either side, in degrees.
        ser_fiq_threshold: The lowest SER-FIQ that passes, in [0, 1].
        ser_fiq_levelled_threshold: The same of levelled SER-FIQ, in its place in a data set that is levelled.
        max_occlusion: The largest covered share of the face that passes, in [0, 1].
        cafi_threshold: The lowest CAFI that is accepted, in [0, 100] (any number, where another metric is put
            in the place of DBCNN).
        ser_fiq_weight: Weight of 100 x SER-FIQ in CAFI, in [0, 100].
        dbcnn_weight: Weight of DBCNN in CAFI, in [0, 100]. Only the ratio of the weights matters; one of them
            must be above 0.
        minimums: The lowest values of quality components that pass, by the names of `registry.COMPONENTS`, in
            [0, 100]. By default none: the components only inform.

    Raises:
        PolicyError: when a value is out of its range, or there is no such quality component.
    """

    def __post_init__(self) -> None:
        for setting in SETTINGS:
            value, lowest, highest = getattr(self, setting.name), setting.lowest, setting.highest
            if not (lowest <= value <= highest and math.isfinite(value)):
                raise PolicyError(
                    "bad_policy", f"{setting.name} must lie between {lowest:g} and {highest:g}, not {value}."
                )
        if not any(getattr(self, setting.name) for setting in SETTINGS if setting.is_weight):
            raise PolicyError("bad_policy", "One of the weights of CAFI must be above 0.")
        object.__setattr__(self, "minimums", dict(self.minimums))
        for name, value in self.minimums.items():
            if name not in COMPONENT_NAMES:
                raise PolicyError(
                    "bad_policy",
                    f"There is no quality component {name!r}. There are {', '.join(COMPONENT_NAMES)}.",
                )
            if not 0 <= value <= 100:
                raise PolicyError(
                    "bad_policy", f"The minimum of {name} must lie between 0 and 100, not {value}."
                )

    def limits(self, taken: Collection[str]) -> dict[str, float]:
        """The limits of the gates and of the score that rule where these measures were taken, by measure.

        The gate of a measure on request rules only where it was taken, and then in the place of the gate of
        the measure that it replaces.
        """
        replaced = replacements(taken)
        return {
            row.name: getattr(self, row.gate.setting)
            for row in (*GATED, SCORE)
            if row.gate is not None and row.name not in replaced and (row.name in taken or not row.on_request)
        }


PRESETS: Mapping[str, Policy] = {
    "fair": Policy(),
    "strict": Policy(max_yaw=30.0, max_occlusion=0.12, cafi_threshold=69.0),
    "balanced": Policy(ser_fiq_weight=1.0, dbcnn_weight=1.0, cafi_threshold=62.0),
    "reference": Policy(ser_fiq_threshold=0.5, max_yaw=90.0),
}
"""Policies by name. *fair*, the default. *strict*: for a small training set of the best faces. *balanced*:
recognisability counts in the score as much as picture quality. *reference*: the reference system's (2022)
SER-FIQ gate, which rejects some groups of people more than others. The CAFI thresholds were derived by
training/calibration."""
