"""Segments of videos: where they begin and end, and the clips that are cut out of them."""

import csv
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from files import SIZE, moving_square

from faceqa import Policy
from faceqa.curation.clips import LIST, cut_clips
from faceqa.curation.segments import Segment, find_segments, write_segments
from faceqa.curation.settings import Selection, Settings
from faceqa.curation.table import Row, read_csv, write_csv
from faceqa.reading.frame_names import FrameName

ANNA, BERTA = np.eye(2, 8, dtype=np.float16)


def frame(
    seconds: float, who: np.ndarray | None = ANNA, cafi: float = 70, face: int = 0, shot=1, video="a.mp4"
) -> Row:
    """A face in a frame of a video of 10 frames a second; an empty frame where nobody is there."""
    name = str(FrameName(video, seconds, round(10 * seconds), shot))
    if who is None:
        return Row(name, "reject", reasons=("no_face",))
    scores = {"face_size": 300.0, "yaw": 0.0, "ser_fiq": 0.8, "occlusion": 0.0, "dbcnn": cafi}
    return Row(name, "accept", face_index=face, cafi=cafi, scores=scores, embedding=who)


def spans(rows: list[Row], **options) -> list[tuple[float, float]]:
    found = find_segments(rows, Selection(**{"min_seconds": 0.0, **options}))
    return [(segment.start_s, segment.end_s) for segment in found]


def test_a_segment_tells_what_lies_in_it():
    rows = [frame(0.5, cafi=60), frame(1, cafi=80), frame(1.5, cafi=70), frame(2, cafi=80)]
    (found,) = find_segments(rows, Selection())
    assert found == Segment("a.mp4", 0.5, 2.0, 4, 72.5, 60.0, "a.mp4#t=1.000&frame=10", 0)


@pytest.mark.parametrize(
    ("bad", "why"),
    [(frame(2, None), "no face"), (frame(2, cafi=30), "a bad one"), (frame(2, BERTA), "another person")],
)
def test_it_ends_where_the_face_is_gone_or_bad_and_with_another_person(bad, why):
    rows = [frame(0), frame(1), bad, frame(3), frame(4)]
    found = [span for span in spans(rows) if span != (2.0, 2.0)]
    assert found == [(0.0, 1.0), (3.0, 4.0)], why
    bridged = [span for span in spans(rows, max_gap=2) if span != (2.0, 2.0)]
    assert bridged == [(0.0, 4.0)], "a gap of so many seconds is allowed"
    assert [span for span in spans(rows, max_gap=1.9) if span != (2.0, 2.0)] == found


def test_a_cut_ends_one_whatever_the_gap():
    rows = [frame(0), frame(1), frame(2, shot=2), frame(3, shot=2)]
    assert spans(rows, max_gap=9) == [(0.0, 1.0), (2.0, 3.0)]


def test_frames_that_were_left_out_as_near_identical_are_no_gap():
    assert spans([frame(0), frame(60)]) == [(0.0, 60.0)]


def test_short_ones_are_left_out():
    rows = [frame(0), frame(1), frame(2, None), frame(3), frame(5)]
    assert spans(rows, min_seconds=1.5) == [(3.0, 5.0)]


def test_two_people_in_one_picture_have_segments_of_their_own():
    rows = [
        *(frame(0, ANNA, 70, 0), frame(0, BERTA, 60, 1)),
        *(frame(1, BERTA, 61, 0), frame(1, ANNA, 71, 1)),  # the larger face is now another one
        *(frame(2, ANNA, 72, 0), frame(2, BERTA, 20, 1)),
        frame(3, ANNA, 73),
    ]
    found = list(find_segments(rows, Selection(min_seconds=0)))
    assert [(one.start_s, one.end_s, one.mean_cafi) for one in found] == [(0, 3, 71.5), (0, 1, 60.5)]


def test_videos_do_not_touch_and_photos_have_none():
    rows = [frame(0), frame(1), frame(0, video="b.mp4"), frame(1, video="b.mp4"), Row("c.jpg", "error")]
    assert [one.video for one in find_segments(rows, Selection())] == ["a.mp4", "b.mp4"]


def test_policy_decides_and_limits_do_not():
    rows = [frame(0, cafi=60), frame(1, cafi=70), frame(2, cafi=60)]
    assert spans(rows, policy=Policy(cafi_threshold=65)) == [(1.0, 1.0)]
    assert spans(rows, keep_top=1, unique=True) == [(0.0, 2.0)]


