"""Fine-tune the layers above the prepared features; goes on where an interrupted run stopped.

Every step sees pictures with opinion scores, faces cut out of such pictures, most of them on black, and
series of faces in grades of damage.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from scipy.stats import pearsonr, spearmanr
from torch import nn
from torch.utils.data import DataLoader, IterableDataset

sys.path.append(str(Path(__file__).parents[2]))

from faceqa.networks.dbcnn import DbcnnNet
from training.dbcnn.crops import biq2021, validation
from training.dbcnn.features import CUTS, lite0, start
from training.dbcnn.series import LEVELS, VIEWS
from training.weights_io import Average, load_checkpoint, save_checkpoint, save_half

STEPS = 1050
PICTURES, FACES, SERIES = 24, 2, 1
"""Of each kind in a batch."""

RATES = {"fc": 5e-4, "features1.mix": 1e-3, "features1": 2.5e-4}
"""Learning rates of the parameters by the beginning of their name."""
WEIGHT_DECAY = 0.02
HEAD_STEPS = 60
"""At first, in which only the head learns, as published."""

SIDES = (16, 18, 20, 24)
"""Sides of the windows that are learnt from, on the grid of stride 16: 256 to 384 px."""

CHUNK = 8
"""Pictures that go through the layers together: on a CPU larger tensors leave its caches."""

MOS_DEVIATION = 0.17
"""Standard deviation of the opinion scores, on the scale [0, 1]."""

SMALLEST_GAP = 0.012
"""By which a grade should score lower than the one before, at least."""

TOP = 0.8
"""About where the best tenth of the opinion scores begins: what a sharp face should have, weakly."""

CHECKPOINT_SECONDS = 120
VALIDATION_STEPS = 400


class Group:
    """The prepared features of one group of pictures."""

    def __init__(self, run: Path, name: str):
        self.arrays = [
            np.load(run / f"{part}_{name}.npy", mmap_mode="r") for part in ("low", "synthetic", "weight")
        ]

    def __len__(self) -> int:
        return len(self.arrays[0])

    def window(self, row: int, y: int, x: int, side: int) -> list[np.ndarray]:
        """A window of a picture's features, in cells of the grid of stride 16."""
        low, synthetic, weight = self.arrays
        return [
            low[row, :, 2 * y : 2 * (y + side), 2 * x : 2 * (x + side)],
            synthetic[row, :, y : y + side, x : x + side],
            weight[row, :, y : y + side, x : x + side],
        ]


class Data:
    """Groups, opinion scores and drops; `held_out` takes the validation slice of each."""

    def __init__(self, data: Path, run: Path, held_out: bool):
        self.mos = biq2021(data, "Train").mos
        kept = validation(len(self.mos)) == held_out
        self.pictures = [
            Group(run, name) for name in ("biq", "mirrored") if (run / f"weight_{name}.npy").is_file()
        ]
        self.rows = np.flatnonzero(kept)
        self.faces = Group(run, "faces")
        index = np.repeat(np.load(run / "opinion_faces.npz")["index"], CUTS + 1)
        self.face_mos, self.face_rows = self.mos[index], np.flatnonzero(kept[index])
        self.series = Group(run, "series")
        table = np.load(run / "series.npz")
        self.drop, self.again = table["drop"], table["again"]
        self.masked = table["masked"]
        self.series_rows = np.flatnonzero(validation(len(self.drop)) == held_out)


class Batches(IterableDataset):
    """Endless training batches."""

    def __init__(self, data: Path, run: Path, seed: int):
        self.data, self.run, self.seed = data, run, seed

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        """Draw for ever; every worker has its own randomness."""
        info = torch.utils.data.get_worker_info()
        rng = np.random.default_rng([self.seed, info.id if info else 0])
        data = Data(self.data, self.run, held_out=False)
        queue: list[int] = []
        while True:
            if len(queue) < PICTURES:
                queue = list(rng.permutation(data.rows))
            yield self.batch(data, [queue.pop() for _ in range(PICTURES)], rng)

    def batch(self, data: Data, rows: list[int], rng: np.random.Generator) -> dict[str, torch.Tensor]:
        """Windows of one size: pictures, then faces, then series."""
        side = int(rng.choice(SIDES))

        def place() -> tuple[int, int, int]:
            y, x = (int(v) for v in rng.integers(0, SIDES[-1] - side + 1, 2))
            return y, x, side

        faces, series = rng.choice(data.face_rows, FACES), rng.choice(data.series_rows, SERIES)
        windows = [data.pictures[rng.integers(len(data.pictures))].window(row, *place()) for row in rows]
        windows += [data.faces.window(row, *place()) for row in faces]
        for row in series:
            where = place()
            windows += [data.series.window(row * VIEWS + view, *where) for view in range(VIEWS)]
        low, synthetic, weight = (torch.from_numpy(np.stack(part)) for part in zip(*windows, strict=True))
        mos = np.concatenate([data.mos[rows], data.face_mos[faces]])
        return {
            "low": low,
            "synthetic": synthetic,
            "weight": weight,
            "mos": torch.from_numpy(mos),
            "drop": torch.from_numpy(data.drop[series]),
            "again": torch.from_numpy(data.again[series]),
        }


