"""Things that cover a face, drawn onto a framed face with their exact alpha.

Every drawer takes a `Scene` and returns `(colour, alpha)`: RGB float32 (H, W, 3) in [0, 255] and float32
(H, W) in [0, 1], or None where it does not suit the face.
"""

from __future__ import annotations

import sys
import zlib
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

sys.path.append(str(Path(__file__).parents[2]))

from training.face_mask.mesh import OVAL
from training.face_mask.pictures import read

Layer = tuple[np.ndarray, np.ndarray]

# fmt: off
JAW = (454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234)
MASK_TOPS = ((6, 1.0), (197, 1.0), (195, 1.0), (5, 0.6), (4, 0.3), (2, 0.2))
# fmt: on
"""Middle of a mask's upper edge: from the bridge of the nose down to below it, with its relative weight."""

TEMPLATE_POINTS = (127, 6, 356, 172, 152, 397)
"""Mesh points that the six marks of a MaskTheFace template (a to f) come to lie on."""

HELD_OUT_TEMPLATES = ("N95", "surgical_green")


@dataclass(frozen=True)
class Scene:
    """A framed face to be covered.

    Attributes:
        image: RGB uint8 (H, W, 3).
        points: Its mesh, float32 (468, 3) in px.
        yaw: Degrees.
        rng: The source of all randomness.
        supply: Textures and templates.
    """

    image: np.ndarray
    points: np.ndarray
    yaw: float
    rng: np.random.Generator
    supply: Supply

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W)."""
        return self.image.shape[:2]

    @property
    def size(self) -> float:
        """Height of the face in px."""
        return float(np.linalg.norm(self.points[10, :2] - self.points[152, :2]))

    @property
    def up(self) -> np.ndarray:
        """Unit vector from chin to forehead, (2,)."""
        vector = self.points[10, :2] - self.points[152, :2]
        return vector / np.linalg.norm(vector)

    @property
    def across(self) -> np.ndarray:
        """Unit vector to the right in the face's own frame, (2,)."""
        return np.array([-self.up[1], self.up[0]])

    @property
    def centre(self) -> np.ndarray:
        """Middle of the face, (2,)."""
        return self.points[list(OVAL), :2].mean(axis=0)

    def skin(self) -> np.ndarray:
        """The colour of the face, RGB float (3,)."""
        xy = self.points[[50, 280, 205, 425, 151, 4], :2].round().astype(int).clip(0, self.shape[0] - 1)
        return np.median(self.image[xy[:, 1], xy[:, 0]].astype(float), axis=0)


class Supply:
    """Textures (parts of photographs, printed patterns) and mask templates; one part is held out."""

    def __init__(self, data: Path, held_out: bool):
        paths = sorted((data / "BSDS500/BSDS500/data/images").glob("*/*.jpg"))
        paths += sorted((data / "MaskTheFace/masks/textures").glob("*/*.*g"))
        chosen = [path for path in paths if (zlib.crc32(path.name.encode()) % 6 == 0) == held_out]
        self.photographs = [_shrink(read(path), 360) for path in chosen]
        self.templates = [
            template
            for name, template in _templates(data / "MaskTheFace/masks")
            if (name in HELD_OUT_TEMPLATES) == held_out
        ]

    def photograph(self, rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
        """A random part of a photograph, uint8 (H, W, 3)."""
        source = self.photographs[rng.integers(len(self.photographs))]
        size = int(min(source.shape[:2]) * rng.uniform(0.3, 1))
        y, x = (rng.integers(0, length - size + 1) for length in source.shape[:2])
        part = source[y : y + size, x : x + size]
        if rng.random() < 0.5:
            part = part[:, ::-1]
        return cv2.resize(part, shape[::-1], interpolation=cv2.INTER_LINEAR)


def _shrink(image: np.ndarray, side: int) -> np.ndarray:
    factor = side / max(image.shape[:2])
    return cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)


