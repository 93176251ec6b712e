"""Whether another score from the same network tells people less apart than SER-FIQ and damage as well.

    python benchmarks/better_score.py --data DIR       # data/ as training/face_mask/README.md describes it

DIR holds generated-faces, webmorphR.stim, southasian (armeetj/southasian-face-recognition-bias-analysis,
data2), BIQ2021, dfi-tensorflow (LFW) and lfw-sex (female_names.txt and male_names.txt, LFW's file names
by sex). What is measured once is kept in --cache, 0.9 GB, and a run that was interrupted goes on where it
stopped; about half an hour on one core.

*Faces.* Good frontal ones of five sources with groups, chosen by everything but SER-FIQ, and damaged
copies of some of each group: turned (rendered), blurred, at low resolution, noisy, dark, covered.

*Leave one source out.* Whatever a score learns (weights, directions, layers, signs, penalties) it learns
on the other four sources. None is given a group or a name, but "group directions out".

*Fall*: what damage takes from the score of the same face: (a) AUC of clean against damaged pictures; (b)
mean fall over the standard deviation of clean faces inside a group. Kept: AUC less .5, and (b), over
those of SER-FIQ; means over the sources. SER-FIQ hardly falls with darkness: what is kept of that says
little.

*Gap*: the standard deviation of the means of groups, less what chance gives, over the mean fall by all
damages. *Pass gap*: the same of the share that passes where 90 % of a source's good faces pass. Kept:
over SER-FIQ's. A source votes where SER-FIQ's groups differ (F test, p < .05).

*Adopted* is a score that keeps at most half of the gap in every voting source and at most half of the
pass gap on average, and at least three quarters of both falls by each damage; one that learns must keep
them by a damage that it was not taught, too.

The scores of `SECOND_ROUND` were thought of when the others had been seen.

Prints the tables and writes results/better_score.json.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import torch
from scipy import linalg, stats
from torch import Tensor, nn
from tqdm import tqdm

sys.path.append(str(Path(__file__).parents[1]))

from benchmarks.report import machine, write
from faceqa import Scorer
from faceqa.engines.torch import load_ser_fiq
from faceqa.evaluation.stress import GAMMA, with_mask
from faceqa.faces.alignment import ALIGNED_SIZE, CROP_MARGIN, CROP_SIZE, align, transform_points
from faceqa.faces.detection import load_detector
from faceqa.networks.ser_fiq import ALPHA, R
from faceqa.networks.sface import SFace
from faceqa.reading import image
from faceqa.types import Face
from training.auc import auc
from training.dbcnn.crops import biq2021 as training_split
from training.face_mask.mesh import FaceMesh
from training.face_mask.pictures import GENERATED_PER_GROUP
from training.face_mask.turn import triangles, turn

# --- Faces ----------------------------------------------------------------------------------------

LFW_PER_SEX = 400
GOOD_OPINION = 0.5  # of BIQ2021's observers

# A good frontal face, by everything but SER-FIQ.
MAX_YAW, MAX_ROLL = 15.0, 20.0  # degrees
MAX_OCCLUSION = 0.10
MIN_DBCNN = 55.5
MIN_SIZE = 112.0  # px

# Faces that are bad by themselves.
TURNED = 30.0  # degrees
COVERED = 0.20
POOR = 40.0  # DBCNN
MOST_REAL = 120
MIN_REAL_SIZE = 80.0  # px

DAMAGED_PER_GROUP = {"generated": 16, "southasian": 10, "lfw": 60, "london": 40, "scans": 40, "biq2021": 120}
LARGEST_YAW = 10.0  # of a face that is turned further

FRAME_CROP = 224  # px that faceqa's square crop has in the picture that is damaged
REACH = 2.4  # side of that picture over the face's longer side

# Strengths, found with SER-FIQ alone on the scans.
YAWS = (45, 75)  # degrees
BLURS = (6, 10)  # px of the 384 px crop
REDUCTIONS = (12, 20)  # of the 384 px crop
NOISES = (40, 80)  # levels of 255
STOPS = (5, 7)
GLASSES = (
    (-1.0, -0.28),
    (1.0, -0.28),
    (1.0, 0.34),
    (-1.0, 0.34),
)  # inter-eye distances from between the eyes
GLASSES_COLOUR = (28, 28, 30)

KINDS = ("yaw", "blur", "resolution", "noise", "darkness", "cover")
REAL_KINDS = ("real yaw", "real poor", "real cover")

CHUNK = 30  # faces of one file of the cache
BATCH = 32
STATISTICS = {
    2: 64,
    6: 128,
    10: 256,
    22: 512,
}  # layers of SFace whose channels are described, and their number
POSITIONS = 49

# --- Figures --------------------------------------------------------------------------------------

FEWEST = 4  # people of a group
SIGNIFICANT = 0.05
PASS = 0.9
GATE = 0.95
FEWEST_FOR_A_GATE = 15
FEWEST_REAL = 10
MOST_GAP = 0.5
LEAST_FALL = 0.75

# --- Learning -------------------------------------------------------------------------------------

CLEAN_WEIGHT = 0.5  # of the clean faces among all that a head learns from
PENALTIES = (0.03, 0.3, 3.0)
LEVEL_PENALTY = 0.03
SHRINKAGE = 0.05
COMPONENTS, HIDDEN, EPOCHS = 96, 32, 150
FROQ_LAYERS = 10


def main() -> None:
    """Measure, print the tables, write results/better_score.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--cache", type=Path, help="default: better_score in the data folder")
    arguments = parser.parse_args()
    cache = arguments.cache or arguments.data / "better_score"
    cache.mkdir(exist_ok=True)
    torch.manual_seed(0)
    torch.set_num_threads(1)
    prepare(arguments.data, cache)
    sources = [Source(cache, name) for name in SOURCES]
    figures = {}
    for name in tqdm(SCORES, desc="scores"):
        figures[name] = {s.name: assess(name, [t for t in sources if t is not s], s) for s in sources}
    kept = {name: compare(rows, figures[REFERENCE]) for name, rows in figures.items()}
    show(figures, kept)
    teachers = [s for s in sources if s.name in FREE] + [Source(cache, name) for name in TEACHERS]
    free = {
        name: {s.name: assess(name, [t for t in teachers if t is not s], s) for s in sources}
        for name in (REFERENCE, *(name for name, row in kept.items() if row["adopted"]))
    }
    kept_free = {name: compare(rows, free[REFERENCE]) for name, rows in free.items()}
    print(f"\nlearnt only from {', '.join(FREE)}, always without the source itself")
    show(free, kept_free)
    write(
        "better_score",
        {
            "machine": machine(),
            "sources": {s.name: {"good": int(s.clean.sum()), "damaged": s.damaged} for s in sources},
            "adopted": [name for name, row in kept.items() if row["adopted"]],
            "kept": kept,
            "figures": figures,
            "free": {"learnt_from": FREE, "kept": kept_free, "figures": free},
        },
    )


