"""Sources by address, on an S3 server and a web server of this machine."""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from checkout import free_port, serving
from conftest import EXAMPLES
from files import moving_square, write_video, zipped

from faceqa import ImageError, RemoteError
from faceqa.reading import image, remote
from faceqa.reading.image import NamedImage
from faceqa.reading.remote import RemoteFile
from faceqa.reading.sampling import Sampling
from faceqa.reading.sources import count_images, named_images

fsspec = pytest.importorskip("fsspec", reason="the extra 'remote' is not installed")

PHOTOS = ("b/2.JPG", "b-c/1.jpg", "a.jpg")
"""Of the album; the photos are different ones."""


@pytest.fixture(scope="module", autouse=True)
def album(s3) -> None:
    """Photos in the bucket `photos`."""
    files = fsspec.filesystem("s3", endpoint_url=s3)
    files.mkdir("photos")
    for name, photo in zip(PHOTOS, ("hopper", "collins", "no_face"), strict=True):
        files.put(str(EXAMPLES / f"{photo}.jpg"), f"photos/album/{name}")
    for name in (".hidden/a.jpg", "notes.txt"):
        files.pipe(f"photos/album/{name}", b"no picture")


def pixels(found: NamedImage) -> np.ndarray:
    assert not isinstance(found.source, ImageError)
    return image.load(found.source)


def sources(*addresses: str) -> dict[str, NamedImage]:
    return {found.name: found for found in named_images(addresses)}


def test_a_bucket_is_read_like_a_folder(line, tmp_path):
    for name in PHOTOS:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    here = [found.name for found in named_images([tmp_path])]
    found = sources("s3://photos/album")
    assert [name.removeprefix("s3://photos/album/") for name in found] == [
        name.removeprefix(f"{tmp_path}/") for name in here
    ], "in the same order"
    assert list(found) == list(sources("s3://photos/album/"))
    photo = pixels(found["s3://photos/album/b/2.JPG"])
    assert np.array_equal(photo, image.load(EXAMPLES / "hopper.jpg"))
    assert count_images(["s3://photos/album"], Sampling()) == 3


def test_nothing_is_fetched_before_it_is_read(line):
    found = sources("s3://photos/album/a.jpg", "s3://photos/album/b/2.JPG")
    assert len(found) == 2 and line.connections == 0


def test_what_is_not_there_is_an_image_with_the_reason(line):
    for address in ("s3://photos/none.jpg", "s3://nobody/", "s3://nobody/a.jpg", "s3://photos/nowhere"):
        (found,) = named_images([address])
        with pytest.raises(ImageError, match="no file or folder") as caught:
            pixels(found)
        assert (found.name, caught.value.code) == (address, "unreadable_image")


def test_a_container_is_read_from_a_copy_that_does_not_stay(line, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    files = fsspec.filesystem("s3")
    hopper = (EXAMPLES / "hopper.jpg").read_bytes()
    files.pipe("photos/more/a.zip", zipped({"beach/1.jpg": hopper}))
    clip = write_video(tmp_path / "clip.mp4", moving_square(30))
    files.put(str(clip), "photos/more/clip.mp4")
    clip.unlink()
    found = sources("s3://photos/more", "s3://photos/gone.zip")
    assert found["s3://photos/more/a.zip/beach/1.jpg"].source == hopper
    assert "s3://photos/more/clip.mp4#t=1.000&frame=10" in found
    gone = found["s3://photos/gone.zip"].source
    assert isinstance(gone, ImageError) and "no file or folder" in gone.message
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_too_large_is_not_fetched_whole(line):
    files = fsspec.filesystem("s3")
    files.pipe("photos/large/a.jpg", bytes(3 * 2**20))
    (known,) = named_images(["s3://photos/large"])
    for file in (known.source, RemoteFile("s3://photos/large/a.jpg")):
        assert isinstance(file, RemoteFile) and len(file.read(most=2**20)) == 2**20 + 1


@pytest.mark.parametrize("most", [200, 20_000])
def test_a_line_that_breaks_loses_no_picture(line, most):
    line.cut = lambda number: most if number % 3 == 0 else None
    found = list(named_images(["s3://photos/album"]))
    assert [pixels(one).shape for one in found] == [(400, 600, 3), (600, 512, 3), (512, 512, 3)]
    assert line.connections > 1


def test_a_line_that_stays_broken_is_an_error_and_no_bad_picture(line, monkeypatch):
    monkeypatch.setattr(remote, "TRIES", 2)
    found = list(named_images(["s3://photos/album"]))
    line.is_down = True
    for ask in (lambda: pixels(found[0]), lambda: list(named_images(["s3://photos/album"]))):
        with pytest.raises(RemoteError, match=r"connection to s3://photos/album.* is lost") as caught:
            ask()
        assert caught.value.code == "unreachable"


def test_without_rights_there_is_a_reason(line, monkeypatch):
    def refused(*_, **__):
        raise PermissionError("Access Denied")

    monkeypatch.setattr("s3fs.S3FileSystem.find", refused)
    monkeypatch.setattr("s3fs.S3FileSystem.info", refused)
    (found,) = named_images(["s3://photos/album"])
    with pytest.raises(ImageError, match="no permission to read s3://photos/album"):
        pixels(found)


def test_an_address_of_an_unknown_kind_is_an_error():
    with pytest.raises(RemoteError) as caught:
        list(named_images(["s4://photos/album"]))
    assert caught.value.code == "unknown_protocol"


def test_a_package_that_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(RemoteError, match=r"pip install 'faceqa\[remote\]'") as caught:
        list(named_images(["s3://photos/album"]))
    assert caught.value.code == "missing_package"


@pytest.fixture
def web(tmp_path) -> Iterator[str]:
    """A web server that shows a folder of photos as an index."""
    (tmp_path / "album" / "sub").mkdir(parents=True)
    (tmp_path / "album" / "sub" / "1.jpg").write_bytes((EXAMPLES / "hopper.jpg").read_bytes())
    (tmp_path / "album" / "notes.txt").write_text("no picture")
    port = free_port()
    command = [sys.executable, "-m", "http.server", "-b", "127.0.0.1", str(port)]
    with serving(command, port, cwd=tmp_path, stderr=-3) as address:
        yield address


def test_a_web_server_is_read_by_its_index(web):
    address = f"{web}album/"
    (found,) = named_images([address])
    assert found.name == f"{address}sub/1.jpg"
    assert pixels(found).shape == (600, 512, 3)
    for one in (f"{web}album/sub/1.jpg", f"{web}album/sub/1.jpg?signed=yes"):
        (found,) = named_images([one])
        assert pixels(found).shape == (600, 512, 3)
    for name in ("none.jpg", "none/"):
        (found,) = named_images([web + name])
        with pytest.raises(ImageError, match="no file or folder"):
            pixels(found)


def test_a_path_with_a_colon_is_no_address(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("s3:").mkdir()
    Path("s3:/a.jpg").write_bytes((EXAMPLES / "hopper.jpg").read_bytes())
    assert [found.source for found in named_images(["s3:/a.jpg"])] == [Path("s3:/a.jpg")]
