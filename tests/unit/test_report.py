"""The report of a run: what it says, what it leaves out, and how it moves in a browser."""

import json
import re
import shutil
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import date
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from string import Formatter
from urllib.parse import urlsplit

import cv2
import numpy as np
import pytest

from faceqa.curation import report
from faceqa.curation.journal import JOURNAL
from faceqa.curation.report import write_report
from faceqa.curation.report.figures import BINS, MOST_POINTS, Collecting, figure_data
from faceqa.curation.report.page import MOST_SHOWN, Counts, evenly
from faceqa.curation.report.wording import FIGURE_WORDS, PAGE_WORDS
from faceqa.curation.selection import Summing, select
from faceqa.curation.settings import Selection, Settings
from faceqa.curation.table import Row
from faceqa.curation.thumbnails import MOST_BYTES, SIDE, THUMBNAILS, picture, thumbnails
from faceqa.measures.registry import COMPONENTS, MEASURES, SCORE
from faceqa.reading import image
from faceqa.verdict.judge import cafi
from faceqa.verdict.policy import SETTINGS, Policy
from faceqa.verdict.reasons import WORDINGS, cause_advice, cause_title, gate_reason

BY_NAME = {row.name: row for row in MEASURES}

VOID = {"meta", "link", "input", "img"}

HOSTILE = "<img src=x onerror=alert(1)>'\"&.jpg"
CLOSING = "</script><script>alert(2)</script><!--.jpg"


def face(name: str, ser_fiq=0.8, dbcnn=60.0, occlusion=0.02, face_size=300.0, yaw=-3.0, **others) -> Row:
    scores = {"face_size": face_size, "yaw": yaw, "ser_fiq": ser_fiq, "occlusion": occlusion, "dbcnn": dbcnn}
    known = {"pitch": 2.0, "roll": -0.2, "inter_eye_distance": 81.0, "confidence": 0.9}
    size = {"width": 640, "height": 480, "faces_found": 1}
    return Row(name, "accept", scores=scores, **{"face_index": 0, **known, **size, **others})


def faceless(name: str) -> Row:
    return Row(name, "reject", reasons=("no_face",), width=640, height=480)


def unreadable(name: str) -> Row:
    return Row(name, "error", reasons=("unreadable_image",), error="The file is cut off.")


def many(count: int, seed: int = 0) -> list[Row]:
    """Faces of every quality."""
    random = np.random.default_rng(seed)
    return [
        face(
            f"faces/{number:05}.jpg",
            ser_fiq=round(float(random.beta(4, 2)), 4),
            dbcnn=round(float(random.normal(58, 9)), 2),
            occlusion=round(float(random.beta(1, 9)), 4),
            face_size=round(float(random.uniform(80, 900)), 1),
            yaw=round(float(random.normal(0, 30)), 1),
        )
        for number in range(count)
    ]


MIXED = [
    face("album/good.jpg", dbcnn=70.25),
    face("album/fair.jpg", dbcnn=60.5),
    face("album/soft.jpg", dbcnn=55.49),
    face("album/worse.jpg", dbcnn=31.0),
    face("album/masked.jpg", occlusion=0.4375, ser_fiq=0.031),
    faceless("album/tree.jpg"),
    unreadable("album/broken.jpg"),
]


def written(
    out: Path, rows: Iterable[Row], selection: Selection | None = None, language="en", paths=("album",)
) -> Path:
    """The report of these rows, judged, in a folder like that of a run."""
    out.mkdir(exist_ok=True)
    (out / JOURNAL).touch()
    selection, kept = selection or Selection(), list(rows)

    def judged() -> Iterator[Row]:
        return select(lambda: kept, selection)

    summing = Summing()
    for row in judged():
        summing.add(row)
    settings = Settings(tuple(map(str, paths)))
    write_report(settings, out, judged, summing.summary(selection, settings), language)
    return out / "report.html"


@pytest.fixture
def photo(tmp_path) -> Callable[[str], Row]:
    """A file with a picture of something, and the row of the face in it."""

    def made(name: str) -> Row:
        path = tmp_path / name
        colours = np.random.default_rng(len(name)).integers(0, 256, (8, 8, 3), dtype=np.uint8)
        path.write_bytes(cv2.imencode(".jpg", cv2.resize(colours, (240, 240)))[1].tobytes())
        return face(str(path), box=(40.0, 40.0, 200.0, 200.0))

    return made


class Page(HTMLParser):
    """A page as its reader has it: its words in one language, and what it would load."""

    def __init__(self, text: str, language: str = "en"):
        super().__init__()
        self.loaded: list[str] = []
        self.scripts: dict[str, str] = {}
        self.styles: list[str] = []
        self.policy = ""
        self._open: list[tuple[str, dict]] = []
        self._language = language
        self._words: list[str] = []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag, attributes):
        known = dict(attributes)
        assert not any(name.startswith("on") or name == "style" for name in known)
        self.loaded += [known[name] for name in ("src", "href", "data", "poster") if known.get(name)]
        if known.get("http-equiv") == "Content-Security-Policy":
            self.policy = known["content"]
        if tag not in VOID:
            self._open.append((tag, known))

    def handle_startendtag(self, tag, attributes):
        assert tag in ("rect", "path")

    def handle_endtag(self, tag):
        assert self._open.pop()[0] == tag

    def handle_data(self, data):
        tag, known = self._open[-1] if self._open else ("", {})
        if tag == "script":
            self.scripts[known.get("type", "")] = self.scripts.get(known.get("type", ""), "") + data
        elif tag == "style":
            self.styles.append(data)
        elif all(known.get("lang", self._language) == self._language for _, known in self._open[1:]):
            self._words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self._words))

    @property
    def data(self) -> dict:
        return json.loads(self.scripts["application/json"])

    @property
    def entries(self) -> list[dict]:
        fields = self.data["page"]["fields"]
        return [dict(zip(fields, values, strict=True)) for values in self.data["entries"]]


