"""The engines against each other, and the path of a CUDA device without one."""

import os
import subprocess
import sys
from pathlib import Path

import conftest
import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from faceqa import Scorer
from faceqa.engines import torch as torch_engine
from faceqa.engines.base import CPU, MEASURING, OUTPUTS, STANDARD_SIZES
from faceqa.engines.openvino import OpenVinoEngine
from faceqa.engines.torch import TorchEngine, load_network
from faceqa.errors import DeviceError
from faceqa.faces.alignment import crop_face
from faceqa.faces.apertures import patches
from faceqa.networks.dbcnn import DbcnnNet, DbcnnScore
from faceqa.reading import image

EXAMPLES = Path(__file__).parents[2] / "examples"

TOLERANCES = {
    "ser_fiq": 0.01,
    "embedding": 0.1,
    "outline": 0.02,
    "visible": 0.02,
    "rotation": 0.01,
    "apertures": 0.005,
    "score": 0.5,
    "distortions": 0.03,
}
"""On average over a batch: what half floats, integers and, where the processor has it, bfloat16 move."""


@pytest.fixture(scope="module")
def pictures(detector, hopper, collins, aligned_faces) -> dict[str, np.ndarray]:
    """What each network sees, of real faces, sharp and spoilt."""
    photos = [
        hopper,
        collins,
        image.load(EXAMPLES / "hopper_blur.jpg"),
        image.load(EXAMPLES / "hopper_mask.jpg"),
    ]
    crops = np.stack(
        [crop_face(photo, detector.refine(photo, detector.detect(photo)[0])).image for photo in photos]
    )
    eyes_and_mouths = np.stack(
        [patches(crop, np.array(detector.detect(crop)[0].landmarks)) for crop in crops]
    )
    return {"embedding": aligned_faces, "face_mask": crops, "apertures": eyes_and_mouths, "iqa": crops}


@pytest.fixture(scope="module")
def exact() -> TorchEngine:
    return TorchEngine(torch.device("cpu"))


@pytest.fixture(scope="module")
def quick() -> OpenVinoEngine:
    return OpenVinoEngine()


OLDER_PROCESSOR = """
import sys
import numpy as np
from faceqa.engines.openvino import OpenVinoEngine
given = np.load(sys.argv[1])
engine = OpenVinoEngine(list(given), precision="f32")
found = {network: engine.run(network, images) for network, images in given.items()}
np.savez(sys.argv[2], **{f"{key} {name}": found[key][name] for key in found for name in found[key]})
"""


def test_no_sum_of_integers_overflows_on_processors_without_vnni(pictures, tmp_path):
    given, found = tmp_path / "given.npz", tmp_path / "found.npz"
    np.savez(given, **pictures)
    subprocess.run(
        [sys.executable, "-c", OLDER_PROCESSOR, given, found],
        check=True,
        env={**os.environ, "ONEDNN_MAX_CPU_ISA": "AVX2"},
    )
    newer, older = OpenVinoEngine(precision="f32"), np.load(found)
    for network, seen in pictures.items():
        for name, values in newer.run(network, seen).items():
            # Sums in another order may round the other way, by one step of an integer.
            assert np.abs(older[f"{network} {name}"] - values).mean() < TOLERANCES[name] / 5, name


@pytest.mark.parametrize("network", MEASURING)
def test_both_engines_give_the_same(exact, quick, pictures, network):
    theirs, ours = exact.run(network, pictures[network]), quick.run(network, pictures[network])
    assert tuple(theirs) == tuple(ours) == OUTPUTS[network]
    for name in theirs:
        assert theirs[name].shape == ours[name].shape and theirs[name].dtype == ours[name].dtype == np.float32
        assert np.ptp(theirs[name]) > 10 * TOLERANCES[name], "the comparison is not of one value"
        assert np.abs(theirs[name] - ours[name]).mean() < TOLERANCES[name]


@pytest.mark.parametrize("network", MEASURING)
def test_torch_rounds_to_bfloat16_within_the_same_limits(exact, pictures, network):
    rounded = TorchEngine(torch.device("cpu"), networks=[network], precision="bf16")
    assert rounded.info.precision == "bf16"
    for name, values in rounded.run(network, pictures[network]).items():
        expected = exact.run(network, pictures[network])[name]
        assert 0 < np.abs(values - expected).mean() < TOLERANCES[name]


@pytest.mark.parametrize("network", MEASURING)
@pytest.mark.parametrize("engine", ["exact", "quick"])
def test_a_picture_does_not_depend_on_its_batch(request, pictures, engine, network):
    run = request.getfixturevalue(engine).run
    together = run(network, pictures[network])
    for name, values in run(network, pictures[network][2:3]).items():
        np.testing.assert_array_equal(values[0], together[name][2])


