"""The reference study (2022) made again: what each measure says of resolution, masks and profiles.

    python training/dbcnn/crops.py            # runs/dbcnn/sharp.npz
    python benchmarks/reference_study.py

The published study judged 671 faces cut out of video frames, 384 px wide, of which 463 passed the filter.
Here they are 671 sharp faces from which DBCNN has not learnt and on which nothing was calibrated. A frame of
720, 480 or 360 lines is imitated: the crop is reduced by area averaging as much as the frame would be, and
enlarged to 384 px again by bicubic interpolation. Every version is found, aligned, masked and scored anew.

(a) *Kinds*: high quality (1080 lines), low quality (360 lines), a surgical mask drawn over the face, profile
    (a yaw of `PROFILE_YAW` or more). "CAFI" is its mean over the faces that pass the gates.
(b) *Ladder*: means over the faces that pass the filter at 1080 lines, at every level the same ones.

Both for the default policy, *fair*, and for *reference*, which filters as the study did. Prints the tables
beside the published figures and writes results/reference_study.json.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

sys.path.append(str(Path(__file__).parents[1]))

from benchmarks.report import machine, write
from faceqa.evaluation.stress import with_mask
from faceqa.faces.detection import Detector, load_detector
from faceqa.scorer import Scorer
from faceqa.types import Assessment
from faceqa.verdict.policy import PRESETS
from training.calibration.faces import unseen
from training.dbcnn.distortions import at_lines

FACES = 671
LEVELS = (1080, 720, 480, 360)
PROFILE_YAW = 45
"""Degrees."""

BATCH = 64

PUBLISHED: dict[str, Any] = {
    "kinds": {
        "high quality": {"ser_fiq": 0.749, "dbcnn_whole": 51.324, "cafi": 65.044},
        "low quality": {"ser_fiq": 0.643, "dbcnn_whole": 24.036, "cafi": 47.083},
        "surgical mask": {"ser_fiq": 0.491, "dbcnn_whole": 68.261, "cafi": None},
        "profile": {"ser_fiq": 0.048, "dbcnn_whole": 47.696, "cafi": None},
    },
    "ladder": {1080: 61.679, 720: 57.419, 480: 54.838, 360: 52.487},
    "kept": [463, 671],
}
"""One image of each kind; means over the faces that passed."""


def main() -> None:
    """Measure, print the tables, write results/reference_study.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sharp", type=Path, default=Path("runs/dbcnn/sharp.npz"))
    parser.add_argument("--most", type=int, default=FACES, help="faces, for trials")
    arguments = parser.parse_args()
    scorer, detector = Scorer(), load_detector()
    crops = unseen(arguments.sharp, "study")[: arguments.most]
    ladder = {lines: assessed(scorer, crops, at(lines), f"{lines} lines") for lines in LEVELS}
    masked = assessed(scorer, crops, lambda crop: covered(crop, detector), "mask")
    turned = [abs(result.pose.yaw) >= PROFILE_YAW if result.pose else False for result in ladder[1080]]
    presets: dict[str, dict[str, Any]] = {}
    for preset in ("fair", "reference"):
        judged = {lines: rejudged(scorer, results, preset) for lines, results in ladder.items()}
        presets[preset] = {
            "kinds": kinds(judged, rejudged(scorer, masked, preset), turned),
            "ladder": steps(judged),
        }
        print(f"\n{preset}")
        show(**presets[preset])
    write(
        "reference_study",
        {
            "machine": machine(),
            "models": scorer.models,
            "presets": presets,
            "published": PUBLISHED,
        },
    )


def rejudged(scorer: Scorer, results: Sequence[Assessment], preset: str) -> list[Assessment]:
    """The same faces, judged by a preset."""
    return [scorer.rejudge(result, PRESETS[preset]) for result in results]


def kinds(
    ladder: dict[int, list[Assessment]], masked: Sequence[Assessment], turned: Sequence[bool]
) -> dict[str, dict[str, float | int | None]]:
    """Table (a); a face that is turned to the profile is not among the other kinds."""

    def those(results: Sequence[Assessment], profiles: bool) -> list[Assessment]:
        return [r for r, is_turned in zip(results, turned, strict=True) if is_turned == profiles]

    return {
        "high quality": kind(those(ladder[1080], False)),
        "low quality": kind(those(ladder[360], False)),
        "surgical mask": kind(those(masked, False)),
        "profile": kind(those(ladder[1080], True)),
    }


def at(lines: int) -> Callable[[np.ndarray], np.ndarray]:
    """A function that shows a crop as a frame of so many lines does."""
    return lambda crop: at_lines(crop, lines)


