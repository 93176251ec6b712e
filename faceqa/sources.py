"""Image, folder, zip or video -> named images, in an order that never changes.

Names are the path as it was given; what lies inside a file follows it: `album.zip/beach/1.jpg`, and for the
frame of a video its time in seconds and its number, `clip.mp4#t=12.480&frame=312`.

Archives are never unpacked to disk, so no member can escape to another folder. What cannot be read (a damaged
file, an encrypted member, an archive in an archive) is passed on as an image with the reason in its place, so
that it shows up among the results.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from cv2.utils import logging

from faceqa.errors import ImageError
from faceqa.image import IMAGE_SUFFIXES, MAX_BYTES_PER_PIXEL, MAX_EXTRA_BYTES, MAX_PIXELS, NamedImage

DEMUXERS = "asf,avi,flv,m4v,matroska,mov,mpeg,mpegts,mpegvideo,ogg"
"""FFmpeg's, for `VIDEO_SUFFIXES`. Its others read lists of files and addresses, whatever their names say."""

# Read when OpenCV opens the first video. What FFmpeg has to say of a damaged one would tear the progress
# bar to pieces.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
os.environ.setdefault("OPENCV_FFMPEG_CAPTURE_OPTIONS", f"format_whitelist;{DEMUXERS}|protocol_whitelist;file")

VIDEO_SUFFIXES = frozenset([
    ".3gp", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".ogv", ".ts",
    ".webm", ".wmv",
])  # fmt: skip

ZIP_SUFFIXES = frozenset([".cbz", ".zip"])

SUFFIXES = IMAGE_SUFFIXES | VIDEO_SUFFIXES | ZIP_SUFFIXES

MAX_MEMBER_BYTES = MAX_BYTES_PER_PIXEL * MAX_PIXELS + MAX_EXTRA_BYTES
"""The largest file that `image.load` reads."""

MAX_RATIO = 100
"""How many times larger than the archive its contents may be. Photos hardly shrink in a zip; uncompressed
bitmaps of drawings reach about 20."""

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


def named_images(
    paths: Iterable[str | Path],
    sampling: Sampling | None = None,
    wanted: Callable[[str], bool] = lambda name: True,
    leave_out: Path | None = None,
) -> Iterator[NamedImage]:
    """Every image of files, folders (recursive, hidden ones left out), zips and videos.

    A path that does not exist is passed on, so that it shows up as an error instead of being overlooked.

    Args:
        paths: As the caller names them.
        sampling: Of videos.
        wanted: By name, which images to read; the others are left out.
        leave_out: A folder that is not searched.
    """
    for path in source_files(paths, leave_out):
        if _is_file(path, ZIP_SUFFIXES):
            yield from _members(path, wanted)
        elif _is_file(path, VIDEO_SUFFIXES):
            yield from _frames(path, sampling or Sampling(), wanted)
        elif wanted(name := shown(path)):
            yield NamedImage(name, path)


def count_images(paths: Iterable[str | Path], sampling: Sampling, leave_out: Path | None = None) -> int:
    """About how many images `named_images` gives: near-identical frames are not known beforehand."""
    total = 0
    for path in source_files(paths, leave_out):
        if _is_file(path, ZIP_SUFFIXES):
            total += _member_count(path)
        elif _is_file(path, VIDEO_SUFFIXES):
            total += _frame_count(path, sampling)
        else:
            total += 1
    return total


def source_files(paths: Iterable[str | Path], leave_out: Path | None = None) -> Iterator[Path]:
    """Every file named, and every image, video and zip below every folder named, in order of name."""
    for path in map(Path, paths):
        if path.is_dir():
            yield from _files_below(path, leave_out and leave_out.resolve())
        else:
            yield path


