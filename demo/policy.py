"""The sliders that make the page's `Policy`, with presets and reset."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import gradio as gr

from demo.files import asset
from demo.wording import say, say_html, text
from faceqa import PRESETS, Policy, PolicyError
from faceqa.languages import Language
from faceqa.verdict.policy import OF_A_FACE, Setting

SILENT: dict[str, Any] = {"show_progress": "hidden", "queue": False, "api_visibility": "private"}
"""Options of an event that runs no network."""

DEFAULT_PRESET = next(name for name, preset in PRESETS.items() if preset == Policy())


@dataclass(frozen=True)
class PolicyPanel:
    """The widgets of the page's one policy, which rules on every tab.

    Attributes:
        sliders: In the order of `OF_A_FACE`.
        presets: The choice of a named policy; none where a slider was moved.
        reset: Back to the default.
        note: What the chosen preset is for.
        shown: Id of the tab that is shown; filled in by the browser.
        opened: Whether the page has got what it opens with; filled in by the server.
        visit: The page's visit and its language, which every event sends.
        views: What depends on the policy, by the id of its tab.
    """

    sliders: tuple[gr.Slider, ...]
    presets: gr.Radio
    reset: gr.Button
    note: gr.HTML
    shown: gr.Textbox
    opened: gr.Checkbox
    visit: Sequence[Any]
    views: dict[str, tuple[Callable[..., list[Any]], Sequence[Any]]] = field(default_factory=dict)

    def rules(self, tab: gr.Tab, judge: Callable[..., list[Any]], outputs: Sequence[Any]) -> None:
        """Let `judge(visit's key, language, *slider values)` write a tab's outputs.

        It does so whenever the policy changes while its tab is shown, and when its tab is opened.
        """
        self.views[str(tab.id)] = judge, outputs

        def selected(opened: bool, key: str, language: Language, *values: float) -> list[Any]:
            """Gradio opens the first tab while the page asks for what it opens with, which may come first."""
            return judge(key, language, *values) if opened else [gr.skip()] * len(outputs)

        tab.select(selected, [self.opened, *self.visit, *self.sliders], list(outputs), **SILENT)

    def connect(self) -> None:
        """Make the events, when every tab has said what it shows."""
        outputs = [output for _, shown in self.views.values() for output in shown]

        def judge(shown: str, key: str, language: Language, *values: float) -> list[Any]:
            return [
                value
                for tab, (judged, written) in self.views.items()
                for value in (judged(key, language, *values) if tab == shown else [gr.skip()] * len(written))
            ]

        def moved(shown: str, key: str, language: Language, *values: float) -> list[Any]:
            return [*preset_of(language, *values), *judge(shown, key, language, *values)]

        inputs = [self.shown, *self.visit, *self.sliders]
        judged: dict[str, Any] = {"js": asset("shown_tab.js"), **SILENT}
        defaults = json.dumps([(setting.name, setting.default) for setting in OF_A_FACE])
        script = asset("thresholds_in_address.js").replace("DEFAULTS.", f"{defaults}.")
        in_address: dict[str, Any] = {"js": script, "api_visibility": "private"}
        gr.on(
            [slider.input for slider in self.sliders],
            moved,
            inputs,
            [self.presets, self.note, *outputs],
            trigger_mode="always_last",
            **judged,
        ).then(None, [*self.sliders], **in_address)
        for event, chosen in ((self.presets.input, _values), (self.reset.click, _reset)):
            event(
                chosen,
                [self.visit[1], self.presets],
                [*self.sliders, self.presets, self.note],
                **SILENT,
            ).then(judge, inputs, outputs, **judged).then(None, [*self.sliders], **in_address)


def policy_panel(visit: Sequence[Any]) -> PolicyPanel:
    """Build the widgets: a slider for each setting, those of the weights in a fold.

    Args:
        visit: The components that hold the page's key and its language.
    """
    with gr.Column(elem_id="policy"):
        with gr.Row(elem_classes="policy-head"):
            presets = gr.Radio(
                [(say(f"preset.{preset}"), preset) for preset in PRESETS],
                value=DEFAULT_PRESET,
                label=say("policy.preset"),
                elem_id="policy-preset",
                elem_classes="presets",
                scale=0,
                min_width=430,
            )
            note = gr.HTML(
                say_html("policy.note", partial(preset_note, DEFAULT_PRESET)), elem_id="policy-note"
            )
            reset = gr.Button(say("policy.reset"), size="sm", elem_id="policy-reset", scale=0, min_width=90)
        sliders: dict[Setting, gr.Slider] = {}
        with gr.Accordion(say("policy.thresholds"), open=True, elem_id="policy-fold"):
            gr.HTML("", js_on_load=asset("closed_on_phones.js"), elem_classes="unseen")
            with gr.Row(elem_classes="sliders"):
                sliders |= {setting: _slider(setting) for setting in OF_A_FACE if not setting.is_weight}
            with gr.Accordion(say("policy.weights"), open=False, elem_id="policy-weights"), gr.Row():
                sliders |= {setting: _slider(setting) for setting in OF_A_FACE if setting.is_weight}
        shown, opened = gr.Textbox(visible=False), gr.Checkbox(visible=False)
    in_order = tuple(sliders[setting] for setting in OF_A_FACE)
    return PolicyPanel(in_order, presets, reset, note, shown, opened, visit)


def preset_note(preset: str | None, language: Language) -> str:
    """What a preset is for, and what it costs."""
    sentence = text(f"preset.note.{preset or 'own'}", language)
    return f'<p class="quiet note">{sentence}</p>'


def values_in(asked: Mapping[str, str]) -> list[float]:
    """The sliders' values that an address asks for; the default for what it leaves out or has wrong."""
    values = [_number(asked.get(setting.name), setting) for setting in OF_A_FACE]
    try:
        policy_of(values)
    except PolicyError:
        return [setting.default for setting in OF_A_FACE]
    return values


def _number(said: str | None, setting: Setting) -> float:
    lowest, highest, _ = setting.slider
    try:
        value = setting.default if said is None else float(said)
    except ValueError:
        return setting.default
    return value if lowest <= value <= highest else setting.default


def policy_of(values: Sequence[float]) -> Policy:
    """The sliders' values, in the order of `OF_A_FACE`, as a policy.

    With every weight at zero there would be no score: then the default weights count.

    Raises:
        PolicyError: when a value is out of its range.
    """
    chosen = {setting.name: value for setting, value in zip(OF_A_FACE, values, strict=True)}
    weights = {setting.name: setting.default for setting in OF_A_FACE if setting.is_weight}
    if not any(chosen[name] for name in weights):
        chosen |= weights
    return Policy(**chosen)


def _slider(setting: Setting) -> gr.Slider:
    lowest, highest, step = setting.slider
    return gr.Slider(
        lowest,
        highest,
        setting.default,
        step=step,
        label=say(f"setting.{setting.name}"),
        elem_id=f"policy-{setting.name}",
        min_width=170,
    )


def _values(language: Language, preset: str | None) -> list[Any]:
    name = preset or DEFAULT_PRESET
    limits = (getattr(PRESETS[name], setting.name) for setting in OF_A_FACE)
    return [*limits, name, preset_note(name, language)]


def _reset(language: Language, _preset: str | None) -> list[Any]:
    return _values(language, DEFAULT_PRESET)


def preset_of(language: Language, *values: float) -> list[str | None]:
    """The name of a policy, None where it is none of the presets, and what it is for."""
    chosen = policy_of(values)
    name = next((name for name, preset in PRESETS.items() if preset == chosen), None)
    return [name, preset_note(name, language)]
