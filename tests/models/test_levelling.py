"""Levelling: what it learns, what it leaves alone, and a run that goes by it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from faceqa import CurationError, Policy
from faceqa.curation import levelling
from faceqa.curation.journal import JOURNAL
from faceqa.curation.levelling import FEWEST, LEVELLING, Levelling, fit, fit_rows, is_good
from faceqa.curation.run import Run
from faceqa.curation.settings import Selection, Settings
from faceqa.curation.table import Row, read_csv

LENGTH = 64


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


def people(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings, and for each z of a good picture: it depends on one direction, and on noise."""
    rng = np.random.default_rng(seed)
    faces = rng.normal(size=(count, LENGTH))
    faces[:, 0] += np.where(np.arange(count) % 2, 8.0, -8.0)  # two groups
    z = np.where(np.arange(count) % 2, 2.5, 0.0) + rng.normal(0, 0.3, count)
    return faces, z


@pytest.fixture(scope="module")
def learnt() -> Levelling:
    faces, z = people(400)
    return fit(sigmoid(z), faces)


def test_two_groups_get_the_same_in_good_pictures(learnt):
    faces, z = people(200, seed=1)
    levelled = learnt.level(sigmoid(z), faces)
    odd, even = levelled[1::2].mean(), levelled[::2].mean()
    assert sigmoid(z[1::2]).mean() - sigmoid(z[::2]).mean() > 0.35
    assert abs(odd - even) < 0.02
    assert levelled.mean() == pytest.approx(sigmoid(np.array(levelling.Z_GOOD)), abs=0.02)


def test_a_fault_of_the_picture_stays_one(learnt):
    faces, z = people(200, seed=1)
    good, poor = learnt.level(sigmoid(z), faces), learnt.level(sigmoid(z - 4), faces)
    assert good.min() > poor.max()


def test_far_from_the_fit_the_mean_is_expected(learnt):
    away = np.zeros((3, LENGTH))
    away[range(3), [5, 6, 7]] = -1
    assert learnt.expected(away) == pytest.approx(learnt.mean, abs=0.35)
    assert learnt.low <= learnt.expected(away).min() <= learnt.expected(away).max() <= learnt.high


def test_nobody_is_forgiven_by_pictures_of_their_own():
    faces, z = people(300)
    z[0] = -6.0  # a person whose every picture in the data set is poor
    own = fit(sigmoid(z), np.concatenate([faces, faces[:1] * 2.0])[: len(z)])
    assert own.level(sigmoid(z[:1]), faces[:1])[0] < 0.05


def test_leave_one_out_in_closed_form_is_leaving_one_out():
    faces, z = people(40)
    whole = fit(sigmoid(z), faces)
    unit = faces / np.linalg.norm(faces, axis=1, keepdims=True)
    others = np.arange(40) != 7
    gram = np.exp((unit[others] @ unit[others].T - 1) / levelling.WIDTH**2)
    weights = np.linalg.solve(gram + whole.ridge * np.eye(39), z[others] - whole.mean)
    by_hand = whole.mean + np.exp((unit[7] @ unit[others].T - 1) / levelling.WIDTH**2) @ weights
    assert whole.left_out[7] == pytest.approx(by_hand, abs=1e-6)


