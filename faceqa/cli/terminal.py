"""What is printed: for a person with colours and a progress bar, for a program as plain text.

Results go to stdout, all else to stderr. Where stdout is no terminal, a line has no control codes, no frame
and no limit of its length, so that `grep` and `awk` can read it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from io import StringIO
from typing import IO

from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

GAP = "  "
"""Between the columns of a table."""

UNLIMITED = 1_000_000
"""Columns of a page that is no terminal."""

NO_TEXT = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""Characters that break a line, steer a terminal, or are no text."""


def printable(text: str) -> str:
    """The text in one line; what would steer the terminal, or is no text, becomes an escape."""
    return NO_TEXT.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def padded(text: str, width: int, right: bool = False) -> str:
    """The text with spaces up to a width in cells of the terminal: a Korean letter fills two."""
    spaces = " " * (width - cell_len(text))
    return spaces + text if right else text + spaces


def complain(sentence: str) -> None:
    """Print on stderr what went wrong."""
    print(f"faceqa: {printable(sentence)}", file=sys.stderr)


def nothing_in(sources: Sequence[str]) -> None:
    """Say that there is nothing to assess."""
    complain(f"there are no images in {', '.join(sources) or 'the list'}.")


class Screen:
    """Where the results are printed.

    Attributes:
        width: Of the terminal in cells; None where stdout is none.
    """

    def __init__(self) -> None:
        is_terminal = sys.stdout.isatty()
        self._console = _console(sys.stdout) if is_terminal else _console(StringIO(), UNLIMITED)
        self.width = self._console.width if is_terminal else None

    def line(self, text: Text) -> None:
        """Print a line at once; it is never cut."""
        if self.width is None:
            print(text.plain.rstrip(), flush=True)
        else:
            self._console.print(text, soft_wrap=True)

    def row(self, line: Text, remark: str) -> None:
        """Print a line with a remark behind it; on a narrow terminal the remark follows below."""
        whole = line.copy().append(GAP + remark)
        if not remark or self.width is None or whole.cell_len <= self.width:
            self.line(whole if remark else line)
            return
        self.line(line)
        self._console.print(Padding(Text(remark, "dim"), (0, 0, 0, len(GAP))))

    def table(self, heading: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> None:
        """Print a table; its lines are never cut or wrapped.

        Args:
            heading: Of each column.
            rows: Their cells.
            right: Places of the columns of figures, which end at the right.
        """
        table = Table(box=None, pad_edge=False, padding=(0, len(GAP), 0, 0))
        for number, title in enumerate(heading):
            table.add_column(Text(title), justify="right" if number in right else "left", no_wrap=True)
        for cells in rows:
            table.add_row(*(Text(printable(cell)) for cell in cells))
        unlimited = self._console.options.update(max_width=UNLIMITED)
        table.width = self._console.measure(table, options=unlimited).maximum
        if self.width is not None:
            self._console.print(table, crop=False)
            return
        with self._console.capture() as printed:
            self._console.print(table)
        for line in printed.get().splitlines():
            self.line(Text(line))

    @contextmanager
    def progress(self, total: int, stays: bool = False) -> Iterator[Callable[[int], None]]:
        """A bar at the bottom of the terminal, where stderr is one; else nothing.

        Args:
            total: How many images there are, or about so many.
            stays: Whether it remains when all is done.

        Yields:
            A function that takes how many more images are done.
        """
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        # Two consoles on one terminal would write over each other.
        console = self._console if self.width is not None else _console(sys.stderr)
        columns = (BarColumn(), MofNCompleteColumn(), TextColumn("images"), TimeRemainingColumn())
        with Progress(
            *columns,
            console=console,
            transient=not stays,
            redirect_stdout=False,
            disable=not sys.stderr.isatty(),
        ) as bar:
            yield partial(bar.advance, bar.add_task("", total=total))


def _console(file: IO[str], width: int | None = None) -> Console:
    """Names are printed as they are: a [red] in one of them is no markup."""
    colours = None if file.isatty() else False  # without a terminal none, whatever FORCE_COLOR says
    return Console(file=file, width=width, force_terminal=colours, markup=False, emoji=False, highlight=False)
