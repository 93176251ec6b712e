"""The face mask's encoder -> head pose: a small head on maps that are computed anyway.

Rotations are learnt in a continuous form, six numbers (Zhou et al., "On the continuity of rotation
representations in neural networks", 2019), so that nothing jumps on the way to the full profile. See
training/head_pose.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

CHANNELS = (112, 320)
SIDES = (16, 8)
"""Of the encoder's maps of stride 16 and 32, for a picture of 256 px."""

MIXED = (20, 40)
"""Channels to which the maps are reduced."""

HIDDEN = 160


class HeadPose(nn.Module):
    """Maps of stride 16 (N, 112, 16, 16) and 32 (N, 320, 8, 8) -> rotations (N, 3, 3).

    A rotation brings the axes of a head to those of the picture: x right, y down, z away from the camera.
    """

    def __init__(self) -> None:
        super().__init__()
        self.middle, self.high = (nn.Conv2d(*pair, 1) for pair in zip(CHANNELS, MIXED, strict=True))
        features = sum(channels * side * side for channels, side in zip(MIXED, SIDES, strict=True))
        self.layers = nn.Sequential(
            nn.Dropout(0.2), nn.Linear(features, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 6)
        )

    def forward(self, middle: Tensor, high: Tensor) -> Tensor:
        """See the class."""
        mixed = [self.middle(middle).relu().flatten(1), self.high(high).relu().flatten(1)]
        return orthonormal(self.layers(torch.cat(mixed, dim=1)))


def orthonormal(six: Tensor) -> Tensor:
    """Six numbers (N, 6) -> rotations (N, 3, 3), whose first two rows they nearly are (Gram and Schmidt)."""
    first = functional.normalize(six[:, :3], dim=1)
    second = functional.normalize(six[:, 3:] - (first * six[:, 3:]).sum(1, keepdim=True) * first, dim=1)
    return torch.stack([first, second, torch.linalg.cross(first, second)], dim=1)
