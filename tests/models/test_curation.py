import json
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import EXAMPLES

from faceqa import CurationError, Policy, cli, curate
from faceqa.curation.journal import JOURNAL, read_rows, read_settings
from faceqa.curation.run import Run, holds_run
from faceqa.curation.selection import select, summarise
from faceqa.curation.settings import Selection, Settings
from faceqa.curation.table import Row, read_csv
from faceqa.reading import image
from faceqa.reading.sampling import Sampling

TABLES = ("scores.csv", "scores.parquet")
"""Depend on the journal and the policy alone, byte by byte."""


@pytest.fixture(scope="module")
def album(tmp_path_factory) -> Path:
    """A folder of 21 images: two portraits more and more blurred, and what else comes in a folder."""
    folder = tmp_path_factory.mktemp("data") / "album"
    (folder / "sub").mkdir(parents=True)
    for number in range(9):
        for name in ("hopper", "collins"):
            photo = image.load(EXAMPLES / f"{name}.jpg")
            if number:
                photo = cv2.GaussianBlur(photo, (0, 0), 0.8 * number)
            cv2.imwrite(str(folder / "sub" / f"{name}{number}.jpg"), photo[..., ::-1])
    for name in ("no_face", "two_faces"):
        (folder / f"{name}.jpg").write_bytes((EXAMPLES / f"{name}.jpg").read_bytes())
    (folder / "=broken.jpg").write_text("no picture")
    return folder


@pytest.fixture(scope="module")
def finished(album, scorer, tmp_path_factory) -> Path:
    """The output of a run that nothing interrupted."""
    out = tmp_path_factory.mktemp("finished")
    curate([album], out, all_faces=True, scorer=scorer, export="link")
    return out


@pytest.fixture
def no_models(monkeypatch) -> None:
    """Fails where models are loaded."""

    def loaded(*_):
        raise AssertionError("no model is needed")

    monkeypatch.setattr("faceqa.scorer.Scorer", loaded)


def test_every_image_has_its_rows(finished, album, scorer):
    rows = list(read_csv(finished / "scores.csv"))
    assert len(rows) == 22
    assert [row.image for row in rows] == sorted(row.image for row in rows)
    by_name = {(Path(row.image).name, row.face_index): row for row in rows}
    assert by_name["no_face.jpg", None].reasons == ("no_face",)
    assert by_name["=broken.jpg", None].verdict == "error"
    assert by_name["two_faces.jpg", 1].faces_found == 2
    single = scorer.assess(album / "sub" / "hopper0.jpg")
    row = by_name["hopper0.jpg", 0]
    assert row.scores["ser_fiq"] == pytest.approx(single.ser_fiq, abs=1e-3)
    assert row.verdict == single.verdict == "accept"
    assert "dbcnn_unmasked" not in row.scores, "it is taken on request"


def test_the_table_is_the_journal_judged(finished):
    told = list(read_csv(finished / "scores.csv"))
    assert told == list(Run.found(finished).rows(Selection()))
    alone = (replace(row, group=None, duplicate_of=None) for row in told)
    assert list(alone) == list(select(lambda: read_rows(finished), Selection()))


def test_the_summary_counts(finished):
    summary = json.loads((finished / "summary.json").read_text())
    rows = list(read_csv(finished / "scores.csv"))
    assert (summary["images"], summary["faces"], summary["errors"]) == (21, 20, 1)
    assert summary["accepted"] == sum(row.verdict == "accept" for row in rows) > 0
    assert summary["reasons"]["no_face"] == 1
    assert summary["measures"]["ser_fiq"]["min"] < summary["measures"]["ser_fiq"]["max"]


def test_links_lead_to_the_originals(finished, album):
    kept = {path.relative_to(finished / "kept").as_posix() for path in (finished / "kept").rglob("*.jpg")}
    rejected = {
        path.relative_to(finished / "rejected").as_posix() for path in (finished / "rejected").rglob("*.jpg")
    }
    assert {"sub/hopper0.jpg", "two_faces.jpg"} <= kept
    assert {"no_face.jpg", "sub/collins8.jpg"} <= rejected
    assert len(kept) + len(rejected) == 21 and not kept & rejected
    assert (finished / "kept/sub/hopper0.jpg").resolve() == (album / "sub/hopper0.jpg").resolve()


