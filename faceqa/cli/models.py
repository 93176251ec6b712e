"""`faceqa models`: the weight files and whether they are here."""

from __future__ import annotations

import argparse

from faceqa import weights
from faceqa.cli import options as shared
from faceqa.cli.exit_codes import ALL_ASSESSED
from faceqa.cli.terminal import Screen

HEADING = ("set", "role", "file", "size", "licence", "present", "verified")


def add(commands: shared.Commands) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "models",
        help="list the weight files, their licences and their state",
        description="List the weight files, their licences, whether they are on this machine, and whether "
        "they are the files that faceqa was tested with.",
        formatter_class=shared.formatter,
    )
    parser.set_defaults(run=run)


def run(_options: argparse.Namespace) -> int:
    """Carry the command out."""
    rows = [_cells(state) for state in weights.status()]
    Screen().table(HEADING, rows, right=[HEADING.index("size")])
    return ALL_ASSESSED


def _cells(state: weights.WeightStatus) -> tuple[str, ...]:
    weight, present = state.weight, state.path is not None
    verified = "yes" if state.verified else "NO: wrong hash"
    return (
        weight.models,
        weight.role,
        weight.file,
        _size(weight.bytes),
        weight.licence,
        "yes" if present else "no",
        verified if present else "-",
    )


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"
