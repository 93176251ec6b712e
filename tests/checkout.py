"""The checkout as others get it: its files without what git ignores, and a copy of them."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

ROOT = Path(__file__).parent.parent

MOST_SECONDS = 180
"""Until a server answers."""


def files() -> list[Path]:
    """Relative to `ROOT`, in order; files that are new count, too."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return sorted(Path(name) for name in set(listed.split("\0")) if name and (ROOT / name).is_file())


def copy(chosen: Iterable[Path], to: Path) -> Path:
    for path in chosen:
        (to / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, to / path)
    return to


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def serving(command: Sequence[str], port: int, **options) -> Iterator[str]:
    """Run a server while its address is used.

    Args:
        command: Starts it.
        port: Where it will listen.
        options: Of `subprocess.Popen`.
    """
    address = f"http://127.0.0.1:{port}/"
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, **options)
    try:
        _wait_for(address, server)
        yield address
    finally:
        server.terminate()
        server.wait(30)


def _wait_for(address: str, server: subprocess.Popen) -> None:
    end = time.monotonic() + MOST_SECONDS
    while time.monotonic() < end:
        assert server.poll() is None, f"the server ended by itself: {server.returncode}"
        try:
            urlopen(address, timeout=10).close()
            return
        except OSError:
            time.sleep(0.3)
    raise TimeoutError(f"{address} does not answer")
