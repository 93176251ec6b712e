"""Rows and a selection -> the rows with their verdicts, and the summary of them."""

from __future__ import annotations

import heapq
from array import array
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from faceqa.curation.levelling import Levelling
from faceqa.curation.manifest import manifest
from faceqa.curation.segments import Segment
from faceqa.curation.settings import Selection, Settings
from faceqa.curation.table import Row
from faceqa.measures.registry import COMPONENTS, MEASURES, SCORE
from faceqa.types import SCHEMA
from faceqa.verdict.judge import cafi
from faceqa.verdict.policy import Policy

SHARES = (0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)
"""Of the faces that pass the gates, for which the summary says the CAFI threshold that keeps them."""

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)

NOT_AMONG_BEST = "not_among_best"
DUPLICATE = "duplicate"

DESCRIBED = (SCORE, *MEASURES)
"""The measures whose distribution the summary gives."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """A CAFI threshold and what it keeps.

    Attributes:
        share: Of the faces that pass the gates, in [0, 1].
        faces: How many these are.
        cafi: The threshold.
    """

    share: float
    faces: int
    cafi: float


@dataclass(frozen=True, slots=True)
class Levelled:
    """How a run was levelled, or why not.

    Attributes:
        faces: Good faces that the fit was made from.
        people: How many different people these show.
        explained: How much of the differences between unseen faces the fit explains; 1 is all.
        error: Root of the mean squared leave-one-out error, in log-odds of SER-FIQ.
        why_not: Why there is no fit, in a sentence; None where there is one.
    """

    faces: int = 0
    people: int = 0
    explained: float = 0.0
    error: float = 0.0
    why_not: str | None = None

    @classmethod
    def of(cls, fit: Levelling) -> Levelled:
        """What a fit is like."""
        return cls(fit.faces, len(fit.weights), round(fit.explained, 3), round(fit.error, 3))


@dataclass(frozen=True, slots=True)
class Summary:
    """What came out of a run or of a table.

    Attributes:
        images: How many images.
        faces: How many faces.
        passing: Faces that pass the gates.
        accepted: Faces that are kept.
        rejected: Faces, and images without one, that are not.
        errors: Images that could not be assessed.
        duplicates: Faces that are near-duplicates of a better one.
        groups: How many groups of near-duplicates there are.
        videos: How many videos frames were taken of.
        segments: How many stretches there are in which one face is good throughout.
        segment_seconds: How long these are together.
        reasons: How often each reason comes, the most frequent first.
        causes: How often each likely cause of a low score is a face's strongest, the most frequent first.
        measures: Of each measure its lowest, highest and mean value and its quantiles; of a signed measure
            those of its size, which is what its limit looks at.
        components: The same of each quality component.
        limits: What the verdicts went by, by measure: the limits of the gates and of the score. In a levelled
            run levelled SER-FIQ is among them, and SER-FIQ is not.
        thresholds: Which CAFI threshold keeps which share.
        selection: What the verdicts go by.
        settings: What the run was asked for; None for a table alone.
        levelled: How the run was levelled, or why not; None where it was not asked for.
    """

    images: int
    faces: int
    passing: int
    accepted: int
    rejected: int
    errors: int
    duplicates: int
    groups: int
    videos: int
    segments: int
    segment_seconds: float
    reasons: Mapping[str, int]
    causes: Mapping[str, int]
    measures: Mapping[str, Mapping[str, float]]
    components: Mapping[str, Mapping[str, float]]
    limits: Mapping[str, float]
    thresholds: tuple[Threshold, ...]
    selection: Selection = field(default_factory=Selection)
    settings: Settings | None = None
    levelled: Levelled | None = None

    def to_dict(self) -> dict[str, Any]:
        """As it is written to `summary.json`."""
        known = {
            **asdict(replace(self, settings=None)),
            "selection": asdict(self.selection),
            "settings": self.settings and self.settings.told(),
        }
        return {"schema": SCHEMA, **known, "manifest": self._manifest()}

    def _manifest(self) -> dict[str, Any] | None:
        if self.settings is None:
            return None
        names = ("images", "faces", "passing", "accepted", "rejected", "errors", "duplicates", "groups")
        counts = {name: getattr(self, name) for name in names}
        return manifest(self.settings, self.selection, counts)


class Summing:
    """A summary in the making: rows in, one after the other, and nothing of them kept but numbers."""

    def __init__(self) -> None:
        self._images = 0
        self._last: str | None = None
        self._verdicts: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()
        self._causes: Counter[str] = Counter()
        self._values: dict[str, array[float]] = {row.name: array("d") for row in DESCRIBED}
        self._components: dict[str, array[int]] = {row.name: array("b") for row in COMPONENTS}
        self._faces = 0
        self._duplicates = 0
        self._groups: set[str] = set()
        self._videos: set[str] = set()

    def add(self, row: Row) -> None:
        """Count a row; those of one image come one after the other."""
        if row.image != self._last:
            self._images += 1
            self._last = row.image
        self._verdicts[row.verdict] += 1
        self._reasons.update(row.reasons)
        self._causes.update(row.causes[:1])
        self._faces += bool(row.scores)
        self._duplicates += row.duplicate_of is not None
        if row.group is not None:
            self._groups.add(row.group)
        if row.frame is not None:
            self._videos.add(row.frame.video)
        for measure, values in zip(DESCRIBED, self._values.values(), strict=True):
            value = row.cafi if measure is SCORE else row.scores.get(measure.name)
            if value is not None:
                values.append(measure.size(value))
        for name, component in row.components.items():
            if component is not None:
                self._components[name].append(component)

    def summary(
        self,
        selection: Selection | None = None,
        settings: Settings | None = None,
        levelled: Levelled | None = None,
        segments: Collection[Segment] = (),
    ) -> Summary:
        """What was counted so far."""
        selection = selection or Selection()
        values = {name: np.asarray(known) for name, known in self._values.items()}
        measures = {name: distribution(known) for name, known in values.items() if len(known)}
        return Summary(
            images=self._images,
            faces=self._faces,
            passing=len(values[SCORE.name]),
            accepted=self._verdicts["accept"],
            rejected=self._verdicts["reject"],
            errors=self._verdicts["error"],
            duplicates=self._duplicates,
            groups=len(self._groups),
            videos=len(self._videos),
            segments=len(segments),
            segment_seconds=round(sum(segment.seconds for segment in segments), 3),
            reasons=dict(self._reasons.most_common()),
            causes=dict(self._causes.most_common()),
            measures=measures,
            components={
                name: distribution(np.asarray(known)) for name, known in self._components.items() if known
            },
            limits=selection.policy.limits(measures),
            thresholds=_thresholds(values[SCORE.name]),
            selection=selection,
            settings=settings,
            levelled=levelled,
        )


@dataclass(frozen=True, slots=True)
class Choice:
    """What can be said of a row only when all rows are known.

    Attributes:
        selection: Which faces to keep.
        best: Of each group of near-duplicates the number of its best row, and that row's image.
        kept: The numbers of the rows that a limit keeps; None without a limit.
    """

    selection: Selection
    best: Mapping[str, tuple[int, str]]
    kept: frozenset[int] | None = None

    @classmethod
    def among(cls, rows: Callable[[], Iterable[Row]], selection: Selection) -> Choice:
        """The choice among all rows: `rows` gives them from the first on, and is called again for a limit."""
        choice = cls(selection, _best_of_groups(rows(), selection.policy))
        if selection.keep_top is None and selection.keep_fraction is None:
            return choice
        return replace(choice, kept=frozenset(_best(choice.of(rows()), selection)))

    def of(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The same rows with their verdicts."""
        for number, row in enumerate(rows):
            judged = self._without_duplicates(number, row.judged(self.selection.policy))
            is_best = self.kept is None or number in self.kept or row.override is not None
            if judged.verdict == "accept" and not is_best:
                judged = replace(judged, verdict="reject", reasons=(NOT_AMONG_BEST,))
            yield judged

    def _without_duplicates(self, number: int, row: Row) -> Row:
        """A row that says whose duplicate it is; where duplicates are not kept that is a gate."""
        best, image = self.best.get(row.group or "", (number, None))
        if best == number:
            return row if row.duplicate_of is None else replace(row, duplicate_of=None)
        told = replace(row, duplicate_of=image)
        if row.cafi is None or row.override is not None or not self.selection.unique:
            return told
        return replace(told, verdict="reject", cafi=None, reasons=(DUPLICATE,))


