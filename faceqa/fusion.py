"""Measures and a policy -> the verdict, with its reasons. Pure and instant: no model, no file.

CAFI, *Combined Advantages of FIQA and IQA*: gates first (a face that is too small, hard to recognise or
covered is rejected, whatever its picture quality), then the score

    CAFI = (w_s * 100 * SER-FIQ + w_d * DBCNN) / (w_s + w_d)

against its threshold. With the default weights 0 and 1 it is the reference system's (2022): DBCNN of the
masked face, filtered by SER-FIQ.
"""

from __future__ import annotations

from dataclasses import replace

from faceqa.reasons import gate_reason, in_language, plain_reason
from faceqa.types import Assessment, Language, Measures, Policy, Verdict

MIN_FACE_SIZE = 112
"""px in the photo. The embedding network's input has this side: a smaller face cannot fill it."""

CAFI_DECIMALS = 2

PRESETS: dict[str, Policy] = {
    "reference": Policy(),
    "balanced": Policy(ser_fiq_weight=1.0, dbcnn_weight=1.0, cafi_threshold=62.0),
    "strict": Policy(ser_fiq_threshold=0.7, max_occlusion=0.12, cafi_threshold=69.0),
}
"""Policies by name. *reference*: the reference system's CAFI. *balanced*: recognisability counts in the score
as much as picture quality. *strict*: for a small training set of the best faces. The CAFI thresholds were
derived by training/calibration."""


def cafi(ser_fiq: float, dbcnn: float, policy: Policy) -> float:
    """CAFI in [0, 100], rounded to `CAFI_DECIMALS`, whether or not the gates are passed."""
    share = policy.ser_fiq_weight / (policy.ser_fiq_weight + policy.dbcnn_weight)
    return round(100 * ser_fiq * share + dbcnn * (1 - share), CAFI_DECIMALS)


def judge(measures: Measures | None, policy: Policy, language: Language = "en") -> Verdict:
    """Say whether a face is good enough, and if not, why.

    Args:
        measures: What was measured; None where no face was found.
        policy: What is asked for.
        language: Of the reasons' sentences.

    Returns:
        The verdict. A value that equals its threshold passes.
    """
    if measures is None:
        return Verdict("reject", None, (plain_reason("no_face", language),))
    gates = (
        ("face_too_small", measures.face_size, MIN_FACE_SIZE, measures.face_size < MIN_FACE_SIZE),
        (
            "low_ser_fiq",
            measures.ser_fiq,
            policy.ser_fiq_threshold,
            measures.ser_fiq < policy.ser_fiq_threshold,
        ),
        ("occluded", measures.occlusion, policy.max_occlusion, measures.occlusion > policy.max_occlusion),
    )
    failed = tuple(gate_reason(code, value, limit, language) for code, value, limit, fails in gates if fails)
    if failed:
        return Verdict("reject", None, failed)
    score = cafi(measures.ser_fiq, measures.dbcnn, policy)
    if score < policy.cafi_threshold:
        low = gate_reason("low_cafi", score, policy.cafi_threshold, language)
        return Verdict("reject", score, (low,))
    return Verdict("accept", score)


def rejudge(assessment: Assessment, policy: Policy, language: Language = "en") -> Assessment:
    """The same assessment under another policy or in another language, without running a model.

    The percentile of CAFI belongs to the old policy and is left out; `Scorer.rejudge` gives the new one.
    """
    if assessment.verdict == "error":
        reasons = tuple(in_language(reason, language) for reason in assessment.reasons)
        return replace(assessment, reasons=reasons)
    verdict = judge(assessment.measures, policy, language)
    percentiles = {name: value for name, value in assessment.percentiles.items() if name != "cafi"}
    return replace(
        assessment,
        verdict=verdict.decision,
        cafi=verdict.cafi,
        reasons=verdict.reasons,
        percentiles=percentiles,
    )