def covered(crop: np.ndarray, detector: Detector) -> np.ndarray:
    """The crop with a surgical mask over its face; as it is, where no face is found."""
    faces = detector.detect(crop)
    return with_mask(crop, detector.refine(crop, faces[0])) if faces else crop


def assessed(
    scorer: Scorer, crops: np.ndarray, change: Callable[[np.ndarray], np.ndarray], what: str
) -> list[Assessment]:
    """The assessments of changed crops, with the score of the whole crop."""
    results: list[Assessment] = []
    for start in tqdm(range(0, len(crops), BATCH), desc=what):
        changed = np.stack([change(crop) for crop in crops[start : start + BATCH]])
        results += scorer.assess_crops(changed, unmasked=True)
    return results


def kind(results: Sequence[Assessment]) -> dict[str, float | int | None]:
    """The means over the faces of a kind, and how many pass the gates."""
    found = [result for result in results if result.measures is not None]
    gated = [result.cafi for result in found if result.cafi is not None]
    return {
        "faces": len(results),
        "found": len(found),
        "ser_fiq": _mean([result.ser_fiq for result in found]),
        "dbcnn_whole": _mean([result.dbcnn_unmasked for result in found]),
        "dbcnn": _mean([result.dbcnn for result in found]),
        "occlusion": _mean([result.occlusion for result in found]),
        "cafi": _mean(gated),
        "passing": round(len(gated) / len(results), 4) if results else None,
    }


def steps(ladder: dict[int, list[Assessment]]) -> dict[int, dict[str, float | None]]:
    """The levels of the ladder, over the faces that pass the gates at the highest."""
    passing = [result.cafi is not None for result in ladder[LEVELS[0]]]
    rows: dict[int, dict[str, float | None]] = {}
    for lines, results in ladder.items():
        chosen = [r for r, passes in zip(results, passing, strict=True) if passes and r.measures]
        rows[lines] = {
            "faces": sum(passing),
            "found": len(chosen),
            "ser_fiq": _mean([result.ser_fiq for result in chosen]),
            "cafi": _mean([result.dbcnn for result in chosen]),
            "dbcnn_whole": _mean([result.dbcnn_unmasked for result in chosen]),
            "passing": round(sum(r.cafi is not None for r in results) / len(results), 4),
            "kept": round(sum(r.verdict == "accept" for r in results) / len(results), 4),
        }
    falls = [
        a.measures.dbcnn > b.measures.dbcnn
        for upper, lower in pairwise(LEVELS)
        for a, b, passes in zip(ladder[upper], ladder[lower], passing, strict=True)
        if passes and a.measures and b.measures
    ]
    rows[LEVELS[0]]["falls_in_steps"] = round(float(np.mean(falls)), 4)
    return rows


def show(kinds: dict[str, dict], ladder: dict[int, dict]) -> None:
    """Print both tables."""
    print(
        f"{'(a)':14}  faces  SER-FIQ  DBCNN whole  masked   CAFI  passing   published: SER-FIQ, whole, CAFI"
    )
    for name, row in kinds.items():
        published = PUBLISHED["kinds"][name]
        print(
            f"{name:14}  {row['faces']:5}  {_number(row['ser_fiq'], 3):>7}  "
            f"{_number(row['dbcnn_whole'], 1):>11}  {_number(row['dbcnn'], 1):>6}  "
            f"{_number(row['cafi'], 1):>5}  {_number(row['passing'], 3):>7}"
            f"   {published['ser_fiq']:.3f}, {published['dbcnn_whole']:.1f}, {_number(published['cafi'], 1)}"
        )
    print("\n(b) lines  faces  SER-FIQ   CAFI  whole  passing   kept   published CAFI")
    for lines, row in ladder.items():
        print(
            f"{lines:9}  {row['faces']:5}  {row['ser_fiq']:7.3f}  {row['cafi']:5.1f}  "
            f"{row['dbcnn_whole']:5.1f}  {row['passing']:7.3f}  {row['kept']:5.3f}   "
            f"{PUBLISHED['ladder'][lines]:.1f}"
        )
    print(
        f"the next level of a face has the lower score in {ladder[1080]['falls_in_steps']:.1%} of the steps"
    )


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(float(np.mean(known)), 4) if known else None


def _number(value: float | None, decimals: int) -> str:
    return "-" if value is None else f"{value:.{decimals}f}"


if __name__ == "__main__":
    cv2.setNumThreads(1)
    main()
