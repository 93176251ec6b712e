"""Do `eyes_open` and `mouth_closed` judge the picture? Real closed and open eyes, groups, and damage.

    python benchmarks/apertures.py --data DIR

DIR holds, by these names, what is there (each part is optional but the first two):

    Open-eyes-using-Pix2Pix/  GitHub jesusmartinoza/Open-eyes-using-Pix2Pix, closed_eyes_dataset: the closed
                              half of Closed Eyes in the Wild (Song et al., 2014), for research, full size
    dfi-tensorflow/           GitHub braun-steven/dfi-tensorflow, data/lfw-deepfunneled: LFW, from which the
                              open half of that set was taken
    webmorphR.stim/           GitHub debruine/webmorphR.stim (CC BY 4.0): 102 people, neutral and smiling
    generated-faces/          GitHub hmdghoul/generated-faces: synthetic portraits of eight groups

Nothing of the first two taught a network of faceqa.

- *closed and open*: how often an open eye gets more than a closed one (AUC), and what the gate 50 tells of
  both. Closed ones are all pictures of 112 px or more; open ones are one picture of each of `OPEN` people,
  some of whom blink, and of each as it would be in the size of a closed one;
- *groups*: the share of people with open eyes whom the gate 50 would reject, and quantiles of the component;
- *mouths*: the component of neutral and of smiling people;
- *damage*: AUC and the gate when the pictures are damaged (`training/distortions`).
- *time*: CPU time of the network, ms a face.

Prints the tables and writes results/apertures.json.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

sys.path.append(str(Path(__file__).parents[1]))

from benchmarks.report import machine, write
from faceqa.engines.openvino import OpenVinoEngine
from faceqa.faces.alignment import crop_face
from faceqa.faces.apertures import ApertureMeter
from faceqa.faces.detection import load_detector
from faceqa.faces.mask import FaceMasker
from faceqa.faces.pose import head_pose
from faceqa.measures.batch import FaceBatch
from faceqa.measures.components import apertures
from faceqa.measures.components.geometry import eyes_to_chin
from training.distortions.damage import KINDS, Damage

CLOSED = "Open-eyes-using-Pix2Pix/closed_eyes_dataset"
OPEN_FACES = "dfi-tensorflow/data/lfw-deepfunneled"
LONDON = "webmorphR.stim/inst"
GENERATED = "generated-faces/images"

SMALLEST = 112
"""px, side of a closed eyes' picture; they are cut close around the face."""

OPEN = 1000
"""People with open eyes."""

EACH_GROUP = 150

MARGIN = 0.3
"""Of black around a picture that is cut close, as a share of its side."""

GATE = 50

DAMAGED = 300
"""Pictures of each kind that are damaged."""

STRENGTHS = (0.5, 1.0)

QUANTILES = (0.01, 0.05, 0.5, 0.95)


@dataclass(frozen=True)
class Told:
    """What is told of faces, (N,) each, NaN where not assessed.

    Attributes:
        eyes: eyes_open before it is rounded.
        mouths: mouth_closed before it is rounded.
        lids: The aperture that eyes_open comes from, as a share of the distance from the eyes to the chin.
        lips: Likewise of mouth_closed.
    """

    eyes: np.ndarray
    mouths: np.ndarray
    lids: np.ndarray
    lips: np.ndarray


