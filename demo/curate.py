"""The Curate tab: a data set in, the faces worth keeping out."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from demo import draw, pieces
from demo.files import asset
from demo.limits import FRAMES_A_SECOND, MOST_IMAGES, MOST_MEGABYTES, MOST_MINUTES
from demo.photo import EXAMPLES
from demo.policy import SILENT, PolicyPanel, policy_of
from demo.visits import Visits
from demo.wording import error_message, say, say_html, text
from demo.zerogpu import BATCH_SECONDS, lend_gpu
from faceqa import FaceqaError, Policy, Scorer
from faceqa.curation.export import face_crops, images_again
from faceqa.curation.report.figures import figure_data
from faceqa.curation.report.films import Films, drawn
from faceqa.curation.report.wording import PAGE_WORDS
from faceqa.curation.run import Run
from faceqa.curation.segments import find_segments
from faceqa.curation.selection import select, summarise
from faceqa.curation.settings import Selection, Settings
from faceqa.curation.table import Row
from faceqa.curation.thumbnails import Key, data_url, thumbnails
from faceqa.curation.thumbnails import key as key_of
from faceqa.languages import Language
from faceqa.measures.registry import SCORE, TAKEN
from faceqa.reading import image
from faceqa.reading.sampling import Sampling
from faceqa.reading.sources import count_images
from faceqa.types import Decision
from faceqa.verdict.reasons import WORDINGS

SAMPLING = Sampling(fps=float(FRAMES_A_SECOND))

CARRIED = ("summary.json", "scores.csv")
"""What the zip of the kept images tells of them: the thresholds, and every face's numbers."""

SHOWN = 60
"""Faces in the gallery."""

ALL, KEPT, REJECTED, DUPLICATES = "all", "accept", "reject", "duplicates"
"""What the gallery can show beside the faces with one reason."""

LARGE_SIDE = 480
"""px of the longer side of an enlarged image without a face."""

FOLDER = "faceqa-curate-"
"""How the folders of visitors begin, in the machine's temporary folder."""

OWN_FOLDER = f"{FOLDER}{secrets.token_hex(4)}-"
"""How those of this server begin."""

LEFT_BEHIND = 60 * MOST_MINUTES
"""Seconds after which a folder was left by a server that was killed: a living one deletes it earlier."""

UPLOADS, RESULTS = "uploads", "results"
"""Folders in a visitor's own."""

DOWNLOADS: Mapping[str, str] = {"table": "scores.csv", "report": "report.html", "images": "kept.zip"}
"""What can be downloaded, and its file's name."""


@dataclass(frozen=True)
class Curated:
    """One data set, assessed.

    Attributes:
        folder: The visitor's own: what was sent, and the results.
        run: In that folder; it holds the verdicts that were given by hand.
        rows: One a face, under the default policy.
        pictures: Small pictures of the faces, and of images without one.
        unique: Whether of near-duplicates only the best is kept.
    """

    folder: Path
    run: Run
    rows: tuple[Row, ...]
    pictures: Mapping[Key, bytes]
    unique: bool = False

    def selection(self, policy: Policy) -> Selection:
        """Which faces to keep under a policy."""
        return Selection(policy, unique=self.unique)

    def judged(self, policy: Policy) -> list[Row]:
        """The rows under another policy, and with the verdicts that were given by hand."""
        by_hand = self.run.overrides
        rows = [
            replace(row, override=by_hand[key_of(row)]) if key_of(row) in by_hand else row
            for row in self.rows
        ]
        return list(select(lambda: rows, self.selection(policy)))


