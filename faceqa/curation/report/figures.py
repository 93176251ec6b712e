"""Rows -> the numbers of the figures, which `figures.js` draws in the report and in the demo.

The rows stream by once. Of each face a few numbers are kept, and of at most `MOST_POINTS` faces a point.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from importlib.resources import files
from typing import Any, NamedTuple

import numpy as np

from faceqa.curation.report.wording import FIGURE_WORDS
from faceqa.curation.selection import distribution
from faceqa.curation.table import Row
from faceqa.languages import LANGUAGES, Language, Words
from faceqa.measures.registry import MEASURES, SCORE, WEIGHTED, Measure, replacements
from faceqa.verdict.judge import cafi
from faceqa.verdict.policy import Policy
from faceqa.verdict.reasons import WORDINGS

SCRIPT = files(__package__).joinpath("figures.js").read_text(encoding="utf-8")
STYLE = files(__package__).joinpath("figures.css").read_text(encoding="utf-8")

BINS = 40
"""Bars of a histogram: 2.5 points of CAFI each."""

MOST_STEPS = 10_000
"""Of the score's axis, for which the report counts the faces: as fine as the score itself, as a rule."""

MOST_POINTS = 3000
"""Of the scatter plot; of more faces every second is drawn, or every fourth, and so on."""

_ROUNDING = 1e-6
"""Added before rounding down: a value that equals the start of a step belongs to this step."""

DRAWN = (SCORE, *MEASURES)


@dataclass(frozen=True, slots=True)
class Scale:
    """A measure as an axis of a figure; everything as in the registry.

    Attributes:
        low: Left or lower end, in the measure's unit.
        high: Right or upper end.
        limit: What the policy asks for; None for a measure that only informs.
        replaced: Title of the measure that stands at its gate in its place; None where none does.
    """

    name: str
    title: Words
    meaning: Words
    unit: str
    shown: int
    higher_is_better: bool
    colour: str
    low: float
    high: float
    limit: float | None
    replaced: Words | None


@dataclass(frozen=True, slots=True)
class Histogram:
    """How often which values of a measure come.

    Attributes:
        scale: The measure.
        bins: `BINS` pairs: kept and rejected faces.
        numbers: Some quantiles, by the names of `wording.FIGURE_WORDS`.
    """

    scale: Scale
    bins: tuple[tuple[int, int], ...]
    numbers: Mapping[str, float]


class Point(NamedTuple):
    """A face in the scatter plot.

    Attributes:
        x: Where it lies.
        y: Likewise.
        kept: Whether it is kept.
        name: Of its image.
        reason: The place of its first reason in `Scatter.reasons`; None without one.
    """

    x: float
    y: float
    kept: bool
    name: str
    reason: int | None = None


@dataclass(frozen=True, slots=True)
class Scatter:
    """The first two measures that have a part in the score, or what stands in for them at a gate.

    Attributes:
        x: The first.
        y: The second.
        points: At most `MOST_POINTS` faces.
        faces: How many faces there are.
        line: Where the score equals its threshold: x and y of both ends; None where the line crosses no part
            of the plot, or another measure than these two has a part in the score.
        counts: Faces whose x fails and passes its gate: first those whose score reaches the threshold, then
            the others. Empty where x has no gate.
        reasons: Short names of the first reasons of the points that are rejected.
    """

    x: Scale
    y: Scale
    points: tuple[Point, ...]
    faces: int
    line: tuple[float, float, float, float] | None
    counts: tuple[tuple[int, int], ...]
    reasons: tuple[Words, ...] = ()


@dataclass(frozen=True, slots=True)
class Steps:
    """How many faces pass the gates with which score, finely enough to try other thresholds.

    Attributes:
        low: Left end of the axis, where the first step begins.
        high: Right end.
        size: Of a step.
        counts: One a step, and one more for the scores at the right end.
    """

    low: float
    high: float
    size: float
    counts: tuple[int, ...]


