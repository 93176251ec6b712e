"""The Curate tab: a data set in, the faces worth keeping out."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import tempfile
import time
import zipfile
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from demo.files import asset
from demo.limits import FRAMES_A_SECOND, MOST_IMAGES, MOST_MEGABYTES, MOST_MINUTES
from demo.photo import EXAMPLES
from demo.policy import SILENT, PolicyPanel, policy_of
from demo.visits import Visits
from demo.wording import error_message, say, say_html, text
from demo.zerogpu import BATCH_SECONDS, lend_gpu
from faceqa import Policy, Scorer
from faceqa.curation.report.figures import figure_data
from faceqa.curation.run import Run
from faceqa.curation.selection import select, summarise
from faceqa.curation.settings import Selection, Settings
from faceqa.curation.table import Row
from faceqa.curation.thumbnails import Key, data_url, key, thumbnails
from faceqa.languages import Language
from faceqa.measures.registry import SCORE
from faceqa.reading.sources import count_images
from faceqa.reading.videos import Sampling

SAMPLING = Sampling(fps=float(FRAMES_A_SECOND))

SHOWN = 18
"""Faces in each gallery."""

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
        run: In that folder.
        rows: One a face, under the default policy.
        pictures: URLs of the faces' small pictures.
    """

    folder: Path
    run: Run
    rows: tuple[Row, ...]
    pictures: Mapping[Key, str]


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
            figures = gr.HTML("", js_on_load=asset("figures.js"), elem_id="curate-figures")
            kept = gr.HTML("", elem_id="curate-kept")
            rejected = gr.HTML("", elem_id="curate-rejected")
        made_files = {kind: gr.File(visible="hidden", elem_id=f"curate-{kind}-file") for kind in DOWNLOADS}

    judged = [count, figures, kept, rejected]
    settings = [*policy.visit, *policy.sliders]
    fresh, stale = gr.update(elem_classes=[]), gr.update(elem_classes=["stale"])

    @lend_gpu(BATCH_SECONDS)
    def assess_all(paths: Sequence[str]) -> Iterator[tuple[Curated | None, int, int, float]]:
        yield from curated(scorer, paths)

    def curate(
        paths: Sequence[str] | None, key: str, language: Language, *values: float
    ) -> Iterator[list[Any]]:
        untouched = [gr.skip()] * (len(judged) + 1)
        visit = visits.of(key)
        try:
            if problem := refused(paths or ()):
                limits = {"images": MOST_IMAGES, "megabytes": MOST_MEGABYTES}
                yield [_problem(text(problem, language, **limits)), *untouched]
                return
            for result, done, total, seconds in assess_all(paths or ()):
                progress = _progress(result is not None, done, total, seconds, language)
                if result is None:
                    visits.of(key)
                    yield [progress, *untouched]
                    continue
                delete(visit.curated)
                visit.curated = result
                yield [progress, fresh, *rejudged(result, policy_of(values), language)]
        except Exception as error:
            yield [_problem(error_message(error, language)), *untouched]

    def curate_examples(key: str, language: Language, *values: float) -> Iterator[list[Any]]:
        yield from curate([str(path) for path in sorted(EXAMPLES.glob("*.jpg"))], key, language, *values)

    def judge(key: str, language: Language, *values: float) -> list[Any]:
        return rejudged(visits.of(key).curated, policy_of(values), language)

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

    def waiting(language: Language) -> list[Any]:
        said = f'<p role="status">{text("curate.waiting", language)}</p>'
        return [said, gr.Button(interactive=True), stale]

    def cancelled(language: Language) -> list[Any]:
        return [_problem(text("curate.cancelled", language)), gr.Button(interactive=False)]

    runs: dict[str, Any] = {
        "concurrency_id": "batch",
        "show_progress": "hidden",
        "api_visibility": "private",
    }
    language = policy.visit[1]
    gr.on([start.click, examples.click], waiting, language, [progress, cancel, results], **SILENT)
    outputs = [progress, results, *judged]
    running = [
        start.click(curate, [files, *settings], outputs, **runs),
        examples.click(curate_examples, settings, outputs, **runs),
    ]
    for event in running:
        event.then(lambda: gr.Button(interactive=False), None, cancel, **SILENT)
    cancel.click(
        cancelled,
        language,
        [progress, cancel],
        cancels=running,  # type: ignore[arg-type]
        **SILENT,
    )
    policy.rules(tab, judge, judged)
    for kind, button in buttons.items():
        button.click(
            partial(make, kind),
            settings,
            made_files[kind],
            concurrency_id="downloads",
            api_visibility="private",
            show_progress_on=[button],
        ).success(None, made_files[kind], js=asset("download.js"), api_visibility="private")


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
        urls = {face: data_url(picture) for face, picture in pictures.items()}
        os.utime(folder)
        result = Curated(folder, run, rows, urls)
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


