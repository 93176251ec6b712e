"""Figures from measures and verdicts: plotly for charts, a few lines of SVG for gauges and the live trace.

Plotly's figures have no background and grey letters, so that they suit a light page and a dark one. They have
no alternative text: whoever shows one puts the same numbers beside it. Words come from the caller, in the
language of the page.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape

import plotly.graph_objects as go

from faceqa.types import Measures, Point, Policy

GOOD = "#16a34a"
BAD = "#dc2626"
SER_FIQ = "#3b82f6"
DBCNN = "#f59e0b"
CAFI = "#8b5cf6"
GREY = "#6b7280"
GRID = "rgba(125, 133, 144, 0.25)"

TIMES = "\N{MULTIPLICATION SIGN}"

GAUGE_RADIUS = 80
TRACE_SIZE = (480, 190)
TRACE_MARGINS = (34, 8, 10, 22)
"""px left, right, above and below the live trace."""

THIN, THICK = 2, 5
"""px of the trace's two lines, which differ in more than their colour."""

Words = Mapping[str, str]


def gauge(
    value: float, limit: float, highest: float, passes: bool, reading: str, bound: str, label: str
) -> str:
    """A half-circle gauge as SVG: the value as an arc and a number, the limit as a tick with its number.

    The page colours it by its class, `passes` or `fails`.

    Args:
        value: Between 0 and `highest`; an arc never leaves the scale.
        limit: What the policy asks for.
        highest: Right end of the scale; the left end is 0.
        passes: Whether the value is good enough: a tick or a cross.
        reading: The value as text.
        bound: The limit as text.
        label: What it shows, for screen readers.
    """
    share = min(max(limit / highest, 0.0), 1.0)
    (x1, y1), (x2, y2), (text_x, text_y) = (_on_arc(share, GAUGE_RADIUS + reach) for reach in (-13, 13, 22))
    anchor = "end" if share < 0.4 else "start" if share > 0.6 else "middle"
    mark = "M -8 9 l 5 6 l 10 -13" if passes else "M -7 2 l 14 14 M 7 2 l -14 14"
    return (
        f'<svg class="gauge {"passes" if passes else "fails"}" viewBox="-130 -118 260 140" role="img" '
        f'aria-label="{escape(label)}"><path d="{_arc(1)}" class="gauge-track"/>'
        f'<path d="{_arc(value / highest)}" class="gauge-value"/>'
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="gauge-limit"/>'
        f'<text x="{text_x:.1f}" y="{text_y + 4:.1f}" text-anchor="{anchor}" class="gauge-bound">'
        f"{bound}</text>"
        f'<text x="0" y="-12" text-anchor="middle" class="gauge-reading">{reading}</text>'
        f'<path d="{mark}" class="gauge-mark"/></svg>'
    )


def live_trace(
    ages: Sequence[float],
    ser_fiq: Sequence[float | None],
    cafi: Sequence[float | None],
    policy: Policy,
    words: Words,
    span: float = 60.0,
) -> str:
    """The last minute as SVG: 100 x SER-FIQ and CAFI over time, with both thresholds as dashed lines.

    Args:
        ages: Seconds since each frame, oldest first.
        ser_fiq: In [0, 1]; None where no face was seen.
        cafi: In [0, 100]; None where a gate failed: the line has a gap there.
        policy: Its thresholds are drawn.
        words: `title`, `ser_fiq`, `cafi`, `now`, `ago`.
        span: Seconds that are shown.
    """
    width, height = TRACE_SIZE
    left, right, above, below = TRACE_MARGINS
    inner_width, inner_height = width - left - right, height - above - below

    def place(age: float, score: float) -> tuple[float, float]:
        return left + inner_width * (1 - age / span), above + inner_height * (
            1 - min(max(score, 0), 100) / 100
        )

    grid = "".join(
        f'<line x1="{left}" x2="{width - right}" y1="{y:.1f}" y2="{y:.1f}" class="trace-grid"/>'
        f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end" class="trace-text">{score}</text>'
        for score in (0, 50, 100)
        for y in [place(0, score)[1]]
    )
    limits = "".join(
        f'<line x1="{left}" x2="{width - right}" y1="{y:.1f}" y2="{y:.1f}" class="trace-limit" '
        f'stroke="{colour}"/>'
        for score, colour in ((100 * policy.ser_fiq_threshold, SER_FIQ), (policy.cafi_threshold, CAFI))
        for y in [place(0, score)[1]]
    )
    scaled = [None if value is None else 100 * value for value in ser_fiq]
    lines = "".join(
        f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in stretch)}" stroke="{colour}" '
        f'stroke-width="{thickness}" class="trace-line"/>'
        for scores, colour, thickness in ((scaled, SER_FIQ, THIN), (cafi, CAFI, THICK))
        for stretch in _stretches([(age, score) for age, score in zip(ages, scores, strict=True)], place)
    )
    legend = "".join(
        f'<rect x="{x}" y="{height - 11 - thickness / 2}" width="16" height="{thickness}" fill="{colour}"/>'
        f'<text x="{x + 20}" y="{height - 7}" class="trace-text">{escape(name)}</text>'
        for x, colour, thickness, name in (
            (left + 130, SER_FIQ, THIN, words["ser_fiq"]),
            (left + 240, CAFI, THICK, words["cafi"]),
        )
    )
    return (
        f'<svg class="trace" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(words["title"])}">'
        f"{grid}{limits}{lines}{legend}"
        f'<text x="{left}" y="{height - 7}" class="trace-text">{escape(words["ago"])}</text>'
        f'<text x="{width - right}" y="{height - 7}" text-anchor="end" class="trace-text">'
        f"{escape(words['now'])}</text></svg>"
    )


