"""The HTTP API: `/assess`, `/judge` and `/models`. The same three become tools with `--mcp`.

Gradio takes names, defaults and descriptions from a function's signature and docstring. Those of the measures
and of the policy's settings are written here from the registry.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict
from inspect import Parameter, Signature
from pathlib import Path
from typing import Any

import gradio as gr

from demo.photo import MODEL_QUEUE
from faceqa import FaceqaError, Measures, Policy, Scorer, judge, weights
from faceqa.measures.registry import JUDGED, TAKEN, Measure
from faceqa.verdict.policy import OF_A_FACE, Setting

IMAGE = (
    Parameter("image", Parameter.POSITIONAL_OR_KEYWORD, annotation=str),
    "The image: JPEG, PNG, WebP, AVIF, HEIC, TIFF, BMP or GIF, up to 50 megapixels.",
)

ASKED = tuple(row for row in JUDGED if row in TAKEN)
"""The measures that a verdict on a single face rests on."""

Described = tuple[Parameter, str]
"""A parameter, and what it is."""


def endpoints(scorer: Scorer) -> None:
    """Add the endpoints to the page under construction; nothing of them is seen on it."""

    def assess(image: str | None, *settings: float) -> dict[str, Any]:
        policy = _policy(settings)
        if image is None:
            raise gr.Error("Send one image file.", print_exception=False)
        return scorer.rejudge(scorer.assess(image, Path(image).name), policy).to_dict()

    def judge_measures(*values: float) -> dict[str, Any]:
        policy = _policy(values[len(ASKED) :])
        known = {row.name: value for row, value in zip(ASKED, values[: len(ASKED)], strict=True)}
        try:
            if None in known.values():
                raise TypeError("a measure is missing")
            verdict = judge(Measures(**known), policy)
        except FaceqaError as error:
            raise gr.Error(error.message, print_exception=False) from error
        except TypeError as error:
            raise gr.Error("Every measure is a number.", print_exception=False) from error
        return {
            "verdict": verdict.decision,
            "cafi": verdict.cafi,
            "reasons": [asdict(reason) for reason in verdict.reasons],
        }

    def models() -> list[dict[str, Any]]:
        """The model files: name, role, set, licence, origin, and whether each is present and verified."""
        return [
            {
                "name": state.weight.name,
                "role": state.weight.role,
                "models": state.weight.models,
                "licence": state.weight.licence,
                "origin": state.weight.origin,
                "sha256": state.weight.sha256,
                "present": state.path is not None,
                "verified": state.verified,
            }
            for state in weights.status()
        ]

    policy = [_of_setting(setting) for setting in OF_A_FACE]
    _describe(
        assess,
        [IMAGE, *policy],
        "Assess the largest face of one image file.",
        "The assessment: verdict, reasons, CAFI, every measure, face, pose, percentiles, policy, timings and "
        "models.",
    )
    _describe(
        judge_measures,
        [*map(_of_measure, ASKED), *policy],
        "Judge measures that were taken before under a policy; no model runs.",
        "verdict, cafi and reasons.",
    )
    with gr.Row(visible=False):
        answer = gr.JSON()
        measures = [gr.Number(label=row.name) for row in ASKED]
        settings = [gr.Number(setting.default, label=setting.name) for setting in OF_A_FACE]
        upload = gr.File(label="image")
        gr.Button().click(assess, [upload, *settings], answer, api_name="assess", concurrency_id=MODEL_QUEUE)
        gr.Button().click(judge_measures, [*measures, *settings], answer, api_name="judge")
        gr.Button().click(models, None, answer, api_name="models")


def _describe(function: Callable[..., Any], known: Sequence[Described], says: str, returns: str) -> None:
    """Give a function of any number of arguments the signature and the docstring that Gradio shows."""
    listed = "\n".join(f"    {parameter.name}: {description}" for parameter, description in known)
    signature = Signature([parameter for parameter, _ in known], return_annotation=dict[str, Any])
    function.__signature__ = signature  # type: ignore[attr-defined]
    function.__annotations__ = {parameter.name: parameter.annotation for parameter, _ in known}
    function.__doc__ = f"{says}\n\nArgs:\n{listed}\n\nReturns:\n    {returns}"


def _of_measure(row: Measure) -> Described:
    about = f"{row.title.en}: {row.meaning.en}{_between(row.lowest, row.highest, row.unit)}."
    return Parameter(row.name, Parameter.POSITIONAL_OR_KEYWORD, annotation=float), about


def _of_setting(setting: Setting) -> Described:
    kind = Parameter.POSITIONAL_OR_KEYWORD
    unit = "" if setting.is_weight else setting.measure.unit
    about = f"{setting.label.en}{_between(setting.lowest, setting.highest, unit)}."
    return Parameter(setting.name, kind, default=setting.default, annotation=float), about


def _between(lowest: float, highest: float, unit: str) -> str:
    """The range of a number, as the end of its description; a share in percent travels as 0 to 1."""
    unit = f" {unit}" if unit and unit != "%" else ""
    if math.isfinite(lowest) and math.isfinite(highest):
        return f"; {lowest:g} to {highest:g}{unit}"
    if math.isfinite(lowest):
        return f"; {lowest:g}{unit} or more"
    return "; any number"


def _policy(values: Sequence[float]) -> Policy:
    try:
        return Policy(**{setting.name: value for setting, value in zip(OF_A_FACE, values, strict=True)})
    except FaceqaError as error:
        raise gr.Error(error.message, print_exception=False) from error
    except TypeError as error:
        raise gr.Error("Every setting of the policy is a number.", print_exception=False) from error
