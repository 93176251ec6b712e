"""The Live tab: the camera's frames, judged one by one; the best one is kept.

`assets/camera.js` opens the camera, sends a few frames at a time and shows each with its own verdict:
what a visitor sees is the frame that was judged, so that no box trails behind its face.
"""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Sequence
from html import escape
from typing import Any

import gradio as gr

from demo import draw, pieces, plots
from demo.files import asset
from demo.limits import MOST_CAMERAS, MOST_KILOBYTES_A_FRAME
from demo.photo import MODEL_QUEUE, PhotoTab
from demo.policy import PolicyPanel, policy_of
from demo.visits import FORGOTTEN_AFTER, Camera, Visits
from demo.wording import error_message, say, say_html, text, words
from faceqa import Assessment, FaceqaError, Scorer
from faceqa.languages import LANGUAGES, Language
from faceqa.measures.registry import JUDGED, SCORE, TAKEN, Measure
from faceqa.reading import image

FRAME_SIZE = (640, 480)
"""px that the camera is asked for."""

MEMORY = 60.0
"""Seconds that the chart shows."""

RATE_OVER = 5.0
"""Seconds over which the frame rate is counted."""

CHART_EVERY = 0.5
"""Seconds between two drawings of the chart."""

CAMERA_PROBLEMS = ("refused", "missing", "busy", "lost", "insecure", "crowded", "unreachable")

NUMBERS: tuple[Measure, ...] = (SCORE, *(row for row in JUDGED if row in TAKEN))
"""On the card of a frame."""


def live_tab(scorer: Scorer, visits: Visits, policy: PolicyPanel, photo: PhotoTab) -> None:
    """Build the tab.

    Args:
        scorer: Judges the frames.
        visits: Keeps the last minute and the best frame.
        policy: What the verdicts go by.
        photo: Receives the best frame.
    """

    def judge_frame(sent: dict[str, str]) -> dict[str, Any]:
        """What the page shows of a frame: pieces of HTML by their places, or the name of a problem."""
        language: Language = next((one for one in LANGUAGES if one == sent.get("language")), "en")
        camera = visits.of(str(sent.get("key"))).camera
        if time.monotonic() - camera.judged > FORGOTTEN_AFTER and visits.cameras() >= MOST_CAMERAS:
            return {"problem": "crowded"}
        camera.judged = time.monotonic()
        try:
            file = frame_in(sent)
            frame = image.load(file)
            result = scorer.assess(frame, "camera.jpg", unmasked=False)
        except Exception as error:
            return {"error": error_message(error, language)}
        return shown(camera, file, frame.shape, scorer.rejudge(result, camera.policy, language), language)

    with gr.Tab(say("tab.live"), id="live", elem_id="tab-live") as tab:
        stage = gr.HTML(
            say_html("live", _stage),
            js_on_load=asset("camera.js"),
            server_functions=[judge_frame],
            elem_id="live",
        )

    def judge(key: str, _language: Language, *values: float) -> list[Any]:
        visits.of(key).camera.policy = policy_of(values)
        return []

    def forget(key: str) -> None:
        visit = visits.of(key)
        visit.camera = Camera(policy=visit.camera.policy)

    def show_best(key: str, language: Language, *values: float) -> list[Any]:
        best = visits.of(key).camera.best
        if best is None:
            raise gr.Error(text("live.none", language), print_exception=False)
        return photo.show(best[1], "best-frame.jpg", key, language, *values)

    policy.rules(tab, judge, ())
    stage.clear(forget, policy.visit[0], api_visibility="private", queue=False)
    stage.submit(
        show_best,
        [*policy.visit, *policy.sliders],
        list(photo.outputs),
        api_visibility="private",
        show_progress="hidden",  # the outputs lie on the other tab, and an error is a toast
        concurrency_id=MODEL_QUEUE,
    ).success(None, js=asset("to_photo.js"), api_visibility="private")


def frame_in(sent: dict[str, str]) -> bytes:
    """The JPEG of a frame as the page sends it.

    Raises:
        FaceqaError: when it is none, or too large.
    """
    encoded = str(sent.get("frame"))
    if len(encoded) > 4 / 3 * 1000 * MOST_KILOBYTES_A_FRAME:
        raise FaceqaError("image_too_large", "The camera's frame is too large.")
    try:
        return base64.b64decode(encoded, validate=True)
    except binascii.Error as error:
        raise FaceqaError("unreadable_image", "The camera's frame cannot be read.") from error


