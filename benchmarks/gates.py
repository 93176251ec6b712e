"""The rules from which the gates of the preset *fair* follow, and what each gate does.

    pip install ai-edge-litert scipy
    python benchmarks/gates.py [--data data] [--cache FOLDER]

- *SER-FIQ*: the highest multiple of .01 that at least 95 % of the good frontal faces of every group of every
  source pass (benchmarks/fairness.py names the sources), with the 95 % interval of resampled people. The gate
  is the lower end: a value of which we are sure that it keeps 95 %. Then the rule without one source, and how
  many of the source that was left out it keeps.
- *Yaw*: the smallest multiple of 5 degrees that keeps at least 97.5 % of the faces that the gates of 0.1.0
  let through among BIQ2021's training photographs with an opinion score of .5 and more. Beside it what true
  angles read as: good faces turned by training/face_mask/turn.py, and profiles in photographs.
- *Who rejects what*: good faces by group, and good faces turned, masked and blurred, by gate and preset.
  Levelled SER-FIQ comes from a fit on the good faces of other people than the damaged ones; for the faces of
  the fit it is the leave-one-out prediction.

Every figure goes through `faceqa.Scorer`; what was measured is kept in the folder `--cache`. At the end some
faces are measured again and compared with what was kept. Prints the tables and writes results/gates.json.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

sys.path.append(str(Path(__file__).parents[1]))

from benchmarks.fairness import (
    BEFORE,
    CONFIDENCE,
    Faces,
    Item,
    Picture,
    as_it_is,
    draw,
    framed,
    groups,
    interval,
    is_accepted,
    labelled_faces,
    measured,
    options,
    passes_gates,
    people,
    rounded,
    scorer,
)
from benchmarks.report import machine, write
from faceqa.curation.levelling import Levelling, fit
from faceqa.curation.table import Row
from faceqa.evaluation.stress import with_mask
from faceqa.faces.alignment import CROP_MARGIN, CROP_SIZE
from faceqa.faces.detection import load_detector
from faceqa.types import Box, Face
from faceqa.verdict.judge import cafi, judge
from faceqa.verdict.policy import PRESETS, Policy
from training.dbcnn.crops import biq2021, read
from training.face_mask.mesh import FaceMesh
from training.face_mask.turn import triangles, turn

PASSING, STEP = 0.95, 0.01
"""Of the SER-FIQ rule."""

YAW_KEPT, YAW_STEP = 0.975, 5
GOOD_OPINION = 0.5

SHOWN = (0.5, 0.2, 0.15, 0.1, 0.05)
"""SER-FIQ thresholds in the table."""

RESAMPLES = 1000

DAMAGED_EACH = {"generated": 6, "london": 6, "southasian": 4, "lfw": 25}
"""Good faces of each sex and group that are damaged."""

YAWS = (30, 45, 60, 75, 90)
LARGEST_YAW = 10
"""Degrees; a face that is turned by more is not turned further."""

TURNED_SIDE = 400
"""px of the frame when it is turned: the face is about 170 px wide then."""

BLURS = (8, 12)
"""Deviations in px of the 384 px crop."""

# fmt: off
PROFILES = {
    "ss02": (55, 135, 884, 1752, 1813),
    "ss03": (94, 833, 1214, 1338, 1362, 1388, 1671, 2149, 3032, 3091, 3134, 3183, 3210, 3240, 3309, 3337,
             4035, 4230, 4302, 4379, 5904, 6256, 6574, 6621, 6730, 6751, 7003, 7063, 7175, 7557, 7765, 7966),
}
# fmt: on
"""Photographs of BIQ2021 in which only one eye shows, by one rater's eye. They were looked for only among
faces that read more than 22 degrees, which favours the yaw gate."""

CHECKED = 50
"""Faces that are measured again."""


def main() -> None:
    """Measure, print the tables, write results/gates.json."""
    arguments = options(__doc__)
    everything = labelled_faces(arguments.data, arguments.cache)
    fine = everything.good()
    chosen = fine.where(draw(fine.pictures, DAMAGED_EACH))
    bad = spoilt(chosen, arguments.data, arguments.cache)
    photographs = biq2021_photographs(arguments.data, arguments.cache)
    bad["profiles"] = photographs.where(listed(one, PROFILES) for one in photographs.pictures)
    figures = {
        "machine": machine(),
        "good faces": {name: int(count) for name, count in zip(*counted(fine.of("source")), strict=True)},
        "ser_fiq": ser_fiq_rule(fine),
        "yaw": yaw_rule(photographs),
        "yaw read": yaw_read(bad),
        "rejected": rejections(fine, chosen, bad),
        "measured again": measured_again(everything),
    }
    write("gates", figures)


# The pictures.


def biq2021_photographs(data: Path, folder: Path) -> Faces:
    """BIQ2021's training photographs of good opinion, with or without a face."""
    training = biq2021(data, "Train")
    pictures = [
        Picture(path.name, path, "biq2021")
        for path, opinion in zip(training.paths, training.mos, strict=True)
        if opinion >= GOOD_OPINION
    ]
    return Faces(tuple(pictures), tuple(measured("biq2021", map(as_it_is, pictures), folder)))


