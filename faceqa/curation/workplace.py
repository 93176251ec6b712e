"""The folder of a run: here, or at an address, of which a copy here is worked on.

Storage behind an address cannot append to a file. So the journal goes there in parts, each named by the byte
of the journal at which it begins, every `SECONDS` and when the run stops. Who goes on with the run puts them
together. At the end the parts make way for the whole journal, beside all else that the run has written. A
part or file that is sent twice, because the connection broke, is there once. The files of rows of a run on
many machines are sent by who writes them.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from faceqa.curation.journal import JOURNAL, PIECES, SHARDS
from faceqa.errors import CurationError, RemoteError
from faceqa.reading.remote import ask, is_address

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

PARTS = f"{JOURNAL}.parts"
"""The folder at the address that holds the parts of the journal."""

SECONDS = 30.0
"""Between two parts: so much work is done again where a machine is lost."""

AT_ONCE = 8
"""Files that are sent together."""

CLIPS = "clips"
"""The folder of the clips of videos."""

SORTED = ("kept", "rejected", CLIPS)
"""Folders that are replaced as a whole."""


class Workplace:
    """Where a run is worked on.

    Attributes:
        folder: Of the run, on this machine.
        address: Of the run, where it has one.
    """

    def __init__(self, out: str | Path) -> None:
        self.address = str(out).rstrip("/") if is_address(out) else None
        self.folder = Path(out) if self.address is None else Path()
        self._sent = 0
        self._due = 0.0

    def __enter__(self) -> Self:
        """Bring here what an earlier run left at the address.

        Raises:
            CurationError: `bad_output`, when something else is there.
            RemoteError: when the address cannot be reached.
        """
        if self.address is not None:
            self.folder = Path(tempfile.mkdtemp(prefix="faceqa-"))
            try:
                self._fetch(self.address)
            except BaseException:
                shutil.rmtree(self.folder)
                raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.address is not None:
            try:
                with suppress(RemoteError):
                    if error is not None:
                        self._send_part(self.address)
            finally:
                shutil.rmtree(self.folder)

    def save(self) -> None:
        """Send what is new of the journal, where it is time to."""
        if self.address is not None and time.monotonic() >= self._due and self._send_part(self.address):
            self._due = time.monotonic() + SECONDS

    def finish(self) -> None:
        """Send all that the run has written."""
        if (address := self.address) is None:
            return
        shards = self.folder / SHARDS
        files = [path for path in self.folder.rglob("*") if path.is_file() and path.parent != shards]
        for name in SORTED:
            if (self.folder / name).is_dir():
                ask(f"{address}/{name}", _remove)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda path: send(address, path, self.folder), sorted(files)))
        ask(f"{address}/{PARTS}", _remove)
        self._sent = (self.folder / JOURNAL).stat().st_size

    def _fetch(self, address: str) -> None:
        there = ask(address, _files)
        if there and not _is_run(there):
            raise CurationError("bad_output", f"{address} holds other files. Choose a new folder.")
        wanted = (name for name in there if name.split("/")[0] not in (*SORTED, PARTS))
        for name in wanted:
            bring(address, name, self.folder)
        self._put_together(address, (name for name in there if name.startswith(f"{PARTS}/")))

    def _put_together(self, address: str, parts: Iterable[str]) -> None:
        journal = self.folder / JOURNAL
        self._sent = journal.stat().st_size if journal.exists() else 0
        for name in sorted(parts):
            if int(name.rpartition("/")[2]) == self._sent:
                content: bytes = ask(f"{address}/{name}", lambda files, place: files.cat_file(place))
                with journal.open("ab") as file:
                    file.write(content)
                self._sent += len(content)

    def _send_part(self, address: str) -> bool:
        """Send what is new of the journal, and with its beginning the list of pieces; whether any is."""
        journal, pieces = self.folder / JOURNAL, self.folder / PIECES
        if not journal.exists():
            return False
        with journal.open("rb") as file:
            file.seek(self._sent)
            new = file.read()
        if new:
            ask(f"{address}/{PARTS}/{self._sent:015}", lambda files, place: files.pipe_file(place, new))
            if not self._sent and pieces.exists():
                send(address, pieces, self.folder)
            self._sent += len(new)
        return bool(new)


def send(address: str, path: Path, folder: Path) -> None:
    """Send a file of a run's folder to the same place below its address."""
    name = path.relative_to(folder).as_posix()
    ask(f"{address}/{name}", lambda files, place: files.put_file(str(path), place))


def bring(address: str, name: str, folder: Path) -> None:
    """Bring a file from below a run's address to the same place in its folder."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    ask(f"{address}/{name}", lambda files, place: files.get_file(place, str(path)))


def is_run(address: str) -> bool:
    """Whether a run lies at an address.

    Raises:
        RemoteError: when the address cannot be reached.
    """
    return _is_run(ask(address, _files))


def _is_run(names: Iterable[str]) -> bool:
    return any(name == JOURNAL or name.startswith(f"{PARTS}/") for name in names)


def _files(files: AbstractFileSystem, folder: str) -> list[str]:
    """The names of the files below a folder; of one that is not there none."""
    files.invalidate_cache()
    found: Any = files.find(folder)
    return [path.removeprefix(folder.rstrip("/") + "/") for path in found]


def _remove(files: AbstractFileSystem, folder: str) -> None:
    with suppress(FileNotFoundError):
        files.rm(folder, recursive=True)