# --- Pictures, good faces and damaged copies ------------------------------------------------------


@dataclass(frozen=True)
class Picture:
    """A picture, by its path below the data folder, and its publisher's labels."""

    path: str
    sex: str
    group: str


def generated(data: Path) -> Iterator[Picture]:
    """The files that the training recipes read, by the publisher's folders."""
    for folder in sorted(path for path in (data / "generated-faces/images").glob("*/*") if path.is_dir()):
        for path in sorted(folder.glob("*.jpg"))[:GENERATED_PER_GROUP]:
            yield Picture(str(path.relative_to(data)), folder.parent.name, folder.name)


def southasian(data: Path) -> Iterator[Picture]:
    """Web portraits by sex and region."""
    for folder in sorted((data / "southasian/data2").glob("*/in/*")):
        files = [path for path in folder.iterdir() if path.suffix.lower() in {".png", ".jpg", ".jpeg"}]
        for path in sorted(files):
            yield Picture(str(path.relative_to(data)), folder.name, folder.parents[1].name.split("_", 1)[1])


def lfw(data: Path) -> Iterator[Picture]:
    """One picture each of as many women as men, drawn at random."""
    sexes = {
        name: sex
        for sex in ("female", "male")
        for name in (data / f"lfw-sex/{sex}_names.txt").read_text().split()
    }
    people = sorted((data / "dfi-tensorflow/data/lfw-deepfunneled").iterdir())
    left = {"female": LFW_PER_SEX, "male": LFW_PER_SEX}
    for index in np.random.default_rng(0).permutation(len(people)):
        path = min(people[index].glob("*.jpg"))
        sex = sexes.get(path.name, "")
        if left.get(sex, 0):
            left[sex] -= 1
            yield Picture(str(path.relative_to(data)), sex, "")


def london(data: Path) -> Iterator[Picture]:
    """Consenting people before one camera, neutral and smiling."""
    folder = data / "webmorphR.stim"
    with (folder / "data-raw/london_info.csv").open(encoding="utf-8", newline="") as file:
        people = {row["face_id"]: row for row in csv.DictReader(file)}
    for mood in ("neutral", "smiling"):
        for path in sorted((folder / "inst" / f"{mood}_front").glob("[0-9]*.jpg")):
            person = people.get(path.stem.split("_")[0], {})
            yield Picture(
                str(path.relative_to(data)), person.get("face_gender", ""), person.get("face_eth", "")
            )


def scans(data: Path) -> Iterator[Picture]:
    """webmorphR.stim's 3dsk: frontal portraits by sex."""
    for path in sorted((data / "webmorphR.stim/inst/3dsk").glob("*/*.jpg")):
        yield Picture(str(path.relative_to(data)), path.parent.name, "")


SOURCES: dict[str, Callable[[Path], Iterator[Picture]]] = {
    "generated": generated,
    "southasian": southasian,
    "lfw": lfw,
    "london": london,
    "scans": scans,
}


def biq2021(data: Path) -> Iterator[Picture]:
    """Photographs of BIQ2021's training split with a good opinion, without groups."""
    opinions = training_split(data, "Train")
    for path, opinion in zip(opinions.paths, opinions.mos, strict=True):
        if opinion >= GOOD_OPINION:
            yield Picture(str(path.relative_to(data)), "", "")


TEACHERS = {"biq2021": biq2021}
"""Sources without groups, from which one may learn."""

FREE = ("generated", "london", "scans", "biq2021")
"""What weights of ours may be learnt from: synthetic and consented faces, and what already taught them."""


def prepare(data: Path, cache: Path) -> None:
    """Everything that is measured once, into the cache."""
    scorer, damage, network = Scorer(), Damage(data), Network()
    for source, pictures in (SOURCES | TEACHERS).items():
        chosen = list(pictures(data))
        measures = measure(chosen, data, cache / f"measures_{source}.jsonl", scorer)
        good = [picture for picture in chosen if is_good(measures[picture.path])]
        damaged = draw(good, source)
        folder = cache / f"features_{source}"
        folder.mkdir(exist_ok=True)
        for start in tqdm(range(0, len(good), CHUNK), desc=f"features of {source}"):
            path = folder / f"{start:05}.npz"
            if not path.exists():
                faces = [(picture, measures[picture.path]) for picture in good[start : start + CHUNK]]
                save(path, *copies(faces, damaged, data, damage), network)
        path = folder / "real.npz"
        if not path.exists():
            save(path, *bad_by_themselves(chosen, measures, data), network)


def measure(pictures: Sequence[Picture], data: Path, path: Path, scorer: Scorer) -> dict[str, dict]:
    """What says whether a face is good and frontal, one JSON line a picture, by path."""
    known = {}
    if path.exists():
        known = {row["path"]: row for row in map(json.loads, path.read_text().splitlines())}
    left = [picture.path for picture in pictures if picture.path not in known]
    results = scorer.assess_many([data / name for name in left])
    with path.open("a") as file:
        for name, result in zip(left, tqdm(results, total=len(left), desc=path.stem), strict=True):
            row: dict[str, Any] = {"path": name}
            if result.face is not None and result.pose is not None:
                row |= {
                    "yaw": result.pose.yaw,
                    "roll": result.pose.roll,
                    "occlusion": result.occlusion,
                    "dbcnn": result.dbcnn,
                    "size": result.face.longer_side,
                    "box": list(result.face.box),
                    "landmarks": [list(point) for point in result.face.landmarks],
                    "confidence": result.face.confidence,
                }
            known[name] = row
            file.write(json.dumps(row) + "\n")
    return known


