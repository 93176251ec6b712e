"""The demo as a visitor meets it: Chromium, a mouse, a keyboard and a camera."""

import json
import os
import re
import shutil
import sys
import threading
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import checkout
import cv2
import numpy as np
import pillow_heif
import pytest
from checkout import ROOT
from conftest import EXAMPLES
from files import camera_film, write_video
from PIL import Image

from demo import curate, limits, share, wording
from faceqa import Policy
from faceqa.curation.table import read_csv
from faceqa.languages import LANGUAGES, Language
from faceqa.measures.registry import DISTORTIONS, GATED, SCORE, TAKEN
from faceqa.verdict.reasons import WORDINGS

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-core is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine"),
]

SECONDS = 60_000
"""ms that a step may take on a busy machine; none of the tests measures time."""

VERDICT = "#verdict .verdict:not(.idle)"


@pytest.fixture(scope="module")
def camera(tmp_path_factory, hopper) -> Path:
    return camera_film(hopper, tmp_path_factory.mktemp("camera") / "face.y4m")


@pytest.fixture(scope="module")
def browser(camera):
    arguments = [
        *("--no-sandbox", "--disable-gpu", "--disable-background-networking"),
        *("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"),
        f"--use-file-for-fake-video-capture={camera}",
    ]
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()
    curate.delete_all()  # `demo_address` is served by this process, which does not end here


@pytest.fixture
def visit(browser, demo_address):
    """Opens the page for a visitor of his own; whatever it asks for, it asks this machine."""
    contexts, asked = [], set()

    def opened(**options):
        script, query = options.pop("before", ""), options.pop("query", "")
        context = browser.new_context(
            **{"viewport": {"width": 1440, "height": 900}, "locale": "en-US", **options}
        )
        contexts.append(context)
        context.set_default_timeout(SECONDS)
        page = context.new_page()
        page.on("request", lambda request: asked.add(urlsplit(request.url)))
        page.add_init_script(script)
        page.goto(demo_address + query)
        page.wait_for_selector("#examples button")
        page.wait_for_selector(VERDICT)
        return page

    yield opened
    for context in contexts:
        context.close()
    hosts = {url.hostname for url in asked if url.scheme in ("http", "https", "ws", "wss")}
    assert hosts == {"127.0.0.1"}


def choose_example(page, name: str) -> None:
    page.click(f"#examples [data-choice={name}]")
    page.wait_for_selector(f"#downloads a[download='{name}.json']")


def set_slider(page, name: str, value: float) -> None:
    field = page.locator(f"#{name} input[type=number]")
    field.fill(str(value))
    field.press("Enter")


def test_the_page_opens_with_a_verdict_and_the_way_to_it(visit, scorer):
    page = visit()
    expected = scorer.assess(EXAMPLES / "hopper.jpg")
    card = page.inner_text("#verdict")
    assert wording.text(expected.verdict, "en") in card and SCORE.text(expected.cafi) in card
    assert page.locator(".step img").count() == 7 and page.locator(".picture.empty").count() == 0
    low, high = SCORE.axis
    share = (expected.cafi - low) / (high - low)
    assert page.locator(".scale-value").get_attribute("style") == f"left:{100 * share:.1f}%"
    goods = page.locator(".goods li").all_inner_texts()
    assert "facing the camera" in goods and len(goods) == page.locator(".gate.accept").count()


def test_one_click_leads_to_a_verdict_that_says_why(visit, scorer):
    page = visit()
    choose_example(page, "hopper_mask")
    expected = scorer.assess(EXAMPLES / "hopper_mask.jpg")
    card = page.inner_text("#verdict")
    assert wording.text(expected.verdict, "en") in card
    for reason in expected.reasons:
        assert reason.message in card and reason.advice in card
    assert page.locator(".step img").count() == 7
    assert page.locator(".gauge").count() == 2  # a gate failed, so there is no CAFI to show
    assert page.locator(".gate").count() == len([row for row in GATED if row in TAKEN]) + 1
    assert page.locator(".gate.reject").count() == len(expected.reasons)
    assert page.locator(".gate.skipped").count() == 1  # the CAFI


def test_a_click_before_the_page_has_its_first_verdict_counts(browser, demo_address):
    with browser.new_context(locale="en-US") as context:
        page, held = context.new_page(), []
        page.route("**/gradio_api/run/predict*", lambda route: held.append(route), times=1)
        page.goto(demo_address)
        choose_example(page, "hopper_mask")
        with page.expect_event("requestfinished", lambda request: request == held[-1].request):
            held[-1].continue_()
        page.reload()
        page.wait_for_selector("#downloads a[download='hopper_mask.json']")


