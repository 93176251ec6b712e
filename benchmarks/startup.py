"""How long faceqa takes to begin, and how much memory the command line takes.

    python benchmarks/startup.py [--before DIR] [--images 500]

By turns, each in a process of its own, medians of `ROUNDS`:

- *imports*: `python -c "import torch, segmentation_models_pytorch"`, what a tool that needs them pays first;
- *one photo*: `python -m faceqa score examples/hopper.jpg`, from the command to its end;
- *first verdict*: from `python app.py` to the first answer of its HTTP API about the same photo, without
  matplotlib, which Gradio imports with the first request where it is installed: only the tests bring it;
- the same of another version, whose checkout is `--before`;
- *peak memory*: the most that `faceqa score` of one photo, and `faceqa curate` of the examples and of
  `--images` photos of 1920 x 1080 px, held at once (ru_maxrss).

Prints a table and writes results/startup.json.
"""

from __future__ import annotations

import argparse
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

from gradio_client import Client, handle_file

sys.path.append(str(Path(__file__).parents[1]))
sys.path.append(str(Path(__file__).parents[1] / "tests"))

from checkout import ROOT, free_port, serving

from benchmarks.report import machine, write
from benchmarks.throughput import SCENES, scene, write_photos

ROUNDS = 5
PHOTO = ROOT / "examples/hopper.jpg"

HEAVY = "import torch, segmentation_models_pytorch"

APP = """
import runpy, sys
sys.modules["matplotlib"] = None
runpy.run_path("app.py", run_name="__main__")
"""

PEAK = (
    "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL); "
    "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)"
)
"""Runs a command and prints its peak in MB. A process begins with the memory of the one that starts it in its
record, so that one has to be small."""


def main() -> None:
    """Measure, print the table, write results/startup.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--before", type=Path, help="checkout of another version")
    parser.add_argument("--images", type=int, default=500, help="photos of the longer curation")
    arguments = parser.parse_args()
    versions = {"": ROOT} | ({"before: ": arguments.before.absolute()} if arguments.before else {})
    tasks: dict[str, Callable[[], float]] = {
        "imports, s": partial(seconds, [sys.executable, "-c", HEAVY], ROOT)
    }
    for name, checkout in versions.items():
        command = [sys.executable, "-m", "faceqa", "score", str(PHOTO)]
        tasks[f"{name}one photo, s"] = partial(seconds, command, checkout)
        tasks[f"{name}first verdict, s"] = partial(first_verdict, checkout)
    rounds = [{name: task() for name, task in tasks.items()} for _ in range(ROUNDS)]
    figures = {name: round(median(one[name] for one in rounds), 2) for name in tasks}
    figures |= ratios(rounds)
    figures |= peaks(arguments.images)
    for name, value in figures.items():
        print(f"{name:52} {value:8.2f}")
    write("startup", {"machine": machine(), "figures": figures})


def ratios(rounds: list[dict[str, float]]) -> dict[str, float]:
    """Of the targets; the median of the rounds' ratios."""
    pairs = [("one photo, s", "imports, s")]
    pairs += [(name, f"before: {name}") for name in ("one photo, s", "first verdict, s")]
    return {
        f"{this} / {that}".replace(", s", ""): round(median(one[this] / one[that] for one in rounds), 2)
        for this, that in pairs
        if that in rounds[0]
    }


def environment(checkout: Path) -> dict[str, str]:
    """That of a process of a version."""
    return os.environ | {"PYTHONPATH": str(checkout)}


def seconds(command: list[str], checkout: Path) -> float:
    """From the command to its end."""
    started = time.perf_counter()
    subprocess.run(command, cwd=checkout, env=environment(checkout), stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started


def first_verdict(checkout: Path) -> float:
    """From the command to the answer of its HTTP API."""
    port = free_port()
    options = {"cwd": checkout, "env": environment(checkout) | {"GRADIO_SERVER_PORT": str(port)}}
    started = time.perf_counter()
    with serving([sys.executable, "-c", APP], port, **options) as address:
        client = Client(address, verbose=False)
        result = client.predict(handle_file(PHOTO), api_name="/assess")
        taken = time.perf_counter() - started
    if result["verdict"] != "accept":
        raise SystemExit(f"{checkout} does not accept {PHOTO.name}: {result}")
    return taken


def peaks(images: int) -> dict[str, float]:
    """MB at the most, of the command line."""
    with tempfile.TemporaryDirectory() as folder:
        photos = write_photos([scene(number) for number in range(SCENES)], Path(folder) / "scenes")
        many = Path(folder) / "photos"
        many.mkdir()
        for number, photo in enumerate(itertools.islice(itertools.cycle(photos), images)):
            shutil.copy(photo, many / f"{number}.jpg")
        out = Path(folder) / "out"
        commands: dict[str, list[str | Path]] = {
            "score of one photo": ["score", PHOTO],
            "curate of the examples": ["curate", ROOT / "examples", "--out", out / "examples"],
            f"curate of {images} photos of 1080p": ["curate", many, "--out", out / "photos"],
        }
        return {f"peak memory, {name}, MB": peak(command) for name, command in commands.items()}


def peak(command: list[str | Path]) -> float:
    """MB that `faceqa` with these arguments held at the most."""
    full = [sys.executable, "-m", "faceqa", *map(str, command)]
    run = [sys.executable, "-c", PEAK, *full]
    printed = subprocess.run(run, cwd=ROOT, env=environment(ROOT), capture_output=True, check=True, text=True)
    return float(printed.stdout)


if __name__ == "__main__":
    main()
