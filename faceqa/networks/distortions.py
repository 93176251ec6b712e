"""DB-CNN's features -> how strong each distortion is: a small head on what the score is made of anyway.

DB-CNN's S-CNN was made to tell kinds and levels of synthetic distortion apart (Zhang et al., 2018, section
III-A). This is a head for it again, which takes the other branch's mean, too. See training/distortions.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from faceqa.networks.dbcnn import LITE0_CHANNELS, SCNN_CHANNELS

FEATURES = 2 * SCNN_CHANNELS + LITE0_CHANNELS

HIDDEN = 160

OUTPUTS = ("blur", "noise", "compression", "low_resolution", "detail")
"""Severities in [0, 1]; and the side that the picture's detail fills as a share of the picture's, (0, 1]."""


class DistortionHead(nn.Module):
    """What `DbcnnNet.features` gives -> (N, 5), see `OUTPUTS`."""

    mean: Tensor
    deviation: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(FEATURES))
        self.register_buffer("deviation", torch.ones(FEATURES))
        self.layers = nn.Sequential(
            nn.Linear(FEATURES, HIDDEN), nn.ReLU(), nn.Dropout(0.3), nn.Linear(HIDDEN, len(OUTPUTS))
        )

    def forward(self, authentic: Tensor, synthetic: Tensor, weight: Tensor) -> Tensor:
        """See the class."""
        return self.of_pooled(pooled(authentic, synthetic, weight))

    def of_pooled(self, features: Tensor) -> Tensor:
        """Pooled features (N, 512) -> (N, 5)."""
        return self.layers((features - self.mean) / self.deviation).sigmoid()


def pooled(authentic: Tensor, synthetic: Tensor, weight: Tensor) -> Tensor:
    """Mean and deviation of the S-CNN's features and mean of the others, over the positions that count.

    Args:
        authentic: (N, 256, h, w).
        synthetic: (N, 128, h, w).
        weight: Of the positions, (N, 1, h, w).

    Returns:
        (N, 512).
    """
    weight = weight / weight.sum(dim=(2, 3), keepdim=True)
    mean = (synthetic * weight).sum(dim=(2, 3))
    spread = ((synthetic - mean[..., None, None]).square() * weight).sum(dim=(2, 3))
    return torch.cat([mean, (spread + 1e-8).sqrt(), (authentic * weight).sum(dim=(2, 3))], dim=1)