class Meter:
    """Tells the components of the largest face of a picture."""

    def __init__(self) -> None:
        engine = OpenVinoEngine(["face_mask", "apertures"])
        self.detector, self.masker, self.meter = load_detector(), FaceMasker(engine), ApertureMeter(engine)

    def __call__(self, photos: Iterable[np.ndarray]) -> Told:
        """Of RGB uint8 pictures; those without a face are left out."""
        rows = [self._one(photo) for photo in photos]
        return Told(*np.array([row for row in rows if row is not None], float).reshape(-1, 4).T)

    def _one(self, photo: np.ndarray) -> tuple[float, float, float, float] | None:
        found = self.detector.detect(photo)
        if not found:
            return None
        face = self.detector.refine(photo, found[0])
        crop = crop_face(photo, face)
        masks = self.masker(crop.image[None])
        batch = FaceBatch(
            faces=(face,),
            poses=(head_pose(face.landmarks, masks.rotation[0]),),
            photo_sizes=(photo.shape[1::-1],),
            second_areas=(0.0,),
            to_photos=crop.to_photo[None],
            aligned=np.zeros((1, 112, 112, 3), np.uint8),
            crops=crop.image[None],
            outline=masks.outline,
            visible=masks.visible,
            apertures=self.meter([crop], [face]),
            masked_faces=crop.image[None],
        )
        to_chin = eyes_to_chin(face, masks.outline[0], crop.to_photo)
        shown = np.where(apertures.seen(batch, 0), batch.apertures[0], np.nan)
        eyes = [float(eye) for eye in shown[:2] if not np.isnan(eye)]
        return (
            apertures.eyes_open(eyes, to_chin),
            apertures.mouth_closed(float(shown[2]), to_chin),
            min(eyes, default=np.nan) / to_chin,
            shown[2] / to_chin,
        )


def main() -> None:
    """Measure, print the tables, write results/apertures.json."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    data, meter = arguments.data, Meter()
    closed, opened = list(closed_eyes(data)), list(open_eyes(data))
    sides = np.array([len(photo) for photo in closed])
    figures: dict = {"machine": machine()}
    shut = meter(map(framed, closed))
    figures["closed_and_open"] = {
        "as they are": separation(shut, meter(opened)),
        "open ones in the size of closed ones": separation(shut, meter(resized(opened, sides))),
    }
    figures["groups"] = {name: spread(meter(photos)) for name, photos in groups(data)}
    figures["damage"] = dict(damage(meter, closed[:DAMAGED], opened[:DAMAGED]))
    figures["ms"] = timing(meter, opened[0])
    show(figures)
    write("apertures", figures)


def closed_eyes(data: Path) -> Iterator[np.ndarray]:
    """Pictures of people whose eyes are closed, RGB uint8, cut close, in an order of chance."""
    files = sorted((data / CLOSED).glob("*.jpg"))
    for index in np.random.default_rng(0).permutation(len(files)):
        photo = load(files[index])
        if len(photo) >= SMALLEST:
            yield photo


def load(file: Path) -> np.ndarray:
    """RGB uint8 (H, W, 3)."""
    return cv2.cvtColor(cv2.imread(str(file)), cv2.COLOR_BGR2RGB)


def open_eyes(data: Path) -> Iterator[np.ndarray]:
    """One picture of each of `OPEN` people of LFW, the middle of it, in an order of chance."""
    people = sorted(path for path in (data / OPEN_FACES).iterdir() if path.is_dir())
    for index in np.random.default_rng(0).permutation(len(people))[:OPEN]:
        yield load(min(people[index].glob("*.jpg")))


def resized(photos: Iterable[np.ndarray], sides: np.ndarray) -> Iterator[np.ndarray]:
    """LFW's pictures, whose faces are about 110 px wide, as small as those of closed eyes are."""
    for number, photo in enumerate(photos):
        scale = min(1.0, sides[number % len(sides)] / 140)
        yield cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


def framed(photo: np.ndarray) -> np.ndarray:
    """With black around it."""
    border = round(MARGIN * len(photo))
    return cv2.copyMakeBorder(photo, border, border, border, border, cv2.BORDER_CONSTANT)


def groups(data: Path) -> Iterator[tuple[str, Iterator[np.ndarray]]]:
    """Groups of people with open eyes, and their pictures."""
    folders = {f"London, {mood}": data / LONDON / f"{mood}_front" for mood in ("neutral", "smiling")}
    for folder in sorted(path for path in (data / GENERATED).glob("*/*") if path.is_dir()):
        folders[f"generated, {folder.parent.name}, {folder.name}"] = folder
    for name, folder in folders.items():
        if folder.is_dir():
            yield name, map(load, sorted(folder.glob("*.jpg"))[:EACH_GROUP])


