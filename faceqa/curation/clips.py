"""Segments -> clips: the stretches of the videos, cut out without encoding them anew.

A stream can only begin at a key frame. So a clip begins at the first key frame inside its segment, or where
there is none at the last one before it; `Clip` says by how much it was rounded.
"""

from __future__ import annotations

import csv
import shutil
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from pathlib import Path

import av

from faceqa.curation.export import safe
from faceqa.curation.segments import Segment
from faceqa.curation.settings import Settings
from faceqa.curation.workplace import CLIPS
from faceqa.errors import ImageError
from faceqa.reading.sources import videos
from faceqa.reading.videos import opened

LIST = "clips.csv"
"""The file in the clips' folder."""

COLUMNS = ("clip", "video", "start_s", "end_s", "clip_start_s", "clip_end_s", "why_not")


HALF_A_MILLISECOND = 0.0005
"""Times of segments are rounded to milliseconds."""

AV_TICK = 1e-6
"""Seconds: FFmpeg's own unit of time, where a stream names none."""


@dataclass(frozen=True, slots=True)
class Clip:
    """What became of a segment.

    Attributes:
        segment: The segment.
        name: Of the file; empty where there is none.
        start_s: Time in the video of the clip's first frame, in seconds; None where there is no clip.
        end_s: Where its last frame ends; likewise.
        why_not: Why there is no clip, in a sentence; None where there is one.
    """

    segment: Segment
    name: str = ""
    start_s: float | None = None
    end_s: float | None = None
    why_not: str | None = None


def cut_clips(settings: Settings, out: Path, segments: Iterable[Segment]) -> list[Clip]:
    """Fill the folder `clips/` anew; the folder appears whole.

    Args:
        settings: Of the run.
        out: Its folder.
        segments: Of its videos.
    """
    scratch = out / f"{CLIPS}.part"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    of_videos = {name: list(found) for name, found in groupby(segments, attrgetter("video"))}
    clips: list[Clip] = []
    for name, path in videos(settings.paths, leave_out=out, root=settings.root):
        clips += _clips_of(path, of_videos.pop(name, []), scratch)
    gone = (segment for found in of_videos.values() for segment in found)
    clips += [Clip(segment, why_not="The video is no file on this machine any more.") for segment in gone]
    with (scratch / LIST).open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *map(_cells, clips)])
    shutil.rmtree(out / CLIPS, ignore_errors=True)
    scratch.replace(out / CLIPS)
    return clips


def _clips_of(path: Path, segments: list[Segment], folder: Path) -> Iterator[Clip]:
    """Cut the segments out of a video."""
    if not segments:
        return
    try:
        keys = _key_frames(path)
    except (ImageError, av.error.FFmpegError) as error:
        yield from (Clip(segment, why_not=f"The video cannot be read ({error}).") for segment in segments)
        return
    for segment in segments:
        name = safe(f"{path.stem}-{segment.start_s:.3f}-{segment.end_s:.3f}{path.suffix.lower()}")
        number = 1
        while (folder / name).exists():
            number += 1
            name = safe(
                f"{path.stem}-{segment.start_s:.3f}-{segment.end_s:.3f}-{number}{path.suffix.lower()}"
            )
        try:
            start, end = _cut(path, _begin(keys, segment), segment.end_s, folder / name)
        except (ImageError, av.error.FFmpegError, ValueError) as error:
            (folder / name).unlink(missing_ok=True)
            yield Clip(segment, why_not=f"The container does not take these streams as they are ({error}).")
        else:
            yield Clip(segment, name, round(start, 3), round(end, 3))


def _key_frames(path: Path) -> list[float]:
    """The times of a video's key frames, in seconds from its beginning; nothing is decoded."""
    with opened(path) as video:
        stream = video.streams.video[0]
        start = stream.start_time or 0
        return sorted(
            float((packet.pts - start) * packet.time_base)
            for packet in video.demux(stream)
            if packet.is_keyframe and packet.pts is not None and packet.time_base is not None
        )


def _begin(keys: list[float], segment: Segment) -> float:
    """The key frame where the clip of a segment begins."""
    place = bisect_left(keys, segment.start_s - HALF_A_MILLISECOND)
    inside = place < len(keys) and keys[place] < segment.end_s
    return keys[place] if inside or not place else keys[place - 1]


def _cut(path: Path, begin: float, end: float, target: Path) -> tuple[float, float]:
    """Copy the packets between two times, picture and sound.

    Args:
        path: Of the video.
        begin: Time of a key frame, in seconds.
        end: In seconds; the frame at this time is the last one.
        target: The file to write.

    Returns:
        Where the clip begins and ends in the video, in seconds.
    """
    with opened(path) as video, av.open(str(target.absolute()), "w") as clip:
        picture = video.streams.video[0]
        chosen = [picture, *video.streams.audio[:1]]
        copies = {stream.index: clip.add_stream_from_template(stream) for stream in chosen}
        tick = float(picture.time_base or AV_TICK)
        origin = (picture.start_time or 0) * tick
        video.seek(round((origin + begin) / tick), stream=picture, backward=True)
        last = begin
        for packet in video.demux(chosen):
            if packet.pts is None or packet.dts is None or packet.time_base is None:
                continue
            seconds = float(packet.pts * packet.time_base) - origin
            decoded = float(packet.dts * packet.time_base) - origin
            is_picture = packet.stream_index == picture.index
            if is_picture and decoded > end + HALF_A_MILLISECOND:
                break
            if seconds < begin - HALF_A_MILLISECOND or (not is_picture and seconds > end):
                continue
            if is_picture:
                last = max(last, seconds + float((packet.duration or 0) * packet.time_base))
            shift = round((origin + begin) / float(packet.time_base))
            packet.pts -= shift
            packet.dts -= shift
            packet.stream = copies[packet.stream_index]
            clip.mux(packet)
    return begin, last


def _cells(clip: Clip) -> list[object]:
    segment = clip.segment
    cells = (clip.name, segment.video, segment.start_s, segment.end_s, clip.start_s, clip.end_s, clip.why_not)
    return ["" if value is None else value for value in cells]