def is_good(row: dict) -> bool:
    """Whether a face is good and frontal."""
    return (
        "yaw" in row
        and abs(row["yaw"]) <= MAX_YAW
        and abs(row["roll"]) <= MAX_ROLL
        and row["occlusion"] <= MAX_OCCLUSION
        and row["dbcnn"] >= MIN_DBCNN
        and row["size"] >= MIN_SIZE
    )


def real_kind(row: dict) -> str | None:
    """In which way a face is bad by itself, if it is so in one way."""
    if "yaw" not in row or row["size"] < MIN_REAL_SIZE:
        return None
    if abs(row["yaw"]) >= TURNED:
        return "real yaw" if row["occlusion"] < COVERED else None
    if abs(row["yaw"]) > MAX_YAW or abs(row["roll"]) > MAX_ROLL:
        return None
    if row["occlusion"] >= COVERED:
        return "real cover"
    return "real poor" if row["dbcnn"] < POOR else None


def draw(good: Sequence[Picture], source: str) -> set[str]:
    """The paths of those that are damaged: as many of each group; of the London people one picture each."""
    counts: dict[tuple[str, str], int] = {}
    chosen = set()
    for index in np.random.default_rng(1).permutation(len(good)):
        picture = good[index]
        if source == "london" and "smiling" in picture.path:
            continue
        key = picture.sex, "" if source == "london" else picture.group
        counts[key] = counts.get(key, 0) + 1
        if counts[key] <= DAMAGED_PER_GROUP[source]:
            chosen.add(picture.path)
    return chosen


Rows = list[tuple[str, str, str, str, float]]  # path, sex, group, kind, strength


def copies(
    faces: Sequence[tuple[Picture, dict]], damaged: set[str], data: Path, damage: Damage
) -> tuple[Rows, list[np.ndarray]]:
    """The aligned crops of some faces and of their damaged copies."""
    rows: Rows = []
    crops = []
    for picture, row in faces:
        framed, face = frame(image.load(data / picture.path), face_of(row))
        turned = abs(row["yaw"]) <= LARGEST_YAW
        for kind, level, crop in damage.copies(framed, face, picture.path, turned):
            rows.append((picture.path, picture.sex, picture.group, kind, level))
            crops.append(crop)
            if picture.path not in damaged:
                break
    return rows, crops


def bad_by_themselves(
    pictures: Sequence[Picture], measures: dict[str, dict], data: Path
) -> tuple[Rows, list[np.ndarray]]:
    """The aligned crops of faces that need no damage."""
    rows: Rows = []
    crops = []
    for kind in REAL_KINDS:
        for picture in [p for p in pictures if real_kind(measures[p.path]) == kind][:MOST_REAL]:
            framed, face = frame(image.load(data / picture.path), face_of(measures[picture.path]))
            rows.append((picture.path, picture.sex, picture.group, kind, 0))
            crops.append(align(framed, face))
    return rows, crops


def face_of(row: dict) -> Face:
    """The face of a line of `measure`."""
    return Face(tuple(row["box"]), tuple(map(tuple, row["landmarks"])), row["confidence"])


