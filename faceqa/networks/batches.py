"""How many crops go through a network together."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

CUDA_BATCH = 16
"""Crops: about 1 GB in the largest network."""


def batches(crops: np.ndarray, device: torch.device) -> Iterator[np.ndarray]:
    """Crops (N, ...) in the batches that a device takes: (n, ...), in order.

    On a CPU each goes alone: more are no faster there, and the algorithm of a convolution, with its rounding,
    depends on the size of the batch.
    """
    size = CUDA_BATCH if device.type == "cuda" else 1
    for start in range(0, len(crops), size):
        yield crops[start : start + size]
