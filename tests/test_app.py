"""The demo without a browser: its API, its wording, what it answers, and what it must never do."""

import ast
import json
import os
import re
import subprocess
import sys
import time
import zipfile
from html import unescape
from pathlib import Path
from urllib.request import Request, urlopen

import gradio as gr
import numpy as np
import pytest
from conftest import EXAMPLES
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

import app
from demo import about, compare, curate, live, photo, pieces, wording
from demo.policy import policy_of
from faceqa import Assessment, Face, FaceqaError, Policy, draw, judge
from faceqa.verdict.policy import PRESETS
from faceqa.verdict.reasons import LANGUAGES, WORDINGS

ROOT = Path(__file__).parent.parent
DEFAULTS = tuple(Policy.__dataclass_fields__[name].default for name in Policy.__dataclass_fields__)


class NoNetworks:
    """A scorer whose networks must not run."""

    def __init__(self, scorer):
        self.calibration = scorer.calibration
        self.rejudge = scorer.rejudge


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


def test_assess_takes_a_policy(client, scorer):
    path = EXAMPLES / "hopper.jpg"
    strict = Policy(ser_fiq_threshold=0.99)
    result = client.predict(handle_file(path), 0.99, api_name="/assess")
    expected = scorer.rejudge(scorer.assess(path, "hopper.jpg"), strict)
    assert without_times(result) == without_times(expected.to_dict())
    assert result["verdict"] == "reject"


def test_assess_answers_for_a_broken_image_too(client, tmp_path):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes((EXAMPLES / "hopper.jpg").read_bytes()[:2000])
    result = client.predict(handle_file(broken), api_name="/assess")
    assert result["verdict"] == "error"
    assert result["reasons"][0]["code"] == "unreadable_image"


def test_judge_gives_the_verdict_of_the_library(client):
    from faceqa import Measures

    result = client.predict(0.8, 40.0, 0.4, 300, 0.5, 0.25, 50, 0, 1, api_name="/judge")
    verdict = judge(Measures(0.8, 40.0, 0.4, 300), Policy())
    assert result["verdict"] == verdict.decision == "reject"
    assert [reason["code"] for reason in result["reasons"]] == ["occluded"]
    assert client.predict(0.8, 70.0, 0.0, 300, api_name="/judge")["cafi"] == 70.0


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ((0.8, 40.0, 0.4, 300, 7.0), "ser_fiq_threshold must lie between 0 and 1"),
        ((1.8, 40.0, 0.4, 300), "ser_fiq must lie between 0 and 1"),
        ((0.8, 40.0, 0.4, 300, 0.5, 0.25, 50, 0, 0), "One of the weights"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(client, values, sentence):
    with pytest.raises(AppError, match=sentence):
        client.predict(*values, api_name="/judge")


def test_models_lists_the_manifest(client):
    from faceqa import weights

    listed = client.predict(api_name="/models")
    assert [model["name"] for model in listed] == [weight.name for weight in weights.manifest()]
    assert all(model["verified"] for model in listed if model["models"] == "open" and model["present"])


def test_the_shell_example_asks_for_the_default_policy():
    example = about._api_example("http://127.0.0.1:7860/")
    values = re.search(r"gradio\.FileData\"}}, (.*)\]}'", example)[1]
    assert Policy(*map(float, values.split(", "))) == Policy()


def test_mcp_without_its_package_is_a_sentence(monkeypatch, capsys):
    monkeypatch.setattr(app, "find_spec", lambda _name: None)
    with pytest.raises(SystemExit):
        app.main(["--mcp"])
    assert "pip install 'gradio[mcp]'" in capsys.readouterr().err


def test_nothing_else_can_be_called(client):
    known = client.view_api(return_format="dict")
    assert set(known["named_endpoints"]) == {"/assess", "/judge", "/models"}
    assert not known["unnamed_endpoints"]
    assert [p["parameter_name"] for p in known["named_endpoints"]["/assess"]["parameters"]] == [
        "image",
        *Policy.__dataclass_fields__,
    ]


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
    answer = over_http(demo_address, "judge", [0.8, 70.0, 0.0, 300, *DEFAULTS])
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
        f'alt="{wording.text(key, "en")}"' in html for key in ("alt.photo", "alt.aligned", "alt.masked")
    )


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
        assert WORDINGS[code]["ko"][0] in card


