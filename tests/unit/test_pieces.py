"""How a run is cut for many machines; no cluster is needed."""

import sys
from pathlib import Path

import pytest
from conftest import EXAMPLES
from files import zipped

from faceqa import CurationError, curate
from faceqa.curation.journal import SHARDS, read_rows
from faceqa.curation.runners import ray
from faceqa.curation.runners.ray import cut, write_shard
from faceqa.curation.settings import Settings
from faceqa.curation.table import Row

HOPPER = (EXAMPLES / "hopper.jpg").read_bytes()


def test_a_container_is_a_piece_and_so_are_so_many_files(tmp_path, monkeypatch):
    monkeypatch.setattr(ray, "FILES", 2)
    for name in ("a.jpg", "b.jpg", "c.jpg", "e.jpg", "out/f.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(HOPPER)
    (tmp_path / "d.zip").write_bytes(zipped({"1.jpg": HOPPER}))
    settings = Settings((str(tmp_path), str(tmp_path / "a.jpg"), "s3://photos/x.tar"))
    pieces = list(cut(settings, tmp_path / "out"))
    assert [[Path(str(place)).name for place in piece] for piece in pieces[:4]] == [
        *(["a.jpg", "b.jpg"], ["c.jpg"], ["d.zip"], ["e.jpg"])
    ]
    assert pieces[4:] == [[["s3://photos/x.tar", None]]]


def test_a_shard_is_whole_or_not_there(tmp_path):
    def rows():
        yield Row("a.jpg", "reject")
        raise KeyboardInterrupt

    (tmp_path / SHARDS).mkdir()
    with pytest.raises(KeyboardInterrupt):
        write_shard(tmp_path, 0, rows(), 1)
    assert not list((tmp_path / SHARDS).iterdir())


def test_without_ray_the_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    (tmp_path / "a.jpg").write_bytes(HOPPER)
    with pytest.raises(CurationError, match=r"pip install 'faceqa\[ray\]'") as caught:
        curate([tmp_path / "a.jpg"], tmp_path / "out", runner="ray")
    assert caught.value.code == "missing_package"
    assert not list(read_rows_of(tmp_path / "out"))


def read_rows_of(out: Path) -> list[Row]:
    return list(read_rows(out))


@pytest.mark.parametrize("options", [{"most": 3}, {"scorer": object()}])
def test_what_ray_cannot_do_is_said(tmp_path, options):
    with pytest.raises((CurationError, AttributeError)) as caught:
        curate([tmp_path], tmp_path / "out", runner="ray", **options)
    assert getattr(caught.value, "code", "") == "not_with_ray"
