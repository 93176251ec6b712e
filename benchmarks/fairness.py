"""Whether the scores differ between groups of people: how they are distributed where a source names groups.

    python benchmarks/fairness.py                      # data/ as training/face_mask/README.md describes it

- *generated*: synthetic portraits of hmdghoul/generated-faces, 512 px, by the folder (sex and group) into
  which their publisher sorted them. They are drawn from the files that the training recipes read, so that our
  own networks had the same chance to learn from each group.
- *london*: 102 consenting people before one studio camera (debruine/webmorphR.stim, CC BY 4.0), neutral, by
  the gender and the ethnicity that come with the photographs. Few people: wide intervals.

A group's figures are means with the interval in which 95 % of the means of resampled faces lie. CAFI is the
mean over the faces that pass the gates of the default policy. A difference between groups can be one of the
pictures (light, hair, pose) as well as one of the measures.

Prints the table and writes results/fairness.json.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

sys.path.append(str(Path(__file__).parents[1]))

from benchmarks.report import machine, write
from faceqa.scorer import Scorer
from faceqa.types import Assessment
from training.face_mask.pictures import GENERATED_PER_GROUP

PER_GROUP = 60
FEWEST = 5
"""Of fewer faces nothing is said."""

RESAMPLES = 2000
CONFIDENCE = 95
"""Percent."""

MEASURES = ("ser_fiq", "dbcnn", "cafi", "occlusion")


def main() -> None:
    """Measure, print the table, write results/fairness.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--most", type=int, default=PER_GROUP, help="faces of a group, for trials")
    arguments = parser.parse_args()
    groups = {**generated(arguments.data), **london(arguments.data)}
    chosen = {name: draw(files, arguments.most) for name, files in groups.items() if len(files) >= FEWEST}
    files = sorted({file for files in chosen.values() for file in files})
    results = dict(zip(files, tqdm(Scorer().assess_many(files), total=len(files)), strict=True))
    figures = {name: group([results[file] for file in files]) for name, files in chosen.items()}
    show(figures)
    write("fairness", {"machine": machine(), "confidence": CONFIDENCE, "groups": figures})


def generated(data: Path) -> dict[str, list[Path]]:
    """The files by sex and group."""
    folders = sorted(folder for folder in (data / "generated-faces/images").glob("*/*") if folder.is_dir())
    return {
        f"generated, {folder.parent.name}, {folder.name}": sorted(folder.glob("*.jpg"))[:GENERATED_PER_GROUP]
        for folder in folders
    }


def london(data: Path) -> dict[str, list[Path]]:
    """The files by gender, and again by ethnicity."""
    folder = data / "webmorphR.stim"
    with (folder / "data-raw/london_info.csv").open(encoding="utf-8", newline="") as file:
        people = list(csv.DictReader(file))
    groups: dict[str, list[Path]] = {}
    for column in ("face_gender", "face_eth"):
        for person in people:
            (photo,) = (folder / "inst/neutral_front").glob(f"{person['face_id']}_*.jpg")
            groups.setdefault(f"london, {person[column].replace('_', ' ')}", []).append(photo)
    return groups


def draw(files: Sequence[Path], most: int) -> list[Path]:
    """At most so many of the files, always the same."""
    order = np.random.default_rng(0).permutation(len(files))
    return [files[index] for index in order[:most]]


def group(results: Sequence[Assessment]) -> dict:
    """The figures of one group; each mean is followed by the ends of its interval."""
    found = [result for result in results if result.measures is not None]
    values = {name: [getattr(result, name) for result in found] for name in MEASURES}
    passing = [score for score in values["cafi"] if score is not None]
    accepted = [result.verdict == "accept" for result in results]
    return {
        "faces": len(results),
        "found": len(found),
        "pass_gates": len(passing),
        **{name: mean(passing if name == "cafi" else values[name]) for name in MEASURES},
        "accepted": mean(accepted),
    }


def mean(values: Sequence[float]) -> list[float] | None:
    """Mean, and the interval of the bootstrap; None of no values."""
    if not values:
        return None
    sample = np.asarray(values, float)
    again = np.random.default_rng(0).choice(sample, (RESAMPLES, len(sample))).mean(1)
    outside = (100 - CONFIDENCE) / 2
    return [round(float(x), 4) for x in (sample.mean(), *np.percentile(again, (outside, 100 - outside)))]


def show(figures: dict[str, dict]) -> None:
    """Print the groups one below the other."""
    columns = (*MEASURES, "accepted")
    print(f"{'':28}{'faces':>6}{'found':>6}" + "".join(f"{name:>24}" for name in columns))
    for name, row in figures.items():
        print(f"{name:28}{row['faces']:6}{row['found']:6}" + "".join(cell(row[column]) for column in columns))


def cell(values: list[float] | None) -> str:
    """A mean and its interval, 24 columns wide."""
    if values is None:
        return f"{'-':>24}"
    decimals = 1 if values[0] > 2 else 2
    centre, low, high = (f"{value:.{decimals}f}" for value in values)
    return f"{centre} ({low} to {high})".rjust(24)


if __name__ == "__main__":
    main()
