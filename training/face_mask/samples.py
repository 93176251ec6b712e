"""Prepared faces -> training samples: covered, framed anew, lit and spoiled, with their exact labels."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

sys.path.append(str(Path(__file__).parents[2]))

from training.face_mask import occluders
from training.face_mask.occluders import Layer, Scene, Supply
from training.face_mask.prepare import REACH, SIDE
from training.face_mask.turn import outline_mask

COVERS: tuple[tuple[Callable[[Scene], Layer | None], float, float], ...] = (
    (occluders.surgical_mask, 0.17, 1),
    (occluders.template_mask, 0.07, 1),
    (occluders.sunglasses, 0.13, 1),
    (occluders.clear_glasses, 0.05, 0),
    (occluders.hand, 0.14, 1),
    (occluders.thing, 0.10, 1),
    (occluders.microphone, 0.04, 1),
    (occluders.scarf, 0.05, 1),
    (occluders.hat, 0.10, 1),
    (occluders.hair, 0.16, 1),
)
"""Drawer, its share of the samples, and whether what it covers is no longer visible. A sample may have
several; about half have none that covers."""

TURNED_WEIGHT = 0.5
"""How often a turned rendering is drawn, over a photograph."""


SUNGLASSES_WEIGHT = 4
"""How often a photograph with real sunglasses is drawn, over another one."""

HIDDEN_FOREHEAD = 0.6
"""Share of the forehead above the mesh under a hat or a fringe from which on the outline ends where the mesh
does, as it does under the hats and fringes of the photographs."""


@dataclass(frozen=True)
class Sample:
    """One training sample.

    Attributes:
        image: RGB uint8 (S, S, 3).
        outline: uint8 0..255 (S, S).
        visible: uint8 0..255 (S, S).
        known: Whether `visible` is labelled.
        kind: "plain" or the name of what covers most.
    """

    image: np.ndarray
    outline: np.ndarray
    visible: np.ndarray
    known: bool
    kind: str


class Faces:
    """The arrays that prepare.py wrote, of the training part or of the held-out part."""

    def __init__(self, folder: Path, data: Path, held_out: bool):
        shards = sorted(path.parent for path in folder.glob("*/table.npz"))
        tables = [dict(np.load(shard / "table.npz")) for shard in shards]
        columns = ("points", "source", "held_out", "yaw", "known", "marked", "turned", "sunglasses")
        self.table = {name: np.concatenate([table[name] for table in tables]) for name in columns}
        self._triangles = tables[0]["triangles"]
        self._images = [np.load(shard / "images.npy", mmap_mode="r") for shard in shards]
        self._labels = [np.load(shard / "labels.npy", mmap_mode="r") for shard in shards]
        self._starts = np.cumsum([0, *map(len, self._images)])
        self.supply = Supply(data, held_out)
        self.rows = np.flatnonzero(self.table["held_out"] == held_out)
        weight = np.where(self.table["turned"][self.rows], TURNED_WEIGHT, 1.0)
        weight *= np.where(np.abs(self.table["yaw"][self.rows]) > 25, 1.7, 1.0)
        weight *= np.where(self.table["source"][self.rows] == "SFHQ-T2I-dataset", 1.5, 1.0)
        weight *= np.where(self.table["source"][self.rows] == "london", 2.0, 1.0)
        weight *= np.where(self.table["sunglasses"][self.rows], SUNGLASSES_WEIGHT, 1.0)
        self._odds = weight / weight.sum()

    def _read(self, row: int) -> tuple[np.ndarray, np.ndarray]:
        """Copies of the image (H, W, 3) and of the labels outline, visible and photo (3, H, W)."""
        shard = int(np.searchsorted(self._starts, row, side="right")) - 1
        index = row - self._starts[shard]
        return np.array(self._images[shard][index]), np.moveaxis(np.array(self._labels[shard][index]), -1, 0)

    def draw(self, rng: np.random.Generator) -> int:
        """A random row."""
        return int(rng.choice(self.rows, p=self._odds))

    def sample(
        self, row: int, rng: np.random.Generator, size: int, cover: bool = True, spoilt: bool = True
    ) -> Sample:
        """A sample of side `size` from a row of the arrays, other in every call.

        Without `spoilt` it keeps the light and quality of the photograph and is framed about as it was.
        """
        image, (outline, visible, photo) = self._read(row)
        visible = np.minimum(visible, outline)
        scene = Scene(image, self.table["points"][row], float(self.table["yaw"][row]), rng, self.supply)
        image = _background(scene, image, photo, outline, bool(self.table["turned"][row]))
        kind = "plain"
        if spoilt and rng.random() < 0.08:
            image = self._stranger(scene, image, outline, visible)
        if cover:
            mesh = outline_mask(scene.points, self._triangles, scene.shape)
            image, outline, visible, kind = covered(scene, image, outline, visible, mesh)
        jitter = 1.0 if spoilt else 0.25
        image, outline, visible = _frame(image, outline, visible, rng, size, jitter)
        if spoilt:
            image = spoil(image, rng)
        return Sample(image, outline, visible, bool(self.table["known"][row]), kind)

    def crop(self, row: int, size: int) -> Sample:
        """The face as it was photographed, framed like `alignment.crop_face` frames it."""
        start = round(SIDE * (1 - 1 / REACH) / 2)
        window = (slice(start, SIDE - start), slice(start, SIDE - start))
        image, labels = self._read(row)
        image, outline, visible = (cv2.resize(p[window], (size, size)) for p in (image, *labels[:2]))
        return Sample(image, outline, visible, bool(self.table["known"][row]), "plain")

    def _stranger(
        self, scene: Scene, image: np.ndarray, outline: np.ndarray, visible: np.ndarray
    ) -> np.ndarray:
        """Another face beside or behind this one, never before it."""
        other = self.draw(scene.rng)
        place = scene.centre + scene.across * scene.rng.choice([-1, 1]) * scene.size * scene.rng.uniform(
            0.85, 1.2
        )
        place = place + scene.up * scene.rng.uniform(-0.3, 0.3) * scene.size
        factor = scene.rng.uniform(0.5, 1.0)
        points = self.table["points"][other]
        shift = place - factor * points[4, :2]
        matrix = np.array([[factor, 0, shift[0]], [0, factor, shift[1]]])
        picture, labels = self._read(other)
        picture = cv2.warpAffine(picture, matrix, (SIDE, SIDE))
        alpha = cv2.dilate(labels[0], np.ones((9, 9)), iterations=4)
        alpha = cv2.warpAffine(alpha, matrix, (SIDE, SIDE))
        keep = cv2.dilate(outline, np.ones((9, 9)), iterations=4)
        alpha = cv2.GaussianBlur(cv2.bitwise_and(alpha, cv2.bitwise_not(keep)), (0, 0), 2)
        alpha = alpha.astype(np.float32)[..., None] / 255
        return (image * (1 - alpha) + picture * alpha).astype(np.uint8)


def covered(
    scene: Scene, image: np.ndarray, outline: np.ndarray, visible: np.ndarray, mesh: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, str]:
    """Lay none, one or several things over the face; `mesh` is what the mesh covers, 0 or 255 (H, W)."""
    rng = scene.rng
    result: np.ndarray = image.astype(np.float32)
    seen: np.ndarray = visible.astype(np.float32)
    forehead = outline * (1 - mesh.astype(np.float32) / 255)
    kind, most = "plain", 0.03
    for drawer, share, covers in COVERS:
        if rng.random() >= share:
            continue
        layer = drawer(scene)
        if layer is None:
            continue
        colour, alpha = layer
        alpha = cv2.GaussianBlur(alpha, (0, 0), rng.uniform(0.4, 1.5))
        if rng.random() < 0.4:
            dx, dy = rng.uniform(-0.05, 0.05, 2) * scene.size
            shadow = cv2.warpAffine(alpha, np.array([[1, 0, dx], [0, 1, dy]]), scene.shape[::-1])
            shadow = cv2.GaussianBlur(shadow, (0, 0), scene.size * rng.uniform(0.01, 0.05))
            result *= 1 - rng.uniform(0.1, 0.5) * shadow[..., None]
        result = result * (1 - alpha[..., None]) + colour.clip(0, 255) * alpha[..., None]
        if covers:
            before = seen.sum()
            seen = seen * (1 - alpha)
            taken = float((before - seen.sum()) / max(1.0, float(outline.sum())))
            if taken > most:
                kind, most = drawer.__name__, taken
        hides_hairline = drawer in (occluders.hat, occluders.hair)
        if hides_hairline and (forehead * alpha).sum() > HIDDEN_FOREHEAD * forehead.sum():
            outline = outline & mesh
    seen = np.minimum(seen, outline).astype(np.uint8)
    return result.clip(0, 255).astype(np.uint8), outline, seen, kind


def _background(
    scene: Scene, image: np.ndarray, photo: np.ndarray, outline: np.ndarray, turned: bool
) -> np.ndarray:
    """Fill what lies beyond the photo, and sometimes replace what lies far from the head."""
    rng = scene.rng
    fill = photo == 0
    if fill.any() and (turned or rng.random() < 0.6):
        soft = cv2.GaussianBlur(np.where(fill, 1, 0).astype(np.float32), (0, 0), 1.0 if turned else 0.5)
        other = scene.supply.photograph(rng, scene.shape)
        if rng.random() < 0.4:
            other = cv2.blur(other, (31, 31))
        if rng.random() < 0.2:
            other = np.full_like(other, rng.integers(0, 256))
        image = (image * (1 - soft[..., None]) + other * soft[..., None]).astype(np.uint8)
    if rng.random() < 0.15:
        head = cv2.dilate(outline, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (41, 41)))
        alpha = cv2.GaussianBlur(head.astype(np.float32) / 255, (0, 0), rng.uniform(2, 8))[..., None]
        other = scene.supply.photograph(rng, scene.shape)
        image = (image * alpha + other * (1 - alpha)).astype(np.uint8)
    return image


def _frame(
    image: np.ndarray,
    outline: np.ndarray,
    visible: np.ndarray,
    rng: np.random.Generator,
    size: int,
    jitter: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cut the crop: any roll, scale, shift, stretch and side; sometimes beyond the photo's border."""
    roll = jitter * (rng.normal(0, 12) if rng.random() < 0.75 else rng.uniform(-45, 45))
    scale = size * REACH / SIDE * np.exp(rng.normal(0, 0.11 * jitter))
    stretch = np.exp(rng.normal(0, 0.05 * jitter))
    angle = np.radians(roll)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = scale * turn @ np.diag([stretch * rng.choice([-1, 1]), 1 / stretch])
    centre = (size - 1) / 2 + rng.normal(0, 0.045 * jitter, 2) * size
    matrix = np.column_stack([linear, centre - linear @ np.full(2, (SIDE - 1) / 2)])
    layers = [
        cv2.warpAffine(part, matrix, (size, size), flags=cv2.INTER_LINEAR)
        for part in (image, outline, visible)
    ]
    if rng.random() < 0.18 * jitter:
        for side in range(4):
            if rng.random() < 0.4:
                border = int(size * rng.uniform(0, 0.3))
                for k in (0, 2):  # the outline goes on beyond the border
                    np.rot90(layers[k], side)[:border] = 0
    return layers[0], layers[1], layers[2]