def shown(
    camera: Camera, file: bytes, shape: Sequence[int], result: Assessment, language: Language
) -> dict[str, Any]:
    """Remember a frame; what the page shows of it, as HTML by the names of its places."""
    now = time.monotonic()
    is_better = remember(camera, file, result, now)
    pieces_of_html = {
        "overlay": _overlay(result, shape, language),
        "card": _card(result, camera, language, now),
    }
    if now - camera.charted >= CHART_EVERY:
        camera.charted = now
        pieces_of_html["trace"] = _trace(camera, language, now)
    if is_better:
        pieces_of_html["best"] = _best(camera, language)
    return pieces_of_html


def remember(camera: Camera, file: bytes, result: Assessment, now: float) -> bool:
    """Add a frame to the last minute; whether it is the best so far."""
    camera.frames.append((now, {row.name: getattr(result, row.name) for row in plots.CURVES}))
    while now - camera.frames[0][0] > MEMORY:
        camera.frames.popleft()
    if result.measures is None:
        return False
    parts = (getattr(result, row.name) for row in plots.CURVES if row is not SCORE)
    rank = (result.verdict == "accept", result.cafi is not None, result.cafi or 0.0, *parts)
    if camera.best is not None and rank <= camera.best[0]:
        return False
    camera.best = (rank, file, result)
    return True


def _stage(language: Language) -> str:
    """The whole tab before the camera starts; `assets/camera.js` fills the places in."""
    problems = "".join(
        f'<p class="problem" role="alert" data-problem="{problem}" hidden>'
        f"{text(f'camera.{problem}', language)}</p>"
        for problem in CAMERA_PROBLEMS
    )
    width, height = FRAME_SIZE
    return (
        f'<p class="quiet intro">{text("live.intro", language)}</p>'
        f'<div class="live-columns"><div class="live-camera">{problems}'
        f'<div class="stage"><canvas width="{width}" height="{height}" role="img" '
        f'aria-label="{text("live.camera", language)}"></canvas>'
        f'<div data-place="overlay"></div><p class="stage-idle">{text("live.stage", language)}</p></div>'
        f'<p class="stage-buttons"><button type="button" class="button primary" data-do="start">'
        f"● {text('live.start', language)}</button>"
        f'<button type="button" class="button stop" data-do="stop" hidden>'
        f"■ {text('live.stop', language)}</button>"
        f"</p></div>"
        f'<div class="live-results"><div data-place="card">{_idle_card(language)}</div>'
        f'<div data-place="trace">{_trace(Camera(), language, 0)}</div>'
        f'<div data-place="best">{_best(Camera(), language)}</div>'
        f'<p class="stage-buttons"><button type="button" class="button primary" data-do="send">'
        f"{text('live.send', language)}</button>"
        f'<button type="button" class="button" data-do="forget">{text("live.forget", language)}</button></p>'
        f"</div></div>"
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


def _card(result: Assessment, camera: Camera, language: Language, now: float) -> str:
    recent = [when for when, _ in camera.frames if now - when <= RATE_OVER]
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


def _trace(camera: Camera, language: Language, now: float) -> str:
    return plots.live_trace(
        [now - when for when, _ in camera.frames],
        {row.name: [values[row.name] for _, values in camera.frames] for row in plots.CURVES},
        camera.policy,
        language,
        words(language, title="live.trace", now="live.now", ago="live.ago"),
        MEMORY,
    )


def _best(camera: Camera, language: Language) -> str:
    heading = pieces.heading("live.best", language)
    if camera.best is None:
        return f'{heading}<p class="quiet">{text("live.best.idle", language)}</p>'
    _, file, result = camera.best
    numbers = "<br>".join(
        f"{row.title.in_language(language)} <b>{row.text(getattr(result, row.name), language)}</b>"
        for row in reversed(plots.CURVES)
    )
    return (
        f'{heading}<figure class="best"><img src="{draw.data_url(file)}" alt="{text("live.best", language)}">'
        f"<figcaption>{numbers}</figcaption></figure>"
    )
