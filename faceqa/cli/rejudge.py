"""`faceqa rejudge`: other verdicts on a table or on a whole run, without a model."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

from faceqa.cli import options as shared
from faceqa.cli.summary import show_summary
from faceqa.cli.terminal import Screen
from faceqa.errors import CurationError, TableError
from faceqa.reading.remote import is_address

if TYPE_CHECKING:
    from faceqa.curation.selection import Summary
    from faceqa.curation.settings import Selection
    from faceqa.curation.table import Row

TABLE = "scores.csv"
"""The table of a run; another one in its folder is a table alone."""

REPORT = "report.html"

PARQUET = ".parquet"


def add(commands: shared.Commands) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "rejudge",
        help="change the verdicts of scores.csv without running a model",
        description="Judge a table again under another policy. In the folder of a curate run everything "
        "there is brought up to date; tables alone are rewritten, row by row, however large they are.",
        formatter_class=shared.formatter,
    )
    parser.add_argument(
        "table",
        metavar="TABLE",
        help="the folder of a curate run or its scores.csv, by path or by address (s3://, gs://); or another "
        "table made of it, CSV or Parquet; or a folder of such tables, which are judged as one",
    )
    shared.add_output(parser)
    shared.add_policy(parser)
    shared.add_limits(parser)
    shared.add_unique(parser)
    shared.add_segments(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Carry the command out."""
    from faceqa.curation.run import holds_run

    if is_address(options.table):
        return _rejudge_there(options)
    path = Path(options.table)
    folder = path if path.is_dir() else path.parent
    if (path.is_dir() or path.name == TABLE) and holds_run(folder):
        return show_summary(Screen(), _rejudge_run(folder, options), folder / REPORT)
    if options.export:
        raise TableError("bad_table", f"{path} is not the table of a run in its folder. Leave --export out.")
    return show_summary(Screen(), _rejudge_tables(_tables(path), shared.selection(options)), path)


def _rejudge_there(options: argparse.Namespace) -> int:
    """Judge a run at an address again; what follows is brought up to date there."""
    from faceqa.curation.workplace import Workplace, is_run

    address = options.table.removesuffix(f"/{TABLE}").rstrip("/")
    if not is_run(address):
        raise CurationError(
            "other_run", f"{address} holds no run of faceqa. A table without its run must be on this machine."
        )
    with Workplace(address) as place:
        summary = _rejudge_run(place.folder, options)
        place.finish()
    return show_summary(Screen(), summary, f"{address}/{REPORT}")


def _rejudge_run(folder: Path, options: argparse.Namespace) -> Summary:
    from faceqa.curation.run import Run

    return Run.found(folder).publish(shared.selection(options), options.export, options.language)


def _tables(path: Path) -> list[Path]:
    """The table, or the tables in a folder, in order of name."""
    if not path.is_dir():
        return [path]
    found = sorted(one for one in path.iterdir() if one.suffix in (PARQUET, ".csv"))
    if not found:
        raise TableError("bad_table", f"{path} holds neither a run nor tables of faceqa.")
    return found


def _rejudge_tables(paths: Sequence[Path], selection: Selection) -> Summary:
    """Rewrite tables row by row, as if they were one; the columns of other programs stay."""
    from faceqa.curation import table
    from faceqa.curation.selection import Summing, select

    def read(path: Path) -> Iterator[Row]:
        return table.read_parquet(path) if path.suffix == PARQUET else table.read_csv(path)

    def writer(path: Path) -> AbstractContextManager[table.Write]:
        if path.suffix == PARQUET:
            return table.parquet_writer(path, table.read_schema(path))
        return table.csv_writer(path, table.read_columns(path))

    counts = [sum(1 for _ in read(path)) for path in paths]
    summing = Summing()
    judged = select(lambda: chain.from_iterable(map(read, paths)), selection)
    for path, count in zip(paths, counts, strict=True):
        with writer(path) as write:
            for row in islice(judged, count):
                summing.add(row)
                write(row)
    return summing.summary(selection)
