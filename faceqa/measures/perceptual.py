"""Face crop -> perceptual quality, 0 to 100: of the face alone, or of the crop with its background.

What sees blur, noise, compression and low resolution, and not what the picture shows. Any no-reference metric
serves: an `Iqa` is a callable from crops to scores, and `load_iqa(name="pyiqa:...")` makes one of any metric
of the IQA-PyTorch project (pyiqa, not a part of faceqa, with a licence of its own).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from faceqa.engines.base import Engine, check_crops
from faceqa.errors import FaceqaError
from faceqa.measures.batch import DISTORTIONS, FaceBatch, Iqa, Measurements, Setup

PYIQA = "pyiqa:"
"""Prefix of the names of pyiqa's metrics."""


class Dbcnn:
    """DB-CNN: mean opinion scores from 0, bad, to 100, excellent."""

    def __init__(self, engine: Engine):
        self._engine = engine

    def __call__(self, crops: np.ndarray) -> np.ndarray:
        """The scores of crops; a crop's score does not depend on which others come with it.

        Args:
            crops: RGB uint8 (N, H, W, 3); 384 x 384 in faceqa, any size from 32 x 32 on. Black areas do
                not count with the open set's network.

        Returns:
            float32 (N,) in [0, 100], higher is better.
        """
        return self._engine.run("iqa", crops)["score"]


class PyiqaMetric:
    """A metric of pyiqa on its own scale; where lower is better there, with the sign changed.

    Attributes:
        lower_better: Whether the sign was changed.
    """

    def __init__(self, metric: Any):
        self._metric = metric
        self.lower_better = bool(metric.lower_better)

    def __call__(self, crops: np.ndarray) -> np.ndarray:
        """RGB uint8 (N, H, W, 3) -> float32 (N,), higher is better."""
        import torch

        check_crops(crops)
        sign = -1.0 if self.lower_better else 1.0
        pictures = torch.from_numpy(crops.copy()).permute(0, 3, 1, 2).float() / 255
        with torch.inference_mode():
            scores = [float(self._metric(picture[None])) for picture in pictures]
        return sign * np.array(scores, np.float32)


def load(setup: Setup) -> Measurements:
    """The measurements of the registry's rows: of the face alone, and of the crop with its background.

    Raises:
        FaceqaError: `unknown_iqa` or `missing_package`, when there is no metric of that name.
    """
    given = setup.iqa
    if given is None:
        iqa: Iqa = Dbcnn(setup.engine)
    else:
        iqa = load_iqa(given) if isinstance(given, str) else given

    def of_faces(batch: FaceBatch) -> np.ndarray:
        if given is not None:
            return iqa(batch.masked_faces)
        outputs = setup.engine.run("iqa", batch.masked_faces)
        if DISTORTIONS in outputs:
            batch.by_products[DISTORTIONS] = outputs[DISTORTIONS]
        return outputs["score"]

    def of_crops(batch: FaceBatch) -> np.ndarray:
        return iqa(batch.crops)

    return {"dbcnn": of_faces, "dbcnn_unmasked": of_crops}


def load_iqa(name: str) -> Iqa:
    """A metric of pyiqa, on the CPU: "pyiqa:brisque", or any other that pyiqa lists.

    It downloads the weights it needs, under their own licences.

    Raises:
        FaceqaError: `unknown_iqa` or `missing_package`, when there is no metric of that name.
    """
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
    return PyiqaMetric(pyiqa.create_metric(metric, device="cpu"))
