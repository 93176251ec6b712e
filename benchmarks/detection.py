"""What the constants of faceqa/faces/detection.py rest on: face size against recall, and landmark accuracy.

    python benchmarks/detection.py --faces DIR --landmarks DIR

--faces: a folder of portraits with one face each, for recall by face size. Measured with
hmdghoul/generated-faces (GitHub; synthetic), every 80th picture.

--landmarks: portraits with hand-placed landmarks in WebMorph's .tem files beside them, for accuracy. Measured
with debruine/webmorphR.stim (GitHub; inst/neutral_front, CC BY 4.0), every 3rd: pupils and mouth corners.

Both are said as a share of a distance in the picture, so the pictures' own size does not matter.
"""

from __future__ import annotations

import argparse
import itertools
import math
import sys
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import ArrayLike

sys.path.append(str(Path(__file__).parents[1]))

from benchmarks.report import machine, write
from faceqa.faces.detection import MIN_CONFIDENCE, Detector, load_detector
from faceqa.reading import image
from faceqa.reading.sources import source_files
from faceqa.types import Face

INPUT_WIDTHS = (8, 10, 12, 14, 16, 20, 24, 32, 64, 128, 256, 384, 448, 512, 640, 768)
PHOTO_WIDTHS = (28, 56, 112, 224, 448, 900)
TILTS = (0, 10, 20, 30, 40)  # degrees
TILTED_WIDTH = 150  # px of the face in the tilted photo
FOUND_IOU = 0.4
BORDER = 100  # px of edge colour added, so that the face can be cut at any scale

# WebMorph's 189-point template: right and left pupil, right and left mouth corner; and the same in a `Face`.
TEM_POINTS = [0, 1, 87, 93]
FACE_POINTS = [0, 1, 3, 4]
FACE_WIDTHS_PER_INTER_EYE_DISTANCE = 2.15  # of a frontal face


def main() -> None:
    """Measure, print the tables, write results/detection.json."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--faces", type=Path, required=True)
    parser.add_argument("--landmarks", type=Path, required=True)
    options = parser.parse_args()
    detector = load_detector()

    recall = recall_by_width(detector, list(source_files([options.faces]))[::80])
    print("one pass of the network\nface px at its input   found  median confidence  median box IoU")
    for row in recall:
        print(f"{row['width']:>22}  {row['found']:6.1%}  {row['confidence']:17.2f}  {row['iou']:14.2f}")

    accuracy = accuracy_by_width(detector, list(source_files([options.landmarks]))[::3])
    print("\nlandmarks, % of the inter-eye distance")
    print("face px in the photo  how       mean error  95th centile  change when the photo grows by 6 %")
    for row in accuracy:
        print(
            f"{row['width']:>20}  {row['how']:8}  {row['mean']:10.1f}  {row['centile95']:12.1f}  "
            f"{row['change']:15.1f}"
        )

    tilted = error_by_tilt(detector, list(source_files([options.landmarks]))[::3])
    print("\nerror of the eye line, degrees\ntilt  one look  levelled looks")
    for row in tilted:
        print(f"{row['tilt']:>4}  {row['one_look']:8.1f}  {row['levelled']:14.1f}")
    figures = {"recall": recall, "accuracy": accuracy, "tilted": tilted}
    write("detection", {"machine": machine(), **figures})


def recall_by_width(detector: Detector, files: list[Path]) -> list[dict]:
    """How many faces one pass finds, by the width of the face at the network's input."""
    portraits = []
    for file in files:
        photo = cv2.copyMakeBorder(image.load(file), BORDER, BORDER, BORDER, BORDER, cv2.BORDER_REPLICATE)
        reference = detector.detect(photo)
        if reference:
            portraits.append((photo, reference[0]))
    return [_recall(detector, portraits, width) for width in INPUT_WIDTHS]


def _recall(detector: Detector, portraits: list[tuple[np.ndarray, Face]], width: int) -> dict:
    network = detector._network
    confidences, overlaps = [], []
    for photo, reference in portraits:
        scale = width / reference.width
        small = resized(photo, scale)
        rows = network(small)
        best = max(rows, key=lambda row: row[14], default=np.zeros(15))
        confidences.append(best[14])
        overlaps.append(_overlap(best[:4], np.array(reference.box) * scale))
    found = (np.array(confidences) >= MIN_CONFIDENCE) & (np.array(overlaps) > FOUND_IOU)
    return {
        "width": width,
        "found": float(found.mean()),
        "confidence": float(np.median(confidences)),
        "iou": float(np.median(overlaps)),
        "faces": len(portraits),
    }