def separation(shut: Told, opened: Told) -> dict:
    """How closed and open eyes are told apart."""
    low, high = (one.lids[~np.isnan(one.lids)] for one in (shut, opened))
    told = {"closed": shut.eyes, "open": opened.eyes}
    return {
        "auc": auc(high, low),
        "pictures": {name: len(values) for name, values in told.items()},
        "not_assessed": {name: float(np.isnan(values).mean()) for name, values in told.items()},
        "below_gate": {name: below(values) for name, values in told.items()},
    }


def below(values: np.ndarray) -> float:
    """The share of what is assessed that the gate would reject."""
    return float((values[~np.isnan(values)] < GATE).mean())


def auc(higher: np.ndarray, lower: np.ndarray) -> float:
    """How often one of the first is above one of the second; ties count half."""
    order = np.sort(lower)
    wins = np.searchsorted(order, higher, "left") + np.searchsorted(order, higher, "right")
    return float(wins.mean() / (2 * len(lower)))


def spread(told: Told) -> dict:
    """Of one group."""
    return {
        "pictures": len(told.eyes),
        "eyes_below_gate": below(told.eyes),
        "mouths_below_gate": below(told.mouths),
        "eyes_open": np.nanquantile(told.eyes, QUANTILES).round(1).tolist(),
        "mouth_closed": np.nanquantile(told.mouths, QUANTILES).round(1).tolist(),
        "lids": np.nanquantile(told.lids, QUANTILES).round(4).tolist(),
        "lips": np.nanquantile(told.lips, QUANTILES).round(4).tolist(),
    }


def damage(
    meter: Meter, closed: list[np.ndarray], opened: list[np.ndarray]
) -> Iterator[tuple[str, dict[str, dict]]]:
    """By kind and strength; the face is damaged in a picture of 384 px."""
    for kind, ways in KINDS.items():
        for strength in STRENGTHS:

            def spoil(photo: np.ndarray, number: int) -> np.ndarray:
                way = ways[number % len(ways)].name  # noqa: B023
                large = cv2.resize(photo, (384, 384), interpolation=cv2.INTER_CUBIC)
                return Damage(kind, way, strength, number)(large)  # noqa: B023

            shut, seen = (
                meter(spoil(frame(photo), number) for number, photo in enumerate(photos))
                for photos, frame in ((closed, framed), (opened, middle))
            )
            yield f"{kind} {strength}", separation(shut, seen)


def middle(photo: np.ndarray) -> np.ndarray:
    """The middle of LFW's pictures, in which the face is as large as in those of closed eyes."""
    start = len(photo) // 8
    return photo[start:-start, start:-start]


def timing(meter: Meter, photo: np.ndarray) -> float:
    """CPU time of patches and network, ms a face."""
    face = meter.detector.detect(photo)[0]
    crop = crop_face(photo, face)
    crops, faces = [crop] * 16, [face] * 16
    meter.meter(crops, faces)
    start = time.process_time()
    for _ in range(20):
        meter.meter(crops, faces)
    return 1000 * (time.process_time() - start) / (20 * 16)


def show(figures: dict) -> None:
    """Print the tables."""
    for name, row in (figures["closed_and_open"] | figures["damage"]).items():
        rejected = ", ".join(f"{kind} {share:.3f}" for kind, share in row["below_gate"].items())
        print(f"{name:40} AUC {row['auc']:.4f}, below {GATE}: {rejected}")
    for name, row in figures["groups"].items():
        print(f"{name:40} {row}")
    print(f"{figures['ms']:.2f} ms a face")


if __name__ == "__main__":
    main()
