"""What SER-FIQ costs and how far it scatters: the closed form beside the published sampling.

    python benchmarks/ser_fiq.py

Times four ways side by side, one after the other in each round, so that their ratios hold whatever else the
machine does:

- one embedding (the network, no SER-FIQ);
- embedding + closed form (the default);
- embedding + 100 sampled passes through the last layer;
- 100 passes through the whole network, as the published figure of 100 passes suggests doing it.

Then the spread of the sampled score over 20 seeds. Runs on the portraits in examples/.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

sys.path.append(str(Path(__file__).parents[1]))

from benchmarks.report import machine, write
from faceqa.engines.torch import SerFiq, load_ser_fiq
from faceqa.faces.alignment import align
from faceqa.faces.detection import load_detector
from faceqa.networks.ser_fiq import PASSES
from faceqa.reading import image

EXAMPLES = Path(__file__).parent.parent / "examples"
PORTRAITS = ("hopper", "collins", "hopper_360p", "collins_mask")
BATCHES = (1, 8)
ROUNDS = 40
FULL_ROUNDS = 2
SEEDS = 20


def main() -> None:
    """Measure, print the tables, write results/ser_fiq.json."""
    ser_fiq = load_ser_fiq()
    crops = aligned_portraits()
    timings = [timing for batch in BATCHES for timing in compare_times(ser_fiq, crops, batch)]
    spreads = [spread(ser_fiq, name, crop) for name, crop in zip(PORTRAITS, crops, strict=True)]

    print(f"{'batch':>5}  {'what':44}  {'ms':>8}  {'x embedding':>11}")
    for row in timings:
        print(f"{row['batch']:>5}  {row['what']:44}  {row['ms']:8.1f}  {row['ratio']:11.3f}")
    print(f"\n{'portrait':14}  {'closed form':>11}  {'sampled mean':>12}  {'sd':>6}  {'range, 20 seeds':>15}")
    for row in spreads:
        print(
            f"{row['portrait']:14}  {row['closed']:11.4f}  {row['sampled_mean']:12.4f}  "
            f"{row['sampled_sd']:6.4f}  {row['sampled_range']:15.4f}"
        )
    write("ser_fiq", {"machine": machine(), "timings": timings, "spread": spreads})


def aligned_portraits() -> np.ndarray:
    """The portraits of `PORTRAITS`: RGB uint8 (4, 112, 112, 3)."""
    detector = load_detector()
    photos = [image.load(EXAMPLES / f"{name}.jpg") for name in PORTRAITS]
    return np.stack([align(photo, detector.refine(photo, detector.detect(photo)[0])) for photo in photos])


def compare_times(ser_fiq: SerFiq, crops: np.ndarray, batch: int) -> list[dict]:
    """Median milliseconds for `batch` faces, and the median over the rounds of the ratio to one embedding."""
    faces = np.resize(crops, (batch, *crops.shape[1:]))
    full = f"{PASSES} passes through the whole network"
    ways: dict[str, Callable[[], object]] = {
        "one embedding": lambda: ser_fiq.embed(faces),
        "embedding + closed form": lambda: ser_fiq.score(faces),
        f"embedding + {PASSES} sampled last-layer passes": lambda: ser_fiq.score_sampled(faces),
        full: lambda: full_passes(ser_fiq, faces),
    }
    seconds: dict[str, list[float]] = {what: [] for what in ways}
    for round_number in range(ROUNDS + 1):
        for what, run in ways.items():
            if what == full and round_number > FULL_ROUNDS:
                continue
            ser_fiq.embed(faces)  # so that each way finds the caches alike, whatever ran before it
            start = time.perf_counter()
            run()
            if round_number:  # the first round warms up
                seconds[what].append(time.perf_counter() - start)
    reference = seconds["one embedding"]
    return [
        {
            "batch": batch,
            "what": what,
            "ms": 1000 * float(np.median(taken)),
            "ratio": float(np.median(np.divide(taken, reference[: len(taken)]))),
        }
        for what, taken in seconds.items()
    ]


@torch.inference_mode()
def full_passes(ser_fiq: SerFiq, faces: np.ndarray) -> None:
    """One stochastic embedding after the other, each from the pixels on."""
    layer, bias = ser_fiq.network.last_layer()
    tensor = torch.from_numpy(faces).permute(0, 3, 1, 2).float()
    for _ in range(PASSES):
        torch.nn.functional.dropout(ser_fiq.network.features(tensor), ser_fiq.dropout) @ layer.T + bias


def spread(ser_fiq: SerFiq, portrait: str, crop: np.ndarray) -> dict:
    """The sampled score over `SEEDS` seeds beside the closed form, which does not move."""
    sampled = [float(ser_fiq.score_sampled(crop[None], seed=seed)[0]) for seed in range(SEEDS)]
    closed = {float(ser_fiq.score(crop[None])[0]) for _ in range(SEEDS)}
    (score,) = closed
    return {
        "portrait": portrait,
        "closed": score,
        "sampled_mean": float(np.mean(sampled)),
        "sampled_sd": float(np.std(sampled, ddof=1)),
        "sampled_range": float(np.ptp(sampled)),
    }


if __name__ == "__main__":
    main()
