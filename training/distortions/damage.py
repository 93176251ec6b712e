"""Faces spoilt in the kinds that faceqa tells apart: in what ways, how strongly, and several at once."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import av
import cv2
import numpy as np
from PIL import Image

from faceqa.faces.alignment import CROP_SIZE
from faceqa.measures.registry import TOLD_BY_NETWORK
from training.dbcnn.distortions import GRADES, Grade, as_bytes, exposure

LOWEST_RATIO = 170 / 1080
"""Of a picture's detail to its size in the strongest grade of `resolution`."""

_KNOWN = {grade.name: grade for grade in GRADES}


def _white(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Alike on all levels and channels."""
    return as_bytes(image + rng.standard_normal(image.shape, np.float32) * np.float32(2 + 45 * strength**1.5))


def _chroma(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Blotches of colour and a little grain, as small sensors have after denoising."""
    grain = rng.standard_normal((*image.shape[:2], 1), np.float32)
    blotches = cv2.GaussianBlur(rng.standard_normal(image.shape, np.float32), (0, 0), rng.uniform(1, 2.5))
    blotches = blotches / blotches.std()
    return as_bytes(image + (0.6 * grain + blotches) * np.float32(3 + 40 * strength**1.5))


def _chroma_jpeg(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Pillow's JPEG, with full colour or a quarter of it, once or twice with another grid."""
    quality, subsampling = round(75 * (5 / 75) ** strength), int(rng.choice([0, 2]))
    coded = _pillow(image, format="JPEG", quality=quality, subsampling=subsampling)
    if rng.random() < 0.3:
        y, x = rng.integers(1, 8, 2)
        again = _pillow(coded[y:, x:], format="JPEG", quality=int(rng.integers(85, 97)))
        coded = np.vstack([coded[:y], np.hstack([coded[y:, :x], again])])
    return coded


def _avif(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """AV1's key frames."""
    return _pillow(image, format="AVIF", quality=round(60 * (1 - strength)), speed=8)


def _h264(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """A frame between others of an H.264 video in which the face moves by a few pixels."""
    file = io.BytesIO()
    with av.open(file, "w", "mp4") as video:
        stream = video.add_stream("libx264", rate=25)
        stream.width = stream.height = CROP_SIZE
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": str(round(24 + 25 * strength)), "preset": "veryfast", "g": "30"}
        for shift in (2, 1, 0):
            frame = av.VideoFrame.from_ndarray(np.roll(image, shift, axis=1), "rgb24")
            video.mux(stream.encode(frame))
        video.mux(stream.encode())
    file.seek(0)
    with av.open(file, "r") as video:
        return [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)][-1]


def _dark(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    return exposure(image, 0.75 * (0.03 / 0.75) ** strength)


def _flat(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Towards a grey of the picture's own brightness or another one."""
    grey = image.mean() if rng.random() < 0.5 else rng.uniform(70, 200)
    return as_bytes(grey + (0.9 - 0.78 * strength) * (image - np.float32(grey)))


def _side_light(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Light from one side: the other one lies up to four stops lower."""
    x = np.arange(image.shape[1]) / image.shape[1] - rng.uniform(0.42, 0.58)
    x = x if rng.random() < 0.5 else -x
    stops = (0.5 + 3.5 * strength) / (1 + np.exp(-x / rng.uniform(0.03, 0.12)))
    gain = 2.0 ** -(stops - stops.min())
    light = (image / np.float32(255)) ** np.float32(2.2) * gain[None, :, None]
    return as_bytes(255 * light ** (1 / 2.2))


def _pillow(image: np.ndarray, **options: Any) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(image).save(file, **options)
    return np.array(Image.open(file).convert("RGB"))


KINDS: Mapping[str, tuple[Grade, ...]] = {
    "too_dark": (Grade("dark", _dark),),
    "too_bright": (_KNOWN["over_exposure"],),
    "low_contrast": (Grade("flat", _flat),),
    "uneven_light": (Grade("side_light", _side_light),),
    "blur": (_KNOWN["defocus"], _KNOWN["gaussian"], _KNOWN["motion"]),
    "noise": (_KNOWN["noise"], Grade("white", _white), Grade("chroma", _chroma)),
    "low_resolution": (_KNOWN["resolution"],),
    "compression": (
        _KNOWN["jpeg"],
        Grade("chroma_jpeg", _chroma_jpeg),
        _KNOWN["video"],
        Grade("avif", _avif),
        Grade("h264", _h264),
    ),
}
"""The ways of each kind, in the order in which they happen: light, lens, sensor, scaler, coder."""


@dataclass(frozen=True)
class Damage:
    """One damage of a picture: its kind, the way's name, and its strength in [0, 1]."""

    kind: str
    way: str
    strength: float
    seed: int

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """RGB uint8 (384, 384, 3) -> the same, spoilt."""
        way = next(grade for grade in KINDS[self.kind] if grade.name == self.way)
        return way.spoil(image, self.strength, np.random.default_rng(self.seed))


def ratio(strength: float) -> float:
    """Of the side that a picture's detail fills to the picture's, at a strength of `resolution`."""
    return LOWEST_RATIO**strength


def drawn(kind: str, strength: float, rng: np.random.Generator) -> Damage:
    """A damage of a kind, in any of its ways."""
    way = KINDS[kind][rng.integers(len(KINDS[kind]))]
    return Damage(kind, way.name, strength, int(rng.integers(2**31)))


COUNTS = (0.15, 0.5, 0.23, 0.12)
"""How often a picture has so many damages: none, one, two, three."""


def mixture(rng: np.random.Generator) -> list[Damage]:
    """Damages of different kinds, in the order of `KINDS`."""
    kinds = list(KINDS)
    odds = np.array([2.0 if kind in TOLD_BY_NETWORK else 1.0 for kind in kinds])
    count = int(rng.choice(len(COUNTS), p=COUNTS))
    chosen = rng.choice(kinds, count, replace=False, p=odds / odds.sum())
    return [drawn(kind, float(rng.random()), rng) for kind in kinds if kind in chosen]
