"""Data sets in shards: webdataset's tars as img2dataset writes them, and tables as Hugging Face's."""

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pyarrow
import pytest
from conftest import EXAMPLES
from pyarrow import parquet

from faceqa.errors import ImageError
from faceqa.reading import image, tars
from faceqa.reading.image import NamedImage
from faceqa.reading.sampling import Sampling
from faceqa.reading.sources import count_images, named_images

HOPPER = (EXAMPLES / "hopper.jpg").read_bytes()
COLLINS = (EXAMPLES / "collins.jpg").read_bytes()
CAPTION = {"caption": "a portrait", "url": "none", "width": 512}


def write_tar(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


@pytest.fixture
def shard(tmp_path) -> Path:
    """With the table that img2dataset lays beside it."""
    metadata = json.dumps(CAPTION).encode()
    members = {
        "000000000.jpg": HOPPER, "000000000.json": metadata, "000000000.txt": b"a portrait",
        "000000001.json": metadata, "000000001.jpg": COLLINS, "000000002.txt": b"no picture came",
        "sub/._3.jpg": b"resource fork", "sub/3.v2.jpg": b"no picture",
    }  # fmt: skip
    parquet.write_table(pyarrow.table({"key": ["000000000"]}), tmp_path / "00000.parquet")
    return write_tar(tmp_path / "00000.tar", members)


def error(found: NamedImage) -> str:
    assert isinstance(found.source, ImageError)
    return found.source.message


def test_a_shard_keeps_its_keys_and_what_came_with_them(shard):
    found = list(named_images([shard.parent]))
    assert [one.name.removeprefix(f"{shard}/") for one in found] == [
        *("000000000.jpg", "000000001.jpg", "sub/3.v2.jpg")
    ]
    assert [one.source for one in found] == [HOPPER, COLLINS, b"no picture"]
    assert found[0].beside == {"json": json.dumps(CAPTION).encode(), "txt": b"a portrait"}
    assert found[1].beside == {"json": json.dumps(CAPTION).encode()}
    assert count_images([shard.parent], Sampling()) == 3


def test_only_wanted_members_are_read(shard):
    found = list(named_images([shard], wanted=lambda name: name.endswith("1.jpg")))
    assert [one.source for one in found] == [COLLINS]


def test_a_name_that_comes_again_gets_a_number(tmp_path):
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as archive:
        for content in (HOPPER, COLLINS):
            info = tarfile.TarInfo("a.jpg")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    assert {one.name: one.source for one in named_images([path])} == {
        f"{path}/a.jpg": HOPPER, f"{path}/a.jpg (2)": COLLINS,
    }  # fmt: skip


@pytest.mark.parametrize("left", [3000, 512 + len(HOPPER) - 5, 512 * (2 + len(HOPPER) // 512)])
def test_a_shard_that_ends_too_early_gives_what_comes_before(tmp_path, left):
    """In the first picture, and just behind it."""
    path = write_tar(tmp_path / "a.tar", {"1.jpg": HOPPER, "2.jpg": COLLINS})
    path.write_bytes(path.read_bytes()[:left])
    *before, last = named_images([path])
    assert [one.source for one in before] == ([HOPPER] if left > len(HOPPER) + 512 else [])
    assert last.name == str(path) and "damaged" in error(last)


def test_damage_in_the_middle_is_told(tmp_path):
    path = write_tar(tmp_path / "a.tar", {"1.jpg": HOPPER, "2.jpg": COLLINS, "3.jpg": HOPPER})
    content = bytearray(path.read_bytes())
    second = 512 * (2 + len(HOPPER) // 512)
    content[second : second + 512] = b"x" * 512
    path.write_bytes(content)
    first, last = named_images([path])
    assert first.source == HOPPER and "damaged" in error(last)


@pytest.mark.parametrize("content", [b"", b"no tar at all"])
def test_a_file_that_is_no_tar_is_one_error(tmp_path, content):
    path = tmp_path / "a.tar"
    path.write_bytes(content)
    (found,) = named_images([path])
    assert found.name == str(path) and "damaged" in error(found)
    assert count_images([path], Sampling()) == 1


def test_a_member_that_is_too_large_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(tars, "MAX_MEMBER_BYTES", 1000)
    large, small = named_images([write_tar(tmp_path / "a.tar", {"1.jpg": HOPPER, "2.jpg": b"small"})])
    assert isinstance(large.source, ImageError) and large.source.code == "image_too_large"
    assert small.source == b"small"


def test_a_link_in_a_tar_leads_nowhere(tmp_path):
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as archive:
        link = tarfile.TarInfo("passwords.jpg")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    assert not list(named_images([path]))


HUGGING_FACE = {b"huggingface": json.dumps({"info": {"features": {"photo": {"_type": "Image"}}}}).encode()}


def test_a_table_of_hugging_face(tmp_path):
    photos = [{"bytes": HOPPER, "path": "h.jpg"}, {"bytes": None, "path": "gone.jpg"}, None]
    columns = {"mask": [b"1", b"2", b"3"], "label": [1, 2, 3], "photo": photos}
    table = pyarrow.table(columns).replace_schema_metadata(HUGGING_FACE)
    path = tmp_path / "train.parquet"
    parquet.write_table(table, path)
    first, second, third = named_images([path])
    assert first.name == f"{path}#row=0" and first.beside == {"json": b'{"label": 1}'}
    assert not isinstance(first.source, ImageError)
    assert np.array_equal(image.load(first.source), image.load(HOPPER))
    assert "gone.jpg" in error(second) and "empty" in error(third)
    assert count_images([path], Sampling()) == 3


@pytest.mark.parametrize("columns", [{"jpg": [COLLINS]}, {"x": [COLLINS]}, {"y": [b""], "png": [COLLINS]}])
def test_a_column_of_bytes(tmp_path, columns):
    path = tmp_path / "a.parquet"
    parquet.write_table(pyarrow.table(columns), path)
    assert [one.source for one in named_images([path])] == [COLLINS]


@pytest.mark.parametrize("columns", [{"image": ["a.jpg"]}, {"x": [b""], "y": [b""]}])
def test_a_table_without_pictures_says_what_it_lacks(tmp_path, columns):
    path = tmp_path / "a.parquet"
    parquet.write_table(pyarrow.table(columns), path)
    (found,) = named_images([path])
    assert found.name == str(path) and "no column of pictures" in error(found)
    assert count_images([path], Sampling()) == 1


def test_a_damaged_table_gives_what_comes_before(tmp_path):
    path = tmp_path / "a.parquet"
    table = pyarrow.table({"jpg": [HOPPER] * 40})
    parquet.write_table(table, path, row_group_size=20, compression="none", use_dictionary=False)
    content = bytearray(path.read_bytes())
    second = parquet.ParquetFile(path).metadata.row_group(1).column(0).data_page_offset
    content[second : second + 64] = b"\xff" * 64
    path.write_bytes(content)
    *before, last = named_images([path])
    assert len(before) >= 16 and all(one.source == HOPPER for one in before)
    assert last.name == str(path) and "damaged" in error(last)
    path.write_bytes(content[:1000])
    (found,) = named_images([path])
    assert "damaged" in error(found)
