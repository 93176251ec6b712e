"""Aligned crops -> SER-FIQ in [0, 1]: how stable a face's embedding is, hence how recognisable the face is.

Terhoerst et al., "SER-FIQ: Unsupervised Estimation of Face Image Quality Based on Stochastic Embedding
Robustness", CVPR 2020: dropout before the last layer of a face recognition network turns one face into many
embeddings, and the closer together they lie, the better the face.

The published form draws T = 100 embeddings, so that the same face scores differently every time. The
expectation that it estimates has a closed form, which is the default here. With features `x`, keep mask `m`
of rate 1 - p, and the last layer with its batch norm folded to `A`, `c`, an embedding is

    y = A (m * x / (1 - p)) + c,    E[y] = mu = A x + c,    Cov[y] = p / (1 - p) * A diag(x^2) A^T.

A sum of tens of thousands of independent terms is Gaussian for all purposes, and two independent normalised
embeddings have the expected cosine 1 / (1 + k), k = tr(P Cov P) / |mu|^2, P the projector orthogonal to mu.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from torch import Tensor

from faceqa import weights
from faceqa.measures.batch import EMBEDDING, FaceBatch, Measurements, Setup
from faceqa.networks.arcface import OnnxArcFace
from faceqa.networks.folding import folded
from faceqa.networks.sface import SFace, state_dict_from_onnx

if TYPE_CHECKING:
    import onnx

ALPHA = 130.0
"""Slope of the published logistic (the authors' implementation)."""

R = 0.88
"""Centre of the published logistic (the authors' implementation)."""

DROPOUT = 0.5
"""Dropout rate p, as published. SFace itself was trained with 0.4."""

PASSES = 100
"""Number of stochastic passes T of the published form."""


class EmbeddingNetwork(Protocol):
    """The two halves of a face recognition network: `SFace` and `OnnxArcFace`."""

    def features(self, crops: Tensor) -> Tensor:
        """float32 (N, 3, 112, 112), RGB, 0 to 255 -> (N, D)."""
        ...

    def last_layer(self) -> tuple[Tensor, Tensor]:
        """`A` (K, D) and `c` (K,): embedding = A features + c."""
        ...


class SerFiq:
    """SER-FIQ scores of aligned face crops."""

    def __init__(self, network: EmbeddingNetwork, device: torch.device, dropout: float = DROPOUT):
        """Prepare the closed form.

        Args:
            network: On `device`, in evaluation mode.
            device: Where to compute.
            dropout: Rate p, above 0 and below 1.

        Raises:
            ValueError: when `dropout` is not a rate.
        """
        if not 0 < dropout < 1:
            raise ValueError(f"dropout must lie between 0 and 1, not {dropout}")
        self.network = network
        self.device = device
        self.dropout = dropout
        with torch.inference_mode():
            self._layer, self._bias = (t.contiguous() for t in network.last_layer())
            self._column_energy = self._layer.square().sum(dim=0)

    @torch.inference_mode()
    def score(self, crops: np.ndarray) -> np.ndarray:
        """The closed form: no randomness, the same crop gives the same score.

        Args:
            crops: RGB uint8 (N, 112, 112, 3), aligned by `faces.alignment.align`.

        Returns:
            float64 (N,) in [0, 1], higher is better.
        """
        return self.score_and_embed(crops)[0]

    @torch.inference_mode()
    def score_and_embed(self, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """`score` and `embed` in one pass."""
        distance, embeddings = self._expected_distance(self._features(crops))
        return quality(distance), embeddings.cpu().numpy()

    @torch.inference_mode()
    def score_sampled(self, crops: np.ndarray, passes: int = PASSES, seed: int = 0) -> np.ndarray:
        """The published form: `passes` embeddings with random dropout, mean pairwise distance.

        Args:
            crops: RGB uint8 (N, 112, 112, 3).
            passes: Number of embeddings, 2 or more.
            seed: Of the random dropout masks; the same seed gives the same score.

        Returns:
            float64 (N,) in [0, 1], higher is better.

        Raises:
            ValueError: when there are fewer than two passes.
        """
        if passes < 2:
            raise ValueError("a pairwise distance needs at least 2 passes")
        generator = torch.Generator(self.device).manual_seed(seed)
        features = self._features(crops)
        distances = torch.stack([self._sampled_distance(x, passes, generator) for x in features])
        return quality(distances)

    @torch.inference_mode()
    def embed(self, crops: np.ndarray) -> np.ndarray:
        """Embeddings without dropout: RGB uint8 (N, 112, 112, 3) -> float32 (N, K), not normalised."""
        return (self._features(crops) @ self._layer.T + self._bias).cpu().numpy()

    def _features(self, crops: np.ndarray) -> Tensor:
        tensor = torch.from_numpy(np.ascontiguousarray(crops)).to(self.device)
        return self.network.features(tensor.permute(0, 3, 1, 2).float())

    def _expected_distance(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Features (N, D) -> expected distance (N,) of two normalised samples, and embeddings (N, K)."""
        mean = x @ self._layer.T + self._bias
        norm2 = mean.square().sum(dim=1)
        energy = x.square()
        trace = energy @ self._column_energy
        along_mean = (energy * (mean @ self._layer).square()).sum(dim=1)
        odds = self.dropout / (1 - self.dropout)
        k = odds * (trace - along_mean / norm2) / norm2
        return torch.sqrt(2 - 2 / (1 + k)), mean

    def _sampled_distance(self, x: Tensor, passes: int, generator: torch.Generator) -> Tensor:
        """Features (D,) -> mean distance of all pairs of `passes` normalised stochastic embeddings."""
        keep = torch.rand((passes, len(x)), generator=generator, device=x.device) >= self.dropout
        samples = (keep * (x / (1 - self.dropout))) @ self._layer.T + self._bias
        return torch.nn.functional.pdist(torch.nn.functional.normalize(samples)).mean()


def quality(distance: Tensor) -> np.ndarray:
    """The published score of a mean pairwise distance.

    With s = 2 / (1 + e^d) it is 1 / (1 + e^(-alpha (s - r))).

    Args:
        distance: (N,), at least 0.

    Returns:
        float64 (N,) in [0, 1].
    """
    similarity = 2 * torch.sigmoid(-distance.double())
    return torch.sigmoid(ALPHA * (similarity - R)).cpu().numpy()


def load(setup: Setup) -> Measurements:
    """The measurement of the registry's row.

    Raises:
        WeightsError: when its weights are missing, wrong or not of the expected network.
    """
    ser_fiq = load_ser_fiq(setup.models, setup.device)

    def of_batch(batch: FaceBatch) -> np.ndarray:
        scores, batch.by_products[EMBEDDING] = ser_fiq.score_and_embed(batch.aligned)
        return scores

    return {"ser_fiq": of_batch}


def load_ser_fiq(
    models: weights.Models = "open", device: torch.device | None = None, dropout: float = DROPOUT
) -> SerFiq:
    """Build SER-FIQ on the embedding network of a model set: SFace for `open`, ArcFace for `research`.

    Raises:
        WeightsError: when its weights are missing, wrong or not of the expected network.
    """
    import onnx

    device = device or torch.device("cpu")
    model = onnx.load(weights.fetch(weights.find("embedding", models)))
    network = _sface(model) if models == "open" else OnnxArcFace(model)
    return SerFiq(network.eval().to(device), device, dropout)


def _sface(model: onnx.ModelProto) -> SFace:
    network = SFace()
    network.load_state_dict(state_dict_from_onnx(model), strict=True)
    return folded(network.eval())
