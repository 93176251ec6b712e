"""Which files are videos, and which of their frames to take; FFmpeg is not loaded for that."""

from __future__ import annotations

from dataclasses import dataclass

VIDEO_SUFFIXES = frozenset([
    ".3gp", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".ogv", ".ts",
    ".webm", ".wmv",
])  # fmt: skip


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
