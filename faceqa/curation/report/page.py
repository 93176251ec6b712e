"""Rows and their summary -> what the template of the report is filled with."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from hashlib import sha256
from importlib.resources import files
from typing import Any, NamedTuple

from markupsafe import Markup

from faceqa import weights
from faceqa.curation.report import figures, films
from faceqa.curation.report.figures import Collecting, Steps
from faceqa.curation.report.films import Films
from faceqa.curation.report.template import template
from faceqa.curation.report.wording import FIGURE_WORDS, PAGE_WORDS, ROLES
from faceqa.curation.selection import NOT_AMONG_BEST, Levelled, Summary
from faceqa.curation.settings import Settings
from faceqa.curation.table import Row
from faceqa.curation.thumbnails import Key, data_url, key
from faceqa.languages import LANGUAGES, Language, Words
from faceqa.measures.registry import COMPONENTS, GATED, MEASURES, SCORE, Component, Measure, replacements
from faceqa.types import Decision
from faceqa.verdict.causes import CAUSES
from faceqa.verdict.policy import SETTINGS, Policy, Setting
from faceqa.verdict.reasons import WORDINGS, cause_advice, cause_title

MOST_SHOWN = 10_000
"""Faces, and images without one, on the page. With the pictures of so many it has 40 MB at most."""

MOST_SOURCES = 3
"""Named in the page's heading."""

_SCRIPT, _STYLE = (
    files(__package__).joinpath(name).read_text(encoding="utf-8") for name in ("report.js", "report.css")
)


_LIMITED = {row.gate.reason: row for row in (*GATED, SCORE) if row.gate is not None}
"""The measures by the reasons of their gates."""

_SCALES = {
    **{code: row.name for code, row in _LIMITED.items()},
    **{row.reason: row.column for row in COMPONENTS},
}
"""What `report.js` calls the measure or the quality component behind a reason."""

_CAUSES = {
    name: tuple(
        Words(*(told(name, language) for language in LANGUAGES)) for told in (cause_title, cause_advice)
    )
    for name in CAUSES
}
"""Title and advice of each cause."""

_SCORE_REASON = next(code for code, row in _LIMITED.items() if row is SCORE)
_SCORE_SETTING = next(setting for setting in SETTINGS if setting.measure is SCORE)


class Entry(NamedTuple):
    """A face, or an image without one, as `report.js` reads it.

    Attributes:
        image: The image's name.
        number: Of the face, from 1; None where the image shows no other, or none.
        faces: How many faces the image shows.
        verdict: The run's.
        score: CAFI; None where a gate failed.
        values: The measures, in the order of the registry.
        components: The quality components, likewise; empty without a face.
        reasons: Codes.
        causes: The likely causes of a low score, strongest first.
        pose: Pitch and roll in degrees.
        size: Width and height of the image in px.
        eyes: Inter-eye distance in px.
        duplicate_of: Name of the image with a better face that is nearly the same.
        error: What went wrong, in a sentence.
        picture: A data URL.
    """

    image: str
    number: int | None
    faces: int
    verdict: Decision
    score: float | None
    values: tuple[float | None, ...]
    components: tuple[int | None, ...]
    reasons: tuple[str, ...]
    causes: tuple[str, ...]
    pose: tuple[float, float] | None
    size: tuple[int, int] | None
    eyes: float | None
    duplicate_of: str | None
    error: str | None
    picture: str | None


@dataclass(frozen=True, slots=True)
class Counts:
    """How many there are, of all that was assessed.

    Attributes:
        images: Images.
        faces: Faces: kept and rejected ones.
        kept: Faces.
        rejected: Faces.
        faceless: Images without a face.
        errors: Images that could not be assessed.
    """

    images: int
    faces: int
    kept: int
    rejected: int
    faceless: int
    errors: int

    @classmethod
    def of(cls, summary: Summary) -> Counts:
        """Those of a summary, which counts an image without a face among the rejected."""
        rejected = summary.faces - summary.accepted
        faceless = summary.rejected - rejected
        return cls(summary.images, summary.faces, summary.accepted, rejected, faceless, summary.errors)

    @property
    def total(self) -> int:
        """Of the rows."""
        return self.faces + self.faceless + self.errors

    @property
    def percent(self) -> str:
        """Of the faces, those that are kept."""
        return f"{100 * self.kept / self.faces:.0f}" if self.faces else "0"


def evenly(number: int, of: int, most: int = MOST_SHOWN) -> bool:
    """Whether the row of this number, from 0, is among `most` evenly spaced ones of all."""
    return of <= most or (number + 1) * most // of > number * most // of


