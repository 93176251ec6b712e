"""The container without a container engine: what the Dockerfile says is done here, one by one."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import tomllib
import venv
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any

import checkout
import pytest
from checkout import ROOT
from conftest import EXAMPLES
from gradio_client import Client, handle_file
from packaging.specifiers import SpecifierSet

PORT = 7860
USER = 1000

MOST_GIGABYTES = 2.2
"""Of Python packages, CUDA's not counted."""

ONLY_CUDA = ("nvidia*", "cuda*", "triton*", "torch/lib/*cuda*", "torch/lib/*nvshmem*")

STUBS = {
    "apt-get": 'test "$1" = update || exec /usr/bin/apt-get --simulate "$@"',
    "rm": "shift; for name; do case $name in /var/lib/apt/lists/*) ;; *) exit 1 ;; esac; done",
    "useradd": f'case "$*" in *"--uid {USER} "*) ;; *) exit 1 ;; esac',
}
"""Commands that change the system they run on: what they would do is checked, not done."""

INSTALLER_STUB = """\
case "$1 $2" in install*|"pip install") ;; *) exit 1 ;; esac
for word; do case $word in *.txt) test -e "$word" || exit 1 ;; esac; done"""


def instructions() -> list[tuple[str, str]]:
    """Name and value, comments and line breaks taken out."""
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    code = "\n".join(line for line in lines if not line.lstrip().startswith("#"))
    joined = re.sub(r"\\\n\s*", "", code)
    return [(name, value) for name, value in (line.split(maxsplit=1) for line in joined.splitlines() if line)]


def values(wanted: str) -> list[str]:
    return [value for name, value in instructions() if name == wanted]


def variables(value: str) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in shlex.split(value))


def is_sent(path: Path) -> bool:
    """Whether .dockerignore lets a file into the build: the last rule for it or a folder above counts."""
    rules = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    places = [str(place) for place in (path, *path.parents)][:-1]
    sent = True
    for rule in rules:
        if rule and not rule.startswith("#") and any(fnmatch(p, rule.removeprefix("!")) for p in places):
            sent = rule.startswith("!")
    return sent


def test_only_what_runs_is_sent():
    for name in ("data/a.jpg", "runs/b.pt", ".venv/bin/python", ".git/HEAD", "demo/__pycache__/a.pyc"):
        assert not is_sent(Path(name)), name
    sent = {path.parts[0] for path in checkout.files() if is_sent(path)}
    rules = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert sent == {rule[1:] for rule in rules if rule.startswith("!")}, "a rule names what is not there"