def spoil(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Light, colour and quality as they come: RGB uint8 (S, S, 3) to the same."""
    pixels: np.ndarray = image.astype(np.float32) / 255
    if rng.random() < 0.6:
        pixels = pixels ** np.exp(rng.normal(0, 0.35))
    if rng.random() < 0.5:
        pixels = pixels * rng.uniform(0.55, 1.4)
    if rng.random() < 0.4:
        pixels = (pixels - 0.5) * rng.uniform(0.5, 1.5) + 0.5 + rng.normal(0, 0.08)
    if rng.random() < 0.3:  # light from one side
        y, x = np.indices(image.shape[:2], dtype=np.float32) / image.shape[0] - 0.5
        angle = rng.uniform(0, 2 * np.pi)
        pixels = pixels * (1 + rng.uniform(0, 1.4) * (x * np.cos(angle) + y * np.sin(angle)))[..., None]
    if rng.random() < 0.4:
        pixels = pixels * np.exp(rng.normal(0, 0.12, 3)).astype(np.float32)
    if rng.random() < 0.4:
        grey = pixels.mean(axis=2, keepdims=True)
        amount = 0.0 if rng.random() < 0.45 else rng.uniform(0.2, 1.7)
        pixels = grey + (pixels - grey) * amount
    if rng.random() < 0.06:  # a lamp's or a screen's colour
        pixels = pixels * rng.uniform(0.4, 1.2, 3)
    pixels = np.ascontiguousarray(pixels.clip(0, 1), np.float32)
    if rng.random() < 0.25:
        pixels = cv2.GaussianBlur(pixels, (0, 0), rng.uniform(0.5, 3))
    elif rng.random() < 0.12:
        length = int(rng.integers(3, 13))
        kernel = np.zeros((length, length), np.float32)
        end = rng.integers(0, length, 2)
        cv2.line(kernel, tuple(int(v) for v in end), tuple(int(length - 1 - v) for v in end), 1.0)
        pixels = cv2.filter2D(pixels, -1, kernel / kernel.sum())
    if rng.random() < 0.3:
        size = image.shape[0]
        small = int(rng.uniform(24, 160))
        way = [cv2.INTER_NEAREST, cv2.INTER_LINEAR, cv2.INTER_CUBIC][rng.integers(3)]
        if small < size:
            pixels = cv2.resize(pixels, (small, small), interpolation=cv2.INTER_AREA)
            pixels = _noisy(pixels, rng)
            pixels = cv2.resize(pixels, (size, size), interpolation=way)
    else:
        pixels = _noisy(pixels, rng)
    image = (pixels.clip(0, 1) * 255).astype(np.uint8)
    if rng.random() < 0.3:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(8, 80))]
        image = np.asarray(cv2.imdecode(cv2.imencode(".jpg", image, quality)[1], cv2.IMREAD_COLOR))
    return image


def _noisy(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    if rng.random() < 0.25:
        shape = pixels.shape if rng.random() < 0.7 else (*pixels.shape[:2], 1)
        pixels = pixels + rng.normal(0, rng.uniform(0.005, 0.07), shape).astype(np.float32)
    return pixels