def main() -> None:
    """Train; writes last.pt on the way and dbcnn_lite0.safetensors at the end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--run", type=Path, default=Path("runs/dbcnn"))
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--workers", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    train(arguments)


def train(arguments: argparse.Namespace) -> None:
    """All steps under one cosine, with an average of the weights."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(0)
    net = start(arguments.run)
    nn.init.constant_(net.fc.bias, 0.65)
    nn.init.normal_(net.fc.weight, std=1e-3)
    depthwise_in_float32(net)
    net.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
    groups = parameter_groups(net)
    optimizer = torch.optim.AdamW(groups, weight_decay=WEIGHT_DECAY)
    average = Average(net)
    last = arguments.run / "last.pt"
    step = load_checkpoint(last, device, net=net, ema=average, optimizer=optimizer)
    stream = Batches(arguments.data, arguments.run, seed=step)
    batches = iter(DataLoader(stream, batch_size=None, num_workers=arguments.workers, prefetch_factor=4))
    held_out = Data(arguments.data, arguments.run, held_out=True)
    started = saved = time.monotonic()
    losses = []
    while step < arguments.steps:
        share = 0.5 * (1 + math.cos(math.pi * step / arguments.steps)) * min(1, (step + 1) / 40)
        for group in optimizer.param_groups:
            waiting = group["name"] == "features1" and step < HEAD_STEPS
            group["lr"] = 0.0 if waiting else RATES[group["name"]] * max(share, 0.01)
        losses.append(advance(net, optimizer, next(batches), device))
        step += 1
        average.update(net, step)
        if step % 25 == 0:
            minutes = (time.monotonic() - started) / 60
            means = {
                name: round(float(np.mean([loss[name] for loss in losses[-25:]])), 3) for name in losses[0]
            }
            print(f"{step}/{arguments.steps} {means} {minutes:.1f} min", flush=True)
        if time.monotonic() - saved > CHECKPOINT_SECONDS or step == arguments.steps:
            saved = time.monotonic()
            save_checkpoint(last, step, net=net, ema=average, optimizer=optimizer)
        if step % VALIDATION_STEPS == 0 and step < arguments.steps:
            present = {key: value.clone() for key, value in net.state_dict().items()}
            net.load_state_dict(average.weights)
            print("  average of the weights:", validate(net, held_out, device), flush=True)
            net.load_state_dict(present)
    save_half(average.weights, arguments.run / "dbcnn_lite0.safetensors")
    net.load_state_dict(average.weights)
    print("validation slice:", validate(net, held_out, device))


def parameter_groups(net: DbcnnNet) -> list[dict]:
    """What learns: everything but the layers below the prepared features and the batch norms' statistics."""
    below = ("features1.low.", "features2.")
    groups: dict[str, list[nn.Parameter]] = {name: [] for name in RATES}
    for key, parameter in net.named_parameters():
        if key.startswith(below):
            parameter.requires_grad_(False)
        else:
            groups[next(name for name in RATES if key.startswith(name))].append(parameter)
    return [{"name": name, "params": parameters} for name, parameters in groups.items()]


def depthwise_in_float32(net: nn.Module) -> None:
    """Keep depthwise convolutions out of bfloat16, in which their backward pass is many times slower."""
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d) and layer.groups > 1:
            forward: Callable[[torch.Tensor], torch.Tensor] = layer.forward

            def exact(
                x: torch.Tensor, forward: Callable[[torch.Tensor], torch.Tensor] = forward
            ) -> torch.Tensor:
                with torch.autocast(x.device.type, enabled=False):
                    return forward(x.float())

            layer.forward = exact  # type: ignore[method-assign, assignment]


