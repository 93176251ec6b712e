"""The page's own HTML: verdict card, steps, thumbnails. Pure functions of an assessment and a language."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from urllib.parse import quote

from demo.wording import text
from demo import plots
from faceqa.verdict.judge import cafi
from faceqa.types import Assessment, Decision, Face, Language, Policy, Pose

STEPS = ("photo", "crop", "ser_fiq", "mask", "dbcnn", "cafi")

ICONS = {
    "accept": "M5 13l5 5L20 7",
    "reject": "M6 6l12 12M18 6L6 18",
    "error": "M12 5v9M12 18.5v.5",
    "idle": "M12 8v.5M12 11.5V17",
}

FRONTAL_YAW = 12.0
"""Degrees up to which a head counts as facing the camera in the caption."""

SLIDER_SCRIPT = """
element.addEventListener('input', (event) => {
  const slider = event.target.closest('input[data-variable]');
  if (slider) slider.closest('.picture').style.setProperty(slider.dataset.variable, slider.value);
});
"""

CHOICE_SCRIPT = """
element.addEventListener('click', (event) => {
  const button = event.target.closest('button[data-choice]');
  if (button) trigger('click', {choice: button.dataset.choice});
});
"""


def icon(name: str) -> str:
    """A round mark: a tick, a cross, an exclamation mark or an i."""
    return (
        f'<svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path d="{ICONS[name]}" fill="none" '
        f'stroke-width="3" stroke-linecap="round" stroke-linejoin="round"/></svg>'
    )


def idle_card(language: Language) -> str:
    """The verdict card before the first photo."""
    return _card(
        "idle",
        f"<h2>{text('idle.title', language)}</h2><p>{text('idle.text', language)}</p>",
    )


def message_card(sentence: str, language: Language) -> str:
    """The verdict card for something that could not be assessed."""
    return _card("error", f"<h2>{text('error', language)}</h2><p>{escape(sentence)}</p>")


def verdict_card(assessment: Assessment, language: Language, pass_rate: float | None = None) -> str:
    """The answer, to be read from the back of a room.

    Args:
        assessment: With its reasons in `language`.
        language: Of the card's own words.
        pass_rate: The share of the reference photographs that the policy accepts; None leaves it out.
    """
    decision = assessment.verdict
    word = f'<h2 class="verdict-word">{text(decision, language)}</h2>'
    reasons = "".join(
        f"<li><strong>{escape(reason.message)}</strong> {escape(reason.advice)}</li>"
        for reason in assessment.reasons
    )
    why = f'<ul class="reasons">{reasons}</ul>' if reasons else f"<p>{text('verdict.accept', language)}</p>"
    return _card(
        decision,
        f'<div class="verdict-head">{word}{_score(assessment, language)}</div>{why}'
        f"{_percentiles(assessment, language, pass_rate)}",
    )


def _card(kind: Decision | str, body: str) -> str:
    return (
        f'<section class="card verdict {kind}" aria-live="polite">'
        f'<div class="verdict-icon">{icon(kind)}</div><div class="verdict-body">{body}</div></section>'
    )


def _score(assessment: Assessment, language: Language) -> str:
    if assessment.cafi is None:
        hint = "" if assessment.measures is None else text("verdict.no_cafi", language)
        return f'<div class="score"><span class="score-number">–</span><span>{hint}</span></div>'
    return (
        f'<div class="score"><span class="score-number">{assessment.cafi:.1f}</span>'
        f"<span>{text('verdict.cafi', language)}</span></div>"
    )


def _percentiles(assessment: Assessment, language: Language, pass_rate: float | None) -> str:
    if not assessment.percentiles:
        return ""
    bars = "".join(
        f'<div class="percentile"><span>{text(name, language)}</span>'
        f'<span class="bar"><span style="width:{assessment.percentiles[name]}%"></span></span>'
        f"<b>{text('percent', language, percent=assessment.percentiles[name])}</b></div>"
        for name in ("ser_fiq", "dbcnn", "cafi")
        if name in assessment.percentiles and getattr(assessment, name) is not None
    )
    passing = "" if pass_rate is None else f" {text('pass_rate', language, percent=round(100 * pass_rate))}"
    return (
        f'<div class="percentiles"><p class="quiet">{text("percentiles", language)}</p>{bars}'
        f'<p class="quiet">{passing}</p></div>'
    )


def example_buttons(thumbnails: Mapping[str, str], language: Language) -> str:
    """A button with picture and label for each example.

    Args:
        thumbnails: URL of the picture by the example's name.
        language: Of the labels.
    """
    buttons = "".join(
        f'<button type="button" class="example" data-choice="{name}"><img src="{url}" alt="">'
        f"<span>{text(f'example.{name}', language)}</span></button>"
        for name, url in thumbnails.items()
    )
    return f'<p class="heading">{text("examples", language)}</p><div class="examples">{buttons}</div>'


def face_buttons(thumbnails: Sequence[str], chosen: int, language: Language) -> str:
    """A button for each face; nothing for a single one."""
    if len(thumbnails) < 2:
        return ""
    buttons = "".join(
        f'<button type="button" class="face" data-choice="{index}" '
        f'aria-pressed="{str(index == chosen).lower()}"><img src="{url}" '
        f'alt="{text("face.n", language, number=index + 1)}"><span>{index + 1}</span></button>'
        for index, url in enumerate(thumbnails)
    )
    heading = text("faces", language, count=len(thumbnails))
    return f'<div class="faces"><p class="heading">{heading}</p>{buttons}</div>'


def small_badge(decision: Decision, language: Language) -> str:
    """A verdict in the size of a line."""
    return f'<span class="badge small {decision}">{icon(decision)}{text(decision, language)}</span>'


def step_picture(step: str, pictures: Mapping[str, str], language: Language) -> str:
    """The upper half of a step: its number, name and picture.

    Args:
        step: One of `STEPS`, but "cafi".
        pictures: URLs by name: photo, crop, aligned, plain, overlay, masked; empty before the first photo.
        language: Of the words.
    """
    heading = f"<h3><span>{STEPS.index(step) + 1}</span>{text(f'step.{step}', language)}</h3>"
    needed = {"photo": "photo", "crop": "crop", "ser_fiq": "aligned", "mask": "overlay", "dbcnn": "masked"}
    if needed[step] not in pictures:
        return f'{heading}<div class="picture empty"><p>{text(f"step.{step}.idle", language)}</p></div>'
    if step == "mask":
        return heading + _overlay(pictures, language)
    if step == "dbcnn":
        return heading + _before_after(pictures, language)
    alt = text("alt.aligned" if step == "ser_fiq" else f"alt.{step}", language)
    return f'{heading}<div class="picture"><img src="{pictures[needed[step]]}" alt="{escape(alt)}"></div>'


def _overlay(pictures: Mapping[str, str], language: Language) -> str:
    alt = escape(text("alt.mask", language))
    return (
        f'<div class="picture" style="--opacity:0.75"><img src="{pictures["plain"]}" alt="{alt}">'
        f'<img src="{pictures["overlay"]}" alt="" style="opacity:var(--opacity)">'
        f"{_range('--opacity', 0.75, text('overlay.opacity', language))}</div>"
    )


def _before_after(pictures: Mapping[str, str], language: Language) -> str:
    alt = escape(text("alt.masked", language))
    return (
        f'<div class="picture" style="--reveal:0"><img src="{pictures["masked"]}" alt="{alt}">'
        f'<img src="{pictures["plain"]}" alt="" class="revealed">'
        f"{_range('--reveal', 0, text('overlay.reveal', language))}</div>"
    )


def _range(variable: str, value: float, label: str) -> str:
    return (
        f'<label class="picture-slider"><span>{label}</span><input type="range" min="0" max="1" step="0.01" '
        f'value="{value}" data-variable="{variable}"></label>'
    )


def step_number(step: str, assessment: Assessment | None, policy: Policy, language: Language) -> str:
    """The lower half of a step: what was measured there, against the policy."""
    if assessment is None or assessment.face is None or assessment.measures is None:
        return _number_without_face(step, assessment, language)
    measures, face = assessment.measures, assessment.face
    match step:
        case "photo":
            return _photo_number(assessment, face, language)
        case "crop":
            return _crop_number(face, assessment.pose, language)
        case "ser_fiq":
            return _ser_fiq_number(measures.ser_fiq, policy, language)
        case "mask":
            return _mask_number(measures.occlusion, policy, language)
        case "dbcnn":
            return _dbcnn_number(measures.dbcnn, assessment.dbcnn_unmasked, language)
    return _cafi_number(assessment, policy, language)


def _number_without_face(step: str, assessment: Assessment | None, language: Language) -> str:
    if step == "cafi":
        heading = f"<h3><span>{len(STEPS)}</span>{text('step.cafi', language)}</h3>"
        return f'{heading}<div class="picture empty"><p>{text("step.cafi.idle", language)}</p></div>'
    if step == "photo" and assessment is not None and assessment.verdict == "reject":
        size = text("number.photo", language, width=assessment.width, height=assessment.height)
        return (
            f'<div class="number"><p>{text("example.no_face", language)}</p><p class="quiet">{size}</p></div>'
        )
    return '<div class="number"></div>'


def _photo_number(assessment: Assessment, face: Face, language: Language) -> str:
    found = text("number.faces", language, count=assessment.faces_found, confidence=face.confidence)
    size = text("number.photo", language, width=assessment.width, height=assessment.height)
    long = text("number.face_size", language, size=face.longer_side)
    limit = text("number.face_size.limit", language, limit=MIN_FACE_SIZE)
    passes = face.longer_side >= MIN_FACE_SIZE
    return (
        f'<div class="number"><p><b>{found}</b></p><p>{_mark(passes)} {long}</p>'
        f'<p class="quiet">{limit}</p><p class="quiet">{size}</p></div>'
    )


def _crop_number(face: Face, pose: Pose | None, language: Language) -> str:
    eyes = text("number.eyes", language, distance=face.inter_eye_distance)
    return f'<div class="number">{_pose(pose, language)}<p class="quiet">{eyes}</p></div>'


def _pose(pose: Pose | None, language: Language) -> str:
    if pose is None:
        return f"<p>{text('pose.unknown', language)}</p>"
    caption = "pose.frontal" if abs(pose.yaw) <= FRONTAL_YAW else "pose.turned"
    angles = "".join(
        f"<div><dt>{text(name, language)}</dt><dd>{getattr(pose, name):+.0f}°</dd></div>"
        for name in ("yaw", "pitch", "roll")
    )
    return f'<p><b>{text(caption, language)}</b></p><dl class="angles">{angles}</dl>'


def _ser_fiq_number(value: float, policy: Policy, language: Language) -> str:
    limit = policy.ser_fiq_threshold
    label = text("gauge.ser_fiq", language, value=f"{value:.2f}", limit=f"{limit:.2f}")
    gauge = plots.gauge(value, limit, 1.0, value >= limit, f"{value:.2f}", f"{limit:.2f}", label)
    return _gauge_number(gauge, "ser_fiq", text("gauge.at_least", language, limit=f"{limit:.2f}"), language)


def _mask_number(occlusion: float, policy: Policy, language: Language) -> str:
    value, limit = 100 * occlusion, 100 * policy.max_occlusion
    reading, bound = (text("percent", language, percent=f"{round(number, 1):g}") for number in (value, limit))
    label = text("gauge.covered", language, value=reading, limit=bound)
    gauge = plots.gauge(value, limit, 100, value <= limit, reading, bound, label)
    return _gauge_number(gauge, "covered", text("gauge.at_most", language, limit=bound), language)


def _dbcnn_number(value: float, unmasked: float | None, language: Language) -> str:
    bars = _bar(value, text("number.alone", language, value=f"{value:.1f}"))
    if unmasked is not None:
        bars += _bar(unmasked, text("number.whole", language, value=f"{unmasked:.1f}"), "quiet")
    return (
        f'<div class="number"><p class="big">{value:.1f}</p>{bars}'
        f'<p class="quiet">{text("dbcnn", language)} · {text("dbcnn.plain", language)}</p></div>'
    )


def _cafi_number(assessment: Assessment, policy: Policy, language: Language) -> str:
    decision = assessment.verdict
    heading = f"<h3><span>{len(STEPS)}</span>{text('step.cafi', language)}</h3>"
    badge = f'<p class="badge {decision}">{icon(decision)}{text(decision, language)}</p>'
    if assessment.cafi is None:
        return (
            f'{heading}<div class="number result">{badge}<p class="big">–</p>'
            f"<p>{text('verdict.no_cafi', language)}</p></div>"
        )
    limit = policy.cafi_threshold
    label = text("gauge.cafi", language, value=f"{assessment.cafi:.1f}", limit=f"{limit:g}")
    reading = f"{assessment.cafi:.1f}"
    gauge = plots.gauge(assessment.cafi, limit, 100, assessment.cafi >= limit, reading, f"{limit:g}", label)
    bound = text("gauge.at_least", language, limit=f"{limit:g}")
    return f'{heading}<div class="number result">{badge}{gauge}{_caption("cafi", bound, language)}</div>'


def _gauge_number(gauge: str, name: str, bound: str, language: Language) -> str:
    return f'<div class="number">{gauge}{_caption(name, bound, language)}</div>'


def _caption(name: str, bound: str, language: Language) -> str:
    return f'<p><b>{text(name, language)}</b> <span class="quiet">{bound}</span></p>'


def _bar(value: float, caption: str, kind: str = "") -> str:
    width = min(max(value, 0), 100)
    return (
        f'<div class="measure {kind}"><span class="bar"><span style="width:{width:.1f}%"></span></span>'
        f"<span>{caption}</span></div>"
    )


def _mark(passes: bool) -> str:
    kind = "accept" if passes else "reject"
    return f'<span class="mark {kind}">{icon(kind)}</span>'


def parts_caption(assessment: Assessment | None, policy: Policy, language: Language) -> str:
    """The figure of the CAFI's parts in words."""
    heading = f'<p class="heading">{text("parts", language)}</p>'
    measures = assessment.measures if assessment else None
    if assessment is None or measures is None:
        return f'{heading}<p class="quiet">{text("parts.idle", language)}</p>'
    total = policy.ser_fiq_weight + policy.dbcnn_weight
    sentence = text(
        "parts.alt",
        language,
        cafi=cafi(measures.ser_fiq, measures.dbcnn, policy),
        ser_fiq=100 * measures.ser_fiq,
        ser_share=policy.ser_fiq_weight / total,
        dbcnn=measures.dbcnn,
        dbcnn_share=policy.dbcnn_weight / total,
    )
    gated = f"<br>{text('parts.gated', language)}" if assessment.cafi is None else ""
    return f'{heading}<p class="quiet">{sentence}{gated}</p>'


