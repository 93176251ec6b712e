"""insightface's ArcFace networks, run in torch straight from their ONNX graph.

The research set's recognition models (IResNets) come as ONNX only. Executing their few operators in torch
gives the two halves that SER-FIQ needs, the features before the last layer and the layer itself, on the same
devices as every other network, without a second runtime for CUDA.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from faceqa.errors import WeightsError

if TYPE_CHECKING:
    from collections.abc import Callable

    import onnx


class OnnxArcFace(nn.Module):
    """Face crops to embeddings, by an ONNX graph that ends in Flatten -> Gemm -> BatchNormalization.

    Input: float32 (N, 3, 112, 112), RGB, 0 to 255, aligned to ArcFace's template.
    """

    def __init__(self, model: onnx.ModelProto):
        """Take the weights from the graph.

        Raises:
            WeightsError: `unsupported_file`, when the graph does not end as it should or holds an operator
                that is not one of `OPERATORS`.
        """
        super().__init__()
        from onnx import helper, numpy_helper

        graph = model.graph
        nodes = list(graph.node)
        if [node.op_type for node in nodes[-3:]] != ["Flatten", "Gemm", "BatchNormalization"]:
            raise _unsupported("does not end in Flatten, Gemm, BatchNormalization")
        if unknown := {node.op_type for node in nodes} - OPERATORS.keys():
            raise _unsupported(f"holds operators that faceqa does not run: {', '.join(sorted(unknown))}")
        initializers = {tensor.name: tensor for tensor in graph.initializer}
        for name, tensor in initializers.items():
            self.register_buffer(_buffer_name(name), torch.from_numpy(numpy_helper.to_array(tensor).copy()))
        (self._input,) = (value.name for value in graph.input if value.name not in initializers)
        self._nodes = [
            (
                OPERATORS[node.op_type],
                list(node.input),
                node.output[0],
                {a.name: helper.get_attribute_value(a) for a in node.attribute},
            )
            for node in nodes
        ]
        self._initializers = initializers.keys()

    def features(self, crops: Tensor) -> Tensor:
        """What the dropout of SER-FIQ acts on: (N, 3, 112, 112) -> (N, D)."""
        return self._run((crops - 127.5) / 127.5, self._nodes[:-2])

    def forward(self, crops: Tensor) -> Tensor:
        """(N, 3, 112, 112) -> embeddings (N, K), not normalised."""
        return self._run((crops - 127.5) / 127.5, self._nodes)

    def last_layer(self) -> tuple[Tensor, Tensor]:
        """`A` (K, D) and `c` (K,) with embedding = A features + c: the layer with its batch norm."""
        (_, gemm, _, gemm_attributes), (_, norm, _, norm_attributes) = self._nodes[-2:]
        weight, bias = (self.get_buffer(_buffer_name(name)) for name in gemm[1:])
        gamma, beta, mean, variance = (self.get_buffer(_buffer_name(name)) for name in norm[1:])
        if not gemm_attributes.get("transB", 0):
            weight = weight.T
        gain = gamma / torch.sqrt(variance + norm_attributes.get("epsilon", 1e-5))
        return gain[:, None] * weight, gain * (bias - mean) + beta

    def _run(self, x: Tensor, nodes: list) -> Tensor:
        values = {name: self.get_buffer(_buffer_name(name)) for name in self._initializers}
        values[self._input] = x
        for operator, inputs, output, attributes in nodes:
            x = values[output] = operator([values[name] for name in inputs], attributes)
        return x


def _conv(inputs: list[Tensor], attributes: dict) -> Tensor:
    top, left, bottom, right = attributes.get("pads", [0, 0, 0, 0])
    x, weight = inputs[:2]
    bias = inputs[2] if len(inputs) > 2 else None
    x = F.pad(x, (left, right, top, bottom))
    strides, dilations = attributes.get("strides", [1, 1]), attributes.get("dilations", [1, 1])
    return F.conv2d(x, weight, bias, strides, 0, dilations, attributes.get("group", 1))


def _batch_norm(inputs: list[Tensor], attributes: dict) -> Tensor:
    x, gamma, beta, mean, variance = inputs
    return F.batch_norm(x, mean, variance, gamma, beta, eps=attributes.get("epsilon", 1e-5))


def _gemm(inputs: list[Tensor], attributes: dict) -> Tensor:
    x, weight, bias = inputs
    return F.linear(x, weight if attributes.get("transB", 0) else weight.T, bias)


OPERATORS: dict[str, Callable[[list[Tensor], dict], Tensor]] = {
    "Add": lambda inputs, _: inputs[0] + inputs[1],
    "BatchNormalization": _batch_norm,
    "Conv": _conv,
    "Flatten": lambda inputs, _: inputs[0].flatten(1),
    "Gemm": _gemm,
    "PRelu": lambda inputs, _: F.prelu(inputs[0], inputs[1].flatten()),
    "Relu": lambda inputs, _: F.relu(inputs[0]),
}


def _buffer_name(name: str) -> str:
    return name.replace(".", "_")


def _unsupported(what: str) -> WeightsError:
    return WeightsError(
        "unsupported_file", f"The embedding network {what}; use the files that the manifest names."
    )
