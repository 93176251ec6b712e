"""Bad and odd input through every door: the right answer or a coded error, nothing lost, the process alive.

`benchmarks/robustness.py` runs this file and prints what came of each case.
"""

from __future__ import annotations

import io
import json
import math
import os
import re
import signal
import socket
import stat
import struct
import subprocess
import sys
import tarfile
import threading
import time
import wave
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pyarrow
import pytest
import torch
from conftest import EXAMPLES
from files import (
    BOMBS,
    NOT_IMAGES,
    chunk,
    encoded,
    encrypted,
    moving_square,
    orientation_exif,
    png,
    png_rows,
    slowed_video,
    tiff,
    turned_video,
    unflagged,
    write_video,
    zipped,
)
from PIL import Image, ImageOps
from pyarrow import parquet
from s3 import Line

from demo import curate as curate_tab
from demo import photo as photo_tab
from demo.page import MAX_WAITING
from faceqa import Policy, cli
from faceqa.curation.journal import JOURNAL
from faceqa.curation.table import Row, read_columns, read_csv
from faceqa.errors import PolicyError
from faceqa.measures.registry import JUDGED, TAKEN
from faceqa.reading import image, remote
from faceqa.reading.image import shown
from faceqa.reading.sources import named_images
from faceqa.verdict.policy import OF_A_FACE

FACE = np.ascontiguousarray(image.load(EXAMPLES / "hopper.jpg")[40:400, 60:420])
DULL = np.ascontiguousarray(image.load(EXAMPLES / "no_face.jpg")[:160, :160])
GREY = np.asarray(Image.fromarray(FACE).convert("L"))
PALETTE = Image.fromarray(FACE).quantize(64)
SIDE = FACE.shape[0]
ALPHA = np.tile(np.linspace(0, 255, SIDE).astype(np.uint8), (SIDE, 1))
CLIPPED = np.ascontiguousarray(FACE[:, 150:])
"""The face at the border: half of it is left."""
CROWD = np.tile(cv2.resize(FACE, (200, 200), interpolation=cv2.INTER_AREA), (8, 8, 1))
FACES_IN_CROWD = 64

PICTURES: Mapping[str, np.ndarray] = {
    "face": FACE,
    "grey": np.dstack([GREY] * 3),
    "palette": np.asarray(PALETTE.convert("RGB")),
    "on white": np.rint(FACE * (ALPHA / 255)[..., None] + 255 * (1 - ALPHA[..., None] / 255)).astype(
        np.uint8
    ),
    "clipped": CLIPPED,
    "crowd": CROWD,
}
"""What viewers show of the files below."""


@dataclass(frozen=True)
class Like:
    """The result that one of `PICTURES` has: its verdict and reasons, its scores within these distances."""

    picture: str
    ser_fiq: float = 0.0
    dbcnn: float = 0.0

    def __str__(self) -> str:
        within = f" within {self.ser_fiq:g} and {self.dbcnn:g}" if self.dbcnn else ""
        return f"scores of the picture ({self.picture}){within}"


LOSSY = partial(Like, ser_fiq=0.02, dbcnn=3.0)
DAMAGED = "unreadable_image", "image_too_small", "image_too_large"
"""The codes of an image that cannot be assessed: its verdict is "error"."""
SURVIVES = ("no_face", *DAMAGED)

Expected = str | tuple[str, ...] | Like


@dataclass(frozen=True)
class Kind:
    """A file, or a container of files.

    Attributes:
        file: Its name.
        make: Writes it at a path.
        expected: Of a container by what follows its path in the names of its images.
        as_photo: Of a container where only single images are taken.
    """

    file: str
    make: Callable[[Path], object]
    expected: Expected | Mapping[str, Expected]
    as_photo: str = "unreadable_image"


def holding(
    file: str,
    content: Callable[[], bytes],
    expected: Expected | Mapping[str, Expected],
    as_photo: str = "unreadable_image",
) -> Kind:
    """A file of these bytes, which are made when the file is."""
    return Kind(file, lambda path: path.write_bytes(content()), expected, as_photo)


def closed_file() -> io.BytesIO:
    file = io.BytesIO(b"closed")
    file.close()
    return file


# --- image files ------------------------------------------------------------------------------------------

OTHERS = {"save_all": True, "append_images": [Image.fromarray(255 - FACE), Image.fromarray(FACE[::-1])]}
FACE_16 = FACE.astype(np.uint16) * 257


@cache
def plain() -> bytes:
    return encoded(FACE, "JPEG", quality=95, subsampling=0)


@cache
def plain_png() -> bytes:
    return encoded(FACE, "PNG")


@cache
def dull_jpeg() -> bytes:
    return encoded(DULL, "JPEG", quality=90)


@cache
def dull_png() -> bytes:
    return encoded(DULL, "PNG")


def turned(orientation: int) -> Image.Image:
    """The picture that this EXIF orientation turns into the upright one."""
    inverse = {6: 8, 8: 6}.get(orientation, orientation)
    stored = Image.fromarray(FACE)
    stored.info["exif"] = orientation_exif(inverse)
    return ImageOps.exif_transpose(stored)


def turned_png(orientation: int) -> bytes:
    return encoded(turned(orientation), "PNG", exif=orientation_exif(orientation))


def interlaced(picture: np.ndarray) -> bytes:
    """Adam7, PNG specification section 8.2."""
    passes = (
        (0, 0, 8, 8),
        (4, 0, 8, 8),
        (0, 4, 4, 8),
        (2, 0, 4, 4),
        (0, 2, 2, 4),
        (1, 0, 2, 2),
        (0, 1, 1, 2),
    )
    rows = b"".join(png_rows(picture[y::dy, x::dx]) for x, y, dx, dy in passes)
    content = bytearray(png(picture.shape[1], picture.shape[0], 8, 2, rows))
    content[28] = 1
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    return bytes(content)


def with_segments(content: bytes, count: int) -> bytes:
    """A JPEG with so many segments of metadata of 64 kB each."""
    segment = b"\xff\xe1" + struct.pack(">H", 65535) + b"http://ns.adobe.com/xap/1.0/\0" + bytes(65504)
    return content[:2] + segment * count + content[2:]


def fuzzed(content: bytes, seed: int, header: int = 200) -> bytes:
    """Up to eight bytes of the header set to something else."""
    rng = np.random.default_rng(seed)
    changed = bytearray(content)
    for place in rng.integers(2, header, rng.integers(1, 9)):
        changed[place] = rng.integers(256)
    return bytes(changed)


