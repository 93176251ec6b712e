"""The networks in torch: on a CUDA device, or on a CPU where there is no other engine for them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from faceqa import weights
from faceqa.engines.base import CPU, MEASURING, OUTPUTS, EngineInfo, Network, Precision, check_crops
from faceqa.errors import DeviceError
from faceqa.networks.apertures import Apertures
from faceqa.networks.arcface import OnnxArcFace
from faceqa.networks.dbcnn import DbcnnNet, DbcnnScore
from faceqa.networks.distortions import DistortionHead
from faceqa.networks.face_mask import FaceMaskMaps, FaceMaskNet
from faceqa.networks.head_pose import HeadPose
from faceqa.networks.ser_fiq import DROPOUT, PASSES, EmbeddingNetwork, SerFiqNet
from faceqa.networks.sface import SFace, state_dict_from_onnx

CUDA_BATCH = 32
"""Pictures that go through a network together on a GPU: about 2 GB in the largest."""


class TorchEngine:
    """Runs the networks of a model set on one device. See `engines.base.Engine`."""

    def __init__(
        self,
        device: torch.device,
        models: weights.Models = "open",
        networks: Iterable[Network] = MEASURING,
        precision: Precision = "auto",
    ):
        """Load networks.

        Args:
            device: Where they run.
            models: The model set.
            networks: Which.
            precision: bf16 rounds the layers that torch's autocast finds fit for it; "auto" is f32.

        Raises:
            WeightsError: when weights are missing, wrong or not of the expected network.
        """
        name = torch.cuda.get_device_name(device) if device.type == "cuda" else CPU
        self.info = EngineInfo("torch", name, "bf16" if precision == "bf16" else "f32")
        self._device = device
        self._networks = {
            name: load_network(name, models).to(device).to(memory_format=torch.channels_last)
            for name in networks
        }

    @torch.inference_mode()
    def run(self, network: Network, images: np.ndarray) -> dict[str, np.ndarray]:
        """See `engines.base.Engine`."""
        check_crops(images)
        # On a CPU torch chooses a convolution's algorithm, and with it the rounding, by the batch's size.
        size = CUDA_BATCH if self._device.type == "cuda" else 1
        # Of no picture the outputs have the shapes of a black one's.
        shown = images if len(images) else np.zeros((1, *images.shape[1:]), np.uint8)
        batches = [self.outputs(network, self._sent(shown[i : i + size])) for i in range(0, len(shown), size)]
        values = np.concatenate([values.cpu().numpy() for values, _ in batches])[: len(images)]
        shapes = batches[0][1]
        ends = np.cumsum([math.prod(shape) for shape in shapes])
        columns = np.split(values, ends[:-1], axis=1)
        return {
            name: np.ascontiguousarray(column).reshape(len(images), *shape)
            for name, column, shape in zip(OUTPUTS[network], columns, shapes, strict=False)
        }

    def outputs(self, network: Network, pictures: Tensor) -> tuple[Tensor, list[torch.Size]]:
        """The outputs of a network on the device, side by side, so that one copy takes them from it.

        Args:
            network: Which.
            pictures: RGB uint8 (N, H, W, 3), on the device; N from 1.

        Returns:
            float32 (N, D), and the shape of each output of a picture, whose sizes sum up to D.
        """
        rounded = self.info.precision == "bf16"
        with torch.autocast(self._device.type, torch.bfloat16, enabled=rounded):
            outputs = self._networks[network](pictures)
        values = torch.cat(
            [output.float().flatten(1) if output.ndim > 1 else output.float()[:, None] for output in outputs],
            dim=1,
        )
        return values, [output.shape[1:] for output in outputs]

    def _sent(self, images: np.ndarray) -> Tensor:
        pictures = torch.from_numpy(np.ascontiguousarray(images))
        if self._device.type == "cuda":
            pictures = pictures.pin_memory()
        return pictures.to(self._device, non_blocking=True)


def on_device(name: str) -> torch.device:
    """The device.

    Raises:
        DeviceError: when there is none of this name.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise DeviceError("no_device", "There is no CUDA device here. Use the device 'auto' or 'cpu'.")
    return torch.device(name)