@pytest.mark.parametrize("export", ["copy", "crop"])
def test_copies_and_crops(album, scorer, tmp_path, export):
    before = {path: path.read_bytes() for path in album.rglob("*.jpg")}
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(album / "sub/hopper0.jpg", "../../hopper.jpg")
    paths = (str(album / "two_faces.jpg"), str(tmp_path / "a.zip"))
    out = tmp_path / "out"
    curate(paths, out, all_faces=True, scorer=scorer, export=export)
    made = [path for folder in ("kept", "rejected") for path in (out / folder).rglob("*") if path.is_file()]
    if export == "copy":
        assert {path.name for path in made} == {"two_faces.jpg", "hopper.jpg"}
        copied = next(path for path in made if path.name == "hopper.jpg")
        assert copied.read_bytes() == before[album / "sub/hopper0.jpg"]
    else:
        assert {path.name for path in made} == {
            *("two_faces.jpg-face1.png", "two_faces.jpg-face2.png", "hopper.jpg-face1.png")
        }
        assert {image.load(path).shape for path in made} == {(384, 384, 3)}
    assert all(out in path.parents for path in made)
    assert {path: path.read_bytes() for path in album.rglob("*.jpg")} == before, (
        "the originals are as they were"
    )


def test_a_finished_run_needs_no_model(finished, album, no_models):
    before = {name: (finished / name).read_bytes() for name in (*TABLES, JOURNAL)}
    curate([album], finished, all_faces=True)
    assert {name: (finished / name).read_bytes() for name in before} == before


def test_new_images_are_added_and_nothing_is_done_twice(album, scorer, tmp_path):
    folder, out = tmp_path / "album", tmp_path / "out"
    folder.mkdir()
    (folder / "a.jpg").write_bytes((album / "sub/hopper0.jpg").read_bytes())
    sources = (folder, folder / "a.jpg")
    steps: list[int] = []
    assert curate(sources, out, scorer=scorer, progress=steps.append).images == 1
    (folder / "b.jpg").write_bytes((album / "sub/collins0.jpg").read_bytes())
    assert curate(sources, out, scorer=scorer, progress=steps.append).images == 2
    assert [Path(row.image).name for row in read_csv(out / "scores.csv")] == ["a.jpg", "b.jpg"]
    assert steps == [0, 1, 1, 1], "what earlier runs did comes first"


@pytest.mark.parametrize("torn", [0, 1, 200])
def test_a_torn_line_is_done_again(finished, album, scorer, tmp_path, torn):
    lines = (finished / JOURNAL).read_bytes().splitlines(keepends=True)
    (tmp_path / JOURNAL).write_bytes(b"".join(lines[:2]) + lines[2][:torn])
    curate([album], tmp_path, all_faces=True, scorer=scorer)
    for name in TABLES:
        assert (tmp_path / name).read_bytes() == (finished / name).read_bytes(), name


def test_a_folder_of_other_things_is_not_touched(album, tmp_path, no_models):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(CurationError) as caught:
        curate([album], tmp_path)
    assert caught.value.code == "bad_output"
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    "setting",
    [{"all_faces": False}, {"sampling": Sampling(fps=5)}, {"unmasked": True}, {"weights": "0123456789ab"}],
)
def test_a_run_does_not_go_on_with_other_settings(finished, album, setting):
    settings = Settings((str(album),), **{"all_faces": True, **setting})
    before = (finished / JOURNAL).read_bytes()
    with pytest.raises(CurationError) as caught:
        list(Run(finished, settings).assess(lambda: pytest.fail("no model is needed")))
    assert caught.value.code == "other_run"
    assert (finished / JOURNAL).read_bytes() == before


