"""Files for the tests: images, bombs, zips and videos, made by hand where no library would write them so."""

import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
import pillow_heif
import skimage.data
import tifffile
from PIL import Image

T = TypeVar("T")

PHOTO = np.ascontiguousarray(
    skimage.data.astronaut()[0:192, 120:320]
)  # RGB (192, 200, 3): a face, not square


class Made(Mapping[str, T]):
    """A table whose values are made when somebody asks for them, each once."""

    def __init__(self, makers: Mapping[str, Callable[[], T]]) -> None:
        self._makers = makers
        self._made: dict[str, T] = {}

    def __getitem__(self, name: str) -> T:
        if name not in self._made:
            self._made[name] = self._makers[name]()
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)


def encoded(image, kind, **options) -> bytes:
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image)
    if kind == "HEIF":
        pillow_heif.register_heif_opener()
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def tiff(values, **options) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, values, **options)
    return buffer.getvalue()


def orientation_exif(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[274] = orientation
    return exif.tobytes()


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(width, height, depth, colour_type, rows: bytes, *chunks: bytes) -> bytes:
    """A PNG by hand, from the specification: every row starts with its filter type 0."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(rows, 1))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + data + chunk(b"IEND", b"")


def png_rows(values: np.ndarray) -> bytes:
    big_endian = values.astype(values.dtype.newbyteorder(">"))
    return b"".join(b"\0" + row.tobytes() for row in big_endian)


NOT_IMAGES = {
    "empty": (b"", "empty (0 bytes)"),
    "text": (b"Dear reader,\nthis is not a photo.\n", "text"),
    "utf-8 text": ("Grüße aus Köln".encode(), "text"),
    "html": (b"\xef\xbb\xbf\n<!DOCTYPE html><html><body>404 Not Found</body></html>", "web page"),
    "svg": (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
    "pdf": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj", "PDF"),
    "zip": (b"PK\x03\x04\x14\0\0\0\x08\0", "zip archive"),
    "mp4": (b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41", "video"),
    "webm": (b"\x1aE\xdf\xa3\x9fB\x86\x81\x01", "video"),
    "avi": (b"RIFF\0\0\0\0AVI LIST", "video"),
    "eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 200 200\n", "text"),
    "binary": (bytes(range(256)) * 4, "not an image"),
    "a jpeg's first bytes": (b"\xff\xd8\xff\xe0", "damaged, incomplete"),
    "a png's first bytes": (b"\x89PNG\r\n\x1a\n", "damaged, incomplete"),
    "a heic's first bytes": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "damaged, incomplete"),
}


ENCODED = Made(
    {
        "JPEG": lambda: encoded(PHOTO, "JPEG"),
        "progressive JPEG": lambda: encoded(PHOTO, "JPEG", progressive=True),
        "PNG": lambda: encoded(PHOTO, "PNG"),
        "WebP": lambda: encoded(PHOTO, "WEBP"),
        "TIFF": lambda: encoded(PHOTO, "TIFF"),
        "TIFF LZW": lambda: encoded(PHOTO, "TIFF", compression="tiff_lzw"),
        "GIF": lambda: encoded(PHOTO, "GIF"),
        "BMP": lambda: encoded(PHOTO, "BMP"),
        "AVIF": lambda: encoded(PHOTO, "AVIF", speed=10),
        "HEIC": lambda: encoded(PHOTO, "HEIF"),
    }
)


def box_size_replaced(content: bytes, side: int) -> bytes:
    """Changes the size in the "ispe" box of a HEIF or AVIF file."""
    at = content.index(b"ispe") + 8
    return content[:at] + struct.pack(">II", side, side) + content[at + 8 :]


def jpeg_size_replaced(content: bytes, side: int) -> bytes:
    at = content.index(b"\xff\xc0") + 5
    return content[:at] + struct.pack(">HH", side, side) + content[at + 4 :]


def webp_canvas_replaced(side: int) -> bytes:
    """Changes the canvas in the "VP8X" chunk of an animation, whose frames may be smaller than it."""
    frames = [Image.fromarray(PHOTO), Image.fromarray(PHOTO[::-1])]
    content = encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:])
    return content[:24] + 2 * (side - 1).to_bytes(3, "little") + content[30:]


BOMBS = Made(
    {
        "PNG": lambda: png(100_000, 100_000, 8, 2, b"\0" * 1000),
        "JPEG": lambda: jpeg_size_replaced(ENCODED["JPEG"], 60_000),
        "GIF": lambda: b"GIF89a" + struct.pack("<HH", 60_000, 60_000) + ENCODED["GIF"][10:],
        "BMP": lambda: ENCODED["BMP"][:18] + struct.pack("<ii", 100_000, 100_000) + ENCODED["BMP"][26:],
        "WebP": lambda: webp_canvas_replaced(16_000),
        "TIFF": lambda: tiff(np.zeros((8000, 8000), np.uint8), compression="zlib"),
        "AVIF": lambda: box_size_replaced(ENCODED["AVIF"], 10_000),
        "HEIC": lambda: box_size_replaced(ENCODED["HEIC"], 10_000),
    }
)


SIZE = (320, 240)


def write_video(path: Path, frames: list[np.ndarray], fps: float = 10, codec: str = "mp4v") -> Path:
    """A video of RGB frames of one size; of none at all, if there are none."""
    size = frames[0].shape[1::-1] if frames else SIZE
    video = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), fps, size)
    for frame in frames:
        video.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    video.release()
    return path


def moving_square(count: int) -> list[np.ndarray]:
    """A red square that travels from left to right over grey."""
    frames = []
    for number in range(count):
        frame = np.full((SIZE[1], SIZE[0], 3), 128, np.uint8)
        left = 8 * number
        frame[40:120, left : left + 80] = (220, 20, 20)
        frames.append(frame)
    return frames


def turned_video(content: bytes) -> bytes:
    """An MP4 that players turn by 90 degrees clockwise, as phones write it that were held upright."""
    matrix = content.index(b"tkhd") + 4 + 4 + 20 + 16
    one = 1 << 16
    turn = struct.pack(">9i", 0, one, 0, -one, 0, 0, SIZE[1] << 16, 0, 1 << 30)
    return content[:matrix] + turn + content[matrix + len(turn) :]


def slowed_video(content: bytes, frames: int) -> bytes:
    """An MP4 of which all frames but the first so many last ten times as long."""
    at = content.index(b"stts") + 8
    _, count, ticks = struct.unpack_from(">III", content, at)
    table = struct.pack(">5I", 2, frames, ticks, count - frames, 10 * ticks)
    changed = bytearray(content[:at] + table + content[at + 12 :])
    shown = changed.index(b"elst") + 12  # the edit list: how long the film is
    struct.pack_into(">I", changed, shown, 10 * struct.unpack_from(">I", changed, shown)[0])
    for box in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stts"):
        place = changed.index(box) - 4
        (size,) = struct.unpack_from(">I", changed, place)
        struct.pack_into(">I", changed, place, size + len(table) - 12)
    return bytes(changed)


def zipped(members: Mapping[str | zipfile.ZipInfo, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def encrypted(content: bytes) -> bytes:
    """A zip that says of its first member that it is encrypted."""
    at = content.index(b"PK\x01\x02") + 8
    return content[:at] + bytes([content[at] | 1]) + content[at + 1 :]


def unflagged(content: bytes) -> bytes:
    """A zip of one member that does not say that its name is in UTF-8."""
    changed = bytearray(content)
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = changed.index(signature) + offset
        (flags,) = struct.unpack_from("<H", changed, place)
        struct.pack_into("<H", changed, place, flags & ~0x800)
    return bytes(changed)


def camera_frame(photo: np.ndarray) -> np.ndarray:
    """A still photo (RGB) as a camera of 640 x 480 px shows it, black at both sides."""
    height, width = 480, round(photo.shape[1] * 480 / photo.shape[0])
    frame = np.zeros((height, 640, 3), np.uint8)
    left = (640 - width) // 2
    frame[:, left : left + width] = cv2.resize(photo, (width, height), interpolation=cv2.INTER_AREA)
    return frame


def camera_film(photo: np.ndarray, path: Path) -> Path:
    """Write a film of one frame, as Chromium's fake camera plays it."""
    planes = cv2.cvtColor(camera_frame(photo), cv2.COLOR_RGB2YUV_I420).tobytes()
    path.write_bytes(b"YUV4MPEG2 W640 H480 F10:1 Ip A1:1 C420jpeg\n" + 10 * (b"FRAME\n" + planes))
    return path
