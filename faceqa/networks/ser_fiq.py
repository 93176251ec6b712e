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

from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

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

    def eval(self) -> nn.Module:
        """The network itself, in evaluation mode."""
        ...


class SerFiqNet(nn.Module):
    """RGB uint8 (N, 112, 112, 3), aligned by `faces.alignment.align` -> SER-FIQ (N,), embeddings (N, K)."""

    layer: Tensor
    bias: Tensor
    column_energy: Tensor

    def __init__(self, network: EmbeddingNetwork, dropout: float = DROPOUT):
        """Prepare the closed form.

        Args:
            network: With its weights.
            dropout: Rate p, above 0 and below 1.

        Raises:
            ValueError: when `dropout` is not a rate.
        """
        if not 0 < dropout < 1:
            raise ValueError(f"dropout must lie between 0 and 1, not {dropout}")
        super().__init__()
        self.network: Any = network.eval()
        self.dropout = dropout
        with torch.no_grad():
            layer, bias = (tensor.detach().contiguous() for tensor in network.last_layer())
            self.register_buffer("layer", layer)
            self.register_buffer("bias", bias)
            self.register_buffer("column_energy", layer.square().sum(dim=0))

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """The closed form: no randomness, the same crop gives the same score.

        Returns:
            SER-FIQ, float (N,) in [0, 1], higher is better; embeddings without dropout, float (N, K), not
            normalised.
        """
        distance, embeddings = self.expected_distance(self.features(crops))
        return quality(distance), embeddings

    def sampled(self, crops: Tensor, passes: int = PASSES, seed: int = 0) -> Tensor:
        """The published form: `passes` embeddings with random dropout, mean pairwise distance.

        Args:
            crops: As in `forward`.
            passes: Number of embeddings, 2 or more.
            seed: Of the random dropout masks; the same seed gives the same score.

        Returns:
            float (N,) in [0, 1], higher is better.

        Raises:
            ValueError: when there are fewer than two passes.
        """
        if passes < 2:
            raise ValueError("a pairwise distance needs at least 2 passes")
        generator = torch.Generator(crops.device).manual_seed(seed)
        distances = [self._sampled_distance(x, passes, generator) for x in self.features(crops)]
        return quality(torch.stack(distances))

    def features(self, crops: Tensor) -> Tensor:
        """What the dropout acts on: RGB uint8 (N, 112, 112, 3) -> float (N, D)."""
        return self.network.features(crops.permute(0, 3, 1, 2).float())

    def expected_distance(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Features (N, D) -> expected distance (N,) of two normalised samples, and embeddings (N, K)."""
        mean = functional.linear(x, self.layer, self.bias)
        norm2 = mean.square().sum(dim=1)
        energy = x.square()
        trace = (energy * self.column_energy).sum(dim=1)
        # With the layer on the left, as it is stored: it is by far the largest tensor, and is kept once.
        back = (self.layer.T @ mean[..., None])[..., 0]
        along_mean = (energy * back.square()).sum(dim=1)
        odds = self.dropout / (1 - self.dropout)
        k = odds * (trace - along_mean / norm2) / norm2
        return torch.sqrt(2 - 2 / (1 + k)), mean

    def _sampled_distance(self, x: Tensor, passes: int, generator: torch.Generator) -> Tensor:
        """Features (D,) -> mean distance of all pairs of `passes` normalised stochastic embeddings."""
        keep = torch.rand((passes, len(x)), generator=generator, device=x.device) >= self.dropout
        samples = functional.linear(keep * (x / (1 - self.dropout)), self.layer, self.bias)
        return functional.pdist(functional.normalize(samples)).mean()


def quality(distance: Tensor) -> Tensor:
    """The published score of a mean pairwise distance.

    With s = 2 / (1 + e^d) it is 1 / (1 + e^(-alpha (s - r))).

    Args:
        distance: (N,), at least 0.

    Returns:
        (N,) in [0, 1].
    """
    return torch.sigmoid(ALPHA * (2 * torch.sigmoid(-distance) - R))
