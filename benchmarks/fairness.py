"""Whom the gates reject: pass rates by group of people, before (preset *reference*) and after (*fair*).

    python benchmarks/fairness.py [--data data] [--cache FOLDER]

Four sources name groups: generated portraits (hmdghoul/generated-faces: sex and group), London studio
portraits (debruine/webmorphR.stim: sex and ethnicity), South Asian web portraits
(armeetj/southasian-face-recognition-bias-analysis, as `southasian`: sex and region) and LFW
(braun-steven/dfi-tensorflow; sex by the file names of sushii2001/DeepFace-gender-bias-detection, its folder
`etc` as `lfw-sex`). The words are the publishers'. A group counts with `FEWEST` good faces.

Four populations:

- *good*: good frontal pictures (`faceqa.curation.levelling.is_good`: yaw, roll, cover, DBCNN and size;
  SER-FIQ has no say). By this choice every gate of the default but SER-FIQ passes all of them.
- *all*: every picture of the source, chosen by no measure, so that each gate shows whom it rejects.
- *large*: of these, the pictures with a face of 112 px or more, as the size of a picture is not the person's.
- *damaged*: good pictures, each with the very same damage (`faceqa.evaluation.stress`).

A pass rate stands with its 95 % interval of resampled people; where all of n people pass the interval is a
point, and the truth may lie 3/n below. The *gap* is the highest pass rate less the lowest; chance widens the
gap, that of resampled people even more. The *ratio* is our summary of differential outcomes (the term of
ISO/IEC 19795-10): the highest rejection rate of a group over the lowest, among groups of one kind in one
source; a group without a rejection counts half a face, and where nobody is rejected the ratio is 1.

Prints the tables and writes results/fairness.json. What was measured is kept in the folder `--cache`, and an
interrupted run goes on from there.
"""

from __future__ import annotations

import argparse
import base64
import csv
import json
import os
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache, partial
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import torch

sys.path.append(str(Path(__file__).parents[1]))

from tqdm import tqdm

from benchmarks.report import machine, write
from faceqa import weights
from faceqa.curation.levelling import is_good
from faceqa.curation.table import Row
from faceqa.evaluation.stress import climb
from faceqa.faces.alignment import CROP_MARGIN, CROP_SIZE
from faceqa.faces.detection import load_detector
from faceqa.measures.registry import GATED, SCORE, Measure
from faceqa.reading import image as images
from faceqa.reading.image import ImageSource, NamedImage
from faceqa.scorer import Scorer
from faceqa.types import Box, Face
from faceqa.verdict.judge import cafi, judge
from faceqa.verdict.policy import PRESETS, Policy
from training.face_mask.pictures import GENERATED_PER_GROUP

CACHE = Path.home() / ".cache/faceqa-benchmarks"
"""Outside of the checkout: it holds measures of pictures that are not ours."""

LFW_PEOPLE = 800
FEWEST = 20
"""Good faces of a group of which something is said."""

RESAMPLES = 2000
CONFIDENCE = 95
"""Percent."""

BEFORE, AFTER = "reference", "fair"
GATES = tuple(row for row in GATED if not row.on_request)

EVERY_GROUP = "all groups"
"""Of all sources; their pictures differ, so that a ratio would say little."""

DAMAGED_EACH = {"generated": 24, "london": 30, "southasian": 12, "lfw": 50}
"""Good pictures of each sex and group that are damaged."""

DAMAGES = ("blur", "noise", "resolution", "darkness")
STEPS = (2, 4)
"""Of each ladder of `faceqa.evaluation.stress`; 0 is the picture itself."""

FRAME = 2.4
"""Side of a frame around a face over the face's longer side."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture and what its publisher says of it; `sex` and `group` are empty where nothing is said."""

    name: str
    path: Path
    source: str
    sex: str = ""
    group: str = ""
    person: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """Something to measure: its name in a set, and where its picture comes from."""

    name: str
    picture: Callable[[], ImageSource]


