"""Assessments <-> rows of a table: `scores.csv` and `scores.parquet`, one row a face.

A row holds everything that the verdict rests on, so that a table can be judged again without a model.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from faceqa.errors import TableError
from faceqa.fusion import judge
from faceqa.types import Assessment, Measures, Policy

Row = dict[str, Any]
"""By the names of `COLUMNS`; what is not known is None."""

COLUMNS: Mapping[str, type] = {
    "image": str,
    "face_index": int,
    "verdict": str,
    "reasons": str,
    "cafi": float,
    "ser_fiq": float,
    "dbcnn": float,
    "dbcnn_unmasked": float,
    "occlusion": float,
    "face_size": float,
    "yaw": float,
    "pitch": float,
    "roll": float,
    "inter_eye_distance": float,
    "confidence": float,
    "x1": float,
    "y1": float,
    "x2": float,
    "y2": float,
    "faces_found": int,
    "width": int,
    "height": int,
    "error": str,
}
"""Units as in `types`: px, degrees, shares in [0, 1]. `reasons` holds codes with spaces between them."""

MEASURES = ("ser_fiq", "dbcnn", "occlusion", "face_size")

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "'")
"""A text cell that begins so gets an apostrophe before it: spreadsheets would run it as a formula. The
apostrophe itself is among them, so that reading the table back gives every name as it was."""


def row(assessment: Assessment) -> Row:
    """The row of an assessment."""
    known = assessment.to_dict()
    face, pose, measures = known["face"] or {}, known["pose"] or {}, assessment.measures
    box = face.get("box", [None] * 4)
    values = {
        **known,
        **pose,
        **dict(zip(("x1", "y1", "x2", "y2"), box, strict=True)),
        "face_size": measures and measures.face_size,
        "inter_eye_distance": face.get("inter_eye_distance"),
        "confidence": face.get("confidence"),
        "reasons": " ".join(reason.code for reason in assessment.reasons) or None,
    }
    return {name: values.get(name) for name in COLUMNS}


def measures_of(row: Row) -> Measures | None:
    """What `judge` needs of a row; None where there is no face."""
    if row["ser_fiq"] is None:
        return None
    return Measures(*(row[name] for name in MEASURES))


def judged(row: Row, policy: Policy) -> Row:
    """The row with the verdict of another policy; an error stays one."""
    if row["verdict"] == "error":
        return row
    verdict = judge(measures_of(row), policy)
    codes = " ".join(reason.code for reason in verdict.reasons) or None
    return {**row, "verdict": verdict.decision, "cafi": verdict.cafi, "reasons": codes}


def write_csv(rows: Iterable[Row], path: Path, columns: Sequence[str] = tuple(COLUMNS)) -> None:
    """Write a table, whole or not at all."""
    scratch = path.with_name(path.name + ".part")
    with scratch.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows([_cell(row[name]) for name in columns] for row in rows)
    os.replace(scratch, path)


def read_csv(path: Path) -> tuple[list[Row], list[str]]:
    """The rows of a table and the names of its columns; columns of other programs are kept as text.

    Raises:
        TableError: when it cannot be read, or is no table of faceqa's.
    """
    if path.exists() and not path.is_file():  # opening a pipe would wait for its writer
        raise TableError("bad_table", f"{path} is no file.")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:  # spreadsheets begin it with a mark
            reader = csv.DictReader(file)
            columns = list(reader.fieldnames or [])
            if len(set(columns)) < len(columns):
                raise TableError("bad_table", f"{path} has two columns of the same name.")
            if missing := {"image", "verdict", "cafi", "reasons", *MEASURES} - set(columns):
                raise TableError("bad_table", f"{path} lacks the columns {', '.join(sorted(missing))}.")
            lines = list(reader)
            if any(reader.restkey in line for line in lines):
                raise TableError("bad_table", f"{path} has lines of more cells than columns.")
            rows = [{name: _value(name, cell) for name, cell in line.items()} for line in lines]
            for line in rows:
                measures_of(line)
            return rows, columns
    except (OSError, ValueError, TypeError, csv.Error) as error:
        raise TableError("bad_table", f"{path} cannot be read as a table of faceqa ({error}).") from error


def write_parquet(rows: Sequence[Row], path: Path) -> None:
    """Write a table, whole or not at all."""
    import pyarrow
    from pyarrow import parquet

    kinds = {str: pyarrow.string(), int: pyarrow.int32(), float: pyarrow.float64()}
    schema = pyarrow.schema([(name, kinds[kind]) for name, kind in COLUMNS.items()])
    scratch = path.with_name(path.name + ".part")
    parquet.write_table(pyarrow.Table.from_pylist(list(rows), schema=schema), scratch)
    os.replace(scratch, path)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str) and value.startswith(FORMULA_STARTS):
        return f"'{value}"
    return str(value)


def _value(name: str, cell: str) -> Any:
    kind = COLUMNS.get(name, str)
    if kind is str:
        return cell[1:] if cell[:1] == "'" and cell[1:].startswith(FORMULA_STARTS) else cell or None
    return kind(cell) if cell else None
