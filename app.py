"""The demo app: `python app.py`, or `make demo`.

GRADIO_SERVER_NAME and GRADIO_SERVER_PORT say where it listens; by default on this machine only, port 7860.
"""

from __future__ import annotations

import argparse
import os
import signal
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from demo.quick_import import without_stubs
from demo.zerogpu import IS_HERE as ON_ZEROGPU
from faceqa import Scorer


def main(arguments: Sequence[str] | None = None) -> None:
    """Load the models and serve the page."""
    parser = argparse.ArgumentParser(prog="app.py", description="The faceqa demo app.")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto", help="default: auto")
    parser.add_argument("--mcp", action="store_true", help="serve the API's functions over MCP, too")
    parser.add_argument("--open", action="store_true", help="open the page in the browser")
    options = parser.parse_args(arguments)
    if options.mcp and find_spec("mcp") is None:
        parser.error("--mcp needs one more package: pip install 'gradio[mcp]'")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl+C: what follows is tidied up
    with _uploads_folder(), ThreadPoolExecutor(1) as beside:
        scorer = beside.submit(Scorer, "cpu" if ON_ZEROGPU else options.device)
        with without_stubs():
            from demo import curate, page  # Gradio takes longer than the models: one core for each
        demo = page.build(scorer.result(), Scorer("cuda") if ON_ZEROGPU else None)
        try:
            page.serve(demo, mcp_server=options.mcp, inbrowser=options.open)
        finally:
            curate.delete_all()


@contextmanager
def _uploads_folder() -> Iterator[None]:
    """A folder for the uploads of this server alone, which goes with it, whatever is still running."""
    place = os.environ.get("GRADIO_TEMP_DIR")
    if place:
        Path(place).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="faceqa-uploads-", dir=place, ignore_cleanup_errors=True) as own:
        os.environ["GRADIO_TEMP_DIR"] = own
        yield


if __name__ == "__main__":
    main()
