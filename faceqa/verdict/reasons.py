"""Reason codes -> sentences: what is wrong and what to do about it, in English and Korean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from faceqa.languages import Language, Words
from faceqa.measures.registry import COMPONENTS, DISTORTIONS, GATED, SCORE, Distortion, ReasonWords
from faceqa.types import Reason

_OF_GATES = {row.gate.reason: row.gate.words for row in (*GATED, SCORE) if row.gate is not None}

_OF_COMPONENTS = {row.reason: row.words for row in COMPONENTS}

_OF_IMAGES = {
    "no_face": ReasonWords(
        Words("no face found", "얼굴 없음"),
        Words("No face was found.", "얼굴을 찾지 못했습니다."),
        Words(
            "Use a photo in which the face is upright, uncovered and 32 px wide or more.",
            "얼굴이 똑바로 서 있고 가려지지 않았으며 폭이 32픽셀 이상인 사진을 사용하세요.",
        ),
    ),
    "unreadable_image": ReasonWords(
        Words("cannot be read", "읽을 수 없음"),
        Words("The image cannot be read.", "이미지를 읽을 수 없습니다."),
        Words("Save it as a JPEG or PNG and try again.", "JPEG 또는 PNG로 저장한 뒤 다시 시도하세요."),
    ),
    "image_too_small": ReasonWords(
        Words("image too small", "이미지가 너무 작음"),
        Words("The image is too small.", "이미지가 너무 작습니다."),
        Words("Both sides must have at least 112 px.", "가로와 세로가 모두 112픽셀 이상이어야 합니다."),
    ),
    "image_too_large": ReasonWords(
        Words("image too large", "이미지가 너무 큼"),
        Words("The image is too large.", "이미지가 너무 큽니다."),
        Words("Scale it down to 50 megapixels or less.", "5천만 화소 이하로 줄여 주세요."),
    ),
    "measure_failed": ReasonWords(
        Words("measure failed", "측정 실패"),
        Words("A measure could not be taken of this face.", "이 얼굴을 측정하지 못했습니다."),
        Words("Try another picture of it.", "다른 사진으로 다시 시도하세요."),
    ),
    "component_failed": ReasonWords(
        Words("component not assessed", "품질 항목 측정 불가"),
        Words(
            "A quality component that the policy asks for could not be assessed.",
            "기준에 있는 품질 항목을 측정하지 못했습니다.",
        ),
        Words("Use a picture in which the face is seen.", "얼굴이 잘 보이는 사진을 사용하세요."),
    ),
}

_OF_DATA_SETS = {
    "duplicate": ReasonWords(
        Words("near-duplicate", "중복에 가까움"),
        Words(
            "The data set holds nearly the same picture, as good or better.",
            "거의 같은 사진이 데이터 세트에 있으며, 그 화질이 같거나 더 좋습니다.",
        ),
        Words(
            "Keep near-duplicates, too, if you want both.", "둘 다 필요하면 중복에 가까운 사진도 남기세요."
        ),
    ),
    "not_among_best": ReasonWords(
        Words("not among the best", "상위에 들지 못함"),
        Words(
            "The face is number {value:g} by its CAFI; only the best {limit:g} are kept.",
            "CAFI 순위가 {value:g}위입니다. 상위 {limit:g}개만 선택됩니다.",
        ),
        Words(
            "Keep more faces, or use a sharper picture.",
            "더 많은 얼굴을 선택하거나 더 선명한 사진을 사용하세요.",
        ),
    ),
}

WORDINGS: Mapping[str, ReasonWords] = {**_OF_GATES, **_OF_COMPONENTS, **_OF_IMAGES, **_OF_DATA_SETS}
"""What is said of each reason, by its code."""


_DISTORTIONS = {row.name: row for row in DISTORTIONS}

_WITH_CAUSE = {
    "low_cafi": Words(
        "{cause}: CAFI {value:g}, below {limit:g}.",
        "{cause}. CAFI가 {value:g}로 기준 {limit:g}보다 낮습니다.",
    ),
}
"""What is said of a fault whose cause is known; else the cause follows the usual sentence."""

_LIKELY = Words("{message} Likely cause: {cause}.", "{message} 주된 원인: {cause}.")


def gate_reason(
    code: str, value: float, limit: float, language: Language = "en", causes: tuple[str, ...] = ()
) -> Reason:
    """The reason of a failed gate.

    Args:
        code: Of the reason.
        value: What was measured, in the measure's unit.
        limit: What is asked for, likewise.
        language: Of its sentences.
        causes: What it likely comes from, strongest first, see `Reason.causes`.
    """
    return in_language(Reason(code, "", values={"value": value, "limit": limit}, causes=causes), language)


def cause_title(cause: str, language: Language = "en") -> str:
    """A cause in two or three words."""
    words = _DISTORTIONS[cause].title if cause in _DISTORTIONS else WORDINGS[cause].short
    return words.in_language(language)


def cause_advice(cause: str, language: Language = "en") -> str:
    """What to do about a cause."""
    words: Distortion | ReasonWords = _DISTORTIONS.get(cause) or WORDINGS[cause]
    return words.advice.in_language(language)


def plain_reason(code: str, language: Language = "en") -> Reason:
    """A reason without numbers."""
    return in_language(Reason(code, ""), language)


def in_language(reason: Reason, language: Language) -> Reason:
    """The same reason in a language.

    The English sentence of an image that cannot be read names the cause; the Korean one is general.
    """
    if language == "en" and reason.message and not reason.values:
        return reason
    words = WORDINGS[reason.code]
    message, advice = words.message.in_language(language), words.advice.in_language(language)
    if reason.causes:
        message, advice = _with_cause(reason, message, language), cause_advice(reason.causes[0], language)
    numbers = {**reason.values, "value": _readable(**reason.values)} if reason.values else {}
    numbers |= {f"{name}_percent": 100 * number for name, number in numbers.items()}
    return replace(reason, message=message.format(**numbers), advice=advice.format(**numbers))


def _with_cause(reason: Reason, message: str, language: Language) -> str:
    """The sentence that names the first cause, with the blanks for the numbers."""
    cause = reason.causes[0]
    if reason.code in _WITH_CAUSE and cause in _DISTORTIONS:
        told = _DISTORTIONS[cause].message.in_language(language)
        return _WITH_CAUSE[reason.code].in_language(language).replace("{cause}", told)
    likely = _LIKELY.in_language(language).replace("{cause}", cause_title(cause, language).lower())
    return likely.replace("{message}", message)


def _readable(value: float, limit: float) -> float:
    """A value with three significant digits, or with more where three would not keep it on its side."""
    if value == int(value):
        return value
    shorter = (float(f"{value:.{digits}g}") for digits in range(3, 16))
    return next((short for short in shorter if (short < limit) == (value < limit) and short != limit), value)
