"""Make weights/calibration.json: reference populations, and the thresholds that follow from them.

    faceqa models                          # the weights must be the final ones
    python training/dbcnn/crops.py         # runs/dbcnn/sharp.npz and opinion_faces.npz
    python training/calibration/make.py

- *photographs*: the largest face, where it has 112 px, of each of BIQ2021's training photographs;
- *synthetic*: sharp faces from which no score was learnt.

The CAFI thresholds of the presets, each a multiple of `STEP`:

- *fair* and *reference* have the highest that rejects at most `GOOD_REJECTED` of the photographs that
  observers rated in the upper half of their scale (DBCNN alone makes this CAFI, whatever the gates say);
- *balanced* keeps damaged faces out as *fair* does: it has the lowest at which it accepts no larger a share
  of the photographs that observers rated in the lower half of their scale, among those that pass the gates,
  than *fair* does at its own;
- *strict* best tells the synthetic faces as frames of 1080 lines show them from the same faces in frames of
  360 lines (the best balanced accuracy, among those that pass the preset's gates).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

sys.path.append(str(Path(__file__).parents[2]))

from faceqa import PRESETS, Assessment, Measures, Policy, Scorer, judge
from faceqa.curation.journal import read_rows
from faceqa.curation.run import Run
from faceqa.curation.settings import Settings
from faceqa.measures.registry import JUDGED
from training.calibration.faces import unseen
from training.dbcnn.crops import biq2021
from training.dbcnn.distortions import at_lines

CALIBRATION = Path(__file__).parents[2] / "weights/calibration.json"

SHARP_LINES, REDUCED_LINES = 1080, 360

STEP = 0.5
"""Thresholds are multiples of it."""

MIDDLE_OPINION = 0.5
"""Of the mean opinion scores, which go from 0 to 1."""

GOOD_REJECTED = 0.1
"""Who filters a data set without a threshold of his own shall lose few of the good pictures."""

COLUMNS = [row.name for row in JUDGED if row.module is not None]

NOTES = {
    "photographs": "largest faces of 112 px or more in BIQ2021's training photographs",
    "synthetic": "sharp generated and studio portraits that DBCNN has not learnt from",
}


def main() -> None:
    """Measure the populations, derive the thresholds, write the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--crops", type=Path, default=Path("runs/dbcnn"), help="what crops.py has written")
    parser.add_argument("--run", type=Path, default=Path("runs/calibration"))
    parser.add_argument("--most", type=int, help="pictures of each kind, for trials")
    parser.add_argument("--out", type=Path, default=CALIBRATION)
    arguments = parser.parse_args()
    scorer = Scorer()
    photographs, opinions = measure_photographs(scorer, arguments)
    crops = unseen(arguments.crops / "sharp.npz", "calibration")[: arguments.most]
    sharp = measure_crops(scorer, crops, SHARP_LINES)
    reduced = measure_crops(scorer, crops, REDUCED_LINES)
    good = opinions >= MIDDLE_OPINION
    lenient = lenient_threshold(photographs, good)
    poor = [face for face, is_good in zip(photographs, good, strict=True) if not is_good]
    fair = replace(PRESETS["fair"], cafi_threshold=lenient)
    found = {
        "fair": lenient,
        "reference": lenient,
        "strict": sharpness_threshold(PRESETS["strict"], sharp, reduced),
        "balanced": guarding_threshold(PRESETS["balanced"], fair, poor),
    }
    thresholds = {name: effect(name, found[name], sharp, reduced) for name in PRESETS}
    populations = {"photographs": photographs, "synthetic": [face for face in sharp if face is not None]}
    calibration = {
        "models": scorer.models,
        "columns": COLUMNS,
        "thresholds": thresholds,
        "populations": {
            name: {
                "what": NOTES[name],
                "faces": [_row(face) for face in faces],
            }
            for name, faces in populations.items()
        },
    }
    arguments.out.write_text(json.dumps(calibration, separators=(",", ":")) + "\n", encoding="utf-8")
    show(thresholds, populations, poor)
    digest = hashlib.sha256(arguments.out.read_bytes()).hexdigest()
    print(f'for the manifest: sha256 = "{digest}", bytes = {arguments.out.stat().st_size}')


def _row(face: Measures) -> list[float]:
    return [getattr(face, name) for name in COLUMNS]


def measure_photographs(scorer: Scorer, arguments: argparse.Namespace) -> tuple[list[Measures], np.ndarray]:
    """The faces of photographs and the opinions of these; goes on where an interrupted run stopped."""
    training = biq2021(arguments.data, "Train")
    with_face = np.load(arguments.crops / "opinion_faces.npz")["index"][: arguments.most]
    opinions = {str(training.paths[index]): float(training.mos[index]) for index in with_face}
    with tqdm(total=len(opinions), unit="image", desc="photographs") as bar:
        for images in Run(arguments.run, Settings(tuple(opinions))).assess(lambda: scorer):
            bar.update(images)
    faces = [(row.measures, opinions[row.image]) for row in read_rows(arguments.run)]
    smallest = Policy().min_face_size
    large = [(face, opinion) for face, opinion in faces if face and face.face_size >= smallest]
    return [face for face, _ in large], np.array([opinion for _, opinion in large])