def _templates(folder: Path) -> list[tuple[str, tuple[np.ndarray, np.ndarray]]]:
    """MaskTheFace's frontal masks: RGBA uint8 and their six marks, (6, 2) px."""
    found = []
    for block in (folder / "masks.cfg").read_text().split("[")[1:]:
        name, _, body = block.partition("]")
        values = dict(line.split(":", 1) for line in body.splitlines() if ":" in line)
        if name.endswith(("_left", "_right")) or name == "gas" or "template" not in values:
            continue
        picture = cv2.imread(str(folder.parent / values["template"].strip()), cv2.IMREAD_UNCHANGED)
        if picture is None:
            raise FileNotFoundError(f"{folder} lacks the picture of {name}")
        marks = [[float(v) for v in values[f"mask_{mark}"].split(",")] for mark in "abcdef"]
        half = cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        rgba = np.dstack([half[..., 2::-1], half[..., 3]])
        found.append((name, (rgba, np.array(marks, np.float32) / 2)))
    return found


def surgical_mask(scene: Scene) -> Layer | None:
    """A mask over nose, mouth and chin, drawn along the mesh: any colour and pattern, pleats, ear loops."""
    rng, xy = scene.rng, scene.points[:, :2]
    weights = np.array([weight for _, weight in MASK_TOPS])
    top = xy[MASK_TOPS[rng.choice(len(MASK_TOPS), p=weights / weights.sum())][0]]
    right, left = (_between(xy[a], xy[b], rng.random()) for a, b in ((234, 132), (454, 361)))
    # Where it ends towards the ears: 0 at the outline, 0.35 well inside the cheek.
    inset = rng.choice([0.0, rng.uniform(0, 0.35)])
    right, left = _between(right, scene.centre, inset), _between(left, scene.centre, inset)
    cheek = _between(right, top, 0.6), _between(left, top, 0.6)
    sag = -scene.up * scene.size * rng.uniform(0, 0.04)
    jaw = [p for p in xy[list(JAW)] if (p - top) @ scene.up < -0.12 * scene.size]
    grow = rng.uniform(1.0, 1.1)
    lower = [top + (p - top) * grow for p in jaw[2:-2]]
    if inset > 0.1:
        lower = [
            _between(p, scene.centre, inset * 0.5 * abs((p - scene.centre) @ scene.across) / scene.size)
            for p in lower
        ]
    loop = [right, cheek[0] + sag, top, cheek[1] + sag, left, *lower]
    if abs(scene.yaw) > 30:  # at the far side the mask stands out before the nose
        front = scene.across * np.sign(scene.yaw) * scene.size * rng.uniform(0.02, 0.07)
        outline = cv2.convexHull(np.array([*loop, xy[4] + front, xy[17] + front], np.float32))[:, 0]
        alpha = _fill(scene, outline)
    else:
        alpha = _fill(scene, _smooth(np.array(loop), 1))
    colour = _lit(scene, _fabric(scene))
    colour *= _pleats(scene)[..., None]
    if rng.random() < 0.6:
        thickness = max(1, int(scene.size * rng.uniform(0.006, 0.018)))
        shade = float(rng.uniform(0.6, 1.1))
        for corner, side in ((right, -1), (left, 1)):
            ear = (
                corner + scene.across * side * 0.12 * scene.size + scene.up * rng.uniform(0, 0.2) * scene.size
            )
            low = (
                corner
                - scene.up * scene.size * rng.uniform(0.1, 0.3)
                - scene.across * side * 0.05 * scene.size
            )
            loop_alpha = np.zeros(scene.shape, np.uint8)
            strap = np.array([corner, ear, low], np.float32)
            cv2.polylines(loop_alpha, [_px(strap)], False, 255, thickness, cv2.LINE_AA, 4)
            colour[loop_alpha > 0] = (
                colour[loop_alpha > 0] * 0.3 + 0.7 * shade * colour[alpha > 0.5].mean(0)
                if (alpha > 0.5).any()
                else 200
            )
            alpha = np.maximum(alpha, loop_alpha / np.float32(255))
    return colour, alpha