def half(content: Callable[[], bytes]) -> bytes:
    whole = content()
    return whole[: len(whole) // 2]


def to_nowhere(path: Path) -> None:
    path.symlink_to("nowhere.jpg")


def to_itself(path: Path) -> None:
    path.symlink_to(path)


def a_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        here = os.open(path.parent, os.O_PATH)
        server.bind(f"/proc/self/fd/{here}/{path.name}")  # the full path may exceed 107 bytes
        os.close(here)


VARIANTS = {
    "progressive JPEG": holding(
        "a.jpg", lambda: encoded(FACE, "JPEG", quality=95, progressive=True), Like("face", 0.02, 3.0)
    ),
    "interlaced PNG": holding("a.png", lambda: interlaced(FACE), Like("face")),
    "16-bit TIFF": holding("a.tif", lambda: tiff(FACE_16, photometric="rgb"), Like("face")),
    "float TIFF": holding("a.tif", lambda: tiff(GREY.astype(np.float32) / 255), Like("grey")),
    "grey PNG": holding("a.png", lambda: encoded(GREY, "PNG"), Like("grey")),
    "animated PNG": holding("a.apng", lambda: encoded(FACE, "PNG", **OTHERS), Like("face")),
    "animated WebP": holding("a.webp", lambda: encoded(FACE, "WEBP", lossless=True, **OTHERS), Like("face")),
    "TIFF of several pages": holding("a.tiff", lambda: encoded(FACE, "TIFF", **OTHERS), Like("face")),
    "two pictures in one JPEG (MPO)": holding(
        "a.mpo", lambda: encoded(FACE, "MPO", quality=95, **OTHERS), LOSSY("face")
    ),
    "BMP": holding("a.bmp", lambda: encoded(FACE, "BMP"), Like("face")),
    **{
        f"EXIF orientation {number}": holding("a.png", partial(turned_png, number), Like("face"))
        for number in range(1, 9)
    },
    "corrupt EXIF": holding(
        "a.png", lambda: encoded(FACE, "PNG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff"), Like("face")
    ),
    "broken colour profile": holding(
        "a.png", lambda: encoded(FACE, "PNG", icc_profile=b"garbage"), Like("face")
    ),
}
"""Pictures that differ in nothing but their encoding; one door is enough for them."""

IMAGES = {
    "JPEG": holding("a.jpg", plain, LOSSY("face")),
    "CMYK JPEG": holding(
        "a.jpg", lambda: encoded(Image.fromarray(FACE).convert("CMYK"), "JPEG", quality=95), LOSSY("face")
    ),
    "PNG": holding("a.png", plain_png, Like("face")),
    "16-bit PNG": holding(
        "a.png", lambda: cv2.imencode(".png", FACE_16[..., ::-1])[1].tobytes(), Like("face")
    ),
    "1-bit TIFF": holding("a.tif", lambda: encoded(Image.fromarray(GREY).convert("1"), "TIFF"), "no_face"),
    "palette PNG": holding("a.png", lambda: encoded(PALETTE, "PNG"), Like("palette")),
    "transparent PNG": holding(
        "a.png", lambda: encoded(np.dstack([FACE, ALPHA]), "PNG"), Like("on white", 0.002, 0.2)
    ),
    "animated GIF": holding("a.gif", lambda: encoded(PALETTE, "GIF", **OTHERS), Like("palette")),
    "HEIC": holding("a.heic", lambda: encoded(FACE, "HEIF", quality=95, chroma=444), LOSSY("face")),
    "AVIF": holding(
        "a.avif", lambda: encoded(FACE, "AVIF", quality=95, subsampling="4:4:4", speed=9), LOSSY("face")
    ),
    "EXIF orientation": holding(
        "a.jpg", lambda: encoded(turned(6), "JPEG", quality=95, exif=orientation_exif(6)), LOSSY("face")
    ),
    "20 MB of metadata in a JPEG": holding("a.jpg", lambda: with_segments(dull_jpeg(), 320), "no_face"),
    "30 MB of text in a PNG": holding(
        "a.png",
        lambda: dull_png()[:33] + chunk(b"tEXt", b"prompt\0" + b"x" * 30_000_000) + dull_png()[33:],
        "no_face",
    ),
    "text in a PNG that unpacks to 20 MB": holding(
        "a.png",
        lambda: (
            dull_png()[:33]
            + chunk(b"zTXt", b"prompt\0\0" + zlib.compress(bytes(20_000_000), 9))
            + dull_png()[33:]
        ),
        "unreadable_image",
    ),
    "pixels of a PNG that unpack to 50 MB": holding(
        "a.png", lambda: png(160, 160, 8, 2, png_rows(DULL) + bytes(50_000_000)), "no_face"
    ),
    "a clip behind the JPEG (motion photo)": holding(
        "a.jpg", lambda: dull_jpeg() + bytes(10_000_000), "no_face"
    ),
    "PNG named .jpg": holding("a.jpg", dull_png, "no_face"),
    "JPEG named .heic": holding("a.heic", dull_jpeg, "no_face"),
    "JPEG without a suffix": holding("photo", dull_jpeg, "no_face"),
    "suffix in capitals": holding("PHOTO.JPG", dull_jpeg, "no_face"),
    "a name of all scripts": holding("Gesicht ü 顔 😀 ‮gpj.jpg", dull_jpeg, "no_face"),
    "a name with a line break": holding("a\n\tb.jpg", dull_jpeg, "no_face"),
    "a name that is not UTF-8": holding(os.fsdecode(b"caf\xe9.jpg"), dull_jpeg, "no_face"),
    "a name like a formula": holding("=cmd|'calc'!A1.jpg", dull_jpeg, "no_face"),
    "a name of 248 bytes": holding(f"{'a' * 240}.jpg", dull_jpeg, "no_face"),
    "a name with # and %": holding("a#t=0&frame=1 100%20.jpg", dull_jpeg, "no_face"),
    **{
        f"truncated {name}": holding(f"a{suffix}", partial(half, content), "unreadable_image")
        for name, suffix, content in (
            ("JPEG", ".jpg", dull_jpeg),
            ("PNG", ".png", dull_png),
            ("WebP", ".webp", lambda: encoded(DULL, "WEBP")),
            ("GIF", ".gif", lambda: encoded(DULL, "GIF")),
            ("TIFF", ".tif", lambda: encoded(DULL, "TIFF")),
            ("HEIC", ".heic", lambda: encoded(DULL, "HEIF")),
            ("AVIF", ".avif", lambda: encoded(DULL, "AVIF", speed=10)),
        )
    },
    **{
        f"{name} that declares far too many pixels": holding(
            f"a.{name.lower()}", partial(BOMBS.__getitem__, name), "image_too_large"
        )
        for name in BOMBS
    },
    "PNG with a wrong checksum": holding(
        "a.png",
        lambda: dull_png()[:-20] + bytes([dull_png()[-20] ^ 1]) + dull_png()[-19:],
        "unreadable_image",
    ),
    "PNG of 0 x 0 px": holding("a.png", lambda: png(0, 0, 8, 2, b""), "unreadable_image"),
    "GIF without a frame": holding("a.gif", lambda: b"GIF89a\xa0\0\xa0\0\0\0\0;", "unreadable_image"),
    "1 x 50,000 px": holding(
        "a.png", lambda: encoded(np.zeros((50_000, 1), np.uint8), "PNG"), "image_too_small"
    ),
    "50,000 x 1 px": holding(
        "a.png", lambda: encoded(np.zeros((1, 50_000), np.uint8), "PNG"), "image_too_small"
    ),
    "112 x 50,000 px": holding("a.png", lambda: encoded(np.zeros((50_000, 112), np.uint8), "PNG"), "no_face"),
    "111 x 111 px": holding("a.png", lambda: encoded(DULL[:111, :111], "PNG"), "image_too_small"),
    "TIFF of 32-bit integers": holding(
        "a.tif", lambda: tiff(GREY.astype(np.uint32) << 16), "unreadable_image"
    ),
    "JPEG 2000": holding("a.jpg", lambda: encoded(DULL, "JPEG2000"), "unreadable_image"),
    **{
        f"{name} named .jpg": holding("a.jpg", partial(bytes, content), "unreadable_image")
        for name, (content, _) in NOT_IMAGES.items()
    },
    "a folder named .jpg": Kind("a.jpg", lambda path: path.mkdir(), {}),
    "a missing file": Kind("a.jpg", lambda path: None, "unreadable_image"),
    "a broken link": Kind("a.jpg", to_nowhere, "unreadable_image"),
    "a link to itself": Kind("a.jpg", to_itself, "unreadable_image"),
    "a named pipe": Kind("a.jpg", os.mkfifo, "unreadable_image"),
    "a socket": Kind("a.jpg", a_socket, "unreadable_image"),
    "a device": Kind("a.jpg", lambda path: path.symlink_to("/dev/zero"), "unreadable_image"),
    # Faces
    "no face": holding("a.png", dull_png, "no_face"),
    "a face cut by the border": holding("a.png", lambda: encoded(CLIPPED, "PNG"), Like("clipped")),
    "a tiny face": holding(
        "a.png",
        lambda: encoded(cv2.resize(FACE, (120, 120), interpolation=cv2.INTER_AREA), "PNG"),
        "face_too_small",
    ),
    "a face upside down": holding(
        "a.png", lambda: encoded(np.ascontiguousarray(FACE[::-1, ::-1]), "PNG"), "low_ser_fiq"
    ),
    f"{FACES_IN_CROWD} faces": holding("a.png", lambda: encoded(CROWD, "PNG"), Like("crowd")),
    "all black": holding("a.png", lambda: encoded(np.zeros((300, 300), np.uint8), "PNG"), "no_face"),
    "all white": holding("a.png", lambda: encoded(np.full((300, 300), 255, np.uint8), "PNG"), "no_face"),
    "noise": holding(
        "a.png",
        lambda: encoded(np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8), "PNG"),
        "no_face",
    ),
}

