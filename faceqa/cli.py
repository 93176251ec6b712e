"""The command line: `faceqa score` and `faceqa models`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING

from faceqa.errors import FaceqaError
from faceqa.types import Assessment
from faceqa.weights import MODEL_SETS

if TYPE_CHECKING:
    from pathlib import Path

    from tqdm import tqdm

ALL_ASSESSED, SOME_FAILED, USAGE = 0, 1, 2
INTERRUPTED = 130

WIDEST_NAME = 60
"""Columns of the table's first column at most; a longer name pushes its line out and is not cut."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        The exit code: 0 all images were assessed, 1 some could not be, 2 the command cannot be carried out.
    """
    options = _parser().parse_args(arguments)
    try:
        return options.run(options)
    except FaceqaError as error:
        print(f"faceqa: {error.message}", file=sys.stderr)
        return USAGE
    except BrokenPipeError:  # the reader, `head` for instance, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ALL_ASSESSED
    except KeyboardInterrupt:
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="faceqa", description="Is this face photo good enough to train on, and why not?"
    )
    parser.add_argument("--version", action="version", version=f"faceqa {version('faceqa')}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    score = commands.add_parser(
        "score",
        help="score the faces in image files and folders",
        description="Score the largest face of each image. Exit code: 0 all images were assessed, "
        "1 some could not be, 2 usage.",
    )
    score.add_argument("paths", nargs="+", metavar="PATH", help="an image, or a folder of images (recursive)")
    score.add_argument("--json", action="store_true", help="print one JSON object a face instead of a table")
    score.add_argument("--all-faces", action="store_true", help="score every face, not only the largest")
    score.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto", help="default: auto")
    score.add_argument(
        "--models",
        choices=MODEL_SETS,
        default="open",
        help="open (default): offline, permissive licences; research: downloaded, non-commercial",
    )
    score.set_defaults(run=_score)

    models = commands.add_parser("models", help="list the weight files, their licences and their state")
    models.set_defaults(run=_models)
    return parser


def _score(options: argparse.Namespace) -> int:
    from faceqa.sources import image_files

    files = list(image_files(options.paths))
    if not files:
        print(f"faceqa: there are no images in {', '.join(options.paths)}.", file=sys.stderr)
        return USAGE
    if options.models == "research":
        print("faceqa: the research models are for non-commercial research only.", file=sys.stderr)

    from tqdm import tqdm

    from faceqa.scorer import Scorer

    scorer = Scorer(options.device, options.models)
    name_width = min(max(len(str(file)) for file in files), WIDEST_NAME)
    show = _json_line if options.json else partial(_table_line, name_width=name_width)
    if not options.json:
        print(_heading(name_width), flush=True)
    exit_code = ALL_ASSESSED
    # disable=None: no bar where stderr is not a terminal.
    with tqdm(total=len(files), unit="image", leave=False, disable=True if len(files) == 1 else None) as bar:
        for result in scorer.assess_many(_ticking(files, bar), all_faces=options.all_faces):
            bar.write(show(result), file=sys.stdout)
            sys.stdout.flush()
            if result.verdict == "error":
                exit_code = SOME_FAILED
    return exit_code


def _ticking(files: Sequence[Path], bar: tqdm) -> Iterator[Path]:
    for file in files:
        yield file
        bar.update()


def _json_line(result: Assessment) -> str:
    return json.dumps(result.to_dict(), ensure_ascii=False)


def _heading(name_width: int) -> str:
    return f"{'image':{name_width}}  SER-FIQ  covered  face px    yaw  pitch   roll  remark"


def _table_line(result: Assessment, name_width: int) -> str:
    score = "-" if result.ser_fiq is None else f"{result.ser_fiq:.3f}"
    covered = "-" if result.occlusion is None else f"{result.occlusion:.0%}"
    face, pose = result.face, result.pose
    size = f"{face.longer_side:.0f}" if face else "-"
    angles = [f"{angle:+.0f}°" for angle in (pose.yaw, pose.pitch, pose.roll)] if pose else ["-"] * 3
    cells = [f"{cell:>7}" for cell in (score, covered, size)] + [f"{angle:>5}" for angle in angles]
    return "  ".join([f"{result.image:{name_width}}", *cells, _remark(result)]).rstrip()


def _remark(result: Assessment) -> str:
    if result.reasons:
        return " ".join(f"{reason.code}: {reason.message}" for reason in result.reasons)
    if result.faces_found > 1:
        return f"face {(result.face_index or 0) + 1} of {result.faces_found}"
    return ""


def _models(_options: argparse.Namespace) -> int:
    from faceqa import weights

    rows = [("set", "role", "file", "size", "licence", "present", "verified")]
    for state in weights.status():
        weight, present = state.weight, state.path is not None
        rows.append(
            (
                weight.models,
                weight.role,
                weight.file,
                f"{weight.bytes / 1e6:.1f} MB",
                weight.licence,
                "yes" if present else "no",
                ("yes" if state.verified else "NO: wrong hash") if present else "-",
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())
    return ALL_ASSESSED
