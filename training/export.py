"""Make the form of the weights that CPUs run: OpenVINO's, from the files that were trained or published.

    python training/export.py

For each network of the open set weights/ROLE.xml (the layers) and ROLE.bin (their values, half floats), and
their hashes in weights/manifest.toml. What engines may round to bfloat16 or to integers, and what they must
not, is written into the files: from the last convolution on everything stays float32, and so does DB-CNN's
EfficientNet, whose rounding would move the score by up to four points.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path

import onnx
import openvino
import torch
from onnx import numpy_helper
from openvino.preprocess import PrePostProcessor

sys.path.append(str(Path(__file__).parents[1]))

from faceqa import weights
from faceqa.engines.base import OUTPUTS, STANDARD_SIZES, Network
from faceqa.engines.torch import load_network
from faceqa.networks.sface import float_initializers

ANY_SIZE: tuple[Network, ...] = ("detection", "iqa")
"""Networks that see pictures of other sizes, too."""

PRECISE = {"name": "precise", "version": "0"}
"""What OpenVINO writes at a layer that keeps float32."""

CONVOLUTIONS = ("Convolution", "GroupConvolution")

PRECISE_UP_TO = "features1.mix"
"""In the names of the layers that end DB-CNN's EfficientNet."""


def main() -> None:
    """Convert, write, and record the hashes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=weights.WEIGHTS_DIR)
    arguments = parser.parse_args()
    for role in OUTPUTS:
        model = detector() if role == "detection" else measuring(role)
        path = arguments.out / f"{role}.xml"
        openvino.save_model(model, path, compress_to_fp16=role != "detection")
        keep_precise(path)
        for file in (path, path.with_suffix(".bin")):
            record(file, arguments.out / "manifest.toml")
            print(f"{file.name}: {file.stat().st_size:,} bytes")


def measuring(role: Network) -> openvino.Model:
    """A network that torch has, too: RGB uint8 (1, H, W, 3) in."""
    height, width = STANDARD_SIZES[role]
    size = (-1, -1) if role in ANY_SIZE else (height, width)
    with torch.inference_mode():
        model = openvino.convert_model(
            load_network(role),
            example_input=torch.zeros(1, height, width, 3, dtype=torch.uint8),
            input=openvino.PartialShape([1, *size, 3]),
        )
    return named(model, role)


def detector() -> openvino.Model:
    """YuNet, from its ONNX file: RGB uint8 (1, H, W, 3) in, sides that are multiples of 32 px."""
    network = onnx.load(weights.fetch(weights.find("detection", "open")))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "yunet.onnx"
        onnx.save(dequantised(network), path)
        model = openvino.convert_model(path)
    model.reshape([1, 3, -1, -1])
    steps = PrePostProcessor(model)
    steps.input().tensor().set_element_type(openvino.Type.u8).set_layout(openvino.Layout("NHWC"))
    steps.input().model().set_layout(openvino.Layout("NCHW"))
    steps.input().preprocess().reverse_channels()
    return named(steps.build(), "detection")


def dequantised(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same network with floats in the place of quantised values."""
    values = float_initializers(model)
    quantised = {
        node.output[0]: node.output[0].removesuffix("_dequantized")
        for node in model.graph.node
        if node.op_type == "DequantizeLinear"
    }
    nodes, found = [], {}
    for node in model.graph.node:
        if node.op_type == "DequantizeLinear":
            found[node.output[0]] = values[quantised[node.output[0]]]
        elif node.op_type == "Reshape" and node.input[0] in quantised:
            found[node.output[0]] = values[quantised[node.input[0]]]
        else:
            nodes.append(node)
    used = {name for node in nodes for name in node.input}
    kept = [tensor for tensor in model.graph.initializer if tensor.name in used]
    kept += [numpy_helper.from_array(value, name) for name, value in found.items() if name in used]
    inputs = [one for one in model.graph.input if one.name in used - {tensor.name for tensor in kept}]
    for field, new in (("node", nodes), ("initializer", kept), ("input", inputs), ("value_info", [])):
        del getattr(model.graph, field)[:]
        getattr(model.graph, field).extend(new)
    return model


def named(model: openvino.Model, role: Network) -> openvino.Model:
    """The model with our names for its outputs, and without what its conversion was told."""
    for name, output in zip(OUTPUTS[role], model.outputs, strict=True):
        output.tensor.set_names({name})
    for key in ("conversion_parameters", "framework"):
        if key in model.rt_info:
            del model.rt_info[key]
    return model


def keep_precise(path: Path) -> None:
    """Write at each layer behind the last convolution, and before `PRECISE_UP_TO`, that it keeps float32."""
    tree = ET.parse(path)
    layers = {layer.attrib["id"]: layer for layer in tree.getroot().iterfind("layers/layer")}
    edges = [
        (edge.attrib["from-layer"], edge.attrib["to-layer"]) for edge in tree.getroot().iterfind("edges/edge")
    ]
    precise = before({key for key, layer in layers.items() if PRECISE_UP_TO in layer.attrib["name"]}, edges)
    rounded = before({key for key, layer in layers.items() if layer.get("type") in CONVOLUTIONS}, edges)
    rounded -= precise
    for key, layer in layers.items():
        if key not in rounded and layer.get("type") not in ("Const", "Parameter", "Result"):
            told = layer.find("rt_info")
            if told is None:
                told = ET.Element("rt_info")
                layer.insert(1 if layer.find("data") is not None else 0, told)
            ET.SubElement(told, "attribute", PRECISE)
    tree.write(path)


def before(layers: set[str], edges: list[tuple[str, str]]) -> set[str]:
    """These layers, and all that they are computed from."""
    size = -1
    while size < len(layers):
        size = len(layers)
        layers = layers | {source for source, target in edges if target in layers}
    return layers


def record(file: Path, manifest: Path) -> None:
    """Bring the hash and the size of a file up to date in the manifest."""
    text = manifest.read_text(encoding="utf-8")
    row = re.compile(rf'(file = "{re.escape(file.name)}"\nsha256 = ")[0-9a-f]*("\nbytes = )\d+')
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    text, count = row.subn(rf"\g<1>{digest}\g<2>{file.stat().st_size}", text)
    if count != 1:
        raise SystemExit(f"{manifest} has no row for {file.name}.")
    manifest.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
