"""Figures: the numbers and thresholds that they show are those that they were given."""

import math
import re
from xml.etree import ElementTree

import pytest

from demo import plots
from faceqa import Measures, Policy
from faceqa.measures.registry import MEASURES, SCORE

WORDS = {name: name for name in ("level", "score", "severity", "title", "now", "ago")}
FACE = Measures(face_size=300.0, yaw=0.0, ser_fiq=0.8, occlusion=0.02, dbcnn=60.0)
ROWS = {row.name: row for row in (*MEASURES, SCORE)}


def arc_end(svg: str, name: str) -> tuple[float, float]:
    path = next(p for p in ElementTree.fromstring(svg).iter("path") if p.get("class") == name)
    x, y = path.attrib["d"].split()[-2:]
    return float(x), float(y)


def gauge(value: float, limit: float = 0.5, name: str = "ser_fiq", language="en") -> str:
    return plots.gauge(ROWS[name], value, limit, language, "a <label>")


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 1.0])
def test_the_gauge_ends_at_the_angle_of_its_value(share):
    x, y = arc_end(gauge(share), "gauge-value")
    assert math.degrees(math.atan2(-y, x)) == pytest.approx(180 * (1 - share), abs=0.2)


@pytest.mark.parametrize(("value", "end"), [(-3.0, -plots.GAUGE_RADIUS), (7.0, plots.GAUGE_RADIUS)])
def test_a_value_beyond_the_scale_stays_on_the_gauge(value, end):
    assert arc_end(gauge(value), "gauge-value")[0] == pytest.approx(end, abs=0.1)


def test_the_gauge_draws_its_limit_and_says_everything_in_words():
    svg = ElementTree.fromstring(gauge(0.8, limit=0.5))
    line = next(svg.iter("line"))
    assert float(line.attrib["x1"]) == pytest.approx(0, abs=0.1)  # half of the scale is its top
    assert [text.text for text in svg.iter("text")] == ["0.5", "0.80"]
    assert svg.get("aria-label") == "a <label>"
    assert svg.get("role") == "img"


def test_pass_and_fail_differ_in_shape_too():
    good, bad = (ElementTree.fromstring(gauge(value)) for value in (0.8, 0.2))
    marks = [
        next(p.get("d") for p in svg.iter("path") if p.get("class") == "gauge-mark") for svg in (good, bad)
    ]
    assert marks[0] != marks[1]
    assert "passes" in good.attrib["class"] and "fails" in bad.attrib["class"]


@pytest.mark.parametrize(
    ("name", "value", "limit", "shown"),
    [
        ("occlusion", 0.125, 0.25, "12.5 %"),
        ("face_size", 300.0, 112.0, "300 px"),
        ("cafi", 61.8, 55.5, "61.8"),
    ],
)
def test_a_gauge_reads_in_the_unit_and_the_direction_of_its_measure(name, value, limit, shown):
    svg = gauge(value, limit, name)
    assert f">{shown}<" in svg and "gauge passes" in svg
    left, right = ROWS[name].axis
    share = (value - left) / (right - left)
    x, y = arc_end(svg, "gauge-value")
    assert math.degrees(math.atan2(-y, x)) == pytest.approx(180 * (1 - share), abs=0.2)
    fails = gauge(limit, value, name)  # the other way round
    assert "gauge fails" in fails


def points(svg: str) -> list[list[tuple[float, float]]]:
    lines = re.findall(r'<polyline points="([^"]*)"', svg)
    pairs = ((tuple(map(float, point.split(","))) for point in line.split()) for line in lines)
    return [[(x, y) for x, y in line] for line in pairs]


def curves(ser_fiq: list, score: list) -> dict[str, list]:
    return {"ser_fiq": ser_fiq, "cafi": score}


def test_the_curves_are_the_score_and_its_parts_that_have_a_limit():
    assert [row.name for row in plots.CURVES] == ["ser_fiq", "cafi"]


def test_the_trace_runs_to_the_right_and_breaks_where_nothing_was_measured():
    values = curves([0.2, 0.4, None, 0.6, 1.0], [None] * 5)
    svg = plots.live_trace([50, 40, 30, 20, 0], values, Policy(), "en", WORDS)
    first, second = points(svg)
    assert len(first) == len(second) == 2
    assert first[0][0] < first[1][0] < second[0][0] < second[1][0]
    assert first[0][1] > first[1][1] > second[0][1] > second[1][1]  # higher is further up
    ElementTree.fromstring(svg)


def test_the_scores_of_the_trace_share_one_scale():
    svg = plots.live_trace([10, 0], curves([0.3, 0.9], [30.0, 90.0]), Policy(), "en", WORDS)
    ser_fiq, score = points(svg)
    assert ser_fiq == score


def test_the_trace_of_nothing_is_an_empty_chart():
    svg = plots.live_trace([], curves([], []), Policy(), "en", WORDS)
    assert points(svg) == []
    assert svg.count("trace-limit") == 2


def ladder(ser_fiq: list, score: list, occlusion: list, severities: dict, accepted: list, policy: Policy):
    values = {**curves(ser_fiq, score), "occlusion": occlusion}
    return plots.ladder(["a", "b", "c"][: len(score)], values, severities, accepted, policy, "en", WORDS)


def test_the_ladder_shows_both_scores_on_one_scale_and_marks_what_is_rejected():
    policy = Policy(ser_fiq_threshold=0.5, cafi_threshold=60, max_occlusion=0.2)
    figure = ladder([0.9, 0.4, None], [70.0, 55.0, None], [0.0] * 3, {}, [True, False, False], policy)
    ser_fiq, score, cover = figure.data
    assert list(ser_fiq.y) == [90.0, 40.0, None]
    assert list(score.y) == [70.0, 55.0, None]
    for curve in figure.data:
        accepted, *rejected = curve.marker.symbol
        assert rejected == [f"{accepted}-x-open"] * 2
    assert ser_fiq.marker.symbol[0] != score.marker.symbol[0]
    limits = {(shape.yref.split()[0], shape.y0) for shape in figure.layout.shapes}
    assert limits == {(ser_fiq.yaxis, 50.0), (score.yaxis, 60.0), (cover.yaxis, 0.2)}


def test_the_ladder_shows_what_spoils_the_photo_on_a_scale_of_its_own():
    severities = {"Blur": [0.0, 0.7, None], "Noise": [0.4, 0.1, None]}
    figure = ladder([0.9] * 3, [70.0] * 3, [0.0, 0.3, None], severities, [True] * 3, Policy())
    scores, spoiling = figure.data[:2], figure.data[2:]
    assert [list(curve.y) for curve in spoiling] == [*severities.values(), [0.0, 0.3, None]]
    assert [curve.name for curve in spoiling] == [*severities, ROWS["occlusion"].title.en]
    (axis,) = {curve.yaxis for curve in spoiling}
    assert axis not in {curve.yaxis for curve in scores}
    low, high = figure.layout[axis.replace("y", "yaxis")].range
    assert low < 0 and high > 1
    blur, noise, _ = spoiling
    assert blur.line.color != noise.line.color and blur.line.dash != noise.line.dash


def test_figures_have_no_ground_of_their_own():
    figure = ladder([0.9], [70.0], [0.0], {}, [True], Policy())
    assert figure.layout.paper_bgcolor == figure.layout.plot_bgcolor == "rgba(0, 0, 0, 0)"
