"""Small pictures of the faces of a run, made once and kept beside its journal."""

from __future__ import annotations

import base64
import zipfile
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path

import cv2
import numpy as np

from faceqa.curation.export import face_crops, images_again
from faceqa.curation.settings import Settings
from faceqa.curation.table import Row

THUMBNAILS = "thumbnails.zip"
"""The file in the output folder; it can be deleted, and is made again where the images can still be read."""

SIDE = 128
"""px."""

QUALITIES = (75, 60, 45, 30, 15, 5)
"""Of the WebP pictures: the first one that makes a picture small enough is taken, or else the last."""

MOST_BYTES = 2700
"""Of a picture: ten thousand of them, as text, fit into a page of 40 MB."""

Key = tuple[str, int]
"""Name of the image and number of the face."""


def thumbnails(settings: Settings, out: Path, rows: Iterable[Row]) -> Mapping[Key, bytes]:
    """WebP pictures, `SIDE` px wide, of the faces of these rows; those that are known or still can be read.

    Args:
        settings: Of the run.
        out: Its folder.
        rows: Which faces; rows without a face have no picture.
    """
    faces = {key(row): row for row in rows if row.box is not None}
    members = {one: _member(one) for one in faces}
    if not faces:
        return {}
    with _archive(out / THUMBNAILS) as archive:
        known = set(archive.namelist())
        missing = [row for one, row in faces.items() if members[one] not in known]
        if missing:
            for again, of_image in images_again(settings, out, missing):
                for row, crop in face_crops(again, of_image):
                    archive.writestr(zipfile.ZipInfo(members[key(row)]), picture(crop))
                    known.add(members[key(row)])
        return {one: archive.read(member) for one, member in members.items() if member in known}


def key(row: Row) -> Key:
    """What a face of a run is known by."""
    return row.image, row.face_index or 0


def picture(crop: np.ndarray) -> bytes:
    """A face crop, RGB uint8 (S, S, 3), as a WebP picture of at most `MOST_BYTES`.

    Only a picture of pure noise may take more.
    """
    small = cv2.resize(crop, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
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
