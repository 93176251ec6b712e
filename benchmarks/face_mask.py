"""Accuracy and speed of the face mask on the held-out slice that training/face_mask/prepare.py sets apart.

    python benchmarks/face_mask.py [--data data] [--faces runs/face_mask/faces] [--learnt]

Prints a table, writes results/face_mask.json and draws contact sheets. The held-out faces were never trained
on, nor were the textures and mask templates laid over them. "hand-marked" compares with outlines that people
drew (the London set). `--learnt` takes the faces that were trained on instead and writes no result: it shows
how far the automatic labels agree with themselves.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch

sys.path.append(str(Path(__file__).parents[1]))

from benchmarks.report import machine, write
from faceqa.engines.openvino import OpenVinoEngine
from faceqa.faces.alignment import CROP_SIZE
from faceqa.faces.mask import THRESHOLD, FaceMasker
from training.face_mask.samples import Faces, Sample

SAMPLES = 150
"""Of each kind."""

LARGEST_FRONTAL_YAW = 25
"""Degrees."""

LOW_RESOLUTION = 48
"""Side in px to which the crops of the kind "low resolution" are reduced: the face is about 34 px wide."""

TIMED_BATCHES = (1, 8, 32)


def main() -> None:
    """Run everything and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--faces", type=Path, default=Path("runs/face_mask/faces"))
    parser.add_argument("--sheets", type=Path, default=Path("runs/face_mask/benchmark"))
    parser.add_argument("--learnt", action="store_true", help="the faces that were trained on")
    arguments = parser.parse_args()
    engine = OpenVinoEngine(["face_mask"])
    masker = FaceMasker(engine)
    faces = Faces(arguments.faces, arguments.data, held_out=not arguments.learnt)
    arguments.sheets.mkdir(parents=True, exist_ok=True)
    results: dict[str, dict[str, float]] = {}
    for number, (kind, collect) in enumerate(KINDS.items()):
        samples = collect(faces, np.random.default_rng(number))
        results[kind] = accuracy(masker, samples)
        cv2.imwrite(str(arguments.sheets / f"{kind.replace(' ', '-')}.png"), sheet(masker, samples[:40]))
    timings = {f"{n} crops": milliseconds(masker, n) for n in TIMED_BATCHES}
    show(results, timings, engine.info.device)
    if not arguments.learnt:
        write("face_mask", {"machine": machine(), "accuracy": results, "ms": timings})


def frontal(faces: Faces, rng: np.random.Generator) -> list[Sample]:
    """Photographs of frontal faces with nothing before them."""
    return _draw(faces, rng, np.abs(faces.table["yaw"]) < LARGEST_FRONTAL_YAW, cover=False)


def turned(faces: Faces, rng: np.random.Generator) -> list[Sample]:
    """Photographs of turned faces with nothing before them."""
    chosen = (np.abs(faces.table["yaw"]) >= LARGEST_FRONTAL_YAW) & ~faces.table["turned"]
    return _draw(faces, rng, chosen, cover=False)


def rendered(faces: Faces, rng: np.random.Generator) -> list[Sample]:
    """Frontal faces that were rendered turned, by 20 to 85 degrees."""
    return _draw(faces, rng, faces.table["turned"], cover=False)


def occluded(faces: Faces, rng: np.random.Generator) -> list[Sample]:
    """Faces of which something covers at least 3 %."""
    samples: list[Sample] = []
    while len(samples) < SAMPLES:
        samples += [s for s in _draw(faces, rng, ~faces.table["turned"], cover=True) if s.kind != "plain"]
    return samples[:SAMPLES]


def low_resolution(faces: Faces, rng: np.random.Generator) -> list[Sample]:
    """Any of the above, reduced to `LOW_RESOLUTION` px and enlarged again."""
    reduced = []
    for sample in _draw(faces, rng, ~faces.table["turned"], cover=True):
        small = cv2.resize(sample.image, (LOW_RESOLUTION,) * 2, interpolation=cv2.INTER_AREA)
        image = cv2.resize(small, (CROP_SIZE,) * 2, interpolation=cv2.INTER_CUBIC)
        reduced.append(Sample(image, sample.outline, sample.visible, sample.known, sample.kind))
    return reduced


def spoilt(faces: Faces, rng: np.random.Generator) -> list[Sample]:
    """As in training: any roll, light, blur, noise, compression and border, covered or not."""
    return _draw(faces, rng, True, cover=True, spoilt=True)


