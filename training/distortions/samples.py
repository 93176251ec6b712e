"""What each damage costs in DBCNN, and the features of many damaged faces: what the head is taught with.

python training/dbcnn/crops.py               # runs/dbcnn/sharp.npz
python training/distortions/samples.py       # runs/distortions/{costs.json,samples.npz,held_out.npz}
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
import torch
from tqdm import tqdm

sys.path.append(str(Path(__file__).parents[2]))

from faceqa.engines.torch import dbcnn_network
from faceqa.faces.mask import remove_background
from faceqa.measures.distortions import FULL_COST
from faceqa.networks.dbcnn import SCALE
from faceqa.networks.distortions import pooled
from training.dbcnn.distortions import jpeg
from training.dbcnn.series import cut
from training.distortions.damage import KINDS, Damage, mixture, ratio

GRADES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
"""Strengths at which the costs are taken."""

COST_FACES = 32

EACH = 4
"""Samples of a face."""

BATCH = 64


class Features:
    """DB-CNN, with what its score comes from."""

    def __init__(self) -> None:
        self._net = dbcnn_network().net.eval()

    @torch.inference_mode()
    def __call__(self, images: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """RGB uint8 (N, 384, 384, 3) -> DBCNN (N,) and pooled features float32 (N, D)."""
        scores, features = [], []
        for image in images:
            maps = self._net.features(torch.from_numpy(image)[None].permute(0, 3, 1, 2).float() / 255)
            scores.append(SCALE * float(self._net.score(*maps)[0]))
            features.append(pooled(*maps)[0].numpy())
        return np.array(scores), np.stack(features)


def main() -> None:
    """Write costs.json, samples.npz and held_out.npz."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--faces", type=Path, default=Path("runs/dbcnn/sharp.npz"))
    parser.add_argument("--run", type=Path, default=Path("runs/distortions"))
    parser.add_argument("--each", type=int, default=EACH)
    arguments = parser.parse_args()
    arguments.run.mkdir(parents=True, exist_ok=True)
    faces = np.load(arguments.faces)
    images, outlines, held_out = faces["image"], faces["outline"], faces["held_out"]
    network = Features()
    costs_path = arguments.run / "costs.json"
    if not costs_path.exists():
        chosen = np.random.default_rng(1).permutation(np.flatnonzero(~held_out))[:COST_FACES]
        costs_path.write_text(json.dumps(costs(network, images[chosen], outlines[chosen]), indent=1) + "\n")
    for name, kept, each in (("samples", ~held_out, arguments.each), ("held_out", held_out, 2)):
        chosen = np.flatnonzero(kept)
        jobs = ((images[face], outlines[face], int(face), seed) for seed in range(each) for face in chosen)
        write(network, jobs, each * len(chosen), arguments.run / f"{name}.npz")


def costs(network: Features, images: np.ndarray, outlines: np.ndarray) -> dict[str, list[float]]:
    """By way, the DBCNN points that each of `GRADES` costs on average, never less than a weaker one."""
    clean = network([masked(*pair) for pair in zip(images, outlines, strict=True)])[0]
    found = {}
    for kind, ways in KINDS.items():
        for way in ways:
            drops = []
            for grade in GRADES:
                spoilt = [
                    masked(Damage(kind, way.name, grade, number)(image), outline)
                    for number, (image, outline) in enumerate(zip(images, outlines, strict=True))
                ]
                drops.append(float((clean - network(spoilt)[0]).mean()))
            found[way.name] = np.maximum.accumulate(np.maximum(drops, 0)).round(2).tolist()
            print(f"{kind:15} {way.name:14} {found[way.name]}", flush=True)
    return found


def masked(image: np.ndarray, outline: np.ndarray) -> np.ndarray:
    """The face without its background; outline uint8 (H, W)."""
    return remove_background(image, outline.astype(np.float32) / 255)


def write(network: Features, jobs: Iterator, count: int, path: Path) -> None:
    """Features, damages and faces of samples."""
    features, ways, shown = [], [], []
    with (
        ProcessPoolExecutor(2, get_context("spawn")) as pool,
        tqdm(total=count, desc=path.stem, mininterval=20) as bar,
    ):
        while batch := list(islice(jobs, BATCH)):
            made = list(pool.map(sample, batch, chunksize=8))
            features.append(network([image for image, _ in made])[1].astype(np.float16))
            ways += [[(one.kind, one.way, one.strength) for one in damages] for _, damages in made]
            shown += [face for _, _, face, _ in batch]
            bar.update(len(batch))
    np.savez(path, features=np.concatenate(features), damages=json.dumps(ways), face=np.array(shown))


def sample(job: tuple[np.ndarray, np.ndarray, int, int]) -> tuple[np.ndarray, list[Damage]]:
    """A face, mirrored or not, spoilt and cut out as the mask or another one would."""
    cv2.setNumThreads(1)
    image, outline, face, seed = job
    rng = np.random.default_rng([face, seed])
    if rng.random() < 0.5:
        image, outline = image[:, ::-1].copy(), outline[:, ::-1].copy()
    damages = mixture(rng)
    for damage in damages:
        image = damage(image)
    if not any(one.kind == "compression" for one in damages) and rng.random() < 0.4:
        image = jpeg(image, int(rng.integers(88, 99)))
    inside = cut(outline, rng) if rng.random() < 0.3 else outline.astype(np.float32) / 255
    return remove_background(image, inside), damages


def targets(damages: Sequence[tuple[str, str, float]], costs: dict[str, list[float]]) -> dict[str, float]:
    """Severity by kind, and as `detail` the side that the detail fills as a share of the picture's.

    What was scaled down after it became noisy is as much less noisy. A blurred picture has the detail of the
    enlarged one that costs as much.
    """
    found = {"detail": 1.0}
    left = min((ratio(strength) for kind, _, strength in damages if kind == "low_resolution"), default=1.0)
    for kind, way, strength in damages:
        cost = float(np.interp(strength, GRADES, costs[way]))
        severity = min(1.0, cost / FULL_COST)
        found[kind] = severity * left if kind == "noise" else severity
        if kind in ("blur", "low_resolution"):
            found["detail"] = min(found["detail"], ratio(float(np.interp(cost, costs["resolution"], GRADES))))
    return found


if __name__ == "__main__":
    main()
