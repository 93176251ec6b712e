"""The options that commands share, and what they are turned into."""

from __future__ import annotations

import argparse
import math
import os
import sys
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from faceqa.languages import LANGUAGES
from faceqa.measures.registry import COMPONENTS, TAKEN
from faceqa.verdict.policy import PRESETS, SETTINGS, Policy, Setting
from faceqa.weights import MODEL_SETS

if TYPE_CHECKING:
    from faceqa.curation.settings import Selection
    from faceqa.reading.sampling import Sampling

    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

STDIN = "-"

formatter = partial(argparse.HelpFormatter, max_help_position=28)
"""Of the help: the column where the explanations begin."""


def add_sources(parser: argparse.ArgumentParser) -> None:
    """What to assess."""
    parser.add_argument(
        "sources",
        nargs="+",
        metavar="SOURCE",
        help="an image, a folder with all folders in it, a zip, tar or Parquet file with pictures, a video, "
        "the address of one (s3://, gs://, hf://, https://), or - for a list of them on stdin, one a line",
    )


def add_models(parser: argparse.ArgumentParser, which_faces: bool = True) -> None:
    """What is measured, with which models and where; and on which faces, where that is a choice."""
    group = parser.add_argument_group("measures")
    if which_faces:
        group.add_argument(
            "--all-faces", action="store_true", help="assess every face of an image, not only the largest"
        )
    extra = "; ".join(f"{row.title.en} ({row.meaning.en})" for row in TAKEN if row.on_request)
    group.add_argument("--unmasked", action="store_true", help=_literal(f"take more measures: {extra}"))
    group.add_argument(
        "--device",
        choices=["auto", "cpu", "cuda"],
        default="auto",
        help="where the networks run; auto takes CUDA where there is one (default: auto)",
    )
    group.add_argument(
        "--engine",
        choices=["auto", "openvino", "torch"],
        default="auto",
        help="what runs the networks; auto takes torch on CUDA, OpenVINO else (default: auto)",
    )
    group.add_argument(
        "--precision",
        choices=["auto", "f32", "bf16"],
        default="auto",
        help="what layers may be rounded to; auto takes bf16 where the processor multiplies it and OpenVINO "
        "runs the networks, f32 else (default: auto)",
    )
    group.add_argument(
        "--models",
        choices=MODEL_SETS,
        default="open",
        help="open: offline, permissive licences; research: downloaded, for non-commercial research only "
        "(default: open)",
    )
    group.add_argument(
        "--iqa",
        metavar="NAME",
        help="another picture quality metric in the place of DBCNN, for example pyiqa:brisque",
    )


def add_sampling(parser: argparse.ArgumentParser) -> None:
    """Which frames of videos to take."""
    group = parser.add_argument_group("frames of videos")
    rate = group.add_mutually_exclusive_group()
    rate.add_argument(
        "--fps", type=positive, default=2.0, metavar="X", help="take X frames a second (default: 2)"
    )
    rate.add_argument("--every", type=count, metavar="N", help="take every N-th frame instead")
    group.add_argument(
        "--stills",
        action="store_true",
        help="take frames that hardly differ from the last one taken, too",
    )


def add_policy(parser: argparse.ArgumentParser) -> None:
    """What is asked of a face: a preset, and each setting of the policy."""
    presets = (f"{name}: {_differences(preset)}." for name, preset in PRESETS.items() if preset != Policy())
    group = parser.add_argument_group(
        "verdict", f"A preset, and numbers in the place of its own. {' '.join(presets)}"
    )
    group.add_argument("--policy", choices=PRESETS, default="fair", help="the preset (default: fair)")
    for setting in SETTINGS:
        flag = "--" + setting.name.replace("_", "-")
        group.add_argument(flag, type=float, metavar="X", help=_literal(_told(setting)))
    names = ", ".join(row.name for row in COMPONENTS)
    group.add_argument(
        "--min",
        action="append",
        type=minimum,
        default=[],
        metavar="COMPONENT=X",
        help="the lowest value, from 0 to 100, of a quality component that passes (default: none); may be "
        f"given several times. Components: {names}",
    )


def add_limits(parser: argparse.ArgumentParser) -> None:
    """How many faces to keep."""
    group = parser.add_argument_group(
        "how many are kept",
        "Of the faces that pass the gates only the best by CAFI are kept. The CAFI threshold is then 0, "
        "unless it is given.",
    )
    limits = group.add_mutually_exclusive_group()
    limits.add_argument("--keep-top", type=count, metavar="N", help="keep N faces")
    limits.add_argument(
        "--keep-fraction", type=share, metavar="F", help="keep this share of them, between 0 and 1"
    )


