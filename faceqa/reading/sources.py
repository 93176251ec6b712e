"""Image, folder, zip, tar, Parquet or video, here or at an address -> named images, always in one order.

Names are the path or address as it was given; what lies inside a file follows it: `album.zip/beach/1.jpg`,
`train.parquet#row=12`, and for the frame of a video its time and number, `clip.mp4#t=12.480&frame=312`
(`frame_names`).

What cannot be read is passed on as an image with the reason in its place, so that it shows up among the
results.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TypeGuard

from faceqa.errors import ImageError
from faceqa.reading.archives import ZIP_SUFFIXES, member_count, members
from faceqa.reading.image import IMAGE_SUFFIXES, NamedImage, shown
from faceqa.reading.parquets import PARQUET_SUFFIXES, pictures, row_count
from faceqa.reading.remote import RemoteFile, is_address, remote_files
from faceqa.reading.sampling import VIDEO_SUFFIXES, Sampling
from faceqa.reading.tars import TAR_SUFFIXES, picture_count, samples

CONTAINERS = PARQUET_SUFFIXES | TAR_SUFFIXES | VIDEO_SUFFIXES | ZIP_SUFFIXES
"""Suffixes of files that hold many images."""

SUFFIXES = IMAGE_SUFFIXES | CONTAINERS

File = Path | RemoteFile


def named_images(
    paths: Iterable[str | File],
    sampling: Sampling | None = None,
    wanted: Callable[[str], bool] = lambda name: True,
    leave_out: Path | None = None,
    root: str | Path = "",
) -> Iterator[NamedImage]:
    """Every image of files, folders (recursive, hidden ones left out), zips, tars, tables and videos.

    A path that does not exist is passed on, so that it shows up as an error instead of being overlooked.

    Args:
        paths: Paths and addresses, as the caller names them.
        sampling: Of videos.
        wanted: By name, which images to read; the others are left out.
        leave_out: A folder that is not searched.
        root: The folder that relative paths start from, which the names leave out.

    Raises:
        RemoteError: when the connection to an address stays lost.
    """
    sampling = sampling or Sampling()
    for file in files_of(placed(paths, root), leave_out):
        name = file_name(file, root)
        if file.suffix.lower() in CONTAINERS and (isinstance(file, RemoteFile) or file.is_file()):
            yield from _contents(file, name, sampling, wanted)
        elif wanted(name):
            yield NamedImage(name, file)


def videos(
    paths: Iterable[str | File], leave_out: Path | None = None, root: str | Path = ""
) -> Iterator[tuple[str, Path]]:
    """Names and paths of the videos among the files on this machine; arguments as for `named_images`."""
    for file in files_of(placed(paths, root), leave_out):
        if _is_here(file, VIDEO_SUFFIXES):
            yield file_name(file, root), file


def count_images(paths: Iterable[str | File], sampling: Sampling, leave_out: Path | None = None) -> int:
    """About how many images `named_images` gives.

    Near-identical frames are not known beforehand, and a container at an address counts as one image.
    """
    total = 0
    for file in files_of(paths, leave_out):
        if _is_here(file, ZIP_SUFFIXES):
            total += member_count(file)
        elif _is_here(file, TAR_SUFFIXES):
            total += picture_count(file)
        elif _is_here(file, PARQUET_SUFFIXES):
            total += row_count(file)
        elif _is_here(file, VIDEO_SUFFIXES):
            from faceqa.reading.videos import frame_count

            total += frame_count(file, sampling)
        else:
            total += 1
    return total


def files_of(paths: Iterable[str | File], leave_out: Path | None = None) -> Iterator[File]:
    """As `source_files`, of paths and addresses."""
    for path in paths:
        if isinstance(path, RemoteFile):
            yield path
        elif is_address(path):
            found = remote_files(str(path), SUFFIXES)
            addresses = {file.address for file in found}
            yield from (file for file in found if _tar_beside(file.address) not in addresses)
        else:
            yield from source_files([path], leave_out)


def source_files(paths: Iterable[str | Path], leave_out: Path | None = None) -> Iterator[Path]:
    """Every file named, and every image and container below every folder named, in order of name.

    The Parquet file beside a tar of the same name is img2dataset's list of what is in there, and left out.
    """
    for path in map(Path, paths):
        if path.is_dir():
            yield from _files_below(path, leave_out and leave_out.resolve())
        else:
            yield path


def _files_below(folder: Path, leave_out: Path | None) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if hidden or path.suffix.lower() not in SUFFIXES or path.is_dir():
            continue
        if path.suffix in PARQUET_SUFFIXES and Path(_tar_beside(str(path))).exists():
            continue
        if leave_out is None or leave_out not in Path(os.path.realpath(path)).parents:
            yield path


def placed(paths: Iterable[str | File], root: str | Path) -> list[str | File]:
    """The paths as they are found; relative ones start from `root`, and addresses are as they are."""
    return [path if isinstance(path, RemoteFile) or is_address(path) else Path(root, path) for path in paths]


def file_name(file: File, root: str | Path) -> str:
    """What a file is called: its address, or its path without `root`."""
    if isinstance(file, RemoteFile):
        return file.address
    return shown(file.relative_to(root) if root and file.is_relative_to(root) else file)


def _contents(
    file: File, name: str, sampling: Sampling, wanted: Callable[[str], bool]
) -> Iterator[NamedImage]:
    """The images in a container; one at an address is copied to the disk first, and read from there."""
    with ExitStack() as stack:
        try:
            path = stack.enter_context(file.copy()) if isinstance(file, RemoteFile) else file
        except ImageError as error:
            yield NamedImage(name, error)
            return
        suffix = path.suffix.lower()
        if suffix in ZIP_SUFFIXES:
            yield from members(path, name, wanted)
        elif suffix in TAR_SUFFIXES:
            yield from samples(path, name, wanted)
        elif suffix in PARQUET_SUFFIXES:
            yield from pictures(path, name, wanted)
        else:
            from faceqa.reading.videos import frames

            yield from frames(path, name, sampling, wanted)


def _tar_beside(table: str) -> str:
    """The tar that a Parquet file of img2dataset describes; of any other file none."""
    return table.removesuffix(".parquet") + ".tar" if table.endswith(".parquet") else ""


def _is_here(file: File, suffixes: frozenset[str]) -> TypeGuard[Path]:
    """Whether it is one of these on this machine; opening a pipe would wait for its writer."""
    return isinstance(file, Path) and file.suffix.lower() in suffixes and file.is_file()
