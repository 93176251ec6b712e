"""The published DB-CNN, with VGG-16, as the peer implementation runs it: what our times are compared with."""

from __future__ import annotations

import numpy as np
import torch

from faceqa.networks.dbcnn import DbcnnNet, DbcnnScore


class Vgg16Dbcnn:
    """One picture or some; without training, since the time does not depend on the weights."""

    def __init__(self) -> None:
        self._net = DbcnnScore(DbcnnNet("vgg16")).eval()

    @torch.inference_mode()
    def __call__(self, crops: np.ndarray) -> np.ndarray:
        """RGB uint8 (N, H, W, 3) -> float32 (N,)."""
        (scores,) = self._net(torch.from_numpy(crops))
        return scores.numpy()
