"""What a measure sees of faces that are measured together, and what it is built from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from faceqa.engines.base import Engine
from faceqa.types import Face, Pose

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, slots=True, eq=False)
class FaceBatch:
    """N faces, of any photos.

    Attributes:
        faces: In px of their photos.
        poses: Head poses in degrees; None where they are not finite.
        photo_sizes: Width and height of their photos in px.
        second_areas: Of each photo the area of its second largest face as a share of the largest, in
            [0, 1]; 0 where it shows one face only.
        to_photos: Transforms from the pixels of the crops to those of the photos: float64 (N, 2, 3).
        aligned: As the embedding network sees them: RGB uint8 (N, 112, 112, 3).
        crops: The squares around the faces: RGB uint8 (N, 384, 384, 3).
        outline: The whole face, also where something covers it: float32 (N, 384, 384) in [0, 1].
        visible: The part of it that is seen: likewise, nowhere above `outline`.
        apertures: How far the lids of the right eye, those of the left eye and the lips are apart, in px of
            their photos: float32 (N, 3).
        masked_faces: The crops without their backgrounds: RGB uint8 (N, 384, 384, 3).
        by_products: What a measure found on its way and others can use, by name. `EMBEDDING`: float32 (N, K),
            not normalised. `DISTORTIONS`: float32 (N, 5), see `networks.distortions.OUTPUTS`.
    """

    faces: tuple[Face, ...]
    poses: tuple[Pose | None, ...]
    photo_sizes: tuple[tuple[int, int], ...]
    second_areas: tuple[float, ...]
    to_photos: np.ndarray
    aligned: np.ndarray
    crops: np.ndarray
    outline: np.ndarray
    visible: np.ndarray
    apertures: np.ndarray
    masked_faces: np.ndarray
    by_products: dict[str, np.ndarray] = field(default_factory=dict)


EMBEDDING = "embedding"
DISTORTIONS = "distortions"

Measurement = Callable[[FaceBatch], "np.ndarray"]
"""Faces -> values (N,) in the unit of the measure's row."""

Iqa = Callable[["np.ndarray"], "np.ndarray"]
"""RGB uint8 crops (N, S, S, 3) -> float32 (N,); higher is better."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What the measures of a scorer are built from.

    Attributes:
        engine: What runs the networks.
        iqa: Another perceptual metric in the place of DBCNN: its name, or the metric itself.
    """

    engine: Engine
    iqa: str | Iqa | None = None


Measurements = Mapping[str, Measurement]
"""By the names of the registry's rows."""
