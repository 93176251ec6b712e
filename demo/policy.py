"""The sliders that make a `Policy`, with presets and reset."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import gradio as gr

from demo.wording import say, say_html, text
from faceqa import PRESETS, Policy
from faceqa.languages import Language
from faceqa.verdict.policy import OF_A_FACE, Setting

DEFAULT_PRESET = next(name for name, preset in PRESETS.items() if preset == Policy())


@dataclass(frozen=True)
class PolicyPanel:
    """The widgets of one policy.

    Attributes:
        sliders: In the order of `OF_A_FACE`.
        presets: The choice of a named policy; none where a slider was moved.
        reset: Back to the default.
        note: What the chosen preset is for.
        language: The switch in the header.
    """

    sliders: tuple[gr.Slider, ...]
    presets: gr.Radio
    reset: gr.Button
    note: gr.HTML
    language: gr.Radio

    def on_change(self, judge: Callable[..., Any], inputs: Sequence[Any], outputs: Sequence[Any]) -> None:
        """Call `judge(*inputs, *slider values)` whenever the policy changes; only the latest call counts."""
        silent: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "queue": False}
        gr.on(
            [slider.input for slider in self.sliders],
            judge,
            [*inputs, *self.sliders],
            list(outputs),
            trigger_mode="always_last",
            **silent,
        )
        gr.on(
            [slider.input for slider in self.sliders],
            _preset_of,
            [self.language, *self.sliders],
            [self.presets, self.note],
            trigger_mode="always_last",
            **silent,
        )
        for event, chosen in ((self.presets.input, _values), (self.reset.click, _reset)):
            event(
                chosen,
                [self.language, self.presets],
                [*self.sliders, self.presets, self.note],
                **silent,
            ).then(judge, [*inputs, *self.sliders], list(outputs), **silent)
        self.language.input(preset_note, [self.presets, self.language], self.note, **silent)


def policy_panel(name: str, language: gr.Radio) -> PolicyPanel:
    """Build the widgets: a slider for each setting, those of the weights in a fold.

    Args:
        name: Prefix of their element ids.
        language: The switch in the header.
    """
    with gr.Row(elem_classes="policy-head"):
        presets = gr.Radio(
            [(say(f"preset.{preset}"), preset) for preset in PRESETS],
            value=DEFAULT_PRESET,
            label=say("policy.preset"),
            elem_id=f"{name}-preset",
            elem_classes="presets",
            scale=3,
            min_width=220,
        )
        reset = gr.Button(say("policy.reset"), size="sm", elem_id=f"{name}-reset", scale=0, min_width=90)
    note = gr.HTML(say_html(f"{name}.note", partial(preset_note, DEFAULT_PRESET)), elem_id=f"{name}-note")
    sliders: dict[Setting, gr.Slider] = {}
    with gr.Row(elem_classes="sliders"):
        sliders |= {setting: _slider(name, setting) for setting in OF_A_FACE if not setting.is_weight}
    with gr.Accordion(say("policy.weights"), open=False, elem_id=f"{name}-weights"), gr.Row():
        sliders |= {setting: _slider(name, setting) for setting in OF_A_FACE if setting.is_weight}
    return PolicyPanel(tuple(sliders[setting] for setting in OF_A_FACE), presets, reset, note, language)


def preset_note(preset: str | None, language: Language) -> str:
    """What a preset is for, and what it costs."""
    sentence = text(f"preset.note.{preset or 'own'}", language)
    return f'<p class="quiet note">{sentence}</p>'


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


def _slider(name: str, setting: Setting) -> gr.Slider:
    lowest, highest, step = setting.slider
    return gr.Slider(
        lowest,
        highest,
        setting.default,
        step=step,
        label=say(f"setting.{setting.name}"),
        elem_id=f"{name}-{setting.name}",
        min_width=170,
    )


def _values(language: Language, preset: str | None) -> list[Any]:
    name = preset or DEFAULT_PRESET
    limits = (getattr(PRESETS[name], setting.name) for setting in OF_A_FACE)
    return [*limits, name, preset_note(name, language)]


def _reset(language: Language, _preset: str | None) -> list[Any]:
    return _values(language, DEFAULT_PRESET)


def _preset_of(language: Language, *values: float) -> list[str | None]:
    chosen = policy_of(values)
    name = next((name for name, preset in PRESETS.items() if preset == chosen), None)
    return [name, preset_note(name, language)]
