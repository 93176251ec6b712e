import os
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from conftest import EXAMPLES
from files import SIZE, encrypted, moving_square, turned_video, unflagged, write_video

from faceqa.errors import ImageError
from faceqa.reading import archives, image, videos
from faceqa.reading.frame_names import FrameName
from faceqa.reading.image import NamedImage
from faceqa.reading.sampling import Sampling
from faceqa.reading.sources import count_images, named_images, source_files

HOPPER = (EXAMPLES / "hopper.jpg").read_bytes()


def names(*paths, **options) -> list[str]:
    return [found.name for found in named_images(paths, **options)]


def pixels(found: NamedImage) -> np.ndarray:
    """What could be read."""
    assert not isinstance(found.source, ImageError), found.source
    return image.load(found.source)


def test_folders_are_searched_in_order_and_hidden_files_left_out(tmp_path):
    for name in ("b/2.PNG", "b/1.jpg", "a.webp", ".hidden.jpg", ".cache/x.jpg", "notes.txt", "b/c/3.heic"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    (tmp_path / "folder.jpg").mkdir()
    found = [path.relative_to(tmp_path).as_posix() for path in source_files([tmp_path])]
    assert found == ["a.webp", "b/1.jpg", "b/2.PNG", "b/c/3.heic"]


def test_the_output_folder_inside_the_source_is_left_out(tmp_path):
    for name in ("a.jpg", "out/kept/a.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(HOPPER)
    assert names(tmp_path, leave_out=tmp_path / "out") == [str(tmp_path / "a.jpg")]


def test_a_path_that_does_not_exist_is_passed_on():
    assert names("no/such.jpg", "no/such.zip", "no/such.mp4") == ["no/such.jpg", "no/such.zip", "no/such.mp4"]


def test_a_name_that_is_no_text_is_printable_and_unique(tmp_path):
    for name in (b"\xff.jpg", b"\xfe.jpg"):
        with open(bytes(tmp_path) + b"/" + name, "wb") as file:
            file.write(HOPPER)
    found = list(named_images([tmp_path]))
    assert [Path(one.name).name for one in found] == ["\\xfe.jpg", "\\xff.jpg"]
    assert all(pixels(one).shape == (600, 512, 3) for one in found)


@pytest.fixture
def album(tmp_path) -> Path:
    path = tmp_path / "album.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("beach/1.jpg", HOPPER)
        archive.writestr("../../escape.jpg", HOPPER)
        archive.writestr("/etc/absolute.jpg", HOPPER)
        archive.writestr("notes.txt", "no picture")
        archive.writestr("__MACOSX/._1.jpg", "resource fork")
        archive.writestr("inner.zip", "PK")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("beach/1.jpg", HOPPER)
    return path


def test_the_members_of_a_zip(album, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    found = {one.name.removeprefix(f"{album}/"): one.source for one in named_images([album])}
    assert list(found) == [
        *("beach/1.jpg", "../../escape.jpg", "/etc/absolute.jpg", "inner.zip", "beach/1.jpg (2)")
    ]
    assert found["../../escape.jpg"] == HOPPER
    assert isinstance(found["inner.zip"], ImageError) and "inside an archive" in found["inner.zip"].message
    assert sorted(tmp_path.rglob("*")) == before, "nothing is unpacked"
    assert count_images([album], Sampling()) == len(found)


def test_only_wanted_members_are_read(album):
    assert len(names(album, wanted=lambda name: name.endswith("escape.jpg"))) == 1


def test_a_name_in_utf8_without_the_flag(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("휴가.jpg", HOPPER)
    path.write_bytes(unflagged(path.read_bytes()))
    assert names(path) == [f"{path}/휴가.jpg"]


def test_an_encrypted_member_is_an_error_of_that_member(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("1.jpg", HOPPER)
    path.write_bytes(encrypted(path.read_bytes()))
    (found,) = named_images([path])
    assert isinstance(found.source, ImageError) and "encrypted" in found.source.message


def test_a_damaged_member_is_an_error_of_that_member(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("1.jpg", HOPPER)
        archive.writestr("2.jpg", HOPPER)
    content = bytearray(path.read_bytes())
    content[len(HOPPER) // 2] ^= 0xFF
    path.write_bytes(content)
    first, second = named_images([path])
    assert isinstance(first.source, ImageError) and second.source == HOPPER


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 and then nothing"])
def test_a_damaged_archive_is_one_error(tmp_path, content):
    path = tmp_path / "a.zip"
    path.write_bytes(content)
    (found,) = named_images([path])
    assert found.name == str(path) and isinstance(found.source, ImageError)
    assert count_images([path], Sampling()) == 1


def test_a_member_that_would_unpack_to_far_more_is_not_read(tmp_path):
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros.bmp", bytes(120 * 2**20))
        archive.writestr("1.jpg", HOPPER)
    bomb, harmless = named_images([path])
    assert isinstance(bomb.source, ImageError) and bomb.source.code == "image_too_large"
    assert harmless.source == HOPPER


def test_an_archive_of_many_such_members_is_not_opened(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MAX_MEMBER_BYTES", 2**20)
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(20):
            archive.writestr(f"{number}.bmp", bytes(2**19))
    (found,) = named_images([path])
    assert isinstance(found.source, ImageError) and found.source.code == "image_too_large"


@pytest.fixture
def clip(tmp_path) -> Path:
    return write_video(tmp_path / "clip.mp4", moving_square(30))


def test_frames_carry_their_time_and_number(clip):
    found = names(clip, sampling=Sampling(every=10))
    assert found == [f"{clip}#t={t:.3f}&frame={n}" for t, n in ((0, 0), (1, 10), (2, 20))]


def test_frames_are_rgb_and_whole(clip):
    first = pixels(next(named_images([clip])))
    assert first.shape == (SIZE[1], SIZE[0], 3)
    red, green, blue = first[80, 40].astype(int)
    assert red > 180 and green < 60 and blue < 60


@pytest.mark.parametrize(("fps", "count"), [(2, 6), (5, 15), (10, 30), (60, 30), (0.5, 2)])
def test_frames_a_second_go_by_the_time_stamps(clip, fps, count):
    found = names(clip, sampling=Sampling(fps=fps))
    assert len(found) == count
    assert count_images([clip], Sampling(fps=fps)) == pytest.approx(count, abs=1)


def test_near_identical_frames_are_taken_once(tmp_path):
    noise = np.random.default_rng(0)
    still = moving_square(1)[0]
    frames = [np.clip(still + noise.normal(0, 6, still.shape), 0, 255).astype(np.uint8) for _ in range(10)]
    path = write_video(tmp_path / "still.mp4", frames + moving_square(12)[10:])
    found = [FrameName.read(name) for name in names(path, sampling=Sampling(every=1))]
    assert [frame.number for frame in found if frame] == [0, 10, 11]
    assert len(names(path, sampling=Sampling(every=1, stills=True))) == 12


def test_a_video_that_was_held_upright_comes_upright(clip):
    clip.write_bytes(turned_video(clip.read_bytes()))
    first = pixels(next(named_images([clip])))
    assert first.shape == (SIZE[0], SIZE[1], 3)
    red = first[..., 0].astype(int) - first[..., 1] > 100
    rows, columns = np.nonzero(red)
    assert rows.mean() == pytest.approx(40, abs=3), "what was left is up"
    assert columns.mean() == pytest.approx(SIZE[1] - 80, abs=3), "what was up is right"


def test_a_video_that_breaks_off_gives_its_frames_and_is_reported(tmp_path, capfd):
    path = write_video(tmp_path / "clip.avi", moving_square(30), codec="MJPG")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    *frames, last = named_images([path], Sampling(every=1))
    assert 5 < len(frames) < 25 and all(isinstance(frame.source, np.ndarray) for frame in frames)
    assert isinstance(last.source, ImageError) and "of about 30 frames" in last.source.message
    assert capfd.readouterr().err == "", "FFmpeg says nothing into the progress bar"


@pytest.mark.parametrize("content", [b"", b"no video at all"])
def test_a_file_that_is_no_video_is_one_error(tmp_path, content):
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    (found,) = named_images([path])
    assert isinstance(found.source, ImageError) and found.name == str(path)


def test_a_video_of_sound_alone_is_one_error(tmp_path):
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as film:
        track = film.add_stream("aac", rate=16000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 16000
        film.mux([*track.encode(frame), *track.encode(None)])
    (found,) = named_images([path])
    assert isinstance(found.source, ImageError) and "no picture track" in found.source.message


def test_frames_too_large_are_one_error(clip, monkeypatch):
    monkeypatch.setattr(videos, "MAX_PIXELS", 1000)
    (found,) = named_images([clip])
    assert isinstance(found.source, ImageError) and found.source.code == "image_too_large"


def test_a_cut_begins_a_shot_and_a_moving_thing_does_not(tmp_path, hopper):
    """Three scenes of a second each: a square that travels, a portrait that brightens, the square again."""
    portrait = cv2.resize(hopper, SIZE)
    brighter = [cv2.convertScaleAbs(portrait, alpha=0.8 + 0.04 * step) for step in range(10)]
    path = write_video(tmp_path / "cuts.mp4", [*moving_square(10), *brighter, *moving_square(10)])
    found = [FrameName.read(name) for name in names(path, sampling=Sampling(every=1, stills=True))]
    assert [frame.shot for frame in found if frame] == 10 * [1] + 10 * [2] + 10 * [3]


@pytest.mark.parametrize("name", ["a.mp4#t=1.480&frame=37", "x#t=0.000&frame=0/b.mkv#t=2.000&frame=9&shot=3"])
def test_the_name_of_a_frame_says_what_it_is(name):
    frame = FrameName.read(name)
    assert frame is not None and str(frame) == name


@pytest.mark.parametrize("name", ["a.jpg", "a.mp4", "a.mp4#t=1.480&frame=37.jpg", "a.mp4#t=1&frame=37"])
def test_other_names_say_nothing(name):
    assert FrameName.read(name) is None


def test_opening_a_video_sets_nothing_of_the_process(clip):
    before = dict(os.environ)
    assert len(names(clip)) == 6 and dict(os.environ) == before


def test_videos_are_opened_by_many_threads_at_once(clip):
    before = dict(os.environ)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: len(names(clip)), range(32)))
    assert found == [6] * 32 and dict(os.environ) == before
