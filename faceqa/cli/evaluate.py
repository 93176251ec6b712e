"""`faceqa evaluate`: pictures of known people in, and how well each measure predicts recognition out."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text

from faceqa.cli import options as shared
from faceqa.cli.exit_codes import ALL_ASSESSED, SOME_FAILED, USAGE
from faceqa.cli.terminal import Screen, complain, nothing_in, printable
from faceqa.measures.registry import MEASURES, SCORE
from faceqa.weights import find

if TYPE_CHECKING:
    from faceqa.evaluation.error_discard import ThresholdRule
    from faceqa.evaluation.pairs import Pair
    from faceqa.evaluation.recognition import Evaluation
    from faceqa.scorer import Scorer

RULES: Mapping[str, ThresholdRule] = {
    "fnmr": "fnmr_at_start",
    "fmr": "fmr_at_start",
    "fmr-each-step": "fmr_at_each_step",
}
"""By option: rules of `evaluation.error_discard`."""

MOST_NAMED = 10
"""Pictures that could not be assessed and are named on the screen; all of them stand in the summary."""

SHOWN_DISCARD = 0.2
"""Discard fraction whose FNMR the table shows."""


def add(commands: shared.Commands) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "evaluate",
        help="tell how well each measure predicts recognition, on pictures of known people",
        description="Error-versus-discard characteristic of ISO/IEC 29794-1: pairs of pictures are discarded "
        "by their quality, the lower one of the two, and the false non-matches of the rest are counted. "
        "Writes error_discard.csv, error_discard.json and error_discard.svg. Of several faces the one "
        "nearest to the picture's centre counts. The same command goes on with an interrupted evaluation.",
        formatter_class=shared.formatter,
    )
    _add_pictures(parser)
    _add_errors(parser)
    shared.add_models(parser, which_faces=False)
    shared.add_policy(parser)
    parser.set_defaults(run=run)


def _add_pictures(parser: argparse.ArgumentParser) -> None:
    pictures = parser.add_mutually_exclusive_group(required=True)
    pictures.add_argument(
        "folder", nargs="?", type=Path, metavar="FOLDER", help="a folder with one sub-folder a person"
    )
    pictures.add_argument(
        "--pairs",
        type=Path,
        metavar="FILE",
        help="a list of pairs instead: CSV of image, image, and 1 or 0, whether both show the same person",
    )
    parser.add_argument(
        "--root",
        type=Path,
        metavar="DIR",
        help="the folder that the list's paths start from (default: the working folder)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="DIR",
        help="the folder to write to: a new one, or that of an earlier evaluation",
    )


def _add_errors(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "recognition errors",
        "FNMR: the share of pairs of one person that do not match. FMR: the share of pairs of two people "
        "that do.",
    )
    group.add_argument(
        "--rule",
        choices=RULES,
        default="fnmr",
        help="how the similarity threshold is chosen: fixed once for an FNMR; fixed once for an FMR; or "
        "renewed at each step for an FMR. Figures of different rules cannot be compared (default: fnmr)",
    )
    group.add_argument(
        "--target",
        type=rate,
        metavar="X",
        help="that FNMR or FMR, between 0 and 1 (default: 0.05 for fnmr, 0.001 for the others)",
    )
    group.add_argument(
        "--embeddings",
        type=Path,
        metavar="FILE",
        help="take the errors of another matcher: a .npz file with the arrays image (N names, as in the "
        "pairs) and embedding (N x K), compared by their cosine",
    )


def rate(text: str) -> float:
    """A number between 0 and 1, without the two."""
    value = float(text)
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return value


def run(options: argparse.Namespace) -> int:
    """Carry the command out."""
    from faceqa.evaluation import recognition
    from faceqa.evaluation.subjects import Conditions, measure, read_subjects

    if options.root is not None and options.pairs is None:
        complain("--root says where the paths of a list start: it goes with --pairs.")
        return USAGE
    policy = shared.policy(options)
    pairs, pictures, root = _pictures(options)
    if not pictures:
        nothing_in([str(options.folder)])
        return USAGE
    matcher = find("embedding", options.models).name
    theirs = None
    if options.embeddings is not None:
        matcher, theirs = options.embeddings.stem, recognition.read_embeddings(options.embeddings)
    if options.models == "research":
        complain("the research models are for non-commercial research only.")

    def load_scorer() -> Scorer:
        from faceqa.scorer import Scorer

        return Scorer(options.device, options.models, policy, options.iqa, options.engine, options.precision)

    screen = Screen()
    conditions = Conditions(str(root), options.models, options.iqa, options.unmasked)
    try:
        with screen.progress(len(pictures), stays=True) as advance:
            for count in measure(pictures, conditions, options.out, load_scorer):
                advance(count)
    except KeyboardInterrupt:
        complain("stopped. The same command goes on from here.")
        raise
    subjects = read_subjects(options.out)
    evaluation = recognition.evaluate(
        pairs,
        subjects,
        recognition.embeddings_of(subjects) if theirs is None else theirs,
        matcher,
        policy,
        recognition.candidates(policy, options.unmasked),
        RULES[options.rule],
        options.target,
    )
    paths = recognition.write(evaluation, options.out)
    return _show(screen, evaluation, paths)


def _pictures(options: argparse.Namespace) -> tuple[list[Pair], dict[str, Path], Path]:
    """The pairs, the file of each picture by its name, and the folder that the names leave out."""
    from faceqa.evaluation.pairs import folder_pairs, folder_pictures, listed_pictures, people_of, read_pairs

    if options.pairs is not None:
        root = options.root or Path()
        pairs = read_pairs(options.pairs, root)
        return pairs, listed_pictures(pairs, root), root
    pictures = folder_pictures(options.folder, leave_out=options.out)
    pairs = folder_pairs(people_of(pictures)) if pictures else []
    shown = {name for pair in pairs for name in (pair.first, pair.second)}
    return pairs, {name: path for name, path in pictures.items() if name in shown}, options.folder


def _show(screen: Screen, evaluation: Evaluation, paths: list[Path]) -> int:
    from faceqa.reading.image import shown

    for heading, rows in (_facts(evaluation), _measures(evaluation), _gates(evaluation)):
        screen.table(heading, rows, right=range(1, len(heading)))
        screen.line(Text())
    for path in paths:
        screen.line(Text(f"written: {printable(shown(path))}"))
    if evaluation.warning:
        complain(evaluation.warning)
    for name, error in list(evaluation.failed.items())[:MOST_NAMED]:
        complain(f"{name} counts as without quality: {error}")
    if (more := len(evaluation.failed) - MOST_NAMED) > 0:
        complain(f"{more:,} more could not be assessed; the summary names them.")
    return SOME_FAILED if evaluation.failed else ALL_ASSESSED


Table = tuple[list[str], list[tuple[str, ...]]]
"""A heading and the rows below it."""


def _facts(evaluation: Evaluation) -> Table:
    curve = evaluation.any_curve
    return ["what", "value"], [
        ("pairs of one person", f"{evaluation.mated:,}"),
        ("pairs of two people", f"{evaluation.non_mated:,}"),
        ("pictures", f"{evaluation.pictures:,}"),
        ("pictures without a face", f"{evaluation.without_face:,}"),
        ("pictures that could not be assessed", f"{len(evaluation.failed):,}"),
        ("pictures without an embedding", f"{evaluation.without_embedding:,}"),
        ("matcher", evaluation.matcher),
        (f"threshold, {curve.rule_in_words}", f"{curve.threshold[0]:.3f}"),
        ("FNMR at the start", f"{_percent(curve.start)} ({curve.errors:,} of {curve.pairs:,})"),
    ]


def _measures(evaluation: Evaluation) -> Table:
    results = evaluation.results.values()
    limits = [area.limit for area in next(iter(results)).areas]
    heading = ["measure", *(f"gain to {limit:.0%}" for limit in limits), f"FNMR after {SHOWN_DISCARD:.0%}"]
    return heading, [
        (
            result.measure.title,
            *("-" if area.gain is None else f"{area.gain:.2f}" for area in result.areas),
            _percent(result.curve.at(SHOWN_DISCARD)),
        )
        for result in results
    ]


def _gates(evaluation: Evaluation) -> Table:
    rows = {row.name: row for row in (*MEASURES, SCORE)}
    return ["gate", "limit", "pairs discarded", "errors discarded", "FNMR left"], [
        (
            rows[gate.gate].title.en if gate.gate in rows else "all of them",
            rows[gate.gate].text(gate.limit) if gate.gate in rows else "-",
            *map(_percent, (gate.discarded, gate.errors_discarded, gate.fnmr)),
        )
        for gate in evaluation.gates
    ]


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.2%}"
