"""`faceqa rejudge`: other verdicts on a table or on a whole run, without a model."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from faceqa.cli import options as shared
from faceqa.cli.summary import show_summary
from faceqa.cli.terminal import Screen
from faceqa.errors import TableError

if TYPE_CHECKING:
    from faceqa.curation.selection import Summary
    from faceqa.curation.settings import Selection

TABLE = "scores.csv"
"""The table of a run; another one in its folder is a table alone."""


def add(commands: shared.Commands) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "rejudge",
        help="change the verdicts of scores.csv without running a model",
        description="Judge a table again under another policy. In the folder of a curate run everything "
        "there is brought up to date; a table alone is rewritten.",
        formatter_class=shared.formatter,
    )
    parser.add_argument(
        "table",
        type=Path,
        metavar="SCORES_CSV",
        help="scores.csv of a curate run, or another table made of it",
    )
    shared.add_output(parser)
    shared.add_policy(parser)
    shared.add_limits(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Carry the command out."""
    from faceqa.curation.run import Run, holds_run

    selection, path = shared.selection(options), options.table
    if path.name == TABLE and holds_run(path.parent):
        summary = Run.found(path.parent).publish(selection, options.export, options.language)
        return show_summary(Screen(), summary, path.parent / "report.html")
    if options.export:
        raise TableError("bad_table", f"{path} is not the table of a run in its folder. Leave --export out.")
    return show_summary(Screen(), _rejudge_table(path, selection), path)


def _rejudge_table(path: Path, selection: Selection) -> Summary:
    """Rewrite a table row by row; the columns of other programs stay."""
    from faceqa.curation import table
    from faceqa.curation.selection import Summing, select

    summing = Summing()
    with table.csv_writer(path, table.read_columns(path)) as write:
        for row in select(lambda: table.read_csv(path), selection):
            summing.add(row)
            write(row)
    return summing.summary(selection)
