"""Images a second from the file to the verdict, memory over many images, and the same work without faceqa.

    python benchmarks/throughput.py [--images 200] [--memory 10000] [--before DIR]

- *1080p photos*: JPEGs of 1920 x 1080 px with one face of about 600 px; *384 px crops*: the faces of the
  same photos, prepared; *1080p video*: an MPEG-4 file of the same scenes, every frame. The portraits in
  examples/, sharp and spoilt, are the faces.
- With 1 and 2 threads, and on the GPU where there is one. DBCNN scores the masked face only, as in bulk work.
- *Without faceqa*: the same decoding, detection, alignment and mask; then SER-FIQ by 100 stochastic passes
  through the whole embedding network, and DB-CNN with VGG-16 in the peer's architecture, one image at a
  time. It takes turns with faceqa in one run, so that the ratio holds whatever else the machine does.
- *Before*: another version of faceqa, installed beside this one (pip install --no-deps --target DIR WHEEL),
  takes turns with it, each in processes of its own.
- *Memory*: the resident size after 200 images and after each tenth of `--memory` images. So that 10,000 take
  a quarter of an hour, these are JPEGs of the 384 px crops, every sixteenth a 1080p photo.

Prints tables and writes results/throughput.json.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
import torch

sys.path.append(str(Path(__file__).parents[1]))

from benchmarks.peer import Vgg16Dbcnn
from benchmarks.report import machine, write
from faceqa.engines.openvino import OpenVinoEngine
from faceqa.engines.torch import SerFiq, load_ser_fiq
from faceqa.faces.alignment import align, crop_face
from faceqa.faces.detection import load_detector
from faceqa.faces.mask import FaceMasker, remove_background
from faceqa.networks.ser_fiq import PASSES
from faceqa.reading import image
from faceqa.reading.sampling import Sampling
from faceqa.reading.sources import named_images
from faceqa.scorer import Device, Scorer

EXAMPLES = Path(__file__).parent.parent / "examples"
PORTRAITS = ("hopper", "collins", "hopper_360p", "hopper_dark")
WIDTH, HEIGHT = 1920, 1080
FACE_SIDE = 600
"""px, the longer side of the face's box in a photo."""
JPEG_QUALITY = 92
SCENES = 16
"""Different photos; they come again and again."""
VIDEO_FPS = 25
THREADS = (1, 2)
ROUNDS = 3
"""Turns of faceqa and of the way without it."""
ROUND_IMAGES = 64
WITHOUT_IMAGES = 2

STREAM = """
import json, sys, time
from faceqa import Scorer
scorer, (count, *photos) = Scorer(device="cpu"), sys.argv[1:]
list(scorer.assess_many(photos))
many = (photos * int(count))[: int(count)]
start = time.perf_counter()
for _ in scorer.assess_many(many):
    pass
photos_a_second = len(many) / (time.perf_counter() - start)
crops = scorer.inspect(photos[0]).pictures.crop[None].repeat(len(many), axis=0)
start = time.perf_counter()
scorer.assess_crops(crops)
print(json.dumps([photos_a_second, len(many) / (time.perf_counter() - start)]))
"""
"""What each version runs: it prints photos and crops a second."""


