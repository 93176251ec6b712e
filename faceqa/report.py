"""Rows of a table -> `report.html`: one page that opens offline, on a phone, in the light and in the dark.

The figures are SVG written by hand: nothing is loaded from anywhere, and a table beside each figure says the
same in numbers.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from faceqa.reasons import WORDINGS
from faceqa.table import Row

Thumbnails = Mapping[tuple[str, int], bytes]
"""JPEGs by name of the image and number of the face."""

SHOWN = 12
"""Faces in each row of thumbnails."""

MOST_POINTS = 3000
"""Of the scatter plot; of more faces every n-th is drawn."""

BINS = 25

REASON_NAMES = {
    "no_face": "no face found",
    "face_too_small": "face too small",
    "low_ser_fiq": "hard to recognise (SER-FIQ)",
    "occluded": "face covered",
    "low_cafi": "picture quality (CAFI)",
    "not_among_best": "not among the best",
    "unreadable_image": "cannot be read",
    "image_too_small": "image too small",
    "image_too_large": "image too large",
    "measure_failed": "measure failed",
}


@dataclass(frozen=True, slots=True)
class Measure:
    """How a measure is drawn: its column, title, axis and the threshold's name in the policy."""

    column: str
    title: str
    lowest: float
    highest: float
    threshold: str | None
    decimals: int
    note: str


MEASURES = (
    Measure(
        "cafi", "CAFI", 0, 100, "cafi_threshold", 1, "of the faces that pass the gates; higher is better"
    ),
    Measure(
        "ser_fiq", "SER-FIQ", 0, 1, "ser_fiq_threshold", 3, "how recognisable the face is; higher is better"
    ),
    Measure("dbcnn", "DBCNN", 0, 100, None, 1, "picture quality of the masked face; higher is better"),
    Measure(
        "occlusion", "Covered", 0, 1, "max_occlusion", 3, "share of the face that is covered; lower is better"
    ),
)


def chosen(rows: Sequence[Row]) -> list[Row]:
    """The faces that the page shows."""
    return [row for _, _, faces in _galleries(rows) for row in faces]


