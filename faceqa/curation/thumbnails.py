"""Small pictures of the faces of a run, made once and kept beside its journal."""

from __future__ import annotations

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

SIDE = 96
"""px."""

QUALITY = 70
"""Of the JPEGs: about 3 kB each, so that ten thousand of them fit into a page of 40 MB."""

Key = tuple[str, int]
"""Name of the image and number of the face."""


def thumbnails(settings: Settings, out: Path, rows: Iterable[Row]) -> Mapping[Key, bytes]:
    """JPEGs, `SIDE` px wide, of the faces of these rows; those that are known or still can be read.

    Args:
        settings: Of the run.
        out: Its folder.
        rows: Which faces; rows without a face have no picture.
    """
    faces = {key(row): row for row in rows if row.box is not None}
    members = {one: _member(one) for one in faces}
    with zipfile.ZipFile(out / THUMBNAILS, "a", zipfile.ZIP_STORED) as archive:
        known = set(archive.namelist())
        missing = [row for one, row in faces.items() if members[one] not in known]
        if missing:
            for again, of_image in images_again(settings, out, missing):
                for row, crop in face_crops(again, of_image):
                    archive.writestr(_fixed(members[key(row)]), jpeg(crop))
                    known.add(members[key(row)])
        return {one: archive.read(member) for one, member in members.items() if member in known}


def key(row: Row) -> Key:
    """What a face of a run is known by."""
    return row.image, row.face_index or 0


def jpeg(crop: np.ndarray) -> bytes:
    """A face crop, RGB uint8 (S, S, 3), as a small JPEG."""
    small = cv2.resize(crop, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    bgr = cv2.cvtColor(small, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()


def _member(face: Key) -> str:
    return f"{sha256(face[0].encode('utf-8', 'surrogateescape')).hexdigest()[:24]}-{face[1]}.jpg"


def _fixed(name: str) -> zipfile.ZipInfo:
    """A member without a date, so that the same faces make the same file."""
    return zipfile.ZipInfo(name)