def test_the_same_faces_give_the_same_file_and_it_comes_back(tmp_path, learnt):
    faces, z = people(400)
    learnt.write(tmp_path / "a.npz")
    fit(sigmoid(z), faces).write(tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    again = Levelling.read(tmp_path / "a.npz")
    others, scores = people(50, seed=3)
    assert again.level(sigmoid(scores), others) == pytest.approx(learnt.level(sigmoid(scores), others), abs=0)


@pytest.mark.parametrize("content", [b"", b"no arrays", None])
def test_what_is_no_fit_is_told(tmp_path, content):
    path = tmp_path / "fit.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CurationError, match="is no levelling") as caught:
        Levelling.read(path)
    assert caught.value.code == "bad_levelling"


def row(number: int, face: np.ndarray, z: float, **changed: float) -> Row:
    scores = {"face_size": 300.0, "yaw": 3.0, "ser_fiq": round(float(sigmoid(np.array(z))), 4)}
    scores |= {"occlusion": 0.02, "dbcnn": 80.0, **changed}
    direction = (face / np.linalg.norm(face)).astype(np.float16)
    return Row(
        f"{number:04}.jpg", "accept", 0, scores=scores, pitch=0.0, roll=1.0, box=(0, 0, 9, 9), faces_found=1,
        embedding=direction,
    )  # fmt: skip


def rows(count: int) -> list[Row]:
    faces, z = people(count)
    return [row(number, face, value) for number, (face, value) in enumerate(zip(faces, z, strict=True))]


def test_good_faces_are_chosen_by_everything_but_ser_fiq():
    face = rows(1)[0]
    assert is_good(face) and is_good(replace(face, scores={**face.scores, "ser_fiq": 0.0}))
    for name, value in (("yaw", -16.0), ("occlusion", 0.2), ("dbcnn", 50.0), ("face_size", 90.0)):
        assert not is_good(replace(face, scores={**face.scores, name: value})), name
    assert not is_good(replace(face, roll=30.0)) and not is_good(replace(face, roll=None))


def test_too_few_people_are_told_with_their_number():
    with pytest.raises(CurationError, match=f"{FEWEST} people; here are 30 of 30") as caught:
        fit_rows(rows(30))
    assert caught.value.code == "no_levelling"
    one = rows(1)[0]
    with pytest.raises(CurationError, match=f"here are {FEWEST + 5} of 1"):
        fit_rows(replace(one, image=str(number)) for number in range(FEWEST + 5))


def test_where_nothing_can_be_learnt_nothing_is():
    rng = np.random.default_rng(0)
    flat = [row(n, rng.normal(size=LENGTH), rng.normal(1, 0.5)) for n in range(FEWEST + 20)]
    with pytest.raises(CurationError, match="in no way that a fit could learn"):
        fit_rows(flat)


@pytest.fixture
def run(tmp_path) -> Run:
    """A run over faces that no network has seen."""
    found = Run(tmp_path, Settings(("faces",)))
    from faceqa.curation.journal import Journal, _line

    with Journal(found.out, found.settings) as journal:
        journal.begin()
        journal._write([_line(one) for one in rows(300)])
    return found


def test_a_levelled_run_goes_by_levelled_ser_fiq_now_and_later(run):
    raw = run.publish(Selection(Policy(ser_fiq_threshold=0.6)))
    assert raw.levelled is None and 100 < raw.rejected < 200, "a whole group is rejected"
    levelled = run.publish(Selection(Policy(ser_fiq_threshold=0.6)), levelled=run.level())
    assert levelled.rejected < 6 and levelled.levelled is not None and levelled.levelled.people == 300
    assert json.loads((run.out / "summary.json").read_text())["levelled"]["faces"] == 300
    report = (run.out / "report.html").read_text(encoding="utf-8")
    assert "by 300 good faces of 300 people" in report and "300명의 좋은 얼굴 300개 기준" in report
    again = Run.found(run.out).publish(Selection(Policy(ser_fiq_threshold=0.6)))
    assert again.accepted == levelled.accepted and again.levelled == levelled.levelled
    written = list(read_csv(run.out / "scores.csv"))
    assert all(0 <= one.scores["ser_fiq_levelled"] <= 1 for one in written)
    (strict,) = {one.reasons for one in run.rows(Selection(Policy(ser_fiq_levelled_threshold=0.999)))}
    assert strict == ("low_ser_fiq_levelled",)


def test_a_fit_can_be_applied_to_another_run(run, tmp_path):
    run.level()
    other = tmp_path / "other"
    second = Run(other, run.settings)
    other.mkdir()
    (other / JOURNAL).write_bytes((run.out / JOURNAL).read_bytes())
    assert second.level(run.out / LEVELLING).people == 300
    assert (other / LEVELLING).read_bytes() == (run.out / LEVELLING).read_bytes()


def test_too_few_faces_leave_the_run_as_it_is(scorer, tmp_path):
    from conftest import EXAMPLES

    from faceqa import curate

    summary = curate([EXAMPLES / "hopper.jpg"], tmp_path / "out", scorer=scorer, level=True)
    assert summary.levelled is not None and "here are 1 of 1" in (summary.levelled.why_not or "")
    assert summary.accepted == 1 and not (tmp_path / "out" / LEVELLING).exists()
    (line,) = read_csv(Path(tmp_path / "out" / "scores.csv"))
    assert "ser_fiq_levelled" not in line.scores and "ser_fiq" in summary.limits
    assert "no: too few people" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
