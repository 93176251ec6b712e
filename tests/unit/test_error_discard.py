"""The error-versus-discard characteristic against hand arithmetic and a slow, literal reading of it."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceqa.errors import EvaluationError
from faceqa.evaluation.error_discard import (
    DEFAULT_TARGETS,
    THRESHOLD_RULES,
    error_discard,
    ideal_curve,
    pair_quality,
    partial_area,
    threshold_for_fmr,
    threshold_for_fnmr,
)

# Ten mated pairs, written out. The threshold for an FNMR of 40 % is .50: .10, .20, .30, .40 lie below it.
SIMILARITY = [0.10, 0.20, 0.30, 0.40, 0.50, 0.60, 0.70, 0.80, 0.90, 0.95]
QUALITY = [1, 2, 2, 7, 3, 4, 5, 6, 8, 9]
# quality   left  errors left                  discarded  FNMR
#  all       10   .10 .20 .30 .40                 0       4/10
#  from 2     9       .20 .30 .40                .1       3/9
#  from 3     7               .40  (two leave)   .3       1/7
#  from 4     6               .40                .4       1/6
#  from 5     5               .40                .5       1/5
#  from 6     4               .40                .6       1/4
#  from 7     3               .40                .7       1/3
#  from 8     2                                  .8       0
#  from 9     1                                  .9       0
DISCARDED = [0, 0.1, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
FNMR = [4 / 10, 3 / 9, 1 / 7, 1 / 6, 1 / 5, 1 / 4, 1 / 3, 0, 0]

# Ten non-mated pairs for an FMR of 20 %: two may match, the third (.55) must not.
NON_MATED = [0.70, 0.60, 0.55, 0.45, 0.35, 0.25, 0.15, 0.05, 0.05, 0.00]
NON_MATED_QUALITY = [1, 3, 2, 9, 9, 9, 9, 9, 9, 9]


def hand_curve():
    return error_discard(SIMILARITY, QUALITY, target=0.4)


def test_a_curve_by_hand():
    curve = hand_curve()
    np.testing.assert_allclose(curve.discarded, DISCARDED, rtol=1e-15)
    np.testing.assert_allclose(curve.fnmr, FNMR, rtol=1e-15)
    assert curve.threshold.tolist() == [0.5] * 9
    assert curve.quality_limit.tolist() == [-np.inf, 2, 3, 4, 5, 6, 7, 8, 9]
    assert (curve.pairs, curve.errors, curve.start) == (10, 4, 0.4)
    assert np.isnan(curve.fmr).all()


def test_the_error_between_two_steps_is_that_of_the_lower_step():
    curve = hand_curve()
    found = [curve.at(share) for share in (0, 0.09, 0.1, 0.2, 0.2999, 0.3, 1)]
    np.testing.assert_allclose(found, [0.4, 0.4, 3 / 9, 3 / 9, 3 / 9, 1 / 7, 0])


def test_areas_by_hand():
    # To 20 %: .1 x 4/10 + .1 x 3/9. Ideal: one error after the other, 4/10, 3/9, 2/8, 1/7, 0.
    area = partial_area(hand_curve(), 0.2)
    assert area.area == pytest.approx(0.1 * 4 / 10 + 0.1 * 3 / 9, rel=1e-12)
    assert area.ideal_area == pytest.approx(0.1 * 4 / 10 + 0.1 * 3 / 9, rel=1e-12)
    assert area.relative_area == pytest.approx((0.04 + 0.1 / 3) / 0.08, rel=1e-12)
    assert area.gain == pytest.approx(1, rel=1e-12)
    # To 35 %: .1 x 4/10 + .2 x 3/9 + .05 x 1/7 against .1 x 4/10 + .1 x 3/9 + .1 x 2/8 + .05 x 1/7.
    area = partial_area(hand_curve(), 0.35)
    assert area.area == pytest.approx(0.04 + 0.2 / 3 + 0.05 / 7, rel=1e-12)
    assert area.ideal_area == pytest.approx(0.04 + 0.1 / 3 + 0.025 + 0.05 / 7, rel=1e-12)
    assert area.gain == pytest.approx(
        (0.14 - 0.04 - 0.2 / 3 - 0.05 / 7) / (0.14 - 0.04 - 0.1 / 3 - 0.025 - 0.05 / 7)
    )


def test_an_fmr_threshold_fixed_at_the_start_by_hand():
    # Just above .55: .70 and .60 match. Below it among the mated: .10 to .50, five of ten.
    curve = error_discard(SIMILARITY, QUALITY, NON_MATED, NON_MATED_QUALITY, "fmr_at_start", 0.2)
    assert curve.threshold.tolist() == [np.nextafter(0.55, 1)] * 9
    assert curve.fnmr[:4].tolist() == [5 / 10, 4 / 9, 2 / 7, 1 / 6]  # .50 has the quality 3 and leaves late
    # Non-mated pairs left: 10, then without .70, then without .55, then without .60.
    assert curve.fmr[:4].tolist() == [2 / 10, 1 / 9, 1 / 8, 0]


def test_an_fmr_threshold_renewed_at_each_step_by_hand():
    curve = error_discard(SIMILARITY, QUALITY, NON_MATED, NON_MATED_QUALITY, "fmr_at_each_step", 0.2)
    # From 2: nine non-mated pairs left, one (9 x .2 = 1.8) may match: .60, not .55.
    # From 3: eight left, one may match: .60, not .45. From 4 on: seven left, one may match: .45, not .35.
    expected = [np.nextafter(value, 1) for value in (0.55, 0.55, 0.45, 0.35)]
    assert curve.threshold[:4].tolist() == expected
    assert curve.threshold[4:].tolist() == [expected[-1]] * 5
    assert curve.fnmr.tolist() == [5 / 10, 4 / 9, 1 / 7, 0, 0, 0, 0, 0, 0]
    assert curve.fmr[:4].tolist() == [2 / 10, 1 / 9, 1 / 8, 1 / 7]


def test_the_two_fmr_rules_differ_and_the_curve_says_which_it_is():
    fixed, renewed = (
        error_discard(SIMILARITY, QUALITY, NON_MATED, NON_MATED_QUALITY, rule, 0.2)
        for rule in ("fmr_at_start", "fmr_at_each_step")
    )
    assert (fixed.rule, renewed.rule) == ("fmr_at_start", "fmr_at_each_step")
    assert fixed.start == renewed.start
    assert partial_area(fixed, 0.5).area > partial_area(renewed, 0.5).area


def test_without_non_mated_pairs_left_the_threshold_stays():
    curve = error_discard([0.5, 0.6, 0.9], [1, 2, 3], [0.4, 0.7], [1, 2], "fmr_at_each_step", 0.5)
    assert curve.threshold.tolist() == [np.nextafter(0.4, 1), np.nextafter(0.7, 1), np.nextafter(0.7, 1)]
    assert curve.fnmr.tolist() == [0, 0.5, 0]
    assert curve.fmr[:2].tolist() == [0.5, 0] and np.isnan(curve.fmr[2])


def test_thresholds_by_hand():
    ten = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    assert threshold_for_fnmr(ten, 0.3) == 0.4  # .1 .2 .3 do not match
    assert threshold_for_fnmr(ten, 0.05) == 0.1  # not even one may fail
    assert threshold_for_fmr(ten, 0.3) == np.nextafter(0.7, 1)  # 1.0 .9 .8 match
    assert threshold_for_fmr(ten, 0.05) == np.nextafter(1.0, 2)  # not even one may match
    assert threshold_for_fnmr([0.5] * 5 + [0.6] * 5, 0.3) == 0.5  # any higher, and half would fail
    assert threshold_for_fnmr(np.arange(100), 0.29) == 29  # although 0.29 * 100 < 29 in floating point


def test_the_pair_quality_is_the_lower_one():
    assert pair_quality([1, 5, 3], [2, 4, 3]).tolist() == [1, 4, 3]
    assert pair_quality([1, None, np.nan], [None, 2, 3]).tolist() == [-np.inf] * 3


def test_a_face_without_quality_is_discarded_first():
    # Two pairs have no quality; their matches (.9, .8) are lost first, before the error (.1) of quality 1.
    curve = error_discard([0.9, 0.8, 0.1, 0.7], [None, np.nan, 1, 2], target=0.25)
    assert curve.discarded.tolist() == [0, 0.5, 0.75]
    assert curve.fnmr.tolist() == [1 / 4, 1 / 2, 0]
    assert curve.quality_limit.tolist() == [-np.inf, 1, 2]


def test_a_pair_without_similarity_never_matches():
    curve = error_discard(
        [None, 0.6, 0.7, 0.8], [1, 2, 3, 4], [np.nan, 0.1], [1, 2], rule="fmr_at_start", target=0.5
    )
    assert curve.errors == 1
    assert curve.fmr[0] == 0.5
    assert curve.fnmr.tolist() == [1 / 4, 0, 0, 0]
    with pytest.raises(EvaluationError, match=r"50\.0% of the mated pairs have no similarity") as caught:
        error_discard([None, 0.6], [1, 2], target=0.3)
    assert caught.value.code == "no_threshold"


def test_ties_leave_together():
    curve = error_discard([0.1, 0.9, 0.2, 0.8], [5, 5, 5, 5], target=0.5)
    assert curve.discarded.tolist() == [0]
    assert curve.fnmr.tolist() == [0.5]
    assert partial_area(curve, 0.3).gain == 0


def test_the_order_among_ties_and_of_the_pairs_does_not_matter():
    rng = np.random.default_rng(0)
    mated, quality = rng.normal(size=200), rng.integers(0, 8, 200)
    others, others_quality = rng.normal(-2, 1, 100), rng.integers(0, 8, 100)
    order, other_order = rng.permutation(200), rng.permutation(100)
    for rule in THRESHOLD_RULES:
        one = error_discard(mated, quality, others, others_quality, rule, 0.1)
        other = error_discard(
            mated[order], quality[order], others[other_order], others_quality[other_order], rule, 0.1
        )
        assert_same(one, other)


def test_a_perfect_quality_is_ideal_and_its_inverse_is_worse_than_random():
    rng = np.random.default_rng(1)
    mated = rng.normal(size=1000)
    perfect, inverse = (partial_area(error_discard(mated, sign * mated), 0.3) for sign in (1, -1))
    assert perfect.area == pytest.approx(perfect.ideal_area, rel=1e-12)
    assert perfect.gain == pytest.approx(1, rel=1e-12)
    assert (inverse.gain or 0) < 0 and (inverse.relative_area or 0) > 1


def test_a_random_quality_gains_nothing_on_average():
    rng = np.random.default_rng(2)
    mated = rng.normal(size=1000)
    curves = (error_discard(mated, rng.random(1000)) for _ in range(400))
    gains = np.array([partial_area(curve, 0.2).gain for curve in curves], float)
    assert abs(gains.mean()) < 4 * gains.std() / 20


def test_the_default_starts_at_the_stated_error():
    rng = np.random.default_rng(3)
    mated, quality = rng.normal(size=3000), rng.random(3000)
    assert error_discard(mated, quality).errors == 150
    others = rng.normal(-4, 1, 3000)
    curve = error_discard(mated, quality, others, rng.random(3000), rule="fmr_at_start")
    assert curve.fmr[0] == DEFAULT_TARGETS["fmr_at_start"]


def test_areas_where_all_or_none_err():
    none = error_discard([0.7, 0.8], [1, 2], [0.1], [1], "fmr_at_start")
    area = partial_area(none, 0.3)
    assert (area.area, area.ideal_area, area.relative_area, area.gain) == (0, 0, None, None)
    everyone = error_discard([0.1, 0.2], [1, 2], [0.9], [1], "fmr_at_start")
    assert (everyone.start, partial_area(everyone, 0.3).gain) == (1, None)
    assert partial_area(everyone, 1).area == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"mated": [1.0], "mated_quality": [1, 2]}, "one value a pair"),
        ({"mated": [[1.0]], "mated_quality": [[1]]}, "one value a pair"),
        ({"non_mated": [0.1]}, "give both or neither"),
        ({"rule": "eer"}, "is one of fnmr_at_start, fmr_at_start, fmr_at_each_step, not 'eer'"),
        ({"target": 0}, "lies between 0 and 1, not 0"),
        ({"target": 1}, "lies between 0 and 1, not 1"),
        ({"target": float("nan")}, "lies between 0 and 1, not nan"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        error_discard(**{"mated": [0.1, 0.9], "mated_quality": [1, 2], **arguments})


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"mated": [], "mated_quality": []}, "There are no mated pairs"),
        ({"rule": "fmr_at_start"}, "needs non-mated pairs"),
        ({"rule": "fmr_at_each_step"}, "needs non-mated pairs"),
        ({"rule": "fmr_at_start", "non_mated": [], "non_mated_quality": []}, "There are no non-mated pairs"),
    ],
)
def test_too_few_pairs_are_an_error_of_the_data(arguments, sentence):
    with pytest.raises(EvaluationError, match=sentence) as caught:
        error_discard(**{"mated": [0.1, 0.9], "mated_quality": [1, 2], **arguments})
    assert caught.value.code == "too_few_pairs"


def test_an_ideal_measure_by_hand():
    discarded, fnmr = ideal_curve(hand_curve())
    np.testing.assert_allclose(discarded, [0, 0.1, 0.2, 0.3, 0.4], rtol=1e-15)
    np.testing.assert_allclose(fnmr, [4 / 10, 3 / 9, 2 / 8, 1 / 7, 0], rtol=1e-15)


def test_a_rule_in_words_names_its_target():
    curves = [
        error_discard(SIMILARITY, QUALITY, NON_MATED, NON_MATED_QUALITY, rule, 0.4)
        for rule in THRESHOLD_RULES
    ]
    assert [curve.rule_in_words for curve in curves] == [
        "fixed once for an FNMR of 0.4",
        "fixed once for an FMR of 0.4",
        "renewed at each step for an FMR of 0.4",
    ]


def test_limits_and_shares_out_of_range_are_refused():
    for limit in (0, -0.1, 1.01, float("nan")):
        with pytest.raises(ValueError, match="above 0 and at most 1"):
            partial_area(hand_curve(), limit)
    for share in (-0.1, 1.1):
        with pytest.raises(ValueError, match="between 0 and 1"):
            hand_curve().at(share)


# A slow, literal reading, in plain Python: no sorting tricks, one limit of quality after the other.


def naive_curve(mated, quality, others, others_quality, rule, target):
    def fnmr_of(limit, kept):
        return sum(s < limit for s in kept) / len(kept)

    def fmr_of(limit, kept):
        return sum(s >= limit for s in kept) / len(kept)

    def for_fnmr(kept):
        return max(limit for limit in kept if fnmr_of(limit, kept) <= target + 1e-12)

    def for_fmr(kept):
        above = [float(np.nextafter(s, np.inf)) for s in kept]
        return min(limit for limit in above if fmr_of(limit, kept) <= target + 1e-12)

    points = []
    threshold = for_fnmr(mated) if rule == "fnmr_at_start" else for_fmr(others)
    for limit in sorted(set(quality)):
        first = limit == min(quality)
        left = [s for s, q in zip(mated, quality, strict=True) if q >= limit]
        others_left = [s for s, q in zip(others, others_quality, strict=True) if first or q >= limit]
        if rule == "fmr_at_each_step" and others_left:
            threshold = for_fmr(others_left)
        fmr = fmr_of(threshold, others_left) if others_left else float("nan")
        points.append((1 - len(left) / len(mated), fnmr_of(threshold, left), fmr, threshold))
    return np.array(points).T


def naive_area(discarded, fnmr, limit, parts=20_000):
    """The middle rule on a fine grid: another way to integrate a step function, to 1 part in `parts`."""
    grid = (np.arange(parts) + 0.5) * limit / parts
    heights = [fnmr[max(i for i, x in enumerate(discarded) if x <= at)] for at in grid[:: parts // 200]]
    return float(np.mean(heights)) * limit


def pairs_of(low, high, most=25, least=1):
    """Pairs (similarity, quality) with many ties."""
    similarity = st.integers(low, high).map(lambda value: value / 4)
    return st.lists(st.tuples(similarity, st.integers(0, 5)), min_size=least, max_size=most)


@given(
    mated=pairs_of(-4, 12),
    others=pairs_of(-12, 4),
    rule=st.sampled_from(THRESHOLD_RULES),
    target=st.sampled_from([0.01, 0.1, 0.25, 0.5, 0.9]),
)
def test_a_literal_reading_gives_the_same_curve(mated, others, rule, target):
    (similarity, quality), (other, other_quality) = zip(*mated, strict=True), zip(*others, strict=True)
    curve = error_discard(similarity, quality, other, other_quality, rule, target)
    discarded, fnmr, fmr, threshold = naive_curve(similarity, quality, other, other_quality, rule, target)
    np.testing.assert_allclose(curve.discarded, discarded, atol=1e-12)
    np.testing.assert_allclose(curve.fnmr, fnmr, atol=1e-12)
    np.testing.assert_allclose(curve.fmr, fmr, atol=1e-12)
    assert curve.threshold.tolist() == threshold.tolist()
    for limit in (0.2, 0.3, 1.0):
        # 200 samples: each of at most six steps may be off by one of them.
        expected = naive_area(discarded, fnmr, limit)
        assert partial_area(curve, limit).area == pytest.approx(expected, abs=6 * limit / 200)


@given(mated=pairs_of(-4, 12), others=pairs_of(-12, 4), rule=st.sampled_from(THRESHOLD_RULES))
def test_only_the_order_of_the_qualities_matters(mated, others, rule):
    (similarity, quality), (other, other_quality) = zip(*mated, strict=True), zip(*others, strict=True)
    one = error_discard(similarity, quality, other, other_quality, rule, 0.25)
    rescaled, other_rescaled = np.exp(np.array(quality)) - 7, np.exp(np.array(other_quality)) - 7
    assert_same(one, error_discard(similarity, rescaled, other, other_rescaled, rule, 0.25))


@given(mated=pairs_of(-4, 12), others=pairs_of(-12, 4), rule=st.sampled_from(THRESHOLD_RULES))
def test_only_the_order_of_the_similarities_matters(mated, others, rule):
    (similarity, quality), (other, other_quality) = zip(*mated, strict=True), zip(*others, strict=True)
    one = error_discard(similarity, quality, other, other_quality, rule, 0.25)
    stretched, other_stretched = np.array(similarity) * 8 + 3, np.array(other) * 8 + 3
    assert_same(one, error_discard(stretched, quality, other_stretched, other_quality, rule, 0.25))


@given(
    mated=pairs_of(-4, 12),
    others=pairs_of(-12, 4),
    rule=st.sampled_from(THRESHOLD_RULES),
    limit=st.floats(0.01, 1),
)
def test_what_holds_for_every_curve(mated, others, rule, limit):
    (similarity, quality), (other, other_quality) = zip(*mated, strict=True), zip(*others, strict=True)
    target = 0.25
    curve = error_discard(similarity, quality, other, other_quality, rule, target)
    assert curve.discarded[0] == 0 and all(a < b for a, b in pairwise([*curve.discarded, 1]))
    assert np.all((curve.fnmr >= 0) & (curve.fnmr <= 1))
    assert curve.start == curve.errors / curve.pairs
    if rule == "fnmr_at_start":
        assert curve.start <= target
        assert np.mean(np.array(similarity) < np.nextafter(curve.threshold[0], np.inf)) > target
    elif rule == "fmr_at_start":
        assert curve.fmr[0] <= target
    else:
        assert np.all(curve.fmr[~np.isnan(curve.fmr)] <= target)
    area = partial_area(curve, limit)
    assert 0 <= area.area <= limit * (1 + 1e-12)
    assert area.ideal_area <= curve.start * limit * (1 + 1e-12)
    if rule != "fmr_at_each_step":
        assert area.ideal_area <= area.area + 1e-12
        assert area.gain is None or area.gain <= 1 + 1e-9


@given(mated=pairs_of(-4, 12, least=2), limits=st.tuples(st.floats(0.01, 1), st.floats(0.01, 1)).map(sorted))
def test_an_area_grows_with_its_limit(mated, limits):
    similarity, quality = zip(*mated, strict=True)
    curve = error_discard(similarity, quality, target=0.5)
    small, large = (partial_area(curve, limit).area for limit in limits)
    assert small <= large + 1e-12


def assert_same(one, other):
    np.testing.assert_array_equal(one.discarded, other.discarded)
    np.testing.assert_array_equal(one.fnmr, other.fnmr)
    np.testing.assert_array_equal(one.fmr, other.fmr)
