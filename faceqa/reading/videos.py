"""Video -> named frames, upright, RGB.

The frames that `Sampling` asks for; a video that ends too early is passed on as an image with the reason in
its place. Every frame is decoded, and each is compared with the one before: where the content jumps, a new
shot begins (PySceneDetect's content detector).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import cv2
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from faceqa.errors import ImageError
from faceqa.reading.frame_names import FrameName
from faceqa.reading.image import MAX_PIXELS, NamedImage, unreadable
from faceqa.reading.sampling import Sampling

OPTIONS = {
    "format_whitelist": "asf,avi,flv,m4v,matroska,mov,mpeg,mpegts,mpegvideo,ogg",
    "protocol_whitelist": "file",
}
"""FFmpeg's demuxers for `sampling.VIDEO_SUFFIXES`. Its others read lists of files and addresses, whatever
their names say."""

STILL_WIDTH, STILL_HEIGHT = 64, 36
"""Cells into which two frames are averaged to compare them."""

STILL_LEVELS = 4.0
"""Levels of 255 by which a cell must change to count; twice the noise that compression leaves in a cell of a
still scene."""

STILL_SHARE = 0.01
"""A frame in which fewer cells changed since the last one taken is near-identical to it. A face that fills an
eighth of the picture and turns by a few degrees changes more."""

CUT_WIDTH, CUT_HEIGHT = 128, 72
"""px to which frames are reduced to look for cuts."""

MISSING_SHARE = 0.1
"""A video that ends this much earlier than it says is reported as damaged; containers only estimate."""


def frames(path: Path, named: str, sampling: Sampling, wanted: Callable[[str], bool]) -> Iterator[NamedImage]:
    """The frames of a video that `sampling` asks for, upright, RGB.

    Args:
        path: Of the video.
        named: What it is called; see `frame_names` for the names of its frames.
        sampling: Which frames to take.
        wanted: By name, which of them to read.
    """
    try:
        with opened(path) as video:
            yield from _frames(video, named, sampling, wanted)
    except ImageError as error:
        yield NamedImage(named, error)


@contextmanager
def opened(path: Path) -> Iterator[InputContainer]:
    """A video that has a picture track.

    Raises:
        ImageError: `unreadable_image` or `image_too_large`.
    """
    try:
        video = av.open(str(path.absolute()), options=OPTIONS)  # a relative name could look like an address
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise unreadable("The video cannot be opened: it is damaged or of an unusual kind.") from error
    with video:
        if not video.streams.video:
            raise unreadable("The video has no picture track.")
        stream = video.streams.video[0]
        if (size := stream.codec_context.width * stream.codec_context.height) > MAX_PIXELS:
            raise ImageError(
                "image_too_large",
                f"The frames have {size / 1e6:.0f} megapixels; at most {MAX_PIXELS / 1e6:g} are read.",
            )
        yield video


def frame_count(path: Path, sampling: Sampling) -> int:
    """About how many images `frames` gives: near-identical frames are not known beforehand."""
    try:
        with opened(path) as video:
            stream = video.streams.video[0]
            step = sampling.every or max(1.0, float(stream.average_rate or 0) / sampling.fps)
            return max(1, round(_promised(video, stream) / step))
    except ImageError:
        return 1


def _frames(
    video: InputContainer, named: str, sampling: Sampling, wanted: Callable[[str], bool]
) -> Iterator[NamedImage]:
    stream = video.streams.video[0]
    stream.thread_type = "AUTO"
    full, shots = VideoReformatter(), _Shots()
    due, last, number = 0.0, None, -1
    for number, (seconds, frame) in enumerate(_decoded(video, stream)):
        shot = shots.of(number, frame)
        if number % sampling.every if sampling.every else seconds < due:
            continue
        due = (np.floor(seconds * sampling.fps + 1e-6) + 1) / sampling.fps - 1e-6
        picture = _upright(full.reformat(frame, format="rgb24").to_ndarray(), frame)
        cells = _cells(picture)
        if sampling.stills or last is None or _changed(cells, last):
            last = cells
            name = str(FrameName(named, seconds, number, shot))
            if wanted(name):
                yield NamedImage(name, picture)
    promised = _promised(video, stream)
    if number + 1 < max(1, (1 - MISSING_SHARE) * promised):
        raise unreadable(f"The video ends after {number + 1} of about {promised:.0f} frames: it is damaged.")


def _decoded(video: InputContainer, stream: VideoStream) -> Iterator[tuple[float, VideoFrame]]:
    """Every frame that can be decoded, with its time in seconds from the beginning."""
    start, rate = stream.start_time or 0, float(stream.average_rate or 25)
    number = 0
    packets = video.demux(stream)
    while True:
        try:
            packet = next(packets, None)
            found = [] if packet is None else packet.decode()
        except av.error.FFmpegError:  # a damaged piece: what follows may be whole
            continue
        if packet is None:
            return
        for frame in found:
            if frame.pts is None or frame.time_base is None:
                seconds = number / rate
            else:
                seconds = max(0.0, float((frame.pts - start) * frame.time_base))
            yield seconds, frame
            number += 1


def _promised(video: InputContainer, stream: VideoStream) -> float:
    """How many frames there should be, as far as the container says or lets estimate; else 0."""
    if stream.frames:
        return stream.frames
    seconds = (video.duration or 0) / av.time_base
    return seconds * float(stream.average_rate or 0)


class _Shots:
    """Counts the shots of a video, whose frames come one after the other."""

    def __init__(self) -> None:
        from scenedetect.detector import FlashFilter
        from scenedetect.detectors import ContentDetector

        self._detector = ContentDetector(min_scene_len=1, filter_mode=FlashFilter.Mode.SUPPRESS)
        self._small = VideoReformatter()
        self._cuts = 0

    def of(self, number: int, frame: VideoFrame) -> int:
        """The shot that a frame is in, from 1."""
        from scenedetect.common import FrameTimecode

        small = self._small.reformat(
            frame, CUT_WIDTH, CUT_HEIGHT, "bgr24", interpolation="FAST_BILINEAR"
        ).to_ndarray()
        self._cuts += len(self._detector.process_frame(FrameTimecode(number, fps=1.0), small))
        return self._cuts + 1


def _upright(picture: np.ndarray, frame: VideoFrame) -> np.ndarray:
    """RGB uint8 (H, W, 3), turned as players show the frame."""
    return np.ascontiguousarray(np.rot90(picture, round(frame.rotation / 90)))


def _cells(picture: np.ndarray) -> np.ndarray:
    """The frame's brightness, averaged in cells: float32 (36, 64)."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    return cv2.resize(grey, (STILL_WIDTH, STILL_HEIGHT), interpolation=cv2.INTER_AREA).astype(np.float32)


def _changed(cells: np.ndarray, last: np.ndarray) -> bool:
    return bool(np.mean(np.abs(cells - last) > STILL_LEVELS) > STILL_SHARE)