def listed(photograph: Picture, lists: Mapping[str, Sequence[int]]) -> bool:
    """Whether a photograph of BIQ2021, "ss03 (94).jpg", is in a list like `PROFILES`."""
    subset, number = photograph.path.stem.split(" ")
    return int(number.strip("()")) in lists.get(subset, ())


def spoilt(chosen: Faces, data: Path, folder: Path) -> dict[str, Faces]:
    """Good faces made bad in known ways, by what was done."""
    turned = Turner(data)
    ways: dict[str, Callable[[np.ndarray, Face], np.ndarray]] = {
        **{f"turned {yaw}": partial(turned, yaw=yaw) for yaw in YAWS},
        "mask": with_mask,
        **{f"blur {sigma}": partial(blurred, sigma=sigma) for sigma in BLURS},
    }
    frontal = np.abs(chosen.score("yaw")) <= LARGEST_YAW
    able = {way: chosen.where(frontal) if way.startswith("turned") else chosen for way in ways}
    items = [
        Item(f"{way}/{one.source}/{one.name}", partial(made, one.path, row.box, ways[way]))
        for one, row in zip(chosen.pictures, chosen.rows, strict=True)
        for way in ways
        if one in able[way].pictures
    ]
    rows = {row.image: row for row in measured("gates", items, folder)}
    return {
        way: Faces(faces.pictures, tuple(rows[f"{way}/{one.source}/{one.name}"] for one in faces.pictures))
        for way, faces in able.items()
    }


def made(path: Path, box: Box | None, way: Callable[[np.ndarray, Face], np.ndarray]) -> np.ndarray:
    """A face's frame, made bad."""
    return way(*framed(path, box))


def blurred(picture: np.ndarray, face: Face, sigma: float) -> np.ndarray:
    """Blurred by so many px of the 384 px crop."""
    return cv2.GaussianBlur(picture, (0, 0), sigma * CROP_MARGIN * face.longer_side / CROP_SIZE)


class Turner:
    """Renders a frontal face turned about the vertical axis, to one side or the other."""

    def __init__(self, data: Path):
        self._mesh = FaceMesh(data)
        frontal = read(data / "webmorphR.stim/inst/neutral_front/001_03.jpg")
        self._triangles = triangles(self._mesh(frontal, load_detector().detect(frontal)[0])[0])

    def __call__(self, picture: np.ndarray, face: Face, yaw: float) -> np.ndarray:
        """RGB uint8 (S, S, 3); the ground that opens gets the median colour of the picture's upper rim."""
        points, _ = self._mesh(picture, face)
        scale = min(1.0, TURNED_SIDE / len(picture))
        if scale < 1:
            picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        side = 1 if zlib.crc32(picture.tobytes()) % 2 else -1
        place, _, _ = turn(picture, points * scale, self._triangles, side * yaw, 0)
        last = np.array(picture.shape[1::-1]) - 1
        drawn = (np.isfinite(place) & (place >= 0) & (place <= last)).all(axis=-1)
        across, down = (np.nan_to_num(place[..., axis], nan=-1) for axis in (0, 1))
        turned = cv2.remap(picture, across, down, cv2.INTER_LINEAR)
        half = len(picture) // 2
        rim = np.concatenate([picture[0], picture[:half, 0], picture[:half, -1]])
        return np.where(drawn[..., None], turned, np.median(rim, axis=0).astype(np.uint8))


# The rules.


