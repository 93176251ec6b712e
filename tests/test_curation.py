import json
import os
import re
import zipfile
from html.parser import HTMLParser
from pathlib import Path

import cv2
import pytest
from conftest import EXAMPLES

from faceqa import Policy, cli
from faceqa.reading import image
from faceqa.curation import Selection, curate, publish, select, thresholds
from faceqa.errors import CurationError
from faceqa.curation.journal import JOURNAL, Settings
from faceqa.reading.sources import Sampling
from faceqa.curation.table import read_csv

DERIVED = ("scores.csv", "scores.parquet", "report.html")


@pytest.fixture(scope="module")
def album(tmp_path_factory) -> Path:
    """A folder of 21 images: two portraits more and more blurred, and what else comes in a folder."""
    folder = tmp_path_factory.mktemp("data") / "album"
    (folder / "sub").mkdir(parents=True)
    for number in range(9):
        for name in ("hopper", "collins"):
            photo = cv2.imread(str(EXAMPLES / f"{name}.jpg"))
            if number:
                photo = cv2.GaussianBlur(photo, (0, 0), 0.8 * number)
            cv2.imwrite(str(folder / "sub" / f"{name}{number}.jpg"), photo)
    for name in ("no_face", "two_faces"):
        (folder / f"{name}.jpg").write_bytes((EXAMPLES / f"{name}.jpg").read_bytes())
    (folder / "=broken.jpg").write_text("no picture")
    return folder


@pytest.fixture(scope="module")
def finished(album, scorer, tmp_path_factory) -> Path:
    """The output of a run that nothing interrupted."""
    out = tmp_path_factory.mktemp("finished")
    curate(Settings((str(album),), all_faces=True), out, Selection(), lambda: scorer, export="link")
    return out


def no_models():
    raise AssertionError("no model is needed")


def test_every_image_has_its_rows(finished, album, scorer):
    rows, _ = read_csv(finished / "scores.csv")
    assert len(rows) == 22
    assert [row["image"] for row in rows] == sorted(row["image"] for row in rows)
    by_name = {(Path(row["image"]).name, row["face_index"]): row for row in rows}
    assert by_name["no_face.jpg", None]["reasons"] == "no_face"
    assert by_name["=broken.jpg", None]["verdict"] == "error"
    assert by_name["two_faces.jpg", 1]["faces_found"] == 2
    single = scorer.assess(album / "sub" / "hopper0.jpg")
    row = by_name["hopper0.jpg", 0]
    assert row["ser_fiq"] == pytest.approx(single.ser_fiq, abs=1e-3)
    assert row["verdict"] == single.verdict == "accept"


def test_the_summary_counts(finished):
    summary = json.loads((finished / "summary.json").read_text())
    rows, _ = read_csv(finished / "scores.csv")
    assert (summary["images"], summary["faces"], summary["errors"]) == (21, 20, 1)
    assert summary["accepted"] == sum(row["verdict"] == "accept" for row in rows) > 0
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
    curate(Settings(paths, all_faces=True), out, Selection(), lambda: scorer, export)
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


def test_a_finished_run_needs_no_model(finished, album):
    before = {name: (finished / name).read_bytes() for name in (*DERIVED, JOURNAL)}
    curate(Settings((str(album),), all_faces=True), finished, Selection(), no_models)
    assert {name: (finished / name).read_bytes() for name in before} == before


def test_new_images_are_added_and_nothing_is_done_twice(album, scorer, tmp_path):
    folder, out = tmp_path / "album", tmp_path / "out"
    folder.mkdir()
    (folder / "a.jpg").write_bytes((album / "sub/hopper0.jpg").read_bytes())
    settings = Settings((str(folder), str(folder / "a.jpg")))
    assert curate(settings, out, Selection(), lambda: scorer)["images"] == 1
    (folder / "b.jpg").write_bytes((album / "sub/collins0.jpg").read_bytes())
    assert curate(settings, out, Selection(), lambda: scorer)["images"] == 2
    rows, _ = read_csv(out / "scores.csv")
    assert [Path(row["image"]).name for row in rows] == ["a.jpg", "b.jpg"]


@pytest.mark.parametrize("torn", [0, 1, 200])
def test_a_torn_line_is_done_again(finished, album, scorer, tmp_path, torn):
    lines = (finished / JOURNAL).read_bytes().splitlines(keepends=True)
    (tmp_path / JOURNAL).write_bytes(b"".join(lines[:2]) + lines[2][:torn])
    curate(Settings((str(album),), all_faces=True), tmp_path, Selection(), lambda: scorer)
    for name in DERIVED:
        assert (tmp_path / name).read_bytes() == (finished / name).read_bytes(), name


