"""The wheel: what is in it, and that it works where there is no checkout."""

import hashlib
import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from zipfile import ZipFile

import checkout
import pytest
from checkout import ROOT
from conftest import EXAMPLES

import faceqa
from faceqa import weights

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def pip(*arguments) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", *map(str, arguments), "--no-deps", "--no-index"]
    subprocess.run(command, check=True)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    source = checkout.copy(checkout.files(), folder / "source")  # setuptools builds beside the code
    pip("wheel", "--no-build-isolation", "--wheel-dir", folder, source)
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("installed")
    pip("install", "--target", folder, wheel)
    return folder


def run(installed: Path, *command, cwd: Path) -> str:
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(installed), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=True)
    return done.stdout


def test_it_holds_the_package_and_its_weights_and_nothing_else(wheel):
    with ZipFile(wheel) as archive:
        names = set(archive.namelist())
        digests = {name: hashlib.sha256(archive.read(name)).hexdigest() for name in names}
    code = {str(path) for path in checkout.files() if path.parts[0] == "faceqa"}
    data = {f"faceqa/_weights/{path.name}" for path in checkout.files() if path.parts[0] == "weights"}
    assert {name for name in names if ".dist-info/" not in name} == code | data
    for weight in weights.manifest():
        if any(source.kind == "file" for source in weight.sources):
            assert digests[f"faceqa/_weights/{weight.file}"] == weight.sha256
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_it_scores_a_photo_outside_the_checkout(installed, scorer, tmp_path):
    shutil.copy(EXAMPLES / "hopper.jpg", tmp_path)
    place = run(installed, sys.executable, "-c", "import faceqa; print(faceqa.__file__)", cwd=tmp_path)
    assert Path(place.strip()).is_relative_to(installed)
    command = (sys.executable, installed / "bin/faceqa", "score", "--json", "--device", "cpu", "hopper.jpg")
    theirs = json.loads(run(installed, *command, cwd=tmp_path))
    ours = scorer.assess(EXAMPLES / "hopper.jpg", "hopper.jpg").to_dict()
    del theirs["timings_ms"], ours["timings_ms"]
    assert theirs == ours


def test_the_version_is_the_changelogs_latest(installed, tmp_path):
    told = run(installed, sys.executable, installed / "bin/faceqa", "--version", cwd=tmp_path)
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    releases = re.findall(r"^## \[(\d+\.\d+\.\d+)\] - \d{4}-\d\d-\d\d$", changes, re.MULTILINE)
    assert told == f"faceqa {faceqa.__version__}\n"
    assert faceqa.__version__ == releases[0]