def measure_crops(scorer: Scorer, crops: np.ndarray, lines: int) -> list[Measures | None]:
    """The faces as frames of so many lines show them; None where no face was found any more."""
    results: list[Assessment] = []
    for start in tqdm(range(0, len(crops), 16), desc=f"{lines} lines"):
        shown = np.stack([at_lines(crop, lines) for crop in crops[start : start + 16]])
        results += scorer.assess_crops(shown)
    return [result.measures for result in results]


def lenient_threshold(photographs: Sequence[Measures], good: np.ndarray) -> float:
    """The highest threshold that rejects few of the good ones; says what it accepts of the others."""
    scores = np.array([face.dbcnn for face in photographs])
    candidates = np.arange(0, 100 + STEP, STEP)
    rejected = np.array([(scores[good] < threshold).mean() for threshold in candidates])
    threshold = float(candidates[rejected <= GOOD_REJECTED][-1])
    best = best_threshold(scores, good)
    for name, value in (("lenient", threshold), ("best balanced accuracy", best)):
        print(
            f"{name} threshold {value:g}: rejects {(scores[good] < value).mean():.1%} of {good.sum()} "
            f"photographs with an opinion of {MIDDLE_OPINION:g} or more, "
            f"accepts {(scores[~good] >= value).mean():.1%} of the {(~good).sum()} others"
        )
    return threshold


def best_threshold(scores: np.ndarray, good: np.ndarray) -> float:
    """The threshold of the best balanced accuracy, float (N,) and bool (N,); of several the middle one."""
    candidates = np.arange(0, 100 + STEP, STEP)
    error = np.array([(scores[good] < t).mean() + (scores[~good] >= t).mean() for t in candidates])
    return float(candidates[round(float(np.flatnonzero(error == error.min()).mean()))])


def sharpness_threshold(
    preset: Policy, sharp: Sequence[Measures | None], reduced: Sequence[Measures | None]
) -> float:
    """The one that best tells sharp faces from reduced ones."""
    kept, dropped = passing_cafi(sharp, preset), passing_cafi(reduced, preset)
    good = np.repeat([True, False], [len(kept), len(dropped)])
    return best_threshold(np.concatenate([kept, dropped]), good)


def guarding_threshold(preset: Policy, model: Policy, poor: Sequence[Measures]) -> float:
    """The lowest threshold at which a preset keeps poor pictures out as well as another policy.

    Args:
        preset: Its gates and weights count.
        model: The other policy; its threshold counts, too.
        poor: Faces in pictures that observers rated low.

    Returns:
        The lowest multiple of `STEP` at which `preset` accepts no larger a share of the poor faces that pass
        its gates than `model` does of those that pass its own.
    """
    allowed = accepted_share(poor, model)
    candidates = (float(threshold) for threshold in np.arange(0, 100 + STEP, STEP))
    return next(
        threshold
        for threshold in candidates
        if accepted_share(poor, replace(preset, cafi_threshold=threshold)) <= allowed
    )


def accepted_share(faces: Sequence[Measures], policy: Policy) -> float:
    """Of the faces that pass a policy's gates, the share that it accepts, in [0, 1]."""
    scores = passing_cafi(faces, policy)
    return float((scores >= policy.cafi_threshold).mean())


def effect(
    name: str, threshold: float, sharp: Sequence[Measures | None], reduced: Sequence[Measures | None]
) -> dict[str, float]:
    """What a preset's threshold does to the sharp and to the reduced faces that pass its gates."""
    kept, dropped = passing_cafi(sharp, PRESETS[name]), passing_cafi(reduced, PRESETS[name])
    return {
        "cafi_threshold": threshold,
        "sharp_rejected": round(float((kept < threshold).mean()), 4),
        "reduced_accepted": round(float((dropped >= threshold).mean()), 4),
        "sharp_faces": len(kept),
        "reduced_faces": len(dropped),
    }


def passing_cafi(faces: Sequence[Measures | None], preset: Policy) -> np.ndarray:
    """CAFI of the faces that pass the gates: float (N,)."""
    verdicts = [judge(face, replace(preset, cafi_threshold=0)) for face in faces]
    return np.array([verdict.cafi for verdict in verdicts if verdict.cafi is not None])


def show(
    thresholds: dict[str, dict[str, float]], populations: dict[str, list[Measures]], poor: Sequence[Measures]
) -> None:
    """Print what goes into `policy.PRESETS` and into the README."""
    for name, derived in thresholds.items():
        policy = replace(PRESETS[name], cafi_threshold=derived["cafi_threshold"])
        rates = {
            population: np.mean([judge(face, policy).decision == "accept" for face in faces])
            for population, faces in populations.items()
        }
        print(
            f"{name}: CAFI threshold {derived['cafi_threshold']:g} rejects "
            f"{derived['sharp_rejected']:.1%} of the faces at 1080 lines and accepts "
            f"{derived['reduced_accepted']:.1%} of those at 360; "
            + ", ".join(f"{rate:.1%} of {len(populations[key])} {key} pass" for key, rate in rates.items())
            + f"; of the photographs rated below {MIDDLE_OPINION:g} that pass the gates it accepts "
            f"{accepted_share(poor, policy):.1%}"
        )
    for name, faces in populations.items():
        for measure in ("ser_fiq", "dbcnn", "occlusion"):
            values = np.percentile([getattr(face, measure) for face in faces], (1, 5, 25, 50, 75, 95, 99))
            print(f"{name:12} {measure:10}" + "".join(f"{value:9.3f}" for value in values))


if __name__ == "__main__":
    main()