# --- zips -------------------------------------------------------------------------------------------------


def link_member() -> bytes:
    link = zipfile.ZipInfo("link.jpg")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    return zipped({link: b"/etc/passwd", "photo.jpg": dull_jpeg()})


def lying_bomb() -> bytes:
    """A member that says it has 1 kB and unpacks to 10 MB."""
    content = bytearray(zipped({"zeros.bmp": bytes(10_000_000)}, zipfile.ZIP_DEFLATED))
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<I", content, content.index(signature) + offset, 1000)
    return bytes(content)


def overlapping() -> bytes:
    """Entries that all lead to the same compressed megabytes, as in Fifield's bombs."""
    content = zipped({"0000.bmp": bytes(2**20)}, zipfile.ZIP_DEFLATED)
    directory, end = content.index(b"PK\x01\x02"), content.index(b"PK\x05\x06")
    entry = content[directory:end]
    entries = b"".join(entry.replace(b"0000.bmp", b"%04d.bmp" % number) for number in range(2000))
    tail = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 2000, 2000, len(entries), directory, 0)
    return content[:directory] + entries + tail


def with_method(method: int) -> bytes:
    """A zip whose member is packed by a method that is not known here."""
    content = bytearray(zipped({"photo.jpg": dull_jpeg()}))
    for signature, offset in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        struct.pack_into("<H", content, content.index(signature) + offset, method)
    return bytes(content)


def with_duplicates(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("photo.jpg", dull_jpeg())
        archive.writestr("photo.jpg", b"no image")


FUZZED = 30


@cache
def album() -> bytes:
    return zipped({"beach/1.jpg": dull_jpeg(), "beach/2.jpg": dull_jpeg()})


def with_damaged_headers(kind: str) -> bytes:
    content = encoded(DULL, kind, exif=orientation_exif(6))
    return zipped({f"{seed}.{kind.lower()}": fuzzed(content, seed) for seed in range(FUZZED)})


ZIPS = {
    "zip": holding("a.zip", album, {"/beach/1.jpg": "no_face", "/beach/2.jpg": "no_face"}),
    **{
        f"zip of {FUZZED} {name}s with damaged headers": holding(
            "a.zip",
            partial(with_damaged_headers, name),
            {f"/{seed}.{name.lower()}": SURVIVES for seed in range(FUZZED)},
        )
        for name in ("JPEG", "PNG")
    },
    "zip with a way out": holding(
        "a.zip", lambda: zipped({"../../out.jpg": dull_jpeg()}), {"/../../out.jpg": "no_face"}
    ),
    "zip with absolute names": holding(
        "a.zip", lambda: zipped({"/etc/out.jpg": dull_jpeg()}), {"//etc/out.jpg": "no_face"}
    ),
    "zip bomb": holding(
        "a.zip",
        lambda: zipped({"zeros.bmp": bytes(120 * 2**20)}, zipfile.ZIP_DEFLATED),
        {"/zeros.bmp": "image_too_large"},
    ),
    "zip bomb that lies of its size": holding("a.zip", lying_bomb, {"/zeros.bmp": "unreadable_image"}),
    "zip bomb of overlapping members": holding("a.zip", overlapping, {"": "image_too_large"}),
    "zip in a zip": holding(
        "a.zip", lambda: zipped({"inner.zip": album()}), {"/inner.zip": "unreadable_image"}
    ),
    "encrypted zip": holding(
        "a.zip", lambda: encrypted(zipped({"1.jpg": dull_jpeg()})), {"/1.jpg": "unreadable_image"}
    ),
    "zip with odd names": holding(
        "a.zip",
        lambda: zipped({"a\nb.jpg": dull_jpeg(), "c:\\d.jpg": dull_jpeg(), f"{'e' * 300}.jpg": dull_jpeg()}),
        {"/a\nb.jpg": "no_face", "/c:\\d.jpg": "no_face", f"/{'e' * 300}.jpg": "no_face"},
    ),
    "zip with names in UTF-8 that does not say so": holding(
        "a.zip", lambda: unflagged(zipped({"휴가.jpg": dull_jpeg()})), {"/휴가.jpg": "no_face"}
    ),
    "zip with names in another encoding": holding(
        "a.zip",
        lambda: zipped({"xx.jpg": dull_jpeg()}).replace(b"xx.jpg", b"\xe9\xff.jpg"),
        {"/Θ\xa0.jpg": "no_face"},
    ),
    "zip with a name twice": Kind(
        "a.zip", with_duplicates, {"/photo.jpg": "no_face", "/photo.jpg (2)": "unreadable_image"}
    ),
    "zip with a link": holding(
        "a.zip", link_member, {"/link.jpg": "unreadable_image", "/photo.jpg": "no_face"}
    ),
    "truncated zip": holding("a.zip", partial(half, album), {"": "unreadable_image"}),
    "zip with a damaged member": holding(
        "a.zip",
        lambda: album()[:3000] + bytes(9) + album()[3009:],
        {"/beach/1.jpg": "unreadable_image", "/beach/2.jpg": "no_face"},
    ),
    "zip packed by an unknown method": holding(
        "a.zip", partial(with_method, 99), {"/photo.jpg": "unreadable_image"}
    ),
    "zip behind a program": holding(
        "a.zip", lambda: b"MZ" + bytes(999) + zipped({"1.jpg": dull_jpeg()}), {"/1.jpg": "no_face"}
    ),
    "zip without members": holding("a.zip", lambda: zipped({}), {}),
    "zip without images": holding("a.zip", lambda: zipped({"notes.txt": b"text"}), {}),
    "empty file named .zip": holding("a.zip", lambda: b"", {"": "unreadable_image"}),
    "a named pipe named .zip": Kind("a.zip", os.mkfifo, {"": "unreadable_image"}),
}

# --- videos -----------------------------------------------------------------------------------------------


def video(
    frames: Callable[[], list[np.ndarray]], suffix: str = ".mp4", change: Callable[[bytes], bytes] = bytes
) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        codec = "MJPG" if suffix == ".avi" else "mp4v"
        write_video(path, frames(), codec=codec)
        path.write_bytes(change(path.read_bytes()))

    return write


def sound(path: Path) -> None:
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(16000))


def stream_list(path: Path) -> None:
    path.write_text("ffconcat version 1.0\nfile 'neighbour.avi'\n")


