"""The repository as a Hugging Face Space: its settings, its requirements, and what runs on a lent GPU."""

import importlib
import os
import pickle
import re
import subprocess
import sys
import tempfile
import tomllib
import types
import venv
from collections.abc import Iterator
from pathlib import Path

import checkout
import pytest
import yaml
from checkout import ROOT
from conftest import EXAMPLES
from gradio_client import Client, handle_file
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

import app
import faceqa
from demo import curate, photo, zerogpu
from demo.page import build
from faceqa import Policy, Scorer
from faceqa.verdict.policy import OF_A_FACE

COLOURS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
SETTINGS = {
    *("title", "emoji", "colorFrom", "colorTo", "sdk", "python_version", "sdk_version", "suggested_hardware"),
    *("app_file", "base_path", "fullWidth", "header", "short_description", "models", "datasets", "tags"),
    *("thumbnail", "pinned", "license", "disable_embedding", "startup_duration_timeout", "custom_headers"),
}
"""Of the Hub's Spaces configuration reference, those of a Gradio Space."""

SHORT = 60
"""Characters of a short description that the Hub accepts."""

ZEROGPU_PYTHON = {"3.10.13", "3.12.12"}
ZEROGPU_TORCH = {"2.8.0", "2.9.1", "2.10.0", "2.11.0"}
"""Of the Hub's documentation, August 2026."""

GIT_LIMIT = 10 * 2**20
"""Bytes of a file that the Hub takes by `git push` without Xet or LFS."""

SPACE_LIMIT = 10**9
"""Bytes of a Space's repository."""


@pytest.fixture(scope="module")
def settings() -> dict:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    front_matter = re.match(r"---\n(.*?)\n---\n", text, re.DOTALL)
    assert front_matter
    return yaml.safe_load(front_matter[1])


def requirements(name: str) -> dict[str, Requirement]:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    listed = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {requirement.name: requirement for requirement in listed}


def pinned(name: str) -> dict[str, str]:
    return {key: str(one.specifier).removeprefix("==") for key, one in requirements(name).items()}


def test_the_settings_are_those_of_a_gradio_space(settings):
    assert settings.keys() <= SETTINGS
    assert settings["sdk"] == "gradio"
    assert {settings["colorFrom"], settings["colorTo"]} <= COLOURS
    assert len(settings["short_description"]) <= SHORT
    assert len(settings["emoji"]) == 1 and not settings["emoji"].isascii()
    assert all(isinstance(settings[name], str) for name in ("title", "sdk_version", "python_version"))
    assert all(isinstance(tag, str) for tag in settings["tags"])


def test_the_settings_agree_with_the_project(settings):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert settings["license"] == project["license"].lower()
    assert settings["python_version"] in ZEROGPU_PYTHON
    assert settings["python_version"] in SpecifierSet(project["requires-python"])
    assert settings["sdk_version"] == pinned("constraints.txt")["gradio"]
    assert settings["sdk_version"] in requirements("requirements.txt")["gradio"].specifier
    assert (ROOT / settings["app_file"]).samefile(app.__file__)


def test_its_torch_is_one_of_zerogpus_and_of_ours():
    first = pinned("pre-requirements.txt")
    assert first["torch"] in ZEROGPU_TORCH
    for name, version in first.items():
        assert version in requirements("requirements.txt")[name].specifier


def test_the_system_packages_are_names():
    for line in (ROOT / "packages.txt").read_text().splitlines():
        assert re.fullmatch(r"[a-z0-9][a-z0-9.+-]+", line)


def test_the_files_are_small_enough():
    sizes = {str(path): (ROOT / path).stat().st_size for path in checkout.files()}
    assert sum(sizes.values()) < SPACE_LIMIT
    large = {name for name, size in sizes.items() if size > GIT_LIMIT}
    deploy = (ROOT / "README.md").read_text(encoding="utf-8")
    assert all(name in deploy for name in large), "the README says how these get to the Hub"


@pytest.fixture
def large_folder() -> Iterator[Path]:
    """One that does not stay: pytest keeps its own for some runs."""
    with tempfile.TemporaryDirectory(prefix="faceqa-space-") as name:
        yield Path(name)


