"""The pictures of a data set once more, sorted into `kept/` and `rejected/`: as files, or in shards."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from faceqa.curation.settings import Settings
from faceqa.curation.shards import Tables, Tars, file_of
from faceqa.curation.table import Row
from faceqa.errors import ImageError
from faceqa.faces.alignment import crop_face
from faceqa.reading import image
from faceqa.reading.image import NamedImage
from faceqa.reading.remote import RemoteFile
from faceqa.reading.sources import named_images
from faceqa.types import Face

Export = Literal["link", "copy", "crop", "webdataset", "parquet", "clips"]

IN_SHARDS = {"webdataset": Tars, "parquet": Tables}

LONGEST_NAME = 200
"""Bytes of a file's name; file systems take 255."""


def sort_files(settings: Settings, out: Path, rows: Callable[[], Iterable[Row]], export: Export) -> None:
    """Fill `kept/` and `rejected/` anew; each appears whole.

    Args:
        settings: Of the run.
        out: Its folder.
        rows: Gives all rows, with their verdicts.
        export: Links to the images, copies of them, the face crops, or shards of images and scores.
    """
    folders = {"kept": out / "kept.part", "rejected": out / "rejected.part"}
    for folder in folders.values():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    places = _places(dict.fromkeys(row.image for row in rows()))
    again = images_again(settings, out, rows())
    if export in ("webdataset", "parquet"):
        _write_shards(again, folders, places, export)
    else:
        _write_files(again, folders, places, export)
    for name, folder in folders.items():
        shutil.rmtree(out / name, ignore_errors=True)
        os.replace(folder, out / name)


def _write_files(
    images: Iterable[tuple[NamedImage, list[Row]]],
    folders: Mapping[str, Path],
    places: Mapping[str, str],
    export: Export,
) -> None:
    for again, faces in images:
        place = places[again.name]
        if export == "crop":
            for row, crop in face_crops(again, faces):
                folder = folders[_of_rows([row])]
                _write_png(crop, folder / f"{place}-face{(row.face_index or 0) + 1}.png")
        elif not isinstance(again.source, ImageError):
            _write_image(again, folders[_of_rows(faces)] / place, export)


def _write_shards(
    images: Iterable[tuple[NamedImage, list[Row]]],
    folders: Mapping[str, Path],
    places: Mapping[str, str],
    export: Literal["webdataset", "parquet"],
) -> None:
    """An image goes where one of its faces belongs; one that cannot be read is in the tables alone."""
    with ExitStack() as stack:
        shards = {name: stack.enter_context(IN_SHARDS[export](folder)) for name, folder in folders.items()}
        for again, faces in images:
            with suppress(ImageError):
                shards[_of_rows(faces)].add(again, faces, places[again.name])


def _of_rows(rows: Iterable[Row]) -> str:
    return "kept" if any(row.verdict == "accept" for row in rows) else "rejected"


def images_again(
    settings: Settings, out: Path, rows: Iterable[Row]
) -> Iterator[tuple[NamedImage, list[Row]]]:
    """The images of rows, read once more, each with its rows."""
    wanted: dict[str, list[Row]] = {}
    for row in rows:
        wanted.setdefault(row.image, []).append(row)
    images = named_images(
        settings.paths, settings.sampling, wanted.__contains__, leave_out=out, root=settings.root
    )
    for again in images:
        if again.name in wanted:
            yield again, wanted.pop(again.name)


def face_crops(again: NamedImage, rows: Iterable[Row]) -> Iterator[tuple[Row, np.ndarray]]:
    """The face crops of an image, RGB uint8 (384, 384, 3); none where it can no longer be read."""
    try:
        if isinstance(again.source, ImageError):
            return
        photo = image.load(again.source)
    except ImageError:
        return
    for row in rows:
        if row.box is not None:
            yield row, crop_face(photo, Face(row.box, (), row.confidence or 0.0)).image


def _write_image(again: NamedImage, path: Path, export: Export) -> None:
    source = again.source
    if isinstance(source, np.ndarray):
        _write_png(source, path.with_name(path.name + ".png"))
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(source, bytes):
        path.write_bytes(source)
    elif isinstance(source, RemoteFile):
        with suppress(ImageError):
            path.write_bytes(file_of(again)[0])
    elif isinstance(source, Path) and source.is_file():
        if export == "link":
            path.symlink_to(source.resolve())
        else:
            shutil.copy2(source, path)


def _write_png(picture: np.ndarray, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1].tobytes())


def _places(names: Iterable[str]) -> dict[str, str]:
    """Where each image goes below `kept/`: its path without what all have in common, made safe and unique."""
    parts = {name: [part for part in name.split("/") if part not in ("", ".", "..")] for name in names}
    common = (
        len(Path(os.path.commonpath(["/".join(["", *path[:-1]]) or "/" for path in parts.values()])).parts)
        - 1
    )
    places: dict[str, str] = {}
    taken: set[str] = set()
    for name, path in parts.items():
        place = "/".join(map(safe, path[common:])) or "image"
        stem, suffix = os.path.splitext(place)
        number = 1
        while place.lower() in taken:
            number += 1
            place = f"{stem}-{number}{suffix}"
        taken.add(place.lower())
        places[name] = place
    return places


def safe(part: str) -> str:
    """A part of a path that every file system takes."""
    clean = "".join(c if c.isprintable() and c not in '\\:*?"<>|' else "_" for c in part).rstrip(". ") or "_"
    stem, suffix = os.path.splitext(clean)
    room = LONGEST_NAME - len(suffix.encode())
    return stem.encode()[: max(1, room)].decode("utf-8", "ignore") + suffix.encode()[:LONGEST_NAME].decode(
        "utf-8", "ignore"
    )
