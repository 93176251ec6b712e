"""Accuracy and speed of the perceptual quality network (DB-CNN with EfficientNet-Lite0).

    python benchmarks/dbcnn.py [--data data] [--run runs/dbcnn]

- *Opinions*: BIQ2021's 2,000 test pictures, which served no choice, beside the table of the data set and
  beside BRISQUE and NIQE, run here where their packages are installed (pip install --no-deps brisque
  libsvm-official scikit-video). The pictures have 512 px and are reduced to 384 px, the size of our crops;
  BRISQUE and NIQE see them as they are.
- *Ladders*: held-out sharp faces, as frames of 1080 to 240 lines would show them and in grades of other
  damages, with their background and without it.
- *Cuts*: one face, its background cut away along different lines.
- *Time* against the VGG-16 network, by turns in one run.

Prints tables and writes results/dbcnn.json. training/dbcnn/crops.py prepares the held-out faces.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from scipy.optimize import curve_fit
from scipy.stats import pearsonr, spearmanr

sys.path.append(str(Path(__file__).parents[1]))

from benchmarks.peer import Vgg16Dbcnn
from benchmarks.report import RESULTS, machine, write
from faceqa.engines.openvino import OpenVinoEngine
from faceqa.faces.alignment import CROP_SIZE
from faceqa.faces.mask import FaceMasker, remove_background
from faceqa.measures.batch import Iqa
from faceqa.measures.perceptual import Dbcnn
from training.dbcnn.crops import SMALLEST_FACE, Opinions, biq2021, opinion_faces, outlines, read
from training.dbcnn.distortions import GRADES, LINES, at_lines, graded
from training.dbcnn.features import whole
from training.dbcnn.series import cut

PUBLISHED = {
    "BIQ2021's table, best single model (NASNet-Large)": {"SROCC": 0.6725, "PLCC": 0.7083},
    "BIQ2021's table, best ensemble (DeepEns)": {"SROCC": 0.7922, "PLCC": 0.8098},
    "BIQ2021's table, BRISQUE": {"SROCC": 0.6039, "PLCC": 0.6941},
    "BIQ2021's table, NIQE": {"SROCC": 0.2674, "PLCC": 0.2981},
}

PARTS = ("time", "faces", "opinions")
"""What is measured; the results of parts left out stay as they are."""

LADDER_FACES = 100
GRADED_FACES = 10
STRENGTHS = (0.1, 0.3, 0.5, 0.7, 0.9)
"""Of the other damages, after the undamaged face."""

CUTS = 6
"""Ways in which the background of one face is cut away."""

ROUNDS = 15
"""Of the timing."""


def main() -> None:
    """Measure, print the tables, write results/dbcnn.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--run", type=Path, default=Path("runs/dbcnn"))
    parser.add_argument("--parts", nargs="*", choices=PARTS, default=PARTS)
    arguments = parser.parse_args()
    iqa = Dbcnn(OpenVinoEngine(["iqa"]))
    path = RESULTS / "dbcnn.json"
    results: dict[str, dict] = json.loads(path.read_text()) if path.is_file() else {}
    results |= {"machine": machine(), "published": PUBLISHED}
    if "time" in arguments.parts:
        results["time at 384 px"] = timings(iqa)
        show("time at 384 px", {"": results["time at 384 px"]})
    if "faces" in arguments.parts:
        held_out = held_out_faces(arguments.run / "sharp.npz")
        results["ladder"] = ladder(iqa, held_out[:LADDER_FACES])
        show("ladder of held-out faces", results["ladder"])
        results["grades"] = grades(iqa, held_out[:GRADED_FACES])
        show("held-out faces in grades of damage", results["grades"])
        results["cuts"] = cuts(iqa, held_out[:GRADED_FACES])
        show("the same face, cut out differently", {"": results["cuts"]})
    if "opinions" in arguments.parts:
        results["opinions"] = opinions(iqa, biq2021(arguments.data, "Test"), arguments.run)
        show("BIQ2021, test split", {**results["opinions"], **PUBLISHED})
    write("dbcnn", results)


