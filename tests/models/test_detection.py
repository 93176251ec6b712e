import cv2
import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper, save
from skimage.data import chelsea

from faceqa.faces import detection
from faceqa.faces.detection import MIN_CONFIDENCE, Detector
from faceqa.types import Face


def overlap(a: tuple, b: tuple) -> float:
    """Intersection over union of two boxes."""
    width = max(0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0, min(a[3], b[3]) - max(a[1], b[1]))
    area = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return width * height / (area - width * height)


def scaled_points(face: Face, scale: float) -> np.ndarray:
    """The landmarks after the photo was enlarged by `scale`."""
    return (np.array(face.landmarks) + 0.5) * scale - 0.5


def enlarged(photo: np.ndarray, scale: float) -> np.ndarray:
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return cv2.resize(photo, None, fx=scale, fy=scale, interpolation=interpolation)


# Read off the picture by eye, px: pupils and mouth corners, person's right first.
HOPPER_BY_HAND = {0: (230, 193), 1: (306, 193), 3: (234, 268), 4: (299, 270)}


def test_the_landmarks_lie_where_a_person_puts_them(detector, hopper):
    (face,) = detector.detect(hopper)
    face = detector.refine(hopper, face)
    assert face.confidence > 0.9
    for index, place in HOPPER_BY_HAND.items():
        assert np.linalg.norm(np.subtract(face.landmarks[index], place)) < 0.1 * face.inter_eye_distance
    nose, eyes = face.landmarks[2], face.landmarks[:2]
    assert eyes[0][0] < nose[0] < eyes[1][0], "the person's right eye is on the left of the picture"
    x1, y1, x2, y2 = face.box
    assert all(x1 < x < x2 and y1 < y < y2 for x, y in face.landmarks)


def test_no_face_is_an_empty_list(detector):
    assert detector.detect(np.zeros((300, 400, 3), np.uint8)) == []
    assert detector.detect(chelsea()) == [], "a cat is no person"


def test_several_faces_come_largest_first(detector, hopper, collins):
    both = np.hstack([collins, hopper[:512]])
    faces = detector.detect(both)
    assert len(faces) == 2
    assert faces[0].area > faces[1].area
    assert faces[0].box[0] > 512 > faces[1].box[2]


@pytest.mark.parametrize("scale", [0.25, 0.6, 2, 3.3, 8])
def test_a_photo_of_any_size_gives_the_same_face(detector, hopper, scale):
    reference = detector.refine(hopper, detector.detect(hopper)[0])
    photo = enlarged(hopper, scale)
    (found,) = detector.detect(photo)
    face = detector.refine(photo, found)
    true_scale = photo.shape[1] / hopper.shape[1]
    assert overlap(tuple(np.array(reference.box) * true_scale), face.box) > 0.9
    error = np.linalg.norm(np.array(face.landmarks) - scaled_points(reference, true_scale), axis=1)
    assert error.max() < 0.05 * face.inter_eye_distance


def test_refining_steadies_the_landmarks(detector, hopper, collins):
    """Over sizes of the same photo, the refined landmarks move much less than the raw ones."""
    raw, refined = [], []
    for portrait in (hopper, collins):
        places: dict[str, list] = {"raw": [], "refined": []}
        for scale in np.linspace(0.5, 2, 16):
            photo = enlarged(portrait, scale)
            (face,) = detector.detect(photo)
            back = portrait.shape[1] / photo.shape[1]
            places["raw"].append(scaled_points(face, back))
            places["refined"].append(scaled_points(detector.refine(photo, face), back))
        raw.append(np.std(places["raw"], axis=0).mean())
        refined.append(np.std(places["refined"], axis=0).mean())
    assert np.sum(refined) < 0.6 * np.sum(raw)


def test_refining_follows_a_shifted_photo_exactly(detector, hopper):
    (face,) = detector.detect(hopper)
    here = detector.refine(hopper, face)
    shifted = cv2.copyMakeBorder(hopper, 70, 0, 130, 0, cv2.BORDER_CONSTANT)
    moved = Face(
        tuple(v + d for v, d in zip(face.box, (130, 70, 130, 70), strict=True)),
        tuple((x + 130, y + 70) for x, y in face.landmarks),
        face.confidence,
    )
    there = detector.refine(shifted, moved)
    np.testing.assert_allclose(np.array(there.landmarks) - (130, 70), here.landmarks, atol=0.05)


@pytest.mark.parametrize("tilt", [-40, -25, 25, 40])
def test_refining_follows_a_tilted_head(detector, hopper, tilt):
    """YuNet alone follows a tilt of 40 degrees only in part; the levelled look brings the eyes into place."""
    upright = detector.refine(hopper, detector.detect(hopper)[0])
    turn = cv2.getRotationMatrix2D((256, 300), tilt, 0.8)
    tilted = cv2.warpAffine(hopper, turn, (512, 600), borderMode=cv2.BORDER_REPLICATE)
    face = detector.refine(tilted, detector.detect(tilted)[0])
    expected = np.array(upright.landmarks) @ turn[:, :2].T + turn[:, 2]
    errors = np.linalg.norm(np.array(face.landmarks) - expected, axis=1)
    assert errors.max() < 0.08 * face.inter_eye_distance


