import io
import itertools
import json
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from threading import Barrier

import cv2
import numpy as np
import pytest
import torch
from conftest import EXAMPLES
from PIL import Image

import faceqa
from faceqa import PRESETS, DeviceError, ImageError, NoFaceError, Policy, Pose, Scorer
from faceqa.languages import LANGUAGES
from faceqa.measures.registry import COMPONENTS, DISTORTIONS, MEASURES, TAKEN
from faceqa.reading.image import NamedImage


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
    assert verdicts == ["accept", "error", "reject", "accept"]


def test_the_result_is_plain_json(assessed):
    for result in assessed.values():
        data = json.loads(json.dumps(result.to_dict()))
        assert data.keys() >= {"image", "width", "height", "verdict", "reasons", "ser_fiq", "pose", "face"}
        assert data.keys() >= {row.name for row in MEASURES}
        assert data["schema"] == 2
        assert data["policy"] == asdict(Policy())
    hopper = assessed["hopper"].to_dict()
    assert hopper["face"].keys() == {"box", "confidence", "landmarks", "inter_eye_distance"}
    assert hopper["pose"].keys() == {"yaw", "pitch", "roll"}
    assert hopper["timings_ms"].keys() == {
        *(
            "decoding",
            "detection",
            "refinement",
            "alignment",
            "mask",
            "apertures",
            "components",
            "distortions",
        ),
        *(row.name for row in TAKEN),
    }
    assert list(hopper["components"]) == [row.name for row in COMPONENTS]
    assert list(hopper["distortions"]) == [row.name for row in DISTORTIONS]
    assert assessed["no_face"].to_dict()["components"] == {}
    assert hopper["models"].keys() == {"detection", "embedding", "face_mask", "apertures", "iqa"}
    assert hopper["models"]["embedding"] == "sface-2021dec-int8"


@pytest.mark.parametrize(
    ("name", "verdict", "codes"),
    [
        ("hopper", "accept", set()),
        ("collins", "accept", set()),
        ("two_faces", "accept", set()),
        ("hopper_360p", "reject", {"low_cafi"}),
        ("hopper_dark", "reject", {"low_cafi"}),
        ("hopper_mask", "reject", {"occluded"}),
        ("collins_mask", "reject", {"occluded"}),
        ("hopper_blur", "reject", {"low_cafi"}),
        ("no_face", "reject", {"no_face"}),
    ],
)
def test_the_verdict_on_the_examples(assessed, name, verdict, codes):
    result = assessed[name]
    assert result.verdict == verdict
    assert {reason.code for reason in result.reasons} == codes
    assert (result.cafi is None) == bool(codes - {"low_cafi"})


@pytest.mark.parametrize(
    ("name", "codes"),
    [("hopper", set()), ("hopper_mask", {"occluded", "low_ser_fiq"}), ("hopper_blur", {"low_ser_fiq"})],
)
def test_the_published_gate_rejects_what_it_did(scorer, assessed, name, codes):
    result = scorer.rejudge(assessed[name], PRESETS["reference"])
    assert {reason.code for reason in result.reasons} == codes


def test_picture_quality_sees_what_recognisability_does_not(assessed):
    sharp, reduced = assessed["hopper"], assessed["hopper_360p"]
    assert abs(sharp.ser_fiq - reduced.ser_fiq) < 0.05
    assert sharp.dbcnn > reduced.dbcnn


def test_the_verdict_is_that_of_the_policy(scorer, assessed):
    policy = Policy(max_occlusion=1, ser_fiq_threshold=0, cafi_threshold=100)
    result = scorer.rejudge(assessed["hopper_mask"], policy)
    assert [reason.code for reason in result.reasons] == ["low_cafi"]
    assert result.cafi == result.dbcnn
    assert scorer.rejudge(result, scorer.policy) == assessed["hopper_mask"]


def test_components_tell_what_was_done_to_a_photo(assessed):
    """The examples are one portrait, spoilt in one way each (examples/make.py)."""
    sharp, dark, two = (assessed[name].components for name in ("hopper", "hopper_dark", "two_faces"))
    assert all(isinstance(value, int) and 0 <= value <= 100 for value in sharp.values())
    assert sharp["under_exposure_prevention"] == 100 and dark["under_exposure_prevention"] < 20
    assert dark["luminance_mean"] < 20 < 80 < sharp["luminance_mean"]
    assert dark["dynamic_range"] < 60 < 85 < sharp["dynamic_range"]
    assert (sharp["single_face_present"], two["single_face_present"] < 90) == (100, True)
    assert assessed["hopper_mask"].components["natural_colour"] < 20 < sharp["natural_colour"]


