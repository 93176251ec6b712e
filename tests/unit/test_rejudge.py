"""Tables that are judged again: CSV, Parquet, and many files as one."""

import gc
import itertools
import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

from faceqa import cli
from faceqa.curation import duplicates
from faceqa.curation.journal import SHARDS, VECTORS, Journal
from faceqa.curation.runners.ray import write_shard
from faceqa.curation.selection import Summing
from faceqa.curation.settings import Settings
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


def sharded(out: Path, rows: int, shards: int) -> Path:
    """A run of so many faces in files of rows, as many machines leave it; each second one is a copy."""
    with Journal(out, Settings(("photos",))) as record:
        record.begin()
    (out / SHARDS).mkdir()
    rng = np.random.default_rng(0)
    of_shard = rows // shards
    for number in range(shards):
        vectors = np.repeat(rng.normal(size=(of_shard // 2, 2, 64)), 2, axis=0).astype(np.float16)
        faces = [
            replace(
                face(number * of_shard + place),
                others={name: pair[at].tobytes() for at, name in enumerate(VECTORS)},
            )
            for place, pair in enumerate(vectors)
        ]
        write_shard(out, number, faces, of_shard)
    return out


def test_a_run_in_shards_is_not_in_memory_as_a_whole(tmp_path, monkeypatch):
    out = sharded(tmp_path / "out", 3000, 3)
    most = {"groups": 0, "tables": 0}

    def counted(where: str, function: Callable) -> Callable:
        calls = itertools.count(1)

        def told(*known):
            if next(calls) % 250 == 0:
                alive = sum(type(one) is Row for one in gc.get_objects())
                most[where] = max(most[where], alive)
            return function(*known)

        return told

    monkeypatch.setattr(duplicates, "vector", counted("groups", duplicates.vector))
    monkeypatch.setattr(Summing, "add", counted("tables", Summing.add))
    before = sum(type(one) is Row for one in gc.get_objects())
    assert cli.main(["rejudge", str(out), "--cafi-threshold", "0", "--unique"]) == 0
    assert all(0 < alive - before < 10 for alive in most.values())
    rows = list(read_parquet(out / "scores.parquet"))
    assert [row.image for row in rows] == [face(number).image for number in range(3000)]
    assert sum(row.verdict == "accept" for row in rows) == 1500
    assert sum(row.reasons == ("duplicate",) for row in rows) == 1500


def test_the_groups_of_a_run_are_found_once_and_again_after_more_rows(tmp_path, monkeypatch):
    out = sharded(tmp_path / "out", 40, 2)
    found, find = [], duplicates.find_groups

    def counted(rows):
        found.append(1)
        return find(rows)

    monkeypatch.setattr(duplicates, "find_groups", counted)
    last = out / SHARDS / "00000001.parquet"
    content = last.read_bytes()
    last.unlink()
    kept = []
    for threshold in ("40", "70"):
        cli.main(["rejudge", str(out), "--cafi-threshold", threshold])
        kept.append([row.group for row in read_csv(out / "scores.csv")])
    assert kept[0] == kept[1] and len(set(kept[0])) == 10 and len(found) == 1
    last.write_bytes(content)
    cli.main(["rejudge", str(out)])
    assert len({row.group for row in read_csv(out / "scores.csv")}) == 20 and len(found) == 2
    (out / duplicates.GROUPS).write_bytes(b"cut off")
    cli.main(["rejudge", str(out)])
    assert len({row.group for row in read_csv(out / "scores.csv")}) == 20 and len(found) == 3


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
