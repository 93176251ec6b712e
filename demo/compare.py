"""The Compare tab: photos side by side, and one photo made worse step by step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from demo import draw, pieces, plots
from demo.photo import EXAMPLES, MODEL_QUEUE
from demo.policy import SILENT, PolicyPanel, policy_of
from demo.visits import Visits
from demo.wording import error_message, say, say_html, text, words
from faceqa import Assessment, Policy, Scorer
from faceqa.evaluation import stress
from faceqa.languages import Language
from faceqa.measures.registry import DISTORTIONS, FAULT_FROM, SCORE, TAKEN, WEIGHTED, Distortion, Measure
from faceqa.verdict.judge import cafi

FEWEST, MOST = 2, 6

EXAMPLE_NAMES = ("hopper", "hopper_360p", "hopper_blur", "hopper_dark", "hopper_mask")

ROWS: tuple[Measure, ...] = (
    *(row for row in TAKEN if row.weight is None),
    *(row for row in TAKEN if row.weight is not None),
    SCORE,
)
"""Of the table, below the pictures: the parts of the score stand right above it."""

READ = (*plots.CURVES, plots.COVER)
"""Of a step of the ladder, below its picture and in the chart."""

PICTURE_SIDE = 240


@dataclass(frozen=True)
class Shown:
    """A photo of the table, or a step of the ladder.

    Attributes:
        name: Its caption.
        picture: Data URL; empty where it could not be read.
        assessment: Under the default policy.
    """

    name: str
    picture: str
    assessment: Assessment


@dataclass(frozen=True)
class Climbed:
    """The steps of one ladder."""

    kind: str
    steps: tuple[Shown, ...]


def compare_tab(scorer: Scorer, visits: Visits, policy: PolicyPanel) -> None:
    """Build the tab.

    Args:
        scorer: Assesses the photos.
        visits: Keeps what is shown; the photo of the Photo tab goes through the stress test.
        policy: What the verdicts go by.
    """
    with gr.Tab(say("tab.compare"), id="compare", elem_id="tab-compare") as tab:
        gr.HTML(say_html("compare.table", partial(pieces.heading, "compare.table")))
        gr.Markdown(say("compare.intro"), elem_classes="quiet intro")
        with gr.Row(elem_classes="compare-input"):
            files = gr.File(
                file_count="multiple",
                label=say("compare.files"),
                elem_id="compare-files",
                height=150,
                scale=3,
            )
            with gr.Column(scale=1, min_width=200):
                run = gr.Button(say("compare.run"), variant="primary", elem_id="compare-run")
                examples = gr.Button(say("compare.examples"), elem_id="compare-examples")
        table = gr.HTML(
            say_html("table", partial(side_by_side, (), Policy(), scorer)),
            elem_id="compare-table",
            min_height=120,
        )
        gr.HTML(say_html("stress", partial(pieces.heading, "stress")))
        gr.Markdown(say("stress.intro"), elem_classes="quiet intro")
        with gr.Row(elem_classes="stress-input"):
            kind = gr.Radio(
                [(say(f"stress.{kind}"), kind) for kind in stress.LADDERS],
                value="resolution",
                label=say("stress.kind"),
                elem_id="stress-kind",
                scale=4,
            )
            climb = gr.Button(
                say("stress.run"), variant="primary", elem_id="stress-run", scale=1, min_width=200
            )
        steps = gr.HTML(
            say_html("steps", partial(_steps, None, Policy(), scorer)), elem_id="stress-steps", min_height=60
        )
        curve = gr.Plot(show_label=False, container=False, visible=False, elem_id="stress-curve")

    settings = [*policy.visit, *policy.sliders]

    def compare(paths: Sequence[str] | None, key: str, language: Language, *values: float) -> Iterator[str]:
        named = [(path, Path(path).name) for path in paths or ()]
        if FEWEST <= len(named) <= MOST:
            yield from row_by_row(named, key, language, *values)
        else:
            visits.of(key).compared = ()
            yield _message(text("compare.count", language, count=len(named)))

    def compare_examples(key: str, language: Language, *values: float) -> Iterator[str]:
        examples = [
            (str(EXAMPLES / f"{name}.jpg"), text(f"example.{name}", language)) for name in EXAMPLE_NAMES
        ]
        yield from row_by_row(examples, key, language, *values)

    def row_by_row(
        named: Sequence[tuple[str, str]], key: str, language: Language, *values: float
    ) -> Iterator[str]:
        policy, visit = policy_of(values), visits.of(key)
        visit.compared = ()
        try:
            for path, name in named:
                visit.compared = (*visit.compared, assessed(scorer, path, name))
                yield side_by_side(visit.compared, policy, scorer, language)
        except Exception as error:
            yield _message(error_message(error, language))

    def stress_test(kind: str, key: str, language: Language, *values: float) -> Iterator[list[Any]]:
        policy, visit = policy_of(values), visits.of(key)
        visit.climbed, no_curve = None, gr.update(value=None, visible=False)
        try:
            seen = scorer.inspect(visit.held.source if visit.held else str(EXAMPLES / "hopper.jpg"))
            if seen.photo is None or seen.assessment.face is None:
                yield [_message(text("stress.no_face", language)), no_curve]
                return
            climbed: tuple[Shown, ...] = ()
            for step in stress.climb(kind, seen.photo, seen.assessment.face):
                climbed = (*climbed, stressed(scorer, step))
                visit.climbed = Climbed(kind, climbed)
                yield _climbed(visit.climbed, policy, scorer, language)
        except Exception as error:
            yield [_message(error_message(error, language)), no_curve]

    def another_kind(key: str, language: Language) -> list[Any]:
        visits.of(key).climbed = None
        return _climbed(None, Policy(), scorer, language)

    def judge(key: str, language: Language, *values: float) -> list[Any]:
        visit, policy = visits.of(key), policy_of(values)
        table = side_by_side(visit.compared, policy, scorer, language)
        return [table, *_climbed(visit.climbed, policy, scorer, language)]

    runs: dict[str, Any] = {
        "concurrency_id": MODEL_QUEUE,
        "show_progress": "minimal",
        "api_visibility": "private",
    }
    run.click(compare, [files, *settings], table, show_progress_on=[table], **runs)
    examples.click(compare_examples, settings, table, show_progress_on=[table], **runs)
    climb.click(stress_test, [kind, *settings], [steps, curve], show_progress_on=[steps], **runs)
    kind.input(another_kind, [*policy.visit], [steps, curve], **SILENT)
    policy.rules(tab, judge, [table, steps, curve])


def stressed(scorer: Scorer, step: stress.Step) -> Shown:
    """A step of the ladder. The gate for the face's size looks at the detail that is left, not at the px."""
    result = scorer.assess(step.picture, step.level, unmasked=False)
    size = result.face_size
    if size is not None:
        result = replace(result, scores={**result.scores, "face_size": round(size / step.reduction, 1)})
    picture = draw.thumbnail(step.picture, step.face, PICTURE_SIDE)
    return Shown(step.level, draw.data_url(draw.jpeg(picture)), result)