def test_a_damaged_journal_is_refused(finished, tmp_path):
    (tmp_path / JOURNAL).write_bytes((finished / JOURNAL).read_bytes().replace(b'[{"image"', b'["image"', 1))
    with pytest.raises(CurationError, match="is no journal"):
        Run(tmp_path, read_settings(finished)).publish(Selection())


def test_a_folder_says_whether_it_holds_a_run(finished, album, tmp_path):
    assert holds_run(finished) and not holds_run(tmp_path)
    assert Run.found(finished).settings == Settings((str(album),), all_faces=True)
    with pytest.raises(CurationError) as caught:
        Run.found(tmp_path)
    assert caught.value.code == "other_run"


def test_another_policy_needs_no_model(finished, tmp_path, no_models):
    (tmp_path / JOURNAL).write_bytes((finished / JOURNAL).read_bytes())
    run = Run.found(tmp_path)
    all_kept = run.publish(
        Selection(
            Policy(min_face_size=0, max_yaw=180, ser_fiq_threshold=0, max_occlusion=1, cafi_threshold=0)
        )
    )
    assert all_kept.accepted == all_kept.faces == 20
    none_kept = run.publish(Selection(Policy(cafi_threshold=100)))
    assert (none_kept.accepted, none_kept.faces) == (0, 20)
    told = json.loads((tmp_path / "summary.json").read_text())
    assert told["accepted"] == 0 and told["selection"]["policy"] == asdict(Policy(cafi_threshold=100))


def test_a_run_ends_after_so_many_images(album, scorer, tmp_path):
    assert curate([album], tmp_path, most=3, scorer=scorer).images == 3


def test_only_a_runner_that_there_is_runs(album, tmp_path, no_models):
    with pytest.raises(CurationError) as caught:
        curate([album], tmp_path, runner="abacus")  # type: ignore[arg-type]
    assert caught.value.code == "unknown_runner" and "local" in caught.value.message


def face(cafi: float, ser_fiq: float = 0.8) -> Row:
    scores = {"face_size": 300.0, "yaw": 0.0, "ser_fiq": ser_fiq, "occlusion": 0.0, "dbcnn": cafi}
    return Row(f"{cafi}.jpg", "reject", cafi=cafi, scores=scores)


def test_the_best_are_kept_and_of_equals_the_first():
    rows = [face(50), face(70), face(60), face(60), face(90, ser_fiq=0.01)]
    kept = list(select(lambda: rows, Selection(Policy(cafi_threshold=0), keep_top=2)))
    assert [row.verdict for row in kept] == ["reject", "accept", "accept", "reject", "reject"]
    assert [row.reasons for row in kept] == [
        *(("not_among_best",), (), (), ("not_among_best",), ("low_ser_fiq",))
    ]
    half = select(lambda: rows, Selection(Policy(cafi_threshold=0), keep_fraction=0.5))
    assert [row.verdict for row in half] == [row.verdict for row in kept]


def test_rows_are_read_as_they_are_needed():
    """A data set of millions of faces is never in memory as a whole."""
    read = 0

    def rows() -> Iterator[Row]:
        nonlocal read
        for cafi in range(100):
            read += 1
            yield face(cafi)

    judged = select(rows, Selection())
    assert (read, next(judged).image, read) == (100, "0.jpg", 101), "groups need to know all, but keep none"
    best = select(rows, Selection(keep_top=1))
    next(best)
    assert read == 101 + 200 + 1, "so does a limit"


def test_the_table_of_thresholds_keeps_what_it_says():
    rows = list(
        select(lambda: [face(cafi / 10) for cafi in range(1, 1000)], Selection(Policy(cafi_threshold=0)))
    )
    thresholds = summarise(rows).thresholds
    assert len(thresholds) == 10
    for line in thresholds:
        kept = select(lambda: rows, Selection(Policy(cafi_threshold=line.cafi)))
        assert sum(row.verdict == "accept" for row in kept) == line.faces
        assert line.faces == pytest.approx(line.share * len(rows), abs=1)
    assert summarise([]).thresholds == ()


