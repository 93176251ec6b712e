"""What a frame of a video is called: `clip.mp4#t=12.480&frame=312`, and after the first cut `&shot=2`.

Time in seconds and number of the frame, from 0; number of the shot, from 1, which is the first and not told.
"""

from __future__ import annotations

import re
from typing import NamedTuple, Self

_FORM = re.compile(
    r"(?P<video>.+)#t=(?P<seconds>\d+\.\d{3})&frame=(?P<number>\d+)(&shot=(?P<shot>\d+))?", re.S
)


class FrameName(NamedTuple):
    """A frame of a video.

    Attributes:
        video: The video's name.
        seconds: From its beginning.
        number: Of the frame, from 0.
        shot: Number of the shot, from 1.
    """

    video: str
    seconds: float
    number: int
    shot: int = 1

    @classmethod
    def read(cls, name: str) -> Self | None:
        """The inverse of `str`; None for the name of anything else."""
        found = _FORM.fullmatch(name)
        if found is None:
            return None
        return cls(found["video"], float(found["seconds"]), int(found["number"]), int(found["shot"] or 1))

    def __str__(self) -> str:
        shot = f"&shot={self.shot}" if self.shot > 1 else ""
        return f"{self.video}#t={self.seconds:.3f}&frame={self.number}{shot}"