class Collecting:
    """Figures in the making: rows in, one after the other.

    Args:
        policy: What the rows' verdicts go by.
    """

    def __init__(self, policy: Policy):
        self._policy = policy
        self._values = {row.name: array("d") for row in DRAWN}
        self._scores: array[float] = array("d")
        self._kept: array[int] = array("b")
        self._taken: set[str] = set()
        self._axes: tuple[Measure, ...] = ()
        self._points: list[Point] = []
        self._reasons: dict[str, int] = {}
        self._stride = 1

    def add(self, row: Row) -> None:
        """Count a row; one without a face counts for nothing."""
        if not row.scores:
            return
        self._taken.update(row.scores)
        for one, values in zip(DRAWN, self._values.values(), strict=True):
            value = row.cafi if one is SCORE else row.scores.get(one.name)
            values.append(math.nan if value is None else one.size(value))
        judged = row.measures
        self._scores.append(math.nan if judged is None else cafi(judged, self._policy))
        self._kept.append(row.verdict == "accept")
        if len(WEIGHTED) > 1:
            self._add_point(row)

    def _add_point(self, row: Row) -> None:
        self._axes = self._axes or _axes(row)
        x, y = (row.scores.get(one.name) for one in self._axes)
        if (len(self._kept) - 1) % self._stride or x is None or y is None:
            return
        kept = row.verdict == "accept"
        reason = None
        if row.reasons and not kept:
            reason = self._reasons.setdefault(row.reasons[0], len(self._reasons))
        self._points.append(Point(x, y, kept, row.image, reason))
        if len(self._points) > MOST_POINTS:
            self._points = self._points[::2]
            self._stride *= 2

    def histograms(self) -> tuple[Histogram, ...]:
        """Of the score and of each measure that was taken."""
        return tuple(self._histogram(row) for row in DRAWN if len(_known(self._values[row.name])))

    def scatter(self) -> Scatter | None:
        """None without a face, and where fewer than two measures have a part in the score."""
        if not self._points:
            return None
        x, y = (self._scale(row) for row in self._axes)
        return Scatter(
            x,
            y,
            tuple(self._points),
            len(self._kept),
            _score_line(self._policy, x, y),
            self._counts(self._axes[0], x.limit),
            tuple(WORDINGS[code].short if code in WORDINGS else Words(code, code) for code in self._reasons),
        )

    def steps(self) -> Steps:
        """The scores of the faces that pass the gates."""
        scale = self._scale(SCORE)
        number = min(MOST_STEPS, round((scale.high - scale.low) * 10**SCORE.decimals))
        places = _places(_known(self._values[SCORE.name]), scale, number)
        counts = tuple(np.bincount(places, minlength=number + 1).tolist())
        return Steps(scale.low, scale.high, (scale.high - scale.low) / number, counts)

    def to_dict(self, language: Language) -> dict[str, Any]:
        """What `faceqaFigures.draw` takes: the figures, their words in every language, and which to use."""
        scatter = self.scatter()
        return {
            "language": language,
            "languages": LANGUAGES,
            "words": FIGURE_WORDS,
            "histograms": [asdict(histogram) for histogram in self.histograms()],
            "scatter": scatter and {**asdict(replace(scatter, points=())), "points": scatter.points},
        }

    def _scale(self, row: Measure) -> Scale:
        low, high = _ends(row, _known(self._values[row.name]))
        stands_in = replacements(self._taken).get(row.name)
        return Scale(
            row.name,
            row.title,
            row.meaning,
            row.unit,
            row.shown,
            row.higher_is_better,
            row.colour,
            low,
            high,
            self._policy.limits(self._taken).get(row.name),
            None if stands_in is None else stands_in.title,
        )

    def _histogram(self, row: Measure) -> Histogram:
        scale, values = self._scale(row), np.asarray(self._values[row.name])
        known = ~np.isnan(values)
        places = np.minimum(_places(values[known], scale, BINS), BINS - 1)
        kept = np.asarray(self._kept, dtype=bool)[known]
        counts = [np.bincount(places[chosen], minlength=BINS).tolist() for chosen in (kept, ~kept)]
        return Histogram(scale, tuple(zip(*counts, strict=True)), distribution(values[known]))

    def _counts(self, row: Measure, limit: float | None) -> tuple[tuple[int, int], ...]:
        if limit is None:
            return ()
        values, scores = np.asarray(self._values[row.name]), np.asarray(self._scores)
        known = ~np.isnan(values) & ~np.isnan(scores)
        passes = values >= limit if row.higher_is_better else values <= limit
        good = scores >= _score_limit(self._policy)
        return tuple(
            (int(np.sum(known & reached & ~passes)), int(np.sum(known & reached & passes)))
            for reached in (good, ~good)
        )