@dataclass(frozen=True, slots=True, eq=False)
class Faces:
    """Pictures and their measures, one beside the other."""

    pictures: tuple[Picture, ...]
    rows: tuple[Row, ...]

    def where(self, chosen: Iterable[bool]) -> Faces:
        """Those for which `chosen` is true."""
        kept = [number for number, keep in enumerate(chosen) if keep]
        return Faces(tuple(self.pictures[k] for k in kept), tuple(self.rows[k] for k in kept))

    def good(self) -> Faces:
        """The good frontal pictures."""
        return self.where(bool(row.scores) and is_good(row) for row in self.rows)

    def score(self, name: str) -> np.ndarray:
        """A measure, float64 (N,); NaN without a face."""
        return np.array([row.scores.get(name, np.nan) for row in self.rows])

    def of(self, attribute: str) -> np.ndarray:
        """An attribute of the pictures, (N,)."""
        return np.array([getattr(picture, attribute) for picture in self.pictures])


def main() -> None:
    """Measure, print the tables, write results/fairness.json."""
    arguments = options(__doc__)
    everything = labelled_faces(arguments.data, arguments.cache)
    fine = everything.good()
    names = tuple(groups(fine))
    large = everything.where(everything.score("face_size") >= Policy().min_face_size)
    populations = {"good": fine, "large": large, "all": everything, **damaged(fine, arguments.cache)}
    figures = {
        what: {"groups": pass_rates(faces, names), "differences": differences(faces, names)}
        for what, faces in populations.items()
    }
    for what, found in figures.items():
        show(what, found)
    policies = {name: {s: getattr(PRESETS[name], s) for s in settings()} for name in (BEFORE, AFTER)}
    write(
        "fairness",
        {"machine": machine(), "confidence": CONFIDENCE, "policies": policies, "populations": figures},
    )


