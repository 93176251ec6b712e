"""`faceqa evaluate`, from the command to what it prints and writes."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import EXAMPLES

from faceqa import cli
from faceqa.cli.evaluate import RULES
from faceqa.evaluation.error_discard import DEFAULT_TARGETS, THRESHOLD_RULES
from faceqa.evaluation.subjects import JOURNAL
from faceqa.measures.registry import GATED, SCORE, TAKEN

FILES = ["error_discard.csv", "error_discard.json", "error_discard.svg"]
PERSON_OF = {"hopper": ("hopper", "hopper_360p", "hopper_mask"), "collins": ("collins", "collins_mask")}


@pytest.fixture(scope="module")
def people(tmp_path_factory) -> Path:
    """Two people, three and two pictures; beside them what does not count."""
    folder = tmp_path_factory.mktemp("people")
    for person, names in PERSON_OF.items():
        (folder / person).mkdir()
        for name in names:
            shutil.copy(EXAMPLES / f"{name}.jpg", folder / person)
    (folder / "loose.jpg").write_text("in no sub-folder")
    (folder / "hopper" / "notes.txt").write_text("no picture")
    return folder


@pytest.fixture
def one_scorer(scorer, monkeypatch):
    """Run the command line with the models that are loaded already."""
    monkeypatch.setattr("faceqa.scorer.Scorer", lambda *_settings: scorer)


@pytest.fixture(scope="module")
def finished(people, scorer, tmp_path_factory) -> Path:
    """The folder of an evaluation; its error is the pair of lowest similarity."""
    out = tmp_path_factory.mktemp("finished") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "faceqa.scorer.Scorer",
            lambda *_settings: scorer,
        )
        assert cli.main(["evaluate", str(people), "--out", str(out), "--target", "0.3"]) == 0
    return out


@pytest.fixture
def no_models(monkeypatch) -> None:
    """Fails where models are loaded."""
    monkeypatch.setattr("faceqa.scorer.Scorer", lambda *_: pytest.fail("no model is needed"))


def cells(line: str) -> list[str]:
    return re.split("  +", line.strip())


def evaluate(*arguments) -> int:
    return cli.main(["evaluate", *map(str, arguments)])


def summary(out: Path) -> dict:
    return json.loads((out / "error_discard.json").read_text(encoding="utf-8"))


def test_what_is_written(finished):
    assert sorted(path.name for path in finished.iterdir()) == [*FILES, JOURNAL]
    found = summary(finished)
    assert (found["mated_pairs"], found["non_mated_pairs"], found["pictures"]) == (4, 6, 5)
    assert found["errors_at_start"] == 1 and found["failed"] == {}
    taken = {row.name for row in (SCORE, *TAKEN) if not row.on_request}
    assert set(found["measures"]) == taken | {"confidence"}
    gates = [row.name for row in GATED if row in TAKEN]
    assert [gate["gate"] for gate in found["gates"]] == [*gates, SCORE.name, "all"]


def test_the_same_command_again_needs_no_model_and_prints_what_is_written(
    finished, people, no_models, capsys
):
    before = {name: (finished / name).read_bytes() for name in (*FILES, JOURNAL)}
    assert evaluate(people, "--out", finished, "--target", "0.3") == 0
    assert {name: (finished / name).read_bytes() for name in before} == before
    captured = capsys.readouterr()
    lines, found = [cells(line) for line in captured.out.splitlines()], summary(finished)
    assert ["pairs of one person", "4"] in lines
    assert [
        "threshold, fixed once for an FNMR of 0.3",
        f"{found['similarity_threshold_at_start']:.3f}",
    ] in lines
    assert ["FNMR at the start", "25.00% (1 of 4)"] in lines
    table = lines.index(["measure", "gain to 20%", "gain to 30%", "FNMR after 20%"]) + 1
    for line, measure in zip(lines[table:], found["measures"].values(), strict=False):
        gains = ["-" if area["gain"] is None else f"{area['gain']:.2f}" for area in measure["areas"]]
        assert line == [measure["title"], *gains, f"{measure['fnmr'][3]['fnmr']:.2%}"]
    shown = [line[:2] for line in lines]
    gates = [row for row in (*GATED, SCORE) if row.module is not None]
    limits = [[row.title.en, row.text(row.gate.limit)] for row in gates if row.gate]
    assert all(limit in shown for limit in limits)
    assert lines[-1] == [f"written: {finished}/error_discard.svg"]
    assert "Only 1 of 4 mated pairs fail at the start" in captured.err


def test_another_policy_and_another_rule_need_no_model(finished, people, no_models, tmp_path):
    out = shutil.copytree(finished, tmp_path / "out")
    options = (
        "--rule",
        "fmr-each-step",
        "--target",
        "0.2",
        "--policy",
        "balanced",
        "--max-occlusion",
        "0.01",
    )
    assert evaluate(people, "--out", out, *options) == 0
    found = summary(out)
    assert (found["threshold_rule"], found["target"]) == ("fmr_at_each_step", 0.2)
    assert found["policy"]["ser_fiq_weight"] == 1
    assert next(gate for gate in found["gates"] if gate["gate"] == "occlusion")["discarded"] >= 0.5
    curves = (out / "error_discard.csv").read_text(encoding="utf-8").splitlines()
    limits = [[line.split(",")[-1] for line in curves if f",{name}," in line] for name in ("cafi", "dbcnn")]
    assert limits[0] != limits[1], "SER-FIQ counts in the score of this policy"


def test_a_list_of_pairs_gives_the_same_figures(finished, people, one_scorer, tmp_path):
    lines = ["image,other,mated"]
    names = {
        person: [f"{person}/{name}.jpg" for name in sorted(those)] for person, those in PERSON_OF.items()
    }
    pictures = [(person, name) for person in sorted(names) for name in names[person]]
    for index, (person, name) in enumerate(pictures):
        for another, other in pictures[index + 1 :]:
            lines.append(f"{name},{other},{int(person == another)}")
    (tmp_path / "pairs.csv").write_text("\n".join(lines))
    options = ("--pairs", tmp_path / "pairs.csv", "--root", people, "--target", "0.3")
    assert evaluate(*options, "--out", tmp_path / "out") == 0
    assert summary(tmp_path / "out") == summary(finished)


def test_the_errors_of_another_matcher(finished, people, no_models, tmp_path):
    """One for whom hopper's first picture shows somebody else."""
    out = shutil.copytree(finished, tmp_path / "out")
    names = [f"{person}/{name}.jpg" for person, those in PERSON_OF.items() for name in those]
    vectors = np.array([[-1, 0], [1, 0], [1, 0.1], [0, 1], [0, 1]])
    np.savez(tmp_path / "theirs.npz", image=names, embedding=vectors)
    options = ("--embeddings", tmp_path / "theirs.npz", "--target", "0.5")
    assert evaluate(people, "--out", out, *options) == 0
    found = summary(out)
    assert found["matcher"] == "theirs" and found["errors_at_start"] == 2
    np.savez(tmp_path / "theirs.npz", image=names[1:], embedding=vectors[1:])
    assert evaluate(people, "--out", out, *options) == 0
    assert summary(out)["pictures_without_embedding"] == 1 and summary(out)["errors_at_start"] == 2