def page(rows: Sequence[Row], summary: Mapping[str, Any], thumbnails: Thumbnails) -> str:
    """The report.

    Args:
        rows: With their verdicts.
        summary: As `curation.publish` makes it.
        thumbnails: Of the faces that `chosen` names; one that is missing is shown by its name only.

    Returns:
        An HTML document without any reference to another file.
    """
    sections = [
        _heading(summary),
        _section("Which faces are kept", _counts(summary), _reasons(summary)),
        _section("Which threshold keeps how many", _thresholds(summary)),
        _section("Distributions", _distributions(rows, summary)),
        _section("Recognisability and picture quality", _scatter(rows, summary)),
        *(
            _section(title, _gallery(note, faces, thumbnails))
            for title, note, faces in _galleries(rows)
            if faces
        ),
        _section("Settings", _settings(summary)),
    ]
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Face quality report</title>
<style>{STYLE}</style>
</head>
<body>
<main>
{"".join(sections)}
</main>
</body>
</html>
"""


def _heading(summary: Mapping[str, Any]) -> str:
    sources = ", ".join(summary["settings"]["paths"][:3])
    more = len(summary["settings"]["paths"]) - 3
    if more > 0:
        sources += f" and {more} more"
    return f"<header><h1>Face quality report</h1><p class=quiet>{escape(sources)}</p></header>"


def _section(title: str, *parts: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{''.join(parts)}</section>"


def _counts(summary: Mapping[str, Any]) -> str:
    faces, kept = summary["faces"], summary["accepted"]
    total = kept + summary["rejected"] + summary["errors"]
    tiles = (
        ("images", summary["images"], ""),
        ("faces", faces, ""),
        ("kept", kept, "kept"),
        ("rejected", summary["rejected"], "rejected"),
        ("unreadable", summary["errors"], ""),
    )
    boxes = "".join(
        f"<div class='tile {kind}'><strong>{count:,}</strong><span>{name}</span></div>"
        for name, count, kind in tiles
    )
    share = f"{kept / total:.0%} of {total:,} kept" if total else "nothing was assessed"
    width = 100 * kept / total if total else 0
    bar = (
        f"<div class=share role=img aria-label='{share}'><i style='width:{width:.2f}%'></i></div>"
        f"<p class=quiet>{share}</p>"
    )
    return f"<div class=tiles>{boxes}</div>{bar}"


def _reasons(summary: Mapping[str, Any]) -> str:
    reasons = summary["reasons"]
    if not reasons:
        return "<p>Nothing was rejected.</p>"
    most = max(reasons.values())
    lines = "".join(
        f"<tr><th scope=row>{REASON_NAMES[code]}</th>"
        f"<td class=number>{count:,}</td>"
        f"<td class=bar><i style='width:{100 * count / most:.1f}%'></i></td>"
        f"<td class='quiet advice'>{escape(WORDINGS[code]['en'][1])}</td></tr>"
        for code, count in reasons.items()
    )
    return (
        "<h3>Why faces are rejected</h3><p class=quiet>A face can have several reasons.</p>"
        "<table class=reasons><thead><tr><th scope=col>reason</th><th scope=col class=number>faces</th>"
        f"<th scope=col class=bar></th><th scope=col class=advice>what helps</th></tr></thead>{lines}</table>"
    )


def _thresholds(summary: Mapping[str, Any]) -> str:
    lines = "".join(
        f"<tr><th scope=row>keep {line['share']:.0%}</th><td class=number>{line['faces']:,}</td>"
        f"<td class=number>{line['cafi']:.1f}</td></tr>"
        for line in summary["thresholds"]
    )
    threshold = summary["selection"]["policy"]["cafi_threshold"]
    return (
        f"<p>The gates pass {summary['passing']:,} of {summary['faces']:,} faces. To keep a share of those, "
        f"set the CAFI threshold (now {threshold:g}) to the value beside it.</p>"
        "<table class=narrow><thead><tr><th scope=col>share</th><th scope=col class=number>faces</th>"
        f"<th scope=col class=number>CAFI at least</th></tr></thead>{lines}</table>"
    )


def _distributions(rows: Sequence[Row], summary: Mapping[str, Any]) -> str:
    legend = "<p class=legend><span class=kept>kept</span> <span class=rejected>rejected</span></p>"
    figures = "".join(_histogram(rows, summary, measure) for measure in MEASURES)
    return f"{legend}<div class=figures>{figures}</div>"


def _histogram(rows: Sequence[Row], summary: Mapping[str, Any], measure: Measure) -> str:
    faces = [row for row in rows if row[measure.column] is not None]
    low, high = _axis(measure, [row[measure.column] for row in faces])
    kept, rejected = [0] * BINS, [0] * BINS
    for row in faces:
        place = min(BINS - 1, int((row[measure.column] - low) / (high - low) * BINS))
        (kept if row["verdict"] == "accept" else rejected)[place] += 1
    threshold = summary["selection"]["policy"].get(measure.threshold)
    drawing = _Drawing(low, high, max(map(sum, zip(kept, rejected, strict=True)), default=0))
    bars = "".join(drawing.bar(place, kept[place], rejected[place]) for place in range(BINS))
    line = drawing.threshold(threshold) if threshold is not None and low <= threshold <= high else ""
    numbers = summary["measures"].get(measure.column, {})
    spread = ", ".join(f"{name} {value:.{measure.decimals}f}" for name, value in numbers.items())
    label = f"Histogram of {measure.title}, {measure.note}. {spread}"
    cells = "".join(
        f"<tr><th scope=row>{name}</th><td class=number>{value:.{measure.decimals}f}</td></tr>"
        for name, value in numbers.items()
    )
    return (
        f"<figure><figcaption><b>{measure.title}</b> <span class=quiet>{measure.note}</span></figcaption>"
        f"<svg viewBox='0 0 {WIDTH} {HEIGHT}' role=img aria-label='{escape(label)}'>"
        f"{drawing.axes(measure.decimals)}{bars}{line}</svg>"
        f"<details><summary>numbers</summary><table class=narrow>{cells}</table></details></figure>"
    )


def _axis(measure: Measure, values: Sequence[float]) -> tuple[float, float]:
    """The ends of an axis: the measure's own, wider where another metric has values beyond them."""
    low, high = min([measure.lowest, *values]), max([measure.highest, *values])
    return (low, high) if high > low else (low, low + 1)