def add_unique(parser: argparse.ArgumentParser) -> None:
    """Whether near-duplicates are kept."""
    group = parser.add_argument_group("near-duplicates")
    group.add_argument(
        "--unique",
        action="store_true",
        help="keep of nearly the same pictures of a face only the best by CAFI; without it the columns group "
        "and duplicate_of only tell them",
    )


def add_segments(parser: argparse.ArgumentParser) -> None:
    """Which segments of videos are told."""
    group = parser.add_argument_group(
        "segments of videos",
        "segments.csv tells the stretches in which one face is good throughout.",
    )
    group.add_argument(
        "--min-seconds",
        type=not_negative,
        default=1.0,
        metavar="X",
        help="leave shorter ones out (default: 1)",
    )
    group.add_argument(
        "--max-gap",
        type=not_negative,
        default=0.0,
        metavar="X",
        help="seconds between two good frames up to which bad ones between do not end one (default: 0)",
    )


def add_level(parser: argparse.ArgumentParser) -> None:
    """Whether SER-FIQ is levelled."""
    group = parser.add_argument_group("levelling")
    group.add_argument(
        "--level",
        nargs="?",
        const=True,
        default=False,
        metavar="FILE",
        help="judge recognisability relative to good pictures of such a face, learnt from the good faces of "
        "this data set (200 people at least), or with FILE, the levelling.npz of another run",
    )


def add_output(parser: argparse.ArgumentParser) -> None:
    """What is written beside the tables."""
    group = parser.add_argument_group("output")
    group.add_argument(
        "--export",
        choices=["link", "copy", "crop", "webdataset", "parquet", "clips"],
        help="fill the folders kept/ and rejected/ with links to the images, with copies of them, with the "
        "crops of the faces, or with shards of the images and their scores for training; clips: cut the "
        "segments of videos out into clips/, without encoding anew",
    )
    group.add_argument(
        "--language",
        choices=LANGUAGES,
        default="en",
        help="language of the report when it is opened: English or Korean (default: en)",
    )


def minimum(text: str) -> tuple[str, float]:
    """A quality component and its lowest value: name=number."""
    name, _, value = text.partition("=")
    try:
        return name, float(value)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is not of the form sharpness=50") from None


def positive(text: str) -> float:
    """A number above 0."""
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value


def not_negative(text: str) -> float:
    """A number from 0."""
    value = float(text)
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not 0 or more")
    return value


def count(text: str) -> int:
    """A whole number from 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return value


def share(text: str) -> float:
    """A number above 0, at most 1."""
    value = float(text)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return value


def sources(options: argparse.Namespace) -> list[str]:
    """The sources, with `-` replaced by the lines of stdin. Names need not be UTF-8."""
    found: list[str] = []
    for source in options.sources:
        found += os.fsdecode(sys.stdin.buffer.read()).split("\n") if source == STDIN else [source]
    return [source.removesuffix("\r") for source in found if source.removesuffix("\r")]


def sampling(options: argparse.Namespace) -> Sampling:
    """Which frames of videos to take."""
    from faceqa.reading.sampling import Sampling

    return Sampling(options.fps, options.every, options.stills)


def policy(options: argparse.Namespace) -> Policy:
    """The preset with the settings that were given in the place of its own.

    Raises:
        PolicyError: when a value is out of its range.
    """
    preset = PRESETS[options.policy]
    given = {setting.name: getattr(options, setting.name) for setting in SETTINGS}
    chosen = {name: value for name, value in given.items() if value is not None}
    return replace(preset, **chosen, minimums={**preset.minimums, **dict(options.min)})


def selection(options: argparse.Namespace) -> Selection:
    """Which faces to keep; a limit on their number takes the place of the CAFI threshold.

    Raises:
        PolicyError: when a value is out of its range.
    """
    from faceqa.curation.settings import Selection

    asked = policy(options)
    if (options.keep_top or options.keep_fraction) and options.cafi_threshold is None:
        asked = replace(asked, cafi_threshold=0.0)
    return Selection(
        asked,
        options.keep_top,
        options.keep_fraction,
        options.unique,
        options.min_seconds,
        options.max_gap,
    )


def _told(setting: Setting) -> str:
    """What a setting is, its range where it has one, and its default."""
    ends = f"{setting.lowest:g} to {setting.highest:g}, "
    bounded = math.isfinite(setting.lowest) and math.isfinite(setting.highest)
    return f"{setting.label.en} ({ends if bounded else ''}default: {setting.default:g})"


def _differences(preset: Policy) -> str:
    """What a preset asks for beyond the default policy."""
    return "; ".join(
        f"{setting.label.en} {getattr(preset, setting.name):g}"
        for setting in SETTINGS
        if getattr(preset, setting.name) != setting.default
    )


def _literal(text: str) -> str:
    """A text for argparse's help, where a % begins a blank."""
    return text.replace("%", "%%")