def test_a_minimum_rejects_the_face_that_falls_short(scorer, assessed):
    policy = Policy(minimums={"single_face_present": 90})
    codes = [reason.code for reason in scorer.rejudge(assessed["two_faces"], policy).reasons]
    assert codes == ["low_single_face_present"]
    assert scorer.rejudge(assessed["hopper"], policy).verdict == "accept"


@pytest.mark.parametrize("policy", [Policy(), Policy(ser_fiq_weight=1, cafi_threshold=80)])
@pytest.mark.parametrize("language", LANGUAGES)
def test_both_doors_rejudge_alike(scorer, assessed, policy, language):
    for result in assessed.values():
        ours, theirs = scorer.rejudge(result, policy, language), faceqa.rejudge(result, policy, language)
        assert ours == theirs
        assert ours.policy == asdict(policy)
        assert ("cafi" in ours.percentiles) == (result.face is not None)


def test_a_measure_is_an_attribute(assessed):
    result = assessed["hopper"]
    assert {row.name: getattr(result, row.name) for row in TAKEN} == result.scores
    assert result.ser_fiq_levelled is None, "a single face is not levelled"
    assert assessed["no_face"].occlusion is None
    with pytest.raises(AttributeError, match="occlusionn"):
        _ = result.occlusionn


def test_a_stream_gives_what_single_photos_give(scorer, assessed):
    paths = sorted(EXAMPLES.glob("*.jpg"))
    for result in scorer.assess_many(paths, batch_size=4, unmasked=True):
        single = assessed[Path(result.image).stem]
        assert result.verdict == single.verdict and result.face == single.face
        for measure in ("ser_fiq", "dbcnn", "dbcnn_unmasked", "occlusion", "cafi"):
            expected = getattr(single, measure)
            assert getattr(result, measure) == (expected and pytest.approx(expected, rel=1e-3, abs=1e-3))


def test_a_stream_keeps_order_and_reads_only_a_little_ahead(scorer):
    read = []

    def endless():
        for number in itertools.count():
            read.append(number)
            yield NamedImage(str(number), EXAMPLES / ("no_face.jpg" if number % 3 else "hopper.jpg"))

    stream = scorer.assess_many(endless(), batch_size=2)
    names = [result.image for result in itertools.islice(stream, 12)]
    stream.close()
    assert names == [str(number) for number in range(12)]
    assert len(read) <= 12 + 3 * 2 + 1


def test_closing_a_stream_ends_its_threads(scorer):
    before = threading.enumerate()
    stream = scorer.assess_many(itertools.repeat(EXAMPLES / "no_face.jpg"))
    next(stream)
    readers = [thread for thread in threading.enumerate() if thread not in before]
    assert readers and all(thread.name.startswith("faceqa") for thread in readers)
    stream.close()
    assert not any(thread.is_alive() for thread in readers)


def test_an_image_that_is_not_there_keeps_its_reason(scorer):
    (result,) = scorer.assess_many([NamedImage("a.zip/b.jpg", ImageError("unreadable_image", "encrypted"))])
    assert (result.image, result.verdict, result.error) == ("a.zip/b.jpg", "error", "encrypted")


def test_prepared_crops_score_like_the_photo(scorer, assessed):
    inspections = [scorer.inspect(EXAMPLES / f"{name}.jpg") for name in ("hopper", "collins")]
    crops = np.stack([inspection.pictures.crop for inspection in inspections])
    for result, inspection in zip(scorer.assess_crops(crops, unmasked=True), inspections, strict=True):
        whole = inspection.assessment
        assert (result.width, result.height) == (384, 384)
        assert result.ser_fiq == pytest.approx(whole.ser_fiq, abs=0.05)
        assert result.dbcnn == pytest.approx(whole.dbcnn, abs=0.5)
        assert result.dbcnn_unmasked == pytest.approx(whole.dbcnn_unmasked, abs=0.01)


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [
        *(((384, 384, 3), np.uint8), ((1, 384, 200, 3), np.uint8), ((1, 384, 384), np.uint8)),
        *(((1, 384, 384, 3), dtype) for dtype in (np.uint16, np.int64, np.float16, np.float32, np.float64)),
    ],
)
def test_what_is_no_batch_of_crops_is_refused(scorer, shape, dtype):
    with pytest.raises(ValueError, match="face crops"):
        scorer.assess_crops(np.zeros(shape, dtype))


