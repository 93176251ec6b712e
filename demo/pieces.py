"""The page's own HTML: verdict card, steps, thumbnails. Pure functions of an assessment and a language."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from urllib.parse import quote

from demo import plots
from demo.wording import text
from faceqa.languages import Language
from faceqa.measures.registry import SCORE, TAKEN, Measure
from faceqa.types import Assessment, Decision, Face, Pose
from faceqa.verdict.judge import cafi
from faceqa.verdict.policy import Policy


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the way to a verdict.

    Attributes:
        name: Of its words and its element ids.
        picture: The picture that it shows, see `step_picture`; none for the result.
        measures: The names of the measures that this picture explains.
    """

    name: str
    picture: str = ""
    measures: tuple[str, ...] = ()


STEPS = (
    Step("photo", "photo", ("face_size",)),
    Step("crop", "crop"),
    Step("recognition", "aligned", ("ser_fiq",)),
    Step("mask", "overlay", ("occlusion",)),
    Step("quality", "masked", ("dbcnn", "dbcnn_unmasked")),
    Step("result"),
)

PLACED = frozenset(name for step in STEPS for name in step.measures)
OPEN_STEP = "crop"
"""The step that lists every measure for which no other step has a picture."""

GAUGED = ("recognition", "mask")
"""Steps that are about one gate, which they show as a gauge; others list their gates."""

ICONS = {
    "accept": "M5 13l5 5L20 7",
    "reject": "M6 6l12 12M18 6L6 18",
    "error": "M12 5v9M12 18.5v.5",
    "idle": "M12 8v.5M12 11.5V17",
}

FRONTAL_YAW = 12.0
"""Degrees up to which a head counts as facing the camera in the caption."""


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
        f'<div class="percentile"><span>{row.title.in_language(language)}</span>'
        f'<span class="bar"><span style="width:{assessment.percentiles[row.name]}%"></span></span>'
        f"<b>{text('percent', language, percent=assessment.percentiles[row.name])}</b></div>"
        for row in (*TAKEN, SCORE)
        if row.name in assessment.percentiles and getattr(assessment, row.name) is not None
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


def step_picture(step: Step, pictures: Mapping[str, str], language: Language) -> str:
    """The upper half of a step: its number, name and picture.

    Args:
        step: One of `STEPS` that has a picture.
        pictures: URLs by name: photo, crop, aligned, plain, overlay, masked; empty before the first photo.
        language: Of the words.
    """
    heading = _heading(step, language)
    if step.picture not in pictures:
        return heading + _empty(step, language)
    if step.name == "mask":
        return heading + _overlay(pictures, language)
    if step.name == "quality":
        return heading + _before_after(pictures, language)
    alt = escape(text(f"alt.{step.name}", language))
    return f'{heading}<div class="picture"><img src="{pictures[step.picture]}" alt="{alt}"></div>'


def _heading(step: Step, language: Language) -> str:
    return f"<h3><span>{STEPS.index(step) + 1}</span>{text(f'step.{step.name}', language)}</h3>"


def _empty(step: Step, language: Language) -> str:
    return f'<div class="picture empty"><p>{text(f"step.{step.name}.idle", language)}</p></div>'


def _overlay(pictures: Mapping[str, str], language: Language) -> str:
    alt = escape(text("alt.mask", language))
    return (
        f'<div class="picture" style="--opacity:0.75"><img src="{pictures["plain"]}" alt="{alt}">'
        f'<img src="{pictures["overlay"]}" alt="" style="opacity:var(--opacity)">'
        f"{_range('--opacity', 0.75, text('overlay.opacity', language))}</div>"
    )


def _before_after(pictures: Mapping[str, str], language: Language) -> str:
    alt = escape(text("alt.quality", language))
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


def step_number(step: Step, assessment: Assessment | None, policy: Policy, language: Language) -> str:
    """The lower half of a step: what was measured there, against the policy."""
    if assessment is None or assessment.face is None or not (step.picture or assessment.scores):
        return _number_without_face(step, assessment, language)
    if not step.picture:
        return _result(step, assessment, policy, language)
    shown = "".join(
        _measure(row, assessment, policy, language, step.name in GAUGED)
        for row in TAKEN
        if row.name in step.measures or (step.name == OPEN_STEP and row.name not in PLACED)
    )
    match step.name:
        case "photo":
            found = text(
                "number.faces",
                language,
                count=assessment.faces_found,
                confidence=assessment.face.confidence,
            )
            shown = f"<p><b>{found}</b></p>{shown}{_photo_size(assessment, language)}"
        case "crop":
            shown = f"{_pose(assessment.pose, language)}{_eyes(assessment.face, language)}{shown}"
    return f'<div class="number">{shown}</div>'