def test_a_late_answer_to_the_first_tab_does_not_clear_the_first_verdict(browser, demo_address):
    """Gradio opens the first tab by itself, on a busy machine with the page's key, and answers may cross."""
    key = "0" * 32
    held: dict[str, Any] = {}
    with browser.new_context(locale="en-US") as context:
        page = context.new_page()
        page.add_init_script(f"sessionStorage.faceqa = '{key}'")

        def hold(route):
            asked = route.request.post_data_json
            if asked["data"][2] != "{}":  # what the address asks for, which the page sends when it opens
                opened, _, *rest = asked["data"]
                held["answer"] = route, route.fetch(post_data={**asked, "data": [opened, key, *rest]})
            else:
                held["opening"] = route
            if len(held) == 2:
                held["opening"].continue_()

        page.route("**/gradio_api/run/predict*", hold)
        page.goto(demo_address)
        page.wait_for_selector(VERDICT)
        late, answer = held["answer"]
        with page.expect_event("requestfinished", lambda request: request == late.request):
            late.fulfill(response=answer)
        page.wait_for_timeout(500)
        assert page.locator(VERDICT).is_visible()


def test_the_last_of_two_quick_clicks_is_what_is_shown(visit):
    page = visit()
    page.click("#examples [data-choice=collins]")
    page.click("#examples [data-choice=no_face]")
    page.wait_for_selector("#downloads a[download='no_face.json']")
    page.wait_for_timeout(1000)
    assert "No face was found" in page.inner_text("#verdict")
    assert page.locator("#downloads a[download='collins.json']").count() == 0


def test_an_upload_gets_its_verdict_and_its_downloads(visit, scorer, tmp_path):
    page = visit()
    page.set_input_files("#photo input[type=file]", EXAMPLES / "collins.jpg")
    page.wait_for_selector("#downloads a[download='collins.json']")
    expected = scorer.assess(EXAMPLES / "collins.jpg")
    assert wording.text(expected.verdict, "en") in page.inner_text("#verdict")
    with page.expect_download() as download:
        page.click("#downloads a[download='collins.json']")
    saved = tmp_path / "result.json"
    download.value.save_as(saved)
    result = json.loads(saved.read_text(encoding="utf-8"))
    assert result["ser_fiq"] == expected.ser_fiq
    assert Policy(**result["policy"]) == Policy()
    assert page.locator("#downloads a[download$='.png']").count() == 1


def test_the_verdict_is_a_picture_to_share(visit, scorer, tmp_path):
    page = visit()
    choose_example(page, "hopper_blur")
    set_slider(page, "policy-cafi_threshold", 20)
    page.wait_for_selector("#verdict .verdict.accept")
    with page.expect_download() as download:
        page.click("#verdict [data-choice=share]")
    assert download.value.suggested_filename == "hopper_blur-faceqa.png"
    saved = tmp_path / "shared.png"
    download.value.save_as(saved)
    expected = scorer.assess(EXAMPLES / "hopper_blur.jpg")
    with Image.open(saved) as picture:
        assert picture.size == share.SIZE and picture.format == "PNG"
        said = picture.info["Description"]
    assert wording.text("accept", "en") in said  # as the slider says
    assert SCORE.text(expected.scores["dbcnn"]) in said
    choose_example(page, "no_face")
    assert page.locator("#verdict [data-choice=share]").count() == 0


def test_a_slider_turns_the_verdict_without_a_network(visit, monkeypatch, scorer):
    page = visit()

    def fails(*_arguments, **_options):
        raise AssertionError("a network ran")

    for network in ("_masker", "_detector", "_find"):
        monkeypatch.setattr(scorer, network, fails)
    set_slider(page, "policy-cafi_threshold", 0)
    page.wait_for_selector("#verdict .verdict.accept")
    set_slider(page, "policy-cafi_threshold", 100)
    page.wait_for_selector("#verdict .verdict.reject")
    set_slider(page, "policy-ser_fiq_threshold", 1)
    page.wait_for_function("document.querySelector('#verdict').innerText.includes('SER-FIQ is')")
    set_slider(page, "policy-min_face_size", 500)
    page.wait_for_function("document.querySelector('#verdict').innerText.includes('500 px are needed')")
    page.click("#policy-reset")
    page.wait_for_function(
        "limit => document.querySelector('#policy-cafi_threshold input[type=number]').value == limit",
        arg=f"{Policy().cafi_threshold:g}",
    )


def test_every_face_of_a_group_is_on_the_photo_with_its_verdict(visit, scorer):
    page = visit()
    choose_example(page, "two_faces")
    expected = scorer.assess_faces(EXAMPLES / "two_faces.jpg")
    page.wait_for_function("!document.querySelector('.on-face.waiting')")
    assert page.locator(".on-face").count() == len(expected) == 2
    for face, result in enumerate(expected):
        button = page.locator(f".on-face[data-choice='{face}']")
        assert result.verdict in button.get_attribute("class").split()
        shown, photo = button.bounding_box(), page.locator("#group-photo img").bounding_box()
        x1, y1, x2, _ = result.face.box
        scale = photo["width"] / result.width
        assert shown["x"] - photo["x"] == pytest.approx(scale * x1, abs=3)
        assert shown["y"] - photo["y"] == pytest.approx(scale * y1, abs=3)
        assert shown["width"] == pytest.approx(scale * (x2 - x1), abs=3)
    first = page.get_attribute("#picture-crop img", "src")
    page.click(".on-face[data-choice='1']")
    page.wait_for_function("first => document.querySelector('#picture-crop img').src !== first", arg=first)
    page.wait_for_selector(".on-face[data-choice='1'][aria-pressed=true]")
    assert page.locator(".on-face.waiting").count() == 0  # none is measured twice