def template_mask(scene: Scene) -> Layer | None:
    """A photographed mask of MaskTheFace, laid over six points of the mesh."""
    if abs(scene.yaw) > 30:
        return surgical_mask(scene)
    rng = scene.rng
    rgba, marks = scene.supply.templates[rng.integers(len(scene.supply.templates))]
    target = scene.points[list(TEMPLATE_POINTS), :2].copy()
    target[1] -= scene.up * scene.size * rng.uniform(0.0, 0.12)
    target[3:] = scene.centre + (target[3:] - scene.centre) * rng.uniform(1.0, 1.1)
    matrix, _ = cv2.findHomography(marks, target.astype(np.float32))
    if matrix is None:
        return None
    warped = cv2.warpPerspective(rgba, matrix, scene.shape[::-1], flags=cv2.INTER_LINEAR)
    colour, alpha = warped[..., :3].astype(np.float32), warped[..., 3].astype(np.float32) / 255
    if rng.random() < 0.6:
        tint = _fabric(scene)
        colour = colour.mean(axis=2, keepdims=True) / 200 * tint
    return _lit(scene, colour), alpha


def sunglasses(scene: Scene) -> Layer | None:
    """Opaque lenses with frame and temples."""
    return _glasses(scene, opaque=True)


def clear_glasses(scene: Scene) -> Layer | None:
    """A frame around clear lenses: it covers nothing that counts."""
    return _glasses(scene, opaque=False)


def _glasses(scene: Scene, opaque: bool) -> Layer:
    rng, xy = scene.rng, scene.points[:, :2]
    centres = [(xy[a] + xy[b]) / 2 for a, b in ((33, 133), (362, 263))]
    between = np.linalg.norm(centres[1] - centres[0])
    tall, wide = between * rng.uniform(0.26, 0.42), rng.uniform(0.4, 0.47)
    angle = np.arctan2(scene.across[1], scene.across[0])
    power = rng.choice([2.0, 2.5, 4.0, 8.0])
    t = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    alpha, frame = np.zeros(scene.shape, np.float32), np.zeros(scene.shape, np.uint8)
    thickness = max(1, int(between * rng.uniform(0.02, 0.08)))
    opacity = rng.choice([1.0, rng.uniform(0.8, 1)])  # through some lenses the eyes shimmer
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    drop = -scene.up * between * rng.uniform(0, 0.12)
    for centre, (a, b), side in zip(centres, ((33, 133), (362, 263)), (-1, 1), strict=True):
        eye = np.linalg.norm(xy[a] - xy[b])
        half = max(eye * rng.uniform(0.85, 0.95), between * 0.12) if abs(scene.yaw) > 25 else between * wide
        curve = np.column_stack([_root(np.cos(t), power) * half, _root(np.sin(t), power) * tall]) @ turn.T
        curve = curve + centre + drop
        if opaque:
            alpha = np.maximum(alpha, opacity * _fill(scene, curve))
        cv2.polylines(frame, [_px(curve)], True, 255, thickness, cv2.LINE_AA, 4)
        if side * scene.yaw < 15:
            temple = np.array([centre + scene.across * side * half + drop, xy[127 if side < 0 else 356]])
            cv2.polylines(frame, [_px(temple)], False, 255, thickness, cv2.LINE_AA, 4)
    one, other = centres
    bridge = np.array([_between(one, other, 0.42), _between(one, other, 0.58)]) + drop
    cv2.polylines(frame, [_px(bridge)], False, 255, thickness, cv2.LINE_AA, 4)
    rim = rng.choice([rng.uniform(0, 50), rng.uniform(0, 255)]) * np.ones(3) + rng.normal(0, 15, 3)
    lens = _gradient(scene, rng.uniform(0, 60), rng.uniform(0, 110)) * _tint(rng, 0.3)
    if rng.random() < 0.3:  # a mirror
        mirror = scene.supply.photograph(rng, scene.shape).astype(np.float32)
        lens = 0.5 * lens + 0.5 * mirror * _tint(rng, 0.5)
    frame_alpha = frame.astype(np.float32) / 255
    colour = np.where(frame_alpha[..., None] > 0.3, rim.clip(0, 255).astype(np.float32), lens)
    return colour.astype(np.float32), np.maximum(alpha, frame_alpha)


