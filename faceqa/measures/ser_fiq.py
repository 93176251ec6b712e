"""Aligned crops -> SER-FIQ in [0, 1]; see `networks.ser_fiq`."""

from __future__ import annotations

import numpy as np

from faceqa.measures.batch import EMBEDDING, FaceBatch, Measurements, Setup


def load(setup: Setup) -> Measurements:
    """The measurement of the registry's row."""

    def of_batch(batch: FaceBatch) -> np.ndarray:
        outputs = setup.engine.run("embedding", batch.aligned)
        batch.by_products[EMBEDDING] = outputs["embedding"]
        return outputs["ser_fiq"]

    return {"ser_fiq": of_batch}
