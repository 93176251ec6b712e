"""Networks in torch: batches of crops, and the loading of weights."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import nn

CUDA_BATCH = 16
"""Crops: about 1 GB in the largest network."""


def batches(crops: np.ndarray, device: torch.device) -> Iterator[np.ndarray]:
    """Crops (N, ...) in the batches that a device takes: (n, ...), in order.

    On a CPU each crop is a batch of its own: larger batches are no faster there, and torch chooses the
    algorithm of a convolution, and with it the rounding, by the size of the batch.
    """
    size = CUDA_BATCH if device.type == "cuda" else 1
    for start in range(0, len(crops), size):
        yield crops[start : start + size]


def check_crops(crops: np.ndarray) -> None:
    """Raise a ValueError unless the array is a batch of face crops, RGB uint8 (N, H, W, 3)."""
    if crops.ndim != 4 or crops.shape[3] != 3 or crops.dtype != np.uint8:
        raise ValueError(f"face crops are uint8 (N, H, W, 3), not {crops.dtype} {crops.shape}")


def load_strictly(net: nn.Module, state: dict[str, torch.Tensor]) -> None:
    """Load weights, all of them and no others.

    The step counters of batch norms may be missing: only a training reads them.
    """
    counters = {k: v for k, v in net.state_dict().items() if k.endswith("num_batches_tracked")}
    net.load_state_dict({**counters, **state}, strict=True)
