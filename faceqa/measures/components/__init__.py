"""Quality components of ISO/IEC 29794-5:2025, from formulas on what is known of a face.

Formulas and mappings to 0-100 are those of OFIQ 1.0.3 (github.com/BSI-OFIQ/OFIQ-Project, MIT licence), the
reference implementation of the standard. What differs is what they are computed on: OFIQ aligns a face in
616 x 616 px by 98 landmarks, with 113 px between the eyes, and takes the landmarks' hull for the face, brows
to chin. Here it is the 384 x 384 px crop, in which about 110 px lie between the eyes, and the outline of
`faces.mask`, hairline to chin. Each function says the rest. Sharpness alone has a mapping of our own.

Of the standard's components these need more networks, or landmarks of the jaw, and are left out: background
uniformity, compression artifacts, expression neutrality, eyes visible, face and mouth occlusion prevention
(see the measure `occlusion`), no head coverings, unified quality score.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module

import numpy as np

from faceqa.measures.batch import FaceBatch
from faceqa.measures.registry import COMPONENTS

Family = Callable[[FaceBatch], Mapping[str, np.ndarray]]
"""Faces -> components by name: float64 (N,), whole numbers in [0, 100], NaN where one cannot be assessed."""


def load() -> Family:
    """One function for all components of the registry."""
    families: list[Family] = [
        import_module(module).measure for module in dict.fromkeys(row.module for row in COMPONENTS)
    ]

    def components(batch: FaceBatch) -> dict[str, np.ndarray]:
        found = {name: column for family in families for name, column in family(batch).items()}
        return {row.name: found[row.name] for row in COMPONENTS}

    return components