def options(description: str | None) -> argparse.Namespace:
    """The options of the benchmarks of people; one core, as they are made for machines that others use."""
    parser = argparse.ArgumentParser(description=(description or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--cache", type=Path, default=CACHE, help="where measures are kept")
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    return parser.parse_args()


def settings() -> list[str]:
    """The names of the limits in a policy."""
    return [row.gate.setting for row in (*GATES, SCORE) if row.gate is not None]


# The pictures.


def labelled(data: Path) -> dict[str, list[Picture]]:
    """The pictures of the sources that name groups."""
    return {
        name: list(pictures(data))
        for name, pictures in (
            ("generated", generated),
            ("london", london),
            ("southasian", southasian),
            ("lfw", lfw),
        )
    }


def generated(data: Path) -> Iterator[Picture]:
    """Of each folder (sex and group) the files that the training recipes read."""
    for folder in sorted(path for path in (data / "generated-faces/images").glob("*/*") if path.is_dir()):
        for path in sorted(folder.glob("*.jpg"))[:GENERATED_PER_GROUP]:
            sex, group = folder.parent.name, folder.name
            yield Picture(f"{sex}/{group}/{path.name}", path, "generated", sex, group)


def london(data: Path) -> Iterator[Picture]:
    """102 people before one camera, neutral and smiling."""
    folder = data / "webmorphR.stim"
    with (folder / "data-raw/london_info.csv").open(encoding="utf-8", newline="") as file:
        people = {row["face_id"]: row for row in csv.DictReader(file)}
    for mood in ("neutral", "smiling"):
        for path in sorted((folder / "inst" / f"{mood}_front").glob("[0-9]*.jpg")):
            person = path.stem.split("_")[0]
            known = people.get(person, {})
            sex, group = known.get("face_gender", ""), known.get("face_eth", "").replace("_", " ")
            yield Picture(f"{mood}/{path.name}", path, "london", sex, group, person)


def southasian(data: Path) -> Iterator[Picture]:
    """100 web portraits of each sex and region; many are small."""
    for folder in sorted((data / "southasian/data2").glob("*/in/*")):
        region = folder.parents[1].name.split("_", 1)[1].replace("_", " ")
        for path in sorted(folder.glob("*.png")):
            yield Picture(f"{region}/{path.name}", path, "southasian", folder.name, region)


def lfw(data: Path) -> Iterator[Picture]:
    """One picture each of people drawn at random."""
    sexes = {
        file: sex
        for sex in ("female", "male")
        for file in (data / f"lfw-sex/{sex}_names.txt").read_text().split()
    }
    people = sorted((data / "dfi-tensorflow/data/lfw-deepfunneled").iterdir())
    for index in sorted(np.random.default_rng(0).permutation(len(people))[:LFW_PEOPLE]):
        path = min(people[index].glob("*.jpg"))
        yield Picture(path.name, path, "lfw", sexes.get(path.name, ""))


# Their measures.


def labelled_faces(data: Path, cache_folder: Path) -> Faces:
    """All labelled pictures with their measures."""
    found = [
        Faces(tuple(pictures), tuple(measured(name, map(as_it_is, pictures), cache_folder)))
        for name, pictures in labelled(data).items()
    ]
    return Faces(
        tuple(picture for faces in found for picture in faces.pictures),
        tuple(row for faces in found for row in faces.rows),
    )


def as_it_is(picture: Picture) -> Item:
    """The picture, undamaged."""
    return Item(picture.name, lambda: picture.path)


def measured(what: str, items: Iterable[Item], folder: Path) -> list[Row]:
    """The rows of a set, in its order; those of an earlier run are not measured again.

    The file's name tells the networks, so that other weights begin a new one.
    """
    items = list(items)
    path = folder / f"{what}-{weights.fingerprint('open')}.jsonl"
    rows = {row.image: row for row in kept(path)}
    waiting = [item for item in items if item.name not in rows]
    if waiting:
        folder.mkdir(parents=True, exist_ok=True)
        named = (NamedImage(item.name, item.picture()) for item in waiting)
        with path.open("a", encoding="utf-8") as file:
            for result in tqdm(scorer().assess_many(named), what, len(waiting), mininterval=10):
                row = Row.of(result)
                rows[row.image] = row
                file.write(json.dumps(as_line(row)) + "\n")
                file.flush()
    return [rows[item.name] for item in items]


@cache
def scorer() -> Scorer:
    """The product as it comes."""
    return Scorer(device="cpu")


def as_line(row: Row) -> dict:
    """A row with its embedding, float16."""
    embedding = None if row.embedding is None else base64.b64encode(row.embedding.tobytes()).decode()
    return {**row.cells(), "embedding": embedding}


def kept(path: Path) -> Iterator[Row]:
    """The rows of a file; a line that an interruption left unfinished is none."""
    if not path.is_file():
        return
    text = path.read_bytes()
    whole = text.rfind(b"\n") + 1
    if whole < len(text):
        os.truncate(path, whole)
    for line in map(json.loads, text[:whole].splitlines()):
        row = Row.from_cells(line)
        if line["embedding"] is None:
            yield row
        else:
            yield replace(row, embedding=np.frombuffer(base64.b64decode(line["embedding"]), np.float16))


# The same damage for everybody.


def damaged(fine: Faces, folder: Path) -> dict[str, Faces]:
    """Good pictures of each group, by damage and step; undamaged, too, as frames around the face."""
    chosen = fine.where(draw(fine.pictures, DAMAGED_EACH))
    kinds = [("none", 0), *((kind, step) for kind in DAMAGES for step in STEPS)]
    items = [
        Item(
            f"{kind} {step}/{picture.source}/{picture.name}",
            partial(spoilt, picture.path, row.box, kind, step),
        )
        for picture, row in zip(chosen.pictures, chosen.rows, strict=True)
        for kind, step in kinds
    ]
    rows = iter(measured("damaged", items, folder))
    table = [[next(rows) for _ in kinds] for _ in chosen.pictures]
    return {
        strength(kind, step): Faces(chosen.pictures, tuple(row[column] for row in table))
        for column, (kind, step) in enumerate(kinds)
    }


def draw(pictures: Sequence[Picture], each: Mapping[str, int]) -> list[bool]:
    """Some of each source, sex and group, always the same."""
    counts: dict[tuple[str, str, str], int] = {}
    chosen = [False] * len(pictures)
    for index in np.random.default_rng(0).permutation(len(pictures)):
        picture = pictures[index]
        key = picture.source, picture.sex, picture.group
        counts[key] = counts.get(key, 0) + 1
        chosen[index] = counts[key] <= each[picture.source]
    return chosen


def spoilt(path: Path, box: Box | None, kind: str, step: int) -> np.ndarray:
    """A face's frame at a step of a ladder, RGB uint8 (S, S, 3)."""
    picture, face = framed(path, box)
    return next(islice(climb(kind, picture, face), step, None)).picture if step else picture


def strength(kind: str, step: int) -> str:
    """What a step does, in words; the frame stands for any."""
    if not step:
        return "framed"
    face = Face((0.0, 0.0, 300.0, 300.0), ((100.0, 100.0), (200.0, 100.0)), 1.0)
    level = next(islice(climb(kind, np.zeros((300, 300, 3), np.uint8), face), step, None)).level
    return {
        "blur": f"blur, sigma {level} % of the face's width",
        "noise": f"noise, deviation {level} of 255",
        "resolution": f"resolution reduced {300 / float(level):g} times",
        "darkness": f"{level} stops darker",
    }[kind]


@lru_cache(maxsize=2)
def framed(path: Path, box: Box | None) -> tuple[np.ndarray, Face]:
    """The square around a face, no larger than faceqa's crop needs: RGB uint8 (S, S, 3); and its face."""
    photo, corners = images.load(path), np.array(box)
    side = FRAME * max(corners[2] - corners[0], corners[3] - corners[1])
    scale = min(1.0, CROP_SIZE * FRAME / CROP_MARGIN / side)
    size = round(side * scale)
    small = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else photo
    corner = ((corners[:2] + corners[2:] + 1) * scale - size) / 2
    shift = np.array([[1, 0, corner[0]], [0, 1, corner[1]]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    frame = cv2.warpAffine(small, shift, (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    detector = load_detector()
    return frame, detector.refine(frame, detector.detect(frame)[0])


# Pass rates.


def groups(faces: Faces) -> dict[str, np.ndarray]:
    """Every group of every source of which something is said, bool (N,): by sex, by group, by both."""
    found: dict[str, np.ndarray] = {}
    for source in dict.fromkeys(faces.of("source").tolist()):
        here = faces.of("source") == source
        for columns in (("sex",), ("group",), ("sex", "group")):
            keys = [tuple(getattr(picture, column) for column in columns) for picture in faces.pictures]
            for key in sorted({key for key, inside in zip(keys, here, strict=True) if inside and all(key)}):
                inside = here & np.array([other == key for other in keys])
                if inside.sum() >= FEWEST:
                    found[f"{source}, {', '.join(key)}"] = inside
    return found


def columns() -> dict[str, Callable[[Row], bool]]:
    """What a face passes: each gate by itself, all gates of a preset but CAFI's, and everything."""
    found: dict[str, Callable[[Row], bool]] = {"found": lambda row: bool(row.scores)}
    for name in (BEFORE, AFTER):
        for gate in (*GATES, SCORE):
            limit = getattr(PRESETS[name], gate.gate.setting) if gate.gate else 0.0
            if limit < gate.highest:
                found[f"{gate.name} {limit:g}"] = partial(passes, gate, limit)
        found[f"gates, {name}"] = partial(passes_gates, policy=PRESETS[name])
        found[f"accepted, {name}"] = partial(is_accepted, policy=PRESETS[name])
    return found


def passes(gate: Measure, limit: float, row: Row) -> bool:
    """Whether a face passes one gate; an image without a face passes none."""
    if row.measures is None:
        return False
    return gate.passes(cafi(row.measures, Policy()) if gate is SCORE else row.scores[gate.name], limit)


def passes_gates(row: Row, policy: Policy) -> bool:
    """Whether it passes all gates but CAFI's."""
    return judge(row.measures, policy).cafi is not None


def is_accepted(row: Row, policy: Policy) -> bool:
    """Whether it passes everything."""
    return judge(row.measures, policy).decision == "accept"


def pass_rates(faces: Faces, names: Sequence[str]) -> dict[str, dict[str, int | list[float]]]:
    """By group and column: the share that passes, and its interval."""
    inside = {name: mask for name, mask in groups(faces).items() if name in names}
    table: dict[str, dict[str, int | list[float]]] = {
        name: {"faces": int(mask.sum())} for name, mask in inside.items()
    }
    for column, passing in columns().items():
        passed = np.array([passing(row) for row in faces.rows])
        for name, mask in inside.items():
            again = resampled(passed[mask], people(faces)[mask], name)
            table[name][column] = rounded(passed[mask].mean(), *interval(again))
    return table


def differences(faces: Faces, names: Sequence[str]) -> dict[str, dict[str, dict]]:
    """Gap and ratio of the presets' gates: among the groups of one kind in one source, and among all."""
    inside = {name: mask for name, mask in groups(faces).items() if name in names}
    kinds = {EVERY_GROUP: list(inside)}
    for name in inside:
        kinds.setdefault(kind_of(name, faces), []).append(name)
    table: dict[str, dict[str, dict]] = {kind: {} for kind, members in kinds.items() if len(members) > 1}
    for preset in (BEFORE, AFTER):
        passed = np.array([passes_gates(row, PRESETS[preset]) for row in faces.rows])
        rates = {name: float(passed[mask].mean()) for name, mask in inside.items()}
        again = {name: resampled(passed[mask], people(faces)[mask], name) for name, mask in inside.items()}
        for kind in table:
            members = kinds[kind]
            halves = np.array([0.5 / inside[name].sum() for name in members])
            drawn = np.stack([again[name] for name in members])
            here = np.array([rates[name] for name in members])
            found = {
                "worst": [members[int(here.argmin())], round(float(here.min()), 4)],
                "best": [members[int(here.argmax())], round(float(here.max()), 4)],
                "gap": rounded(np.ptp(here), *interval(np.ptp(drawn, axis=0))),
            }
            if kind != EVERY_GROUP:
                found["ratio"] = rounded(ratio(here[:, None], halves)[0], *interval(ratio(drawn, halves)))
            table[kind][preset] = found
    return table


def kind_of(name: str, faces: Faces) -> str:
    """Source and kind of a group: by sex, by group, or by both."""
    source, *words = name.split(", ")
    if len(words) == 2:
        return f"{source}, by sex and group"
    return f"{source}, by {'sex' if words[0] in faces.of('sex') else 'group'}"


def people(faces: Faces) -> np.ndarray:
    """Who is shown: as the source says, else every picture shows somebody else."""
    return np.array([f"{one.source}/{one.person or one.name}" for one in faces.pictures])


def resampled(passed: np.ndarray, who: np.ndarray, name: str) -> np.ndarray:
    """The pass rate of people drawn again with their pictures, (RESAMPLES,); `name` seeds the draws."""
    _, owner = np.unique(who, return_inverse=True)
    counts, sums = np.bincount(owner), np.bincount(owner, passed)
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    drawn = rng.integers(0, len(counts), (RESAMPLES, len(counts)))
    return sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)


def interval(values: np.ndarray) -> tuple[float, float]:
    """The ends between which `CONFIDENCE` percent of the values lie."""
    outside = (100 - CONFIDENCE) / 2
    low, high = np.percentile(values, (outside, 100 - outside))
    return float(low), float(high)


def ratio(rates: np.ndarray, halves: np.ndarray) -> np.ndarray:
    """Highest over lowest rejection rate: pass rates (G, N) and half a face of each group (G,) -> (N,)."""
    rejected = 1 - rates
    lowest = np.where(rejected > 1e-9, rejected, halves[:, None]).min(axis=0)
    return np.where(rejected.max(axis=0) > 1e-9, rejected.max(axis=0) / lowest, 1.0)


def rounded(*values: float) -> list[float]:
    """To four decimals."""
    return [round(float(value), 4) for value in values]


def show(what: str, figures: dict) -> None:
    """Print a population."""
    shown = [name for name in columns() if name != "found"]
    print(f"\n{what}: pass rates, %\n{'':34}{'faces':>6}  " + "  ".join(f"{name:>14}" for name in shown))
    for name, row in figures["groups"].items():
        cells = []
        for column in shown:
            centre, low, high = (100 * value for value in row[column])
            cells.append(f"{centre:.0f} ({low:.0f}-{high:.0f})".rjust(max(14, len(column))))
        print(f"{name:34}{row['faces']:6}  " + "  ".join(cells))
    for kind, by_preset in figures["differences"].items():
        for preset, found in by_preset.items():
            gap, times = (100 * np.array(found["gap"])).round(1), found.get("ratio", "-")
            worst, rate = found["worst"]
            print(f"{kind:30}{preset:>10}: {worst} {100 * rate:.1f} %, gap {gap}, ratio {times}")


if __name__ == "__main__":
    main()
