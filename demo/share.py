"""The picture that a visitor shares: a face, its verdict and why, as a PNG of the size of link previews."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import gradio as gr
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from demo import pieces, plots
from demo.wording import text
from faceqa import Assessment, Policy
from faceqa.languages import Language
from faceqa.measures.registry import SCORE

SIZE = (1200, 630)
SMOOTH = 2
"""So many times larger it is drawn and then reduced, so that its edges are smooth."""

LEFT, RIGHT = 52, 1152
TOP = 112
"""px of the content's edges, below the product's name."""

PICTURE_SIDE = 288
GAP = 16
SAID = LEFT + 2 * (PICTURE_SIDE + GAP) + 20
"""px of the left edge of what is said of the pictures."""

LINES = 3
"""Of the first reason; what does not fit is cut off."""

INK, QUIET, RULE, GROUND = "#0f172a", "#475569", "#cbd5e1", "#ffffff"
TONES = {"accept": "#15803d", "reject": "#c81e1e", "error": "#b45309", "skipped": "#94a3b8"}
PALE = {"accept": "#86c79b", "reject": "#e9a3a3"}
BRAND = "#2563eb"

MARKS = {"accept": (((5, 13), (10, 18), (20, 7)),), "reject": (((6, 6), (18, 18)), ((18, 6), (6, 18)))}
"""The strokes of a tick and of a cross, in a square of 24."""

LOGO = (
    *(((9, 15), (9, 9), (15, 9)), ((25, 9), (31, 9), (31, 15))),
    *(((31, 25), (31, 31), (25, 31)), ((15, 31), (9, 31), (9, 25))),
    ((14, 20.5), (18.5, 25), (26.5, 16)),
)
"""The strokes of `assets/logo.svg`, in a square of 40."""

LATIN = Path(gr.__file__).parent / "templates/frontend/static/fonts/IBMPlexSans"
"""The page's own letters, which Gradio brings along; they have no Hangul."""

HANGUL = (
    ("NanumGothic.ttf", "NanumGothicBold.ttf"),
    ("NotoSansCJK-Regular.ttc", "NotoSansCJK-Bold.ttc"),
    ("AppleSDGothicNeo.ttc", "AppleSDGothicNeo.ttc"),
    ("malgun.ttf", "malgunbd.ttf"),
)
"""Fonts of systems, regular and bold; the first that is installed is taken."""


@cache
def font_files(language: Language) -> tuple[str, str] | None:
    """The regular and the bold font for a language; None where this machine has none."""
    if language == "en":
        return str(LATIN / "IBMPlexSans-Regular.woff2"), str(LATIN / "IBMPlexSans-Bold.woff2")
    return next((pair for pair in HANGUL if all(_is_installed(name) for name in pair)), None)


def _is_installed(name: str) -> bool:
    try:
        ImageFont.truetype(name)
    except OSError:
        return False
    return True


def spoken(language: Language) -> Language:
    """The language of the picture: English where this machine has no letters for the page's own."""
    return language if font_files(language) else "en"


def picture(
    assessment: Assessment,
    pictures: Mapping[str, str],
    policy: Policy,
    language: Language,
    non_commercial: bool = False,
) -> bytes:
    """A PNG of `SIZE` whose description says what it shows.

    Args:
        assessment: Of a face, with its reasons in `language`.
        pictures: Data URLs by name; `plain`, the face, and `masked_file`, the part of it that is scored.
        policy: That the verdict goes by.
        language: One for which there are fonts, see `spoken`.
        non_commercial: Whether the models may not be used commercially, which the picture then says.
    """
    drawn = _Drawing(language)
    tone = TONES[assessment.verdict]
    word, why = text(assessment.verdict, language), _why(assessment, language)
    score = "–" if assessment.cafi is None else SCORE.text(assessment.cafi)

    drawn.box(0, 0, 16, SIZE[1], tone)
    drawn.logo(LEFT, 34, 48)
    drawn.write(LEFT + 62, 58, "faceqa", 34, bold=True)
    drawn.write(RIGHT, 60, text("tagline", language), 20, QUIET, "rm")
    for place, (name, said) in enumerate({"plain": "share.face", "masked_file": "share.masked"}.items()):
        x = LEFT + place * (PICTURE_SIDE + GAP)
        drawn.paste(x, TOP, PICTURE_SIDE, _opened(pictures[name]))
        drawn.write(x, TOP + PICTURE_SIDE + 20, text(said, language), 18, QUIET)

    drawn.mark(SAID, TOP, 68, assessment.verdict)
    drawn.write(SAID + 86, TOP + 34, word, 58, tone, bold=True)
    for line, words in enumerate(drawn.wrapped(why, RIGHT - SAID, 21, LINES)):
        drawn.write(SAID, TOP + 102 + 29 * line, words, 21)
    drawn.write(SAID, TOP + 226, score, 62, bold=True)
    _scale(drawn, assessment.cafi, policy, language)
    _strip(drawn, assessment, policy, language)
    drawn.write(LEFT, 600, text("share.cafi", language), 16, QUIET)
    if non_commercial:
        drawn.write(RIGHT, 600, text("share.non_commercial", language), 16, TONES["error"], "rm", bold=True)
    return drawn.png(f"faceqa: {word}. {SCORE.title.in_language(language)} {score}. {why}")


def _opened(url: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).convert("RGB")


def _why(assessment: Assessment, language: Language) -> str:
    return assessment.reasons[0].message if assessment.reasons else text("verdict.accept", language)


