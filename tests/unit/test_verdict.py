import math
from dataclasses import asdict, replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from faceqa import PRESETS, Assessment, MeasureError, Measures, Policy, PolicyError, Reason, judge, rejudge
from faceqa.languages import LANGUAGES
from faceqa.measures.registry import COMPONENTS, GATED, JUDGED, MEASURES, SCORE, WEIGHTED
from faceqa.verdict.judge import accepts, cafi
from faceqa.verdict.policy import COMPONENT_NAMES, SETTINGS
from faceqa.verdict.reasons import WORDINGS, gate_reason, in_language

GOOD = Measures(ser_fiq=0.749, dbcnn=65.04, occlusion=0.02, face_size=270, yaw=-3.0)

measures = st.builds(
    Measures,
    ser_fiq=st.floats(0, 1),
    dbcnn=st.floats(0, 100),
    occlusion=st.floats(0, 1),
    face_size=st.floats(0, 5000),
    yaw=st.floats(-180, 180),
    ser_fiq_levelled=st.none() | st.floats(0, 1),
)
weights = st.floats(0, 100)
policies = st.builds(
    Policy,
    min_face_size=st.floats(0, 5000),
    max_yaw=st.floats(0, 180),
    ser_fiq_threshold=st.floats(0, 1),
    ser_fiq_levelled_threshold=st.floats(0, 1),
    max_occlusion=st.floats(0, 1),
    cafi_threshold=st.floats(0, 100),
    ser_fiq_weight=weights,
    dbcnn_weight=st.floats(0.001, 100),
)


def codes(verdict) -> list[str]:
    return [reason.code for reason in verdict.reasons]


@pytest.mark.parametrize(
    ("ser_fiq", "dbcnn", "decision", "score"),
    [(0.749, 65.044, "accept", 65.04), (0.643, 47.083, "reject", 47.08), (0.491, 68.261, "reject", None)],
)
def test_the_reference_systems_examples(ser_fiq, dbcnn, decision, score):
    """The table of the reference system (2022): high and low quality, surgical mask."""
    policy = replace(PRESETS["reference"], cafi_threshold=50)
    verdict = judge(replace(GOOD, ser_fiq=ser_fiq, dbcnn=dbcnn), policy)
    assert (verdict.decision, verdict.cafi) == (decision, score)


@pytest.mark.parametrize(
    ("spoilt", "expected"),
    [
        ({"ser_fiq": 0.0499}, ["low_ser_fiq"]),
        ({"yaw": 45.1}, ["turned_away"]),
        ({"yaw": -45.1}, ["turned_away"]),
        ({"ser_fiq_levelled": 0.1999}, ["low_ser_fiq_levelled"]),
        ({"occlusion": 0.9}, ["occluded"]),
        ({"face_size": Policy().min_face_size - 0.1}, ["face_too_small"]),
        ({"dbcnn": 3.0}, ["low_cafi"]),
        (
            {"ser_fiq": 0.01, "occlusion": 0.9, "face_size": 40, "dbcnn": 3.0, "yaw": -90},
            ["face_too_small", "turned_away", "low_ser_fiq", "occluded"],
        ),
    ],
)
def test_every_failed_gate_is_a_reason(spoilt, expected):
    verdict = judge(replace(GOOD, **spoilt), Policy())
    assert verdict.decision == "reject"
    assert codes(verdict) == expected
    assert (verdict.cafi is None) == (expected != ["low_cafi"])


def test_no_face_is_a_rejection_without_a_score():
    verdict = judge(None, Policy())
    assert (verdict.decision, verdict.cafi, codes(verdict)) == ("reject", None, ["no_face"])


def test_a_value_at_its_threshold_passes():
    policy = Policy(
        min_face_size=90,
        max_yaw=30,
        ser_fiq_threshold=0.6,
        ser_fiq_levelled_threshold=0.4,
        max_occlusion=0.2,
        cafi_threshold=40,
    )
    for yaw in (30, -30):
        at_the_limits = Measures(face_size=90, yaw=yaw, ser_fiq=0.6, occlusion=0.2, dbcnn=40)
        assert judge(at_the_limits, policy).decision == "accept"
        assert judge(replace(at_the_limits, ser_fiq_levelled=0.4), policy).decision == "accept"