def page_of(path: Path, language: str = "en") -> Page:
    return Page(path.read_text(encoding="utf-8"), language)


# What it says


def test_it_stands_alone_and_lets_only_its_own_script_run(tmp_path, photo):
    page = page_of(written(tmp_path / "out", [photo("a.jpg"), *MIXED], paths=[tmp_path]))
    assert page.loaded == ["data:,"]
    code = page.scripts[""] + "".join(page.styles)
    assert not re.search(r"https?:(?!//www\.w3\.org/2000/svg)|@import|url\(|innerHTML|\beval\b", code)
    rules = dict(rule.strip().split(" ", 1) for rule in page.policy.split(";"))
    assert rules["default-src"] == rules["base-uri"] == "'none'" and rules["img-src"] == "data:"
    for kind, text in (("script-src", page.scripts[""]), ("style-src", "".join(page.styles))):
        assert rules[kind] == f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def test_faces_and_images_are_counted_apart(tmp_path):
    page = page_of(written(tmp_path, [MIXED[0], face("album/good.jpg", face_index=1), *MIXED[1:]]))
    for words in (
        *("7 images", "6 faces", "3 kept", "3 rejected", "1 images without a face", "1 not assessed"),
        "3 of 6 faces are kept (50 %).",
    ):
        assert f" {words} " in page.text


@pytest.mark.parametrize("language", ["en", "ko"])
def test_it_speaks_the_words_of_the_app_and_tells_the_thresholds(tmp_path, language):
    policy = Policy(max_occlusion=0.305, cafi_threshold=55.25)
    path = written(tmp_path, MIXED, Selection(policy), language)
    page = page_of(path, language)
    assert f'<html lang="{language}">' in path.read_text(encoding="utf-8")
    for setting in SETTINGS:
        shown = setting.measure.module is not None  # the others belong to data sets that are levelled
        assert (setting.label.in_language(language) in page.text) == shown
        assert setting.name not in page.text
    percent = "30.5%" if language == "ko" else "30.5 %"
    assert all(f" {limit} " in page.text for limit in ("112 px", "45°", "0.05", percent, "55.25"))
    for code in ("occluded", "low_cafi", "no_face", "unreadable_image"):
        words = WORDINGS[code]
        assert words.short.in_language(language) in page.text and code not in page.text
        assert words.advice.in_language(language) in page.text
    for row in (SCORE, *MEASURES):
        assert row.on_request or row.title.in_language(language) in page.text
    assert date.fromtimestamp((tmp_path / JOURNAL).stat().st_mtime).isoformat() in page.text


def test_thresholds_and_limits_on_how_many_are_told(tmp_path):
    rows = many(300)
    page = page_of(written(tmp_path, rows, Selection(keep_top=20)))
    assert "the best 20" in page.text and "20 kept" in page.text
    assert page.data["page"]["limited"] is True
    scores = sorted((row.cafi for row in (row.judged(Policy()) for row in rows) if row.cafi), reverse=True)
    half = round(0.5 * len(scores))
    assert f" 50 % {half} {scores[half - 1]:g} " in page.text


def test_every_face_is_shown_with_its_picture(tmp_path, photo):
    rows = [photo("a.jpg"), photo("b.jpg"), *many(300), *MIXED]
    entries = page_of(written(tmp_path / "out", rows, paths=[tmp_path])).entries
    assert [entry["image"] for entry in entries] == [row.image for row in rows]
    pictures = [entry["picture"] for entry in entries]
    assert all(one.startswith("data:image/webp;base64,") for one in pictures[:2]) and set(pictures[2:]) == {
        None
    }
    judged = [row.judged(Policy()) for row in rows]
    assert [(entry["verdict"], entry["score"]) for entry in entries] == [(r.verdict, r.cafi) for r in judged]


def test_beyond_ten_thousand_a_sample_is_shown_and_the_page_says_so(tmp_path):
    rows = many(MOST_SHOWN + 500)
    page = page_of(written(tmp_path, rows))
    entries = page.entries
    assert len(entries) == MOST_SHOWN
    assert f"{MOST_SHOWN:,} of {len(rows):,} results" in page.text and f"{len(rows):,} faces" in page.text
    places = [int(re.findall(r"\d+", entry["image"])[0]) for entry in entries]
    assert places == sorted(places) and max(np.diff(places)) == 2
    steps = page.data["page"]["steps"]["counts"]
    assert sum(steps) == sum(row.judged(Policy()).cafi is not None for row in rows)


@pytest.mark.parametrize("total", [1, 7, 10, 11, 19, 20, 21, 1003])
def test_a_sample_is_as_large_as_it_may_be_and_evenly_spaced(total):
    chosen = [number for number in range(total) if evenly(number, total, 10)]
    assert len(chosen) == min(10, total)
    assert np.ptp(np.diff([*chosen, chosen[0] + total])) <= 1


