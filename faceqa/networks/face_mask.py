"""The network that finds the face in a face crop: a U-Net with an EfficientNet-Lite0 encoder.

On the same encoder's maps stands the head for poses (`networks.head_pose`).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from faceqa.networks.head_pose import HeadPose

ENCODER = "efficientnet_lite0"
"""Name in timm; an EfficientNet without the parts that are slow on a CPU."""

ENCODER_CHANNELS = (3, 32, 24, 40, 112, 320)
"""Of the picture itself and of the encoder's outputs with strides 2, 4, 8, 16 and 32."""

DROP_PATH = 0.2
"""Rate at which a training leaves out blocks."""

DECODER_CHANNELS = (256, 128, 64, 32, 16)

MAPS = ("outline", "visible")
"""The network's two output channels, in order."""

CROP_SIZE = 384
"""Side in px of a face crop."""

STEP = 3
"""px. Reducing 384 px to the 256 at which the network was trained makes two pixels of three."""

ONE, TWO = (1 / 9, 5 / 9, 3 / 9, 0, 0), (0, 0, 3 / 9, 5 / 9, 1 / 9)
"""What the two are made of, in the three pixels and one on either side: the triangle filter of an antialiased
bilinear reduction by 1.5 (torch's and Pillow's)."""


class FaceMaskMaps(nn.Module):
    """RGB uint8 (N, 384, 384, 3) -> outline and visible, each (N, 384, 384) in [0, 1]; rotations (N, 3, 3).

    The rotations: see `networks.head_pose.HeadPose`.
    """

    kernel: Tensor
    border: Tensor

    def __init__(self, net: FaceMaskNet, head: HeadPose):
        super().__init__()
        self.net, self.head = net, head
        phases = [torch.outer(torch.tensor(a), torch.tensor(b)) for a in (ONE, TWO) for b in (ONE, TWO)]
        kernel = torch.zeros(3 * len(phases), 3, 5, 5)
        for channel in range(3):
            kernel[4 * channel : 4 * channel + 4, channel] = torch.stack(phases)
        self.register_buffer("kernel", kernel)
        # At the border a part of the filter sees nothing; the rest is brought back to a mean.
        self.register_buffer("border", 1 / self._reduced(torch.ones(1, 3, CROP_SIZE, CROP_SIZE)))

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """See the class."""
        encoded = self.encoded(crops)
        maps = self.net.unet.of_encoded(encoded).sigmoid()
        outline, visible = functional.interpolate(
            maps, (CROP_SIZE, CROP_SIZE), mode="bilinear", align_corners=False
        ).unbind(1)
        return outline, visible, self.head(*encoded[-2:])

    def encoded(self, crops: Tensor) -> list[Tensor]:
        """RGB uint8 (N, 384, 384, 3) -> the encoder's maps of 256 px, see `Encoder`."""
        small = self._reduced(crops.permute(0, 3, 1, 2).float()) * self.border
        return self.net.unet.encoder(small / 127.5 - 1)

    def _reduced(self, crops: Tensor) -> Tensor:
        """(N, 3, 384, 384) -> (N, 3, 256, 256): as one convolution, several times faster."""
        return functional.pixel_shuffle(functional.conv2d(crops, self.kernel, stride=STEP, padding=1), 2)


class FaceMaskNet(nn.Module):
    """U-Net (Ronneberger et al., 2015) over EfficientNet-Lite0 (Tan and Le, 2019): face crop -> two maps."""

    def __init__(self) -> None:
        super().__init__()
        self.unet = Unet()

    def forward(self, image: Tensor) -> Tensor:
        """RGB float (N, 3, S, S) in [-1, 1], S a multiple of 32 -> logits (N, 2, S, S) of `MAPS`."""
        return self.unet(image)


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
        return self.of_encoded(self.encoder(image))

    def of_encoded(self, maps: list[Tensor]) -> Tensor:
        """The encoder's maps -> the logits of `FaceMaskNet`."""
        return self.segmentation_head(self.decoder(maps))


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
