"""Make the example pictures: two public-domain portraits and states derived from them.

    pip install matplotlib scikit-image
    python examples/make.py

Sources (examples/README.md): scikit-image's `astronaut` and matplotlib's `grace_hopper.jpg`, both works of
the US government, and scikit-image's `coffee`. The same pictures come out every time.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import skimage.data
from matplotlib.cbook import get_sample_data

from faceqa.evaluation.stress import with_mask
from faceqa.faces.detection import Detector, load_detector
from faceqa.reading import image

FOLDER = Path(__file__).parent
JPEG_QUALITY = 95
REDUCTION_1080_TO_360 = 3

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
        "collins_mask": masked(collins, detector),
        "hopper_mask": masked(hopper, detector),
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
    return np.round(255 * np.clip(linear + noise, 0, 1) ** (1 / 2.2)).astype(np.uint8)


def masked(photo: np.ndarray, detector: Detector) -> np.ndarray:
    """The photo with a surgical mask drawn over its largest face."""
    return with_mask(photo, detector.refine(photo, detector.detect(photo)[0]), OVERSAMPLING)


if __name__ == "__main__":
    main()