@pytest.mark.parametrize("yaw", [60.0, -60.0])
def test_a_head_turned_away_is_told_without_its_side(yaw):
    english, korean = (judge(replace(GOOD, yaw=yaw), Policy(), language).reasons for language in LANGUAGES)
    assert [reason.code for reason in (*english, *korean)] == ["turned_away"] * 2
    assert "turned by 60° to the side; at most 45° may be" in english[0].message
    assert "60° 돌아가 있습니다. 최대 45°" in korean[0].message
    assert english[0].values == korean[0].values == {"value": 60.0, "limit": 45.0}
    assert english[0].advice and korean[0].advice


@given(measures, policies, st.dictionaries(st.sampled_from(sorted(COMPONENT_NAMES)), st.integers(0, 100)))
def test_whether_a_face_is_accepted_is_known_without_sentences(face, policy, minimums):
    face = replace(
        face, components={name: 50 for name in COMPONENT_NAMES} | dict.fromkeys(list(minimums)[:1])
    )
    policy = replace(policy, minimums=minimums)
    assert accepts(face, policy) == (judge(face, policy).decision == "accept")


@given(measures, policies)
def test_the_side_to_which_a_head_is_turned_does_not_matter(face, policy):
    assert judge(face, policy) == judge(replace(face, yaw=-face.yaw), policy)


@given(measures, policies)
def test_the_levelled_gate_rules_in_the_place_of_its_own(face, policy):
    verdict = judge(face, policy)
    if face.ser_fiq_levelled is None:
        assert "low_ser_fiq_levelled" not in codes(verdict)
        assert ("low_ser_fiq" in codes(verdict)) == (face.ser_fiq < policy.ser_fiq_threshold)
    else:
        low = face.ser_fiq_levelled < policy.ser_fiq_levelled_threshold
        assert ("low_ser_fiq_levelled" in codes(verdict)) == low
        assert "low_ser_fiq" not in codes(verdict)
        assert verdict == judge(face, replace(policy, ser_fiq_threshold=1 - policy.ser_fiq_threshold))


def test_levelling_changes_a_gate_and_not_the_score():
    policy = PRESETS["balanced"]
    raw, levelled = replace(GOOD, ser_fiq=0.6), replace(GOOD, ser_fiq=0.6, ser_fiq_levelled=0.95)
    assert cafi(raw, policy) == cafi(levelled, policy)
    strict = replace(policy, ser_fiq_threshold=0.7)
    assert codes(judge(raw, strict)) == ["low_ser_fiq"]
    assert judge(levelled, strict).decision == "accept"


@given(measures, policies)
def test_a_verdict_is_consistent(face, policy):
    verdict = judge(face, policy)
    assert (verdict.decision == "accept") == (not verdict.reasons)
    if verdict.decision == "accept":
        assert verdict.cafi is not None and verdict.cafi >= policy.cafi_threshold
    if verdict.cafi is None:
        assert verdict.reasons and "low_cafi" not in codes(verdict)
    for reason in verdict.reasons:
        assert reason.message and reason.advice and "{" not in reason.message


@given(measures, policies)
def test_cafi_lies_between_its_two_parts(face, policy):
    score = cafi(face, policy)
    parts = (100 * face.ser_fiq, face.dbcnn)
    assert min(parts) - 0.005 <= score <= max(parts) + 0.005
    assert 0 <= score <= 100


BEST = {"ser_fiq": 1, "ser_fiq_levelled": 1, "dbcnn": 100, "occlusion": 0, "face_size": 5000, "yaw": 0}


@given(measures, policies, st.sampled_from(list(BEST)), st.floats(0, 1))
def test_a_better_face_is_never_judged_worse(face, policy, name, step):
    value = getattr(face, name)
    assume(value is not None)
    better = replace(face, **{name: value + step * (BEST[name] - value)})
    before, after = judge(face, policy), judge(better, policy)
    if before.decision == "accept":
        assert after.decision == "accept"
    assert set(codes(after)) - {"low_cafi"} <= set(codes(before))
    if before.cafi is not None:
        assert after.cafi is not None and after.cafi >= before.cafi


@given(measures, policies, st.floats(0.01, 0.99))
def test_only_the_ratio_of_the_weights_matters(face, policy, factor):
    scaled = replace(
        policy,
        ser_fiq_weight=policy.ser_fiq_weight * factor,
        dbcnn_weight=policy.dbcnn_weight * factor,
    )
    score = cafi(face, policy)
    assert cafi(face, scaled) == pytest.approx(score, abs=0.011)


