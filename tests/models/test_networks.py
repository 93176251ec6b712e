"""The networks rebuilt in torch against onnxruntime on the same files."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from faceqa import weights
from faceqa.engines.torch import SerFiq
from faceqa.errors import WeightsError
from faceqa.networks.arcface import OnnxArcFace
from faceqa.networks.sface import SFace, state_dict_from_onnx

PARITY = 1e-4


def run(model: onnx.ModelProto, crops: np.ndarray) -> np.ndarray:
    """What onnxruntime makes of NCHW float32, one at a time (the files fix the batch to 1)."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    name = session.get_inputs()[0].name
    return np.concatenate([session.run(None, {name: crop[None]})[0] for crop in crops])


def planar(crops: np.ndarray) -> np.ndarray:
    """uint8 (N, H, W, 3) -> float32 (N, 3, H, W), 0 to 255."""
    return np.ascontiguousarray(crops.transpose(0, 3, 1, 2), dtype=np.float32)


@pytest.fixture(scope="module")
def sface_file() -> onnx.ModelProto:
    model = onnx.load(weights.fetch(weights.find("embedding", "open")))
    # The file lists its weights as inputs, too, which would have to be fed.
    photo = next(value for value in model.graph.input if value.name == "data")
    del model.graph.input[:]
    model.graph.input.append(photo)
    return model


@pytest.fixture(scope="module")
def sface(sface_file) -> SFace:
    network = SFace()
    network.load_state_dict(state_dict_from_onnx(sface_file), strict=True)
    return network.eval()


def test_sface_is_onnxruntimes_sface(sface, sface_file, aligned_faces):
    expected = run(sface_file, planar(aligned_faces))
    with torch.inference_mode():
        embeddings = sface(torch.from_numpy(planar(aligned_faces))).numpy()
    assert np.abs(expected).max() > 1, "the comparison is not of zeros"
    np.testing.assert_allclose(embeddings, expected, atol=PARITY)


def test_sfaces_halves_make_the_whole(sface, aligned_faces):
    crops = torch.from_numpy(planar(aligned_faces))
    with torch.inference_mode():
        layer, bias = sface.last_layer()
        features = sface.features(crops)
        assert features.shape == (len(crops), 1024 * 7 * 7) and layer.shape == (128, 1024 * 7 * 7)
        torch.testing.assert_close(features @ layer.T + bias, sface(crops), atol=PARITY, rtol=0)


def test_a_file_that_lacks_a_weight_is_refused(sface_file):
    broken = onnx.ModelProto()
    broken.CopyFrom(sface_file)
    lost = next(t for t in broken.graph.initializer if t.name == "conv_7_batchnorm_gamma")
    broken.graph.initializer.remove(lost)
    with pytest.raises(RuntimeError, match=r"layers\.12\.norm\.weight"):
        SFace().load_state_dict(state_dict_from_onnx(broken), strict=True)