def select(rows: Callable[[], Iterable[Row]], selection: Selection) -> Iterator[Row]:
    """The rows with their verdicts: the policy's, then near-duplicates, then the limit on how many are kept.

    Args:
        rows: Gives all rows from the first on; called once to know the groups, once for a limit, and once
            more.
        selection: Which faces to keep.
    """
    return Choice.among(rows, selection).of(rows())


def _best_of_groups(rows: Iterable[Row], policy: Policy) -> dict[str, tuple[int, str]]:
    """Of each group the number and image of its best row.

    A face that passes the gates comes before one that does not, then the higher CAFI, then the name.
    """
    ranks: dict[str, tuple[bool, float, str, int, int]] = {}
    for number, row in enumerate(rows):
        if row.group is None or (measures := row.measures) is None:
            continue
        gated = row.judged(policy).cafi is None
        rank = gated, -cafi(measures, policy), row.image, row.face_index or 0, number
        ranks[row.group] = min(rank, ranks.get(row.group, rank))
    return {group: (number, image) for group, (*_, image, _, number) in ranks.items()}


def _best(rows: Iterable[Row], selection: Selection) -> set[int]:
    """The numbers of the accepted rows that are kept: the best by CAFI, of equals the first."""
    numbers, scores, passing = array("q"), array("d"), 0
    for number, row in enumerate(rows):
        passing += row.cafi is not None
        if row.verdict == "accept" and row.cafi is not None and row.override is None:
            numbers.append(number)
            scores.append(row.cafi)
    most = selection.keep_top
    if selection.keep_fraction is not None:
        most = round(selection.keep_fraction * passing)
    ranked = heapq.nsmallest(most or 0, range(len(scores)), key=lambda place: -scores[place])
    return {numbers[place] for place in ranked}


def summarise(rows: Iterable[Row], selection: Selection | None = None) -> Summary:
    """The summary of rows with their verdicts."""
    summing = Summing()
    for row in rows:
        summing.add(row)
    return summing.summary(selection)


def _thresholds(scores: np.ndarray) -> tuple[Threshold, ...]:
    """For each of `SHARES` of the faces that pass the gates the CAFI threshold that keeps them."""
    passing = np.sort(scores)[::-1]
    counts = [(share, max(1, round(share * len(passing)))) for share in SHARES if len(passing)]
    return tuple(Threshold(share, count, float(passing[count - 1])) for share, count in counts)


def distribution(values: np.ndarray) -> dict[str, float]:
    """Ends, `QUANTILES` and mean of some values, by their names in the summary."""
    quantiles = zip(QUANTILES, np.quantile(values, QUANTILES), strict=True)
    known = {
        "min": values.min(),
        **{f"p{round(100 * q)}": value for q, value in quantiles},
        "max": values.max(),
        "mean": values.mean(),
    }
    return {name: round(float(value), 4) for name, value in known.items()}