def main() -> None:
    """Measure, print the tables, write results/throughput.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=200, help="for each rate")
    parser.add_argument(
        "--memory", type=int, default=10_000, help="images of the memory run; 0 leaves it out"
    )
    parser.add_argument("--before", type=Path, help="folder with another version of the package faceqa")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        scenes = [scene(number) for number in range(SCENES)]
        photos = write_photos(scenes, Path(folder))
        video = write_video(scenes, Path(folder) / "clip.mp4", arguments.images)
        rates = []
        for device, threads in ways():
            with process_on(threads) as process:
                rates += process.submit(measure, device, threads, photos, video, arguments.images).result()
        comparison = compare(photos)
        show_comparison(comparison)
        before = against(arguments.before, photos, arguments.images) if arguments.before else None
        mixed = [*photos[:1], *write_photos(list(face_crops(photos)[1:]), Path(folder) / "crops")]
        memory = resident(mixed, arguments.memory) if arguments.memory else []
    if memory:
        print("resident MB: " + ", ".join(f"{row['mb']:.0f} after {row['images']:,}" for row in memory))
    write(
        "throughput",
        {
            "machine": machine(),
            "rates": rates,
            "without": comparison,
            "before": before,
            "memory_mb": memory,
        },
    )


def ways() -> Iterator[tuple[Device, int]]:
    """Device and threads of the CPU."""
    for threads in THREADS:
        if threads <= (os.cpu_count() or 1):
            yield "cpu", threads
    if torch.cuda.is_available():
        yield "cuda", os.cpu_count() or 1


@contextmanager
def process_on(cores: int) -> Iterator[ProcessPoolExecutor]:
    """A process that has only so many cores from its start on: engines count them when they load."""
    every_core = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(every_core)[:cores])
    try:
        with ProcessPoolExecutor(1, get_context("spawn")) as process:
            yield process
    finally:
        os.sched_setaffinity(0, every_core)


def scene(number: int) -> np.ndarray:
    """A photo: RGB uint8 (1080, 1920, 3), one portrait before itself, enlarged and blurred."""
    portrait = image.load(EXAMPLES / f"{PORTRAITS[number % len(PORTRAITS)]}.jpg")
    detector = load_detector()
    face = detector.refine(portrait, detector.detect(portrait)[0])
    scale = FACE_SIDE / face.longer_side
    large = cv2.resize(portrait, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    x, y = (scale * (a + b) / 2 for a, b in ((face.box[0], face.box[2]), (face.box[1], face.box[3])))
    background = cv2.GaussianBlur(cv2.resize(portrait, (WIDTH, HEIGHT)), (0, 0), 40)
    centre = WIDTH * (0.35 + 0.3 * number / SCENES)
    moved = np.array([[1, 0, centre - x], [0, 1, HEIGHT / 2 - y]])
    return cv2.warpAffine(large, moved, (WIDTH, HEIGHT), background, borderMode=cv2.BORDER_TRANSPARENT)


def write_photos(scenes: Sequence[np.ndarray], folder: Path) -> list[Path]:
    """JPEG files."""
    folder.mkdir(exist_ok=True)
    paths = [folder / f"{number}.jpg" for number in range(len(scenes))]
    for path, photo in zip(paths, scenes, strict=True):
        bgr = cv2.cvtColor(photo, cv2.COLOR_RGB2BGR)
        cv2.imwrite(str(path), bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return paths


def write_video(scenes: list[np.ndarray], path: Path, frames: int) -> Path:
    """An MPEG-4 file in which the scenes follow each other."""
    video = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), VIDEO_FPS, (WIDTH, HEIGHT))
    for photo in itertools.islice(itertools.cycle(scenes), frames):
        video.write(cv2.cvtColor(photo, cv2.COLOR_RGB2BGR))
    video.release()
    return path


def measure(device: Device, threads: int, photos: list[Path], video: Path, count: int) -> list[dict]:
    """Images a second of each kind, and where the time of a photo goes."""
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)
    scorer, rows = Scorer(device=device), []
    crops = face_crops(photos)
    many = list(itertools.islice(itertools.cycle(photos), count))
    kinds: dict[str, Callable[[], list]] = {
        "1080p photos": lambda: list(scorer.assess_many(many)),
        "384 px crops": lambda: scorer.assess_crops(np.resize(crops, (count, *crops.shape[1:]))),
        "1080p video": lambda: list(
            scorer.assess_many(named_images([video], Sampling(every=1, stills=True)))
        ),
    }
    list(scorer.assess_many(photos))  # warms up
    for kind, run in kinds.items():
        start = time.perf_counter()
        results = run()
        seconds = time.perf_counter() - start
        stages = results[0].timings_ms
        shares = {stage: float(np.mean([result.timings_ms[stage] for result in results])) for stage in stages}
        row = {
            "device": device,
            "threads": threads,
            "kind": kind,
            "images": len(results),
            "per_second": round(len(results) / seconds, 2),
            "ms_by_stage": {stage: round(value, 1) for stage, value in shares.items()},
        }
        show_rate(row)
        rows.append(row)
    return rows


def face_crops(photos: list[Path]) -> np.ndarray:
    """The face crops of the photos: uint8 (N, 384, 384, 3)."""
    detector = load_detector()
    crops = []
    for path in photos:
        photo = image.load(path)
        crops.append(crop_face(photo, detector.refine(photo, detector.detect(photo)[0])).image)
    return np.stack(crops)


def compare(photos: list[Path]) -> dict[str, float]:
    """Seconds an image of faceqa and of the way without it, by turns, on all threads."""
    threads = os.cpu_count() or 1
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)
    scorer, without = Scorer(device="cpu"), Without()
    list(scorer.assess_many(photos[:4]))
    without(photos[0])
    ours, theirs = [], []
    for _ in range(ROUNDS):
        many = list(itertools.islice(itertools.cycle(photos), ROUND_IMAGES))
        start = time.perf_counter()
        list(scorer.assess_many(many))
        ours.append((time.perf_counter() - start) / len(many))
        start = time.perf_counter()
        for path in photos[:WITHOUT_IMAGES]:
            without(path)
        theirs.append((time.perf_counter() - start) / WITHOUT_IMAGES)
    ratios = np.divide(theirs, ours)
    return {
        "faceqa_seconds": round(float(np.median(ours)), 4),
        "without_seconds": round(float(np.median(theirs)), 4),
        "times_faster": round(float(np.median(ratios)), 1),
        "times_faster_least": round(float(ratios.min()), 1),
    }


def against(before: Path, photos: list[Path], count: int) -> dict[str, dict[str, float]]:
    """Photos and crops a second of this version and of the one in a folder, by turns, on all threads."""
    rates: dict[Path, list[list[float]]] = {Path(__file__).parents[1]: [], before.absolute(): []}
    for package in list(rates) * ROUNDS:
        environment = os.environ | {"PYTHONPATH": str(package)}
        command = [sys.executable, "-c", STREAM, str(count), *map(str, photos)]
        printed = subprocess.run(
            command, cwd=package, env=environment, stdout=subprocess.PIPE, check=True
        ).stdout
        rates[package].append(json.loads(printed))
    now, then = (np.array(rounds) for rounds in rates.values())
    found = {
        kind: {
            "now_per_second": round(float(np.median(now[:, i])), 2),
            "before_per_second": round(float(np.median(then[:, i])), 2),
            "times_faster": round(float(np.median(now[:, i] / then[:, i])), 2),
        }
        for i, kind in enumerate(("1080p photos", "384 px crops"))
    }
    for kind, row in found.items():
        print(f"{kind}: {row['now_per_second']} a second, before {row['before_per_second']}", flush=True)
    return found


class Without:
    """SER-FIQ by 100 passes through the whole network, and DB-CNN with VGG-16, one image at a time."""

    def __init__(self) -> None:
        self.detector = load_detector()
        self.ser_fiq = load_ser_fiq()
        self.masker = FaceMasker(OpenVinoEngine(["face_mask"]))
        self.iqa = Vgg16Dbcnn()

    def __call__(self, path: Path) -> tuple[float, float]:
        """SER-FIQ and the score of a network without training."""
        photo = image.load(path)
        face = self.detector.refine(photo, self.detector.detect(photo)[0])
        crop = crop_face(photo, face).image
        outline = self.masker(crop[None]).outline[0]
        score = self.iqa(remove_background(crop, outline)[None])[0]
        return full_passes(self.ser_fiq, align(photo, face)), float(score)


@torch.inference_mode()
def full_passes(ser_fiq: SerFiq, face: np.ndarray) -> float:
    """The mean distance of stochastic embeddings, each from the pixels on."""
    layer, bias = ser_fiq.network.last_layer()
    pixels = torch.from_numpy(face)[None].permute(0, 3, 1, 2).float()
    embeddings = [
        torch.nn.functional.dropout(ser_fiq.network.features(pixels), ser_fiq.dropout) @ layer.T + bias
        for _ in range(PASSES)
    ]
    return float(torch.nn.functional.pdist(torch.nn.functional.normalize(torch.cat(embeddings))).mean())


def resident(photos: list[Path], count: int) -> list[dict]:
    """Resident memory in MB along a stream of so many photos."""
    scorer = Scorer(device="cpu")
    marks = {200, *(round(count * tenth / 10) for tenth in range(1, 11))}
    rows = []
    stream = scorer.assess_many(itertools.islice(itertools.cycle(photos), count))
    for number, _ in enumerate(stream, start=1):
        if number in marks:
            rows.append({"images": number, "mb": round(_resident_mb(), 1)})
    return rows


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def show_rate(row: dict) -> None:
    """Print a line as soon as it is known."""
    stages = ", ".join(f"{stage} {value}" for stage, value in row["ms_by_stage"].items())
    print(
        f"{row['device']:4}  {row['threads']} threads  {row['kind']:12}  {row['images']} images  "
        f"{row['per_second']:.2f} a second; ms by stage: {stages}",
        flush=True,
    )


def show_comparison(comparison: dict[str, float]) -> None:
    """Print how much faster than without."""
    print(
        f"faceqa {comparison['faceqa_seconds']:.3f} s an image, without it "
        f"{comparison['without_seconds']:.3f} s: {comparison['times_faster']} times faster "
        f"(in the worst of {ROUNDS} rounds {comparison['times_faster_least']})",
        flush=True,
    )


if __name__ == "__main__":
    main()
