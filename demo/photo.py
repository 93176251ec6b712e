"""The Photo tab: one photo, its verdict, and the way there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import gradio as gr

from demo import draw, pieces, plots, share
from demo.files import asset
from demo.policy import PolicyPanel, policy_of
from demo.visits import Visits
from demo.wording import error_message, say, say_html, text
from demo.zerogpu import PHOTO_SECONDS, lend_gpu
from faceqa import Assessment, Inspection, Policy, Scorer
from faceqa.languages import Language
from faceqa.measures.registry import SCORE, WEIGHTED
from faceqa.reading import image
from faceqa.verdict.judge import cafi
from faceqa.verdict.percentiles import PERCENTILE_POPULATION, Calibration

EXAMPLES = Path(__file__).parent.parent / "examples"

EXAMPLE_NAMES = (
    *("hopper", "hopper_360p", "hopper_mask", "hopper_blur"),
    *("collins", "two_faces", "hopper_dark", "no_face"),
)

FIRST = EXAMPLE_NAMES[0]
"""The example that a visitor finds judged."""

EXAMPLE_SIDE = 280
"""px of the longer side of an example's thumbnail."""

SHOWN_BY_BROWSERS = frozenset(
    [".apng", ".avif", ".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".png", ".webp"]
)

PREVIEW_SIDE = 1280
"""px of the picture that stands in for a file which browsers cannot show."""

CARD_HEIGHT = 430
"""px that the verdict takes with two reasons, so that nothing below it moves."""

SPREAD_BINS = 25
"""Bars of the reference photographs' scores, over the score's scale."""

MODEL_QUEUE = "models"
"""All events that run networks wait in one line."""


@dataclass(frozen=True)
class Held:
    """What the tab shows, kept so that sliders need no network.

    Attributes:
        source: The photo: its path, or the bytes of a file.
        name: As the visitor calls it.
        assessment: Of the chosen face, under the default policy.
        pictures: Data URLs by name, see `pieces.step_picture`; `whole` is the photo without marks.
        faces: Every face of the photo; without scores until it is measured.
    """

    source: str | bytes
    name: str
    assessment: Assessment
    pictures: Mapping[str, str] = field(default_factory=dict)
    faces: tuple[Assessment, ...] = ()


@dataclass(frozen=True)
class PhotoTab:
    """The widgets that other parts of the page use.

    Attributes:
        outputs: What the tab shows.
        show: `(source, name, visit's key, language, *slider values)` -> the values of `outputs`, for a photo
            that does not come from the tab's own input.
        opened: `(key, language, *slider values)` -> the same when the page opens: what the visit shows, or
            the first example.
        refused: `(sentence, key, language, *slider values)` -> the same for a file that never came.
    """

    outputs: tuple[Any, ...]
    show: Callable[..., list[Any]]
    opened: Callable[..., list[Any]]
    refused: Callable[..., list[Any]]


def photo_tab(scorer: Scorer, opening: Scorer, visits: Visits, policy: PolicyPanel) -> PhotoTab:
    """Build the tab.

    Args:
        scorer: Assesses the photos.
        opening: Assesses the example that a visitor finds judged.
        visits: Keeps what is shown.
        policy: What the verdicts go by.
    """
    with gr.Tab(say("tab.photo"), id="photo", elem_id="tab-photo") as tab:
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
                    say_html("idle_card", pieces.idle_card),
                    js_on_load=asset("choice.js"),
                    elem_id="verdict",
                    min_height=CARD_HEIGHT,
                )
                shared = gr.JSON(visible=False)
                with gr.Column(elem_id="group"):
                    group = gr.HTML("", elem_id="group-photo")
                    faces = gr.HTML("", js_on_load=asset("choice.js"), elem_id="faces")
        gr.HTML(say_html("way", partial(pieces.heading, "way")))
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
        distortions = gr.HTML("", elem_id="distortions")
        with gr.Accordion(say("components"), open=False, elem_id="components-fold"):
            components = gr.HTML(
                say_html("components.table", partial(pieces.components, None)), elem_id="components"
            )
        gr.HTML(say_html("downloads.heading", partial(pieces.heading, "downloads")))
        with gr.Column(elem_id="downloads", elem_classes="downloads", min_width=0):
            result_file = gr.HTML(say_html("downloads", partial(pieces.result_download, None)))
            picture_files = gr.HTML("")
        with gr.Accordion(say("details"), open=False, elem_id="details-fold"):
            details = gr.HTML(say_html("details", partial(pieces.details, None)), elem_id="details")

    judged = (card, *numbers, faces, result_file)
    outputs = (photo, group, distortions, components, details, picture_files, *pictures, *judged)

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

    def shown(page: list[Any], key: str) -> list[Any]:
        """The page, when the visit knows what it shows."""
        visits.of(key).held, *rest = page
        return rest

    def nothing(key: str, language: Language, values: Sequence[float], why: str | None = None) -> list[Any]:
        return shown(_page(scorer, None, policy_of(values), language, why), key)

    def show_photo(source: str | bytes, name: str, key: str, language: Language, *values: float) -> list[Any]:
        return shown(assessed(source, name, 0, language, values, preview=True), key)

    def assess(given: dict[str, Any] | None, key: str, language: Language, *values: float) -> list[Any]:
        if given is None:
            return nothing(key, language, values)
        path = given["path"]
        name = given["orig_name"] or Path(path).name
        unseen = Path(path).suffix.lower() not in SHOWN_BY_BROWSERS
        return shown(assessed(path, name, 0, language, values, preview=unseen), key)

    def example(event: gr.EventData, key: str, language: Language, *values: float) -> list[Any]:
        if event.choice not in EXAMPLE_NAMES:
            return nothing(key, language, values)
        path = EXAMPLES / f"{event.choice}.jpg"
        return show_photo(str(path), path.name, key, language, *values)

    def choose(event: gr.EventData, key: str, language: Language, *values: float) -> list[Any]:
        held = visits.of(key).held
        if held is None:
            return nothing(key, language, values)
        page = assessed(held.source, held.name, int(event.choice), language, values)
        chosen: Held | None = page[0]
        if chosen is None or len(chosen.faces) != len(held.faces):
            return shown(page, key)
        chosen = replace(chosen, faces=held.faces)
        return shown(_page(scorer, chosen, policy_of(values), language), key)

    @lend_gpu(PHOTO_SECONDS)
    def every_face(source: str | bytes, name: str) -> list[Assessment]:
        return scorer.assess_faces(source, name, unmasked=False)

    def measure_faces(key: str, language: Language, *values: float) -> Any:
        """The verdict on every face, once the chosen one is shown."""
        visit = visits.of(key)
        held = visit.held
        if held is None or len(held.faces) < 2 or all(face.scores for face in held.faces):
            return gr.skip()
        try:
            measured = replace(held, faces=tuple(every_face(held.source, held.name)))
        except Exception as error:
            gr.Warning(error_message(error, language))
            return gr.skip()
        if visit.held is not held:
            return gr.skip()
        visit.held = measured
        return _faces(scorer, measured, policy_of(values), language)

    def judge(key: str, language: Language, *values: float) -> list[Any]:
        return rejudged(scorer, visits.of(key).held, policy_of(values), language)

    def share_picture(key: str, language: Language, *values: float) -> dict[str, str] | None:
        """The file for `assets/download.js`, which holds itself: nothing is written on the server."""
        held, policy = visits.of(key).held, policy_of(values)
        if held is None or not can_be_shared(held):
            return None
        spoken = share.spoken(language)
        judged = scorer.rejudge(held.assessment, policy, spoken)
        file = share.picture(judged, held.pictures, policy, spoken, scorer.model_set == "research")
        return {"url": draw.data_url(file), "orig_name": f"{pieces.stem(judged)}-faceqa.png"}

    first: list[Held] = []

    def opened(key: str, language: Language, *values: float) -> list[Any]:
        visit = visits.of(key)
        if visit.held is None and not first:
            path = EXAMPLES / f"{FIRST}.jpg"
            page = show(opening, str(path), path.name, 0, language, policy_of(values))
            if page[0] is None:
                return shown(page, key)
            first.append(page[0])
        held = visit.held or first[0]  # a photo may have come while the example was assessed
        return shown(_page(scorer, held, policy_of(values), language), key)

    def refused(why: str, key: str, language: Language, *values: float) -> list[Any]:
        return nothing(key, language, values, why)

    runs_networks: dict[str, Any] = {
        "concurrency_id": MODEL_QUEUE,
        "show_progress": "minimal",
        "show_progress_on": [card, group, faces, *pictures, *numbers],
        "api_visibility": "private",
    }
    settings = [*policy.visit, *policy.sliders]
    # Not preprocessed, because only faceqa.reading decodes photos.
    shown_photo = photo.input(assess, [photo, *settings], list(outputs), preprocess=False, **runs_networks)
    # "multiple": a click on another example, before the verdict on the first is there, counts as well.
    shown_example = examples.click(example, settings, list(outputs), trigger_mode="multiple", **runs_networks)
    faces.click(choose, settings, list(outputs), **runs_networks)
    card.click(share_picture, settings, shared, api_visibility="private", show_progress="hidden").then(
        None, shared, js=asset("download.js"), api_visibility="private"
    )
    for events in (shown_photo, shown_example):
        events.then(None, js=asset("show_verdict.js"), api_visibility="private").then(
            measure_faces,
            settings,
            faces,
            concurrency_id=MODEL_QUEUE,
            api_visibility="private",
            show_progress="hidden",
        )
    policy.rules(tab, judge, judged)
    return PhotoTab(outputs, show_photo, opened, refused)


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
        held = Held(source, name, seen.assessment, _pictures(seen), _unmeasured(seen))
        page = _page(scorer, held, policy, language)
        if preview and seen.photo is not None:
            page[1] = draw.reduced(seen.photo, PREVIEW_SIDE)
        return page
    except Exception as error:
        return _page(scorer, None, policy, language, error_message(error, language))