def test_an_upload_that_is_gone_is_a_sentence_too(scorer, tmp_path):
    card = card_of(photo.show(scorer, str(tmp_path / "gone.jpg"), "gone.jpg", 0, "en", Policy()))
    assert wording.text("error", "en") in card


def test_a_failure_of_ours_is_told_without_its_inside(caplog):
    class Broken:
        calibration = None

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


def test_the_sliders_are_the_fields_of_the_policy():
    assert policy_of(DEFAULTS) == Policy()
    values = (0.4, 0.3, 55.0, 1.0, 2.0)
    assert policy_of(values) == Policy(*values)
    assert policy_of((*DEFAULTS[:3], 0, 0)) == Policy()  # two weights of nothing: DBCNN alone, as by default


def test_every_preset_can_be_reached_by_the_sliders(scorer):
    demo = app.build(scorer)
    sliders = [block for block in demo.blocks.values() if isinstance(block, gr.Slider)]
    fields = list(Policy.__dataclass_fields__)
    assert len(sliders) == 2 * len(fields)
    for preset in PRESETS.values():
        for slider, name in zip(sliders, 2 * fields, strict=True):
            value = getattr(preset, name)
            assert slider.minimum <= value <= slider.maximum
            steps = (value - slider.minimum) / slider.step
            assert steps == pytest.approx(round(steps))


# The other tabs


def test_the_best_column_is_the_best_of_the_accepted(scorer):
    shown = [
        compare.assessed(scorer, str(EXAMPLES / f"{name}.jpg"), name) for name in ("hopper", "hopper_mask")
    ]
    policy = Policy(cafi_threshold=0.0)
    table = compare.side_by_side(shown, policy, scorer, "en")
    assert table.count("★") == 1
    best = re.search(r'class="best-mark" style="--column:(\d)"', table)
    assert best[1] == "2"  # after the column of names
    assert table.count('role="columnheader"') + table.count('role="rowheader"') == 5
    assert ">-<" in re.sub(r"</?b>", "", table)  # the masked face has no CAFI


def test_the_live_session_keeps_a_minute_and_its_best_frame(scorer, hopper):
    session = live.Session()
    good = scorer.rejudge(scorer.assess(hopper), Policy(cafi_threshold=0))
    blurred = scorer.rejudge(scorer.assess(EXAMPLES / "hopper_blur.jpg"), Policy(cafi_threshold=0))
    nobody = scorer.assess(EXAMPLES / "no_face.jpg")
    assert not live.remember(session, hopper, nobody, 0.0)
    assert live.remember(session, hopper, blurred, 1.0)
    assert live.remember(session, hopper, good, 2.0)
    assert not live.remember(session, hopper, blurred, 3.0)
    assert session.best[2] is good
    live.remember(session, hopper, nobody, 61.5)
    assert [when for when, _, _ in session.frames] == [2.0, 3.0, 61.5]


@pytest.fixture(scope="module")
def run(scorer, tmp_path_factory):
    folder = tmp_path_factory.mktemp("curate")
    archive = folder / "faces.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for name in ("hopper", "hopper_mask", "no_face"):
            packed.write(EXAMPLES / f"{name}.jpg", f"{name}.jpg")
        packed.writestr("broken.jpg", b"no image")
    steps = list(curate.curated(scorer, [str(archive), str(EXAMPLES / "collins.jpg")]))
    assert [step[1:3] for step in (steps[0], steps[-1])] == [(0, 5), (5, 5)]
    assert [step[0] is None for step in steps] == [True] * (len(steps) - 1) + [False]
    yield steps[-1][0]
    curate.delete(steps[-1][0])


def test_a_zip_and_a_photo_are_curated_together(run):
    verdicts = {Path(row["image"]).name: row["verdict"] for row in run.rows}
    assert set(verdicts) == {"hopper.jpg", "hopper_mask.jpg", "no_face.jpg", "broken.jpg", "collins.jpg"}
    assert verdicts["hopper_mask.jpg"] == verdicts["no_face.jpg"] == "reject"
    assert verdicts["broken.jpg"] == "error"
    assert len(run.thumbnails) == 4  # all but the broken one


