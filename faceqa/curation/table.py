"""Assessments -> rows -> `scores.csv` and `scores.parquet`, one row a face; and back.

A row holds everything that the verdict rests on, so that a table can be judged again without a model. Tables
are written row by row: none is ever in memory as a whole.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from faceqa.errors import MeasureError, TableError
from faceqa.measures.registry import COMPONENTS, DISTORTIONS, JUDGED, MEASURES, SCORE, Component, Distortion
from faceqa.reading.frame_names import FrameName
from faceqa.types import Assessment, Box, Decision, Measures, Reason, measures_of
from faceqa.verdict.judge import judge
from faceqa.verdict.policy import Policy

if TYPE_CHECKING:
    import pyarrow
    from pyarrow import parquet

Cell = str | int | float | None

ROWS_AT_ONCE = 1000
"""Of a parquet file that is read."""

ROWS_IN_A_GROUP = 10_000
"""Of a parquet file, which are in memory together."""

SHORTEST = 1e-12
"""Length of an embedding or descriptor that counts as none."""

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "'")
"""A text cell that begins so gets an apostrophe before it: spreadsheets would run it as a formula. The
apostrophe itself is among them, so that reading the table back gives every name as it was."""


@dataclass(frozen=True, slots=True)
class Row:
    """One face of one image, or an image without one.

    Attributes:
        image: The image's name.
        verdict: "accept", "reject" or "error".
        face_index: Its place among the image's faces, 0 is the largest; None without a face.
        reasons: Codes.
        cafi: CAFI in [0, 100]; None where a gate failed.
        scores: The measures by the registry's names and in its units; empty without a face.
        components: The quality components by name, in [0, 100], None where one could not be assessed; those
            for which the table has no column are left out. Empty without a face.
        causes: Of a low score, see `types.Reason`.
        distortions: Severities by name, in [0, 1]; those for which the table has no column are left out.
        native_size: px, see `types.Assessment`.
        pitch: Degrees, see `types.Pose`, like `roll`; None without a face. Yaw is among the scores.
        roll: See `types.Pose`.
        inter_eye_distance: px.
        confidence: The detector's, in [0, 1].
        box: (x1, y1, x2, y2) in px.
        faces_found: How many faces the image shows.
        group: Name of the group of near-duplicates that the face is in; None where it is in none.
        duplicate_of: Name of the image with the best face of that group; None for this face itself.
        width: Of the image in px; None where it could not be read.
        height: Likewise.
        error: What went wrong, in a sentence; None where nothing did.
        override: The verdict that somebody gave by hand, "accept" or "reject": it stands above the policy's.
        others: Cells of columns that other programs added; as text, where the table is a CSV file.
        embedding: The face as the recognition network sees it, a unit vector, float16 (K,); in the journal of
            a run, and in no table.
        descriptor: How the face looks in this picture, a unit vector, float16 (L,); likewise.
    """

    image: str
    verdict: Decision
    face_index: int | None = None
    reasons: tuple[str, ...] = ()
    cafi: float | None = None
    scores: Mapping[str, float] = field(default_factory=dict)
    components: Mapping[str, int | None] = field(default_factory=dict)
    causes: tuple[str, ...] = ()
    distortions: Mapping[str, float] = field(default_factory=dict)
    native_size: float | None = None
    pitch: float | None = None
    roll: float | None = None
    inter_eye_distance: float | None = None
    confidence: float | None = None
    box: Box | None = None
    faces_found: int = 0
    group: str | None = None
    duplicate_of: str | None = None
    width: int | None = None
    height: int | None = None
    error: str | None = None
    override: Decision | None = None
    others: Mapping[str, Any] = field(default_factory=dict)
    embedding: np.ndarray | None = field(default=None, compare=False, repr=False)
    descriptor: np.ndarray | None = field(default=None, compare=False, repr=False)

    @classmethod
    def of(cls, assessment: Assessment) -> Row:
        """The row of an assessment."""
        known = assessment.to_dict()
        face, pose = known["face"] or {}, known["pose"] or {}
        return cls(
            image=assessment.image,
            verdict=assessment.verdict,
            face_index=assessment.face_index,
            reasons=tuple(reason.code for reason in assessment.reasons),
            cafi=assessment.cafi,
            scores=dict(assessment.scores),
            components=dict(assessment.components),
            causes=_causes(assessment.reasons),
            distortions=dict(assessment.distortions),
            native_size=assessment.native_size,
            pitch=pose.get("pitch"),
            roll=pose.get("roll"),
            inter_eye_distance=face.get("inter_eye_distance"),
            confidence=face.get("confidence"),
            box=tuple(face["box"]) if face else None,
            faces_found=assessment.faces_found,
            width=assessment.width,
            height=assessment.height,
            error=assessment.error,
            embedding=_direction(assessment.embedding),
            descriptor=_direction(assessment.descriptor),
        )

    @property
    def frame(self) -> FrameName | None:
        """Which frame of a video the image is; None for any other."""
        return FrameName.read(self.image)

    @property
    def measures(self) -> Measures | None:
        """What `judge` needs; None where there is no face.

        Raises:
            MeasureError: when a value is out of its range, or one is missing beside others.
        """
        return measures_of(self.scores, self.components, self.distortions) if self.scores else None

    def judged(self, policy: Policy) -> Row:
        """The row with the verdict of another policy; an error stays one, and so does a verdict by hand."""
        if self.verdict == "error":
            return self
        verdict = judge(self.measures, policy)
        codes = tuple(reason.code for reason in verdict.reasons)
        return replace(
            self,
            verdict=self.override or verdict.decision,
            cafi=verdict.cafi,
            reasons=codes,
            causes=_causes(verdict.reasons),
        )

    def cells(self) -> dict[str, Cell]:
        """By the names of `COLUMNS`."""
        return {column.name: column.of(self) for column in COLUMNS}

    @classmethod
    def from_cells(cls, cells: Mapping[str, Any], others: Mapping[str, Any] | None = None) -> Row:
        """The inverse of `cells`.

        Raises:
            KeyError: when a column is missing that every table has.
            ValueError: when `override` is no verdict.
        """
        if cells.get("override") not in OVERRIDES:
            raise ValueError(f"override is '{cells['override']}', neither accept nor reject")
        edges = [cells.get(name) for name in BOX]
        scores = {row.name: cells[row.name] for row in MEASURES if cells.get(row.name) is not None}
        return cls(
            image=cells["image"],
            verdict=cells["verdict"],
            reasons=tuple((cells["reasons"] or "").split()),
            scores=scores,
            components={row.name: cells[row.column] for row in COMPONENTS if scores and row.column in cells},
            causes=tuple((cells.get("causes") or "").split()),
            distortions={
                row.name: cells[row.column] for row in DISTORTIONS if cells.get(row.column) is not None
            },
            box=None if None in edges else tuple(edges),  # type: ignore[arg-type]
            faces_found=cells.get("faces_found") or 0,
            **{name: cells.get(name) for name in _PLAIN},
            others=others or {},
        )


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: its name, the type of its cells, and a row's cell."""

    name: str
    kind: type
    of: Callable[[Row], Cell]


