"""The pictures of the demo: in the README, beside a link to the page, and the recording.

    pip install playwright    # and a Chromium on the path
    python -m demo.screenshot

Starts the demo, uses it in a browser as a visitor would, and writes demo/screenshot.png (the Photo tab with a
verdict and the way to it), demo/assets/preview.jpg (what others show beside a link) and demo/recording.webp
(forty seconds on its way through the tabs).
"""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from demo.before_gradio import PREVIEW
from demo.page import build, serve
from faceqa import Scorer

FOLDER = Path(__file__).parent
WIDTH = 1440
MARGIN = 16
"""px below the steps."""

PREVIEW_SIZE = (1200, 630)
RECORDED_SIZE = (1200, 800)
"""px of the window."""
RECORDED_WIDTH = 960
"""px of the recording."""

SECONDS = 120_000
"""ms that a step may take on a busy machine."""

SLIDER = "#policy-cafi_threshold input[type=number]"


def main() -> None:
    """Serve the page, look at it, and write what is seen."""
    demo = build(Scorer(device="cpu"))
    serve(demo, prevent_thread_lock=True, quiet=True)
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    try:
        with sync_playwright() as started:
            browser = started.chromium.launch(
                executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
            )

            def opened(width: int, height: int) -> Page:
                page = browser.new_page(
                    viewport={"width": width, "height": height}, locale="en-US", color_scheme="light"
                )
                page.set_default_timeout(SECONDS)
                page.goto(str(demo.local_url))
                page.wait_for_selector("#verdict .gate")
                page.wait_for_timeout(1000)  # until nothing moves any more
                return page

            # A palette of 256 colours takes a third of the bytes.
            whole = photographed(opened(WIDTH, 900)).quantize(256, dither=Image.Dither.NONE)
            whole.save(FOLDER / "screenshot.png", optimize=True)
            seen(opened(*PREVIEW_SIZE)).save(PREVIEW, quality=85)
            record(opened(*RECORDED_SIZE), FOLDER / "recording.webp")
            browser.close()
    finally:
        demo.close()
    for path in (FOLDER / "screenshot.png", PREVIEW, FOLDER / "recording.webp"):
        with Image.open(path) as picture:
            print(f"{path.name}: {picture.width} x {picture.height} px, {path.stat().st_size / 1000:.0f} kB")


def photographed(page: Page) -> Image.Image:
    """The Photo tab from its top to the end of the steps."""
    bottom = page.evaluate("document.querySelector('#tab-photo .steps').getBoundingClientRect().bottom")
    height = bottom + page.evaluate("scrollY") + MARGIN
    file = page.screenshot(full_page=True, clip={"x": 0, "y": 0, "width": WIDTH, "height": height})
    return Image.open(io.BytesIO(file)).convert("RGB")


def seen(page: Page) -> Image.Image:
    """What the window shows."""
    return Image.open(io.BytesIO(page.screenshot())).convert("RGB")


def record(page: Page, path: Path) -> None:
    """Go through the tabs and write what is seen on the way as an animated picture."""
    frames = list(walk(page))
    size = RECORDED_WIDTH, RECORDED_WIDTH * RECORDED_SIZE[1] // RECORDED_SIZE[0]
    pictures = [picture.resize(size, Image.Resampling.LANCZOS) for picture, _ in frames]
    times = [round(1000 * seconds) for _, seconds in frames]
    pictures[0].save(
        path, save_all=True, append_images=pictures[1:], duration=times, loop=0, quality=60, method=6
    )


def walk(page: Page) -> Iterator[tuple[Image.Image, float]]:
    """The stations of the recording: what is seen, and for how many seconds."""

    def example(name: str) -> None:
        page.click(f"#examples [data-choice={name}]")
        page.wait_for_selector(f"#downloads a[download='{name}.json']", state="attached")

    def threshold(value: float) -> None:
        page.fill(SLIDER, f"{value:g}")
        page.press(SLIDER, "Enter")

    def tab(place: int, button: str, result: str) -> Callable[[], None]:
        def opened() -> None:
            page.click(f"#tabs button[role=tab] >> nth={place}")
            page.click(button)
            page.wait_for_selector(result)

        return opened

    def two_faces() -> None:
        example("two_faces")
        page.wait_for_selector(".on-face.accept, .on-face.reject")
        page.wait_for_function("!document.querySelector('.on-face.waiting')")

    def scrolled(selector: str) -> Callable[[], None]:
        return lambda: page.locator(selector).first.scroll_into_view_if_needed()

    stations: list[tuple[Callable[[], object], float]] = [
        (lambda: None, 4),
        (scrolled("#number-result"), 3),
        (lambda: page.evaluate("scrollTo(0, 0)"), 1),
        (lambda: example("hopper_mask"), 4),
        (lambda: example("hopper_blur"), 3),
        (two_faces, 3),
        (lambda: example("hopper"), 1.5),
        *((lambda value=value: threshold(value), 0.6) for value in (58, 60, 62, 64)),
        (lambda: threshold(66), 2.5),
        (lambda: page.click("#policy-reset"), 1.5),
        (tab(2, "#compare-examples", "#compare-table .best-mark"), 1),
        (scrolled("#compare-table .verdict-cell"), 4),
        (tab(3, "#curate-examples", "#curate-faces .tile"), 3),
        (scrolled("#curate-faces .tile"), 2),
        (lambda: page.click("#curate-faces .tile.reject"), 3),
        (scrolled("#curate-figures figure[data-figure=scatter]"), 3),
    ]
    for act, seconds in stations:
        act()
        page.wait_for_timeout(900)
        yield seen(page), seconds


if __name__ == "__main__":
    main()
