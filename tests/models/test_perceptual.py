"""Perceptual quality on real portraits: what lowers it, what must not move it, and other metrics."""

import hashlib
import sys
import types
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from conftest import EXAMPLES, needs_bfloat16
from test_dbcnn import checkpoint

from faceqa import weights
from faceqa.engines.openvino import OpenVinoEngine
from faceqa.engines.torch import TorchEngine, dbcnn_network
from faceqa.errors import FaceqaError, WeightsError
from faceqa.faces.alignment import crop_face
from faceqa.faces.mask import FaceMasker, remove_background
from faceqa.measures import perceptual
from faceqa.measures.perceptual import Dbcnn, load_iqa
from faceqa.networks.dbcnn import DbcnnNet
from faceqa.reading import image

FLOOR = 1e-4  # a crop's score may differ this much between batches
TOLERANCE = 3.0  # points; a step of the 1080-720-480-360-240 ladder is more


@pytest.fixture(scope="module")
def iqa():
    return Dbcnn(OpenVinoEngine(["iqa"]))


@pytest.fixture(scope="module")
def masker():
    return FaceMasker(OpenVinoEngine(["face_mask"]))


def face_crop(detector, photo) -> np.ndarray:
    return crop_face(photo, detector.refine(photo, detector.detect(photo)[0])).image


@pytest.fixture(scope="module")
def portraits(detector, hopper, collins) -> np.ndarray:
    return np.stack([face_crop(detector, hopper), face_crop(detector, collins)])


@pytest.fixture(scope="module")
def outlines(masker, portraits) -> np.ndarray:
    return masker(portraits).outline


@pytest.fixture(scope="module")
def masked(portraits, outlines) -> np.ndarray:
    return np.stack([remove_background(*pair) for pair in zip(portraits, outlines, strict=True)])


def at_lines(crop, lines):
    """A crop as a frame of so many lines would have shown it, 1080 being its own."""
    side = round(len(crop) * lines / 1080)
    small = cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, crop.shape[:2], interpolation=cv2.INTER_CUBIC)


def blurred(crop):
    return cv2.GaussianBlur(crop, (0, 0), 4)


def compressed(crop):
    return cv2.imdecode(cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, 8])[1], cv2.IMREAD_COLOR)


def noisy(crop):
    noise = np.random.default_rng(0).normal(0, 25, crop.shape)
    return (crop + noise).clip(0, 255).astype(np.uint8)


def low(crop):
    return at_lines(crop, 240)


def test_scores_have_type_and_range(iqa, portraits):
    scores = iqa(portraits)
    assert scores.shape == (2,)
    assert scores.dtype == np.float32
    assert (scores > 40).all(), "two studio portraits"
    assert (scores <= 100).all()


@pytest.mark.parametrize("damage", [blurred, compressed, noisy, low])
@pytest.mark.parametrize("background", [True, False])
def test_damage_lowers_the_score(iqa, portraits, outlines, damage, background):
    for portrait, outline in zip(portraits, outlines, strict=True):
        pair = np.stack([portrait, damage(portrait)])
        if not background:
            pair = np.stack([remove_background(crop, outline) for crop in pair])
        good, bad = iqa(pair)
        assert bad < good - 4


def test_the_score_falls_with_the_lines_of_the_frame(iqa, portraits, outlines):
    # The photos' own crops are 300 and 161 px wide: what a frame of 844 or 453 lines would have shown.
    for portrait, outline in zip(portraits, outlines, strict=True):
        ladder = [portrait, *(at_lines(portrait, lines) for lines in (360, 240, 160))]
        for crops in (ladder, [remove_background(crop, outline) for crop in ladder]):
            assert (np.diff(iqa(np.stack(crops))) < 0).all()


def test_the_examples_order(iqa, detector, masker):
    def score(name):
        crop = face_crop(detector, image.load(EXAMPLES / f"{name}.jpg"))
        return iqa(remove_background(crop, masker(crop[None]).outline[0])[None])[0]

    assert score("hopper") > score("hopper_360p")
    assert score("hopper") > score("hopper_blur")


def test_alone_or_in_any_batch_the_score_is_the_same(iqa, portraits, masked):
    crops = np.concatenate([portraits, masked, portraits[:, ::-1]])
    together = iqa(crops)
    alone = np.concatenate([iqa(crop[None]) for crop in crops])
    reversed_ = iqa(crops[::-1])[::-1]
    np.testing.assert_allclose(together, alone, atol=FLOOR, rtol=0)
    np.testing.assert_allclose(together, reversed_, atol=FLOOR, rtol=0)
    assert together.std() > 1


