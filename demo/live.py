"""The Live tab: the camera's stream, judged frame by frame; the best frame is kept.

Two frames are on the way, each on a core of its own: one is shown when the next has arrived.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from html import escape
from typing import Any

import gradio as gr
import numpy as np

from demo import draw, pieces, plots
from demo.files import asset
from demo.limits import MOST_STREAM_MINUTES, SECONDS_KEPT
from demo.photo import MODEL_QUEUE, PhotoTab
from demo.policy import policy_of
from demo.wording import say, say_html, text, words
from faceqa import Assessment, Policy, Scorer
from faceqa.languages import Language
from faceqa.measures.registry import JUDGED, SCORE, TAKEN, Measure

FRAME_SIZE = (640, 480)
"""px that the camera is asked for."""

STREAM_EVERY = 0.15
"""Seconds between two frames that the page sends. The server keeps only the latest that it was sent."""

MOST_STREAMS = 4
"""Cameras at the same time; they share the processor."""

MEMORY = 60.0
"""Seconds that the chart shows."""

RATE_OVER = 5.0
"""Seconds over which the frame rate is counted."""

CHART_EVERY = 0.5
"""Seconds between two drawings of the chart."""

FORGET_AFTER = 5.0
"""Seconds after which a frame that nobody asked for is not shown any more: the camera was stopped."""

CAMERA_PROBLEMS = ("refused", "missing", "busy", "lost", "insecure")

NUMBERS: tuple[Measure, ...] = (SCORE, *(row for row in JUDGED if row in TAKEN))
"""On the card of a frame."""


@dataclass
class Session:
    """What the server knows of one camera; it changes with every frame.

    Attributes:
        frames: Of the last minute, oldest first: when it was judged, and its values by the names of
            `plots.CURVES`.
        best: The best frame's rank, its JPEG and its assessment.
        coming: The frame on the way, RGB uint8 (H, W, 3), when it came, and what will be its assessment.
        charted: When the chart was drawn.
    """

    frames: deque[tuple[float, dict[str, float | None]]] = field(default_factory=deque)
    best: tuple[tuple[Any, ...], bytes, Assessment] | None = None
    coming: tuple[np.ndarray, float, Future[Assessment]] | None = None
    charted: float = 0.0


def live_tab(scorer: Scorer, language: gr.Radio, photo: PhotoTab, tabs: gr.Tabs) -> None:
    """Build the tab.

    Args:
        scorer: Judges the frames.
        language: The switch in the header.
        photo: Receives the best frame; its thresholds count here, too.
        tabs: To turn to the Photo tab.
    """
    with gr.Tab(say("tab.live"), id="live", elem_id="tab-live"):
        gr.Markdown(say("live.intro"), elem_classes="quiet intro")
        session = gr.State(None, time_to_live=SECONDS_KEPT)
        with gr.Row():
            with gr.Column(scale=6, min_width=300):
                problems = gr.HTML(
                    say_html("problems", _problems), js_on_load=asset("camera.js"), elem_id="camera-problems"
                )
                with gr.Group(elem_classes="stage"):
                    camera = gr.Image(
                        sources=["webcam"],
                        streaming=True,
                        type="numpy",
                        height=FRAME_SIZE[1],
                        label=say("live.camera"),
                        elem_id="cam",
                        webcam_options=gr.WebcamOptions(
                            mirror=True,
                            constraints={"video": {"width": FRAME_SIZE[0], "height": FRAME_SIZE[1]}},
                        ),
                    )
                    overlay = gr.HTML("", elem_id="overlay")
            with gr.Column(scale=5, min_width=300):
                card = gr.HTML(say_html("live.card", _idle_card), elem_id="live-card", min_height=250)
                trace = gr.HTML(say_html("live.trace", _empty_trace), elem_id="live-trace", min_height=190)
                best = gr.HTML(
                    say_html("live.best", partial(_best, None)), elem_id="live-best", min_height=150
                )
                with gr.Row():
                    send = gr.Button(say("live.send"), variant="primary", elem_id="live-send", scale=3)
                    forget = gr.Button(say("live.forget"), elem_id="live-forget", scale=1, min_width=120)

    settings = [language, *photo.policy.sliders]

    def watch(
        frame: np.ndarray | None, session: Session | None, language: Language, *values: float
    ) -> list[Any]:
        if frame is None:
            return [gr.skip()] * 5
        policy, session, now = policy_of(values), session or Session(), time.monotonic()
        before = session.coming
        session.coming = frame, now, scorer.submit(frame, "camera.jpg", unmasked=False)
        if before is None or now - before[1] > FORGET_AFTER:
            return [*[gr.skip()] * 4, session]
        frame, _, assessment = before
        result, now = scorer.rejudge(assessment.result(), policy, language), time.monotonic()
        is_better = remember(session, frame, result, now)
        chart_is_due = now - session.charted >= CHART_EVERY
        if chart_is_due:
            session.charted = now
        return [
            _overlay(result, frame.shape, language),
            _card(result, session, language, now),
            _trace(session, policy, language, now) if chart_is_due else gr.skip(),
            _best(session.best, language) if is_better else gr.skip(),
            session,
        ]

    def clear(language: Language, *values: float) -> list[Any]:
        return [
            "",
            _idle_card(language),
            _trace(Session(), policy_of(values), language, 0),
            _best(None, language),
            None,
        ]

    def show_best(session: Session | None, language: Language, *values: float) -> list[Any]:
        if session is None or session.best is None:
            gr.Info(text("live.none", language))
            return [gr.skip()] * (1 + len(photo.outputs))
        return [gr.Tabs(selected="photo"), *photo.show(session.best[1], "best-frame.jpg", language, *values)]

    camera.stream(
        watch,
        [camera, session, *settings],
        [overlay, card, trace, best, session],
        stream_every=STREAM_EVERY,
        time_limit=60 * MOST_STREAM_MINUTES,
        concurrency_id="live",
        concurrency_limit=MOST_STREAMS,
        show_progress="hidden",
        api_visibility="private",
    )
    forget.click(
        clear, settings, [overlay, card, trace, best, session], api_visibility="private", queue=False
    )
    send.click(
        show_best,
        [session, *settings],
        [tabs, *photo.outputs],
        api_visibility="private",
        concurrency_id=MODEL_QUEUE,
    )
    language.input(
        lambda language, session: [
            _problems(language),
            _idle_card(language) if session is None else gr.skip(),
            _best(session and session.best, language),
        ],
        [language, session],
        [problems, card, best],
        api_visibility="private",
        queue=False,
        show_progress="hidden",
    )


def remember(session: Session, frame: np.ndarray, result: Assessment, now: float) -> bool:
    """Add a frame to the last minute; whether it is the best so far."""
    session.frames.append((now, {row.name: getattr(result, row.name) for row in plots.CURVES}))
    while now - session.frames[0][0] > MEMORY:
        session.frames.popleft()
    if result.measures is None:
        return False
    parts = (getattr(result, row.name) for row in plots.CURVES if row is not SCORE)
    rank = (result.verdict == "accept", result.cafi is not None, result.cafi or 0.0, *parts)
    if session.best is not None and rank <= session.best[0]:
        return False
    session.best = (rank, draw.jpeg(frame, 95), result)
    return True


def _problems(language: Language) -> str:
    return "".join(
        f'<p class="problem" role="alert" data-problem="{problem}" hidden>'
        f"{text(f'camera.{problem}', language)}</p>"
        for problem in CAMERA_PROBLEMS
    )


def _overlay(result: Assessment, shape: Sequence[int], language: Language) -> str:
    """The frame's box, landmarks and verdict, in the frame's pixels."""
    height, width = shape[:2]
    marks = ""
    if result.face is not None:
        x1, y1, x2, y2 = result.face.box
        dots = "".join(f'<circle cx="{x:.0f}" cy="{y:.0f}" r="3.5"/>' for x, y in result.face.landmarks)
        marks = (
            f'<rect x="{x1:.0f}" y="{y1:.0f}" width="{x2 - x1:.0f}" height="{y2 - y1:.0f}" rx="10"/>{dots}'
        )
    word = text(result.verdict, language)
    sign = "✓" if result.verdict == "accept" else "✕"
    score = "" if result.cafi is None else f" {result.cafi:.0f}"
    return (
        f'<svg class="overlay {result.verdict}" viewBox="0 0 {width} {height}" aria-hidden="true">{marks}'
        f'<text x="{width - 14}" y="48" text-anchor="end" class="outlined">{sign} {word}{score}</text></svg>'
    )


def _idle_card(language: Language) -> str:
    return f'<section class="card live idle"><p class="live-word">{text("live.idle", language)}</p></section>'


def _card(result: Assessment, session: Session, language: Language, now: float) -> str:
    recent = [when for when, _ in session.frames if now - when <= RATE_OVER]
    rate = (len(recent) - 1) / (recent[-1] - recent[0]) if len(recent) > 1 else 0.0
    numbers = "".join(
        f"<div><dt>{row.title.in_language(language)}</dt>"
        f"<dd>{row.text(getattr(result, row.name), language)}</dd></div>"
        for row in NUMBERS
    )
    why = result.reasons[0].message if result.reasons else text("verdict.accept", language)
    return (
        f'<section class="card live verdict {result.verdict}"><div class="verdict-icon">'
        f'{pieces.icon(result.verdict)}</div><div class="verdict-body"><div class="verdict-head">'
        f'<h2 class="verdict-word">{text(result.verdict, language)}</h2>'
        f'<span class="quiet">{text("live.rate", language, rate=rate)}</span></div>'
        f'<dl class="numbers">{numbers}</dl><p class="why">{escape(why)}</p></div></section>'
    )


def _trace(session: Session, policy: Policy, language: Language, now: float) -> str:
    return plots.live_trace(
        [now - when for when, _ in session.frames],
        {row.name: [values[row.name] for _, values in session.frames] for row in plots.CURVES},
        policy,
        language,
        words(language, title="live.trace", now="live.now", ago="live.ago"),
        MEMORY,
    )


def _empty_trace(language: Language) -> str:
    return _trace(Session(), Policy(), language, 0)


def _best(best: tuple[tuple[Any, ...], bytes, Assessment] | None, language: Language) -> str:
    heading = f'<p class="heading">{text("live.best", language)}</p>'
    if best is None:
        return f'{heading}<p class="quiet">{text("live.best.idle", language)}</p>'
    _, file, result = best
    numbers = "<br>".join(
        f"{row.title.in_language(language)} <b>{row.text(getattr(result, row.name), language)}</b>"
        for row in reversed(plots.CURVES)
    )
    return (
        f'{heading}<figure class="best"><img src="{draw.data_url(file)}" alt="{text("live.best", language)}">'
        f"<figcaption>{numbers}</figcaption></figure>"
    )
