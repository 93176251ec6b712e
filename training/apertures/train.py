"""Teach the networks of eyes and mouth; some minutes on a core.

python training/apertures/train.py     # runs/apertures/apertures.safetensors
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

sys.path.append(str(Path(__file__).parents[2]))

from faceqa.networks.apertures import SIZE, Aperture, Apertures
from training.apertures.samples import NAMES
from training.auc import auc
from training.weights_io import Average, save_half

EPOCHS = 24
BATCH = 64
RATE = 2e-3
WEIGHT_DECAY = 0.05

BETA = {"lids": 0.01, "lips": 0.03}
"""Errors, in units of the face, from which on they count in proportion."""

VALIDATION = 10
"""One face in this many chooses, and is not learnt from."""

SHUT, OPEN = 0.012, 0.035
"""Lid apertures, as shares of the distance from the eyes to the chin, below and above which the printed AUC
takes an eye for shut and open."""


@dataclass(frozen=True)
class Samples:
    """What samples.py wrote; see there."""

    patches: Tensor
    apertures: Tensor
    known: Tensor
    chin: Tensor
    yaw: Tensor
    face: Tensor

    @classmethod
    def read(cls, path: Path) -> Samples:
        """From a file."""
        with np.load(path) as kept:
            return cls(*(torch.from_numpy(kept[name]) for name in NAMES))

    def of(self, rows: Tensor) -> Samples:
        """Some of them."""
        return Samples(*(getattr(self, name)[rows] for name in NAMES))

    def eyes(self) -> tuple[Tensor, Tensor, Tensor]:
        """Patches of eyes that are seen, uint8 (N, 3, 48, 64), their apertures, and these as shares."""
        return self._those([0, 1])

    def mouths(self) -> tuple[Tensor, Tensor, Tensor]:
        """Likewise of mouths."""
        return self._those([2])

    def _those(self, places: list[int]) -> tuple[Tensor, Tensor, Tensor]:
        cut = self.patches.permute(0, 3, 1, 2).split(SIZE[0], dim=2)
        patches = torch.cat([cut[place][self.known[:, place]] for place in places])
        wanted = torch.cat([self.apertures[self.known[:, place], place] for place in places])
        chins = torch.cat([self.chin[self.known[:, place]] for place in places])
        return patches, wanted, (wanted / chins).float()


def main() -> None:
    """Train, write the weights, and print the errors on faces that are held out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, default=Path("runs/apertures"))
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--held-out", action="store_true", help="measure on the faces that are held out")
    arguments = parser.parse_args()
    samples = Samples.read(arguments.run / "samples.npz")
    looked_at = samples.face % VALIDATION == 0
    net = Apertures()
    for name, part in (("lids", net.lids), ("lips", net.lips)):
        torch.manual_seed(0)
        train(part, *chosen(samples.of(~looked_at), name), arguments.epochs, BETA[name])
        report(name, part, *chosen(samples.of(looked_at), name))
    save_half(net.state_dict(), arguments.run / "apertures.safetensors")
    if arguments.held_out:
        held_out = Samples.read(arguments.run / "held_out.npz")
        for name, part in (("lids", net.lids), ("lips", net.lips)):
            report(f"held out, {name}", part, *chosen(held_out, name))


def chosen(samples: Samples, name: str) -> tuple[Tensor, Tensor, Tensor]:
    """The patches of a network."""
    return samples.eyes() if name == "lids" else samples.mouths()


def train(net: Aperture, patches: Tensor, wanted: Tensor, _shares: Tensor, epochs: int, beta: float) -> None:
    """Regression of apertures; what is kept is the average of the weights."""
    optimizer = torch.optim.AdamW(net.parameters(), RATE, weight_decay=WEIGHT_DECAY)
    steps = epochs * (len(patches) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    average, step = Average(net), 0
    for epoch in range(epochs):
        net.train()
        losses = []
        for rows in torch.randperm(len(patches))[: len(patches) // BATCH * BATCH].view(-1, BATCH):
            seen, aim = varied(patches[rows].float(), wanted[rows])
            loss = functional.smooth_l1_loss(net(seen), aim, beta=beta)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            step += 1
            average.update(net, step)
            losses.append(loss.item())
        print(epoch + 1, f"{np.mean(losses):.5f}", flush=True)
    net.load_state_dict(average.weights)
    net.eval()


def varied(patches: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """Patches (N, 3, 48, 64), each of another place, size, tilt and colour, and what is wanted of them."""
    count = len(patches)
    angle, size = 0.08 * torch.randn(count), (0.06 * torch.randn(count)).exp()
    ratio = SIZE[0] / SIZE[1]
    cos, sin, zero = size * angle.cos(), size * angle.sin(), 0.05 * torch.randn(count, 2)
    rows = [
        torch.stack([cos, -sin * ratio, zero[:, 0]], dim=1),
        torch.stack([sin / ratio, cos, zero[:, 1]], dim=1),
    ]
    grid = functional.affine_grid(torch.stack(rows, dim=1), list(patches.shape), align_corners=False)
    moved = functional.grid_sample(patches, grid, padding_mode="border", align_corners=False)
    grey = moved.mean(dim=1, keepdim=True)
    coloured = (
        grey + (moved - grey) * (1 + 0.3 * torch.randn(count, 1, 1, 1)) + 6 * torch.randn(count, 3, 1, 1)
    )
    return coloured, wanted / size


@torch.inference_mode()
def report(name: str, net: Aperture, patches: Tensor, wanted: Tensor, shares: Tensor) -> None:
    """Error, correlation, and for lids how well shut eyes are told from open ones."""
    told = torch.cat([net(part.float()) for part in patches.split(256)])
    errors = (told - wanted).abs()
    line = f"{name}: {len(told)} patches, off by {errors.mean():.4f} units, median {errors.median():.4f}"
    line += f", correlation {np.corrcoef(told, wanted)[0, 1]:.3f}"
    if "lids" in name:
        line += f", AUC of shut and open {auc(told[shares > OPEN].numpy(), told[shares < SHUT].numpy()):.4f}"
    print(line, flush=True)


if __name__ == "__main__":
    main()