def hand(scene: Scene) -> Layer | None:
    """Fingers and a palm of about the face's own colour."""
    rng = scene.rng
    towards = scene.centre + scene.size * rng.uniform(-0.4, 0.4, 2)
    angle = rng.uniform(0, 2 * np.pi)
    if rng.random() < 0.7:  # hands mostly come from below
        angle = rng.normal(np.pi / 2, 0.7)
    out = np.array([np.cos(angle), np.sin(angle)])
    side = np.array([-out[1], out[0]])
    width = scene.size * rng.uniform(0.07, 0.12)
    height_map, alpha = np.zeros(scene.shape, np.float32), np.zeros(scene.shape, np.uint8)
    count = int(rng.integers(1, 6))
    palm = towards + out * width * rng.uniform(4.5, 7)
    lines = []
    for k in range(count):
        spread = (k - (count - 1) / 2) * width * rng.uniform(0.95, 1.1)
        tip = towards + side * spread * rng.uniform(1, 1.3) + out * width * rng.uniform(-1, 1)
        bend = (tip + palm + side * spread) / 2 + rng.normal(0, 0.3, 2) * width
        lines.append((_smooth(np.array([tip, bend, palm + side * spread * 0.9]), 2, closed=False), width))
    lines.append((np.array([palm, palm + out * scene.size * 1.5]), width * max(2.5, count * 0.95)))
    if rng.random() < 0.4:
        thumb = towards + side * rng.choice([-1, 1]) * width * 4 + out * width * 2
        lines.append((np.array([thumb, palm + out * width]), width * 1.1))
    for line, thickness in lines:
        part = np.zeros(scene.shape, np.uint8)
        cv2.polylines(part, [_px(line)], False, 255, max(2, int(thickness)), cv2.LINE_AA, 4)
        inside = cv2.distanceTransform((part > 127).astype(np.uint8), cv2.DIST_L2, 3)
        shade = np.sqrt(np.clip(inside / (thickness / 2), 0, 1))
        height_map = np.where(part > 127, shade, height_map)
        alpha = np.maximum(alpha, part)
    tone = scene.skin() * rng.uniform(0.75, 1.2) + rng.normal(0, 8, 3)
    if rng.random() < 0.2:  # a glove, or another person's hand
        tone = rng.uniform(20, 240, 3) if rng.random() < 0.5 else tone * rng.uniform(0.5, 1.5)
    grain = cv2.GaussianBlur(rng.normal(0, 14, scene.shape).astype(np.float32), (0, 0), 1.2)
    surface = np.broadcast_to(tone, (*scene.shape, 3))
    if rng.random() < 0.5:
        surface = _own_skin(scene) * rng.uniform(0.85, 1.15)
    low = rng.uniform(0.35, 0.75)
    colour = surface * (low + (1 - low) * height_map[..., None]) + grain[..., None]
    return colour.astype(np.float32), alpha.astype(np.float32) / 255


def thing(scene: Scene) -> Layer | None:
    """Some object: a blob, a rectangle or an ellipse with the texture of a photograph."""
    rng = scene.rng
    centre = scene.centre + scene.size * rng.uniform(-0.6, 0.6, 2)
    radius = scene.size * rng.uniform(0.12, 0.5)
    kind = rng.integers(3)
    if kind == 0:
        t = np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(4, 10))))
        r = radius * rng.uniform(0.5, 1.3, len(t))
        shape = _smooth(
            centre + np.column_stack([np.cos(t), np.sin(t)]) * r[:, None], int(rng.integers(0, 3))
        )
    else:
        box = (
            (float(centre[0]), float(centre[1])),
            (radius * 2, radius * rng.uniform(0.4, 2)),
            float(rng.uniform(0, 180)),
        )
        shape = (
            cv2.boxPoints(box)
            if kind == 1
            else np.array(
                cv2.ellipse2Poly(
                    tuple(int(v) for v in centre),
                    (int(radius), int(radius * rng.uniform(0.4, 1))),
                    int(rng.uniform(0, 180)),
                    0,
                    360,
                    10,
                )
            )
        )
    return _paint(scene), _fill(scene, shape)


