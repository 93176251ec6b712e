"""The Curate tab: a data set in, the faces worth keeping out."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from html import escape
from itertools import islice
from pathlib import Path
from typing import Any

import gradio as gr

from demo.limits import MOST_IMAGES, MOST_MEGABYTES
from demo.photo import EXAMPLES, SECONDS_KEPT
from demo.policy import policy_of, policy_panel
from demo.wording import error_message, say, say_html, text, words
from demo.zerogpu import BATCH_SECONDS, lend_gpu
from faceqa import Policy, Scorer, draw, image, plots
from faceqa.curation import Selection, publish, select
from faceqa.errors import ImageError
from faceqa.verdict.judge import cafi
from faceqa.reading.image import NamedImage
from faceqa.curation.journal import JOURNAL, Journal, Settings, read_journal
from faceqa.reading.sources import Sampling, count_images, named_images
from faceqa.curation.table import Row
from faceqa.types import Face, Language

SAMPLING = Sampling(fps=2.0)

SHOWN = 18
"""Faces in each gallery."""

THUMBNAIL_SIDE = 120

FOLDER = "faceqa-curate-"
"""How the folders of visitors begin, in the machine's temporary folder."""

LEFT_BEHIND = 2 * SECONDS_KEPT
"""Seconds after which a folder was left by a server that was killed: a living one deletes it earlier."""

UPLOADS, RESULTS = "uploads", "results"
"""Folders in a visitor's own."""


@dataclass(frozen=True)
class Run:
    """One data set, assessed.

    Attributes:
        folder: The visitor's own: what was sent, and the results.
        rows: One a face, under the default policy.
        thumbnails: Data URLs by image and face.
    """

    folder: Path
    rows: tuple[Row, ...]
    thumbnails: dict[tuple[str, int | None], str]


def curate_tab(scorer: Scorer, language: gr.Radio) -> None:
    """Build the tab."""
    sweep()
    with gr.Tab(say("tab.curate"), id="curate", elem_id="tab-curate"):
        gr.Markdown(say("curate.intro"), elem_classes="quiet intro")
        run = gr.State(None, time_to_live=SECONDS_KEPT, delete_callback=delete)
        with gr.Row(elem_classes="curate-input"):
            files = gr.File(
                file_count="multiple", label=say("curate.files"), elem_id="curate-files", height=170, scale=3
            )
            with gr.Column(scale=1, min_width=200):
                start = gr.Button(say("curate.run"), variant="primary", elem_id="curate-run")
                cancel = gr.Button(say("curate.cancel"), elem_id="curate-cancel", interactive=False)
                examples = gr.Button(say("curate.examples"), elem_id="curate-examples")
        progress = gr.HTML("", elem_id="curate-progress", min_height=70)
        with gr.Row():
            with gr.Column(scale=5, min_width=300):
                count = gr.HTML(
                    say_html("count", partial(_count, None, Policy())), elem_id="curate-count", min_height=110
                )
            with gr.Column(scale=6, min_width=320):
                policy = policy_panel("curate-policy")
        with gr.Row():
            with gr.Column(scale=3, min_width=300):
                scatter = gr.Plot(show_label=False, container=False, elem_id="curate-scatter")
            with gr.Column(scale=2, min_width=300):
                ser_fiq = gr.Plot(show_label=False, container=False, elem_id="curate-ser-fiq")
                score = gr.Plot(show_label=False, container=False, elem_id="curate-cafi")
        kept = gr.HTML("", elem_id="curate-kept")
        rejected = gr.HTML("", elem_id="curate-rejected")
        with gr.Row():
            with gr.Column(scale=1, min_width=220):
                prepare = gr.Button(say("curate.prepare"), variant="primary", elem_id="curate-prepare")
            with gr.Column(scale=3, min_width=300):
                downloads = gr.File(
                    label=say("curate.downloads"),
                    file_count="multiple",
                    interactive=False,
                    elem_id="curate-downloads",
                    visible=False,
                )

    judged = [count, scatter, ser_fiq, score, kept, rejected]
    settings = [language, *policy.sliders]

    @lend_gpu(BATCH_SECONDS)
    def curate(
        paths: Sequence[str] | None, last: Run | None, language: Language, *values: float
    ) -> Iterator[list[Any]]:
        untouched = [gr.skip()] * (len(judged) + 2)
        try:
            if problem := refused(paths or ()):
                limits = {"images": MOST_IMAGES, "megabytes": MOST_MEGABYTES}
                yield [_problem(text(problem, language, **limits)), *untouched]
                return
            for result, done, total, seconds in curated(scorer, paths or ()):
                progress = _progress(done, total, seconds, language)
                if result is None:
                    yield [progress, *untouched]
                    continue
                delete(last)
                told = rejudged(result, policy_of(values), language)
                yield [progress, result, gr.File(None, visible=False), *told]
        except Exception as error:
            yield [_problem(error_message(error, language)), *untouched]

    def curate_examples(last: Run | None, language: Language, *values: float) -> Iterator[list[Any]]:
        yield from curate([str(path) for path in sorted(EXAMPLES.glob("*.jpg"))], last, language, *values)

    def judge(run: Run | None, language: Language, *values: float) -> list[Any]:
        return rejudged(run, policy_of(values), language)

    def publish_files(run: Run | None, language: Language, *values: float) -> Any:
        if run is None:
            gr.Info(text("curate.nothing", language))
            return gr.skip()
        return gr.File(published(run, policy_of(values)), visible=True)

    def waiting(language: Language) -> list[Any]:
        return [f'<p role="status">{text("curate.waiting", language)}</p>', gr.Button(interactive=True)]

    def cancelled(language: Language) -> list[Any]:
        return [_problem(text("curate.cancelled", language)), gr.Button(interactive=False)]

    runs: dict[str, Any] = {
        "concurrency_id": "batch",
        "show_progress": "hidden",
        "api_visibility": "private",
    }
    silent: dict[str, Any] = {"show_progress": "hidden", "queue": False, "api_visibility": "private"}
    gr.on([start.click, examples.click], waiting, language, [progress, cancel], **silent)
    outputs = [progress, run, downloads, *judged]
    running = [
        start.click(curate, [files, run, *settings], outputs, **runs),
        examples.click(curate_examples, [run, *settings], outputs, **runs),
    ]
    for event in running:
        event.then(lambda: gr.Button(interactive=False), None, cancel, **silent)
    cancel.click(
        cancelled,
        language,
        [progress, cancel],
        cancels=running,  # type: ignore[arg-type]
        **silent,
    )
    policy.on_change(judge, [run, language], judged)
    prepare.click(
        publish_files,
        [run, *settings],
        downloads,
        api_visibility="private",
        concurrency_id="batch",
        show_progress_on=[downloads],
    )
    language.input(judge, [run, *settings], judged, **silent)


