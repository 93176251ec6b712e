"""Figures: the numbers and thresholds that they show are those that they were given."""

import math
import re
from xml.etree import ElementTree

import pytest

from demo import plots
from faceqa.verdict.judge import cafi
from faceqa.types import Measures, Policy

WORDS = {
    name: name
    for name in (
        *("ser_fiq", "dbcnn", "cafi", "threshold", "level", "score", "kept", "rejected"),
        *("title", "now", "ago"),
    )
}
MEASURES = Measures(0.8, 60.0, 0.02, 300.0)


def arc_end(svg: str, name: str) -> tuple[float, float]:
    path = next(p for p in ElementTree.fromstring(svg).iter("path") if p.get("class") == name)
    x, y = path.get("d").split()[-2:]
    return float(x), float(y)


def gauge(value: float, limit: float = 0.5, passes: bool = True) -> str:
    return plots.gauge(value, limit, 1.0, passes, f"{value}", f"{limit}", "a <label>")


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
    assert float(line.get("x1")) == pytest.approx(0, abs=0.1)  # half of the scale is its top
    assert [text.text for text in svg.iter("text")] == ["0.5", "0.8"]
    assert svg.get("aria-label") == "a <label>"
    assert svg.get("role") == "img"


def test_pass_and_fail_differ_in_shape_too():
    good, bad = (ElementTree.fromstring(gauge(0.8, passes=passes)) for passes in (True, False))
    marks = [
        next(p.get("d") for p in svg.iter("path") if p.get("class") == "gauge-mark") for svg in (good, bad)
    ]
    assert marks[0] != marks[1]
    assert "passes" in good.get("class") and "fails" in bad.get("class")


def points(svg: str) -> list[list[tuple[float, float]]]:
    lines = re.findall(r'<polyline points="([^"]*)"', svg)
    return [[tuple(map(float, point.split(","))) for point in line.split()] for line in lines]


def test_the_trace_runs_to_the_right_and_breaks_where_nothing_was_measured():
    svg = plots.live_trace([50, 40, 30, 20, 0], [0.2, 0.4, None, 0.6, 1.0], [None] * 5, Policy(), WORDS)
    first, second = points(svg)
    assert len(first) == len(second) == 2
    assert first[0][0] < first[1][0] < second[0][0] < second[1][0]
    assert first[0][1] > first[1][1] > second[0][1] > second[1][1]  # higher is further up
    ElementTree.fromstring(svg)


def test_the_trace_of_nothing_is_an_empty_chart():
    svg = plots.live_trace([], [], [], Policy(), WORDS)
    assert points(svg) == []
    assert svg.count("trace-limit") == 2


@pytest.mark.parametrize(
    "policy", [Policy(), Policy(ser_fiq_weight=1.0), Policy(ser_fiq_weight=3.0, dbcnn_weight=0.0)]
)
def test_the_parts_add_up_to_the_cafi(policy):
    figure = plots.contributions(MEASURES, policy, WORDS)
    parts = figure.data[0].y[:2]
    assert sum(parts) == pytest.approx(cafi(0.8, 60.0, policy), abs=0.01)
    assert figure.data[0].measure == ("relative", "relative", "total")
    assert figure.layout.shapes[0].y0 == policy.cafi_threshold


def test_the_ladder_shows_both_scores_on_one_scale_and_marks_what_is_rejected():
    policy = Policy(cafi_threshold=60)
    figure = plots.ladder(
        ["a", "b", "c"], [0.9, 0.4, None], [70.0, 55.0, None], [True, False, False], policy, WORDS
    )
    ser_fiq, score = figure.data
    assert list(ser_fiq.y) == [90.0, 40.0, None]
    assert list(score.y) == [70.0, 55.0, None]
    for curve in (ser_fiq, score):
        accepted, *rejected = curve.marker.symbol
        assert rejected == [f"{accepted}-x-open"] * 2
    assert ser_fiq.marker.symbol[0] != score.marker.symbol[0]
    assert [shape.y0 for shape in figure.layout.shapes] == [50.0, 60.0]


def test_the_scatter_tells_kept_from_rejected_and_draws_both_thresholds():
    policy = Policy(ser_fiq_threshold=0.4, cafi_threshold=55)
    figure = plots.scatter(
        [0.9, 0.2, 0.7], [70, 60, 30], ["x", "y", "z"], [True, False, False], policy, WORDS
    )
    kept, rejected = figure.data
    assert list(kept.x) == [0.9] and list(rejected.y) == [60, 30]
    assert kept.name == "kept" and rejected.name == "rejected"
    assert kept.marker.symbol != rejected.marker.symbol
    vertical, horizontal = figure.layout.shapes
    assert (vertical.x0, horizontal.y0) == (0.4, 55)


def test_the_histogram_holds_every_value_and_its_threshold():
    figure = plots.histogram([0.1, 0.2, 0.9], 0.5, 1.0, "SER-FIQ", plots.SER_FIQ)
    assert list(figure.data[0].x) == [0.1, 0.2, 0.9]
    assert figure.layout.shapes[0].x0 == 0.5


def test_figures_have_no_ground_of_their_own():
    figure = plots.contributions(MEASURES, Policy(), WORDS)
    assert figure.layout.paper_bgcolor == figure.layout.plot_bgcolor == "rgba(0, 0, 0, 0)"
