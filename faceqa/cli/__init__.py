"""The command line: `faceqa score`, `curate`, `rejudge` and `models`."""

from __future__ import annotations

import argparse
import json
import os
import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faceqa.errors import FaceqaError
from faceqa.fusion import PRESETS
from faceqa.types import Assessment, Policy
from faceqa.weights import MODEL_SETS

if TYPE_CHECKING:
    from tqdm import tqdm

    from faceqa.curation import Selection
    from faceqa.reading.image import NamedImage
    from faceqa.scorer import Scorer
    from faceqa.reading.sources import Sampling

ALL_ASSESSED, SOME_FAILED, USAGE = 0, 1, 2
INTERRUPTED = 130

WIDEST_NAME = 60
"""Columns of the table's first column at most; a longer name pushes its line out and is not cut."""

STDIN = "-"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        The exit code: 0 all images were assessed, 1 some could not be, 2 the command cannot be carried out.
    """
    options = _parser().parse_args(arguments)
    # What Pillow has to say of a damaged file is in its result.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    try:
        return options.run(options)
    except FaceqaError as error:
        print(f"faceqa: {error.message}", file=sys.stderr)
        return USAGE
    except BrokenPipeError:  # the reader, `head` for instance, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ALL_ASSESSED
    except OSError as error:  # a full disk, a folder that cannot be written to
        print(f"faceqa: {error}", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="faceqa", description="Is this face photo good enough to train on, and why not?"
    )
    parser.add_argument("--version", action="version", version=f"faceqa {version('faceqa')}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_score(commands)
    _add_curate(commands)
    _add_rejudge(commands)
    models = commands.add_parser("models", help="list the weight files, their licences and their state")
    models.set_defaults(run=_models)
    return parser


def _add_score(commands: Any) -> None:
    score = commands.add_parser(
        "score",
        help="score the faces in images, folders, zips and videos",
        description="Score the largest face of each image. Exit code: 0 all images were assessed, "
        "1 some could not be, 2 usage.",
    )
    _add_paths(score)
    score.add_argument("--json", action="store_true", help="print one JSON object a face instead of a table")
    _add_models(score)
    _add_sampling(score)
    _add_policy(score)
    score.set_defaults(run=_score)


def _add_curate(commands: Any) -> None:
    curate = commands.add_parser(
        "curate",
        help="filter a data set: table, kept and rejected files, report",
        description="Score every image of a data set and say which faces to keep. Writes scores.csv, "
        "scores.parquet, summary.json and report.html. The same command goes on with an interrupted run.",
    )
    _add_paths(curate)
    curate.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="where to write; new or an earlier run's"
    )
    _add_export(curate)
    _add_models(curate)
    _add_sampling(curate)
    _add_policy(curate)
    _add_limits(curate)
    curate.set_defaults(run=_curate)


def _add_rejudge(commands: Any) -> None:
    rejudge = commands.add_parser(
        "rejudge",
        help="change the verdicts of scores.csv without running a model",
        description="Judge a table again under another policy. In the folder of a curate run everything "
        "there is brought up to date; a table alone is rewritten.",
    )
    rejudge.add_argument("table", type=Path, metavar="SCORES_CSV")
    _add_export(rejudge)
    _add_policy(rejudge)
    _add_limits(rejudge)
    rejudge.set_defaults(run=_rejudge)


def _add_export(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--export",
        choices=["link", "copy", "crop"],
        help="fill kept/ and rejected/ in the folder with links to the images, copies of them, or face crops",
    )


def _add_paths(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths",
        nargs="+",
        metavar="SOURCE",
        help="an image, a folder (recursive), a zip, a video, or - for a list of them on stdin, one a line",
    )


def _add_models(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--all-faces", action="store_true", help="score every face, not only the largest")
    parser.add_argument(
        "--unmasked", action="store_true", help="score the face with its background, too (dbcnn_unmasked)"
    )
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto", help="default: auto")
    parser.add_argument(
        "--models",
        choices=MODEL_SETS,
        default="open",
        help="open (default): offline, permissive licences; research: downloaded, non-commercial",
    )
    parser.add_argument(
        "--iqa", metavar="NAME", help="another perceptual metric in the place of DBCNN: pyiqa:brisque ..."
    )


def _add_sampling(parser: argparse.ArgumentParser) -> None:
    frames = parser.add_argument_group("frames of videos")
    rate = frames.add_mutually_exclusive_group()
    rate.add_argument("--fps", type=_positive, default=2.0, help="frames a second (default: 2)")
    rate.add_argument("--every", type=_count, metavar="N", help="every n-th frame instead")
    frames.add_argument("--stills", action="store_true", help="take near-identical frames, too")


def _add_policy(parser: argparse.ArgumentParser) -> None:
    policy = parser.add_argument_group("verdict")
    policy.add_argument("--policy", choices=PRESETS, default="reference", help="preset (default: reference)")
    for setting in fields(Policy):
        flag = "--" + setting.name.replace("_", "-")
        policy.add_argument(
            flag, type=float, metavar="X", help=f"instead of the preset's ({setting.default:g})"
        )


def _add_limits(parser: argparse.ArgumentParser) -> None:
    limits = parser.add_argument_group("how many are kept").add_mutually_exclusive_group()
    limits.add_argument(
        "--keep-top",
        type=_count,
        metavar="N",
        help="the best N by CAFI of those that pass the gates; in the place of the CAFI threshold",
    )
    limits.add_argument(
        "--keep-fraction",
        type=_share,
        metavar="F",
        help="the same as a share of those faces, between 0 and 1",
    )


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return value


def _share(text: str) -> float:
    value = float(text)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return value


def _paths(options: argparse.Namespace) -> list[str]:
    """The sources, with `-` replaced by the lines of stdin."""
    paths: list[str] = []
    for path in options.paths:
        paths += sys.stdin.read().splitlines() if path == STDIN else [path]
    return [path for path in paths if path]


def _sampling(options: argparse.Namespace) -> Sampling:
    from faceqa.reading.sources import Sampling

    return Sampling(options.fps, options.every, options.stills)


def _policy(options: argparse.Namespace) -> Policy:
    given = {setting.name: getattr(options, setting.name) for setting in fields(Policy)}
    return replace(
        PRESETS[options.policy], **{name: value for name, value in given.items() if value is not None}
    )


def _selection(options: argparse.Namespace) -> Selection:
    from faceqa.curation import Selection

    policy = _policy(options)
    if (options.keep_top or options.keep_fraction) and options.cafi_threshold is None:
        policy = replace(policy, cafi_threshold=0.0)
    return Selection(policy, options.keep_top, options.keep_fraction)


def _scorer(options: argparse.Namespace) -> Scorer:
    from faceqa.scorer import Scorer

    if options.models == "research":
        print("faceqa: the research models are for non-commercial research only.", file=sys.stderr)
    return Scorer(options.device, options.models, _policy(options), options.iqa)


def _score(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    from faceqa.reading.sources import count_images, named_images, shown, source_files

    paths, sampling = _paths(options), _sampling(options)
    files = list(source_files(paths))
    if not files:
        return _nothing_in(paths)
    count = count_images(files, sampling)
    scorer = _scorer(options)
    width = min(max(len(shown(file)) for file in files), WIDEST_NAME)
    show = _json_line if options.json else partial(_table_line, name_width=width)
    if not options.json:
        print(_heading(width), flush=True)
    exit_code = ALL_ASSESSED
    # disable=None: no bar where stderr is not a terminal.
    with tqdm(total=count, unit="image", leave=False, disable=True if count == 1 else None) as bar:
        images = _ticking(named_images(files, sampling), bar)
        unmasked = options.unmasked or count == 1
        for result in scorer.assess_many(images, all_faces=options.all_faces, unmasked=unmasked):
            bar.write(show(result), file=sys.stdout)
            sys.stdout.flush()
            if result.verdict == "error":
                exit_code = SOME_FAILED
    return exit_code


def _ticking(images: Iterable[NamedImage], bar: tqdm) -> Iterator[NamedImage]:
    for image in images:
        yield image
        bar.update()


def _nothing_in(paths: Sequence[str]) -> int:
    print(f"faceqa: there are no images in {', '.join(paths) or 'the list'}.", file=sys.stderr)
    return USAGE


def _json_line(result: Assessment) -> str:
    return json.dumps(result.to_dict(), ensure_ascii=False)


def _heading(name_width: int) -> str:
    measures = "   CAFI  SER-FIQ    DBCNN  covered  face px    yaw  pitch   roll"
    return f"{'image':{name_width}}  verdict{measures}  remark"


def _table_line(result: Assessment, name_width: int) -> str:
    face, pose = result.face, result.pose
    angles = [f"{angle:+.0f}°" for angle in (pose.yaw, pose.pitch, pose.roll)] if pose else ["-"] * 3
    cells = [
        f"{result.verdict:7}",
        f"{_or_dash(result.cafi, '.1f'):>5}",
        f"{_or_dash(result.ser_fiq, '.3f'):>7}",
        f"{_or_dash(result.dbcnn, '.1f'):>7}",
        f"{_or_dash(result.occlusion, '.0%'):>7}",
        f"{_or_dash(face.longer_side if face else None, '.0f'):>7}",
        *(f"{angle:>5}" for angle in angles),
    ]
    return "  ".join([f"{result.image:{name_width}}", *cells, _remark(result)]).rstrip()


def _or_dash(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _remark(result: Assessment) -> str:
    if result.reasons:
        return " ".join(f"{reason.code}: {reason.message}" for reason in result.reasons)
    if result.faces_found > 1:
        return f"face {(result.face_index or 0) + 1} of {result.faces_found}"
    return ""


def _curate(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    from faceqa.curation import curate
    from faceqa.journal import Settings
    from faceqa.reading.sources import count_images

    paths, sampling = _paths(options), _sampling(options)
    count = count_images(paths, sampling, leave_out=options.out)
    if not count:
        return _nothing_in(paths)
    settings = Settings(
        tuple(paths), sampling, options.all_faces, options.unmasked, options.models, options.iqa
    )
    with tqdm(total=count, unit="image", disable=None) as bar:
        try:
            summary = curate(
                settings,
                options.out,
                _selection(options),
                partial(_scorer, options),
                options.export,
                bar.update,
            )
        except KeyboardInterrupt:
            bar.close()
            print("faceqa: stopped. The same command goes on from here.", file=sys.stderr)
            return INTERRUPTED
    return _told(summary, options.out / "report.html")


def _rejudge(options: argparse.Namespace) -> int:
    from faceqa import curation, table
    from faceqa.journal import JOURNAL

    selection, path = _selection(options), options.table
    if (path.parent / JOURNAL).is_file():
        return _told(curation.publish(path.parent, selection, options.export), path.parent / "report.html")
    rows, columns = table.read_csv(path)
    rows = curation.select(rows, selection)
    table.write_csv(rows, path, columns)
    return _told(curation.summarise(rows), path)


def _told(summary: dict[str, Any], written: Path) -> int:
    """Print what came out of it."""
    from faceqa.reading.sources import shown

    counts = ", ".join(f"{summary[name]:,} {name}" for name in ("images", "faces", "accepted", "rejected"))
    print(f"{counts}, {summary['errors']:,} unreadable")
    for code, count in summary["reasons"].items():
        print(f"  {code:18}{count:8,}")
    print(f"written: {shown(written)}")
    return SOME_FAILED if summary["errors"] else ALL_ASSESSED


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
