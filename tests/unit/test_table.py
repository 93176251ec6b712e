import csv
import io
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceqa import Assessment, Face, MeasureError, Policy, Pose, Reason, TableError, judge
from faceqa.curation.table import (
    KINDS,
    NAMES,
    NEEDED,
    Row,
    parquet_writer,
    read_columns,
    read_csv,
    write_csv,
)
from faceqa.measures.registry import COMPONENTS, MEASURES

FACE = Face((10.04, 20.0, 130.06, 160.08), ((40, 60), (90, 60), (65, 90), (45, 120), (85, 120)), 0.94)
GOOD = Assessment(
    "a.jpg",
    640,
    480,
    verdict="accept",
    cafi=65.04,
    scores={"face_size": 140.1, "yaw": -3.1, "ser_fiq": 0.7491, "occlusion": 0.0123, "dbcnn": 65.04},
    components={row.name: None if row.name == "natural_colour" else 83 for row in COMPONENTS},
    pose=Pose(-3.1, 2.0, 0.4),
    face=FACE,
    face_index=0,
    faces_found=1,
)
NO_FACE = Assessment("b.jpg", 640, 480, verdict="reject", reasons=(Reason("no_face", "", ""),))
ERROR = Assessment("c.jpg", reasons=(Reason("unreadable_image", "empty"),), error="empty, with a \n, and '\"")
ROWS = [Row.of(one) for one in (GOOD, NO_FACE, ERROR)]

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)


def write_parquet(rows: Iterable[Row], path: Path) -> None:
    with parquet_writer(path) as write:
        for row in rows:
            write(row)


def test_a_row_holds_what_the_verdict_rests_on():
    good, without, _ = ROWS
    assert tuple(good.cells()) == NAMES
    assert good.measures == GOOD.measures
    assert (good.scores["yaw"], good.pitch, good.roll) == (-3.1, 2.0, 0.4)
    assert (good.scores["face_size"], good.box) == (140.1, (10.0, 20.0, 130.1, 160.1))
    assert without.measures is None and without.reasons == ("no_face",)


def test_every_measure_is_a_column_of_numbers():
    assert all(KINDS[row.name] is float for row in MEASURES)
    asked = {row.name for row in MEASURES if row.on_request}
    assert asked == {"dbcnn_unmasked", "ser_fiq_levelled"}
    assert not asked & NEEDED, "a table without what is taken on request is judged again, too"
    assert "yaw" in NEEDED and NAMES.count("yaw") == 1


def test_every_component_is_a_column_of_whole_numbers():
    assert all(KINDS[row.column] is int for row in COMPONENTS)
    cells = ROWS[0].cells()
    assert (cells["component_dynamic_range"], cells["component_natural_colour"]) == (83, None)
    assert cells["component_inter_eye_distance"] == 83 and cells["inter_eye_distance"] == 50.0
    assert ROWS[1].components == {} and ROWS[1].cells()["component_dynamic_range"] is None


def test_a_minimum_is_judged_from_the_table_alone(tmp_path):
    path = tmp_path / "scores.csv"
    write_csv(ROWS, path)
    good, without, _ = read_csv(path)
    assert good.judged(Policy(minimums={"dynamic_range": 84})).reasons == ("low_dynamic_range",)
    assert good.judged(Policy(minimums={"dynamic_range": 83})).verdict == "accept"
    assert good.judged(Policy(minimums={"natural_colour": 0})).reasons == ("component_failed",)
    assert without.judged(Policy(minimums={"dynamic_range": 84})) == without


def test_a_table_without_components_cannot_be_judged_by_them(tmp_path):
    path = tmp_path / "scores.csv"
    write_csv(ROWS, path, [name for name in NAMES if not name.startswith("component_")])
    good, *_ = read_csv(path)
    assert good.components == {} and good.judged(Policy()).verdict == "accept"
    with pytest.raises(MeasureError, match="lack the quality components dynamic_range"):
        good.judged(Policy(minimums={"dynamic_range": 84}))


def test_a_row_that_lacks_a_measure_cannot_be_judged():
    scores = {name: value for name, value in ROWS[0].scores.items() if name != "occlusion"}
    with pytest.raises(MeasureError, match="lack occlusion"):
        replace(ROWS[0], scores=scores).judged(Policy())


def test_a_table_comes_back_as_it_was_written(tmp_path):
    path = tmp_path / "scores.csv"
    write_csv(ROWS, path)
    assert list(read_csv(path)) == ROWS and read_columns(path) == list(NAMES)
    assert [found.name for found in tmp_path.iterdir()] == ["scores.csv"]


def test_a_table_is_whole_or_not_there(tmp_path):
    def breaking_off():
        yield ROWS[0]
        raise KeyboardInterrupt

    for write, name in ((write_csv, "scores.csv"), (write_parquet, "scores.parquet")):
        write(ROWS, tmp_path / name)
        before = (tmp_path / name).read_bytes()
        with pytest.raises(KeyboardInterrupt):
            write(breaking_off(), tmp_path / name)
        assert (tmp_path / name).read_bytes() == before


