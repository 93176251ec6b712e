"""What photometry reads from faces in grades of bad light, beside what the grades cost in DBCNN.

python training/distortions/photometry.py    # the lines in measures/distortions.py go through it
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).parents[2]))

from faceqa.measures.distortions import FULL_COST, PHOTOMETRY, lit
from training.distortions.damage import KINDS, Damage
from training.distortions.samples import GRADES

FACES = 60
QUANTILES = (5, 50, 95)


def main() -> None:
    """Print a table for each kind."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--faces", type=Path, default=Path("runs/dbcnn/sharp.npz"))
    parser.add_argument("--run", type=Path, default=Path("runs/distortions"))
    arguments = parser.parse_args()
    costs = json.loads((arguments.run / "costs.json").read_text(encoding="utf-8"))
    faces = np.load(arguments.faces)
    chosen = np.random.default_rng(3).permutation(np.flatnonzero(~faces["held_out"]))[:FACES]
    images, outlines = faces["image"][chosen], faces["outline"][chosen].astype(np.float32) / 255
    for kind in PHOTOMETRY:
        way = KINDS[kind][0].name
        for grade, cost in zip(GRADES, costs[way], strict=True):
            lights = [
                lit(Damage(kind, way, grade, number)(image), outline)
                for number, (image, outline) in enumerate(zip(images, outlines, strict=True))
            ]
            rows = np.array(
                [[one.bright, one.burnt, 1 - one.dark / one.bright, one.stops] for one in lights if one]
            )
            told = np.percentile([PHOTOMETRY[kind](one) for one in lights if one], QUANTILES).round(2)
            print(f"{kind} {grade}: costs {cost}, severity {cost / FULL_COST:.2f}, told {told}")
            for name, column in zip(("bright", "burnt", "contrast", "stops"), rows.T, strict=True):
                print(f"  {name:9}", np.percentile(column, QUANTILES).round(2))


if __name__ == "__main__":
    main()