def curate_tab(scorer: Scorer, visits: Visits, policy: PolicyPanel) -> None:
    """Build the tab.

    Args:
        scorer: Assesses the data sets.
        visits: Keeps them.
        policy: What the verdicts go by.
    """
    sweep()
    with gr.Tab(say("tab.curate"), id="curate", elem_id="tab-curate") as tab:
        gr.Markdown(say("curate.intro"), elem_classes="quiet intro")
        with gr.Row(elem_classes="curate-input"):
            files = gr.File(
                file_count="multiple", label=say("curate.files"), elem_id="curate-files", height=170, scale=3
            )
            with gr.Column(scale=1, min_width=200):
                start = gr.Button(say("curate.run"), variant="primary", elem_id="curate-run")
                cancel = gr.Button(say("curate.cancel"), elem_id="curate-cancel", interactive=False)
                examples = gr.Button(say("curate.examples"), elem_id="curate-examples")
        sent = gr.HTML("", elem_id="curate-sent")
        progress = gr.HTML("", elem_id="curate-progress", min_height=70)
        with gr.Column(elem_id="curate-results") as results:
            count = gr.HTML(
                say_html("count", partial(_count, None, Policy())), elem_id="curate-count", min_height=110
            )
            gr.Markdown(say("curate.downloads"), elem_classes="quiet note")
            with gr.Row(elem_classes="curate-downloads"):
                buttons = {
                    kind: gr.Button(say(f"curate.{kind}"), elem_id=f"curate-{kind}", min_width=160)
                    for kind in DOWNLOADS
                }
                page = gr.Button(say("curate.open"), elem_id="curate-open", min_width=160)
            opened = gr.HTML("", elem_id="curate-opened")
            unique = gr.Checkbox(False, label=say("curate.unique"), elem_id="curate-unique")
            shown = gr.Dropdown(
                [(say("curate.all"), ALL)], value=ALL, label=say("curate.show"), elem_id="curate-show"
            )
            face = gr.HTML("", elem_id="curate-face")
            with gr.Row(elem_id="curate-by-hand", visible=False) as by_hand:
                decisions: dict[Decision | None, gr.Button] = {
                    "accept": gr.Button(say("curate.accept"), elem_id="curate-accept"),
                    "reject": gr.Button(say("curate.reject"), elem_id="curate-reject"),
                    None: gr.Button(say("curate.as_judged"), elem_id="curate-as-judged"),
                }
            gallery = gr.HTML("", js_on_load=asset("choice.js"), elem_id="curate-faces")
            films = gr.HTML("", elem_id="curate-films")
            figures = gr.HTML("", js_on_load=asset("figures.js"), elem_id="curate-figures")
            chosen = gr.Number(-1, visible=False)
        made_files = {kind: gr.File(visible="hidden", elem_id=f"curate-{kind}-file") for kind in DOWNLOADS}
        made_page = gr.File(visible="hidden", elem_id="curate-open-file")

    judged = [count, figures, shown, gallery, films, unique, opened]
    settings = [*policy.visit, *policy.sliders]
    fresh, stale = gr.update(elem_classes=[]), gr.update(elem_classes=["stale"])

    @lend_gpu(BATCH_SECONDS)
    def assess_all(paths: Sequence[str]) -> Iterator[tuple[Curated | None, int, int, float]]:
        yield from curated(scorer, paths)

    def count_sent(paths: Sequence[str] | None, language: Language) -> str:
        return _sent(paths, language) if paths else ""

    def curate(
        paths: Sequence[str] | None, only_best: bool, key: str, language: Language, *values: float
    ) -> Iterator[list[Any]]:
        untouched = [gr.skip()] * (len(judged) + 1)
        idle = gr.update(interactive=False)
        visit = visits.of(key)
        if not visit.asked:  # the second click of two
            yield [gr.skip(), gr.skip(), *untouched]
            return
        visit.asked, visit.running = False, (turn := object())
        try:
            if problem := refused(paths or ()):
                yield [_limit(problem, language), idle, *untouched]
                return
            for result, done, total, seconds in assess_all(paths or ()):
                progress = _progress(result is not None, done, total, seconds, language)
                if result is None:
                    visits.of(key)
                    yield [progress, gr.skip(), *untouched]
                    continue
                delete(visit.curated)
                visit.curated = replace(result, unique=only_best)
                yield [progress, idle, fresh, *rejudged(visit.curated, policy_of(values), language, ALL)]
        except Exception as error:
            yield [_problem(error_message(error, language)), idle, *untouched]
        finally:
            if visit.running is turn:
                visit.running = None

    def curate_examples(only_best: bool, key: str, language: Language, *values: float) -> Iterator[list[Any]]:
        paths = [str(path) for path in sorted(EXAMPLES.glob("*.jpg"))]
        yield from curate(paths, only_best, key, language, *values)

    def judge(key: str, language: Language, *values: float) -> list[Any]:
        return rejudged(visits.of(key).curated, policy_of(values), language)

    def keep_unique(only_best: bool, some: str, key: str, language: Language, *values: float) -> list[Any]:
        visit = visits.of(key)
        if visit.curated is None:
            return [gr.skip()] * len(judged)
        visit.curated = replace(visit.curated, unique=only_best)
        return rejudged(visit.curated, policy_of(values), language, some)

    def show_some(some: str, key: str, language: Language, *values: float) -> str:
        known = visits.of(key).curated
        return "" if known is None else _gallery(known, known.judged(policy_of(values)), some, language)

    def enlarge(event: gr.EventData, key: str, language: Language, *values: float) -> list[Any]:
        return enlarged(int(event.choice), key, language, values)

    def enlarged(place: int, key: str, language: Language, values: Sequence[float]) -> list[Any]:
        known = visits.of(key).curated
        if known is None or not 0 <= place < len(known.rows):
            return ["", gr.Row(visible=False), -1]
        row = known.judged(policy_of(values))[place]
        return [_face(known, row, language), gr.Row(visible=True), place]

    def decide(
        decision: Decision | None, place: float, some: str, key: str, language: Language, *values: float
    ) -> list[Any]:
        known = visits.of(key).curated
        if known is None:
            return [gr.skip()] * (len(judged) + 3)
        overrides = dict(known.run.overrides)
        row = known.rows[int(place)]
        overrides.pop(key_of(row), None)
        if decision is not None:
            overrides[key_of(row)] = decision
        known = replace(known, run=replace(known.run, overrides=overrides))
        visits.of(key).curated = known
        return [
            *rejudged(known, policy_of(values), language, some),
            *enlarged(int(place), key, language, values),
        ]

    def make(kind: str, key: str, language: Language, *values: float) -> str | None:
        known = visits.of(key).curated
        if known is None:
            gr.Info(text("curate.no_run", language))
            return None
        try:
            return str(made(known, kind, policy_of(values), language))
        except Exception as error:
            gr.Warning(error_message(error, language))
            return None

    def make_page(key: str, language: Language, *values: float) -> list[Any]:
        link = f'<a target="_blank">{text("curate.opened", language)}</a>'
        return [make("report", key, language, *values), link]

    def waiting(key: str, language: Language) -> list[Any]:
        visit = visits.of(key)
        if visit.running is not None:
            return [gr.skip()] * 3
        visit.asked = True
        said = f'<p role="status">{text("curate.waiting", language)}</p>'
        return [said, gr.Button(interactive=True), stale]

    def cancelled(key: str, language: Language) -> list[Any]:
        visit = visits.of(key)
        visit.asked, visit.running = False, None
        return [_problem(text("curate.cancelled", language)), gr.Button(interactive=False)]

    runs: dict[str, Any] = {
        "concurrency_id": "batch",
        "show_progress": "hidden",
        "api_visibility": "private",
        "trigger_mode": "multiple",  # a cancelled run ends with its batch, and a click may come before that
    }
    files.change(count_sent, [files, policy.visit[1]], sent, **SILENT)
    outputs = [progress, cancel, results, *judged]
    running = [
        button.click(waiting, policy.visit, [progress, cancel, results], **SILENT).then(
            function, [*inputs, unique, *settings], outputs, **runs
        )
        for button, function, inputs in ((start, curate, [files]), (examples, curate_examples, []))
    ]
    cancel.click(
        cancelled,
        policy.visit,
        [progress, cancel],
        cancels=running,
        **SILENT,
    )
    policy.rules(tab, judge, judged)
    shown.input(show_some, [shown, *settings], gallery, **SILENT)
    unique.input(keep_unique, [unique, shown, *settings], judged, **SILENT)
    gallery.click(enlarge, settings, [face, by_hand, chosen], **SILENT)
    for decision, button in decisions.items():
        button.click(
            partial(decide, decision), [chosen, shown, *settings], [*judged, face, by_hand, chosen], **SILENT
        )
    downloads: dict[str, Any] = {"concurrency_id": "downloads", "api_visibility": "private"}
    for kind, button in buttons.items():
        button.click(
            partial(make, kind), settings, made_files[kind], show_progress_on=[button], **downloads
        ).success(None, made_files[kind], js=asset("download.js"), api_visibility="private")
    page.click(make_page, settings, [made_page, opened], show_progress_on=[page], **downloads).success(
        None, made_page, js=asset("open_report.js"), api_visibility="private"
    )


