"""The summary of a run or a table: what it counts."""

import pytest

from faceqa import Policy, cli
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
    assert line.split() == ["Head", "turn", "12°", "25°", "38°"]
    assert "-40.0" in path.read_text(encoding="utf-8"), "the table keeps the side"
