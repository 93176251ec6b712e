"""How long a visitor of the demo waits: for the page, for a verdict, for a slider, for the camera.

    pip install playwright    # and a Chromium on the path
    python benchmarks/demo.py [--before DIR]

Starts `python app.py` and looks at it in headless Chromium, which shares the processor with it:

- *server up*: from the command to the first answer; *page*: from opening it to the examples being there, and
  *first verdict* to the verdict that it opens with;
- *verdict*: from the click on an example to its verdict and downloads in the page, after one to warm up;
- *slider*: from a new threshold to the verdict in the page;
- *live*: frames judged a second at 640 x 480 px, as the page shows it after `LIVE_SECONDS`; and how many the
  scorer alone judges, which is what is left when the browser runs on another machine;
- *before*: verdict and slider of another version, whose checkout is `--before`, by turns with this one.

Medians. Prints a table and writes results/demo.json.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import numpy as np
from playwright.sync_api import Page, sync_playwright

sys.path.append(str(Path(__file__).parents[1]))
sys.path.append(str(Path(__file__).parents[1] / "tests"))

from checkout import ROOT, free_port, serving
from files import camera_film, camera_frame

from benchmarks.report import machine, write
from faceqa import Scorer
from faceqa.reading import image

REPEATS = 7
TURNS = 3
SETTLING = 5000
"""ms after which a page has its first verdict, where it has one."""
LIVE_SECONDS = 20
EXAMPLES = ("collins", "hopper")
"""The page opens with the second one: its verdict is there before a click."""
THRESHOLDS = ((90, "reject"), (40, "accept"))
"""Of the CAFI, in turn, with the verdict."""


def main() -> None:
    """Measure, print the table, write results/demo.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--before", type=Path, help="checkout of another version")
    arguments = parser.parse_args()
    photo = image.load(ROOT / "examples/hopper.jpg")
    with tempfile.TemporaryDirectory() as folder:
        film = camera_film(photo, Path(folder) / "face.y4m")
        figures = visit(ROOT, film)
        if arguments.before:
            figures |= turns(arguments.before.absolute(), film)
    figures["scorer, frames a second"] = judged(photo)
    figures = {name: round(value, 3) for name, value in figures.items()}
    for name, value in figures.items():
        print(f"{name:28} {value:8.3f}")
    write("demo", {"machine": machine(), "figures": figures})


def visit(checkout: Path, film: Path) -> dict[str, float]:
    """What a visitor meets."""
    started = time.perf_counter()
    with served(checkout, film) as (address, page):
        figures = {"server up, s": time.perf_counter() - started}
        started = time.perf_counter()
        page.goto(address)
        page.wait_for_selector("#examples button")
        figures["page, s"] = time.perf_counter() - started
        page.wait_for_selector("#verdict .gate")
        figures["first verdict, s"] = time.perf_counter() - started
        figures["verdict, s"] = median(verdicts(page))
        figures["slider, s"] = median(sliders(page))
        figures["live, frames a second"] = live(page)
    return figures


def turns(before: Path, film: Path) -> dict[str, float]:
    """Verdict and slider of the other version, and this one's as a share of them; the median of the turns."""
    taken: dict[Path, list[tuple[float, float]]] = {ROOT: [], before: []}
    for checkout in list(taken) * TURNS:
        with served(checkout, film) as (address, page):
            page.goto(address)
            page.wait_for_selector("#examples button")
            page.wait_for_timeout(SETTLING)
            taken[checkout].append((median(verdicts(page)), median(sliders(page))))
    now, then = (np.array(times) for times in taken.values())
    figures = {}
    for place, name in enumerate(("verdict", "slider")):
        figures[f"before: {name}, s"] = float(np.median(then[:, place]))
        figures[f"{name} / before"] = float(np.median(now[:, place] / then[:, place]))
    return figures


@contextmanager
def served(checkout: Path, film: Path) -> Iterator[tuple[str, Page]]:
    """The app of a checkout, and an empty page of a browser whose camera shows the film."""
    port = free_port()
    environment = os.environ | {"GRADIO_SERVER_PORT": str(port), "PYTHONPATH": str(checkout)}
    arguments = [
        *("--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"),
        f"--use-file-for-fake-video-capture={film}",
    ]
    with (
        serving([sys.executable, "app.py"], port, cwd=checkout, env=environment) as address,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=arguments)
        context = browser.new_context(viewport={"width": 1440, "height": 900}, permissions=["camera"])
        yield address, context.new_page()
        browser.close()


def verdicts(page: Page) -> list[float]:
    """Seconds from the click to the verdict with its downloads; the first click only warms up."""
    taken = []
    for number in range(REPEATS + 1):
        name = EXAMPLES[number % len(EXAMPLES)]
        started = time.perf_counter()
        page.click(f"#examples [data-choice={name}]")
        page.wait_for_selector(f"#downloads a[download='{name}.json']", state="attached")
        taken.append(time.perf_counter() - started)
        page.wait_for_timeout(1500)  # the plots are drawn after the verdict
    return taken[1:]


def sliders(page: Page) -> list[float]:
    """Seconds from a new CAFI threshold to the new verdict."""
    field = page.locator("#policy-cafi_threshold input[type=number], #policy-cafi input[type=number]")
    taken = []
    for number in range(REPEATS):
        threshold, verdict = THRESHOLDS[number % len(THRESHOLDS)]
        started = time.perf_counter()
        field.fill(str(threshold))
        page.wait_for_selector(f"#verdict .verdict.{verdict}")
        taken.append(time.perf_counter() - started)
        page.wait_for_timeout(500)
    return taken


def live(page: Page) -> float:
    """Frames a second that the Live tab shows after a while."""
    page.click("#tabs button[role=tab] >> nth=1")
    page.click("#live [data-do=start]")
    page.wait_for_timeout(1000 * LIVE_SECONDS)
    (rate,) = re.findall(r"(\d+\.\d) frames a second", page.inner_text("#live"))
    return float(rate)


def judged(photo: np.ndarray) -> float:
    """Frames a second that the scorer judges with two on the way, as on the Live tab."""
    scorer, frame = Scorer(), camera_frame(photo)
    coming = deque(scorer.submit(frame, unmasked=False) for _ in range(2))
    ended = []
    for _ in range(REPEATS * REPEATS):
        coming.popleft().result()
        ended.append(time.perf_counter())
        coming.append(scorer.submit(frame, unmasked=False))
    return (len(ended) - 1) / (ended[-1] - ended[0])


if __name__ == "__main__":
    main()
