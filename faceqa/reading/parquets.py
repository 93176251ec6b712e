"""Parquet with a column of pictures -> named images, in the order of its rows: `train.parquet#row=12`.

The column holds the files as bytes, or as Hugging Face's data sets do: a struct with `bytes` and `path`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faceqa.errors import ImageError
from faceqa.reading.image import NamedImage, unreadable

if TYPE_CHECKING:
    import pyarrow

PARQUET_SUFFIXES = frozenset([".parquet"])

USUAL = ("image", "img", "jpg", "jpeg", "png", "webp", "picture", "photo")
"""Names of columns of pictures, where several columns hold bytes and the file does not say which."""

ROWS_AT_ONCE = 16


def pictures(path: Path, named: str, wanted: Callable[[str], bool]) -> Iterator[NamedImage]:
    """The pictures of a table, each with the other columns of its row as JSON.

    Args:
        path: Of the table.
        named: What it is called; the numbers of the rows follow, from 0.
        wanted: By name, which pictures to read.
    """
    from pyarrow import ArrowException, parquet

    row = 0
    try:
        with parquet.ParquetFile(path) as file:
            column = image_column(file.schema_arrow)
            if column is None:
                yield NamedImage(named, _without_pictures(file.schema_arrow))
                return
            others = [field.name for field in file.schema_arrow if not _holds_files(field.type)]
            for batch in file.iter_batches(ROWS_AT_ONCE, columns=[column, *others]):
                for cells in batch.to_pylist():
                    if wanted(name := f"{named}#row={row}"):
                        content = _content(cells.pop(column))
                        yield NamedImage(name, content, {"json": _as_json(cells)} if cells else {})
                    row += 1
    except (OSError, ValueError, ArrowException) as error:
        yield NamedImage(
            named, unreadable(f"The Parquet file cannot be read after {row} rows ({error}). It is damaged.")
        )


def row_count(path: Path) -> int:
    """How many images `pictures` gives."""
    from pyarrow import ArrowException, parquet

    try:
        with parquet.ParquetFile(path) as file:
            rows: int = file.metadata.num_rows
            return rows if image_column(file.schema_arrow) is not None else 1
    except (OSError, ValueError, ArrowException):
        return 1


def image_column(schema: pyarrow.Schema) -> str | None:
    """The column of pictures: by Hugging Face's metadata, or the only one with bytes, or one of `USUAL`."""
    files = [field.name for field in schema if _holds_files(field.type)]
    told = [name for name in _told(schema) if name in files]
    usual = [name for name in USUAL if name in files]
    return next(iter([*told, *(files if len(files) == 1 else usual)]), None)


def _holds_files(kind: pyarrow.DataType) -> bool:
    from pyarrow import types

    if types.is_struct(kind):
        return any(field.name == "bytes" and _holds_files(field.type) for field in kind)
    return types.is_binary(kind) or types.is_large_binary(kind)


def _told(schema: pyarrow.Schema) -> list[str]:
    """The columns that Hugging Face's metadata call images."""
    try:
        features = json.loads(schema.metadata[b"huggingface"])["info"]["features"]
        return [name for name, feature in features.items() if feature.get("_type") == "Image"]
    except (KeyError, TypeError, ValueError, AttributeError):
        return []


def _content(cell: Any) -> bytes | ImageError:
    content = cell.get("bytes") if isinstance(cell, dict) else cell
    if content is None:
        where = cell.get("path") if isinstance(cell, dict) else None
        detail = f"it only names the file {where}" if where else "it is empty"
        return unreadable(f"The row holds no picture: {detail}. Write the files' bytes into the table.")
    return bytes(content)


def _as_json(cells: dict[str, Any]) -> bytes:
    return json.dumps(cells, ensure_ascii=False, default=str).encode()


def _without_pictures(schema: pyarrow.Schema) -> ImageError:
    names = ", ".join(schema.names)
    return unreadable(
        f"The Parquet file has no column of pictures, only {names}. One with bytes is needed, or of several "
        f"one that is called {', '.join(USUAL)}."
    )
