"""Golden scores: what faceqa measures on the examples and on some steps of their stress tests.

    python tests/models/golden.py    # writes golden.json anew

Write the file anew only where a number is meant to change, and say in the commit why. `TOLERANCES` are what
may differ between machines: processors round differently, and some multiply in bfloat16.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from faceqa import PRESETS, Assessment, Scorer
from faceqa.evaluation import stress

EXAMPLES = Path(__file__).parents[2] / "examples"
GOLDEN = Path(__file__).with_name("golden.json")

STRESSED = "hopper"
LADDERS = ("resolution", "blur", "jpeg", "noise", "darkness", "mask", "rotation")
STEPS = (2, 4)
"""Of each ladder's six, 0 is the photo itself."""

TOLERANCES = {
    "cafi": 0.5,
    "ser_fiq": 0.01,
    "dbcnn": 0.5,
    "dbcnn_unmasked": 0.5,
    "occlusion": 0.005,
    "face_size": 1.0,
    "confidence": 0.005,
    "inter_eye_distance": 0.5,
    "yaw": 0.5,
    "pitch": 1.0,
    "roll": 0.5,
    "percentiles": 1,
}


def golden(scorer: Scorer) -> dict[str, list[dict[str, Any]]]:
    """Name of a picture -> one record a face."""
    found = {path.stem: scorer.assess_faces(path) for path in sorted(EXAMPLES.glob("*.jpg"))}
    found |= {name: [scorer.assess(picture)] for name, picture in stressed(scorer)}
    return {name: [record(scorer, face) for face in faces] for name, faces in found.items()}


def stressed(scorer: Scorer) -> Iterator[tuple[str, np.ndarray]]:
    """Some steps of each ladder."""
    seen = scorer.inspect(EXAMPLES / f"{STRESSED}.jpg")
    assert seen.photo is not None and seen.assessment.face is not None
    for kind in LADDERS:
        steps = list(stress.climb(kind, seen.photo, seen.assessment.face))
        for number in STEPS:
            yield f"{STRESSED}, {kind} {steps[number].level}", steps[number].picture


def record(scorer: Scorer, result: Assessment) -> dict[str, Any]:
    """What is compared of one face: measures, and verdict and reasons by preset."""
    face, pose = result.face, result.pose
    judged = {name: scorer.rejudge(result, preset) for name, preset in PRESETS.items()}
    return {
        "verdicts": {name: one.verdict for name, one in judged.items()},
        "reasons": {name: [reason.code for reason in one.reasons] for name, one in judged.items()},
        "faces_found": result.faces_found,
        "cafi": result.cafi,
        "ser_fiq": result.ser_fiq,
        "dbcnn": result.dbcnn,
        "dbcnn_unmasked": result.dbcnn_unmasked,
        "occlusion": result.occlusion,
        "face_size": face and round(face.longer_side, 1),
        "confidence": face and round(face.confidence, 4),
        "inter_eye_distance": face and round(face.inter_eye_distance, 1),
        "yaw": pose and round(pose.yaw, 2),
        "pitch": pose and round(pose.pitch, 2),
        "roll": pose and round(pose.roll, 2),
        "percentiles": dict(result.percentiles),
    }


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(golden(Scorer("cpu")), indent=1) + "\n", encoding="utf-8")