def test_a_folder_of_other_things_is_not_touched(album, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(CurationError) as caught:
        curate(Settings((str(album),)), tmp_path, Selection(), no_models)
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
        curate(settings, finished, Selection(), no_models)
    assert caught.value.code == "other_run"
    assert (finished / JOURNAL).read_bytes() == before


def test_a_damaged_journal_is_refused(finished, tmp_path):
    (tmp_path / JOURNAL).write_bytes((finished / JOURNAL).read_bytes().replace(b'[{"image"', b'["image"', 1))
    with pytest.raises(CurationError, match="is no journal"):
        publish(tmp_path, Selection())


def face(cafi: float, ser_fiq: float = 0.8) -> dict:
    return {
        **{"image": f"{cafi}.jpg", "verdict": "reject", "reasons": None, "cafi": cafi},
        **{"ser_fiq": ser_fiq, "dbcnn": cafi, "occlusion": 0.0, "face_size": 300.0},
    }


def test_the_best_are_kept_and_of_equals_the_first():
    rows = [face(50), face(70), face(60), face(60), face(90, ser_fiq=0.1)]
    kept = select(rows, Selection(Policy(cafi_threshold=0), keep_top=2))
    assert [row["verdict"] for row in kept] == ["reject", "accept", "accept", "reject", "reject"]
    assert [row["reasons"] for row in kept] == [
        *("not_among_best", None, None, "not_among_best", "low_ser_fiq")
    ]
    half = select(rows, Selection(Policy(cafi_threshold=0), keep_fraction=0.5))
    assert [row["verdict"] for row in half] == [row["verdict"] for row in kept]


def test_the_table_of_thresholds_keeps_what_it_says():
    rows = select([face(cafi / 10) for cafi in range(1, 1000)], Selection(Policy(cafi_threshold=0)))
    for line in thresholds(rows):
        kept = select(rows, Selection(Policy(cafi_threshold=line["cafi"])))
        assert sum(row["verdict"] == "accept" for row in kept) == line["faces"]
        assert line["faces"] == pytest.approx(line["share"] * len(rows), abs=1)
    assert thresholds([]) == []


def test_rejudging_brings_everything_up_to_date(finished, tmp_path, capsys):
    for name in ("scores.csv", JOURNAL):
        (tmp_path / name).write_bytes((finished / name).read_bytes())
    assert cli.main(["rejudge", str(tmp_path / "scores.csv"), "--cafi-threshold", "100"]) == 1
    rows, _ = read_csv(tmp_path / "scores.csv")
    assert not any(row["verdict"] == "accept" for row in rows)
    assert json.loads((tmp_path / "summary.json").read_text())["accepted"] == 0
    assert "low_cafi" in capsys.readouterr().out


def test_a_table_alone_is_rejudged_and_back_again(finished, tmp_path, monkeypatch):
    monkeypatch.setattr("faceqa.scorer.Scorer", no_models)
    table = tmp_path / "scores.csv"
    table.write_bytes((finished / "scores.csv").read_bytes())
    cli.main(["rejudge", str(table), "--keep-top", "1"])
    assert sum(row["verdict"] == "accept" for row in read_csv(table)[0]) == 1
    cli.main(["rejudge", str(table)])
    assert table.read_bytes() == (finished / "scores.csv").read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["scores.csv"]


class Page(HTMLParser):
    """Collects what a browser would load, and what has no words for those who do not see it."""

    def __init__(self):
        super().__init__()
        self.loaded, self.unnamed, self.open = [], [], []

    def handle_starttag(self, tag, attributes):
        known = dict(attributes)
        self.loaded += [known[name] for name in ("src", "href", "data", "poster") if known.get(name)]
        if (tag == "img" and not known.get("alt")) or (tag == "svg" and not known.get("aria-label")):
            self.unnamed.append(self.get_starttag_text())
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        assert tag in ("line", "circle", "path", "rect")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_report_stands_alone(finished):
    text = (finished / "report.html").read_text(encoding="utf-8")
    page = Page()
    page.feed(text)
    assert page.open == [] and page.unnamed == []
    assert page.loaded and all(source.startswith("data:image/jpeg;base64,") for source in page.loaded)
    assert not re.search(r"https?:|//\w|@import|url\(|<script", re.sub(r"base64,[^']*", "", text))
    assert "prefers-color-scheme: dark" in text


def test_the_report_says_what_the_summary_says(finished):
    text = (finished / "report.html").read_text(encoding="utf-8")
    summary = json.loads((finished / "summary.json").read_text())
    assert f"<strong>{summary['accepted']}</strong><span>kept</span>" in text
    for line in summary["thresholds"]:
        assert f"keep {line['share']:.0%}</th><td class=number>{line['faces']:,}</td>" in text
    assert text.count("data:image/jpeg") >= 10


def test_names_cannot_bring_markup_into_the_report(scorer, tmp_path):
    name = "<img src=x onerror=alert(1)>'\"&.jpg"
    (tmp_path / name).write_bytes((EXAMPLES / "hopper.jpg").read_bytes())
    curate(Settings((str(tmp_path / name),)), tmp_path / "out", Selection(), lambda: scorer)
    text = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "<img src=x" not in text and "&lt;img src=x onerror=alert(1)&gt;&#x27;&quot;&amp;" in text


def test_a_report_of_nothing_is_still_a_page(scorer, tmp_path):
    curate(Settings((str(EXAMPLES / "no_face.jpg"),)), tmp_path, Selection(), lambda: scorer, export="crop")
    assert "No face was found." in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert os.listdir(tmp_path / "kept") == os.listdir(tmp_path / "rejected") == []
