"""Levelling (`curate --level`): what it does to groups of people, from how many faces on, and to no faces.

    python benchmarks/levelling.py [--data data] [--cache FOLDER]

The faces are the good frontal ones of benchmarks/fairness.py, all sources together (*mixed*) and single ones;
London has too few people for a fit of its own. Half of the people is fitted and the other half levelled, and
the other way round, so that no figure is of a person whom the fit has seen; figures are means over `REPEATS`
ways to halve. *As in a run* is one fit on all of them, which gives the people of the fit its leave-one-out
prediction.

Beside each gap (the highest pass rate of a group less the lowest) stands the one that chance makes where
every face passes at the same rate. *No faces* are animals and things that faceqa takes for good faces:
levelling must not forgive them.

Prints the tables and writes results/levelling.json.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path.append(str(Path(__file__).parents[1]))

from benchmarks.fairness import FEWEST, Faces, groups, labelled_faces, options, people
from benchmarks.gates import biq2021_photographs, listed, share
from benchmarks.report import machine, write
from faceqa.curation.levelling import fit, fit_rows
from faceqa.errors import CurationError
from faceqa.verdict.policy import Policy

SETS = ("mixed", "generated", "southasian", "lfw")
REPEATS = 6
THRESHOLDS = (0.05, 0.1, 0.2, 0.3, 0.5)
COUNTS = (50, 100, 200, 300, 400, 600, 800)
"""People of a fit."""

DRAWS = 200
"""Of chance."""

LARGE = 100
"""Faces of a group that chance moves little."""

# fmt: off
NO_FACES = {
    "ss01": (20,),
    "ss02": (594, 1359),
    "ss03": (3522, 4652, 4796, 4804, 4841, 4867, 4897, 4987, 5036, 5052, 5193, 5303, 5312, 5320, 5380, 5473),
}
# fmt: on
"""The animals and things among the 226 photographs of BIQ2021 that faceqa takes for good frontal faces; all
were looked at, no score shown. Portraits that are drawn or upside down count as faces."""


@dataclass(frozen=True, slots=True, eq=False)
class People:
    """Good faces as arrays: SER-FIQ (N,), embeddings (N, K), who is shown (N,), groups by name, bool (N,)."""

    ser_fiq: np.ndarray
    embeddings: np.ndarray
    who: np.ndarray
    groups: Mapping[str, np.ndarray]

    @classmethod
    def of(cls, faces: Faces) -> People:
        """Of good faces, which all have an embedding."""
        embeddings = np.stack([row.embedding for row in faces.rows if row.embedding is not None])
        return cls(faces.score("ser_fiq"), embeddings, people(faces), groups(faces))


def main() -> None:
    """Measure, print the tables, write results/levelling.json."""
    arguments = options(__doc__)
    fine = labelled_faces(arguments.data, arguments.cache).good()
    figures: dict = {"machine": machine(), "gate": Policy().ser_fiq_levelled_threshold}
    for name in SETS:
        faces = fine if name == "mixed" else fine.where(fine.of("source") == name)
        figures[name] = levelled(name, faces)
    figures["learning curve"] = curve(People.of(fine))
    figures["no faces"] = no_faces(fine, biq2021_photographs(arguments.data, arguments.cache))
    write("levelling", figures)


def levelled(name: str, faces: Faces) -> dict:
    """The figures of a set, on halves that the fit has not seen and as in a run."""
    known = People.of(faces)
    halves = [both_halves(known, seed) for seed in range(REPEATS)]
    explained = 1 - np.mean([np.mean(rest**2) for rest, _ in halves]) / log_odds(known.ser_fiq).var()
    found = {
        "faces": len(known.who),
        "people": len(set(known.who.tolist())),
        "explained": round(float(explained), 3),
        "raw": at_thresholds(known, [known.ser_fiq]),
        "unseen half": at_thresholds(known, [scores for _, scores in halves]),
        "as in a run": as_in_a_run(faces, known),
        "groups": by_group(known, [scores for _, scores in halves]),
    }
    show(name, found)
    return found


def both_halves(known: People, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Each half levelled by a fit on the other: what the fit misses in z, and levelled SER-FIQ, (N,)."""
    half = first_half(known.who, seed)
    missed, scores = np.empty(len(half)), np.empty(len(half))
    for side in (half, ~half):
        level = fit(known.ser_fiq[~side], known.embeddings[~side])
        missed[side] = log_odds(known.ser_fiq[side]) - level.expected(known.embeddings[side])
        scores[side] = level.level(known.ser_fiq[side], known.embeddings[side])
    return missed, scores


