"""Does each measure predict recognition on these pictures?

Pairs of pictures and their embeddings -> similarities -> one error-versus-discard characteristic a measure,
and what each gate of a policy discards. Curves are written as CSV and SVG, a summary as JSON.
"""

from __future__ import annotations

import csv
import io
import json
import math
import os
import zipfile
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from faceqa.errors import EvaluationError
from faceqa.evaluation.error_discard import (
    DISCARD_LIMITS,
    ErrorDiscard,
    PartialArea,
    ThresholdRule,
    error_discard,
    pair_quality,
    partial_area,
)
from faceqa.evaluation.pairs import Pair
from faceqa.evaluation.plot import draw
from faceqa.evaluation.subjects import Subject
from faceqa.measures.registry import GATED, SCORE, TAKEN, Measure
from faceqa.verdict.judge import accepts, cafi
from faceqa.verdict.policy import Policy

SCHEMA = 1
"""Which form of the JSON object `to_dict` gives; a later number only adds fields."""

FEWEST_ERRORS = 30
"""Fewer mated errors at the start than that say little: the summary warns."""

SHOWN_DISCARDS = (0.0, 0.05, 0.1, 0.2, 0.3)
"""Discard fractions whose error the summary gives."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A measure that may predict recognition.

    Attributes:
        name: In CSV and JSON.
        title: What people read.
        value: Its value for a picture's person; None where the measure was not taken.
        higher_is_better: Which way the value is read.
    """

    name: str
    title: str
    value: Callable[[Subject], float | None]
    higher_is_better: bool = True

    def quality(self, subject: Subject | None) -> float:
        """The value, turned so that higher is better; NaN where there is none."""
        value = None if subject is None else self.value(subject)
        return math.nan if value is None else self.turned(value)

    def turned(self, number: float) -> float:
        """From the measure's own scale to the one on which higher is better, or back."""
        return number if self.higher_is_better else 0.0 - number  # never -0.0


OTHERS = (Candidate("confidence", "detector's confidence", lambda subject: subject.confidence),)
"""What is known of a face beside the registry's measures. A row of the same name takes its place."""


@dataclass(frozen=True, slots=True, eq=False)
class MeasureResult:
    """What one measure is worth for one matcher.

    Attributes:
        measure: Which it is.
        curve: The error-versus-discard characteristic.
        areas: The areas under the curve, one for each of `DISCARD_LIMITS`.
    """

    measure: Candidate
    curve: ErrorDiscard
    areas: tuple[PartialArea, ...]

    def limit(self, step: int) -> float | None:
        """The measure's limit at a step of the curve, on its own scale; None where all pairs are kept."""
        limit = float(self.curve.quality_limit[step])
        return self.measure.turned(limit) if math.isfinite(limit) else None


@dataclass(frozen=True, slots=True)
class GateResult:
    """What a gate discards. A pair is discarded when one of its pictures fails.

    Attributes:
        gate: Name of the gate's measure; "all" stands for all gates and the score together.
        limit: The policy's; None for "all".
        discarded: Share of the mated pairs, in [0, 1].
        errors_discarded: Share of the mated pairs that do not match at the start; None where all match.
        fnmr: Of the pairs that are left, in [0, 1]; None where none are.
    """

    gate: str
    limit: float | None
    discarded: float
    errors_discarded: float | None
    fnmr: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """All measures under one matcher and one threshold rule.

    Attributes:
        matcher: Name of the network whose errors are counted.
        policy: Whose weights make the score, and whose gates are looked at.
        mated: Number of mated pairs.
        non_mated: Number of non-mated pairs.
        pictures: Number of pictures in the pairs.
        without_face: Pictures in which no face was found.
        without_embedding: Pictures that have none: their pairs never match.
        failed: By picture that could not be assessed, why not, in a sentence.
        results: By measure, the highest gain to the last limit first.
        gates: What the policy's gates discard, at the threshold of the start.
    """

    matcher: str
    policy: Policy
    mated: int
    non_mated: int
    pictures: int
    without_face: int
    without_embedding: int
    failed: Mapping[str, str]
    results: Mapping[str, MeasureResult]
    gates: tuple[GateResult, ...]

    @property
    def any_curve(self) -> ErrorDiscard:
        """One of the curves: rule, target, start and threshold at the start are the same for all."""
        return next(iter(self.results.values())).curve

    @property
    def warning(self) -> str | None:
        """Why the figures say little, in a sentence; None where they say something."""
        errors = self.any_curve.errors
        if errors >= FEWEST_ERRORS:
            return None
        return (
            f"Only {errors} of {self.mated:,} mated pairs fail at the start, too few to rank measures by:"
            " take more pictures, or a threshold for a higher FNMR."
        )


