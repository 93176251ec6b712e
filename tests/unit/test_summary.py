"""The summary of a run or a table: what it counts, and by which limits."""

import json

import pytest

from faceqa import Policy, cli
from faceqa.cli.summary import show_summary
from faceqa.cli.terminal import Screen
from faceqa.curation.selection import select, summarise
from faceqa.curation.settings import Selection
from faceqa.curation.table import Row, write_csv
from faceqa.measures.registry import MEASURES

SCORES = {"face_size": 300.0, "yaw": -3.0, "ser_fiq": 0.6, "occlusion": 0.02, "dbcnn": 70.0}
SIGNED = [row.name for row in MEASURES if row.signed]


def faces(name: str, values: list[float], **others: float) -> list[Row]:
    """Faces that differ in one measure."""
    return [
        Row(f"{number}.jpg", "accept", 0, scores={**SCORES, **others, name: value})
        for number, value in enumerate(values)
    ]


def summary_of(rows: list[Row], policy: Policy | None = None):
    selection = Selection(policy or Policy())
    return summarise(select(lambda: rows, selection), selection)


@pytest.mark.parametrize("name", SIGNED)
def test_what_has_a_sign_is_described_by_its_size(name):
    found = summary_of(faces(name, [-40.0, -20.0, 10.0, 30.0]))
    assert found.measures[name] == summary_of(faces(name, [40.0, 20.0, 10.0, 30.0])).measures[name]
    assert (found.measures[name]["min"], found.measures[name]["max"]) == (10.0, 40.0)
    assert found.measures[name]["mean"] == 25.0


def test_a_table_that_is_judged_again_tells_how_far_heads_are_turned(tmp_path, capsys):
    path = tmp_path / "scores.csv"
    write_csv(faces("yaw", [-40.0, -20.0, 10.0, 30.0]), path)
    assert cli.main(["rejudge", str(path)]) == 0
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("Head turn"))
    assert line.split() == ["Head", "turn", "12°", "25°", "38°", "at", "most", "45°"]
    assert "-40.0" in path.read_text(encoding="utf-8"), "the table keeps the side"


def test_the_summary_says_what_the_verdicts_went_by():
    policy = Policy(max_yaw=20)
    limits = json.loads(json.dumps(summary_of(faces("yaw", [0.0]), policy).to_dict()))["limits"]
    assert limits == policy.limits(SCORES) and limits["yaw"] == 20
    assert "ser_fiq" in limits and "ser_fiq_levelled" not in limits
    assert summary_of([]).limits == Policy().limits(SCORES), "they rule without a face, too"


def test_a_levelled_table_goes_by_levelled_ser_fiq_and_says_so(tmp_path, capsys):
    rows = faces("ser_fiq_levelled", [0.1, 0.9], ser_fiq=0.01)
    found = summary_of(rows)
    assert found.accepted == 1 and found.reasons == {"low_ser_fiq_levelled": 1}
    assert "ser_fiq" not in found.limits and found.limits["ser_fiq_levelled"] == 0.2
    show_summary(Screen(), found, tmp_path)
    told = {line.split("  ")[0]: line for line in capsys.readouterr().out.splitlines()}
    assert told["SER-FIQ, levelled"].endswith("at least 0.2")
    assert told["SER-FIQ"].endswith("none: SER-FIQ, levelled stands at the gate")
