"""A weight file's tensors into a network."""

from __future__ import annotations

import torch
from torch import nn


def load_strictly(net: nn.Module, state: dict[str, torch.Tensor]) -> None:
    """Load weights, all and no others; batch norm's step counters, which only a training reads, may lack."""
    counters = {k: v for k, v in net.state_dict().items() if k.endswith("num_batches_tracked")}
    net.load_state_dict({**counters, **state}, strict=True)
