"""Pictures with their scores as shards, ready for training: webdataset's tars, or Parquet as Hugging Face's.

A sample of a tar is the picture as it was, what came with it (a caption, metadata), and `faceqa.json`: the
row of scores.csv, or of several faces a list of rows. The key is that of the tar it came from, or else made
of its path. A row of a table is a face: `image` (bytes and path), `json` and `txt` where they came with the
picture, and the columns of scores.csv, in which the image's name is called `name`.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any, Self

import cv2
import numpy as np

from faceqa.curation.table import Row, own_schema
from faceqa.errors import ImageError
from faceqa.reading.archives import MAX_MEMBER_BYTES
from faceqa.reading.image import IMAGE_SUFFIXES, NamedImage, file_kind
from faceqa.reading.remote import RemoteFile
from faceqa.reading.tars import sample_key

MOST_BYTES = 500_000_000
"""Of the pictures in a shard."""

ROWS_IN_A_GROUP = 100
"""Of a table of pictures; a reader holds a group in memory."""

HUGGING_FACE = {b"huggingface": json.dumps({"info": {"features": {"image": {"_type": "Image"}}}}).encode()}


class _Shards:
    """Numbered files in a folder, the next one begun where the last is full."""

    ending: str

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._number = -1
        self._bytes = MOST_BYTES
        self._open = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.__exit__(kind, error, trace)

    def _room(self, size: int) -> None:
        """Begin a file where `size` bytes no longer fit into the last."""
        if self._bytes + size > MOST_BYTES:
            self._open.close()
            self._number, self._bytes = self._number + 1, 0
            self._begin(self._folder / f"{self._number:05}.{self.ending}")
        self._bytes += size

    def add(self, image: NamedImage, rows: Sequence[Row], place: str) -> None:
        """Write an image.

        Args:
            image: As it was read again.
            rows: Of its faces.
            place: Its path below the exported folder.

        Raises:
            ImageError: when it cannot be read.
        """
        raise NotImplementedError

    def _begin(self, path: Path) -> None:
        raise NotImplementedError


class Tars(_Shards):
    """Webdataset's shards."""

    ending = "tar"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._keys: set[str] = set()

    def add(self, image: NamedImage, rows: Sequence[Row], place: str) -> None:
        """See `_Shards.add`."""
        content, ending = file_of(image)
        self._room(len(content))
        key = self._key(image.name, place)
        cells = [row.cells() for row in rows]
        scores = cells if len(cells) > 1 else cells[0]
        self._write(f"{key}.{ending}", content)
        for name, beside in image.beside.items():
            self._write(f"{key}.{name}", beside)
        self._write(f"{key}.faceqa.json", json.dumps(scores).encode())

    def _begin(self, path: Path) -> None:
        self._file = self._open.enter_context(tarfile.TarFile(path, "w"))

    def _write(self, name: str, content: bytes) -> None:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        self._file.addfile(member, io.BytesIO(content))

    def _key(self, name: str, place: str) -> str:
        _, of_tar, inside = name.rpartition(".tar/")
        if of_tar:
            key = sample_key(inside)
        else:
            path = PurePosixPath(place)
            stem = path.stem if path.suffix.lower() in IMAGE_SUFFIXES else path.name
            key = str(path.with_name(stem.replace(".", "_")))
        number, free = 1, key
        while free in self._keys:
            number += 1
            free = f"{key}-{number}"
        self._keys.add(free)
        return free


class Tables(_Shards):
    """Parquet files with a column of pictures."""

    ending = "parquet"

    def add(self, image: NamedImage, rows: Sequence[Row], place: str) -> None:
        """See `_Shards.add`."""
        content, _ = file_of(image)
        for row in rows:
            self._room(len(content))
            self._waiting.append(
                {
                    **row.cells(),
                    "name": row.image,
                    "image": {"bytes": content, "path": place},
                    **{name: _text(image.beside.get(name)) for name in ("json", "txt")},
                }
            )
            if len(self._waiting) >= ROWS_IN_A_GROUP:
                self._flush()

    def _begin(self, path: Path) -> None:
        import pyarrow
        from pyarrow import parquet

        picture = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
        texts = [(name, pyarrow.string()) for name in ("name", "json", "txt")]
        scores = [field for field in own_schema() if field.name != "image"]
        self._schema = pyarrow.schema(
            [pyarrow.field("image", picture), *(pyarrow.field(*text) for text in texts), *scores],
            metadata=HUGGING_FACE,
        )
        self._waiting: list[dict[str, Any]] = []
        self._file = self._open.enter_context(parquet.ParquetWriter(path, self._schema))
        self._open.callback(self._flush)

    def _flush(self) -> None:
        import pyarrow

        if self._waiting:
            self._file.write_table(pyarrow.Table.from_pylist(self._waiting, schema=self._schema))
            self._waiting.clear()


def file_of(image: NamedImage) -> tuple[bytes, str]:
    """The file of an image that could be read, and its ending: as it was, or a frame of a video as PNG.

    Raises:
        ImageError: when it can no longer be read.
    """
    source = image.source
    if isinstance(source, np.ndarray):
        return cv2.imencode(".png", cv2.cvtColor(source, cv2.COLOR_RGB2BGR))[1].tobytes(), "png"
    if isinstance(source, RemoteFile):
        content = source.read(MAX_MEMBER_BYTES)
    elif isinstance(source, Path):
        content = source.read_bytes() if source.is_file() else b""
    elif isinstance(source, bytes):
        content = source
    else:
        raise source if isinstance(source, ImageError) else TypeError(type(source).__name__)
    suffix = PurePosixPath(image.name).suffix.lower()
    known = suffix.removeprefix(".") if suffix in IMAGE_SUFFIXES else (file_kind(content) or "bin").lower()
    return content, known


def _text(content: bytes | None) -> str | None:
    return None if content is None else content.decode("utf-8", "replace")
