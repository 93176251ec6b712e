"""The descriptor: what it takes for the same picture."""

import cv2
import numpy as np
import pytest

from faceqa.faces.descriptor import LENGTH, PARTS, Part, describe


def block_means(crop: np.ndarray, part: Part) -> np.ndarray:
    grey = np.rint(crop @ [0.299, 0.587, 0.114])[part.rows, part.columns]  # ITU-R BT.601
    blocks = grey.reshape(part.height, len(grey) // part.height, part.width, -1)
    return blocks.mean(axis=(1, 3)).ravel()


def test_it_correlates_as_the_parts_do(aligned_faces):
    """Against NumPy's Pearson correlation."""
    first, second = aligned_faces[:2]
    parts = [np.corrcoef(block_means(first, part), block_means(second, part))[0, 1] for part in PARTS]
    expected = np.average(parts, weights=[part.weight for part in PARTS])
    assert describe(first) @ describe(second) == pytest.approx(expected, abs=1e-3)
    assert describe(first).dtype == np.float32 and len(describe(first)) == LENGTH


def test_brightness_and_contrast_do_not_count(aligned_faces):
    crop = aligned_faces[0] // 2
    assert describe(crop) @ describe(crop + 40) == pytest.approx(1, abs=1e-4)
    assert describe(crop) @ describe(crop // 2) == pytest.approx(1, abs=5e-3)


def test_size_hardly_counts_and_the_mouth_does(aligned_faces):
    first, second = aligned_faces[:2]
    small = cv2.resize(cv2.resize(first, (28, 28), interpolation=cv2.INTER_AREA), (112, 112))
    other_mouth = first.copy()
    other_mouth[77:107, 29:83] = second[77:107, 29:83]
    assert describe(first) @ describe(small) > 0.98
    assert describe(first) @ describe(other_mouth) < 0.9


def test_a_flat_crop_has_an_empty_one():
    assert not describe(np.full((112, 112, 3), 90, np.uint8)).any()
