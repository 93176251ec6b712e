"""The HTTP API: `/assess`, `/judge` and `/models`. The same three become tools with `--mcp`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import gradio as gr

from demo.photo import MODEL_QUEUE
from faceqa import FaceqaError, Measures, Policy, Scorer, judge, weights


def endpoints(scorer: Scorer) -> None:
    """Add the endpoints to the page under construction; nothing of them is seen on it."""
    default = Policy()

    def assess(
        image: str,
        ser_fiq_threshold: float = default.ser_fiq_threshold,
        max_occlusion: float = default.max_occlusion,
        cafi_threshold: float = default.cafi_threshold,
        ser_fiq_weight: float = default.ser_fiq_weight,
        dbcnn_weight: float = default.dbcnn_weight,
    ) -> dict[str, Any]:
        """Assess the largest face of one image file.

        Args:
            image: The image: JPEG, PNG, WebP, AVIF, HEIC, TIFF, BMP or GIF, up to 50 megapixels.
            ser_fiq_threshold: The lowest SER-FIQ that passes, 0 to 1.
            max_occlusion: The largest covered share of the face that passes, 0 to 1.
            cafi_threshold: The lowest CAFI that is accepted, 0 to 100.
            ser_fiq_weight: Weight of 100 x SER-FIQ in CAFI.
            dbcnn_weight: Weight of DBCNN in CAFI.

        Returns:
            The assessment: verdict, reasons, CAFI, every measure, face, pose, percentiles, timings, models.
        """
        policy = _policy(ser_fiq_threshold, max_occlusion, cafi_threshold, ser_fiq_weight, dbcnn_weight)
        if image is None:
            raise gr.Error("Send one image file.", print_exception=False)
        assessment = scorer.assess(image, Path(image).name)
        return scorer.rejudge(assessment, policy).to_dict()

    def judge_measures(
        ser_fiq: float,
        dbcnn: float,
        occlusion: float,
        face_size: float,
        ser_fiq_threshold: float = default.ser_fiq_threshold,
        max_occlusion: float = default.max_occlusion,
        cafi_threshold: float = default.cafi_threshold,
        ser_fiq_weight: float = default.ser_fiq_weight,
        dbcnn_weight: float = default.dbcnn_weight,
    ) -> dict[str, Any]:
        """Judge measures that were taken before under a policy; no model runs.

        Args:
            ser_fiq: SER-FIQ, 0 to 1.
            dbcnn: DBCNN of the masked face, 0 to 100.
            occlusion: Covered share of the face, 0 to 1.
            face_size: Longer side of the face's box in px.
            ser_fiq_threshold: As in assess.
            max_occlusion: As in assess.
            cafi_threshold: As in assess.
            ser_fiq_weight: As in assess.
            dbcnn_weight: As in assess.

        Returns:
            verdict, cafi and reasons.
        """
        policy = _policy(ser_fiq_threshold, max_occlusion, cafi_threshold, ser_fiq_weight, dbcnn_weight)
        try:
            verdict = judge(Measures(ser_fiq, dbcnn, occlusion, face_size), policy)
        except (TypeError, ValueError) as error:
            raise gr.Error(str(error), print_exception=False) from error
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

    with gr.Row(visible=False):
        answer = gr.JSON()
        measures = [gr.Number(label=name) for name in ("ser_fiq", "dbcnn", "occlusion", "face_size")]
        policy = [gr.Number(value, label=name) for name, value in asdict(default).items()]
        upload = gr.File(label="image")
        gr.Button().click(assess, [upload, *policy], answer, api_name="assess", concurrency_id=MODEL_QUEUE)
        gr.Button().click(judge_measures, [*measures, *policy], answer, api_name="judge")
        gr.Button().click(models, None, answer, api_name="models")


def _policy(*values: float) -> Policy:
    try:
        return Policy(*values)
    except FaceqaError as error:
        raise gr.Error(error.message, print_exception=False) from error
    except TypeError as error:
        raise gr.Error("Every setting of the policy is a number.", print_exception=False) from error
