"""Sharp faces in grades of damage, with the background and without: what the face domain is learnt from.

A series shows one face six times: as it is, in four grades of one damage, and in one of the grades again with
its background cut away along another line. The scores should fall from grade to grade, and not move with the
cut. How far they should fall is given by a full-reference measure, as a weak label.
"""

from __future__ import annotations

import argparse
import sys
from multiprocessing import Pool
from pathlib import Path

import cv2
import numpy as np

sys.path.append(str(Path(__file__).parents[2]))

from faceqa.faces.mask import remove_background
from training.dbcnn.distortions import GRADES, LINES, at_lines, graded, jpeg

LEVELS = 5
VIEWS = LEVELS + 1
"""The last one is the grade `again`, cut differently."""

SERIES = 600
"""Each of a face of its own."""

RESOLUTION_SHARE = 0.4
"""Of the series that are the ladder of `LINES`."""

UNMASKED_SHARE = 0.25

POINTS_PER_DEVIATION = 3.0
"""Score points (of 1) by which a face falls for each unit of gradient magnitude similarity deviation."""

LARGEST_DROP = 0.6


def main() -> None:
    """Write series_images.npy (6 N, 384, 384, 3) and series.npz."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="not needed")
    parser.add_argument("--run", type=Path, default=Path("runs/dbcnn"))
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    faces = np.load(arguments.run / "sharp.npz")
    images, outlines = faces["image"], faces["outline"]
    jobs = [(images[face], outlines[face], seed) for seed, face in enumerate(learnt(faces["held_out"]))]
    path = arguments.run / "series_images.npy"
    shape = (len(jobs) * VIEWS, *images.shape[1:])
    views = np.lib.format.open_memmap(path, "w+", np.uint8, shape)
    drops: list[list[float]] = []
    masked: list[bool] = []
    again: list[int] = []
    with Pool(arguments.workers) as pool:
        for number, made in enumerate(pool.imap(one_series, jobs, chunksize=4)):
            views[number * VIEWS : (number + 1) * VIEWS] = made[0]
            drops.append(made[1])
            masked.append(made[2])
            again.append(made[3])
    views.flush()
    np.savez(arguments.run / "series.npz", drop=np.array(drops, np.float32), masked=masked, again=again)
    print(f"{len(jobs)} series, drops by grade {np.mean(drops, axis=0).round(3)}")


def learnt(held_out: np.ndarray) -> np.ndarray:
    """Which of the sharp faces make series, int (600,), of bool (N,) that says which are held out."""
    return np.random.default_rng(0).permutation(np.flatnonzero(~held_out))[:SERIES]


def one_series(job: tuple[np.ndarray, np.ndarray, int]) -> tuple[np.ndarray, list[float], bool, int]:
    """(face, outline, seed) -> views (6, H, W, 3), their drops, whether they are masked, `again`."""
    cv2.setNumThreads(1)
    image, outline, seed = job
    rng = np.random.default_rng(seed)
    if rng.random() < 0.5:
        image, outline = image[:, ::-1].copy(), outline[:, ::-1].copy()
    if rng.random() < 0.2:
        image = jpeg(image, int(rng.integers(85, 98)))
    grades = spoilt(image, rng)
    again = int(rng.integers(LEVELS))
    deviations = [deviation(image, grade, outline) for grade in grades]
    drops = [min(POINTS_PER_DEVIATION * value, LARGEST_DROP) for value in deviations]
    masked = bool(rng.random() >= UNMASKED_SHARE)
    shown = [*grades, grades[again]]
    if masked:
        cuts = [cut(outline, rng), cut(outline, rng)]
        shown = [remove(view, cuts[k == LEVELS], rng) for k, view in enumerate(shown)]
    else:
        shown[-1] = framed(shown[-1], rng)
    return np.stack(shown), [*drops, drops[again]], masked, again


def spoilt(image: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
    """The face as it is, and four times worse and worse."""
    if rng.random() < RESOLUTION_SHARE:
        down, up = int(rng.integers(-1, 5)), int(rng.integers(0, 4))
        grades = [at_lines(image, lines, down, up) for lines in LINES]
        if rng.random() < 0.4:  # every frame through the same coder
            quality = int(rng.integers(40, 96))
            grades = [jpeg(grade, quality) for grade in grades]
        return grades
    grade = GRADES[rng.integers(len(GRADES))]
    strengths = (np.arange(1, LEVELS) - rng.uniform(0.1, 0.9, LEVELS - 1)) / (LEVELS - 1)
    return [image, *graded(image, grade, strengths.tolist(), int(rng.integers(2**31)))]


def cut(outline: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A line along which the background may be cut away: float32 (H, W), 0 or 1."""
    inside: np.ndarray = (outline >= 128).astype(np.uint8)
    if not inside.any():
        return np.ones(outline.shape, np.float32)
    kind = rng.choice(
        ["outline", "hull", "ellipse", "without forehead", "without ears"], p=[0.4, 0.2, 0.15, 0.15, 0.1]
    )
    points = cv2.findNonZero(inside)
    x, y, width, height = cv2.boundingRect(points)
    if kind == "without forehead":  # as the hull of 68 landmarks, which begin at the brows
        inside[: y + round(height * rng.uniform(0.1, 0.3))] = 0
    if kind == "without ears":
        margin = round(width * rng.uniform(0.03, 0.12))
        inside[:, : x + margin] = inside[:, x + width - margin :] = 0
    if kind in ("hull", "without forehead"):
        hull = cv2.convexHull(cv2.findNonZero(inside))
        inside = cv2.fillConvexPoly(np.zeros_like(inside), hull, 1)
    if kind == "ellipse":
        centre, axes = (
            (x + width / 2, y + height / 2),
            (width * rng.uniform(0.9, 1.1), height * rng.uniform(0.9, 1.1)),
        )
        inside = cv2.ellipse(np.zeros_like(inside), (centre, axes, 0), 1, -1)
    reach = int(rng.integers(-14, 15))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * abs(reach) + 1,) * 2)
    inside = cv2.dilate(inside, kernel) if reach > 0 else cv2.erode(inside, kernel)
    return inside.astype(np.float32)


