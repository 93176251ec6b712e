"""Does each measure predict recognition? Error versus discard on LFW's 6,000 pairs, with one matcher or two.

    python benchmarks/recognition.py [--second DIR] [--cache DIR]

- *Pictures and pairs*: `data/dfi-tensorflow` is a clone of braun-steven/dfi-tensorflow, whose
  data/lfw-deepfunneled holds the pictures; `data/facenet` is one of davidsandberg/facenet, whose
  data/pairs.txt lists 3,000 pairs of one person and 3,000 of two, in ten folds.
- *Matchers*: the recognition network of the model set, into which SER-FIQ looks, too; and with `--second` one
  that shares nothing with faceqa but the landmarks, Intel's face-reidentification-retail-0095. DIR holds its
  .xml and .bin; openvino must be installed.
- *Accuracy*: LFW's protocol, ten folds, the best threshold of the other nine. The accuracy tells whether a
  matcher works as published.
- *Gain*: share of the possible fall of the area under the curve, 0 for a random measure, 1 for an ideal one.
  Its interval holds 95 % of the gains of resampled pairs, for the rule `fnmr_at_start`; likewise the interval
  of SER-FIQ's gain less that of another measure. The pairs are resampled and not the people, so the intervals
  are a little too narrow.
- *After*: the FNMR after so much is discarded, and the measure's limit that discards it.
- *Of other pictures*: the gain where a pair is ranked by the mean quality of the same person's other
  pictures. This part of the gain belongs to the person and not to the picture.

What is measured of the 7,701 pictures is kept in the folder `--cache`, by default data/recognition; a run
that was interrupted goes on from there. One core takes about 20 minutes, the second matcher five more.

Prints tables and writes results/recognition.json.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

sys.path.append(str(Path(__file__).parents[1]))

from benchmarks.openvino_matcher import NAME, OpenvinoMatcher, align
from benchmarks.report import machine, write
from faceqa import weights
from faceqa.evaluation.error_discard import (
    DISCARD_LIMITS,
    THRESHOLD_RULES,
    error_discard,
    partial_area,
    threshold_for_fmr,
)
from faceqa.evaluation.pairs import Pair, people_of
from faceqa.evaluation.recognition import (
    Candidate,
    Evaluation,
    candidates,
    embeddings_of,
    evaluate,
    pair_qualities,
    read_embeddings,
    score_of,
    similarities,
    to_dict,
)
from faceqa.evaluation.subjects import Conditions, Subject, measure, off_centre, read_subjects
from faceqa.faces.detection import load_detector
from faceqa.measures.registry import SCORE
from faceqa.reading import image
from faceqa.scorer import Scorer
from faceqa.verdict.policy import PRESETS, SETTINGS, Policy

PICTURES = "dfi-tensorflow/data/lfw-deepfunneled"
PAIRS = "facenet/data/pairs.txt"

RESAMPLES = 1000
CONFIDENCE = 95
"""Percent."""

COMPARED = "ser_fiq"
"""The measure whose gain the others' gains are taken from."""

SERVICE_FMR = 1e-3
"""False match rate at which the matchers' false non-matches are told."""

FEWEST_OTHERS = 2
"""Further pictures of a person that a pair needs to be ranked by them."""

Folds = np.ndarray
"""The fold of each pair, from 0: int (N,)."""


def main() -> None:
    """Measure, print the tables, write results/recognition.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--second", type=Path, help="folder of the second matcher's .xml and .bin")
    parser.add_argument("--cache", type=Path, help="folder for what is measured")
    options = parser.parse_args()
    root, cache = options.data / PICTURES, options.cache or options.data / "recognition"
    pairs, folds = read_lfw_pairs(options.data / PAIRS)
    pictures = {name: root / name for name in pictures_of(pairs)}
    with tqdm(total=len(pictures), desc="faceqa") as bar:
        for count in measure(pictures, Conditions(str(root)), cache, Scorer):
            bar.update(count)
    subjects = read_subjects(cache)
    matchers = {weights.find("embedding", "open").name: embeddings_of(subjects)}
    if options.second:
        matchers[NAME] = second_embeddings(pictures, options.second, cache / f"{NAME}.npz")
    figures = {}
    for matcher, embeddings in matchers.items():
        figures[matcher] = figures_of(matcher, embeddings, pairs, folds, subjects)
        show(matcher, figures[matcher])
    counts = {"pictures": len(pictures), "people": len(people_of(pictures))}
    write("recognition", {"machine": machine(), **counts, "confidence": CONFIDENCE, "matchers": figures})


def read_lfw_pairs(path: Path) -> tuple[list[Pair], Folds]:
    """The pairs in the order of the file, and the fold of each."""
    heading, *lines = path.read_text(encoding="utf-8").splitlines()
    folds, per_kind = map(int, heading.split())
    pairs = []
    for fields in map(str.split, lines):
        if len(fields) == 3:
            person, first, second = fields
            pairs.append(Pair(picture(person, first), picture(person, second), True))
        else:
            one, first, other, second = fields
            pairs.append(Pair(picture(one, first), picture(other, second), False))
    if len(pairs) != folds * per_kind * 2:
        raise ValueError(f"{path} has {len(pairs)} pairs, not {folds * per_kind * 2}")
    return pairs, np.arange(len(pairs)) // (2 * per_kind)


def picture(person: str, number: str) -> str:
    """LFW's name of a picture."""
    return f"{person}/{person}_{int(number):04d}.jpg"