def microphone(scene: Scene) -> Layer | None:
    """A ball and a stick, or a cup: before the mouth, from below."""
    rng = scene.rng
    mouth = scene.points[[13, 14], :2].mean(axis=0) + scene.size * rng.normal(0, 0.08, 2)
    radius = scene.size * rng.uniform(0.08, 0.2)
    down = -scene.up + scene.across * rng.uniform(-0.8, 0.8)
    alpha = np.zeros(scene.shape, np.uint8)
    cv2.circle(alpha, tuple(int(v) for v in mouth), int(radius), 255, -1, cv2.LINE_AA)
    stick = np.array([mouth, mouth + down * scene.size])
    cv2.polylines(
        alpha, [_px(stick)], False, 255, max(2, int(radius * rng.uniform(0.6, 1.9))), cv2.LINE_AA, 4
    )
    dark = _gradient(scene, rng.uniform(5, 90), rng.uniform(5, 160)) * _tint(rng, 0.15)
    colour = dark if rng.random() < 0.6 else _paint(scene)
    colour = colour + rng.normal(0, 8, (*scene.shape, 1)).astype(np.float32)
    return colour.astype(np.float32), alpha.astype(np.float32) / 255


def scarf(scene: Scene) -> Layer | None:
    """Cloth from below: a scarf, a collar, a bandana, drawn up to somewhere between chin and nose."""
    rng = scene.rng
    level = _between(scene.points[152, :2], scene.points[5, :2], rng.uniform(0.1, 1.0))
    s = np.linspace(-1.6, 1.6, 9)
    wave = rng.normal(0, 0.03, 9) + rng.uniform(-0.1, 0.15) * s**2
    edge = level + (s[:, None] * scene.across + wave[:, None] * scene.up) * scene.size
    bottom = -scene.up * scene.size * 2.5
    shape = np.concatenate([_smooth(edge, 2, closed=False), [edge[-1] + bottom, edge[0] + bottom]])
    return _lit(scene, _fabric(scene) * _folds(scene)), _fill(scene, shape)


def hat(scene: Scene) -> Layer | None:
    """A cap, headband or hood edge over the forehead."""
    rng = scene.rng
    level = _between(scene.points[10, :2], scene.points[9, :2], rng.uniform(-0.1, 0.9))
    s = np.linspace(-1.2, 1.2, 9)
    wave = rng.uniform(-0.25, 0.35) * s**2 + rng.normal(0, 0.01, 9)
    edge = level + (s[:, None] * scene.across - wave[:, None] * scene.up) * scene.size
    rise = scene.up * scene.size * (rng.uniform(0.2, 0.4) if rng.random() < 0.3 else 1.5)
    shape = np.concatenate([_smooth(edge, 2, closed=False), edge[::-1] + rise])
    return _lit(scene, _fabric(scene) * _folds(scene)), _fill(scene, shape)