def test_ten_thousand_faces_fit_into_forty_megabytes(tmp_path, monkeypatch):
    rows = [
        replace(row, box=(0.0, 0.0, 9.0, 9.0), image="albums/holiday/" * 4 + row.image) for row in many(200)
    ]

    def largest(_settings, _out, shown):
        return {(row.image, 0): bytes(MOST_BYTES) for row in shown}

    monkeypatch.setattr(report, "thumbnails", largest)
    sizes = [written(tmp_path, rows[:count]).stat().st_size for count in (100, 200)]
    assert sizes[1] + (MOST_SHOWN - 200) * (sizes[1] - sizes[0]) / 100 < 40e6


def test_names_cannot_bring_markup_along(tmp_path):
    path = written(tmp_path, [face(HOSTILE), face(CLOSING)], paths=[HOSTILE, CLOSING])
    text = path.read_text(encoding="utf-8")
    assert HOSTILE not in text and CLOSING not in text and text.count("</script>") == 2
    page = page_of(path)
    assert page.loaded == ["data:,"] and f"{HOSTILE}, {CLOSING}" in page.text
    assert [entry["image"] for entry in page.entries] == [HOSTILE, CLOSING]


@pytest.mark.parametrize(
    "rows", [[], [faceless("tree.jpg")], [unreadable("broken.jpg"), faceless("tree.jpg")]]
)
def test_a_report_of_no_face_is_still_a_page(tmp_path, rows):
    path = written(tmp_path, rows)
    assert "No face was found." in page_of(path).text
    assert "얼굴을 찾지 못했습니다." in page_of(path, "ko").text
    assert len(page_of(path).entries) == len(rows)


def test_the_same_run_makes_the_same_page_and_a_failing_one_leaves_it(tmp_path):
    before = written(tmp_path, MIXED).read_bytes()
    assert written(tmp_path, MIXED).read_bytes() == before

    def broken() -> Iterator[Row]:
        yield MIXED[0]
        raise OSError

    summary = Summing().summary()
    with pytest.raises(OSError):
        write_report(Settings(()), tmp_path, broken, summary, "en")
    assert (tmp_path / "report.html").read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {"report.html", JOURNAL, THUMBNAILS}


def test_models_are_named_only_where_they_are_those_of_the_run(tmp_path):
    summary = Summing().summary()
    (tmp_path / JOURNAL).touch()
    told = []
    for settings in (Settings(()), Settings((), weights="0123456789ab")):
        write_report(settings, tmp_path, lambda: iter(()), summary, "en")
        told.append(page_of(tmp_path / "report.html").text)
    assert "sface-2021dec-int8" in told[0] and "sface" not in told[1] and "0123456789ab" in told[1]


@pytest.mark.parametrize("name", [*PAGE_WORDS, *FIGURE_WORDS])
def test_both_languages_fill_the_same_blanks(name):
    english, korean = {**PAGE_WORDS, **FIGURE_WORDS}[name]
    blanks = [{blank for _, blank, _, _ in Formatter().parse(text) if blank} for text in (english, korean)]
    assert english and korean and blanks[0] == blanks[1]


def test_counts_of_faces_and_images_add_up():
    summing = Summing()
    for row in select(lambda: MIXED, Selection()):
        summing.add(row)
    counts = Counts.of(summing.summary())
    assert (counts.kept, counts.rejected, counts.faceless, counts.errors) == (2, 3, 1, 1)
    assert counts.total == len(MIXED) and counts.kept + counts.rejected == counts.faces


# Pictures


def test_a_picture_is_small_even_of_a_noisy_face(hopper):
    noise = np.random.default_rng(0).normal(0, 40, hopper.shape)
    noisy = np.clip(hopper + noise, 0, 255).astype(np.uint8)
    for crop in (hopper, noisy):
        made = picture(crop[:384, :384])
        assert len(made) <= MOST_BYTES
        assert image.load(made, min_side=SIDE).shape == (SIDE, SIDE, 3)


def test_an_image_without_a_face_has_a_picture_of_itself(tmp_path, photo):
    """Beside it an image that is gone, and one that is an error."""
    rows = [replace(faceless("tree.jpg"), image=photo("a.jpg").image), faceless("gone.jpg")]
    halves = np.full((150, 450, 3), 40, np.uint8)
    halves[:, 225:] = 220
    cv2.imwrite(rows[0].image, halves)
    out = tmp_path / "out"
    out.mkdir()
    error = replace(photo("bb.jpg"), verdict="error", box=None, scores={})
    made = thumbnails(Settings((str(tmp_path),)), out, [*rows, error])
    assert list(made) == [(rows[0].image, 0)]
    seen = cv2.imdecode(np.frombuffer(made[rows[0].image, 0], np.uint8), cv2.IMREAD_COLOR)
    assert seen is not None and seen.shape == (round(SIDE / 3), SIDE, 3), "whole, and no larger"
    assert seen[:, :50].mean() < 60 and seen[:, -50:].mean() > 200


def test_pictures_are_made_once_and_again_where_their_file_is_broken(tmp_path, photo):
    row, settings = photo("a.jpg"), Settings((str(tmp_path / "a.jpg"),))
    out = tmp_path / "out"
    out.mkdir()
    first = thumbnails(settings, out, [row, faceless("tree.jpg")])
    whole = (out / THUMBNAILS).read_bytes()
    assert list(first) == [(row.image, 0)]
    (out / THUMBNAILS).write_bytes(whole[:-30])
    assert thumbnails(settings, out, [row]) == first and (out / THUMBNAILS).read_bytes() == whole
    Path(row.image).unlink()
    assert thumbnails(settings, out, [row]) == first
    (out / THUMBNAILS).unlink()
    assert thumbnails(settings, out, [row]) == {}


# Figures