def refused(paths: Sequence[str]) -> str | None:
    """Which limit the files break, as a key of the wording; None where they break none."""
    if not paths:
        return "curate.nothing"
    if sum(Path(path).stat().st_size for path in paths) > MOST_MEGABYTES * 1e6:
        return "curate.too_large"
    if count_images(paths, SAMPLING) > MOST_IMAGES:
        return "curate.too_many"
    return None


def curated(scorer: Scorer, paths: Sequence[str]) -> Generator[tuple[Curated | None, int, int, float]]:
    """Assess a data set batch by batch; a run that is given up leaves nothing behind.

    Yields:
        The result, None until the end; images done, images in all, seconds passed.
    """
    sweep()
    folder = Path(tempfile.mkdtemp(prefix=OWN_FOLDER))
    result = None
    try:
        uploads = folder / UPLOADS
        names = _gathered(paths, uploads)
        total = count_images([uploads / name for name in names], SAMPLING)
        settings = Settings(
            names, str(uploads), SAMPLING, MOST_IMAGES, models=scorer.model_set, iqa=scorer.iqa
        )
        run = Run(folder / RESULTS, settings)
        done, started = 0, time.monotonic()
        for images in run.assess(lambda: scorer):
            os.utime(folder)  # in use, says `sweep`
            done += images
            yield None, done, max(total, done), time.monotonic() - started
        rows = tuple(run.rows(Selection()))
        pictures = thumbnails(run.settings, run.out, rows)
        os.utime(folder)
        result = Curated(folder, run, rows, pictures)
        yield result, done, done, time.monotonic() - started
    finally:
        if result is None:
            shutil.rmtree(folder, ignore_errors=True)