def test_a_crowd_shows_every_face(visit, scorer, tmp_path):
    """Twenty faces: none is left out."""
    face = Image.open(EXAMPLES / "hopper.jpg").resize((256, 300))
    crowd = Image.new("RGB", (5 * 256, 4 * 300))
    for place in range(20):
        crowd.paste(face, (place % 5 * 256, place // 5 * 300))
    crowd.save(tmp_path / "crowd.jpg", quality=95)
    page = visit()
    page.set_input_files("#photo input[type=file]", tmp_path / "crowd.jpg")
    page.wait_for_selector("#downloads a[download='crowd.json']")
    found = scorer.assess(tmp_path / "crowd.jpg").faces_found
    assert found == page.locator(".on-face").count() == 20
    page.wait_for_function("!document.querySelector('.on-face.waiting')")


def test_a_photo_without_a_face_says_so(visit):
    page = visit()
    choose_example(page, "no_face")
    assert "No face was found" in page.inner_text("#verdict")


def test_a_broken_file_is_a_sentence_and_the_page_goes_on(visit, tmp_path):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes((EXAMPLES / "hopper.jpg").read_bytes()[:2000])
    page = visit()
    page.set_input_files("#photo input[type=file]", broken)
    page.wait_for_selector("#verdict .verdict.error")
    assert page.locator(".gate").count() == 0
    assert "Traceback" not in page.content()
    page.click("#examples [data-choice=no_face]")
    page.wait_for_selector("#verdict .verdict.reject")


def test_one_upload_after_another_is_assessed(visit, scorer, tmp_path):
    page = visit()
    heic = tmp_path / "mask.heic"
    pillow_heif.from_pillow(Image.open(EXAMPLES / "hopper_mask.jpg")).save(heic)
    for path in (EXAMPLES / "collins.jpg", heic, EXAMPLES / "no_face.jpg"):
        page.set_input_files("#photo input[type=file]", path)
        page.wait_for_selector(f"#downloads a[download='{path.stem}.json']")
        expected = scorer.assess(path)
        assert wording.text(expected.verdict, "en") in page.inner_text("#verdict")
        assert all(reason.message in page.inner_text("#verdict") for reason in expected.reasons)
        page.wait_for_function("document.querySelector('#photo img').naturalWidth > 0")
        page.click("#photo button[aria-label='Remove Image']")
        page.wait_for_selector("#verdict .verdict.idle")


def test_the_way_to_a_verdict_needs_no_mouse(visit):
    page = visit()
    page.focus("#examples [data-choice=no_face]")
    page.keyboard.press("Enter")
    page.wait_for_selector("#verdict .verdict.reject")


def start_camera(page) -> None:
    page.click("#tabs button[role=tab] >> nth=1")
    page.click("#live [data-do=start]")
    page.wait_for_selector("#live .overlay rect", state="attached")


def cameras_in_use(page) -> int:
    return page.evaluate("window.opened.filter((track) => track.readyState === 'live').length")


WATCH_CAMERAS = """
window.opened = [];
const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
navigator.mediaDevices.getUserMedia = async (wanted) => {
  const stream = await ask(wanted);
  window.opened.push(...stream.getTracks());
  return stream;
};
"""


def test_the_camera_is_judged_and_its_best_frame_kept(visit):
    page = visit(permissions=["camera"])
    start_camera(page)
    page.wait_for_selector("#live .best img")
    page.wait_for_selector("#live polyline", state="attached")
    page.wait_for_function("/[0-9]\\.[0-9] frames a second/.test(document.querySelector('#live').innerText)")
    page.click("#live [data-do=stop]")
    page.click("#live [data-do=send]")
    page.wait_for_selector("#downloads a[download='best-frame.json']")
    page.wait_for_selector("#photo img")


def test_stop_and_leaving_the_tab_let_the_camera_go_and_clear_what_it_showed(visit):
    page = visit(permissions=["camera"], before=WATCH_CAMERAS)
    start_camera(page)
    assert cameras_in_use(page) == 1
    page.click("#live [data-do=stop]")
    page.wait_for_selector("#live [data-do=start]")
    assert cameras_in_use(page) == 0
    page.wait_for_timeout(500)  # a frame that was on the way when it stopped is not shown
    assert page.locator("#live .overlay").count() == 0
    assert wording.text("live.idle", "en") in page.inner_text("#live .live-results")
    page.click("#live [data-do=start]")
    page.wait_for_selector("#live .overlay rect", state="attached")
    assert cameras_in_use(page) == 1
    page.click("#tabs button[role=tab] >> nth=0")
    page.wait_for_function("window.opened.every((track) => track.readyState === 'ended')")


def test_the_thresholds_rule_the_camera(visit):
    page = visit(permissions=["camera"])
    start_camera(page)
    page.wait_for_selector("#live .overlay.accept", state="attached")
    set_slider(page, "policy-cafi_threshold", 100)
    page.wait_for_selector("#live .overlay.reject", state="attached")


def test_a_refused_camera_is_a_sentence(visit):
    page = visit(
        locale="ko-KR",
        before="MediaDevices.prototype.getUserMedia = () =>"
        " Promise.reject(new DOMException('refused', 'NotAllowedError'));",
    )
    page.click("#tabs button[role=tab] >> nth=1")
    page.click("#live [data-do=start]")
    page.wait_for_selector("#live [data-problem=refused]:not([hidden])")
    shown = page.inner_text("#live [data-problem=refused]")
    assert shown == wording.text("camera.refused", "ko")
    assert "녹음" not in page.inner_text("body")


def test_photos_stand_side_by_side_and_one_is_put_under_stress(visit):
    page = visit()
    choose_example(page, "collins")
    page.click("#tabs button[role=tab] >> nth=2")
    page.set_input_files(
        "#compare-files input[type=file]", [EXAMPLES / "hopper.jpg", EXAMPLES / "hopper_mask.jpg"]
    )
    page.wait_for_function("document.querySelector('#compare-files').innerText.includes('hopper_mask')")
    page.click("#compare-run")
    page.wait_for_selector("#compare-table [role=cell] img >> nth=1")
    assert SCORE.title.en in page.inner_text("#compare-table")
    page.check("#stress-kind input[value=blur]")
    page.click("#stress-run")
    page.wait_for_selector("#stress-steps figure >> nth=5")
    page.wait_for_selector("#stress-curve .main-svg")
    assert page.locator("#stress-steps figure small").count() == page.locator("#stress-steps .reject").count()
    shown = page.inner_text("#stress-curve")
    blur = next(row.title.en for row in DISTORTIONS if row.name == "blur")
    assert blur in shown and "Covered" in shown
    assert blur in page.inner_text("#stress-steps figure >> nth=5")
    assert not page.locator("#stress-curve .modebar").first.is_visible()  # it would lie over the figure
    page.check("#stress-kind input[value=noise]")  # another kind: the old steps go
    page.wait_for_function("!document.querySelector('#stress-steps figure, #stress-curve .main-svg')")


def test_a_single_photo_cannot_be_compared(visit):
    page = visit()
    page.click("#tabs button[role=tab] >> nth=2")
    page.click("#compare-run")
    page.wait_for_selector("#compare-table [role=alert]")


def downloaded(page, kind: str, folder: Path) -> Path:
    """What a click on a download of the Curate tab brings."""
    with page.expect_download() as download:
        page.click(f"#curate-{kind}")
    assert download.value.suggested_filename == curate.DOWNLOADS[kind]
    saved = folder / curate.DOWNLOADS[kind]
    download.value.save_as(saved)
    return saved


def kept_is(page, sentence: str) -> None:
    page.wait_for_function(
        "text => document.querySelector('#curate-count').innerText.includes(text)", arg=sentence
    )


def names_in(archive: Path) -> list[str]:
    with zipfile.ZipFile(archive) as kept:
        return [Path(name).name for name in kept.namelist()]


def test_a_zip_is_curated_recounted_and_downloaded(visit, tmp_path):
    archive = tmp_path / "faces.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for name in ("hopper", "hopper_mask", "no_face"):
            packed.write(EXAMPLES / f"{name}.jpg", f"{name}.jpg")
    page = visit(locale="ko-KR")
    page.click("#tabs button[role=tab] >> nth=3")
    page.set_input_files("#curate-files input[type=file]", archive)
    page.wait_for_function("document.querySelector('#curate-files').innerText.includes('faces')")
    page.click("#curate-run")
    page.wait_for_selector("#curate-faces .tile.reject")
    page.wait_for_selector("#curate-figures figure[data-figure=cafi] svg rect", state="attached")
    set_slider(page, "policy-cafi_threshold", 0)
    kept_is(page, wording.text("curate.kept_of", "ko", kept=1, total=3))
    assert set(names_in(downloaded(page, "images", tmp_path))) == {"hopper.jpg", *curate.CARRIED}
    set_slider(page, "policy-cafi_threshold", 100)
    kept_is(page, wording.text("curate.kept_of", "ko", kept=0, total=3))
    names = names_in(downloaded(page, "images", tmp_path))  # of the same button, after the slider
    assert set(names) == set(curate.CARRIED)
    rows = list(read_csv(downloaded(page, "table", tmp_path)))
    assert [row.verdict for row in rows] == ["reject"] * 3
    report = downloaded(page, "report", tmp_path).read_text(encoding="utf-8")
    assert 'lang="ko"' in report
    page.click("#policy-reset")
    kept_is(page, wording.text("curate.kept_of", "ko", kept=1, total=3))
    set_slider(page, "policy-max_occlusion", 1)
    kept_is(page, wording.text("curate.kept_of", "ko", kept=2, total=3))  # the mask was all that was wrong
    set_slider(page, "policy-ser_fiq_threshold", 0.5)
    kept_is(page, wording.text("curate.kept_of", "ko", kept=1, total=3))


def test_faces_are_filtered_enlarged_and_decided_by_hand(visit, tmp_path):
    page = visit()
    page.click("#tabs button[role=tab] >> nth=3")
    page.click("#curate-examples")
    page.wait_for_selector("#curate-faces .tile")
    every = page.locator("#curate-faces .tile").count()
    page.click("#curate-show input")
    page.click(f"[role=option][aria-label^='{WORDINGS['occluded'].short.en}']")
    page.wait_for_function(f"document.querySelectorAll('#curate-faces .tile').length < {every}")
    assert page.locator("#curate-faces .tile.accept").count() == 0
    page.click("#curate-faces .tile >> nth=0")
    page.wait_for_selector("#curate-face img")
    name = page.inner_text("#curate-face p.quiet")
    page.click("#curate-accept")
    page.wait_for_selector("#curate-faces .tile.accept em")
    rows = {row.image: row for row in read_csv(downloaded(page, "table", tmp_path))}
    assert rows[name].override == rows[name].verdict == "accept"
    page.click("#curate-as-judged")
    page.wait_for_selector("#curate-faces .tile.accept", state="detached")
    assert all(row.override is None for row in read_csv(downloaded(page, "table", tmp_path)))


def sent_is(page, files: int, images: int) -> None:
    page.wait_for_selector(f"text={wording.text('curate.sent', 'en', files=files, images=images)}")


def test_a_film_is_counted_and_its_segments_lie_on_a_line_of_time(visit, hopper, tmp_path):
    """Two seconds of a face, then a second of nobody, beside a photo."""
    large = cv2.resize(hopper, (600, 600))
    faces = [np.ascontiguousarray(large[:480, 8 * left : 8 * left + 480]) for left in range(9)]
    film = write_video(tmp_path / "film.mp4", [*faces, *[np.full_like(faces[0], 90)] * 4], fps=4)
    page = visit()
    page.click("#tabs button[role=tab] >> nth=3")
    page.set_input_files("#curate-files input[type=file]", [film, EXAMPLES / "no_face.jpg"])
    sent_is(page, files=2, images=1 + 2 * 13 // 4)
    page.click("#curate-run")
    page.wait_for_selector("#curate-films .timeline", state="attached")
    assert page.locator("#curate-films h3").all_inner_texts() == ["film.mp4"]
    (told,) = page.locator("#curate-films .segments li").all_inner_texts()
    assert "0:00.0 - 0:02.0" in told
    assert page.locator("#curate-films .segments img").count() == 1
    covered = page.locator("#curate-films .timeline rect:not(.whole)").bounding_box()
    line = page.locator("#curate-films .timeline").bounding_box()
    assert 0.5 < covered["width"] / line["width"] < 1
    set_slider(page, "policy-cafi_threshold", 100)
    page.wait_for_selector("#curate-films .segments li", state="detached")
    assert page.locator("#curate-faces .tile:has-text('no_face') img").count() == 1, "the picture itself"


def test_a_second_click_assesses_nothing_twice(visit, monkeypatch):
    begun, curated = [], curate.curated

    def counted(*known):
        begun.append(1)
        return curated(*known)

    monkeypatch.setattr(curate, "curated", counted)
    page = visit()
    page.click("#tabs button[role=tab] >> nth=3")
    page.dblclick("#curate-examples")
    page.wait_for_selector("#curate-results:not(.stale) #curate-faces .tile")
    page.click("#curate-table")  # waits in the same line of events
    page.wait_for_timeout(3000)
    assert len(begun) == 1
    page.click("#curate-examples")
    page.wait_for_function("document.querySelector('#curate-results').classList.contains('stale')")
    page.wait_for_selector("#curate-results:not(.stale) #curate-faces .tile")
    assert len(begun) == 2


def test_near_duplicates_go_by_a_checkbox_and_the_report_opens_in_a_tab(visit, hopper, tmp_path):
    names = ("a.png", "b.jpg")
    for name in names:
        cv2.imwrite(str(tmp_path / name), hopper[..., ::-1])
    page = visit()
    page.click("#tabs button[role=tab] >> nth=3")
    page.set_input_files("#curate-files input[type=file]", [tmp_path / name for name in names])
    sent_is(page, files=2, images=2)
    page.click("#curate-run")
    kept_is(page, wording.text("curate.kept_of", "en", kept=2, total=2))
    page.check("#curate-unique input")
    kept_is(page, wording.text("curate.kept_of", "en", kept=1, total=2))
    with page.context.expect_page() as opened:
        page.click("#curate-open")
    report = opened.value
    report.wait_for_selector("#share")
    assert report.inner_text("#count-kept") == "1" and report.inner_text("#count-faces") == "2"
    assert report.locator("#gallery .face img").count() == 2
    again = page.locator("#curate-opened a")
    assert again.get_attribute("target") == "_blank" and again.get_attribute("href") == report.url
    assert {row.verdict for row in read_csv(downloaded(page, "table", tmp_path))} == {"accept", "reject"}
    page.uncheck("#curate-unique input")
    kept_is(page, wording.text("curate.kept_of", "en", kept=2, total=2))
    assert again.count() == 0, "it would show another choice"


def test_a_download_before_a_run_is_a_sentence(visit):
    page = visit()
    page.click("#tabs button[role=tab] >> nth=3")
    page.click("#curate-table")
    page.wait_for_selector(f"text={wording.text('curate.no_run', 'en')}")


def test_a_stopped_server_leaves_no_file_of_a_visitor(browser, tmp_path):
    """SIGTERM, as `kill` and `docker stop` send it, while the page is open."""
    port = checkout.free_port()
    places = {"TMPDIR": str(tmp_path / "tmp"), "GRADIO_TEMP_DIR": str(tmp_path / "uploads")}
    for place in places.values():
        Path(place).mkdir()
    environment = {**os.environ, **places, "GRADIO_SERVER_PORT": str(port)}
    command = [sys.executable, "app.py", "--device", "cpu"]
    with checkout.serving(command, port, cwd=ROOT, env=environment) as address:
        page = browser.new_page()
        page.set_default_timeout(SECONDS)
        page.goto(address)
        page.set_input_files("#photo input[type=file]", EXAMPLES / "no_face.jpg")
        page.wait_for_selector("#downloads a[download='no_face.json']")
        page.click("#tabs button[role=tab] >> nth=3")
        page.set_input_files("#curate-files input[type=file]", EXAMPLES / "hopper.jpg")
        page.wait_for_function("document.querySelector('#curate-files').innerText.includes('hopper')")
        page.click("#curate-run")
        page.wait_for_selector("#curate-faces .tile")
        downloaded(page, "images", tmp_path)
        assert len(files_below(tmp_path / "tmp")) > 1 and len(files_below(tmp_path / "uploads")) > 1
    page.close()
    assert not files_below(tmp_path / "tmp")
    assert not files_below(tmp_path / "uploads")


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_reload_and_another_language_keep_the_result(visit, scorer):
    page = visit(locale="ko-KR")
    choose_example(page, "hopper_mask")
    set_slider(page, "policy-max_occlusion", 0.9)
    page.wait_for_function("location.search.includes('max_occlusion=0.9')")
    page.click("#tabs button[role=tab] >> nth=2")
    page.wait_for_function("location.search.includes('tab=compare')")
    page.click("#language label >> nth=0")
    page.wait_for_selector(f"#tab-compare >> text={wording.text('compare.run', 'en')}")
    is_in_one_language(page, "en")
    page.click("#tabs button[role=tab] >> nth=0")
    page.wait_for_selector("#downloads a[download='hopper_mask.json']")
    assert page.input_value("#policy-max_occlusion input[type=number]") == "0.9"
    assert page.locator(".gate.reject").count() == 0
    page.reload()
    page.wait_for_selector("#downloads a[download='hopper_mask.json']")
    assert page.locator(".gate.reject").count() == 0


def test_another_tab_of_the_browser_is_another_visit(visit):
    page = visit()
    choose_example(page, "hopper_mask")
    other = page.context.new_page()
    other.goto(page.url)
    other.wait_for_selector("#downloads a[download='hopper.json']")


def test_the_theme_stands_in_the_address(visit):
    page = visit(color_scheme="light")
    page.click("#theme button")
    page.wait_for_function("location.search.includes('theme=dark')")
    page.reload()
    page.wait_for_function("document.body.classList.contains('dark')")


def test_a_refused_file_clears_the_verdict_before_it(visit, tmp_path):
    page = visit()
    text = tmp_path / "photo.txt"
    text.write_text("no image")
    page.set_input_files("#photo input[type=file]", text)
    page.wait_for_selector("#verdict .verdict.error")
    assert wording.text("note.wrong_kind", "en") in page.inner_text("#verdict")
    assert page.locator("#downloads a").count() == page.locator(".gate").count() == 0


def test_results_of_a_data_set_are_dimmed_while_others_are_made_and_after_cancel(visit, monkeypatch):
    page = visit()
    page.click("#tabs button[role=tab] >> nth=3")
    page.click("#curate-examples")
    page.wait_for_selector("#curate-results:not(.stale) #curate-faces .tile")
    let_go, curated = threading.Event(), curate.curated

    def held_up(scorer, paths):
        steps = curated(scorer, paths)
        yield next(steps)
        let_go.wait(SECONDS / 1000)
        yield from steps

    with monkeypatch.context() as patch:
        patch.setattr(curate, "curated", held_up)
        page.click("#curate-examples")
        page.wait_for_selector("#curate-results.stale")
        page.click("#curate-cancel")
        page.wait_for_selector(f"text={wording.text('curate.cancelled', 'en')}")
        let_go.set()
    assert page.locator("#curate-results.stale #curate-faces .tile").count()
    page.click("#curate-examples")
    page.wait_for_selector("#curate-results:not(.stale) #curate-faces .tile")


def test_one_set_of_thresholds_rules_on_every_tab(visit):
    page = visit()
    page.click("#tabs button[role=tab] >> nth=2")
    page.click("#compare-examples")
    page.wait_for_selector("#compare-table [role=cell] img >> nth=4")
    page.wait_for_selector("#compare-table .best-mark")
    set_slider(page, "policy-cafi_threshold", 100)
    page.wait_for_function("!document.querySelector('#compare-table .best-mark')")
    page.click("#tabs button[role=tab] >> nth=0")
    page.wait_for_selector("#verdict .verdict.reject")
    for tab in range(4):
        page.click(f"#tabs button[role=tab] >> nth={tab}")
        assert page.is_visible("#policy")
    page.click("#tabs button[role=tab] >> nth=4")
    page.wait_for_selector("#policy", state="hidden")


WATCH_PLACES = """
window.places = [];
const look = () => {
  const photo = document.querySelector('#photo');
  if (photo) window.places.push(photo.getBoundingClientRect().top);
  requestAnimationFrame(look);
};
requestAnimationFrame(look);
"""


@pytest.mark.parametrize(("width", "is_open"), [(390, False), (1440, True)])
def test_the_thresholds_are_folded_in_on_a_phone_and_nothing_jumps(visit, width, is_open):
    page = visit(viewport={"width": width, "height": 844}, before=WATCH_PLACES)
    slider = page.locator("#policy-cafi_threshold input[type=range]")
    assert slider.is_visible() == is_open
    places = page.evaluate("window.places")
    assert max(places) - min(places) < 24
    if not is_open:
        page.click("#policy-fold > button")
        slider.wait_for(state="visible")


def test_a_phone_shows_the_steps_side_by_side_and_the_page_is_short(visit):
    page = visit(viewport={"width": 390, "height": 844})
    steps = [step.bounding_box() for step in page.locator(".step").all()]
    assert len({step["y"] for step in steps}) == 1
    assert page.evaluate("document.documentElement.scrollHeight") < 3600


@pytest.mark.parametrize("width", [390, 820, 1440])
def test_no_tab_is_wider_than_the_screen(visit, width):
    page = visit(viewport={"width": width, "height": 844})
    choose_example(page, "hopper")
    for tab in range(5):
        page.click(f"#tabs button[role=tab] >> nth={tab}")
        page.wait_for_timeout(300)
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_dark_and_light_can_be_switched(visit):
    page = visit(color_scheme="dark")
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(ground)
    page.click("#theme button")
    assert page.evaluate(ground) != dark


def test_pictures_and_fields_have_names(visit):
    page = visit()
    choose_example(page, "hopper")
    nameless = page.evaluate(
        "() => [...document.querySelectorAll("
        "'#tab-photo img:not([alt]), .step svg[role=img]:not([aria-label])')]"
        ".map((element) => element.outerHTML.slice(0, 80))"
    )
    assert not nameless


OF_GRADIO = {"en": "Use via API", "ko": "API를 통해 사용"}
"""Gradio's own words, at the foot of the page, from its translations."""


def is_in_one_language(page, language: Language) -> None:
    """The page and Gradio's part of it speak one language, and nothing of the other is left."""
    other = next(one for one in LANGUAGES if one != language)
    page.wait_for_selector(f"footer >> text={OF_GRADIO[language]}")
    page.wait_for_function(f"document.querySelector('#language input:checked').value === '{language}'")
    shown = page.inner_text("body")
    for key in ("tab.curate", "policy.reset", "policy.weights", "preset.strict", "tagline"):
        assert wording.text(key, language) in shown and wording.text(key, other) not in shown
    assert page.evaluate("document.documentElement.lang") == language


@pytest.mark.parametrize(("locale", "language"), [("en-US", "ko"), ("ko-KR", "en")])
def test_the_address_decides_the_language_of_everything(visit, locale, language):
    is_in_one_language(visit(locale=locale, query=f"?lang={language}"), language)


def test_the_language_of_the_switch_is_that_of_the_page_after_a_reload(visit):
    page = visit()
    is_in_one_language(page, "en")
    page.click("#language label >> nth=1")
    page.wait_for_function("location.search.includes('lang=ko')")
    page.reload()
    is_in_one_language(page, "ko")


def test_gradios_english_toasts_are_sentences_of_the_page(visit, tmp_path):
    page = visit(locale="ko-KR")
    text = tmp_path / "photo.txt"
    text.write_text("no image")
    page.set_input_files("#photo input[type=file]", text)
    page.wait_for_selector(f"[data-testid=toast-text] >> text={wording.text('note.wrong_kind', 'ko')}")
    page.route("**/queue/join*", lambda route: route.fulfill(status=503, json={"detail": "no"}))
    page.click("#examples [data-choice=no_face]")
    page.wait_for_selector(f"[data-testid=toast-text] >> text={wording.text('note.busy', 'ko')}")
    toasts = " ".join(page.locator(".toast-body").all_inner_texts())
    assert not re.search("[A-Za-z]{5,}", toasts)


def test_a_file_that_is_too_large_is_refused_in_the_visitors_language(visit, tmp_path):
    page = visit(locale="ko-KR")
    large = tmp_path / "large.jpg"
    with large.open("wb") as file:
        file.truncate(limits.MOST_MEGABYTES_A_FILE * 1024 * 1024 + 1)
    page.set_input_files("#photo input[type=file]", large)
    page.wait_for_selector(f"[data-testid=toast-text] >> text={wording.text('note.too_large', 'ko')}")


def found_by_axe(page) -> str:
    """What axe-core finds fault with under WCAG 2.2 A and AA: rule, element and how to mend it.

    Gradio fades a result while it is made and back in when it is there: contrast is that of the page at rest.
    """
    page.add_style_tag(content=".pending { opacity: 1 !important; } * { transition: none !important; }")
    options = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
    found = axe.Axe().run(page, options=options).response["violations"]
    return "\n".join(
        f"{rule['id']}: {node['html'][:160]} {node['failureSummary'][:300]}"
        for rule in found
        for node in rule["nodes"]
        if not node["html"].startswith(GRADIOS_OWN)
    )


GRADIOS_OWN = ("<gradio-app",)
"""Elements that Gradio writes and an app cannot change."""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_on_any_tab(visit, theme):
    page = visit(query=f"?theme={theme}", color_scheme=theme)
    choose_example(page, "two_faces")
    page.wait_for_function("!document.querySelector('.on-face.waiting')")
    assert not found_by_axe(page)
    for tab, (button, result) in {
        1: ("#live [data-do=forget]", "#live .trace"),
        2: ("#compare-examples", "#compare-table .best-mark"),
        3: ("#curate-examples", "#curate-faces .tile"),
        4: (None, "#models"),
    }.items():
        page.click(f"#tabs button[role=tab] >> nth={tab}")
        if button:
            page.click(button)
        page.wait_for_selector(result)
        assert not found_by_axe(page)


def test_arrow_keys_go_through_the_tabs_and_the_focus_is_seen(visit):
    page = visit()
    page.focus("#tabs button[role=tab] >> nth=0")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("#live [data-do=start]")
    page.keyboard.press("End")
    page.wait_for_selector("#models")
    page.keyboard.press("Home")
    page.wait_for_selector("#examples button")
    focused = page.evaluate(
        "() => { const style = getComputedStyle(document.activeElement);"
        " return [document.activeElement.getAttribute('role'), style.outlineStyle, style.outlineWidth]; }"
    )
    assert focused == ["tab", "solid", "3px"]


def test_screen_readers_hear_words_and_no_keys_of_translations(visit):
    page = visit(locale="ko-KR")
    for tab in range(5):
        page.click(f"#tabs button[role=tab] >> nth={tab}")
        spoken = page.evaluate(
            "() => [...document.querySelectorAll('[aria-label], [title], [alt], [placeholder]')]"
            ".flatMap((one) => ['aria-label', 'title', 'alt', 'placeholder']"
            ".map((name) => one.getAttribute(name)))"
        )
        assert not [words for words in spoken if words and ("__i18n__" in words or words in wording.TEXT)]
    assert page.locator("h1").count() == 1 and page.locator("h2").count() > 3


def test_ten_visitors_at_once_each_get_their_own(visit):
    names = ["hopper_mask", "no_face"] * 5
    pages = [visit() for _ in names]
    for page, name in zip(pages, names, strict=True):
        page.click(f"#examples [data-choice={name}]")
    for page, name in zip(pages, names, strict=True):
        page.wait_for_selector(f"#downloads a[download='{name}.json']")
        assert ("No face was found" in page.inner_text("#verdict")) == (name == "no_face")