def ser_fiq_rule(fine: Faces) -> dict:
    """The threshold, its interval, the groups, and the rule without one source."""
    scores = fine.score("ser_fiq")
    inside = groups(fine)
    again = {name: resampled_highest(scores[mask], people(fine)[mask], name) for name, mask in inside.items()}
    table: dict[str, dict[str, Any]] = {}
    print(
        f"{'':34}{'good':>5} {'highest':>8}{'95 % interval':>15}  pass at "
        + "".join(f"{t:6g}" for t in SHOWN)
    )
    for name, mask in inside.items():
        low, high = interval(again[name])
        table[name] = {
            "good": int(mask.sum()),
            "highest": round(highest(scores[mask]), 2),
            "interval": rounded(low, high),
            "pass": {str(t): round(float((scores[mask] >= t).mean()), 4) for t in SHOWN},
        }
        cells = "".join(f"{100 * rate:6.1f}" for rate in table[name]["pass"].values())
        print(f"{name:34}{mask.sum():5} {table[name]['highest']:8.2f}{low:8.2f} to {high:.2f}{'':9}{cells}")
    overall = np.min(list(again.values()), axis=0)
    low, high = interval(overall)
    found = {
        "rule": min(row["highest"] for row in table.values()),
        "set by": min(table, key=lambda name: table[name]["highest"]),
        "confidence": CONFIDENCE,
        "interval": rounded(low, high),
        "median": round(float(np.median(overall)), 2),
        "default": Policy().ser_fiq_threshold,
        "differences": {
            str(t): round(float(np.ptp([row["pass"][str(t)] for row in table.values()])), 4) for t in SHOWN
        },
        "groups": table,
        "without": {source: left_out(source, inside, scores, again) for source in sources(inside)},
    }
    print(f"rule {found['rule']}, interval {low:.2f} to {high:.2f}, default {found['default']}")
    for source, row in found["without"].items():
        print(f"without {source}: rule {row['rule']}, lower end {row['lower end']}; there {row['worst']}")
    return found


def highest(scores: np.ndarray) -> float:
    """The highest multiple of `STEP` that `PASSING` of the scores reach."""
    lowest_needed = np.sort(scores)[::-1][int(np.ceil(PASSING * len(scores) - 1e-9)) - 1]
    return float(np.floor(lowest_needed / STEP + 1e-6) * STEP)


def resampled_highest(scores: np.ndarray, who: np.ndarray, name: str) -> np.ndarray:
    """`highest` of people drawn again with their pictures, (RESAMPLES,); `name` seeds the draws."""
    pictures = [np.flatnonzero(who == one) for one in dict.fromkeys(who.tolist())]
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    return np.array(
        [
            highest(
                scores[np.concatenate([pictures[k] for k in rng.integers(0, len(pictures), len(pictures))])]
            )
            for _ in range(RESAMPLES)
        ]
    )


def sources(inside: Mapping[str, np.ndarray]) -> list[str]:
    """Of the groups."""
    return list(dict.fromkeys(name.split(", ")[0] for name in inside))


def left_out(
    source: str, inside: Mapping[str, np.ndarray], scores: np.ndarray, again: Mapping[str, np.ndarray]
) -> dict:
    """The rule of the other sources, and the lowest pass rates that it gives the groups of this one."""
    others = [name for name in inside if not name.startswith(f"{source}, ")]
    rule = round(min(highest(scores[inside[name]]) for name in others), 2)
    low, _ = interval(np.min([again[name] for name in others], axis=0))
    lower_end = round(float(np.floor(low / STEP + 1e-6) * STEP), 2)
    here = [mask for name, mask in inside.items() if name not in others]
    worst = {
        str(limit): round(min(float((scores[mask] >= limit).mean()) for mask in here), 4)
        for limit in (rule, lower_end)
    }
    return {"rule": rule, "lower end": lower_end, "worst": worst}


def yaw_rule(photographs: Faces) -> dict:
    """The limit, and the percentiles of what 0.1.0 let through."""
    passed = [passes_gates(row, PRESETS[BEFORE]) for row in photographs.rows]
    yaw = np.abs(photographs.where(passed).score("yaw"))
    at = float(np.percentile(yaw, 100 * YAW_KEPT))
    drawn = np.random.default_rng(0).choice(yaw, (RESAMPLES, len(yaw)))
    again = np.percentile(drawn, 100 * YAW_KEPT, axis=1)
    found = {
        "photographs": len(photographs.rows),
        "with a face": sum(bool(row.scores) for row in photographs.rows),
        "let through": len(yaw),
        "percentiles": {str(p): round(float(np.percentile(yaw, p)), 1) for p in (50, 90, 95, 97.5, 99, 100)},
        "interval": rounded(*interval(again)),
        "rule": YAW_STEP * int(np.ceil(at / YAW_STEP)),
        "default": Policy().max_yaw,
    }
    print(f"\nyaw: {found}")
    return found


