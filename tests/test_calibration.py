import json
from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceqa import Measures, Policy, judge, weights
from faceqa.calibration import Calibration, load_calibration
from faceqa.verdict.policy import PRESETS

GOOD = Measures(0.8, 60.0, 0.02, 300)
MODELS = {role: weights.find(role, "open").name for role in ("detection", "embedding", "face_mask", "iqa")}


@pytest.fixture(scope="module")
def hundred() -> Calibration:
    """Faces with SER-FIQ 0.00 to 0.99 and DBCNN 0 to 99."""
    faces = tuple(Measures(number / 100, float(number), 0.02, 300) for number in range(100))
    return Calibration(MODELS, {"photographs": faces, "synthetic": faces[50:]})


def test_a_percentile_is_the_share_that_has_less(hundred):
    measures = replace(GOOD, ser_fiq=0.7, dbcnn=30.0)
    assert hundred.percentiles(measures, Policy()) == {"ser_fiq": 70, "dbcnn": 30, "cafi": 30}
    both = Policy(ser_fiq_weight=1, dbcnn_weight=1)
    assert hundred.percentiles(measures, both)["cafi"] == 50


def test_the_pass_rate_is_the_share_that_is_accepted(hundred):
    assert hundred.pass_rate(Policy(ser_fiq_threshold=0, cafi_threshold=0)) == 1
    assert hundred.pass_rate(Policy(ser_fiq_threshold=0.5, cafi_threshold=75)) == 0.25
    assert hundred.pass_rate(Policy(ser_fiq_threshold=0.5, cafi_threshold=75), "synthetic") == 0.5


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    return load_calibration(MODELS)


@given(st.floats(0, 1), st.floats(0, 100))
def test_percentiles_rise_with_the_measures(calibration, ser_fiq, dbcnn):
    lower = calibration.percentiles(replace(GOOD, ser_fiq=ser_fiq / 2, dbcnn=dbcnn / 2), Policy())
    higher = calibration.percentiles(replace(GOOD, ser_fiq=ser_fiq, dbcnn=dbcnn), Policy())
    assert all(0 <= lower[name] <= higher[name] <= 100 for name in ("ser_fiq", "dbcnn", "cafi"))


def test_other_models_have_no_calibration():
    assert load_calibration({**MODELS, "iqa": "pyiqa:brisque"}) is None
    assert load_calibration({**MODELS, "embedding": "arcface-w600k-r50"}) is None


def test_the_populations_are_large_and_apart(calibration):
    assert calibration.populations.keys() == {"photographs", "synthetic"}
    assert all(len(faces) >= 300 for faces in calibration.populations.values())
    assert calibration.pass_rate(Policy()) < calibration.pass_rate(Policy(), "synthetic")


@pytest.mark.parametrize("name", PRESETS)
def test_the_presets_are_the_derived_ones(name):
    data = json.loads(weights.fetch(weights.find("calibration", "open")).read_text(encoding="utf-8"))
    derived = data["thresholds"][name]
    assert PRESETS[name].cafi_threshold == derived["cafi_threshold"], asdict(PRESETS[name])
    faces = [Measures(*face) for face in data["populations"]["synthetic"]["faces"]]
    verdicts = [judge(face, PRESETS[name]) for face in faces]
    passing = [verdict for verdict in verdicts if verdict.cafi is not None]
    rejected = sum(verdict.decision == "reject" for verdict in passing) / len(passing)
    assert rejected == pytest.approx(derived["sharp_rejected"], abs=1e-4)


def test_the_strict_preset_tells_sharp_faces_from_reduced_ones():
    data = json.loads(weights.fetch(weights.find("calibration", "open")).read_text(encoding="utf-8"))
    derived = data["thresholds"]["strict"]
    assert derived["sharp_rejected"] < 0.2 and derived["reduced_accepted"] < 0.2