def test_the_linter_finds_nothing():
    hadolint = Path(sysconfig.get_path("scripts")) / "hadolint"
    done = subprocess.run([hadolint, ROOT / "Dockerfile"], capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("", 0)


def test_its_python_is_the_one_of_the_tests():
    (base,) = values("FROM")
    (version,) = re.findall(r"^python:(\d+\.\d+)-slim-\w+$", base)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert version in SpecifierSet(project["requires-python"])
    assert f"(Python {version})" in (ROOT / "constraints.txt").read_text(encoding="utf-8")


def test_it_listens_where_it_says_so():
    (environment,) = map(variables, values("ENV"))
    assert values("EXPOSE") == [str(PORT)]
    assert environment["GRADIO_SERVER_PORT"] == str(PORT)
    assert environment["GRADIO_SERVER_NAME"] == "0.0.0.0"
    assert f"127.0.0.1:{PORT}" in values("HEALTHCHECK")[0]


def test_what_changes_often_comes_last():
    steps = [f"{name} {value}" for name, value in instructions()]
    installed = next(i for i, step in enumerate(steps) if "-r requirements.txt" in step)
    assert steps.index("COPY . .") > installed
    assert not [step for step in steps[:installed] if step.startswith("COPY") and not step.endswith("txt ./")]
    assert steps.index(f"USER {USER}") > steps.index("COPY . .")


@dataclass
class Image:
    """What a build leaves behind."""

    root: Path
    environment: dict[str, str]
    folder: Path = Path()
    user: int | None = None

    def as_user(self) -> dict:
        """Options for what the container's user runs."""
        return {"cwd": self.folder, "env": self.environment, **_identity(self.user)}


@cache
def _identity(user: int | None) -> dict:
    """Options for being somebody else, who cannot write what is ours: where we may, and he can read this."""
    if not user or os.geteuid() != 0:
        return {}
    identity: dict[str, Any] = {"user": user, "group": user, "extra_groups": []}
    can_read = subprocess.run(["test", "-r", sys.executable], **identity).returncode == 0
    return identity if can_read else {}


def script(path: Path, code: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{code}\n")
    path.chmod(0o755)


def build(root: Path, scripts: Path, **arguments: str) -> Image:
    """Carry out the instructions below `root`.

    Args:
        root: Stands for the container's /.
        scripts: Of the Python environment that stands for the container's.
        arguments: Of the build.
    """
    stubs = root / "stubs"
    for name, code in STUBS.items():
        script(stubs / name, code)
    path = f"{stubs}:{scripts}:/usr/bin:/bin"
    prefixes = ("PIP_", "UV_", "SSL_", "OMP_")
    kept = {name: value for name, value in os.environ.items() if name.startswith(prefixes)}
    image = Image(root, {"PATH": path, "HOME": str(root / "home"), "TMPDIR": str(root / "home"), **kept})
    (root / "home").mkdir()
    context = [file for file in checkout.files() if is_sent(file)]
    for name, value in instructions():
        if name == "WORKDIR":
            image.folder = root / value.lstrip("/")
            image.folder.mkdir(parents=True)
        elif name == "COPY":
            *sources, target = value.split()
            chosen = context if sources == ["."] else [Path(source) for source in sources]
            assert target in (".", "./") and set(chosen) <= set(context)
            checkout.copy(chosen, image.folder)
        elif name == "ARG":
            argument, default = value.split("=", 1)
            image.environment[argument] = arguments.pop(argument, default)
        elif name == "ENV":
            image.environment |= variables(value)
        elif name == "USER":
            image.user = int(value)
        elif name == "RUN":
            shell = ["/bin/sh", "-c", value]
            place: dict[str, Any] = {"cwd": image.folder, "env": image.environment}
            done = subprocess.run(shell, capture_output=True, text=True, **place)
            assert done.returncode == 0, f"{value}\n{done.stdout}\n{done.stderr}"
        else:
            assert name in ("FROM", "EXPOSE", "HEALTHCHECK", "CMD"), f"{name} is not exercised"
    assert not arguments, "a build argument that the Dockerfile does not know"
    for owned in (root / "home", *(root / "home").rglob("*")):
        if image.user is not None and _identity(image.user):
            os.chown(owned, image.user, image.user)
    return image


@pytest.fixture(scope="module", params=["stubbed", pytest.param("installed", marks=pytest.mark.slow)])
def image(request):
    """A built image: with this environment, and with one into which everything was installed."""
    root = Path(tempfile.mkdtemp(prefix="faceqa-container-"))  # pytest's folders are closed to other users
    root.chmod(0o755)
    try:
        if request.param == "stubbed":
            script(root / "bin/python", f'exec {sys.executable} "$@"')
            for name in ("pip", "uv"):
                script(root / "bin" / name, INSTALLER_STUB)
            yield build(root, root / "bin")
        else:
            venv.create(root / "venv", with_pip=True)
            # The index of the CPU builds cannot be counted on: empty is the other documented value.
            yield build(root, root / "venv/bin", TORCH_BACKEND="")
    finally:
        shutil.rmtree(root)


def test_it_starts_is_healthy_and_scores_without_a_network(image):
    port = checkout.free_port()
    nowhere = dict.fromkeys(("http_proxy", "https_proxy", "all_proxy"), "http://127.0.0.1:9")
    here = {"no_proxy": "127.0.0.1,localhost,0.0.0.0"}
    image.environment |= {"GRADIO_SERVER_PORT": str(port), **nowhere, **here}
    (command,), (check,) = values("CMD"), values("HEALTHCHECK")
    check = json.loads(check.partition("CMD ")[2].replace(str(PORT), str(port)))
    assert subprocess.run(check, **image.as_user(), capture_output=True).returncode != 0
    with checkout.serving(json.loads(command), port, **image.as_user()) as address:
        assert subprocess.run(check, **image.as_user()).returncode == 0
        client = Client(address, verbose=False)
        result = client.predict(handle_file(EXAMPLES / "hopper.jpg"), api_name="/assess")
        assert result["verdict"] == "accept"
    if image.as_user().get("user"):
        written = [path for path in image.folder.rglob("*") if path.stat().st_uid == image.user]
        assert not written, "the app writes beside its code"


@pytest.mark.slow
@pytest.mark.parametrize("image", ["installed"], indirect=True)
def test_what_is_installed_is_complete_and_small(image):
    done = subprocess.run(["faceqa", "--version"], **image.as_user(), capture_output=True, text=True)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert done.stdout == f"faceqa {project['version']}\n"
    (packages,) = (image.root / "venv/lib").glob("python*/site-packages")
    cuda = {path for pattern in ONLY_CUDA for path in packages.glob(pattern)}
    gigabytes = (size(packages) - sum(map(size, cuda))) / 1e9
    print(f"{gigabytes:.2f} GB without CUDA, {size(packages) / 1e9:.2f} GB with it")
    assert gigabytes < MOST_GIGABYTES


def size(path: Path) -> int:
    return sum(
        file.stat().st_size for file in (path.rglob("*") if path.is_dir() else [path]) if file.is_file()
    )