def timings(iqa: Iqa) -> dict[str, float]:
    """Median milliseconds of one crop, the two networks by turns, and the median of the ratios."""
    crop = np.random.default_rng(0).integers(0, 256, (1, CROP_SIZE, CROP_SIZE, 3), dtype=np.uint8)
    networks: dict[str, Iqa] = {"lite0": iqa, "vgg16": Vgg16Dbcnn()}
    seconds: dict[str, list[float]] = {branch: [] for branch in networks}
    for _ in range(ROUNDS + 1):
        for branch, network in networks.items():
            began = time.perf_counter()
            network(crop)
            seconds[branch].append(time.perf_counter() - began)
    figures = {f"{branch} ms": 1000 * float(np.median(taken[1:])) for branch, taken in seconds.items()}
    ratio = float(np.median(np.divide(seconds["lite0"][1:], seconds["vgg16"][1:])))
    return {**{name: round(value, 1) for name, value in figures.items()}, "ratio": round(ratio, 3)}


def held_out_faces(path: Path) -> np.ndarray:
    """Sharp faces that were never trained on, in a random order: RGB uint8 (N, 384, 384, 3)."""
    faces = np.load(path)
    images = faces["image"][faces["held_out"]]
    return images[np.random.default_rng(0).permutation(len(images))]


def ladder(iqa: Iqa, faces: np.ndarray) -> dict[str, dict[str, float]]:
    """Mean score by lines of the frame, and how many adjacent pairs are in order."""
    levels = np.stack([[at_lines(face, lines) for lines in LINES] for face in faces])
    results = {}
    for name, views in (("masked", masked(levels)), ("unmasked", levels)):
        scores = scored(iqa, views)
        means = {f"{lines}p": float(mean) for lines, mean in zip(LINES, scores.mean(axis=0), strict=True)}
        gap = float(scores[:, 0].mean() - scores[:, LINES.index(360)].mean())
        results[name] = rounded({**means, "gap 1080p-360p": gap, **order(scores), "faces": len(faces)})
    return results


def grades(iqa: Iqa, faces: np.ndarray) -> dict[str, dict[str, float]]:
    """The same for every damage in grades, masked."""
    results = {}
    for grade in GRADES:
        views = np.stack([[face, *graded(face, grade, STRENGTHS, k)] for k, face in enumerate(faces)])
        scores = scored(iqa, masked(views))
        means = {str(s): float(mean) for s, mean in zip((0, *STRENGTHS), scores.mean(axis=0), strict=True)}
        results[grade.name] = rounded({**means, **order(scores)})
    return results


def cuts(iqa: Iqa, faces: np.ndarray) -> dict[str, float]:
    """How far the score moves with the line along which the background is cut away."""
    views = []
    for number, (face, outline) in enumerate(zip(faces, outlines(faces), strict=True)):
        rng = np.random.default_rng(number)
        views.append([remove_background(face, cut(outline, rng)) for _ in range(CUTS)])
    scores = scored(iqa, np.array(views))
    ranges = np.ptp(scores, axis=1)
    return rounded({"standard deviation": scores.std(axis=1, ddof=1).mean(), "largest range": ranges.max()})


def masked(views: np.ndarray) -> np.ndarray:
    """Every view without its background, by the outline that is found in it."""
    masker = FaceMasker(OpenVinoEngine(["face_mask"]))
    return np.stack(
        [
            [remove_background(view, outline) for view, outline in zip(row, masker(row).outline, strict=True)]
            for row in views
        ]
    )


def scored(iqa: Iqa, views: np.ndarray) -> np.ndarray:
    """(N, K, H, W, 3) -> scores (N, K)."""
    return iqa(views.reshape(-1, *views.shape[2:])).reshape(views.shape[:2])


def order(scores: np.ndarray) -> dict[str, float]:
    """Share of adjacent pairs in which the worse view scores lower."""
    return {"adjacent pairs in order": float((np.diff(scores, axis=1) < 0).mean())}


def opinions(iqa: Iqa, split: Opinions, run: Path) -> dict[str, dict[str, float]]:
    """Agreement with the opinions: all pictures, by subset, those with a face, and their faces cut out."""
    pictures = [read(path) for path in split.paths]
    index, crops = zip(*opinion_faces(split), strict=True)
    faces = np.array(index)
    subset = np.array([path.name[:4].lower() for path in split.paths])
    groups = {
        "all": np.arange(len(pictures)),
        **{name: np.flatnonzero(subset == name) for name in np.unique(subset)},
        f"with a face of {SMALLEST_FACE} px": faces,
    }
    ours = iqa(np.stack([whole(picture) for picture in pictures]))
    results = {}
    for name, scores in {"faceqa": ours, **references(pictures, run / "references.npz")}.items():
        for group, rows in groups.items():
            results[f"{name}, {group}"] = agreement(scores[rows], split.mos[rows])
    views = masked(np.stack(crops)[:, None])
    results["faceqa, face crop, masked"] = agreement(scored(iqa, views)[:, 0], split.mos[faces])
    return results