def pictures_of(pairs: Iterable[Pair]) -> list[str]:
    """Every picture of pairs once, in order of name."""
    return sorted({name for pair in pairs for name in (pair.first, pair.second)})


def second_embeddings(pictures: Mapping[str, Path], network: Path, path: Path) -> dict[str, np.ndarray]:
    """The second matcher's embeddings, of the very faces that faceqa measured; kept in a file."""
    if not path.exists():
        matcher, detector = OpenvinoMatcher(network), load_detector()
        found = {}
        for name, file in tqdm(pictures.items(), desc=NAME):
            photo = image.load(file)
            if faces := detector.detect(photo):
                height, width = photo.shape[:2]
                refined = (detector.refine(photo, face) for face in faces)
                face = min(refined, key=lambda face: off_centre(face, width, height))
                found[name] = matcher.embed(align(photo, np.array(face.landmarks)))
        scratch = path.with_name("part." + path.name)
        np.savez(scratch, image=list(found), embedding=np.array(list(found.values())))
        os.replace(scratch, path)
    return read_embeddings(path)


def figures_of(
    matcher: str,
    embeddings: Mapping[str, np.ndarray],
    pairs: Sequence[Pair],
    folds: Folds,
    subjects: Mapping[str, Subject],
) -> dict:
    """All that is told of one matcher."""
    similarity = similarities(pairs, embeddings)
    is_mated = np.array([pair.mated for pair in pairs])
    mated = [pair for pair in pairs if pair.mated]
    measures = (*(each for each in candidates(Policy()) if each.name != SCORE.name), *scores())
    threshold = threshold_for_fmr(similarity[~is_mated], SERVICE_FMR)
    rules = {
        rule: under_rule(evaluate(pairs, subjects, embeddings, matcher, measures=measures, rule=rule))
        for rule in THRESHOLD_RULES
    }
    qualities = {each.name: pair_qualities(mated, subjects, each) for each in measures}
    return {
        "accuracy": accuracy(similarity, is_mated, folds),
        "fnmr_at_fmr_0.001": float(np.mean(~(similarity[is_mated] >= threshold))),
        "intervals": intervals(similarity[is_mated], qualities),
        "of_other_pictures": {
            each.name: of_other_pictures(mated, similarity[is_mated], subjects, each) for each in measures
        },
        "rules": rules,
    }


def under_rule(evaluation: Evaluation) -> dict:
    """What the curves say, in short."""
    known = to_dict(evaluation)
    told = ("target", "similarity_threshold_at_start", "fnmr_at_start", "errors_at_start", "policy", "gates")
    measures = {
        name: {
            "gain": by_limit([area["gain"] for area in found["areas"]]),
            "area": by_limit([area["area"] for area in found["areas"]]),
            "after": {f"{step['discarded']:g}": [step["fnmr"], step["limit"]] for step in found["fnmr"]},
        }
        for name, found in known["measures"].items()
    }
    return {**{name: known[name] for name in told}, "measures": measures}


def by_limit(values: Sequence) -> dict:
    """A value for each of `DISCARD_LIMITS`."""
    return {f"to_{limit:g}": value for limit, value in zip(DISCARD_LIMITS, values, strict=True)}