def first_half(who: np.ndarray, seed: int) -> np.ndarray:
    """Half of the people at random, with all their pictures: bool (N,)."""
    names, owner = np.unique(who, return_inverse=True)
    return (np.random.default_rng(seed).permutation(len(names)) < len(names) // 2)[owner]


def log_odds(ser_fiq: np.ndarray) -> np.ndarray:
    """Of scores that come with four decimals."""
    inside = np.clip(ser_fiq, 5e-5, 1 - 5e-5)
    return np.log(inside / (1 - inside))


def at_thresholds(known: People, scores: Sequence[np.ndarray]) -> dict[str, dict[str, float | None]]:
    """By threshold: pass rate of all, of the worst group, the gap, and the gap by chance."""
    table = {}
    large = {name: mask for name, mask in known.groups.items() if mask.sum() >= LARGE}
    for threshold in THRESHOLDS:
        found = [rates(known.groups, one >= threshold) for one in scores]
        gaps = [np.ptp(list(rates(large, one >= threshold).values())) for one in scores] if large else []
        every = float(np.mean([(one >= threshold).mean() for one in scores]))
        table[str(threshold)] = {
            "all": round(every, 4),
            "worst": round(float(np.mean([min(one.values()) for one in found])), 4),
            "gap": round(float(np.mean([np.ptp(list(one.values())) for one in found])), 4),
            "gap by chance": round(chance(known.groups, len(known.who), every), 4),
            "gap of large groups": round(float(np.mean(gaps)), 4) if gaps else None,
        }
    return table


def rates(inside: Mapping[str, np.ndarray], passed: np.ndarray) -> dict[str, float]:
    """Pass rates by group."""
    return {name: float(passed[mask].mean()) for name, mask in inside.items()}


def chance(inside: Mapping[str, np.ndarray], faces: int, rate: float) -> float:
    """The mean gap between groups of these sizes where every face passes at one rate."""
    drawn = np.random.default_rng(0).random((DRAWS, faces)) < rate
    found = np.stack([drawn[:, mask].mean(axis=1) for mask in inside.values()])
    return float(np.ptp(found, axis=0).mean())


def as_in_a_run(faces: Faces, known: People) -> dict:
    """One fit on all faces, levelled by itself; or why a run would have none."""
    try:
        level = fit_rows(faces.rows)
    except CurationError as error:
        return {"refused": error.message}
    scores = level.level(known.ser_fiq, known.embeddings)
    return {
        "fit": {"people": len(level.weights), "explained": round(level.explained, 3)},
        **at_thresholds(known, [scores]),
    }


def by_group(known: People, scores: Sequence[np.ndarray]) -> dict[str, dict]:
    """Pass rates of each group before and after, at the gate and at .5."""
    return {
        name: {
            "faces": int(mask.sum()),
            **{
                str(t): [
                    share(known.ser_fiq[mask] >= t),
                    round(float(np.mean([(one[mask] >= t).mean() for one in scores])), 4),
                ]
                for t in (0.2, 0.5)
            },
        }
        for name, mask in known.groups.items()
    }


def curve(known: People) -> dict[str, dict[str, float]]:
    """What a fit on so many people, drawn from one half, makes of the other half."""
    table: dict[str, dict[str, float]] = {}
    z = log_odds(known.ser_fiq)
    print("\npeople of the fit, mixed: explained of the other half, gap at .2 and at .5")
    for count in COUNTS:
        explained, gaps = [], []
        for seed in range(REPEATS):
            half = first_half(known.who, seed)
            names = np.random.default_rng(seed).permutation(np.unique(known.who[~half]))[:count]
            chosen = np.isin(known.who, names)
            level = fit(known.ser_fiq[chosen], known.embeddings[chosen])
            missed = z[half] - level.expected(known.embeddings[half])
            explained.append(1 - np.mean(missed**2) / z[half].var())
            scores = np.full(len(half), np.nan)
            scores[half] = level.level(known.ser_fiq[half], known.embeddings[half])
            inside = {
                name: mask & half for name, mask in known.groups.items() if (mask & half).sum() >= FEWEST
            }
            gaps.append([np.ptp(list(rates(inside, scores >= t).values())) for t in (0.2, 0.5)])
        at_gate, at_half = np.mean(gaps, axis=0)
        table[str(count)] = {
            "explained": round(float(np.mean(explained)), 3),
            "gap at 0.2": round(float(at_gate), 4),
            "gap at 0.5": round(float(at_half), 4),
        }
        print(f"{count:6} {table[str(count)]}")
    return table


def no_faces(fine: Faces, photographs: Faces) -> dict:
    """How many animals and things among BIQ2021's "good faces" pass, raw and levelled by the mixed fit."""
    good = photographs.good()
    wrong = np.array([listed(one, NO_FACES) for one in good.pictures])
    known, level = People.of(good), fit_rows(fine.rows)
    levelled_scores = level.level(known.ser_fiq, known.embeddings)
    found: dict[str, Any] = {"good faces": int((~wrong).sum()), "no faces": int(wrong.sum())}
    for name, scores in (("raw", known.ser_fiq), ("levelled", levelled_scores)):
        found[name] = {
            str(t): {"no faces": int((scores[wrong] >= t).sum()), "good faces": share(scores[~wrong] >= t)}
            for t in THRESHOLDS
        }
    print(f"\nno faces that pass: {found}")
    return found


def show(name: str, found: dict) -> None:
    """Print a set."""
    print(f"\n{name}: {found['faces']} faces of {found['people']} people, explained {found['explained']}")
    print("   by threshold: all / worst group / gap (by chance), %")
    for what in ("raw", "unseen half", "as in a run"):
        row = found[what]
        if "refused" in row:
            print(f"   {what:12} {row['refused']}")
            continue
        cells = [
            f"{t}: {100 * one['all']:.1f}/{100 * one['worst']:.1f}/{100 * one['gap']:.1f} "
            f"({100 * one['gap by chance']:.1f})"
            for t, one in row.items()
            if t != "fit"
        ]
        print(f"   {what:12} {'   '.join(cells)}  {row.get('fit', '')}")
    for group, row in found["groups"].items():
        line = "   ".join(f"at {t}: {100 * row[t][0]:.1f} -> {100 * row[t][1]:.1f}" for t in ("0.2", "0.5"))
        print(f"   {group:34}{row['faces']:5}  {line}")


if __name__ == "__main__":
    main()
