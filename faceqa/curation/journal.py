"""The record of a run over a data set: what was asked for, and what the models found, batch by batch.

Each batch of images is a line, and each line is safely on disk before the next. A line that an interruption
left unfinished is no part of it. So a run that was interrupted, however hard, goes on where it stopped.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from faceqa.curation.settings import Settings
from faceqa.curation.table import Cell, Row, read_parquet, read_schema
from faceqa.errors import CurationError
from faceqa.types import Assessment

JOURNAL = "scores.jsonl"
"""The file in the output folder."""

SHARDS = "shards"
"""The folder in the output folder where a run on many machines keeps its rows, in files by number."""

PIECES = "pieces.jsonl"
"""The file in the output folder that says which pieces such a run is cut into, one a line."""

VECTORS = ("embedding", "descriptor")
"""What the line of a face holds beside the columns of the table: attributes of its row."""


class Journal:
    """The record of a run: appended to, batch by batch, and never rewritten.

    Attributes:
        done: Names of the images that are in it.
    """

    def __init__(self, out: Path, settings: Settings):
        self.done: set[str] = set()
        self._seen: set[str] = set()
        self._path = out / JOURNAL
        self._settings = settings
        self._known: Settings | None = None

    def __enter__(self) -> Self:
        out = self._path.parent
        try:
            out.mkdir(parents=True, exist_ok=True)
            strangers = not self._path.exists() and any(out.iterdir())
        except OSError as error:
            raise CurationError("bad_output", f"The folder {out} cannot be written to ({error}).") from error
        if strangers:
            raise CurationError("bad_output", f"The folder {out} holds other files. Choose a new one.")
        self._file = self._path.open("a+b")
        whole = 0
        for end, entry in _entries(self._path):
            whole = end
            if isinstance(entry, Settings):
                self._known = entry
            else:
                self.done.update(row.image for row in entry)
        if self._known is not None and self._known != self._settings:
            self._file.close()
            raise CurationError(
                "other_run",
                f"{out} holds a run of other sources, settings or models. Choose a new folder, or delete it.",
            )
        self._file.truncate(whole)  # the line that an interrupted run had only begun
        self._seen = set(self.done)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def begin(self, engine: dict[str, str] | None = None) -> None:
        """Say what the next results are computed with, before the first is appended.

        Raises:
            CurationError: `other_engine`, when those of the run so far were computed with another: the same
                photo would not get the same number.
        """
        if self._known is None:
            self._known = replace(self._settings, engine=engine or {})
            self._write(asdict(self._known))
        elif engine and self._known.engine != engine:
            raise CurationError(
                "other_engine",
                f"{self._path.parent} was begun with {_told(self._known.engine)}, and this would go on with "
                f"{_told(engine)}: the numbers would not compare. Go on where it began, or choose a new "
                f"folder.",
            )

    def is_new(self, name: str) -> bool:
        """Whether an image has yet to be assessed; asked once a name, the second one of a name is not."""
        new = name not in self._seen
        self._seen.add(name)
        return new

    def append(self, batch: Sequence[Sequence[Assessment]]) -> None:
        """Write the results of a batch of images, and wait until they are on disk."""
        if self._known is None:
            self.begin()
        results = [result for results in batch for result in results]
        self._write([_line(Row.of(result)) for result in results])
        self.done.update(result.image for result in results)

    def _write(self, line: Any) -> None:
        # In ASCII: the names of files need not be text, but their escapes are.
        self._file.write(json.dumps(line).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())


def read_settings(out: Path) -> Settings:
    """What a run was asked for.

    Raises:
        CurationError: when the folder holds no run.
    """
    for _, entry in _entries(out / JOURNAL):
        if isinstance(entry, Settings):
            return entry
    raise CurationError("other_run", f"{out} holds no run of faceqa.")


def read_rows(out: Path) -> Iterator[Row]:
    """The rows of a run so far, one after the other, in the order of its images.

    Raises:
        CurationError: when the folder holds no run.
    """
    for _, entry in _entries(out / JOURNAL):
        if not isinstance(entry, Settings):
            yield from entry
    for path in sorted((out / SHARDS).glob("*.parquet")):
        for row in read_parquet(path):
            vectors = {name: known for name in VECTORS if (known := row.others.get(name)) is not None}
            found: Any = {name: np.frombuffer(known, np.float16) for name, known in vectors.items()}
            yield replace(row, **found, others={})


def extent(out: Path) -> str:
    """How much a run holds so far; other text where rows were added."""
    files = [out / JOURNAL, *sorted((out / SHARDS).glob("*.parquet"))]
    sizes = " ".join(f"{path.name}:{path.stat().st_size}" for path in files)
    return sha256(sizes.encode()).hexdigest()


def shard(out: Path, number: int) -> Path:
    """The file of rows of this number, of a run on many machines."""
    return out / SHARDS / f"{number:08}.parquet"


def shard_images(out: Path, number: int) -> int:
    """How many images a file of rows is of."""
    return int(read_schema(shard(out, number)).metadata[b"images"])


def _told(engine: dict[str, str]) -> str:
    return (
        "{name} in {precision} on {device}".format_map(engine)
        if engine
        else "an engine that it does not name"
    )


def _line(row: Row) -> dict[str, Cell]:
    vectors = {name: vector for name in VECTORS if (vector := getattr(row, name)) is not None}
    return {
        **row.cells(),
        **{name: base64.b64encode(vector.tobytes()).decode() for name, vector in vectors.items()},
    }


def _row(line: dict[str, Any]) -> Row:
    vectors: dict[str, Any] = {
        name: np.frombuffer(base64.b64decode(line[name]), np.float16) for name in VECTORS if name in line
    }
    return replace(Row.from_cells(line), **vectors)


def _entries(path: Path) -> Iterator[tuple[int, Settings | list[Row]]]:
    """The settings, then the rows of one batch after the other; with the place in bytes where each ends."""
    end = 0
    try:
        with path.open("rb") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    return
                known = json.loads(line)
                first = end == 0
                end += len(line)
                yield end, Settings.from_dict(known) if first else [_row(line) for line in known]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CurationError("other_run", f"{path} is no journal of faceqa ({error}).") from error
