"""Tables that are judged again: CSV, Parquet, and many files as one."""

import weakref
from dataclasses import replace
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet

from faceqa import cli
from faceqa.curation.table import NAMES, Row, own_schema, parquet_writer, read_csv, read_parquet, write_csv
from faceqa.measures.registry import COMPONENTS

MANY = 25_000


def face(number: int) -> Row:
    cafi = 40.0 + number % 50
    scores = {"face_size": 300.0, "yaw": 0.0, "ser_fiq": 0.8, "occlusion": 0.0, "dbcnn": cafi}
    return Row(f"{number:06}.jpg", "reject", cafi=cafi, scores=scores)


def write_parquet(path: Path, rows: list[Row], note: str | None = None) -> None:
    schema = own_schema()
    if note is not None:
        schema = schema.append(pyarrow.field("note", pyarrow.list_(pyarrow.int64())))
    with parquet_writer(path, schema) as write:
        for row in rows:
            write(Row.from_cells(row.cells(), {"note": [1, 2]} if note is not None else {}))


def verdicts(path: Path) -> list[str]:
    return [row.verdict for row in (read_parquet if path.suffix == ".parquet" else read_csv)(path)]


def test_a_parquet_table_is_judged_and_its_other_columns_stay(tmp_path):
    path = tmp_path / "scores.parquet"
    write_parquet(path, [face(0), face(49)], note="a column of lists")
    assert cli.main(["rejudge", str(path), "--cafi-threshold", "60"]) == 0
    assert verdicts(path) == ["reject", "accept"]
    assert parquet.read_table(path).column("note").to_pylist() == [[1, 2], [1, 2]]


def test_the_tables_of_a_folder_are_judged_as_one(tmp_path):
    rows = [face(number) for number in range(100)]
    write_parquet(tmp_path / "part-0.parquet", rows[:60])
    write_csv(rows[60:], tmp_path / "part-1.csv")
    whole = tmp_path / "whole" / "scores.csv"
    whole.parent.mkdir()
    write_csv(rows, whole)
    for path in (tmp_path, whole):
        assert cli.main(["rejudge", str(path), "--keep-top", "7"]) == 0
    together = verdicts(tmp_path / "part-0.parquet") + verdicts(tmp_path / "part-1.csv")
    assert together == verdicts(whole) and together.count("accept") == 7


def test_tables_are_not_in_memory_as_a_whole(tmp_path, monkeypatch):
    """At most one group of rows waits to be written, and one batch to be judged."""
    for part in range(2):
        write_parquet(tmp_path / f"{part}.parquet", [face(number) for number in range(MANY)])
    alive = most = 0
    of = Row.from_cells
    gone: list[None] = []

    class Counted(Row):
        __slots__ = ("__weakref__",)

    def counted(cells, others=None):
        nonlocal alive, most
        alive += 1
        most = max(most, alive - len(gone))
        row = of(cells, others)
        twin = Counted(**{name: getattr(row, name) for name in Row.__slots__})
        weakref.finalize(twin, gone.append, None)
        return twin

    monkeypatch.setattr(Row, "from_cells", counted)
    assert cli.main(["rejudge", str(tmp_path), "--cafi-threshold", "60"]) == 0
    assert alive >= 2 * MANY and most < 10


@pytest.mark.parametrize("content", [b"", b"PAR1 and no more", None])
def test_what_is_no_parquet_table_is_refused(tmp_path, content, capsys):
    path = tmp_path / "scores.parquet"
    if content is None:
        parquet.write_table(pyarrow.table({"image": ["a.jpg"]}), path)
    else:
        path.write_bytes(content)
    assert cli.main(["rejudge", str(path)]) == 2
    assert "scores.parquet" in capsys.readouterr().err


def test_a_folder_without_tables_is_refused(tmp_path, capsys):
    assert cli.main(["rejudge", str(tmp_path)]) == 2
    assert "neither a run nor tables" in capsys.readouterr().err


def test_a_minimum_judges_a_table_again(tmp_path):
    path = tmp_path / "scores.csv"
    components = dict.fromkeys((row.name for row in COMPONENTS), 60)
    rows = [
        replace(face(number), components={**components, "dynamic_range": 40 + number}) for number in (0, 9)
    ]
    write_csv(rows, path)
    assert cli.main(["rejudge", str(path), "--cafi-threshold", "0", "--min", "dynamic_range=49"]) == 0
    below, above = read_csv(path)
    assert (below.reasons, above.verdict) == (("low_dynamic_range",), "accept")


def test_a_minimum_leaves_a_table_without_components_as_it_was(tmp_path, capsys):
    path = tmp_path / "scores.csv"
    write_csv([face(0)], path, [name for name in NAMES if not name.startswith("component_")])
    before = path.read_bytes()
    assert cli.main(["rejudge", str(path), "--min", "dynamic_range=49"]) == 2
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]
    assert "lack the quality components dynamic_range" in capsys.readouterr().err
