"""faceqa: is this face photo good enough to train on, and why not?

from faceqa import Scorer

assessment = Scorer().assess("face.jpg")
print(assessment.verdict, assessment.cafi, [reason.message for reason in assessment.reasons])
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from faceqa.calibration import rejudge
from faceqa.errors import (
    CurationError,
    DeviceError,
    EvaluationError,
    FaceqaError,
    ImageError,
    MeasureError,
    NoFaceError,
    PolicyError,
    RemoteError,
    TableError,
    WeightsError,
)
from faceqa.types import Assessment, Face, FacePictures, Inspection, Measures, Pose, Reason, Verdict
from faceqa.verdict.judge import judge
from faceqa.verdict.policy import PRESETS, Policy
from faceqa.version import __version__

if TYPE_CHECKING:
    from faceqa.curation.run import curate
    from faceqa.scorer import Scorer

__all__ = [
    "PRESETS",
    "Assessment",
    "CurationError",
    "DeviceError",
    "EvaluationError",
    "Face",
    "FacePictures",
    "FaceqaError",
    "ImageError",
    "Inspection",
    "MeasureError",
    "Measures",
    "NoFaceError",
    "Policy",
    "PolicyError",
    "Pose",
    "Reason",
    "RemoteError",
    "Scorer",
    "TableError",
    "Verdict",
    "WeightsError",
    "__version__",
    "curate",
    "judge",
    "rejudge",
]

_LATER = {"Scorer": "faceqa.scorer", "curate": "faceqa.curation.run"}
"""Names whose modules import OpenVINO and OpenCV, which takes time; they are imported at first use."""


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(import_module(_LATER[name]), name)
    raise AttributeError(f"module 'faceqa' has no attribute {name!r}")
