"""Whether a run over a data set that is killed again and again ends like one that nothing disturbed.

    python benchmarks/resume.py [--images 1000] [--kills 5]

Makes so many different photos out of the portraits in examples/: crops of 384 px, moved, turned, blurred or
darkened a little, as JPEG files. `faceqa curate` runs over them once undisturbed, and once with `kill -9` as
often as asked, spread over the run, each time followed by the same command. Then the tables of both runs
must be the same, byte for byte. Prints the outcome and writes results/resume.json.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

sys.path.append(str(Path(__file__).parents[1]))

from benchmarks.report import machine, write
from faceqa.curation.journal import JOURNAL, read_rows
from faceqa.faces.alignment import CROP_SIZE, crop_face
from faceqa.faces.detection import load_detector
from faceqa.reading import image

EXAMPLES = Path(__file__).parent.parent / "examples"
PORTRAITS = ("hopper", "collins", "hopper_360p", "hopper_dark", "collins_mask", "no_face")
DERIVED = ("scores.csv", "scores.parquet")
MOST_SHIFT = 12
"""px."""
MOST_TURN = 12
"""Degrees."""


def main() -> None:
    """Run, compare, print, write results/resume.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        photos, whole, broken = (Path(scratch) / name for name in ("photos", "whole", "broken"))
        write_photos(photos, arguments.images)
        subprocess.run(command(photos, whole), check=True)
        kept = [
            run_and_kill(photos, broken, round(arguments.images * (kill + 1) / (arguments.kills + 1)))
            for kill in range(arguments.kills)
        ]
        subprocess.run(command(photos, broken), check=True)
        same = {name: (whole / name).read_bytes() == (broken / name).read_bytes() for name in DERIVED}
        rows = (whole / DERIVED[0]).read_bytes().count(b"\n") - 1
    print(f"{rows:,} rows; killed with {', '.join(f'{images:,}' for images in kept)} images done")
    for name, equal in same.items():
        print(f"{name:16} {'the same, byte for byte' if equal else 'DIFFERENT'}")
    write("resume", {"machine": machine(), "rows": rows, "images_done_when_killed": kept, "same": same})
    sys.exit(not all(same.values()))


def write_photos(folder: Path, count: int) -> None:
    """JPEG files, no two alike."""
    folder.mkdir()
    crops = [face_crop(EXAMPLES / f"{name}.jpg") for name in PORTRAITS]
    for number in range(count):
        photo = varied(crops[number % len(crops)], np.random.default_rng(number))
        bgr = cv2.cvtColor(photo, cv2.COLOR_RGB2BGR)
        cv2.imwrite(str(folder / f"{number:05}.jpg"), bgr, [cv2.IMWRITE_JPEG_QUALITY, 90])


def face_crop(path: Path) -> np.ndarray:
    """The photo around its largest face, the whole photo where there is none: RGB uint8 (384, 384, 3)."""
    photo, detector = image.load(path), load_detector()
    faces = detector.detect(photo)
    return crop_face(photo, faces[0]).image if faces else cv2.resize(photo, (CROP_SIZE, CROP_SIZE))


def varied(crop: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The crop moved, turned, blurred and darkened by chance."""
    centre = (CROP_SIZE / 2, CROP_SIZE / 2)
    moved: np.ndarray = cv2.getRotationMatrix2D(centre, random.uniform(-MOST_TURN, MOST_TURN), 1)
    moved[:, 2] += random.uniform(-MOST_SHIFT, MOST_SHIFT, 2)
    picture = cv2.warpAffine(crop, moved, (CROP_SIZE, CROP_SIZE), borderMode=cv2.BORDER_REPLICATE)
    picture = cv2.GaussianBlur(picture, (0, 0), random.uniform(0.3, 2.5))
    return cv2.convertScaleAbs(picture, alpha=random.uniform(0.6, 1))


def command(photos: Path, out: Path) -> list[str]:
    """The command line that is run, killed and run again."""
    return [sys.executable, "-m", "faceqa", "curate", str(photos), "--out", str(out)]


def run_and_kill(photos: Path, out: Path, images: int) -> int:
    """Run until so many images are done, then `kill -9`; how many were done."""
    run = subprocess.Popen(command(photos, out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while (ended := run.poll()) is None and images_done(out) < images:
        time.sleep(0.1)
    if ended is not None:
        sys.exit(f"the run ended by itself, with {ended}, before {images} images were done")
    run.kill()
    run.wait()
    return images_done(out)


def images_done(out: Path) -> int:
    """By the journal; each photo gives one row."""
    return sum(1 for _ in read_rows(out)) if (out / JOURNAL).exists() else 0


if __name__ == "__main__":
    main()
