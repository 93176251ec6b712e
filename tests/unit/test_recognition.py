"""What `faceqa evaluate` is made of: pairs, the journal of subjects, the evaluation and its files."""

import csv
import json
import re
from collections import Counter
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from faceqa.errors import EvaluationError
from faceqa.evaluation import plot, recognition
from faceqa.evaluation.pairs import (
    FEWEST_NON_MATED,
    MOST_PAIRS_PER_PERSON,
    Pair,
    folder_pairs,
    folder_pictures,
    listed_pictures,
    people_of,
    read_pairs,
)
from faceqa.evaluation.recognition import (
    Candidate,
    candidates,
    embeddings_of,
    evaluate,
    read_embeddings,
    similarities,
    write,
)
from faceqa.evaluation.subjects import JOURNAL, Conditions, Subject, measure, read_subjects
from faceqa.measures.registry import GATED, SCORE, TAKEN
from faceqa.types import Assessment, Face, Pose
from faceqa.verdict.policy import Policy

GOOD = {"face_size": 300.0, "yaw": -3.0, "ser_fiq": 0.9, "occlusion": 0.0}
GOOD |= {"dbcnn": 70.0, "dbcnn_unmasked": 60.0}
FAIR = {"face_size": 200.0, "yaw": 20.0, "ser_fiq": 0.8, "occlusion": 0.1}
FAIR |= {"dbcnn": 60.0, "dbcnn_unmasked": 50.0}
POOR = {"face_size": 90.0, "yaw": -50.0, "ser_fiq": 0.04, "occlusion": 0.4}
POOR |= {"dbcnn": 20.0, "dbcnn_unmasked": 10.0}
SPACE = "{http://www.w3.org/2000/svg}"


