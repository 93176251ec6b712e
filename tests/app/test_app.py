"""The demo without a browser: its API, its wording, what it answers, and what it must never do."""

import ast
import json
import os
import re
import subprocess
import sys
import threading
import time
import uuid
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from pathlib import Path
from types import SimpleNamespace
from urllib.error import HTTPError
from urllib.parse import unquote
from urllib.request import Request, urlopen

import checkout
import gradio as gr
import numpy as np
import pytest
from checkout import ROOT
from conftest import EXAMPLES
from gradio.utils import get_function_description
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

import app
from demo import about, compare, curate, draw, limits, live, page, photo, pieces, plots, wording
from demo.before_gradio import language_of
from demo.files import ASSETS
from demo.page import build, launch_options, serve
from demo.policy import policy_of, values_in
from demo.visits import Camera, Visit, Visits
from faceqa import PRESETS, Assessment, Face, FaceqaError, Measures, Policy, Scorer, judge, weights
from faceqa.curation.run import Run
from faceqa.curation.settings import Settings
from faceqa.curation.table import Row, read_csv
from faceqa.evaluation import stress
from faceqa.languages import LANGUAGES
from faceqa.measures.registry import (
    COMPONENTS,
    DISTORTIONS,
    FAULT_FROM,
    GATED,
    JUDGED,
    LEVELLED,
    SCORE,
    TAKEN,
)
from faceqa.verdict.policy import OF_A_FACE
from faceqa.verdict.reasons import WORDINGS

DEFAULTS = tuple(setting.default for setting in OF_A_FACE)
ASKED = tuple(row for row in JUDGED if row in TAKEN)
STEPS = {step.name: step for step in pieces.STEPS}
FACE = {"face_size": 300.0, "yaw": -3.0, "ser_fiq": 0.8, "occlusion": 0.0, "dbcnn": 70.0}


class NoNetworks(Scorer):
    """A scorer without networks."""

    def __init__(self, scorer: Scorer):
        self.calibration = scorer.calibration


def found(pattern: str, text: str) -> str:
    """The first group of a pattern that must be there."""
    match = re.search(pattern, text)
    assert match, f"no {pattern} in {text[:400]}"
    return match[1]


def curated(scorer: Scorer, paths: list[Path]) -> curate.Curated:
    *_, (known, done, total, _) = curate.curated(scorer, list(map(str, paths)))
    assert known is not None
    assert done == total == len(known.rows)
    return known


@pytest.fixture(scope="module")
def client(demo_address):
    return Client(demo_address, verbose=False)


@pytest.fixture(scope="module")
def held(scorer):
    shown = photo.show(scorer, str(EXAMPLES / "hopper.jpg"), "hopper.jpg", 0, "en", Policy())
    return shown[0]


# The API


def without_times(result: dict) -> dict:
    return {name: value for name, value in result.items() if name != "timings_ms"}


def test_assess_gives_the_assessment_of_the_library(client, scorer):
    path = EXAMPLES / "hopper_mask.jpg"
    result = client.predict(handle_file(path), api_name="/assess")
    assert without_times(result) == without_times(scorer.assess(path, "hopper_mask.jpg").to_dict())
    assert result["timings_ms"]["ser_fiq"] > 0


def test_assess_takes_a_policy_by_name_and_tells_it(client, scorer):
    path = EXAMPLES / "hopper.jpg"
    strict = Policy(ser_fiq_threshold=0.99)
    result = client.predict(image=handle_file(path), ser_fiq_threshold=0.99, api_name="/assess")
    expected = scorer.rejudge(scorer.assess(path, "hopper.jpg"), strict)
    assert without_times(result) == without_times(expected.to_dict())
    assert result["verdict"] == "reject"
    assert Policy(**result["policy"]) == strict


def test_assess_answers_for_a_broken_image_too(client, tmp_path):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes((EXAMPLES / "hopper.jpg").read_bytes()[:2000])
    result = client.predict(handle_file(broken), api_name="/assess")
    assert result["verdict"] == "error"
    assert result["reasons"][0]["code"] == "unreadable_image"


def test_judge_gives_the_verdict_of_the_library(client):
    covered = {**FACE, "occlusion": 0.4}
    result = client.predict(**covered, api_name="/judge")
    verdict = judge(Measures(**covered), Policy())
    assert result["verdict"] == verdict.decision == "reject"
    assert [reason["code"] for reason in result["reasons"]] == ["occluded"]
    assert client.predict(**covered, max_occlusion=0.5, api_name="/judge")["verdict"] == "accept"
    assert client.predict(**FACE, api_name="/judge")["cafi"] == 70.0


