"""The same network, faster: for inference only.

A batch norm at inference is affine, so the convolution before it can take it over; convolutions run faster
with the channels of a pixel side by side in memory, without a padded copy of what they read, and with the
activation after them in the same pass. All this changes a result by rounding only. Where the processor
multiplies bfloat16 matrices, so does `Bfloat16`, several times faster, with 8 bits of precision.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

Network = TypeVar("Network", bound=nn.Module)

MOST_LAYOUTS = 4
"""Of a convolution's weights that are kept, one for each size of its input and number of threads."""


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

    def __init__(self, convolution: Any):
        """Take over a square `timm.layers.Conv2dSame` of stride 2 and odd size."""
        super().__init__()
        size, channels = convolution.kernel_size[0], (convolution.in_channels, convolution.out_channels)
        kernel = functional.pad(convolution.weight.detach(), (1, 0, 1, 0))
        even = nn.Conv2d(*channels, size + 1, 2, size // 2, groups=convolution.groups)
        even.weight = nn.Parameter(kernel.contiguous(memory_format=torch.channels_last))
        even.bias = convolution.bias
        self.odd: nn.Module = convolution
        self.even: nn.Module = even

    def forward(self, x: Tensor) -> Tensor:
        """The convolution of `x`."""
        return self.odd(x) if x.shape[2] % 2 or x.shape[3] % 2 else self.even(x)


def fuse_activations(network: nn.Module) -> None:
    """Make convolutions `FusedConvolution`s; the last step, for inference on a CPU; changes the network.

    Does nothing where torch does not have oneDNN's convolutions. The order of a module's children must be the
    order in which it calls them.
    """
    if not hasattr(torch.ops.mkldnn, "_convolution_pointwise"):
        return
    children = [item for item in network.named_children() if not isinstance(item[1], nn.Identity)]
    for (name, child), (next_name, following) in pairwise([*children, ("", nn.Identity())]):
        if type(child) is not nn.Conv2d and not isinstance(child, EvenPadding):
            fuse_activations(child)
            continue
        activation = following if isinstance(following, (nn.ReLU, nn.ReLU6)) else None
        if activation is not None:
            setattr(network, next_name, nn.Identity())
        if isinstance(child, EvenPadding):
            child.odd = nn.Sequential(child.odd, activation or nn.Identity())
            child.even = FusedConvolution(cast(nn.Conv2d, child.even), activation)
        else:
            setattr(network, name, FusedConvolution(child, activation))


class FusedConvolution(nn.Module):
    """A convolution and the activation after it in one pass, its weights in the layout that oneDNN wants.

    This is what torch's compiler makes of them; the compiler itself needs a C++ compiler where it runs.
    """

    def __init__(self, convolution: nn.Conv2d, activation: nn.ReLU | nn.ReLU6 | None):
        """Take over a convolution with zeros around its input."""
        super().__init__()
        self._weight = convolution.weight.detach()
        self._bias = None if convolution.bias is None else convolution.bias.detach()
        self._place = (convolution.padding, convolution.stride, convolution.dilation, convolution.groups)
        self._activation: tuple[str, list[float]] = ("none", [])
        if isinstance(activation, nn.ReLU6):
            self._activation = ("hardtanh", [0.0, 6.0])
        elif activation is not None:
            self._activation = ("relu", [])
        self._packed: dict[tuple[torch.Size, int], Tensor] = {}

    def forward(self, x: Tensor) -> Tensor:
        """The activation of the convolution of `x`."""
        size = x.shape, torch.get_num_threads()  # what the layout depends on
        weight = self._packed.get(size)
        if weight is None:
            if len(self._packed) >= MOST_LAYOUTS:
                self._packed.clear()
            weight = torch.ops.mkldnn._reorder_convolution_weight(self._weight, *self._place, x.shape)
            self._packed[size] = weight
        return torch.ops.mkldnn._convolution_pointwise(
            x, weight, self._bias, *self._place, *self._activation, ""
        )


class Bfloat16(nn.Module):
    """A network that computes in bfloat16 between float32 tensors, or lists of them, and a float32 output."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network.to(torch.bfloat16)

    def forward(self, x: Tensor | list[Tensor]) -> Tensor:
        """The network's output for `x`."""
        small = x.bfloat16() if isinstance(x, Tensor) else [tensor.bfloat16() for tensor in x]
        return self.network(small).float()


def multiplies_bfloat16() -> bool:
    """Whether the processor has units that multiply bfloat16 matrices (AMX)."""
    if not hasattr(torch.cpu, "get_capabilities"):  # an older torch does not say
        return False
    return bool(torch.cpu.get_capabilities().get("amx_bf16"))
