"""The one door for images: path, bytes, file object, Pillow image or array in; RGB uint8 (H, W, 3) out.

The stages get what a viewer shows: upright, transparency on white, colours in sRGB, every bit depth on the
scale 0-255. What cannot be shown faithfully is refused with a sentence; nothing is guessed or patched up.
"""

from __future__ import annotations

import io
import os
import stat
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageCms,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from faceqa.errors import ImageError, RemoteError
from faceqa.reading.remote import RemoteFile

ImageSource = (
    str | os.PathLike | bytes | bytearray | memoryview | BinaryIO | Image.Image | np.ndarray | RemoteFile
)


@dataclass(frozen=True, slots=True)
class NamedImage:
    """An image of a stream.

    Attributes:
        name: What its results are called.
        source: What `load` takes; or, where there is no image to read, why not.
        beside: What came with it in a data set, by its ending: a caption, metadata.
    """

    name: str
    source: ImageSource | ImageError
    beside: Mapping[str, bytes] = field(default_factory=dict)


def shown(path: str | Path) -> str:
    """A path as text; bytes that are no UTF-8 become escapes, so that it can be printed and stays unique."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


MIN_SIDE = 112
"""px. The ArcFace crop, which the recognition network sees, is 112 x 112: a smaller photo cannot fill it."""

MAX_PIXELS = 50_000_000
"""px. Passes a 45 MP full-frame camera and a 48 MP phone: 150 MB as an array, up to 1.2 GB on the way."""

MAX_BYTES_PER_PIXEL = 8
"""The widest encoding that is read: 16-bit RGBA without compression."""

MAX_EXTRA_BYTES = 64 * 2**20
"""Room for what a file holds besides the picture: metadata, further frames, the clip of a "motion photo"."""

FLOAT_OVERSHOOT = 0.2
"""Floats so little outside [0, 1] are clipped: bicubic and Lanczos resizing of photos gave -0.15 to 1.16."""

IMAGE_SUFFIXES = frozenset([
    ".apng", ".avif", ".bmp", ".gif", ".heic", ".heif", ".hif", ".jfif", ".jpe", ".jpeg", ".jpg", ".mpo",
    ".png", ".tif", ".tiff", ".webp",
])  # fmt: skip
"""Suffixes of the files that `load` reads, for listing a folder. `load` itself goes by the content only."""

# Pillow's plugins are called directly, not through Image.open: that one tries 40 formats (one starts
# Ghostscript), warns and raises by a size limit global to the process, and has to be told of HEIF globally.
PLUGINS: dict[str, type[ImageFile.ImageFile]] = {
    "AVIF": AvifImagePlugin.AvifImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "GIF": GifImagePlugin.GifImageFile,
    "JPEG": JpegImagePlugin.JpegImageFile,
    "PNG": PngImagePlugin.PngImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
    "WebP": WebPImagePlugin.WebPImageFile,
}
SIGNATURES = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF8", "GIF"),
    (b"BM", "BMP"),
    *((prefix, "TIFF") for prefix in TiffImagePlugin.PREFIXES),
)
HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
HEAD_BYTES = 512  # enough for every signature and for recognising text

# Pillow keeps the high bytes of 16-bit colour. In the other byte order, those are the low bytes.
OTHER_BYTE_ORDER = {
    f"{channels};16{order}": f"{channels};16{other}"
    for channels in ("RGB", "RGBA", "RGBX")
    for order, other in (("B", "L"), ("L", "B"), ("N", "B" if sys.byteorder == "little" else "L"))
}

NEW_SUBFILE_TYPE = 254  # TIFF 6.0 tag; bit 0: a reduced version of another image in the file
ORIENTATION = 274  # TIFF 6.0 and EXIF tag
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def load(source: ImageSource, *, max_pixels: int = MAX_PIXELS, min_side: int = MIN_SIDE) -> np.ndarray:
    """Reads one image from any source.

    EXIF orientation is applied (a corrupt EXIF block counts as none), transparency is laid on white and an
    embedded ICC profile is converted to sRGB (a broken one is ignored). An animation gives its first frame.
    Integers are scaled by their type (uint16: v/257, rounded; a Pillow image of mode I holds 16-bit values).
    Floats lie in [0, 1]; where they do not, their scale is unknown and the image is refused.

    Args:
        source: A path; the bytes of a file; a binary file object (read from its start, left open); a Pillow
            image (not changed); or an array (H, W), (H, W, 1), (H, W, 3) RGB or (H, W, 4) RGBA of bool,
            uint8, uint16 or float; or a file at an address.
        max_pixels: Largest width x height, in px. A larger file is refused by its header, without decoding.
        min_side: Smallest width and height, in px.

    Returns:
        RGB uint8 (H, W, 3) in [0, 255], C-contiguous, writable, sharing no memory with `source`.

    Raises:
        ImageError: `unreadable_image`, `image_too_small` or `image_too_large`. No source, whatever its type,
            raises anything else, so that one bad image does not end a batch.
        RemoteError: when the connection to an address stays lost.
    """
    bounds = _Bounds(max_pixels, min_side)
    try:
        if isinstance(source, np.ndarray):
            return _from_array(source, bounds)
        if isinstance(source, Image.Image):
            bounds.check_size(*source.size)
            return _from_pillow(source)
        with _binary_file(source, bounds) as file:
            return _from_file(file, bounds)
    except (ImageError, RemoteError):
        raise
    except (MemoryError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large("The image exceeds the memory, or Pillow's own limit. Scale it down.") from error
    except Exception as error:  # codecs raise a dozen kinds: SyntaxError, struct.error, EOFError, zlib.error
        detail = str(error).strip() or type(error).__name__
        raise unreadable(
            f"The image cannot be decoded: it is damaged, incomplete or of an unusual kind ({detail}). "
            "Copy or download it again, or save it as a JPEG or PNG."
        ) from error


def unreadable(message: str) -> ImageError:
    """The error of an image that cannot be read."""
    return ImageError("unreadable_image", message)


def _too_large(message: str) -> ImageError:
    return ImageError("image_too_large", message)


@dataclass(frozen=True, slots=True)
class _Bounds:
    """What the caller accepts."""

    max_pixels: int
    min_side: int

    @property
    def max_bytes(self) -> int:
        return MAX_BYTES_PER_PIXEL * self.max_pixels + MAX_EXTRA_BYTES

    def check_size(self, width: int, height: int) -> None:
        size = f"The image is {width} x {height} px"
        if width * height > self.max_pixels:
            limit = f"{self.max_pixels / 1e6:g} megapixels"
            raise _too_large(f"{size}; at most {limit} are read. Scale it down, or raise the limit.")
        if min(width, height) < max(self.min_side, 1):
            raise ImageError(
                "image_too_small",
                f"{size}; both sides must have at least {self.min_side} px. "
                "Use a photo of higher resolution: enlarging this one adds no detail.",
            )


@contextmanager
def _binary_file(source: Any, bounds: _Bounds) -> Iterator[BinaryIO]:
    """Gives a seekable file at its start. Closes only what it opened."""
    if isinstance(source, (str, os.PathLike)):
        with _open_path(source) as file:
            yield _rewound(file, bounds)
    elif isinstance(source, RemoteFile):
        yield _rewound(io.BytesIO(source.read(bounds.max_bytes)), bounds)
    elif isinstance(source, (bytes, bytearray, memoryview)):
        yield _rewound(io.BytesIO(source), bounds)
    elif isinstance(source, io.TextIOBase):
        raise unreadable('The file object is in text mode. Open the file in binary mode, "rb".')
    elif hasattr(source, "read"):
        yield _rewound(source, bounds)
    else:
        raise unreadable(
            f"{type(source).__name__} is not an image source. Give a path, bytes, a binary file object, "
            "a Pillow image or a NumPy array (H, W, 3) in RGB order."
        )


def _open_path(path: str | os.PathLike) -> BinaryIO:
    shown = os.fsencode(path).decode("utf-8", "replace")  # a name that is not UTF-8 must not break print()
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            raise unreadable(f"{shown} is a folder, not an image. Name the image files in it.")
        if not stat.S_ISREG(mode):  # opening a pipe waits for its writer, reading /dev/zero never ends
            raise unreadable(f"{shown} is a pipe, socket or device. Only regular files are read.")
        return open(path, "rb")
    except FileNotFoundError as error:
        raise unreadable(f"There is no file {shown}. Check the path.") from error
    except PermissionError as error:
        raise unreadable(f"There is no permission to read {shown}. Change its permissions.") from error
    except (OSError, ValueError) as error:  # a name too long, a loop of links, a null character ...
        raise unreadable(f"{shown} cannot be opened ({error}). Check the path.") from error


def _rewound(file: BinaryIO, bounds: _Bounds) -> BinaryIO:
    try:
        size = file.seek(0, os.SEEK_END)
    except (AttributeError, OSError):  # a pipe or a socket
        file = _drained(file, bounds)
        size = file.tell()
    if size > bounds.max_bytes:
        raise _too_large(
            f"The file has more than {bounds.max_bytes / 1e6:.0f} MB, more than an image within the limit of "
            f"{bounds.max_pixels / 1e6:g} megapixels needs. Save the photo alone, or raise the limit."
        )
    file.seek(0)
    return file


def _drained(stream: BinaryIO, bounds: _Bounds) -> io.BytesIO:
    content = io.BytesIO()
    while content.tell() <= bounds.max_bytes and (chunk := stream.read(2**20)):
        content.write(chunk)
    return content


def _from_file(file: BinaryIO, bounds: _Bounds) -> np.ndarray:
    head = file.read(HEAD_BYTES)
    kind = file_kind(head)
    if kind is None:
        raise unreadable(f"{_described(head)} Give a JPEG, PNG, WebP, AVIF, HEIC, BMP, TIFF or GIF file.")
    image = _opened(kind, file)
    bounds.check_size(*image.size)
    if kind == "PNG":  # decoding skips the checksums: one damaged byte in 400 would pass, as noise
        image.verify()
        image = _opened(kind, file)
    return _from_pillow(image, _low_bytes(image, kind, file))


def file_kind(head: bytes) -> str | None:
    """The format that the first bytes of a file announce, such as "JPEG"; None for none that `load` reads."""
    if head[4:8] == b"ftyp":
        brands = head[8 : int.from_bytes(head[:4], "big")]
        if b"avif" in brands or b"avis" in brands:
            return "AVIF"
        return "HEIF" if any(brand in brands for brand in HEIF_BRANDS) else None
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "WebP"
    return next((kind for signature, kind in SIGNATURES if head.startswith(signature)), None)


def _described(head: bytes) -> str:
    """Says what a file is that `load` does not read, going by its first bytes."""
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not head:
        return "The file is empty (0 bytes)."
    if b"<svg" in text:
        return "The file is an SVG drawing, which has no pixels. Export it as a PNG."
    if text.startswith((b"<!doctype html", b"<html")):
        return "The file is a web page, not an image; perhaps a download went wrong."
    if text.startswith(b"%pdf"):
        return "The file is a PDF document, not an image. Export the photo in it."
    if text.startswith(b"pk\x03\x04"):
        return "The file is a zip archive, not an image. Unpack it."
    if head[4:8] == b"ftyp" or head[8:11] == b"AVI" or head.startswith(b"\x1aE\xdf\xa3"):
        return "The file is a video, not an image. Extract its frames."
    if all(byte >= 32 or byte in b"\t\n\f\r" for byte in head):
        return "The file holds text, not an image, whatever its name says."
    return "The file is not an image, or its format is not supported."


def _opened(kind: str, file: BinaryIO) -> ImageFile.ImageFile:
    """Reads the header; Pillow decodes when the pixels are asked for."""
    file.seek(0)
    if kind == "HEIF":
        from pillow_heif import HeifImageFile  # 30 ms and 10 MB that most runs never need

        return HeifImageFile(file)
    return PLUGINS[kind](file)


def _low_bytes(image: ImageFile.ImageFile, kind: str, file: BinaryIO) -> np.ndarray | None:
    """The low bytes of 16-bit RGB or RGBA, uint8 (H, W, C); None for any other image."""
    tiles = []
    for tile in image.tile:
        raw_mode, *rest = tile.args if isinstance(tile.args, tuple) else (tile.args,)
        if raw_mode not in OTHER_BYTE_ORDER:
            return None
        tiles.append(tile._replace(args=(OTHER_BYTE_ORDER[raw_mode], *rest)))
    if not tiles:
        return None
    twin = _opened(kind, file)
    twin.tile = tiles
    return np.asarray(twin)


def _from_pillow(image: Image.Image, low_bytes: np.ndarray | None = None) -> np.ndarray:
    image.load()
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        _check_tiff(image)
    if low_bytes is not None:
        image_8 = _from_wide(np.asarray(image, np.uint16) << 8 | low_bytes, image)
    elif image.mode in ("I", "F") or image.mode.startswith("I;16"):
        image_8 = _from_wide(np.asarray(image), image)
    else:
        image_8 = image
    rgb = _in_srgb(_on_white(image_8), image.info.get("icc_profile"))
    return np.array(_upright(rgb, image))


def _check_tiff(image: TiffImagePlugin.TiffImageFile) -> None:
    """Refuses the variants that Pillow decodes to wrong values without a word."""
    tags = image.tag_v2
    if tags.get(NEW_SUBFILE_TYPE, 0) & 1:
        raise unreadable("The file starts with a preview, as camera raw files do. Export the photo as a PNG.")
    bits = max(tags.get(TiffImagePlugin.BITSPERSAMPLE, (1,)))
    white_is_zero = tags.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION) == 0
    planes = tags.get(TiffImagePlugin.PLANAR_CONFIGURATION) == 2
    if bits == 12 or (bits > 8 and (white_is_zero or planes)):
        raise unreadable(
            "The file is a TIFF of 12 bits, or of 16 bits in inverted grey or separate colour planes. "
            "Save it as a 16-bit PNG."
        )


def _from_wide(values: np.ndarray, image: Image.Image) -> Image.Image:
    """Scales the samples (H, W) or (H, W, C) of an image with more than 8 bits; applies its colour key."""
    if values.dtype == np.int32:
        if values.min() < 0 or values.max() > 65535:
            raise unreadable("The image has 32-bit integers of unknown scale. Save it with 8 or 16 bits.")
        values = values.astype(np.uint16)
    image_8 = Image.fromarray(_in_8_bits(values))
    key = image.info.get("transparency")
    if key is not None:
        seen = (values != key).reshape(*values.shape[:2], -1).any(axis=2)
        image_8.putalpha(Image.fromarray(seen))
    return image_8


def _on_white(image: Image.Image) -> Image.Image:
    # Pillow leaves the transparent colour of a palette image on its RGB copy, where any pixel may have it.
    stale = image.format is None and image.mode in ("1", "L", "RGB")
    if stale or not image.has_transparency_data:
        return image
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")


def _in_srgb(image: Image.Image, profile_bytes: bytes | None) -> Image.Image:
    """Converts to RGB, by the ICC profile if it is sound, fits the channels and is not sRGB itself."""
    if image.mode not in ("RGB", "L", "CMYK"):
        image = image.convert("RGB")
    if profile_bytes:
        try:
            profile = ImageCms.ImageCmsProfile(io.BytesIO(profile_bytes))
            if "srgb" not in ImageCms.getProfileDescription(profile).lower():
                to_srgb = ImageCms.buildTransform(profile, ImageCms.createProfile("sRGB"), image.mode, "RGB")
                return to_srgb.apply(image)
        except (OSError, ImageCms.PyCMSError):
            pass  # viewers show such an image as if it had no profile, and so it is judged
    return image.convert("RGB")


def _upright(rgb: Image.Image, image: Image.Image) -> Image.Image:
    try:
        turn = TURNS.get(image.getexif().get(ORIENTATION, 1))
    except Exception:  # a corrupt EXIF block raises what it likes and says nothing about the pixels
        turn = None
    return rgb if turn is None else rgb.transpose(turn)


def _from_array(values: np.ndarray, bounds: _Bounds) -> np.ndarray:
    shape = values.shape
    if values.ndim == 2:
        values = values[..., np.newaxis]
    if values.ndim != 3 or values.shape[2] not in (1, 3, 4):
        hint = ""
        if len(shape) == 3 and shape[0] in (1, 3, 4):
            hint = " The channels come last: use array.transpose(1, 2, 0)."
        elif len(shape) == 4:
            hint = " Give one image at a time."
        raise unreadable(f"The array is {shape}, not (H, W), (H, W, 1), (H, W, 3) or (H, W, 4).{hint}")
    bounds.check_size(shape[1], shape[0])
    values = _in_8_bits(values)
    if values.shape[2] == 4:
        return np.array(_on_white(Image.fromarray(values)))
    return np.broadcast_to(values, (*shape[:2], 3)).copy()


def _in_8_bits(values: np.ndarray) -> np.ndarray:
    """Scales bool, uint8, uint16 or float in [0, 1] to uint8 in [0, 255]."""
    dtype = values.dtype.newbyteorder("=")
    if dtype == np.uint8:
        return values
    if dtype == np.bool_:
        return values.astype(np.uint8) * 255
    if dtype == np.uint16:  # v/257 rounded; the minimum keeps the sum below 2^16 and changes no result
        return ((np.minimum(values, 65407) + 128) // 257).astype(np.uint8)
    if dtype.kind != "f":
        raise unreadable(f"The array is of type {dtype}; give uint8, uint16, bool or float in [0, 1].")
    low, high = values.min(), values.max()
    if not np.isfinite([low, high]).all():
        raise unreadable("The image holds NaN or infinite values. Replace them first.")
    if low < -FLOAT_OVERSHOOT or high > 1 + FLOAT_OVERSHOOT:
        raise unreadable(
            f"Float values must lie in [0, 1]; these go from {low:g} to {high:g}. "
            "Divide by 255, or undo the normalisation."
        )
    return np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)