def references(pictures: list[np.ndarray], kept: Path) -> dict[str, np.ndarray]:
    """BRISQUE's and NIQE's scores, higher is better; kept in a file, and empty without their packages."""
    if not kept.is_file():
        try:
            with get_context("spawn").Pool() as pool:
                scores = {
                    metric.__name__.upper(): -np.array(pool.map(metric, pictures, chunksize=20))
                    for metric in (brisque, niqe)
                }
        except ImportError as error:
            print(f"BRISQUE and NIQE are left out: {error}", file=sys.stderr)
            return {}
        np.savez(kept, allow_pickle=True, **scores)
    return dict(np.load(kept))


def brisque(picture: np.ndarray) -> float:
    """BRISQUE (Mittal et al., 2012) of the package brisque 0.2, with its model; lower is better."""
    return float(_brisque_model().score(picture))


@cache
def _brisque_model() -> Any:
    from brisque import BRISQUE

    class Brisque(BRISQUE):
        def scale_features(self, features: np.ndarray) -> np.ndarray:
            # NumPy 2.4 no longer makes numbers of the arrays of one value that the package has here.
            return super().scale_features([np.asarray(feature).item() for feature in features])

    return Brisque(url=False)


def niqe(picture: np.ndarray) -> float:
    """NIQE (Mittal et al., 2013) of the package scikit-video 1.1, with its model; lower is better."""
    import scipy.misc
    from PIL import Image

    def imresize(image: np.ndarray, factor: float, interp: str, mode: str) -> np.ndarray:
        size = (int(image.shape[1] * factor), int(image.shape[0] * factor))
        return np.array(Image.fromarray(image.astype(np.float32)).resize(size, Image.Resampling.BICUBIC))

    # What the package calls and NumPy and SciPy have dropped.
    for module, name, value in ((np, "float", float), (np, "int", int), (scipy.misc, "imresize", imresize)):
        setattr(module, name, value)
    from skvideo.measure import niqe as measure

    return float(measure(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[None, ..., None])[0])


def agreement(scores: np.ndarray, mos: np.ndarray) -> dict[str, float]:
    """SROCC; PLCC as it is and after the 4-parameter logistic; RMSE on the scale [0, 1] after it."""
    fitted = logistic_fit(scores, mos)
    return rounded(
        {
            "SROCC": spearmanr(scores, mos)[0],
            "PLCC": pearsonr(scores, mos)[0],
            "PLCC fitted": pearsonr(fitted, mos)[0],
            "RMSE fitted": np.sqrt(np.mean((fitted - mos) ** 2)),
            "pictures": len(mos),
        }
    )


def logistic_fit(scores: np.ndarray, mos: np.ndarray) -> np.ndarray:
    """The scores brought to the scale of the opinions by the logistic of VQEG's (2000) evaluations."""

    def logistic(x: np.ndarray, top: float, bottom: float, middle: float, slope: float) -> np.ndarray:
        return bottom + (top - bottom) / (1 + np.exp(-np.clip((x - middle) / abs(slope), -50, 50)))

    guess = (mos.max(), mos.min(), float(np.median(scores)), float(scores.std()))
    parameters, _ = curve_fit(logistic, scores, mos, p0=guess, maxfev=20000)
    return logistic(scores, *parameters)


def rounded(figures: dict) -> dict[str, float]:
    """Four digits after the point."""
    return {name: round(float(value), 4) for name, value in figures.items()}


def show(title: str, rows: dict[str, dict[str, float]]) -> None:
    """Print a table."""
    width = max(len(name) for name in rows)
    print(f"\n{title}")
    columns: list[str] = []
    for name, row in rows.items():
        if list(row) != columns:
            columns = list(row)
            print(" " * width + "".join(f"  {column:>12}" for column in columns))
        cells = (f"{value:>{max(12, len(column))}.4g}" for column, value in row.items())
        print(f"{name:<{width}}" + "".join(f"  {cell}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