def figure_data(rows: Iterable[Row], policy: Policy, language: Language) -> dict[str, Any]:
    """What `faceqaFigures.draw` in `figures.js` takes, ready for JSON.

    Args:
        rows: With their verdicts.
        policy: What the verdicts go by.
        language: Of the words that are drawn; the data hold those of every language.
    """
    collecting = Collecting(policy)
    for row in rows:
        collecting.add(row)
    return collecting.to_dict(language)


def _axes(row: Row) -> tuple[Measure, ...]:
    """Across and up in the scatter plot of rows like this one."""
    stand_ins = replacements(row.scores)
    return tuple(stand_ins.get(one.name, one) for one in WEIGHTED[:2])


def _score_limit(policy: Policy) -> float:
    return policy.limits(()).get(SCORE.name, -math.inf)


def _known(values: Iterable[float]) -> np.ndarray:
    known = np.asarray(values, dtype=float)
    return known[~np.isnan(known)]


def _places(values: np.ndarray, scale: Scale, steps: int) -> np.ndarray:
    """In which of so many equal steps of an axis each value lies; its very end is one step further."""
    share = (values - scale.low) / (scale.high - scale.low)
    return np.clip(np.floor(share * steps + _ROUNDING), 0, steps).astype(int)


def _ends(row: Measure, values: np.ndarray) -> tuple[float, float]:
    """The ends of an axis: the measure's own, but others where a metric brings a scale of its own along."""
    low, high = (0, row.axis[1]) if row.signed else row.axis
    if len(values):
        most, least = float(values.max()), float(values.min())
        far_below = math.isinf(row.highest) and low < most < low + (high - low) / 20
        if most > high or far_below:
            high = _round_number(most)
        if least < low:
            low = -_round_number(-least) if least < 0 else 0.0
    return float(low), float(high)


def _round_number(value: float) -> float:
    """The next round number, from a positive one upwards."""
    step = 10 ** math.floor(math.log10(value)) / 5
    return math.ceil(value / step) * step


def _score_line(policy: Policy, x: Scale, y: Scale) -> tuple[float, float, float, float] | None:
    """Where the score equals its threshold, as far as the line crosses the plot."""
    weights = {row.name: getattr(policy, row.weight.setting) for row in WEIGHTED if row.weight}
    if any(weight for name, weight in weights.items() if name not in (x.name, y.name)):
        return None
    slopes = {row.name: row.factor * weights[row.name] for row in WEIGHTED}
    a, b = (slopes.get(axis.name, 0.0) for axis in (x, y))
    target = _score_limit(policy) * sum(weights.values())
    at_sides = [(side, (target - a * side) / b) for side in (x.low, x.high) if b]
    at_ends = [((target - b * end) / a, end) for end in (y.low, y.high) if a]
    inside = sorted(
        {(u, v) for u, v in (*at_sides, *at_ends) if x.low <= u <= x.high and y.low <= v <= y.high}
    )
    return (*inside[0], *inside[-1]) if len(inside) > 1 else None
