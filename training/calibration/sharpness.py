"""Derive the sigmoid of the quality component sharpness: MIDDLE and WIDTH.

    python training/dbcnn/crops.py           # runs/dbcnn/sharp.npz
    python training/calibration/sharpness.py

The median sharp face shall have `SHARP`, and under a Gaussian blur of `BLUR` px of the 384 px crop 50. Faces
that are held out are left out. Prints both numbers.
"""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path

import cv2
import numpy as np

sys.path.append(str(Path(__file__).parents[2]))

from faceqa.measures.components.sharpness import fineness

SHARP = 95
BLUR = 2.0


def main() -> None:
    """Read the faces, print the constants."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--faces", type=Path, default=Path("runs/dbcnn/sharp.npz"))
    arguments = parser.parse_args()
    faces = np.load(arguments.faces)
    learnt = ~faces["held_out"]
    images, outlines = faces["image"][learnt], faces["outline"][learnt]
    sharp, blurred = median(images, outlines, 0), median(images, outlines, BLUR)
    width = (sharp - blurred) / math.log(SHARP / (100 - SHARP))
    print(f"{len(images)} faces: fineness {sharp:.3f} sharp, {blurred:.3f} blurred by {BLUR:g} px")
    print(f"MIDDLE, WIDTH = {blurred:.2f}, {width:.2f}")


def median(images: np.ndarray, outlines: np.ndarray, sigma: float) -> float:
    """The median fineness of faces under a Gaussian blur; 0 px is none.

    Args:
        images: RGB uint8 (N, 384, 384, 3).
        outlines: uint8 (N, 384, 384), 0 to 255.
        sigma: px.
    """
    return float(
        np.median(
            [
                fineness(cv2.GaussianBlur(image, (0, 0), sigma) if sigma else image, outline / 255)
                for image, outline in zip(images, outlines, strict=True)
            ]
        )
    )


if __name__ == "__main__":
    main()