def assessed(scorer: Scorer, path: str, name: str) -> Shown:
    """A photo for the table."""
    seen = scorer.inspect(path, name=name)
    picture = "" if seen.photo is None else draw.data_url(draw.jpeg(draw.fitted(seen.photo, PICTURE_SIDE)))
    return Shown(name, picture, seen.assessment)


def side_by_side(shown: Sequence[Shown], policy: Policy, scorer: Scorer, language: Language) -> str:
    """The reference result's table: a column for each photo; the best is marked."""
    if not shown:
        return f'<p class="quiet">{text("compare.idle", language)}</p>'
    judged = [scorer.rejudge(item.assessment, policy, language) for item in shown]
    scores = [item.cafi if item.verdict == "accept" else None for item in judged]
    best = max((score for score in scores if score is not None), default=None)
    rows = [
        ("picture-cell", text("compare.image", language), [_pictured(item) for item in shown]),
        *(
            ("", _row_title(row, policy, language), [_cell(row, item, language) for item in judged])
            for row in ROWS
        ),
        ("verdict-cell", text("compare.verdict", language), [_verdict(item, language) for item in judged]),
    ]
    body = "".join(
        f'<div role="row"><span role="rowheader" style="--row:{row};--column:1">{name}</span>'
        + "".join(
            f'<span role="cell" class="{kind} {_column_class(scores[i], best)}" data-label="{escape(name)}" '
            f'style="--row:{row};--column:{i + 2}">{cell}</span>'
            for i, cell in enumerate(cells)
        )
        + "</div>"
        for row, (kind, name, cells) in enumerate(rows, 1)
    )
    marks = "".join(
        f'<span class="best-mark" style="--column:{i + 2}">★ {text("compare.best", language)}</span>'
        for i, score in enumerate(scores)
        if score is not None and score == best
    )
    size = f"--count:{len(shown)};--rows:{len(rows)}"
    return f'<div class="compare" role="table" style="{size}">{body}{marks}</div>'


