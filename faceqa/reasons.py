"""Reason codes -> sentences: what is wrong and what to do about it, in English and Korean."""

from __future__ import annotations

from dataclasses import replace

from faceqa.types import Language, Reason

LANGUAGES: tuple[Language, ...] = ("en", "ko")

# {value} and {limit} are the measure and what the policy asks for; with _percent, of shares in percent.
WORDINGS: dict[str, dict[Language, tuple[str, str]]] = {
    "no_face": {
        "en": (
            "No face was found.",
            "Use a photo in which the face is upright, uncovered and 32 px wide or more.",
        ),
        "ko": (
            "얼굴을 찾지 못했습니다.",
            "얼굴이 똑바로 서 있고 가려지지 않았으며 폭이 32픽셀 이상인 사진을 사용하세요.",
        ),
    },
    "face_too_small": {
        "en": (
            "The face is {value:g} px long; at least {limit:g} px are needed.",
            "Move closer, or use a photo of higher resolution: enlarging this one adds no detail.",
        ),
        "ko": (
            "얼굴의 긴 변이 {value:g}픽셀입니다. 최소 {limit:g}픽셀이 필요합니다.",
            "더 가까이서 찍거나 해상도가 더 높은 사진을 사용하세요. 확대해도 세부는 늘어나지 않습니다.",
        ),
    },
    "low_ser_fiq": {
        "en": (
            "The face is hard to recognise: its SER-FIQ is {value:g}, below {limit:g}.",
            "Turn the face to the camera, uncover it, and keep it sharp and evenly lit.",
        ),
        "ko": (
            "얼굴을 알아보기 어렵습니다. SER-FIQ가 {value:g}로 기준 {limit:g}보다 낮습니다.",
            "얼굴을 카메라 쪽으로 향하고, 가린 것을 치우고, 초점과 조명을 고르게 맞추세요.",
        ),
    },
    "occluded": {
        "en": (
            "{value_percent:g} % of the face is covered; at most {limit_percent:g} % may be.",
            "Take off masks, dark glasses and scarves; keep hands, hair and objects away from the face.",
        ),
        "ko": (
            "얼굴의 {value_percent:g}%가 가려져 있습니다. 최대 {limit_percent:g}%까지 허용됩니다.",
            "마스크, 선글라스, 목도리를 벗고 손, 머리카락, 물건이 얼굴을 가리지 않게 하세요.",
        ),
    },
    "low_cafi": {
        "en": (
            "The picture quality of the face is too low: CAFI {value:g}, below {limit:g}.",
            "Use a sharper picture: a higher resolution, less compression, better focus, more light.",
        ),
        "ko": (
            "얼굴의 화질이 낮습니다. CAFI가 {value:g}로 기준 {limit:g}보다 낮습니다.",
            "더 선명한 사진을 사용하세요. 해상도를 높이고, 압축을 줄이고, 초점과 조명을 개선하세요.",
        ),
    },
    "not_among_best": {
        "en": (
            "The face is number {value:g} by its CAFI; only the best {limit:g} are kept.",
            "Keep more faces, or use a sharper picture.",
        ),
        "ko": (
            "CAFI 순위가 {value:g}위입니다. 상위 {limit:g}개만 선택됩니다.",
            "더 많은 얼굴을 선택하거나 더 선명한 사진을 사용하세요.",
        ),
    },
    "unreadable_image": {
        "en": ("The image cannot be read.", "Save it as a JPEG or PNG and try again."),
        "ko": ("이미지를 읽을 수 없습니다.", "JPEG 또는 PNG로 저장한 뒤 다시 시도하세요."),
    },
    "image_too_small": {
        "en": ("The image is too small.", "Both sides must have at least 112 px."),
        "ko": ("이미지가 너무 작습니다.", "가로와 세로가 모두 112픽셀 이상이어야 합니다."),
    },
    "image_too_large": {
        "en": ("The image is too large.", "Scale it down to 50 megapixels or less."),
        "ko": ("이미지가 너무 큽니다.", "5천만 화소 이하로 줄여 주세요."),
    },
    "measure_failed": {
        "en": ("A measure could not be taken of this face.", "Try another picture of it."),
        "ko": ("이 얼굴을 측정하지 못했습니다.", "다른 사진으로 다시 시도하세요."),
    },
}


def gate_reason(code: str, value: float, limit: float, language: Language = "en") -> Reason:
    """The reason of a failed gate: `value` was measured, `limit` is asked for, both in the measure's unit."""
    return in_language(Reason(code, "", values={"value": value, "limit": limit}), language)


def plain_reason(code: str, language: Language = "en") -> Reason:
    """A reason without numbers."""
    return in_language(Reason(code, ""), language)


def in_language(reason: Reason, language: Language) -> Reason:
    """The same reason in a language.

    The English sentence of an image that cannot be read names the very cause; others say it in general.
    """
    if language == "en" and reason.message and not reason.values:
        return reason
    message, advice = WORDINGS[reason.code][language]
    numbers = {**reason.values, "value": _readable(**reason.values)} if reason.values else {}
    numbers |= {f"{name}_percent": 100 * number for name, number in numbers.items()}
    return replace(reason, message=message.format(**numbers), advice=advice.format(**numbers))


def _readable(value: float, limit: float) -> float:
    """A value with three significant digits, or as many more as keep it on its side of the limit."""
    if value == int(value):
        return value
    shorter = (float(f"{value:.{digits}g}") for digits in range(3, 16))
    return next((short for short in shorter if (short < limit) == (value < limit) and short != limit), value)