squares = partial(moving_square, 30)
VIDEOS = {
    "video of one frame": Kind(
        "a.mp4", video(lambda: [FACE]), {"#t=0.000&frame=0": Like("face", 0.05, 10.0)}
    ),
    "video held upright": Kind(
        "a.mp4",
        video(lambda: [np.ascontiguousarray(np.rot90(FACE))], change=turned_video),
        {"#t=0.000&frame=0": Like("face", 0.05, 10.0)},
    ),
    "video of a variable rate": Kind(
        "a.mp4",
        video(lambda: squares()[:12], change=partial(slowed_video, frames=10)),
        {f"#t={t:.3f}&frame={n}": "no_face" for t, n in ((0, 0), (0.5, 5), (1.0, 10), (2.0, 11))},
    ),
    "video of no frames": Kind("a.avi", video(list, ".avi"), {"": "unreadable_image"}),
    "truncated MP4": Kind(
        "a.mp4", video(squares, change=lambda content: content[: len(content) // 2]), {"": "unreadable_image"}
    ),
    "truncated AVI": Kind(
        "a.avi",
        video(squares, ".avi", lambda content: content[: len(content) // 2]),
        {
            "#t=0.000&frame=0": "no_face",
            "#t=0.500&frame=5": "no_face",
            "#t=1.000&frame=10": "no_face",
            "": "unreadable_image",
        },
    ),
    "sound without a picture": Kind("a.avi", sound, {"": "unreadable_image"}),
    "a list of other files named .mp4": Kind("a.mp4", stream_list, {"": "unreadable_image"}),
    "text named .mp4": holding("a.mp4", lambda: b"no video", {"": "unreadable_image"}),
    "empty file named .mp4": holding("a.mp4", lambda: b"", {"": "unreadable_image"}),
    "JPEG named .mp4": holding("a.mp4", dull_jpeg, {"": "unreadable_image"}, as_photo="no_face"),
    "a named pipe named .mp4": Kind("a.mp4", os.mkfifo, {"": "unreadable_image"}),
}

# --- shards -----------------------------------------------------------------------------------------------


def tarred(members: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def samples() -> bytes:
    return tarred({"1.jpg": dull_jpeg(), "1.txt": b"a caption", "2.jpg": dull_jpeg()})


def half_sparse() -> bytes:
    """A member that says it is 1 GB of holes, as GNU tar writes it."""
    member = tarfile.TarInfo("zeros.bmp")
    member.type = tarfile.GNUTYPE_SPARSE
    header = bytearray(member.tobuf(tarfile.GNU_FORMAT))
    header[483:495] = b"%011o\0" % 10**9
    header[148:156] = b"%06o\0 " % (sum(header[:148]) + 8 * 32 + sum(header[156:]))
    return bytes(header) + bytes(1024)


def table(**columns: list[Any]) -> bytes:
    buffer = io.BytesIO()
    parquet.write_table(pyarrow.table(columns), buffer)
    return buffer.getvalue()


SHARDS = {
    "tar of webdataset": holding("a.tar", samples, {"/1.jpg": "no_face", "/2.jpg": "no_face"}),
    "truncated tar": holding("a.tar", partial(half, samples), {"/1.jpg": "no_face", "": "unreadable_image"}),
    "damaged tar": holding("a.tar", lambda: b"x" * 512 + samples()[512:], {"": "unreadable_image"}),
    "tar with a member that is no picture": holding(
        "a.tar", lambda: tarred({"1.jpg": b"no picture"}), {"/1.jpg": "unreadable_image"}
    ),
    "tar with a sparse bomb": holding("a.tar", half_sparse, {"/zeros.bmp": "image_too_large"}),
    "tar with a path that leaves it": holding(
        "a.tar", lambda: tarred({"../../out.jpg": dull_jpeg()}), {"/../../out.jpg": "no_face"}
    ),
    "empty file named .tar": holding("a.tar", lambda: b"", {"": "unreadable_image"}),
    "a named pipe named .tar": Kind("a.tar", os.mkfifo, {"": "unreadable_image"}),
    "Parquet with pictures": holding("a.parquet", lambda: table(jpg=[dull_jpeg()]), {"#row=0": "no_face"}),
    "Parquet with a row without a picture": holding(
        "a.parquet",
        lambda: table(jpg=[dull_jpeg(), None]),
        {"#row=0": "no_face", "#row=1": "unreadable_image"},
    ),
    "Parquet without a column of pictures": holding(
        "a.parquet", lambda: table(image=["a.jpg"]), {"": "unreadable_image"}
    ),
    "truncated Parquet": holding(
        "a.parquet", lambda: table(jpg=[dull_jpeg()])[:-20], {"": "unreadable_image"}
    ),
    "empty file named .parquet": holding("a.parquet", lambda: b"", {"": "unreadable_image"}),
}

KINDS = {**VARIANTS, **IMAGES, **ZIPS, **VIDEOS, **SHARDS}
NOT_SENT = {
    kind
    for kind in KINDS
    if kind.startswith(("a folder", "a missing", "a broken link", "a link", "a named pipe"))
}
NOT_SENT |= {"a socket", "a device"}
NUMBERS = {kind: number for number, kind in enumerate(KINDS)}


# --- the doors for files ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    """What a door says of one image."""

    verdict: str
    codes: tuple[str, ...]
    ser_fiq: float | None
    dbcnn: float | None

    def __str__(self) -> str:
        scores = f", SER-FIQ {self.ser_fiq:.3f}, DBCNN {self.dbcnn:.1f}" if self.ser_fiq is not None else ""
        return " ".join(self.codes or (self.verdict,)) + scores

    def is_as(self, expected: Expected, reference: Callable[[str], Outcome]) -> bool:
        if isinstance(expected, Like):
            other = reference(expected.picture)
            return (
                (self.verdict, self.codes) == (other.verdict, other.codes)
                and near(self.ser_fiq, other.ser_fiq, expected.ser_fiq)
                and near(self.dbcnn, other.dbcnn, expected.dbcnn)
            )
        verdict = "error" if self.codes[:1] in [(code,) for code in DAMAGED] else "reject"
        allowed = (expected,) if isinstance(expected, str) else expected
        return self.verdict == verdict and len(self.codes) > 0 and self.codes[0] in allowed


def near(value: float | None, other: float | None, distance: float) -> bool:
    return value is not None and other is not None and abs(value - other) <= distance


PATIENCE = 600
"""Seconds after which something waits for ever."""

Outcomes = dict[str, Outcome]
"""By the images' names."""


def outcome(result: Mapping[str, Any]) -> Outcome:
    """Of an assessment's JSON object."""
    codes = tuple(reason["code"] for reason in result["reasons"])
    return Outcome(result["verdict"], codes, result["ser_fiq"], result["dbcnn"])


def row_outcome(row: Row) -> Outcome:
    return Outcome(row.verdict, row.reasons, row.scores.get("ser_fiq"), row.scores.get("dbcnn"))


def told(said: Mapping[str, Outcome]) -> str:
    return "; ".join(f"{name.strip()} {one}".strip() for name, one in said.items()) or "nothing"


@pytest.fixture
def record(record_property) -> Callable[..., None]:
    """Tells the benchmark's table what a case is, what is expected, and what came."""

    def said(door: str, kind: str, expected: object, got: object) -> None:
        for name, value in (("door", door), ("kind", kind), ("expected", expected), ("got", got)):
            record_property(name, str(value))

    return said


@pytest.fixture(scope="module")
def reference(scorer) -> Callable[[str], Outcome]:
    return cache(lambda name: outcome(scorer.assess(PICTURES[name], unmasked=False).to_dict()))


@pytest.fixture(scope="module")
def paths(tmp_path_factory) -> dict[str, Path]:
    """One file of each kind."""
    folder = tmp_path_factory.mktemp("kinds")
    write_video(folder / "neighbour.avi", squares(), codec="MJPG")
    made = {}
    for kind in KINDS:
        made[kind] = folder / numbered(kind)
        KINDS[kind].make(made[kind])
    return made


def numbered(kind: str) -> str:
    stem, suffix = os.path.splitext(KINDS[kind].file)
    return f"{stem}-{NUMBERS[kind]:03}{suffix}"


def of_kind(said: Outcomes, kind: str) -> Outcomes:
    """The images of one file, by what follows its path."""
    file = re.compile(rf"(?:^|/){re.escape(shown(Path(numbered(kind))))}")
    found = [(file.search(name), one) for name, one in said.items()]
    return {match.string[match.end() :]: one for match, one in found if match}


@contextmanager
def no_longer_than(seconds: int) -> Iterator[None]:
    """Fails where something waits for ever."""

    def too_long(*_):
        pytest.fail(f"more than {seconds} s")

    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def fits(door: str, kind: str) -> bool:
    """Whether the door is for such a kind: browsers send regular files only."""
    if door.startswith(("app", "HTTP")) and kind in NOT_SENT:
        return False
    return door == "Python" or kind not in VARIANTS


def by_python(scorer, paths: list[Path], _folder: Path) -> Outcomes:
    with no_longer_than(PATIENCE):
        results = list(scorer.assess_many(named_images(paths)))
    return {result.image: outcome(result.to_dict()) for result in results}


def by_score(_scorer, paths: list[Path], _folder: Path) -> Outcomes:
    command = [sys.executable, "-m", "faceqa", "score", "--json", *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert (done.returncode, done.stderr) == (1, ""), "some could not be assessed, and nothing else was wrong"
    results = [json.loads(line) for line in done.stdout.splitlines()]
    return {result["image"]: outcome(result) for result in results}


def by_curate(scorer, paths: list[Path], folder: Path) -> Outcomes:
    with pytest.MonkeyPatch.context() as patch, no_longer_than(PATIENCE):
        patch.setattr("faceqa.scorer.Scorer", lambda *_: scorer)
        command = ["curate", *map(str, paths), "--out", str(folder / "out"), "--export", "copy"]
        assert cli.main(command) == cli.SOME_FAILED
    return {row.image: row_outcome(row) for row in read_csv(folder / "out" / "scores.csv")}


def by_curate_tab(scorer, paths: list[Path], _folder: Path) -> Outcomes:
    with no_longer_than(PATIENCE):
        *_, (known, done, total, _) = curate_tab.curated(scorer, list(map(str, paths)))
    assert known is not None and done == total
    curate_tab.rejudged(known, Policy(), "en")
    curate_tab.delete(known)
    return {row.image: row_outcome(row) for row in known.rows}


BATCHES = {
    "Python": by_python,
    "faceqa score": by_score,
    "faceqa curate": by_curate,
    "app: Curate": by_curate_tab,
}


@pytest.fixture(scope="module")
def batches(scorer, paths, tmp_path_factory) -> Callable[[str], Outcomes]:
    """All kinds through a door at once: none may stop the others."""

    def through(door: str) -> Outcomes:
        files = [path for kind, path in paths.items() if fits(door, kind)]
        return BATCHES[door](scorer, files, tmp_path_factory.mktemp("batch"))

    return cache(through)


def check(record, door: str, kind: str, got: Outcomes, reference) -> None:
    expected = KINDS[kind].expected
    images = expected if isinstance(expected, Mapping) else {"": expected}
    record(
        door,
        kind,
        "; ".join(f"{name.strip()} {one}".strip() for name, one in images.items()) or "nothing",
        told(got),
    )
    assert got.keys() == images.keys()
    for name, one in images.items():
        assert got[name].is_as(one, reference), name


@pytest.mark.parametrize(
    ("door", "kind"), [(door, kind) for door in BATCHES for kind in KINDS if fits(door, kind)]
)
def test_a_file_among_others(door, kind, batches, reference, record):
    check(record, door, kind, of_kind(batches(door), kind), reference)


def test_very_many_faces(scorer, record):
    found = scorer.assess(CROWD, unmasked=False).faces_found
    record("Python", "very many faces in one image", FACES_IN_CROWD, found)
    assert found == FACES_IN_CROWD


def test_a_folder_hides_nothing(scorer, tmp_path, record):
    (tmp_path / "a.jpg").write_bytes(dull_jpeg())
    to_nowhere(tmp_path / "b.jpg")
    os.mkfifo(tmp_path / "c.jpg")
    (tmp_path / "d.jpg").mkdir()
    to_itself(tmp_path / "e.jpg")
    images = named_images([tmp_path], leave_out=tmp_path / "out")
    got = {Path(result.image).name: outcome(result.to_dict()) for result in scorer.assess_many(images)}
    record("Python", "a folder with broken links and a pipe", "an error for each", told(got))
    codes = {name: one.codes for name, one in got.items()}
    bad = ("unreadable_image",)
    assert codes == {"a.jpg": ("no_face",), "b.jpg": bad, "c.jpg": bad, "e.jpg": bad}


def check_one(record, door: str, kind: str, result: Mapping[str, Any], reference) -> None:
    """As `check`, where only single images are taken."""
    whole = KINDS[kind].expected
    expected = KINDS[kind].as_photo if isinstance(whole, Mapping) else whole
    got = outcome(result)
    record(door, kind, expected, got)
    assert got.is_as(expected, reference)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if fits("app: Photo", kind)])
def test_a_photo_on_the_page(kind, scorer, paths, reference, record):
    page = photo_tab.show(scorer, str(paths[kind]), kind, 0, "en", Policy())
    check_one(record, "app: Photo", kind, page[0].assessment.to_dict(), reference)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if fits("HTTP /assess", kind)])
def test_a_file_over_http(kind, demo_address, paths, reference, record):
    check_one(record, "HTTP /assess", kind, assessed(demo_address, paths[kind]), reference)


# --- HTTP -------------------------------------------------------------------------------------------------

SETTING_NAMES = [setting.name for setting in OF_A_FACE]
DEFAULTS = [setting.default for setting in OF_A_FACE]
ASKED = [row.name for row in JUDGED if row in TAKEN]
GOOD = {"face_size": 300, "yaw": 0, "ser_fiq": 0.8, "occlusion": 0, "dbcnn": 70}


def called(address: str, name: str, body: bytes) -> tuple[int, str]:
    """Status and text of the answer to a request of any kind."""
    headers = {"Content-Type": "application/json"}
    with httpx.Client(timeout=PATIENCE) as client:
        answer = client.post(f"{address}gradio_api/call/{name}", content=body, headers=headers)
        if answer.status_code == 200:
            answer = client.get(f"{address}gradio_api/call/{name}/{answer.json()['event_id']}")
        return answer.status_code, answer.text


def uploaded(address: str, path: Path) -> dict[str, Any]:
    files = {"files": (shown(Path(path.name)), path.read_bytes())}
    (place,) = httpx.post(f"{address}gradio_api/upload", files=files, timeout=PATIENCE).json()
    return file_data(place)


def file_data(place: str) -> dict[str, Any]:
    return {"path": place, "meta": {"_type": "gradio.FileData"}}


def assessed(address: str, path: Path) -> dict[str, Any]:
    status, text = called(
        address, "assess", json.dumps({"data": [uploaded(address, path), *DEFAULTS]}).encode()
    )
    assert status == 200 and "event: complete" in text, text
    return answer_in(text)


def answer_in(events: str) -> dict[str, Any]:
    """The last event's data; signs of life may come before it."""
    return json.loads(events.rpartition("data: ")[2])[0]


def data(*values: object) -> bytes:
    return json.dumps({"data": values}).encode()


def judging(**changed: object) -> bytes:
    """A request to judge a good face under the default policy, with these values changed."""
    known = {**GOOD, **dict(zip(SETTING_NAMES, DEFAULTS, strict=True)), **changed}
    return data(*(known[name] for name in (*ASKED, *SETTING_NAMES)))


REQUESTS = {
    "no JSON": ("judge", b"{"),
    "nothing": ("judge", b""),
    "a list": ("judge", b"[1, 2]"),
    "no data": ("judge", b"{}"),
    "too few values": ("judge", data(0.8)),
    "words for numbers": ("judge", judging(face_size="a", yaw="e", ser_fiq="b", occlusion="c", dbcnn="d")),
    "null for a number": ("judge", judging(ser_fiq=None)),
    "objects for numbers": ("judge", judging(ser_fiq={}, dbcnn=[])),
    "a measure that is NaN": ("judge", judging(ser_fiq=math.nan)),
    "an infinite measure": ("judge", judging(dbcnn=math.inf)),
    "a measure below 0": ("judge", judging(ser_fiq=-0.8)),
    "a yaw that is NaN": ("judge", judging(yaw=math.nan)),
    "a yaw beyond a turn": ("judge", judging(yaw=-181)),
    "a turn below 0 as a limit": ("judge", judging(max_yaw=-1)),
    "a threshold that is NaN": ("judge", judging(ser_fiq_threshold=math.nan)),
    "a threshold below 0": ("judge", judging(ser_fiq_threshold=-1)),
    "weights of 0": ("judge", judging(ser_fiq_weight=0, dbcnn_weight=0)),
    "no image": ("assess", data(None, *DEFAULTS)),
    "a number for an image": ("assess", data(7, *DEFAULTS)),
    "a file of the server": (
        "assess",
        data({"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}, *DEFAULTS),
    ),
    "an address inside": (
        "assess",
        data({"path": "http://127.0.0.1:1/a.jpg", "meta": {"_type": "gradio.FileData"}}, *DEFAULTS),
    ),
    "another function": ("launch", data()),
}


@pytest.mark.parametrize("kind", REQUESTS)
def test_a_request_that_makes_no_sense(kind, demo_address, record):
    name, body = REQUESTS[kind]
    status, text = called(demo_address, name, body)
    record(f"HTTP /{name}", kind, "refused", f"{status} {text.strip()[:80]!r}")
    assert status >= 400 or "event: error" in text
    assert "Traceback" not in text and "root:" not in text
    status, text = called(demo_address, "judge", judging())
    assert "accept" in text, "the next visitor is served"


VISITORS = 50
MEGABYTES = 600
"""By which the process may grow meanwhile."""


def test_fifty_visitors_at_once(demo_address, reference, tmp_path, record):
    """Each sends an image of a size of its own; a queue that is full is told as such."""
    sent = {}
    for number in range(VISITORS):
        name = ("face", "clipped")[number % 2] if number % 10 < 2 else "dull"
        picture = PICTURES.get(name, DULL)
        path = tmp_path / f"visitor-{number}.png"
        path.write_bytes(encoded(cv2.copyMakeBorder(picture, 0, number, 0, 0, cv2.BORDER_REPLICATE), "PNG"))
        sent[path] = (picture.shape[0] + number, name)
    bodies = {path: data(uploaded(demo_address, path), *DEFAULTS) for path in sent}
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from now on
    before = peak_megabytes()
    with ThreadPoolExecutor(VISITORS) as visitors:
        answers = list(visitors.map(partial(called, demo_address, "assess"), bodies.values()))
    grown = peak_megabytes() - before
    served = 0
    for (path, (height, name)), (status, text) in zip(sent.items(), answers, strict=True):
        if status == 503:
            continue
        served += 1
        assert "event: complete" in text, text
        result = answer_in(text)
        assert (result["image"], result["height"]) == (path.name, height), "nobody gets another's result"
        assert (result["ser_fiq"] is None) == (name == "dull")
    got = f"{served} served, {VISITORS - served} told that it is busy, {grown:.0f} MB more"
    record("HTTP /assess", f"{VISITORS} at once", f"own result or 503, below {MEGABYTES} MB more", got)
    assert served >= MAX_WAITING
    assert grown < MEGABYTES
    path = next(iter(sent))
    assert assessed(demo_address, path)["image"] == path.name, "the next visitor is served"


def peak_megabytes() -> float:
    (kilobytes,) = re.findall(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    return int(kilobytes) / 1024


# --- arrays and policies ----------------------------------------------------------------------------------

LARGE = np.broadcast_to(np.uint8(0), (100_000, 100_000, 3))
ARRAYS: Mapping[str, tuple[Callable[[], object], Expected]] = {
    "uint16": (lambda: FACE_16, Like("face")),
    "big-endian uint16": (lambda: FACE_16.astype(">u2"), Like("face")),
    "float32 in [0, 1]": (lambda: FACE.astype(np.float32) / 255, Like("face")),
    "float16 in [0, 1]": (lambda: (FACE / 255).astype(np.float16), Like("face")),
    "grey (H, W)": (lambda: GREY, Like("grey")),
    "not contiguous": (lambda: np.repeat(FACE, 2, axis=1)[:, ::2], Like("face")),
    "negative strides": (lambda: FACE[::-1, ::-1].copy()[::-1, ::-1], Like("face")),
    "Fortran order": (lambda: np.asfortranarray(FACE), Like("face")),
    "read-only": (lambda: np.frombuffer(FACE.tobytes(), np.uint8).reshape(FACE.shape), Like("face")),
    "masked array": (lambda: np.ma.masked_array(FACE, FACE > 300), Like("face")),
    "bool": (lambda: DULL > 128, "no_face"),
    "NaN": (lambda: np.full((200, 200, 3), np.nan), "unreadable_image"),
    "infinite": (lambda: np.full((200, 200, 3), np.inf), "unreadable_image"),
    "floats up to 255": (lambda: FACE.astype(np.float32), "unreadable_image"),
    "floats from -1": (lambda: FACE / 127.5 - 1, "unreadable_image"),
    "int64": (lambda: FACE.astype(np.int64), "unreadable_image"),
    "complex": (lambda: FACE.astype(complex), "unreadable_image"),
    "objects": (lambda: FACE.astype(object), "unreadable_image"),
    "text": (lambda: np.full((200, 200), "a"), "unreadable_image"),
    "channels first": (lambda: FACE.transpose(2, 0, 1), "unreadable_image"),
    "two channels": (lambda: FACE[..., :2], "unreadable_image"),
    "a batch": (lambda: FACE[None], "unreadable_image"),
    "one dimension": (lambda: FACE.ravel(), "unreadable_image"),
    "no dimension": (lambda: np.uint8(7) * np.ones((), np.uint8), "unreadable_image"),
    "zero size": (lambda: np.zeros((0, 200, 3), np.uint8), "image_too_small"),
    "10 gigapixels without memory": (lambda: LARGE, "image_too_large"),
    "a torch tensor": (lambda: torch.from_numpy(FACE), "unreadable_image"),
    "a list": (lambda: FACE.tolist(), "unreadable_image"),
    "None": (lambda: None, "unreadable_image"),
    "a number": (lambda: 7, "unreadable_image"),
    "a text stream": (lambda: io.StringIO("text"), "unreadable_image"),
    "a closed file": (closed_file, "unreadable_image"),
}


@pytest.mark.parametrize("kind", ARRAYS)
def test_arrays_and_other_objects(kind, scorer, reference, record):
    make, expected = ARRAYS[kind]
    source = make()
    before = source.copy() if isinstance(source, np.ndarray) and source.size < 10**7 else None
    got = outcome(scorer.assess(source, unmasked=False).to_dict())
    record("Python", f"array: {kind}", expected, got)
    assert got.is_as(expected, reference)
    if before is not None:
        np.testing.assert_array_equal(source, before, "the source is as it was")


CROPS = {
    "crops that are not square": np.zeros((2, 384, 200, 3), np.uint8),
    "one crop without its batch": FACE,
    "grey crops": np.zeros((2, 384, 384), np.uint8),
    "crops in float32": np.zeros((2, 384, 384, 3), np.float32),
    "crops in uint16": np.zeros((2, 384, 384, 3), np.uint16),
}


@pytest.mark.parametrize("kind", CROPS)
def test_crops_of_another_shape_or_type(kind, scorer, record):
    got = "assessed"
    try:
        scorer.assess_crops(CROPS[kind])
    except ValueError as error:
        got = f"ValueError: {error}"
    record("Python", kind, "ValueError: face crops are ...", got)
    assert got.startswith("ValueError: face crops are")


POLICIES: Mapping[str, dict[str, float]] = {
    "NaN": {"ser_fiq_threshold": math.nan},
    "infinite": {"cafi_threshold": math.inf},
    "negative": {"max_occlusion": -0.1},
    "a turn below 0": {"max_yaw": -1.0},
    "more than half a turn": {"max_yaw": 180.5},
    "above 1": {"ser_fiq_threshold": 1.1},
    "negative weight": {"dbcnn_weight": -1.0},
    "no weight": {"ser_fiq_weight": 0.0, "dbcnn_weight": 0.0},
}


@pytest.mark.parametrize("kind", POLICIES)
def test_a_policy_out_of_its_range(kind, record, capsys):
    with pytest.raises(PolicyError) as caught:
        Policy(**POLICIES[kind])
    record("Python", f"policy: {kind}", "bad_policy", caught.value.code)
    assert caught.value.code == "bad_policy"
    options = [f"--{name.replace('_', '-')}={value}" for name, value in POLICIES[kind].items()]
    assert cli.main(["score", str(EXAMPLES / "no_face.jpg"), *options]) == cli.USAGE
    assert capsys.readouterr().err.startswith("faceqa: ")


@pytest.mark.parametrize(
    "option",
    [
        "--threshold=1",
        "--fps=nan",
        "--fps=0",
        "--every=0",
        "--keep-top=0",
        "--keep-fraction=nan",
        "--dbcnn-weight=much",
    ],
)
def test_an_option_that_makes_no_sense(option, tmp_path, record, capsys):
    code: object
    try:
        code = cli.main(["curate", str(EXAMPLES), "--out", str(tmp_path / "out"), option])
    except SystemExit as exit:
        code = exit.code
    said = capsys.readouterr().err
    got = f"{'usage' if said.startswith('usage: ') else said[:80]!s}, exit code {code}"
    record("faceqa curate", f"option {option}", f"usage, exit code {cli.USAGE}", got)
    assert got == f"usage, exit code {cli.USAGE}"
    assert "Traceback" not in said and not (tmp_path / "out").exists()


# --- tables -----------------------------------------------------------------------------------------------

HEADING = "image,verdict,cafi,reasons,ser_fiq,dbcnn,occlusion,face_size,yaw"
LINE = "é.jpg,reject,70,low_cafi,0.8,70,0,300,-3"
TABLE = f"{HEADING}\n{LINE}\n"
REFUSED = "bad_table"

FORMULA = re.compile(r"(?:^|,)(?!-[0-9.]+(?:,|$))[=+@-]", re.MULTILINE)
"""What a spreadsheet would run: a cell that begins like one, and is no number below 0."""

TABLES: Mapping[str, tuple[bytes | Callable[[Path], object], str]] = {
    "plain": (TABLE.encode(), "é.jpg accept"),
    "with a byte order mark": (TABLE.encode("utf-8-sig"), "é.jpg accept"),
    "with the line ends of Windows": (TABLE.replace("\n", "\r\n").encode(), "é.jpg accept"),
    "an injected formula": (TABLE.replace("é", "=cmd|'calc'!A1").encode(), "=cmd|'calc'!A1.jpg accept"),
    "a formula in another's column": (f"{HEADING},note\n{LINE},=HYPERLINK(1)\n".encode(), "é.jpg accept"),
    "no lines": (HEADING.encode(), ""),
    "empty": (b"", REFUSED),
    "columns missing": (b"image,verdict\na.jpg,accept\n", REFUSED),
    "a column twice": (f"{HEADING},image\n{LINE},b\n".encode(), REFUSED),
    "too few cells": (f"{HEADING}\na.jpg,accept\n".encode(), REFUSED),
    "too many cells": (f"{HEADING}\n{LINE},1,2\n".encode(), REFUSED),
    "semicolons": (TABLE.replace(",", ";").encode(), REFUSED),
    "UTF-16": (TABLE.encode("utf-16"), REFUSED),
    "Latin-1": (TABLE.encode("latin-1"), REFUSED),
    "a field of 1 MB": (TABLE.replace("é", "é" * 1_000_000).encode(), REFUSED),
    "bytes of no text": (bytes(range(256)) * 20, REFUSED),
    "a measure that is NaN": (TABLE.replace("0.8", "nan").encode(), REFUSED),
    "a measure out of its range": (TABLE.replace("0.8", "7").encode(), REFUSED),
    "a head turned to its right": (TABLE.replace(",-3", ",-60").encode(), "é.jpg reject"),
    "a yaw beyond a turn": (TABLE.replace(",-3", ",-181").encode(), REFUSED),
    "no yaw": (TABLE.replace(",-3", ",").encode(), REFUSED),
    "a word for a measure": (TABLE.replace("0.8", "high").encode(), REFUSED),
    "a folder": (lambda path: path.mkdir(), REFUSED),
    "a missing file": (lambda path: None, REFUSED),
    "a named pipe": (os.mkfifo, REFUSED),
}


@pytest.mark.parametrize("kind", TABLES)
def test_a_table_that_is_judged_again(kind, tmp_path, record, capsys):
    content, expected = TABLES[kind]
    path = tmp_path / "table.csv"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        content(path)
    with no_longer_than(PATIENCE):
        code = cli.main(["rejudge", str(path)])
    if expected == REFUSED:
        got = REFUSED if code == cli.USAGE and capsys.readouterr().err.startswith("faceqa: ") else str(code)
        assert not isinstance(content, bytes) or path.read_bytes() == content, "it stays as it was"
    else:
        got = "".join(f"{row.image} {row.verdict}" for row in read_csv(path))
        columns = HEADING.split(",")
        assert read_columns(path)[: len(columns)] == columns
        assert not FORMULA.search(path.read_text(encoding="utf-8"))
    record("faceqa rejudge", f"table: {kind}", expected, got)
    assert got == expected


# --- addresses --------------------------------------------------------------------------------------------


class Forbidding(BaseHTTPRequestHandler):
    """Answers as storage does to keys without rights."""

    def do_GET(self) -> None:
        self.send_error(403)

    do_HEAD = do_PUT = do_POST = do_GET

    def log_message(self, *_: Any) -> None:
        pass


def without_rights(line: Line, patch: pytest.MonkeyPatch) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Forbidding)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")


def without_a_line(line: Line, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(remote, "TRIES", 2)
    line.is_down = True


def as_it_is(line: Line, patch: pytest.MonkeyPatch) -> None:
    pass


STOPS = f"a sentence, exit code {cli.USAGE}"

READ: Mapping[str, tuple[str, Callable[[Line, pytest.MonkeyPatch], None], str]] = {
    "bucket that is not there": ("s3://nobody/faces", as_it_is, "unreadable_image"),
    "bucket that is not allowed": ("s3://faces", without_rights, "unreadable_image"),
    "file that is not there": ("s3://faces/none.jpg", as_it_is, "unreadable_image"),
    "truncated shard": ("s3://faces/cut.tar", as_it_is, "no_face unreadable_image"),
    "connection that stays lost": ("s3://faces/whole.jpg", without_a_line, STOPS),
    "unknown kind of address": ("s4://faces", as_it_is, STOPS),
}

WRITTEN: Mapping[str, tuple[str, Callable[[Line, pytest.MonkeyPatch], None], str]] = {
    "bucket that is not there": ("s3://nobody/run", as_it_is, STOPS),
    "bucket that is not allowed": ("s3://faces/run", without_rights, STOPS),
    "folder of other files": ("s3://faces", as_it_is, STOPS),
    "connection that stays lost": ("s3://faces/run", without_a_line, STOPS),
}


@pytest.fixture
def stored(line) -> Line:
    """The line to a bucket with a photo and half a shard."""
    import fsspec

    files = fsspec.filesystem("s3")
    if not files.exists("faces"):
        files.mkdir("faces")
    files.pipe("faces/whole.jpg", dull_jpeg())
    files.pipe("faces/cut.tar", half(samples))
    return line


def stopped(code: int, said: str) -> str:
    """Of a run that stopped."""
    sentence = said.startswith("faceqa: ") and "Traceback" not in said
    return f"{'a sentence' if sentence else said[-80:]}, exit code {code}"


@pytest.mark.parametrize("kind", READ)
def test_an_address_to_read_from(kind, stored, scorer, tmp_path, record, capsys, monkeypatch):
    address, change, expected = READ[kind]
    change(stored, monkeypatch)
    monkeypatch.setattr("faceqa.scorer.Scorer", lambda *_: scorer)
    out = tmp_path / "out"
    photo = tmp_path / "beside.jpg"
    photo.write_bytes(dull_jpeg())
    with no_longer_than(PATIENCE):
        code = cli.main(["curate", address, str(photo), "--out", str(out)])
    if expected == STOPS:
        got = stopped(code, capsys.readouterr().err)
    else:
        *found, beside = read_csv(out / "scores.csv")
        assert beside.reasons == ("no_face",), "the rest goes on"
        got = " ".join(code for row in found for code in row.reasons)
    record("faceqa curate", f"address: {kind}", expected, got)
    assert got == expected


@pytest.mark.parametrize("command", ["curate", "rejudge"])
@pytest.mark.parametrize("kind", WRITTEN)
def test_an_address_to_write_to(kind, command, stored, scorer, tmp_path, record, capsys, monkeypatch):
    address, change, expected = WRITTEN[kind]
    change(stored, monkeypatch)
    monkeypatch.setattr("faceqa.scorer.Scorer", lambda *_: scorer)
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(dull_jpeg())
    arguments = [address] if command == "rejudge" else [str(photo), "--out", address]
    with no_longer_than(PATIENCE):
        got = stopped(cli.main([command, *arguments]), capsys.readouterr().err)
    record(f"faceqa {command}", f"address written to: {kind}", expected, got)
    assert got == expected


# --- the output folder ------------------------------------------------------------------------------------

MANY = 200


@pytest.fixture(scope="module")
def many(tmp_path_factory) -> Path:
    """A folder of small photos."""
    folder = tmp_path_factory.mktemp("many")
    for number in range(MANY):
        (folder / f"{number:03}.jpg").write_bytes(dull_jpeg())
    return folder


@pytest.fixture(scope="module")
def undisturbed(many, scorer, tmp_path_factory) -> bytes:
    out = tmp_path_factory.mktemp("undisturbed")
    assert curated(many, out, scorer) == cli.ALL_ASSESSED
    return (out / "scores.csv").read_bytes()


def curated(folder: Path, out: Path, scorer) -> int:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("faceqa.scorer.Scorer", lambda *_: scorer)
        return cli.main(["curate", str(folder), "--out", str(out)])


@pytest.fixture
def disk(tmp_path) -> Iterator[Callable[[str], Path]]:
    """Mounts a disk of its own with these options."""
    place = tmp_path / "disk"
    place.mkdir()

    def mount(options: str) -> Path:
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
        if os.geteuid() or subprocess.run(command, capture_output=True).returncode:
            pytest.skip("only root may mount a small disk")
        return place

    yield mount
    subprocess.run(["umount", str(place)], capture_output=True)


@pytest.mark.parametrize("size", ["4k", "64k", "112k"])
def test_a_full_disk(size, disk, many, undisturbed, scorer, record, capsys):
    """The first is full with the measures, the last with what is made of them."""
    out = disk(f"size={size}") / "out"
    code = curated(many, out, scorer)
    assert code == cli.USAGE and "No space left" in capsys.readouterr().err
    assert not (out / "scores.csv").exists() or (out / "scores.csv").read_bytes() == undisturbed
    begun = (out / JOURNAL).read_bytes()
    begun = begun[: begun.rfind(b"\n") + 1]
    subprocess.run(["mount", "-o", "remount,size=10m", str(out.parent)], check=True)
    assert curated(many, out, scorer) == cli.ALL_ASSESSED
    assert (out / JOURNAL).read_bytes().startswith(begun), "what was done is not done again"
    assert (out / "scores.csv").read_bytes() == undisturbed
    expected = "exit code 2; with more space the same table"
    record("faceqa curate", f"a disk of {size}, full", expected, expected)


@pytest.mark.parametrize("place", ["read-only disk", "a file in its place", "a file above it"])
def test_a_folder_that_cannot_be_written_to(place, disk, many, scorer, tmp_path, record, capsys):
    file = tmp_path / "file"
    file.write_text("mine")
    outs = {"a file in its place": file, "a file above it": file / "out"}
    out = outs.get(place) or disk("ro,size=1m") / "out"
    assert curated(many, out, scorer) == cli.USAGE
    sentence = capsys.readouterr().err
    record(
        "faceqa curate",
        f"output folder: {place}",
        "a sentence, exit code 2",
        sentence.replace(str(tmp_path), "DIR"),
    )
    assert sentence.startswith("faceqa: The folder ")
    assert file.read_text() == "mine"


def test_a_killed_run_goes_on_where_it_stopped(many, undisturbed, tmp_path, record):
    command = [sys.executable, "-m", "faceqa", "curate", str(many), "--out", str(tmp_path)]
    with (tmp_path.parent / "told").open("w") as told:
        run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=told)
    journal = tmp_path / JOURNAL
    deadline = time.monotonic() + PATIENCE
    while run.poll() is None and time.monotonic() < deadline:
        if journal.exists() and journal.read_bytes().count(b"\n") >= 3:
            break
        time.sleep(0.01)
    run.send_signal(signal.SIGKILL)
    assert run.wait() == -signal.SIGKILL, (tmp_path.parent / "told").read_text()
    assert not (tmp_path / "scores.csv").exists()
    begun = journal.read_bytes()
    begun = begun[: begun.rindex(b"\n") + 1]
    again = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert again.returncode == cli.ALL_ASSESSED, again.stderr
    assert journal.read_bytes().startswith(begun), "finished rows are not written again"
    assert (tmp_path / "scores.csv").read_bytes() == undisturbed
    expected = "the same command goes on; the same table"
    record(
        "faceqa curate",
        "killed by SIGKILL",
        expected,
        f"{expected}, {begun.count(bytes([10])) - 1} batches kept",
    )
