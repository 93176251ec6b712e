"""What came out of a run, as `curate` and `rejudge` print it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text

from faceqa.cli.exit_codes import ALL_ASSESSED, SOME_FAILED
from faceqa.cli.terminal import Screen, printable
from faceqa.measures.registry import COMPONENTS, MEASURES, SCORE, Measure, replacements
from faceqa.verdict.reasons import WORDINGS, cause_title

if TYPE_CHECKING:
    from faceqa.curation.selection import Levelled, Summary


def show_summary(screen: Screen, summary: Summary, written: str | Path) -> int:
    """Print the counts, the reasons and the measures' distributions.

    Args:
        screen: Where to.
        summary: Of the run or table.
        written: The file to name.

    Returns:
        The exit code.
    """
    from faceqa.reading.image import shown

    counts = {
        "images": summary.images,
        "faces": summary.faces,
        "accepted": summary.accepted,
        "rejected": summary.rejected,
        "could not be assessed": summary.errors,
    }
    if summary.groups:
        counts["near-duplicates of a better face"] = summary.duplicates
    if summary.videos:
        counts["segments of videos"] = summary.segments
    screen.table(["what", "count"], [(name, f"{number:,}") for name, number in counts.items()], right=[1])
    if summary.reasons:
        reasons = [(f"{n:,}", code, WORDINGS[code].short.en) for code, n in summary.reasons.items()]
        screen.line(Text())
        screen.table(["count", "reason", "meaning"], reasons, right=[0])
    if summary.causes:
        causes = [(f"{n:,}", name, cause_title(name)) for name, n in summary.causes.items()]
        screen.line(Text())
        screen.table(["count", "likely cause", "meaning"], causes, right=[0])
    if measures := _measures(summary):
        screen.line(Text())
        screen.table(["measure", "5 % below", "median", "5 % above", "limit"], measures, right=[1, 2, 3])
    if summary.levelled is not None:
        screen.line(Text())
        screen.line(Text(_levelled(summary.levelled)))
    screen.line(Text())
    screen.line(Text(f"written: {printable(shown(written))}"))
    return SOME_FAILED if summary.errors else ALL_ASSESSED


def _levelled(levelled: Levelled) -> str:
    if levelled.why_not is not None:
        return f"not levelled: {levelled.why_not}"
    return (
        f"levelled by {levelled.faces:,} good faces of {levelled.people:,} people, which explains "
        f"{levelled.explained:.0%} of the differences between faces"
    )


def _measures(summary: Summary) -> list[tuple[str, ...]]:
    """Of the measures, and of the quality components that the policy asks for."""
    quantiles = ("p5", "p50", "p95")
    measures = [
        (row.title.en, *(row.text(summary.measures[row.name][q]) for q in quantiles), _limit(row, summary))
        for row in (SCORE, *MEASURES)
        if row.name in summary.measures
    ]
    minimums = summary.selection.policy.minimums
    components = [
        (
            row.title.en,
            *(f"{summary.components[row.name][q]:.0f}" for q in quantiles),
            f"at least {minimums[row.name]:g}",
        )
        for row in COMPONENTS
        if row.name in minimums and row.name in summary.components
    ]
    return measures + components


def _limit(row: Measure, summary: Summary) -> str:
    if row.name in summary.limits:
        limit = row.limit_text(summary.limits[row.name])
        return f"at least {limit}" if row.higher_is_better else f"at most {limit}"
    stands_in = replacements(summary.measures).get(row.name)
    return "" if stands_in is None else f"none: {stands_in.title.en} stands at the gate"
