"""How far eyes and mouth are open: real portraits, mirrored, tilted and resized, and with their eyes shut."""

import cv2
import numpy as np
import pytest

from faceqa.engines.openvino import OpenVinoEngine
from faceqa.faces.alignment import crop_face, transform_points
from faceqa.faces.apertures import (
    EYE_SCALE,
    HEIGHT,
    WIDTH,
    ApertureMeter,
    patch_transforms,
    patches,
    unit,
)
from faceqa.faces.pose import MODEL
from faceqa.types import Face


@pytest.fixture(scope="module")
def meter() -> ApertureMeter:
    return ApertureMeter(OpenVinoEngine(["apertures"]))


@pytest.fixture(scope="module")
def found(detector, hopper, collins) -> dict[str, tuple[np.ndarray, Face]]:
    photos = {"hopper": hopper, "collins": collins}
    return {
        name: (photo, detector.refine(photo, detector.detect(photo)[0])) for name, photo in photos.items()
    }


def measured(meter: ApertureMeter, photo: np.ndarray, face: Face) -> np.ndarray:
    """In units of the face, (3,)."""
    return meter([crop_face(photo, face)], [face])[0] / unit(np.array(face.landmarks))


def moved(
    photo: np.ndarray, face: Face, matrix: np.ndarray, size: tuple[int, int]
) -> tuple[np.ndarray, Face]:
    """Photo and face under a transform."""
    landmarks = transform_points(np.array(face.landmarks), matrix)
    x1, y1, x2, y2 = face.box
    corners = transform_points(np.array([[x1, y1], [x2, y1], [x1, y2], [x2, y2]]), matrix)
    box = (*corners.min(axis=0).tolist(), *corners.max(axis=0).tolist())
    there = cv2.warpAffine(photo, matrix, size, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
    return there, Face(box, tuple(map(tuple, landmarks.tolist())), 1.0)


def shut(photo: np.ndarray, face: Face) -> np.ndarray:
    """The skin above each eye is stretched down over it to the lower lid."""
    grid: np.ndarray = np.indices(photo.shape[:2], dtype=np.float32)
    (y, x), size = grid, face.inter_eye_distance
    source = y.copy()
    for eye_x, eye_y in face.landmarks[:2]:
        top, upper, lower = eye_y - 0.25 * size, eye_y - 0.13 * size, eye_y + 0.09 * size
        share = (y - top) / (lower - top)
        there = (share > 0) & (share < 1) & (np.abs(x - eye_x) < 0.3 * size)
        source[there] = (top + share * (upper - top))[there]
    return cv2.remap(photo, x, source, cv2.INTER_LINEAR)


@pytest.mark.parametrize("name", ["hopper", "collins"])
def test_eyes_of_portraits_are_open_and_their_mouths_hardly(meter, found, name):
    """An eye is about 30 mm wide and 10 mm open, with 63 mm between the eyes."""
    right, left, lips = measured(meter, *found[name])
    assert min(right, left) > 0.08 and max(right, left) < 0.25
    assert 0 <= lips < 0.25


def test_eyes_that_are_covered_with_skin_are_shut(meter, found):
    photo, face = found["collins"]
    before, after = measured(meter, photo, face), measured(meter, shut(photo, face), face)
    assert (after[:2] < 0.03).all() and (after[:2] < 0.25 * before[:2]).all()
    assert after[2] == pytest.approx(before[2], abs=0.01)


def test_the_eyes_of_a_mirrored_face_change_places(meter, found):
    photo, face = found["hopper"]
    width = photo.shape[1]
    right, left, nose, *corners = [(width - 1 - x, y) for x, y in face.landmarks]
    x1, y1, x2, y2 = face.box
    mirrored = Face((width - 1 - x2, y1, width - 1 - x1, y2), (left, right, nose, *corners[::-1]), 1.0)
    first, second = measured(meter, photo, face), measured(meter, photo[:, ::-1].copy(), mirrored)
    np.testing.assert_allclose(second[[1, 0, 2]], first, atol=0.02)


@pytest.mark.parametrize(("angle", "scale"), [(0, 0.6), (0, 1.5), (25, 1), (-40, 1), (170, 0.8)])
def test_neither_tilt_nor_size_of_the_face_matters(meter, found, angle, scale):
    photo, face = found["hopper"]
    height, width = photo.shape[:2]
    middle = ((face.box[0] + face.box[2]) / 2, (face.box[1] + face.box[3]) / 2)
    matrix: np.ndarray = np.array(cv2.getRotationMatrix2D(middle, angle, scale), float)
    matrix[:, 2] += np.array([width, height]) / 2
    there = moved(photo, face, matrix, (2 * width, 2 * height))
    np.testing.assert_allclose(measured(meter, *there), measured(meter, photo, face), atol=0.03)


def test_both_eyes_have_their_inner_corner_on_one_side():
    """What lies between the eyes comes to lie right of the eye in both patches, and the mouth below."""
    landmarks = 100 * MODEL[:, :2] + 200
    right, left, mouth = patch_transforms(landmarks)
    between, below = np.array([[200.0, 200.0]]), np.array([[200.0, 400.0]])
    middle = np.array([(WIDTH - 1) / 2, (HEIGHT - 1) / 2])
    for eye, transform in zip(landmarks[:2], (right, left), strict=True):
        np.testing.assert_allclose(transform_points(eye[None], transform)[0], middle)
        np.testing.assert_allclose(transform_points(between, transform)[0] - middle, (EYE_SCALE / 2, 0))
    assert transform_points(below, mouth)[0, 1] > HEIGHT


@pytest.mark.parametrize("yaw", [0, 45, 80])
def test_the_unit_of_a_turned_face_is_that_of_a_frontal_one(yaw):
    turn = cv2.Rodrigues(np.array([0.0, -np.radians(yaw), 0.0]))[0]
    assert unit(100 * (MODEL @ turn.T)[:, :2]) == pytest.approx(100, rel=0.06)


def test_landmarks_in_one_place_give_patches(hopper):
    assert patches(hopper, np.full((5, 2), 50.0)).shape == (3 * HEIGHT, WIDTH, 3)
