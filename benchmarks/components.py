"""What each quality component makes of each kind of damage, and what all of them cost.

    python training/dbcnn/crops.py            # runs/dbcnn/sharp.npz
    python benchmarks/components.py [--faces runs/dbcnn/sharp.npz]

- *damage*: real people of the London set, frontal studio portraits, as they are and damaged in every way of
  training/dbcnn/distortions.py: the median of each component at full strength, and at half;
- *sharpness*: its quantiles on faces that its calibration has not seen, by Gaussian blur in px of the 384 px
  crop and by the number of lines of a frame that is brought back to 384 px;
- *turned*: the components of light and colour when a photo is turned by 20 degrees, and so is the head;
- *time*: CPU time a face of all components, and of the whole assessment of the same crops.

Prints the tables and writes results/components.json.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np

sys.path.append(str(Path(__file__).parents[1]))

from benchmarks.report import machine, write
from faceqa import Scorer
from faceqa.engines.openvino import OpenVinoEngine
from faceqa.faces.alignment import CROP_SIZE, FaceCrop
from faceqa.faces.apertures import ApertureMeter
from faceqa.faces.detection import load_detector
from faceqa.faces.mask import FaceMasker
from faceqa.faces.pose import head_pose
from faceqa.measures import components
from faceqa.measures.batch import FaceBatch
from faceqa.measures.registry import COMPONENTS
from faceqa.types import Face
from training.dbcnn.distortions import GRADES, LINES, Grade, at_lines, graded

PEOPLE = 40
"""Real people, one picture each."""

HELD_OUT = 150
"""Faces that the calibration of sharpness has not seen, at most."""

STRENGTHS = (0.5, 1.0)
BLURS = (0, 1, 2, 4, 8)
QUANTILES = (0.05, 0.5, 0.95)
TILT = 20
"""Degrees."""

TIMED, REPEATS = 32, 10

NAMES = tuple(row.name for row in COMPONENTS)
AS_IT_IS = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])

ENGINE = OpenVinoEngine(["face_mask", "apertures"])
measure = components.load()


def main() -> None:
    """Measure, print the tables, write results/components.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--faces", type=Path, default=Path("runs/dbcnn/sharp.npz"))
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    known = np.load(arguments.faces)
    keys, images, outlines = known["key"], known["image"], known["outline"]
    rng = np.random.default_rng(0)
    _, firsts = np.unique(keys, return_index=True)
    real = rng.permutation([one for one in firsts if str(keys[one]).startswith("london/")])[:PEOPLE]
    unseen = rng.permutation(np.flatnonzero(known["held_out"]))[:HELD_OUT]
    people = batch_of(images[real], outlines[real])
    others = batch_of(images[unseen], outlines[unseen])
    figures = {
        "machine": machine(),
        "people": len(people.faces),
        "damage": damage(people),
        "sharpness": {"faces": len(others.faces), **sharpness(others)},
        "turned": turned(people),
        "time": timing(people),
    }
    write("components", figures)


def batch_of(crops: np.ndarray, outlines: np.ndarray) -> FaceBatch:
    """The faces that are found in crops, each its own photo; nothing covers them.

    Args:
        crops: RGB uint8 (N, 384, 384, 3).
        outlines: uint8 (N, 384, 384), 0 to 255.
    """
    detector = load_detector()
    found = [detector.detect(crop) for crop in crops]
    chosen = [index for index, faces in enumerate(found) if faces]
    faces = tuple(detector.refine(crops[index], found[index][0]) for index in chosen)
    outline = outlines[chosen].astype(np.float32) / 255
    masks = FaceMasker(ENGINE)(crops[chosen])
    return FaceBatch(
        faces=faces,
        poses=tuple(
            head_pose(face.landmarks, rotation) for face, rotation in zip(faces, masks.rotation, strict=True)
        ),
        photo_sizes=((CROP_SIZE, CROP_SIZE),) * len(faces),
        second_areas=(0.0,) * len(faces),
        to_photos=np.stack([AS_IT_IS] * len(faces)),
        aligned=np.zeros((len(faces), 112, 112, 3), np.uint8),
        crops=crops[chosen],
        outline=outline,
        visible=outline,
        apertures=apertures(crops[chosen], faces),
        masked_faces=crops[chosen],
    )


def spoilt(batch: FaceBatch, spoil: Callable[[np.ndarray, int], np.ndarray]) -> Mapping[str, np.ndarray]:
    """The components when a function of crop and number changed each crop."""
    crops = np.stack([spoil(crop, number) for number, crop in enumerate(batch.crops)])
    return measure(replace(batch, crops=crops, apertures=apertures(crops, batch.faces)))