def render(
    settings: Settings,
    summary: Summary,
    shown: Sequence[Row],
    pictures: Mapping[Key, bytes],
    collected: Collecting,
    videos: Films,
    day: date,
    language: Language,
) -> Iterator[str]:
    """The report, piece by piece.

    Args:
        settings: Of the run.
        summary: Of all rows.
        shown: The rows that the page shows, at most `MOST_SHOWN`.
        pictures: Of their faces; one that is missing is shown by its name only.
        collected: All rows, as figures.
        videos: The videos among the rows.
        day: Of the run.
        language: In which the page opens.

    Yields:
        Pieces of an HTML document without any reference to another file.
    """
    script, style = figures.SCRIPT + _SCRIPT, figures.STYLE + films.STYLE + _STYLE
    policy = summary.selection.policy
    paths = settings.told()["paths"]
    return template("report.html.jinja").generate(
        language=language,
        languages=LANGUAGES,
        words=PAGE_WORDS,
        figure_words=FIGURE_WORDS,
        reason_words=WORDINGS,
        script=Markup(script),
        style=Markup(style),
        script_hash=_hash(script),
        style_hash=_hash(style),
        sources=paths[:MOST_SOURCES],
        more_sources=len(paths) - MOST_SOURCES,
        summary=summary,
        counts=Counts.of(summary),
        reasons=_reasons(summary),
        causes=[(name, count, *_CAUSES[name]) for name, count in summary.causes.items()],
        score_label=_SCORE_SETTING.label,
        score_limit=getattr(policy, _SCORE_SETTING.name),
        measures=[row for row in (SCORE, *MEASURES) if row.name in summary.measures],
        components=[row for row in COMPONENTS if row.name in summary.components],
        limits=[*_limits(summary), *_minimums(policy)],
        run=_run(settings, summary, day),
        shown=len(shown),
        films=list(videos.shown(pictures)),
        films_left_out=videos.left_out,
        data=_data(summary, collected, language),
        entries=_entries(shown, pictures),
    )


def _entries(rows: Iterable[Row], pictures: Mapping[Key, bytes]) -> Iterator[Entry]:
    for row in rows:
        picture = pictures.get(key(row))
        numbered = row.face_index is not None and row.faces_found > 1
        yield Entry(
            row.image,
            (row.face_index or 0) + 1 if numbered else None,
            row.faces_found,
            row.verdict,
            row.cafi,
            tuple(row.scores.get(measure.name) for measure in MEASURES),
            tuple(row.components.get(one.name) for one in COMPONENTS) if row.components else (),
            row.reasons,
            row.causes,
            None if row.roll is None else (row.pitch or 0.0, row.roll),
            None if row.width is None else (row.width, row.height or 0),
            row.inter_eye_distance,
            row.duplicate_of,
            row.error,
            None if picture is None else data_url(picture),
        )


def _data(summary: Summary, collected: Collecting, language: Language) -> dict[str, Any]:
    """What `report.js` needs beside the entries."""
    steps = collected.steps() if summary.passing else None
    return {
        "language": language,
        "languages": LANGUAGES,
        "words": PAGE_WORDS,
        "fields": Entry._fields,
        "measures": [_measure(row, summary) for row in MEASURES],
        "components": [_component(row, summary) for row in COMPONENTS],
        "score": _measure(SCORE, summary),
        "score_reason": _SCORE_REASON,
        "reasons": {
            code: {
                "short": words.short,
                "message": words.message,
                "advice": words.advice,
                "measure": _SCALES.get(code),
                "stays": code not in (_SCORE_REASON, NOT_AMONG_BEST),
            }
            for code, words in WORDINGS.items()
        },
        "causes": {name: {"title": title, "advice": advice} for name, (title, advice) in _CAUSES.items()},
        "counts": {"faces": summary.faces, "kept": summary.accepted},
        "reason_counts": summary.reasons,
        "limited": _keeps_best_only(summary),
        "steps": steps and asdict(steps),
        "slider_step": steps and _slider_step(steps),
        "figures": collected.to_dict(language),
    }


def _measure(row: Measure, summary: Summary) -> dict[str, Any]:
    stands_in = replacements(summary.measures).get(row.name)
    return {
        "name": row.name,
        "title": row.title,
        "meaning": row.meaning,
        "unit": row.unit,
        "shown": row.shown,
        "higher_is_better": row.higher_is_better,
        "signed": row.signed,
        "limit": summary.limits.get(row.name),
        "replaced": None if stands_in is None else stands_in.title,
    }