def contributions(measures: Measures, policy: Policy, words: Words) -> go.Figure:
    """What makes up the CAFI, as a waterfall: each metric times its share of the weights, then the sum.

    Args:
        measures: Of one face.
        policy: Its weights, and its CAFI threshold as a line.
        words: `ser_fiq`, `dbcnn`, `cafi`, `threshold`.
    """
    total = policy.ser_fiq_weight + policy.dbcnn_weight
    parts = [
        (words["ser_fiq"], 100 * measures.ser_fiq, policy.ser_fiq_weight / total),
        (words["dbcnn"], measures.dbcnn, policy.dbcnn_weight / total),
    ]
    score = sum(value * share for _, value, share in parts)
    figure = go.Figure(
        go.Waterfall(
            x=[
                *(f"{name}<br>{value:.1f} {TIMES} {share:.0%}" for name, value, share in parts),
                words["cafi"],
            ],
            y=[*(value * share for _, value, share in parts), None],
            measure=["relative", "relative", "total"],
            text=[*(f"+{value * share:.1f}" for _, value, share in parts), f"<b>{score:.1f}</b>"],
            textposition="outside",
            cliponaxis=False,
            increasing={"marker": {"color": DBCNN}},
            decreasing={"marker": {"color": BAD}},
            totals={"marker": {"color": CAFI}},
            connector={"line": {"color": GRID}},
            hoverinfo="skip",
        )
    )
    figure.add_hline(
        y=policy.cafi_threshold,
        line={"color": GREY, "dash": "dash"},
        annotation={"text": f"{words['threshold']} {policy.cafi_threshold:g}", "font": {"color": GREY}},
        annotation_position="top left",
    )
    figure.update_xaxes(showgrid=False)
    highest = max(100.0, score, policy.cafi_threshold)
    figure.update_yaxes(range=[min(0.0, score), 1.12 * highest], tickvals=[0, 25, 50, 75, 100])
    return _styled(figure, height=260)


def ladder(
    levels: Sequence[str],
    ser_fiq: Sequence[float | None],
    cafi: Sequence[float | None],
    accepted: Sequence[bool],
    policy: Policy,
    words: Words,
) -> go.Figure:
    """SER-FIQ and CAFI over the steps of a stress test, with their thresholds.

    Args:
        levels: What each step is called.
        ser_fiq: In [0, 1]; None where no face was found.
        cafi: The score in [0, 100] whether or not a gate failed; None where no face was found.
        accepted: The verdicts: a rejected step's mark is open and crossed out.
        policy: Its thresholds are drawn.
        words: `ser_fiq`, `cafi`, `level`, `score`.
    """
    figure = go.Figure()
    scaled = [None if value is None else 100 * value for value in ser_fiq]
    curves = (
        (f"100 {TIMES} {words['ser_fiq']}", scaled, SER_FIQ, "circle", 100 * policy.ser_fiq_threshold),
        (words["cafi"], cafi, CAFI, "square", policy.cafi_threshold),
    )
    highest = max(limit for *_, limit in curves)
    for name, values, colour, symbol, limit in curves:
        figure.add_scatter(
            x=list(levels),
            y=values,
            name=name,
            mode="lines+markers",
            line={"color": colour, "width": 3},
            marker={
                "size": 11,
                "symbol": [symbol if good else f"{symbol}-x-open" for good in accepted],
            },
            hovertemplate="%{x}: %{y:.1f}",
        )
        figure.add_hline(
            y=limit,
            line={"color": colour, "dash": "dot", "width": 1.5},
            annotation={"text": f"{name} ≥ {limit:g}", "font": {"color": GREY}},
            annotation_position="top right" if limit == highest else "bottom right",
        )
    figure.update_xaxes(title=words["level"], type="category")
    figure.update_yaxes(title=words["score"], range=[-4, 104])
    return _styled(figure, height=380, legend=True)