def frame(photo: np.ndarray, face: Face) -> tuple[np.ndarray, Face]:
    """The square around a face, no larger than needed, and the face in its px."""
    side = REACH * face.longer_side
    scale = min(1.0, FRAME_CROP * REACH / CROP_MARGIN / side)
    size = round(side * scale)
    centre = (np.array(face.box[:2]) + face.box[2:]) / 2
    small = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else photo
    corner = (centre + 0.5) * scale - 0.5 - (size - 1) / 2
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    matrix = np.array([[1, 0, corner[0]], [0, 1, corner[1]]])
    picture = cv2.warpAffine(small, matrix, (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    to_frame = np.array([[scale, 0, (scale - 1) / 2 - corner[0]], [0, scale, (scale - 1) / 2 - corner[1]]])
    x1, y1, x2, y2 = transform_points(np.array(face.box).reshape(2, 2), to_frame).ravel().tolist()
    landmarks = transform_points(np.array(face.landmarks), to_frame)
    return picture, Face((x1, y1, x2, y2), tuple(map(tuple, landmarks.tolist())), face.confidence)


class Damage:
    """Makes a good face bad in known ways."""

    def __init__(self, data: Path):
        self.detector = load_detector()
        self.mesh = FaceMesh(data)
        frontal = image.load(data / "webmorphR.stim/inst/neutral_front/001_03.jpg")
        self.triangles = triangles(self.mesh(frontal, self.detector.detect(frontal)[0])[0])

    def copies(
        self, picture: np.ndarray, face: Face, name: str, turned: bool
    ) -> Iterator[tuple[str, float, np.ndarray]]:
        """Kind, strength and aligned crop; the picture itself first."""
        yield "none", 0, align(picture, face)
        one = CROP_MARGIN * face.longer_side / CROP_SIZE  # px of the picture in one of the crop
        for sigma in BLURS:
            yield "blur", sigma, align(cv2.GaussianBlur(picture, (0, 0), sigma * one), face)
        for factor in REDUCTIONS:
            part = min(1, 1 / (factor * one))
            small = cv2.resize(picture, None, fx=part, fy=part, interpolation=cv2.INTER_AREA)
            large = cv2.resize(small, picture.shape[1::-1], interpolation=cv2.INTER_CUBIC)
            yield "resolution", factor, align(large, face)
        grain = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(picture.shape, np.float32)
        for deviation in NOISES:
            noisy = np.clip(np.round(picture + deviation * grain), 0, 255).astype(np.uint8)
            yield "noise", deviation, align(noisy, face)
        linear = (np.arange(256) / 255.0) ** GAMMA
        for stops in STOPS:
            table = np.round(255 * (linear / 2**stops) ** (1 / GAMMA)).astype(np.uint8)
            yield "darkness", stops, align(cv2.LUT(picture, table), face)
        for number, covered in enumerate((with_mask(picture, face), with_glasses(picture, face)), 1):
            yield "cover", number, align(covered, self.found(covered) or face)
        if not turned:
            return
        points, _ = self.mesh(picture, face)
        side = 1 if zlib.crc32(name.encode()) % 2 else -1
        for yaw in YAWS:
            view = self.turned(picture, points, side * yaw)
            if (there := self.found(view)) is not None:
                yield "yaw", yaw, align(view, there)

    def found(self, picture: np.ndarray) -> Face | None:
        """The largest face."""
        faces = self.detector.detect(picture)
        return self.detector.refine(picture, faces[0]) if faces else None

    def turned(self, picture: np.ndarray, points: np.ndarray, yaw: float) -> np.ndarray:
        """The picture turned; what nothing covers gets the colour of its upper rim."""
        place, _, _ = turn(picture, points, self.triangles, yaw, 0)
        last = np.array(picture.shape[1::-1]) - 1
        drawn = (np.isfinite(place) & (place >= 0) & (place <= last)).all(axis=-1)
        columns, rows = np.moveaxis(np.nan_to_num(place, nan=-1).astype(np.float32), -1, 0)
        view = cv2.remap(picture, columns, rows, cv2.INTER_LINEAR)
        half = len(picture) // 2
        rim = np.concatenate([picture[0], picture[:half, 0], picture[:half, -1]])
        return np.where(drawn[..., None], view, np.median(rim, axis=0).astype(np.uint8))


def with_glasses(picture: np.ndarray, face: Face) -> np.ndarray:
    """Both eyes behind something dark."""
    right, left = (np.array(point) for point in face.landmarks[:2])
    across = left - right
    axes = np.stack([across, (-across[1], across[0])])
    corners = (right + left) / 2 + np.array(GLASSES) @ axes
    canvas = picture.copy()
    cv2.fillConvexPoly(canvas, np.round(corners).astype(np.int32), GLASSES_COLOUR, cv2.LINE_AA)
    return canvas


class Network:
    """SFace: what its last layer sees, the norm of every layer, and the channels of some."""

    def __init__(self) -> None:
        self._ser_fiq = load_ser_fiq()
        self._norms: dict[tuple[int, str], Tensor] = {}
        self._channels: dict[int, Tensor] = {}
        layers: Any = cast(SFace, self._ser_fiq.network).layers
        for index, unit in enumerate(layers):
            unit.conv.register_forward_hook(self._keep(index, "conv"))
            unit.register_forward_hook(self._keep(index, "relu"))

    def _keep(self, index: int, part: str) -> Callable:
        def keep(_module: nn.Module, _input: object, output: Tensor) -> None:
            pixels = output.permute(0, 2, 3, 1).flatten(1)  # as they lie in memory
            self._norms[index, part] = torch.linalg.vector_norm(pixels, dim=1)
            if part == "relu" and index in STATISTICS:
                power = (output * output).mean((2, 3))
                self._channels[index] = torch.cat([output.mean((2, 3)), power], 1)

        return keep

    @torch.inference_mode()
    def __call__(self, crops: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        """RGB uint8 (N, 112, 112, 3) -> x (N, 50176), norms (N, 54), stats: means and squares."""
        x = self._ser_fiq.features(np.stack(crops))
        norms = torch.stack([self._norms[key] for key in sorted(self._norms)], 1)
        channels = torch.cat([self._channels[index] for index in STATISTICS], 1)
        half = {"x": x, "stats": channels}
        return {"norms": norms.numpy(), **{key: t.numpy().astype(np.float16) for key, t in half.items()}}


def save(path: Path, rows: Rows, crops: Sequence[np.ndarray], network: Network) -> None:
    """Write a file of the cache, whole or not at all."""
    names = ("path", "sex", "group", "kind", "level")
    columns = [np.array([row[i] for row in rows]) for i in range(len(names))]
    blank = np.zeros((ALIGNED_SIZE, ALIGNED_SIZE, 3), np.uint8)
    batches = [crops[i : i + BATCH] for i in range(0, len(crops), BATCH)]
    parts = [network(batch) for batch in batches] or [{k: v[:0] for k, v in network([blank]).items()}]
    features = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    temporary = path.with_suffix(".part")
    with temporary.open("wb") as file:
        arrays: Any = {**dict(zip(names, columns, strict=True)), **features}
        np.savez(file, **arrays)
    os.replace(temporary, path)


# --- One source, ready for scoring ----------------------------------------------------------------


class LastLayer:
    """SFace's last layer, shared by all sources."""

    layer, bias = (t.detach() for t in load_ser_fiq().network.last_layer())


class Source:
    """All pictures of a source; every array has one row a picture.

    Attributes:
        x: What the last layer sees, float16, in pieces.
        mu: Embeddings.
        perp: Trace of their covariance orthogonal to them.
        z: SER-FIQ as log-odds.
        pooled: Means and root mean squares of the 1024 channels of x.
        middle: Means and standard deviations of the channels of `STATISTICS`.
        norms: Logarithms of the norms of the layers, then of x and of mu.
        picture: What else is measured of clean faces: DBCNN, log of the size, how far the head is turned.
        origin: Row of the undamaged picture of the same face; its own for faces that are bad by themselves.
    """

    def __init__(self, cache: Path, name: str):
        files = sorted((cache / f"features_{name}").glob("*.npz"))
        parts = [np.load(path) for path in files]
        self.name = name
        self.path, self.sex, self.group, self.kind, self.level = (
            np.concatenate([part[key] for part in parts if len(part["path"])])
            for key in ("path", "sex", "group", "kind", "level")
        )
        self.x: list[np.ndarray] = [part["x"] for part in parts]
        self.clean = self.kind == "none"
        self.people = np.array([Path(p).stem.split("_")[0] if name == "london" else p for p in self.path])
        self.cell = np.array([f"{a} {b}".strip() for a, b in zip(self.sex, self.group, strict=True)])
        first = {path: row for row, path in enumerate(self.path) if self.clean[row]}
        self.origin = np.array([first.get(path, row) for row, path in enumerate(self.path)])
        self.damaged = len({self.path[row] for row in np.flatnonzero(np.isin(self.kind, KINDS))})

        lines = (cache / f"measures_{name}.jsonl").read_text().splitlines()
        measures = {row["path"]: row for row in map(json.loads, lines)}
        self.picture = np.array(
            [
                (row["dbcnn"], np.log(row["size"]), abs(row["yaw"]))
                for row in (measures[path] for path in self.path[self.clean])
            ]
        )

        mu, trace, along, pooled = [], [], [], []
        columns = LastLayer.layer.square().sum(0)
        for x in map(as_float, self.x):
            mean, energy = x @ LastLayer.layer.T + LastLayer.bias, x.square()
            mu.append(mean)
            trace.append(energy @ columns)
            along.append((energy * (mean @ LastLayer.layer).square()).sum(1) / mean.square().sum(1))
            maps = x.unflatten(1, (-1, POSITIONS))
            pooled.append(torch.cat([maps.mean(2), maps.square().mean(2).sqrt()], 1))
        self.mu, self.pooled = double(mu), double(pooled)
        self.trace, self.along = double(trace), double(along)
        self.perp = self.trace - self.along
        self.z = log_odds(self.perp / np.square(self.mu).sum(1))

        raw = np.concatenate([part["stats"] for part in parts]).astype(np.float64)
        middle: list[np.ndarray] = []
        ends = np.cumsum([0, *(2 * count for count in STATISTICS.values())])
        for start, end in pairwise(ends.tolist()):
            average, power = np.split(raw[:, start:end], 2, axis=1)
            middle += [average, np.sqrt(np.maximum(power - average**2, 0))]
        self.middle = np.concatenate(middle, 1)
        x_norm = np.sqrt(np.square(self.pooled[:, self.pooled.shape[1] // 2 :]).sum(1))
        norms = [part["norms"] for part in parts]
        self.norms = np.log(
            np.column_stack([np.concatenate(norms), x_norm, np.linalg.norm(self.mu, axis=1)]).astype(float)
        )

    def rows(self, kind: str) -> np.ndarray:
        """The rows of a damage."""
        return np.flatnonzero(self.kind == kind)


def as_float(x: np.ndarray) -> Tensor:
    """float16 -> float32."""
    return torch.from_numpy(x).float()


def double(parts: Sequence[Tensor]) -> np.ndarray:
    """One float64 array."""
    return torch.cat(list(parts)).numpy().astype(np.float64)


def log_odds(k: np.ndarray) -> np.ndarray:
    """SER-FIQ before its logistic, with p = .5: k as in faceqa/ser_fiq.py."""
    return ALPHA * (2 / (1 + np.exp(np.sqrt(2 - 2 / (1 + k)))) - R)


def unit(vectors: np.ndarray) -> np.ndarray:
    """Rows of length 1."""
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


# --- Scores: (sources to learn from, source, a damage that is not to be learnt) -> higher is better

Score = Callable[[list[Source], Source, str | None], np.ndarray]
Columns = Callable[[Source], np.ndarray]


def ser_fiq(_train: list[Source], test: Source, _without: str | None) -> np.ndarray:
    """As published, in log-odds."""
    return test.z


def levelled(train: list[Source], test: Source, _without: str | None) -> np.ndarray:
    """SER-FIQ less what clean faces with such an embedding get: ridge, learnt elsewhere."""
    clean = [(unit(s.mu[s.clean]), s.z[s.clean]) for s in train]
    centre, level = (np.mean([np.mean(pair[i], axis=0) for pair in clean], axis=0) for i in (0, 1))
    gram = np.mean([(u - centre).T @ (u - centre) / len(u) for u, _ in clean], axis=0)
    right = np.mean([(u - centre).T @ (z - level) / len(u) for u, z in clean], axis=0)
    slope = np.linalg.solve(gram + LEVEL_PENALTY * np.trace(gram) / len(gram) * np.eye(len(gram)), right)
    return test.z - level - (unit(test.mu) - centre) @ slope


def signed(columns: Columns) -> Score:
    """A column as it is, its sign told by the damage of the other sources."""

    def score(train: list[Source], test: Source, without: str | None) -> np.ndarray:
        areas = [
            auc(columns(s)[s.origin[s.rows(kind)]], columns(s)[s.rows(kind)])
            for s in train
            for kind in taught(without)
        ]
        return columns(test) * (1 if np.mean(areas) >= 0.5 else -1)

    return score


def taught(without: str | None) -> list[str]:
    """The damages that may be learnt from."""
    return [kind for kind in KINDS if kind != without]


def closed_form(test: Source, out: np.ndarray) -> np.ndarray:
    """SER-FIQ on what is left of the embeddings without some directions, the orthonormal rows of `out`."""
    rest = torch.eye(len(LastLayer.layer)) - torch.from_numpy(out.T @ out).float()
    layer = rest @ LastLayer.layer
    columns = layer.square().sum(0)
    found = []
    for x in map(as_float, test.x):
        mean, energy = (x @ LastLayer.layer.T + LastLayer.bias) @ rest, x.square()
        length = mean.square().sum(1)
        found.append((energy @ columns - (energy * (mean @ layer).square()).sum(1) / length) / length)
    return log_odds(double(found))


def mean_out(train: list[Source], test: Source, _without: str | None) -> np.ndarray:
    """Without the direction of the mean embedding of clean faces."""
    mean = np.mean([unit(s.mu[s.clean]).mean(0) for s in train], axis=0)
    return closed_form(test, unit(mean[None]))


def people_out(count: int) -> Score:
    """Without the directions in which clean faces of a source differ most."""

    def score(train: list[Source], test: Source, _without: str | None) -> np.ndarray:
        spread = np.mean([np.cov(unit(s.mu[s.clean]).T) for s in train], axis=0)
        return closed_form(test, np.linalg.eigh(spread)[1].T[::-1][:count])

    return score


def groups_out(train: list[Source], test: Source, _without: str | None) -> np.ndarray:
    """Without the eight directions in which the groups of the other sources differ most."""
    rows = []
    for s in train:
        u = unit(s.mu)
        means = np.array([u[s.clean & (s.cell == cell)].mean(0) for cell in np.unique(s.cell[s.clean])])
        rows.append(means - means.mean(0))
    return closed_form(test, np.linalg.svd(np.concatenate(rows), full_matrices=False)[2][:8])


def centred(train: list[Source], test: Source, _without: str | None) -> np.ndarray:
    """The closed form on features less the mean feature of clean faces."""
    means = []
    for s in train:
        starts = np.cumsum([0, *map(len, s.x)])
        clean = [x[s.clean[start : start + len(x)]] for start, x in zip(starts, s.x, strict=False)]
        means.append(sum(x.sum(0, dtype=np.float64) for x in clean) / s.clean.sum())
    mean = torch.from_numpy(np.mean(means, axis=0)).float()
    columns = LastLayer.layer.square().sum(0)
    found = []
    for x in map(as_float, test.x):
        v = x - mean
        mu, energy = v @ LastLayer.layer.T, v.square()
        length = mu.square().sum(1)
        found.append((energy @ columns - (energy * (mu @ LastLayer.layer).square()).sum(1) / length) / length)
    return log_odds(double(found))


def mirror(_train: list[Source], test: Source, _without: str | None) -> np.ndarray:
    """How like the embedding is to that of the features laid on their other side."""
    found = []
    for x in map(as_float, test.x):
        mean, other = (v @ LastLayer.layer.T + LastLayer.bias for v in (x, mirrored(x)))
        found.append(torch.nn.functional.cosine_similarity(mean, other))
    return -np.log(1 - double(found))


def mirror_average(_train: list[Source], test: Source, _without: str | None) -> np.ndarray:
    """SER-FIQ less that of the features averaged with those laid on their other side."""
    columns = LastLayer.layer.square().sum(0)
    found = []
    for x in map(as_float, test.x):
        average = (x + mirrored(x)) / 2
        mean, energy = average @ LastLayer.layer.T + LastLayer.bias, average.square()
        length = mean.square().sum(1)
        along = (energy * (mean @ LastLayer.layer).square()).sum(1) / length
        found.append((energy @ columns - along) / length)
    return test.z - log_odds(double(found))


def mirrored(x: Tensor) -> Tensor:
    """Features (N, 1024 * 7 * 7) with left and right exchanged."""
    side = int(POSITIONS**0.5)
    return x.unflatten(1, (-1, side, side)).flip(-1).flatten(1)


def froq(train: list[Source], test: Source, without: str | None) -> np.ndarray:
    """FROQ (Babnik et al., 2025): mean norm of the layers that together follow a pseudo-quality best.

    The pseudo-quality is the fall of SER-FIQ against the clean picture of the same face.
    """
    used = [np.isin(s.kind, ["none", *taught(without)]) for s in train]
    norms = np.exp(np.concatenate([s.norms[rows, :-2] for s, rows in zip(train, used, strict=True)]))
    label = np.concatenate([(s.z - s.z[s.origin])[rows] for s, rows in zip(train, used, strict=True)])

    def utility(layers: list[int]) -> float:
        return float(stats.spearmanr(norms[:, layers].mean(1), label)[0])

    single = [utility([layer]) for layer in range(norms.shape[1])]
    left = np.argsort(single)[::-1][:FROQ_LAYERS].tolist()
    chosen = [left.pop(0)]
    steps = [(single[chosen[0]], list(chosen))]
    while left:
        best = max(left, key=lambda layer: utility([*chosen, layer]))
        left.remove(best)
        chosen.append(best)
        steps.append((utility(chosen), list(chosen)))
    return np.exp(test.norms[:, max(steps)[1]]).mean(1)


def discriminant(columns: Columns, shrinkage: float = SHRINKAGE) -> Score:
    """The sum of columns that falls most with damage against its spread over clean faces of a source."""

    def score(train: list[Source], test: Source, without: str | None) -> np.ndarray:
        spreads, falls = [], []
        for s in train:
            c = columns(s)
            spreads.append(np.cov(c[s.clean].T))
            falls += [(c[s.origin[s.rows(kind)]] - c[s.rows(kind)]).mean(0) for kind in taught(without)]
        spread = np.mean(spreads, axis=0)
        d = np.sqrt(np.diag(spread))
        mixed = (1 - shrinkage) * spread / np.outer(d, d) + shrinkage * np.eye(len(d))
        return columns(test) @ (linalg.solve(mixed, np.mean(falls, axis=0) / d, assume_a="pos") / d)

    return score


def fall_of_z(s: Source) -> np.ndarray:
    """SER-FIQ less that of the clean picture of the same face."""
    return s.z - s.z[s.origin]


def fall_of_likeness(s: Source) -> np.ndarray:
    """Cosine between the embedding and that of the clean picture of the same face, less 1."""
    u = unit(s.mu)
    return (u * u[s.origin]).sum(1) - 1


def weigh(s: Source, clean: float, without: str | None) -> np.ndarray:
    """Weight of each picture in what a head learns: clean faces together `clean`, the damages alike."""
    weight = np.where(s.clean, clean / s.clean.sum(), 0.0)
    for kind in taught(without):
        weight[s.rows(kind)] = (1 - clean) / len(taught(without)) / len(s.rows(kind))
    return weight


class Ridge:
    """A linear head that learns a fall, 0 for every clean face: it never sees who is who."""

    def __init__(
        self,
        columns: Columns,
        target: Callable[[Source], np.ndarray] = fall_of_z,
        clean: float = CLEAN_WEIGHT,
    ):
        self.columns, self.target, self.clean = columns, target, clean
        self._sums: dict[tuple[str, str | None], tuple] = {}
        self._penalty: dict[tuple[str, ...], float] = {}

    def __call__(self, train: list[Source], test: Source, without: str | None) -> np.ndarray:
        """The predicted fall, at most about 0."""
        key = tuple(s.name for s in train)
        if key not in self._penalty:
            errors = [np.mean([self._error(train, s, penalty) for s in train]) for penalty in PENALTIES]
            self._penalty[key] = PENALTIES[int(np.argmin(errors))]
        slope, offset = self._fit(train, self._penalty[key], without)
        return self.columns(test) @ slope + offset

    def _error(self, train: list[Source], s: Source, penalty: float) -> float:
        slope, offset = self._fit([t for t in train if t is not s], penalty, None)
        weight, y = weigh(s, self.clean, None), self.target(s)
        return float(weight @ np.square(self.columns(s) @ slope + offset - y) / (weight @ y**2))

    def _fit(self, train: list[Source], penalty: float, without: str | None) -> tuple[np.ndarray, float]:
        gram, mean, right, level = (
            sum(parts) / len(train) for parts in zip(*(self._sum(s, without) for s in train), strict=True)
        )
        gram, right = gram - np.outer(mean, mean), right - mean * level
        d = np.sqrt(np.maximum(np.diag(gram), 1e-12))
        slope = linalg.solve(gram / np.outer(d, d) + penalty * np.eye(len(d)), right / d, assume_a="pos") / d
        return slope, level - mean @ slope

    def _sum(self, s: Source, without: str | None) -> tuple:
        if (s.name, without) not in self._sums:
            weight = weigh(s, self.clean, without)
            used = weight > 0
            x, y = self.columns(s)[used], self.target(s)[used]
            weighted = x * weight[used, None]
            gram = (x.astype(np.float32).T @ weighted.astype(np.float32)).astype(np.float64)
            self._sums[s.name, without] = gram, weighted.sum(0), weighted.T @ y, weight[used] @ y
        return self._sums[s.name, without]


def perceptron(columns: Columns) -> Score:
    """A head with one hidden layer on the principal components, taught as `Ridge`."""

    def score(train: list[Source], test: Source, without: str | None) -> np.ndarray:
        torch.manual_seed(0)
        weight = np.concatenate([weigh(s, CLEAN_WEIGHT, without) for s in train])
        used = weight > 0
        x = np.concatenate([columns(s) for s in train])[used]
        y = torch.from_numpy(np.concatenate([fall_of_z(s) for s in train])[used]).float()
        w = torch.from_numpy(weight[used] / weight.sum()).float()
        centre, scale = x.mean(0), x.std(0) + 1e-6
        normed = torch.from_numpy((x - centre) / scale).float()
        basis = torch.pca_lowrank(normed, COMPONENTS, center=False)[2]
        size = (normed @ basis).std(0)
        head = nn.Sequential(nn.Linear(COMPONENTS, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, 1))
        optimiser = torch.optim.AdamW(head.parameters(), 1e-2, weight_decay=1e-2)
        inputs = normed @ basis / size
        for _ in range(EPOCHS):
            optimiser.zero_grad()
            (w * (head(inputs)[:, 0] - y).square()).sum().backward()
            optimiser.step()
        with torch.inference_mode():
            seen = torch.from_numpy((columns(test) - centre) / scale).float() @ basis / size
            return head(seen)[:, 0].numpy().astype(np.float64)

    return score


def pooled(s: Source) -> np.ndarray:
    """Channels of what the last layer sees."""
    return s.pooled


def middle(s: Source) -> np.ndarray:
    """Channels of the layers in the middle."""
    return s.middle


def norms(s: Source) -> np.ndarray:
    """Norms of all layers."""
    return s.norms


def trace_and_norm(s: Source) -> np.ndarray:
    """The two halves of SER-FIQ."""
    return np.column_stack([np.log(s.perp), np.log(np.square(s.mu).sum(1))])


REFERENCE = "SER-FIQ"

SCORES: dict[str, Score] = {
    REFERENCE: ser_fiq,
    "levelled, learnt elsewhere": levelled,
    "A ridge, last features": Ridge(pooled),
    "A ridge, last, clean x4": Ridge(pooled, clean=0.8),
    "A ridge, middle layers": Ridge(middle),
    "A ridge, middle, likeness": Ridge(middle, fall_of_likeness),
    "A ridge, middle, likeness, clean x4": Ridge(middle, fall_of_likeness, clean=0.8),
    "A ridge, norms": Ridge(norms),
    "A perceptron, middle": perceptron(middle),
    "B mean direction out": mean_out,
    "B 8 person directions out": people_out(8),
    "B 32 person directions out": people_out(32),
    "B 96 person directions out": people_out(96),
    "B group directions out": groups_out,
    "B features centred": centred,
    "C FROQ": froq,
    "C norms, discriminant": discriminant(norms),
    "C middle, discriminant": discriminant(middle, 0.2),
    "D trace only": signed(lambda s: -np.log(s.perp)),
    "D norm only": signed(lambda s: np.log(np.square(s.mu).sum(1))),
    "D along over trace": signed(lambda s: s.along / s.trace),
    "D likeness to its mirror image": mirror,
    "D less that of its mirror average": mirror_average,
    "D trace and norm, discriminant": discriminant(trace_and_norm, 0.0),
}

SECOND_ROUND = ("A ridge, middle, likeness, clean x4",)
"""Tried after the others had been seen."""

TAUGHT = [name for name in SCORES if name[0] in "AC" or name.endswith("discriminant")]
"""Scores that learn from damage."""


# --- Figures --------------------------------------------------------------------------------------


def spread(values: np.ndarray, s: Source) -> dict[str, float]:
    """How far groups of clean faces lie apart; the unit is a person."""
    table: dict[str, dict[str, list[float]]] = {}
    for value, cell, who in zip(values, s.cell[s.clean], s.people[s.clean], strict=True):
        table.setdefault(cell, {}).setdefault(who, []).append(value)
    groups = [
        np.array([np.mean(found) for found in people.values()])
        for people in table.values()
        if len(people) >= FEWEST
    ]
    means = np.array([group.mean() for group in groups])
    inside = sum(np.square(group - group.mean()).sum() for group in groups) / sum(len(g) - 1 for g in groups)
    chance = inside * np.mean([1 / len(group) for group in groups])
    return {
        "between": float(np.sqrt(max(0.0, means.var(ddof=1) - chance))),
        "range": float(np.ptp(means)),
        "inside": float(np.sqrt(inside)),
        "p": float(stats.f_oneway(*groups).pvalue) if inside > 0 else 1.0,
    }


def at_equal_pictures(values: np.ndarray, s: Source) -> np.ndarray:
    """Clean scores less what goes with the picture inside groups: DBCNN, size, yaw."""
    cells = s.cell[s.clean]
    inside, score = s.picture.copy(), values.copy()
    for cell in np.unique(cells):
        rows = cells == cell
        inside[rows] -= inside[rows].mean(0)
        score[rows] -= score[rows].mean()
    slope = np.linalg.lstsq(inside, score, rcond=None)[0]
    return values - (s.picture - s.picture.mean(0)) @ slope


def quantile(values: np.ndarray, cell: np.ndarray, share: float) -> float:
    """The quantile of all groups, each of the same weight."""
    _, index, count = np.unique(cell, return_inverse=True, return_counts=True)
    order = np.argsort(values)
    reached = np.cumsum(1 / count[index[order]]) / len(count)
    return float(values[order][np.searchsorted(reached, share)])


def fall(s: Source, score: np.ndarray, kind: str) -> tuple[float, float]:
    """AUC of clean faces against their damaged copies, and mean fall; means over the strengths."""
    levels = np.unique(s.level[s.rows(kind)])
    rows = [np.flatnonzero((s.kind == kind) & (s.level == level)) for level in levels]
    pairs = [(score[s.origin[found]], score[found]) for found in rows]
    return (
        float(np.mean([auc(good, bad) for good, bad in pairs])),
        float(np.mean([(good - bad).mean() for good, bad in pairs])),
    )


def assess(name: str, train: list[Source], s: Source) -> dict:
    """All figures of a score in a source that it did not learn from."""
    score = SCORES[name]
    values = score(train, s, None)
    clean = values[s.clean]
    groups = spread(clean, s)
    falls = {kind: fall(s, values, kind) for kind in KINDS}
    scale = float(np.mean([drop for _, drop in falls.values()]))
    untaught = {}
    for kind in KINDS if name in TAUGHT else ():
        other = score(train, s, kind)
        area, drop = fall(s, other, kind)
        untaught[kind] = area, drop / spread(other[s.clean], s)["inside"]
    passing = spread((clean >= quantile(clean, s.cell[s.clean], 1 - PASS)).astype(float), s)
    women, men = (clean[np.char.startswith(s.sex[s.clean], letter)].mean() for letter in ("f", "m"))
    gate = min(np.quantile(clean[s.cell[s.clean] == cell], 1 - GATE) for cell in large_cells(s))
    return {
        "gap": groups["between"] / scale,
        "range": groups["range"] / scale,
        "p": groups["p"],
        "gap_at_equal_pictures": spread(at_equal_pictures(clean, s), s)["between"] / scale,
        "women_men": float(women - men) / scale,
        "pass_gap": passing["between"],
        "pass_range": passing["range"],
        "pass_p": passing["p"],
        "fall": {kind: (area, drop / groups["inside"]) for kind, (area, drop) in falls.items()},
        "untaught": untaught,
        "real": {kind: auc(clean, values[s.rows(kind)]) for kind in enough(s)},
        "stopped": {kind: float((values[s.rows(kind)] < gate).mean()) for kind in (*KINDS, *enough(s))},
    }


def large_cells(s: Source) -> list[str]:
    """The groups with a tail."""
    names, counts = np.unique(s.cell[s.clean], return_counts=True)
    return names[counts >= FEWEST_FOR_A_GATE].tolist()


def enough(s: Source) -> list[str]:
    """In which ways enough faces are bad by themselves."""
    return [kind for kind in REAL_KINDS if len(s.rows(kind)) >= FEWEST_REAL]


def compare(rows: dict[str, dict], reference: dict[str, dict]) -> dict:
    """What is kept of SER-FIQ's gaps and falls, and whether the score is to be adopted."""
    voting = [name for name, row in reference.items() if row["p"] < SIGNIFICANT]
    passing = [name for name in voting if reference[name]["pass_p"] < SIGNIFICANT]
    gap = {name: rows[name]["gap"] / reference[name]["gap"] for name in voting}
    pass_gap = {name: rows[name]["pass_gap"] / reference[name]["pass_gap"] for name in passing}

    def falls(column: str, which: int) -> dict[str, float]:
        chance = 0.5 if which == 0 else 0.0
        return {
            kind: float(
                (np.mean([row[column][kind][which] for row in rows.values()]) - chance)
                / (np.mean([row["fall"][kind][which] for row in reference.values()]) - chance)
            )
            for kind in KINDS
        }

    learns = all(row["untaught"] for row in rows.values())
    columns = ("fall", "untaught") if learns else ("fall",)
    kept = {column: {"auc": falls(column, 0), "drop": falls(column, 1)} for column in columns}
    level = max(gap.values()) <= MOST_GAP and float(np.mean(list(pass_gap.values()))) <= MOST_GAP
    values = [value for part in kept.values() for row in part.values() for value in row.values()]
    falling = min(values) >= LEAST_FALL
    verdict = {"level": level, "falling": falling, "adopted": level and falling}
    return {"gap": gap, "pass_gap": pass_gap, **kept, **verdict}


def show(figures: dict[str, dict], kept: dict[str, dict]) -> None:
    """Print what is kept of SER-FIQ's gaps and falls, and what a gate stops."""
    reference = figures[REFERENCE]
    print("SER-FIQ itself: gap (p), pass gap (p), women less men, in units of the mean fall; AUC")
    for name, row in reference.items():
        areas = "  ".join(f"{kind} {row['fall'][kind][0]:.2f}" for kind in KINDS)
        print(
            f"  {name:12}{row['gap']:6.2f} ({row['p']:.3f}){row['pass_gap']:7.3f} ({row['pass_p']:.3f})"
            f"{row['women_men']:7.2f}   {areas}"
        )
    some = kept[REFERENCE]
    print("\nkept of SER-FIQ's gap/pass gap by source, and of its fall (the lower of AUC and mean fall)")
    print(f"{'':37}" + "".join(f"{name[:9]:>11}" for name in some["gap"]) + f"{'pass':>8}", end="")
    print("".join(f"{kind[:6]:>8}" for kind in KINDS) + "   and by damage that was not taught   verdict")
    for name, row in kept.items():
        cells = [f"{row['gap'][s]:.2f}/{row['pass_gap'].get(s, np.nan):.2f}" for s in row["gap"]]
        line = f"{name:37}" + "".join(f"{cell:>11}" for cell in cells).replace("nan", "-")
        line += f"{np.mean(list(row['pass_gap'].values())):8.2f}"
        for column in ("fall", "untaught"):
            if column in row:
                lows = [min(row[column]["auc"][kind], row[column]["drop"][kind]) for kind in KINDS]
                line += "".join(f"{low:8.2f}" for low in lows) + "   "
        print(line + ("adopt" if row["adopted"] else "no"))
    print(f"\nstopped by the gate that {GATE:.0%} of the good faces of every group of a source pass, %;")
    print("AUC of good faces against such as are bad by themselves")
    for name, rows in figures.items():
        line = f"{name:37}"
        for kind in (*KINDS, *REAL_KINDS):
            values = [row["stopped"][kind] for row in rows.values() if kind in row["stopped"]]
            line += f"{kind:>11} {100 * np.mean(values):3.0f}" if values else ""
        for kind in REAL_KINDS:
            values = [row["real"][kind] for row in rows.values() if kind in row["real"]]
            line += f"{kind:>11} {np.mean(values):.2f}" if values else ""
        print(line)


if __name__ == "__main__":
    main()