@pytest.mark.parametrize("network", MEASURING)
@pytest.mark.parametrize("engine", ["exact", "quick"])
def test_no_picture_gives_empty_outputs_of_the_usual_shape(request, pictures, engine, network):
    run = request.getfixturevalue(engine).run
    usual = run(network, pictures[network][:1])
    for name, values in run(network, np.zeros((0, *STANDARD_SIZES[network], 3), np.uint8)).items():
        assert values.shape == (0, *usual[name].shape[1:]) and values.dtype == np.float32


@pytest.mark.parametrize("engine", ["exact", "quick"])
@pytest.mark.parametrize(
    "batch",
    [np.zeros((384, 384, 3), np.uint8), np.zeros((1, 384, 384, 3)), np.zeros((1, 3, 384, 384), np.uint8)],
)
def test_a_batch_of_another_form_is_refused(request, engine, batch):
    with pytest.raises(ValueError, match=r"uint8 \(N, H, W, 3\)"):
        request.getfixturevalue(engine).run("iqa", batch)


def test_f32_can_be_asked_for(hopper):
    plain = Scorer(device="cpu", precision="f32")
    assert plain.engine.as_dict() == {"name": "openvino", "device": "CPU", "precision": "f32"}
    assert plain.assess(hopper).engine == plain.engine.as_dict()


@conftest.needs_bfloat16
def test_bfloat16_is_the_usual_where_the_processor_has_it(quick):
    assert quick.info.precision == OpenVinoEngine(["embedding"], "bf16").info.precision == "bf16"


def test_bfloat16_is_refused_where_the_processor_has_none(monkeypatch):
    class Core:
        def get_property(self, device, name):
            return ["FP32", "INT8"]

    monkeypatch.setattr("faceqa.engines.openvino.openvino.Core", Core)
    with pytest.raises(DeviceError, match="does not multiply in bfloat16") as caught:
        OpenVinoEngine(precision="bf16")
    assert caught.value.code == "no_precision"


@pytest.fixture
def fake_cuda(monkeypatch):
    """A mode in which tensors of a CUDA device have a shape and a device, but no values.

    An operator that gets tensors of two devices fails in it, as it would on the device.
    """
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _device: "a fake device")
    monkeypatch.setattr(torch.nn.Module, "to", lambda self, *_args, **_kwargs: self)
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        yield mode


def moved(network: torch.nn.Module, mode: FakeTensorMode) -> torch.nn.Module:
    """The network with all that `Module.to` would move as fake tensors on a fake device."""
    for part in network.modules():
        for name, weight in list(part.named_parameters(recurse=False)):
            sent = mode.from_tensor(weight.data).to("cuda")
            part.register_parameter(name, torch.nn.Parameter(sent))
        for name, value in list(part.named_buffers(recurse=False)):
            part.register_buffer(name, mode.from_tensor(value).to("cuda"))
    return network


@pytest.mark.parametrize("precision", ["f32", "bf16"])
@pytest.mark.parametrize("network", MEASURING)
def test_every_network_stays_on_its_cuda_device(fake_cuda, monkeypatch, network, precision):
    with torch._subclasses.fake_tensor.unset_fake_temporarily():
        loaded = load_network(network)
    monkeypatch.setattr(torch_engine, "load_network", lambda _name, _models: moved(loaded, fake_cuda))
    engine = TorchEngine(torch.device("cuda"), networks=[network], precision=precision)
    assert engine.info.as_dict() == {"name": "torch", "device": "a fake device", "precision": precision}
    batch = torch.empty(5, *STANDARD_SIZES[network], 3, dtype=torch.uint8, device="cuda")
    values, shapes = engine.outputs(network, batch)
    assert values.device.type == "cuda" and values.dtype == torch.float32
    assert values.shape == (5, sum(shape.numel() for shape in shapes)) and len(shapes) == len(
        OUTPUTS[network]
    )


def test_a_forgotten_tensor_is_found(fake_cuda):
    """The test above can fail: a tensor that stays on the CPU stops the network."""
    with torch._subclasses.fake_tensor.unset_fake_temporarily():
        network = load_network("iqa")
    moved(network, fake_cuda)
    network.get_submodule("net").mean = torch.zeros(1, 3, 1, 1)
    with pytest.raises(RuntimeError, match="cuda"):
        network(torch.empty(1, 384, 384, 3, dtype=torch.uint8, device="cuda"))


def test_the_research_sets_branch_stays_on_its_cuda_device(fake_cuda):
    with torch._subclasses.fake_tensor.unset_fake_temporarily():
        network = DbcnnScore(DbcnnNet("vgg16").eval())
    moved(network, fake_cuda)
    (scores,) = network(torch.empty(2, 384, 384, 3, dtype=torch.uint8, device="cuda"))
    assert scores.shape == (2,) and scores.device.type == "cuda"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
@pytest.mark.parametrize("network", MEASURING)
def test_cuda_gives_what_the_cpu_gives(exact, pictures, network):
    engine = TorchEngine(torch.device("cuda"), networks=[network])
    assert engine.info.device != CPU
    for name, values in engine.run(network, pictures[network]).items():
        expected = exact.run(network, pictures[network])[name]
        np.testing.assert_allclose(values, expected, atol=TOLERANCES[name])