def hair(scene: Scene) -> Layer | None:
    """Strands that fall over forehead, temples and cheeks, of the colour above the forehead or any other."""
    rng = scene.rng
    above = (scene.points[10, :2] + scene.up * scene.size * 0.22).round().astype(int)
    inside = (above >= 2).all() and (above < scene.shape[0] - 2).all()
    tone = rng.choice([rng.uniform(10, 60), rng.uniform(60, 200)]) * np.array([1, 0.85, 0.65])
    if inside and rng.random() < 0.6:
        x, y = above
        tone = scene.image[y - 2 : y + 3, x - 2 : x + 3].reshape(-1, 3).mean(axis=0).astype(float)
    alpha = np.zeros(scene.shape, np.uint8)
    colour = np.tile(tone.astype(np.float32), (*scene.shape, 1))
    start = rng.uniform(-0.6, 0.6)
    drift, length, spread = rng.normal(0, 0.35), rng.uniform(0.15, 0.9), rng.uniform(0.03, 0.35)
    for _ in range(int(rng.integers(15, 110))):
        a = start + rng.uniform(-spread, spread)
        root = scene.points[10, :2] + (a * scene.across + rng.uniform(0.05, 0.25) * scene.up) * scene.size
        fall = (length * rng.uniform(0.6, 1.1) + 0.2) * scene.size
        tip = root + (-scene.up + (drift + rng.normal(0, 0.08)) * scene.across) * fall
        bend = (root + tip) / 2 + rng.normal(0, 0.05) * scene.size * scene.across
        strand = _px(_smooth(np.array([root, bend, tip]), 2, closed=False))
        thickness = int(rng.integers(1, 4))
        part = tuple(float(v) for v in (tone * rng.uniform(0.6, 1.35)).clip(0, 255))
        cv2.polylines(colour, [strand], False, part, thickness, cv2.LINE_AA, 4)
        cv2.polylines(alpha, [strand], False, 255, thickness, cv2.LINE_AA, 4)
    return colour, alpha.astype(np.float32) / 255


