"""Small pictures of the faces of a run, and of images without one, made once and kept beside its journal."""

from __future__ import annotations

import base64
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import cv2
import numpy as np

from faceqa.curation.export import face_crops, images_again
from faceqa.curation.settings import Settings
from faceqa.curation.table import Row
from faceqa.errors import ImageError
from faceqa.reading import image
from faceqa.reading.image import NamedImage

THUMBNAILS = "thumbnails.zip"
"""The file in the output folder; it can be deleted, and is made again where the images can still be read."""

SIDE = 128
"""px of a picture's longer side."""

QUALITIES = (75, 60, 45, 30, 15, 5)
"""Of the WebP pictures: the first one that makes a picture small enough is taken, or else the last."""

MOST_BYTES = 2700
"""Of a picture: ten thousand of them, as text, fit into a page of 40 MB."""

Key = tuple[str, int]
"""Name of the image and number of the face."""


def thumbnails(settings: Settings, out: Path, rows: Iterable[Row]) -> Mapping[Key, bytes]:
    """WebP pictures of these rows; those that are known or whose image still can be read.

    Args:
        settings: Of the run.
        out: Its folder.
        rows: Which faces; of a row without a face the whole image is shown, and of an error nothing.
    """
    faces = {key(row): row for row in rows if row.verdict != "error"}
    members = {one: _member(one) for one in faces}
    if not faces:
        return {}
    with _archive(out / THUMBNAILS) as archive:
        known = set(archive.namelist())
        missing = [row for one, row in faces.items() if members[one] not in known]
        if missing:
            for again, of_image in images_again(settings, out, missing):
                for row, seen in _seen(again, of_image):
                    archive.writestr(zipfile.ZipInfo(members[key(row)]), picture(seen))
                    known.add(members[key(row)])
        return {one: archive.read(member) for one, member in members.items() if member in known}


def key(row: Row) -> Key:
    """What a face of a run is known by."""
    return row.image, row.face_index or 0


def _seen(again: NamedImage, rows: list[Row]) -> Iterator[tuple[Row, np.ndarray]]:
    """The faces of an image that is read again, or the whole image where it shows none."""
    yield from face_crops(again, rows)
    if rows[0].box is None and not isinstance(again.source, ImageError):
        with suppress(ImageError):
            yield rows[0], image.load(again.source)


def picture(seen: np.ndarray) -> bytes:
    """A face crop or an image, RGB uint8 (H, W, 3), as a WebP picture of at most `MOST_BYTES`.

    Only a picture of pure noise may take more.
    """
    height, width = seen.shape[:2]
    size = [max(1, round(SIDE * side / max(height, width))) for side in (width, height)]
    small = cv2.resize(seen, size, interpolation=cv2.INTER_AREA)
    bgr = cv2.cvtColor(small, cv2.COLOR_RGB2BGR)
    for quality in QUALITIES:
        made = cv2.imencode(".webp", bgr, [cv2.IMWRITE_WEBP_QUALITY, quality])[1].tobytes()
        if len(made) <= MOST_BYTES:
            break
    return made


def data_url(made: bytes) -> str:
    """A picture as the `src` of an `<img>`."""
    return f"data:image/webp;base64,{base64.b64encode(made).decode()}"


def _archive(path: Path) -> zipfile.ZipFile:
    """The pictures so far; none of them where an interrupted run left a broken file."""
    return zipfile.ZipFile(path, "a" if zipfile.is_zipfile(path) else "w", zipfile.ZIP_STORED)


def _member(face: Key) -> str:
    return f"{sha256(face[0].encode('utf-8', 'surrogateescape')).hexdigest()[:24]}-{face[1]}.webp"