def _number_without_face(step: Step, assessment: Assessment | None, language: Language) -> str:
    if not step.picture:
        return _heading(step, language) + _empty(step, language)
    if step.name == "photo" and assessment is not None and assessment.verdict == "reject":
        size = _photo_size(assessment, language)
        return f'<div class="number"><p>{text("example.no_face", language)}</p>{size}</div>'
    return '<div class="number"></div>'


def _photo_size(assessment: Assessment, language: Language) -> str:
    size = text("number.photo", language, width=assessment.width, height=assessment.height)
    return f'<p class="quiet">{size}</p>'


def _eyes(face: Face, language: Language) -> str:
    return f'<p class="quiet">{text("number.eyes", language, distance=face.inter_eye_distance)}</p>'


def _pose(pose: Pose | None, language: Language) -> str:
    if pose is None:
        return f"<p>{text('pose.unknown', language)}</p>"
    caption = "pose.frontal" if abs(pose.yaw) <= FRONTAL_YAW else "pose.turned"
    angles = "".join(
        f"<div><dt>{text(name, language)}</dt><dd>{getattr(pose, name):+.0f}°</dd></div>"
        for name in ("pitch", "roll")
    )
    return f'<p><b>{text(caption, language)}</b></p><dl class="angles">{angles}</dl>'


def _measure(row: Measure, assessment: Assessment, policy: Policy, language: Language, gauged: bool) -> str:
    """A measure: with a gate as a gauge or a line, without one as a bar; nothing where it was not taken."""
    value: float | None = getattr(assessment, row.name)
    if value is None:
        return ""
    if row.gate is None:
        return _bar(row, value, language)
    return (_gauge if gauged else _line)(row, value, policy, language)


def _gauge(row: Measure, value: float, policy: Policy, language: Language) -> str:
    limit, bound = plots.limit_of(row, policy), _bound(row, policy, language)
    title = row.title.in_language(language)
    label = text("gauge.label", language, title=title, value=row.text(value, language), bound=bound)
    return (
        f"{plots.gauge(row, value, limit, language, label)}"
        f'<p><b>{title}</b> <span class="quiet">{bound}</span></p>'
    )


def _line(row: Measure, value: float, policy: Policy, language: Language) -> str:
    kind = "accept" if row.passes(value, plots.limit_of(row, policy)) else "reject"
    mark, title = f'<span class="mark {kind}">{icon(kind)}</span>', row.title.in_language(language)
    return (
        f"<p>{mark} {title} <b>{row.text(value, language)}</b><br>"
        f'<span class="quiet">{_bound(row, policy, language)}</span></p>'
    )


def _bar(row: Measure, value: float, language: Language) -> str:
    """What has a part in the score stands large above its bar."""
    large = f'<p class="big">{row.text(value, language)}</p>' if row.weight else ""
    return (
        f'{large}<div class="measure {"" if row.weight else "quiet"}"><span class="bar">'
        f'<span style="width:{100 * plots.share_of(row, value):.1f}%"></span></span>'
        f"<span>{row.title.in_language(language)} {row.text(value, language)}</span></div>"
    )


def _bound(row: Measure, policy: Policy, language: Language) -> str:
    key = "bound.at_least" if row.higher_is_better else "bound.at_most"
    return text(key, language, limit=row.limit_text(plots.limit_of(row, policy), language))


def _result(step: Step, assessment: Assessment, policy: Policy, language: Language) -> str:
    decision = assessment.verdict
    badge = f'<p class="badge {decision}">{icon(decision)}{text(decision, language)}</p>'
    if assessment.cafi is None:
        score = f'<p class="big">–</p><p>{text("verdict.no_cafi", language)}</p>'
    else:
        score = _gauge(SCORE, assessment.cafi, policy, language)
    return f'{_heading(step, language)}<div class="number result">{badge}{score}</div>'


def parts_caption(assessment: Assessment | None, policy: Policy, language: Language) -> str:
    """The figure of the CAFI's parts in words."""
    heading = f'<p class="heading">{text("parts", language)}</p>'
    measures = assessment.measures if assessment else None
    if assessment is None or measures is None:
        return f'{heading}<p class="quiet">{text("parts.idle", language)}</p>'
    summands = " + ".join(
        f"{part.measure.title.in_language(language)} {part.value:.1f} {plots.TIMES} {part.share:.0%}"
        for part in plots.parts(measures, policy)
    )
    sentence = f"{SCORE.title.in_language(language)} {SCORE.text(cafi(measures, policy))} = {summands}"
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
