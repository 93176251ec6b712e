"""Video -> named frames, upright, RGB.

The frames that `Sampling` asks for; a video that ends too early is passed on as an image with the reason in
its place.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import cv2
import numpy as np
from cv2.utils import logging

from faceqa.reading.image import NamedImage, unreadable

DEMUXERS = "asf,avi,flv,m4v,matroska,mov,mpeg,mpegts,mpegvideo,ogg"
"""FFmpeg's, for `VIDEO_SUFFIXES`. Its others read lists of files and addresses, whatever their names say."""

FFMPEG_OPTIONS = {
    # FFmpeg would write its warnings of damaged videos into the progress bar.
    "OPENCV_FFMPEG_LOGLEVEL": "-8",
    "OPENCV_FFMPEG_CAPTURE_OPTIONS": f"format_whitelist;{DEMUXERS}|protocol_whitelist;file",
}
"""OpenCV takes them from the environment, and there alone; they are set while a video is being opened."""

_opening = Lock()

VIDEO_SUFFIXES = frozenset([
    ".3gp", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".ogv", ".ts",
    ".webm", ".wmv",
])  # fmt: skip

STILL_WIDTH, STILL_HEIGHT = 64, 36
"""Cells into which two frames are averaged to compare them."""

STILL_LEVELS = 4.0
"""Levels of 255 by which a cell must change to count; twice the noise that compression leaves in a cell of a
still scene."""

STILL_SHARE = 0.01
"""A frame in which fewer cells changed since the last one taken is near-identical to it. A face that fills an
eighth of the picture and turns by a few degrees changes more."""

MISSING_SHARE = 0.1
"""A video that ends this much earlier than it says is reported as damaged; containers only estimate."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """Which frames of a video to take.

    Attributes:
        fps: Frames a second at most, by their time stamps.
        every: Instead, every n-th frame.
        stills: Whether to take frames that are near-identical to the last one taken, too.
    """

    fps: float = 2.0
    every: int | None = None
    stills: bool = False


def frames(path: Path, named: str, sampling: Sampling, wanted: Callable[[str], bool]) -> Iterator[NamedImage]:
    """The frames of a video that `sampling` asks for, upright, RGB.

    Args:
        path: Of the video.
        named: What it is called; time and number follow in the names of its frames.
        sampling: Which frames to take.
        wanted: By name, which of them to read.
    """
    video = _opened(path)
    try:
        if not video.isOpened():
            yield NamedImage(
                named, unreadable("The video cannot be opened: it is damaged or of an unusual kind.")
            )
            return
        number, due, last = 0, 0.0, None
        while video.grab():
            seconds = video.get(cv2.CAP_PROP_POS_MSEC) / 1000
            taken = number % sampling.every == 0 if sampling.every else seconds >= due
            if taken:
                due = (np.floor(seconds * sampling.fps + 1e-6) + 1) / sampling.fps - 1e-6
                frame = video.retrieve()[1]
                cells = _cells(frame)
                if sampling.stills or last is None or _changed(cells, last):
                    last = cells
                    name = f"{named}#t={seconds:.3f}&frame={number}"
                    if wanted(name):
                        yield NamedImage(name, cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))
            number += 1
        promised = video.get(cv2.CAP_PROP_FRAME_COUNT)
        if number < max(1, (1 - MISSING_SHARE) * promised):
            yield NamedImage(
                named,
                unreadable(f"The video ends after {number} of about {promised:.0f} frames: it is damaged."),
            )
    finally:
        video.release()


def frame_count(path: Path, sampling: Sampling) -> int:
    """About how many images `frames` gives: near-identical frames are not known beforehand."""
    video = _opened(path)
    try:
        frames, fps = video.get(cv2.CAP_PROP_FRAME_COUNT), video.get(cv2.CAP_PROP_FPS)
    finally:
        video.release()
    step = sampling.every or max(1.0, fps / sampling.fps)
    return max(1, round(frames / step))


def _opened(path: Path) -> cv2.VideoCapture:
    # Frames come turned upright, as OpenCV does by default. The absolute path keeps FFmpeg from taking the
    # name for an address or a pattern.
    with _opening:
        told = logging.setLogLevel(logging.LOG_LEVEL_SILENT)
        before = {name: os.environ.get(name) for name in FFMPEG_OPTIONS}
        os.environ.update({name: value for name, value in FFMPEG_OPTIONS.items() if before[name] is None})
        try:
            return cv2.VideoCapture(str(path.absolute()), cv2.CAP_FFMPEG)
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
            logging.setLogLevel(told)


def _cells(frame: np.ndarray) -> np.ndarray:
    """The frame's brightness, averaged in cells: float32 (36, 64)."""
    grey = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
    return cv2.resize(grey, (STILL_WIDTH, STILL_HEIGHT), interpolation=cv2.INTER_AREA).astype(np.float32)


def _changed(cells: np.ndarray, last: np.ndarray) -> bool:
    return bool(np.mean(np.abs(cells - last) > STILL_LEVELS) > STILL_SHARE)
