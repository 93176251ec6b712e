"""`faceqa score`: a line a face, as soon as its image is done."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.text import Text

from faceqa.cli import options as shared
from faceqa.cli.exit_codes import ALL_ASSESSED, SOME_FAILED, USAGE
from faceqa.cli.terminal import GAP, NO_TEXT, Screen, complain, nothing_in, padded, printable
from faceqa.measures.registry import SCORE, TAKEN, Measure
from faceqa.types import Assessment, Pose

if TYPE_CHECKING:
    from faceqa.reading.sources import File
    from faceqa.scorer import Scorer

WIDEST_NAME = 60
"""Cells of the first column at most, on a terminal; a longer name pushes its line out and is not cut."""

NAME_INSIDE = 24
"""Cells for what follows the name of a zip or video: `#t=12.480&frame=312`."""

STYLES = {"accept": "green", "reject": "yellow", "error": "bold red"}


@dataclass(frozen=True, slots=True)
class Column:
    """A column of figures: what stands above it, its width in cells, and a face's figure."""

    title: str
    width: int
    text: Callable[[Assessment], str]


def add(commands: shared.Commands) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "score",
        help="score the faces of images, folders, zips and videos",
        description="Score the largest face of each image and print a line a face. Exit code: 0 all images "
        "were assessed, 1 some could not be, 2 the command cannot be carried out.",
        formatter_class=shared.formatter,
    )
    shared.add_sources(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object a face instead of a table")
    shared.add_models(parser)
    shared.add_sampling(parser)
    shared.add_policy(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Carry the command out."""
    from faceqa.engines.base import CPU
    from faceqa.reading.sources import count_images, files_of, named_images

    sources, sampling = shared.sources(options), shared.sampling(options)
    files = list(files_of(sources))
    if not files:
        nothing_in(sources)
        return USAGE
    count = count_images(files, sampling)
    scorer = _scorer(options)
    screen = Screen()
    show = _JsonLines(screen) if options.json else _Table(screen, files, options.unmasked)
    unmasked = options.unmasked or count == 1
    batch_size = 1 if scorer.engine.device == CPU else None  # each line as soon as it is known
    images = named_images(files, sampling)
    exit_code = ALL_ASSESSED
    with screen.progress(count) as advance:
        for batch in scorer.assess_batches(images, batch_size, options.all_faces, unmasked):
            advance(len(batch))
            for result in chain.from_iterable(batch):
                show(result)
                if result.verdict == "error":
                    exit_code = SOME_FAILED
    return exit_code


class _JsonLines:
    def __init__(self, screen: Screen) -> None:
        self._screen = screen

    def __call__(self, result: Assessment) -> None:
        line = json.dumps(result.to_dict(), ensure_ascii=False)
        self._screen.line(Text(NO_TEXT.sub(lambda found: json.dumps(found[0])[1:-1], line)))


class _Table:
    """Prints its heading at once, then a line a face."""

    def __init__(self, screen: Screen, files: Sequence[File], unmasked: bool) -> None:
        self._screen, self._name_width = screen, _name_width(screen, files)
        self._columns = _columns(unmasked)
        cells = [padded("image", self._name_width), padded("verdict", len("verdict"))]
        cells += [padded(column.title, column.width, right=True) for column in self._columns]
        screen.line(Text(GAP.join([*cells, "remark"]), style="bold"))

    def __call__(self, result: Assessment) -> None:
        name, verdict = printable(result.image), padded(result.verdict, len("verdict"))
        figures = (padded(column.text(result), column.width, right=True) for column in self._columns)
        line = Text(padded(name, self._name_width) + GAP)
        line.append(verdict, STYLES[result.verdict]).append(GAP + GAP.join(figures))
        self._screen.row(line, printable(_remark(result)))


def _columns(unmasked: bool) -> tuple[Column, ...]:
    """Of the score, of each measure that is taken, and of the head pose."""
    measures = (row for row in TAKEN if unmasked or not row.on_request)
    return (*map(_measure, (SCORE, *measures)), *map(_angle, ("pitch", "roll")))


def _measure(row: Measure) -> Column:
    title = row.title.en
    width = max(map(cell_len, (title, *map(row.text, row.axis))))
    return Column(title, width, lambda result: row.text(getattr(result, row.name)))


def _angle(name: str) -> Column:
    def text(pose: Pose | None) -> str:
        return "-" if pose is None else f"{getattr(pose, name):+.0f}°"

    return Column(name, len("+180°"), lambda result: text(result.pose))


def _remark(result: Assessment) -> str:
    if result.reasons:
        return " ".join(f"{reason.code}: {reason.message}" for reason in result.reasons)
    if result.faces_found > 1:
        return f"face {(result.face_index or 0) + 1} of {result.faces_found}"
    return ""


def _name_width(screen: Screen, files: Sequence[File]) -> int:
    from faceqa.reading.image import IMAGE_SUFFIXES, shown

    widths = (
        cell_len(printable(shown(str(file)))) + (0 if file.suffix.lower() in IMAGE_SUFFIXES else NAME_INSIDE)
        for file in files
    )
    widest = max(widths)
    return widest if screen.width is None else min(widest, max(WIDEST_NAME, screen.width // 2))


def _scorer(options: argparse.Namespace) -> Scorer:
    from faceqa.scorer import Scorer

    if options.models == "research":
        complain("the research models are for non-commercial research only.")
    return Scorer(
        options.device, options.models, shared.policy(options), options.iqa, options.engine, options.precision
    )
