"""Runs whose folder lies at an address."""

import json
import shutil
from pathlib import Path

import cv2
import fsspec
import pytest
from conftest import EXAMPLES

from faceqa import CurationError, RemoteError, cli, curate
from faceqa.curation import workplace
from faceqa.curation.journal import JOURNAL
from faceqa.reading import image, remote

IMAGES = 40


@pytest.fixture(scope="module")
def album(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "album"
    folder.mkdir()
    photo = image.load(EXAMPLES / "hopper.jpg")
    for number in range(IMAGES - 1):
        blurred = cv2.GaussianBlur(photo, (0, 0), 0.3 + 0.1 * number)
        cv2.imwrite(str(folder / f"{number:02}.jpg"), blurred[..., ::-1])
    (folder / "broken.jpg").write_text("no picture")
    return folder


@pytest.fixture(scope="module")
def finished(album, scorer, tmp_path_factory) -> Path:
    """A run with a folder."""
    out = tmp_path_factory.mktemp("local")
    curate([album], out, scorer=scorer, export="copy")
    return out


@pytest.fixture(scope="module")
def local(finished) -> bytes:
    """The table of it."""
    return (finished / "scores.csv").read_bytes()


@pytest.fixture
def bucket(s3, line, monkeypatch) -> str:
    """Address of an empty bucket; what is done is sent at once."""
    monkeypatch.setattr(workplace, "SECONDS", 0.0)
    files = fsspec.filesystem("s3", endpoint_url=s3)
    if files.exists("results"):
        files.rm("results", recursive=True)
    files.mkdir("results")
    return "s3://results"


@pytest.fixture
def stored(s3):
    """The names of the files in the bucket, and one of them."""
    files = fsspec.filesystem("s3", endpoint_url=s3)

    def names() -> set[str]:
        files.invalidate_cache()
        return {path.removeprefix("results/") for path in files.find("results")}

    def content(name: str) -> bytes:
        files.invalidate_cache()
        return files.cat_file(f"results/{name}")

    return names, content


def test_what_a_run_writes_is_at_the_address(album, local, bucket, stored, scorer, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    names, content = stored
    summary = curate([album], f"{bucket}/run", scorer=scorer, export="copy")
    assert summary.images == IMAGES
    assert content("run/scores.csv") == local
    assert json.loads(content("run/summary.json"))["images"] == IMAGES
    assert {"run/report.html", "run/scores.parquet", "run/kept/00.jpg", f"run/{JOURNAL}"} <= names()
    assert not any(".part" in name for name in names())
    assert content("run/rejected/broken.jpg") == b"no picture"
    assert not list(tmp_path.iterdir()), "nothing stays here"
    steps: list[int] = []
    curate([album], f"{bucket}/run", scorer=scorer, progress=steps.append)
    assert steps == [IMAGES] and content("run/scores.csv") == local, "nothing is done twice"


def test_a_line_that_breaks_loses_no_row_and_doubles_none(album, local, bucket, stored, scorer, line):
    line.cut = lambda number: 200 if number % 4 == 1 else None
    curate([album], f"{bucket}/run", scorer=scorer)
    assert stored[1]("run/scores.csv") == local


def test_a_run_that_lost_its_line_goes_on_where_it_stopped(
    album, local, bucket, stored, scorer, line, monkeypatch
):
    monkeypatch.setattr(remote, "TRIES", 2)
    names, content = stored
    done: list[int] = []

    def breaks(images: int) -> None:
        done.append(images)
        line.is_down = sum(done) >= IMAGES // 2

    with pytest.raises(RemoteError):
        curate([album], f"{bucket}/run", scorer=scorer, progress=breaks)
    assert all(name.startswith(f"run/{JOURNAL}.parts/") for name in names()) and names()
    line.is_down = False
    again: list[int] = []
    curate([album], f"{bucket}/run", scorer=scorer, progress=again.append)
    assert 0 < again[0] < IMAGES and sum(again) == IMAGES
    assert content("run/scores.csv") == local
    assert content(f"run/{JOURNAL}").count(b'"image"') == IMAGES


def test_a_run_that_was_interrupted_goes_on_where_it_stopped(album, local, bucket, stored, scorer):
    def stops(images: int) -> None:
        if images:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        curate([album], f"{bucket}/run", scorer=scorer, progress=stops)
    again: list[int] = []
    curate([album], f"{bucket}/run/", scorer=scorer, progress=again.append)
    assert 0 < again[0] < IMAGES and sum(again) == IMAGES
    assert stored[1]("run/scores.csv") == local


def test_other_files_are_not_touched(album, bucket, stored, scorer):
    files = fsspec.filesystem("s3")
    files.pipe("results/mine/notes.txt", b"mine")
    with pytest.raises(CurationError) as caught:
        curate([album], f"{bucket}/mine", scorer=scorer)
    assert caught.value.code == "bad_output" and stored[0]() == {"mine/notes.txt"}
    with pytest.raises(CurationError, match="lies in a folder that is read"):
        curate([bucket], f"{bucket}/run", scorer=scorer)


def test_a_bucket_that_is_not_there_is_said(album, bucket, scorer):
    with pytest.raises(RemoteError, match="no file or folder s3://nobody/run") as caught:
        curate([album], "s3://nobody/run", scorer=scorer)
    assert caught.value.code == "not_found"


@pytest.mark.parametrize("name", ["run", "run/", "run/scores.csv"])
def test_a_run_at_an_address_is_judged_again_there(
    finished, bucket, stored, tmp_path, monkeypatch, capsys, name
):
    names, content = stored
    here = shutil.copytree(finished, tmp_path / "here")
    fsspec.filesystem("s3").put(f"{finished}/", "results/run/", recursive=True)
    before, journal = names(), content(f"run/{JOURNAL}")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for folder in (str(here), f"{bucket}/{name}"):
        assert cli.main(["rejudge", folder, "--cafi-threshold", "100", "--export", "copy"]) == 1
    assert "written: s3://results/run/report.html" in capsys.readouterr().out
    assert content("run/scores.csv") == (here / "scores.csv").read_bytes()
    assert json.loads(content("run/summary.json"))["accepted"] == 0
    assert not any(one.startswith("run/kept/") for one in names()), "the sorted files follow"
    assert {one.replace("/kept/", "/rejected/") for one in before} == names()
    assert content(f"run/{JOURNAL}") == journal and list(tmp_path.iterdir()) == [here]


def test_an_unfinished_run_is_judged_again_and_then_goes_on(album, finished, local, bucket, stored, scorer):
    begun = b"".join((finished / JOURNAL).read_bytes().splitlines(keepends=True)[:2])
    fsspec.filesystem("s3").pipe(f"results/run/{JOURNAL}.parts/{0:015}", begun)
    assert cli.main(["rejudge", f"{bucket}/run"]) in (0, 1)
    assert 0 < stored[1]("run/scores.csv").count(b"\n") - 1 < IMAGES
    again: list[int] = []
    curate([album], f"{bucket}/run", scorer=scorer, progress=again.append)
    assert 0 < again[0] < IMAGES and stored[1]("run/scores.csv") == local


@pytest.mark.parametrize("place", ["", "/nothing", "/mine", "/mine/scores.csv"])
def test_an_address_without_a_run_is_refused(bucket, stored, capsys, place):
    fsspec.filesystem("s3").pipe("results/mine/scores.csv", b"mine")
    assert cli.main(["rejudge", f"{bucket}{place}"]) == 2
    assert "holds no run of faceqa" in capsys.readouterr().err
    assert stored[0]() == {"mine/scores.csv"}


def test_a_bucket_to_judge_again_that_is_not_there_is_said(line, capsys):
    assert cli.main(["rejudge", "s3://nobody/run"]) == 2
    assert "There is no file or folder s3://nobody/run" in capsys.readouterr().err
