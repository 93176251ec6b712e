"""What rounding costs: OpenVINO's numbers, as engines round them, against torch's in float32.

    python benchmarks/precision.py [--data data] [--faces runs/dbcnn/sharp.npz]

On faces that no network has learnt from, damaged in every way and strength: how far DBCNN moves (faces
without their background and with it), how well the face masks agree (intersection over union), how far
SER-FIQ moves. On the validation slice of BIQ2021's training split: the rank correlation with the opinions.
bf16 is measured only where the processor multiplies it.

Prints a table and writes results/precision.json. training/dbcnn/crops.py prepares the faces.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from scipy.stats import spearmanr
from tqdm import tqdm

sys.path.append(str(Path(__file__).parents[1]))

from benchmarks.report import machine, write
from faceqa.engines.base import Engine
from faceqa.engines.openvino import OpenVinoEngine
from faceqa.engines.torch import TorchEngine
from faceqa.faces.alignment import align
from faceqa.faces.detection import load_detector
from faceqa.faces.mask import THRESHOLD
from training.dbcnn.crops import biq2021, read, validation
from training.dbcnn.features import whole
from training.graded_faces import GradedFaces, graded_faces

LIMITS = {
    "dbcnn": "0.5 points on average, 2 at most",
    "face_mask": "intersection over union above 0.995 on average",
    "ser_fiq": "0.01",
    "opinions": "SROCC within 0.002",
}

FACES = 1000
"""At most; there are fewer that are held out."""


def main() -> None:
    """Measure, print the table, write results/precision.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--faces", type=Path, default=Path("runs/dbcnn/sharp.npz"))
    arguments = parser.parse_args()
    faces = graded_faces(arguments.faces, held_out=True, most=FACES)
    aligned = aligned_faces(faces.crops)
    opinions = biq2021(arguments.data, "Train")
    slice_ = np.flatnonzero(validation(len(opinions.paths)))
    pictures, mos = [opinions.paths[index] for index in slice_], opinions.mos[slice_]

    engines: dict[str, Engine] = {"f32": OpenVinoEngine(precision="f32")}
    usual = OpenVinoEngine()
    engines.setdefault(usual.info.precision, usual)
    exact = measures(TorchEngine(torch.device("cpu")), faces, aligned, pictures)
    figures = {
        name: compared(measures(engine, faces, aligned, pictures), exact, mos)
        for name, engine in engines.items()
    }
    for name, rows in figures.items():
        print(f"\n{name}: {len(faces.crops)} faces, {len(aligned)} of them aligned, {len(pictures)} pictures")
        for measure, row in rows.items():
            print(f"  {measure:15}", ", ".join(f"{key} {value:.4f}" for key, value in row.items()))
    counts = {"faces": len(faces.crops), "aligned": len(aligned), "pictures": len(pictures)}
    write("precision", {"machine": machine(), "limits": LIMITS, **counts, "against torch": figures})


def aligned_faces(crops: np.ndarray) -> np.ndarray:
    """RGB uint8 (N, 112, 112, 3) of the crops in which a face is found."""
    detector = load_detector()
    found = ((crop, detector.detect(crop)) for crop in crops)
    return np.stack([align(crop, faces[0]) for crop, faces in found if faces])


def measures(
    engine: Engine, faces: GradedFaces, aligned: np.ndarray, pictures: list[Path]
) -> dict[str, np.ndarray]:
    """What an engine makes of them."""
    maps = engine.run("face_mask", faces.crops)
    return {
        "dbcnn": engine.run("iqa", faces.masked)["score"],
        "dbcnn_unmasked": engine.run("iqa", faces.crops)["score"],
        "outline": maps["outline"] >= THRESHOLD,
        "visible": (maps["visible"] >= THRESHOLD) & (maps["outline"] >= THRESHOLD),
        "ser_fiq": engine.run("embedding", aligned)["ser_fiq"],
        "opinions": np.concatenate(
            [engine.run("iqa", whole(read(path))[None])["score"] for path in tqdm(pictures, "pictures")]
        ),
    }


def compared(
    got: dict[str, np.ndarray], exact: dict[str, np.ndarray], mos: np.ndarray
) -> dict[str, dict[str, float]]:
    """The differences, by measure."""
    rows: dict[str, dict[str, float]] = {}
    for name in ("dbcnn", "dbcnn_unmasked", "ser_fiq"):
        moved = np.abs(got[name] - exact[name])
        rows[name] = {"mean": float(moved.mean()), "most": float(moved.max())}
    for name in ("outline", "visible"):
        both = (got[name] & exact[name]).sum((1, 2))
        either = (got[name] | exact[name]).sum((1, 2))
        overlap = np.where(either, both / np.maximum(either, 1), 1)
        rows[name] = {"mean": float(overlap.mean()), "least": float(overlap.min())}
    rows["opinions"] = {
        "SROCC": float(spearmanr(got["opinions"], mos).statistic),
        "SROCC of torch": float(spearmanr(exact["opinions"], mos).statistic),
    }
    return rows


if __name__ == "__main__":
    main()