@pytest.mark.parametrize("language", LANGUAGES)
def test_thresholds_recount_a_data_set_without_a_network(run, language):
    everything, nothing = (Policy(0.0, 1.0, limit) for limit in (0.0, 100.0))
    count, *_, kept, rejected = curate.rejudged(run, everything, language)
    assert wording.text("curate.kept_of", language, kept=3, total=5) in count
    assert kept.count("<figure") == 3 and rejected.count("<figure") == 2
    count = curate.rejudged(run, nothing, language)[0]
    assert wording.text("curate.kept_of", language, kept=0, total=5) in count


def test_the_downloads_hold_the_kept_images_only(run):
    table, report, archive = map(Path, curate.published(run, Policy(0.0, 0.25, 0.0)))
    assert table.read_text(encoding="utf-8").count("\n") == 6
    for file in (table, report):
        assert str(run.folder) not in file.read_text(encoding="utf-8")
    assert "<html" in report.read_text(encoding="utf-8")
    with zipfile.ZipFile(archive) as packed:
        assert {Path(name).name for name in packed.namelist()} == {"hopper.jpg", "collins.jpg"}


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
    *_, (run, done, _, _) = curate.curated(scorer, list(map(str, paths)))
    assert done == len(run.rows) == 2
    curate.delete(run)
    assert not run.folder.exists()


# Wording


def test_both_languages_say_everything_with_the_same_blanks():
    for key, pair in wording.TEXT.items():
        english, korean = (re.findall(r"{(\w+)", sentence) for sentence in pair)
        assert sorted(english) == sorted(korean), key
        assert all(sentence.strip() for sentence in pair), key


def test_korean_is_korean():
    for key, (english, korean) in wording.TEXT.items():
        assert re.search("[가-힣]", korean) or english == korean or key == "percent", key


def test_every_reason_has_its_short_name():
    assert {f"why.{code}" for code in WORDINGS} <= set(wording.TEXT)


def test_every_sentence_is_used_and_every_used_one_exists():
    sources = "".join(path.read_text(encoding="utf-8") for path in [ROOT / "app.py", *ROOT.glob("demo/*.py")])
    calls = re.findall(r"""\b(?:say|text|problem)\(\s*["']([a-z_.]+)["']""", sources)
    assert set(calls) <= set(wording.TEXT)
    named = set(re.findall(r"""["']([a-z_.]+)["'](?!: \()""", sources))
    prefixes = {prefix for prefix in re.findall(r"""f["']([a-z_]+\.)\{""", sources)}
    unused = {key for key in wording.TEXT if key not in named and not key.startswith(tuple(prefixes))}
    assert not unused


@pytest.mark.parametrize("error", [FaceqaError("no_such_face", "Only one face."), KeyError("inside")])
def test_an_error_is_told_in_words(error):
    expected = "Only one face." if isinstance(error, FaceqaError) else wording.text("failed", "en")
    assert wording.error_message(error, "en") == expected


# What it must never do


def test_the_page_holds_widgets_and_wording_only():
    for path in [ROOT / "app.py", *ROOT.glob("demo/*.py")]:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = {
            alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
        }
        names |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert not {name for name in names if name and name.split(".")[0] in {"torch", "cv2"}}, path.name


def test_nothing_is_told_to_others():
    options = app.launch_options()
    assert options["run_history"] is options["enable_monitoring"] is options["share"] is False
    code = "import app, os; print(os.environ['GRADIO_ANALYTICS_ENABLED'])"
    assert (
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True).stdout
        == "False\n"
    )


def test_where_it_listens_is_left_to_the_environment():
    assert not {"server_name", "server_port"} & set(app.launch_options())


def test_uploads_and_the_queue_are_bounded(scorer):
    demo = app.build(scorer)
    assert demo.delete_cache == app.CACHE_SECONDS
    assert app.launch_options()["max_file_size"] == app.MAX_FILE_SIZE


def test_no_link_leads_outside(scorer):
    html = " ".join(piece(language) for piece in wording.PIECES.values() for language in LANGUAGES)
    assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//""", html + app.HEAD + app.STYLE.read_text())


def test_a_face_without_a_pose_is_shown(scorer):
    face = Face((0.0, 0.0, 200.0, 200.0), ((1, 1),) * 5, 0.9)
    result = Assessment("x.jpg", 300, 300, "accept", (), 60.0, 0.8, 60.0, None, 0.0, None, face, 0, 1)
    assert wording.text("pose.unknown", "en") in pieces.step_number("crop", result, Policy(), "en")
    assert wording.text("number.whole", "en", value="") not in pieces.step_number(
        "dbcnn", result, Policy(), "en"
    )