def test_an_inspection_holds_the_pictures_of_the_assessment(scorer, assessed, hopper):
    seen = scorer.inspect(EXAMPLES / "hopper.jpg")
    ours, theirs = seen.assessment.to_dict(), assessed["hopper"].to_dict()
    del ours["timings_ms"], theirs["timings_ms"]
    assert ours == theirs
    assert np.array_equal(seen.photo, hopper) and len(seen.faces) == 1
    pictures = seen.pictures
    assert pictures.aligned.shape == (112, 112, 3)
    assert pictures.crop.shape == pictures.masked_face.shape == (384, 384, 3)
    outside = pictures.outline < 0.5
    assert not pictures.masked_face[outside].any() and pictures.masked_face[~outside].any()
    assert (pictures.visible <= pictures.outline).all()
    x1, y1, x2, y2 = pictures.crop_box
    face = seen.assessment.face.box
    assert x1 < face[0] and y1 < face[1] and x2 > face[2] and y2 > face[3]
    part = hopper[round(y1 + 0.5) : round(y2 + 0.5), round(x1 + 0.5) : round(x2 + 0.5)]
    assert np.abs(cv2.resize(part, (384, 384)).astype(int) - pictures.crop).mean() < 3


def test_another_face_can_be_inspected(scorer):
    first, second = (scorer.inspect(EXAMPLES / "two_faces.jpg", face_index=index) for index in (0, 1))
    assert first.assessment.face.box[0] > second.assessment.face.box[0]
    assert second.assessment.face_index == 1 and len(second.faces) == 2
    with pytest.raises(NoFaceError) as caught:
        scorer.inspect(EXAMPLES / "two_faces.jpg", face_index=2)
    assert caught.value.code == "no_such_face"


def test_there_is_nothing_to_inspect_without_a_face(scorer):
    seen = scorer.inspect(EXAMPLES / "no_face.jpg")
    assert seen.assessment.verdict == "reject" and seen.photo is not None and seen.pictures is None
    seen = scorer.inspect(b"no image")
    assert seen.assessment.verdict == "error" and seen.photo is None


def brightness(crops: np.ndarray) -> np.ndarray:
    return crops.mean(axis=(1, 2, 3)) / 2.55


def broken(crops: np.ndarray) -> np.ndarray:
    return np.full(len(crops), np.nan)


def test_a_metric_of_ones_own_takes_the_place_of_dbcnn():
    result = Scorer(device="cpu", iqa=brightness).assess(EXAMPLES / "hopper.jpg")
    assert result.models["iqa"] == "brightness"
    masked, whole = result.scores["dbcnn"], result.scores["dbcnn_unmasked"]
    assert 0 < masked < whole, "the masked face is black around"
    assert result.percentiles == {}


def test_what_is_submitted_gives_what_is_assessed(scorer, assessed):
    names = ["hopper", "no_face", "collins", "hopper_mask"] * 2
    coming = [scorer.submit(EXAMPLES / f"{name}.jpg") for name in names]
    for name, result in zip(names, coming, strict=True):
        result, expected = result.result(), assessed[name]
        assert (result.verdict, result.face) == (expected.verdict, expected.face)
        for measure in ("ser_fiq", "dbcnn", "dbcnn_unmasked", "occlusion", "cafi"):
            value = getattr(expected, measure)
            assert getattr(result, measure) == (value and pytest.approx(value, rel=1e-3, abs=1e-3))


def test_a_failed_measure_is_never_a_pass():
    result = Scorer(device="cpu", iqa=broken).assess(EXAMPLES / "hopper.jpg")
    assert result.verdict == "error" and result.cafi is None
    assert [reason.code for reason in result.reasons] == ["measure_failed"]