@needs_bfloat16
def test_bfloat16_hardly_moves_the_score(masked):
    crops = np.concatenate(
        [
            masked,
            *(np.stack([damage(crop) for crop in masked]) for damage in (blurred, compressed, noisy, low)),
        ]
    )
    crops = np.concatenate([crops, crops // 8])
    plain, small = (Dbcnn(OpenVinoEngine(["iqa"], precision))(crops) for precision in ("f32", "bf16"))
    assert not np.array_equal(plain, small)
    assert np.abs(plain - small).mean() <= 0.3
    np.testing.assert_allclose(plain, small, atol=2, rtol=0)


@pytest.mark.parametrize("reach", [-10, -5, 5, 10])
def test_the_size_of_the_masked_area_hardly_matters(iqa, portraits, outlines, masked, reach):
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * abs(reach) + 1,) * 2)
    change = cv2.dilate if reach > 0 else cv2.erode
    other = np.stack(
        [remove_background(p, change(o, kernel)) for p, o in zip(portraits, outlines, strict=True)]
    )
    assert not np.array_equal(other, masked)
    np.testing.assert_allclose(iqa(other), iqa(masked), atol=TOLERANCE)


def test_a_wider_black_margin_hardly_matters(iqa, masked):
    wider = np.pad(masked, ((0, 0), (64, 64), (64, 64), (0, 0)))
    np.testing.assert_allclose(iqa(wider), iqa(masked), atol=TOLERANCE)


def test_what_is_no_crop_is_refused(iqa, portraits):
    for wrong in (portraits[0], portraits.astype(np.float32), portraits[..., :1]):
        with pytest.raises(ValueError, match="uint8"):
            iqa(wrong)


def test_the_research_set_loads_the_published_layout(tmp_path, monkeypatch, portraits):
    path = checkpoint(tmp_path / "koniq.pth")
    row = weights.find("iqa", "research")
    local = replace(
        row,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        sources=(weights.Source("file", "", path.name),),
    )
    monkeypatch.setattr(weights, "WEIGHTS_DIR", tmp_path)
    monkeypatch.setattr(weights, "find", lambda role, models: local)
    net = DbcnnNet("vgg16").eval()
    net.load_state_dict(torch.load(path, weights_only=True)["params"])
    small = portraits[:, ::4, ::4]
    scores = TorchEngine(torch.device("cpu"), "research", ["iqa"]).run("iqa", small)["score"]
    with torch.inference_mode():
        expected = 100 * net(torch.from_numpy(small.copy()).permute(0, 3, 1, 2) / 255)
    np.testing.assert_allclose(scores, expected.clamp(0, 100), atol=1e-3)

    path.write_bytes(b"something else")
    with pytest.raises(WeightsError) as caught:
        dbcnn_network("research")
    assert caught.value.code == "wrong_hash"


def fake_pyiqa(lower_better: bool):
    """A stand-in with pyiqa's three calls, whose metric is the mean of the red channel."""

    class Metric:
        def __init__(self):
            self.lower_better = lower_better

        def __call__(self, crop):
            return crop[:, 0].mean()

    metric = Metric()
    created = []

    def create_metric(name, device):
        created.append((name, device))
        return metric

    return types.SimpleNamespace(
        list_models=lambda metric_mode: ["red"], create_metric=create_metric, created=created
    )


@pytest.mark.parametrize(("lower_better", "sign"), [(False, 1), (True, -1)])
def test_a_metric_of_pyiqa_takes_its_place(monkeypatch, portraits, lower_better, sign):
    peer = fake_pyiqa(lower_better)
    monkeypatch.setitem(sys.modules, "pyiqa", peer)
    metric = load_iqa("pyiqa:red")
    scores = metric(portraits)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, sign * portraits[..., 0].mean(axis=(1, 2)) / 255, rtol=1e-5)
    assert isinstance(metric, perceptual.PyiqaMetric) and metric.lower_better == lower_better
    assert peer.created == [("red", "cpu")]


def test_unknown_metrics_are_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyiqa", fake_pyiqa(False))
    for name in ("brisque", "pyiqa:blue"):
        with pytest.raises(FaceqaError, match=name.removeprefix("pyiqa:")) as caught:
            load_iqa(name)
        assert caught.value.code == "unknown_iqa"


def test_a_missing_pyiqa_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyiqa", None)
    with pytest.raises(FaceqaError, match="pip install pyiqa") as caught:
        load_iqa("pyiqa:brisque")
    assert caught.value.code == "missing_package"


@pytest.mark.peer
def test_a_real_metric_of_pyiqa_is_listed():
    pyiqa = pytest.importorskip("pyiqa", reason="pyiqa is installed for this check only: pip install pyiqa")
    assert {"brisque", "niqe", "dbcnn"} <= set(pyiqa.list_models(metric_mode="NR"))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_cuda_equals_the_cpu(iqa, portraits, masked):
    crops = np.concatenate([portraits, masked])
    there = Dbcnn(TorchEngine(torch.device("cuda"), networks=["iqa"]))
    np.testing.assert_allclose(there(crops), iqa(crops), atol=2)
