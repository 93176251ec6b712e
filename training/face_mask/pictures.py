"""The faces to learn from: key, picture and kind, from the data sets named in README.md."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

HELD_OUT_SHARE = 10
"""One identity in this many is never trained on."""

GENERATED_PER_GROUP = 150
"""Of the 500 pictures of each of the eight groups of generated-faces."""

SMALL_FACES = 240
"""Of the 2,000 random-faces: they are only 256 px wide."""

# fmt: off
LONDON_OUTLINE = (109, 185, 110, 186, 111, *range(125, 134), 114, 188, 113, 187, 112, *range(144, 133, -1))
# fmt: on
"""The points of a London template (webmorph.org's 189-point scheme) that go around the face."""


@dataclass(frozen=True)
class Picture:
    """One face picture; `key` is the same on every machine and is one identity.

    Attributes:
        key: Source and file, with the place of the tile for contact sheets.
        source: Short name of the data set.
        image: RGB uint8 (H, W, 3).
        outline: The face's outline as marked by hand, (N, 2) px, where it was.
    """

    key: str
    source: str
    image: np.ndarray
    outline: np.ndarray | None = None

    @property
    def held_out(self) -> bool:
        """Whether it belongs to the slice that is never trained on: a fixed rule on the key."""
        return is_held_out(self.key)


def is_held_out(key: str) -> bool:
    """The fixed rule: the CRC-32 of the identity, modulo `HELD_OUT_SHARE`."""
    return zlib.crc32(key.encode()) % HELD_OUT_SHARE == 0


def generated(data: Path) -> Iterator[Picture]:
    """Faces of hmdghoul/generated-faces, the same number of each of its eight groups."""
    for group in sorted(path for path in (data / "generated-faces/images").glob("*/*") if path.is_dir()):
        for path in sorted(group.glob("*.jpg"))[:GENERATED_PER_GROUP]:
            yield Picture(path.name, "generated", read(path))


def sheets(data: Path, folder: str) -> Iterator[Picture]:
    """Faces on contact sheets."""
    for path in sorted((data / folder).glob("*.jpg")):
        for place, tile in tiles(read(path)):
            yield Picture(f"{path.stem}/{place}", folder.split("/")[0], tile)


def single(data: Path) -> Iterator[Picture]:
    """ai-faces, and some of the small random-faces."""
    for path in sorted((data / "ai-faces").glob("[0-9]*.jpg")):
        yield Picture(path.name, "ai-faces", read(path))
    for sex in ("man", "woman"):
        for path in sorted((data / "random-faces" / sex).glob("*.jpg"))[: SMALL_FACES // 2]:
            yield Picture(f"{sex}/{path.name}", "random", read(path))


def london(data: Path) -> Iterator[Picture]:
    """Real people, twice each; neutral, their outline was marked by hand."""
    for mood in ("neutral", "smiling"):
        for path in sorted((data / "webmorphR.stim/inst" / f"{mood}_front").glob("[0-9]*.jpg")):
            key = f"london/{path.stem.split('_')[0]}"
            template = path.with_suffix(".tem")
            marked = marked_outline(template) if template.is_file() else None
            yield Picture(key, "london", read(path), marked)


SOURCES: dict[str, Callable[[Path], Iterator[Picture]]] = {
    "SFHQ-T2I": lambda data: sheets(data, "SFHQ-T2I-dataset/figures"),
    "generated": generated,
    "london": london,
    "SFHQ": lambda data: sheets(data, "SFHQ-dataset/images"),
    "single": single,
}
"""Name -> all pictures of the data sets cloned into a folder, in a fixed order."""


def marked_outline(template: Path) -> np.ndarray:
    """The outline of a London template: hairline, edge of the cheeks before the ears, jaw; (N, 2) px."""
    lines = template.read_text().splitlines()
    points = [[float(value) for value in line.split()[:2]] for line in lines[1 : int(lines[0]) + 1]]
    return np.array(points)[list(LONDON_OUTLINE)]


def read(path: Path) -> np.ndarray:
    """RGB uint8 (H, W, 3)."""
    bgr = cv2.imread(str(path))
    if bgr is None:
        raise FileNotFoundError(f"{path} is not there, or no picture")
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


def tiles(sheet: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Cut a contact sheet with a dark ground into its square pictures, with their (row-column)."""
    grey = sheet.max(axis=2)
    ground = int(np.median(grey[:6]))
    columns = _runs(np.percentile(grey, 90, axis=0) > ground + 8, 150)
    if not columns:
        return
    side = float(np.median([stop - start for start, stop in columns]))
    rows = [
        (start, stop)
        for start, stop in _runs((grey > ground + 8).mean(axis=1) > 0.4, 150)
        if 0.85 < (stop - start) / side < 1.15
    ]
    for row, (top, bottom) in enumerate(rows):
        for column, (left, right) in enumerate(columns):
            if 0.85 < (right - left) / side < 1.15:
                yield f"{row}-{column}", sheet[top + 4 : bottom - 4, left + 4 : right - 4]


def _runs(mask: np.ndarray, shortest: int) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(int)))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a >= shortest]