@given(measures)
def test_the_extreme_weights_are_the_two_measures(face):
    assert cafi(face, Policy()) == round(face.dbcnn, 2)
    only_ser_fiq = Policy(ser_fiq_weight=1, dbcnn_weight=0)
    assert cafi(face, only_ser_fiq) == round(100 * face.ser_fiq, 2)


@pytest.mark.parametrize(
    "setting",
    [
        {"min_face_size": -1},
        {"ser_fiq_threshold": -0.1},
        {"ser_fiq_threshold": 1.1},
        {"max_occlusion": 2},
        {"max_yaw": -1},
        {"max_yaw": 181},
        {"max_yaw": math.nan},
        {"ser_fiq_levelled_threshold": 1.1},
        {"cafi_threshold": math.nan},
        {"dbcnn_weight": math.inf},
        {"ser_fiq_weight": 0, "dbcnn_weight": 0},
    ],
)
def test_a_policy_out_of_range_is_refused(setting):
    with pytest.raises(PolicyError) as caught:
        Policy(**setting)
    assert caught.value.code == "bad_policy"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((row.name, value) for row in JUDGED for value in (math.nan, math.inf)),
        ("ser_fiq", 1.01),
        ("occlusion", -0.1),
        ("face_size", -1),
        ("yaw", -181),
        ("yaw", 181),
        ("ser_fiq_levelled", -0.1),
        *((row.name, None) for row in JUDGED if not row.on_request),
    ],
)
def test_a_measure_out_of_range_never_reaches_a_verdict(name, value):
    with pytest.raises(MeasureError, match=name) as caught:
        replace(GOOD, **{name: value})
    assert caught.value.code == "bad_measure"


def test_the_default_is_fair_and_strict_asks_for_more():
    assert list(PRESETS) == ["fair", "strict", "balanced", "reference"]
    fair, strict = PRESETS["fair"], PRESETS["strict"]
    assert fair == Policy()
    assert (fair.ser_fiq_threshold, fair.max_yaw) == (0.05, 45)
    assert strict.ser_fiq_threshold == fair.ser_fiq_threshold, "by no preset of ours the person decides"
    assert strict.max_yaw < fair.max_yaw
    assert strict.max_occlusion < fair.max_occlusion
    assert strict.cafi_threshold > fair.cafi_threshold


def test_the_reference_is_the_published_gate():
    """SER-FIQ of 0.5 at least, a score of picture quality alone, and no gate for the pose."""
    reference = PRESETS["reference"]
    fair = replace(reference, ser_fiq_threshold=0.05, max_yaw=45)
    assert (reference.ser_fiq_threshold, fair) == (0.5, PRESETS["fair"])
    assert (reference.ser_fiq_weight, reference.dbcnn_weight) == (0, 1)
    profile = replace(GOOD, yaw=-90)
    assert judge(profile, reference).decision == "accept"
    assert codes(judge(replace(profile, ser_fiq=0.4999), reference)) == ["low_ser_fiq"]
    assert judge(replace(GOOD, ser_fiq=0.4999), PRESETS["fair"]).decision == "accept"


def test_every_reason_is_worded_in_every_language():
    for code, words in WORDINGS.items():
        for language in LANGUAGES:
            reason = gate_reason(code, 0.41, 0.5, language)
            for said in (words.short.in_language(language), reason.message, reason.advice):
                assert said and "{" not in said
                hangul = any("가" <= letter <= "힣" for letter in said)
                assert hangul == (language == "ko"), code


def test_a_reason_keeps_its_numbers_in_another_language():
    english = judge(replace(GOOD, occlusion=0.4123), Policy()).reasons[0]
    korean = in_language(english, "ko")
    assert "41.2 %" in english.message and "41.2%" in korean.message
    assert english.values == korean.values == {"value": 0.4123, "limit": 0.25}
    assert in_language(korean, "en") == english


