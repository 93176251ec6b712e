"""The videos of a run and their segments, as report and demo draw them: a line of time with pictures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from importlib.resources import files
from typing import Any, NamedTuple

from faceqa.curation.report.template import template
from faceqa.curation.report.wording import PAGE_WORDS
from faceqa.curation.segments import Segment
from faceqa.curation.table import Row
from faceqa.curation.thumbnails import Key, data_url, key
from faceqa.languages import Language

STYLE = files(__package__).joinpath("films.css").read_text(encoding="utf-8")

MOST_SEGMENTS = 300
"""On the page, with their pictures; `segments.csv` tells all."""


class Shown(NamedTuple):
    """A segment on the line of time.

    Attributes:
        start: In percent of the video.
        width: Likewise.
        time: From when to when, for people.
        segment: The segment itself.
        picture: A data URL of its best face; None where the video can no longer be read.
    """

    start: float
    width: float
    time: str
    segment: Segment
    picture: str | None


class Film(NamedTuple):
    """A video: its name, the time of its last frame in seconds, its segments."""

    name: str
    seconds: float
    segments: list[Shown]


class Films:
    """The videos among the rows, which stream by once.

    Attributes:
        best: The rows of the best faces of the segments that are shown.
    """

    def __init__(self, segments: Iterable[Segment]):
        self._segments = list(segments)
        self._seconds: dict[str, float] = {}
        chosen = self._segments[:MOST_SEGMENTS]
        self._wanted = {(segment.best_frame, segment.best_face) for segment in chosen}
        self.best: list[Row] = []

    def add(self, row: Row) -> None:
        """Note a row."""
        if row.frame is not None:
            video, seconds, *_ = row.frame
            self._seconds[video] = max(seconds, self._seconds.get(video, 0.0))
        if key(row) in self._wanted:
            self.best.append(row)

    @property
    def left_out(self) -> int:
        """How many segments the page does not show."""
        return max(0, len(self._segments) - MOST_SEGMENTS)

    def shown(self, pictures: Mapping[Key, bytes]) -> Iterator[Film]:
        """The videos in their order, with pictures of the segments' best faces."""
        of_videos: dict[str, list[Segment]] = {video: [] for video in self._seconds}
        for segment in self._segments[:MOST_SEGMENTS]:
            of_videos.setdefault(segment.video, []).append(segment)
        for video, segments in of_videos.items():
            seconds = self._seconds[video]
            if segments or not self._segments:
                yield Film(video, seconds, [_shown(segment, seconds, pictures) for segment in segments])


def drawn(films: Iterable[Film], language: Language) -> str:
    """The videos as HTML in one language, as the report draws them; `STYLE` belongs to it."""

    def tell(name: str, **blanks: Any) -> str:
        return PAGE_WORDS[name].in_language(language).format(**blanks)

    return template("films.html.jinja").render(films=films, tell=tell)


def _shown(segment: Segment, seconds: float, pictures: Mapping[Key, bytes]) -> Shown:
    picture = pictures.get((segment.best_frame, segment.best_face))
    whole = max(seconds, 1e-3)
    return Shown(
        start=100 * segment.start_s / whole,
        width=100 * segment.seconds / whole,
        time=f"{clock(segment.start_s)} - {clock(segment.end_s)}",
        segment=segment,
        picture=None if picture is None else data_url(picture),
    )


def clock(seconds: float) -> str:
    """Minutes and seconds, and hours where there are any: 83.5 -> 1:23.5."""
    tenths = round(10 * seconds)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    start = f"{hours}:{minutes:02}" if hours else f"{minutes}"
    return f"{start}:{rest // 10:02}.{rest % 10}"
