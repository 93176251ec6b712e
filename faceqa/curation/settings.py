"""What a run measures, and which of its faces are kept."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Self

from faceqa import weights
from faceqa.reading.image import shown
from faceqa.reading.sampling import Sampling
from faceqa.verdict.policy import Policy
from faceqa.version import __version__

COMPUTING = ("numpy", "opencv-python", "openvino", "pillow", "torch")
"""Packages whose version can move a number."""


def installed() -> dict[str, str]:
    """The versions of `COMPUTING` on this machine; what is not installed is left out."""
    found = {}
    for name in COMPUTING:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


@dataclass(frozen=True, slots=True)
class Settings:
    """What the measures depend on: the first line of the journal. A run goes on only with the same.

    Attributes:
        paths: Files and folders, as they were named; addresses are among them.
        root: The folder that relative paths start from, which is left out of the images' names; by default
            the working folder.
        sampling: Of videos.
        most: So many images at most; the others are left out.
        all_faces: Whether every face counts, or only the largest of each image.
        unmasked: Whether the crops with their backgrounds are scored, too.
        models: The model set.
        iqa: Another metric in the place of DBCNN.
        version: Of faceqa.
        weights: Fingerprint of the networks; empty stands for that of the model set as it is now.
        engine: What the numbers are computed with, as `Assessment.engine`; not yet known before the first.
        packages: Versions of the packages that the numbers come from, when the run began.
    """

    paths: tuple[str, ...]
    root: str = ""
    sampling: Sampling = field(default_factory=Sampling)
    most: int | None = None
    all_faces: bool = False
    unmasked: bool = False
    models: weights.Models = "open"
    iqa: str | None = None
    version: str = __version__
    weights: str = ""
    engine: dict[str, str] = field(default_factory=dict, compare=False)
    packages: dict[str, str] = field(default_factory=installed, compare=False)

    def __post_init__(self) -> None:
        if not self.weights:
            object.__setattr__(self, "weights", weights.fingerprint(self.models))

    @classmethod
    def from_dict(cls, known: dict[str, Any]) -> Self:
        """The inverse of `dataclasses.asdict`."""
        return cls(**{**known, "paths": tuple(known["paths"]), "sampling": Sampling(**known["sampling"])})

    def told(self) -> dict[str, Any]:
        """As `summary.json` tells them: every name is text, and nothing says where the files lie."""
        known = {**asdict(self), "paths": [shown(path) for path in self.paths]}
        del known["root"], known["packages"]
        return known


@dataclass(frozen=True, slots=True)
class Selection:
    """Which faces to keep.

    Attributes:
        policy: Its gates and its CAFI threshold.
        keep_top: Of those that it accepts, only so many, the best by CAFI.
        keep_fraction: The same as a share of the faces that pass the gates, in [0, 1].
        unique: Whether to keep of near-duplicates only the best by CAFI. This is then a gate like the others:
            a duplicate has no CAFI, and limits count it as failed.
        min_seconds: Segments of videos that are shorter are not told.
        max_gap: Seconds between two good frames up to which bad ones between do not end a segment.
    """

    policy: Policy = field(default_factory=Policy)
    keep_top: int | None = None
    keep_fraction: float | None = None
    unique: bool = False
    min_seconds: float = 1.0
    max_gap: float = 0.0
