"""Paths -> the image files to assess."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from faceqa.image import IMAGE_SUFFIXES


def image_files(paths: Iterable[str | Path]) -> Iterator[Path]:
    """Every file named, and every image below every folder named, folders in order of name.

    A path that does not exist is passed on, so that it shows up as an error instead of being overlooked.
    Hidden files and folders are left out.
    """
    for path in map(Path, paths):
        if path.is_dir():
            yield from _images_below(path)
        else:
            yield path


def _images_below(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.suffix.lower() in IMAGE_SUFFIXES and not hidden and path.is_file():
            yield path