def judged(rows: Iterable[Row], policy: Policy) -> list[Row]:
    return [row.judged(policy) for row in rows]


def test_histograms_count_every_face_on_its_side_of_the_limit():
    rows = judged(many(500), Policy())
    data = figure_data([*rows, faceless("tree.jpg"), unreadable("broken.jpg")], Policy(), "en")
    kept = sum(row.verdict == "accept" for row in rows)
    for histogram in data["histograms"]:
        scale, bins = histogram["scale"], histogram["bins"]
        values = [row.cafi if scale["name"] == SCORE.name else row.scores[scale["name"]] for row in rows]
        known = [value for value in values if value is not None]
        if scale["name"] in BY_NAME and BY_NAME[scale["name"]].signed:
            known = [abs(value) for value in known]
            assert scale["low"] == 0
        assert len(bins) == BINS and sum(map(sum, bins)) == len(known)
        assert sum(count for count, _ in bins) == kept
        assert histogram["numbers"]["mean"] == pytest.approx(np.mean(known), abs=1e-4)
        if scale["name"] == "ser_fiq":
            whole = np.round(np.multiply(known, 10_000))  # so an edge is met exactly
            ends = (10_000 * scale["low"], 10_000 * scale["high"])
            expected = np.histogram(whole, bins=BINS, range=ends)[0]
            assert [sum(pair) for pair in bins] == expected.tolist()
    assert [one["scale"]["name"] for one in data["histograms"]] == [
        SCORE.name,
        *(row.name for row in MEASURES if not row.on_request),
    ]


def test_a_value_at_the_edge_of_a_bar_belongs_to_the_bar_above():
    width = 100 / BINS
    rows = judged([face("a", dbcnn=57.5), face("b", dbcnn=57.49), face("c", dbcnn=100.0)], Policy())
    (score,) = [
        one for one in figure_data(rows, Policy(), "en")["histograms"] if one["scale"]["name"] == SCORE.name
    ]
    place = round(57.5 / width)
    assert score["bins"][place] == (1, 0) and score["bins"][place - 1] == (1, 0)
    assert score["bins"][-1] == (1, 0)


def test_steps_recount_the_faces_at_any_threshold():
    rows = judged(many(2000), Policy())
    collecting = Collecting(Policy())
    for row in rows:
        collecting.add(row)
    steps = collecting.steps()
    for threshold in (0.0, 31.07, 55.5, 57.29, 60.1, 100.0):
        first = round((threshold - steps.low) / steps.size)
        kept = sum(row.cafi is not None and row.cafi >= threshold for row in rows)
        assert sum(steps.counts[first:]) == kept


def test_the_scatter_plot_thins_out_faces_and_counts_all():
    policy = Policy(ser_fiq_weight=1.0, cafi_threshold=62.0)
    rows = judged(many(2 * MOST_POINTS + 10), policy)
    scatter = figure_data(rows, policy, "en")["scatter"]
    assert MOST_POINTS / 2 <= len(scatter["points"]) <= MOST_POINTS and scatter["faces"] == len(rows)
    by_name = {row.image: row for row in rows}
    for x, y, kept, name, _ in scatter["points"]:
        row = by_name[name]
        assert (x, y, kept) == (row.scores["ser_fiq"], row.scores["dbcnn"], row.verdict == "accept")
    counts = {(high, passes): 0 for high in (True, False) for passes in (True, False)}
    for row in rows:
        assert row.measures is not None
        counts[cafi(row.measures, policy) >= 62, row.scores["ser_fiq"] >= policy.ser_fiq_threshold] += 1
    assert scatter["counts"] == tuple((counts[high, False], counts[high, True]) for high in (True, False))


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ((0, 1), (0, 50, 1, 50)),
        ((1, 0), (0.5, 0, 0.5, 100)),
        ((1, 1), (0, 100, 1, 0)),
        ((3, 1), (1 / 3, 100, 2 / 3, 0)),
    ],
)
def test_the_line_of_the_score_is_where_the_score_equals_its_threshold(weights, expected):
    policy = Policy(ser_fiq_weight=weights[0], dbcnn_weight=weights[1], cafi_threshold=50)
    line = figure_data(judged([face("a")], policy), policy, "en")["scatter"]["line"]
    assert line == pytest.approx(expected)
    for x, y in (line[:2], line[2:]):
        measures = face("a", ser_fiq=x, dbcnn=y).measures
        assert measures is not None
        assert cafi(measures, policy) == pytest.approx(50, abs=0.01)


def test_no_line_is_drawn_where_every_face_is_on_one_side():
    policy = Policy(ser_fiq_weight=0, cafi_threshold=100.5 - 1)
    rows = [face("a", dbcnn=0.7), face("b", dbcnn=0.2)]
    assert figure_data(judged(rows, policy), policy, "en")["scatter"]["line"] is None


@pytest.mark.parametrize(
    ("values", "ends"),
    [((30, 70), (0, 100)), ((30, 117), (0, 120)), ((-12, 50), (-12, 100)), ((0.2, 0.83), (0, 0.84))],
)
def test_an_axis_is_the_measures_own_or_suits_another_metric(values, ends):
    rows = judged([face(str(value), dbcnn=value) for value in values], Policy())
    scale = next(
        one["scale"]
        for one in figure_data(rows, Policy(), "en")["histograms"]
        if one["scale"]["name"] == "dbcnn"
    )
    assert (scale["low"], scale["high"]) == pytest.approx(ends)


def test_figures_of_no_face_are_empty():
    data = figure_data([faceless("tree.jpg")], Policy(), "ko")
    assert data["histograms"] == [] and data["scatter"] is None and data["language"] == "ko"
    json.dumps(data)


