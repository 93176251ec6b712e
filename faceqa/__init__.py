"""faceqa: is this face photo good enough to train on, and why not?

from faceqa import Scorer

assessment = Scorer().assess("face.jpg")
print(assessment.verdict, assessment.cafi, [reason.message for reason in assessment.reasons])
"""

from typing import TYPE_CHECKING, Any

from faceqa.errors import DeviceError, FaceqaError, ImageError, NoFaceError, PolicyError, WeightsError
from faceqa.fusion import judge, rejudge
from faceqa.types import Assessment, Face, FacePictures, Inspection, Measures, Policy, Pose, Reason, Verdict

if TYPE_CHECKING:
    from faceqa.scorer import Scorer

__all__ = [
    "Assessment",
    "DeviceError",
    "Face",
    "FacePictures",
    "FaceqaError",
    "ImageError",
    "Inspection",
    "Measures",
    "NoFaceError",
    "Policy",
    "PolicyError",
    "Pose",
    "Reason",
    "Scorer",
    "Verdict",
    "WeightsError",
    "judge",
    "rejudge",
]


def __getattr__(name: str) -> Any:
    # Scorer brings torch and OpenCV along, which take seconds: only whoever asks for it waits.
    if name == "Scorer":
        from faceqa.scorer import Scorer

        return Scorer
    raise AttributeError(f"module 'faceqa' has no attribute {name!r}")