def accuracy_by_width(detector: Detector, files: list[Path]) -> list[dict]:
    """Distance of the landmarks to the hand-placed ones, as detected and as refined."""
    photos = [(image.load(file), hand_placed(file.with_suffix(".tem"))) for file in files]
    rows = []
    for width in PHOTO_WIDTHS:
        measured: dict[str, list] = {"detected": [], "refined": []}
        for photo, truth in photos:
            pairs = [_landmarks(detector, photo, truth, width * growth) for growth in (1.0, 1.06)]
            for how in measured:
                measured[how].append([pair[how] - truth for pair in pairs])
        unit = np.array([np.linalg.norm(truth[0] - truth[1]) for _, truth in photos])
        for how, deviations in measured.items():
            relative = 100 * np.array(deviations) / unit[:, None, None, None]
            errors = np.linalg.norm(relative, axis=-1)
            change = np.linalg.norm(relative[:, 0] - relative[:, 1], axis=-1)
            rows.append(
                {
                    "width": width,
                    "how": how,
                    "mean": float(errors.mean()),
                    "centile95": float(np.quantile(errors, 0.95)),
                    "change": float(change.mean()),
                    "faces": len(photos),
                }
            )
    return rows


def _landmarks(detector: Detector, photo: np.ndarray, truth: np.ndarray, width: float) -> dict:
    inter_eye = math.dist(truth[0], truth[1])
    small = resized(photo, width / (FACE_WIDTHS_PER_INTER_EYE_DISTANCE * inter_eye))
    back = np.array(photo.shape[1::-1]) / small.shape[1::-1]
    face = detector.detect(small)[0]
    faces = {"detected": face, "refined": detector.refine(small, face)}
    return {how: (np.array(f.landmarks)[FACE_POINTS] + 0.5) * back - 0.5 for how, f in faces.items()}


def error_by_tilt(detector: Detector, files: list[Path]) -> list[dict]:
    """Mean error of the line through the eyes in tilted photos: one look at the face, and `refine`."""
    rows = []
    for tilt in TILTS:
        errors = []
        for file, sign in itertools.product(files, (1, -1)):
            photo, truth = image.load(file), hand_placed(file.with_suffix(".tem"))
            scale = TILTED_WIDTH / (FACE_WIDTHS_PER_INTER_EYE_DISTANCE * math.dist(truth[0], truth[1]))
            small = resized(photo, scale)
            centre = (small.shape[1] / 2, small.shape[0] / 2)
            turn = cv2.getRotationMatrix2D(centre, sign * tilt, 1.0)
            tilted = cv2.warpAffine(small, turn, small.shape[1::-1], borderMode=cv2.BORDER_REPLICATE)
            eyes = truth[:2] @ turn[:, :2].T
            face = detector.detect(tilted)[0]
            looks = (detector._look_at(tilted, face, 0.0), detector.refine(tilted, face))
            errors.append([abs(_angle(look.landmarks) - _angle(eyes)) for look in looks])
        one_look, levelled = np.mean(errors, axis=0)
        rows.append({"tilt": tilt, "one_look": one_look, "levelled": levelled, "faces": len(errors)})
    return rows


def _angle(eyes: ArrayLike) -> float:
    """Angle of the line from the first point to the second in degrees."""
    (x1, y1), (x2, y2) = np.asarray(eyes)[:2]
    return float(np.degrees(np.arctan2(y2 - y1, x2 - x1)))


def hand_placed(template: Path) -> np.ndarray:
    """Pupils and mouth corners of a .tem file: (4, 2) px."""
    count, *lines = template.read_text().split("\n")
    points = np.array([[float(value) for value in line.split()] for line in lines[: int(count)]])
    return points[TEM_POINTS]


def resized(photo: np.ndarray, scale: float) -> np.ndarray:
    """The photo at another size, without aliasing."""
    size = (max(1, round(photo.shape[1] * scale)), max(1, round(photo.shape[0] * scale)))
    return cv2.resize(photo, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)


def _overlap(box: np.ndarray, reference: np.ndarray) -> float:
    """Intersection over union of (x, y, width, height) with (x1, y1, x2, y2)."""
    corner, opposite = box[:2], box[:2] + box[2:]
    sides = np.minimum(opposite, reference[2:]) - np.maximum(corner, reference[:2])
    shared = np.clip(sides, 0, None).prod()
    return float(shared / (box[2:].prod() + (reference[2:] - reference[:2]).prod() - shared))


if __name__ == "__main__":
    main()
