"""The Photo tab: one photo, its verdict, and the way there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from demo import draw, pieces, plots
from demo.files import asset
from demo.limits import SECONDS_KEPT
from demo.policy import PolicyPanel, policy_of, policy_panel
from demo.wording import error_message, say, say_html, words
from demo.zerogpu import PHOTO_SECONDS, lend_gpu
from faceqa import Assessment, Inspection, Policy, Scorer
from faceqa.languages import Language
from faceqa.reading import image

EXAMPLES = Path(__file__).parent.parent / "examples"

EXAMPLE_NAMES = (
    *("hopper", "hopper_360p", "hopper_mask", "hopper_blur"),
    *("collins", "two_faces", "hopper_dark", "no_face"),
)

EXAMPLE_SIDE = 280
"""px of the longer side of an example's thumbnail."""

SHOWN_BY_BROWSERS = frozenset(
    [".apng", ".avif", ".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".png", ".webp"]
)

PREVIEW_SIDE = 1280
"""px of the picture that stands in for a file which browsers cannot show."""

MOST_FACES = 12
"""Faces that are offered to choose from."""

CARD_HEIGHT = 344
"""px that the verdict takes with two reasons, so that nothing below it moves."""

MODEL_QUEUE = "models"
"""All events that run networks wait in one line."""


@dataclass(frozen=True)
class Held:
    """What a visitor's page shows, kept so that sliders need no network.

    Attributes:
        source: The photo: its path, or the bytes of a file.
        name: As the visitor calls it.
        assessment: Of the chosen face, under the default policy.
        pictures: Data URLs by name, see `pieces.step_picture`.
        faces: Data URLs of the faces' thumbnails.
    """

    source: str | bytes
    name: str
    assessment: Assessment
    pictures: Mapping[str, str] = field(default_factory=dict)
    faces: tuple[str, ...] = ()


@dataclass(frozen=True)
class PhotoTab:
    """The widgets that other parts of the page use."""

    held: gr.State
    policy: PolicyPanel
    outputs: tuple[Any, ...]
    assessed: Callable[..., list[Any]]

    def show(self, source: str | bytes, name: str, language: Language, *values: float) -> list[Any]:
        """Assess a photo that does not come from the tab's own input: the values of `outputs`."""
        return self.assessed(source, name, 0, language, values, preview=True)


def photo_tab(scorer: Scorer, language: gr.Radio) -> PhotoTab:
    """Build the tab.

    Args:
        scorer: Assesses the photos.
        language: The switch in the header.
    """
    with gr.Tab(say("tab.photo"), id="photo", elem_id="tab-photo"):
        held = gr.State(None, time_to_live=SECONDS_KEPT)
        with gr.Row(elem_classes="first"):
            with gr.Column(scale=4, min_width=300):
                photo = gr.Image(
                    label=say("photo.input"),
                    type="filepath",
                    sources=["upload", "webcam", "clipboard"],
                    placeholder=say("photo.placeholder"),  # type: ignore[arg-type]
                    height=300,
                    format="jpeg",
                    elem_id="photo",
                    buttons=[],
                )
                examples = gr.HTML(
                    say_html("examples", partial(pieces.example_buttons, EXAMPLE_THUMBNAILS)),
                    js_on_load=asset("choice.js"),
                    elem_id="examples",
                )
            with gr.Column(scale=6, min_width=320):
                card = gr.HTML(
                    say_html("idle_card", pieces.idle_card), elem_id="verdict", min_height=CARD_HEIGHT
                )
                faces = gr.HTML("", js_on_load=asset("choice.js"), elem_id="faces")
                policy = policy_panel("policy", language)
                gr.Markdown(say("policy.note"), elem_classes="quiet note")
        gr.Markdown(say("way"), elem_classes="heading")
        with gr.Row(elem_classes="steps"):
            pictures, numbers = [], []
            for step in pieces.STEPS:
                with gr.Column(min_width=0, elem_classes=f"step step-{step.name}"):
                    if step.picture:
                        pictures.append(
                            gr.HTML(
                                say_html(f"picture.{step.name}", partial(pieces.step_picture, step, {})),
                                js_on_load=asset("picture_slider.js"),
                                elem_id=f"picture-{step.name}",
                            )
                        )
                    number = say_html(
                        f"number.{step.name}", partial(pieces.step_number, step, None, Policy())
                    )
                    numbers.append(gr.HTML(number, elem_id=f"number-{step.name}"))
        with gr.Row(elem_classes="last"):
            with gr.Column(scale=3, min_width=300):
                caption = gr.HTML(
                    say_html("parts", partial(pieces.parts_caption, None, Policy())), elem_id="parts-caption"
                )
                parts = gr.Plot(show_label=False, elem_id="parts", container=False)
            with gr.Column(scale=2, min_width=300):
                gr.Markdown(say("downloads"), elem_classes="heading")
                with gr.Column(elem_id="downloads", elem_classes="downloads", min_width=0):
                    result_file = gr.HTML(say_html("downloads", partial(pieces.result_download, None)))
                    picture_files = gr.HTML("")
                with gr.Accordion(say("details"), open=False, elem_id="details-fold"):
                    details = gr.HTML(say_html("details", partial(pieces.details, None)), elem_id="details")

    judged = (card, *numbers, caption, parts, result_file)
    outputs = (held, photo, faces, details, picture_files, *pictures, *judged)

    @lend_gpu(PHOTO_SECONDS)
    def assessed(
        source: str | bytes,
        name: str,
        index: int,
        language: Language,
        values: Sequence[float],
        preview: bool = False,
    ) -> list[Any]:
        return show(scorer, source, name, index, language, policy_of(values), preview)

    built = PhotoTab(held, policy, outputs, assessed)

    def assess(given: dict[str, Any] | None, language: Language, *values: float) -> list[Any]:
        if given is None:
            return _page(scorer, None, policy_of(values), language)
        path = given["path"]
        name = given["orig_name"] or Path(path).name
        unseen = Path(path).suffix.lower() not in SHOWN_BY_BROWSERS
        return assessed(path, name, 0, language, values, preview=unseen)

    def example(event: gr.EventData, language: Language, *values: float) -> list[Any]:
        if event.choice not in EXAMPLE_NAMES:
            return _page(scorer, None, policy_of(values), language)
        path = EXAMPLES / f"{event.choice}.jpg"
        return built.show(str(path), path.name, language, *values)

    def choose(event: gr.EventData, held: Held | None, language: Language, *values: float) -> list[Any]:
        if held is None:
            return _page(scorer, None, policy_of(values), language)
        return assessed(held.source, held.name, int(event.choice), language, values)

    def judge(held: Held | None, language: Language, *values: float) -> list[Any]:
        return rejudged(scorer, held, policy_of(values), language)

    def retell(held: Held | None, language: Language, *values: float) -> list[Any]:
        buttons = pieces.example_buttons(EXAMPLE_THUMBNAILS, language)
        return [buttons, *_page(scorer, held, policy_of(values), language)]

    runs_networks: dict[str, Any] = {
        "concurrency_id": MODEL_QUEUE,
        "show_progress": "minimal",
        "show_progress_on": [card],
        "api_visibility": "private",
    }
    settings = [language, *policy.sliders]
    # Not preprocessed, because only faceqa.reading decodes photos.
    shown_photo = photo.input(assess, [photo, *settings], list(outputs), preprocess=False, **runs_networks)
    shown_example = examples.click(example, settings, list(outputs), **runs_networks)
    faces.click(choose, [held, *settings], list(outputs), **runs_networks)
    policy.on_change(judge, [held, language], judged)
    for events in (shown_photo, shown_example):
        events.then(None, js=asset("show_verdict.js"), api_visibility="private")
    language.input(
        retell,
        [held, *settings],
        [examples, *outputs],
        show_progress="hidden",
        queue=False,
        api_visibility="private",
    )
    return built


def show(
    scorer: Scorer,
    source: str | bytes,
    name: str,
    index: int,
    language: Language,
    policy: Policy,
    preview: bool = False,
) -> list[Any]:
    """Assess one face of a photo; whatever fails is a sentence on the card.

    Args:
        scorer: Assesses it.
        source: The photo: a path or the bytes of a file.
        name: As the visitor calls it.
        index: Of the face.
        language: Of the answer.
        policy: For the verdict.
        preview: Whether the photo must be put into the tab's input, which does not show it by itself.
    """
    try:
        seen = scorer.inspect(source, index, name)
        held = Held(source, name, seen.assessment, _pictures(seen), _thumbnails(seen))
        page = _page(scorer, held, policy, language)
        if preview and seen.photo is not None:
            page[1] = draw.reduced(seen.photo, PREVIEW_SIDE)
        return page
    except Exception as error:
        return _page(scorer, None, policy, language, error_message(error, language))


def _thumbnails(seen: Inspection) -> tuple[str, ...]:
    if seen.photo is None:
        return ()
    faces = (draw.thumbnail(seen.photo, face) for face in seen.faces[:MOST_FACES])
    return tuple(draw.data_url(draw.jpeg(face)) for face in faces)


def _pictures(seen: Inspection) -> dict[str, str]:
    """What the steps show, as data URLs: nothing is written to the disk."""
    if seen.photo is None:
        return {}
    face, of_face = seen.assessment.face, seen.pictures
    if face is None or of_face is None:
        return {"photo": draw.data_url(draw.jpeg(draw.annotated(seen.photo, ())))}
    shown = [*seen.faces]
    shown[seen.assessment.face_index or 0] = face
    jpegs = {
        "photo": draw.annotated(seen.photo, shown, seen.assessment.face_index or 0),
        "crop": draw.with_pose(of_face.crop, of_face.crop_box, face, seen.assessment.pose),
        "aligned": of_face.aligned,
        "plain": of_face.crop,
        "masked": of_face.masked_face,
    }
    overlay = draw.mask_overlay(of_face.outline, of_face.visible)
    pngs = {"overlay": overlay, "masked_file": of_face.masked_face}
    return {
        **{name: draw.data_url(draw.jpeg(picture)) for name, picture in jpegs.items()},
        **{name: draw.data_url(draw.png(picture)) for name, picture in pngs.items()},
    }


def _page(
    scorer: Scorer, held: Held | None, policy: Policy, language: Language, failure: str | None = None
) -> list[Any]:
    """The values of the tab's outputs."""
    assessment = held.assessment if held else None
    pictures = held.pictures if held else {}
    chosen = (assessment.face_index or 0) if assessment else 0
    return [
        held,
        gr.skip(),
        pieces.face_buttons(held.faces if held else (), chosen, language),
        pieces.details(assessment, language),
        pieces.picture_downloads(assessment, pictures, language),
        *(pieces.step_picture(step, pictures, language) for step in pieces.STEPS if step.picture),
        *rejudged(scorer, held, policy, language, failure),
    ]


def rejudged(
    scorer: Scorer, held: Held | None, policy: Policy, language: Language, failure: str | None = None
) -> list[Any]:
    """What depends on the policy; no network runs."""
    if held is None:
        card = pieces.idle_card(language) if failure is None else pieces.message_card(failure, language)
        assessment = None
    else:
        assessment = scorer.rejudge(held.assessment, policy, language)
        card = pieces.verdict_card(assessment, language, _pass_rate(scorer, policy))
    measures = assessment.measures if assessment else None
    figure = None
    if measures is not None:
        figure = plots.contributions(measures, policy, language, words(language, "threshold"))
    return [
        card,
        *(pieces.step_number(step, assessment, policy, language) for step in pieces.STEPS),
        pieces.parts_caption(assessment, policy, language),
        figure,
        pieces.result_download(assessment, language),
    ]


def _pass_rate(scorer: Scorer, policy: Policy) -> float | None:
    return None if scorer.calibration is None else scorer.calibration.pass_rate(policy)


def _example_thumbnails() -> dict[str, str]:
    return {
        name: draw.data_url(draw.jpeg(draw.reduced(image.load(EXAMPLES / f"{name}.jpg"), EXAMPLE_SIDE), 85))
        for name in EXAMPLE_NAMES
    }


EXAMPLE_THUMBNAILS = _example_thumbnails()