# In a browser

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium on this machine")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture
def visit(browser):
    """Opens a report; the page asks for nothing else, and breaks no rule of its own."""
    contexts, asked, said = [], [], []

    def dismissed(dialog) -> None:
        said.append(dialog.message)
        dialog.dismiss()

    def opened(path: Path, **options):
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: asked.append(urlsplit(request.url)))
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("dialog", dismissed)
        page.goto(path.as_uri())
        return page

    yield opened
    for context in contexts:
        context.close()
    assert said == []
    assert {url.scheme for url in asked} <= {"file", "data"}
    assert all(Path(url.path).name == "report.html" for url in asked if url.scheme == "file")


def slide(page, value: float) -> None:
    page.locator("#threshold").evaluate(
        "(slider, value) => { slider.value = value; slider.dispatchEvent(new Event('input')); }", value
    )
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def verdicts(page) -> dict[str, str]:
    """By the name of the image."""
    return page.eval_on_selector_all(
        ".face",
        "cards => Object.fromEntries(cards.map((card) => [card.title, card.className.split(' ')[1]]))",
    )


@pytest.mark.browser
def test_pictures_and_figures_are_drawn(visit, tmp_path, photo):
    page = visit(written(tmp_path / "out", [photo("a.jpg"), *MIXED], paths=[tmp_path]))
    page.wait_for_function("[...document.querySelectorAll('.face img')].every((one) => one.naturalWidth > 0)")
    assert page.locator(".face img").count() == 1 and page.locator(".face").count() == len(MIXED) + 1
    drawn = page.eval_on_selector_all("#figures [data-figure]", "all => all.map((one) => one.dataset.figure)")
    assert drawn == [*(row.name for row in MEASURES if not row.on_request), "scatter"]
    assert page.locator("#figures svg[role=img][aria-label]").count() == len(drawn)
    assert page.locator("[data-figure=scatter] circle.kept").count() == 3
    assert page.locator("[data-figure=scatter] path.rejected").count() == 3
    page.locator("[data-figure=occlusion] summary").click()
    assert "43.8 %" in page.inner_text("[data-figure=occlusion] table")


@pytest.mark.browser
def test_the_threshold_recounts_at_once_and_a_failed_gate_stays(visit, tmp_path):
    page = visit(written(tmp_path, MIXED))
    assert page.inner_text("#kept-of") == "2 of 5 kept" and page.is_hidden("#preview")
    for threshold in (0, 40, 55, 56, 70.5, 100):
        slide(page, threshold)
        policy = Policy(cafi_threshold=threshold)
        expected = {row.image: row.judged(policy) for row in MIXED}
        kept = sum(row.verdict == "accept" for row in expected.values())
        assert page.inner_text("#kept-of") == f"{kept} of 5 kept"
        assert page.inner_text("#count-kept") == str(kept) and page.inner_text("#count-rejected") == str(
            5 - kept
        )
        assert verdicts(page) == {name: row.verdict for name, row in expected.items()}
        low = sum("low_cafi" in row.reasons for row in expected.values())
        assert page.locator("[data-code=low_cafi] td.number").text_content() == str(low)
        assert page.is_visible("[data-code=low_cafi]") == (low > 0)
        assert page.locator("[data-code=occluded] td.number").inner_text() == "1"
    assert "still go by 55.5" in page.inner_text("#preview")
    page.click("#reset")
    assert page.inner_text("#kept-of") == "2 of 5 kept" and page.is_hidden("#preview")


@pytest.mark.browser
def test_the_threshold_recounts_faces_that_the_page_leaves_out(visit, tmp_path, monkeypatch):
    monkeypatch.setattr(report, "evenly", lambda number, of: evenly(number, of, 50))
    rows = many(400)
    page = visit(written(tmp_path, rows, Selection(keep_top=30)))
    assert page.inner_text("#kept-of") == "30 of 400 kept" and page.inner_text("#shown") == "50 shown"
    for button in page.locator("[data-threshold]").all()[:3]:
        button.click()
        policy = Policy(cafi_threshold=float(button.get_attribute("data-threshold")))
        kept = sum(row.verdict == "accept" for row in judged(rows, policy))
        assert page.inner_text("#kept-of") == f"{kept} of 400 kept"
    assert "by the threshold alone" in page.inner_text("#preview")


@pytest.mark.browser
@pytest.mark.parametrize("language", ["en", "ko"])
def test_a_reason_filters_and_a_click_says_why(visit, tmp_path, language):
    page = visit(written(tmp_path, MIXED))
    page.click(f"[data-language={language}]")
    assert page.evaluate("document.documentElement.lang") == language
    page.click("[data-reason=occluded]")
    assert list(verdicts(page)) == ["album/masked.jpg"]
    page.click(".face")
    told = page.inner_text("#one")
    for code, value, limit in (("low_ser_fiq", 0.031, 0.05), ("occluded", 0.4375, 0.25)):
        reason = gate_reason(code, value, limit, language)
        assert reason.message in told and reason.advice in told
    assert BY_NAME["occlusion"].text(0.4375, language) in told and WORDINGS["low_cafi"].short[0] not in told
    page.keyboard.press("Escape")
    page.select_option("#why", "")
    page.select_option("#show", "error")
    page.click(".face")
    words = WORDINGS["unreadable_image"].message.ko if language == "ko" else "The file is cut off."
    assert words in page.inner_text("#one")