def _own_skin(scene: Scene) -> np.ndarray:
    """A piece of the face's own cheek or forehead, repeated: float32 (H, W, 3)."""
    x, y = scene.points[scene.rng.choice([50, 280, 151, 205, 425]), :2].round().astype(int)
    half = max(4, int(0.06 * scene.size))
    height, width = scene.shape
    x, y = int(np.clip(x, half, width - half)), int(np.clip(y, half, height - half))
    patch = scene.image[y - half : y + half, x - half : x + half]
    pair = np.concatenate([patch, patch[:, ::-1]], axis=1)
    four = np.concatenate([pair, pair[::-1]], axis=0)
    repeats = (height // len(four) + 1, width // len(four) + 1, 1)
    return np.tile(four, repeats)[:height, :width].astype(np.float32)


def _between(a: np.ndarray, b: np.ndarray, share: float) -> np.ndarray:
    return a + (b - a) * share


def _px(points: np.ndarray) -> np.ndarray:
    """For OpenCV's drawing with four fractional bits."""
    return np.round(np.asarray(points) * 16).astype(np.int32)


def _root(values: np.ndarray, power: float) -> np.ndarray:
    return np.sign(values) * np.abs(values) ** (2 / power)


def _smooth(points: np.ndarray, rounds: int, closed: bool = True) -> np.ndarray:
    """Chaikin's corner cutting."""
    for _ in range(rounds):
        after = np.roll(points, -1, axis=0) if closed else points[1:]
        before = points if closed else points[:-1]
        cut = np.stack([0.75 * before + 0.25 * after, 0.25 * before + 0.75 * after], axis=1).reshape(-1, 2)
        points = cut if closed else np.concatenate([points[:1], cut, points[-1:]])
    return points


def _fill(scene: Scene, polygon: np.ndarray) -> np.ndarray:
    mask = np.zeros(scene.shape, np.uint8)
    cv2.fillPoly(mask, [_px(polygon)], 255, cv2.LINE_AA, 4)
    return mask.astype(np.float32) / 255


def _tint(rng: np.random.Generator, strength: float) -> np.ndarray:
    return (1 + rng.uniform(-strength, strength, 3)).astype(np.float32)


def _gradient(scene: Scene, top: float, bottom: float) -> np.ndarray:
    ramp = np.linspace(top, bottom, scene.shape[0], dtype=np.float32)
    return np.broadcast_to(ramp[:, None, None], (*scene.shape, 3))


def _paint(scene: Scene) -> np.ndarray:
    """A photograph, a plain colour or a skin tone, RGB float32 (H, W, 3)."""
    kind = scene.rng.random()
    if kind < 0.6:
        return scene.supply.photograph(scene.rng, scene.shape).astype(np.float32) * _tint(scene.rng, 0.2)
    return _lit(scene, _fabric(scene))


def _fabric(scene: Scene) -> np.ndarray:
    """Cloth or paper: white, black, blue, skin-like, any colour, striped, dotted or printed."""
    rng = scene.rng
    kind = rng.random()
    if kind < 0.12:
        return scene.supply.photograph(rng, scene.shape).astype(np.float32)
    tones = [
        np.full(3, rng.uniform(190, 250)),
        np.full(3, rng.uniform(8, 60)),
        np.array([150, 195, 220]) * rng.uniform(0.7, 1.1),
        np.array([110, 190, 180]) * rng.uniform(0.7, 1.1),
        scene.skin() * rng.uniform(0.7, 1.3),
        rng.uniform(10, 250, 3),
    ]
    tone = tones[rng.integers(len(tones))] + rng.normal(0, 8, 3)
    colour = np.tile(tone.astype(np.float32), (*scene.shape, 1))
    if kind > 0.8:
        rows, columns = np.indices(scene.shape, dtype=np.float32)
        angle, period = rng.uniform(0, np.pi), scene.size * rng.uniform(0.03, 0.15)
        wave = np.sin((rows * np.sin(angle) + columns * np.cos(angle)) * 2 * np.pi / period)
        if kind > 0.9:
            wave = wave * np.sin((rows * np.cos(angle) - columns * np.sin(angle)) * 2 * np.pi / period)
        colour = np.where(wave[..., None] > rng.uniform(-0.3, 0.5), colour, rng.uniform(0, 250, 3))
    weave = rng.normal(0, rng.uniform(0, 7), scene.shape).astype(np.float32)
    return (colour + weave[..., None]).astype(np.float32)


def _pleats(scene: Scene) -> np.ndarray:
    """The horizontal folds of a surgical mask, a factor of the light (H, W)."""
    rng = scene.rng
    rows, columns = np.indices(scene.shape, dtype=np.float32)
    along = ((columns - scene.centre[0]) * scene.up[0] + (rows - scene.centre[1]) * scene.up[1]) / scene.size
    side = (columns - scene.centre[0]) * scene.across[0] + (rows - scene.centre[1]) * scene.across[1]
    curve = 1 - rng.uniform(0, 0.35) * np.clip((side / scene.size) ** 2 * 6, 0, 1)
    if rng.random() < 0.6:
        phase = (along * rng.uniform(7, 14)) % 1
        curve = curve * (1 - rng.uniform(0.03, 0.2) * phase**2)
    return curve


def _folds(scene: Scene) -> np.ndarray:
    """Irregular folds of cloth, a factor of the light (H, W, 1)."""
    small = scene.rng.normal(0, 1, (10, 10)).astype(np.float32)
    wide = cv2.resize(small, scene.shape[::-1], interpolation=cv2.INTER_CUBIC)
    return (1 + scene.rng.uniform(0, 0.2) * wide)[..., None]


def _lit(scene: Scene, colour: np.ndarray) -> np.ndarray:
    """Give a thing some of the light that falls on the face behind it."""
    grey = cv2.cvtColor(scene.image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    small = cv2.resize(grey, (20, 20), interpolation=cv2.INTER_AREA)
    soft = cv2.resize(cv2.GaussianBlur(small, (0, 0), 2), scene.shape[::-1], interpolation=cv2.INTER_LINEAR)
    level = float(np.median(soft)) + 1
    strength = scene.rng.uniform(0, 0.7)
    dim = scene.rng.uniform(0.7, 1.1)
    return (colour * (dim * (1 - strength + strength * np.clip(soft / level, 0.4, 1.6)))[..., None]).astype(
        np.float32
    )
