"""Figures from measures and verdicts: plotly for charts, a few lines of SVG for gauges and the live trace.

Scales, colours and names of the measures are those of the registry. Plotly's figures have no background and
grey letters, so that they suit a light page and a dark one. They have no alternative text: whoever shows one
puts the same numbers beside it. Other words come from the caller, in the language of the page.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape
from itertools import cycle

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from faceqa.languages import Language
from faceqa.measures.registry import GATED, SCORE, WEIGHTED, Measure
from faceqa.types import Point
from faceqa.verdict.policy import Policy

GREY = "#6b7280"
GRID = "rgba(125, 133, 144, 0.25)"

TIMES = "\N{MULTIPLICATION SIGN}"

CURVES: tuple[Measure, ...] = (*(row for row in WEIGHTED if row.gate is not None), SCORE)
"""What is drawn over time and over the steps of a stress test: the score, and those of its parts that have a
limit of their own."""

COVER = next(row for row in GATED if row.name == "occlusion")

DISTORTION_COLOURS = ("#0d9488", "#db2777", "#64748b")
DASHES = ("solid", "dash", "dashdot")
"""Of the distortions in a chart, in turn."""

LADDER_HEIGHT = 560
"""px of the figure of a stress test."""

GAUGE_RADIUS = 80
TRACE_SIZE = (480, 190)
TRACE_MARGINS = (34, 8, 10, 22)
"""px left, right, above and below the live trace."""

LEGEND_START, LEGEND_STEP = 130, 110
"""px from the trace's left edge to the first name below it, and from one name to the next."""

THIN, THICK = 2, 5
"""px of the trace's lines; that of the score is thick: lines differ in more than their colour."""

SYMBOLS = ("circle", "diamond")
SCORE_SYMBOL = "square"
"""Of these three plotly has a form that is open and crossed out."""

Words = Mapping[str, str]
Curves = Mapping[str, Sequence[float | None]]
"""Values by the names of `CURVES`, in the units of the registry; None where there is none."""


def limit_of(measure: Measure, policy: Policy) -> float:
    """What a policy asks of a measure that has a gate."""
    assert measure.gate is not None
    return getattr(policy, measure.gate.setting)


def share_of(measure: Measure, value: float) -> float:
    """Where a value lies on its measure's scale, in [0, 1]; a value beyond an end counts as that end."""
    left, right = measure.axis
    return min(max((value - left) / (right - left), 0.0), 1.0)


def gauge(measure: Measure, value: float, limit: float, language: Language, label: str) -> str:
    """A half-circle gauge as SVG: the value as an arc and a number, the limit as a tick with its number.

    The page colours it by its class, `passes` or `fails`.

    Args:
        measure: Its scale and its unit.
        value: In the measure's unit; an arc never leaves the scale.
        limit: What the policy asks for, likewise.
        language: Of the numbers.
        label: What it shows, for screen readers.
    """
    passes = measure.passes(value, limit)
    share = share_of(measure, limit)
    (x1, y1), (x2, y2), (text_x, text_y) = (_on_arc(share, GAUGE_RADIUS + reach) for reach in (-13, 13, 22))
    anchor = "end" if share < 0.4 else "start" if share > 0.6 else "middle"
    mark = "M -8 9 l 5 6 l 10 -13" if passes else "M -7 2 l 14 14 M 7 2 l -14 14"
    return (
        f'<svg class="gauge {"passes" if passes else "fails"}" viewBox="-160 -122 320 144" role="img" '
        f'aria-label="{escape(label)}"><path d="{_arc(1)}" class="gauge-track"/>'
        f'<path d="{_arc(share_of(measure, value))}" class="gauge-value"/>'
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="gauge-limit"/>'
        f'<text x="{text_x:.1f}" y="{text_y + 4:.1f}" text-anchor="{anchor}" class="gauge-bound">'
        f"{measure.limit_text(limit, language)}</text>"
        f'<text x="0" y="-12" text-anchor="middle" class="gauge-reading">'
        f"{measure.text(value, language)}</text>"
        f'<path d="{mark}" class="gauge-mark"/></svg>'
    )


