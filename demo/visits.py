"""What visitors' pages show, kept on the server for a while, so that a reload brings it back.

A page makes up a key, which the browser's tab keeps (`assets/open.js`), and sends it with every event.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from demo.limits import LOOKED_THROUGH_EVERY, MOST_VISITS, SECONDS_KEPT
from faceqa import Policy

if TYPE_CHECKING:
    from demo.compare import Climbed, Shown
    from demo.curate import Curated
    from demo.photo import Held
    from faceqa import Assessment

FORGOTTEN_AFTER = 5.0
"""Seconds without a frame after which a camera is over."""


@dataclass
class Camera:
    """What the server knows of one camera; it changes with every frame.

    Attributes:
        frames: Of the last minute, oldest first: when it was judged, and its values by the names of
            `plots.CURVES`.
        best: The best frame's rank, its JPEG and its assessment.
        charted: When the chart was drawn.
        judged: When the last frame was judged.
        policy: What the frames are judged by.
    """

    frames: deque[tuple[float, dict[str, float | None]]] = field(default_factory=deque)
    best: tuple[tuple[Any, ...], bytes, Assessment] | None = None
    charted: float = 0.0
    judged: float = -math.inf
    policy: Policy = field(default_factory=Policy)


@dataclass
class Visit:
    """What one page shows.

    Attributes:
        held: The photo.
        compared: The photos side by side.
        climbed: The steps of the stress test.
        curated: The data set; its files go with the visit.
        asked: Whether the next one waits for its turn.
        running: Stands for the one that is being assessed; None where none is.
        camera: The frames of the Live tab.
        used: When the page last asked for anything, in seconds of `time.monotonic`.
    """

    held: Held | None = None
    compared: tuple[Shown, ...] = ()
    climbed: Climbed | None = None
    curated: Curated | None = None
    asked: bool = False
    running: object | None = None
    camera: Camera = field(default_factory=Camera)
    used: float = 0.0


class Visits:
    """The visits by their keys. Old ones go, and the oldest where there are too many.

    Args:
        forget: Called with each visit that goes.
    """

    def __init__(self, forget: Callable[[Visit], None]) -> None:
        self._forget = forget
        self._visits: dict[str, Visit] = {}
        self._lock = threading.Lock()

    def of(self, key: str) -> Visit:
        """The visit with a key; a new one where there is none. Without a key nothing is kept."""
        if not key:
            return Visit()
        with self._lock:
            visit = self._visits.pop(key, None) or Visit()
            visit.used = time.monotonic()
            self._visits[key] = visit  # at the end: the longest unused one stands first
        self.sweep()
        return visit

    def cameras(self) -> int:
        """How many cameras are judged at the moment."""
        with self._lock:
            cameras = [visit.camera for visit in self._visits.values()]
        return sum(time.monotonic() - camera.judged < FORGOTTEN_AFTER for camera in cameras)

    def sweep(self) -> None:
        """Let go what nobody used for `SECONDS_KEPT`."""
        with self._lock:
            old = [
                key
                for place, (key, visit) in enumerate(self._visits.items())
                if time.monotonic() - visit.used > SECONDS_KEPT or place < len(self._visits) - MOST_VISITS
            ]
            gone = [self._visits.pop(key) for key in old]
        for visit in gone:
            self._forget(visit)

    def sweep_now_and_then(self) -> None:
        """Look through the visits every `LOOKED_THROUGH_EVERY` seconds, as long as the process lives."""

        def look() -> None:
            while True:
                time.sleep(LOOKED_THROUGH_EVERY)
                self.sweep()

        threading.Thread(target=look, name="visits", daemon=True).start()