def _gathered(paths: Sequence[str], folder: Path) -> tuple[str, ...]:
    """The files once more, in one folder, where they stay as long as the results do; their names in it."""
    folder.mkdir()
    places = []
    for path in map(Path, paths):
        place, number = folder / path.name, 1
        while place.exists():
            number += 1
            place = folder / f"{path.stem} ({number}){path.suffix}"
        try:
            os.link(path, place)
        except OSError:  # on another disk
            shutil.copyfile(path, place)
        places.append(place.name)
    return tuple(places)


def rejudged(known: Curated | None, policy: Policy, language: Language, some: str | None = None) -> list[Any]:
    """Everything that follows from the thresholds; no network runs.

    Args:
        known: The data set.
        policy: What the verdicts go by.
        language: Of the page.
        some: Which faces the gallery shows; None shows all.
    """
    if known is None:
        return [_count(None, policy, language), "", gr.skip(), "", "", gr.skip(), ""]
    rows = known.judged(policy)
    numbers = json.dumps(figure_data(rows, policy, language), ensure_ascii=False, separators=(",", ":"))
    choices = _choices(rows, language)
    some = next((code for _, code in choices if code == some), ALL)
    return [
        _count(rows, policy, language),
        f'<div data-figures="{escape(numbers)}"></div>',
        gr.update(choices=choices, value=some),
        _gallery(known, rows, some, language),
        _films(known, policy, language),
        known.unique,
        "",
    ]


def _choices(rows: Sequence[Row], language: Language) -> list[tuple[str, str]]:
    """What the gallery can show, with how many faces each."""
    kept = sum(row.verdict == "accept" for row in rows)
    reasons = Counter(code for row in rows for code in row.reasons)
    duplicates = sum(row.duplicate_of is not None for row in rows)
    folded = [(f"{text('curate.duplicates', language)} ({duplicates})", DUPLICATES)] if duplicates else []
    return [
        (f"{text('curate.all', language)} ({len(rows)})", ALL),
        (f"{text('curate.kept', language)} ({kept})", KEPT),
        (f"{text('curate.rejected', language)} ({len(rows) - kept})", REJECTED),
        *folded,
        *((f"{_short(code, language)} ({count})", code) for code, count in reasons.most_common()),
    ]


