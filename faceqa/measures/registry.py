"""One row a measure, one row a quality component: everything that the rest of faceqa needs to know of it.

The policy and its presets, the verdict and its reasons, the tables, the report, the command line, the HTTP
interface and the demo's sliders and gauges follow from these rows. A new measure is a file in this folder,
which its row names in `module`, and a row here. A new quality component is a function in
`measures.components` and a row in `COMPONENTS`.

The order of the rows is the way of a photo through faceqa; reasons and columns come in that order.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

from faceqa.languages import Language, Words


@dataclass(frozen=True, slots=True)
class ReasonWords:
    """What is said of a fault.

    Attributes:
        short: In two or three words, for tables and lists.
        message: What is wrong, in a sentence. For a gate with the blanks {value} and {limit}, in its
            measure's unit, or {value_percent} and {limit_percent}.
        advice: What to do about it.
    """

    short: Words
    message: Words
    advice: Words


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """The limit that a measure must keep.

    Attributes:
        setting: Its name in the policy.
        limit: The default, in the measure's unit. A value that equals the limit passes.
        slider: Left end, right end and step of a slider for it.
        label: What it is called beside that slider.
        reason: Code of the reason where it fails.
        words: What is said then.
        good: What is said of a face that keeps it, in two or three words; None says its measure's title.
    """

    setting: str
    limit: float
    slider: tuple[float, float, float]
    label: Words
    reason: str
    words: ReasonWords
    good: Words | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    """The part that a measure has in the score.

    Attributes:
        setting: The weight's name in the policy.
        default: Of the weight.
        label: What it is called beside a slider.
    """

    setting: str
    default: float
    label: Words


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A measure of a face.

    Attributes:
        name: In Python, JSON, tables and HTTP.
        module: The file that measures it. Its function `load` gives, by name, the functions from a
            `measures.batch.FaceBatch` to values (N,). None for a measure that no single face has.
        title: What people read above its number.
        meaning: What the number says, in half a sentence.
        unit: "px", "°", "%" (of a share in [0, 1], which people read in percent) or nothing.
        lowest: The lowest possible value.
        highest: The highest possible value.
        axis: Both ends of its scale in figures.
        decimals: To so many it is rounded before the verdict, so that a table that is judged again gives the
            very same verdict.
        shown: So many decimals are shown to people, in its unit.
        higher_is_better: Which way it is read.
        signed: Whether its sign says a direction, so that only its size is good or bad.
        colour: Of its curves and bars, "#rrggbb".
        gate: The limit that it must keep; None for a measure that only informs.
        weight: The part that it has in the score; None for a measure that has none.
        on_request: Whether it is left out unless it is asked for; its gate then rules where it was taken.
        replaces: Name of the measure whose gate it takes over where it was taken.
    """

    name: str
    module: str | None
    title: Words
    meaning: Words
    unit: str = ""
    lowest: float = 0.0
    highest: float = math.inf
    axis: tuple[float, float]
    decimals: int
    shown: int
    higher_is_better: bool = True
    signed: bool = False
    colour: str
    gate: Gate | None = None
    weight: Weight | None = None
    on_request: bool = False
    replaces: str | None = None

    def size(self, value: float) -> float:
        """What a limit and a distribution look at: of a signed measure the size, else the value itself."""
        return abs(value) if self.signed else value

    def passes(self, value: float, limit: float) -> bool:
        """Whether a value keeps a limit."""
        return self.size(value) >= limit if self.higher_is_better else self.size(value) <= limit

    @property
    def factor(self) -> float:
        """By which it is multiplied in the score, so that its scale ends at 100."""
        return 100 / self.axis[1]

    def text(self, value: float | None, language: Language = "en") -> str:
        """A value as people read it, with its unit."""
        return "-" if value is None else self._told(value, f"z.{self.shown}f", language)

    def limit_text(self, limit: float, language: Language = "en") -> str:
        """A limit as people set it, with its unit: no digit is rounded away, and none is added."""
        return self._told(limit, "g", language)

    def _told(self, value: float, form: str, language: Language) -> str:
        if self.unit == "%":
            return f"{100 * value:{form}}" + ("%" if language == "ko" else " %")
        return f"{value:{form}}" + {"": "", "°": "°"}.get(self.unit, f" {self.unit}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """A quality component of ISO/IEC 29794-5:2025: a whole number from 0, bad, to 100, good.

    It only informs, unless a policy names it in `minimums`.

    Attributes:
        name: In Python, JSON and the policy's `minimums`.
        module: The file that measures it. Its function `measure` gives, by name, the values of a
            `measures.batch.FaceBatch`.
        title: What people read above its number; in English as the standard has it.
        meaning: What the number says, in half a sentence.
        fault: What a low value means, in two or three words.
        advice: What to do about a low value.
    """

    name: str
    module: str
    title: Words
    meaning: Words
    fault: Words
    advice: Words

    @property
    def column(self) -> str:
        """Its name in tables, where some measures have the same name in another unit."""
        return f"component_{self.name}"

    @property
    def reason(self) -> str:
        """Code of the reason where it is below the policy's minimum."""
        return f"low_{self.name}"

    @property
    def words(self) -> ReasonWords:
        """What is said then."""
        message = Words(
            f"{self.title.en} is {{value:g}} of 100; at least {{limit:g}} is asked for.",
            f"{self.title.ko}: 100점 중 {{value:g}}점으로 기준 {{limit:g}}점보다 낮습니다.",
        )
        return ReasonWords(self.fault, message, self.advice)


@dataclass(frozen=True, slots=True, kw_only=True)
class Distortion:
    """What can spoil a picture: a severity from 0, none, to 1, which costs a sharp face 40 points of DBCNN.

    Attributes:
        name: In Python, JSON, tables, and as the cause of a reason.
        title: What people read beside its bar.
        message: What is wrong, in a sentence without its full stop.
        advice: What to do about it.
        by_network: Whether a network tells it, and not photometry.
    """

    name: str
    title: Words
    message: Words
    advice: Words
    by_network: bool = False

    @property
    def column(self) -> str:
        """Its name in tables."""
        return f"distortion_{self.name}"


MEASURES: tuple[Measure, ...] = (
    Measure(
        name="face_size",
        module="faceqa.measures.face_size",
        title=Words("Face size", "얼굴 크기"),
        meaning=Words("the longer side of the face in the photo", "사진에서 얼굴의 긴 변"),
        unit="px",
        axis=(0, 1000),
        decimals=1,
        shown=0,
        colour="#64748b",
        gate=Gate(
            setting="min_face_size",
            limit=112,  # the side of the recognition network's input: a smaller face cannot fill it
            slider=(0, 512, 1),
            label=Words("Face size in px, at least", "얼굴 크기 하한(픽셀)"),
            reason="face_too_small",
            good=Words("large enough", "충분히 큼"),
            words=ReasonWords(
                Words("face too small", "얼굴이 너무 작음"),
                Words(
                    "The face is {value:g} px long; at least {limit:g} px are needed.",
                    "얼굴의 긴 변이 {value:g}픽셀입니다. 최소 {limit:g}픽셀이 필요합니다.",
                ),
                Words(
                    "Move closer, or use a photo of higher resolution: enlarging this one adds no detail.",
                    "더 가까이서 찍거나 해상도가 더 높은 사진을 사용하세요. "
                    "확대해도 세부는 늘어나지 않습니다.",
                ),
            ),
        ),
    ),
    Measure(
        name="yaw",
        module="faceqa.measures.yaw",
        title=Words("Head turn", "고개 돌림"),
        meaning=Words("how far the head is turned to the side", "고개가 옆으로 돌아간 정도"),
        unit="°",
        lowest=-180.0,
        highest=180.0,
        axis=(-90, 90),
        decimals=1,
        shown=0,
        higher_is_better=False,
        signed=True,
        colour="#14b8a6",
        gate=Gate(
            setting="max_yaw",
            limit=45,  # benchmarks/gates.py
            slider=(0, 90, 1),
            label=Words("Head turn in °, at most", "고개 돌림 상한(°)"),
            reason="turned_away",
            good=Words("facing the camera", "정면을 봄"),
            words=ReasonWords(
                Words("head turned away", "고개를 돌림"),
                Words(
                    "The head is turned by {value:g}° to the side; at most {limit:g}° may be.",
                    "고개가 옆으로 {value:g}° 돌아가 있습니다. 최대 {limit:g}°까지 허용됩니다.",
                ),
                Words(
                    "Turn the face towards the camera, or take a frame in which it is.",
                    "얼굴을 카메라 쪽으로 돌리거나 정면에 가까운 장면을 사용하세요.",
                ),
            ),
        ),
    ),
    Measure(
        name="ser_fiq",
        module="faceqa.measures.ser_fiq",
        title=Words("SER-FIQ", "SER-FIQ"),
        meaning=Words("how recognisable the face is", "얼굴을 얼마나 알아볼 수 있는지"),
        highest=1.0,
        axis=(0, 1),
        decimals=4,
        shown=2,
        colour="#3b82f6",
        gate=Gate(
            setting="ser_fiq_threshold",
            limit=0.05,  # benchmarks/gates.py
            slider=(0, 1, 0.01),
            label=Words("SER-FIQ, at least", "SER-FIQ 하한"),
            reason="low_ser_fiq",
            good=Words("recognisable", "알아볼 수 있음"),
            words=ReasonWords(
                Words("hard to recognise", "알아보기 어려움"),
                Words(
                    "The face is hard to recognise: its SER-FIQ is {value:g}, below {limit:g}.",
                    "얼굴을 알아보기 어렵습니다. SER-FIQ가 {value:g}로 기준 {limit:g}보다 낮습니다.",
                ),
                Words(
                    "Turn the face to the camera, uncover it, and keep it sharp and evenly lit.",
                    "얼굴을 카메라 쪽으로 향하고, 가린 것을 치우고, 초점과 조명을 고르게 맞추세요.",
                ),
            ),
        ),
        weight=Weight(
            setting="ser_fiq_weight",
            default=0.0,
            label=Words("Weight of SER-FIQ", "SER-FIQ 가중치"),
        ),
    ),
    Measure(
        name="ser_fiq_levelled",
        module=None,
        title=Words("SER-FIQ, levelled", "SER-FIQ(보정)"),
        meaning=Words(
            "SER-FIQ relative to good pictures of such a face", "비슷한 얼굴의 좋은 사진과 비교한 SER-FIQ"
        ),
        highest=1.0,
        axis=(0, 1),
        decimals=4,
        shown=2,
        colour="#1d4ed8",
        gate=Gate(
            setting="ser_fiq_levelled_threshold",
            limit=0.2,  # benchmarks/gates.py
            slider=(0, 1, 0.01),
            label=Words("SER-FIQ levelled, at least", "보정된 SER-FIQ 하한"),
            reason="low_ser_fiq_levelled",
            good=Words("recognisable", "알아볼 수 있음"),
            words=ReasonWords(
                Words("hard to recognise", "알아보기 어려움"),
                Words(
                    "The face is harder to recognise than a good picture of such a face: its levelled "
                    "SER-FIQ is {value:g}, below {limit:g}.",
                    "비슷한 얼굴의 좋은 사진보다 알아보기 어렵습니다. 보정된 SER-FIQ가 {value:g}로 "
                    "기준 {limit:g}보다 낮습니다.",
                ),
                Words(
                    "Turn the face to the camera, uncover it, and keep it sharp and evenly lit.",
                    "얼굴을 카메라 쪽으로 향하고, 가린 것을 치우고, 초점과 조명을 고르게 맞추세요.",
                ),
            ),
        ),
        on_request=True,
        replaces="ser_fiq",
    ),
    Measure(
        name="occlusion",
        module="faceqa.measures.occlusion",
        title=Words("Covered", "가려짐"),
        meaning=Words("the share of the face that something covers", "무언가에 가려진 얼굴의 비율"),
        unit="%",
        highest=1.0,
        axis=(0, 1),
        decimals=4,
        shown=1,
        higher_is_better=False,
        colour="#f97316",
        gate=Gate(
            setting="max_occlusion",
            limit=0.25,
            slider=(0, 1, 0.01),
            label=Words("Covered, at most", "가려짐 상한"),
            reason="occluded",
            good=Words("uncovered", "가려지지 않음"),
            words=ReasonWords(
                Words("face covered", "얼굴이 가려짐"),
                Words(
                    "{value_percent:g} % of the face is covered; at most {limit_percent:g} % may be.",
                    "얼굴의 {value_percent:g}%가 가려져 있습니다. 최대 {limit_percent:g}%까지 허용됩니다.",
                ),
                Words(
                    "Take off masks, dark glasses and scarves; keep hands, hair and objects away from the "
                    "face.",
                    "마스크, 선글라스, 목도리를 벗고 손, 머리카락, 물건이 얼굴을 가리지 않게 하세요.",
                ),
            ),
        ),
    ),
    Measure(
        name="dbcnn",
        module="faceqa.measures.perceptual",
        title=Words("DBCNN", "DBCNN"),
        meaning=Words("picture quality of the face without its background", "배경을 뺀 얼굴의 화질"),
        # DBCNN's own ends are 0 and 100; a metric that is put in its place brings its scale along.
        lowest=-math.inf,
        axis=(0, 100),
        decimals=2,
        shown=1,
        colour="#f59e0b",
        weight=Weight(
            setting="dbcnn_weight",
            default=1.0,
            label=Words("Weight of DBCNN", "DBCNN 가중치"),
        ),
    ),
    Measure(
        name="dbcnn_unmasked",
        module="faceqa.measures.perceptual",
        title=Words("DBCNN, whole crop", "DBCNN(배경 포함)"),
        meaning=Words("picture quality of the face with its background", "배경을 포함한 얼굴의 화질"),
        lowest=-math.inf,
        axis=(0, 100),
        decimals=2,
        shown=1,
        colour="#a8a29e",
        on_request=True,
    ),
)

SCORE = Measure(
    name="cafi",
    module="faceqa.verdict.judge",
    title=Words("CAFI", "CAFI"),
    meaning=Words("the score of a face that passes every gate", "필수 기준을 모두 통과한 얼굴의 점수"),
    lowest=-math.inf,
    axis=(0, 100),
    decimals=2,
    shown=1,
    colour="#8b5cf6",
    gate=Gate(
        setting="cafi_threshold",
        limit=55.5,  # training/calibration
        slider=(0, 100, 0.5),
        label=Words("CAFI, at least", "CAFI 하한"),
        reason="low_cafi",
        good=Words("a clear picture", "또렷한 화질"),
        words=ReasonWords(
            Words("low picture quality", "화질이 낮음"),
            Words(
                "The picture quality of the face is too low: CAFI {value:g}, below {limit:g}.",
                "얼굴의 화질이 낮습니다. CAFI가 {value:g}로 기준 {limit:g}보다 낮습니다.",
            ),
            Words(
                "Use a sharper picture: a higher resolution, less compression, better focus, more light.",
                "더 선명한 사진을 사용하세요. 해상도를 높이고, 압축을 줄이고, 초점과 조명을 개선하세요.",
            ),
        ),
    ),
)
"""The measure that the verdict itself makes of the others: their weighted mean."""

_SHARPNESS = "faceqa.measures.components.sharpness"
_LIGHT = "faceqa.measures.components.light"
_GEOMETRY = "faceqa.measures.components.geometry"
_APERTURES = "faceqa.measures.components.apertures"

COMPONENTS: tuple[Component, ...] = (
    Component(
        name="sharpness",
        module=_SHARPNESS,
        title=Words("Sharpness", "선명도"),
        meaning=Words("how much of the face's detail is fine detail", "얼굴의 세부가 얼마나 미세한지"),
        fault=Words("not sharp", "선명하지 않음"),
        advice=Words(
            "Focus on the eyes, hold the camera still, and use a higher resolution.",
            "눈에 초점을 맞추고 카메라를 고정하고 해상도를 높이세요.",
        ),
    ),
    Component(
        name="illumination_uniformity",
        module=_LIGHT,
        title=Words("Illumination uniformity", "조명 균일도"),
        meaning=Words("whether both cheeks are lit alike", "두 뺨이 고르게 밝은지"),
        fault=Words("light uneven", "조명이 고르지 않음"),
        advice=Words(
            "Light the face from the front, not from one side.", "얼굴을 한쪽이 아닌 앞에서 비추세요."
        ),
    ),
    Component(
        name="luminance_mean",
        module=_LIGHT,
        title=Words("Luminance mean", "평균 밝기"),
        meaning=Words(
            "whether the face is neither dark nor glaring on average", "얼굴의 평균 밝기가 적당한지"
        ),
        fault=Words("face too dark or too bright", "얼굴이 너무 어둡거나 밝음"),
        advice=Words(
            "Light the face evenly from the front, and expose for the face.",
            "얼굴을 앞에서 고르게 비추고 얼굴에 노출을 맞추세요.",
        ),
    ),
    Component(
        name="luminance_variance",
        module=_LIGHT,
        title=Words("Luminance variance", "밝기 편차"),
        meaning=Words("whether the contrast of the face is moderate", "얼굴의 명암 대비가 적당한지"),
        fault=Words("contrast too low or too high", "대비가 너무 낮거나 높음"),
        advice=Words(
            "Use soft light from the front, and no filter that changes the contrast.",
            "앞에서 부드럽게 비추고 대비를 바꾸는 필터를 쓰지 마세요.",
        ),
    ),
    Component(
        name="under_exposure_prevention",
        module=_LIGHT,
        title=Words("Under-exposure prevention", "노출 부족 방지"),
        meaning=Words("how little of the face is nearly black", "얼굴에서 검게 묻힌 부분이 적은 정도"),
        fault=Words("under-exposed", "노출 부족"),
        advice=Words("Use more light, or a longer exposure.", "조명을 더 밝게 하거나 노출을 늘리세요."),
    ),
    Component(
        name="over_exposure_prevention",
        module=_LIGHT,
        title=Words("Over-exposure prevention", "노출 과다 방지"),
        meaning=Words("how little of the face is burnt out", "얼굴에서 하얗게 날아간 부분이 적은 정도"),
        fault=Words("over-exposed", "노출 과다"),
        advice=Words(
            "Use softer light, or a shorter exposure.", "조명을 더 부드럽게 하거나 노출을 줄이세요."
        ),
    ),
    Component(
        name="dynamic_range",
        module=_LIGHT,
        title=Words("Dynamic range", "다이내믹 레인지"),
        meaning=Words("how many levels of brightness the face uses", "얼굴에 쓰인 밝기 단계의 다양함"),
        fault=Words("few levels of brightness", "밝기 단계가 적음"),
        advice=Words(
            "Light the face evenly from the front, and expose for the face.",
            "얼굴을 앞에서 고르게 비추고 얼굴에 노출을 맞추세요.",
        ),
    ),
    Component(
        name="natural_colour",
        module=_LIGHT,
        title=Words("Natural colour", "자연스러운 색"),
        meaning=Words("whether the cheeks have the colour of skin", "뺨이 피부색인지"),
        fault=Words("unnatural colour", "부자연스러운 색"),
        advice=Words(
            "Set the white balance to the light, and leave out coloured light and filters.",
            "화이트 밸런스를 조명에 맞추고 색 조명과 필터를 쓰지 마세요.",
        ),
    ),
    Component(
        name="single_face_present",
        module=_GEOMETRY,
        title=Words("Single face present", "단일 얼굴"),
        meaning=Words(
            "how much the largest face outweighs every other one",
            "가장 큰 얼굴이 다른 얼굴보다 두드러진 정도",
        ),
        fault=Words("another face present", "다른 얼굴이 있음"),
        advice=Words("Use a photo that shows one person.", "한 사람만 나온 사진을 사용하세요."),
    ),
    Component(
        name="inter_eye_distance",
        module=_GEOMETRY,
        title=Words("Inter-eye distance", "눈 사이 거리"),
        meaning=Words("whether there are enough pixels between the eyes", "두 눈 사이의 픽셀이 충분한지"),
        fault=Words("too few pixels between the eyes", "눈 사이 픽셀 부족"),
        advice=Words(
            "Move closer, or use a photo of higher resolution.",
            "더 가까이서 찍거나 해상도가 더 높은 사진을 사용하세요.",
        ),
    ),
    Component(
        name="head_size",
        module=_GEOMETRY,
        title=Words("Head size", "머리 크기"),
        meaning=Words(
            "whether the head fills the usual part of a portrait", "머리가 인물 사진에 알맞은 크기인지"
        ),
        fault=Words("head too large or too small", "머리가 너무 크거나 작음"),
        advice=Words(
            "Frame the photo so that the head is about half as high as the photo.",
            "머리 높이가 사진 높이의 절반쯤 되게 찍으세요.",
        ),
    ),
    Component(
        name="leftward_crop",
        module=_GEOMETRY,
        title=Words("Leftward crop of the face image", "왼쪽 여백"),
        meaning=Words("how much room is left of the face", "얼굴 왼쪽 여백"),
        fault=Words("cut off at the left", "왼쪽이 잘림"),
        advice=Words(
            "Leave more room around the face, or use the uncropped photo.",
            "얼굴 둘레에 여백을 더 두거나 자르지 않은 사진을 사용하세요.",
        ),
    ),
    Component(
        name="rightward_crop",
        module=_GEOMETRY,
        title=Words("Rightward crop of the face image", "오른쪽 여백"),
        meaning=Words("how much room is right of the face", "얼굴 오른쪽 여백"),
        fault=Words("cut off at the right", "오른쪽이 잘림"),
        advice=Words(
            "Leave more room around the face, or use the uncropped photo.",
            "얼굴 둘레에 여백을 더 두거나 자르지 않은 사진을 사용하세요.",
        ),
    ),
    Component(
        name="margin_above",
        module=_GEOMETRY,
        title=Words("Margin above of the face image", "위쪽 여백"),
        meaning=Words("how much room is above the face", "얼굴 위쪽 여백"),
        fault=Words("cut off at the top", "위쪽이 잘림"),
        advice=Words(
            "Leave more room around the face, or use the uncropped photo.",
            "얼굴 둘레에 여백을 더 두거나 자르지 않은 사진을 사용하세요.",
        ),
    ),
    Component(
        name="margin_below",
        module=_GEOMETRY,
        title=Words("Margin below of the face image", "아래쪽 여백"),
        meaning=Words("how much room is below the face", "얼굴 아래쪽 여백"),
        fault=Words("cut off at the bottom", "아래쪽이 잘림"),
        advice=Words(
            "Leave more room around the face, or use the uncropped photo.",
            "얼굴 둘레에 여백을 더 두거나 자르지 않은 사진을 사용하세요.",
        ),
    ),
    Component(
        name="head_pose_yaw",
        module=_GEOMETRY,
        title=Words("Head pose yaw", "고개 방향(좌우)"),
        meaning=Words("how frontal the head is, to the side", "고개가 좌우로 정면인 정도"),
        fault=Words("head turned", "고개를 돌림"),
        advice=Words("Face the camera.", "얼굴을 카메라 정면으로 향하세요."),
    ),
    Component(
        name="head_pose_pitch",
        module=_GEOMETRY,
        title=Words("Head pose pitch", "고개 방향(상하)"),
        meaning=Words("how frontal the head is, up and down", "고개가 상하로 정면인 정도"),
        fault=Words("head raised or lowered", "고개를 들거나 숙임"),
        advice=Words("Face the camera.", "얼굴을 카메라 정면으로 향하세요."),
    ),
    Component(
        name="head_pose_roll",
        module=_GEOMETRY,
        title=Words("Head pose roll", "고개 기울기"),
        meaning=Words("how upright the head is", "고개가 똑바른 정도"),
        fault=Words("head tilted", "고개를 기울임"),
        advice=Words("Hold the head, or the camera, upright.", "고개나 카메라를 똑바로 세우세요."),
    ),
    Component(
        name="eyes_open",
        module=_APERTURES,
        title=Words("Eyes open", "눈 뜸"),
        meaning=Words("how far the eyes that are seen are open", "보이는 눈을 뜬 정도"),
        fault=Words("eyes closed", "눈을 감음"),
        advice=Words(
            "Use a photo in which the eyes are open; take several, as people blink.",
            "눈을 뜬 사진을 사용하세요. 눈을 깜빡일 수 있으니 여러 장을 찍으세요.",
        ),
    ),
    Component(
        name="mouth_closed",
        module=_APERTURES,
        title=Words("Mouth closed", "입 다묾"),
        meaning=Words("how little the lips are apart", "입술이 벌어지지 않은 정도"),
        fault=Words("mouth open", "입을 벌림"),
        advice=Words(
            "Use a photo in which the mouth is closed, or no wider open than in a smile.",
            "입을 다물었거나 웃을 때보다 크게 벌리지 않은 사진을 사용하세요.",
        ),
    ),
)
"""Those of the standard for which formulas on what is known of a face are enough, as OFIQ computes them."""

DISTORTIONS: tuple[Distortion, ...] = (
    Distortion(
        name="blur",
        title=Words("Blur", "흐림"),
        message=Words(
            "The picture is out of focus or blurred by movement", "초점이 맞지 않거나 움직여서 흐립니다"
        ),
        advice=Words(
            "Focus on the eyes and hold still, or take a sharper frame.",
            "눈에 초점을 맞추고 움직이지 않게 찍거나 더 선명한 장면을 사용하세요.",
        ),
        by_network=True,
    ),
    Distortion(
        name="noise",
        title=Words("Noise", "노이즈"),
        message=Words("The picture is noisy", "노이즈가 많습니다"),
        advice=Words(
            "Use more light and a lower ISO, or a camera with a larger sensor.",
            "조명을 더 밝게 하고 ISO를 낮추거나 센서가 더 큰 카메라를 사용하세요.",
        ),
        by_network=True,
    ),
    Distortion(
        name="compression",
        title=Words("Compression", "압축 손상"),
        message=Words("The picture is compressed too much", "지나치게 압축되었습니다"),
        advice=Words(
            "Use the original file, or export it with a higher quality or bitrate.",
            "원본 파일을 사용하거나 더 높은 품질 또는 비트레이트로 내보내세요.",
        ),
        by_network=True,
    ),
    Distortion(
        name="low_resolution",
        title=Words("Low resolution", "낮은 해상도"),
        message=Words(
            "The picture was enlarged from fewer pixels", "더 작은 사진을 확대한 것이라 세부가 없습니다"
        ),
        advice=Words(
            "Move closer, or use the photo in its original resolution.",
            "더 가까이서 찍거나 원래 해상도의 사진을 사용하세요.",
        ),
        by_network=True,
    ),
    Distortion(
        name="too_dark",
        title=Words("Too dark", "너무 어두움"),
        message=Words("The face is too dark", "얼굴이 너무 어둡습니다"),
        advice=Words(
            "Light the face from the front, or expose longer.", "얼굴을 앞에서 비추거나 노출을 늘리세요."
        ),
    ),
    Distortion(
        name="too_bright",
        title=Words("Too bright", "너무 밝음"),
        message=Words("The face is burnt out by too much light", "빛이 너무 강해 얼굴이 하얗게 날아갔습니다"),
        advice=Words(
            "Expose for the face: shorter, or with softer light.",
            "얼굴에 노출을 맞추고, 노출을 줄이거나 조명을 부드럽게 하세요.",
        ),
    ),
    Distortion(
        name="low_contrast",
        title=Words("Low contrast", "낮은 대비"),
        message=Words("The picture is flat, with little contrast", "대비가 낮아 밋밋합니다"),
        advice=Words(
            "Clean the lens, keep light out of it, and leave out filters that flatten the picture.",
            "렌즈를 닦고 렌즈로 들어오는 빛을 막고, 대비를 낮추는 필터를 쓰지 마세요.",
        ),
    ),
    Distortion(
        name="uneven_light",
        title=Words("Uneven light", "고르지 않은 조명"),
        message=Words("One side of the face lies in the dark", "얼굴 한쪽이 그늘져 있습니다"),
        advice=Words(
            "Light the face from the front, or brighten the shaded side.",
            "얼굴을 앞에서 비추거나 그늘진 쪽을 밝게 하세요.",
        ),
    ),
)
"""What can spoil a picture. Severities are calibrated on what each costs in DBCNN: training/distortions."""

TOLD_BY_NETWORK = tuple(row.name for row in DISTORTIONS if row.by_network)

CAUSE_FROM = 0.15
"""Severity from which a distortion counts among the causes of a bad score."""

FAULT_FROM = 0.35
"""Severity from which a distortion is told of an accepted face, too."""

GATED = tuple(row for row in MEASURES if row.gate is not None)
WEIGHTED = tuple(row for row in MEASURES if row.weight is not None)

JUDGED = tuple(row for row in MEASURES if row.gate is not None or row.weight is not None)
"""What a verdict rests on. Of these, measures on request may be missing."""

TAKEN = tuple(row for row in MEASURES if row.module is not None)
"""The measures of a single face; the others belong to data sets."""


def replacements(taken: Collection[str]) -> dict[str, Measure]:
    """Which measures stand at the gates of others, by the names of those others, where these were taken."""
    return {row.replaces: row for row in GATED if row.replaces is not None and row.name in taken}


LEVELLED = next(row for row in MEASURES if row.name == "ser_fiq_levelled")
