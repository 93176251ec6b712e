"""Whoever copies a command or an example from the README gets what it says: each is run, in a fresh clone."""

import contextlib
import io
import json
import os
import re
import shlex
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

import checkout
import pytest
import test_container
from checkout import ROOT

from benchmarks import fairness_tables
from faceqa import cli

README = (ROOT / "README.md").read_text(encoding="utf-8")

SHELL, PYTHON = {"sh", "bash", "shell", "console"}, {"python", "py"}

SHOWN_ONLY = {"json", "text", "yaml", "toml", "bibtex", "diff", "csv"}

ADDRESS = r"(127\.0\.0\.1|localhost):7860"
"""Of the demo, wherever the README asks it for something."""

SCRIPTS = Path(sysconfig.get_path("scripts"))


@dataclass(frozen=True)
class Example:
    """A command, or a whole Python block, and the line of the README where it begins."""

    line: int
    language: str
    code: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.code.splitlines()[0]}"


def examples() -> list[Example]:
    found = []
    for block in re.finditer(r"^```(\S*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL):
        language, code = block[1], block[2]
        line = README.count("\n", 0, block.start(2)) + 1
        if language in PYTHON:
            found.append(Example(line, "python", code))
        elif language in SHELL:
            found += commands(line, code, prompts=language == "console")
        else:
            assert language in SHOWN_ONLY, f"line {line}: what language is '{language}'?"
    return found


def commands(line: int, code: str, prompts: bool) -> list[Example]:
    """One a line, those that go on after a backslash joined; after a prompt, if there are any."""
    found, begun = [], ""
    for number, text in enumerate(code.splitlines(), line):
        if prompts and not begun and not text.startswith("$ "):
            continue  # what the command before answers
        begun += text.removeprefix("$ ") if prompts else text
        if begun.endswith("\\"):
            begun = begun[:-1]
            continue
        if shlex.split(begun, comments=True):
            found.append(Example(number, "sh", re.split(r"\s+#", begun)[0]))
        begun = ""
    assert not begun, f"line {line}: the last command goes on"
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A fresh clone after `make demo`, for all examples, which build on each other."""
    place = checkout.copy(checkout.files(), tmp_path_factory.mktemp("clone") / "faceqa")
    author = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    for command in (("init", "--quiet"), ("add", "--all"), (*author, "commit", "--quiet", "-m", "Clone")):
        subprocess.run(["git", *command], cwd=place, check=True)
    (place / ".venv").symlink_to(sys.prefix)
    return place


@pytest.fixture
def at_the_demo(request):
    """Puts the address of a served demo in the place of the README's."""

    def put(code: str) -> str:
        if not re.search(ADDRESS, code):
            return code
        return re.sub(ADDRESS, urlsplit(request.getfixturevalue("demo_address")).netloc, code)

    return put


def test_the_tables_of_fairness_are_those_of_the_results(capsys):
    fairness_tables.main()
    gates, damages = capsys.readouterr().out.strip().split("\n\n")
    assert gates.count("\n") == 1 + len(fairness_tables.GATES)
    assert damages.count("\n") == 1 + len(fairness_tables.DAMAGES)
    assert gates in README and damages in README


def test_their_ratios_are_those_of_the_benchmark():
    """Where the benchmark has a ratio: of all gates of a preset together."""
    large = json.loads(fairness_tables.FIGURES.read_text(encoding="utf-8"))["populations"]["large"]
    for line in fairness_tables.by_gate(large):
        preset = re.match(r"\| all gates of \*(\w+)\*", line)
        for kind, cell in zip(fairness_tables.KINDS, line.split(" | ")[1:], strict=False):
            if preset and ";" in cell:
                ratio = float(cell.split("; ")[1].split()[0])
                assert ratio == pytest.approx(
                    large["differences"][kind.name][preset[1]]["ratio"][0], abs=0.06
                )


def test_there_is_something_to_run():
    languages = {example.language for example in examples()}
    assert languages == {"python", "sh"}


@pytest.mark.parametrize("example", examples(), ids=str)
def test_it_runs(example, folder, at_the_demo, scorer, monkeypatch):
    if example.language == "python":
        run([sys.executable, "-c", at_the_demo(example.code)], folder)
        return
    words = shlex.split(example.code)
    special = SPECIAL.get(words[0], lambda *_: False)
    if words[0] == "faceqa" and not set("|<$;&`*") & set(example.code):
        run_here(words[1:], folder, scorer, monkeypatch)
    elif not special(words, folder):
        run(["bash", "-eo", "pipefail", "-c", at_the_demo(example.code)], folder)


def run(command: list[str], folder: Path, codes: tuple[int, ...] = (0,)) -> str:
    done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=300)
    assert done.returncode in codes, f"{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def environment() -> dict[str, str]:
    return {**os.environ, "PATH": f"{SCRIPTS}:{os.environ['PATH']}", "HF_HUB_OFFLINE": "1"}


def run_here(words: list[str], folder: Path, scorer, monkeypatch) -> None:
    """The command line in this process, with the models that are loaded already."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr("faceqa.scorer.Scorer", lambda *_settings: scorer)
    arguments, output = (words[:-2], words[-1]) if ">" in words else (words, None)
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        code = cli.main(arguments)
    if output:
        Path(output).write_text(printed.getvalue(), encoding="utf-8")
    assert code == 0


def make(words: list[str], folder: Path) -> bool:
    """The target exists and its commands can be named; what they do, other tests do."""
    assert run(["make", "--dry-run", *words[1:]], folder).strip()
    return True


def serve(words: list[str], folder: Path) -> bool:
    """A script: a server must answer, a long one know its options."""
    if len(words) < 2 or not words[1].endswith(".py"):
        return False
    if words[1] != "app.py":
        helped = run([sys.executable, words[1], "--help"], folder)
        assert all(word.split("=")[0] in helped for word in words if word.startswith("--"))
        return True
    port = checkout.free_port()
    options = [word for word in words[2:] if word != "--open"]
    command, settings = [sys.executable, "app.py", *options], {"GRADIO_SERVER_PORT": str(port)}
    with checkout.serving(command, port, cwd=folder, env={**environment(), **settings}):
        return True


def docker(words: list[str], _folder: Path) -> bool:
    """The Dockerfile knows the arguments; it is exercised in test_container.py."""
    if words[1] == "build":
        known = {value.split("=")[0] for value in test_container.values("ARG")}
        given = [after for word, after in pairwise(words) if word == "--build-arg"]
        assert {argument.split("=")[0] for argument in given} <= known and words[-1] == "."
        return True
    assert words[1] == "run"
    ports = [after for word, after in pairwise(words) if word == "-p"]
    assert all(port.split(":")[-1] in test_container.values("EXPOSE") for port in ports)
    return True


def hub(words: list[str], folder: Path) -> bool:
    """Everything but the connection: a command that is wrong fails earlier, with another code."""
    assert "offline mode is enabled" in run(words, folder, codes=(1,))
    return True


def pip(words: list[str], folder: Path) -> bool:
    """What is to be installed is there; nothing is installed."""
    dry = ["--dry-run", "--no-deps", "--no-build-isolation", "--no-index"]
    run([sys.executable, "-m", *words, *dry], folder)
    return True


SPECIAL = {"make": make, "python": serve, "docker": docker, "hf": hub, "pip": pip}
"""Commands that cannot be run as they are: each says whether it has taken care of the command."""
