"""The sliders that make a `Policy`, with presets and reset."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from demo.wording import say
from faceqa.verdict.policy import PRESETS
from faceqa.verdict.policy import Policy

MIN_WEIGHT = 0.0
MAX_WEIGHT = 3.0


@dataclass(frozen=True)
class PolicyPanel:
    """The widgets of one policy.

    Attributes:
        sliders: In the order of the fields of `Policy`.
        presets: The choice of a named policy; none where a slider was moved.
    """

    sliders: tuple[gr.Slider, ...]
    presets: gr.Radio
    reset: gr.Button

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
            list(self.sliders),
            self.presets,
            trigger_mode="always_last",
            **silent,
        )
        for event, chosen in ((self.presets.input, _values), (self.reset.click, _reset)):
            event(
                chosen,
                self.presets,
                [*self.sliders, self.presets],
                **silent,
            ).then(judge, [*inputs, *self.sliders], list(outputs), **silent)


def policy_panel(name: str) -> PolicyPanel:
    """Build the widgets.

    Args:
        name: Prefix of their element ids.
    """
    default = Policy()
    with gr.Row(elem_classes="policy-head"):
        presets = gr.Radio(
            [(say(f"preset.{preset}"), preset) for preset in PRESETS],
            value="reference",
            label=say("policy.preset"),
            elem_id=f"{name}-preset",
            elem_classes="presets",
            scale=3,
            min_width=220,
        )
        reset = gr.Button(say("policy.reset"), size="sm", elem_id=f"{name}-reset", scale=0, min_width=90)
    with gr.Row(elem_classes="sliders"):
        gates = (
            _slider(name, "ser_fiq", default.ser_fiq_threshold, 1.0, 0.01),
            _slider(name, "occlusion", default.max_occlusion, 1.0, 0.01),
            _slider(name, "cafi", default.cafi_threshold, 100, 0.5),
        )
    with gr.Accordion(say("policy.weights"), open=False, elem_id=f"{name}-weights"), gr.Row():
        weights = (
            _slider(name, "ser_fiq_weight", default.ser_fiq_weight, MAX_WEIGHT, 0.1),
            _slider(name, "dbcnn_weight", default.dbcnn_weight, MAX_WEIGHT, 0.1),
        )
    return PolicyPanel((*gates, *weights), presets, reset)


def policy_of(values: Sequence[float]) -> Policy:
    """The sliders' values as a policy; with both weights at zero DBCNN alone counts, as by default.

    Raises:
        PolicyError: when a value is out of its range.
    """
    ser_fiq, occlusion, cafi, ser_fiq_weight, dbcnn_weight = values
    if ser_fiq_weight == dbcnn_weight == 0:
        dbcnn_weight = 1.0
    return Policy(ser_fiq, occlusion, cafi, ser_fiq_weight, dbcnn_weight)


def _slider(name: str, setting: str, value: float, highest: float, step: float) -> gr.Slider:
    return gr.Slider(
        0,
        highest,
        value,
        step=step,
        label=say(f"policy.{setting}"),
        elem_id=f"{name}-{setting}",
        min_width=170,
    )


def _values(preset: str | None) -> list[Any]:
    chosen = PRESETS[preset or "reference"]
    return [
        chosen.ser_fiq_threshold,
        chosen.max_occlusion,
        chosen.cafi_threshold,
        chosen.ser_fiq_weight,
        chosen.dbcnn_weight,
        preset or "reference",
    ]


def _reset(_preset: str | None) -> list[Any]:
    return _values("reference")


def _preset_of(*values: float) -> str | None:
    chosen = policy_of(values)
    return next((name for name, preset in PRESETS.items() if preset == chosen), None)