def example() -> tuple[list[Pair], dict[str, Subject]]:
    """Four people with two pictures each; the last person's second picture is poor in every measure."""
    pictures = [f"{person}/{number}.jpg" for person in "abcd" for number in (1, 2)]
    subjects = {picture: Subject(GOOD, 0.9, np.eye(4)[index // 2]) for index, picture in enumerate(pictures)}
    subjects["a/1.jpg"] = replace(subjects["a/1.jpg"], scores=FAIR, confidence=0.8)
    subjects["d/2.jpg"] = Subject(POOR, 0.7, np.array([1.0, 0, 0, 0.5]))
    return folder_pairs(people_of(pictures)), subjects


def vector_of(subject: Subject) -> np.ndarray:
    assert subject.embedding is not None
    return subject.embedding


def evaluated(pairs, subjects, **options):
    return evaluate(pairs, subjects, embeddings_of(subjects), "test", **{"target": 0.25, **options})


# --- pairs ------------------------------------------------------------------------------------------------


def test_a_list_of_pairs_with_and_without_a_heading(tmp_path):
    expected = [Pair("a, b.jpg", "c.jpg", True), Pair("d.jpg", "한.jpg", False)]
    lines = '"a, b.jpg",./c.jpg,1\n\nd.jpg, 한.jpg ,False\n'
    for name, text in (("plain.csv", lines), ("heading.csv", "image,other,mated\n" + lines)):
        (tmp_path / name).write_text(text, encoding="utf-8-sig")
        assert read_pairs(tmp_path / name, tmp_path) == expected


def test_a_picture_below_the_root_has_one_name_however_it_is_written(tmp_path):
    (tmp_path / "pairs.csv").write_text(f"a.jpg,{tmp_path}/a.jpg,1\na.jpg,/elsewhere/b.jpg,0\n")
    pairs = read_pairs(tmp_path / "pairs.csv", tmp_path)
    assert pairs == [Pair("a.jpg", "a.jpg", True), Pair("a.jpg", "/elsewhere/b.jpg", False)]
    assert listed_pictures(pairs, tmp_path) == {
        "a.jpg": tmp_path / "a.jpg",
        "/elsewhere/b.jpg": Path("/elsewhere/b.jpg"),
    }


@pytest.mark.parametrize("line", ["a.jpg,b.jpg", "a.jpg,b.jpg,2", "a.jpg,b.jpg,1,x", ",b.jpg,1"])
def test_a_line_that_is_no_pair_is_named(tmp_path, line):
    (tmp_path / "pairs.csv").write_text(f"a.jpg,b.jpg,0\n{line}\n")
    with pytest.raises(EvaluationError, match=r"Line 2 of .* is no pair"):
        read_pairs(tmp_path / "pairs.csv", tmp_path)


def test_a_list_that_cannot_be_read(tmp_path):
    (tmp_path / "latin.csv").write_bytes(b"\xe9.jpg,b.jpg,1\n")
    for name in ("latin.csv", "missing.csv", "."):
        with pytest.raises(EvaluationError) as caught:
            read_pairs(tmp_path / name, tmp_path)
        assert caught.value.code == "bad_pairs"


def test_the_pictures_of_a_folder_are_called_by_their_place_in_it(tmp_path):
    for name in ("x/1.jpg", "x/deep/2.PNG", "y/3.jpg", "y/notes.txt", "out/4.jpg", ".hidden/5.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = folder_pictures(tmp_path, leave_out=tmp_path / "out")
    assert found == {name: tmp_path / name for name in ("x/1.jpg", "x/deep/2.PNG", "y/3.jpg")}
    with pytest.raises(EvaluationError, match="is no folder"):
        folder_pictures(tmp_path / "x/1.jpg")


def test_the_first_folder_is_the_person():
    assert people_of(["x/1.jpg", "x/deep/2.jpg", "y/3.jpg", "loose.jpg"]) == {
        "x": ["x/1.jpg", "x/deep/2.jpg"],
        "y": ["y/3.jpg"],
    }


def test_all_pairs_of_a_small_folder():
    people = {"a": ["a/1", "a/2", "a/3"], "b": ["b/1"], "c": ["c/1", "c/2"]}
    pairs = folder_pairs(people)
    mated = {(p.first, p.second) for p in pairs if p.mated}
    assert mated == {("a/1", "a/2"), ("a/1", "a/3"), ("a/2", "a/3"), ("c/1", "c/2")}
    assert len({frozenset((p.first, p.second)) for p in pairs if not p.mated}) == 3 * 1 + 3 * 2 + 1 * 2


def test_pairs_of_a_large_folder_are_drawn_evenly_and_always_the_same():
    people = {f"p{i}": [f"p{i}/{k}" for k in range(2 + 10 * (i == 0))] for i in range(200)}
    pairs = folder_pairs(people)
    assert pairs == folder_pairs(people) != folder_pairs(people, seed=1)
    mated, others = ([p for p in pairs if p.mated is kind] for kind in (True, False))
    counts = Counter(p.first.split("/")[0] for p in mated)
    assert counts["p0"] == MOST_PAIRS_PER_PERSON < 66 and set(counts.values()) == {50, 1}
    assert len(others) == len({frozenset((p.first, p.second)) for p in others}) == FEWEST_NON_MATED
    assert all(p.first.split("/")[0] != p.second.split("/")[0] for p in others)
    ends = Counter(end.split("/")[0] for p in others for end in (p.first, p.second))
    assert ends["p0"] < 30  # 10 on average, although p0 has six times the pictures


@pytest.mark.parametrize("people", [{}, {"a": ["a/1", "a/2"]}, {"a": ["a/1"], "b": ["b/1"]}])
def test_too_few_pictures_are_refused(people):
    with pytest.raises(EvaluationError, match="two people at least"):
        folder_pairs(people)


# --- subjects ---------------------------------------------------------------------------------------------


def face_at(x: float, **others) -> Assessment:
    """A face of 40 px around (x, 50) in a picture of 101 x 101 px, whose centre is (50, 50)."""
    box = (x - 20, 30.0, x + 20, 70.0)
    face = Face(box, ((x, 50.0),) * 5, 0.9)
    return Assessment("a.jpg", 101, 101, "reject", face=face, **others)


def test_the_face_nearest_to_the_centre_is_the_persons():
    largest = face_at(30, face_index=0, scores={"ser_fiq": 0.9}, pose=Pose(1.0, 0.0, 0.0))
    middle = face_at(
        55, face_index=1, scores=FAIR, pose=Pose(20.0, 0.0, 0.0), embedding=np.ones(3, np.float32)
    )
    found = Subject.of([largest, middle, face_at(90)])
    assert (found.scores, found.confidence, found.error) == (FAIR, 0.9, None)
    assert vector_of(found).tolist() == [1, 1, 1]
    assert found.measures == Subject.of([middle]).measures is not None


def test_pictures_without_a_face_and_failed_ones():
    assert Subject.of([Assessment("a.jpg", 101, 101, "reject")]).measures is None
    assert Subject.of([Assessment("a.jpg", error="It is broken.")]).error == "It is broken."


class Stand:
    """In the place of a scorer: a face for each picture, until it is switched off."""

    def __init__(self, most: int = 1000):
        self.seen: list[str] = []
        self.most = most

    def assess_batches(self, sources, all_faces, unmasked):
        assert all_faces and not unmasked
        for source in sources:
            if len(self.seen) == self.most:
                raise KeyboardInterrupt
            self.seen.append(source.name)
            vector = np.array([len(self.seen), 0.1], np.float32)
            result = face_at(50, scores=FAIR, pose=Pose(20.0, 0.0, 0.0), embedding=vector)
            yield [[replace(result, image=source.name)]]


CONDITIONS = Conditions("/data")
PICTURES = {f"{name}.jpg": Path(f"/data/{name}.jpg") for name in ("a", "한", "c\n", "d")}


def measured(out, load_scorer, pictures=PICTURES, conditions=CONDITIONS):
    return list(measure(pictures, conditions, out, load_scorer))


def test_what_was_measured_is_read_as_it_was(tmp_path):
    assert measured(tmp_path / "new", Stand) == [0, 1, 1, 1, 1]
    found = read_subjects(tmp_path / "new")
    assert list(found) == list(PICTURES)
    assert [float(vector_of(subject)[0]) for subject in found.values()] == [1, 2, 3, 4]
    one = found["한.jpg"]
    assert (one.scores, one.confidence, one.error) == (FAIR, 0.9, None)
    assert vector_of(one).dtype == np.float32 and vector_of(one)[1] == np.float32(0.1)


@pytest.mark.parametrize("torn", [0, 1, 30])
def test_interrupted_work_goes_on_where_it_stopped(tmp_path, torn):
    first, second = Stand(most=2), Stand()
    with pytest.raises(KeyboardInterrupt):
        measured(tmp_path, lambda: first)
    journal = tmp_path / JOURNAL
    whole = journal.read_bytes()
    journal.write_bytes(whole[: len(whole) - torn])
    done = 1 if torn else 2
    assert measured(tmp_path, lambda: second) == [done, *[1] * (4 - done)]
    assert first.seen + second.seen == [*list(PICTURES)[:2], *list(PICTURES)[done:]]
    assert set(read_subjects(tmp_path)) == set(PICTURES)


def test_finished_work_needs_no_model_and_takes_new_pictures(tmp_path):
    measured(tmp_path, Stand)
    assert measured(tmp_path, lambda: pytest.fail("loaded")) == [4]
    more, stand = {**PICTURES, "new.jpg": Path("/data/new.jpg")}, Stand()
    assert sum(measured(tmp_path, lambda: stand, more)) == 5
    assert stand.seen == ["new.jpg"]


def test_other_work_and_other_files_are_left_alone(tmp_path):
    measured(tmp_path / "mine", Stand)
    before = (tmp_path / "mine" / JOURNAL).read_bytes()
    for other in (Conditions("/else"), Conditions("/data", unmasked=True), Conditions("/data", weights="x")):
        with pytest.raises(EvaluationError, match="other pictures, measures or models"):
            measured(tmp_path / "mine", Stand, conditions=other)
    assert (tmp_path / "mine" / JOURNAL).read_bytes() == before
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs/notes.txt").write_text("mine")
    with pytest.raises(EvaluationError, match="holds other files"):
        measured(tmp_path / "theirs", Stand)


@pytest.mark.parametrize("content", ["no json\n", "[1]\n", '{"root": 1, "colour": 2}\n'])
def test_a_file_that_is_no_journal(tmp_path, content):
    (tmp_path / JOURNAL).write_text(content)
    with pytest.raises(EvaluationError, match="no journal of an evaluation"):
        measured(tmp_path, Stand)
    assert (tmp_path / JOURNAL).read_text() == content


# --- the evaluation ---------------------------------------------------------------------------------------


def test_similarities_are_cosines_and_missing_ones_are_nan():
    vectors = {
        "a": np.array([3, 4]),
        "b": np.array([40, 30], np.float32),
        "zero": np.zeros(2),
        "broken": np.array([np.nan, 1]),
    }
    pairs = [Pair("a", other, True) for other in ("b", "zero", "broken", "absent")]
    np.testing.assert_allclose(similarities(pairs, vectors), [0.96, np.nan, np.nan, np.nan])


def test_embeddings_from_a_file(tmp_path):
    np.savez(tmp_path / "good.npz", image=["./a", "b"], embedding=np.eye(2))
    assert {name: found.tolist() for name, found in read_embeddings(tmp_path / "good.npz").items()} == {
        "a": [1, 0],
        "b": [0, 1],
    }
    np.savez(tmp_path / "short.npz", image=["a"], embedding=np.eye(2))
    np.savez(tmp_path / "other.npz", names=["a"])
    np.savez(tmp_path / "objects.npz", image=np.array([None]), embedding=np.eye(1))
    np.save(tmp_path / "array.npy", np.eye(2))
    (tmp_path / "text.npz").write_text("no array")
    for name in ("short.npz", "other.npz", "objects.npz", "array.npy", "text.npz", "missing.npz"):
        with pytest.raises(EvaluationError, match=name) as caught:
            read_embeddings(tmp_path / name)
        assert caught.value.code == "bad_embeddings"


def test_every_measure_is_a_candidate_and_finds_the_poor_picture_in_its_own_direction():
    pairs, subjects = example()
    policy = Policy(ser_fiq_weight=1.0)
    found = evaluated(pairs, subjects, measures=candidates(policy, unmasked=True))
    assert set(found.results) == {row.name for row in (SCORE, *TAKEN)} | {"confidence"}
    assert (found.mated, found.non_mated, found.pictures, found.without_embedding) == (4, 24, 8, 0)
    for name, result in found.results.items():
        curve = result.curve
        assert (curve.errors, curve.discarded.tolist()) == (1, [0, 0.25, 0.5]), name
        assert curve.fnmr.tolist() == [0.25, 0, 0]
        row = next((row for row in TAKEN if row.name == name), None)
        if row is not None:
            limits = [abs(scores[name]) if row.signed else scores[name] for scores in (FAIR, GOOD)]
            assert [result.limit(step) for step in range(3)] == [None, *limits]
    assert [found.results["yaw"].limit(step) for step in range(3)] == [None, 20, 3]
    score = found.results[SCORE.name]
    assert score.limit(2) == 80.0  # (90 + 70) / 2


def test_measures_on_request_are_evaluated_on_request():
    extra = {row.name for row in TAKEN if row.on_request}
    without, with_them = ({each.name for each in candidates(Policy(), asked)} for asked in (False, True))
    assert extra and with_them - without == extra


def test_a_new_row_of_the_registry_is_evaluated(monkeypatch):
    toy = replace(TAKEN[0], name="toy", higher_is_better=False, gate=None)
    monkeypatch.setattr(recognition, "TAKEN", (*TAKEN, toy))
    pairs, subjects = example()
    for name, subject in subjects.items():
        subjects[name] = replace(subject, scores={**subject.scores, "toy": float(name == "d/2.jpg")})
    assert evaluated(pairs, subjects).results["toy"].curve.discarded.tolist() == [0, 0.25]


def test_a_row_of_the_registry_takes_the_place_of_what_is_known_beside_it(monkeypatch):
    row = replace(TAKEN[0], name="confidence", gate=None)
    monkeypatch.setattr(recognition, "TAKEN", (*TAKEN, row))
    (confidence,) = (each for each in candidates(Policy()) if each.name == "confidence")
    assert confidence.value(Subject({"confidence": 7.0}, 0.3)) == 7


def test_of_a_signed_measure_only_the_size_counts():
    (yaw,) = (each for each in candidates(Policy()) if each.name == "yaw")
    assert yaw.quality(Subject({"yaw": -7.0})) == yaw.quality(Subject({"yaw": 7.0})) == -7


def test_the_best_measure_comes_first():
    pairs, subjects = example()
    measures = [
        Candidate("wrong pair", "wrong pair", lambda subject: 1 - vector_of(subject)[1]),  # b's
        Candidate("none", "none", lambda _: None),
        Candidate("good", "good", lambda subject: subject.confidence),
    ]
    found = evaluated(pairs, subjects, measures=measures)
    assert list(found.results) == ["good", "none", "wrong pair"]
    assert found.results["none"].curve.discarded.tolist() == [0]


def test_a_picture_without_scores_leaves_first_and_one_without_an_embedding_fails():
    pairs, subjects = example()
    del subjects["b/1.jpg"]
    subjects["c/1.jpg"] = replace(subjects["c/1.jpg"], embedding=None)
    subjects["d/1.jpg"] = Subject(error="It is broken.")
    subjects["a/2.jpg"] = Subject()
    found = evaluated(pairs, subjects, target=0.9, rule="fmr_at_start")
    assert (found.without_embedding, found.without_face) == (4, 1)
    assert found.failed == {"d/1.jpg": "It is broken."}
    curve = found.results["ser_fiq"].curve
    assert (curve.errors, curve.discarded.tolist(), curve.fnmr.tolist()) == (4, [0, 0.75], [1, 1])


def test_what_each_gate_discards_by_hand():
    pairs, subjects = example()
    policy = Policy(cafi_threshold=75, ser_fiq_weight=1)  # GOOD has 80, FAIR 70: its pair leaves, too
    gates = {gate.gate: gate for gate in evaluated(pairs, subjects, policy=policy).gates}
    assert list(gates) == [*(row.name for row in GATED if row in TAKEN), SCORE.name, "all"]
    ser_fiq, yaw, score, all_of_them = (gates[name] for name in ("ser_fiq", "yaw", SCORE.name, "all"))
    assert (ser_fiq.limit, ser_fiq.discarded, ser_fiq.errors_discarded, ser_fiq.fnmr) == (0.05, 0.25, 1, 0)
    assert (yaw.limit, yaw.discarded, yaw.errors_discarded, yaw.fnmr) == (45, 0.25, 1, 0)
    assert (score.limit, score.discarded, score.fnmr) == (75, 0.5, 0)
    assert (all_of_them.limit, all_of_them.discarded) == (None, 0.5)
    lenient = Policy(ser_fiq_threshold=0, max_yaw=180, max_occlusion=1, min_face_size=0, cafi_threshold=0)
    kept = evaluated(pairs, subjects, policy=lenient).gates
    assert {(gate.discarded, gate.errors_discarded, gate.fnmr) for gate in kept} == {(0, 0, 0.25)}
    del subjects["a/1.jpg"], subjects["b/1.jpg"], subjects["c/1.jpg"]
    nothing = evaluated(pairs, subjects, rule="fmr_at_start", target=0.5).gates[-1]
    assert (nothing.discarded, nothing.errors_discarded, nothing.fnmr) == (1, 1, None)


def test_nothing_to_evaluate_is_refused():
    pairs, subjects = example()
    with pytest.raises(EvaluationError, match="no mated pairs"):
        evaluated([p for p in pairs if not p.mated], subjects)
    with pytest.raises(EvaluationError, match="needs non-mated pairs"):
        evaluated([p for p in pairs if p.mated], subjects, rule="fmr_at_start")


# --- its files --------------------------------------------------------------------------------------------


def test_the_files_hold_the_curves_the_summary_and_a_plot_in_words(tmp_path):
    pairs, subjects = example()
    odd = Candidate("odd", "<ser & fiq>", lambda subject: subject.scores.get("ser_fiq"))
    found = evaluated(pairs, subjects, measures=(odd, *candidates(Policy())))
    paths = write(found, tmp_path / "new")
    assert sorted(path.name for path in paths) == sorted(p.name for p in (tmp_path / "new").iterdir())
    with paths[0].open() as file:
        rows = [row for row in csv.DictReader(file) if row["measure"] == "occlusion"]
    assert [(row["discarded"], row["fnmr"], row["limit"]) for row in rows] == [
        ("0", "0.25", ""),
        ("0.25", "0", "0.1"),
        ("0.5", "0", "0"),
    ]
    summary = json.loads(paths[1].read_text())
    assert summary["threshold_rule"] == "fnmr_at_start" and summary["errors_at_start"] == 1
    assert "too few" in summary["warning"]
    occlusion = summary["measures"]["occlusion"]
    assert not occlusion["higher_is_better"]
    assert occlusion["fnmr"][-1] == {"discarded": 0.3, "fnmr": 0.0, "limit": 0.1}
    assert [area["limit"] for area in occlusion["areas"]] == [0.2, 0.3]
    svg = ElementTree.parse(paths[2]).getroot()
    assert svg.get("role") == "img"
    title, described = (next(svg.iter(f"{SPACE}{name}")) for name in ("title", "desc"))
    assert svg.get("aria-labelledby") == f"{title.get('id')} {described.get('id')}"
    assert "The rate starts at 25.00%." in str(described.text)
    labels = [str(text.text) for text in svg.iter(f"{SPACE}text")]
    assert any(label.startswith("<ser & fiq>") for label in labels)
    assert "pairs discarded, %" in labels


def test_the_plot_shows_the_curve(tmp_path):
    """A quarter of the pairs leaves, and with it the error: a step at 25 of 30 %, from 25 % down to 0."""
    pairs, subjects = example()
    ser_fiq = next(each for each in candidates(Policy()) if each.name == "ser_fiq")
    svg = ElementTree.parse(write(evaluated(pairs, subjects, measures=[ser_fiq]), tmp_path)[2])
    paths = [path for path in svg.iter(f"{SPACE}path") if path.get("class") == "curve" and len(path)]
    numbers = [float(number) for number in re.findall(r"[\d.]+", paths[0].attrib["d"])]
    left, top, step, bottom, right = numbers
    assert (left, right) == (plot.LEFT, plot.WIDTH - plot.RIGHT)
    assert (step - left) / (right - left) == pytest.approx(0.25 / 0.3, abs=1e-3)
    ticks = {text.text: text for text in svg.iter(f"{SPACE}text") if text.get("class") == "end"}
    assert (top, bottom) == tuple(float(ticks[percent].attrib["y"]) - 4 for percent in ("25", "0"))
    assert min(float(tick.attrib["y"]) for tick in ticks.values()) - 4 == plot.TOP


def test_many_measures_are_told_apart_by_colour_and_dash(tmp_path):
    pairs, subjects = example()
    many = [Candidate(f"m{i}", f"m{i}", lambda subject: subject.confidence) for i in range(16)]
    path = write(evaluated(pairs, subjects, measures=many), tmp_path)[2]
    curves = [e for e in ElementTree.parse(path).iter() if e.get("class") == "curve" and len(e)]
    looks = [(curve.get("stroke"), curve.get("stroke-dasharray")) for curve in curves]
    assert len(looks) == 16 and all(one != other for one, other in combinations(looks, 2))