def shown(path: Path) -> str:
    """A path as text; bytes that are no UTF-8 become escapes, so that it can be printed and stays unique."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _is_file(path: Path, suffixes: frozenset[str]) -> bool:
    """Whether it is one of these; opening a pipe would wait for its writer."""
    return path.suffix.lower() in suffixes and path.is_file()


def _files_below(folder: Path, leave_out: Path | None) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if hidden or path.suffix.lower() not in SUFFIXES or path.is_dir():
            continue
        if leave_out is None or leave_out not in Path(os.path.realpath(path)).parents:
            yield path


def _members(path: Path, wanted: Callable[[str], bool]) -> Iterator[NamedImage]:
    """The pictures of a zip, in the order of its directory."""
    try:
        archive = zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile, NotImplementedError) as error:
        yield NamedImage(shown(path), _unreadable(f"The zip archive cannot be opened ({error})."))
        return
    with archive:
        total = sum(member.file_size for member in archive.infolist())
        if total > MAX_MEMBER_BYTES and total > MAX_RATIO * path.stat().st_size:
            yield NamedImage(shown(path), _bomb(total, path.stat().st_size))
            return
        for name, member in _picture_members(shown(path), archive.infolist()).items():
            if wanted(name):
                yield NamedImage(name, _content(archive, member))


def _member_count(path: Path) -> int:
    try:
        with zipfile.ZipFile(path) as archive:
            return len(_picture_members("", archive.infolist()))
    except (OSError, zipfile.BadZipFile, NotImplementedError):
        return 1


def _picture_members(path: str, members: list[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
    """Pictures and archives in a zip, by name; a name that comes again gets a number."""
    named: dict[str, zipfile.ZipInfo] = {}
    for member in members:
        inside = _member_name(member)
        hidden = any(part.startswith((".", "__MACOSX")) for part in inside.split("/") if part != "..")
        suffix = Path(inside).suffix.lower()
        if member.is_dir() or hidden or suffix not in IMAGE_SUFFIXES | ZIP_SUFFIXES:
            continue
        name, number = f"{path}/{inside}", 1
        while name in named:
            number += 1
            name = f"{path}/{inside} ({number})"
        named[name] = member
    return named


def _member_name(member: zipfile.ZipInfo) -> str:
    """The name inside the archive; zips of other systems hold UTF-8 without saying so."""
    if member.flag_bits & 0x800:
        return member.filename
    try:
        return member.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return member.filename


def _content(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes | ImageError:
    if Path(member.filename).suffix.lower() in ZIP_SUFFIXES:
        return _unreadable("This is an archive inside an archive, which is not opened. Unpack it.")
    if member.flag_bits & 1:
        return _unreadable("The file is encrypted. Unpack the archive with its password.")
    if member.file_size > min(MAX_MEMBER_BYTES, MAX_RATIO * (2**20 + member.compress_size)):
        return _bomb(member.file_size, member.compress_size)
    try:
        return archive.read(member)
    except Exception as error:  # zlib.error, BadZipFile, EOFError, NotImplementedError ...
        return _unreadable(f"The file cannot be unpacked ({error}). The archive is damaged; make it again.")


def _bomb(size: int, packed: int) -> ImageError:
    return ImageError(
        "image_too_large",
        f"{packed / 1e6:.1f} MB would unpack to {size / 1e6:.0f} MB. They are not read; unpack the archive "
        f"yourself if you trust it.",
    )


def _unreadable(message: str) -> ImageError:
    return ImageError("unreadable_image", message)


def _frames(path: Path, sampling: Sampling, wanted: Callable[[str], bool]) -> Iterator[NamedImage]:
    """The frames of a video that `sampling` asks for, upright, RGB."""
    video = _opened(path)
    try:
        if not video.isOpened():
            yield NamedImage(
                shown(path), _unreadable("The video cannot be opened: it is damaged or of an unusual kind.")
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
                    name = f"{shown(path)}#t={seconds:.3f}&frame={number}"
                    if wanted(name):
                        yield NamedImage(name, cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))
            number += 1
        promised = video.get(cv2.CAP_PROP_FRAME_COUNT)
        if number < max(1, (1 - MISSING_SHARE) * promised):
            yield NamedImage(
                shown(path),
                _unreadable(f"The video ends after {number} of about {promised:.0f} frames: it is damaged."),
            )
    finally:
        video.release()


def _frame_count(path: Path, sampling: Sampling) -> int:
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
    told = logging.setLogLevel(logging.LOG_LEVEL_SILENT)
    try:
        return cv2.VideoCapture(str(path.absolute()), cv2.CAP_FFMPEG)
    finally:
        logging.setLogLevel(told)


def _cells(frame: np.ndarray) -> np.ndarray:
    """The frame's brightness, averaged in cells: float32 (36, 64)."""
    grey = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
    return cv2.resize(grey, (STILL_WIDTH, STILL_HEIGHT), interpolation=cv2.INTER_AREA).astype(np.float32)


def _changed(cells: np.ndarray, last: np.ndarray) -> bool:
    return bool(np.mean(np.abs(cells - last) > STILL_LEVELS) > STILL_SHARE)