def _short(code: str, language: Language) -> str:
    return WORDINGS[code].short.in_language(language) if code in WORDINGS else code


def _is_shown(row: Row, some: str) -> bool:
    if some in (KEPT, REJECTED):
        return (row.verdict == "accept") == (some == KEPT)
    if some == DUPLICATES:
        return row.duplicate_of is not None
    return some == ALL or some in row.reasons


def made(known: Curated, kind: str, policy: Policy, language: Language) -> Path:
    """One of `DOWNLOADS`, as the policy has it: the table, the report page, or a zip of the kept images."""
    out = known.run.out
    known.run.publish(known.selection(policy), "link" if kind == "images" else None, language)
    if kind == "images":
        with zipfile.ZipFile(out / DOWNLOADS[kind], "w", zipfile.ZIP_STORED) as packed:
            for name in CARRIED:
                packed.write(out / name, name)
            for path in sorted((out / "kept").rglob("*")):
                if path.is_file():
                    packed.write(path, path.relative_to(out / "kept"))
    return out / DOWNLOADS[kind]


def sweep() -> None:
    """Remove the folders that a killed server left behind."""
    for folder in Path(tempfile.gettempdir()).glob(f"{FOLDER}*"):
        with suppress(OSError):  # another server may be removing it, or it is another user's
            if time.time() - folder.stat().st_mtime > LEFT_BEHIND:
                shutil.rmtree(folder)


def delete(known: Curated | None) -> None:
    """Remove a visitor's files and results."""
    if known is not None:
        shutil.rmtree(known.folder, ignore_errors=True)


def delete_all() -> None:
    """Remove the files and results of every visitor of this server."""
    for folder in Path(tempfile.gettempdir()).glob(f"{OWN_FOLDER}*"):
        shutil.rmtree(folder, ignore_errors=True)


def _count(rows: Sequence[Row] | None, policy: Policy, language: Language) -> str:
    if rows is None:
        return f'<div class="card count"><p class="quiet">{text("curate.idle", language)}</p></div>'
    summary = summarise(rows)
    listed = "".join(
        f"<li><b>{number}</b> {_short(code, language)}</li>" for code, number in summary.reasons.items()
    )
    share = summary.accepted / len(rows) if rows else 0
    return (
        f'<div class="card count" aria-live="polite"><p class="kept-of">'
        f"{text('curate.kept_of', language, kept=summary.accepted, total=len(rows))}</p>"
        f'<span class="bar"><span style="width:{share:.0%}"></span></span><ul>{listed}</ul></div>'
    )


def _films(known: Curated, policy: Policy, language: Language) -> str:
    """The videos as lines of time, with their segments; empty without videos."""
    frames = [row for row in known.rows if row.frame is not None]
    if not frames:
        return ""
    films = Films(find_segments(frames, known.selection(policy)))
    for row in frames:
        films.add(row)
    shown = films.shown(known.pictures)
    title = PAGE_WORDS["films"].in_language(language)
    return f'<section class="card films"><h2>{title}</h2>{drawn(shown, language)}</section>'


def _gallery(known: Curated, rows: Sequence[Row], some: str, language: Language) -> str:
    """The faces that were asked for, each a button that enlarges it: the best of the kept ones first.

    Near-duplicates are folded: of each group that is shown its best face, with the number of the others.
    """
    chosen = [(place, row) for place, row in enumerate(rows) if _is_shown(row, some)]
    alike = Counter(row.group for _, row in chosen if row.group and row.duplicate_of)
    if some in (ALL, KEPT, REJECTED):
        best = {row.group for _, row in chosen if row.group and not row.duplicate_of}
        chosen = [(place, row) for place, row in chosen if not row.duplicate_of or row.group not in best]
    chosen.sort(key=lambda one: _rank(one[1]))
    figures = "".join(
        _figure(known, place, row, 0 if row.duplicate_of else alike[row.group or ""], language)
        for place, row in chosen[:SHOWN]
    )
    more = text("curate.more", language, count=len(chosen) - SHOWN) if len(chosen) > SHOWN else ""
    return f'<div class="gallery">{figures}</div><p class="quiet">{more}</p>'


