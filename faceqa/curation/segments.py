"""Video -> segments: the stretches in which one face is good throughout.

A segment goes from one frame to the next as long as the same person's face passes the policy. It ends where a
frame lies between in which that face is missing or fails, with another person (SFace's cosine), and with a
cut. Frames that were left out as near-identical to the one before are as good as that one.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass
from itertools import groupby
from pathlib import Path

import numpy as np

from faceqa.curation.settings import Selection
from faceqa.curation.table import Row, cell, whole
from faceqa.reading.frame_names import FrameName

SAME_PERSON = 0.363
"""Cosine of two embeddings from which on they show one person: SFace's own threshold (OpenCV's face
recognition sample)."""

SEGMENTS = "segments.csv"
"""The file in the output folder."""

COLUMNS = ("video", "start_s", "end_s", "frames", "mean_cafi", "lowest_cafi", "best_frame", "best_face")


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a video in which one face is good throughout.

    Attributes:
        video: The video's name.
        start_s: Time of the first good frame, in seconds.
        end_s: Time of the last one.
        frames: How many frames were judged in it and are good.
        mean_cafi: Of these frames.
        lowest_cafi: Likewise.
        best_frame: Name of the one with the highest CAFI, of equals the first.
        best_face: Number of the face in it, 0 is the largest.
    """

    video: str
    start_s: float
    end_s: float
    frames: int
    mean_cafi: float
    lowest_cafi: float
    best_frame: str
    best_face: int

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return self.end_s - self.start_s


class _Track:
    """A segment in the making."""

    def __init__(self, name: FrameName, row: Row):
        self.name, self.row = name, row
        self._first = name
        self._scores: list[float] = []
        self._best = row
        self.extend(name, row)

    def extend(self, name: FrameName, row: Row) -> None:
        """Let a frame follow."""
        self.name, self.row = name, row
        score = row.cafi or 0.0
        if self._scores and score > max(self._scores):
            self._best = row
        self._scores.append(score)

    def segment(self) -> Segment:
        return Segment(
            video=self.name.video,
            start_s=self._first.seconds,
            end_s=self.name.seconds,
            frames=len(self._scores),
            mean_cafi=round(float(np.mean(self._scores)), 2),
            lowest_cafi=min(self._scores),
            best_frame=self._best.image,
            best_face=self._best.face_index or 0,
        )


def find_segments(rows: Iterable[Row], selection: Selection) -> Iterator[Segment]:
    """The segments of the videos among the rows, by beginning in each video, longer ones first.

    Near-duplicates and limits on how many faces are kept end no segment.

    Args:
        rows: The frames of a video in order. Where embeddings are missing all faces count as one person's.
        selection: What a good face is, and which segments to tell.
    """
    named = ((FrameName.read(row.image), row) for row in rows)
    frames = ((name, row.judged(selection.policy)) for name, row in named if name is not None)
    for _, of_video in groupby(frames, lambda frame: frame[0].video):
        found = (segment for segment in _of_video(of_video, selection.max_gap))
        yield from sorted(
            (segment for segment in found if segment.seconds >= selection.min_seconds),
            key=lambda segment: (segment.start_s, -segment.end_s, segment.best_frame, segment.best_face),
        )


def _of_video(frames: Iterable[tuple[FrameName, Row]], max_gap: float) -> Iterator[Segment]:
    """The segments of one video, in order of their ends."""
    tracks: list[_Track] = []  # those that the last frame went on with come first
    going_on = 0
    for name, faces in groupby(frames, lambda frame: frame[0]):
        open_ones = [
            track
            for place, track in enumerate(tracks)
            if track.name.shot == name.shot
            and (place < going_on or name.seconds - track.name.seconds <= max_gap)
        ]
        yield from (track.segment() for track in tracks if track not in open_ones)
        extended = []
        for row in (row for _, row in faces if row.verdict == "accept"):
            track = max(open_ones, key=lambda one: _alike(one.row, row), default=None)
            if track is not None and _alike(track.row, row) >= SAME_PERSON:
                open_ones.remove(track)
                track.extend(name, row)
            else:
                track = _Track(name, row)
            extended.append(track)
        tracks, going_on = [*extended, *open_ones], len(extended)
    yield from (track.segment() for track in tracks)


def _alike(one: Row, other: Row) -> float:
    """The cosine of two faces' embeddings; 1 where it is not known."""
    if one.embedding is None or other.embedding is None:
        return 1.0
    return float(one.embedding.astype(np.float32) @ other.embedding.astype(np.float32))


def write_segments(segments: Iterable[Segment], path: Path) -> None:
    """Write `SEGMENTS`, whole or not at all."""
    with whole(path) as scratch, scratch.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for segment in segments:
            writer.writerow([cell(value) for value in astuple(segment)])
