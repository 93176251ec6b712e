"""A second matcher for evaluations: Intel's face-reidentification-retail-0095 (Apache-2.0) in OpenVINO.

The network shares nothing with SFace: another backbone (MobileNet V2 with squeeze and excitation), another
loss, another training set, another input (128 x 128, BGR) and an alignment template of its own. Only the five
landmarks of faceqa's detector are the same.

The public copy is in OpenVINO's old format (IR version 5), which today's OpenVINO does not read: `read_ir5`
builds the same graph from its eight kinds of layer. The weights are checked by their sha256. The .xml is not:
it holds no weights, and a wrong graph would not reach the accuracy on LFW that the zoo states, 0.9947.

OpenVINO is no dependency of faceqa: pip install openvino.
"""

from __future__ import annotations

import hashlib
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import cv2
import numpy as np

NAME = "face-reidentification-retail-0095"

WEIGHTS_SHA256 = "3289078133e40e4263f682ded2a26a500905abb0fd7b943f41ca8037a4f3fe21"
"""Of the FP16 .bin, as Intel's Open Model Zoo lists it from tag 2018_R5 to 2019_R3.1."""

INPUT_SIDE = 128
"""px."""

EMBEDDING_SIZE = 256

TEMPLATE = INPUT_SIDE * np.array(
    [
        [0.31556875000000000, 0.4615741071428571],
        [0.68262291666666670, 0.4615741071428571],
        [0.50026249999999990, 0.6405053571428571],
        [0.34947187500000004, 0.8246919642857142],
        [0.65343645833333330, 0.8246919642857142],
    ]
)
"""Where the five landmarks come to lie, px of the crop, from the model's page in the Open Model Zoo. Its
"left eye" is the one on the left of the picture, so the order is that of `faceqa.types.LANDMARKS`."""


class OpenvinoMatcher:
    """Aligned crops -> embeddings that are compared by their cosine."""

    def __init__(self, folder: Path):
        """Read, check and compile the network for one CPU thread.

        Args:
            folder: Holds the network's .xml and .bin.

        Raises:
            ValueError: when the weights are not the zoo's.
        """
        import openvino

        model = read_ir5(folder / f"{NAME}.xml", WEIGHTS_SHA256)
        options = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32"}
        self._run = openvino.Core().compile_model(model, "CPU", options)

    def embed(self, crop: np.ndarray) -> np.ndarray:
        """RGB uint8 (128, 128, 3), aligned by `align` -> float32 (256,), not normalised."""
        # BGR 0 to 255: the scaling by 1/255 and the exchange of channels are in the graph's first layer.
        tensor = np.ascontiguousarray(crop[:, :, ::-1].transpose(2, 0, 1)[None], dtype=np.float32)
        return self._run(tensor)[0].ravel().astype(np.float32)