BOX = ("x1", "y1", "x2", "y2")
OVERRIDES = (None, "accept", "reject")

_PLAIN: Mapping[str, type] = {
    "face_index": int,
    "cafi": float,
    "native_size": float,
    "pitch": float,
    "roll": float,
    "inter_eye_distance": float,
    "confidence": float,
    "group": str,
    "duplicate_of": str,
    "width": int,
    "height": int,
    "error": str,
    "override": str,
}
"""Columns that are attributes of a row and may be empty."""


def _attribute(name: str, kind: type) -> Column:
    return Column(name, kind, lambda row: getattr(row, name))


def _measure(name: str) -> Column:
    return Column(name, float, lambda row: row.scores.get(name))


def _component(row: Component) -> Column:
    return Column(row.column, int, lambda face: face.components.get(row.name))


def _distortion(row: Distortion) -> Column:
    return Column(row.column, float, lambda face: face.distortions.get(row.name))


def _causes(reasons: Iterable[Reason]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(cause for reason in reasons for cause in reason.causes))


def _edge(place: int) -> Column:
    return Column(BOX[place], float, lambda row: None if row.box is None else row.box[place])


def _attributes(*names: str) -> list[Column]:
    return [_attribute(name, _PLAIN[name]) for name in names]


COLUMNS: tuple[Column, ...] = (
    _attribute("image", str),
    *_attributes("face_index"),
    _attribute("verdict", str),
    Column("reasons", str, lambda row: " ".join(row.reasons) or None),
    Column("causes", str, lambda row: " ".join(row.causes) or None),
    *_attributes(SCORE.name),
    *(_measure(row.name) for row in MEASURES),
    *map(_component, COMPONENTS),
    *map(_distortion, DISTORTIONS),
    *_attributes("native_size"),
    *_attributes("pitch", "roll", "inter_eye_distance", "confidence"),
    *map(_edge, range(4)),
    _attribute("faces_found", int),
    *_attributes("group", "duplicate_of"),
    Column("time_s", float, lambda row: row.frame and row.frame.seconds),
    Column("frame", int, lambda row: row.frame and row.frame.number),
    Column("shot", int, lambda row: row.frame and row.frame.shot),
    *_attributes("width", "height", "error", "override"),
)
"""Units as in `types` and the registry: px, degrees, shares in [0, 1]. `reasons` are codes with spaces
between them."""

