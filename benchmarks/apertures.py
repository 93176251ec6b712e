"""Do `eyes_open` and `mouth_closed` judge the picture? Real closed and open eyes, groups, and damage.

    python benchmarks/apertures.py --data DIR

DIR holds, by these names, what is there:

    Open-eyes-using-Pix2Pix/  GitHub jesusmartinoza/Open-eyes-using-Pix2Pix, closed_eyes_dataset: the closed
                              half of Closed Eyes in the Wild (Song et al., 2014), for research, full size
    dfi-tensorflow/           GitHub braun-steven/dfi-tensorflow, data/lfw-deepfunneled: LFW, from which the
                              open half of that set was taken
    webmorphR.stim/           GitHub debruine/webmorphR.stim (CC BY 4.0): 102 people, neutral and smiling
    generated-faces/          GitHub hmdghoul/generated-faces: synthetic portraits of eight groups
    southasian/               GitHub armeetj/southasian-face-recognition-bias-analysis: web portraits

Only faces of `webmorphR.stim` and `generated-faces` taught a network of faceqa.

- *closed and open*: how often an open eye gets more than a closed one (AUC), and what the gate 50 tells of
  both. Closed ones are all pictures of 112 px or more; open ones are one picture of each of `OPEN` people,
  some of whom blink, and of each as it would be in the size of a closed one;
- *groups*: the share of people whom the gate 50 would reject, nearly all with open eyes, and quantiles;
- *teacher*: how lids and lips follow MediaPipe's iris network and face mesh on the open ones, which neither
  taught (`pip install ai-edge-litert`);
- *damage*: AUC and the gate when the pictures are damaged (`training/distortions`);
- *time*: CPU time of the network, ms a face.

Prints the figures and writes results/apertures.json, anew after each part.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

sys.path.append(str(Path(__file__).parents[1]))

from benchmarks import fairness
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
from training.apertures import expressions
from training.apertures.lids import Lids
from training.auc import auc
from training.distortions.damage import KINDS, Damage
from training.face_mask.mesh import FaceMesh
from training.face_mask.pictures import read

CLOSED = "Open-eyes-using-Pix2Pix/closed_eyes_dataset"
OPEN_FACES = "dfi-tensorflow/data/lfw-deepfunneled"

# fmt: off
EAST_ASIAN = (
    "Chan_Choi", "Chan_Ho_Park", "Chen_Kaige", "Chen_Liang_Yu", "Chen_Shui-bian", "Chen_Tsai-chin",
    "Choi_Sung-hong", "Choi_Yun-yong", "Chung_Mong-hun", "Chung_Mong-joon", "Hideki_Matsui", "Hideki_Sato",
    "Hiroyuki_Yoshino", "Hitoshi_Tanaka", "Hu_Jintao", "Huan_Chung_Yi", "Hung_Wan-ting", "Jackie_Chan",
    "Jiang_Zemin", "Jong_Thae_Hwa", "Jong_Wook_Lee", "Jung_Bong", "Junichiro_Koizumi", "Kim_Dae-jung",
    "Kim_Dong-hwa", "Kim_Dong-tae", "Kim_Hong-gul", "Kim_Hong-up", "Kim_Jin-sun", "Kim_Jong-Il",
    "Kim_Ryong-sung", "Kim_Su_Nam", "Kim_Yong-il", "Kim_Yun-kyu", "Koichi_Tanaka", "Koji_Uehara",
    "Lee_Byung-woong", "Lee_Chang-dong", "Lee_Hoi-chang", "Lee_Hong-ki", "Lee_Hyung-taik", "Lee_Jun",
    "Lee_Nam-shin", "Lee_Soo-hyuck", "Lee_Tae-sik", "Lee_Yeo-jin", "Lee_Yuan-tseh", "Li_Changchun",
    "Li_Ka-shing", "Li_Peng", "Li_Ruihuan", "Li_Zhaoxing", "Lin_Yi-fu", "Lin_Yung_Hsi", "Liu_Mingkang",
    "Liu_Xiaoqing", "Liu_Ye", "Lucy_Liu", "Makiko_Tanaka", "Masahiko_Nagasawa", "Masamori_Tokuyama",
    "Masao_Azuma", "Masaru_Hayami", "Masatoshi_Koshiba", "Michelle_Kwan", "Michelle_Yeoh",
    "Nobuyuki_Idei", "Park_Jie-won", "Park_Jung_Sung", "Park_Na-kyong", "Princess_Masako", "Qian_Qichen",
    "Rod_Jong-il", "Roh_Moo-hyun", "Shinzo_Abe", "Suk_Chung_Hong", "Sun_Myung_Moon", "Sung_Hong_Choi",
    "Szu_Yu_Chen", "Takeo_Fukui", "Takeo_Hiranuma", "Tang_Jiaxuan", "Toshi_Izawa", "Toshihiko_Fukui",
    "Toshimitsu_Motegi", "Tung_Chee-hwa", "Vicki_Zhao_Wei", "Wang_Fei", "Wang_Hailan", "Wang_Nan",
    "Wang_Yi", "Wang_Yingfan", "Wen_Jiabao", "Wu_Peng", "Wu_Yi", "Yang_Hee_Kim", "Yang_Jianli",
    "Yang_Pao-yu", "Yao_Ming", "Yoko_Ono", "Yoriko_Kawaguchi", "Yoshiyuki_Kamei", "Yu_Shyi-kun",
    "Zhang_Wenkang", "Zhang_Yimou", "Zhang_Ziyi", "Zhu_Rongji",
)
# fmt: on
"""People of LFW with a Chinese, Japanese or Korean name, and photographs in which their eyes are narrow."""

EACH_PERSON = 3
"""Photographs of them, at most."""

FEWEST = 15
"""Pictures of a group, from which on it is told."""

SMALLEST = 112
"""px, side of a closed eyes' picture; they are cut close around the face."""