def remove(image: np.ndarray, inside: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The background away: with faceqa's ramp, with a hard edge or a soft one, and perhaps through a file."""
    way = rng.random()
    if way < 0.5:
        image = remove_background(image, inside)
    elif way < 0.75:
        image = image * inside.astype(np.uint8)[..., None]
    else:
        soft = cv2.GaussianBlur(inside, (0, 0), rng.uniform(0.7, 3))[..., None]
        image = np.round(image * soft).astype(np.uint8)
    return jpeg(image, int(rng.integers(90, 100))) if rng.random() < 0.15 else image


def framed(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The same picture with a black margin, as where a crop reaches beyond its photo."""
    image = image.copy()
    for _ in range(int(rng.integers(1, 3))):
        image = np.ascontiguousarray(np.rot90(image))
        image[: int(rng.integers(1, 80))] = 0
    return image


def deviation(reference: np.ndarray, image: np.ndarray, outline: np.ndarray) -> float:
    """Gradient magnitude similarity deviation (Xue et al., 2014) inside the outline, at full resolution."""
    first, second = (_gradient(picture) for picture in (reference, image))
    similarity = (2 * first * second + 170) / (first**2 + second**2 + 170)
    inside = outline >= 128
    return float(similarity[inside].std()) if inside.any() else float(similarity.std())


def _gradient(image: np.ndarray) -> np.ndarray:
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    prewitt = np.array([[1, 0, -1]] * 3, np.float32) / 3
    return np.hypot(cv2.filter2D(grey, -1, prewitt), cv2.filter2D(grey, -1, prewitt.T))


if __name__ == "__main__":
    main()