def test_tables_say_time_number_and_shot(tmp_path):
    write_csv([frame(1.5, shot=2), Row("c.jpg", "error")], tmp_path / "scores.csv")
    with (tmp_path / "scores.csv").open(newline="") as file:
        first, second = csv.DictReader(file)
    assert (first["time_s"], first["frame"], first["shot"]) == ("1.5", "15", "2")
    assert (second["time_s"], second["frame"], second["shot"]) == ("", "", "")
    assert [row.image for row in read_csv(tmp_path / "scores.csv")] == [
        "a.mp4#t=1.500&frame=15&shot=2",
        "c.jpg",
    ]


def test_segments_are_written_as_a_table(tmp_path):
    write_segments(find_segments([frame(0), frame(1)], Selection()), tmp_path / "segments.csv")
    assert (tmp_path / "segments.csv").read_text().splitlines() == [
        "video,start_s,end_s,frames,mean_cafi,lowest_cafi,best_frame,best_face",
        "a.mp4,0.0,1.0,2,70.0,70.0,a.mp4#t=0.000&frame=0,0",
    ]


# Clips


def film(path: Path, key_every: int, frames: int = 40) -> Path:
    """Ten frames a second, a key frame every so many, with sound."""
    with av.open(str(path), "w") as written:
        picture = written.add_stream(
            "mpeg4", rate=10, options={"g": str(key_every), "sc_threshold": "1000000000"}
        )
        picture.width, picture.height = SIZE
        sound = written.add_stream("aac", rate=16000, layout="mono")
        for shown in moving_square(frames):
            written.mux(picture.encode(av.VideoFrame.from_ndarray(shown, format="rgb24")))
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1600 * frames), np.float32), "fltp", "mono")
        silence.sample_rate = 16000
        written.mux([*picture.encode(None), *sound.encode(silence), *sound.encode(None)])
    return path


def square_at(shown: av.VideoFrame) -> float:
    """Where the red square of `moving_square` begins, in px."""
    red = cv2.split(shown.to_ndarray(format="rgb24"))[0][80]
    return float(np.flatnonzero(red > 170)[0])


def segment(path: Path, start: float, end: float) -> Segment:
    return Segment(str(path), start, end, 2, 70.0, 60.0, f"{path}#t=0.000&frame=0", 0)


@pytest.mark.parametrize(
    ("key_every", "start", "expected", "rounded"),
    [(1, 1.0, 1.0, "nowhere"), (4, 1.0, 1.2, "forward"), (40, 1.0, 0.0, "back")],
)
def test_a_clip_begins_at_a_key_frame_and_says_where(tmp_path, key_every, start, expected, rounded):
    path = film(tmp_path / "a.mp4", key_every)
    (clip,) = cut_clips(Settings((str(path),)), tmp_path, [segment(path, start, 2.0)])
    assert clip.why_not is None and clip.start_s == pytest.approx(expected, abs=0.001), rounded
    assert clip.end_s == pytest.approx(2.1, abs=0.001), "its last frame ends there"
    with av.open(str(tmp_path / "clips" / clip.name)) as cut:
        shown = list(cut.decode(video=0))
        assert len(cut.streams.audio) == 1
    assert len(shown) == round(10 * (2.1 - expected))
    assert square_at(shown[0]) == pytest.approx(8 * 10 * expected, abs=2)
    assert float(shown[0].time or 0) == pytest.approx(0, abs=0.11)
    with (tmp_path / "clips" / LIST).open(newline="") as file:
        (line,) = csv.DictReader(file)
    assert line["clip"] == clip.name and float(line["clip_start_s"]) == pytest.approx(expected, abs=0.001)


def test_pictures_are_copied_bit_by_bit(tmp_path):
    path = film(tmp_path / "a.mp4", 4)
    (clip,) = cut_clips(Settings((str(path),)), tmp_path, [segment(path, 1.2, 2.0)])
    with av.open(str(path)) as whole, av.open(str(tmp_path / "clips" / clip.name)) as cut:
        originals = [bytes(packet) for packet in whole.demux(video=0) if packet.size]
        copied = [bytes(packet) for packet in cut.demux(video=0) if packet.size]
    assert copied == originals[12:21]


def test_a_video_that_is_gone_or_broken_is_told(tmp_path):
    broken = tmp_path / "b.mp4"
    broken.write_bytes(b"no video")
    gone = tmp_path / "c.mp4"
    segments = [segment(broken, 0, 1), segment(gone, 0, 1)]
    clips = cut_clips(Settings((str(broken),)), tmp_path, segments)
    assert [clip.name for clip in clips] == ["", ""]
    assert "cannot be read" in (clips[0].why_not or "") and "no file" in (clips[1].why_not or "")
