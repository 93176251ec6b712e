"""The page's own HTML: verdict card, steps, thumbnails. Pure functions of an assessment and a language."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from urllib.parse import quote

from demo import plots
from demo.wording import named, text
from faceqa.languages import Language
from faceqa.measures.registry import (
    CAUSE_FROM,
    COMPONENTS,
    DISTORTIONS,
    FAULT_FROM,
    GATED,
    SCORE,
    TAKEN,
    Measure,
)
from faceqa.types import Assessment, Decision, Face, Pose, Reason
from faceqa.verdict.policy import Policy
from faceqa.verdict.reasons import cause_title


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

SCALE_EDGE = 60
"""% of a scale, beyond which a label stands left of its mark."""

FRONTAL_YAW = 12.0
"""Degrees up to which a head counts as facing the camera in the caption."""


def icon(name: str) -> str:
    """A round mark: a tick, a cross, an exclamation mark or an i."""
    return (
        f'<svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path d="{ICONS[name]}" fill="none" '
        f'stroke-width="3" stroke-linecap="round" stroke-linejoin="round"/></svg>'
    )


def heading(key: str, language: Language) -> str:
    """The heading of a part of a tab."""
    return f'<h2 class="heading">{text(key, language)}</h2>'


def idle_card(language: Language) -> str:
    """The verdict card before the first photo."""
    return _card(
        "idle",
        f"<h2>{text('idle.title', language)}</h2><p>{text('idle.text', language)}</p>",
    )


def message_card(sentence: str, language: Language) -> str:
    """The verdict card for something that could not be assessed."""
    return _card("error", f"<h2>{text('error', language)}</h2><p>{escape(sentence)}</p>")


def verdict_card(
    assessment: Assessment,
    policy: Policy,
    language: Language,
    pass_rate: float | None = None,
    spread: Sequence[float] = (),
    shared: str = "",
) -> str:
    """The answer, to be read from the back of a room.

    Args:
        assessment: With its reasons in `language`.
        policy: That its verdict goes by.
        language: Of the card's own words.
        pass_rate: The share of the reference photographs that the policy accepts; None leaves it out.
        spread: How the reference photographs' scores are spread over the scale, from left to right.
        shared: The name of the button that gives the picture to share; none without a face to show.
    """
    decision = assessment.verdict
    why = _goods(assessment, language) if decision == "accept" else _why(assessment.reasons, language)
    scored = ""
    if assessment.measures is not None:
        scored = _score(assessment, policy, language, pass_rate, spread) + gate_strip(
            assessment, policy, language
        )
        scored += (
            f'<button type="button" class="share" data-choice="share">{shared}</button>' if shared else ""
        )
    word = f'<h2 class="verdict-word">{text(decision, language)}</h2>'
    return _card(decision, f'<div class="verdict-head">{word}</div>{why}{scored}')


def _goods(assessment: Assessment, language: Language) -> str:
    """What was good."""
    goods = "".join(
        f"<li>{icon('accept')}{(row.gate.good or row.title).in_language(language)}</li>"
        for row in gates(assessment)
        if row.gate is not None
    )
    return f'<p>{text("verdict.accept", language)}</p><ul class="goods">{goods}</ul>'


def _why(reasons: Sequence[Reason], language: Language) -> str:
    """What is wrong, the gravest first, and what to do about it; quietly the further causes."""
    listed = "".join(
        f"<li><strong>{escape(reason.message)}</strong> {escape(reason.advice)}{_also(reason, language)}</li>"
        for reason in reasons
    )
    return f'<ul class="reasons">{listed}</ul>'


def _also(reason: Reason, language: Language) -> str:
    """The causes that the sentences of a reason leave out."""
    further = ", ".join(cause_title(cause, language).lower() for cause in reason.causes[1:])
    return f' <span class="quiet">{text("reason.also", language, causes=further)}</span>' if further else ""


def gates(assessment: Assessment) -> list[Measure]:
    """The gates of a face in the order of its way, and then the score."""
    return [row for row in GATED if getattr(assessment, row.name) is not None] + [SCORE]


def gate_strip(assessment: Assessment, policy: Policy, language: Language) -> str:
    """Gate, gate, gate, score: what was measured, what is asked for, and whether it is kept."""
    steps = "".join(_gate(row, assessment, policy, language) for row in gates(assessment))
    return f'<ol class="strip" aria-label="{text("strip", language)}">{steps}</ol>'


def kept(row: Measure, assessment: Assessment, policy: Policy) -> str:
    """Whether a face keeps a limit: "accept", "reject", or "skipped" where it was not measured."""
    value: float | None = getattr(assessment, row.name)
    if value is None:
        return "skipped"
    return "accept" if row.passes(value, plots.limit_of(row, policy)) else "reject"


def _gate(row: Measure, assessment: Assessment, policy: Policy, language: Language) -> str:
    value: float | None = getattr(assessment, row.name)
    kind = kept(row, assessment, policy)
    mark = "" if value is None else icon(kind)
    said = "" if value is None else text("gate.kept" if kind == "accept" else "gate.failed", language)
    return (
        f'<li class="gate {kind}"><span class="gate-title">{row.title.in_language(language)}</span>'
        f'<b>{mark}<span class="unseen">{said} </span>{row.text(value, language)}</b>'
        f'<span class="quiet">{bound(row, policy, language)}</span></li>'
    )


def _card(kind: Decision | str, body: str) -> str:
    return (
        f'<section class="card verdict {kind}" aria-live="polite">'
        f'<div class="verdict-icon">{icon(kind)}</div><div class="verdict-body">{body}</div></section>'
    )


def _score(
    assessment: Assessment,
    policy: Policy,
    language: Language,
    pass_rate: float | None,
    spread: Sequence[float],
) -> str:
    """The score as a number and on its scale, with the threshold and the reference photographs."""
    score, limit = assessment.cafi, plots.limit_of(SCORE, policy)
    number = "–" if score is None else SCORE.text(score)
    hint = text("verdict.no_cafi" if score is None else "verdict.cafi", language)
    rate = "" if pass_rate is None else text("pass_rate", language, percent=round(100 * pass_rate))
    highest = max(spread, default=0) or 1
    bars = "".join(f'<i style="height:{100 * share / highest:.0f}%"></i>' for share in spread)
    needed = text("scale.needed", language, limit=SCORE.limit_text(limit, language))
    place = 100 * plots.share_of(SCORE, limit)
    side = " class='left'" if place > SCALE_EDGE else ""
    marker = ""
    if score is not None:
        marker = f'<b class="scale-value" style="left:{100 * plots.share_of(SCORE, score):.1f}%"></b>'
    label = escape(f"{SCORE.title.in_language(language)} {number}, {needed}")
    return (
        f'<div class="score"><p class="score-number">{number}</p><div class="score-scale">'
        f'<p class="score-name">{hint}</p>'
        f'<div class="scale" role="img" aria-label="{label}"><div class="scale-spread">{bars}</div>'
        f'<div class="scale-track"><span style="left:{place:.1f}%"></span></div>'
        f'<div class="scale-limit" style="left:{place:.1f}%"><span{side}>{needed}</span></div>{marker}</div>'
        f'<p class="quiet">{rate}</p></div></div>'
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


def face_buttons(faces: Sequence[Assessment], chosen: int, language: Language) -> str:
    """A frame with a number on every face of a photo, coloured by its verdict; nothing for a single face.

    Args:
        faces: Each face, judged; one without scores has not been measured yet.
        chosen: Which of them the page shows.
        language: Of the words.
    """
    if len(faces) < 2:
        return ""
    buttons = "".join(
        _face_button(face, index, index == chosen, language) for index, face in enumerate(faces)
    )
    known = [face for face in faces if face.scores]
    kept = sum(face.verdict == "accept" for face in known)
    key = "faces.judged" if len(known) == len(faces) else "faces"
    heading = text(key, language, count=len(faces), kept=kept)
    shape = f"aspect-ratio:{faces[0].width} / {faces[0].height}"
    return f'<div class="on-photo" style="{shape}">{buttons}</div><p class="heading">{heading}</p>'


def _face_button(assessment: Assessment, index: int, chosen: bool, language: Language) -> str:
    face = assessment.face
    assert face is not None and assessment.width and assessment.height
    (x1, y1, x2, y2), (width, height) = face.box, (assessment.width, assessment.height)
    kind = assessment.verdict if assessment.scores else "waiting"
    why = f", {assessment.reasons[0].message}" if assessment.scores and assessment.reasons else ""
    said = f" {text(assessment.verdict, language)}{why}" if assessment.scores else ""
    name = escape(f"{text('face.n', language, number=index + 1)}{said}")
    place = (
        f"left:{100 * x1 / width:.2f}%;top:{100 * y1 / height:.2f}%;"
        f"width:{100 * (x2 - x1) / width:.2f}%;height:{100 * (y2 - y1) / height:.2f}%"
    )
    return (
        f'<button type="button" class="on-face {kind}" data-choice="{index}" style="{place}" title="{name}" '
        f'aria-label="{name}" aria-pressed="{str(chosen).lower()}"><span>{index + 1}</span></button>'
    )


def group_photo(url: str, language: Language) -> str:
    """The photo under `face_buttons`."""
    return f'<img src="{url}" alt="{escape(text("alt.faces", language))}">' if url else ""


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
        f"<div><dt>{text(name, language)}</dt><dd>{getattr(pose, name):+z.0f}°</dd></div>"
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
    limit, asked = plots.limit_of(row, policy), bound(row, policy, language)
    title = row.title.in_language(language)
    label = text("gauge.label", language, title=title, value=row.text(value, language), bound=asked)
    return (
        f"{plots.gauge(row, value, limit, language, label)}"
        f'<p><b>{title}</b> <span class="quiet">{asked}</span></p>'
    )


def _line(row: Measure, value: float, policy: Policy, language: Language) -> str:
    kind = "accept" if row.passes(value, plots.limit_of(row, policy)) else "reject"
    mark, title = f'<span class="mark {kind}">{icon(kind)}</span>', row.title.in_language(language)
    return (
        f"<p>{mark} {title} <b>{row.text(value, language)}</b><br>"
        f'<span class="quiet">{bound(row, policy, language)}</span></p>'
    )


def _bar(row: Measure, value: float, language: Language) -> str:
    """What has a part in the score stands large above its bar."""
    large = f'<p class="big">{row.text(value, language)}</p>' if row.weight else ""
    return (
        f'{large}<div class="measure {"" if row.weight else "quiet"}"><span class="bar">'
        f'<span style="width:{100 * plots.share_of(row, value):.1f}%"></span></span>'
        f"<span>{row.title.in_language(language)} {row.text(value, language)}</span></div>"
    )


def bound(row: Measure, policy: Policy, language: Language) -> str:
    """What a policy asks of a measure, in words."""
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


def details(assessment: Assessment | None, language: Language) -> str:
    """Timings by stage and models by role, as two tables."""
    if assessment is None or not assessment.timings_ms:
        return f'<p class="quiet">{text("details.idle", language)}</p>'
    stages = [(named(f"stage.{name}", language), value) for name, value in assessment.timings_ms.items()]
    stages.append((text("stage.total", language), sum(assessment.timings_ms.values())))
    timings = "".join(f"<tr><td>{name}</td><td class='right'>{value:.1f}</td></tr>" for name, value in stages)
    models = "".join(
        f"<tr><td>{named(f'role.{role}', language)}</td><td>{escape(name)}</td></tr>"
        for role, name in assessment.models.items()
    )
    return (
        f'<div class="tables"><table><thead><tr><th>{text("details.stage", language)}</th>'
        f'<th class="right">{text("details.ms", language)}</th></tr></thead><tbody>{timings}</tbody></table>'
        f"<table><thead><tr><th>{text('details.role', language)}</th>"
        f"<th>{text('details.model', language)}</th></tr></thead><tbody>{models}</tbody></table></div>"
    )


def distortions(assessment: Assessment | None, language: Language) -> str:
    """A bar for each distortion, the worst first; empty without a face."""
    if assessment is None or not assessment.distortions:
        return ""
    rows = {row.name: row for row in DISTORTIONS}
    worst_first = sorted(assessment.distortions.items(), key=lambda named: -named[1])
    bars = "".join(
        f'<li class="{_strength(severity)}"><span>{rows[name].title.in_language(language)}</span>'
        f'<span class="severity" style="--share: {severity:.3f}"></span>'
        f"<span>{severity:.2f}</span></li>"
        for name, severity in worst_first
    )
    return (
        f'<section class="distortions"><h3>{text("distortions", language)}</h3>'
        f'<p class="quiet">{text("distortions.meaning", language)}</p><ul>{bars}</ul></section>'
    )


def _strength(severity: float) -> str:
    return "fault" if severity >= FAULT_FROM else "slight" if severity >= CAUSE_FROM else "none"


def components(assessment: Assessment | None, language: Language) -> str:
    """The quality components as a table."""
    if assessment is None or not assessment.components:
        return f'<p class="quiet">{text("components.idle", language)}</p>'
    values = [(row, assessment.components.get(row.name)) for row in COMPONENTS]
    rows = "".join(
        f"<tr><td>{row.title.in_language(language)}</td><td>{row.meaning.in_language(language)}</td>"
        f'<td class="right">{"-" if value is None else value}</td></tr>'
        for row, value in values
    )
    return (
        f'<div class="tables"><table><thead><tr><th>{text("components.name", language)}</th>'
        f"<th>{text('components.meaning', language)}</th>"
        f'<th class="right">{text("components.value", language)}</th></tr></thead><tbody>{rows}</tbody>'
        "</table></div>"
    )


def result_download(assessment: Assessment | None, language: Language) -> str:
    """A link that holds the result as a file: nothing is written on the server."""
    if assessment is None:
        return f'<p class="quiet">{text("downloads.idle", language)}</p>'
    document = json.dumps(assessment.to_dict(), ensure_ascii=False, indent=1)
    url = f"data:application/json;charset=utf-8,{quote(document)}"
    return _download("json", url, f"{stem(assessment)}.json", language)


def picture_downloads(assessment: Assessment | None, pictures: Mapping[str, str], language: Language) -> str:
    """Likewise the pictures, which no moved slider changes."""
    return "".join(
        _download(kind, pictures[picture], f"{stem(assessment)}-{ending}", language)
        for kind, picture, ending in (
            ("masked", "masked_file", "masked.png"),
            ("annotated", "photo", "annotated.jpg"),
        )
        if assessment is not None and picture in pictures
    )


def stem(assessment: Assessment) -> str:
    """What the files of a photo are called, without their endings."""
    return assessment.image.rsplit("/", 1)[-1].rsplit(".", 1)[0] or "face"


def _download(kind: str, url: str, name: str, language: Language) -> str:
    label = text(f"download.{kind}", language)
    return f'<a class="download" href="{url}" download="{escape(name)}">↓ {label}</a>'
