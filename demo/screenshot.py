"""The picture of the demo in the README: the Photo tab with a verdict and the way to it.

    pip install playwright    # and a Chromium on the path
    python -m demo.screenshot

Starts the demo, chooses the first example in a browser and writes demo/screenshot.png.
"""

from __future__ import annotations

import io
import shutil
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

import app
from faceqa import Scorer

PICTURE = Path(app.__file__).parent / "demo" / "screenshot.png"
WIDTH = 1440
EXAMPLE = "hopper"
MARGIN = 16
"""px below the steps."""


def main() -> None:
    """Serve the page, look at it, and write what is seen."""
    demo = app.build(Scorer(device="cpu"))
    app.serve(demo, prevent_thread_lock=True, quiet=True)
    try:
        picture = photographed(str(demo.local_url))
    finally:
        demo.close()
    # A palette of 256 colours takes a third of the bytes.
    picture.quantize(256, dither=Image.Dither.NONE).save(PICTURE, optimize=True)
    print(f"{PICTURE.name}: {picture.width} x {picture.height} px, {PICTURE.stat().st_size / 1000:.0f} kB")


def photographed(address: str) -> Image.Image:
    """The Photo tab of a served page with an example's verdict, from its top to the end of the steps."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(
            viewport={"width": WIDTH, "height": 900}, locale="en-US", color_scheme="light"
        )
        page.goto(address)
        page.click(f"#examples [data-choice={EXAMPLE}]")
        page.wait_for_selector("#verdict .verdict:not(.idle)")
        page.wait_for_selector("#parts .main-svg")
        page.mouse.move(0, 0)
        page.wait_for_timeout(1000)  # until nothing moves any more
        bottom = page.evaluate("document.querySelector('#tab-photo .steps').getBoundingClientRect().bottom")
        height = bottom + page.evaluate("scrollY") + MARGIN
        file = page.screenshot(full_page=True, clip={"x": 0, "y": 0, "width": WIDTH, "height": height})
        browser.close()
    return Image.open(io.BytesIO(file)).convert("RGB")


if __name__ == "__main__":
    main()
