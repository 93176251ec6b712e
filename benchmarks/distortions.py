"""Is the first cause the right one? Single damages on faces that taught nothing, through the whole of faceqa.

    python training/dbcnn/crops.py        # runs/dbcnn/sharp.npz
    python benchmarks/distortions.py [--faces FILE] [--each 40]

- *right*: how often the strongest distortion is the one that was done, for each way at middle (0.5) and
  strong (1) strength; blur and low resolution may stand for each other;
- *severity*: the median of that kind's severity;
- *clean*: of sharp faces, how many have any severity above `FAULT_FROM`, all and frontal ones;
- *native size*: of enlarged pictures, the side in which their detail fits, found as a share of the truth.

Faces that the training held out. Prints tables and writes results/distortions.json.
"""

from __future__ import annotations

import argparse
import sys
from operator import itemgetter
from pathlib import Path

import numpy as np
from tqdm import tqdm

sys.path.append(str(Path(__file__).parents[1]))

from benchmarks.report import machine, write
from faceqa import Assessment, Scorer
from faceqa.faces.alignment import CROP_MARGIN, CROP_SIZE
from faceqa.measures.registry import FAULT_FROM
from training.distortions.damage import KINDS, Damage, ratio

STRENGTHS = (0.5, 1.0)
ALIKE = {"blur", "low_resolution"}
FRONTAL = 15.0
"""Degrees of yaw."""
CLEAN = 300


def main() -> None:
    """Measure, print the tables, write results/distortions.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--faces", type=Path, default=Path("runs/dbcnn/sharp.npz"))
    parser.add_argument("--each", type=int, default=40, help="faces for each way and strength")
    arguments = parser.parse_args()
    faces = np.load(arguments.faces)
    held_out = np.random.default_rng(5).permutation(np.flatnonzero(faces["held_out"]))
    images = faces["image"][held_out[:CLEAN]]
    scorer = Scorer()
    clean = of_clean(scorer.assess_crops(images))
    print(clean)
    rows = []
    for kind, ways in KINDS.items():
        for way in ways:
            for strength in STRENGTHS:
                chosen = range(arguments.each)
                pictures = [Damage(kind, way.name, strength, number)(images[number]) for number in chosen]
                row = {"kind": kind, "way": way.name, "strength": strength}
                rows.append(row | of_damage(kind, scorer.assess_crops(np.stack(pictures))))
                print(rows[-1], flush=True)
    by_kind = {
        kind: round(float(np.mean([row["right"] for row in rows if row["kind"] == kind])), 3)
        for kind in KINDS
    }
    print(by_kind)
    write(
        "distortions",
        {
            "machine": machine(),
            "clean": clean,
            "right_by_kind": by_kind,
            "right": mean_right(rows),
            "ways": rows,
            "native_size": native_size(scorer, images[: arguments.each]),
        },
    )


def mean_right(rows: list[dict]) -> float:
    """Mean of the ways' and strengths' shares, but for damage that hides every face."""
    return round(float(np.mean([row["right"] for row in rows if row["faces"]])), 3)


def of_clean(results: list[Assessment]) -> dict[str, float]:
    """Shares of sharp faces with a fault."""
    found = [result for result in results if result.face is not None]
    frontal = [result for result in found if abs(result.yaw or 0) <= FRONTAL]
    shares = {
        f"{name} with a fault": round(float(np.mean([one.fault is not None for one in group])), 3)
        for name, group in (("all", found), ("frontal", frontal))
    }
    kinds = {
        f"all with {kind}": round(float(np.mean([one.distortions[kind] > FAULT_FROM for one in found])), 3)
        for kind in KINDS
    }
    return {"faces": len(found), "frontal": len(frontal), **shares, **kinds}


def of_damage(kind: str, results: list[Assessment]) -> dict[str, float | int]:
    """How often the strongest distortion is this one, and its severity."""
    found = [result.distortions for result in results if result.face is not None]
    if not found:
        return {"faces": 0}
    accepted = ALIKE if kind in ALIKE else {kind}
    first = [max(severities.items(), key=itemgetter(1))[0] for severities in found]
    return {
        "faces": len(found),
        "right": round(float(np.mean([name in accepted for name in first])), 3),
        "severity": round(float(np.median([severities[kind] for severities in found])), 3),
        "cafi": round(float(np.median([result.dbcnn for result in results if result.dbcnn is not None])), 1),
    }


def native_size(scorer: Scorer, images: np.ndarray) -> list[dict[str, float]]:
    """Of faces that were enlarged: what is found, as a share of the size that they had."""
    rows = []
    for strength in tqdm((0.25, 0.5, 0.75, 1.0), "native size"):
        pictures = [Damage("low_resolution", "resolution", strength, n)(one) for n, one in enumerate(images)]
        results = scorer.assess_crops(np.stack(pictures))
        shares = [
            result.native_size / (ratio(strength) * min(result.face.longer_side, CROP_SIZE / CROP_MARGIN))
            for result in results
            if result.native_size is not None and result.face is not None
        ]
        middle, low, high = np.percentile(shares, (50, 10, 90))
        rows.append(
            {
                "ratio": round(ratio(strength), 3),
                "found_to_true": round(float(middle), 3),
                "tenth": round(float(low), 3),
                "nine_tenths": round(float(high), 3),
            }
        )
        print(rows[-1], flush=True)
    return rows


if __name__ == "__main__":
    main()