class SerFiq:
    """SER-FIQ of arrays, in the closed form and in the published one, which draws embeddings.

    Scorers need only the closed form, and have it of their engine.
    """

    def __init__(self, network: EmbeddingNetwork, device: torch.device, dropout: float = DROPOUT):
        """Prepare both forms.

        Args:
            network: On `device`, in evaluation mode.
            device: Where to compute.
            dropout: Rate p, above 0 and below 1.

        Raises:
            ValueError: when `dropout` is not a rate.
        """
        self.network = network
        self.device = device
        self.dropout = dropout
        self._net = SerFiqNet(network, dropout).to(device)

    def score(self, crops: np.ndarray) -> np.ndarray:
        """The closed form: RGB uint8 (N, 112, 112, 3), aligned -> float32 (N,) in [0, 1]."""
        return self.score_and_embed(crops)[0]

    @torch.inference_mode()
    def score_and_embed(self, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """`score` and `embed` in one pass."""
        scores, embeddings = self._net(self._tensor(crops))
        return scores.cpu().numpy(), embeddings.cpu().numpy()

    @torch.inference_mode()
    def score_sampled(self, crops: np.ndarray, passes: int = PASSES, seed: int = 0) -> np.ndarray:
        """The published form, see `SerFiqNet.sampled`: RGB uint8 (N, 112, 112, 3) -> float32 (N,)."""
        return self._net.sampled(self._tensor(crops), passes, seed).cpu().numpy()

    @torch.inference_mode()
    def features(self, crops: np.ndarray) -> Tensor:
        """What the dropout acts on: RGB uint8 (N, 112, 112, 3) -> float32 (N, D), on the device."""
        return self._net.features(self._tensor(crops))

    def embed(self, crops: np.ndarray) -> np.ndarray:
        """Embeddings without dropout: RGB uint8 (N, 112, 112, 3) -> float32 (N, K), not normalised."""
        return self.score_and_embed(crops)[1]

    def _tensor(self, crops: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(crops)).to(self.device)


def load_ser_fiq(
    models: weights.Models = "open", device: torch.device | None = None, dropout: float = DROPOUT
) -> SerFiq:
    """SER-FIQ on the embedding network of a model set.

    Raises:
        WeightsError: when its weights are missing, wrong or not of the expected network.
    """
    device = device or torch.device("cpu")
    net = ser_fiq_network(models, dropout).eval().to(device)
    return SerFiq(net.network, device, dropout)


def load_network(network: Network, models: weights.Models = "open") -> nn.Module:
    """A network with its weights, from pictures to outputs, in evaluation mode on the CPU.

    Raises:
        WeightsError: when its weights are missing, wrong or not of the expected network.
    """
    load: dict[Network, Callable[[weights.Models], nn.Module]] = {
        "embedding": ser_fiq_network,
        "face_mask": face_mask_network,
        "apertures": apertures_network,
        "iqa": dbcnn_network,
    }
    return load[network](models).eval()


def ser_fiq_network(models: weights.Models = "open", dropout: float = DROPOUT) -> SerFiqNet:
    """SER-FIQ on the embedding network of a model set: SFace for `open`, ArcFace for `research`."""
    import onnx

    model = onnx.load(weights.fetch(weights.find("embedding", models)))
    if models == "research":
        return SerFiqNet(OnnxArcFace(model), dropout)
    network = SFace()
    network.load_state_dict(state_dict_from_onnx(model), strict=True)
    return SerFiqNet(network, dropout)


def face_mask_network(_models: weights.Models = "open") -> FaceMaskMaps:
    """The face mask's network with the head for poses; the same weights serve both model sets."""
    head = HeadPose()
    load_strictly(head, load_file(weights.fetch(weights.find("head_pose", "open"))))
    return FaceMaskMaps(face_mask_net(), head.eval())


def face_mask_net() -> FaceMaskNet:
    """The network of the two maps alone."""
    net = FaceMaskNet()
    load_strictly(net, load_file(weights.fetch(weights.find("face_mask", "open"))))
    return net.eval()


def apertures_network(_models: weights.Models = "open") -> Apertures:
    """The networks of eyes and mouth; the same weights serve both model sets."""
    net = Apertures()
    load_strictly(net, load_file(weights.fetch(weights.find("apertures", "open"))))
    return net


def dbcnn_network(models: weights.Models = "open") -> DbcnnScore:
    """DB-CNN: with EfficientNet-Lite0 for `open`, with VGG-16, trained on KonIQ-10k, for `research`."""
    path = weights.fetch(weights.find("iqa", models))
    net = DbcnnNet("vgg16" if models == "research" else "lite0")
    load_strictly(net, _published(path) if models == "research" else load_file(path))
    if models == "research":
        return DbcnnScore(net.eval())
    head = DistortionHead()
    load_strictly(head, load_file(weights.fetch(weights.find("distortions", models))))
    return DbcnnScore(net.eval(), head.eval())


def _published(path: Path) -> dict[str, Tensor]:
    return torch.load(path, map_location="cpu", weights_only=True)["params"]


def load_strictly(net: nn.Module, state: dict[str, Tensor]) -> None:
    """Load weights, all of them and no others.

    The step counters of batch norms may be missing: only a training reads them.
    """
    counters = {k: v for k, v in net.state_dict().items() if k.endswith("num_batches_tracked")}
    net.load_state_dict({**counters, **state}, strict=True)