def refused(paths: Sequence[str]) -> str | None:
    """Which limit the files break, as a key of the wording; None where they break none."""
    if not paths:
        return "curate.nothing"
    if sum(Path(path).stat().st_size for path in paths) > MOST_MEGABYTES * 1e6:
        return "curate.too_large"
    if count_images(paths, SAMPLING) > MOST_IMAGES:
        return "curate.too_many"
    return None


def curated(scorer: Scorer, paths: Sequence[str]) -> Iterator[tuple[Run | None, int, int, float]]:
    """Assess a data set batch by batch; a run that is given up leaves nothing behind.

    Yields:
        The result, None until the end; images done, images in all, seconds passed.
    """
    sweep()
    folder = Path(tempfile.mkdtemp(prefix=FOLDER))
    result = None
    try:
        settings = Settings(_gathered(paths, folder / UPLOADS), SAMPLING)
        total, done, started = count_images(settings.paths, SAMPLING), 0, time.monotonic()
        yield None, done, total, 0.0
        with Journal(folder / RESULTS, settings) as journal:
            images = islice(named_images(settings.paths, SAMPLING, journal.is_new), MOST_IMAGES)
            for batch in scorer.assess_batches(images):
                journal.append(batch)
                done += len(batch)
                yield None, done, max(total, done), time.monotonic() - started
        _, rows, _ = read_journal(folder / RESULTS / JOURNAL)
        result = Run(folder, tuple(rows), _thumbnails(settings.paths, rows))
        yield result, done, done, time.monotonic() - started
    finally:
        if result is None:
            shutil.rmtree(folder, ignore_errors=True)


def _gathered(paths: Sequence[str], folder: Path) -> tuple[str, ...]:
    """The files once more, in one folder, where they stay as long as the results do."""
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
        places.append(str(place))
    return tuple(places)


def _thumbnails(paths: Sequence[str], rows: Sequence[Row]) -> dict[tuple[str, int | None], str]:
    """A small picture of each face; of an image without one, of the whole."""
    of_image: dict[str, list[Row]] = {}
    for row in rows:
        of_image.setdefault(row["image"], []).append(row)
    pictures = {}
    for again in named_images(paths, SAMPLING, of_image.__contains__):
        photo = _photo(again)
        for row in of_image.pop(again.name, ()):
            if photo is not None:
                pictures[row["image"], row["face_index"]] = draw.data_url(
                    draw.jpeg(_pictured(photo, row), 80)
                )
    return pictures


def _photo(again: NamedImage) -> Any:
    if isinstance(again.source, ImageError):
        return None
    try:
        return image.load(again.source)
    except ImageError:
        return None


def _pictured(photo: Any, row: Row) -> Any:
    if row["x1"] is None:
        return draw.fitted(photo, THUMBNAIL_SIDE)
    face = Face((row["x1"], row["y1"], row["x2"], row["y2"]), (), row["confidence"])
    return draw.thumbnail(photo, face, THUMBNAIL_SIDE)


