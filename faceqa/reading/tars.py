"""Tar -> named images, in the order of its members; the shards of webdataset and img2dataset among them.

There, members that follow each other and have one key are one sample: the key is the name up to the first dot
of its last part, `000123` of `000123.jpg` and `000123.json`. Names keep it: `00000.tar/000123.jpg`.
"""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path

from faceqa.errors import ImageError
from faceqa.reading.archives import MAX_MEMBER_BYTES
from faceqa.reading.image import IMAGE_SUFFIXES, NamedImage, unreadable

TAR_SUFFIXES = frozenset([".tar"])
"""Without compression, which pictures have already: so no tar unpacks to more than it is."""

MAX_BESIDE = 2**20
"""Bytes of a sample's other member, above which it is left where it is."""


def samples(path: Path, named: str, wanted: Callable[[str], bool]) -> Iterator[NamedImage]:
    """The pictures of a tar, each with the other members of its sample.

    A tar that ends too early or is damaged gives what comes before, and an image with the reason.

    Args:
        path: Of the tar.
        named: What it is called; the names of its pictures follow.
        wanted: By name, which pictures to read.
    """
    try:
        with tarfile.open(path, "r:") as archive:
            seen: dict[str, int] = {}
            for _, members in groupby(_members(archive), key=lambda member: sample_key(member.name)):
                yield from _sample(archive, list(members), named, wanted, seen)
            whole = _ends_well(path, archive)
    except (OSError, tarfile.TarError, ValueError, EOFError) as error:
        yield NamedImage(named, _damaged(str(error)))
        return
    if not whole:
        yield NamedImage(named, _damaged("it ends before its end mark"))


def picture_count(path: Path) -> int:
    """How many images `samples` gives."""
    try:
        with tarfile.open(path, "r:") as archive:
            return sum(_is_picture(member) for member in _members(archive))
    except (OSError, tarfile.TarError, ValueError, EOFError):
        return 1


def sample_key(name: str) -> str:
    """The part of a member's name that a sample's members share."""
    folder, slash, last = name.rpartition("/")
    return folder + slash + last.partition(".")[0]


def _members(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Its files one after the other, hidden ones left out; none of them stays in memory."""
    while (member := archive.next()) is not None:
        archive.members = []  # type: ignore[attr-defined]
        hidden = any(part.startswith((".", "__MACOSX")) for part in member.name.split("/") if part.strip("."))
        if member.isfile() and not hidden:
            yield member


def _sample(
    archive: tarfile.TarFile,
    members: list[tarfile.TarInfo],
    named: str,
    wanted: Callable[[str], bool],
    seen: dict[str, int],
) -> Iterator[NamedImage]:
    pictures = [member for member in members if _is_picture(member)]
    names = [_numbered(f"{named}/{member.name}", seen) for member in pictures]
    if not any(found := [wanted(name) for name in names]):
        return
    beside = {
        _ending(member): archive.extractfile(member).read()  # type: ignore[union-attr]
        for member in members
        if member not in pictures and member.size <= MAX_BESIDE and not member.issparse()
    }
    for member, name, is_wanted in zip(pictures, names, found, strict=True):
        if is_wanted:
            yield NamedImage(name, _content(archive, member), beside)


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes | ImageError:
    if member.issparse() or member.size > MAX_MEMBER_BYTES:
        return ImageError("image_too_large", f"The file has {member.size / 1e6:.0f} MB. It is not read.")
    content: bytes = archive.extractfile(member).read()  # type: ignore[union-attr]
    return content


def _is_picture(member: tarfile.TarInfo) -> bool:
    return Path(member.name).suffix.lower() in IMAGE_SUFFIXES


def _ending(member: tarfile.TarInfo) -> str:
    return member.name.removeprefix(sample_key(member.name)).removeprefix(".")


def _numbered(name: str, seen: dict[str, int]) -> str:
    """The name; one that comes again gets a number, as in a zip."""
    number = seen[name] = seen.get(name, 0) + 1
    return name if number == 1 else f"{name} ({number})"


def _ends_well(path: Path, archive: tarfile.TarFile) -> bool:
    """Whether a block of zeros follows the last member; tarfile takes damage for the end."""
    with path.open("rb") as file:
        file.seek(archive.offset)
        block = file.read(tarfile.BLOCKSIZE)
    return len(block) == tarfile.BLOCKSIZE and not any(block)


def _damaged(detail: str) -> ImageError:
    return unreadable(f"The tar cannot be read to its end ({detail}). It is damaged; make or copy it again.")