def scores() -> list[Candidate]:
    """The ungated score under the weights of each preset, once where two share the weights' ratio."""
    by_parts: dict[tuple[float, ...], Candidate] = {}
    for name, preset in PRESETS.items():
        given = [getattr(preset, setting.name) for setting in SETTINGS if setting.is_weight]
        parts = tuple(round(weight / sum(given), 6) for weight in given)
        title = f"{SCORE.title.en}, weights of {name}"
        by_parts.setdefault(parts, score_of(preset, f"{SCORE.name}_{name}", title))
    return list(by_parts.values())


def accuracy(similarity: np.ndarray, mated: np.ndarray, folds: Folds) -> dict[str, float]:
    """Mean accuracy of the folds, each under the best threshold of the others, and its standard error."""
    found = []
    for fold in np.unique(folds):
        rest = folds != fold
        limits = np.unique(similarity[rest])
        of_one, of_two = (np.sort(similarity[rest & kind]) for kind in (mated, ~mated))
        right = len(of_one) - np.searchsorted(of_one, limits) + np.searchsorted(of_two, limits)
        best = limits[np.argmax(right)]
        found.append(np.mean((similarity[~rest] >= best) == mated[~rest]))
    return {"mean": float(np.mean(found)), "standard_error": float(np.std(found, ddof=1) / len(found) ** 0.5)}


def intervals(similarity: np.ndarray, qualities: Mapping[str, np.ndarray]) -> dict:
    """Of each measure's gain, and of `COMPARED`'s less each other's, by the bootstrap over mated pairs."""
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, len(similarity), (RESAMPLES, len(similarity)))
    gains = {
        name: np.array([gains_of(similarity[draw], quality[draw]) for draw in tqdm(drawn, desc=name)])
        for name, quality in qualities.items()
    }
    return {
        name: {
            "gain": ends(found),
            f"{COMPARED}_less_this": None if name == COMPARED else ends(gains[COMPARED] - found),
        }
        for name, found in gains.items()
    }


def gains_of(similarity: np.ndarray, quality: np.ndarray) -> list[float]:
    """To each of `DISCARD_LIMITS`, under the rule `fnmr_at_start`."""
    curve = error_discard(similarity, quality)
    return [partial_area(curve, limit).gain or 0.0 for limit in DISCARD_LIMITS]


def ends(found: np.ndarray) -> dict[str, list[float]]:
    """The interval by limit, of gains (RESAMPLES, limits)."""
    tail = (100 - CONFIDENCE) / 2
    low, high = np.percentile(found, [tail, 100 - tail], axis=0).round(3).tolist()
    return by_limit(list(zip(low, high, strict=True)))


def of_other_pictures(
    mated: Sequence[Pair], similarity: np.ndarray, subjects: Mapping[str, Subject], each: Candidate
) -> dict:
    """Gains where a pair is ranked by the person's other pictures, and by its own, over the same pairs."""
    people = people_of(sorted(subjects))
    chosen, others = [], []
    for index, pair in enumerate(mated):
        person = people[pair.first.split("/")[0]]
        rest = [each.quality(subjects[name]) for name in person if name not in (pair.first, pair.second)]
        if len(rest) >= FEWEST_OTHERS:
            chosen.append(index)
            others.append(float(np.nanmean(rest)))
    own = pair_qualities([mated[index] for index in chosen], subjects, each)
    return {
        "pairs": len(chosen),
        "own": by_limit(gains_of(similarity[chosen], own)),
        "others": by_limit(gains_of(similarity[chosen], np.array(others))),
    }


def show(matcher: str, figures: dict) -> None:
    """Print what was found."""
    mean, error = figures["accuracy"].values()
    print(
        f"\n{matcher}: accuracy {mean:.4f} ± {error:.4f},"
        f" FNMR at FMR 0.001 {figures['fnmr_at_fmr_0.001']:.2%}"
    )
    for rule, found in figures["rules"].items():
        print(f"\n{rule} {found['target']:g}: FNMR {found['fnmr_at_start']:.2%} at the start")
        print(f"{'measure':20} gain to 20 %  to 30 %  FNMR after 20 %")
        for name, result in found["measures"].items():
            low, high = result["gain"].values()
            print(f"{name:20} {low:12.2f}  {high:7.2f}  {result['after']['0.2'][0]:15.2%}")
        for gate in found["gates"]:
            print(
                f"gate {gate['gate']:15} discards {gate['discarded']:6.1%} of the pairs and"
                f" {gate['errors_discarded']:6.1%} of the errors; FNMR left {gate['fnmr']:.2%}"
            )


if __name__ == "__main__":
    main()
