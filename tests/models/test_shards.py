"""Exports for training, read back as a training job would."""

import io
import json
import tarfile
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from conftest import EXAMPLES
from files import moving_square, write_video
from pyarrow import parquet

from faceqa import curate
from faceqa.curation import shards
from faceqa.curation.table import NAMES, read_csv
from faceqa.reading import image
from faceqa.reading.sources import named_images

HOPPER = (EXAMPLES / "hopper.jpg").read_bytes()


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """A shard with captions, a folder, a clip, and a file that is no picture."""
    folder = tmp_path_factory.mktemp("data")
    members = {"000007.jpg": HOPPER, "000007.txt": b"a portrait", "000007.json": b'{"width": 512}'}
    with tarfile.open(folder / "00000.tar", "w") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    (folder / "sub").mkdir()
    for name in ("two_faces", "no_face"):
        (folder / "sub" / f"{name}.v1.jpg").write_bytes((EXAMPLES / f"{name}.jpg").read_bytes())
    (folder / "broken.jpg").write_text("no picture")
    write_video(folder / "clip.mp4", moving_square(3))
    return folder


def samples(folder: Path) -> dict[str, dict[str, bytes]]:
    """By key the members of a sample, as webdataset groups them."""
    found: dict[str, dict[str, bytes]] = defaultdict(dict)
    for path in sorted(folder.glob("*.tar")):
        with tarfile.open(path) as archive:
            for member in archive:
                key, _, ending = member.name.partition(".")
                content = archive.extractfile(member)
                assert ending not in found[key] and content is not None
                found[key][ending] = content.read()
    return found


def test_tars_hold_the_picture_its_scores_and_what_came_with_it(data, scorer, tmp_path):
    curate([data], tmp_path / "out", scorer=scorer, export="webdataset", all_faces=True)
    rows = {row.image: row for row in read_csv(tmp_path / "out" / "scores.csv")}
    kept, rejected = samples(tmp_path / "out" / "kept"), samples(tmp_path / "out" / "rejected")
    assert set(kept) == {"000007", "sub/two_faces_v1"}
    assert set(rejected) == {"broken", "sub/no_face_v1", "clip_mp4#t=0_000&frame=0"}
    assert kept["000007"]["jpg"] == HOPPER and kept["000007"]["txt"] == b"a portrait"
    assert kept["000007"]["json"] == b'{"width": 512}'
    scores = json.loads(kept["000007"]["faceqa.json"])
    row = rows[f"{data}/00000.tar/000007.jpg"]
    assert scores["cafi"] == row.cafi and scores["verdict"] == "accept"
    two = json.loads(kept["sub/two_faces_v1"]["faceqa.json"])
    assert [face["face_index"] for face in two] == [0, 1]
    assert image.load(rejected["clip_mp4#t=0_000&frame=0"]["png"]).shape == (240, 320, 3)


def test_tables_hold_a_row_a_face_and_can_be_read_again(data, scorer, tmp_path):
    curate([data], tmp_path / "out", scorer=scorer, export="parquet", all_faces=True)
    kept = parquet.read_table(tmp_path / "out" / "kept" / "00000.parquet")
    assert kept.num_rows == 3 and set(NAMES) - {"image"} < set(kept.column_names)
    faces = {row["name"]: row for row in kept.to_pylist()}
    row = faces[f"{data}/00000.tar/000007.jpg"]
    assert row["image"]["bytes"] == HOPPER and (row["txt"], row["json"]) == ("a portrait", '{"width": 512}')
    scores = {one.image: one for one in read_csv(tmp_path / "out" / "scores.csv")}
    assert row["cafi"] == scores[row["name"]].cafi
    features = json.loads(kept.schema.metadata[b"huggingface"])["info"]["features"]
    assert features == {"image": {"_type": "Image"}}
    again = list(named_images([tmp_path / "out" / "kept"]))
    assert len(again) == 3 and any(one.source == HOPPER for one in again)


@pytest.mark.parametrize("export", ["webdataset", "parquet"])
def test_a_shard_that_is_full_is_followed_by_the_next(scorer, tmp_path, monkeypatch, export):
    monkeypatch.setattr(shards, "MOST_BYTES", 2 * len(HOPPER))
    (tmp_path / "in").mkdir()
    for number in range(5):
        (tmp_path / "in" / f"{number}.jpg").write_bytes(HOPPER)
    curate([tmp_path / "in"], tmp_path / "out", scorer=scorer, export=export)
    files = sorted((tmp_path / "out" / "kept").iterdir())
    assert [path.stem for path in files] == ["00000", "00001", "00002"]
    found = [one for path in files for one in named_images([path])]
    assert [one.source for one in found] == [HOPPER] * 5
    assert not list((tmp_path / "out" / "rejected").iterdir())


def test_two_pictures_of_one_key_stay_apart(scorer, tmp_path):
    for name in ("a.x.jpg", "a.y.jpg", "a_x.png"):
        (tmp_path / name).write_bytes(HOPPER)
    curate([tmp_path], tmp_path / "out", scorer=scorer, export="webdataset")
    assert set(samples(tmp_path / "out" / "kept")) == {"a_x", "a_y", "a_x-2"}
    assert np.array_equal(image.load(samples(tmp_path / "out" / "kept")["a_y"]["jpg"]), image.load(HOPPER))