@pytest.mark.slow
def test_what_a_space_installs_runs_the_app(settings, large_folder):
    place = checkout.copy(checkout.files(), large_folder / "space")
    venv.create(large_folder / "venv", with_pip=True)
    python = large_folder / "venv/bin/python"
    own = (f"gradio[oauth,mcp]=={settings['sdk_version']}", "spaces")
    for wanted in (("-r", "pre-requirements.txt"), ("-r", "requirements.txt", *own)):
        install = [python, "-m", "pip", "install", "--quiet", "--no-cache-dir", *wanted]
        subprocess.run(install, cwd=place, check=True)
    show = [python, "-c", "from importlib.metadata import version; print(version('torch'))"]
    installed = subprocess.run(show, capture_output=True, text=True, check=True).stdout.strip()
    assert installed == pinned("pre-requirements.txt")["torch"]
    port = checkout.free_port()
    environment = {**os.environ, "GRADIO_SERVER_PORT": str(port)}
    with checkout.serving([python, settings["app_file"]], port, cwd=place, env=environment) as address:
        client = Client(address, verbose=False)
        result = client.predict(handle_file(EXAMPLES / "hopper.jpg"), api_name="/assess")
        assert result["verdict"] == "accept"


UNINSTALLED = """
import importlib.metadata as metadata
find = metadata.distribution
def distribution(name):
    if name == "faceqa":
        raise metadata.PackageNotFoundError(name)
    return find(name)
metadata.distribution = distribution
import app, faceqa.cli, faceqa.curation.run, faceqa.evaluation.subjects
from demo import page
print(faceqa.__version__)
"""


def test_it_needs_no_installed_faceqa():
    """A Space runs the checkout: faceqa itself is not among its requirements."""
    done = subprocess.run([sys.executable, "-c", UNINSTALLED], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == faceqa.__version__, done.stderr


class ALoan:
    """Stands for `lend_gpu`: notes what is wrapped, and pickles what goes in and out."""

    def __init__(self):
        self.wrapped = {}

    def __call__(self, seconds: int):
        assert 0 < seconds <= 60, "a visitor without an account has little more"

        def wrap(function):
            def lent(*given, **named):
                given, named = pickle.loads(pickle.dumps((given, named)))
                return pickle.loads(pickle.dumps(function(*given, **named)))

            self.wrapped[function.__qualname__] = lent
            return function

        return wrap


@pytest.fixture
def loan(monkeypatch) -> ALoan:
    loan = ALoan()
    for module in (photo, curate):
        monkeypatch.setattr(module, "lend_gpu", loan)
    return loan


def test_only_photos_and_data_sets_borrow_the_gpu(loan, scorer):
    build(scorer)
    assert loan.wrapped.keys() == {
        "photo_tab.<locals>.assessed",
        "photo_tab.<locals>.every_face",
        "curate_tab.<locals>.assess_all",
    }


class Failing(Scorer):
    """A scorer on the GPU that nobody has lent."""

    def __init__(self, scorer: Scorer):
        self.calibration = scorer.calibration


def test_a_photo_comes_through_pickled_and_from_the_lent_scorer(loan, scorer):
    build(Failing(scorer), scorer)
    path, policy = str(EXAMPLES / "hopper.jpg"), Policy()
    assessed = loan.wrapped["photo_tab.<locals>.assessed"]
    held, *page = assessed(path, "hopper.jpg", 0, "en", [setting.default for setting in OF_A_FACE])
    assert held.assessment.verdict == "accept"
    assert len(page) == len(photo.show(scorer, path, "hopper.jpg", 0, "en", policy)) - 1


def test_a_data_set_comes_through_pickled(scorer):
    *_, (known, done, total, _) = curate.curated(scorer, [str(EXAMPLES / "hopper.jpg")])
    try:
        again = pickle.loads(pickle.dumps(known))
        assert (again, done, total) == (known, 1, 1)
    finally:
        curate.delete(known)


def test_without_zerogpu_nothing_is_wrapped():
    def function():
        pass

    assert not zerogpu.IS_HERE
    assert zerogpu.lend_gpu(1)(function) is function


def test_on_zerogpu_its_package_wraps_with_the_time(monkeypatch):
    asked: list[int] = []

    def gpu(duration: int) -> str:
        asked.append(duration)
        return "wrapper"

    package = types.SimpleNamespace(GPU=gpu)
    monkeypatch.setitem(sys.modules, "spaces", package)
    monkeypatch.setenv("SPACES_ZERO_GPU", "true")
    try:
        assert importlib.reload(zerogpu).lend_gpu(15) == "wrapper"
        assert asked == [15]
    finally:
        monkeypatch.undo()
        importlib.reload(zerogpu)
