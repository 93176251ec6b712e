"""All steps in order; what is there already is not made again."""

from __future__ import annotations

import argparse
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

WEIGHTS = Path(__file__).parents[2] / "weights/distortions.safetensors"


def main() -> None:
    """Samples, head, and the hash for the manifest."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faces", type=Path, default=Path("runs/dbcnn/sharp.npz"))
    parser.add_argument("--run", type=Path, default=Path("runs/distortions"))
    arguments = parser.parse_args()
    here, run = Path(__file__).parent, ["--run", str(arguments.run)]
    if not (arguments.run / "held_out.npz").exists():
        step = [str(here / "samples.py"), "--faces", str(arguments.faces), *run]
        subprocess.run([sys.executable, *step], check=True)
    subprocess.run([sys.executable, here / "train.py", *run], check=True)
    shutil.copy(arguments.run / WEIGHTS.name, WEIGHTS)
    print(f"sha256 = {hashlib.sha256(WEIGHTS.read_bytes()).hexdigest()}, bytes = {WEIGHTS.stat().st_size}")


if __name__ == "__main__":
    main()
