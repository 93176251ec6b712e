"""Patches of eyes and mouth -> how far lids and lips are apart: two very small networks.

One sees both eyes, the left one mirrored, the other sees the mouth. See training/apertures.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

SIZE = (48, 64)
"""Height and width of a patch, px."""

CHANNELS = (16, 32, 48, 48)
"""Of the maps of stride 2, 4, 8 and again 8."""

MIXED, HIDDEN = 12, 48

STEEPNESS = 20.0
"""With which what is told bends off to 0: at an aperture of a twentieth of a unit."""

LEAST_DEVIATION = 4.0
"""Levels; what is darker and flatter is not brought to the contrast of the others."""


class Aperture(nn.Module):
    """Patches float (N, 3, 48, 64) in [0, 255] -> the aperture (N,) in units of the face, 0 or more."""

    def __init__(self) -> None:
        super().__init__()
        sides = zip((3, *CHANNELS[:-1]), CHANNELS, (2, 2, 2, 1), strict=True)
        self.maps = nn.Sequential(*(_block(*pair) for pair in sides))
        features = MIXED * (SIZE[0] // 8) * (SIZE[1] // 8)
        self.head = nn.Sequential(
            _block(CHANNELS[-1], MIXED, 1, side=1),
            nn.Flatten(),
            nn.Dropout(0.2),
            nn.Linear(features, HIDDEN),
            nn.ReLU(),
            nn.Linear(HIDDEN, 1),
        )

    def forward(self, patches: Tensor) -> Tensor:
        """See the class."""
        told = self.head(self.maps(levelled(patches)))[:, 0]
        return functional.softplus(STEEPNESS * told) / STEEPNESS


class Apertures(nn.Module):
    """RGB uint8 (N, 144, 64, 3) of `faces.apertures.patches` -> apertures (N, 3) in units of the face."""

    def __init__(self) -> None:
        super().__init__()
        self.lids, self.lips = Aperture(), Aperture()

    def forward(self, patches: Tensor) -> tuple[Tensor]:
        """See the class."""
        right, left, mouth = patches.permute(0, 3, 1, 2).float().split(SIZE[0], dim=2)
        return (torch.stack([self.lids(right), self.lids(left), self.lips(mouth)], dim=1),)


def levelled(patches: Tensor) -> Tensor:
    """Patches (N, 3, H, W) in [0, 255] with the mean 0 and, but for flat ones, the deviation 1."""
    centred = patches - patches.mean(dim=(1, 2, 3), keepdim=True)
    variance = centred.square().mean(dim=(1, 2, 3), keepdim=True)
    return centred * (variance + LEAST_DEVIATION**2).rsqrt()


def _block(inputs: int, outputs: int, stride: int, side: int = 3) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, side, stride, side // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU())