def apertures(crops: np.ndarray, faces: Sequence[Face]) -> np.ndarray:
    """Of eyes and mouths of faces in crops that are their own photos, see `FaceBatch`."""
    return ApertureMeter(ENGINE)([FaceCrop(crop, AS_IT_IS) for crop in crops], faces)


def medians(found: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Of each component."""
    return {name: float(np.nanmedian(found[name])) for name in NAMES}


def damage(batch: FaceBatch) -> dict[str, dict[str, float]]:
    """Medians by kind and strength of the damage."""
    rows = {"none": medians(measure(batch))}
    for grade in GRADES:
        for strength in STRENGTHS:
            rows[f"{grade.name} {strength:g}"] = medians(spoilt(batch, partial(damaged, grade, strength)))
    moved = [name for name in NAMES if any(row[name] != rows["none"][name] for row in rows.values())]
    print(f"medians of {len(batch.faces)} real people; the others do not look at pixels\n")
    print(f"{'':20}", *(f"{name[:14]:>15}" for name in moved))
    for kind, row in rows.items():
        print(f"{kind:20}", *(f"{row[name]:15.0f}" for name in moved))
    return rows


def damaged(grade: Grade, strength: float, crop: np.ndarray, seed: int) -> np.ndarray:
    """A crop in one grade of damage."""
    return graded(crop, grade, [strength], seed)[0]


def blurred(sigma: float, crop: np.ndarray, _: int) -> np.ndarray:
    """A crop under a Gaussian blur; 0 px is none."""
    return cv2.GaussianBlur(crop, (0, 0), sigma) if sigma else crop


def reduced(lines: int, crop: np.ndarray, _: int) -> np.ndarray:
    """A crop as a frame of fewer lines shows it."""
    return at_lines(crop, lines)


def sharpness(batch: FaceBatch) -> dict[str, dict[str, list[float]]]:
    """Quantiles of sharpness by blur and by lines."""
    print(f"\nsharpness of {len(batch.faces)} unseen faces: 5 %, median, 95 %")
    spoils = {
        **{f"blur {sigma} px": partial(blurred, sigma) for sigma in BLURS},
        **{f"{lines} lines": partial(reduced, lines) for lines in LINES},
    }
    rows = {
        kind: [float(value) for value in np.quantile(spoilt(batch, spoil)["sharpness"], QUANTILES)]
        for kind, spoil in spoils.items()
    }
    for kind, row in rows.items():
        print(f"{kind:20}", *(f"{value:6.0f}" for value in row))
    return {"quantiles": rows}


def turned(batch: FaceBatch) -> dict[str, float]:
    """Mean absolute difference of the components of light and colour when the photo is turned."""
    turn = cv2.getRotationMatrix2D(((CROP_SIZE - 1) / 2,) * 2, TILT, 1)
    faces = tuple(
        Face(face.box, tuple(map(tuple, np.array(face.landmarks) @ turn[:, :2].T + turn[:, 2])), 1.0)
        for face in batch.faces
    )

    def moved(pictures: np.ndarray) -> np.ndarray:
        return np.stack([cv2.warpAffine(picture, turn, (CROP_SIZE,) * 2) for picture in pictures])

    outline = moved(batch.outline)
    tilted = measure(replace(batch, faces=faces, crops=moved(batch.crops), outline=outline, visible=outline))
    upright = measure(batch)
    names = [row.name for row in COMPONENTS if row.module.endswith("light")]
    found = {name: float(np.nanmean(np.abs(tilted[name] - upright[name]))) for name in names}
    print(f"\nphoto turned by {TILT} degrees: mean absolute difference")
    for name, value in found.items():
        print(f"{name:28}{value:6.2f}")
    return found


def timing(batch: FaceBatch) -> dict[str, float]:
    """CPU milliseconds a face: components alone, and the whole assessment of prepared crops."""
    faces = {
        name: value[:TIMED]
        for name in FaceBatch.__slots__
        if name != "by_products" and (value := getattr(batch, name)) is not None
    }
    few = FaceBatch(**faces)
    number = len(few.faces)
    measure(few)
    times = []
    for _ in range(REPEATS):
        start = time.process_time()
        measure(few)
        times.append(1000 * (time.process_time() - start) / number)
    scorer = Scorer("cpu")
    scorer.assess_crops(few.crops)
    start = time.process_time()
    scorer.assess_crops(few.crops)
    whole = 1000 * (time.process_time() - start) / number
    alone = float(np.median(times))
    print(
        f"\nCPU time a face: components {alone:.2f} ms, whole assessment {whole:.1f} ms: {alone / whole:.1%}"
    )
    return {"components_ms": alone, "whole_ms": whole, "share": alone / whole}


if __name__ == "__main__":
    main()
