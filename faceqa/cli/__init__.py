"""The command line: `faceqa score`, `curate`, `rejudge`, `evaluate`, `models`, each in a file of its own."""

from __future__ import annotations

import argparse
import io
import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from faceqa.cli import curate, evaluate, models, rejudge, score
from faceqa.cli.exit_codes import ALL_ASSESSED, INTERRUPTED, SOME_FAILED, TERMINATED, USAGE
from faceqa.cli.options import formatter
from faceqa.cli.terminal import complain
from faceqa.errors import FaceqaError
from faceqa.version import __version__

__all__ = ["ALL_ASSESSED", "INTERRUPTED", "SOME_FAILED", "TERMINATED", "USAGE", "main"]


class Terminated(KeyboardInterrupt):
    """SIGTERM came: the command ends as it does after Ctrl-C."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        The exit code, one of `exit_codes`.
    """
    options = _parser().parse_args(arguments)
    # What Pillow has to say of a damaged file is in its result.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    if isinstance(sys.stdout, io.TextIOWrapper):  # a name that the terminal's encoding lacks is escaped
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        with _sigterm_raises():
            exit_code: int = options.run(options)
            return exit_code
    except FaceqaError as error:
        complain(error.message)
        return USAGE
    except BrokenPipeError:  # the reader, `head` for instance, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ALL_ASSESSED
    except OSError as error:  # a full disk, a folder that cannot be written to
        complain(str(error))
        return USAGE
    except Terminated:
        return TERMINATED
    except KeyboardInterrupt:
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="faceqa",
        description="Is this face photo good enough to train on, and why not?",
        epilog="faceqa COMMAND --help tells the options of a command.",
        formatter_class=formatter,
    )
    parser.add_argument(
        "--version",
        action="version",
        version=f"faceqa {__version__}",
        help="print the version and exit",
    )
    commands = parser.add_subparsers(required=True, title="commands", metavar="COMMAND")
    for command in (score, curate, rejudge, evaluate, models):
        command.add(commands)
    return parser


@contextmanager
def _sigterm_raises() -> Iterator[None]:
    """Turn SIGTERM into `Terminated`, so that files are closed and the terminal's cursor comes back."""
    if threading.current_thread() is not threading.main_thread():  # only that one may set it
        yield
        return

    def raise_terminated(_number: int, _frame: FrameType | None) -> None:
        raise Terminated

    before = signal.signal(signal.SIGTERM, raise_terminated)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