def test_rejudging_brings_everything_up_to_date(finished, tmp_path, capsys):
    for name in ("scores.csv", JOURNAL):
        (tmp_path / name).write_bytes((finished / name).read_bytes())
    assert cli.main(["rejudge", str(tmp_path / "scores.csv"), "--cafi-threshold", "100"]) == 1
    assert not any(row.verdict == "accept" for row in read_csv(tmp_path / "scores.csv"))
    assert json.loads((tmp_path / "summary.json").read_text())["accepted"] == 0
    assert "low_cafi" in capsys.readouterr().out


def test_a_table_alone_is_rejudged_and_back_again(finished, tmp_path, no_models):
    table = tmp_path / "scores.csv"
    table.write_bytes((finished / "scores.csv").read_bytes())
    cli.main(["rejudge", str(table), "--keep-top", "1"])
    assert sum(row.verdict == "accept" for row in read_csv(table)) == 1
    cli.main(["rejudge", str(table)])
    assert table.read_bytes() == (finished / "scores.csv").read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["scores.csv"]


@pytest.fixture(scope="module")
def twins(scorer, tmp_path_factory) -> Path:
    """A run over two portraits, each as it is, encoded anew, brightened, and cropped."""
    folder = tmp_path_factory.mktemp("twins")
    (folder / "photos").mkdir()
    for name in ("hopper", "collins"):
        photo = image.load(EXAMPLES / f"{name}.jpg")[..., ::-1]
        height, width = photo.shape[:2]
        changed = {
            "a": (photo, 95),
            "b": (photo, 40),
            "c": (cv2.convertScaleAbs(photo.copy(), alpha=1.2), 60),
            "d": (photo[height // 20 :, : -width // 20], 60),
        }
        for letter, (picture, quality) in changed.items():
            path = folder / "photos" / f"{letter}-{name}.jpg"
            cv2.imwrite(str(path), np.ascontiguousarray(picture), [cv2.IMWRITE_JPEG_QUALITY, quality])
    curate([folder / "photos"], folder / "out", scorer=scorer)
    return folder


def test_the_same_picture_is_found_again_and_another_person_is_not(twins):
    rows = list(read_csv(twins / "out" / "scores.csv"))
    members: dict[str, set[str]] = {}
    for row in rows:
        assert row.group is not None, row.image
        members.setdefault(row.group, set()).add(Path(row.image).stem[2:])
    assert sorted(map(sorted, members.values())) == [["collins"], ["hopper"]]
    assert sum(row.duplicate_of is None for row in rows) == 2


def test_of_the_same_picture_the_best_is_kept_and_rejudging_brings_the_others_back(twins, tmp_path, scorer):
    told = {row.image: row for row in read_csv(twins / "out" / "scores.csv")}
    usual = (twins / "out" / "scores.csv").read_bytes()
    summary = curate([twins / "photos"], twins / "unique", scorer=scorer, unique=True)
    rows = list(read_csv(twins / "unique" / "scores.csv"))
    kept = [row.image for row in rows if row.verdict == "accept"]
    assert len(kept) == summary.accepted == 2 and summary.reasons["duplicate"] >= 5
    for row in rows:
        assert (row.group, row.duplicate_of) == (told[row.image].group, told[row.image].duplicate_of)
        if row.duplicate_of:
            usual_one = told[row.image]
            passes = usual_one.cafi is not None
            assert row.duplicate_of in kept
            assert row.reasons == (("duplicate",) if passes else usual_one.reasons)
            assert not passes or (told[row.duplicate_of].cafi or 0) >= (usual_one.cafi or 0)
    assert cli.main(["rejudge", str(twins / "unique")]) == 0
    assert (twins / "unique" / "scores.csv").read_bytes() == usual
    table = tmp_path / "scores.csv"
    table.write_bytes(usual)
    assert cli.main(["rejudge", str(table), "--unique"]) == 0
    assert list(read_csv(table)) == rows, "a table alone is enough"
