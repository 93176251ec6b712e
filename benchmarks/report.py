"""What every benchmark writes beside its figures, and where."""

from __future__ import annotations

import json
import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


def machine() -> dict:
    """The machine, the versions and the command that made a figure; folders outside are called DIR."""
    import torch

    arguments = ["DIR" if os.path.isabs(argument) else argument for argument in sys.argv[1:]]
    return {
        "command": " ".join(["python", "benchmarks/" + Path(sys.argv[0]).name, *arguments]),
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "python": platform.python_version(),
        **{name: version(name) for name in ("faceqa", "torch", "opencv-python", "numpy")},
    }


def write(name: str, figures: dict) -> None:
    """Write results/<name>.json."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    print(f"\nwritten: {path}", file=sys.stderr)