@pytest.mark.browser
@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("yaw", [60.0, -60.0])
def test_a_head_turned_to_either_side_is_told_alike(visit, tmp_path, language, yaw):
    page = visit(written(tmp_path, [*MIXED, face("album/turned.jpg", yaw=yaw)]))
    page.click(f"[data-language={language}]")
    page.click("[data-reason=turned_away]")
    assert list(verdicts(page)) == ["album/turned.jpg"]
    page.click(".face")
    reason = gate_reason("turned_away", 60.0, 45.0, language)
    told = page.inner_text("#one")
    assert reason.message in told and reason.advice in told
    assert BY_NAME["yaw"].text(yaw, language).lstrip("-") in told
    line = page.locator("#one tr", has_text=BY_NAME["yaw"].title.in_language(language))
    assert line.locator("td.fails").count() == 1


def levelled(row: Row, value: float) -> Row:
    return replace(row, scores={**row.scores, "ser_fiq_levelled": value})


@pytest.mark.parametrize("language", ["en", "ko"])
def test_a_levelled_run_tells_its_gate(tmp_path, language):
    rows = [levelled(face("a.jpg", ser_fiq=0.01), 0.9), levelled(face("b.jpg", ser_fiq=0.8), 0.1)]
    page = page_of(written(tmp_path, rows, language=language), language)
    assert [entry["reasons"] for entry in page.entries] == [[], ["low_ser_fiq_levelled"]]
    row = BY_NAME["ser_fiq_levelled"]
    assert row.gate is not None and row.replaces is not None
    for words in (row.title, row.gate.label, WORDINGS["low_ser_fiq_levelled"].short):
        assert words.in_language(language) in page.text
    raw = BY_NAME[row.replaces]
    assert raw.gate is not None and raw.weight is not None
    assert f"{raw.gate.label.in_language(language)} 0.05" not in page.text
    assert raw.weight.label.in_language(language) in page.text, "its part in the score stays"
    shown = {one["name"]: one for one in page.data["page"]["measures"]}
    assert (shown[raw.name]["limit"], shown[row.name]["limit"]) == (None, 0.2)
    assert (shown[raw.name]["replaced"], shown[row.name]["replaced"]) == (list(row.title), None)


def test_the_figures_of_a_levelled_run_go_by_what_stands_at_the_gate():
    raw = many(200)
    values = np.random.default_rng(1).beta(2, 2, len(raw)).round(4)
    rows = judged([levelled(*pair) for pair in zip(raw, map(float, values), strict=True)], Policy())
    data = figure_data(rows, Policy(), "en")
    limits = {one["scale"]["name"]: one["scale"]["limit"] for one in data["histograms"]}
    assert (limits["ser_fiq"], limits["ser_fiq_levelled"]) == (None, 0.2)
    scatter = data["scatter"]
    assert (scatter["x"]["name"], scatter["x"]["limit"]) == ("ser_fiq_levelled", 0.2)
    assert {x for x, *_ in scatter["points"]} == set(values)
    (fails, passes), (low_fails, low_passes) = scatter["counts"]
    assert fails + low_fails == sum(values < 0.2) > 0 and passes + low_passes == sum(values >= 0.2)
    assert scatter["line"] == (0.0, 55.5, 1.0, 55.5)
    balanced = Policy(ser_fiq_weight=1.0)
    rows = judged(rows, balanced)
    assert figure_data(rows, balanced, "en")["scatter"]["line"] is None, "the score rests on raw SER-FIQ"


@pytest.mark.browser
@pytest.mark.parametrize("language", ["en", "ko"])
def test_a_face_of_a_levelled_run_is_held_against_the_levelled_gate(visit, tmp_path, language):
    page = visit(written(tmp_path, [levelled(face("a.jpg", ser_fiq=0.01), 0.9)], language=language))
    raw, row = (BY_NAME[name].title.in_language(language) for name in ("ser_fiq", "ser_fiq_levelled"))
    note = FIGURE_WORDS["replaced"].in_language(language).format(measure=row)
    assert note in page.inner_text("[data-figure=ser_fiq]")
    assert page.locator("[data-figure=ser_fiq] line.limit").count() == 0
    assert page.locator("[data-figure=ser_fiq_levelled] line.limit").count() == 1
    page.click(".face")
    told = {
        line.locator("th").inner_text(): line.locator("td").last.inner_text()
        for line in page.locator("#one tr").all()
    }
    assert told[raw] == note
    passes = PAGE_WORDS["passes"].in_language(language)
    at_least = PAGE_WORDS["at_least"].in_language(language).format(limit="0.2")
    assert told[row] == f"{passes} · {at_least}"


TWINS = [
    face("album/best.jpg", dbcnn=80.0, group="1f"),
    face("album/copy.jpg", dbcnn=70.0, group="1f"),
    face("album/other.jpg", dbcnn=75.0),
]


@pytest.mark.parametrize(
    ("language", "told"), [("en", "a better one: 1 of the faces (groups: 1)"), ("ko", "얼굴 1개는 더 나은")]
)
def test_near_duplicates_are_told_and_count_as_failed_where_the_best_are_kept(tmp_path, language, told):
    page = page_of(written(tmp_path, TWINS, language=language), language)
    assert told in page.text
    assert [entry["duplicate_of"] for entry in page.entries] == [None, "album/best.jpg", None]
    assert [entry["verdict"] for entry in page.entries] == ["accept"] * 3
    page = page_of(written(tmp_path, TWINS, Selection(unique=True), language), language)
    assert [entry["reasons"] for entry in page.entries] == [[], ["duplicate"], []]
    assert WORDINGS["duplicate"].short.in_language(language) in page.text
    assert page.data["page"]["steps"] is not None and sum(page.data["page"]["steps"]["counts"]) == 2