def _scale(drawn: _Drawing, score: float | None, policy: Policy, language: Language) -> None:
    """The score's scale, red below the threshold and green above, with the score's place on it."""
    left, right, y, limit = SAID + 172, RIGHT, TOP + 220, plots.limit_of(SCORE, policy)
    threshold = left + (right - left) * plots.share_of(SCORE, limit)
    drawn.box(left, y, threshold, y + 14, PALE["reject"])
    drawn.box(threshold, y, right, y + 14, PALE["accept"])
    drawn.box(threshold - 1.5, y - 12, threshold + 1.5, y + 44, INK)
    is_far = 100 * plots.share_of(SCORE, limit) > pieces.SCALE_EDGE
    needed = text("scale.needed", language, limit=SCORE.limit_text(limit, language))
    drawn.write(threshold + (-8 if is_far else 8), y + 38, needed, 17, INK, "rm" if is_far else "lm")
    if score is None:
        drawn.write(left, y - 26, text("verdict.no_cafi", language), 17, QUIET)
        return
    place = left + (right - left) * plots.share_of(SCORE, score)
    drawn.disc(place, y + 7, 15, TONES["accept" if SCORE.passes(score, limit) else "reject"])
    drawn.disc(place, y + 7, 6, GROUND)


def _strip(drawn: _Drawing, assessment: Assessment, policy: Policy, language: Language) -> None:
    """Every gate and the score: what was measured, what is asked for, and whether it is kept."""
    rows = pieces.gates(assessment)
    width = (RIGHT - LEFT - GAP * (len(rows) - 1)) / len(rows)
    for place, row in enumerate(rows):
        x, y = LEFT + place * (width + GAP), 462
        kind = pieces.kept(row, assessment, policy)
        drawn.box(x, y, x + width, y + 106, GROUND, RULE)
        drawn.box(x, y + 101, x + width, y + 106, TONES[kind])
        drawn.write(x + 14, y + 22, row.title.in_language(language), 17, QUIET)
        if kind != "skipped":
            drawn.mark(x + 14, y + 41, 24, kind)
        value = row.text(getattr(assessment, row.name), language)
        drawn.write(x + (46 if kind != "skipped" else 14), y + 53, value, 25, bold=True)
        drawn.write(x + 14, y + 84, pieces.bound(row, policy, language), 16, QUIET)


class _Drawing:
    """A picture of `SIZE`, drawn larger; every length is in px of the result."""

    def __init__(self, language: Language) -> None:
        files = font_files(language)
        assert files is not None
        self._files = files
        self._picture = Image.new("RGB", (SMOOTH * SIZE[0], SMOOTH * SIZE[1]), GROUND)
        self._draw = ImageDraw.Draw(self._picture)

    def box(self, x1: float, y1: float, x2: float, y2: float, fill: str, rule: str | None = None) -> None:
        corners = [SMOOTH * value for value in (x1, y1, x2, y2)]
        self._draw.rounded_rectangle(corners, 4 * SMOOTH, fill, rule, SMOOTH)

    def disc(self, x: float, y: float, radius: float, fill: str) -> None:
        self._draw.circle((SMOOTH * x, SMOOTH * y), SMOOTH * radius, fill)

    def mark(self, x: float, y: float, side: float, kind: str) -> None:
        """A tick or a cross on a disc."""
        self.disc(x + side / 2, y + side / 2, side / 2, TONES[kind])
        strokes = MARKS["accept" if kind == "accept" else "reject"]
        self._strokes(x + 0.12 * side, y + 0.12 * side, 0.76 * side / 24, strokes, 3.2)

    def logo(self, x: float, y: float, side: float) -> None:
        corners = [SMOOTH * value for value in (x, y, x + side, y + side)]
        self._draw.rounded_rectangle(corners, SMOOTH * side / 4, BRAND)
        self._strokes(x, y, side / 40, LOGO, 2.8)

    def _strokes(
        self,
        x: float,
        y: float,
        unit: float,
        strokes: Sequence[Sequence[tuple[float, float]]],
        width: float,
    ) -> None:
        for stroke in strokes:
            points = [(SMOOTH * (x + unit * px), SMOOTH * (y + unit * py)) for px, py in stroke]
            self._draw.line(points, GROUND, round(SMOOTH * unit * width), "curve")

    def paste(self, x: float, y: float, side: int, picture: Image.Image) -> None:
        whole = (SMOOTH * side, SMOOTH * side)
        self._picture.paste(
            picture.resize(whole, Image.Resampling.LANCZOS), (round(SMOOTH * x), SMOOTH * round(y))
        )

    def write(
        self, x: float, y: float, said: str, size: int, ink: str = INK, anchor: str = "lm", bold: bool = False
    ) -> None:
        self._draw.text((SMOOTH * x, SMOOTH * y), said, ink, self._font(size, bold), anchor)

    def wrapped(self, said: str, width: float, size: int, most: int) -> list[str]:
        """The lines of a sentence, at most so many; the last one ends in dots where something is left."""
        font, lines = self._font(size), [""]
        for word in said.split():
            longer = f"{lines[-1]} {word}".strip()
            if font.getlength(longer) <= SMOOTH * width or not lines[-1]:
                lines[-1] = longer
            else:
                lines.append(word)
        return lines if len(lines) <= most else [*lines[: most - 1], f"{lines[most - 1]} …"]

    def _font(self, size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
        return ImageFont.truetype(self._files[bold], SMOOTH * size)

    def png(self, description: str) -> bytes:
        about = PngInfo()
        about.add_itxt("Description", description)
        file = io.BytesIO()
        self._picture.resize(SIZE, Image.Resampling.LANCZOS).save(file, "PNG", pnginfo=about)
        return file.getvalue()
