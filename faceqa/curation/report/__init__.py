"""`report.html` of a run: one page that opens offline, in English and Korean."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from pathlib import Path

from faceqa.curation.journal import JOURNAL
from faceqa.curation.report.figures import Collecting
from faceqa.curation.report.films import Films
from faceqa.curation.report.page import evenly, render
from faceqa.curation.segments import Segment
from faceqa.curation.selection import Summary
from faceqa.curation.settings import Settings
from faceqa.curation.table import Row
from faceqa.curation.thumbnails import thumbnails
from faceqa.languages import Language

REPORT = "report.html"
"""The file in the output folder."""


def write_report(
    settings: Settings,
    out: Path,
    rows: Callable[[], Iterator[Row]],
    summary: Summary,
    language: Language,
    segments: Sequence[Segment] = (),
) -> None:
    """Write the page, whole or not at all.

    Args:
        settings: Of the run.
        out: Its folder.
        rows: Gives all rows, with their verdicts; they are read once.
        summary: Of these rows.
        language: In which the page opens.
        segments: Of the videos among the rows.
    """
    total = summary.accepted + summary.rejected + summary.errors
    collected, shown, films = Collecting(summary.selection.policy), [], Films(segments)
    for number, row in enumerate(rows()):
        collected.add(row)
        films.add(row)
        if evenly(number, total):
            shown.append(row)
    pictures = thumbnails(settings, out, [*shown, *films.best])
    day = date.fromtimestamp((out / JOURNAL).stat().st_mtime)
    scratch = out / f"{REPORT}.part"
    with scratch.open("w", encoding="utf-8", errors="backslashreplace") as file:
        file.writelines(render(settings, summary, shown, pictures, collected, films, day, language))
    os.replace(scratch, out / REPORT)
