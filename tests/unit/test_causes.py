"""Distortions: photometry on pictures whose answer is known, and the causes that are told."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from faceqa import Assessment, Measures, Policy, judge
from faceqa.curation.table import Row, read_csv, write_csv
from faceqa.measures import registry
from faceqa.measures.distortions import PHOTOMETRY, Light, lit
from faceqa.networks.distortions import OUTPUTS
from faceqa.verdict.reasons import in_language

SIDE = 384
FACE = np.ones((SIDE, SIDE), np.float32)
GOOD = Measures(ser_fiq=0.749, dbcnn=65.04, occlusion=0.02, face_size=270, yaw=-3.0)
SPOILT = {"blur": 0.7, "noise": 0.2, "compression": 0.1, "too_dark": 0.3}


def picture(*levels: int) -> np.ndarray:
    """Vertical stripes of grey, equally wide."""
    row = np.repeat(np.array(levels, np.uint8), SIDE // len(levels))
    return np.broadcast_to(row[None, :, None], (SIDE, SIDE, 3)).copy()


def lighted(crop: np.ndarray, visible: np.ndarray = FACE) -> Light:
    light = lit(crop, visible)
    assert light is not None
    return light


def severities(crop: np.ndarray) -> dict[str, float]:
    return {name: formula(lighted(crop)) for name, formula in PHOTOMETRY.items()}


def test_a_well_lit_face_has_no_fault():
    assert severities(picture(60, 120, 180, 200, 180, 120, 60, 120)) == pytest.approx(
        {"too_dark": 0, "too_bright": 0, "low_contrast": 0, "uneven_light": 0}, abs=0.05
    )


@pytest.mark.parametrize(
    ("levels", "fault"),
    [
        ((4, 8, 16, 20, 20, 16, 8, 4), "too_dark"),
        ((120, 255, 255, 255, 255, 255, 255, 120), "too_bright"),
        ((130, 135, 140, 145, 145, 140, 135, 130), "low_contrast"),
        ((20, 25, 30, 30, 180, 190, 200, 180), "uneven_light"),
    ],
)
def test_each_fault_of_the_light_is_the_strongest_where_it_is(levels, fault):
    found = severities(picture(*levels))
    assert max(found, key=lambda name: found[name]) == fault
    assert found[fault] > registry.FAULT_FROM


def test_levels_and_stops_are_those_of_the_face():
    light = lighted(picture(100, 200))
    assert (light.dark, light.bright, light.burnt) == pytest.approx((100, 200, 0), abs=0.1)
    assert light.stops == pytest.approx(2.2, abs=0.05)  # (200 / 100) ** 2.2 in linear light


def test_only_what_is_seen_of_the_face_counts():
    crop = picture(0, 90, 180, 0)
    seen = np.zeros((SIDE, SIDE), np.float32)
    seen[:, SIDE // 4 : 3 * SIDE // 4] = 1
    light = lighted(crop, seen)
    assert light.dark == pytest.approx(90, abs=1) and light.bright == pytest.approx(180, abs=1)
    assert lit(crop, np.zeros((SIDE, SIDE), np.float32)) is None


def test_darker_skin_in_the_same_light_is_not_too_dark():
    """Reflectance falls, glints and the whites of the eyes stay."""
    fair, dark = (picture(*(skin,) * 30, 200, 60) for skin in (170, 70))
    assert severities(fair)["too_dark"] == severities(dark)["too_dark"] == 0


def test_less_light_is_told_step_by_step():
    levels = [severities(picture(int(60 * g), int(180 * g)))["too_dark"] for g in (1, 0.7, 0.5, 0.3, 0.1)]
    assert levels == sorted(levels) and levels[0] == 0 and levels[-1] > 0.5


def test_every_distortion_is_told_by_the_network_or_by_photometry():
    by_network = {row.name for row in registry.DISTORTIONS if row.by_network}
    assert by_network == set(OUTPUTS) - {"detail"}
    assert {row.name for row in registry.DISTORTIONS} - by_network == set(PHOTOMETRY)
    assert OUTPUTS[:-1] == registry.TOLD_BY_NETWORK
    assert all(0 <= formula(Light(0, 0, 1, 20)) <= 1 for formula in PHOTOMETRY.values())


def test_a_low_score_names_its_causes_strongest_first():
    verdict = judge(replace(GOOD, dbcnn=40.0, distortions=SPOILT), Policy())
    (reason,) = verdict.reasons
    assert (reason.code, reason.causes) == ("low_cafi", ("blur", "too_dark", "noise"))
    assert reason.message == "The picture is out of focus or blurred by movement: CAFI 40, below 55.5."
    assert reason.advice == "Focus on the eyes and hold still, or take a sharper frame."
    korean = in_language(reason, "ko")
    assert korean.message == "초점이 맞지 않거나 움직여서 흐립니다. CAFI가 40로 기준 55.5보다 낮습니다."
    assert korean.causes == reason.causes and korean.advice != reason.advice


def test_a_low_score_without_a_cause_says_what_it_said_before():
    (reason,) = judge(replace(GOOD, dbcnn=40.0, distortions={"blur": 0.1}), Policy()).reasons
    assert reason.causes == ()
    assert reason.message == "The picture quality of the face is too low: CAFI 40, below 55.5."


@pytest.mark.parametrize(
    ("changes", "cause", "told"),
    [
        ({"yaw": -44.0}, "turned_away", "head turned away"),
        ({"occlusion": 0.2}, "occluded", "face covered"),
        ({"distortions": {"blur": 0.9}}, "blur", "blur"),
        ({"distortions": {"too_dark": 0.6}}, "too_dark", "too dark"),
    ],
)
def test_a_face_that_is_hard_to_recognise_says_why(changes, cause, told):
    (reason,) = judge(replace(GOOD, ser_fiq=0.01, **changes), Policy()).reasons
    assert (reason.code, reason.causes) == ("low_ser_fiq", (cause,))
    assert reason.message.endswith(f"Likely cause: {told}.")
    assert reason.message.startswith("The face is hard to recognise: its SER-FIQ is 0.01")


def test_a_good_face_that_is_hard_to_recognise_has_no_known_cause():
    (reason,) = judge(replace(GOOD, ser_fiq=0.01), Policy()).reasons
    assert reason.causes == () and "Likely" not in reason.message


def test_distortions_decide_nothing():
    assert judge(replace(GOOD, distortions={"blur": 1.0}), Policy()).decision == "accept"


def test_the_fault_of_a_face_is_its_strongest_distortion():
    face = Assessment("a.jpg", distortions={"blur": 0.4, "noise": 0.5})
    assert face.fault == "noise"
    assert replace(face, distortions={"blur": 0.3}).fault is None
    assert replace(face, distortions={}).fault is None


def test_a_table_keeps_distortions_and_tells_the_same_causes_again(tmp_path: Path):
    scores = {"ser_fiq": 0.7, "dbcnn": 40.0, "occlusion": 0.0, "face_size": 300.0, "yaw": 0.0}
    row = Row("a.jpg", "reject", scores=scores, distortions=SPOILT, native_size=80.5)
    judged = row.judged(Policy())
    assert judged.causes == ("blur", "too_dark", "noise")
    write_csv([judged], tmp_path / "scores.csv")
    (read,) = read_csv(tmp_path / "scores.csv")
    assert read.judged(Policy()) == read
    assert (read.causes, read.distortions, read.native_size) == (judged.causes, SPOILT, 80.5)
