"""Does a quality measure predict recognition? The error-versus-discard characteristic of ISO/IEC 29794-1.

A matcher compares pairs of pictures. The pairs of lowest quality are discarded, step by step, and after each
step the errors of the rest are counted. A measure that predicts recognition discards the pairs that the
matcher gets wrong, so its curve falls; a random measure leaves the error where it was.

- The quality of a pair is the lower one of its two pictures (Grother and Tabassi, "Performance of Biometric
  Quality Measures", IEEE TPAMI 2007).
- The error is the false non-match rate (FNMR): the share of mated pairs, two pictures of one person, whose
  similarity is below the threshold.
- Pairs of equal quality leave together, since no quality limit can part them. The curve is a step function: a
  discard fraction between two steps has the error of the lower step (Schlett et al., "Considerations on the
  Evaluation of Biometric Quality Assessment Algorithms", IEEE TBIOM 2024, and its tool fiqat).
- The similarity threshold follows one of three rules, which give different figures (`ThresholdRule`). Always
  say which rule a figure belongs to.
- A picture without a quality (None or NaN: no face was found, a measure failed) counts as the worst: its
  pairs are discarded first, together. A pair without a similarity (NaN: one picture has no embedding) never
  matches; as a mated pair it is an error until it is discarded.

Only the order of the qualities matters: no rescaling that keeps the order changes the curve.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from faceqa.errors import EvaluationError

Floats = Sequence[float | None] | np.ndarray
"""A value for each pair; None and NaN both mean that there is none."""

ThresholdRule = Literal["fnmr_at_start", "fmr_at_start", "fmr_at_each_step"]
"""How the similarity threshold is chosen.

- `fnmr_at_start`: once, before anything is discarded, so that the FNMR of all mated pairs is the target. The
  usual form of ISO/IEC 29794-1. All measures and all matchers start at the same error, so their areas can be
  compared.
- `fmr_at_start`: once, before anything is discarded, so that the false match rate (FMR) of all non-mated
  pairs is the target: the threshold of a matcher in service. Matchers start at different errors.
- `fmr_at_each_step`: anew at each step, so that the FMR of the non-mated pairs that are left is the target.
  This also rewards a measure that discards false matches. Its figures cannot be compared with those of the
  other rules.
"""

THRESHOLD_RULES: tuple[ThresholdRule, ...] = ("fnmr_at_start", "fmr_at_start", "fmr_at_each_step")

DEFAULT_TARGETS: dict[ThresholdRule, float] = {
    "fnmr_at_start": 0.05,
    "fmr_at_start": 1e-3,
    "fmr_at_each_step": 1e-3,
}
"""FNMR or FMR of each rule, unless another is asked for.

