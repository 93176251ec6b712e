import json
from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceqa import PRESETS, MeasureError, Measures, Policy, judge, weights
from faceqa.calibration import load_calibration
from faceqa.verdict.percentiles import Calibration
from training.calibration.make import STEP, accepted_share, guarding_threshold

GOOD = Measures(face_size=300, yaw=0.0, ser_fiq=0.8, occlusion=0.02, dbcnn=60.0)
MODELS = {role: weights.find(role, "open").name for role in ("detection", "embedding", "face_mask", "iqa")}


@pytest.fixture(scope="module")
def hundred() -> Calibration:
    """Faces with SER-FIQ 0.00 to 0.99 and DBCNN 0 to 99."""
    faces = tuple(replace(GOOD, ser_fiq=number / 100, dbcnn=float(number)) for number in range(100))
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
    known = load_calibration(MODELS)
    assert known is not None
    return known


@given(st.floats(0, 1), st.floats(0, 100))
def test_percentiles_rise_with_the_measures(calibration, ser_fiq, dbcnn):
    lower = calibration.percentiles(replace(GOOD, ser_fiq=ser_fiq / 2, dbcnn=dbcnn / 2), Policy())
    higher = calibration.percentiles(replace(GOOD, ser_fiq=ser_fiq, dbcnn=dbcnn), Policy())
    assert all(0 <= lower[name] <= higher[name] <= 100 for name in ("ser_fiq", "dbcnn", "cafi"))


def test_a_face_of_before_a_gate_passes_it_at_any_limit(hundred):
    """Three of the default gates were not measured when this file was made."""
    file = {
        "models": MODELS,
        "columns": ["ser_fiq", "dbcnn"],
        "populations": {"photographs": {"faces": [[0.8, 60.0], [0.4, 60.0]]}},
    }
    known = Calibration.from_dict(file)
    assert [face.ser_fiq for face in known.populations["photographs"]] == [0.8, 0.4]
    half = Policy(ser_fiq_threshold=0.5)
    strictest = replace(half, min_face_size=10_000, max_occlusion=0, max_yaw=0)
    assert known.pass_rate(strictest) == known.pass_rate(half) == 0.5
    unlevelled = {face.ser_fiq_levelled for face in known.populations["photographs"]}
    assert unlevelled == {None}, "a levelled value would take the place of SER-FIQ"


@given(st.floats(0, 180))
def test_a_head_turned_to_either_side_counts_in_a_pass_rate(limit):
    yaws = (-60.0, -20.0, 5.0, 40.0)
    file = {
        "models": MODELS,
        "columns": ["ser_fiq", "dbcnn", "yaw"],
        "populations": {"photographs": {"faces": [[0.8, 60.0, yaw] for yaw in yaws]}},
    }
    rate = Calibration.from_dict(file).pass_rate(Policy(max_yaw=limit))
    assert rate == sum(abs(yaw) <= limit for yaw in yaws) / 4


@pytest.mark.parametrize("face", [[7.0, 60.0], [float("nan"), 60.0]])
def test_a_calibration_out_of_range_is_refused(face):
    file = {
        "models": MODELS,
        "columns": ["ser_fiq", "dbcnn"],
        "populations": {"photographs": {"faces": [face]}},
    }
    with pytest.raises(MeasureError):
        Calibration.from_dict(file)


def test_other_models_have_no_calibration():
    assert load_calibration({**MODELS, "iqa": "pyiqa:brisque"}) is None
    assert load_calibration({**MODELS, "embedding": "arcface-w600k-r50"}) is None


def test_the_populations_are_large_and_apart(calibration):
    assert calibration.populations.keys() == {"photographs", "synthetic"}
    assert all(len(faces) >= 300 for faces in calibration.populations.values())
    assert calibration.pass_rate(Policy()) < calibration.pass_rate(Policy(), "synthetic")


def test_balanced_keeps_poor_pictures_out_as_fair_does():
    """Their CAFI under equal weights: 58, 53, 48, 43, 60, 35; faces that fail a gate do not count."""
    poor = [
        *(replace(GOOD, ser_fiq=0.9, dbcnn=dbcnn) for dbcnn in (26.0, 16.0, 6.0)),
        *(
            replace(GOOD, ser_fiq=ser_fiq, dbcnn=dbcnn)
            for ser_fiq, dbcnn in ((0.3, 56.0), (0.3, 90.0), (0.6, 10.0))
        ),
        *[replace(GOOD, occlusion=0.9, ser_fiq=1.0, dbcnn=100.0)] * 10,
    ]
    fair, balanced = Policy(cafi_threshold=55.5), Policy(ser_fiq_weight=1, dbcnn_weight=1)
    assert accepted_share(poor, fair) == pytest.approx(2 / 6)
    assert guarding_threshold(balanced, fair, poor) == 53.5, "two of six, those at 58 and 60"
    generous = replace(fair, cafi_threshold=0)
    assert guarding_threshold(balanced, generous, poor) == 0
    none = replace(fair, cafi_threshold=95)
    assert guarding_threshold(balanced, none, poor) == 60.5
    assert guarding_threshold(fair, fair, poor) == 26.5, "a lower threshold would accept the face at 26"


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 99)), min_size=1), st.floats(0, 100))
def test_a_guarding_threshold_is_the_lowest_that_guards(scores, limit):
    poor = [replace(GOOD, ser_fiq=ser_fiq, dbcnn=dbcnn) for ser_fiq, dbcnn in scores]
    fair, balanced = (
        Policy(ser_fiq_threshold=0, cafi_threshold=limit),
        Policy(ser_fiq_threshold=0, ser_fiq_weight=1),
    )
    found = guarding_threshold(balanced, fair, poor)
    allowed = accepted_share(poor, fair)
    assert found % STEP == 0
    assert accepted_share(poor, replace(balanced, cafi_threshold=found)) <= allowed
    if found:
        assert accepted_share(poor, replace(balanced, cafi_threshold=found - STEP)) > allowed


@pytest.mark.parametrize("name", PRESETS)
def test_the_presets_are_the_derived_ones(calibration, name):
    data = json.loads(weights.fetch(weights.find("calibration", "open")).read_text(encoding="utf-8"))
    derived = data["thresholds"][name]
    assert PRESETS[name].cafi_threshold == derived["cafi_threshold"], asdict(PRESETS[name])
    verdicts = [judge(face, PRESETS[name]) for face in calibration.populations["synthetic"]]
    passing = [verdict for verdict in verdicts if verdict.cafi is not None]
    rejected = sum(verdict.decision == "reject" for verdict in passing) / len(passing)
    assert rejected == pytest.approx(derived["sharp_rejected"], abs=1e-4)


def test_the_strict_preset_tells_sharp_faces_from_reduced_ones():
    data = json.loads(weights.fetch(weights.find("calibration", "open")).read_text(encoding="utf-8"))
    derived = data["thresholds"]["strict"]
    assert derived["sharp_rejected"] < 0.2 and derived["reduced_accepted"] < 0.2