@pytest.mark.browser
def test_a_near_duplicate_leads_to_the_better_picture_and_stays_rejected(visit, tmp_path):
    page = visit(written(tmp_path, TWINS, Selection(unique=True)))
    slide(page, 10)
    assert verdicts(page)["album/copy.jpg"] == "reject"
    page.click(".face[title='album/copy.jpg']")
    assert WORDINGS["duplicate"].message.en in page.inner_text("#one")
    page.click(".one-told button")
    assert page.inner_text("#one-name") == "album/best.jpg"
    page.keyboard.press("Escape")
    page.wait_for_selector(".face[title='album/best.jpg']:focus")


@pytest.mark.browser
def test_faces_sort_by_every_measure_and_by_name(visit, tmp_path):
    rows = [*many(40), faceless("faces/tree.jpg")]
    page = visit(written(tmp_path, rows))
    faces = judged(rows, Policy())
    for row in (SCORE, *MEASURES):
        if row.on_request:
            continue
        page.select_option("#sort", row.name)
        known = {one.image: one.cafi if row is SCORE else one.scores.get(row.name) for one in faces}
        values = [known[name] for name in verdicts(page)]
        ranked = [value for value in values if value is not None]
        goodness = [abs(value) if row.signed else value for value in ranked]
        assert goodness == sorted(goodness, reverse=row.higher_is_better)
        assert values[len(ranked) :] == [None] * (len(faces) - len(ranked))
    page.select_option("#sort", "name")
    page.click("#reverse")
    assert list(verdicts(page)) == sorted((one.image for one in faces), reverse=True)


@pytest.mark.browser
def test_the_view_of_a_face_goes_by_keyboard(visit, tmp_path):
    page = visit(written(tmp_path, many(300)))
    assert page.locator(".face").count() < 300
    names = []
    page.locator(".face").first.focus()
    page.keyboard.press("Enter")
    for _ in range(200):
        names.append(page.inner_text("#one-name"))
        page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    assert page.inner_text("#one-name") == names[-1] and len(set(names)) == 200
    assert page.inner_text("#place") == "200 of 300"
    page.keyboard.press("Escape")
    assert page.is_hidden("#one")
    page.wait_for_selector(f".face[title='{names[-1]}']:focus")


@pytest.mark.browser
def test_scrolling_brings_every_face(visit, tmp_path):
    page = visit(written(tmp_path, many(400)))
    for _ in range(30):
        page.mouse.wheel(0, 3000)
        page.wait_for_timeout(50)
    assert page.locator(".face").count() == 400


@pytest.mark.browser
def test_hostile_names_are_words_only(visit, tmp_path):
    names = [HOSTILE, CLOSING, "<svg onload=alert(3)>", "javascript:alert(4)"]
    page = visit(written(tmp_path, [face(name) for name in names], paths=names))
    page.select_option("#sort", "name")
    shown = []
    for card in page.locator(".face").all():
        card.click()
        shown.append(page.inner_text("#one-name"))
        page.keyboard.press("Escape")
    assert sorted(shown) == sorted(names)
    assert page.locator("img, script:not([type]), #gallery svg").count() == 1