def rejudged(run: Run | None, policy: Policy, language: Language) -> list[Any]:
    """Everything that follows from the thresholds; no network runs."""
    if run is None:
        return [_count(None, policy, language), None, None, None, "", ""]
    rows = select(list(run.rows), Selection(policy))
    faces = [row for row in rows if row["ser_fiq"] is not None]
    scores = [cafi(row["ser_fiq"], row["dbcnn"], policy) for row in faces]
    names = words(language, "ser_fiq", "cafi", kept="curate.kept", rejected="curate.rejected")
    figures: list[Any] = [None, None, None]
    if faces:
        kept = [row["verdict"] == "accept" for row in faces]
        recognisable = [row["ser_fiq"] for row in faces]
        figures = [
            plots.scatter(recognisable, scores, [_short(row["image"]) for row in faces], kept, policy, names),
            plots.histogram(recognisable, policy.ser_fiq_threshold, 1.0, names["ser_fiq"], plots.SER_FIQ),
            plots.histogram(scores, policy.cafi_threshold, 100.0, names["cafi"], plots.CAFI),
        ]
    return [
        _count(rows, policy, language),
        *figures,
        _gallery(run, rows, True, language),
        _gallery(run, rows, False, language),
    ]


def published(run: Run, policy: Policy) -> list[str]:
    """The table, the report page and a zip of the kept images; they do not tell where the uploads lie."""
    results = run.folder / RESULTS
    publish(results, Selection(policy), export="link")
    for name in ("scores.csv", "report.html"):
        told = (results / name).read_text(encoding="utf-8")
        (results / name).write_text(told.replace(f"{run.folder / UPLOADS}{os.sep}", ""), encoding="utf-8")
    archive = results / "kept.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as packed:
        for path in sorted((results / "kept").rglob("*")):
            if path.is_file():
                packed.write(path, path.relative_to(results / "kept"))
    return [str(results / "scores.csv"), str(results / "report.html"), str(archive)]


def sweep() -> None:
    """Remove the folders that a killed server left behind."""
    for folder in Path(tempfile.gettempdir()).glob(f"{FOLDER}*"):
        with suppress(OSError):  # another server may be removing it, or it is another user's
            if time.time() - folder.stat().st_mtime > LEFT_BEHIND:
                shutil.rmtree(folder)


def delete(run: Run | None) -> None:
    """Remove a visitor's results."""
    if run is not None:
        shutil.rmtree(run.folder, ignore_errors=True)


def _count(rows: Sequence[Row] | None, policy: Policy, language: Language) -> str:
    if rows is None:
        return f'<div class="card count"><p class="quiet">{text("curate.idle", language)}</p></div>'
    kept = sum(row["verdict"] == "accept" for row in rows)
    reasons = Counter(code for row in rows for code in (row["reasons"] or "").split())
    listed = "".join(
        f"<li><b>{number}</b> {text(f'why.{code}', language)}</li>" for code, number in reasons.most_common()
    )
    share = kept / len(rows) if rows else 0
    return (
        f'<div class="card count" aria-live="polite"><p class="kept-of">'
        f"{text('curate.kept_of', language, kept=kept, total=len(rows))}</p>"
        f'<span class="bar"><span style="width:{share:.0%}"></span></span><ul>{listed}</ul></div>'
    )


def _gallery(run: Run, rows: Sequence[Row], kept: bool, language: Language) -> str:
    chosen = [row for row in rows if (row["verdict"] == "accept") == kept]
    chosen.sort(key=lambda row: -(row["cafi"] if row["cafi"] is not None else (row["ser_fiq"] or 0) - 1))
    heading = text("curate.kept" if kept else "curate.rejected", language)
    figures = "".join(_figure(run, row, language) for row in chosen[:SHOWN])
    more = text("curate.more", language, count=len(chosen) - SHOWN) if len(chosen) > SHOWN else ""
    return (
        f'<p class="heading">{"✓" if kept else "✕"} {heading} ({len(chosen)})</p>'
        f'<div class="gallery {"accept" if kept else "reject"}">{figures}</div><p class="quiet">{more}</p>'
    )


def _figure(run: Run, row: Row, language: Language) -> str:
    picture = run.thumbnails.get((row["image"], row["face_index"]))
    shown = f'<img src="{picture}" alt="" loading="lazy">' if picture else '<div class="no-picture">?</div>'
    score = "" if row["cafi"] is None else f"<b>{text('cafi', language)} {row['cafi']:.0f}</b> "
    why = ", ".join(text(f"why.{code}", language) for code in (row["reasons"] or "").split())
    return (
        f"<figure>{shown}<figcaption>{score}<span>{why}</span>"
        f"<small>{escape(_short(row['image']))}</small></figcaption></figure>"
    )


def _short(name: str) -> str:
    return name.rsplit("/", 1)[-1]


def _progress(done: int, total: int, seconds: float, language: Language) -> str:
    rate = done / seconds if seconds else 0.0
    left = (total - done) / rate if rate else 0.0
    key = "curate.done" if done and done >= total else "curate.progress" if done else "curate.starting"
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