NAMES = tuple(column.name for column in COLUMNS)
KINDS = {column.name: column.kind for column in COLUMNS}
NEEDED = {"image", "verdict", SCORE.name, "reasons", *(row.name for row in JUDGED if not row.on_request)}
"""Columns without which a table cannot be judged again."""

Write = Callable[[Row], None]


def _direction(vector: np.ndarray | None) -> np.ndarray | None:
    if vector is None:
        return None
    return (vector / max(float(np.linalg.norm(vector)), SHORTEST)).astype(np.float16)


@contextmanager
def csv_writer(path: Path, columns: Sequence[str] = NAMES) -> Iterator[Write]:
    """A function that writes one row; the table appears whole at the end, or not at all.

    Args:
        path: Of the table.
        columns: Of faceqa and, among `Row.others`, of other programs.
    """
    with whole(path) as scratch, scratch.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)

        def write(row: Row) -> None:
            cells = {**row.others, **row.cells()}
            writer.writerow([cell(cells[name]) for name in columns])

        yield write


@contextmanager
def parquet_writer(path: Path, schema: pyarrow.Schema | None = None) -> Iterator[Write]:
    """The same for a parquet file.

    Args:
        path: Of the table.
        schema: Columns of faceqa and, among `Row.others`, of other programs; by default faceqa's.
    """
    import pyarrow
    from pyarrow import parquet

    schema = schema or own_schema()
    waiting: list[dict[str, Any]] = []
    with whole(path) as scratch, parquet.ParquetWriter(scratch, schema) as file:

        def flush() -> None:
            file.write_table(pyarrow.Table.from_pylist(waiting, schema=schema))
            waiting.clear()

        def write(row: Row) -> None:
            waiting.append({**row.others, **row.cells()})
            if len(waiting) >= ROWS_IN_A_GROUP:
                flush()

        yield write
        flush()


def own_schema() -> pyarrow.Schema:
    """The columns of faceqa in a parquet file."""
    import pyarrow

    kinds = {str: pyarrow.string(), int: pyarrow.int32(), float: pyarrow.float64()}
    return pyarrow.schema([(column.name, kinds[column.kind]) for column in COLUMNS])


def write_csv(rows: Iterable[Row], path: Path, columns: Sequence[str] = NAMES) -> None:
    """Write a table, whole or not at all."""
    with csv_writer(path, columns) as write:
        for row in rows:
            write(row)


