"""Make the example pictures: two public-domain portraits and states derived from them.

    pip install matplotlib scikit-image
    python examples/make.py

Sources (examples/README.md): scikit-image's `astronaut` and matplotlib's `grace_hopper.jpg`, both works of
the US government, and scikit-image's `coffee`. The same pictures come out every time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import skimage.data
from matplotlib.cbook import get_sample_data

from faceqa import image
from faceqa.detection import Detector, load_detector
from faceqa.types import Face

FOLDER = Path(__file__).parent
JPEG_QUALITY = 95
REDUCTION_1080_TO_360 = 3

# The outline of a surgical mask in inter-eye distances from the point between the eyes, x to the person's
# left, y down: nose bridge, cheeks, jaw, chin. Drawn by hand over frontal faces.
MASK_OUTLINE = (
    *((0.0, 0.32), (0.30, 0.44), (0.62, 0.56), (0.98, 0.62)),
    *((0.98, 1.00), (0.90, 1.35), (0.68, 1.68), (0.35, 1.90), (0.0, 1.97)),
)
MASK_COLOUR = (142, 190, 205)
PLEAT_COLOUR = (116, 156, 168)
PLEATS = (0.85, 1.10, 1.35)
PLEAT_WIDTHS = (0.95, 0.93, 0.86)
EAR_LOOPS = (((0.98, 0.66), (1.22, 0.34)), ((0.90, 1.33), (1.22, 0.75)))
OVERSAMPLING = 4


def main() -> None:
    """Write every example."""
    detector = load_detector()
    collins = image.load(skimage.data.astronaut())
    hopper = image.load(get_sample_data("grace_hopper.jpg", asfileobj=False))
    height = min(len(collins), len(hopper))
    examples = {
        "collins": collins,
        "hopper": hopper,
        "hopper_360p": as_360p(hopper),
        "collins_mask": with_mask(collins, detector),
        "hopper_mask": with_mask(hopper, detector),
        "hopper_blur": cv2.GaussianBlur(hopper, (0, 0), sigmaX=9),
        "hopper_dark": darkened(hopper),
        "two_faces": np.hstack([collins[:height], hopper[:height]]),
        "no_face": image.load(skimage.data.coffee()),
    }
    for name, picture in examples.items():
        bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
        cv2.imwrite(str(FOLDER / f"{name}.jpg"), bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])


def as_360p(photo: np.ndarray) -> np.ndarray:
    """A 1080p frame as a 360p recording shows it, at its old size: RGB uint8 (H, W, 3) both ways."""
    size = photo.shape[1::-1]
    reduced = (size[0] // REDUCTION_1080_TO_360, size[1] // REDUCTION_1080_TO_360)
    small = cv2.resize(photo, reduced, interpolation=cv2.INTER_AREA)
    return cv2.resize(small, size, interpolation=cv2.INTER_CUBIC)


def darkened(photo: np.ndarray) -> np.ndarray:
    """The photo four stops under-exposed, with the sensor noise of such a shot."""
    linear = (photo / 255.0) ** 2.2 / 2**4
    noise = np.random.default_rng(0).normal(0, 0.003, photo.shape)
    return np.uint8(np.round(255 * np.clip(linear + noise, 0, 1) ** (1 / 2.2)))


def with_mask(photo: np.ndarray, detector: Detector) -> np.ndarray:
    """The photo with a surgical mask drawn over its largest face."""
    face = detector.refine(photo, detector.detect(photo)[0])
    size = (photo.shape[1] * OVERSAMPLING, photo.shape[0] * OVERSAMPLING)
    canvas = cv2.resize(photo, size, interpolation=cv2.INTER_CUBIC)
    place = _placement(face)
    unit = OVERSAMPLING * face.inter_eye_distance

    for side in (-1, 1):
        for start, end in EAR_LOOPS:
            points = place([(side * start[0], start[1]), (side * end[0], end[1])])
            cv2.polylines(canvas, [points], False, (235, 238, 240), round(0.035 * unit), cv2.LINE_AA)

    right_half = np.array(MASK_OUTLINE)
    outline = np.vstack([right_half, (right_half * (-1, 1))[-2:0:-1]])
    cover = np.zeros(canvas.shape[:2], dtype=np.float32)
    cv2.fillPoly(cover, [place(_smooth(outline))], 1.0, cv2.LINE_AA)
    cloth = _shaded_cloth(canvas.shape, place, unit)
    soft = cv2.GaussianBlur(cover, (0, 0), 0.012 * unit)[..., None]
    blended = canvas * (1 - soft) + cloth * soft
    return cv2.resize(np.uint8(np.round(blended)), photo.shape[1::-1], interpolation=cv2.INTER_AREA)


def _placement(face: Face) -> Callable[[Sequence], np.ndarray]:
    """A function from inter-eye distances to whole pixels of the oversampled photo."""
    right_eye, left_eye, nose = (np.array(point) for point in face.landmarks[:3])
    across = left_eye - right_eye
    down = np.array([-across[1], across[0]])
    origin = (right_eye + left_eye) / 2
    # A turned head moves its nose to one side; the mask moves half as far.
    turn = 0.5 * np.dot(nose - origin, across) / np.dot(across, across)

    def place(points: Sequence) -> np.ndarray:
        x, y = np.asarray(points, dtype=float).T
        pixels = origin + (x + turn)[:, None] * across + y[:, None] * down
        return np.round((pixels + 0.5) * OVERSAMPLING - 0.5).astype(np.int32)

    return place


def _smooth(outline: np.ndarray) -> np.ndarray:
    """A closed polygon with its corners rounded (Chaikin, three times)."""
    for _ in range(3):
        following = np.roll(outline, -1, axis=0)
        outline = np.stack([0.75 * outline + 0.25 * following, 0.25 * outline + 0.75 * following], axis=1)
        outline = outline.reshape(-1, 2)
    return outline


def _shaded_cloth(shape: tuple[int, ...], place: Callable, unit: float) -> np.ndarray:
    """The mask's surface, float (H, W, 3): darker to its sides, with three pleats."""
    cloth = np.zeros(shape, dtype=np.float32) + MASK_COLOUR
    centre, edge = place([(0, 1.1), (1.0, 1.1)]).astype(float)
    columns = np.abs(np.arange(shape[1]) - centre[0]) / np.linalg.norm(edge - centre)
    cloth *= (1.06 - 0.22 * columns**2)[None, :, None]
    for depth, half_width in zip(PLEATS, PLEAT_WIDTHS, strict=True):
        x = np.linspace(-half_width, half_width, 40)
        pleat = place(np.column_stack([x, depth + 0.06 * np.cos(x / half_width * np.pi / 2)]))
        cv2.polylines(cloth, [pleat], False, PLEAT_COLOUR, round(0.022 * unit), cv2.LINE_AA)
    return cloth


if __name__ == "__main__":
    main()