def align(photo: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """The crop of the network, by the least-squares similarity of the landmarks to `TEMPLATE`.

    Args:
        photo: RGB uint8 (H, W, 3).
        landmarks: Five (x, y) in px, in the order of `TEMPLATE`: (5, 2).

    Returns:
        RGB uint8 (128, 128, 3); black beyond the photo.
    """
    source = np.asarray(landmarks, np.float64)
    z = (source - source.mean(axis=0)) @ (1, 1j)
    w = (TEMPLATE - TEMPLATE.mean(axis=0)) @ (1, 1j)
    factor = np.vdot(z, w) / np.vdot(z, z).real
    rotation = np.array([[factor.real, -factor.imag], [factor.imag, factor.real]])
    transform = np.column_stack([rotation, TEMPLATE.mean(axis=0) - rotation @ source.mean(axis=0)])
    return cv2.warpAffine(photo, transform, (INPUT_SIDE, INPUT_SIDE), flags=cv2.INTER_LINEAR)


def read_ir5(path: Path, weights_sha256: str) -> Any:
    """Build an `openvino.Model` from a network in IR version 5, FP16 weights, computed in float32.

    Args:
        path: The .xml; the .bin lies beside it.
        weights_sha256: What the .bin must have.

    Raises:
        ValueError: when the weights are others, or the graph holds a layer that is not known here.
    """
    import openvino
    from openvino import opset13 as ops

    weights = _Weights(path.with_suffix(".bin"), weights_sha256)
    net = ElementTree.parse(path).getroot()
    inputs = _inputs(net)
    nodes: dict[str, Any] = {}
    for layer in net.findall("layers/layer"):  # listed in the order of the data
        sources = [nodes[name] for name in inputs.get(layer.attrib["id"], [])]
        node = _node(ops, layer, sources, weights)
        if list(node.get_output_shape(0)) != (expected := _output_shape(layer)):
            raise ValueError(f"layer {layer.get('name')} gives {node.get_output_shape(0)}, not {expected}")
        nodes[layer.attrib["id"]] = node
    if weights.unused:
        raise ValueError(f"{weights.unused} bytes of the weights belong to no layer")
    first, last = next(iter(nodes.values())), next(reversed(nodes.values()))
    return openvino.Model([ops.result(last)], [first], net.attrib["name"])


class _Weights:
    """The bytes of a .bin, and which of them were used."""

    def __init__(self, path: Path, sha256: str):
        self._stored = path.read_bytes()
        self._used = bytearray(len(self._stored))
        if (found := hashlib.sha256(self._stored).hexdigest()) != sha256:
            raise ValueError(f"{path} has the sha256 {found}, not {sha256}.")

    def blob(self, layer: ElementTree.Element, kind: str) -> np.ndarray:
        """The weights or biases of a layer, float32 (N,)."""
        entry = layer.find(f"blobs/{kind}")
        if entry is None:
            raise ValueError(f"layer {layer.get('name')} has no {kind}")
        start, size = int(entry.attrib["offset"]), int(entry.attrib["size"])
        self._used[start : start + size] = b"\1" * size
        return np.frombuffer(self._stored[start : start + size], np.float16).astype(np.float32)

    @property
    def unused(self) -> int:
        return self._used.count(0)


def _inputs(net: ElementTree.Element) -> dict[str, list[str]]:
    """By layer, the layers that feed it, in the order of its ports."""
    ports: dict[str, dict[int, str]] = {}
    for edge in net.findall("edges/edge"):
        fed = ports.setdefault(edge.attrib["to-layer"], {})
        fed[int(edge.attrib["to-port"])] = edge.attrib["from-layer"]
    return {layer: [fed[port] for port in sorted(fed)] for layer, fed in ports.items()}


def _node(ops: Any, layer: ElementTree.Element, sources: list[Any], weights: _Weights) -> Any:
    element = layer.find("data")
    data = {} if element is None else element.attrib
    match layer.attrib["type"], data.get("pool-method") or data.get("operation") or data.get("type"):
        case "Input", _:
            return ops.parameter(_output_shape(layer), np.float32, name="data")
        case "ScaleShift", _:
            scale, shift = (weights.blob(layer, name).reshape(1, -1, 1, 1) for name in ("weights", "biases"))
            return ops.add(ops.multiply(sources[0], ops.constant(scale)), ops.constant(shift))
        case "Convolution", _:
            node = _convolution(ops, sources[0], data, weights.blob(layer, "weights"))
            if layer.find("blobs/biases") is None:
                return node
            return ops.add(node, ops.constant(weights.blob(layer, "biases").reshape(1, -1, 1, 1)))
        case "PReLU", _:
            return ops.prelu(sources[0], ops.constant(weights.blob(layer, "weights")))
        case "Pooling", "avg":
            kernel, strides = _whole(data["kernel"]), _whole(data["strides"])
            begin, end = _whole(data["pads_begin"]), _whole(data["pads_end"])
            return ops.avg_pool(sources[0], strides, begin, end, kernel, exclude_pad=True)
        case "Activation", "sigmoid":
            return ops.sigmoid(sources[0])
        case "Eltwise", "mul":
            return ops.multiply(*sources)
        case "Eltwise", "sum":
            return ops.add(*sources)
    raise ValueError(f"no such layer is known here: {layer.attrib['type']} {dict(data)}")


def _convolution(ops: Any, source: Any, data: dict[str, str], weights: np.ndarray) -> Any:
    kernel, groups, output = _whole(data["kernel"]), int(data["group"]), int(data["output"])
    settings = [_whole(data[name]) for name in ("strides", "pads_begin", "pads_end", "dilations")]
    if groups == 1:
        return ops.convolution(source, ops.constant(weights.reshape(output, -1, *kernel)), *settings)
    shaped = weights.reshape(groups, output // groups, -1, *kernel)
    return ops.group_convolution(source, ops.constant(shaped), *settings)


def _output_shape(layer: ElementTree.Element) -> list[int]:
    return [int(size.text or 0) for size in layer.findall("output/port/dim")]


def _whole(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]
