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
import openvino
from tqdm import tqdm

sys.path.append(str(Path(__file__).parents[2]))

from faceqa import weights
from faceqa.faces.mask import remove_background
from training.dbcnn.distortions import jpeg
from training.dbcnn.series import cut
from training.distortions.damage import KINDS, Damage, mixture, ratio

GRADES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
"""Strengths at which the costs are taken."""

COST_FACES = 32

FULL = 40.0
"""DBCNN points that a damage of severity 1 costs a sharp face."""

EACH = 6
"""Samples of a face."""

SYNTHETIC = "__module.net.features2"
AUTHENTIC = "__module.net.features1/aten::relu/Relu"
WEIGHT = "__module.net/aten::div/Divide_1"
"""Names of layers of DB-CNN in weights/iqa.xml: of the branch for synthetic distortions the last; of the
other one the last; and the weight of each position."""

BATCH = 64


class Features:
    """DB-CNN as it ships, with what its score comes from."""

    def __init__(self) -> None:
        core = openvino.Core()
        files = (weights.fetch(weights.find("iqa", "open", form)) for form in ("openvino", "openvino-bin"))
        model = core.read_model(*files)
        layers = {layer.get_friendly_name(): layer for layer in model.get_ordered_ops()}
        last = [name for name in layers if name.startswith(SYNTHETIC)][-1]
        model.add_outputs([layers[name].output(0) for name in (last, AUTHENTIC, WEIGHT)])
        model.reshape([1, 384, 384, 3])
        self._network = openvino.AsyncInferQueue(
            core.compile_model(model, "CPU", {"PERFORMANCE_HINT": "THROUGHPUT"})
        )
        self._found: dict[int, tuple[float, np.ndarray]] = {}
        self._network.set_callback(self._keep)

    def __call__(self, images: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """RGB uint8 (N, 384, 384, 3) -> DBCNN (N,) and pooled features float32 (N, D)."""
        self._found.clear()
        for number, image in enumerate(images):
            self._network.start_async([image[None]], number)
        self._network.wait_all()
        found = [self._found[number] for number in range(len(images))]
        return np.array([score for score, _ in found]), np.stack([pooled for _, pooled in found])

    def _keep(self, request: openvino.InferRequest, number: int) -> None:
        score, synthetic, authentic, weight = (np.array(request.get_output_tensor(i).data) for i in range(4))
        self._found[number] = float(score[0]), pooled(synthetic[0], authentic[0], weight[0])


def pooled(synthetic: np.ndarray, authentic: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """As `networks.distortions.pooled`: (128, h, w), (256, h, w), (1, h, w), which sums to 1 -> (512,)."""
    mean = (synthetic * weight).sum((1, 2))
    spread = np.sqrt((np.square(synthetic - mean[:, None, None]) * weight).sum((1, 2)) + 1e-8)
    return np.concatenate([mean, spread, (authentic * weight).sum((1, 2))])


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
        severity = min(1.0, cost / FULL)
        found[kind] = severity * left if kind == "noise" else severity
        if kind in ("blur", "low_resolution"):
            found["detail"] = min(found["detail"], ratio(float(np.interp(cost, costs["resolution"], GRADES))))
    return found


if __name__ == "__main__":
    main()
