"""faceqa: is this face photo good enough to train on, and why not?

from faceqa import Scorer

assessment = Scorer().assess("face.jpg")
print(assessment.ser_fiq, assessment.pose)
"""

from typing import TYPE_CHECKING, Any

from faceqa.errors import DeviceError, FaceqaError, ImageError, WeightsError
from faceqa.types import Assessment, Face, Pose, Reason

if TYPE_CHECKING:
    from faceqa.scorer import Scorer

__all__ = [
    "Assessment",
    "DeviceError",
    "Face",
    "FaceqaError",
    "ImageError",
    "Pose",
    "Reason",
    "Scorer",
    "WeightsError",
]


def __getattr__(name: str) -> Any:
    # Scorer brings torch and OpenCV along, which take seconds: only whoever asks for it waits.
    if name == "Scorer":
        from faceqa.scorer import Scorer

        return Scorer
    raise AttributeError(f"module 'faceqa' has no attribute {name!r}")
