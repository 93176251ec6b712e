"""DB-CNN (Zhang et al., "Blind image quality assessment using a deep bilinear CNN", 2018), with two branches.

One branch was made for authentic distortions, one, the S-CNN, for synthetic ones. The products of their
features, summed over all positions, their square root, a normalisation and one linear layer give the score.

- `vgg16`: the published network, in the layout of the IQA-PyTorch project's checkpoints;
- `lite0`: EfficientNet-Lite0 (Tan and Le, 2019) instead of VGG-16, and sums that leave out black areas.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

Branch = Literal["lite0", "vgg16"]

Grid = tuple[int, int]
"""Rows and columns."""

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

VGG16_LAYERS = (64, 64, "pool", 128, 128, "pool", 256, 256, 256, "pool", 512, 512, 512, "pool", 512, 512, 512)
"""Channels of VGG-16's 3 x 3 convolutions; its last pooling is left out."""

SCNN_LAYERS = ((48, 1), (48, 2), (64, 1), (64, 2), (64, 1), (64, 2), (128, 1), (128, 1), (128, 2))
"""Channels and stride of the S-CNN's 3 x 3 convolutions."""

SCNN_CHANNELS = SCNN_LAYERS[-1][0]

LITE0_LEVELS = (40, 112, 320)
"""Channels of the EfficientNet's outputs with strides 8, 16 and 32."""

LITE0_CHANNELS = 256
"""To which the three levels are mixed."""

BLACK = 8 / 255
"""A pixel with no channel above it counts as black: what JPEG makes of a removed background."""

FLOOR = 1e-3
"""Weight of a black position, so that a picture that is black all over has a score, too."""

SCALE = 100.0
"""Both networks learned mean opinion scores between 0 and 1."""


class DbcnnScore(nn.Module):
    """RGB uint8 (N, H, W, 3), sides of 32 px or more -> scores (N,) in [0, 100], higher is better.

    With a head for distortions (`networks.distortions`) also what that gives.
    """

    def __init__(self, net: DbcnnNet, head: nn.Module | None = None):
        super().__init__()
        self.net = net
        self.head = head

    def forward(self, pictures: Tensor) -> tuple[Tensor, ...]:
        """See the class."""
        features = self.net.features(pictures.permute(0, 3, 1, 2).float() / 255)
        score = (SCALE * self.net.score(*features)).clamp(0, SCALE)
        return (score,) if self.head is None else (score, self.head(*features))


