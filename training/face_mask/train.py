"""Train the face mask network on the prepared faces; goes on where an interrupted run stopped.

The learning happens at small sizes first, which are cheap, and ends at the size at which the network is used.
"""

from __future__ import annotations

import argparse
import math
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

from faceqa.networks.face_mask import FaceMaskNet
from training.face_mask.samples import Faces, Sample
from training.weights_io import Average, load_checkpoint, load_imagenet, save_checkpoint, save_half

STAGES = ((128, 24, 12000), (192, 16, 9000), (256, 12, 6000), (256, 12, 34000))
"""Side in px, batch size and number of samples, one after the other; the last on refined labels."""

LEARNING_RATE = {"encoder": 4e-4, "decoder": 2e-3}
WEIGHT_DECAY = 0.01
WARM_UP = 60
"""Steps."""

VALIDATION_SAMPLES = 240
CHECKPOINT_SECONDS = 180


class Stream(IterableDataset):
    """Endless batches of samples: images uint8, targets uint8, and whether `visible` is labelled."""

    def __init__(self, faces_folder: Path, data: Path, size: int, batch: int, seed: int):
        self.faces_folder, self.data, self.size, self.batch, self.seed = faces_folder, data, size, batch, seed

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
        """Draw for ever; every worker and every stage has its own randomness."""
        cv2.setNumThreads(1)
        info = torch.utils.data.get_worker_info()
        rng = np.random.default_rng([self.seed, info.id if info else 0])
        faces = Faces(self.faces_folder, self.data, held_out=False)
        while True:
            yield collate([faces.sample(faces.draw(rng), rng, self.size) for _ in range(self.batch)])


