"""Face crop -> perceptual quality, 0 to 100: of the face alone, or of the crop with its background.

What sees blur, noise, compression and low resolution, and not what the picture shows. Any no-reference metric
serves: an `Iqa` is a callable from crops to scores, and `load_iqa(name="pyiqa:...")` makes one of any metric
of the IQA-PyTorch project (pyiqa, not a part of faceqa, with a licence of its own).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import nn

from faceqa import weights
from faceqa.engines.torch import batches, check_crops, load_strictly
from faceqa.errors import FaceqaError
from faceqa.measures.batch import FaceBatch, Iqa, Measurements, Setup
from faceqa.networks.dbcnn import DbcnnNet
from faceqa.networks.folding import (
    Bfloat16,
    fold_padding,
    folded,
    fuse_activations,
    multiplies_bfloat16,
)

SCALE = 100.0
"""Both networks learned mean opinion scores between 0 and 1."""

PYIQA = "pyiqa:"
"""Prefix of the names of pyiqa's metrics."""


class Dbcnn:
    """DB-CNN: mean opinion scores from 0, bad, to 100, excellent."""

    def __init__(self, net: DbcnnNet, device: torch.device | str = "cpu"):
        self._device = torch.device(device)
        self._net = net.to(self._device).eval()

    def __call__(self, crops: np.ndarray) -> np.ndarray:
        """The scores of crops; a crop's score does not depend on which others come with it.

        Args:
            crops: RGB uint8 (N, H, W, 3); 384 x 384 in faceqa, any size from 32 x 32 on. Black areas do
                not count with the open set's network.

        Returns:
            float32 (N,) in [0, 100], higher is better.
        """
        check_crops(crops)
        scores = [self._scores(batch) for batch in batches(crops, self._device)]
        return np.concatenate(scores) if scores else np.zeros(0, np.float32)

    @torch.inference_mode()
    def _scores(self, crops: np.ndarray) -> np.ndarray:
        return (SCALE * self._net(to_tensor(crops, self._device))).clamp(0, 100).cpu().numpy()


class PyiqaMetric:
    """A metric of pyiqa on its own scale; where lower is better there, with the sign changed.

    Attributes:
        lower_better: Whether the sign was changed.
    """

    def __init__(self, metric: Any, device: torch.device | str = "cpu"):
        self._metric = metric
        self._device = torch.device(device)
        self.lower_better = bool(metric.lower_better)

    def __call__(self, crops: np.ndarray) -> np.ndarray:
        """RGB uint8 (N, H, W, 3) -> float32 (N,), higher is better."""
        check_crops(crops)
        sign = -1.0 if self.lower_better else 1.0
        with torch.inference_mode():
            scores = [float(self._metric(to_tensor(crop[None], self._device))) for crop in crops]
        return sign * np.array(scores, np.float32)


def load(setup: Setup) -> Measurements:
    """The measurements of the registry's rows: of the face alone, and of the crop with its background.

    Raises:
        WeightsError: when the weights are missing or wrong.
        FaceqaError: `unknown_iqa` or `missing_package`, when there is no metric of that name.
    """
    given = setup.iqa
    iqa = load_iqa(setup.models, setup.device, given) if given is None or isinstance(given, str) else given

    def of_faces(batch: FaceBatch) -> np.ndarray:
        return iqa(batch.masked_faces)

    def of_crops(batch: FaceBatch) -> np.ndarray:
        return iqa(batch.crops)

    return {"dbcnn": of_faces, "dbcnn_unmasked": of_crops}


def load_iqa(
    models: weights.Models = "open", device: torch.device | str = "cpu", name: str | None = None
) -> Iqa:
    """Build a metric with its weights, on `device`.

    Args:
        models: "open": DB-CNN with EfficientNet-Lite0; "research": DB-CNN with VGG-16, trained on KonIQ-10k.
        device: Where the network runs.
        name: Another metric instead: "pyiqa:brisque", or any other that pyiqa lists. It downloads the weights
            it needs, under their own licences.

    Raises:
        WeightsError: when the weights are missing or wrong.
        FaceqaError: `unknown_iqa` or `missing_package`, when there is no metric of that name.
    """
    if name is not None:
        return _load_pyiqa(name, device)
    weight = weights.find("iqa", models)
    path = weights.fetch(weight)
    if models == "research":
        net = DbcnnNet("vgg16")
        load_strictly(net, torch.load(path, map_location="cpu", weights_only=True)["params"])
    else:
        net = DbcnnNet("lite0")
        load_strictly(net, load_file(path))
    net = folded(net.eval())
    fold_padding(net)
    if torch.device(device).type == "cpu":
        if models == "open" and multiplies_bfloat16():
            # The first convolution stays as it is: most of the error would come from rounding the pixels.
            # What is left is below 0.04 points on the portraits in examples/ and their stress tests.
            net.features2 = nn.Sequential(net.features2[0], Bfloat16(net.features2[1:]))
        fuse_activations(net)
    return Dbcnn(net, device)


def to_tensor(crops: np.ndarray, device: torch.device) -> torch.Tensor:
    """RGB uint8 (N, H, W, 3) -> float32 (N, 3, H, W) in [0, 1]."""
    return torch.from_numpy(crops.copy()).to(device).permute(0, 3, 1, 2).float() / 255


def _load_pyiqa(name: str, device: torch.device | str) -> Iqa:
    if not name.startswith(PYIQA):
        raise FaceqaError(
            "unknown_iqa", f"There is no metric '{name}'. pyiqa's metrics are written '{PYIQA}brisque'."
        )
    try:
        import pyiqa
    except ImportError as error:
        raise FaceqaError(
            "missing_package",
            f"'{name}' needs the package pyiqa, which could not be imported ({error}). Run: pip install "
            f"pyiqa (its licence is for non-commercial use).",
        ) from error
    metric = name.removeprefix(PYIQA)
    if metric not in pyiqa.list_models(metric_mode="NR"):
        raise FaceqaError(
            "unknown_iqa",
            f"pyiqa has no no-reference metric '{metric}'. See pyiqa.list_models(metric_mode='NR').",
        )
    return PyiqaMetric(pyiqa.create_metric(metric, device=torch.device(device)), device)
