"""Addresses -> files: object storage and web servers, by fsspec.

An address is `s3://bucket/folder`, `gs://...`, `hf://datasets/user/name`, `https://...`, or any other that an
installed file system of fsspec knows. A folder is listed whole; `https://` addresses are folders where they
end in a slash and the server shows an index. Keys, tokens and endpoints are those of the environment, as the
library of each storage reads them.

A connection that is lost is tried again; one that stays lost raises `RemoteError`, so that a run stops there
and goes on later. What is not there, or not allowed, will not come by waiting: that is an `ImageError`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from faceqa.errors import FaceqaError, ImageError, RemoteError

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

T = TypeVar("T")

TRIES = 6
"""Of a request."""

FIRST_WAIT, LONGEST_WAIT = 0.5, 8.0
"""s between two tries; each is twice the one before, 16 s together."""

OPTIONS: dict[str, dict[str, Any]] = {"s3": {"config_kwargs": {"retries": {"max_attempts": 1}}}}
"""Of a file system, by the scheme of its addresses: botocore would try each of the tries five times."""

NOT_ALLOWED, NOT_THERE = frozenset([401, 403]), frozenset([404, 410])
COMES_BACK = frozenset([408, 425, 429])
"""HTTP: too slow, too early, too many requests; the other codes from 400 to 499 are final."""


def is_address(source: object) -> bool:
    """Whether a source is an address and no path of this machine."""
    return isinstance(source, str) and "://" in source


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file at an address; nothing is fetched before it is read.

    Attributes:
        address: Where it is.
        size: In bytes, where a listing told it.
    """

    address: str
    size: int | None = None

    def __str__(self) -> str:
        return self.address

    @property
    def suffix(self) -> str:
        """Of its name, with the dot; what follows a question mark is no part of the name."""
        return PurePosixPath(urlsplit(self.address).path).suffix

    def read(self, most: int) -> bytes:
        """The content; of a file of more than `most` bytes the first `most + 1`.

        Raises:
            ImageError: when there is no such file, or it is not allowed to read it.
            RemoteError: when the connection stays lost, or a package is missing.
        """

        def content(files: AbstractFileSystem, path: str) -> bytes:
            size = files.info(path).get("size") if self.size is None else self.size
            if size is None or size > most:
                with files.open(path) as file:
                    return file.read(most + 1)
            whole: bytes = files.cat_file(path)
            if len(whole) < size:
                raise OSError(f"{len(whole)} of {size} bytes came")
            return whole

        return self._asked(content)

    @contextmanager
    def copy(self) -> Iterator[Path]:
        """A copy on this machine's disk, as long as it is used. Raises what `read` does."""
        with tempfile.TemporaryDirectory(prefix="faceqa-") as folder:
            path = Path(folder, f"copy{self.suffix}")
            self._asked(lambda files, there: files.get_file(there, str(path)))
            yield path

    def _asked(self, work: Callable[[AbstractFileSystem, str], T]) -> T:
        try:
            return ask(self.address, work)
        except RemoteError as error:
            if error.code in ("not_found", "not_allowed"):
                raise ImageError("unreadable_image", error.message) from error
            raise


def remote_files(address: str, suffixes: frozenset[str]) -> list[RemoteFile]:
    """The files of a folder and of all folders in it, hidden ones left out, in the order of a local folder.

    Args:
        address: Of a folder, or of a file, which is given back as it is. An address where nothing is, or
            nothing may be read, is given back, too: reading it says so.
        suffixes: In small letters; other files of the folder are left out.

    Raises:
        RemoteError: when the connection stays lost, or a package is missing.
    """
    file = RemoteFile(address)
    web = urlsplit(address).scheme in ("http", "https")
    if not address.endswith("/") and (web or file.suffix.lower() in suffixes):
        return [file]
    try:
        found = ask(address, lambda files, folder: _below(files, folder, suffixes))
    except RemoteError as error:
        if error.code in ("not_found", "not_allowed"):
            return [file]
        raise
    return [file] if found is None else found


def ask(address: str, work: Callable[[AbstractFileSystem, str], T]) -> T:
    """Do something with the file system of an address and the path in it; again, where a connection is lost.

    Raises:
        RemoteError: `not_found`, `not_allowed`, `refused`, `unreachable`, `missing_package` or
            `unknown_protocol`.
    """
    try:
        from fsspec.core import url_to_fs
        from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_exponential

        options = OPTIONS.get(urlsplit(address).scheme, {})
        files, path = url_to_fs(address, use_listings_cache=False, **options)
    except ImportError as error:
        raise RemoteError(
            "missing_package",
            f"{address} needs a package that is not installed ({error}). Run: pip install 'faceqa[remote]', "
            f"for gs:// also: pip install gcsfs.",
        ) from error
    except ValueError as error:
        raise RemoteError(
            "unknown_protocol", f"{address} is no address that can be read ({error})."
        ) from error
    tries = Retrying(
        stop=stop_after_attempt(TRIES),
        wait=wait_exponential(FIRST_WAIT, LONGEST_WAIT),
        retry=retry_if_exception(lambda error: isinstance(error, Exception) and _final(error) is None),
        reraise=True,
    )
    try:
        return tries(work, files, path)
    except FaceqaError:
        raise
    except Exception as error:  # each storage's library has errors of its own
        raise _told(address, error) from error


def _below(files: AbstractFileSystem, folder: str, suffixes: frozenset[str]) -> list[RemoteFile] | None:
    """The files below a folder; None where there is nothing."""
    files.invalidate_cache()
    found: dict[str, dict[str, Any]] = files.find(folder, detail=True)
    start = folder.rstrip("/") + "/"
    below = {path: path.removeprefix(start).split("/") for path in found}
    chosen = sorted(
        (path for path, parts in below.items() if _is_chosen(parts, suffixes)), key=lambda path: below[path]
    )
    if not found:
        return None
    return [RemoteFile(files.unstrip_protocol(path), found[path].get("size")) for path in chosen]


def _is_chosen(parts: list[str], suffixes: frozenset[str]) -> bool:
    hidden = any(part.startswith(".") for part in parts)
    return not hidden and PurePosixPath(parts[-1]).suffix.lower() in suffixes


def _final(error: BaseException) -> str | None:
    """The code of an error that stays however often it is tried; None for any other."""
    status = getattr(error, "status", None)
    if isinstance(error, (FileNotFoundError, NotADirectoryError, IsADirectoryError)) or status in NOT_THERE:
        return "not_found"
    if isinstance(error, PermissionError) or status in NOT_ALLOWED or "Credentials" in type(error).__name__:
        return "not_allowed"
    if isinstance(error, FaceqaError | ValueError | TypeError | NotImplementedError):
        return "refused"
    if isinstance(status, int) and 400 <= status < 500 and status not in COMES_BACK:
        return "refused"
    return None


def _told(address: str, error: Exception) -> RemoteError:
    detail = str(error).strip() or type(error).__name__
    match code := _final(error) or "unreachable":
        case "not_found":
            sentence = f"There is no file or folder {address}. Check the address."
        case "not_allowed":
            sentence = f"There is no permission to read {address} ({detail}). Check keys and rights."
        case "refused":
            sentence = f"{address} cannot be read ({detail})."
        case _:
            sentence = f"The connection to {address} is lost ({detail}). Try again; what is done stays done."
    return RemoteError(code, sentence)