@pytest.mark.parametrize("yaw", [-60.0, 60.0])
def test_judge_goes_by_how_far_a_head_is_turned(client, yaw):
    (reason,) = client.predict(**{**FACE, "yaw": yaw}, api_name="/judge")["reasons"]
    assert reason["code"] == "turned_away" and "by 60° to the side" in reason["message"]
    assert client.predict(**{**FACE, "yaw": yaw}, max_yaw=60, api_name="/judge")["verdict"] == "accept"


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"ser_fiq_threshold": 7.0}, "ser_fiq_threshold must lie between 0 and 1"),
        ({"ser_fiq": 1.8}, "ser_fiq must lie between 0 and 1"),
        ({"max_yaw": -1}, "max_yaw must lie between 0 and 180"),
        ({"yaw": -200}, "yaw must lie between -180 and 180"),
        ({"ser_fiq_weight": 0, "dbcnn_weight": 0}, "One of the weights"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(client, values, sentence):
    with pytest.raises(AppError, match=sentence):
        client.predict(**{**FACE, **values}, api_name="/judge")


def test_a_null_is_refused_in_a_sentence(client):
    with pytest.raises(AppError, match="Every measure is a number"):
        client.predict(**{**FACE, "dbcnn": None}, api_name="/judge")


def test_models_lists_the_manifest(client):
    from faceqa import weights

    listed = client.predict(api_name="/models")
    assert [model["name"] for model in listed] == [weight.name for weight in weights.manifest()]
    assert all(model["verified"] for model in listed if model["models"] == "open" and model["present"])


def test_the_shell_example_asks_for_the_default_policy():
    example = unescape(about._api_example("http://127.0.0.1:7860/"))
    values = found(r"gradio\.FileData\"}}, (.*)\]}'", example)
    assert policy_of(tuple(map(float, values.split(", ")))) == Policy()


def test_mcp_without_its_package_is_a_sentence(monkeypatch, capsys):
    monkeypatch.setattr(app, "find_spec", lambda _name: None)
    with pytest.raises(SystemExit):
        app.main(["--mcp"])
    assert "pip install 'gradio[mcp]'" in capsys.readouterr().err


def test_nothing_else_can_be_called(client):
    known = client.view_api(return_format="dict")
    assert set(known["named_endpoints"]) == {"/assess", "/judge", "/models"}
    assert not known["unnamed_endpoints"]
    assert names_of(known, "/assess") == ["image", *(setting.name for setting in OF_A_FACE)]
    settings = [setting.name for setting in OF_A_FACE]
    assert names_of(known, "/judge") == [row.name for row in ASKED] + settings


def names_of(known: dict, endpoint: str) -> list[str]:
    return [parameter["parameter_name"] for parameter in known["named_endpoints"][endpoint]["parameters"]]


@pytest.mark.parametrize("name", ["assess", "judge"])
def test_every_parameter_has_its_default_and_its_description(scorer, name):
    endpoint = next(one for one in build(scorer).fns.values() if one.api_name == name)
    assert endpoint.fn is not None
    says, described, returns = get_function_description(endpoint.fn)
    assert says and returns
    for setting in OF_A_FACE:
        assert described[setting.name].startswith(setting.label.en)
    assert all(described.values())


def over_http(address: str, name: str, data: list) -> str:
    """What the endpoint sends back for a plain HTTP call."""
    request = Request(
        f"{address}gradio_api/call/{name}",
        json.dumps({"data": data}).encode(),
        {"Content-Type": "application/json"},
    )
    event = json.load(urlopen(request))["event_id"]
    return urlopen(f"{address}gradio_api/call/{name}/{event}").read().decode()


def test_the_api_needs_no_client(demo_address):
    answer = over_http(demo_address, "judge", [*(FACE[row.name] for row in ASKED), *DEFAULTS])
    assert "event: complete" in answer
    assert json.loads(answer.split("data: ")[1])[0]["verdict"] == "accept"


def test_a_file_of_the_server_is_not_assessed(demo_address):
    own = {"path": str(EXAMPLES.parent / "pyproject.toml"), "meta": {"_type": "gradio.FileData"}}
    answer = over_http(demo_address, "assess", [own, *DEFAULTS])
    assert "event: error" in answer
    assert "verdict" not in answer


# What the page answers


def card_of(page: list) -> str:
    return next(value for value in page if isinstance(value, str) and "card verdict" in value)


@pytest.mark.parametrize("name", photo.EXAMPLE_NAMES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_card_says_what_the_assessment_says(scorer, name, language):
    path = EXAMPLES / f"{name}.jpg"
    expected = scorer.rejudge(scorer.assess(path), Policy(), language)
    card = card_of(photo.show(scorer, str(path), path.name, 0, language, Policy()))
    assert f"verdict {expected.verdict}" in card
    assert wording.text(expected.verdict, language) in card
    for reason in expected.reasons:
        assert reason.message in unescape(card) and reason.advice in unescape(card)
    if expected.cafi is not None:
        assert f"{expected.cafi:.1f}" in card


def test_the_page_shows_every_step(scorer, held):
    page = photo.show(scorer, held.source, held.name, 0, "en", Policy())
    html = "".join(value for value in page if isinstance(value, str))
    assert (
        html.count('<img src="data:image/') == 7
    )  # photo, crop, aligned, crop and overlay, crop and masked face
    assert html.count('<svg class="gauge') == 3
    assert all(
        f'alt="{wording.text(key, "en")}"' in html for key in ("alt.photo", "alt.recognition", "alt.quality")
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_card_names_every_cause_of_a_low_score(scorer, held, language):
    spoilt = replace(held, assessment=replace(held.assessment, distortions={"noise": 0.9, "blur": 0.4}))
    card, *_ = photo.rejudged(scorer, spoilt, Policy(cafi_threshold=100), language)
    noise, blur = (next(row for row in DISTORTIONS if row.name == name) for name in ("noise", "blur"))
    assert noise.message.in_language(language) in card
    also = wording.text("reason.also", language, causes=blur.title.in_language(language).lower())
    assert card.count(also) == 1 and noise.title.in_language(language).lower() not in also


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_measure_is_shown_in_a_step_with_its_limit(scorer, held, language):
    steps = "".join(pieces.step_number(step, held.assessment, Policy(), language) for step in pieces.STEPS)
    assert LEVELLED.title.in_language(language) not in steps, "no single face has it"
    for row in (*TAKEN, SCORE):
        assert row.title.in_language(language) in steps
        assert row.text(getattr(held.assessment, row.name), language) in steps
    for row in (*(row for row in GATED if row in TAKEN), SCORE):
        assert row.gate is not None
        key = "bound.at_least" if row.higher_is_better else "bound.at_most"
        assert wording.text(key, language, limit=row.limit_text(row.gate.limit, language)) in steps


def test_a_face_that_is_too_small_is_marked_where_faces_are_found(held):
    step = STEPS["photo"]
    assert 'class="mark accept"' in pieces.step_number(step, held.assessment, Policy(), "en")
    demanding = Policy(min_face_size=held.assessment.face_size + 1)
    assert 'class="mark reject"' in pieces.step_number(step, held.assessment, demanding, "en")


def test_the_result_to_download_has_the_thresholds_of_the_sliders(scorer, held):
    policy = Policy(cafi_threshold=12.5, min_face_size=50)
    *_, link = photo.rejudged(scorer, held, policy, "en")
    result = json.loads(unquote(found(r'href="data:[^,]*,([^"]*)"', link)))
    assert Policy(**result["policy"]) == policy


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_face_whose_pose_cannot_be_told_is_told_so_with_what_is_known(held, language):
    failed = replace(held.assessment, verdict="error", scores={}, cafi=None, pose=None)
    shown = {step.name: pieces.step_number(step, failed, Policy(), language) for step in pieces.STEPS}
    assert wording.text("pose.unknown", language) in shown["crop"]
    distance = failed.face.inter_eye_distance
    assert wording.text("number.eyes", language, distance=distance) in shown["crop"]
    assert "gauge" not in "".join(shown.values()), "a failed measure is held against no limit"
    known = pieces.step_number(STEPS["crop"], held.assessment, Policy(), language)
    assert wording.text("pose.unknown", language) not in known


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("content", "code"),
    [(b"no image", "unreadable_image"), (b"", "unreadable_image"), ("small", "image_too_small")],
)
def test_a_bad_file_is_a_sentence_in_the_language_of_the_visitor(scorer, tmp_path, content, code, language):
    if content == "small":
        content = draw.png(np.zeros((40, 40, 3), np.uint8))
    path = tmp_path / "bad.jpg"
    path.write_bytes(content)
    card = unescape(card_of(photo.show(scorer, str(path), "bad.jpg", 0, language, Policy())))
    assert wording.text("error", language) in card
    assert "Traceback" not in card
    if language == "ko":
        assert WORDINGS[code].message.ko in card


def test_an_upload_that_is_gone_is_a_sentence_too(scorer, tmp_path):
    card = card_of(photo.show(scorer, str(tmp_path / "gone.jpg"), "gone.jpg", 0, "en", Policy()))
    assert wording.text("error", "en") in card


def test_a_failure_of_ours_is_told_without_its_inside(caplog):
    class Broken(Scorer):
        def __init__(self):
            self.calibration = None

        def inspect(self, *_):
            raise RuntimeError("secret inside")

    page = photo.show(Broken(), "x.jpg", "x.jpg", 0, "ko", Policy())
    assert wording.text("failed", "ko") in card_of(page)
    assert "secret inside" not in "".join(map(str, page))
    assert "secret inside" in caplog.text


def test_names_of_files_cannot_write_html(scorer):
    name = '<img src=x onerror="alert(1)">.jpg'
    page = photo.show(scorer, str(EXAMPLES / "hopper.jpg"), name, 0, "en", Policy())
    assert "<img src=x" not in "".join(value for value in page if isinstance(value, str))


# Sliders


def test_a_moved_slider_runs_no_network(scorer, held):
    quiet = NoNetworks(scorer)
    easy = card_of(photo.rejudged(quiet, held, Policy(cafi_threshold=0), "en"))
    hard = card_of(photo.rejudged(quiet, held, Policy(cafi_threshold=100), "en"))
    assert "verdict accept" in easy
    assert "verdict reject" in hard


def test_the_sliders_make_the_policy_in_the_order_of_its_settings():
    assert policy_of(DEFAULTS) == Policy()
    chosen = {"ser_fiq_threshold": 0.4, "max_occlusion": 0.3, "min_face_size": 90, "ser_fiq_weight": 2.0}
    chosen |= {"max_yaw": 20}
    values = [chosen.get(setting.name, setting.default) for setting in OF_A_FACE]
    assert policy_of(values) == Policy(**chosen)
    weightless = [0 if setting.is_weight else setting.default for setting in OF_A_FACE]
    assert policy_of(weightless) == Policy()  # no weight at all: those by default


def test_every_setting_has_its_slider_and_every_preset_is_reached(scorer):
    demo = build(scorer)
    sliders = {block.elem_id: block for block in demo.blocks.values() if isinstance(block, gr.Slider)}
    assert set(sliders) == {f"policy-{setting.name}" for setting in OF_A_FACE}
    for setting in OF_A_FACE:
        slider = sliders[f"policy-{setting.name}"]
        assert (slider.minimum, slider.maximum, slider.step) == setting.slider
        assert slider.value == setting.default
        for preset in PRESETS.values():
            value = getattr(preset, setting.name)
            assert slider.minimum <= value <= slider.maximum
            steps = (value - slider.minimum) / slider.step
            assert steps == pytest.approx(round(steps))


TOY = '''
"""The area of the face, for a test."""

import numpy as np


def load(setup):
    return {"toy": lambda batch: np.array([face.area for face in batch.faces])}
'''

TOY_ROW = """    Measure(
        name="toy",
        module="faceqa.measures.toy",
        title=Words("Toy area", "장난감 넓이"),
        meaning=Words("a toy", "장난감"),
        axis=(0, 100000),
        decimals=0,
        shown=0,
        colour="#123456",
        gate=Gate(
            setting="min_toy",
            limit=1000,
            slider=(0, 90000, 10),
            label=Words("Toy, at least", "장난감 하한"),
            reason="low_toy",
            words=ReasonWords(
                Words("toy low", "작은 장난감"),
                Words("Toy {value:g} {limit:g}", "장난감 {value:g} {limit:g}"),
                Words("Find a larger toy.", "더 큰 장난감을 찾으세요."),
            ),
        ),
    ),
)

SCORE = """


def test_a_new_row_of_the_registry_gets_a_slider_a_number_and_a_parameter(tmp_path):
    place = checkout.copy(
        [path for path in checkout.files() if path.parts[0] in ("faceqa", "demo")], tmp_path
    )
    for folder in ("weights", "examples"):
        (place / folder).symlink_to(ROOT / folder)
    registry = place / "faceqa/measures/registry.py"
    known = registry.read_text(encoding="utf-8")
    assert known.count(")\n\nSCORE = ") == 1
    registry.write_text(known.replace(")\n\nSCORE = ", TOY_ROW), encoding="utf-8")
    (place / "faceqa/measures/toy.py").write_text(TOY, encoding="utf-8")
    code = """
import inspect, json
from demo import about, compare, live, photo, visits, wording
from demo.page import build
from faceqa import Policy, Scorer
scorer = Scorer("cpu")
demo = build(scorer)
path = "examples/hopper.jpg"
page = photo.show(scorer, path, "hopper.jpg", 0, "en", Policy(min_toy=90000))
shown = compare.assessed(scorer, path, "hopper.jpg")
print(json.dumps({
    "labels": [str(getattr(block, "elem_id", "")) for block in demo.blocks.values()],
    "page": "".join(part for part in page if isinstance(part, str)),
    "live": live._card(page[0].assessment, visits.Camera(), "en", 0.0),
    "table": compare.side_by_side([shown], Policy(), scorer, "en"),
    "about": wording.text("about.numbers", "ko"),
    "judge": [
        list(inspect.signature(one.fn).parameters) for one in demo.fns.values() if one.api_name == "judge"
    ],
}))
"""
    environment = {**os.environ, "PYTHONPATH": str(place)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=place, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout.splitlines()[-1])
    assert "policy-min_toy" in seen["labels"]
    assert re.search(
        r'mark reject">.*?</span> Toy area <b>\d{5}</b><br><span class="quiet">at least 90000', seen["page"]
    )
    assert re.search(r'class="gate reject"><span class="gate-title">Toy area</span>', seen["page"])
    assert re.search(r"<strong>Toy \d{5} 90000</strong> Find a larger toy", seen["page"])
    assert "Toy area" in seen["live"] and "Toy area" in seen["table"]
    assert "장난감 넓이" in seen["about"] and "1000 이상" in seen["about"]
    assert {"toy", "min_toy"} <= set(seen["judge"][0])


# The other tabs


def test_the_best_column_is_the_best_of_the_accepted(scorer):
    shown = [
        compare.assessed(scorer, str(EXAMPLES / f"{name}.jpg"), name) for name in ("hopper", "hopper_mask")
    ]
    policy = Policy(cafi_threshold=0.0)
    table = compare.side_by_side(shown, policy, scorer, "en")
    assert table.count("★") == 1
    best = found(r'class="best-mark" style="--column:(\d)"', table)
    assert best == "2"  # after the column of names
    assert table.count('role="rowheader"') == len(TAKEN) + 3  # the photo, the CAFI and the verdict
    assert all(row.title.en in table for row in (*TAKEN, SCORE))
    assert ">-<" in re.sub(r"</?b>", "", table)  # the masked face has no CAFI


def test_the_camera_keeps_a_minute_and_its_best_frame(scorer, hopper):
    camera = Camera()
    good = scorer.rejudge(scorer.assess(hopper), Policy(cafi_threshold=0))
    blurred = scorer.rejudge(scorer.assess(EXAMPLES / "hopper_blur.jpg"), Policy(cafi_threshold=0))
    nobody = scorer.assess(EXAMPLES / "no_face.jpg")
    assert not live.remember(camera, b"", nobody, 0.0)
    assert live.remember(camera, b"blurred", blurred, 1.0)
    assert live.remember(camera, b"good", good, 2.0)
    assert not live.remember(camera, b"blurred", blurred, 3.0)
    assert camera.best is not None and camera.best[1:] == (b"good", good)
    live.remember(camera, b"", nobody, 61.5)
    assert [when for when, _ in camera.frames] == [2.0, 3.0, 61.5]
    assert camera.frames[0][1] == {"ser_fiq": good.ser_fiq, "cafi": good.cafi}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_card_of_a_frame_has_every_measure_of_the_verdict(scorer, hopper, language):
    result = scorer.assess(hopper)
    card = live._card(result, Camera(), language, 0.0)
    for row in (SCORE, *ASKED):
        assert f"<dt>{row.title.in_language(language)}</dt>" in card
        assert f"<dd>{row.text(getattr(result, row.name), language)}</dd>" in card


@pytest.mark.parametrize(
    "frame", ["no base64!", "A" * (limits.MOST_KILOBYTES_A_FRAME * 1400)], ids=["not base64", "too large"]
)
def test_a_frame_that_is_none_is_an_error_with_a_code(frame):
    with pytest.raises(FaceqaError):
        live.frame_in({"frame": frame})


def test_a_step_of_the_ladder_is_held_against_the_detail_that_is_left(scorer, hopper):
    """At an eighth of the resolution the face of 215 px keeps 27, whatever it was enlarged to."""
    face = scorer.assess(hopper).face
    *_, last = stress.climb("resolution", hopper, face)
    shown = compare.stressed(scorer, last)
    assert shown.assessment.face_size == pytest.approx(face.longer_side / 8, rel=0.1)
    steps = compare._steps(compare.Climbed("resolution", (shown,)), Policy(), scorer, "en")
    code = "face_too_small"
    assert wording.text("reject", "en") in steps
    assert WORDINGS[code].message.en.partition("{")[0] in steps


@pytest.mark.parametrize("kind", stress.DISTORTION_OF)
def test_a_ladder_is_told_by_its_own_distortion(kind, scorer, collins):
    """Its severity rises to a fault; enlarged a second time, a picture is told to be blurred, too."""
    face = scorer.assess(collins).face
    climbed = compare.Climbed(
        kind, tuple(compare.stressed(scorer, step) for step in stress.climb(kind, collins, face))
    )
    own, *others = [row.name for row in compare.told(climbed)]
    assert own == stress.DISTORTION_OF[kind]
    assert others == (["blur"] if kind == "resolution" else [])
    severities = [step.assessment.distortions[own] for step in climbed.steps]
    assert severities[0] < FAULT_FROM <= max(severities)
    figure = compare._climbed(climbed, Policy(), scorer, "en")[1]["value"]
    title = next(row.title.en for row in DISTORTIONS if row.name == own)
    assert [list(curve.y) for curve in figure.data if curve.name == title] == [severities]


def test_the_cafi_comes_from_the_rows_above_it(scorer):
    shown = [compare.assessed(scorer, str(EXAMPLES / "hopper.jpg"), "hopper")]
    rows = re.findall(r'role="rowheader"[^>]*>([^<]*)<', compare.side_by_side(shown, Policy(), scorer, "en"))
    assert rows[-4:-1] == [f"SER-FIQ {plots.TIMES} 0%", f"DBCNN, face alone {plots.TIMES} 100%", "CAFI"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_unreadable_photo_has_a_cell_of_its_own(scorer, tmp_path, language):
    (tmp_path / "broken.jpg").write_bytes(b"no image")
    shown = [compare.assessed(scorer, str(tmp_path / "broken.jpg"), "broken.jpg")]
    table = compare.side_by_side(shown, Policy(), scorer, language)
    assert 'class="no-picture"' in table and wording.text("error", language) in table
    if language == "ko":
        assert WORDINGS["unreadable_image"].message.ko in table


# What the server keeps of a page


def test_a_visit_is_found_again_and_forgotten_after_a_while(monkeypatch):
    now: list[float] = [0.0]
    gone: list[Visit] = []
    monkeypatch.setattr("demo.visits.time.monotonic", lambda: now[0])
    visits = Visits(gone.append)
    assert visits.of("") is not visits.of("")
    first, other = visits.of("first"), visits.of("other")
    assert visits.of("first") is first and visits.of("other") is other
    now[0] = limits.SECONDS_KEPT - 1
    assert visits.of("first") is first
    now[0] = limits.SECONDS_KEPT + 1
    visits.sweep()
    assert gone == [other]
    assert visits.of("first") is first and visits.of("other") is not other


def test_no_more_visits_are_kept_than_are_allowed(monkeypatch):
    monkeypatch.setattr("demo.visits.MOST_VISITS", 2)
    gone: list[Visit] = []
    visits = Visits(gone.append)
    first, *_ = [visits.of(key) for key in ("a", "b", "c")]
    assert gone == [first]


@pytest.mark.parametrize(
    ("asked", "changed"),
    [
        ({}, {}),
        ({"cafi_threshold": "60", "tab": "live"}, {"cafi_threshold": 60.0}),
        ({"cafi_threshold": "nan", "max_yaw": "1e9", "ser_fiq_threshold": "x"}, {}),
    ],
)
def test_the_address_sets_the_thresholds(asked, changed):
    assert policy_of(values_in(asked)) == replace(Policy(), **changed)


@pytest.fixture(scope="module")
def known(scorer, tmp_path_factory) -> Iterator[curate.Curated]:
    folder = tmp_path_factory.mktemp("curate")
    archive = folder / "faces.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for name in ("hopper", "hopper_mask", "no_face"):
            packed.write(EXAMPLES / f"{name}.jpg", f"{name}.jpg")
        packed.writestr("broken.jpg", b"no image")
    steps = list(curate.curated(scorer, [str(archive), str(EXAMPLES / "collins.jpg")]))
    assert [step[1:3] for step in (steps[0], steps[-1])] == [(0, 5), (5, 5)]
    assert [step[0] is None for step in steps] == [True] * (len(steps) - 1) + [False]
    known = steps[-1][0]
    assert known is not None
    yield known
    curate.delete(known)


KEEP_ALL = Policy(ser_fiq_threshold=0.0, max_occlusion=1.0, cafi_threshold=0.0)


def test_a_zip_and_a_photo_are_curated_together(known):
    verdicts = {row.image: row.verdict for row in known.rows}
    zipped = {f"faces.zip/{name}.jpg" for name in ("hopper", "hopper_mask", "no_face", "broken")}
    assert set(verdicts) == {*zipped, "collins.jpg"}  # as the visitor knows them
    assert verdicts["faces.zip/hopper_mask.jpg"] == verdicts["faces.zip/no_face.jpg"] == "reject"
    assert verdicts["faces.zip/broken.jpg"] == "error"
    assert {name for name, _ in known.pictures} == {*verdicts} - {"faces.zip/broken.jpg"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_thresholds_recount_a_data_set_without_a_network(known, language):
    count, _, shown, faces, *_ = curate.rejudged(known, KEEP_ALL, language)
    assert wording.text("curate.kept_of", language, kept=3, total=5) in count
    assert faces.count('class="tile accept"') == 3 and faces.count('class="tile ') == 5
    assert faces.count("<img") == 4 and faces.count("no-picture") == 1
    assert next(label for label, code in shown["choices"] if code == "no_face").endswith("(1)")
    some = curate.rejudged(known, KEEP_ALL, language, "no_face")[3]
    assert some.count('class="tile ') == 1 and "no_face.jpg" in some
    count = curate.rejudged(known, replace(KEEP_ALL, cafi_threshold=100.0), language)[0]
    assert wording.text("curate.kept_of", language, kept=0, total=5) in count


def test_a_verdict_by_hand_stands_above_the_thresholds_and_in_the_table(known):
    policy = replace(KEEP_ALL, max_occlusion=0.25)
    overrides = {("faces.zip/hopper_mask.jpg", 0): "accept", ("collins.jpg", 0): "reject"}
    by_hand = replace(known, run=replace(known.run, overrides=overrides))
    verdicts = {row.image: row.verdict for row in by_hand.judged(policy)}
    assert verdicts["faces.zip/hopper_mask.jpg"] == "accept" and verdicts["collins.jpg"] == "reject"
    count, _, _, faces, *_ = curate.rejudged(by_hand, policy, "en")
    assert wording.text("curate.kept_of", "en", kept=2, total=5) in count
    assert faces.count(wording.text("curate.by_hand", "en")) == 2
    rows = {row.image: row for row in read_csv(curate.made(by_hand, "table", policy, "en"))}
    assert rows["collins.jpg"].override == "reject" == rows["collins.jpg"].verdict
    assert rows["collins.jpg"].judged(KEEP_ALL).verdict == "reject", "judging the table again keeps it"
    assert rows["faces.zip/hopper.jpg"].override is None
    with zipfile.ZipFile(curate.made(by_hand, "images", policy, "en")) as packed:
        names = {Path(name).name for name in packed.namelist()}
    assert names == {"hopper.jpg", "hopper_mask.jpg", *curate.CARRIED}


def test_a_face_is_enlarged_from_the_picture_that_was_sent(known):
    rows = {row.image: row for row in known.judged(Policy())}
    large = curate._face(known, rows["collins.jpg"], "en")
    assert "data:image/jpeg" in large and "CAFI" in large
    assert "data:image/jpeg" in curate._face(known, rows["faces.zip/no_face.jpg"], "en")
    assert "no-picture" in curate._face(known, rows["faces.zip/broken.jpg"], "en")


def test_the_figures_are_drawn_from_the_rows_and_the_thresholds(known):
    policy = replace(KEEP_ALL, cafi_threshold=60.0)
    figures = curate.rejudged(known, policy, "ko")[1]
    numbers = json.loads(unescape(found(r'^<div data-figures="([^"]*)"></div>$', figures)))
    assert numbers["language"] == "ko"
    cafi = next(one for one in numbers["histograms"] if one["scale"]["name"] == "cafi")
    assert cafi["scale"]["limit"] == 60.0
    assert sum(kept + rejected for kept, rejected in cafi["bins"]) == 3
    scatter = numbers["scatter"]
    why = {row.image: row.reasons[0] for row in known.judged(policy) if row.scores and row.reasons}
    drawn = {point[3]: scatter["reasons"][point[4]] for point in scatter["points"] if point[4] is not None}
    assert drawn == {image: list(WORDINGS[code].short) for image, code in why.items()}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_levelled_data_set_shows_which_value_stands_at_the_gate(known, language):
    rows = tuple(replace(row, scores={**row.scores, LEVELLED.name: 0.1}) for row in known.rows if row.scores)
    levelled, gate = replace(known, rows=rows), LEVELLED.gate
    assert gate is not None
    count, figures, *_ = curate.rejudged(levelled, replace(KEEP_ALL, ser_fiq_threshold=1.0), language)
    assert wording.text(f"reason.{gate.reason}", language) in count
    assert wording.text("curate.kept_of", language, kept=0, total=3) in count
    numbers = json.loads(unescape(found(r'^<div data-figures="([^"]*)"></div>$', figures)))
    scales = {one["scale"]["name"]: one["scale"] for one in numbers["histograms"]}
    assert scales[LEVELLED.name]["limit"] == gate.limit
    assert scales[LEVELLED.replaces]["limit"] is None
    assert scales[LEVELLED.replaces]["replaced"] == list(LEVELLED.title)
    assert numbers["scatter"]["x"]["name"] == LEVELLED.name


def test_a_thousand_faces_are_judged_again_at_once():
    """In some 50 ms of the processor's own time, which other programs do not lengthen."""
    rows = tuple(
        Row(f"{i}.jpg", "reject", 0, scores={**FACE, "dbcnn": 20.0 + i % 60}, box=(0.0, 0.0, 9.0, 9.0))
        for i in range(limits.MOST_IMAGES)
    )
    run = Run(Path(), Settings(()))
    many = curate.Curated(Path(), run, rows, {(row.image, 0): b"" for row in rows})
    taken = []
    for _ in range(3):
        started = time.process_time()
        count = curate.rejudged(many, Policy(), "en")[0]
        taken.append(time.process_time() - started)
    assert f"of {limits.MOST_IMAGES}" in count
    assert min(taken) < 0.2


def test_each_download_is_made_from_the_thresholds_of_its_click(known):
    lenient, strict = replace(KEEP_ALL, max_occlusion=0.25), replace(KEEP_ALL, cafi_threshold=100.0)
    for policy, expected in (
        (lenient, {"hopper.jpg", "collins.jpg"}),
        (strict, set()),
        (lenient, {"hopper.jpg", "collins.jpg"}),
    ):
        archive = curate.made(known, "images", policy, "en")
        with zipfile.ZipFile(archive) as packed:
            assert {Path(name).name for name in packed.namelist()} == expected | set(curate.CARRIED)
            told = json.loads(packed.read("summary.json"))["limits"]
            assert told["cafi"] == policy.cafi_threshold and told["occlusion"] == policy.max_occlusion
        table = curate.made(known, "table", policy, "en")
        kept = {Path(row.image).name for row in read_csv(table) if row.verdict == "accept"}
        assert kept == expected


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_downloads_do_not_tell_where_the_uploads_lie(known, language):
    for kind in ("table", "report"):
        file = curate.made(known, kind, Policy(), language)
        assert file.name == curate.DOWNLOADS[kind]
        content = file.read_text(encoding="utf-8")
        assert str(known.folder) not in content and known.folder.name not in content
    assert f'lang="{language}"' in content and "faces.zip/hopper.jpg" in content


def test_what_is_too_much_is_refused_before_it_begins(tmp_path, monkeypatch):
    assert curate.refused([]) == "curate.nothing"
    photos = [str(EXAMPLES / "hopper.jpg"), str(EXAMPLES / "collins.jpg")]
    assert curate.refused(photos) is None
    monkeypatch.setattr(curate, "MOST_IMAGES", 1)
    assert curate.refused(photos) == "curate.too_many"
    monkeypatch.setattr(curate, "MOST_MEGABYTES", 0.1)
    assert curate.refused(photos) == "curate.too_large"


def test_a_cancelled_run_leaves_nothing(scorer, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    running = curate.curated(scorer, [str(EXAMPLES / "hopper.jpg")])
    next(running)
    assert list(tmp_path.iterdir())
    running.close()
    assert not list(tmp_path.iterdir())


def test_what_a_killed_server_left_behind_is_swept(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    old, new, other = (tmp_path / name for name in (f"{curate.FOLDER}old", f"{curate.FOLDER}new", "other"))
    for folder in (old, new, other):
        folder.mkdir()
        (folder / "photo.jpg").touch()
    long_ago = time.time() - curate.LEFT_BEHIND - 60
    for folder in (old, other):
        os.utime(folder, (long_ago, long_ago))
    curate.sweep()
    assert set(tmp_path.iterdir()) == {new, other}


def test_files_of_the_same_name_are_all_curated(scorer, tmp_path):
    (tmp_path / "other").mkdir()
    paths = [EXAMPLES / "no_face.jpg", tmp_path / "other" / "no_face.jpg"]
    paths[1].write_bytes((EXAMPLES / "hopper_blur.jpg").read_bytes())
    known = curated(scorer, paths)
    assert [row.image for row in known.rows] == ["no_face.jpg", "no_face (2).jpg"]
    curate.delete(known)
    assert not known.folder.exists()


def test_no_more_images_are_assessed_than_are_allowed(scorer, monkeypatch):
    monkeypatch.setattr(curate, "MOST_IMAGES", 1)
    photos = [str(EXAMPLES / "no_face.jpg"), str(EXAMPLES / "collins.jpg")]
    *_, (known, done, _, _) = curate.curated(scorer, photos)
    curate.delete(known)
    assert known is not None and len(known.rows) == done == 1


# The page before Gradio starts


@pytest.mark.parametrize(
    ("wanted", "accepted", "language"),
    [
        ("ko", "en-US,en;q=0.9", "ko"),
        ("en", "ko-KR", "en"),
        (None, "ko-KR,ko;q=0.9,en;q=0.8", "ko"),
        (None, "de, ko;q=0.4, en;q=0.7", "en"),
        (None, "ko;q=0, de", "en"),
        ("fr", "ko", "ko"),
        ("<script>", None, "en"),
        (None, ";;q=x,", "en"),
    ],
)
def test_the_address_and_then_the_browser_decide_the_language(wanted, accepted, language):
    assert language_of(wanted, accepted) == language


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_link_to_the_page_has_a_preview_of_its_own(demo_address, language):
    html = urlopen(f"{demo_address}?lang={language}").read().decode()
    assert html.count("og:title") == html.count("og:description") == html.count("og:image") == 1
    assert f'property="og:title" content="{wording.text("page.title", language)}"' in html
    assert f'lang="{language}"' in html and "Click to try out the app" not in html
    picture = urlopen(found('property="og:image" content="([^"]*)"', html))
    assert picture.headers["content-type"] == "image/jpeg"
    assert Image.open(picture).size == (1200, 630)


# Wording


def test_both_languages_say_everything_with_the_same_blanks():
    for key, pair in wording.TEXT.items():
        english, korean = (re.findall(r"{(\w+)", sentence) for sentence in pair)
        assert sorted(english) == sorted(korean), key
        assert all(sentence.strip() for sentence in pair), key


def test_the_page_names_every_role_and_every_stage(scorer):
    roles = {f"role.{weight.role}" for weight in weights.manifest()}
    stages = {f"stage.{name}" for name in scorer.assess(EXAMPLES / "hopper.jpg").timings_ms}
    assert roles | stages <= set(wording.TEXT)


def test_korean_is_korean():
    for key, (english, korean) in wording.TEXT.items():
        assert re.search("[가-힣]", korean) or english == korean, key


def test_what_the_registry_says_is_not_said_again():
    for words in wording.OF_THE_REGISTRY.values():
        assert tuple(words) not in {
            pair for key, pair in wording.OWN.items() if not key.startswith("example.")
        }
    assert not set(wording.OWN) & set(wording.OF_THE_REGISTRY)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_tells_everywhere_alike_how_long_it_keeps_what_it_gets(language):
    for key in ("curate.intro", "about.privacy"):
        said = wording.text(key, language)
        assert re.findall(r"(\d+) ?(?:minutes|분)", said) == [str(limits.MOST_MINUTES)]


def test_nothing_is_kept_longer_than_the_page_says(scorer):
    most = 60 * limits.MOST_MINUTES
    assert sum(build(scorer).delete_cache or [most + 1]) <= most
    assert most >= limits.SECONDS_KEPT + limits.LOOKED_THROUGH_EVERY
    assert not [block for block in build(scorer).blocks.values() if isinstance(block, gr.State)]


def test_every_sentence_is_used_and_every_used_one_exists():
    sources = "".join(path.read_text(encoding="utf-8") for path in [ROOT / "app.py", *ROOT.glob("demo/*.py")])
    sources = re.sub(r"^OWN: .*?^}$", "", sources, flags=re.MULTILINE | re.DOTALL)
    calls = re.findall(r"""\b(?:say|text|problem)\(\s*["']([a-z_.]+)["']""", sources)
    assert set(calls) <= set(wording.TEXT)
    named = set(re.findall(r"""["']([a-z_.]+)["']""", sources))
    prefixes = {prefix for prefix in re.findall(r"""f["']([a-z_]+\.)\{""", sources)}
    unused = {key for key in wording.OWN if key not in named and not key.startswith(tuple(prefixes))}
    assert not unused


@pytest.mark.parametrize("error", [FaceqaError("no_such_face", "Only one face."), KeyError("inside")])
def test_an_error_is_told_in_words(error):
    expected = "Only one face." if isinstance(error, FaceqaError) else wording.text("failed", "en")
    assert wording.error_message(error, "en") == expected


# What it must never do


PAGE = [ROOT / "app.py", *(path for path in ROOT.glob("demo/*.py") if path.name != "draw.py")]


@pytest.mark.parametrize("path", PAGE, ids=lambda path: path.name)
def test_the_page_holds_widgets_and_wording_only(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not {name for name in names if name.split(".")[0] in {"torch", "cv2"}}


@pytest.mark.parametrize("path", PAGE, ids=lambda path: path.name)
def test_scripts_and_styles_are_files_of_their_own(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.count("\n") > 1:
            assert not re.search(r"=>|<script|<style|document\.|[a-z-]+: [^;\n]+; ?}", node.value), node.value


def test_nothing_is_told_to_others():
    options = launch_options()
    assert options["run_history"] is options["enable_monitoring"] is options["share"] is False
    code = "import app, os; print(os.environ['GRADIO_ANALYTICS_ENABLED'])"
    assert (
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True).stdout
        == "False\n"
    )


def test_gradio_parses_no_sources_for_stubs():
    code = """
import ast
from demo.quick_import import without_stubs
parsed, ast.get_source_segment = [], lambda *what: parsed.append(what)
with without_stubs():
    import gradio
print(len(parsed), gradio.Image().__class__.__module__)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "0 gradio.components.image\n"


def test_where_it_listens_is_left_to_the_environment():
    assert not {"server_name", "server_port"} & set(launch_options())


class Occupied(Scorer):
    """A scorer that works on the first image until it is let go."""

    def __init__(self):
        self.calibration = None
        self.let_go = threading.Event()

    def assess(self, _image, name=None, unmasked=True):
        assert self.let_go.wait(60)
        return Assessment(name)


@pytest.fixture
def small_server(demo_address, monkeypatch) -> Iterator[SimpleNamespace]:
    """A served demo with limits that are reached in no time, at a port after that of `demo_address`."""
    for name, limit in (("MOST_MEGABYTES_A_FILE", 1), ("MAX_WAITING", 2)):
        monkeypatch.setattr(page, name, limit)
    for name in ("LOOKED_THROUGH_EVERY", "UPLOADS_KEPT"):
        monkeypatch.setattr(page, name, 1)
    scorer = Occupied()
    demo = build(scorer)
    serve(demo, prevent_thread_lock=True, quiet=True)
    yield SimpleNamespace(address=demo.local_url, scorer=scorer)
    scorer.let_go.set()
    demo.close()


def sent(address: str, content: bytes) -> str:
    """Upload a file; its place on the server."""
    mark = uuid.uuid4().hex
    head = f'--{mark}\r\nContent-Disposition: form-data; name="files"; filename="a.jpg"\r\n\r\n'
    request = Request(
        f"{address}gradio_api/upload",
        head.encode() + content + f"\r\n--{mark}--\r\n".encode(),
        {"Content-Type": f"multipart/form-data; boundary={mark}"},
    )
    return json.load(urlopen(request, timeout=30))[0]


def test_a_file_that_is_too_large_is_refused(small_server):
    assert Path(sent(small_server.address, bytes(900_000))).stat().st_size == 900_000
    with pytest.raises(HTTPError) as refused:
        sent(small_server.address, bytes(1_200_000))
    assert refused.value.code == 413


def test_one_file_alone_changes_what_belongs_to_the_browser():
    """Others ask the browser for the camera or the clipboard, and put nothing into its place."""
    changes = re.compile(
        r"defineProperty|\.prototype\b|(?:window|globalThis|navigator|mediaDevices)(?:\.\w+|\[[^]]*\])\s*=[^=]"
        r"|(?<![.\w])(?:fetch|getUserMedia|WebSocket|XMLHttpRequest)\s*=[^=]"
    )
    scripts = {path.name: path.read_text(encoding="utf-8") for path in ASSETS.glob("*.js")}
    assert [name for name, script in scripts.items() if changes.search(script)] == ["before_gradio.js"]
    assert changes.findall(scripts["before_gradio.js"]) == ["defineProperty"]


def test_uploads_are_deleted_when_they_are_old(small_server):
    place = Path(sent(small_server.address, b"x"))
    assert place.exists()
    end = time.monotonic() + 30
    while place.exists() and time.monotonic() < end:
        time.sleep(0.2)
    assert not place.exists()


def test_whoever_comes_to_a_full_queue_is_refused(small_server):
    upload = {"path": sent(small_server.address, b"x"), "meta": {"_type": "gradio.FileData"}}

    def ask() -> int:
        request = Request(
            f"{small_server.address}gradio_api/call/assess",
            json.dumps({"data": [upload, *DEFAULTS]}).encode(),
            {"Content-Type": "application/json"},
        )
        try:
            return urlopen(request, timeout=30).status
        except HTTPError as error:
            return error.code

    answers = [ask() for _ in range(6)]
    assert answers[: page.MAX_WAITING] == [200] * page.MAX_WAITING
    assert answers[-1] == 503


def test_no_link_leads_outside(scorer):
    html = " ".join(piece(language) for piece in wording.PIECES.values() for language in LANGUAGES)
    assets = launch_options()["head"] + (ROOT / "demo/assets/style.css").read_text(encoding="utf-8")
    assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//""", html + assets)


def test_a_face_without_a_pose_is_shown(scorer):
    face = Face((0.0, 0.0, 200.0, 200.0), ((1, 1),) * 5, 0.9)
    result = Assessment("x.jpg", 300, 300, "accept", cafi=60.0, scores=FACE, face=face, face_index=0)
    assert wording.text("pose.unknown", "en") in pieces.step_number(STEPS["crop"], result, Policy(), "en")
    quality = pieces.step_number(STEPS["quality"], result, Policy(), "en")
    assert "DBCNN 70.0" in quality and "whole crop" not in quality
    failed = Assessment("x.jpg", 300, 300, "error", face=face, face_index=0, error="It failed.")
    for step in pieces.STEPS:  # without a pose there is no yaw, and without a yaw no measure counts
        assert pieces.step_number(step, failed, Policy(), "en")


@pytest.mark.parametrize("language", LANGUAGES)
def test_about_tells_every_component(language):
    told = wording.text("about.components", language)
    for row in COMPONENTS:
        assert f"| **{row.title.in_language(language)}** | {row.meaning.in_language(language)} |" in told
