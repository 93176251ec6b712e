"""What an import costs, and what the shop window holds. Who may import whom: [tool.importlinter]."""

import subprocess
import sys
import tomllib
from importlib.metadata import version

import pytest
from checkout import ROOT

import faceqa
from faceqa import errors
from faceqa.curation.table import Row, write_csv


@pytest.mark.parametrize("module", ["faceqa", "faceqa.cli"])
def test_importing_the_package_loads_nothing_heavy(module):
    code = f"import sys, {module}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    heavy = {"torch", "cv2", "numpy", "PIL", "onnx", "onnxruntime", "insightface", "huggingface_hub"}
    assert not heavy & set(loaded.split())


@pytest.mark.parametrize("module", ["faceqa.curation.run", "faceqa.scorer", "demo.page"])
def test_films_and_duplicates_load_their_libraries_when_they_are_met(module):
    code = f"import sys, {module}; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert not {"av", "faiss", "scenedetect", "ray"} & set(loaded.stdout.split())


@pytest.mark.parametrize("arguments", [["--help"], ["models"], ["rejudge", "scores.csv"]])
def test_what_runs_no_model_loads_no_torch(arguments, tmp_path):
    write_csv([Row("a.jpg", "reject")], tmp_path / "scores.csv")
    code = f"""
import sys
from faceqa import cli
try:
    exit_code = cli.main({arguments})
except SystemExit as exit:
    exit_code = exit.code
print(exit_code, *sys.modules, file=sys.stderr)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    exit_code, *loaded = run.stderr.split()
    assert exit_code == "0", run.stderr
    assert not {"torch", "timm", "torchvision", "onnx"} & set(loaded)


def test_the_shop_window_holds_what_it_names():
    for name in faceqa.__all__:
        assert getattr(faceqa, name) is not None
    with pytest.raises(AttributeError, match="Scorerr"):
        _ = faceqa.Scorerr


def test_every_error_is_in_the_shop_window():
    named = {name for name, value in vars(errors).items() if isinstance(value, type)}
    assert named <= set(faceqa.__all__) and "FaceqaError" in named
    assert all(issubclass(getattr(faceqa, name), faceqa.FaceqaError) for name in named)


def test_every_room_is_installed():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    installed = set(settings["tool"]["setuptools"]["packages"]) - {"faceqa._weights"}
    rooms = {".".join(path.parent.relative_to(ROOT).parts) for path in ROOT.glob("faceqa/**/__init__.py")}
    assert installed == rooms


def test_the_package_knows_its_version():
    assert faceqa.__version__ == version("faceqa")


def test_a_photo_is_scored_on_a_cpu_without_torch():
    code = """
import sys
from faceqa import Scorer
result = Scorer("cpu").assess(sys.argv[1])
heavy = ("torch", "torchvision", "timm", "segmentation_models_pytorch", "onnx", "insightface", "gradio")
print(result.engine["name"], result.ser_fiq > 0.7, [name for name in heavy if name in sys.modules])
"""
    photo = str(ROOT / "examples/hopper.jpg")
    run = subprocess.run([sys.executable, "-c", code, photo], capture_output=True, text=True, check=True)
    assert run.stdout.split(maxsplit=2) == ["openvino", "True", "[]\n"]