OPEN = 1000
"""People with open eyes."""

MARGIN = 0.3
"""Of black around a picture that is cut close, as a share of its side."""

GATE = 50

DAMAGED = 50
"""Pictures of each kind that are damaged."""

TAUGHT = 300
"""Pictures on which the network is compared with its teacher."""

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
    """Measure, print the figures, write results/apertures.json after each part."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--mesh", type=Path, default=Path("runs/face_mask/mesh"), help="folder of the mesh")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    data, meter = arguments.data, Meter()
    closed, opened = list(closed_eyes(data)), list(open_eyes(data))
    parts: dict[str, Callable[[], object]] = {
        "closed_and_open": lambda: closed_and_open(meter, closed, opened),
        "groups": lambda: {name: spread(meter(photos)) for name, photos in groups(data)},
        "teacher": lambda: teacher(meter, opened[:TAUGHT], arguments.mesh),
        "damage": lambda: dict(damage(meter, closed[:DAMAGED], opened[:DAMAGED])),
        "ms": lambda: timing(meter, opened[0]),
    }
    figures: dict = {"machine": machine()}
    for name, part in parts.items():
        figures[name] = part()
        print(name, json.dumps(figures[name], indent=1), flush=True)
        write("apertures", figures)


def closed_and_open(
    meter: Meter, closed: list[np.ndarray], opened: list[np.ndarray]
) -> dict[str, dict[str, object]]:
    """Closed eyes against open ones, and against these in the sizes of the closed ones."""
    shut, sides = meter(map(framed, closed)), np.array([len(photo) for photo in closed])
    return {
        "as they are": separation(shut, meter(opened)),
        "open ones in the sizes of closed ones": separation(shut, meter(resized(opened, sides))),
    }


def closed_eyes(data: Path) -> Iterator[np.ndarray]:
    """Pictures of people whose eyes are closed, RGB uint8, cut close, in an order of chance."""
    files = sorted((data / CLOSED).glob("*.jpg"))
    for index in np.random.default_rng(0).permutation(len(files)):
        photo = read(files[index])
        if len(photo) >= SMALLEST:
            yield photo


def open_eyes(data: Path) -> Iterator[np.ndarray]:
    """One picture of each of `OPEN` people of LFW, the middle of it, in an order of chance."""
    people = sorted(path for path in (data / OPEN_FACES).iterdir() if path.is_dir())
    for index in np.random.default_rng(0).permutation(len(people))[:OPEN]:
        yield read(min(people[index].glob("*.jpg")))


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
    """Groups of people, nearly all with open eyes, and their pictures."""
    pictures = [*fairness.london(data), *fairness.generated(data), *fairness.southasian(data)]
    named: dict[str, list[Path]] = {}
    for one in pictures:
        part = one.name.split("/")[0] if one.source == "london" else one.sex
        if one.group:
            named.setdefault(f"{one.source}, {part}, {one.group}", []).append(one.path)
    people = (data / OPEN_FACES / name for name in EAST_ASIAN)
    named["lfw, East Asian names"] = [
        path for folder in people for path in sorted(folder.glob("*.jpg"))[:EACH_PERSON]
    ]
    for name, paths in named.items():
        if len(paths) >= FEWEST:
            yield name, map(read, paths)


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


def teacher(meter: Meter, photos: Iterable[np.ndarray], folder: Path) -> dict[str, float]:
    """Correlations with MediaPipe's apertures, as shares of the distance from the eyes to its chin."""
    mesh, eyes, rows = FaceMesh(folder), Lids(folder), []
    for photo in photos:
        told, found = meter([photo]), meter.detector.detect(photo)
        if not found or np.isnan([*told.lids, *told.lips]).any():
            continue
        points = eyes(photo, mesh(photo, found[0])[0])
        apertures = min(expressions.lid_apertures(points)), expressions.lip_aperture(points)
        size = expressions.chin_distance(points)
        rows.append((told.lids[0], told.lips[0], apertures[0] / size, apertures[1] / size))
    lids, lips, their_lids, their_lips = np.array(rows).T
    return {
        "pictures": len(rows),
        "lids": float(np.corrcoef(lids, their_lids)[0, 1]),
        "lips": float(np.corrcoef(lips, their_lips)[0, 1]),
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


if __name__ == "__main__":
    main()