def live_trace(
    ages: Sequence[float],
    curves: Curves,
    policy: Policy,
    language: Language,
    words: Words,
    span: float = 60.0,
) -> str:
    """The last minute as SVG: `CURVES` over time on the scale of the score, their limits as dashed lines.

    Args:
        ages: Seconds since each frame, oldest first.
        curves: The values of each frame; None where there is none: the line has a gap there.
        policy: Its limits are drawn.
        language: Of the measures' names.
        words: `title`, `now`, `ago`.
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
        f'stroke="{row.colour}"/>'
        for row in CURVES
        for y in [place(0, row.factor * limit_of(row, policy))[1]]
    )
    lines = "".join(
        f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in stretch)}" stroke="{row.colour}" '
        f'stroke-width="{_thickness(row)}" class="trace-line"/>'
        for row in CURVES
        for stretch in _stretches(list(zip(ages, _scaled(row, curves[row.name]), strict=True)), place)
    )
    legend = "".join(
        f'<rect x="{x}" y="{height - 11 - _thickness(row) / 2}" width="16" height="{_thickness(row)}" '
        f'fill="{row.colour}"/><text x="{x + 20}" y="{height - 7}" class="trace-text">'
        f"{escape(row.title.in_language(language))}</text>"
        for number, row in enumerate(CURVES)
        for x in [left + LEGEND_START + number * LEGEND_STEP]
    )
    return (
        f'<svg class="trace" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(words["title"])}">'
        f"{grid}{limits}{lines}{legend}"
        f'<text x="{left}" y="{height - 7}" class="trace-text">{escape(words["ago"])}</text>'
        f'<text x="{width - right}" y="{height - 7}" text-anchor="end" class="trace-text">'
        f"{escape(words['now'])}</text></svg>"
    )


def ladder(
    levels: Sequence[str],
    curves: Curves,
    severities: Mapping[str, Sequence[float | None]],
    accepted: Sequence[bool],
    policy: Policy,
    language: Language,
    words: Words,
) -> go.Figure:
    """Two charts over the steps of a stress test: the scores, and below them what spoils the photo.

    Above stand `CURVES` on the scale of the score; below, from 0 to 1, the severities of distortions and the
    covered share of the face. Limits are dotted lines.

    Args:
        levels: What each step is called.
        curves: The values of each step by the names of `CURVES` and of `COVER`, the score whether or not a
            gate failed; None where no face was found.
        severities: Those of each step by what the distortion is called, likewise.
        accepted: The verdicts: a rejected step's mark is open and crossed out.
        policy: Its limits are drawn.
        language: Of the names.
        words: `level`, `score`, `severity`.
    """
    figure = make_subplots(2, 1, shared_xaxes=True, row_heights=[0.62, 0.38], vertical_spacing=0.08)

    def draw(
        row: int,
        name: str,
        values: Sequence[float | None],
        colour: str,
        symbol: str,
        form: str,
        dash: str = "solid",
    ) -> None:
        figure.add_scatter(
            x=list(levels),
            y=list(values),
            name=name,
            mode="lines+markers",
            line={"color": colour, "width": 3, "dash": dash},
            marker={"size": 11, "symbol": [symbol if good else f"{symbol}-x-open" for good in accepted]},
            hovertemplate=f"%{{x}}: %{{y:{form}}}",
            row=row,
            col=1,
        )

    limits = {row.name: row.factor * limit_of(row, policy) for row in CURVES}
    for row, symbol in zip(CURVES, cycle(SYMBOLS), strict=False):
        title, limit = row.title.in_language(language), limits[row.name]
        name = title if row.factor == 1 else f"{row.factor:g} {TIMES} {title}"
        symbol = SCORE_SYMBOL if row is SCORE else symbol
        draw(1, name, _scaled(row, curves[row.name]), row.colour, symbol, ".1f")
        _limit_line(
            figure, 1, row, limit, f"{name} ≥ {limit:g}", "right" if limit == max(limits.values()) else "left"
        )
    styles = cycle(zip(DISTORTION_COLOURS, DASHES, strict=True))
    for (name, values), (colour, dash) in zip(severities.items(), styles, strict=False):
        draw(2, name, values, colour, "diamond", ".2f", dash)
    title, limit = COVER.title.in_language(language), limit_of(COVER, policy)
    draw(2, title, curves[COVER.name], COVER.colour, "circle", ".1%")
    _limit_line(figure, 2, COVER, limit, f"{title} ≤ {COVER.limit_text(limit, language)}", "right")
    figure.update_xaxes(type="category")
    figure.update_xaxes(title=words["level"], row=2)
    figure.update_yaxes(title=words["score"], range=[-4, 104], row=1)
    figure.update_yaxes(title=words["severity"], range=[-0.08, 1.08], row=2)
    return _styled(figure, LADDER_HEIGHT, legend=True)


def _limit_line(figure: go.Figure, row: int, measure: Measure, limit: float, said: str, side: str) -> None:
    figure.add_hline(
        y=limit,
        line={"color": measure.colour, "dash": "dot", "width": 1.5},
        annotation={"text": said, "font": {"color": GREY}},
        annotation_position=f"top {side}",
        row=row,
        col=1,
    )


def _scaled(measure: Measure, values: Sequence[float | None]) -> list[float | None]:
    """On the scale of the score, which ends at 100."""
    return [None if value is None else measure.factor * value for value in values]


def _thickness(measure: Measure) -> int:
    return THICK if measure is SCORE else THIN


def _styled(figure: go.Figure, height: int, legend: bool = False) -> go.Figure:
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 24, "b": 8},
        paper_bgcolor="rgba(0, 0, 0, 0)",
        plot_bgcolor="rgba(0, 0, 0, 0)",
        font={"color": GREY, "size": 13},
        showlegend=legend,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        bargap=0.06,
        dragmode=False,
    )
    figure.update_xaxes(title_font_size=13, gridcolor=GRID, zeroline=False, automargin=True, fixedrange=True)
    figure.update_yaxes(title_font_size=13, gridcolor=GRID, zeroline=False, automargin=True, fixedrange=True)
    return figure


def _on_arc(share: float, radius: float) -> tuple[float, float]:
    """A point of the half circle, 0 at its left end and 1 at its right."""
    angle = math.pi * (1 - share)
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
