"""The values that travel between the stages: frozen, documented with unit, range and sign.

Coordinates are pixels of the photo after its EXIF orientation was applied: x to the right, y down, the centre
of the top left pixel at (0, 0). "Left" and "right" of a landmark are the person's own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Box = tuple[float, float, float, float]
Point = tuple[float, float]

LANDMARKS = ("right_eye", "left_eye", "nose_tip", "right_mouth_corner", "left_mouth_corner")
"""The order of `Face.landmarks`. In an upright frontal photo the person's right eye is on the left."""


@dataclass(frozen=True, slots=True)
class Face:
    """One detected face.

    Attributes:
        box: (x1, y1, x2, y2) in px, left, top, right, bottom; may reach beyond the photo at its border.
        landmarks: Five (x, y) in px, in the order of `LANDMARKS`.
        confidence: The detector's confidence in [0, 1].
    """

    box: Box
    landmarks: tuple[Point, ...]
    confidence: float

    @property
    def width(self) -> float:
        """Width of the box in px."""
        return self.box[2] - self.box[0]

    @property
    def height(self) -> float:
        """Height of the box in px."""
        return self.box[3] - self.box[1]

    @property
    def longer_side(self) -> float:
        """The longer side of the box in px."""
        return max(self.width, self.height)

    @property
    def area(self) -> float:
        """Area of the box in px²."""
        return self.width * self.height

    @property
    def inter_eye_distance(self) -> float:
        """Distance between the two eye landmarks in px (ISO/IEC 29794-5: inter-eye distance)."""
        return math.dist(self.landmarks[0], self.landmarks[1])


@dataclass(frozen=True, slots=True)
class Pose:
    """Head pose in degrees, with the axes and signs of ISO/IEC 39794-5.

    Attributes:
        yaw: Positive when the face turns to its own left (to the right in the picture).
        pitch: Positive when the face looks down.
        roll: Positive when the head tilts to its own right shoulder (anticlockwise for the viewer).
    """

    yaw: float
    pitch: float
    roll: float


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an image was not accepted.

    Attributes:
        code: `no_face`, `unreadable_image`, `image_too_small` or `image_too_large`.
        message: What is wrong, in a sentence.
        advice: What to do about it; may be empty where the message says so.
    """

    code: str
    message: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Assessment:
    """What faceqa says of one face of one image.

    Attributes:
        image: The image's name.
        width: Of the upright image in px; None where it could not be read.
        height: Likewise.
        verdict: "reject" where no face was found, "error" where the image could not be assessed, None where
            the measures were taken.
        reasons: Why it was rejected or failed.
        ser_fiq: SER-FIQ in [0, 1], higher is better; None without a face.
        occlusion: Share of the face's outline in which the face is covered, in [0, 1]; None without a face.
        pose: Head pose in degrees; None without a face, or where the landmarks have none.
        face: The face that was assessed.
        face_index: Its place among the image's faces, 0 is the largest; None without a face.
        faces_found: How many faces the image shows.
        error: What went wrong, in a sentence; None where nothing did.
        timings_ms: Milliseconds by stage.
        models: Name of the weights by role.
    """

    image: str
    width: int | None = None
    height: int | None = None
    verdict: Literal["reject", "error"] | None = None
    reasons: tuple[Reason, ...] = ()
    ser_fiq: float | None = None
    occlusion: float | None = None
    pose: Pose | None = None
    face: Face | None = None
    face_index: int | None = None
    faces_found: int = 0
    error: str | None = None
    timings_ms: Mapping[str, float] = field(default_factory=dict)
    models: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The JSON object of the command line and the HTTP API; px and degrees are rounded."""
        return {
            "image": self.image,
            "width": self.width,
            "height": self.height,
            "verdict": self.verdict,
            "reasons": [asdict(reason) for reason in self.reasons],
            "ser_fiq": None if self.ser_fiq is None else round(self.ser_fiq, 4),
            "occlusion": None if self.occlusion is None else round(self.occlusion, 4),
            "pose": self.pose
            and _rounded({"yaw": self.pose.yaw, "pitch": self.pose.pitch, "roll": self.pose.roll}),
            "face": self.face and _face_dict(self.face),
            "face_index": self.face_index,
            "faces_found": self.faces_found,
            "error": self.error,
            "timings_ms": _rounded(self.timings_ms),
            "models": dict(self.models),
        }


def _face_dict(face: Face) -> dict[str, Any]:
    return {
        "box": [round(value, 1) for value in face.box],
        "confidence": round(face.confidence, 3),
        "landmarks": [[round(x, 1), round(y, 1)] for x, y in face.landmarks],
        "inter_eye_distance": round(face.inter_eye_distance, 1),
    }


def _rounded(values: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 1) for name, value in values.items()}