@pytest.mark.parametrize(
    ("code", "value", "limit", "expected"),
    [
        ("low_ser_fiq", 0.1441, 0.5, "is 0.144, below 0.5"),
        ("low_ser_fiq", 0.49996, 0.5, "is 0.49996, below 0.5"),
        ("low_cafi", 54.99, 55.0, "CAFI 54.99, below 55"),
        ("low_cafi", 54.99, 55.5, "CAFI 55, below 55.5"),
        ("occluded", 0.2501, 0.25, "25.01 % of the face is covered; at most 25 %"),
        ("occluded", 0.4292, 0.25, "42.9 % of the face is covered; at most 25 %"),
        ("turned_away", 45.04, 45.0, "by 45.04° to the side; at most 45°"),
        ("turned_away", 71.3, 45.0, "by 71.3° to the side; at most 45°"),
        ("low_ser_fiq_levelled", 0.0812, 0.2, "levelled SER-FIQ is 0.0812, below 0.2"),
        ("face_too_small", 96.0, 112.0, "96 px long; at least 112"),
        ("not_among_best", 1234.0, 1000.0, "number 1234 by its CAFI; only the best 1000"),
    ],
)
def test_a_reason_is_short_and_never_says_that_the_limit_is_kept(code, value, limit, expected):
    assert expected in gate_reason(code, value, limit).message


def test_an_error_keeps_its_sentence_in_english():
    reason = Reason("unreadable_image", "The file is empty (0 bytes).")
    assert in_language(reason, "en") == reason
    assert in_language(reason, "ko").message == WORDINGS["unreadable_image"].message.ko


def test_rejudging_changes_the_verdict_and_nothing_else():
    first = Assessment("a.jpg", verdict="reject", faces_found=0)
    assert codes(rejudge(first, Policy())) == ["no_face"]
    assert rejudge(first, Policy(cafi_threshold=1)).policy == asdict(Policy(cafi_threshold=1))
    error = Assessment("b.jpg", verdict="error", reasons=(Reason("image_too_small", "small"),), error="small")
    assert rejudge(error, Policy(cafi_threshold=0)) == error
    changed = {"verdict", "reasons", "cafi", "percentiles", "policy"}
    before, after = asdict(first), asdict(rejudge(first, Policy(cafi_threshold=0), "ko"))
    assert {name for name in before if before[name] != after[name]} <= changed


# --- the registry -----------------------------------------------------------------------------------------


def test_the_names_of_the_registry_are_its_own():
    """Measures, settings, reasons and the attributes of an assessment share tables and JSON objects."""
    rows = (*MEASURES, SCORE)
    settings = [setting.name for setting in SETTINGS]
    reasons = [row.gate.reason for row in (*GATED, SCORE) if row.gate]
    for names in ([row.name for row in rows], settings, reasons):
        assert len(set(names)) == len(names)
    fields = set(Assessment.__dataclass_fields__) - {SCORE.name}
    assert not fields & {row.name for row in rows}


@pytest.mark.parametrize("row", (*MEASURES, SCORE), ids=lambda row: row.name)
def test_a_row_is_consistent(row):
    assert row.lowest <= row.axis[0] < row.axis[1] <= row.highest
    assert 0 <= row.shown <= row.decimals + 2 * (row.unit == "%")
    assert row.unit in ("", "px", "°", "%")
    if row.gate is not None:
        left, right, step = row.gate.slider
        assert left <= row.gate.limit <= right and 0 < step < right - left
        assert row.passes(row.gate.limit, row.gate.limit)
        assert row.passes(-row.gate.limit, row.gate.limit) == (row.signed or not row.higher_is_better)
    assert not row.signed or row.lowest == -row.highest
    assert row.replaces is None or (row.on_request and row.replaces in {other.name for other in GATED})
    assert "{" not in row.text(row.axis[1]) and row.text(None) == "-"


def test_a_value_is_told_in_its_unit():
    told = {row.name: (row.text(row.axis[1] / 4), row.text(row.axis[1] / 4, "ko")) for row in MEASURES}
    assert told["face_size"] == ("250 px", "250 px")
    assert told["occlusion"] == ("25.0 %", "25.0%")
    assert told["ser_fiq"] == ("0.25", "0.25")
    assert told["yaw"] == ("22°", "22°")


def test_a_limit_is_told_as_it_was_set():
    rows = {row.name: row for row in (*MEASURES, SCORE)}
    for name, limit, expected in (
        ("face_size", 112.0, ("112 px", "112 px")),
        ("yaw", 45, ("45°", "45°")),
        ("ser_fiq", 0.5, ("0.5", "0.5")),
        ("occlusion", 0.25, ("25 %", "25%")),
        ("occlusion", 0.1225, ("12.25 %", "12.25%")),
        ("cafi", 55.5, ("55.5", "55.5")),
    ):
        assert tuple(rows[name].limit_text(limit, language) for language in LANGUAGES) == expected


