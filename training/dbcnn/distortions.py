"""Pictures spoilt on purpose: in classes, for the S-CNN, and in grades, for faces.

The classes are DB-CNN's (Zhang et al., 2018, section III-A): seven types in five levels, two in two. The
levels of blur, white noise, JPEG and JPEG 2000 are those of the Waterloo Exploration Database (Ma et al.,
2017); of the other types the paper gives none, and they are ours.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

BLUR_KERNELS = (7, 15, 39, 91, 199)
"""px; the deviation is a sixth of it."""
NOISE_VARIANCES = (2**-10, 2**-7.5, 2**-5.5, 2**-3.5, 1.0)
"""For values in [0, 1]."""
JPEG_QUALITIES = (43, 12, 7, 4, 0)
JPEG2000_BITS = (0.46, 0.16, 0.07, 0.04, 0.02)
"""Bits a pixel."""
CONTRASTS = (0.8, 0.62, 0.45, 0.3, 0.18)
"""What remains of the distance to the mean."""
PINK_DEVIATIONS = (0.03, 0.06, 0.1, 0.16, 0.25)
"""For values in [0, 1]."""
DITHERED_COLOURS = (64, 24, 12, 6, 3)
EXPOSURES = {"over": (1.6, 2.6), "under": (0.5, 0.22)}
"""Gains in linear light."""


def blur(image: np.ndarray, kernel: int) -> np.ndarray:
    """Gaussian blur of a given kernel size, mirrored at the borders."""
    return cv2.GaussianBlur(image, (kernel, kernel), kernel / 6, borderType=cv2.BORDER_REFLECT)


def white_noise(image: np.ndarray, variance: float, rng: np.random.Generator) -> np.ndarray:
    """Independent Gaussian noise on every channel."""
    noise = rng.standard_normal(image.shape, np.float32) * np.float32(255 * variance**0.5)
    return as_bytes(image + noise)


def pink_noise(image: np.ndarray, deviation: float, rng: np.random.Generator) -> np.ndarray:
    """Noise whose power falls with the frequency."""
    height, width = image.shape[:2]
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    spectrum = (
        np.fft.rfft2(rng.standard_normal((3, height, width))) / np.maximum(frequency, 1 / height) ** 0.5
    )
    noise = np.fft.irfft2(spectrum, (height, width)).transpose(1, 2, 0)
    return as_bytes(image + 255 * deviation * noise / noise.std())


def jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    """Through a JPEG file."""
    return _through(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(quality)])


def webp(image: np.ndarray, quality: int) -> np.ndarray:
    """Through a lossy WebP file: a key frame of VP8, which works much as H.264 does."""
    return _through(".webp", image, [cv2.IMWRITE_WEBP_QUALITY, int(quality)])


def jpeg2000(image: np.ndarray, bits: float) -> np.ndarray:
    """Through a JPEG 2000 file of a number of bits a pixel."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG2000", quality_mode="rates", quality_layers=[24 / bits])
    return np.array(Image.open(file).convert("RGB"))


def contrast(image: np.ndarray, share: float) -> np.ndarray:
    """Every value closer to the mean."""
    mean = image.mean()
    return as_bytes(mean + share * (image - mean))


def dither(image: np.ndarray, colours: int) -> np.ndarray:
    """A palette of few colours with Floyd-Steinberg dithering."""
    picture = Image.fromarray(image)
    palette = picture.quantize(colours, Image.Quantize.MEDIANCUT)
    return np.array(picture.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG).convert("RGB"))


def exposure(image: np.ndarray, gain: float) -> np.ndarray:
    """More or less light, and the sensor's limit."""
    values = 255 * (gain * (np.arange(256) / 255) ** 2.2).clip(0, 1) ** (1 / 2.2)
    return cv2.LUT(image, values.round().astype(np.uint8))


Class = Callable[[np.ndarray, np.random.Generator], np.ndarray]

CLASSES: tuple[Class, ...] = (
    *(lambda image, rng, v=v: blur(image, v) for v in BLUR_KERNELS),
    *(lambda image, rng, v=v: white_noise(image, v, rng) for v in NOISE_VARIANCES),
    *(lambda image, rng, v=v: jpeg(image, v) for v in JPEG_QUALITIES),
    *(lambda image, rng, v=v: jpeg2000(image, v) for v in JPEG2000_BITS),
    *(lambda image, rng, v=v: contrast(image, v) for v in CONTRASTS),
    *(lambda image, rng, v=v: pink_noise(image, v, rng) for v in PINK_DEVIATIONS),
    *(lambda image, rng, v=v: dither(image, v) for v in DITHERED_COLOURS),
    *(lambda image, rng, v=v: exposure(image, v) for v in EXPOSURES["over"]),
    *(lambda image, rng, v=v: exposure(image, v) for v in EXPOSURES["under"]),
)
"""The 39 classes: RGB uint8 (H, W, 3) -> the same, spoilt."""


LINES = (1080, 720, 480, 360, 240)
"""Heights in lines of the frame that a face was taken from. In the first one its crop is 384 px wide; in the
others as much smaller as the frame is, and it is brought back to 384 px."""

_PILLOW = (
    Image.Resampling.BOX,
    Image.Resampling.BILINEAR,
    Image.Resampling.BICUBIC,
    Image.Resampling.LANCZOS,
)
_OPENCV = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4)


def reduced(image: np.ndarray, side: int, way: int = -1) -> np.ndarray:
    """To `side` px; -1 is area averaging, 0 to 3 are Pillow's filters, 4 is linear without averaging."""
    if way == -1:
        return cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    if way == 4:
        return cv2.resize(image, (side, side), interpolation=cv2.INTER_LINEAR)
    return np.array(Image.fromarray(image).resize((side, side), _PILLOW[way]))


