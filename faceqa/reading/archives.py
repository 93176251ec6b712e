"""Zip archive -> named images, in the order of its directory.

Archives are never unpacked to disk, so no member can escape to another folder. What cannot be read (an
encrypted member, an archive in an archive, a bomb) is passed on as an image with the reason in its place.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from faceqa.errors import ImageError
from faceqa.reading.image import (
    IMAGE_SUFFIXES,
    MAX_BYTES_PER_PIXEL,
    MAX_EXTRA_BYTES,
    MAX_PIXELS,
    NamedImage,
    unreadable,
)

ZIP_SUFFIXES = frozenset([".cbz", ".zip"])

MAX_MEMBER_BYTES = MAX_BYTES_PER_PIXEL * MAX_PIXELS + MAX_EXTRA_BYTES
"""The largest file that `image.load` reads."""

MAX_RATIO = 100
"""How many times larger than the archive its contents may be. Photos hardly shrink in a zip; uncompressed
bitmaps of drawings reach about 20."""


def members(path: Path, named: str, wanted: Callable[[str], bool]) -> Iterator[NamedImage]:
    """The pictures of a zip, in the order of its directory.

    Args:
        path: Of the archive.
        named: What it is called; the names of its pictures follow.
        wanted: By name, which pictures to read.
    """
    try:
        archive = zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile, NotImplementedError) as error:
        yield NamedImage(named, unreadable(f"The zip archive cannot be opened ({error})."))
        return
    with archive:
        total = sum(member.file_size for member in archive.infolist())
        if total > MAX_MEMBER_BYTES and total > MAX_RATIO * path.stat().st_size:
            yield NamedImage(named, _bomb(total, path.stat().st_size))
            return
        for name, member in _picture_members(named, archive.infolist()).items():
            if wanted(name):
                yield NamedImage(name, _content(archive, member))


def member_count(path: Path) -> int:
    """How many images `members` gives."""
    try:
        with zipfile.ZipFile(path) as archive:
            return len(_picture_members("", archive.infolist()))
    except (OSError, zipfile.BadZipFile, NotImplementedError):
        return 1


def _picture_members(path: str, members: list[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
    """Pictures and archives in a zip, by name; a name that comes again gets a number."""
    named: dict[str, zipfile.ZipInfo] = {}
    for member in members:
        inside = _member_name(member)
        hidden = any(part.startswith((".", "__MACOSX")) for part in inside.split("/") if part != "..")
        suffix = Path(inside).suffix.lower()
        if member.is_dir() or hidden or suffix not in IMAGE_SUFFIXES | ZIP_SUFFIXES:
            continue
        name, number = f"{path}/{inside}", 1
        while name in named:
            number += 1
            name = f"{path}/{inside} ({number})"
        named[name] = member
    return named


def _member_name(member: zipfile.ZipInfo) -> str:
    """The name inside the archive; zips of other systems hold UTF-8 without saying so."""
    if member.flag_bits & 0x800:
        return member.filename
    try:
        return member.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return member.filename


def _content(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes | ImageError:
    if Path(member.filename).suffix.lower() in ZIP_SUFFIXES:
        return unreadable("This is an archive inside an archive, which is not opened. Unpack it.")
    if member.flag_bits & 1:
        return unreadable("The file is encrypted. Unpack the archive with its password.")
    if member.file_size > min(MAX_MEMBER_BYTES, MAX_RATIO * (2**20 + member.compress_size)):
        return _bomb(member.file_size, member.compress_size)
    try:
        return archive.read(member)
    except Exception as error:  # zlib.error, BadZipFile, EOFError, NotImplementedError ...
        return unreadable(f"The file cannot be unpacked ({error}). The archive is damaged; make it again.")


def _bomb(size: int, packed: int) -> ImageError:
    return ImageError(
        "image_too_large",
        f"{packed / 1e6:.1f} MB would unpack to {size / 1e6:.0f} MB. They are not read; unpack the archive "
        f"yourself if you trust it.",
    )