WIDTH, HEIGHT = 360, 190
LEFT, RIGHT, TOP, BOTTOM = 40, 14, 14, 24


class _Drawing:
    """A histogram's coordinates."""

    def __init__(self, low: float, high: float, most: int):
        self._low, self._high, self._most = low, high, max(1, most)

    def x(self, value: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (value - self._low) / (self._high - self._low)

    def y(self, count: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * count / self._most

    def bar(self, place: int, kept: int, rejected: int) -> str:
        if not kept + rejected:
            return ""
        step = (self._high - self._low) / BINS
        start, end = self._low + place * step, self._low + (place + 1) * step
        x, width = self.x(start) + 0.5, self.x(end) - self.x(start) - 1
        pieces = ((kept, 0, "kept"), (rejected, kept, "rejected"))
        rectangles = "".join(
            f"<rect class={kind} x={x:.1f} y={self.y(below + count):.1f} width={width:.1f} "
            f"height={self.y(below) - self.y(below + count):.1f} />"
            for count, below, kind in pieces
            if count
        )
        return f"<g><title>{start:.3g} to {end:.3g}: {kept} kept, {rejected} rejected</title>{rectangles}</g>"

    def threshold(self, value: float) -> str:
        x = self.x(value)
        anchor = "end" if x > WIDTH / 2 else "start"
        return (
            f"<line class=threshold x1={x:.1f} x2={x:.1f} y1={TOP - 4} y2={HEIGHT - BOTTOM} />"
            f"<text class=threshold x={x + (-4 if anchor == 'end' else 4):.1f} y={TOP + 4} "
            f"text-anchor={anchor}>{value:g}</text>"
        )

    def axes(self, decimals: int) -> str:
        marks = "".join(
            f"<text x={self.x(value):.1f} y={HEIGHT - 8} text-anchor=middle>{value:g}</text>"
            for value in _ticks(self._low, self._high)
        )
        counts = "".join(
            f"<line class=grid x1={LEFT} x2={WIDTH - RIGHT} y1={self.y(count):.1f} y2={self.y(count):.1f} />"
            f"<text x={LEFT - 5} y={self.y(count) + 4:.1f} text-anchor=end>{count:,g}</text>"
            for count in _ticks(0, self._most, whole=True)
        )
        return counts + marks


def _ticks(low: float, high: float, whole: bool = False) -> list[float]:
    """Three to six round numbers between two values."""
    step = 10 ** math.floor(math.log10((high - low) / 2))
    step = next(step * factor for factor in (1, 2, 2.5, 5, 10) if (high - low) / (step * factor) <= 5)
    if whole:
        step = max(1, math.ceil(step))
    first = math.ceil(low / step - 1e-9)
    return [round(number * step, 10) for number in range(first, math.floor(high / step + 1e-9) + 1)]


SCATTER_WIDTH, SCATTER_HEIGHT = 360, 330


def _scatter(rows: Sequence[Row], summary: Mapping[str, Any]) -> str:
    faces = [row for row in rows if row["ser_fiq"] is not None]
    if not faces:
        return "<p>No face was found.</p>"
    drawn = faces[:: math.ceil(len(faces) / MOST_POINTS)]
    policy = summary["selection"]["policy"]
    low, high = _axis(MEASURES[2], [row["dbcnn"] for row in faces])
    width, height = SCATTER_WIDTH - LEFT - RIGHT, SCATTER_HEIGHT - TOP - 38

    def x(ser_fiq: float) -> float:
        return LEFT + width * ser_fiq

    def y(dbcnn: float) -> float:
        return TOP + height * (high - dbcnn) / (high - low)

    grid = "".join(
        f"<line class=grid x1={LEFT} x2={LEFT + width} y1={y(value):.1f} y2={y(value):.1f} />"
        f"<text x={LEFT - 5} y={y(value) + 4:.1f} text-anchor=end>{value:g}</text>"
        for value in _ticks(low, high)
    ) + "".join(
        f"<line class=grid x1={x(value):.1f} x2={x(value):.1f} y1={TOP} y2={TOP + height} />"
        f"<text x={x(value):.1f} y={TOP + height + 16} text-anchor=middle>{value:g}</text>"
        for value in _ticks(0, 1)
    )
    points = "".join(_point(x(row["ser_fiq"]), y(row["dbcnn"]), row["verdict"] == "accept") for row in drawn)
    gate = x(policy["ser_fiq_threshold"])
    lines = f"<line class=threshold x1={gate:.1f} x2={gate:.1f} y1={TOP} y2={TOP + height} />" + _cafi_line(
        policy, x, y, low, high
    )
    of_all = "" if len(drawn) == len(faces) else f" {len(drawn):,} of {len(faces):,} faces are drawn."
    label = f"Scatter plot of SER-FIQ and DBCNN: kept faces are circles, rejected ones crosses.{of_all}"
    quadrants = _quadrants(faces, policy)
    return (
        "<p class=legend><span class=kept>kept &#9679;</span> <span class=rejected>rejected &#215;</span></p>"
        f"<div class=figures><figure><svg viewBox='0 0 {SCATTER_WIDTH} {SCATTER_HEIGHT}' role=img "
        f"aria-label='{escape(label)}'>{grid}{points}{lines}"
        f"<text x={LEFT + width / 2} y={SCATTER_HEIGHT - 4} text-anchor=middle>SER-FIQ</text>"
        f"<text x={LEFT} y={TOP - 4}>DBCNN</text></svg>"
        f"<figcaption class=quiet>The lines are the SER-FIQ gate and the CAFI threshold.{of_all}</figcaption>"
        f"</figure><div>{quadrants}</div></div>"
    )


def _point(x: float, y: float, kept: bool) -> str:
    if kept:
        return f"<circle class=kept cx={x:.1f} cy={y:.1f} r=2.6 />"
    return f"<path class=rejected d='M{x - 2.2:.1f} {y - 2.2:.1f}l4.4 4.4m0 -4.4l-4.4 4.4' />"


def _cafi_line(policy: Mapping[str, float], x: Any, y: Any, low: float, high: float) -> str:
    """The line on which CAFI equals its threshold, as far as it crosses the plot."""
    weight, other = policy["dbcnn_weight"], policy["ser_fiq_weight"]
    target = policy["cafi_threshold"] * (weight + other)
    if weight == 0:
        ends = [(target / (100 * other), value) for value in (low, high)]
    else:
        ends = [
            (s, (target - 100 * other * s) / weight) for s in _crossings(target, weight, other, low, high)
        ]
    if len(ends) < 2 or not 0 <= ends[0][0] <= 1:
        return ""
    (x1, y1), (x2, y2) = ends[0], ends[-1]
    return f"<line class=threshold x1={x(x1):.1f} y1={y(y1):.1f} x2={x(x2):.1f} y2={y(y2):.1f} />"


def _crossings(target: float, weight: float, other: float, low: float, high: float) -> list[float]:
    """Where that line enters and leaves the plot, in SER-FIQ."""
    if other == 0:
        return [0.0, 1.0] if low <= target / weight <= high else []
    ends = sorted((target - weight * value) / (100 * other) for value in (low, high))
    start, end = max(0.0, ends[0]), min(1.0, ends[1])
    return [start, end] if start < end else []


def _quadrants(faces: Sequence[Row], policy: Mapping[str, float]) -> str:
    """How many faces each of the two metrics alone would pass."""
    counts = {(a, b): 0 for a in (True, False) for b in (True, False)}
    for row in faces:
        recognised = row["ser_fiq"] >= policy["ser_fiq_threshold"]
        counts[recognised, row["dbcnn"] >= policy["cafi_threshold"]] += 1
    bound, limit = policy["ser_fiq_threshold"], policy["cafi_threshold"]
    return (
        "<table class=narrow><thead><tr><td></td>"
        f"<th scope=col class=number>SER-FIQ below {bound:g}</th>"
        f"<th scope=col class=number>{bound:g} or more</th></tr></thead>"
        f"<tr><th scope=row>DBCNN {limit:g} or more</th><td class=number>{counts[False, True]:,}</td>"
        f"<td class=number>{counts[True, True]:,}</td></tr>"
        f"<tr><th scope=row>DBCNN below {limit:g}</th><td class=number>{counts[False, False]:,}</td>"
        f"<td class=number>{counts[True, False]:,}</td></tr></table>"
    )


def _galleries(rows: Sequence[Row]) -> list[tuple[str, str, list[Row]]]:
    """Title, note and faces of each row of thumbnails."""
    kept = sorted((row for row in rows if row["verdict"] == "accept"), key=lambda row: -row["cafi"])
    rejected = [row for row in rows if row["verdict"] == "reject" and row["ser_fiq"] is not None]
    scored = sorted((row for row in rejected if row["cafi"] is not None), key=lambda row: row["cafi"])
    gated = sorted((row for row in rejected if row["cafi"] is None), key=lambda row: row["ser_fiq"])
    return [
        ("The best faces", "Kept, the highest CAFI first.", kept[:SHOWN]),
        (
            "The last faces kept",
            "Kept, the lowest CAFI first.",
            kept[::-1][: min(SHOWN, max(0, len(kept) - SHOWN))],
        ),
        ("The worst picture quality", "Rejected by CAFI only, the lowest first.", scored[:SHOWN]),
        ("Stopped by a gate", "Rejected before the score, the lowest SER-FIQ first.", gated[:SHOWN]),
    ]


def _gallery(note: str, faces: Iterable[Row], thumbnails: Thumbnails) -> str:
    cards = "".join(_card(row, thumbnails.get((row["image"], row["face_index"]))) for row in faces)
    return f"<p class=quiet>{note}</p><ul class=gallery>{cards}</ul>"


def _card(row: Row, jpeg: bytes | None) -> str:
    name = escape(row["image"], quote=True)
    picture = "<div class=missing>no picture</div>"
    if jpeg is not None:
        data = base64.b64encode(jpeg).decode()
        picture = f"<img src='data:image/jpeg;base64,{data}' alt='Face in {name}' width=160 height=160>"
    short = name.rsplit("/", 1)[-1]
    score = "-" if row["cafi"] is None else f"{row['cafi']:.1f}"
    numbers = f"CAFI {score} · SER-FIQ {row['ser_fiq']:.2f} · DBCNN {row['dbcnn']:.1f}"
    reasons = ", ".join(REASON_NAMES[code] for code in (row["reasons"] or "").split())
    why = f"<span class=rejected>{reasons}</span>" if reasons else ""
    return f"<li>{picture}<b title='{name}'>{short}</b><span>{numbers}</span>{why}</li>"


def _settings(summary: Mapping[str, Any]) -> str:
    settings, selection = summary["settings"], summary["selection"]
    values = {
        **selection["policy"],
        **{name: selection[name] for name in ("keep_top", "keep_fraction") if selection[name] is not None},
        "all_faces": settings["all_faces"],
        "models": settings["models"],
        **({"iqa": settings["iqa"]} if settings["iqa"] else {}),
        "faceqa": settings["version"],
    }
    lines = "".join(
        f"<tr><th scope=row>{escape(name)}</th><td>{escape(str(value))}</td></tr>"
        for name, value in values.items()
    )
    return f"<table class=narrow>{lines}</table>"


STYLE = """
:root { color-scheme: light dark; --ink: #1b2130; --quiet: #5a6274; --page: #f6f7f9; --card: #ffffff;
  --line: #d9dde5; --kept: #1f7a8c; --rejected: #c4562d; --threshold: #1b2130; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8ebf1; --quiet: #a2abbd; --page: #14171d;
  --card: #1d2129; --line: #363c48; --kept: #58b6c9; --rejected: #ee8a5f; --threshold: #e8ebf1; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 16px; }
h1 { font-size: 1.7rem; margin: 12px 0 0; } h2 { font-size: 1.2rem; margin: 0 0 10px; }
h3 { font-size: 1rem; margin: 22px 0 0; } p { margin: 4px 0 10px; }
header p { overflow-wrap: anywhere; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 18px;
  margin: 16px 0; }
.quiet { color: var(--quiet); font-weight: normal; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(110px, 1fr)); gap: 10px; }
.tile { border: 1px solid var(--line); border-radius: 8px; padding: 10px 14px; }
.tile strong { display: block; font-size: 1.6rem; line-height: 1.2; font-variant-numeric: tabular-nums; }
.tile span { color: var(--quiet); }
.tile.kept strong, span.kept { color: var(--kept); }
.tile.rejected strong, span.rejected { color: var(--rejected); }
.share { height: 12px; border-radius: 6px; background: var(--rejected); overflow: hidden;
  margin: 16px 0 4px; }
.share i { display: block; height: 100%; background: var(--kept); }
.legend span { margin-right: 14px; font-weight: 600; }
table { border-collapse: collapse; width: 100%; } table.narrow { width: auto; min-width: 220px; }
th, td { text-align: left; padding: 5px 12px 5px 0; border-bottom: 1px solid var(--line); font-weight: normal;
  vertical-align: top; }
thead th { color: var(--quiet); font-size: .87rem; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
td.bar { width: 30%; vertical-align: middle; } td.bar i { display: block; height: 10px; border-radius: 3px;
  background: var(--rejected); }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 400px), 1fr)); gap: 22px; }
figure { margin: 0; min-width: 0; } figcaption { font-size: .92rem; margin-bottom: 4px; }
svg { width: 100%; height: auto; display: block; } svg text { font-size: 11px; fill: var(--quiet); }
svg .grid { stroke: var(--line); stroke-width: 1; }
svg text.threshold { fill: var(--threshold); font-weight: 700; }
svg line.threshold { stroke: var(--threshold); stroke-width: 1.5; stroke-dasharray: 5 3; }
rect.kept, circle.kept { fill: var(--kept); } rect.rejected { fill: var(--rejected); }
circle.kept { fill-opacity: .75; } path.rejected { stroke: var(--rejected); stroke-width: 1.3; fill: none; }
details { margin-top: 4px; } summary { cursor: pointer; color: var(--quiet); font-size: .9rem; }
.gallery { list-style: none; margin: 0; padding: 0; display: grid; gap: 14px;
  grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); }
.gallery li { font-size: .85rem; line-height: 1.4; min-width: 0; }
.gallery img, .missing { width: 100%; height: auto; aspect-ratio: 1; border-radius: 8px; display: block;
  background: var(--line); margin-bottom: 6px; }
.missing { display: grid; place-items: center; color: var(--quiet); }
.gallery b, .gallery span { display: block; } .gallery b { overflow: hidden; text-overflow: ellipsis;
  white-space: nowrap; font-weight: 600; }
@media (max-width: 560px) { .advice { display: none; } section { padding: 14px; } main { padding: 10px; }
  .gallery { grid-template-columns: repeat(2, minmax(0, 1fr)); } }
@media print { section { break-inside: avoid; } }
"""