def yaw_read(bad: Mapping[str, Faces]) -> dict[str, dict]:
    """What turned faces and profiles read as: percentiles of |yaw| in degrees."""
    table = {}
    print("\n|yaw| as measured, percentiles 5, 25, 50, 75, 95")
    for way, faces in bad.items():
        if way.startswith(("turned", "profiles")):
            yaw = np.abs(faces.score("yaw"))
            known = yaw[np.isfinite(yaw)]
            table[way] = {
                "faces": len(yaw),
                "no face found": int(np.isnan(yaw).sum()),
                "percentiles": {
                    str(p): round(float(np.percentile(known, p)), 1) for p in (5, 25, 50, 75, 95)
                },
                "beyond the default": round(float((~(yaw <= Policy().max_yaw)).mean()), 4),
            }
            print(f"{way:12}{table[way]}")
    return table


# What each gate does.


def rejections(fine: Faces, chosen: Faces, bad: Mapping[str, Faces]) -> dict:
    """By preset and set: the shares that each gate rejects, that all gates reject, and with CAFI."""
    apart = fine.where(np.isin(people(fine), people(chosen), invert=True))
    level = levelling(apart)
    sets = {"good": fine, **bad}
    levelled = {name: Faces(one.pictures, tuple(level.rows(one.rows))) for name, one in sets.items()}
    table = {}
    for name, policy, faces in (
        *((name, PRESETS[name], sets) for name in (BEFORE, "fair", "strict")),
        ("fair, levelled", PRESETS["fair"], levelled),
    ):
        table[name] = {
            "good, by group": by_group(faces["good"], policy),
            **{what: by_gate(one.rows, policy) for what, one in faces.items()},
        }
        show(name, table[name])
    return {
        "fit": {"faces": level.faces, "people": len(level.weights), "explained": round(level.explained, 3)}
    } | table


def levelling(faces: Faces) -> Levelling:
    """A fit on good faces."""
    embeddings = np.stack([row.embedding for row in faces.rows if row.embedding is not None])
    return fit(faces.score("ser_fiq"), embeddings)


def by_gate(rows: Sequence[Row], policy: Policy) -> dict[str, float | int]:
    """Shares of a set; a face may fail several gates."""
    verdicts = [judge(row.measures, policy) for row in rows]
    failed = [{reason.code for reason in verdict.reasons} - {"low_cafi"} for verdict in verdicts]
    codes = sorted(set().union(*failed))
    low = [row.measures is not None and cafi(row.measures, policy) < policy.cafi_threshold for row in rows]
    return {
        "faces": len(rows),
        **{code: share([code in one for one in failed]) for code in codes},
        "gates": share([bool(one) for one in failed]),
        "low_cafi": share(low),
        "everything": share([not is_accepted(row, policy) for row in rows]),
    }


def by_group(fine: Faces, policy: Policy) -> dict:
    """Shares of good faces that all gates but CAFI's reject, by group; the worst, and the gap."""
    rejected = np.array([not passes_gates(row, policy) for row in fine.rows])
    rates = {name: round(float(rejected[mask].mean()), 4) for name, mask in groups(fine).items()}
    worst = max(rates, key=lambda name: rates[name])
    gap = round(max(rates.values()) - min(rates.values()), 4)
    return {"worst": [worst, rates[worst]], "gap": gap, "groups": rates}


def share(found: Sequence[bool] | np.ndarray) -> float:
    """To four decimals."""
    return round(float(np.mean(found)), 4)


def show(name: str, table: dict) -> None:
    """Print a preset's shares in percent."""
    worst, gap = table["good, by group"]["worst"], table["good, by group"]["gap"]
    print(
        f"\n{name}: rejected, %; good faces: worst group {worst[0]} {100 * worst[1]:.1f}, gap {100 * gap:.1f}"
    )
    for what, row in table.items():
        if "faces" in row:
            cells = "  ".join(f"{key} {100 * value:.1f}" for key, value in row.items() if key != "faces")
            print(f"   {what:12}{row['faces']:5}  {cells}")


def measured_again(everything: Faces) -> dict:
    """The largest difference between what was kept and what the product says now, by measure."""
    chosen = np.random.default_rng(1).permutation(len(everything.rows))[:CHECKED].tolist()
    again = [Row.of(one) for one in scorer().assess_many([everything.pictures[k].path for k in chosen])]
    kept = [everything.rows[k] for k in chosen]
    largest = {
        name: max(
            abs(new.scores[name] - old.scores[name])
            for new, old in zip(again, kept, strict=True)
            if old.scores
        )
        for name in ("face_size", "yaw", "ser_fiq", "occlusion", "dbcnn")
    }
    print(f"\nlargest differences of {CHECKED} faces measured again: {largest}")
    return {"faces": CHECKED, "largest difference": largest}


def counted(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Values and how often they occur."""
    return np.unique(values, return_counts=True)


if __name__ == "__main__":
    main()
