"""The whole recipe: prepare the faces, train both stages, put the weights in weights/."""

from __future__ import annotations

import argparse
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
WEIGHTS = HERE.parents[1] / "weights/dbcnn_lite0.safetensors"

STEPS: tuple[tuple[str, list[str]], ...] = (
    ("crops.py", ["sharp.npz", "opinion_faces.npz"]),
    ("scnn.py", []),
    ("series.py", ["series.npz"]),
    ("features.py", []),
    ("finetune.py", []),
)
"""Scripts and what they write; without a list they find out themselves what is left to do."""


def main() -> None:
    """Run each step in the checkout's folder; a step that was done or interrupted is not begun anew."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--run", type=Path, default=Path("runs/dbcnn"))
    arguments = parser.parse_args()
    options = ["--data", str(arguments.data), "--run", str(arguments.run)]
    for script, made in STEPS:
        if made and all((arguments.run / name).is_file() for name in made):
            continue
        subprocess.run([sys.executable, HERE / script, *options], check=True)
    shutil.copyfile(arguments.run / WEIGHTS.name, WEIGHTS)
    digest = hashlib.sha256(WEIGHTS.read_bytes()).hexdigest()
    print(f'for the manifest: sha256 = "{digest}", bytes = {WEIGHTS.stat().st_size}')


if __name__ == "__main__":
    main()