def _component(row: Component, summary: Summary) -> dict[str, Any]:
    """As `_measure`: a component is read like one."""
    return {
        "name": row.column,
        "title": row.title,
        "meaning": row.meaning,
        "unit": "",
        "shown": 0,
        "higher_is_better": True,
        "signed": False,
        "limit": summary.selection.policy.minimums.get(row.name),
        "replaced": None,
    }


def _reasons(summary: Summary) -> list[tuple[str, int]]:
    """Codes and counts; the score's is among them, as the slider may bring it about."""
    codes = dict(summary.reasons)
    if summary.passing:
        codes.setdefault(_SCORE_REASON, 0)
    return list(codes.items())


def _keeps_best_only(summary: Summary) -> bool:
    return summary.selection.keep_top is not None or summary.selection.keep_fraction is not None


def _slider_step(steps: Steps) -> float:
    """The demo's; finer or wider where another metric brings its scale along."""
    usual = (steps.low, steps.high) == SCORE.axis
    return _SCORE_SETTING.slider[2] if usual else (steps.high - steps.low) / 200


def _limits(summary: Summary) -> list[tuple[Words, Words]]:
    """The settings that count, and their values."""
    return [
        (setting.label, _setting(setting, summary.selection.policy))
        for setting in SETTINGS
        if setting.is_weight or setting.measure.name in summary.limits
    ]


def _minimums(policy: Policy) -> list[tuple[Words, Words]]:
    """The quality components that are asked for, and their lowest values."""
    return [
        (_of_component("minimum", row), _same(f"{policy.minimums[row.name]:g}"))
        for row in COMPONENTS
        if row.name in policy.minimums
    ]


def _of_component(name: str, row: Component) -> Words:
    pairs = zip(PAGE_WORDS[name], row.title, strict=True)
    return Words(*(words.format(component=title) for words, title in pairs))


def _setting(setting: Setting, policy: Policy) -> Words:
    """The value of a setting in each language."""
    value = getattr(policy, setting.name)
    if setting.is_weight:
        return _same(f"{value:g}")
    return Words(*(setting.measure.limit_text(value, language) for language in LANGUAGES))


def _run(settings: Settings, summary: Summary, day: date) -> list[tuple[Words, Words]]:
    """What is said of the run: names and values."""
    selection = summary.selection
    lines = [(PAGE_WORDS["date"], _same(day.isoformat()))]
    if selection.keep_top is not None:
        lines.append((PAGE_WORDS["keep_top"], _filled("keep_top.value", count=f"{selection.keep_top:,}")))
    if selection.keep_fraction is not None:
        percent = f"{100 * selection.keep_fraction:g}"
        lines.append((PAGE_WORDS["keep_top"], _filled("keep_fraction.value", percent=percent)))
    lines.append((PAGE_WORDS["scope"], PAGE_WORDS["scope.all" if settings.all_faces else "scope.largest"]))
    if summary.groups:
        kept = "duplicates.best" if selection.unique else "duplicates.all"
        lines.append((PAGE_WORDS["duplicates"], PAGE_WORDS[kept]))
    if summary.levelled is not None:
        lines.append((PAGE_WORDS["levelled"], _levelled(summary.levelled)))
    lines.append((PAGE_WORDS["models"], _same(settings.models)))
    lines += [(ROLES[role], _same(name)) for role, name in _models(settings).items()]
    lines.append((PAGE_WORDS["weights"], _same(settings.weights)))
    lines.append((PAGE_WORDS["version"], _same(settings.version)))
    return lines


def _levelled(levelled: Levelled) -> Words:
    if levelled.why_not is not None:
        return PAGE_WORDS["levelled.not"]
    return _filled("levelled.by", faces=f"{levelled.faces:,}", people=f"{levelled.people:,}")


def _models(settings: Settings) -> dict[str, str]:
    """The networks by role; nothing where this faceqa has others than the run had."""
    if settings.weights != weights.fingerprint(settings.models):
        return {}
    names = {
        str(one.role): one.name
        for one in weights.manifest()
        if one.role in ROLES and one.form == "source" and one.models in (settings.models, "both")
    }
    return {**names, **({"iqa": settings.iqa} if settings.iqa else {})}


def _filled(name: str, **blanks: str) -> Words:
    return Words(*(words.format(**blanks) for words in PAGE_WORDS[name]))


def _same(text: str) -> Words:
    return Words(*([text] * len(LANGUAGES)))


def _hash(text: str) -> str:
    """How the page's security policy names a script or style that may run."""
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"
