"""The distortions of real pictures, spoilt in known ways."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from faceqa import Policy
from faceqa.measures import registry

EXAMPLES = Path(__file__).parents[2] / "examples"


def jpeg(photo: np.ndarray, quality: int) -> np.ndarray:
    packed = cv2.imencode(".jpg", photo, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR))


def noisy(photo: np.ndarray, deviation: float) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, deviation, photo.shape)
    return (photo + noise).clip(0, 255).astype(np.uint8)


def small(photo: np.ndarray, share: float) -> np.ndarray:
    reduced = cv2.resize(photo, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
    return cv2.resize(reduced, photo.shape[1::-1], interpolation=cv2.INTER_CUBIC)


SPOILT = {
    "blur": lambda photo: cv2.GaussianBlur(photo, (0, 0), 6),
    "noise": lambda photo: noisy(photo, 40),
    "compression": lambda photo: jpeg(photo, 8),
    "low_resolution": lambda photo: small(photo, 0.12),
    "too_dark": lambda photo: (photo * 0.25).astype(np.uint8),
    "too_bright": lambda photo: (photo * 2.5).clip(0, 255).astype(np.uint8),
    "low_contrast": lambda photo: (140 + 0.2 * (photo - 140.0)).astype(np.uint8),
}


def test_sharp_portraits_have_no_fault(scorer, hopper, collins):
    for photo in (hopper, collins):
        result = scorer.assess(photo)
        assert result.fault is None, result.distortions
        assert tuple(result.distortions) == tuple(row.name for row in registry.DISTORTIONS)


@pytest.mark.parametrize("portrait", ["hopper", "collins"])
@pytest.mark.parametrize("kind", SPOILT)
def test_the_strongest_distortion_is_the_one_that_was_done(scorer, request, portrait, kind):
    spoilt = SPOILT[kind](request.getfixturevalue(portrait))
    found = scorer.assess(spoilt).distortions
    strongest = max(found, key=lambda name: found[name])
    alike = {"blur", "low_resolution"}
    assert strongest in (alike if kind in alike else {kind}), found


def test_the_reason_of_a_blurred_picture_says_so(scorer):
    result = scorer.rejudge(scorer.assess(EXAMPLES / "hopper_blur.jpg"), Policy(ser_fiq_threshold=0))
    (reason,) = result.reasons
    assert reason.code == "low_cafi" and reason.causes[0] in ("blur", "low_resolution")
    assert result.to_dict()["reasons"][0]["causes"] == list(reason.causes)


def test_an_enlarged_face_tells_from_what_size(scorer, hopper):
    whole = scorer.assess(hopper)
    for share in (0.5, 0.25, 0.15):
        result = scorer.assess(small(hopper, share))
        true = share * result.face.longer_side
        assert true / 1.6 < result.native_size < min(1.6 * true, whole.native_size)


def test_with_another_metric_only_photometry_tells(hopper):
    from faceqa import Scorer

    result = Scorer(device="cpu", iqa=lambda crops: np.full(len(crops), 60.0, np.float32)).assess(hopper)
    by_photometry = {row.name for row in registry.DISTORTIONS if not row.by_network}
    assert set(result.distortions) == by_photometry and result.native_size is None