def candidates(policy: Policy, unmasked: bool = False) -> tuple[Candidate, ...]:
    """The score, every measure of the registry and the detector's confidence.

    The score is the ungated one: with gates, all pairs that a gate rejects would leave in one step.

    Args:
        policy: Whose weights make the score.
        unmasked: Whether the measures on request were taken, too.
    """
    measures = {row.name: _of_registry(row) for row in TAKEN if unmasked or not row.on_request}
    others = (each for each in OTHERS if each.name not in measures)
    return (score_of(policy, SCORE.name, SCORE.title.en), *measures.values(), *others)


def score_of(policy: Policy, name: str, title: str) -> Candidate:
    """The ungated score under the weights of a policy."""

    def value(subject: Subject) -> float | None:
        measures = subject.measures
        return None if measures is None else cafi(measures, policy)

    return Candidate(name, title, value, SCORE.higher_is_better)


def _of_registry(row: Measure) -> Candidate:
    def value(subject: Subject) -> float | None:
        found = subject.scores.get(row.name)
        return abs(found) if found is not None and row.signed else found

    return Candidate(row.name, row.title.en, value, row.higher_is_better)


def read_embeddings(path: Path) -> dict[str, np.ndarray]:
    """The embeddings of another matcher, by the pictures' names.

    Args:
        path: A .npz file with the arrays `image` (N,), names as in the pairs, and `embedding` (N, K) float,
            K of any size: `numpy.savez(path, image=names, embedding=vectors)`.

    Raises:
        EvaluationError: when the file cannot be read, or does not hold the two arrays, of one length.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            names, vectors = file["image"], np.asarray(file["embedding"], dtype=np.float64)
    except (OSError, ValueError, KeyError, TypeError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise EvaluationError(
            "bad_embeddings",
            f"{path} is no .npz file of the arrays 'image' (N names) and 'embedding' (N x K) ({error}).",
        ) from error
    if names.ndim != 1 or vectors.ndim != 2 or len(names) != len(vectors):
        raise EvaluationError(
            "bad_embeddings",
            f"{path} holds images {names.shape} and embeddings {vectors.shape}: not one vector an image.",
        )
    return {
        str(PurePath(name)): vector for name, vector in zip(names.astype(str).tolist(), vectors, strict=True)
    }


def embeddings_of(subjects: Mapping[str, Subject]) -> dict[str, np.ndarray]:
    """The embeddings of the model set in use, by the pictures' names."""
    return {name: found.embedding for name, found in subjects.items() if found.embedding is not None}


def similarities(pairs: Sequence[Pair], embeddings: Mapping[str, np.ndarray]) -> np.ndarray:
    """Cosine of each pair, in [-1, 1]; NaN where a picture has no embedding, or one of zeros: (N,)."""
    unit = {}
    for name in _pictures(pairs):
        vector = np.asarray(embeddings.get(name, ()), dtype=np.float64)
        if vector.any():
            unit[name] = vector / np.linalg.norm(vector)
    both = ((unit.get(pair.first), unit.get(pair.second)) for pair in pairs)
    return np.array([math.nan if a is None or b is None else float(a @ b) for a, b in both])