def hand_marked(faces: Faces, rng: np.random.Generator) -> list[Sample]:
    """Real people whose outline was marked by hand, as photographed."""
    chosen = faces.table["marked"] & ~faces.table["turned"]
    return [faces.crop(int(row), CROP_SIZE) for row in faces.rows if chosen[row]]


KINDS: dict[str, Callable[[Faces, np.random.Generator], list[Sample]]] = {
    "frontal": frontal,
    "turned": turned,
    "rendered": rendered,
    "occluded": occluded,
    "low resolution": low_resolution,
    "spoilt": spoilt,
    "hand-marked": hand_marked,
}


def _draw(
    faces: Faces, rng: np.random.Generator, chosen: np.ndarray | bool, cover: bool, spoilt: bool = False
) -> list[Sample]:
    rows = faces.rows[(np.ones(len(faces.table["yaw"]), bool) & chosen & faces.table["known"])[faces.rows]]
    return [
        faces.sample(int(row), rng, CROP_SIZE, cover, spoilt)
        for row in rng.choice(rows, SAMPLES, len(rows) < SAMPLES)
    ]


def accuracy(masker: FaceMasker, samples: list[Sample]) -> dict[str, float]:
    """Mean IoU of both maps, the mean absolute error of the occlusion, and how many crops they come from."""
    masks = masker(np.stack([sample.image for sample in samples]))
    figures = []
    for sample, outline, visible in zip(samples, masks.outline, masks.visible, strict=True):
        truth = sample.outline > 127, sample.visible > 127
        found = outline >= THRESHOLD, visible >= THRESHOLD
        hidden = [1 - (v & o).sum() / max(1, o.sum()) for o, v in (truth, found)]
        figures.append([_iou(found[0], truth[0]), _iou(found[1], truth[1]), abs(hidden[0] - hidden[1])])
    outline_iou, visible_iou, error = np.mean(figures, axis=0)
    return {
        "outline IoU": round(float(outline_iou), 4),
        "visible IoU": round(float(visible_iou), 4),
        "occlusion MAE": round(float(error), 4),
        "crops": len(samples),
    }


def _iou(a: np.ndarray, b: np.ndarray) -> float:
    union = int((a | b).sum())
    return int((a & b).sum()) / union if union else 1.0


def milliseconds(masker: FaceMasker, count: int) -> float:
    """Median time in ms for `count` crops."""
    crops = np.random.default_rng(0).integers(0, 256, (count, CROP_SIZE, CROP_SIZE, 3), dtype=np.uint8)
    masker(crops)
    times = []
    for _ in range(7):
        started = time.perf_counter()
        masker(crops)
        times.append((time.perf_counter() - started) * 1000)
    return round(float(np.median(times)), 1)


def sheet(masker: FaceMasker, samples: list[Sample], columns: int = 10) -> np.ndarray:
    """BGR contact sheet: outline found (green) and true (white), what is found covered (red)."""
    masks = masker(np.stack([sample.image for sample in samples]))
    pictures = []
    for sample, outline, visible in zip(samples, masks.outline, masks.visible, strict=True):
        picture = sample.image[..., ::-1].copy()
        covered = (outline >= THRESHOLD) & (visible < THRESHOLD)
        picture[covered] = picture[covered] // 2 + np.array([0, 0, 127], np.uint8)
        for mask, colour in ((sample.outline > 127, (255, 255, 255)), (outline >= THRESHOLD, (0, 255, 0))):
            edges, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
            cv2.drawContours(picture, edges, -1, colour, 2)
        pictures.append(cv2.resize(picture, (192, 192), interpolation=cv2.INTER_AREA))
    pictures += [np.zeros_like(pictures[0])] * (-len(pictures) % columns)
    rows = [cv2.hconcat(pictures[i : i + columns]) for i in range(0, len(pictures), columns)]
    return cv2.vconcat(rows)


def show(results: dict[str, dict[str, float]], timings: dict[str, float], device: str) -> None:
    """Print the table."""
    print(f"{'kind':<16}" + "".join(f"{name:>16}" for name in results["frontal"]))
    for kind, row in results.items():
        print(f"{kind:<16}" + "".join(f"{value:>16}" for value in row.values()))
    for name, value in timings.items():
        print(f"{name:<16}{value:>13} ms  ({device}, {torch.get_num_threads()} threads)")


if __name__ == "__main__":
    main()
