"""Image, folder, zip or video -> named images, in an order that never changes.

Names are the path as it was given; what lies inside a file follows it: `album.zip/beach/1.jpg`, and for the
frame of a video its time in seconds and its number, `clip.mp4#t=12.480&frame=312`.

What cannot be read is passed on as an image with the reason in its place, so that it shows up among the
results.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from faceqa.reading.archives import ZIP_SUFFIXES, member_count, members
from faceqa.reading.image import IMAGE_SUFFIXES, NamedImage, shown
from faceqa.reading.videos import VIDEO_SUFFIXES, Sampling, frame_count, frames

SUFFIXES = IMAGE_SUFFIXES | VIDEO_SUFFIXES | ZIP_SUFFIXES


def named_images(
    paths: Iterable[str | Path],
    sampling: Sampling | None = None,
    wanted: Callable[[str], bool] = lambda name: True,
    leave_out: Path | None = None,
    root: str | Path = "",
) -> Iterator[NamedImage]:
    """Every image of files, folders (recursive, hidden ones left out), zips and videos.

    A path that does not exist is passed on, so that it shows up as an error instead of being overlooked.

    Args:
        paths: As the caller names them.
        sampling: Of videos.
        wanted: By name, which images to read; the others are left out.
        leave_out: A folder that is not searched.
        root: The folder that relative paths start from, which the names leave out.
    """
    for path in source_files([Path(root, path) for path in paths], leave_out):
        name = shown(path.relative_to(root) if root and path.is_relative_to(root) else path)
        if _is_file(path, ZIP_SUFFIXES):
            yield from members(path, name, wanted)
        elif _is_file(path, VIDEO_SUFFIXES):
            yield from frames(path, name, sampling or Sampling(), wanted)
        elif wanted(name):
            yield NamedImage(name, path)


def count_images(paths: Iterable[str | Path], sampling: Sampling, leave_out: Path | None = None) -> int:
    """About how many images `named_images` gives: near-identical frames are not known beforehand."""
    total = 0
    for path in source_files(paths, leave_out):
        if _is_file(path, ZIP_SUFFIXES):
            total += member_count(path)
        elif _is_file(path, VIDEO_SUFFIXES):
            total += frame_count(path, sampling)
        else:
            total += 1
    return total


def source_files(paths: Iterable[str | Path], leave_out: Path | None = None) -> Iterator[Path]:
    """Every file named, and every image, video and zip below every folder named, in order of name."""
    for path in map(Path, paths):
        if path.is_dir():
            yield from _files_below(path, leave_out and leave_out.resolve())
        else:
            yield path


def _is_file(path: Path, suffixes: frozenset[str]) -> bool:
    """Whether it is one of these; opening a pipe would wait for its writer."""
    return path.suffix.lower() in suffixes and path.is_file()


def _files_below(folder: Path, leave_out: Path | None) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if hidden or path.suffix.lower() not in SUFFIXES or path.is_dir():
            continue
        if leave_out is None or leave_out not in Path(os.path.realpath(path)).parents:
            yield path