def evaluate(
    pairs: Sequence[Pair],
    subjects: Mapping[str, Subject],
    embeddings: Mapping[str, np.ndarray],
    matcher: str,
    policy: Policy | None = None,
    measures: Sequence[Candidate] | None = None,
    rule: ThresholdRule = "fnmr_at_start",
    target: float | None = None,
) -> Evaluation:
    """The error-versus-discard characteristic of every measure.

    Args:
        pairs: Both kinds; only mated pairs are enough for the rule `fnmr_at_start`.
        subjects: By picture; a picture may be missing: it has no quality.
        embeddings: By picture, (K,), compared by their cosine; a picture may be missing: its pairs never
            match.
        matcher: Name of the network that made the embeddings.
        policy: Whose weights make the score, and whose gates are looked at; by default the default policy.
        measures: What to evaluate; by default `candidates` of the policy.
        rule: How the similarity threshold is chosen.
        target: The FNMR or FMR of the rule; by default `error_discard.DEFAULT_TARGETS`.

    Raises:
        EvaluationError: when there is no mated pair, no non-mated one and the rule needs them, or too few
            pairs have a similarity.
    """
    policy = policy or Policy()
    similarity = similarities(pairs, embeddings)
    mated = np.array([pair.mated for pair in pairs], dtype=bool)
    results = {}
    for measure in candidates(policy) if measures is None else measures:
        quality = pair_qualities(pairs, subjects, measure)
        others, others_quality = (None, None) if mated.all() else (similarity[~mated], quality[~mated])
        curve = error_discard(
            similarity[mated], quality[mated], others, others_quality, rule=rule, target=target
        )
        areas = tuple(partial_area(curve, limit) for limit in DISCARD_LIMITS)
        results[measure.name] = MeasureResult(measure, curve, areas)
    start = next(iter(results.values())).curve.threshold[0]
    mated_pairs = [pair for pair in pairs if pair.mated]
    pictures = _pictures(pairs)
    known = [subjects[name] for name in pictures if name in subjects]
    return Evaluation(
        matcher=matcher,
        policy=policy,
        mated=int(mated.sum()),
        non_mated=int((~mated).sum()),
        pictures=len(pictures),
        without_face=sum(not found.scores and found.error is None for found in known),
        without_embedding=sum(name not in embeddings for name in pictures),
        failed={name: error for name in pictures if name in subjects and (error := subjects[name].error)},
        results=dict(sorted(results.items(), key=lambda item: item[1].areas[-1].area)),
        gates=gate_results(mated_pairs, subjects, similarity[mated] >= start, policy),
    )


def pair_qualities(pairs: Sequence[Pair], subjects: Mapping[str, Subject], measure: Candidate) -> np.ndarray:
    """The quality of each pair by a measure: the lower one of the two; -inf where one has none: (N,)."""
    quality = {name: measure.quality(subjects.get(name)) for name in _pictures(pairs)}
    return pair_quality([quality[pair.first] for pair in pairs], [quality[pair.second] for pair in pairs])


def gate_results(
    mated: Sequence[Pair], subjects: Mapping[str, Subject], matched: np.ndarray, policy: Policy
) -> tuple[GateResult, ...]:
    """What each gate of a policy discards, and all of them together.

    Args:
        mated: The mated pairs, N of them.
        subjects: By picture; a picture that is missing, or has no face, fails every gate.
        matched: Whether each pair matches: bool (N,).
        policy: Its limits.
    """
    measures = {name: subjects[name].measures for name in _pictures(mated) if name in subjects}
    faces = {name: found for name, found in measures.items() if found is not None}
    results = []
    for row in (*GATED, SCORE):
        if row.gate is not None and row.module is not None:
            limit = float(getattr(policy, row.gate.setting))
            values = {
                name: cafi(face, policy) if row is SCORE else getattr(face, row.name)
                for name, face in faces.items()
            }
            passing = {name for name, value in values.items() if row.passes(value, limit)}
            results.append(_gate_result(row.name, limit, mated, passing, matched))
    accepted = {name for name, face in faces.items() if accepts(face, policy)}
    return (*results, _gate_result("all", None, mated, accepted, matched))


