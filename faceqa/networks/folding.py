"""The same network, faster: for inference only.

A batch norm at inference is affine, so the convolution before it can take it over; convolutions run faster
with the channels of a pixel side by side in memory, and without a padded copy of what they read. All this
changes a result by rounding only. Where the processor multiplies bfloat16 matrices, so does `Bfloat16`,
several times faster, with 8 bits of precision.
"""

from __future__ import annotations

from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

Network = TypeVar("Network", bound=nn.Module)


def folded(network: Network) -> Network:
    """Fold every batch norm that follows a convolution in its module into it; changes the network itself.

    Args:
        network: In evaluation mode. The order of a module's children must be the order in which it calls
            them, as it is in an `nn.Sequential` and in the blocks of timm.
    """
    _fold(network)
    return network.to(memory_format=torch.channels_last)


def _fold(module: nn.Module) -> None:
    before: tuple[str, nn.Conv2d] | None = None
    for name, child in list(module.named_children()):
        if isinstance(child, nn.BatchNorm2d) and before is not None:
            setattr(module, before[0], fuse_conv_bn_eval(before[1], child))
            # timm's batch norms bring the activation along.
            setattr(module, name, getattr(child, "act", nn.Identity()))
        else:
            _fold(child)
        before = (name, child) if isinstance(child, nn.Conv2d) else None


def fold_padding(network: nn.Module) -> None:
    """Make timm's convolutions that pad as TensorFlow does `EvenPadding`s; changes the network itself."""
    from timm.layers import Conv2dSame

    for name, child in list(network.named_children()):
        if isinstance(child, Conv2dSame):
            setattr(network, name, EvenPadding(child))
        else:
            fold_padding(child)


class EvenPadding(nn.Module):
    """A convolution of stride 2 that pads as TensorFlow does, faster on maps with even sides.

    TensorFlow pads such a map by one pixel more behind than before. So does, without a copy of the map, even
    padding and a kernel with a row and a column of zeros before the others.
    """

    kernel: Tensor

    def __init__(self, convolution: Any):
        """Take over a square `timm.layers.Conv2dSame` of stride 2 and odd size."""
        super().__init__()
        self.convolution = convolution
        self.padding = convolution.kernel_size[0] // 2
        kernel = functional.pad(convolution.weight.detach(), (1, 0, 1, 0))
        self.register_buffer("kernel", kernel.contiguous(memory_format=torch.channels_last))

    def forward(self, x: Tensor) -> Tensor:
        """As the convolution's."""
        if x.shape[2] % 2 or x.shape[3] % 2:
            return self.convolution(x)
        old = self.convolution
        return functional.conv2d(x, self.kernel, old.bias, old.stride, self.padding, groups=old.groups)


class Bfloat16(nn.Module):
    """A network that computes in bfloat16 between float32 tensors, or lists of them, and a float32 output."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network.to(torch.bfloat16)

    def forward(self, x: Tensor | list[Tensor]) -> Tensor:
        """As the network's."""
        small = x.bfloat16() if isinstance(x, Tensor) else [tensor.bfloat16() for tensor in x]
        return self.network(small).float()


def multiplies_bfloat16() -> bool:
    """Whether the processor has units that multiply bfloat16 matrices (AMX)."""
    if not hasattr(torch.cpu, "get_capabilities"):  # an older torch does not say
        return False
    return bool(torch.cpu.get_capabilities().get("amx_bf16"))