def test_a_face_without_a_pose_is_a_failed_measure_under_any_policy(monkeypatch):
    monkeypatch.setattr("faceqa.scorer.head_pose", lambda *_: None)
    lenient = Policy(min_face_size=0, max_yaw=180, ser_fiq_threshold=0, max_occlusion=1, cafi_threshold=0)
    scorer = Scorer(device="cpu", policy=lenient)
    result = scorer.assess(EXAMPLES / "hopper.jpg")
    assert (result.verdict, result.cafi, result.pose) == ("error", None, None)
    assert [reason.code for reason in result.reasons] == ["measure_failed"]
    assert result.scores == {} and result.face is not None
    assert scorer.rejudge(result, lenient) == result, "no policy makes it a pass"
    assert faceqa.rejudge(result, lenient) == result
    json.dumps(result.to_dict(), allow_nan=False)


def test_the_yaw_that_is_judged_is_that_of_the_pose(assessed, scorer):
    result = assessed["hopper"]
    assert result.pose is not None and result.yaw == pytest.approx(result.pose.yaw, abs=0.05)
    assert result.to_dict()["yaw"] == result.yaw == result.measures.yaw


@pytest.mark.parametrize("yaw", [45.01, 45.06, -45.06, 120.0, -120.0])
def test_a_head_turned_away_is_rejected_as_such(scorer, monkeypatch, yaw):
    """To a tenth of a degree: a number that a table holds gives the very same verdict."""
    monkeypatch.setattr("faceqa.scorer.head_pose", lambda *_: Pose(yaw, 0.0, 0.0))
    result = scorer.assess(EXAMPLES / "hopper.jpg")
    assert result.yaw == round(yaw, 1)
    codes = ["turned_away"] if abs(result.yaw) > 45 else []
    assert [reason.code for reason in result.reasons] == codes
    assert (result.verdict, result.cafi is None) == ("reject" if codes else "accept", bool(codes))
    assert all(reason.values == {"value": abs(result.yaw), "limit": 45} for reason in result.reasons)
    assert scorer.rejudge(result, replace(Policy(), max_yaw=abs(result.yaw))).verdict == "accept"


def test_a_fault_of_a_metric_is_not_taken_for_a_failed_measure():
    def faulty(crops):
        raise ValueError("a defect of the program")

    with pytest.raises(ValueError, match="a defect of the program"):
        Scorer(device="cpu", iqa=faulty).assess(EXAMPLES / "hopper.jpg")


def test_many_threads_may_submit_at_once():
    scorer = Scorer(device="cpu", iqa=brightness)
    begin = Barrier(8, timeout=60)

    def submit(_):
        begin.wait()
        return scorer.submit(EXAMPLES / "no_face.jpg").result().verdict

    with ThreadPoolExecutor(8) as callers:
        assert list(callers.map(submit, range(8))) == ["reject"] * 8


@pytest.mark.parametrize("arguments", [{"models": "research"}, {"device": "cuda"}])
def test_an_engine_that_cannot_serve_says_so(arguments):
    with pytest.raises(DeviceError, match="OpenVINO does not serve") as caught:
        Scorer(engine="openvino", **arguments)
    assert caught.value.code == "no_engine"


def test_both_engines_give_the_same_numbers(scorer, assessed):
    """Within what bfloat16 and half floats move: see the tolerances of the golden scores."""
    other = Scorer(device="cpu", engine="torch")
    assert (other.engine.name, other.engine.precision) == ("torch", "f32")
    for name in ("hopper", "collins", "hopper_blur"):
        ours, theirs = scorer.assess(EXAMPLES / f"{name}.jpg"), other.assess(EXAMPLES / f"{name}.jpg")
        assert ours.ser_fiq == pytest.approx(theirs.ser_fiq, abs=0.01)
        assert ours.dbcnn == pytest.approx(theirs.dbcnn, abs=0.5)
        assert ours.occlusion == pytest.approx(theirs.occlusion, abs=0.005)
        assert ours.engine["name"] == "openvino" and theirs.engine["name"] == "torch"


def test_threads_may_begin_together():
    """The first pictures of a process from several threads at once; this locked up once in ten times."""
    code = """
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
import numpy as np
from faceqa.engines.openvino import OpenVinoEngine
engine = OpenVinoEngine(["detection"], "f32")
begin = Barrier(8)
def run(_):
    begin.wait()
    return engine.run("detection", np.zeros((1, 384, 384, 3), np.uint8))["cls_32"].shape
with ThreadPoolExecutor(8) as pool:
    print(set(pool.map(run, range(8))))
"""
    for _ in range(10):
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
        assert run.stdout == "{(1, 144, 1)}\n", run.stderr


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