def _row_title(row: Measure, policy: Policy, language: Language) -> str:
    """A measure's name, with its weight in the score; DBCNN says that it looks at the face alone."""
    title = row.title.in_language(language)
    if row.name == "dbcnn":
        title = text("compare.face_alone", language, title=title)
    if row.weight is None:
        return title
    total = sum(getattr(policy, part.weight.setting) for part in WEIGHTED if part.weight)
    return f"{title} {plots.TIMES} {getattr(policy, row.weight.setting) / total:.0%}"


def _column_class(score: float | None, best: float | None) -> str:
    return "best-column" if score is not None and score == best else ""


def _pictured(item: Shown) -> str:
    mark = f'<div class="no-picture">{pieces.icon("error")}</div>'
    picture = f'<img src="{item.picture}" alt="">' if item.picture else mark
    return f"{picture}<small>{escape(item.name)}</small>"


def _verdict(item: Assessment, language: Language) -> str:
    return pieces.small_badge(item.verdict, language) + _first_reason(item)


def _first_reason(item: Assessment) -> str:
    return f"<small>{escape(item.reasons[0].message)}</small>" if item.reasons else ""


def _cell(row: Measure, item: Assessment, language: Language) -> str:
    value = row.text(getattr(item, row.name), language)
    return f"<b>{value}</b>" if row is SCORE else value


def _message(sentence: str) -> str:
    return f'<p class="problem" role="alert">{escape(sentence)}</p>'


def _climbed(climbed: Climbed | None, policy: Policy, scorer: Scorer, language: Language) -> list[Any]:
    """The values of the steps and the curve."""
    if climbed is None:
        return [_steps(None, policy, scorer, language), gr.update(value=None, visible=False)]
    judged = [scorer.rejudge(step.assessment, policy, language) for step in climbed.steps]
    faces = [item.measures for item in judged]
    curves: dict[str, list[float | None]] = {
        row.name: [getattr(item, row.name) for item in judged] for row in READ if row is not SCORE
    }
    curves[SCORE.name] = [None if face is None else cafi(face, policy) for face in faces]
    figure = plots.ladder(
        [step.name for step in climbed.steps],
        curves,
        {
            row.title.in_language(language): [item.distortions.get(row.name) for item in judged]
            for row in told(climbed)
        },
        [item.verdict == "accept" for item in judged],
        policy,
        language,
        words(language, level=f"unit.{climbed.kind}", score="stress.score", severity="stress.severity"),
    )
    return [_steps(climbed, policy, scorer, language), gr.update(value=figure, visible=True)]


def told(climbed: Climbed) -> list[Distortion]:
    """The distortions of a ladder's chart: its own, and then those that are a fault at some step."""
    own = stress.DISTORTION_OF.get(climbed.kind)
    highest = {
        row: max(step.assessment.distortions.get(row.name, 0.0) for step in climbed.steps)
        for row in DISTORTIONS
    }
    faults = [row for row in DISTORTIONS if row.name == own or highest[row] >= FAULT_FROM]
    return sorted(faults, key=lambda row: row.name != own)


def _steps(climbed: Climbed | None, policy: Policy, scorer: Scorer, language: Language) -> str:
    if climbed is None:
        return f'<p class="quiet">{text("stress.idle", language)}</p>'
    distortions = told(climbed)
    cards = "".join(
        f'<figure><img src="{step.picture}" alt=""><figcaption><b>{escape(step.name)}</b>'
        f"{pieces.small_badge(item.verdict, language)}<dl>{_readings(item, distortions, language)}</dl>"
        f"{_first_reason(item)}</figcaption></figure>"
        for step in climbed.steps
        for item in [scorer.rejudge(step.assessment, policy, language)]
    )
    unit = text(f"unit.{climbed.kind}", language)
    kind = text(f"stress.{climbed.kind}", language)
    return f'<p class="quiet">{kind}: {unit}</p><div class="ladder">{cards}</div>'


def _readings(item: Assessment, distortions: Sequence[Distortion], language: Language) -> str:
    """The numbers of a step that the chart draws."""
    readings = [(row.title, row.text(getattr(item, row.name), language)) for row in READ]
    readings += [
        (row.title, f"{item.distortions[row.name]:.2f}")
        for row in distortions
        if row.name in item.distortions
    ]
    return "".join(
        f"<div><dt>{title.in_language(language)}</dt><dd>{value}</dd></div>" for title, value in readings
    )
