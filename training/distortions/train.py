"""Teach the head that tells distortions; a minute on two cores.

python training/distortions/train.py     # runs/distortions/distortions.safetensors
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

sys.path.append(str(Path(__file__).parents[2]))

from faceqa.networks.distortions import OUTPUTS, DistortionHead
from training.distortions.samples import targets
from training.weights_io import save_half

EPOCHS = 60
BATCH = 128
RATE = 1e-3
WEIGHT_DECAY = 0.05

VALIDATION = 0.1
"""Share of the faces that choose nothing but are looked at while it learns."""


@dataclass(frozen=True)
class Samples:
    """Features (N, 512), targets (N, 5) in the order of `OUTPUTS`, the faces (N,), and the damages."""

    features: Tensor
    targets: Tensor
    face: np.ndarray
    damages: list[list[tuple[str, str, float]]]

    @classmethod
    def read(cls, path: Path, costs: dict[str, list[float]]) -> Samples:
        """What samples.py wrote."""
        kept = np.load(path)
        damages = json.loads(str(kept["damages"]))
        wanted = [targets(one, costs) for one in damages]
        columns = [[one.get(name, 0.0) for name in OUTPUTS] for one in wanted]
        return cls(torch.from_numpy(kept["features"]).float(), torch.tensor(columns), kept["face"], damages)


def main() -> None:
    """Train and write the weights."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, default=Path("runs/distortions"))
    arguments = parser.parse_args()
    costs = json.loads((arguments.run / "costs.json").read_text(encoding="utf-8"))
    samples = Samples.read(arguments.run / "samples.npz", costs)
    head = train(samples)
    save_half(head.state_dict(), arguments.run / "distortions.safetensors")


def train(samples: Samples) -> DistortionHead:
    """Regression of severities and of the detail's logarithm, faces kept apart from those looked at."""
    torch.manual_seed(0)
    torch.set_num_threads(1)  # the layers are small
    rng = np.random.default_rng(0)
    faces = rng.permutation(np.unique(samples.face))
    looked_at = torch.from_numpy(np.isin(samples.face, faces[: round(VALIDATION * len(faces))]))
    features, wanted = samples.features[~looked_at], samples.targets[~looked_at]
    head = DistortionHead()
    head.mean.copy_(features.mean(0))
    head.deviation.copy_(features.std(0) + 0.05)
    steps = EPOCHS * (len(features) // BATCH)
    optimizer = torch.optim.AdamW(head.parameters(), RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    for epoch in range(EPOCHS):
        head.train()
        order = torch.randperm(len(features))
        for rows in order[: len(order) // BATCH * BATCH].view(-1, BATCH):
            optimizer.zero_grad()
            loss(head.of_pooled(features[rows]), wanted[rows]).backward()
            optimizer.step()
            schedule.step()
        if epoch % 10 == 9:
            head.eval()
            with torch.inference_mode():
                found = head.of_pooled(samples.features[looked_at])
            errors = (found - samples.targets[looked_at]).abs().mean(0)
            print(epoch + 1, {name: round(float(e), 3) for name, e in zip(OUTPUTS, errors, strict=True)})
    return head.eval()


def loss(found: Tensor, wanted: Tensor) -> Tensor:
    """Smooth absolute error; of the detail's side that of its logarithm."""
    scaled = torch.cat([found[:, :-1], found[:, -1:].log()], dim=1)
    aim = torch.cat([wanted[:, :-1], wanted[:, -1:].log()], dim=1)
    return nn.functional.smooth_l1_loss(scaled, aim, beta=0.1)


if __name__ == "__main__":
    main()
