"""`reading.image.load` against OpenCV and tifffile, NumPy's own turns and published colour formulas."""

from __future__ import annotations

import io
import os
import pathlib
import resource
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import warnings
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import cv2
import matplotlib.cbook
import numpy as np
import pillow_heif
import pytest
import skimage.color
import skimage.data
from files import (
    BOMBS,
    ENCODED,
    NOT_IMAGES,
    PHOTO,
    chunk,
    encoded,
    orientation_exif,
    png,
    png_rows,
    tiff,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageSequence

from faceqa.errors import ImageError
from faceqa.reading.image import IMAGE_SUFFIXES, MAX_PIXELS, ImageSource, load

HOPPER = matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
RAMP_16 = np.arange(65536, dtype=np.uint16).reshape(256, 256)  # every 16-bit value once
COLOUR_16 = np.stack([RAMP_16, RAMP_16.T, RAMP_16[::-1]], axis=2)
SCALED_RAMP = np.rint(RAMP_16 / 257).astype(np.uint8)
SCALED_COLOUR = np.rint(COLOUR_16 / 257).astype(np.uint8)

TURNED = {  # EXIF orientation -> upright picture from the stored one, in NumPy's words
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: lambda a: np.swapaxes(a, 0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.swapaxes(np.rot90(a, 2), 0, 1),
    8: lambda a: np.rot90(a, 1),
}


def psnr(a, b) -> float:
    error = np.mean((a.astype(float) - b.astype(float)) ** 2)
    return 10 * np.log10(255**2 / max(error, 1e-9))


def by_opencv(content: bytes) -> np.ndarray:
    """RGB, as OpenCV decodes a file."""
    bgr = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    assert bgr is not None
    return bgr[..., ::-1]


def refused(source, code="unreadable_image", **options) -> str:
    with pytest.raises(ImageError) as caught:
        load(source, **options)
    assert caught.value.code == code, caught.value.message
    assert caught.value.message.endswith((".", "?")), "not a sentence"
    return caught.value.message


class Stream(io.RawIOBase):
    """A pipe: it cannot seek and gives few bytes at a time."""

    def __init__(self, content: bytes):
        self.rest = content

    def readable(self):
        return True

    def readinto(self, buffer):
        part = self.rest[: min(len(buffer), 1000)]
        self.rest = self.rest[len(part) :]
        buffer[: len(part)] = part
        return len(part)


# --- sources ----------------------------------------------------------------------------------------------


def test_every_kind_of_source_gives_the_same_array(tmp_path):
    path = tmp_path / "photo.png"
    content = encoded(PHOTO, "PNG")
    path.write_bytes(content)
    with open(path, "rb") as file:
        file.read(100)  # wherever the file object stands
        sources = [
            path,
            str(path),
            content,
            bytearray(content),
            memoryview(content),
            io.BytesIO(content),
            file,
        ]
        sources += [Stream(content), Image.open(path), Image.fromarray(PHOTO), PHOTO]
        for source in sources:
            image = load(source)
            assert np.array_equal(image, PHOTO), type(source)
            assert image.dtype == np.uint8 and image.flags.c_contiguous and image.flags.writeable
        assert not file.closed


def test_a_pipe_is_read_from_the_command_line():
    code = "import sys; from faceqa.reading import image; print(image.load(sys.stdin.buffer).shape)"
    run = subprocess.run(
        [sys.executable, "-c", code], input=encoded(PHOTO, "PNG"), capture_output=True, timeout=30
    )
    assert run.stdout.split() == b"(192, 200, 3)".split(), run.stderr


@pytest.mark.parametrize("name", ["Gesicht ü 顔 😀.png", "no suffix", "lies.jpg", "with\nnewline.png"])
def test_names_do_not_matter(tmp_path, name):
    (tmp_path / name).write_bytes(encoded(PHOTO, "PNG"))
    assert np.array_equal(load(tmp_path / name), PHOTO)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has names that are not UTF-8")
def test_a_name_that_is_not_utf_8(tmp_path):
    path = os.path.join(os.fsencode(tmp_path), b"caf\xe9.png")
    name = os.fsdecode(path)
    with open(path, "wb") as file:
        file.write(encoded(PHOTO, "PNG"))
    assert np.array_equal(load(name), PHOTO)
    os.remove(path)
    refused(name).encode("utf-8")  # the message can be printed


def test_the_result_shares_no_memory_and_the_sources_do_not_change():
    array = PHOTO.copy()
    load(array)[:] = 0
    assert np.array_equal(array, PHOTO)
    image = Image.fromarray(np.dstack([PHOTO, PHOTO[..., 0]]))
    image.info["exif"] = orientation_exif(6)
    info = dict(image.info)
    load(image)
    assert (image.mode, image.size, image.info) == ("RGBA", (200, 192), info)
    assert np.array_equal(np.asarray(image)[..., :3], PHOTO)


def test_a_frame_that_the_caller_chose_is_kept():
    frames = [Image.fromarray(np.full((120, 120), value, np.uint8)) for value in (10, 200)]
    image = Image.open(io.BytesIO(encoded(frames[0], "TIFF", save_all=True, append_images=frames[1:])))
    image.seek(1)
    assert (load(image) == 200).all()


@pytest.mark.parametrize("source", [None, 7, 1.5, ["a.jpg"], object()])
def test_an_unknown_type_is_an_image_error(source):
    assert "not an image source" in refused(source)


# --- formats ----------------------------------------------------------------------------------------------

LOSSLESS: dict[str, tuple[str, dict[str, object]]] = {
    "png": ("PNG", {}),
    "bmp": ("BMP", {}),
    "tiff": ("TIFF", {}),
    "tiff lzw": ("TIFF", {"compression": "tiff_lzw"}),
    "tiff deflate": ("TIFF", {"compression": "tiff_adobe_deflate"}),
    "webp": ("WEBP", {"lossless": True}),
}


@pytest.mark.parametrize("name", LOSSLESS)
def test_lossless_formats_are_exact(name):
    kind, options = LOSSLESS[name]
    assert np.array_equal(load(encoded(PHOTO, kind, **options)), PHOTO)


@pytest.mark.parametrize(
    ("kind", "options", "least"),
    [
        ("JPEG", {"quality": 95, "subsampling": 0}, 39),
        ("JPEG", {"quality": 95, "subsampling": 0, "progressive": True}, 39),
        ("WEBP", {"quality": 95}, 35),
        ("AVIF", {"quality": 90, "subsampling": "4:4:4", "speed": 9}, 39),
        ("HEIF", {"quality": 90, "chroma": 444}, 39),
    ],
)
def test_lossy_formats_keep_the_psnr(kind, options, least):
    assert psnr(load(encoded(PHOTO, kind, **options)), PHOTO) > least  # dB; swapped channels give 13


def test_a_real_jpeg_is_what_opencv_decodes():
    expected = by_opencv(pathlib.Path(HOPPER).read_bytes())
    assert load(HOPPER).shape == (600, 512, 3)
    assert psnr(load(HOPPER), expected) > 50


def test_gif_and_palette_png_are_exact():
    palette = Image.fromarray(PHOTO).quantize(64)
    table = np.array(palette.getpalette()).reshape(-1, 3)
    for kind in ("GIF", "PNG", "BMP", "TIFF"):
        assert np.array_equal(load(encoded(palette, kind)), table[np.asarray(palette)]), kind


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_an_animation_gives_its_first_frame(kind):
    frames = [Image.new("RGB", (120, 130), colour) for colour in ("red", "lime", "blue")]
    options = {"lossless": True} if kind == "WEBP" else {}
    content = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    assert len(list(ImageSequence.Iterator(Image.open(io.BytesIO(content))))) == 3
    assert (load(content) == [255, 0, 0]).all()


def test_a_photo_with_further_pictures_in_one_file_gives_the_first():
    twins = Image.fromarray(PHOTO), Image.fromarray(255 - PHOTO)
    content = encoded(twins[0], "MPO", save_all=True, append_images=twins[1:], quality=95, subsampling=0)
    assert psnr(load(content), PHOTO) > 39


def test_the_suffixes_are_those_of_the_formats(tmp_path):
    assert {
        ".jpg",
        ".jpeg",
        ".png",
        ".webp",
        ".avif",
        ".bmp",
        ".tif",
        ".tiff",
        ".gif",
        ".heic",
    } <= IMAGE_SUFFIXES
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in IMAGE_SUFFIXES)
    pillow_heif.register_heif_opener()
    for suffix in IMAGE_SUFFIXES:
        path = tmp_path / f"photo{suffix}"
        kind = {".jfif": "JPEG", ".jpe": "JPEG", ".mpo": "JPEG"}.get(suffix)
        Image.fromarray(PHOTO).save(path, kind)
        assert load(path).shape == PHOTO.shape, suffix


# --- orientation ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", TURNED)
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_exif_orientation_is_numpys_turn(kind, orientation):
    options = {"lossless": True} if kind == "WEBP" else {}
    content = encoded(PHOTO, kind, exif=orientation_exif(orientation), **options)
    expected = TURNED[orientation](PHOTO)
    assert np.array_equal(load(content), expected)
    assert np.array_equal(load(Image.open(io.BytesIO(content))), expected)


@pytest.mark.parametrize("orientation", TURNED)
def test_exif_orientation_of_a_jpeg_is_opencvs(orientation):
    content = encoded(Image.open(HOPPER), "JPEG", exif=orientation_exif(orientation))
    expected = by_opencv(content)
    assert psnr(load(content), expected) > 50


@pytest.mark.parametrize("orientation", TURNED)
@pytest.mark.parametrize("kind", ["AVIF", "HEIF"])
def test_orientation_of_avif_and_heic(kind, orientation):
    options = {"AVIF": {"speed": 9}, "HEIF": {}}[kind]
    content = encoded(PHOTO, kind, quality=90, exif=orientation_exif(orientation), **options)
    assert psnr(load(content), TURNED[orientation](PHOTO)) > 30  # the nearest other turn gives 14


def test_the_exif_orientation_of_a_heic_is_ignored():
    """ISO/IEC 23008-12 turns by the "irot" and "imir" boxes alone; EXIF only repeats them."""
    exif = Image.Exif()
    exif[274] = 6
    content = encoded(PHOTO, "HEIF", exif=exif)  # pillow-heif writes "irot" for bytes, not for this object
    assert b"irot" not in content
    assert psnr(load(content), PHOTO) > 30


def test_orientation_applies_to_16_bit_and_transparent_images_too():
    for content in (
        encoded(Image.fromarray(RAMP_16), "PNG", exif=orientation_exif(6)),
        encoded(Image.fromarray(RAMP_16), "TIFF", exif=orientation_exif(6)),
    ):
        assert np.array_equal(load(content)[..., 0], np.rot90(SCALED_RAMP, -1))
    rgba = np.dstack([PHOTO, np.full(PHOTO.shape[:2], 255, np.uint8)])
    assert np.array_equal(load(encoded(rgba, "PNG", exif=orientation_exif(8))), np.rot90(PHOTO))


@pytest.mark.parametrize(
    "exif",
    [
        b"Exif\0\0",
        b"Exif\0\0garbage that is no TIFF header",
        b"Exif\0\0II*\0\xff\xff\xff\xff",
        b"Exif\0\0II*\0\x08\0\0\0\xff\xff\x12\x01\x03\0\xff\xff\xff\xff",
        b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x02\0\x04\0\0\0abc\0\0\0\0\0",
        b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x63\0\0\0\0\0\0\0",
    ],
    ids=["empty", "no header", "offset", "cut", "text value", "value 99"],
)
@pytest.mark.filterwarnings("ignore")
def test_corrupt_exif_means_no_rotation(exif):
    content = encoded(PHOTO, "JPEG", quality=95, subsampling=0, exif=exif)
    assert exif in content
    assert psnr(load(content), PHOTO) > 39


def test_exif_that_makes_pillow_raise_means_no_rotation():
    image = Image.fromarray(PHOTO)
    image.info["exif"] = "text"
    with pytest.raises(TypeError):
        image.copy().getexif()  # of a copy: Pillow raises once only
    assert np.array_equal(load(image), PHOTO)


# --- transparency -----------------------------------------------------------------------------------------


def on_white(colour, alpha):
    """Porter-Duff "over" on white, in float."""
    alpha = alpha[..., np.newaxis] / 255
    return colour * alpha + 255 * (1 - alpha)


ALPHA = np.tile(np.arange(200, dtype=np.uint8), (192, 1))
ALPHA[:64] = 0
ALPHA[128:] = 255


@pytest.mark.parametrize("source", ["png", "tiff", "webp", "pillow", "array", "float array", "uint16 array"])
def test_rgba_is_laid_on_white(source):
    rgba = np.dstack([PHOTO, ALPHA])
    sources: dict[str, Callable[[], ImageSource]] = {
        "png": lambda: encoded(rgba, "PNG"),
        "tiff": lambda: encoded(rgba, "TIFF"),
        "webp": lambda: encoded(rgba, "WEBP", lossless=True, exact=True),
        "pillow": lambda: Image.fromarray(rgba),
        "array": lambda: rgba,
        "float array": lambda: (rgba / 255).astype(np.float32),
        "uint16 array": lambda: rgba.astype(np.uint16) * 257,
    }
    image = load(sources[source]())
    assert (image[:64] == 255).all() and np.array_equal(image[128:], PHOTO[128:])
    assert np.abs(image - on_white(PHOTO, ALPHA)).max() <= 1


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "pillow"])
def test_grey_with_alpha_is_laid_on_white(kind):
    grey = Image.fromarray(np.dstack([PHOTO[..., 1], ALPHA]))
    assert grey.mode == "LA"
    image = load(grey if kind == "pillow" else encoded(grey, kind))
    assert np.abs(image - on_white(PHOTO[..., 1:2], ALPHA)).max() <= 1