def rejudged(known: Curated | None, policy: Policy, language: Language) -> list[str]:
    """Everything that follows from the thresholds, in HTML; no network runs."""
    if known is None:
        return [_count(None, policy, language), "", "", ""]
    rows = list(select(lambda: known.rows, Selection(policy)))
    numbers = json.dumps(figure_data(rows, policy, language), ensure_ascii=False, separators=(",", ":"))
    return [
        _count(rows, policy, language),
        f'<div data-figures="{escape(numbers)}"></div>',
        _gallery(known, rows, True, language),
        _gallery(known, rows, False, language),
    ]


def made(known: Curated, kind: str, policy: Policy, language: Language) -> Path:
    """One of `DOWNLOADS`, as the policy has it: the table, the report page, or a zip of the kept images."""
    out = known.run.out
    known.run.publish(Selection(policy), "link" if kind == "images" else None, language)
    if kind == "images":
        with zipfile.ZipFile(out / DOWNLOADS[kind], "w", zipfile.ZIP_STORED) as packed:
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
        f"<li><b>{number}</b> {text(f'reason.{code}', language)}</li>"
        for code, number in summary.reasons.items()
    )
    share = summary.accepted / len(rows) if rows else 0
    return (
        f'<div class="card count" aria-live="polite"><p class="kept-of">'
        f"{text('curate.kept_of', language, kept=summary.accepted, total=len(rows))}</p>"
        f'<span class="bar"><span style="width:{share:.0%}"></span></span><ul>{listed}</ul></div>'
    )


def _gallery(known: Curated, rows: Sequence[Row], kept: bool, language: Language) -> str:
    """The best of the kept faces, or those of the rejected ones that fail least."""
    chosen = [row for row in rows if (row.verdict == "accept") == kept]
    chosen.sort(key=lambda row: (row.cafi is None, -(row.cafi or 0.0), not row.scores, len(row.reasons)))
    heading = text("curate.kept" if kept else "curate.rejected", language)
    figures = "".join(_figure(known, row, language) for row in chosen[:SHOWN])
    more = text("curate.more", language, count=len(chosen) - SHOWN) if len(chosen) > SHOWN else ""
    return (
        f'<p class="heading">{"✓" if kept else "✕"} {heading} ({len(chosen)})</p>'
        f'<div class="gallery {"accept" if kept else "reject"}">{figures}</div><p class="quiet">{more}</p>'
    )


def _figure(known: Curated, row: Row, language: Language) -> str:
    url = known.pictures.get(key(row))
    shown = f'<img src="{url}" alt="">' if url else '<div class="no-picture">?</div>'
    score = "" if row.cafi is None else f"<b>{SCORE.title.in_language(language)} {row.cafi:.0f}</b> "
    why = ", ".join(text(f"reason.{code}", language) for code in row.reasons)
    name = escape(row.image.rsplit("/", 1)[-1])
    return f"<figure>{shown}<figcaption>{score}<span>{why}</span><small>{name}</small></figcaption></figure>"


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
        f'<div role="progressbar" aria-valuemin="0" aria-valuemax="{total}" aria-valuenow="{done}">'
        f'<span class="bar thick"><span style="width:{share:.1%}"></span></span></div><p>{sentence}</p>'
    )


def _minutes(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def _problem(sentence: str) -> str:
    return f'<p class="problem" role="alert">{escape(sentence)}</p>'
