"""All steps in order; what is there already is not made again."""

from __future__ import annotations

import argparse
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

WEIGHTS = Path(__file__).parents[2] / "weights/apertures.safetensors"


def main() -> None:
    """Samples, networks, and the hash for the manifest."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, default=Path("runs/apertures"))
    arguments, others = parser.parse_known_args()
    here, run = Path(__file__).parent, ["--run", str(arguments.run)]
    if not (arguments.run / "samples.npz").exists():
        subprocess.run([sys.executable, here / "samples.py", *run, *others], check=True)
    subprocess.run([sys.executable, here / "train.py", *run, "--held-out"], check=True)
    shutil.copy(arguments.run / WEIGHTS.name, WEIGHTS)
    print(f"sha256 = {hashlib.sha256(WEIGHTS.read_bytes()).hexdigest()}, bytes = {WEIGHTS.stat().st_size}")


if __name__ == "__main__":
    main()
