"""SFace (Zhong et al., 2021): the embedding network of the open set, rebuilt from OpenCV Zoo's ONNX file.

A MobileNet-V1 with PReLU over a 112 x 112 face, then batch norm -> dropout -> flatten -> fully connected
layer -> batch norm. SER-FIQ needs the two halves apart: the features that the dropout acts on, and the layer
after it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    import onnx

# Output channels and stride of the thirteen depthwise separable blocks.
BLOCKS = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1))
STEM_CHANNELS = 32
SPATIAL = 7
EMBEDDING_SIZE = 128
CONV_EPSILON = 1e-3
TAIL_EPSILON = 2e-5


class SFace(nn.Module):
    """Face crops to embeddings.

    Input: float32 (N, 3, 112, 112), RGB, 0 to 255, aligned to ArcFace's template; the scaling to [-1, 1] is
    part of the network.
    """

    def __init__(self) -> None:
        super().__init__()
        layers = [ConvUnit(3, STEM_CHANNELS, kernel=3)]
        channels = STEM_CHANNELS
        for out_channels, stride in BLOCKS:
            layers.append(ConvUnit(channels, channels, kernel=3, stride=stride, groups=channels))
            layers.append(ConvUnit(channels, out_channels, kernel=1))
            channels = out_channels
        self.layers = nn.Sequential(*layers)
        self.norm = nn.BatchNorm2d(channels, eps=TAIL_EPSILON)
        self.fc = nn.Linear(channels * SPATIAL**2, EMBEDDING_SIZE)
        self.fc_norm = nn.BatchNorm1d(EMBEDDING_SIZE, eps=TAIL_EPSILON)

    def features(self, crops: Tensor) -> Tensor:
        """What the dropout of SER-FIQ acts on: (N, 3, 112, 112) -> (N, 50176)."""
        return self.norm(self.layers((crops - 127.5) / 128)).flatten(1)

    def forward(self, crops: Tensor) -> Tensor:
        """(N, 3, 112, 112) -> embeddings (N, 128), not normalised."""
        return self.fc_norm(self.fc(self.features(crops)))

    def last_layer(self) -> tuple[Tensor, Tensor]:
        """`A` (128, 50176) and `c` (128,) with embedding = A features + c: the layer with its batch norm."""
        # A batch norm at inference is affine: its value at 0 is the offset, the rest is the gain.
        zero, one = torch.zeros_like(self.fc_norm.weight)[None], torch.ones_like(self.fc_norm.weight)[None]
        gain = (self.fc_norm(one) - self.fc_norm(zero))[0]
        return gain[:, None] * self.fc.weight, self.fc_norm(self.fc.bias[None])[0]


class ConvUnit(nn.Module):
    """Convolution, batch norm, PReLU."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int = 1, groups: int = 1):
        super().__init__()
        self.conv = nn.Conv2d(
            in_channels, out_channels, kernel, stride, padding=kernel // 2, groups=groups, bias=False
        )
        self.norm = nn.BatchNorm2d(out_channels, eps=CONV_EPSILON)
        self.relu = nn.PReLU(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', H', W')."""
        return self.relu(self.norm(self.conv(x)))


def state_dict_from_onnx(model: onnx.ModelProto) -> dict[str, Tensor]:
    """The weights of OpenCV Zoo's SFace, fp32 or block-quantised, under this module's names.

    Every initialiser of the file is used, so that `load_state_dict(..., strict=True)` proves the match.
    """
    state = {}
    for name, values in float_initializers(model).items():
        if name not in ("scalar_op1", "scalar_op2"):  # 127.5 and 1/128, written out in `features`
            key = _module_name(name)
            state[key] = torch.from_numpy(values.reshape(-1) if key.endswith("relu.weight") else values)
    for key in [key for key in state if key.endswith("running_mean")]:
        state[key.replace("running_mean", "num_batches_tracked")] = torch.tensor(0)
    return state


_FIELDS = {
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_var": "running_var",
    "weight": "weight",
    "bias": "bias",
}


def _module_name(name: str) -> str:
    """Translate a name: conv_3_dw_batchnorm_gamma -> layers.3.norm.weight."""
    if unit := re.fullmatch(r"conv_(\d+)(_dw)?_(conv2d|batchnorm|relu)_(\w+)", name):
        number, depthwise, part, field = unit.groups()
        index = 2 * (int(number) - 1) - (1 if depthwise else 0)
        part = {"conv2d": "conv", "batchnorm": "norm", "relu": "relu"}[part]
        return f"layers.{index}.{part}.{_FIELDS[field]}"
    if tail := re.fullmatch(r"(bn1|pre_fc1|fc1)_(\w+)", name):
        part = {"bn1": "norm", "pre_fc1": "fc", "fc1": "fc_norm"}[tail[1]]
        return f"{part}.{_FIELDS[tail[2]]}"
    return name


def float_initializers(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    """Initialisers by name, with each quantised one put together as ONNX's DequantizeLinear defines."""
    from onnx import helper, numpy_helper

    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type != "DequantizeLinear":
            continue
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        quantised, scales, zero_points = (stored.pop(name) for name in node.input)
        if "block_size" in attributes:
            axis = attributes["axis"]
            blocks = np.arange(quantised.shape[axis]) // attributes["block_size"]
            scales, zero_points = scales.take(blocks, axis), zero_points.take(blocks, axis)
        values = (quantised.astype(np.float32) - zero_points.astype(np.float32)) * scales
        name = node.input[0].removesuffix("_quantized")
        stored[name] = values.reshape(stored.pop(f"{name}_shape", values.shape))
    return {name: np.require(values, np.float32, "W") for name, values in stored.items()}