def details(assessment: Assessment | None, language: Language) -> str:
    """Timings by stage and models by role, as two tables."""
    if assessment is None or not assessment.timings_ms:
        return f'<p class="quiet">{text("details.idle", language)}</p>'
    stages = [(text(f"stage.{name}", language), value) for name, value in assessment.timings_ms.items()]
    stages.append((text("stage.total", language), sum(assessment.timings_ms.values())))
    timings = "".join(f"<tr><td>{name}</td><td class='right'>{value:.1f}</td></tr>" for name, value in stages)
    models = "".join(
        f"<tr><td>{text(f'role.{role}', language)}</td><td>{escape(name)}</td></tr>"
        for role, name in assessment.models.items()
    )
    return (
        f'<div class="tables"><table><thead><tr><th>{text("details.stage", language)}</th>'
        f'<th class="right">{text("details.ms", language)}</th></tr></thead><tbody>{timings}</tbody></table>'
        f"<table><thead><tr><th>{text('details.role', language)}</th>"
        f"<th>{text('details.model', language)}</th></tr></thead><tbody>{models}</tbody></table></div>"
    )


def result_download(assessment: Assessment | None, language: Language) -> str:
    """A link that holds the result as a file: nothing is written on the server."""
    if assessment is None:
        return f'<p class="quiet">{text("downloads.idle", language)}</p>'
    document = json.dumps(assessment.to_dict(), ensure_ascii=False, indent=1)
    url = f"data:application/json;charset=utf-8,{quote(document)}"
    return _download("json", url, f"{_stem(assessment)}.json", language)


def picture_downloads(assessment: Assessment | None, pictures: Mapping[str, str], language: Language) -> str:
    """Likewise the pictures, which no moved slider changes."""
    return "".join(
        _download(kind, pictures[picture], f"{_stem(assessment)}-{ending}", language)
        for kind, picture, ending in (
            ("masked", "masked_file", "masked.png"),
            ("annotated", "photo", "annotated.jpg"),
        )
        if assessment is not None and picture in pictures
    )


def _stem(assessment: Assessment) -> str:
    return assessment.image.rsplit("/", 1)[-1].rsplit(".", 1)[0] or "face"


def _download(kind: str, url: str, name: str, language: Language) -> str:
    label = text(f"download.{kind}", language)
    return f'<a class="download" href="{url}" download="{escape(name)}">↓ {label}</a>'