@pytest.mark.parametrize("row", [row for row in GATED if row.on_request], ids=lambda row: row.name)
def test_a_gate_on_request_rules_where_its_measure_was_taken(row):
    policy = Policy()
    usual, asked = policy.limits(()), policy.limits({row.name})
    assert list(usual) == [one.name for one in (*GATED, SCORE) if not one.on_request]
    assert asked.keys() == (usual.keys() | {row.name}) - {row.replaces}
    assert asked[row.name] == getattr(policy, row.gate.setting)


def test_the_policy_has_a_setting_for_every_gate_and_weight():
    gates = [row.gate.setting for row in (*GATED, SCORE) if row.gate]
    weights = [row.weight.setting for row in WEIGHTED if row.weight]
    assert [setting.name for setting in SETTINGS] == gates + weights
    assert list(asdict(Policy())) == [*gates, *weights, "minimums"]
    with pytest.raises(TypeError):
        Policy(0.5)  # which setting that is would depend on the registry


COMPONENTS_OF_A_FACE = {"illumination_uniformity": 48, "dynamic_range": 83, "natural_colour": None}


def test_a_component_only_informs_until_the_policy_names_it():
    face = replace(GOOD, components=COMPONENTS_OF_A_FACE)
    assert judge(face, Policy()) == judge(GOOD, Policy())
    kept = judge(face, Policy(minimums={"illumination_uniformity": 48, "dynamic_range": 50}))
    assert kept == judge(GOOD, Policy())


def test_a_component_below_its_minimum_is_a_reason():
    face = replace(GOOD, components=COMPONENTS_OF_A_FACE, occlusion=0.9)
    policy = Policy(minimums={"dynamic_range": 90, "illumination_uniformity": 50})
    verdict = judge(face, policy)
    assert (verdict.decision, verdict.cafi) == ("reject", None)
    assert codes(verdict) == ["occluded", "low_illumination_uniformity", "low_dynamic_range"]
    _, light, _ = verdict.reasons
    assert light.message == "Illumination uniformity is 48 of 100; at least 50 is asked for."
    assert light.values == {"value": 48, "limit": 50}
    assert "48점" in in_language(light, "ko").message and "50점" in in_language(light, "ko").message


def test_a_component_that_could_not_be_assessed_is_never_a_pass():
    face = replace(GOOD, components=COMPONENTS_OF_A_FACE)
    assert codes(judge(face, Policy(minimums={"natural_colour": 0}))) == ["component_failed"]


def test_a_component_that_was_not_measured_is_an_error():
    with pytest.raises(MeasureError, match="lack the quality components natural_colour"):
        judge(GOOD, Policy(minimums={"natural_colour": 0}))


@pytest.mark.parametrize(
    ("minimums", "told"),
    [
        ({"beauty": 50}, "There is no quality component 'beauty'"),
        ({"dynamic_range": 101}, "must lie between 0 and 100, not 101"),
        ({"dynamic_range": -1}, "must lie between 0 and 100, not -1"),
        ({"dynamic_range": math.nan}, "must lie between 0 and 100, not nan"),
    ],
)
def test_a_minimum_out_of_range_is_refused(minimums, told):
    with pytest.raises(PolicyError, match=told):
        Policy(minimums=minimums)


def test_policies_with_minimums_are_values():
    asked = {"dynamic_range": 50.0}
    policy = Policy(minimums=asked)
    asked["dynamic_range"] = 0.0
    assert policy == Policy(minimums={"dynamic_range": 50.0}) != Policy()
    assert len({policy, Policy(minimums={"dynamic_range": 50.0})}) == 1
    assert Policy(**asdict(policy)) == policy


def test_a_component_out_of_its_range_is_refused():
    with pytest.raises(MeasureError, match="dynamic_range must lie between 0 and 100"):
        replace(GOOD, components={"dynamic_range": 100.5})


@pytest.mark.parametrize("row", COMPONENTS, ids=lambda row: row.name)
def test_every_component_has_words_in_each_language(row):
    for words in (row.title, row.meaning, row.fault, row.advice):
        assert len(words) == len(LANGUAGES) and all(words)
        assert any("가" <= letter <= "힣" for letter in words.ko)


@pytest.mark.parametrize(("value", "shown"), [(-0.2, "0°"), (0.2, "0°"), (-7.4, "-7°")])
def test_no_angle_is_minus_nothing(value, shown):
    assert next(row for row in GATED if row.name == "yaw").text(value) == shown