class DbcnnNet(nn.Module):
    """RGB float32 (N, 3, H, W) in [0, 1], sides of 32 px or more -> scores (N,), mostly in [0, 1]."""

    mean: Tensor
    std: Tensor

    def __init__(self, branch: Branch = "lite0"):
        super().__init__()
        self.branch = branch
        if branch == "vgg16":
            self.features1: nn.Module = vgg16_features()
            channels = 512
        elif branch == "lite0":
            self.features1 = Lite0Features()
            channels = LITE0_CHANNELS
        else:
            raise ValueError(f"the branches are 'lite0' and 'vgg16', not {branch!r}")
        self.features2 = scnn_features()
        self.fc = nn.Linear(channels * SCNN_CHANNELS, 1)
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1), persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        """See the class."""
        return self.score(*self.features(image))

    def features(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Those of both branches, (N, C, h, w) and (N, 128, h, w), and the positions' weight (N, 1, h, w)."""
        normal = (image - self.mean) / self.std
        synthetic = self.features2(normal)
        grid = (synthetic.shape[2], synthetic.shape[3])
        if self.branch == "vgg16":
            authentic = self.features1(normal)
            # As in the peer implementation, whose grid is VGG-16's.
            synthetic = functional.interpolate(
                synthetic, authentic.shape[2:], mode="bilinear", align_corners=True
            )
            return authentic, synthetic, torch.ones_like(synthetic[:, :1])
        return self.features1(image, grid), synthetic, shown(image, grid)

    def score(self, authentic: Tensor, synthetic: Tensor, weight: Tensor) -> Tensor:
        """Features of both branches on one grid, and the weight (N, 1, h, w) of its positions -> (N,)."""
        weight = weight / weight.sum(dim=(2, 3), keepdim=True)
        products = (authentic * weight).flatten(2) @ synthetic.flatten(2).transpose(1, 2)
        roots = (products + 1e-8).sqrt()
        # The linear layer of the normalised roots. As a matrix product it would be one that engines round.
        norm = roots.square().sum(dim=(1, 2)).sqrt().clamp_min(1e-12)
        return (roots * self.fc.weight.view_as(roots[:1])).sum(dim=(1, 2)) / norm + self.fc.bias


class Lite0Features(nn.Module):
    """EfficientNet-Lite0's levels of stride 8, 16 and 32, brought to one grid and mixed."""

    def __init__(self) -> None:
        super().__init__()
        import timm

        net: Any = timm.create_model("tf_efficientnet_lite0", pretrained=False, features_only=True)
        self.low = nn.Sequential(net.conv_stem, net.bn1, *net.blocks[:3])
        self.middle = nn.Sequential(*net.blocks[3:5])
        self.high = nn.Sequential(*net.blocks[5:])
        self.mix = nn.Conv2d(sum(LITE0_LEVELS), LITE0_CHANNELS, 1)

    def forward(self, image: Tensor, grid: Grid) -> Tensor:
        """RGB (N, 3, H, W) in [0, 1] -> (N, 256, *grid), not negative."""
        return self.upper(self.low(image * 2 - 1), grid)

    def upper(self, low: Tensor, grid: Grid) -> Tensor:
        """The same from the level of stride 8 on, (N, 40, H / 8, W / 8)."""
        middle = self.middle(low)
        high = self.high(middle)
        levels = [
            functional.adaptive_avg_pool2d(low, grid),
            functional.interpolate(middle, grid, mode="bilinear", align_corners=False),
            functional.interpolate(high, grid, mode="bilinear", align_corners=False),
        ]
        return self.mix(torch.cat(levels, dim=1)).relu()


def vgg16_features() -> nn.Sequential:
    """VGG-16 (Simonyan and Zisserman, 2014) up to its last ReLU, numbered as in torchvision."""
    layers: list[nn.Module] = []
    channels = 3
    for layer in VGG16_LAYERS:
        if isinstance(layer, str):
            layers.append(nn.MaxPool2d(2))
        else:
            layers += [nn.Conv2d(channels, layer, 3, padding=1), nn.ReLU(inplace=True)]
            channels = layer
    return nn.Sequential(*layers)


def scnn_features() -> nn.Sequential:
    """The S-CNN without its classifier: RGB by ImageNet's mean and deviation -> (N, 128, H / 16, W / 16)."""
    layers: list[nn.Module] = []
    channels = 3
    for out_channels, stride in SCNN_LAYERS:
        convolution = nn.Conv2d(channels, out_channels, 3, stride, padding=1)
        layers += [convolution, nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True)]
        channels = out_channels
    return nn.Sequential(*layers)


def shown(image: Tensor, grid: Grid) -> Tensor:
    """How much each position of a grid counts: 1 inside the picture, next to nothing in black areas.

    The score of a face on black would otherwise depend on how much black there is, and on the cut between the
    two: a position counts only where nothing around it is black.

    Args:
        image: RGB (N, 3, H, W) in [0, 1].
        grid: Of the result.

    Returns:
        float (N, 1, *grid) in [0.001, 1.001].
    """
    lit = (image.amax(dim=1, keepdim=True) > BLACK).to(image.dtype)
    share = functional.adaptive_avg_pool2d(lit, grid)
    return -functional.max_pool2d(-share, 3, stride=1, padding=1) + FLOOR