def _rank(row: Row) -> tuple[Any, ...]:
    """Kept faces first, of them the best, then those that fail least."""
    return row.verdict != "accept", row.cafi is None, -(row.cafi or 0.0), not row.scores, len(row.reasons)


def _figure(known: Curated, place: int, row: Row, alike: int, language: Language) -> str:
    picture = known.pictures.get(key_of(row))
    shown = f'<img src="{data_url(picture)}" alt="">' if picture else '<span class="no-picture">?</span>'
    score = "" if row.cafi is None else f"<b>{SCORE.title.in_language(language)} {row.cafi:.0f}</b> "
    why = ", ".join(_short(code, language) for code in row.reasons)
    by_hand = f"<em>{text('curate.by_hand', language)}</em> " if row.override else ""
    if alike:
        by_hand += f"<span>{text('curate.alike', language, count=alike)}</span>"
    mark = text(row.verdict, language)
    return (
        f'<button type="button" class="tile {row.verdict}" data-choice="{place}">{shown}'
        f'<span class="tile-words"><span class="unseen">{mark}</span>{score}{by_hand}<span>{why}</span>'
        f"<small>{escape(row.image.rsplit('/', 1)[-1])}</small></span></button>"
    )


def _face(known: Curated, row: Row, language: Language) -> str:
    """One face, large, with what was measured of it."""
    picture = _large(known, row)
    shown = f'<img src="{picture}" alt="">' if picture else '<span class="no-picture">?</span>'
    why = [_short(code, language) for code in row.reasons] or [row.error or ""]
    by_hand = f" · {text('curate.by_hand', language)}" if row.override else ""
    numbers = "".join(
        f"<div><dt>{one.title.in_language(language)}</dt><dd>{one.text(value, language)}</dd></div>"
        for one in (SCORE, *TAKEN)
        if (value := row.cafi if one is SCORE else row.scores.get(one.name)) is not None
    )
    return (
        f'<section class="card enlarged" aria-live="polite">{shown}<div>'
        f"<p>{pieces.small_badge(row.verdict, language)}{by_hand}</p><p>{escape(', '.join(why))}</p>"
        f'<dl class="numbers">{numbers}</dl><p class="quiet">{escape(row.image)}</p></div></section>'
    )


def _large(known: Curated, row: Row) -> str:
    """The face's crop as a data URL; the whole image where it shows no face; empty where it is no image."""
    for again, rows in images_again(known.run.settings, known.run.out, [row]):
        if row.box is not None:
            for _, crop in face_crops(again, rows):
                return draw.data_url(draw.jpeg(crop))
        with suppress(FaceqaError):
            if not isinstance(again.source, FaceqaError):
                return draw.data_url(draw.jpeg(draw.reduced(image.load(again.source), LARGE_SIDE)))
    return ""


def _progress(finished: bool, done: int, total: int, seconds: float, language: Language) -> str:
    rate = done / seconds if seconds else 0.0
    left = (total - done) / rate if rate else 0.0
    if finished:
        key = "curate.done"
    elif not done:
        key = "curate.starting"
    else:
        key = "curate.progress" if done < total else "curate.pictures"
    sentence = text(key, language, done=done, total=total, rate=rate, left=_minutes(left), seconds=seconds)
    share = done / total if total else 0
    return (
        f'<div role="progressbar" aria-label="{text("curate.run", language)}" '
        f'aria-valuemin="0" aria-valuemax="{total}" aria-valuenow="{done}">'
        f'<span class="bar thick"><span style="width:{share:.1%}"></span></span></div><p>{sentence}</p>'
    )


def _minutes(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def _sent(paths: Sequence[str], language: Language) -> str:
    """How many files were sent and how many images are in them; or why they cannot be assessed."""
    if problem := refused(paths):
        return _limit(problem, language)
    images = count_images(paths, SAMPLING)
    return f'<p role="status">{text("curate.sent", language, files=len(paths), images=images)}</p>'


def _limit(problem: str, language: Language) -> str:
    return _problem(text(problem, language, images=MOST_IMAGES, megabytes=MOST_MEGABYTES))


def _problem(sentence: str) -> str:
    return f'<p class="problem" role="alert">{escape(sentence)}</p>'