def _gate_result(
    gate: str, limit: float | None, mated: Sequence[Pair], passing: Container[str], matched: np.ndarray
) -> GateResult:
    kept = np.array([pair.first in passing and pair.second in passing for pair in mated])
    errors = int(np.sum(~matched))
    return GateResult(
        gate=gate,
        limit=limit,
        discarded=float(np.mean(~kept)),
        errors_discarded=float(np.sum(~matched & ~kept)) / errors if errors else None,
        fnmr=float(np.mean(~matched[kept])) if kept.any() else None,
    )


def write(evaluation: Evaluation, out: Path) -> list[Path]:
    """Write error_discard.csv (the curves), .json (the summary) and .svg (the plot).

    Each file is complete or absent: it is written beside its place and moved there.

    Args:
        evaluation: As `evaluate` gives it.
        out: The folder to write to.

    Returns:
        The paths of the files.
    """
    out.mkdir(parents=True, exist_ok=True)
    summary = json.dumps(to_dict(evaluation), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    plot = draw(
        {result.measure.title: result.curve for result in evaluation.results.values()}, evaluation.matcher
    )
    contents = {"csv": curves_csv(evaluation), "json": summary, "svg": plot}
    paths = []
    for suffix, text in contents.items():
        path = out / f"error_discard.{suffix}"
        scratch = path.with_name(path.name + ".part")
        scratch.write_text(text, encoding="utf-8")
        os.replace(scratch, path)
        paths.append(path)
    return paths


def curves_csv(evaluation: Evaluation) -> str:
    """One line a step of a curve. The measure's limit is empty at step 0, the FMR where there is none."""
    file = io.StringIO()
    table = csv.writer(file, lineterminator="\n")
    table.writerow(
        ["matcher", "rule", "measure", "discarded", "fnmr", "fmr", "similarity_threshold", "limit"]
    )
    for name, result in evaluation.results.items():
        curve = result.curve
        columns = (curve.discarded, curve.fnmr, curve.fmr, curve.threshold)
        for step, numbers in enumerate(zip(*columns, strict=True)):
            cells = [_cell(number) for number in (*numbers, result.limit(step))]
            table.writerow([evaluation.matcher, curve.rule, name, *cells])
    return file.getvalue()


def to_dict(evaluation: Evaluation) -> dict[str, Any]:
    """The summary as JSON: what was compared, and what each measure and each gate is worth."""
    curve = evaluation.any_curve
    return {
        "schema": SCHEMA,
        "matcher": evaluation.matcher,
        "mated_pairs": evaluation.mated,
        "non_mated_pairs": evaluation.non_mated,
        "pictures": evaluation.pictures,
        "pictures_without_face": evaluation.without_face,
        "pictures_without_embedding": evaluation.without_embedding,
        "failed": dict(evaluation.failed),
        "policy": asdict(evaluation.policy),
        "pair_quality": "the lower one of the two",
        "threshold_rule": curve.rule,
        "target": curve.target,
        "similarity_threshold_at_start": float(curve.threshold[0]),
        "fnmr_at_start": curve.start,
        "errors_at_start": curve.errors,
        "warning": evaluation.warning,
        "measures": {name: _result_dict(result) for name, result in evaluation.results.items()},
        "gates": [asdict(gate) for gate in evaluation.gates],
    }


def _result_dict(result: MeasureResult) -> dict[str, Any]:
    curve = result.curve
    return {
        "title": result.measure.title,
        "higher_is_better": result.measure.higher_is_better,
        "areas": [asdict(area) for area in result.areas],
        "fnmr": [
            {"discarded": share, "fnmr": curve.at(share), "limit": result.limit(curve.step(share))}
            for share in SHOWN_DISCARDS
        ],
    }


def _cell(number: float | None) -> str:
    return f"{number:.6g}" if number is not None and math.isfinite(number) else ""


def _pictures(pairs: Iterable[Pair]) -> list[str]:
    """Every picture of pairs once."""
    return list(dict.fromkeys(name for pair in pairs for name in (pair.first, pair.second)))