def scatter(
    ser_fiq: Sequence[float],
    cafi: Sequence[float],
    names: Sequence[str],
    kept: Sequence[bool],
    policy: Policy,
    words: Words,
) -> go.Figure:
    """Every face of a data set by its two scores; kept and rejected differ in colour and in mark.

    Args:
        ser_fiq: In [0, 1].
        cafi: The score whether or not a gate failed, in [0, 100].
        names: Of the images, shown under the pointer.
        kept: The verdicts.
        policy: Its thresholds are drawn.
        words: `ser_fiq`, `cafi`, `kept`, `rejected`.
    """
    figure = go.Figure()
    for good, name, colour, symbol in (
        (True, words["kept"], GOOD, "circle"),
        (False, words["rejected"], BAD, "x"),
    ):
        chosen = [i for i, is_kept in enumerate(kept) if is_kept == good]
        figure.add_scattergl(
            x=[ser_fiq[i] for i in chosen],
            y=[cafi[i] for i in chosen],
            text=[names[i] for i in chosen],
            name=name,
            mode="markers",
            marker={"color": colour, "symbol": symbol, "size": 9, "opacity": 0.85},
            hovertemplate="%{text}<br>%{x:.3f} · %{y:.1f}<extra></extra>",
        )
    figure.add_vline(x=policy.ser_fiq_threshold, line={"color": SER_FIQ, "dash": "dash"})
    figure.add_hline(y=policy.cafi_threshold, line={"color": CAFI, "dash": "dash"})
    figure.update_xaxes(title=words["ser_fiq"], range=[-0.02, 1.02])
    figure.update_yaxes(title=words["cafi"], range=[-2, 102])
    return _styled(figure, height=432, legend=True)


def histogram(values: Sequence[float], limit: float, highest: float, title: str, colour: str) -> go.Figure:
    """How one measure is distributed over a data set, with its threshold.

    Args:
        values: The measure of every face.
        limit: What the policy asks for.
        highest: Right end of the axis; the left end is 0.
        title: Of the axis.
        colour: Of the bars.
    """
    bins = {"start": 0, "end": highest, "size": highest / 25}
    figure = go.Figure(go.Histogram(x=list(values), xbins=bins, marker={"color": colour}, hoverinfo="x+y"))
    figure.add_vline(x=limit, line={"color": GREY, "dash": "dash", "width": 2})
    figure.update_xaxes(title=title, range=[-0.02 * highest, 1.02 * highest], dtick=highest / 5)
    return _styled(figure, height=208)


def _styled(figure: go.Figure, height: int, legend: bool = False) -> go.Figure:
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 24, "b": 8},
        paper_bgcolor="rgba(0, 0, 0, 0)",
        plot_bgcolor="rgba(0, 0, 0, 0)",
        font={"color": GREY, "size": 13},
        showlegend=legend,
        legend={"orientation": "h", "y": 1.12, "x": 0},
        bargap=0.06,
        dragmode=False,
    )
    figure.update_xaxes(title_font_size=13, gridcolor=GRID, zeroline=False, automargin=True, fixedrange=True)
    figure.update_yaxes(title_font_size=13, gridcolor=GRID, zeroline=False, automargin=True, fixedrange=True)
    return figure


def _on_arc(share: float, radius: float) -> tuple[float, float]:
    """A point of the half circle, 0 at its left end and 1 at its right."""
    angle = math.pi * (1 - min(max(share, 0.0), 1.0))
    return radius * math.cos(angle), -radius * math.sin(angle)


def _arc(share: float) -> str:
    """An SVG path from the left end of the half circle."""
    (x1, y1), (x2, y2) = _on_arc(0, GAUGE_RADIUS), _on_arc(share, GAUGE_RADIUS)
    return f"M {x1:.1f} {y1:.1f} A {GAUGE_RADIUS} {GAUGE_RADIUS} 0 0 1 {x2:.1f} {y2:.1f}"


def _stretches(
    points: Sequence[tuple[float, float | None]], place: Callable[[float, float], Point]
) -> Iterator[list[Point]]:
    """Runs of known points, each ready to be drawn."""
    run: list[Point] = []
    for age, score in points:
        if score is not None:
            run.append(place(age, score))
        elif run:
            yield run
            run = []
    if run:
        yield run