def _unmeasured(seen: Inspection) -> tuple[Assessment, ...]:
    """Every face of a photo, of which only the chosen one was measured."""
    chosen = seen.assessment
    blank = replace(chosen, scores={}, cafi=None, reasons=(), pose=None)
    return tuple(
        chosen if index == chosen.face_index else replace(blank, face=face, face_index=index)
        for index, face in enumerate(seen.faces)
    )


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
    if len(seen.faces) > 1:
        jpegs["whole"] = draw.reduced(seen.photo, PREVIEW_SIDE)
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
    return [
        held,
        gr.skip(),
        pieces.group_photo(pictures.get("whole", ""), language),
        pieces.distortions(assessment, language),
        pieces.components(assessment, language),
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
        card = pieces.verdict_card(
            assessment,
            policy,
            language,
            _pass_rate(scorer, policy),
            _spread(scorer, policy),
            _share_label(language) if can_be_shared(held) else "",
        )
    return [
        card,
        *(pieces.step_number(step, assessment, policy, language) for step in pieces.STEPS),
        _faces(scorer, held, policy, language),
        pieces.result_download(assessment, language),
    ]


def can_be_shared(held: Held) -> bool:
    """Whether there is a face to show."""
    return "masked_file" in held.pictures and held.assessment.measures is not None


def _share_label(language: Language) -> str:
    """The button's name, which says so where the picture speaks another language than the page."""
    return text("share" if share.spoken(language) == language else "share.in_english", language)


def _faces(scorer: Scorer, held: Held | None, policy: Policy, language: Language) -> str:
    if held is None:
        return ""
    judged = [scorer.rejudge(face, policy, language) if face.scores else face for face in held.faces]
    return pieces.face_buttons(judged, held.assessment.face_index or 0, language)


def _spread(scorer: Scorer, policy: Policy) -> tuple[float, ...]:
    """How the reference photographs' scores are spread over the scale: the share in each of `SPREAD_BINS`."""
    if scorer.calibration is None:
        return ()
    return _spread_by_weights(
        scorer.calibration, tuple(getattr(policy, row.weight.setting) for row in WEIGHTED if row.weight)
    )


@lru_cache(maxsize=64)
def _spread_by_weights(calibration: Calibration, weights: tuple[float, ...]) -> tuple[float, ...]:
    names = (row.weight.setting for row in WEIGHTED if row.weight)
    policy = Policy(**dict(zip(names, weights, strict=True)))
    faces = calibration.populations[PERCENTILE_POPULATION]
    counts = [0] * SPREAD_BINS
    for face in faces:
        counts[min(int(SPREAD_BINS * plots.share_of(SCORE, cafi(face, policy))), SPREAD_BINS - 1)] += 1
    return tuple(count / len(faces) for count in counts)


def _pass_rate(scorer: Scorer, policy: Policy) -> float | None:
    return None if scorer.calibration is None else scorer.calibration.pass_rate(policy)


def _example_thumbnails() -> dict[str, str]:
    return {
        name: draw.data_url(draw.jpeg(draw.reduced(image.load(EXAMPLES / f"{name}.jpg"), EXAMPLE_SIDE), 85))
        for name in EXAMPLE_NAMES
    }


EXAMPLE_THUMBNAILS = _example_thumbnails()
