"""What a low score likely comes from, told from the measures themselves."""

from __future__ import annotations

from faceqa.measures.registry import CAUSE_FROM, DISTORTIONS, GATED
from faceqa.types import Measures

RECOGNITION_FROM = 0.5
"""How much of `FULL_EFFECT` makes something a likely cause of a low SER-FIQ."""

FULL_EFFECT = {"turned_away": 60.0, "occluded": 0.3, "blur": 0.8, "low_resolution": 0.8, "too_dark": 0.8}
"""What makes a good face hard to recognise by itself: degrees of yaw, the covered share, severities."""

CAUSES = tuple(dict.fromkeys((*(row.name for row in DISTORTIONS), *FULL_EFFECT)))
"""What can be a cause: names of distortions, and codes of reasons."""

_GATES_OF = {row.gate.reason: row for row in GATED if row.gate is not None}


def causes(reason: str, measures: Measures) -> tuple[str, ...]:
    """The likely causes of a low score, strongest first; none where the measures tell none.

    Args:
        reason: Code of the reason: `low_cafi`, `low_ser_fiq` or `low_ser_fiq_levelled`; others have none.
        measures: What was measured.
    """
    if reason == "low_cafi":
        return _from(CAUSE_FROM, dict(measures.distortions))
    if reason not in ("low_ser_fiq", "low_ser_fiq_levelled"):
        return ()
    values = dict(measures.distortions)
    for code in ("turned_away", "occluded"):
        row = _GATES_OF[code]
        values[code] = row.size(getattr(measures, row.name))
    return _from(RECOGNITION_FROM, {name: values.get(name, 0.0) / full for name, full in FULL_EFFECT.items()})


def _from(least: float, strengths: dict[str, float]) -> tuple[str, ...]:
    """The names with this strength or more; equally strong ones in their order."""
    return tuple(
        sorted((name for name in strengths if strengths[name] >= least), key=lambda n: -strengths[n])
    )
