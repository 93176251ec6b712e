"""Everything expensive once: the opinion scores, and face crops with their outlines, as faceqa cuts them."""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch

sys.path.append(str(Path(__file__).parents[2]))

from faceqa.engines.openvino import OpenVinoEngine
from faceqa.faces.alignment import CROP_MARGIN, CROP_SIZE, crop_face
from faceqa.faces.detection import load_detector
from faceqa.faces.mask import FaceMasker
from training.face_mask.pictures import SOURCES, is_held_out, read

SMALLEST_SHARP_SIDE = 384
"""px of the source that a sharp face's crop covers: none is enlarged."""

SMALLEST_FACE = 100
"""px, longer side of the detector's box in a picture with an opinion score."""

VALIDATION_SHARE = 10
"""One picture in this many of the training split serves every choice and is not trained on."""


@dataclass(frozen=True)
class Opinions:
    """A split of BIQ2021: paths, and mean opinion scores float32 (N,) in [0, 1]."""

    paths: list[Path]
    mos: np.ndarray


def biq2021(data: Path, split: str) -> Opinions:
    """The pictures of "Train" or "Test"; the case of some file names differs from the table's."""
    folder = data / "BIQ2021"
    files = {path.name.lower(): path for path in (folder / "Images").iterdir()}
    with (folder / f"{split} (Images and MOS).csv").open(encoding="utf-8-sig", newline="") as file:
        rows = [(row[0].strip().lower(), float(row[1])) for row in list(csv.reader(file))[1:] if row[0]]
    return Opinions([files[name] for name, _ in rows], np.array([mos for _, mos in rows], np.float32))


def validation(count: int) -> np.ndarray:
    """Which of the training split's pictures are the validation slice: bool (count,), always the same."""
    return np.arange(count) % VALIDATION_SHARE == 0


def sharp_faces(data: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Key and crop, RGB uint8 (384, 384, 3), of the faces that are large enough in their picture."""
    detector = load_detector()
    thumbnails = np.zeros((0, 256), np.float32)
    for source in SOURCES.values():
        for picture in source(data):
            found = detector.detect(picture.image)
            if not found or CROP_MARGIN * found[0].longer_side < SMALLEST_SHARP_SIDE:
                continue
            crop = crop_face(picture.image, found[0]).image
            thumbnail = (
                cv2.resize(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), (16, 16)).ravel().astype(np.float32)
            )
            thumbnail = (thumbnail - thumbnail.mean()) / (np.linalg.norm(thumbnail - thumbnail.mean()) + 1e-6)
            if picture.source != "london" and (thumbnails @ thumbnail > 0.985).any():
                continue  # the contact sheets show some pictures several times
            thumbnails = np.concatenate([thumbnails, thumbnail[None]])
            yield picture.key, crop


def opinion_faces(opinions: Opinions) -> Iterator[tuple[int, np.ndarray]]:
    """Index and crop of the pictures' largest faces, as far as they are large enough."""
    detector = load_detector()
    for index, path in enumerate(opinions.paths):
        image = read(path)
        found = detector.detect(image)
        if found and found[0].longer_side >= SMALLEST_FACE:
            yield index, crop_face(image, found[0]).image


def outlines(crops: np.ndarray) -> np.ndarray:
    """The face masker's outlines: uint8 (N, 384, 384), 0 to 255."""
    masker = FaceMasker(OpenVinoEngine(["face_mask"]))
    found = [masker(crops[start : start + 8]).outline for start in range(0, len(crops), 8)]
    return np.round(255 * np.concatenate(found)).astype(np.uint8)


def main() -> None:
    """Write sharp.npz and opinion_faces.npz."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--run", type=Path, default=Path("runs/dbcnn"))
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(arguments.threads)
    arguments.run.mkdir(parents=True, exist_ok=True)
    keys, crops = zip(*sharp_faces(arguments.data), strict=True)
    images = np.stack(crops)
    assert images.shape[1:] == (CROP_SIZE, CROP_SIZE, 3)
    held_out = np.array([is_held_out(key) for key in keys])
    write(
        arguments.run / "sharp.npz",
        key=np.array(keys),
        image=images,
        outline=outlines(images),
        held_out=held_out,
    )
    index, crops = zip(*opinion_faces(biq2021(arguments.data, "Train")), strict=True)
    images = np.stack(crops)
    write(arguments.run / "opinion_faces.npz", index=np.array(index), image=images, outline=outlines(images))


def write(path: Path, **arrays: np.ndarray) -> None:
    """An npz file that appears whole or not at all."""
    part = path.with_suffix(".part.npz")
    np.savez(part, allow_pickle=True, **arrays)
    part.replace(path)
    print(f"{path.name}: {len(next(iter(arrays.values())))} faces", flush=True)


if __name__ == "__main__":
    main()