def test_premultiplied_alpha():
    rgba = Image.fromarray(np.dstack([PHOTO, np.where(ALPHA < 128, 0, 255).astype(np.uint8)]))
    assert np.array_equal(load(rgba.convert("RGBa")), load(rgba))


def test_transparent_palette_entries():
    palette = Image.fromarray(PHOTO).quantize(64)
    table = np.array(palette.getpalette()).reshape(-1, 3)
    indices = np.asarray(palette)
    expected = np.where((indices == 7)[..., np.newaxis], 255, table[indices])
    for kind in ("GIF", "PNG"):
        assert np.array_equal(load(encoded(palette, kind, transparency=7)), expected), kind
    half = bytes([128]) + bytes([255]) * 63
    alpha = np.where(indices == 0, 128, 255)
    assert (
        np.abs(load(encoded(palette, "PNG", transparency=half)) - on_white(table[indices], alpha)).max() <= 1
    )
    assert np.abs(load(palette_with_alpha(palette)) - on_white(table[indices], ALPHA)).max() <= 1


def palette_with_alpha(palette):
    image = palette.convert("PA")
    image.putalpha(Image.fromarray(ALPHA))
    assert image.mode == "PA"
    return image


def test_an_rgb_copy_of_a_transparent_palette_image_keeps_all_its_pixels():
    palette = Image.fromarray(PHOTO).quantize(64)
    copy = Image.open(io.BytesIO(encoded(palette, "GIF", transparency=7))).convert("RGB")
    assert copy.info["transparency"]  # Pillow leaves it there
    assert np.array_equal(load(copy), np.asarray(copy))