def test_a_picture_that_cannot_be_read_is_named_and_has_no_quality(people, one_scorer, tmp_path, capsys):
    folder = shutil.copytree(people, tmp_path / "people")
    (folder / "collins" / "broken.jpg").write_text("no picture")
    (folder / "collins" / "nobody.jpg").write_bytes((EXAMPLES / "no_face.jpg").read_bytes())
    assert evaluate(folder, "--out", tmp_path / "out", "--target", "0.9") == cli.SOME_FAILED == 1
    found = summary(tmp_path / "out")
    assert list(found["failed"]) == ["collins/broken.jpg"]
    assert (found["pictures_without_face"], found["pictures_without_embedding"]) == (1, 2)
    assert found["measures"]["ser_fiq"]["fnmr"][0]["fnmr"] >= 5 / 9  # their pairs: 5 of 3 + 6
    assert "collins/broken.jpg counts as without quality: " in capsys.readouterr().err


def test_the_folder_of_an_evaluation_may_lie_among_the_people(people, one_scorer, tmp_path):
    folder = shutil.copytree(people, tmp_path / "people")
    for _ in range(2):
        assert evaluate(folder, "--out", folder / "out", "--target", "0.3") == 0
    assert summary(folder / "out")["pictures"] == 5


def test_ctrl_c_says_how_to_go_on(people, tmp_path, monkeypatch, capsys):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("faceqa.scorer.Scorer", interrupted)
    assert evaluate(people, "--out", tmp_path / "out") == cli.INTERRUPTED
    assert "goes on from here" in capsys.readouterr().err


def test_what_cannot_be_carried_out_is_a_sentence_and_exit_code_2(people, no_models, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.csv").write_text("a.jpg,b.jpg\n")
    (tmp_path / "bad.npz").write_text("no array")
    out = ("--out", tmp_path / "out")
    for arguments, sentence in (
        ((tmp_path / "missing", *out), "is no folder"),
        ((tmp_path / "empty", *out), "there are no images in"),
        ((people / "hopper", *out), "two people at least"),
        (("--pairs", tmp_path / "bad.csv", *out), "Line 1 of"),
        ((people, "--root", people, *out), "goes with --pairs"),
        ((people, "--embeddings", tmp_path / "bad.npz", *out), "is no .npz file"),
        ((people, "--out", tmp_path), "holds other files"),
        ((people, "--ser-fiq-threshold", "2", *out), "must lie between"),
    ):
        assert evaluate(*arguments) == cli.USAGE == 2
        assert re.search(sentence, capsys.readouterr().err)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "arguments",
    [[], ["x", "--pairs", "y.csv"], ["x", "--target", "1"], ["x", "--target", "0"], ["x", "--rule", "eer"]],
)
def test_usage_errors(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        evaluate(*arguments, "--out", "out")
    assert caught.value.code == 2
    assert "usage: faceqa evaluate" in capsys.readouterr().err


def test_every_rule_is_an_option_and_the_help_tells_its_default(capsys):
    assert tuple(RULES.values()) == THRESHOLD_RULES
    with pytest.raises(SystemExit):
        evaluate("--help")
    told = " ".join(capsys.readouterr().out.split())
    fnmr, fmr, each_step = (DEFAULT_TARGETS[rule] for rule in THRESHOLD_RULES)
    assert fmr == each_step
    assert f"default: {fnmr:g} for fnmr, {fmr:g} for the others" in told