def test_mirroring_the_photo_mirrors_the_refined_face(detector, hopper):
    mirrored = np.ascontiguousarray(hopper[:, ::-1])
    here = detector.refine(hopper, detector.detect(hopper)[0])
    there = detector.refine(mirrored, detector.detect(mirrored)[0])
    back = np.array(there.landmarks)[list(detection.MIRRORED_LANDMARKS)]
    back[:, 0] = hopper.shape[1] - 1 - back[:, 0]
    np.testing.assert_allclose(back, here.landmarks, atol=0.05 * here.inter_eye_distance)


@pytest.mark.parametrize("width", [40, 64, 112])
def test_small_faces_in_a_12_megapixel_group_photo_are_found(detector, hopper, collins, width):
    photo = np.full((3000, 4000, 3), 128, np.uint8)
    people = [enlarged(hopper, width / 170), enlarged(collins, width / 90)]
    places = []
    for row in range(4):
        for column in range(8):
            person = people[(row + column) % 2]
            y, x = 50 + row * 740, 30 + column * 495
            person = person[: min(735, len(person)), : min(490, person.shape[1])]
            photo[y : y + person.shape[0], x : x + person.shape[1]] = person
            places.append((x, y, x + person.shape[1], y + person.shape[0]))
    faces = detector.detect(photo)
    centres = [((f.box[0] + f.box[2]) / 2, (f.box[1] + f.box[3]) / 2) for f in faces]
    hits = [sum(x1 < cx < x2 and y1 < cy < y2 for cx, cy in centres) for x1, y1, x2, y2 in places]
    assert hits == [1] * 32
    assert len(faces) == 32


def test_a_face_that_fills_a_12_megapixel_photo_is_found(detector, hopper):
    close_up = enlarged(hopper[100:350, 165:370], 4000 / 250)
    faces = detector.detect(close_up)
    assert len(faces) == 1
    assert faces[0].height > 2800


@pytest.mark.parametrize("shape", [(112, 4000), (4000, 112), (1, 1), (113, 127)])
def test_odd_shapes_do_no_harm(detector, shape):
    assert detector.detect(np.full((*shape, 3), 90, np.uint8)) == []


def test_detection_leaves_opencvs_log_level_alone(detector):
    level = cv2.utils.logging.getLogLevel()
    detection.load_detector()
    assert cv2.utils.logging.getLogLevel() == level


CELL, SIDE = (9, 5), 320  # where, in the coarsest map, the toy SCRFD below sees its face


def toy_scrfd(path):
    """An ONNX file of SCRFD's interface that sees one face, in cell (9, 5) of stride 32, and no other."""
    nodes, outputs = [], []
    for kind, width in (("score", 1), ("box", 4), ("landmarks", 10)):
        for stride in (8, 16, 32):
            values = np.zeros(((SIDE // stride) ** 2 * 2, width), np.float32)
            anchor = 2 * (CELL[1] * (SIDE // 32) + CELL[0])
            if stride == 32 and kind == "score":
                values[anchor] = 0.8
            elif stride == 32 and kind == "box":
                values[anchor] = (1, 2, 3, 4)  # distances to left, top, right, bottom in strides
            elif stride == 32:
                values[anchor] = np.arange(10) / 10
            name = f"{kind}_{stride}"
            nodes.append(helper.make_node("Constant", [], [name], value=numpy_helper.from_array(values)))
            outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, values.shape))
    photo = helper.make_tensor_value_info("input.1", TensorProto.FLOAT, [1, 3, "h", "w"])
    graph = helper.make_graph(nodes, "scrfd", [photo], outputs)
    save(helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 13)]), path)


def test_scrfd_speaks_the_same_language(tmp_path):
    """insightface's SCRFD behind the same function: anchors decoded, boxes and landmarks in order."""
    toy_scrfd(tmp_path / "scrfd.onnx")
    detector = Detector(detection._Scrfd(str(tmp_path / "scrfd.onnx")))
    (face,) = detector.detect(np.zeros((SIDE, SIDE, 3), np.uint8))
    x, y = 32 * CELL[0], 32 * CELL[1]
    np.testing.assert_allclose(face.box, (x - 32, y - 64, x + 96, y + 128), atol=1e-3)
    expected = np.array([x, y]) + 32 * (np.arange(10) / 10).reshape(5, 2)
    np.testing.assert_allclose(face.landmarks, expected, atol=1e-3)
    assert face.confidence == pytest.approx(0.8) and face.confidence >= MIN_CONFIDENCE