class IResNet:
    """A small network of insightface's topology, written node by node as its files are."""

    CHANNELS, EMBEDDING = 8, 16

    def __init__(self, seed: int = 0, gemm_transposed: bool = True):
        self.random = np.random.default_rng(seed)
        self.nodes: list = []
        self.weights: list = []
        x = self.unit("input.1", 3, self.CHANNELS, stride=2)
        for block in range(2):
            shortcut = self.conv(x, self.CHANNELS, self.CHANNELS, kernel=1, stride=2)
            y = self.norm(x, self.CHANNELS)
            y = self.unit(y, self.CHANNELS, self.CHANNELS, stride=1)
            y = self.conv(y, self.CHANNELS, self.CHANNELS, kernel=3, stride=2)
            x = self.node("Add", [y, shortcut], f"block_{block}")
        x = self.norm(x, self.CHANNELS)
        x = self.node("Flatten", [x], "flat", axis=1)
        size = self.CHANNELS * 14 * 14
        shape = (self.EMBEDDING, size) if gemm_transposed else (size, self.EMBEDDING)
        layer = self.weight("fc.weight", self.random.normal(0, size**-0.5, shape))
        bias = self.weight("fc.bias", self.random.normal(0, 1, self.EMBEDDING))
        x = self.node("Gemm", [x, layer, bias], "fc", alpha=1.0, beta=1.0, transB=int(gemm_transposed))
        self.output = self.norm(x, self.EMBEDDING)

    def weight(self, name, values) -> str:
        self.weights.append(numpy_helper.from_array(np.asarray(values, np.float32), name))
        return name

    def node(self, kind, inputs, output, **attributes) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def conv(self, x, channels, out_channels, kernel, stride) -> str:
        name = f"conv.{len(self.nodes)}"
        scale = (channels * kernel**2) ** -0.5
        weight = self.weight(
            f"{name}.weight", self.random.normal(0, scale, (out_channels, channels, kernel, kernel))
        )
        bias = self.weight(f"{name}.bias", self.random.normal(0, 0.1, out_channels))
        return self.node(
            "Conv",
            [x, weight, bias],
            name,
            kernel_shape=[kernel, kernel],
            pads=[kernel // 2] * 4,
            strides=[stride, stride],
            dilations=[1, 1],
            group=1,
        )

    def norm(self, x, channels) -> str:
        name = f"norm.{len(self.nodes)}"
        spread = self.random.uniform(0.5, 1.5, (4, channels))
        centred = spread - np.array([[0], [1], [1], [0]])
        inputs = [self.weight(f"{name}.{i}", values) for i, values in enumerate(centred)]
        return self.node("BatchNormalization", [x, *inputs], name, epsilon=1e-5)

    def unit(self, x, channels, out_channels, stride) -> str:
        x = self.conv(x, channels, out_channels, kernel=3, stride=stride)
        slope = self.weight(f"slope.{len(self.nodes)}", self.random.uniform(0, 0.5, (out_channels, 1, 1)))
        return self.node("PRelu", [x, slope], f"prelu.{len(self.nodes)}")

    def model(self) -> onnx.ModelProto:
        photo = helper.make_tensor_value_info("input.1", TensorProto.FLOAT, ["None", 3, 112, 112])
        output = helper.make_tensor_value_info(self.output, TensorProto.FLOAT, [1, self.EMBEDDING])
        graph = helper.make_graph(self.nodes, "iresnet", [photo], [output], self.weights)
        return helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 13)])


@pytest.mark.parametrize("gemm_transposed", [True, False])
def test_an_arcface_file_gives_the_same_two_halves(aligned_faces, gemm_transposed):
    model = IResNet(gemm_transposed=gemm_transposed).model()
    network = OnnxArcFace(model).eval()
    crops = planar(aligned_faces)
    expected = run(model, (crops - 127.5) / 127.5)
    with torch.inference_mode():
        features = network.features(torch.from_numpy(crops))
        layer, bias = network.last_layer()
        whole = network(torch.from_numpy(crops))
    assert features.shape == (len(crops), IResNet.CHANNELS * 14 * 14)
    np.testing.assert_allclose(whole, expected, atol=PARITY)
    np.testing.assert_allclose(features @ layer.T + bias, expected, atol=PARITY)


def test_ser_fiq_runs_on_an_arcface_file(aligned_faces):
    ser_fiq = SerFiq(OnnxArcFace(IResNet().model()).eval(), torch.device("cpu"))
    closed, sampled = ser_fiq.score(aligned_faces), ser_fiq.score_sampled(aligned_faces, passes=600)
    assert closed.std() > 0
    # Fewer features than a real network: the Gaussian form holds a little less well.
    np.testing.assert_allclose(closed, sampled, atol=0.08)


def test_another_tail_is_refused():
    model = IResNet().model()
    del model.graph.node[-1]
    with pytest.raises(WeightsError, match="does not end in Flatten, Gemm, BatchNormalization") as caught:
        OnnxArcFace(model)
    assert caught.value.code == "unsupported_file"


def test_an_unknown_operator_is_named():
    model = IResNet().model()
    model.graph.node[1].op_type = "Softsign"
    with pytest.raises(WeightsError, match="Softsign"):
        OnnxArcFace(model)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_cuda_equals_the_cpu(sface, aligned_faces):
    here = SerFiq(sface, torch.device("cpu")).score(aligned_faces)
    there = SerFiq(sface.to("cuda"), torch.device("cuda")).score(aligned_faces)
    sface.to("cpu")
    np.testing.assert_allclose(there, here, atol=1e-3)
