"""The picture of the README: what faceqa sees and says of the examples.

    python benchmarks/overview.py

Writes results/overview.jpg and prints the figures that it shows.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

sys.path.append(str(Path(__file__).parents[1]))

from benchmarks.report import RESULTS
from faceqa import Assessment, Scorer
from faceqa.faces.alignment import crop_face, transform_points
from faceqa.reading import image

EXAMPLES = Path(__file__).parent.parent / "examples"
SHOWN = {
    "hopper": "sharp",
    "hopper_360p": "360p",
    "hopper_dark": "dark",
    "hopper_mask": "surgical mask",
    "hopper_blur": "blurred",
    "no_face": "no face",
}
TILE = 260
CAPTION = 74
GAP = 12
INK, PAPER, FAINT = (24, 28, 36), (255, 255, 255), (96, 104, 116)
BOX, POINT = (38, 166, 91), (255, 196, 0)


def main() -> None:
    """Assess the examples and write the picture."""
    scorer = Scorer(device="cpu")
    sheet = Image.new("RGB", (GAP + len(SHOWN) * (TILE + GAP), 2 * GAP + TILE + CAPTION), PAPER)
    for column, (name, title) in enumerate(SHOWN.items()):
        path = EXAMPLES / f"{name}.jpg"
        result = scorer.assess(path)
        corner = (GAP + column * (TILE + GAP), GAP)
        sheet.paste(tile(image.load(path), result), corner)
        caption(ImageDraw.Draw(sheet), (corner[0], corner[1] + TILE + 8), title, result)
        print(f"{title:14} {describe(result)}")
    RESULTS.mkdir(exist_ok=True)
    sheet.save(RESULTS / "overview.jpg", quality=92)


def tile(photo: np.ndarray, result: Assessment) -> Image.Image:
    """The face crop with the box and the landmarks; without a face, the middle of the photo."""
    if result.face is None:
        side = min(photo.shape[:2])
        top, left = (photo.shape[0] - side) // 2, (photo.shape[1] - side) // 2
        return Image.fromarray(photo[top : top + side, left : left + side]).resize((TILE, TILE))
    crop = crop_face(photo, result.face, size=2 * TILE)
    picture = crop.image.copy()
    (x1, y1), (x2, y2) = transform_points(np.reshape(result.face.box, (2, 2)), crop.to_crop)
    cv2.rectangle(picture, (round(x1), round(y1)), (round(x2), round(y2)), BOX, 3, cv2.LINE_AA)
    for x, y in transform_points(np.array(result.face.landmarks), crop.to_crop):
        cv2.circle(picture, (round(x), round(y)), 7, POINT, -1, cv2.LINE_AA)
    return Image.fromarray(picture).resize((TILE, TILE), Image.Resampling.LANCZOS)


def caption(draw: ImageDraw.ImageDraw, place: tuple[int, int], title: str, result: Assessment) -> None:
    """Two lines under a tile."""
    draw.text(place, title, INK, ImageFont.load_default(24))
    draw.text((place[0], place[1] + 32), describe(result), FAINT, ImageFont.load_default(21))


def describe(result: Assessment) -> str:
    """The score, or why there is none."""
    return result.reasons[0].code if result.ser_fiq is None else f"SER-FIQ {result.ser_fiq:.2f}"


if __name__ == "__main__":
    main()
