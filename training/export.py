"""Make the form of the weights that CPUs run: OpenVINO's, from the files that were trained or published.

    python training/dbcnn/crops.py         # runs/dbcnn/sharp.npz
    python training/export.py

For each network of the open set weights/ROLE.xml (the layers) and ROLE.bin (their values), and their hashes
in weights/manifest.toml. The files also say what is rounded. The convolutions of DB-CNN's S-CNN and of the
face mask's decoder are 8-bit integers, whose ranges NNCF takes from damaged faces. Engines may round the rest
to bfloat16, but for all that follows the last convolution and for DB-CNN's EfficientNet, whose rounding would
move the score by up to four points, and for the first layers. What this changes: benchmarks/precision.py.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path

import nncf
import numpy as np
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
from training.graded_faces import GradedFaces, graded_faces

ANY_SIZE: tuple[Network, ...] = ("detection", "iqa")
"""Networks that see pictures of other sizes, too."""

PRECISE = {"name": "precise", "version": "0"}
"""What OpenVINO writes at a layer that keeps float32."""

CONVOLUTIONS = ("Convolution", "GroupConvolution")

PRECISE_UP_TO: dict[Network, str] = {
    "apertures": "aten::stack/Concat",
    "embedding": "network.layers.6.relu",
    "face_mask": "encoder.blocks.1.0.bn3",
    "iqa": "features1.mix",
}
"""In the names of the layers up to which nothing is rounded: bfloat16 costs most in the first layers and
saves little there, DB-CNN's EfficientNet ends here, and the networks of eyes and mouth are small anyway."""

QUANTISED: dict[Network, str] = {"face_mask": "unet.decoder.", "iqa": "features2."}
"""In the names of the layers whose convolutions become integers."""

CALIBRATION_FACES = 300


def main() -> None:
    """Convert, write, and record the hashes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--faces", type=Path, default=Path("runs/dbcnn/sharp.npz"))
    parser.add_argument("--out", type=Path, default=weights.WEIGHTS_DIR)
    parser.add_argument("--only", choices=list(OUTPUTS), help="one network instead of all")
    arguments = parser.parse_args()
    faces = graded_faces(arguments.faces, held_out=False, most=CALIBRATION_FACES)
    for role in [arguments.only] if arguments.only else OUTPUTS:
        model = detector() if role == "detection" else measuring(role)
        if role in QUANTISED:
            model = quantised(halved(model), role, faces)
        path = arguments.out / f"{role}.xml"
        openvino.save_model(model, path, compress_to_fp16=role != "detection")
        keep_precise(path, PRECISE_UP_TO.get(role))
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


def halved(model: openvino.Model) -> openvino.Model:
    """The model with half floats: what is quantised is no longer brought to them when it is saved."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "half.xml"
        openvino.save_model(model, path)
        return openvino.Core().read_model(path)


def quantised(model: openvino.Model, role: Network, faces: GradedFaces) -> openvino.Model:
    """The model with 8-bit integers in the convolutions of `QUANTISED`.

    NNCF would also correct the biases: on damaged faces that moves DB-CNN's score further.
    """
    kept = [
        layer.get_friendly_name()
        for layer in model.get_ordered_ops()
        if not (layer.get_type_name() == "Convolution" and follows(layer, QUANTISED[role]))
        and layer.get_type_name() not in ("Constant", "Parameter", "Result")
    ]
    pictures = faces.crops if role == "face_mask" else np.concatenate([faces.masked, faces.crops[::3]])
    return nncf.quantize(
        model,
        nncf.Dataset([picture[None] for picture in pictures]),
        subset_size=len(pictures),
        preset=nncf.QuantizationPreset.PERFORMANCE,
        ignored_scope=nncf.IgnoredScope(names=kept, validate=False),
        advanced_parameters=nncf.AdvancedQuantizationParameters(disable_bias_correction=True),
    )


def follows(convolution: openvino.Node, name: str) -> bool:
    """Whether the layer behind a convolution has this in its name; a folded convolution has lost its own."""
    return any(
        name in target.get_node().get_friendly_name() for target in convolution.output(0).get_target_inputs()
    )


def named(model: openvino.Model, role: Network) -> openvino.Model:
    """The model with our names for its outputs, and without what its conversion was told."""
    for name, output in zip(OUTPUTS[role], model.outputs, strict=True):
        output.tensor.set_names({name})
    for key in ("conversion_parameters", "framework"):
        if key in model.rt_info:
            del model.rt_info[key]
    return model


def keep_precise(path: Path, up_to: str | None) -> None:
    """Write at each layer behind the last convolution, and up to one of this name, that it keeps float32."""
    tree = ET.parse(path)
    layers = {layer.attrib["id"]: layer for layer in tree.getroot().iterfind("layers/layer")}
    edges = [
        (edge.attrib["from-layer"], edge.attrib["to-layer"]) for edge in tree.getroot().iterfind("edges/edge")
    ]
    # A layer that asks for the size of another one does not take its values.
    shapes = {key for key, layer in layers.items() if layer.get("type") == "ShapeOf"}
    values = [edge for edge in edges if edge[1] not in shapes]
    last = {key for key, layer in layers.items() if up_to is not None and up_to in layer.attrib["name"]}
    precise = before(last, values)
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
