"""`report.html` of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from faceqa.curation.selection import Summary
from faceqa.curation.settings import Settings
from faceqa.curation.table import Row
from faceqa.languages import Language


def write_report(
    settings: Settings, out: Path, rows: Callable[[], Iterator[Row]], summary: Summary, language: Language
) -> None:
    """Write the page."""
    (out / "report.html").write_text("<!doctype html>", encoding="utf-8")