FNMR 5 %: a good matcher errs on fewer than 1 % of the pairs of a public set, which leaves too few errors to
rank measures by; at 5 %, 3,000 pairs leave 150 errors. FMR 0.001: one false match in a thousand, at which the
authors of SER-FIQ report, after the guideline of Frontex for automated border control (Terhoerst et al., CVPR
2020)."""

DISCARD_LIMITS = (0.2, 0.3)
"""Discard fractions up to which the area is taken: 0.2 is the customary limit, 0.3 ranks measures more stably
(Schlett et al. advise higher limits)."""

ROUNDING = 1e-9
"""Added before a count is rounded down: 0.29 x 100 is 28.999999999999996 in floating point."""


@dataclass(frozen=True, slots=True, eq=False)
class ErrorDiscard:
    """One curve: the error of the pairs that are left, by the share that was discarded.

    Step s keeps the pairs whose quality is at least `quality_limit[s]`. Step 0 keeps all pairs. The last step
    keeps the mated pairs of the highest quality.

    Attributes:
        rule: How the similarity threshold was chosen.
        target: The FNMR or FMR that the rule asked for, in (0, 1).
        discarded: Share of the mated pairs that was discarded, ascending from 0, below 1: float64 (S,).
        fnmr: Share of the mated pairs left that do not match, in [0, 1]: float64 (S,).
        fmr: Share of the non-mated pairs left that match, in [0, 1]; NaN where none are left or none were
            given: float64 (S,).
        threshold: Similarity from which a pair matches: float64 (S,).
        quality_limit: The lowest pair quality that is kept; -inf at step 0: float64 (S,).
        pairs: Number of mated pairs.
        errors: Number of mated pairs that do not match at step 0.
    """

    rule: ThresholdRule
    target: float
    discarded: np.ndarray
    fnmr: np.ndarray
    fmr: np.ndarray
    threshold: np.ndarray
    quality_limit: np.ndarray
    pairs: int
    errors: int

    @property
    def start(self) -> float:
        """The FNMR before anything is discarded, in [0, 1]."""
        return float(self.fnmr[0])

    @property
    def rule_in_words(self) -> str:
        """How the similarity threshold was chosen, for people."""
        return {
            "fnmr_at_start": f"fixed once for an FNMR of {self.target:g}",
            "fmr_at_start": f"fixed once for an FMR of {self.target:g}",
            "fmr_at_each_step": f"renewed at each step for an FMR of {self.target:g}",
        }[self.rule]

    def step(self, discarded: float) -> int:
        """The step that discards at most this share of the mated pairs, and as much of it as it can.

        Raises:
            ValueError: when the share is not in [0, 1].
        """
        if not 0 <= discarded <= 1:
            raise ValueError(f"A discard fraction lies between 0 and 1, not {discarded}.")
        return int(np.searchsorted(self.discarded, discarded, side="right")) - 1

    def at(self, discarded: float) -> float:
        """The FNMR after discarding at most this share of the mated pairs, in [0, 1]."""
        return float(self.fnmr[self.step(discarded)])


@dataclass(frozen=True, slots=True)
class PartialArea:
    """The area under a curve from 0 to a discard fraction, and what it is worth.

    Attributes:
        limit: The discard fraction, in (0, 1].
        area: Stepwise integral of the FNMR from 0 to `limit`, in [0, limit]; lower is better.
        ideal_area: The area when the errors are discarded first, one after the other: no measure of this
            matcher's pairs has less under a fixed threshold.
        relative_area: `area` over that of a constant error, start x limit: about 1 for a random measure,
            lower is better. None where nothing errs at the start.
        gain: Share of the possible reduction that the measure reaches, (constant - area) / (constant -
            ideal): about 0 for a random measure, 1 for an ideal one, below 0 where the measure discards the
            wrong pairs. None where even an ideal measure reduces nothing. Under `fmr_at_each_step` it may
            exceed 1.
    """

    limit: float
    area: float
    ideal_area: float
    relative_area: float | None
    gain: float | None


def pair_quality(first: Floats, second: Floats) -> np.ndarray:
    """The quality of each pair: the lower one of its two pictures.

    Args:
        first: Quality of each pair's first picture, higher is better: (N,).
        second: Likewise of its second picture: (N,).

    Returns:
        float64 (N,); -inf where one picture has no quality.

    Raises:
        ValueError: when the two do not have one length.
    """
    lower = np.minimum(*_same_length(qualities=first, other_qualities=second))  # NaN if either is NaN
    return np.where(np.isnan(lower), -np.inf, lower)


def threshold_for_fnmr(mated: Floats, fnmr: float) -> float:
    """The highest similarity threshold at which at most this share of the mated pairs does not match.

    Args:
        mated: Similarities of the mated pairs: (N,); NaN never matches.
        fnmr: The share, above 0 and below 1.

    Returns:
        A similarity; a pair matches when its own is at least that.

    Raises:
        EvaluationError: when there are no pairs, or more pairs than that share have no similarity.
        ValueError: when `fnmr` is no such share.
    """
    ascending = np.sort(_similarities(mated, "mated"))
    threshold = float(ascending[_allowed(fnmr, len(ascending))])
    if threshold == -np.inf:
        missing = np.mean(ascending == -np.inf)
        raise EvaluationError(
            "no_threshold",
            f"{missing:.1%} of the mated pairs have no similarity, so no threshold gives an FNMR of"
            f" {fnmr:.1%}. Ask for a higher FNMR, or choose the threshold by the FMR.",
        )
    return threshold


def threshold_for_fmr(non_mated: Floats, fmr: float) -> float:
    """The lowest similarity threshold at which at most this share of the non-mated pairs matches.

    Args:
        non_mated: Similarities of the non-mated pairs: (M,); NaN never matches.
        fmr: The share, above 0 and below 1. With fewer than 1 / `fmr` pairs no pair may match.

    Returns:
        A similarity, just above that of the most similar pair that must not match.

    Raises:
        EvaluationError: when there are no pairs.
        ValueError: when `fmr` is no such share.
    """
    descending = np.sort(_similarities(non_mated, "non-mated"))[::-1]
    return float(np.nextafter(descending[_allowed(fmr, len(descending))], np.inf))


def error_discard(
    mated: Floats,
    mated_quality: Floats,
    non_mated: Floats | None = None,
    non_mated_quality: Floats | None = None,
    rule: ThresholdRule = "fnmr_at_start",
    target: float | None = None,
) -> ErrorDiscard:
    """The error-versus-discard characteristic of one measure with one matcher.

    Args:
        mated: Similarity of each mated pair, higher is more alike: (N,).
        mated_quality: Quality of each mated pair, higher is better; see `pair_quality`: (N,).
        non_mated: Similarity of each non-mated pair: (M,). Needed by the two FMR rules; under `fnmr_at_start`
            it only fills `ErrorDiscard.fmr`.
        non_mated_quality: Quality of each non-mated pair, on the same scale: (M,). Needed with `non_mated`.
        rule: How the similarity threshold is chosen.
        target: The FNMR or FMR of the rule; by default that of `DEFAULT_TARGETS`.

    Returns:
        The curve. The discard fraction counts mated pairs; non-mated pairs leave by the same limit of
        quality. Where `fmr_at_each_step` has no non-mated pair left, it keeps the threshold of the step
        before.

    Raises:
        EvaluationError: when there are no pairs, too few of them have a similarity, or the rule needs
            non-mated pairs and there are none.
        ValueError: when the lengths differ, or the rule or the target is none.
    """
    if rule not in THRESHOLD_RULES:
        raise ValueError(f"The threshold rule is one of {', '.join(THRESHOLD_RULES)}, not {rule!r}.")
    target = DEFAULT_TARGETS[rule] if target is None else target
    similarity, quality = _pairs(mated, mated_quality, "mated")
    if non_mated is None and rule != "fnmr_at_start":
        raise EvaluationError(
            "too_few_pairs", f"The rule {rule} needs non-mated pairs: pairs of pictures of different people."
        )
    if non_mated is None:
        others, others_quality = np.empty(0), np.empty(0)
    elif non_mated_quality is None:
        raise ValueError("The non-mated pairs have no qualities; give both or neither.")
    else:
        others, others_quality = _pairs(non_mated, non_mated_quality, "non-mated")

    limits, first = np.unique(quality, return_index=True)
    limits[0] = -np.inf  # step 0 keeps all, also non-mated pairs that are worse than every mated one
    kept = len(quality) - first
    first_other = np.searchsorted(others_quality, limits)
    if rule == "fnmr_at_start":
        threshold = np.full(len(limits), threshold_for_fnmr(similarity, target))
    elif rule == "fmr_at_start":
        threshold = np.full(len(limits), threshold_for_fmr(others, target))
    else:
        threshold = _renewed_thresholds(others, first_other, target)
    if rule == "fmr_at_each_step":
        missed = _counts_below(similarity, first, threshold)
        matched = len(others) - first_other - _counts_below(others, first_other, threshold)
    else:
        missed = _sums_from(similarity < threshold[0], first)
        matched = _sums_from(others >= threshold[0], first_other)
    left = len(others) - first_other
    fmr = np.divide(matched, left, out=np.full(len(limits), np.nan), where=left > 0)
    return ErrorDiscard(
        rule=rule,
        target=target,
        discarded=first / len(quality),
        fnmr=missed / kept,
        fmr=fmr,
        threshold=threshold,
        quality_limit=limits,
        pairs=len(quality),
        errors=int(missed[0]),
    )


def partial_area(curve: ErrorDiscard, limit: float) -> PartialArea:
    """The area under a curve from 0 to `limit`, stepwise: nothing is interpolated.

    Args:
        curve: As `error_discard` gives it.
        limit: The discard fraction to which the area goes, above 0 and at most 1; see `DISCARD_LIMITS`.

    Returns:
        The area, and how it compares with a random and with an ideal measure.

    Raises:
        ValueError: when the limit is no such fraction.
    """
    if not 0 < limit <= 1:
        raise ValueError(f"The area goes to a discard fraction above 0 and at most 1, not {limit}.")
    area = _stepwise(curve.discarded, curve.fnmr, limit)
    ideal = _stepwise(*ideal_curve(curve), limit)
    if curve.errors == 0:
        return PartialArea(limit, area, ideal, None, None)
    constant = curve.start * limit
    # Where all pairs err, or the limit is below one pair, even the ideal measure gains nothing.
    gain = (constant - area) / (constant - ideal) if constant - ideal > ROUNDING * constant else None
    return PartialArea(limit, area, ideal, area / constant, gain)


def ideal_curve(curve: ErrorDiscard) -> tuple[np.ndarray, np.ndarray]:
    """The curve of an ideal measure of the same pairs, which discards one error after the other.

    Returns:
        The discard fractions, ascending from 0, and the FNMR from each of them on: float64 (errors + 1,).
    """
    gone = np.arange(curve.errors + 1)
    left = np.maximum(curve.pairs - gone, 1)  # where all pairs err, nothing is left in the end
    return gone / curve.pairs, (curve.errors - gone) / left


def _renewed_thresholds(similarity: np.ndarray, first: np.ndarray, fmr: float) -> np.ndarray:
    """`threshold_for_fmr` of the non-mated pairs from each index on; where none are left, the one before."""
    thresholds = np.full(len(first), np.nan)
    for step, kept in _kept_from(similarity, first):
        if kept:
            thresholds[step] = np.nextafter(kept[-1 - _allowed(fmr, len(kept))], np.inf)
    known = np.maximum.accumulate(np.where(np.isnan(thresholds), 0, np.arange(len(first))))
    return thresholds[known]


def _counts_below(similarity: np.ndarray, first: np.ndarray, threshold: np.ndarray) -> np.ndarray:
    """How many pairs from each index of `first` on are below the threshold of that step: int (S,)."""
    counts = np.empty(len(first), dtype=np.int64)
    for step, kept in _kept_from(similarity, first):
        counts[step] = bisect_left(kept, threshold[step])
    return counts


def _kept_from(similarity: np.ndarray, first: np.ndarray) -> Iterator[tuple[int, list[float]]]:
    """Each step, from the last to the first, and the similarities that it keeps, ascending.

    One list grows from step to step: sorting the rest anew at each step would take hours for 100,000 pairs.
    """
    kept: list[float] = []
    end = len(similarity)
    for step in range(len(first) - 1, -1, -1):
        for value in similarity[first[step] : end].tolist():
            insort(kept, value)
        end = first[step]
        yield step, kept


def _stepwise(start: np.ndarray, height: np.ndarray, limit: float) -> float:
    """Area from 0 to `limit` of steps that begin at `start` (S,), ascending from 0, of this `height` (S,)."""
    edges = np.minimum(np.append(start, 1.0), limit)
    return float(np.sum(height * np.diff(edges)))


def _sums_from(errors: np.ndarray, first: np.ndarray) -> np.ndarray:
    """How many of `errors` (N,) are true from each index on: int (S,)."""
    return np.append(np.cumsum(errors[::-1])[::-1], 0)[first]


def _pairs(similarity: Floats, quality: Floats, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Similarities and qualities by ascending quality, float64, without NaN."""
    similarities, qualities = _same_length(similarities=similarity, qualities=quality)
    similarities = _similarities(similarities, kind)
    qualities = np.where(np.isnan(qualities), -np.inf, qualities)
    order = np.argsort(qualities, kind="stable")
    return similarities[order], qualities[order]


def _similarities(values: Floats, kind: str) -> np.ndarray:
    """float64 (N,), at least one, NaN as -inf: it never matches."""
    similarities = np.asarray(values, dtype=np.float64)
    if not similarities.size:
        raise EvaluationError("too_few_pairs", f"There are no {kind} pairs.")
    return np.where(np.isnan(similarities), -np.inf, similarities)


def _same_length(**values: Floats) -> tuple[np.ndarray, np.ndarray]:
    first, second = (np.asarray(value, dtype=np.float64) for value in values.values())
    if first.ndim != 1 or first.shape != second.shape:
        names = " and ".join(values).replace("_", " ")
        raise ValueError(
            f"There is one value a pair: {names} have the shapes {first.shape} and {second.shape}."
        )
    return first, second


def _allowed(rate: float, count: int) -> int:
    """How many of `count` pairs may err."""
    if not 0 < rate < 1:
        raise ValueError(f"The error rate asked for lies between 0 and 1, not {rate}.")
    return int(rate * count + ROUNDING)
