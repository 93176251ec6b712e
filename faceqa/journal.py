"""The record of a run over a data set: what was asked for, and what the models found, batch by batch.

Each batch of images is a line, and each line is safely on disk before the next. A line that an interruption
left unfinished is no part of it. So a run that was interrupted, however hard, goes on where it stopped.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from faceqa import table, weights
from faceqa.errors import CurationError
from faceqa.sources import Sampling
from faceqa.table import Row
from faceqa.types import Assessment

JOURNAL = "scores.jsonl"
"""The file in the output folder."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the measures depend on: the first line of the journal. A run goes on only with the same.

    Attributes:
        paths: Files, folders, zips and videos, as they were named.
        sampling: Of videos.
        all_faces: Whether every face counts, or only the largest of each image.
        unmasked: Whether the crops with their backgrounds are scored, too.
        models: The model set.
        iqa: Another metric in the place of DBCNN.
        version: Of faceqa.
        weights: Fingerprint of the networks; empty stands for that of the model set as it is now.
    """

    paths: tuple[str, ...]
    sampling: Sampling = field(default_factory=Sampling)
    all_faces: bool = False
    unmasked: bool = False
    models: weights.Models = "open"
    iqa: str | None = None
    version: str = field(default_factory=lambda: version("faceqa"))
    weights: str = ""

    def __post_init__(self) -> None:
        if not self.weights:
            object.__setattr__(self, "weights", weights.fingerprint(self.models))

    @classmethod
    def from_dict(cls, known: dict[str, Any]) -> Self:
        """The inverse of `dataclasses.asdict`."""
        return cls(**{**known, "paths": tuple(known["paths"]), "sampling": Sampling(**known["sampling"])})


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
        known, rows, end = read_journal(self._path)
        if known is None:
            end = 0
        elif known != self._settings:
            self._file.close()
            raise CurationError(
                "other_run",
                f"{out} holds a run of other sources, settings or models. Choose a new folder, or delete it.",
            )
        self._file.truncate(end)  # the line that an interrupted run had only begun
        if known is None:
            self._write(asdict(self._settings))
        self.done = {row["image"] for row in rows}
        self._seen = set(self.done)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def is_new(self, name: str) -> bool:
        """Whether an image has yet to be assessed; asked once a name, the second one of a name is not."""
        new = name not in self._seen
        self._seen.add(name)
        return new

    def append(self, batch: list[list[Assessment]]) -> None:
        """Write the results of a batch of images, and wait until they are on disk."""
        results = [result for results in batch for result in results]
        self._write([table.row(result) for result in results])
        self.done.update(result.image for result in results)

    def _write(self, line: Any) -> None:
        # In ASCII: the names of files need not be text, but their escapes are.
        self._file.write(json.dumps(line).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())


def read_journal(path: Path) -> tuple[Settings | None, list[Row], int]:
    """The settings of a run, the rows so far and the length in bytes of the file's whole lines.

    Raises:
        CurationError: when it is no journal.
    """
    settings, rows, end = None, [], 0
    try:
        with path.open("rb") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    break
                end += len(line)
                known = json.loads(line)
                if settings is None:
                    settings = Settings.from_dict(known)
                else:
                    rows += [{name: row[name] for name in table.COLUMNS} for row in known]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CurationError("other_run", f"{path} is no journal of faceqa ({error}).") from error
    return settings, rows, end
