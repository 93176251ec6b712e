import io
import json
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
import torch
from conftest import EXAMPLES
from PIL import Image

from faceqa import DeviceError, Scorer


@pytest.fixture(scope="module")
def assessed(scorer) -> dict:
    return {path.stem: scorer.assess(path) for path in sorted(EXAMPLES.glob("*.jpg"))}


def test_the_examples_score_in_a_plausible_order(assessed):
    score = {name: result.ser_fiq for name, result in assessed.items()}
    assert score["hopper"] >= 0.7 and score["collins"] >= 0.7
    assert score["hopper"] > score["hopper_mask"] > score["hopper_blur"]
    assert score["collins"] > score["collins_mask"]
    assert all(0 <= value <= 1 for name, value in score.items() if name != "no_face")


def test_the_occlusion_tells_a_covered_face_from_a_bare_one(assessed):
    covered = {name: result.occlusion for name, result in assessed.items()}
    assert covered["hopper"] < 0.1 and covered["collins"] < 0.1
    assert covered["hopper_mask"] > 0.3 and covered["collins_mask"] > 0.3


def test_a_photo_without_a_face_is_rejected_as_such(assessed):
    result = assessed["no_face"]
    assert (result.verdict, result.faces_found, result.error) == ("reject", 0, None)
    assert [reason.code for reason in result.reasons] == ["no_face"]
    assert result.ser_fiq is result.occlusion is result.face is result.pose is None
    assert (result.width, result.height) == (600, 400)


def test_the_largest_of_two_faces_is_assessed(assessed):
    result = assessed["two_faces"]
    assert result.faces_found == 2 and result.face_index == 0
    assert result.face.box[0] > 512, "Hopper, on the right, is the larger"


def test_all_faces_give_one_result_each(scorer):
    results = scorer.assess_faces(EXAMPLES / "two_faces.jpg")
    assert [result.face_index for result in results] == [0, 1]
    assert {result.faces_found for result in results} == {2}
    assert results[0].face.area > results[1].face.area
    assert results[0] != results[1]


def test_the_same_photo_gives_the_same_numbers_twice(scorer, assessed):
    again = scorer.assess(EXAMPLES / "hopper.jpg")
    first = assessed["hopper"]
    assert (again.ser_fiq, again.pose, again.face) == (first.ser_fiq, first.pose, first.face)


def test_every_door_leads_to_the_same_result(scorer, assessed):
    path = EXAMPLES / "hopper.jpg"
    sources = [str(path), path.read_bytes(), io.BytesIO(path.read_bytes()), Image.open(path)]
    for source in sources:
        result = scorer.assess(source, name="hopper")
        assert result.image == "hopper"
        assert (result.ser_fiq, result.face) == (assessed["hopper"].ser_fiq, assessed["hopper"].face)


def test_the_size_of_the_photo_hardly_moves_the_score(scorer, hopper):
    """Twice the pixels without new detail: the design's T = 100 sampling alone would scatter by 0.02."""
    large = cv2.resize(hopper, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    assert abs(scorer.assess(large).ser_fiq - scorer.assess(hopper).ser_fiq) < 0.05


@pytest.mark.parametrize(
    ("source", "code"),
    [
        (b"", "unreadable_image"),
        ("no/such/file.jpg", "unreadable_image"),
        (np.zeros((64, 64, 3), np.uint8), "image_too_small"),
        (None, "unreadable_image"),
    ],
)
def test_a_bad_image_is_an_error_result_and_raises_nothing(scorer, source, code):
    result = scorer.assess(source)
    assert result.verdict == "error"
    assert [reason.code for reason in result.reasons] == [code]
    assert result.error and result.ser_fiq is None


def test_a_bad_image_stops_nothing(scorer):
    sources = [EXAMPLES / "hopper.jpg", b"not an image", EXAMPLES / "no_face.jpg", EXAMPLES / "collins.jpg"]
    verdicts = [result.verdict for result in scorer.assess_many(sources)]
    assert verdicts == [None, "error", "reject", None]


def test_the_result_is_plain_json(assessed):
    for result in assessed.values():
        data = json.loads(json.dumps(result.to_dict()))
        assert data.keys() >= {"image", "width", "height", "verdict", "reasons", "ser_fiq", "pose", "face"}
    hopper = assessed["hopper"].to_dict()
    assert hopper["face"].keys() == {"box", "confidence", "landmarks", "inter_eye_distance"}
    assert hopper["pose"].keys() == {"yaw", "pitch", "roll"}
    assert hopper["timings_ms"].keys() == {"decoding", "detection", "alignment", "pose", "ser_fiq", "mask"}
    assert hopper["models"].keys() == {"detection", "embedding", "face_mask"}
    assert hopper["models"]["embedding"] == "sface-2021dec-int8"


def test_threads_get_their_own_results(scorer, assessed):
    names = ["hopper", "collins", "hopper_blur", "no_face"] * 3
    with ThreadPoolExecutor(4) as pool:
        results = pool.map(lambda name: scorer.assess(EXAMPLES / f"{name}.jpg"), names)
        for name, result in zip(names, results, strict=True):
            assert (result.ser_fiq, result.face) == (assessed[name].ser_fiq, assessed[name].face)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_missing_device_is_named():
    with pytest.raises(DeviceError, match="no CUDA device") as caught:
        Scorer(device="cuda")
    assert caught.value.code == "no_device"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_cuda_gives_the_cpus_scores(assessed):
    result = Scorer(device="cuda").assess(EXAMPLES / "hopper.jpg")
    assert result.ser_fiq == pytest.approx(assessed["hopper"].ser_fiq, abs=1e-3)