def read_columns(path: Path) -> list[str]:
    """The names of a table's columns, faceqa's and those of other programs.

    Raises:
        TableError: when it cannot be read, or is no table of faceqa's.
    """
    with _reading(path) as reader:
        columns = list(reader.fieldnames or [])
    if len(set(columns)) < len(columns):
        raise TableError("bad_table", f"{path} has two columns of the same name.")
    if missing := NEEDED - set(columns):
        raise TableError("bad_table", f"{path} lacks the columns {', '.join(sorted(missing))}.")
    return columns


def read_csv(path: Path) -> Iterator[Row]:
    """The rows of a table, one after the other; columns of other programs are kept as text.

    Raises:
        TableError: when it cannot be read, or is no table of faceqa's.
    """
    columns = read_columns(path)
    with _reading(path) as reader:
        for line in reader:
            if reader.restkey in line or None in line.values():
                raise TableError("bad_table", f"{path} has lines of more or fewer cells than columns.")
            others = {name: line[name] or "" for name in columns if name not in KINDS}
            row = Row.from_cells(
                {name: _value(name, line[name]) for name in columns if name in KINDS}, others
            )
            _ = row.measures
            yield row


def read_schema(path: Path) -> pyarrow.Schema:
    """The columns of a parquet file, faceqa's and those of other programs.

    Raises:
        TableError: when it cannot be read, or is no table of faceqa's.
    """
    with _opened_parquet(path) as file:
        schema = file.schema_arrow
    if missing := NEEDED - set(schema.names):
        raise TableError("bad_table", f"{path} lacks the columns {', '.join(sorted(missing))}.")
    return schema


def read_parquet(path: Path) -> Iterator[Row]:
    """The rows of a parquet file, one after the other; columns of other programs are kept as they are.

    Raises:
        TableError: when it cannot be read, or is no table of faceqa's.
    """
    read_schema(path)
    with _opened_parquet(path) as file:
        for batch in file.iter_batches(ROWS_AT_ONCE):
            for cells in batch.to_pylist():
                others = {name: value for name, value in cells.items() if name not in KINDS}
                row = Row.from_cells(cells, others)
                _ = row.measures
                yield row


@contextmanager
def _opened_parquet(path: Path) -> Iterator[parquet.ParquetFile]:
    from pyarrow import ArrowException, parquet

    if path.exists() and not path.is_file():
        raise TableError("bad_table", f"{path} is no file.")
    try:
        with parquet.ParquetFile(path) as file:
            yield file
    except (OSError, ValueError, TypeError, ArrowException, MeasureError) as error:
        raise TableError("bad_table", f"{path} cannot be read as a table of faceqa ({error}).") from error


@contextmanager
def _reading(path: Path) -> Iterator[csv.DictReader[str]]:
    if path.exists() and not path.is_file():  # opening a pipe would wait for its writer
        raise TableError("bad_table", f"{path} is no file.")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:  # spreadsheets begin it with a mark
            yield csv.DictReader(file)
    except (OSError, ValueError, TypeError, csv.Error, MeasureError) as error:
        raise TableError("bad_table", f"{path} cannot be read as a table of faceqa ({error}).") from error


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A place to write to that becomes `path` when nothing fails."""
    scratch = path.with_name(path.name + ".part")
    try:
        yield scratch
        os.replace(scratch, path)
    finally:
        scratch.unlink(missing_ok=True)


def cell(value: Cell) -> str:
    """A value as a CSV file holds it."""
    if value is None:
        return ""
    if isinstance(value, str) and value.startswith(FORMULA_STARTS):
        return f"'{value}"
    return str(value)


def _value(name: str, cell: str | None) -> Cell:
    kind = KINDS[name]
    if not cell:
        return None
    if kind is str:
        return cell[1:] if cell[:1] == "'" and cell[1:].startswith(FORMULA_STARTS) else cell
    return kind(cell)
