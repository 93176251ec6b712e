"""The values that travel between the stages: frozen, documented with unit, range and sign.

Coordinates are pixels of the photo after its EXIF orientation was applied: x to the right, y down, the centre
of the top left pixel at (0, 0). "Left" and "right" of a landmark are the person's own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, make_dataclass
from typing import TYPE_CHECKING, Any, Literal

from faceqa.errors import MeasureError
from faceqa.measures.registry import FAULT_FROM, JUDGED, MEASURES

if TYPE_CHECKING:
    import numpy as np

SCHEMA = 2
"""Which form of the JSON object `Assessment.to_dict` gives; a later number only adds fields."""

Box = tuple[float, float, float, float]
Point = tuple[float, float]
Decision = Literal["accept", "reject", "error"]

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


_Judged: Any = make_dataclass(
    "_Judged",
    [
        *(
            (row.name, float | None, field(default=None)) if row.on_request else (row.name, float)
            for row in JUDGED
        ),
        ("components", Mapping[str, float | None], field(default_factory=dict, hash=False)),
        ("distortions", Mapping[str, float], field(default_factory=dict, hash=False)),
    ],
    namespace={"__post_init__": lambda self: None},  # `__init__` calls that of the class below
    frozen=True,
    kw_only=True,
    slots=True,
)


class Measures(_Judged):
    """What the verdict on one face rests on, by the names of the registry (`measures.registry.JUDGED`).

    Attributes:
        face_size: The longer side of the face's box in px of the photo.
        ser_fiq: SER-FIQ in [0, 1], higher is better.
        occlusion: Share of the face's outline in which the face is covered, in [0, 1].
        dbcnn: Perceptual quality of the masked face in [0, 100], higher is better; or that of another metric,
            on its own scale.
        yaw: How far the head is turned to the side, in degrees, signed.
        ser_fiq_levelled: See `curation.levelling`; None outside of a data set that is levelled.
        components: Quality components by name, in [0, 100], None where one could not be assessed. A policy
            asks for those only that it names in `minimums`.
        distortions: Severities by name, in [0, 1]; they tell the causes of a bad score and decide nothing.

    Raises:
        MeasureError: when a value is out of its range.
    """

    __slots__ = ()

    def __post_init__(self) -> None:
        for row in JUDGED:
            value = getattr(self, row.name)
            if value is None and row.on_request:
                continue
            if value is None or not (row.lowest <= value <= row.highest and math.isfinite(value)):
                raise MeasureError(
                    "bad_measure",
                    f"{row.name} must lie between {row.lowest:g} and {row.highest:g}, not {value}.",
                )
        for name, value in self.components.items():
            if value is not None and not 0 <= value <= 100:
                raise MeasureError("bad_measure", f"{name} must lie between 0 and 100, not {value}.")
        for name, value in self.distortions.items():
            if not 0 <= value <= 1:
                raise MeasureError("bad_measure", f"{name} must lie between 0 and 1, not {value}.")


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an image was not accepted. `verdict.reasons.in_language` gives the same reason in another language.

    Attributes:
        code: That of a gate in the registry (`face_too_small`, `low_ser_fiq`, `occluded`, `low_cafi`),
            `no_face`, `unreadable_image`, `image_too_small`, `image_too_large` or `measure_failed`; in a data
            set also `duplicate` and `not_among_best`.
        message: What is wrong, in a sentence.
        advice: What to do about it; may be empty where the message says so.
        values: For a gate `value`, the measure, and `limit`, what the policy asks for, in the measure's unit;
            else empty.
        causes: Of a low score, what it likely comes from, strongest first: names of distortions
            (`registry.DISTORTIONS`); of a low SER-FIQ also `turned_away` and `occluded`. Message and advice
            name the first.
    """

    code: str
    message: str
    advice: str = ""
    values: Mapping[str, float] = field(default_factory=dict)
    causes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a policy says of a face.

    Attributes:
        decision: "accept" or "reject".
        cafi: CAFI in [0, 100]; None where a gate failed. A face that is rejected for its CAFI only keeps it.
        reasons: Every failed gate; else a CAFI below the threshold; empty for an accepted face.
    """

    decision: Decision
    cafi: float | None
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class Assessment:
    """What faceqa says of one face of one image.

    Every measure of the registry is an attribute, too: `assessment.ser_fiq`; None where it was not taken.

    Attributes:
        image: The image's name.
        width: Of the upright image in px; None where it could not be read.
        height: Likewise.
        verdict: "accept", "reject", or "error" where the image could not be assessed.
        reasons: Why it was rejected or failed.
        cafi: CAFI in [0, 100]; None where a gate failed or the image could not be assessed.
        scores: The measures by name, in the units of the registry; empty without a face.
        components: The quality components by name, whole numbers in [0, 100], None where one could not be
            assessed; empty without a face.
        distortions: What spoils the picture of the face: severities by name (`registry.DISTORTIONS`), from 0,
            none, to 1, which costs a sharp face 40 points of DBCNN. Empty without a face; with another model
            set or metric than the default only those that photometry tells.
        native_size: The longer side of the face in px at which the picture has all of its detail: what an
            enlarged picture was enlarged from, or would have been to look like a blurred one. At most the
            face's size, and at most 274, the size at which faces are looked at. None where distortions are
            not told by the network.
        pose: Head pose in degrees; None without a face, or where the landmarks have none.
        face: The face that was assessed.
        face_index: Its place among the image's faces, 0 is the largest; None without a face.
        faces_found: How many faces the image shows.
        percentiles: How many percent of the faces in the reference photographs have less `ser_fiq`, `dbcnn`
            and `cafi`. Empty without a face, and where the models are not those of the calibration.
        error: What went wrong, in a sentence; None where nothing did.
        policy: What the verdict went by, by the names of `Policy`'s fields.
        timings_ms: Milliseconds by stage; in a batch, the image's part of it.
        models: Name of the weights by role.
        engine: What the numbers were computed with: `name`, `device` and `precision`.
        embedding: The face as the recognition network sees it: float32 (K,), not normalised; None without a
            face. Left out of the JSON object.
        descriptor: How the face looks in this picture, to compare pictures: float32 (L,), see
            `faces.descriptor`; None without a face. Left out of the JSON object.
    """

    image: str
    width: int | None = None
    height: int | None = None
    verdict: Decision = "error"
    reasons: tuple[Reason, ...] = ()
    cafi: float | None = None
    scores: Mapping[str, float] = field(default_factory=dict)
    components: Mapping[str, int | None] = field(default_factory=dict)
    distortions: Mapping[str, float] = field(default_factory=dict)
    native_size: float | None = None
    pose: Pose | None = None
    face: Face | None = None
    face_index: int | None = None
    faces_found: int = 0
    percentiles: Mapping[str, int] = field(default_factory=dict)
    error: str | None = None
    policy: Mapping[str, Any] = field(default_factory=dict)
    timings_ms: Mapping[str, float] = field(default_factory=dict)
    models: Mapping[str, str] = field(default_factory=dict)
    engine: Mapping[str, str] = field(default_factory=dict)
    embedding: np.ndarray | None = field(default=None, compare=False, repr=False)
    descriptor: np.ndarray | None = field(default=None, compare=False, repr=False)

    def __getattr__(self, name: str) -> float | None:
        if name in _MEASURE_NAMES:
            return self.scores.get(name)
        raise AttributeError(f"an Assessment has no {name!r}")

    @property
    def measures(self) -> Measures | None:
        """What the verdict rests on; None without a face."""
        return measures_of(self.scores, self.components, self.distortions) if self.scores else None

    @property
    def fault(self) -> str | None:
        """The strongest distortion, where it is strong enough to be told of an accepted face, too."""
        strongest = max(self.distortions, key=lambda name: self.distortions[name], default=None)
        return strongest if strongest and self.distortions[strongest] >= FAULT_FROM else None

    def to_dict(self) -> dict[str, Any]:
        """The JSON object of the command line and the HTTP API; px and degrees are rounded."""
        return {
            "schema": SCHEMA,
            "image": self.image,
            "width": self.width,
            "height": self.height,
            "verdict": self.verdict,
            "reasons": [{**asdict(reason), "causes": list(reason.causes)} for reason in self.reasons],
            "cafi": self.cafi,
            **{row.name: self.scores.get(row.name) for row in MEASURES},
            "components": dict(self.components),
            "distortions": dict(self.distortions),
            "native_size": self.native_size,
            "pose": self.pose
            and _rounded({"yaw": self.pose.yaw, "pitch": self.pose.pitch, "roll": self.pose.roll}),
            "face": self.face and _face_dict(self.face),
            "face_index": self.face_index,
            "faces_found": self.faces_found,
            "percentiles": dict(self.percentiles),
            "error": self.error,
            "policy": dict(self.policy),
            "timings_ms": _rounded(self.timings_ms),
            "models": dict(self.models),
            "engine": dict(self.engine),
        }


def measures_of(
    scores: Mapping[str, float],
    components: Mapping[str, float | None] | None = None,
    distortions: Mapping[str, float] | None = None,
) -> Measures:
    """What a verdict needs of the measures, the quality components and the distortions by name.

    Raises:
        MeasureError: when a value is out of its range, or one is missing.
    """
    missing = [row.name for row in JUDGED if row.name not in scores and not row.on_request]
    if missing:
        raise MeasureError("bad_measure", f"The measures lack {', '.join(missing)}.")
    return Measures(
        **{row.name: scores.get(row.name) for row in JUDGED},
        components=components or {},
        distortions=distortions or {},
    )


_MEASURE_NAMES = frozenset(row.name for row in MEASURES)


@dataclass(frozen=True, slots=True, eq=False)
class FacePictures:
    """What the stages saw of a face.

    Attributes:
        aligned: What the embedding network saw: RGB uint8 (112, 112, 3).
        crop: The square around the face: RGB uint8 (384, 384, 3).
        crop_box: Where that square lies in the photo: (x1, y1, x2, y2) in px, may reach beyond its border.
        outline: The whole face, also where something covers it: float32 (384, 384) in [0, 1], 0.5 and more is
            inside.
        visible: The part of it that is seen: likewise, nowhere above `outline`.
        masked_face: What DBCNN scored, the crop without its background: RGB uint8 (384, 384, 3).
    """

    aligned: np.ndarray
    crop: np.ndarray
    crop_box: Box
    outline: np.ndarray
    visible: np.ndarray
    masked_face: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Inspection:
    """An assessment with the pictures that it was made from.

    Attributes:
        assessment: As `Scorer.assess` gives it.
        photo: The upright photo, RGB uint8 (H, W, 3); None where it could not be read.
        faces: Every face of the photo, the largest first.
        pictures: Of the assessed face; None where there is none.
    """

    assessment: Assessment
    photo: np.ndarray | None = None
    faces: tuple[Face, ...] = ()
    pictures: FacePictures | None = None


def _face_dict(face: Face) -> dict[str, Any]:
    return {
        "box": [round(value, 1) for value in face.box],
        "confidence": round(face.confidence, 3),
        "landmarks": [[round(x, 1), round(y, 1)] for x, y in face.landmarks],
        "inter_eye_distance": round(face.inter_eye_distance, 1),
    }


def _rounded(values: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 1) for name, value in values.items()}
