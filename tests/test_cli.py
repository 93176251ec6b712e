import io
import json
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import EXAMPLES

from faceqa import Policy, cli, weights
from faceqa.verdict.policy import PRESETS


def faceqa(*arguments, **options) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "faceqa", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, **options)


def test_the_table_of_the_examples():
    done = faceqa("score", EXAMPLES)
    heading, *rows = done.stdout.splitlines()
    assert done.returncode == 0
    assert heading.split() == [
        *("image", "verdict", "CAFI", "SER-FIQ", "DBCNN", "covered", "face", "px"),
        *("yaw", "pitch", "roll", "remark"),
    ]
    assert len(rows) == len(list(EXAMPLES.glob("*.jpg")))
    assert "no_face: No face was found." in next(row for row in rows if "no_face.jpg" in row)
    assert "face 1 of 2" in next(row for row in rows if "two_faces.jpg" in row)
    assert done.stderr == "", "no progress bar, no warning where nobody watches"


def test_json_lines_and_a_bad_file_in_between(tmp_path):
    shutil.copy(EXAMPLES / "hopper.jpg", tmp_path / "a.jpg")
    (tmp_path / "b.jpg").write_text("this is no picture")
    shutil.copy(EXAMPLES / "collins.jpg", tmp_path / "ü c.jpg")
    done = faceqa("score", "--json", tmp_path)
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 1
    assert [Path(result["image"]).name for result in results] == ["a.jpg", "b.jpg", "ü c.jpg"]
    assert [result["verdict"] for result in results] == ["accept", "error", "accept"]
    assert results[1]["reasons"][0]["code"] == "unreadable_image"
    assert results[0]["ser_fiq"] > 0.7


def test_the_command_agrees_with_python(scorer):
    done = faceqa("score", "--json", EXAMPLES / "hopper.jpg")
    (line,) = done.stdout.splitlines()
    theirs, ours = json.loads(line), scorer.assess(EXAMPLES / "hopper.jpg").to_dict()
    assert theirs["dbcnn_unmasked"] is not None
    del theirs["timings_ms"], ours["timings_ms"]
    assert theirs == ours


@pytest.fixture
def one_scorer(scorer, monkeypatch):
    """Run the command line in this process, with the models that are loaded already."""
    monkeypatch.setattr("faceqa.scorer.Scorer", lambda device, models, policy, iqa: scorer)


def test_all_faces(one_scorer, capsys):
    assert cli.main(["score", "--json", "--all-faces", str(EXAMPLES / "two_faces.jpg")]) == 0
    results = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [result["face_index"] for result in results] == [0, 1]


def test_a_missing_path_is_an_error_of_that_path_only(one_scorer, capsys):
    assert cli.main(["score", "--json", "no/such.jpg", str(EXAMPLES / "hopper.jpg")]) == 1
    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert first["error"] == "There is no file no/such.jpg. Check the path."
    assert second["ser_fiq"] > 0.7


def test_a_folder_without_images_is_a_usage_error(tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("nothing to see")
    assert cli.main(["score", str(tmp_path)]) == 2
    assert "there are no images in" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [[], ["score"], ["score", "--device", "tpu", "x.jpg"], ["paint", "x.jpg"]]
)
def test_usage_errors_exit_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 2
    assert "usage: faceqa" in capsys.readouterr().err


def test_a_missing_device_is_a_sentence_and_exit_code_2(capsys):
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    assert cli.main(["score", "--device", "cuda", str(EXAMPLES / "hopper.jpg")]) == 2
    assert capsys.readouterr().err.startswith("faceqa: There is no CUDA device here.")


def test_research_models_that_cannot_be_had_say_what_to_do(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(weights, "INSIGHTFACE_ROOT", tmp_path)

    def unreachable(*_arguments, **_options):
        raise ConnectionError("the network is unreachable")

    monkeypatch.setattr("insightface.utils.storage.download_file", unreachable)
    assert cli.main(["score", "--models", "research", str(EXAMPLES / "hopper.jpg")]) == 2
    err = capsys.readouterr().err
    assert "non-commercial research only" in err
    assert "could not be downloaded" in err and "use the model set 'open'" in err


def test_the_models_are_listed(capsys):
    assert cli.main(["models"]) == 0
    heading, *rows = capsys.readouterr().out.splitlines()
    assert heading.split() == ["set", "role", "file", "size", "licence", "present", "verified"]
    assert len(rows) == len(weights.manifest())
    sface = next(row for row in rows if "face_recognition_sface" in row)
    assert sface.split() == [
        *("open", "embedding", "face_recognition_sface_2021dec_int8bq.onnx"),
        *("10.7", "MB", "Apache-2.0", "yes", "yes"),
    ]


def test_a_reader_that_leaves_early_is_no_error():
    command = f"{sys.executable} -m faceqa score --json {EXAMPLES} | head -n 1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, timeout=120
    )
    assert len(done.stdout.splitlines()) == 1
    assert "Traceback" not in done.stderr and "BrokenPipe" not in done.stderr


def test_the_version_is_printed(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith("faceqa 0.")


def test_a_list_on_stdin(one_scorer, capsys, monkeypatch):
    monkeypatch.setattr(
        "sys.stdin", io.StringIO(f"{EXAMPLES / 'hopper.jpg'}\n\n{EXAMPLES / 'no_face.jpg'}\n")
    )
    assert cli.main(["score", "--json", "-"]) == 0
    results = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [Path(result["image"]).name for result in results] == ["hopper.jpg", "no_face.jpg"]


def test_a_zip_is_scored_like_a_folder(one_scorer, tmp_path, capsys):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(EXAMPLES / "hopper.jpg", "x/hopper.jpg")
    assert cli.main(["score", "--json", str(path), str(EXAMPLES / "hopper.jpg")]) == 0
    packed, plain = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert packed["image"] == f"{path}/x/hopper.jpg"
    assert packed["ser_fiq"] == plain["ser_fiq"] and packed["cafi"] == plain["cafi"]


@pytest.mark.parametrize(
    ("arguments", "policy"),
    [
        ([], Policy()),
        (["--policy", "strict"], PRESETS["strict"]),
        (["--policy", "strict", "--max-occlusion", "0.3"], replace(PRESETS["strict"], max_occlusion=0.3)),
        (["--cafi-threshold", "42", "--ser-fiq-weight", "1"], Policy(cafi_threshold=42, ser_fiq_weight=1)),
    ],
)
def test_the_policy_comes_from_the_preset_and_the_options(scorer, monkeypatch, arguments, policy):
    given = []

    def scorer_of(device, models, policy, iqa):
        given.append(policy)
        return scorer

    monkeypatch.setattr("faceqa.scorer.Scorer", scorer_of)
    cli.main(["score", str(EXAMPLES / "no_face.jpg"), *arguments])
    assert given == [policy]


@pytest.mark.parametrize(
    "arguments", [["--ser-fiq-threshold", "2"], ["--dbcnn-weight", "0"], ["--cafi-threshold", "nan"]]
)
def test_a_policy_out_of_range_is_a_usage_error(arguments, capsys):
    assert cli.main(["score", str(EXAMPLES), *arguments]) == 2
    assert capsys.readouterr().err.startswith("faceqa: ")