def scores(net: DbcnnNet, low: torch.Tensor, synthetic: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """From prepared features to scores (N,)."""
    grid = (synthetic.shape[2], synthetic.shape[3])
    branch = lite0(net)
    found = []
    for part in zip(low.split(CHUNK), synthetic.split(CHUNK), weight.split(CHUNK), strict=True):
        below, other, share = (tensor.float() for tensor in part)
        with torch.autocast(low.device.type, torch.bfloat16):
            authentic = branch.upper(below.contiguous(memory_format=torch.channels_last), grid)
        found.append(net.score(authentic.float(), other, share))
    return torch.cat(found)


def advance(
    net: DbcnnNet, optimizer: torch.optim.Optimizer, batch: dict, device: torch.device
) -> dict[str, float]:
    """One step; batch norms keep their ImageNet statistics. Returns the parts of the loss."""
    batch = {name: value.to(device) for name, value in batch.items()}
    score = scores(net, batch["low"], batch["synthetic"], batch["weight"])
    parts = {
        **opinion_losses(score[: PICTURES + FACES], batch["mos"]),
        **series_losses(score[PICTURES + FACES :].view(SERIES, VIEWS), batch["drop"], batch["again"]),
    }
    optimizer.zero_grad()
    sum(parts.values(), torch.zeros((), device=device)).backward()
    nn.utils.clip_grad_norm_([p for group in optimizer.param_groups for p in group["params"]], 5.0)
    optimizer.step()
    return {name: value.item() for name, value in parts.items()}


def opinion_losses(score: torch.Tensor, mos: torch.Tensor) -> dict[str, torch.Tensor]:
    """Mean squared error of all, and the correlation of the whole pictures."""
    error = ((score - mos) / MOS_DEVIATION).square()
    picture, opinion = (values[:PICTURES] - values[:PICTURES].mean() for values in (score, mos))
    correlation = (picture * opinion).sum() / (picture.norm() * opinion.norm() + 1e-6)
    return {
        "error": error[:PICTURES].mean(),
        "correlation": 1 - correlation,
        "faces": 0.15 * error[PICTURES:].mean(),
    }


def series_losses(score: torch.Tensor, drop: torch.Tensor, again: torch.Tensor) -> dict[str, torch.Tensor]:
    """(S, 6) scores: all grades in order, by at least half of what the drops say; cuts without effect."""
    first, second = torch.triu_indices(LEVELS, LEVELS, 1, device=score.device)
    fall = score[:, first] - score[:, second]
    gap = (drop[:, second] - drop[:, first]).clamp(min=SMALLEST_GAP)
    same = score.gather(1, again[:, None])[:, 0] - score[:, LEVELS]
    return {
        "order": 5 * (0.5 * gap - fall).relu().mean(),
        "gap": 1.0 * nn.functional.smooth_l1_loss(fall, gap, beta=0.05),
        "cut": 3 * same.abs().mean(),
        "top": 0.5 * (score[:, 0] - TOP).abs().mean(),
    }


@torch.inference_mode()
def validate(net: DbcnnNet, data: Data, device: torch.device) -> dict[str, float]:
    """SROCC and PLCC of pictures and faces; share of adjacent grades in order, and the effect of the cut."""
    pictures = predict(net, data.pictures[0], data.rows, device)
    faces = predict(net, data.faces, data.face_rows, device)
    views = (data.series_rows[:, None] * VIEWS + np.arange(VIEWS)).ravel()
    series = predict(net, data.series, views, device).reshape(-1, VIEWS)
    grades = series[:, :LEVELS]
    cut = np.abs(series[:, LEVELS] - grades[np.arange(len(grades)), data.again[data.series_rows]])
    figures = {
        "SROCC": spearmanr(pictures, data.mos[data.rows])[0],
        "PLCC": pearsonr(pictures, data.mos[data.rows])[0],
        "faces SROCC": spearmanr(faces, data.face_mos[data.face_rows])[0],
        "order": (np.diff(grades, axis=1) < 0).mean(),
        "cut": cut.mean(),
        "top": grades[:, 0].mean(),
        "bottom": grades[:, -1].mean(),
    }
    return {name: round(float(value), 4) for name, value in figures.items()}


def predict(net: DbcnnNet, group: Group, rows: np.ndarray, device: torch.device) -> np.ndarray:
    """Scores of whole pictures, float32 (N,)."""
    found = []
    for first in range(0, len(rows), 32):
        parts = [torch.from_numpy(array[rows[first : first + 32]]).to(device) for array in group.arrays]
        found.append(scores(net, *parts).cpu().numpy())
    return np.concatenate(found)


if __name__ == "__main__":
    main()