@given(texts)
def test_no_cell_is_a_formula_and_every_name_comes_back(tmp_path_factory, name):
    path = tmp_path_factory.mktemp("table") / "scores.csv"
    write_csv([replace(ROWS[0], image=name)], path)
    with path.open(encoding="utf-8", newline="") as file:
        cell = list(csv.reader(file))[1][0]
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
    (again,) = read_csv(path)
    assert again.image == name


@pytest.mark.parametrize(
    "policy", [Policy(), Policy(cafi_threshold=70), Policy(ser_fiq_threshold=0.8), Policy(max_yaw=3)]
)
def test_a_row_is_judged_like_its_assessment(policy):
    good, without, error = ROWS
    verdict = judge(GOOD.measures, policy)
    again = good.judged(policy)
    assert (again.verdict, again.cafi) == (verdict.decision, verdict.cafi)
    assert again.reasons == tuple(reason.code for reason in verdict.reasons)
    assert error.judged(policy) == error
    assert without.judged(policy) == without


def test_columns_of_others_are_kept(tmp_path):
    path = tmp_path / "scores.csv"
    write_csv(ROWS[:1], path)
    heading, line = path.read_text().splitlines()
    path.write_text(f"{heading},note\n{line},mine\n")
    columns = read_columns(path)
    write_csv([row.judged(Policy(cafi_threshold=90)) for row in list(read_csv(path))], path, columns)
    (again,) = csv.DictReader(io.StringIO(path.read_text()))
    assert (again["note"], again["verdict"], again["reasons"]) == ("mine", "reject", "low_cafi")


def test_parquet_holds_the_same(tmp_path):
    from pyarrow import parquet

    write_parquet(ROWS, tmp_path / "scores.parquet")
    cells = parquet.read_table(tmp_path / "scores.parquet").to_pylist()
    assert cells == [row.cells() for row in ROWS]
    assert [Row.from_cells(one) for one in cells] == ROWS


def test_parquet_is_written_in_groups(tmp_path, monkeypatch):
    from pyarrow import parquet

    monkeypatch.setattr("faceqa.curation.table.ROWS_IN_A_GROUP", 2)
    write_parquet(ROWS, tmp_path / "scores.parquet")
    assert parquet.ParquetFile(tmp_path / "scores.parquet").num_row_groups == 2
    assert parquet.read_table(tmp_path / "scores.parquet").num_rows == 3


def test_a_levelled_row_comes_back_and_its_gate_counts(tmp_path):
    levelled = replace(ROWS[0], scores={**ROWS[0].scores, "ser_fiq_levelled": 0.15})
    path = tmp_path / "scores.csv"
    write_csv([levelled], path)
    (again,) = read_csv(path)
    assert again == levelled
    strict = Policy(ser_fiq_threshold=1)
    assert again.judged(strict).reasons == ("low_ser_fiq_levelled",)
    assert again.judged(replace(strict, ser_fiq_levelled_threshold=0.15)).verdict == "accept"
    assert ROWS[0].judged(strict).reasons == ("low_ser_fiq",)


HEADING = "image,verdict,cafi,reasons,ser_fiq,dbcnn,occlusion,face_size,yaw\n"


@pytest.mark.parametrize(
    "content",
    [
        "",
        "image,verdict\na.jpg,accept\n",
        f"{HEADING}a,accept,,,high,1,1,1,1\n",
        f"{HEADING}a,accept,,,7,1,1,1,1\n",
        f"{HEADING}a,accept,,,0.5,,,,\n",
        f"{HEADING}a,accept,,,0.5,1,1,1,\n",
        f"{HEADING}a,accept,,,0.5,1,1,1,nan\n",
        f"{HEADING}a,accept,,,0.5,1,1,1,200\n",
    ],
)
def test_what_is_no_table_is_refused(tmp_path, content):
    path = tmp_path / "scores.csv"
    path.write_text(content)
    with pytest.raises(TableError) as caught:
        list(read_csv(path))
    assert caught.value.code == "bad_table"


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(TableError, match=r"none\.csv"):
        list(read_csv(tmp_path / "none.csv"))


def test_a_verdict_by_hand_outlives_the_thresholds_and_the_table(tmp_path):
    by_hand = [replace(ROWS[0], override=verdict) for verdict in ("accept", "reject", None)]
    write_csv(by_hand, tmp_path / "scores.csv")
    rows = list(read_csv(tmp_path / "scores.csv"))
    assert [row.override for row in rows] == ["accept", "reject", None]
    for limit in (0.0, 100.0):
        judged = [row.judged(Policy(cafi_threshold=limit)) for row in rows]
        assert [row.verdict for row in judged[:2]] == ["accept", "reject"]
        assert judged[0].reasons == judged[1].reasons == judged[2].reasons


def test_a_verdict_by_hand_that_is_none_makes_a_bad_table(tmp_path):
    path = tmp_path / "scores.csv"
    write_csv([replace(ROWS[0], override="accept")], path)
    path.write_text(path.read_text(encoding="utf-8").replace(",accept\n", ",maybe\n"), encoding="utf-8")
    with pytest.raises(TableError, match="maybe"):
        list(read_csv(path))