def collate(samples: list[Sample]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Samples -> images (N, 3, S, S) uint8, targets (N, 2, S, S) uint8, known (N,) bool."""
    images = np.stack([sample.image for sample in samples]).transpose(0, 3, 1, 2)
    targets = np.stack([np.stack([sample.outline, sample.visible]) for sample in samples])
    known = torch.tensor([sample.known for sample in samples])
    return torch.from_numpy(np.ascontiguousarray(images)), torch.from_numpy(targets), known


def main() -> None:
    """Parse the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--faces", type=Path, default=Path("runs/face_mask/faces"))
    parser.add_argument("--run", type=Path, default=Path("runs/face_mask/run"))
    parser.add_argument("--start", type=Path, help="weights to begin with instead of the ImageNet encoder")
    parser.add_argument("--samples", type=float, default=1.0, help="factor on the number of samples")
    parser.add_argument(
        "--stages", type=int, nargs="*", default=range(len(STAGES)), help="which stages to run, from 0"
    )
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--rate", type=float, default=1.0, help="factor on the learning rate")
    arguments = parser.parse_args()
    arguments.run.mkdir(parents=True, exist_ok=True)
    train(arguments)


def train(arguments: argparse.Namespace) -> None:
    """All stages under one cosine; writes last.pt on the way and weights.safetensors at the end."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(0)
    net = FaceMaskNet()
    load_imagenet(net.unet.encoder)
    if arguments.start:
        net.load_state_dict(torch.load(arguments.start, weights_only=True)["ema"])
    net.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
    average = Average(net)
    optimizer = torch.optim.AdamW(
        [
            {
                "params": part,
                "lr": LEARNING_RATE[name] * arguments.rate,
                "top": LEARNING_RATE[name] * arguments.rate,
            }
            for name, part in parts(net).items()
        ],
        weight_decay=WEIGHT_DECAY,
    )
    plan = [
        (size, batch)
        for k in arguments.stages
        for size, batch, count in [STAGES[k]]
        for _ in range(int(count * arguments.samples / batch))
    ]
    last = arguments.run / "last.pt"
    step = load_checkpoint(last, device, net=net, ema=average, optimizer=optimizer)
    started = saved = time.monotonic()
    batches: Iterator[tuple[torch.Tensor, ...]] = iter(())
    shown = None
    losses: list[float] = []
    while step < len(plan):
        size, batch = plan[step]
        if shown != size:
            shown = size
            stream = Stream(arguments.faces, arguments.data, size, batch, seed=step + 1)
            batches = iter(
                DataLoader(stream, batch_size=None, num_workers=arguments.workers, prefetch_factor=4)
            )
        share = min(1.0, (step + 1) / WARM_UP) * 0.5 * (1 + math.cos(math.pi * step / len(plan)))
        for group in optimizer.param_groups:
            group["lr"] = group["top"] * max(share, 0.01)
        losses.append(advance(net, optimizer, next(batches), device))
        step += 1
        average.update(net, step)
        if step % 25 == 0:
            minutes = (time.monotonic() - started) / 60
            print(
                f"{step}/{len(plan)} side {size} loss {np.mean(losses[-25:]):.4f} {minutes:.1f} min",
                flush=True,
            )
        if time.monotonic() - saved > CHECKPOINT_SECONDS or step == len(plan):
            saved = time.monotonic()
            save_checkpoint(last, step, net=net, ema=average, optimizer=optimizer)
    save_half(average.weights, arguments.run / "weights.safetensors")
    net.load_state_dict(average.weights)
    print(validate(net, arguments, device))


def parts(net: FaceMaskNet) -> dict[str, list[nn.Parameter]]:
    """The two groups of parameters with learning rates of their own."""
    decoder = [*net.unet.decoder.parameters(), *net.unet.segmentation_head.parameters()]
    return {"encoder": list(net.unet.encoder.parameters()), "decoder": decoder}


def advance(net: FaceMaskNet, optimizer: torch.optim.Optimizer, batch: tuple, device: torch.device) -> float:
    """One step on one batch; the decoder runs in bfloat16, which halves its time."""
    net.train()
    images, targets, known = (part.to(device) for part in batch)
    images = (images.float() / 127.5 - 1).contiguous(memory_format=torch.channels_last)
    features = net.unet.encoder(images)
    with torch.autocast(device.type, torch.bfloat16):
        logits = net.unet.segmentation_head(net.unet.decoder(features))
    loss = mask_loss(logits.float(), targets.float() / 255, known)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(net.parameters(), 5.0)
    optimizer.step()
    return loss.item()


def mask_loss(logits: torch.Tensor, targets: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    """Binary cross-entropy and soft Dice of both maps; `visible` counts only where it is labelled."""
    weight = torch.stack([torch.ones_like(known), known], dim=1).float()
    entropy = nn.functional.binary_cross_entropy_with_logits(logits, targets, reduction="none").mean(
        dim=(2, 3)
    )
    probability = logits.sigmoid()
    common = (probability * targets).sum(dim=(2, 3))
    dice = 1 - (2 * common + 50) / (probability.sum(dim=(2, 3)) + targets.sum(dim=(2, 3)) + 50)
    return ((entropy + dice) * weight).sum() / weight.sum()


@torch.inference_mode()
def validate(net: FaceMaskNet, arguments: argparse.Namespace, device: torch.device) -> dict[str, float]:
    """IoU of both maps and the error of the occlusion on held-out faces with held-out things before them."""
    net.eval()
    faces, rng = Faces(arguments.faces, arguments.data, held_out=True), np.random.default_rng(1)
    figures = []
    for _ in range(VALIDATION_SAMPLES):
        sample = faces.sample(faces.draw(rng), rng, 256)
        if not sample.known:
            continue
        images, targets, _ = collate([sample])
        maps = net(images.to(device).float() / 127.5 - 1)[0].sigmoid().cpu() > 0.5
        truth = targets[0] > 127
        overlap = (maps & truth).sum(dim=(1, 2)) / (maps | truth).sum(dim=(1, 2)).clamp(min=1)
        hidden = [1 - (m[0] & m[1]).sum() / m[0].sum().clamp(min=1) for m in (maps, truth)]
        figures.append([*overlap.tolist(), abs(hidden[0] - hidden[1]).item()])
    means = np.mean(figures, axis=0)
    return dict(zip(("outline", "visible", "occlusion error"), means.round(4).tolist(), strict=True))


if __name__ == "__main__":
    main()
