"""The error-versus-discard curves as one SVG file, drawn without a library.

The file needs nothing else. Its description says in words what it shows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from faceqa.evaluation.error_discard import DISCARD_LIMITS, ErrorDiscard, ideal_curve, partial_area

WIDTH, HEIGHT = 880, 520
LEFT, TOP, RIGHT, BOTTOM = 70, 64, 290, 58
"""px around the axes; the legend lies on the right."""

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#444444", "#7a5195")
"""Okabe and Ito's palette, told apart with every kind of colour blindness; its yellow is too pale on
white."""

DASHES = ("", "7 3", "2 3", "10 3 2 3")
"""A second sign beside the colour, for prints in grey."""

LINE = 22
"""px from one line of the legend to the next."""

TICKS = 7
"""On the axis of discard fractions, both ends included."""

STYLE = """
text{font:13px system-ui,-apple-system,"Segoe UI","Noto Sans KR",sans-serif;fill:#222}
.title{font-size:16px;font-weight:600}.note{fill:#555;font-size:12px}.end{text-anchor:end}
.middle{text-anchor:middle}.grid{stroke:#ddd}.axis{stroke:#222;fill:none}
.curve{fill:none;stroke-width:2;stroke-linejoin:round}.bound{fill:none;stroke:#777;stroke-dasharray:3 4}
"""


def draw(curves: Mapping[str, ErrorDiscard], matcher: str) -> str:
    """The curves up to the last of `DISCARD_LIMITS`, with those of a random and of an ideal measure.

    Args:
        curves: By the measure's title, in the order of the legend; all of the same pairs, rule and target.
        matcher: Name of the network whose errors they are.
    """
    curve = next(iter(curves.values()))
    right = DISCARD_LIMITS[-1]
    highest = max(float(each.fnmr[each.discarded <= right].max()) for each in curves.values())
    ticks = _ticks(max(highest, 1e-6))
    axes = _Axes(right, ticks[-1])
    caption = f"{curve.pairs:,} mated pairs, {matcher}; threshold {curve.rule_in_words}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" lang="en"'
        ' aria-labelledby="error-discard-title error-discard-description">',
        '<title id="error-discard-title">Error versus discard</title>',
        f'<desc id="error-discard-description">{escape(_in_words(curves, matcher))}</desc>',
        f"<style>{STYLE}</style>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        f'<text x="{LEFT}" y="26" class="title">Error versus discard: the lower the curve, the better</text>',
        f'<text x="{LEFT}" y="46" class="note">{escape(caption)}</text>',
        *_frame(axes, ticks),
        *_bounds(axes, curve),
        *_curves_and_legend(axes, curves, right),
        "</svg>\n",
    ]
    return "\n".join(parts)


def _in_words(curves: Mapping[str, ErrorDiscard], matcher: str) -> str:
    """What the plot shows, in sentences."""
    curve, share = next(iter(curves.values())), DISCARD_LIMITS[0]
    ends = ", ".join(f"{title} {each.at(share):.2%}" for title, each in curves.items())
    return (
        f"The false non-match rate of {matcher} on {curve.pairs:,} mated pairs by the share of pairs that is"
        f" discarded for low quality. The threshold is {curve.rule_in_words}. The rate starts at"
        f" {curve.start:.2%}. After {share:.0%} are discarded the rate is: {ends}."
    )


@dataclass(frozen=True, slots=True)
class _Axes:
    """Where a discard fraction and an error lie in the picture, px."""

    right: float
    top: float

    def x(self, share: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * share / self.right

    def y(self, rate: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * rate / self.top

    def steps(self, start: np.ndarray, height: np.ndarray) -> str:
        """The path of steps that begin at `start` (S,), ascending from 0; no step is finer than half a px."""
        last_x, last_y = self.x(0), self.y(float(height[0]))
        path = [f"M{last_x:.1f} {last_y:.1f}"]
        for share, rate in zip(start[1:].tolist(), height[1:].tolist(), strict=True):
            x, y = self.x(share), self.y(rate)
            if share >= self.right:
                break
            if x - last_x >= 0.5 and abs(y - last_y) >= 0.1:
                path.append(f"H{x:.1f}V{y:.1f}")
                last_x, last_y = x, y
        return "".join([*path, f"H{self.x(self.right):.1f}"])


def _frame(axes: _Axes, ticks: Sequence[float]) -> list[str]:
    left, right, bottom = axes.x(0), axes.x(axes.right), axes.y(0)
    parts = []
    for rate in ticks:
        y = axes.y(rate)
        parts.append(f'<path class="grid" d="M{left:.1f} {y:.1f}H{right:.1f}"/>')
        parts.append(f'<text x="{left - 8:.1f}" y="{y + 4:.1f}" class="end">{100 * rate:.3g}</text>')
    for share in np.linspace(0, axes.right, TICKS).tolist():
        x = axes.x(share)
        parts.append(f'<path class="axis" d="M{x:.1f} {bottom:.1f}v5"/>')
        parts.append(f'<text x="{x:.1f}" y="{bottom + 20:.1f}" class="middle">{100 * share:.3g}</text>')
    return [
        *parts,
        f'<path class="axis" d="M{left:.1f} {TOP}V{bottom:.1f}H{right:.1f}"/>',
        f'<text x="{(left + right) / 2:.1f}" y="{HEIGHT - 14}" class="middle">pairs discarded, %</text>',
        f'<text transform="translate(20 {(TOP + bottom) / 2:.1f}) rotate(-90)" class="middle">'
        "false non-match rate (FNMR), %</text>",
    ]


def _bounds(axes: _Axes, curve: ErrorDiscard) -> list[str]:
    """What a random measure keeps, and what an ideal one reaches under a fixed threshold."""
    lines = [(np.zeros(1), curve.fnmr[:1])]
    if curve.rule != "fmr_at_each_step":
        lines.append(ideal_curve(curve))
    return [f'<path class="bound" d="{axes.steps(*line)}"/>' for line in lines]


def _curves_and_legend(axes: _Axes, curves: Mapping[str, ErrorDiscard], right: float) -> list[str]:
    x, y = WIDTH - RIGHT + 18, TOP + 6
    parts = [f'<text x="{x}" y="{y}" class="note">gain to {right:.0%}, best first</text>']
    for index, (title, curve) in enumerate(curves.items()):
        y += LINE
        style = f'stroke="{COLOURS[index % len(COLOURS)]}"'
        if dash := DASHES[(index // len(COLOURS) + index) % len(DASHES)]:
            style += f' stroke-dasharray="{dash}"'
        gain = partial_area(curve, right).gain
        label = escape(title) + ("" if gain is None else f" ({gain:.2f})")
        path = axes.steps(curve.discarded, curve.fnmr)
        parts += [
            f'<path class="curve" {style} d="{path}"><title>{label}</title></path>',
            f'<path class="curve" {style} d="M{x} {y - 4}h28"/><text x="{x + 36}" y="{y}">{label}</text>',
        ]
    y += LINE + 4
    return [
        *parts,
        f'<path class="bound" d="M{x} {y - 4}h28"/>',
        f'<text x="{x + 36}" y="{y}" class="note">a random measure (upper line),</text>',
        f'<text x="{x + 36}" y="{y + 16}" class="note">the ideal one (lower line)</text>',
    ]


def _ticks(highest: float) -> list[float]:
    """From 0 in steps of 1, 2 or 5 times a power of ten, five or so, to the first at or above `highest`."""
    rough = highest / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
    return [step * index for index in range(math.ceil(highest / step - 1e-9) + 1)]
