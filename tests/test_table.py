import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceqa import Assessment, Face, Policy, Pose, Reason, judge
from faceqa.errors import TableError
from faceqa.curation.table import COLUMNS, judged, measures_of, read_csv, row, write_csv, write_parquet

FACE = Face((10.04, 20.0, 130.06, 160.08), ((40, 60), (90, 60), (65, 90), (45, 120), (85, 120)), 0.94)
GOOD = Assessment(
    "a.jpg",
    640,
    480,
    verdict="accept",
    cafi=65.04,
    ser_fiq=0.7491,
    dbcnn=65.04,
    occlusion=0.0123,
    pose=Pose(-3.1, 2.0, 0.4),
    face=FACE,
    face_index=0,
    faces_found=1,
)
NO_FACE = Assessment("b.jpg", 640, 480, verdict="reject", reasons=(Reason("no_face", "", ""),))
ERROR = Assessment("c.jpg", reasons=(Reason("unreadable_image", "empty"),), error="empty, with a \n, and '\"")

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)


def test_a_row_holds_what_the_verdict_rests_on():
    good = row(GOOD)
    assert good.keys() == COLUMNS.keys()
    assert measures_of(good) == GOOD.measures
    assert (good["yaw"], good["face_size"], good["x2"]) == (-3.1, 140.1, 130.1)
    assert measures_of(row(NO_FACE)) is None and row(NO_FACE)["reasons"] == "no_face"


def test_a_table_comes_back_as_it_was_written(tmp_path):
    rows = [row(one) for one in (GOOD, NO_FACE, ERROR)]
    write_csv(rows, tmp_path / "scores.csv")
    again, columns = read_csv(tmp_path / "scores.csv")
    assert again == rows and columns == list(COLUMNS)
    assert [path.name for path in tmp_path.iterdir()] == ["scores.csv"]


@given(texts)
def test_no_cell_is_a_formula_and_every_name_comes_back(tmp_path_factory, name):
    path = tmp_path_factory.mktemp("table") / "scores.csv"
    write_csv([{**row(GOOD), "image": name}], path)
    with path.open(encoding="utf-8", newline="") as file:
        cell = list(csv.reader(file))[1][0]
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert read_csv(path)[0][0]["image"] == name


@pytest.mark.parametrize("policy", [Policy(), Policy(cafi_threshold=70), Policy(ser_fiq_threshold=0.8)])
def test_a_row_is_judged_like_its_assessment(policy):
    verdict = judge(GOOD.measures, policy)
    again = judged(row(GOOD), policy)
    assert (again["verdict"], again["cafi"]) == (verdict.decision, verdict.cafi)
    assert (again["reasons"] or "").split() == [reason.code for reason in verdict.reasons]
    assert judged(row(ERROR), policy) == row(ERROR)
    assert judged(row(NO_FACE), policy) == row(NO_FACE)


def test_columns_of_others_are_kept(tmp_path):
    path = tmp_path / "scores.csv"
    write_csv([row(GOOD)], path)
    heading, line = path.read_text().splitlines()
    path.write_text(f"{heading},note\n{line},mine\n")
    rows, columns = read_csv(path)
    write_csv([judged(one, Policy(cafi_threshold=90)) for one in rows], path, columns)
    (again,) = csv.DictReader(io.StringIO(path.read_text()))
    assert (again["note"], again["verdict"], again["reasons"]) == ("mine", "reject", "low_cafi")


def test_parquet_holds_the_same(tmp_path):
    from pyarrow import parquet

    rows = [row(one) for one in (GOOD, NO_FACE, ERROR)]
    write_parquet(rows, tmp_path / "scores.parquet")
    assert parquet.read_table(tmp_path / "scores.parquet").to_pylist() == rows


@pytest.mark.parametrize(
    "content",
    [
        "",
        "image,verdict\na.jpg,accept\n",
        "image,verdict,cafi,reasons,ser_fiq,dbcnn,occlusion,face_size\na,accept,,,high,1,1,1\n",
        "image,verdict,cafi,reasons,ser_fiq,dbcnn,occlusion,face_size\na,accept,,,7,1,1,1\n",
        "image,verdict,cafi,reasons,ser_fiq,dbcnn,occlusion,face_size\na,accept,,,0.5,,,\n",
    ],
)
def test_what_is_no_table_is_refused(tmp_path, content):
    path = tmp_path / "scores.csv"
    path.write_text(content)
    with pytest.raises(TableError) as caught:
        read_csv(path)
    assert caught.value.code == "bad_table"


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(TableError, match=r"none\.csv"):
        read_csv(tmp_path / "none.csv")
