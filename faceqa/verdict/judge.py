"""Measures and a policy -> the verdict, with its reasons. Pure and instant: no model, no file.

CAFI, *Combined Advantages of FIQA and IQA*: gates first (a face that is too small, hard to recognise or
covered is rejected, whatever its picture quality), then the score

    CAFI = (w_s * 100 * SER-FIQ + w_d * DBCNN) / (w_s + w_d)

against its threshold. With the weights 0 and 1 the score is that of the reference system (2022): DBCNN of the
masked face, filtered by SER-FIQ. Gates and parts are those of `measures.registry`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace

from faceqa.errors import MeasureError
from faceqa.languages import Language
from faceqa.measures.registry import COMPONENTS, GATED, SCORE, WEIGHTED, Component, Measure
from faceqa.types import Assessment, Measures, Reason, Verdict
from faceqa.verdict.causes import causes
from faceqa.verdict.policy import Policy
from faceqa.verdict.reasons import gate_reason, in_language, plain_reason


def cafi(measures: Measures, policy: Policy) -> float:
    """CAFI in [0, 100], rounded as the registry says, whether or not the gates are passed."""
    weights = [getattr(policy, row.weight.setting) for row in WEIGHTED if row.weight]
    values = [row.factor * getattr(measures, row.name) for row in WEIGHTED]
    total = sum(weights)
    parts = (weight / total * value for weight, value in zip(weights, values, strict=True))
    return round(sum(parts), SCORE.decimals)


def judge(measures: Measures | None, policy: Policy, language: Language = "en") -> Verdict:
    """Say whether a face is good enough, and if not, why.

    Args:
        measures: What was measured; None where no face was found.
        policy: What is asked for.
        language: Of the reasons' sentences.

    Returns:
        The verdict. A value that equals its threshold passes.

    Raises:
        MeasureError: when the policy asks for a quality component that was not measured.
    """
    if measures is None:
        return Verdict("reject", None, (plain_reason("no_face", language),))
    failed = tuple(
        gate_reason(row.gate.reason, row.size(value), limit, language, causes(row.gate.reason, measures))
        for row, value, limit in _failed_gates(measures, policy)
        if row.gate is not None
    )
    failed += _below_minimums(measures, policy, language)
    if failed:
        return Verdict("reject", None, failed)
    score = cafi(measures, policy)
    if score < policy.cafi_threshold:
        low = gate_reason("low_cafi", score, policy.cafi_threshold, language, causes("low_cafi", measures))
        return Verdict("reject", score, (low,))
    return Verdict("accept", score)


def accepts(measures: Measures, policy: Policy) -> bool:
    """Whether `judge` would accept a face, without its sentences: for very many faces."""
    return (
        not any(_failed_gates(measures, policy))
        and not any(_failed_minimums(measures, policy))
        and cafi(measures, policy) >= policy.cafi_threshold
    )


def _failed_gates(measures: Measures, policy: Policy) -> Iterator[tuple[Measure, float, float]]:
    """The gates that a face does not pass, with its value and the limit."""
    taken = {row.name: value for row in GATED if (value := getattr(measures, row.name)) is not None}
    limits = policy.limits(taken)
    for row in GATED:
        if row.name in limits and not row.passes(taken[row.name], limits[row.name]):
            yield row, taken[row.name], limits[row.name]


def _failed_minimums(measures: Measures, policy: Policy) -> Iterator[tuple[Component, float | None, float]]:
    """The quality components below the policy's minimum, with value and minimum; None: could not be assessed.

    Raises:
        MeasureError: when one was not measured.
    """
    missing = [name for name in policy.minimums if name not in measures.components]
    if missing:
        raise MeasureError("bad_measure", f"The measures lack the quality components {', '.join(missing)}.")
    for row in COMPONENTS:
        if row.name in policy.minimums:
            value, least = measures.components[row.name], policy.minimums[row.name]
            if value is None or value < least:
                yield row, value, least


def _below_minimums(measures: Measures, policy: Policy, language: Language) -> tuple[Reason, ...]:
    """A reason for each of `_failed_minimums`; one sentence for all that could not be assessed."""
    failed = list(_failed_minimums(measures, policy))
    below = [
        gate_reason(row.reason, value, least, language) for row, value, least in failed if value is not None
    ]
    if len(below) < len(failed):
        below.append(plain_reason("component_failed", language))
    return tuple(below)


def rejudge(assessment: Assessment, policy: Policy, language: Language = "en") -> Assessment:
    """The same assessment under another policy or in another language, without running a model.

    The percentile of CAFI belongs to the old policy and is left out; `calibration.rejudge` gives the new one.
    """
    if assessment.verdict == "error":
        reasons = tuple(in_language(reason, language) for reason in assessment.reasons)
        return replace(assessment, reasons=reasons)
    verdict = judge(assessment.measures, policy, language)
    percentiles = {name: value for name, value in assessment.percentiles.items() if name != SCORE.name}
    return replace(
        assessment,
        verdict=verdict.decision,
        cafi=verdict.cafi,
        reasons=verdict.reasons,
        percentiles=percentiles,
        policy=asdict(policy),
    )
