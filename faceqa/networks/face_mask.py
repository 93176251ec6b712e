"""The network that finds the face in a face crop: a U-Net with an EfficientNet-Lite0 encoder."""

from __future__ import annotations

import torch
from torch import nn

ENCODER = "timm-tf_efficientnet_lite0"
"""Name in segmentation-models-pytorch; an EfficientNet without the parts that are slow on a CPU."""

MAPS = ("outline", "visible")
"""The network's two output channels, in order."""


class FaceMaskNet(nn.Module):
    """U-Net (Ronneberger et al., 2015) over EfficientNet-Lite0 (Tan and Le, 2019): face crop -> two maps."""

    def __init__(self) -> None:
        super().__init__()
        # Importing it takes seconds, which nobody should pay who does not need the mask.
        from segmentation_models_pytorch import Unet

        self.unet = Unet(encoder_name=ENCODER, encoder_weights=None, classes=len(MAPS))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """RGB float (N, 3, S, S) in [-1, 1], S a multiple of 32 -> logits (N, 2, S, S) of `MAPS`."""
        return self.unet(image)