@pytest.mark.parametrize("depth", [8, 16])
def test_the_transparent_colour_of_a_png_without_alpha(depth):
    dtype = np.uint16 if depth == 16 else np.uint8
    grey = np.tile(np.arange(128, dtype=dtype), (128, 1)) * (257 if depth == 16 else 1) + 3
    rgb = np.dstack([grey, grey.T, grey[::-1]])
    grey_key, rgb_key = grey[0, 5], rgb[7, 9]
    scaled = (lambda v: np.rint(v / 257)) if depth == 16 else (lambda v: v)

    content = png(128, 128, depth, 0, png_rows(grey), chunk(b"tRNS", struct.pack(">H", grey_key)))
    expected = np.where(grey == grey_key, 255, scaled(grey))
    assert np.array_equal(load(content), np.dstack([expected] * 3))

    content = png(128, 128, depth, 2, png_rows(rgb), chunk(b"tRNS", struct.pack(">HHH", *rgb_key)))
    seen = (rgb != rgb_key).any(axis=2)
    assert (~seen).sum() == 1
    assert np.array_equal(load(content), np.where(seen[..., np.newaxis], scaled(rgb), 255))


# --- bit depths -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_grey_png_of_few_bits_fills_the_scale(depth):
    count = 2**depth
    values = np.tile(np.arange(count, dtype=np.uint8), (128, 128 // count))
    bits = np.unpackbits(values[..., np.newaxis], axis=2)[..., -depth:].reshape(128, -1)
    content = png(128, 128, depth, 0, png_rows(np.packbits(bits, axis=1)))
    assert np.array_equal(load(content)[..., 0], values * (255 // (count - 1)))


def test_black_and_white():
    mask = PHOTO[..., 0] > 100
    for source in (
        mask,
        Image.fromarray(mask),
        encoded(Image.fromarray(mask), "PNG"),
        tiff(mask, photometric="minisblack"),
    ):
        assert np.array_equal(load(source), np.dstack([mask * 255] * 3))


def test_16_bit_grey_is_scaled_over_the_full_range():
    swapped = RAMP_16.astype(">u2")
    sources: dict[str, ImageSource] = {
        "array": RAMP_16,
        "big-endian array": swapped,
        "png": cv2.imencode(".png", RAMP_16)[1].tobytes(),
        "tiff": tiff(RAMP_16),
        "big-endian tiff": tiff(RAMP_16, byteorder=">"),
        "deflated big-endian tiff": tiff(RAMP_16, byteorder=">", compression="zlib"),
        "I;16": Image.fromarray(RAMP_16),
        "I;16B": Image.frombytes("I;16B", (256, 256), swapped.tobytes()),
        "I;16L": Image.frombytes("I;16L", (256, 256), RAMP_16.astype("<u2").tobytes()),
        "I": Image.fromarray(RAMP_16.astype(np.int32)),
    }
    for name, source in sources.items():
        assert np.array_equal(load(source), np.dstack([SCALED_RAMP] * 3)), name


def test_16_bit_colour_is_scaled_exactly():
    bgr = COLOUR_16[..., ::-1]
    sources: dict[str, ImageSource] = {
        "array": COLOUR_16,
        "png": cv2.imencode(".png", bgr)[1].tobytes(),
        "opencv tiff": cv2.imencode(".tiff", bgr)[1].tobytes(),
        "tiff": tiff(COLOUR_16, photometric="rgb"),
        "tiff in strips": tiff(COLOUR_16, photometric="rgb", rowsperstrip=20),
        "tiff in tiles": tiff(COLOUR_16, photometric="rgb", tile=(64, 64), compression="zlib"),
        "big-endian tiff": tiff(COLOUR_16, photometric="rgb", byteorder=">"),
        "deflated tiff": tiff(COLOUR_16, photometric="rgb", compression="zlib", predictor=True),
        "deflated big-endian tiff": tiff(COLOUR_16, photometric="rgb", compression="zlib", byteorder=">"),
    }
    for name, source in sources.items():
        assert np.array_equal(load(source), SCALED_COLOUR), name


def test_16_bit_colour_with_alpha():
    alpha = np.where(RAMP_16 % 2, 65535, 0).astype(np.uint16)
    expected = np.where(alpha[..., np.newaxis], SCALED_COLOUR, 255)
    rgba = np.dstack([COLOUR_16, alpha])
    bgra = np.dstack([COLOUR_16[..., ::-1], alpha])
    deflated = tiff(rgba, photometric="rgb", extrasamples=["unassalpha"], compression="zlib")
    for source in (rgba, cv2.imencode(".png", bgra)[1].tobytes(), deflated):
        assert np.array_equal(load(source), expected)


def test_16_bit_grey_with_alpha_is_within_a_level():
    content = png(256, 256, 16, 4, png_rows(np.dstack([RAMP_16, np.full_like(RAMP_16, 65535)])))
    image = load(content)
    assert np.abs(image[..., 0].astype(int) - SCALED_RAMP).max() <= 1
    assert image.min() == 0 and image.max() == 255


def test_float_images_from_0_to_1():
    ramp = np.linspace(0, 1, 256 * 256).reshape(256, 256)
    expected = np.rint(ramp * 255)
    for source in (
        ramp,
        ramp.astype(np.float32),
        tiff(ramp.astype(np.float32)),
        Image.fromarray(ramp.astype(np.float32)),
    ):
        assert np.array_equal(load(source)[..., 0], expected)
    assert np.array_equal(load((PHOTO / 255).astype(np.float16)), PHOTO)
    resized = cv2.resize((PHOTO / 255).astype(np.float32), None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    assert resized.min() < 0 and resized.max() > 1
    assert np.array_equal(load(resized), np.rint(resized.clip(0, 1) * 255))


@pytest.mark.parametrize(
    ("values", "fragment"),
    [
        (PHOTO.astype(np.float32), "Divide by 255"),
        ((PHOTO / 127.5 - 1).astype(np.float32), "normalisation"),
        (Image.fromarray(PHOTO[..., 0]).convert("F"), "Divide by 255"),
        (np.where(PHOTO == 0, np.nan, PHOTO / 255), "NaN"),
        (np.where(PHOTO == 0, np.inf, PHOTO / 255), "infinite"),
        (Image.fromarray(RAMP_16.astype(np.int32) + 1), "32-bit integers"),
        (Image.fromarray(RAMP_16.astype(np.int32) - 1), "32-bit integers"),
        (tiff(RAMP_16.astype(np.uint32) * 65537), "32-bit integers"),
    ],
)
def test_values_of_unknown_scale_are_refused(values, fragment):
    assert (PHOTO == 0).any()
    assert fragment in refused(values)


@pytest.mark.parametrize(
    ("content", "fragment"),
    [
        (
            tiff(COLOUR_16.transpose(2, 0, 1).copy(), photometric="rgb", planarconfig="separate"),
            "separate colour planes",
        ),
        (tiff(RAMP_16, photometric="miniswhite"), "inverted grey"),
        (tiff(PHOTO, photometric="rgb", subfiletype=1), "camera raw"),
    ],
)
def test_tiff_variants_that_pillow_reads_wrongly_are_refused(content, fragment):
    assert fragment in refused(content)
    assert fragment in refused(Image.open(io.BytesIO(content)))


def test_8_bit_tiff_in_planes_or_inverted_is_right():
    planes = tiff(PHOTO.transpose(2, 0, 1).copy(), photometric="rgb", planarconfig="separate")
    assert np.array_equal(load(planes), PHOTO)
    inverted = tiff(255 - PHOTO[..., 0], photometric="miniswhite")
    assert np.array_equal(load(inverted)[..., 0], PHOTO[..., 0])


# --- arrays -----------------------------------------------------------------------------------------------


def test_arrays_of_every_layout():
    grey = PHOTO[..., 0]
    assert np.array_equal(load(grey), np.dstack([grey] * 3))
    assert np.array_equal(load(grey[..., np.newaxis]), np.dstack([grey] * 3))
    assert np.array_equal(load(PHOTO[:, ::-1]), PHOTO[:, ::-1])
    assert np.array_equal(load(np.asfortranarray(PHOTO)), PHOTO)
    assert load(np.asfortranarray(PHOTO)).flags.c_contiguous


@pytest.mark.parametrize(
    ("shape", "fragment"),
    [
        ((3, 200, 220), "channels come last"),
        ((1, 200, 220), "channels come last"),
        ((4, 200, 200, 3), "one image at a time"),
        ((200, 200, 2), "(200, 200, 2)"),
        ((200,), "(200,)"),
        ((), "()"),
    ],
)
def test_arrays_of_another_shape_are_refused(shape, fragment):
    assert fragment in refused(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("dtype", [np.int64, np.int8, np.uint32, np.complex64, object, "U1", "M8[s]"])
def test_arrays_of_another_type_are_refused(dtype):
    assert "of type" in refused(np.zeros((200, 200, 3), dtype))


# --- colour -----------------------------------------------------------------------------------------------


def test_ycbcr_hsv_and_lab():
    image = Image.fromarray(PHOTO)
    assert psnr(load(image.convert("YCbCr")), PHOTO) > 43
    assert psnr(load(image.convert("HSV")), PHOTO) > 38
    # skimage takes L*a*b* relative to the white of sRGB; ICC's is relative to D50, to which sRGB is adapted.
    lab = skimage.color.rgb2lab(PHOTO)
    in_8_bits = np.dstack([lab[..., 0] * 2.55, lab[..., 1:] % 256]).round().astype(np.uint8)
    source = Image.frombytes("LAB", (200, 192), in_8_bits.tobytes())
    for loaded in (load(source), load(encoded(source, "TIFF"))):
        assert psnr(loaded, PHOTO) > 38


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_without_a_profile(kind):
    """R = (1 - C)(1 - K): paper is white, ink is dark; a CMYK JPEG is stored inverted, as Adobe does."""
    inks = {(0, 0, 0, 0): (255, 255, 255), (255, 0, 0, 0): (0, 255, 255), (0, 0, 0, 255): (0, 0, 0)}
    inks |= {
        (0, 255, 255, 0): (255, 0, 0),
        (0, 0, 0, 127): (128, 128, 128),
        (51, 102, 0, 51): (163, 122, 204),
    }
    for ink, rgb in inks.items():
        image = load(encoded(Image.new("CMYK", (128, 128), ink), kind))
        assert np.abs(image - np.array(rgb)).max() <= 2, ink


def test_a_cmyk_jpeg_is_what_opencv_decodes():
    content = encoded(Image.fromarray(PHOTO).convert("CMYK"), "JPEG", quality=95)
    expected = by_opencv(content)
    assert psnr(load(content), expected) > 40


def icc_profile(kind: bytes, space: bytes, connection: bytes, tags: dict[bytes, bytes], name="test") -> bytes:
    """An ICC profile by hand, from ICC.1:2010."""
    d50 = (0.9642, 1.0, 0.8249)
    text = name.encode("utf-16-be")
    tags = {
        b"desc": b"mluc" + struct.pack(">IIIHHII", 0, 1, 12, 0x656E, 0x5553, len(text), 28) + text,
        b"wtpt": xyz(d50),
        **tags,
    }
    table, data, offset = b"", b"", 132 + 12 * len(tags)
    for name, body in tags.items():
        body += b"\0" * (-len(body) % 4)
        table += struct.pack(">4sII", name, offset + len(data), len(body))
        data += body
    header = (
        struct.pack(">II", offset + len(data), 0) + struct.pack(">I", 0x04200000) + kind + space + connection
    )
    header += b"\0" * 12 + b"acsp" + b"\0" * 28 + xyz(d50)[8:] + b"\0" * 48
    return header + struct.pack(">I", len(tags)) + table + data


def xyz(values) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">iii", *(round(value * 65536) for value in values))


def display_p3() -> bytes:
    curve = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
    trc = b"para\0\0\0\0\0\3\0\0" + struct.pack(">5i", *(round(value * 65536) for value in curve))
    primaries = {
        b"r": (0.51512, 0.24120, -0.00105),
        b"g": (0.29198, 0.69225, 0.04189),
        b"b": (0.15710, 0.06657, 0.78407),
    }
    tags = {name + b"XYZ": xyz(values) for name, values in primaries.items()}
    return icc_profile(b"mntr", b"RGB ", b"XYZ ", tags | {name + b"TRC": trc for name in primaries})


def grey_ink_cmyk() -> bytes:
    """A press whose C, M and Y are greys: L* falls by 20 for each of them and to 0 with K."""
    grid = [
        0 if k else 100 - 20 * (c + m + y) for c in (0, 1) for m in (0, 1) for y in (0, 1) for k in (0, 1)
    ]
    clut = b"".join(bytes([round(lightness * 2.55), 128, 128]) for lightness in grid)
    identity = struct.pack(">9i", *(65536 if i % 4 == 0 else 0 for i in range(9)))
    lut = b"mft1\0\0\0\0\x04\x03\x02\0" + identity + bytes(range(256)) * 4 + clut + bytes(range(256)) * 3
    return icc_profile(b"prtr", b"CMYK", b"Lab ", {b"A2B0": lut})


def p3_to_srgb(rgb):
    """CSS Color 4, section 18: linear Display P3 to linear sRGB, both with the sRGB transfer curve."""
    matrix = [[1.2249402, -0.2249402, 0], [-0.0420570, 1.0420570, 0], [-0.0196376, -0.0786361, 1.0982736]]
    value = np.array(rgb) / 255
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    linear = np.clip(np.array(matrix) @ linear, 0, 1)
    return 255 * np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG", "HEIF", "AVIF", "16-bit PNG"])
@pytest.mark.parametrize("skin", [(224, 172, 141), (120, 75, 55), (255, 255, 255)])
def test_display_p3_becomes_srgb(kind, skin):
    if kind == "16-bit PNG":
        profile = chunk(b"iCCP", b"p3\0\0" + zlib.compress(display_p3()))
        rows = png_rows(np.full((128, 128, 3), skin, np.uint16) * 257)
        content = png(128, 128, 16, 2, rows, profile)
    else:
        content = encoded(Image.new("RGB", (128, 128), skin), kind, quality=95, icc_profile=display_p3())
    tolerance = 1 if kind.endswith(("PNG", "TIFF")) else 4
    assert np.abs(load(content) - p3_to_srgb(skin)).max() <= tolerance


def test_a_cmyk_profile_is_used():
    cyan = Image.new("CMYK", (128, 128), (255, 0, 0, 0))
    grey = 255 * skimage.color.lab2rgb([[[80.0, 0, 0]]]).ravel()
    for kind in ("TIFF", "JPEG"):
        image = load(encoded(cyan, kind, icc_profile=grey_ink_cmyk()))
        assert np.abs(image - grey).max() <= 2, kind


def grey_gamma(gamma: float, name="test") -> bytes:
    trc = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256))
    return icc_profile(b"mntr", b"GRAY", b"XYZ ", {b"kTRC": trc}, name)


def test_a_grey_profile_is_used():
    linear = (np.arange(256) / 255) ** 1.8  # as old Macintosh screens had it
    expected = 255 * np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    ramp = np.tile(np.arange(256, dtype=np.uint8), (128, 1))
    assert np.abs(load(encoded(ramp, "PNG", icc_profile=grey_gamma(1.8)))[0, :, 0] - expected).max() <= 2


def test_a_profile_for_other_channels_is_ignored():
    grey = PHOTO[..., 0]
    for profile in (display_p3(), grey_ink_cmyk()):
        assert np.array_equal(load(encoded(grey, "PNG", icc_profile=profile)), np.dstack([grey] * 3))
    for profile in (grey_gamma(1.8), grey_ink_cmyk()):
        assert np.array_equal(load(encoded(PHOTO, "PNG", icc_profile=profile)), PHOTO)
    ink = Image.new("CMYK", (128, 128), (255, 0, 0, 0))
    assert np.array_equal(load(encoded(ink, "TIFF", icc_profile=display_p3())), load(ink))


def test_a_profile_that_calls_itself_srgb_changes_nothing():
    """The many sRGB profiles differ by a level; undoing that would cost 25 ms a megapixel for nothing."""
    grey = PHOTO[..., 0]
    content = encoded(grey, "PNG", icc_profile=grey_gamma(1.8, "sRGB IEC61966-2.1"))
    assert np.array_equal(load(content)[..., 0], grey)


@pytest.mark.parametrize(
    "profile",
    [
        b"garbage",
        display_p3()[:200],
        ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
    ],
    ids=["garbage", "cut", "sRGB"],
)
def test_a_profile_that_is_broken_or_srgb_changes_nothing(profile):
    assert np.array_equal(load(encoded(PHOTO, "PNG", icc_profile=profile)), PHOTO)


# --- files that cannot be read ----------------------------------------------------------------------------


def test_paths_that_are_no_files(tmp_path):
    assert "There is no file" in refused(tmp_path / "missing.jpg")
    assert "missing.jpg" in refused(tmp_path / "missing.jpg")
    assert "There is no file" in refused("")
    assert "is a folder" in refused(tmp_path)
    assert "cannot be opened" in refused("a\0b.jpg")
    assert "cannot be opened" in refused(tmp_path / ("a" * 300))
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert "cannot be opened" in refused(tmp_path / "loop")


def test_pipes_and_devices_do_not_hang(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        for path in (
            tmp_path / "pipe.jpg",
            tmp_path / "socket",
            pathlib.Path("/dev/zero"),
            pathlib.Path("/dev/null"),
        ):
            messages: list[str] = []
            thread = threading.Thread(target=lambda p=path, m=messages: m.append(refused(p)), daemon=True)
            thread.start()
            thread.join(5)
            assert messages and "pipe, socket or device" in messages[0], path


def test_a_stream_that_does_not_end_is_given_up():
    class Endless(io.RawIOBase):
        def read(self, size=-1):
            return b"\0" * size

    start = time.perf_counter()
    assert "more than 75 MB" in refused(Endless(), "image_too_large", max_pixels=1_000_000)
    with open("/dev/zero", "rb") as file:
        assert "not an image" in refused(file)
    assert time.perf_counter() - start < 5


def test_no_permission():
    with tempfile.TemporaryDirectory() as folder:  # not tmp_path, whose parents others may not enter
        os.chmod(folder, 0o755)
        path = os.path.join(folder, "photo.png")
        pathlib.Path(path).write_bytes(encoded(PHOTO, "PNG"))
        os.chmod(path, 0)
        user = os.geteuid()
        if user == 0:
            os.seteuid(65534)  # nobody: root may read everything
        try:
            assert "no permission" in refused(path)
        finally:
            os.seteuid(user)


@pytest.mark.parametrize("name", NOT_IMAGES)
def test_files_that_are_no_images(tmp_path, name):
    content, fragment = NOT_IMAGES[name]
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)
    assert fragment in refused(path)
    assert fragment in refused(content)
    assert fragment in refused(Stream(content))


def test_file_objects_that_cannot_be_read():
    closed = io.BytesIO(encoded(PHOTO, "PNG"))
    closed.close()
    assert "closed file" in refused(closed)
    assert "binary mode" in refused(io.StringIO("text"))
    with open(HOPPER) as text_mode:
        assert "binary mode" in refused(text_mode)
    image = Image.open(io.BytesIO(encoded(PHOTO, "PNG")))
    image.close()
    assert "decoded" in refused(image)


@pytest.mark.parametrize("part", [0.05, 0.5, 0.97])
@pytest.mark.parametrize("name", ENCODED)
def test_a_truncated_file_is_refused(name, part):
    content = ENCODED[name][: int(len(ENCODED[name]) * part)]
    assert "incomplete" in refused(content)


def test_a_truncated_pillow_image_is_refused():
    image = Image.open(io.BytesIO(ENCODED["JPEG"][:3000]))
    assert "truncated" in refused(image)


def test_every_damaged_byte_of_a_png_is_noticed():
    rng = np.random.default_rng(0)
    start, end = ENCODED["PNG"].index(b"IDAT") + 4, len(ENCODED["PNG"]) - 16
    for position in rng.integers(start, end, 150):
        content = bytearray(ENCODED["PNG"])
        content[position] ^= 1 << rng.integers(8)
        assert "damaged" in refused(bytes(content))


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts the open files as Linux shows them")
def test_files_are_closed(tmp_path):
    names = []
    for name, content in ENCODED.items():
        for part in (len(content), len(content) // 2):
            names.append(tmp_path / f"{name} {part}")
            names[-1].write_bytes(content[:part])
    before = len(os.listdir("/proc/self/fd"))
    errors = []
    for name in names:
        try:
            load(name)
        except ImageError as error:
            errors.append(error)  # keeps the traceback and with it every local variable
    assert len(errors) == len(ENCODED)
    assert len(os.listdir("/proc/self/fd")) == before


# --- sizes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(1, 1), (111, 300), (300, 111), (111, 111)])
def test_small_images_are_refused(size):
    image = Image.new("RGB", size)
    for source in (image, np.asarray(image), encoded(image, "PNG"), encoded(image, "JPEG")):
        message = refused(source, "image_too_small")
        assert f"{size[0]} x {size[1]}" in message and "112" in message
    assert load(image, min_side=1).shape == (size[1], size[0], 3)


def test_the_smallest_size_that_is_accepted():
    assert load(np.zeros((112, 112), np.uint8)).shape == (112, 112, 3)


def test_images_without_pixels():
    for shape in ((0, 0, 3), (0, 200, 3), (200, 0)):
        refused(np.zeros(shape, np.float32), "image_too_small", min_side=0)
    refused(Image.new("RGB", (0, 0)), "image_too_small", min_side=0)
    assert "damaged" in refused(png(0, 0, 8, 2, b""))


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_by_its_header(name):
    load(ENCODED[name])  # so that the first import is not measured
    bomb = BOMBS[name]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        message = refused(bomb, "image_too_large")
    assert "50 megapixels" in message
    assert time.perf_counter() - start < 0.5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 20_000  # KiB
    assert not caught


def test_running_out_of_memory_is_an_image_error():
    class Greedy(io.BytesIO):
        def read(self, size=-1):
            raise MemoryError

    assert "memory" in refused(Greedy(), "image_too_large")


def test_large_arrays_and_pillow_images_are_refused():
    nothing = np.broadcast_to(np.uint8(0), (10_000, 10_000, 3))
    assert "10000 x 10000" in refused(nothing, "image_too_large")
    assert "300 x 300" in refused(Image.new("L", (300, 300)), "image_too_large", max_pixels=80_000)


def test_the_limit_can_be_moved():
    assert MAX_PIXELS == 50_000_000
    assert "0.03 megapixels" in refused(PHOTO, "image_too_large", max_pixels=30_000)
    assert load(PHOTO, max_pixels=PHOTO.shape[0] * PHOTO.shape[1]).shape == PHOTO.shape
    assert "more than" in refused(b"\xff" * (65 * 2**20), "image_too_large", max_pixels=1)


def test_pillows_own_limit_is_neither_used_nor_changed(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in ("JPEG", "PNG", "WebP", "AVIF", "HEIC", "BMP", "GIF"):
            assert load(ENCODED[name]).shape == PHOTO.shape, name
    assert Image.MAX_IMAGE_PIXELS == 1000


def test_heif_is_not_imported_or_registered_without_need():
    code = (
        "import sys; from faceqa.reading import image; from PIL import Image\n"
        "heif = lambda: 'pillow_heif' in sys.modules\n"
        "before = heif(); image.load(sys.stdin.buffer); assert (before, heif()) == (False, True)\n"
        "assert 'HEIF' not in Image.OPEN"
    )
    run = subprocess.run([sys.executable, "-c", code], input=ENCODED["HEIC"], capture_output=True, timeout=30)
    assert run.returncode == 0, run.stderr


# --- many at once, and anything at all --------------------------------------------------------------------


def test_threads():
    contents = [*ENCODED.values(), *BOMBS.values()]

    def outcome(content):
        try:
            return load(content).tobytes()
        except ImageError as error:
            return error.code

    alone = [outcome(content) for content in contents]
    assert alone.count("image_too_large") == len(BOMBS)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(outcome, contents * 4)) == alone * 4


@cache
def small_files() -> list[bytes]:
    """What is damaged below: files of 120 x 120 px."""
    small = Image.fromarray(PHOTO[:120, :120])
    return [
        encoded(small, "JPEG", exif=orientation_exif(6), icc_profile=display_p3()),
        encoded(small, "PNG", exif=orientation_exif(6), icc_profile=display_p3()),
        encoded(small, "WEBP", exif=orientation_exif(6)),
        encoded(small, "TIFF", exif=orientation_exif(6)),
        encoded(small, "TIFF", compression="tiff_lzw"),
        encoded(small, "GIF"),
        encoded(small, "BMP"),
        encoded(small, "HEIF"),
        encoded(small, "AVIF", speed=10),
        cv2.imencode(".png", COLOUR_16[:120, :120])[1].tobytes(),
    ]


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_damaged_files_give_an_image_or_an_image_error(data):
    content = bytearray(data.draw(st.sampled_from(small_files()), label="file"))
    # Headers decide more than pixels do: half of the changes go there.
    place = st.one_of(st.integers(0, 200), st.integers(0, len(content) - 1))
    for position, value in data.draw(st.lists(st.tuples(place, st.integers(0, 255)), max_size=6)):
        content[position] = value
    content = content[: data.draw(st.one_of(st.just(len(content)), st.integers(0, len(content))))]
    try:
        image = load(bytes(content), max_pixels=4_000_000)
    except ImageError as error:
        assert error.code in ("unreadable_image", "image_too_small", "image_too_large")
        assert error.message
    else:
        assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3
        assert min(image.shape[:2]) >= 112