@pytest.mark.browser
@pytest.mark.parametrize("language", ["en", "ko"])
def test_it_fits_a_phone(visit, tmp_path, language):
    long_name = "a" * 120 + ".jpg"
    page = visit(
        written(tmp_path, [*many(30), *MIXED, face(long_name)], language=language, paths=[long_name]),
        viewport={"width": 390, "height": 844},
        color_scheme="dark",
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.locator(".face").first.click()
    assert page.evaluate("document.querySelector('#one').scrollWidth") <= 390
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(11, 17, 32)"


@pytest.mark.browser
def test_without_a_script_the_numbers_remain(visit, tmp_path):
    page = visit(written(tmp_path, MIXED, language="ko"), java_script_enabled=False)
    told = page.inner_text("body")
    assert "자바스크립트" in told and "얼굴 5개 중 2개를 남깁니다(40%)." in told and "JavaScript" not in told
    assert "43.8%" in page.inner_text(".numbers")
    assert page.is_hidden("#faces") and page.is_hidden("#try")


@pytest.mark.browser
def test_an_empty_report_moves_nothing(visit, tmp_path):
    page = visit(written(tmp_path, []))
    page.click("[data-language=ko]")
    assert "얼굴을 찾지 못했습니다." in page.inner_text("main")


def with_components(number: int, **changed: int | None) -> Row:
    known = {row.name: 50 + number for row in COMPONENTS}
    return face(f"faces/{number}.jpg", dbcnn=70.0 + number, components={**known, **changed})


ASKED = Selection(Policy(minimums={"sharpness": 55}))


@pytest.mark.parametrize("language", ["en", "ko"])
def test_components_are_told_with_the_minimum_that_is_asked_for(tmp_path, language):
    rows = [with_components(0), with_components(10), with_components(20, natural_colour=None)]
    page = page_of(written(tmp_path, [*rows, *MIXED[-2:]], ASKED, language), language)
    titles = [row.title.in_language(language) for row in COMPONENTS]
    assert all(title in page.text for title in titles)
    assert {"en": "Sharpness, at least 55", "ko": "선명도 하한 55"}[language] in page.text
    assert {"en": "not sharp 1", "ko": "선명하지 않음 1"}[language] in page.text


def test_components_are_summed_up_without_those_that_could_not_be_assessed():
    rows = [with_components(0), with_components(10), with_components(30, natural_colour=None)]
    summing = Summing()
    for row in [*rows, faceless("tree.jpg"), face("before.jpg")]:
        summing.add(row)
    known = summing.summary().components
    assert list(known) == [row.name for row in COMPONENTS]
    assert (known["sharpness"]["min"], known["sharpness"]["p50"], known["sharpness"]["max"]) == (50, 60, 80)
    assert (known["natural_colour"]["p50"], known["natural_colour"]["max"]) == (55, 60)


@pytest.mark.browser
@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_view_of_a_face_folds_its_components_out(visit, tmp_path, language):
    page = visit(written(tmp_path, [with_components(0), with_components(10)], ASKED, language))
    titles = [row.title.in_language(language) for row in COMPONENTS]
    page.locator(".face[title='faces/0.jpg']").click()
    said = page.inner_text(".one-told")
    expected = {
        "en": "Sharpness is 50 of 100; at least 55 is asked for.",
        "ko": "선명도: 100점 중 50점으로 기준 55점",
    }
    assert expected[language] in said
    assert titles[0] in said and titles[1] not in said, "what is asked for is shown, the others are folded"
    page.locator(".components summary").click()
    shown = page.locator(".components th").all_inner_texts()
    assert shown == titles and page.locator(".components td.number").all_inner_texts() == ["50"] * len(titles)
    page.locator("#next" if page.is_enabled("#next") else "#previous").click()
    assert page.locator(".components td.number").first.inner_text() == "60", "it stays open"
    assert page.locator(".components td.number").first.is_visible()


@pytest.mark.browser
def test_faces_sort_by_a_component(visit, tmp_path):
    rows = [
        with_components(0, head_size=9),
        with_components(10, head_size=None),
        with_components(20, head_size=7),
    ]
    page = visit(written(tmp_path, [*rows, faceless("tree.jpg")]))
    assert page.locator("#sort optgroup option").count() == len(COMPONENTS)
    page.select_option("#sort", "component_head_size")
    names = page.eval_on_selector_all(".face", "cards => cards.map((card) => card.title)")
    assert names[:2] == ["faces/0.jpg", "faces/20.jpg"]


@pytest.mark.browser
def test_without_components_there_is_no_fold(visit, tmp_path):
    page = visit(written(tmp_path, MIXED))
    assert page.locator("#sort optgroup").count() == 0 and page.locator("#components").count() == 0
    page.locator(".face").first.click()
    assert page.locator(".one-told table").count() == 1 and page.locator(".components").count() == 0


def poor(name: str, ser_fiq: float = 0.8, **distortions: float) -> Row:
    return face(name, dbcnn=30.0, ser_fiq=ser_fiq, distortions=distortions)


CAUSED = [
    face("good.jpg", dbcnn=70.0, distortions={"noise": 0.9}),
    poor("soft.jpg", blur=0.7, noise=0.3),
    poor("softer.jpg", blur=0.9),
    poor("grainy.jpg", noise=0.6, blur=0.2),
    poor("unknown.jpg", blur=0.05),
    face("masked.jpg", occlusion=0.6, ser_fiq=0.01, distortions={"blur": 0.0}),
    face("before.jpg", dbcnn=30.0),
]


@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_strongest_cause_of_each_poor_face_is_counted(tmp_path, language):
    page = page_of(written(tmp_path, CAUSED, language=language), language)
    titles = {name: cause_title(name, language) for name in ("blur", "noise", "occluded")}
    for name, count in (("blur", 2), ("noise", 1), ("occluded", 1)):
        assert f"{titles[name]} {count} {cause_advice(name, language)}" in page.text
    assert PAGE_WORDS["causes"].in_language(language) in page.text
    entries = {entry["image"]: entry["causes"] for entry in page.entries}
    assert entries["soft.jpg"] == ["blur", "noise"] and entries["masked.jpg"][0] == "occluded"
    assert entries["good.jpg"] == entries["unknown.jpg"] == entries["before.jpg"] == []


def test_without_causes_none_are_told(tmp_path):
    assert PAGE_WORDS["causes"].en not in page_of(written(tmp_path, MIXED[:4])).text


@pytest.mark.browser
@pytest.mark.parametrize("language", ["en", "ko"])
def test_a_cause_filters_and_the_view_tells_it(visit, tmp_path, language):
    page = visit(written(tmp_path, CAUSED, language=language))
    page.click("[data-reason=occluded]")
    page.click("[data-cause=blur]")
    assert sorted(verdicts(page)) == ["soft.jpg", "softer.jpg"], "a cause takes the place of the reason"
    page.select_option("#cause", "noise")
    assert list(verdicts(page)) == ["grainy.jpg"]
    page.click(".face")
    told = page.inner_text(".causes")
    assert cause_title("noise", language) in told and cause_title("blur", language) in told
    assert cause_advice("noise", language) in told and cause_advice("blur", language) not in told
    page.keyboard.press("Escape")
    slide(page, 20)
    page.click(".face")
    assert page.locator(".one-told .causes").count() == 0, "an accepted face has no cause"


@pytest.mark.browser
def test_causes_choose_among_those_that_are_there(visit, tmp_path):
    page = visit(written(tmp_path, CAUSED))
    chosen = page.eval_on_selector_all("#cause option", "all => all.map((one) => one.value)")
    assert chosen == ["", "blur", "noise", "occluded"]
    assert visit(written(tmp_path / "none", MIXED[:4])).locator("#cause").count() == 0
