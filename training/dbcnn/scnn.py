"""Pre-train the S-CNN: which synthetic distortion, at which level? Goes on where an interrupted run stopped.

As published (Zhang et al., 2018): cross-entropy over 39 classes, SGD with momentum; smaller crops and fewer
steps, for a CPU.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, IterableDataset

sys.path.append(str(Path(__file__).parents[2]))

from faceqa.networks.dbcnn import IMAGENET_MEAN, IMAGENET_STD, SCNN_CHANNELS, scnn_features
from training.dbcnn.crops import read
from training.dbcnn.distortions import CLASSES
from training.weights_io import load_checkpoint, save_checkpoint

PATCH = 192
"""px; what is spoilt."""
CROP = 128
"""px; what of it the network sees."""
BATCH = 39
STEPS = 560
TOP_RATE = 0.05
MOMENTUM = 0.9
WEIGHT_DECAY = 5e-4
CHECKPOINT_STEPS = 100


class Scnn(nn.Module):
    """The features of the published S-CNN with its classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.features = scnn_features()
        self.projection = nn.Sequential(
            *(nn.Linear(SCNN_CHANNELS, 256), nn.BatchNorm1d(256), nn.ReLU()),
            *(nn.Linear(256, 256), nn.BatchNorm1d(256), nn.ReLU()),
        )
        self.classifier = nn.Linear(256, len(CLASSES))
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """RGB by ImageNet's mean and deviation (N, 3, H, W) -> logits (N, 39)."""
        return self.classifier(self.projection(self.features(image).mean(dim=(2, 3)).float()))


class Spoilt(IterableDataset):
    """Endless batches of one sample of each class: images uint8 (39, 3, 128, 128), classes (39,)."""

    def __init__(self, pictures: list[np.ndarray], seed: int):
        self.pictures, self.seed = pictures, seed

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Draw for ever; every worker has its own randomness."""
        info = torch.utils.data.get_worker_info()
        rng = np.random.default_rng([self.seed, info.id if info else 0])
        while True:
            batch = np.stack([self.sample(label, rng) for label in range(BATCH)])
            yield torch.from_numpy(batch.transpose(0, 3, 1, 2).copy()), torch.arange(BATCH)

    def sample(self, label: int, rng: np.random.Generator) -> np.ndarray:
        """A crop of a patch that was spoilt as the class says."""
        picture = self.pictures[rng.integers(len(self.pictures))]
        patch = np.ascontiguousarray(cut(picture, PATCH, rng)[:, :: rng.choice([-1, 1])])
        return cut(CLASSES[label](patch, rng), CROP, rng)


def cut(image: np.ndarray, side: int, rng: np.random.Generator) -> np.ndarray:
    """A random square."""
    y, x = (int(rng.integers(0, length - side + 1)) for length in image.shape[:2])
    return image[y : y + side, x : x + side]


def pristine(data: Path, run: Path) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Photographs of BSDS500 and sharp faces: for training, and held out."""
    paths = sorted((data / "BSDS500/BSDS500/data/images").rglob("*.jpg"))
    photos = [read(path) for path in paths]
    faces = np.load(run / "sharp.npz")
    images, held_out = faces["image"], faces["held_out"]
    return [*photos[50:], *images[~held_out]], [*photos[:50], *images[held_out]]


def main() -> None:
    """Train; writes scnn.pt on the way and at the end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--run", type=Path, default=Path("runs/dbcnn"))
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--workers", type=int, default=1)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)  # a worker that is forked from a process with OpenCV's threads waits for ever
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    learnt, held_out = pristine(arguments.data, arguments.run)
    net = Scnn().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
    optimizer = torch.optim.SGD(
        net.parameters(), lr=TOP_RATE, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY, nesterov=True
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, TOP_RATE, arguments.steps, pct_start=0.1)
    path = arguments.run / "scnn.pt"
    step = load_checkpoint(path, device, net=net, optimizer=optimizer, schedule=schedule)
    stream = Spoilt(learnt, seed=step)
    batches = iter(DataLoader(stream, batch_size=None, num_workers=arguments.workers))
    started, hits, losses = time.monotonic(), [], []
    while step < arguments.steps:
        images, labels = (part.to(device) for part in next(batches))
        with torch.autocast(device.type, torch.bfloat16):
            logits = net(normal(images)).float()
        loss = nn.functional.cross_entropy(logits, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        step += 1
        losses.append(loss.item())
        hits.append((logits.argmax(1) == labels).float().mean().item())
        if step % 25 == 0:
            minutes = (time.monotonic() - started) / 60
            means = np.mean(losses[-25:]), np.mean(hits[-25:])
            print(f"{step} loss {means[0]:.3f} accuracy {means[1]:.3f} {minutes:.1f} min", flush=True)
        if step % CHECKPOINT_STEPS == 0 or step == arguments.steps:
            save_checkpoint(path, step, net=net, optimizer=optimizer, schedule=schedule)
    print("accuracy on held-out pictures:", validate(net, held_out, device))


def normal(images: torch.Tensor) -> torch.Tensor:
    """RGB uint8 (N, 3, H, W) -> by ImageNet's mean and deviation."""
    mean, std = (
        torch.tensor(values, device=images.device).view(1, 3, 1, 1)
        for values in (IMAGENET_MEAN, IMAGENET_STD)
    )
    return ((images.float() / 255 - mean) / std).contiguous(memory_format=torch.channels_last)


@torch.inference_mode()
def validate(net: Scnn, pictures: list[np.ndarray], device: torch.device, batches: int = 10) -> float:
    """Share of the classes found."""
    net.eval()
    stream = iter(Spoilt(pictures, seed=1))
    hits = []
    for _ in range(batches):
        images, labels = (part.to(device) for part in next(stream))
        hits.append((net(normal(images)).argmax(1) == labels).float().mean().item())
    return round(float(np.mean(hits)), 3)


if __name__ == "__main__":
    main()