def enlarged(image: np.ndarray, side: int, way: int = 1) -> np.ndarray:
    """To `side` px; 0 to 2 are OpenCV's linear, cubic and Lanczos, 3 is Pillow's cubic."""
    if way == 3:
        return np.array(Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC))
    return cv2.resize(image, (side, side), interpolation=_OPENCV[way])


def at_lines(image: np.ndarray, lines: int, down: int = -1, up: int = 1) -> np.ndarray:
    """A square crop as a frame of `lines` lines would have shown it; see `LINES`."""
    side = round(image.shape[0] * lines / LINES[0])
    return image if side >= image.shape[0] else enlarged(reduced(image, side, down), image.shape[0], up)


@dataclass(frozen=True)
class Grade:
    """One kind of damage in grades.

    Attributes:
        name: What it is.
        spoil: (image, strength in [0, 1], a generator that starts alike for all grades) -> image.
    """

    name: str
    spoil: Callable[[np.ndarray, float, np.random.Generator], np.ndarray]


def _resolution(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    down, up = int(rng.integers(-1, 5)), int(rng.integers(0, 4))
    return at_lines(image, round(LINES[0] * (170 / LINES[0]) ** strength), down, up)


def _defocus(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    radius = 0.7 + 8.3 * strength**1.4
    reach = int(np.ceil(radius)) + 1
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disk = (radius + 0.5 - np.hypot(x, y)).clip(0, 1).astype(np.float32)
    return cv2.filter2D(image, -1, disk / disk.sum(), borderType=cv2.BORDER_REFLECT)


def _gaussian(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    return cv2.GaussianBlur(image, (0, 0), 0.5 + 5.5 * strength**1.4, borderType=cv2.BORDER_REFLECT)


def _motion(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    angle, length = rng.uniform(0, np.pi), 2 + 28 * strength
    reach = int(np.ceil(length / 2)) + 1
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    along, across = x * np.cos(angle) + y * np.sin(angle), x * np.sin(angle) - y * np.cos(angle)
    line = (1 - np.abs(across)).clip(0, 1) * (length / 2 + 0.5 - np.abs(along)).clip(0, 1)
    return cv2.filter2D(image, -1, (line / line.sum()).astype(np.float32), borderType=cv2.BORDER_REFLECT)


def _jpeg(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    return jpeg(image, round(75 * (5 / 75) ** strength))


def _video(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Coded small, as in a frame, or at full size."""
    side = int(rng.choice([384, 320, 256, 192]))
    coded = webp(reduced(image, side), 1 + round(54 * (1 - strength) ** 1.3))
    return enlarged(coded, image.shape[0])


def _noise(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Of the photons, which grows with the root of the light, and of the readout; fine or coarse."""
    grey, coarse = rng.random() < 0.4, rng.random() < 0.4
    field: np.ndarray = rng.standard_normal((*image.shape[:2], 1 if grey else 3), np.float32)
    if coarse:
        field = np.reshape(cv2.GaussianBlur(field, (0, 0), 0.8), field.shape)
        field = field / field.std()
    light = np.sqrt(image / np.float32(255)) * 0.7 + 0.3
    return as_bytes(image + field * light * np.float32(3 + 57 * strength**1.5))


def _low_light(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    dark = exposure(image, 0.75 * (0.03 / 0.75) ** strength)
    return white_noise(dark, ((1.5 + 10 * strength) / 255) ** 2, rng)


def _over_exposure(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    return exposure(image, 1.4 * (9 / 1.4) ** strength)


def _over_sharpening(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    soft = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.8, 2.5)).astype(np.float32)
    return as_bytes(image + (image - soft) * np.float32(1.0 + 7 * strength))


def _web_video(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Low resolution and compression together."""
    side = round(384 * (1080 / (1080 + 3000 * strength**1.2)))
    coder, quality = (
        (jpeg, round(70 - 55 * strength)) if rng.random() < 0.5 else (webp, round(50 - 45 * strength))
    )
    return enlarged(coder(reduced(image, side, int(rng.integers(-1, 4))), quality), image.shape[0])


def _phone(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Blur, noise and JPEG together."""
    seed = int(rng.integers(2**31))
    soft = _gaussian(image, 0.8 * strength, rng)
    return _jpeg(_noise(soft, 0.5 * strength, np.random.default_rng(seed)), 0.6 * strength, rng)


GRADES = tuple(
    Grade(spoil.__name__.strip("_"), spoil)
    for spoil in (
        _resolution,
        _defocus,
        _gaussian,
        _motion,
        _jpeg,
        _video,
        _noise,
        _low_light,
        _over_exposure,
        _over_sharpening,
        _web_video,
        _phone,
    )
)


def graded(image: np.ndarray, grade: Grade, strengths: Sequence[float], seed: int) -> list[np.ndarray]:
    """One picture in several grades of one damage, which differ in nothing but the strength."""
    return [grade.spoil(image, strength, np.random.default_rng(seed)) for strength in strengths]


def _through(suffix: str, image: np.ndarray, options: list[int]) -> np.ndarray:
    packed = cv2.imencode(suffix, image[..., ::-1], options)[1]
    return np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR))[..., ::-1].copy()


def as_bytes(values: np.ndarray) -> np.ndarray:
    """Rounded and cut off: any numbers -> uint8."""
    return values.clip(0, 255).round().astype(np.uint8)
