"""The network that finds the face in a face crop: a U-Net with an EfficientNet-Lite0 encoder."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from faceqa.networks.imports import without_compiler

ENCODER = "efficientnet_lite0"
"""Name in timm; an EfficientNet without the parts that are slow on a CPU."""

ENCODER_CHANNELS = (3, 32, 24, 40, 112, 320)
"""Of the picture itself and of the encoder's outputs with strides 2, 4, 8, 16 and 32."""

DROP_PATH = 0.2
"""Rate at which a training leaves out blocks."""

DECODER_CHANNELS = (256, 128, 64, 32, 16)

MAPS = ("outline", "visible")
"""The network's two output channels, in order."""


class FaceMaskNet(nn.Module):
    """U-Net (Ronneberger et al., 2015) over EfficientNet-Lite0 (Tan and Le, 2019): face crop -> two maps."""

    def __init__(self) -> None:
        super().__init__()
        # The import takes seconds, and many programs need no mask.
        with without_compiler():
            self.unet = Unet()

    def forward(self, image: Tensor) -> Tensor:
        """RGB float (N, 3, S, S) in [-1, 1], S a multiple of 32 -> logits (N, 2, S, S) of `MAPS`."""
        return self.unet(image)

    def fold_upsampling(self) -> None:
        """Make the decoder's blocks `UpBlock`s; for inference only, after `folding.folded`."""
        channels = ENCODER_CHANNELS[-1]
        for index, block in enumerate(self.unet.decoder.blocks):
            self.unet.decoder.blocks[index] = UpBlock(block, channels)
            channels = block.conv2[0].out_channels


class Unet(nn.Module):
    """Encoder, decoder and head; the latter two are segmentation-models-pytorch's.

    That library's own encoder of this kind takes the map of stride 2 behind the first block; ours takes the
    map before it.
    """

    def __init__(self) -> None:
        super().__init__()
        from segmentation_models_pytorch.base import SegmentationHead
        from segmentation_models_pytorch.base.initialization import initialize_decoder, initialize_head
        from segmentation_models_pytorch.decoders.unet.decoder import UnetDecoder

        self.encoder = Encoder()
        self.decoder: Any = UnetDecoder(ENCODER_CHANNELS, DECODER_CHANNELS, n_blocks=len(DECODER_CHANNELS))
        self.segmentation_head: Any = SegmentationHead(DECODER_CHANNELS[-1], len(MAPS))
        initialize_decoder(self.decoder)
        initialize_head(self.segmentation_head)

    def forward(self, image: Tensor) -> Tensor:
        """See `FaceMaskNet`."""
        return self.segmentation_head(self.decoder(self.encoder(image)))


class Encoder(nn.Module):
    """EfficientNet-Lite0 without its classifier."""

    def __init__(self) -> None:
        super().__init__()
        import timm

        net: Any = timm.create_model(ENCODER, features_only=True, drop_path_rate=DROP_PATH)
        self.conv_stem, self.bn1, self.blocks = net.conv_stem, net.bn1, net.blocks

    def forward(self, image: Tensor) -> list[Tensor]:
        """(N, 3, S, S) -> the picture and the maps of `ENCODER_CHANNELS`, the largest first."""
        maps = [image, self.bn1(self.conv_stem(image))]
        for level in (self.blocks[:2], self.blocks[2:3], self.blocks[3:5], self.blocks[5:]):
            maps.append(level(maps[-1]))
        return maps


class UpBlock(nn.Module):
    """A block of the decoder, faster: doubling the size and the convolution after it are one step.

    A 3 x 3 convolution of a map doubled to the nearest pixel is a transposed 4 x 4 convolution of the map
    itself, with half the products. The result differs by rounding only.
    """

    kernel: Tensor
    skip_kernel: Tensor
    bias: Tensor

    def __init__(self, block: Any, channels: int):
        """Take over a block of segmentation-models-pytorch, `channels` of whose input come from below."""
        super().__init__()
        convolution, *activation = block.conv1
        doubled, skipped = convolution.weight.detach().tensor_split([channels], dim=1)
        sums = functional.avg_pool2d(functional.pad(doubled.flip(2, 3), [1] * 4), 2, 1, divisor_override=1)
        self.register_buffer("kernel", sums.transpose(0, 1).contiguous(memory_format=torch.channels_last))
        self.register_buffer("skip_kernel", skipped.contiguous(memory_format=torch.channels_last))
        self.register_buffer("bias", convolution.bias.detach())
        self.rest = nn.Sequential(*activation, block.conv2)

    def forward(self, x: Tensor, _height: int, _width: int, skip_connection: Tensor | None = None) -> Tensor:
        """(N, C, H, W) and the encoder's (N, C', 2 H, 2 W) -> (N, C'', 2 H, 2 W)."""
        y = functional.conv_transpose2d(x, self.kernel, self.bias, stride=2, padding=1)
        if skip_connection is not None:
            y = y + functional.conv2d(skip_connection, self.skip_kernel, padding=1)
        return self.rest(y)
