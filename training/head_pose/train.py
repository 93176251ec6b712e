"""Teach the head for poses; some minutes on two cores.

python training/head_pose/train.py     # runs/head_pose/head_pose.safetensors
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

sys.path.append(str(Path(__file__).parents[2]))

from faceqa.faces.pose import pose_of_rotation
from faceqa.networks.head_pose import HeadPose
from training.head_pose.samples import NAMES
from training.weights_io import save_half

EPOCHS = 24
BATCH = 64
RATE = 1.5e-3
WEIGHT_DECAY = 0.05

YAW_BINS = ((0, 20), (20, 45), (45, 60), (60, 75), (75, 100))


@dataclass(frozen=True)
class Samples:
    """The encoder's maps, and what the head should say of them, see `HeadPose`."""

    middle: Tensor
    high: Tensor
    rotation: Tensor

    @classmethod
    def read(cls, path: Path) -> Samples:
        """What samples.py wrote."""
        with np.load(path) as kept:
            middle, high, rotation = (torch.from_numpy(kept[name]) for name in NAMES)
        return cls(middle, high, rotation.float())

    def maps(self, rows: Tensor | slice) -> tuple[Tensor, Tensor]:
        """What the head sees of samples."""
        return self.middle[rows].float(), self.high[rows].float()


def main() -> None:
    """Train, write the weights, and print the errors on faces that are held out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, default=Path("runs/head_pose"))
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    arguments = parser.parse_args()
    head = train(Samples.read(arguments.run / "samples.npz"), arguments.epochs)
    save_half(head.state_dict(), arguments.run / "head_pose.safetensors")
    report(head, Samples.read(arguments.run / "held_out.npz"))


def train(samples: Samples, epochs: int) -> HeadPose:
    """Train a head on all samples."""
    torch.manual_seed(0)
    head = HeadPose()
    count = len(samples.rotation)
    optimizer = torch.optim.AdamW(head.parameters(), RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=epochs * (count // BATCH))
    for epoch in range(epochs):
        losses = []
        for rows in torch.randperm(count)[: count // BATCH * BATCH].view(-1, BATCH):
            loss = distance(head(*samples.maps(rows)), samples.rotation[rows]).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        print(epoch + 1, round(float(np.mean(losses)), 3), flush=True)
    return head.eval()


def distance(first: Tensor, second: Tensor) -> Tensor:
    """Frobenius norm of what rotations (N, 3, 3) differ by: it grows with the angle between them."""
    return (first - second).square().sum((1, 2)).add(1e-6).sqrt()


@torch.inference_mode()
def report(head: HeadPose, samples: Samples) -> None:
    """Mean absolute errors in degrees by yaw."""
    parts = [head(*samples.maps(slice(i, i + BATCH))) for i in range(0, len(samples.rotation), BATCH)]
    true, told = angles(samples.rotation), angles(torch.cat(parts))
    errors = np.abs((told - true + 180) % 360 - 180)
    for low, high in YAW_BINS:
        rows = (np.abs(true[:, 0]) >= low) & (np.abs(true[:, 0]) < high)
        shown = errors[rows].mean(0).round(2)
        print(f"yaw {low} to {high}: {rows.sum()} views, yaw, pitch, roll off by {shown}")


def angles(rotations: Tensor) -> np.ndarray:
    """Yaw, pitch and roll in degrees: (N, 3)."""
    poses = [pose_of_rotation(rotation) for rotation in rotations.numpy()]
    return np.array([(pose.yaw, pose.pitch, pose.roll) for pose in poses if pose is not None])


if __name__ == "__main__":
    main()
