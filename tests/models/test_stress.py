"""The stress test's ladders: each begins with the photo and makes it worse in its own way."""

import itertools

import cv2
import numpy as np
import pytest

from faceqa.evaluation import stress
from faceqa.types import Face


@pytest.fixture(scope="module")
def face(detector, hopper) -> Face:
    return detector.detect(hopper)[0]


def steps(kind: str, photo: np.ndarray, face: Face) -> list[stress.Step]:
    return list(stress.climb(kind, photo, face))


def difference(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.abs(first.astype(int) - second).mean())


@pytest.mark.parametrize("kind", stress.LADDERS)
def test_a_ladder_begins_with_the_photo_and_goes_away_from_it(kind, hopper, face):
    climbed = steps(kind, hopper, face)
    assert difference(climbed[0].picture, hopper) < 2  # one pass of JPEG at quality 95 is all that is allowed
    distances = [difference(step.picture, hopper) for step in climbed]
    assert distances == sorted(distances)
    assert distances[1] > distances[0]
    assert len({step.level for step in climbed}) == len(climbed) == 6
    assert {step.picture.shape for step in climbed} == {hopper.shape}


@pytest.mark.parametrize("kind", stress.LADDERS)
def test_the_same_photo_gives_the_same_steps(kind, hopper, face):
    for first, second in zip(steps(kind, hopper, face), steps(kind, hopper, face), strict=True):
        assert (first.picture == second.picture).all()


def test_the_photo_is_not_changed(hopper, face):
    before = hopper.copy()
    for kind in stress.LADDERS:
        steps(kind, hopper, face)
    assert (hopper == before).all()


@pytest.mark.parametrize("kind", ["resolution", "blur"])
def test_detail_is_lost(kind, hopper, face):
    detail = [cv2.Laplacian(step.picture, cv2.CV_64F).var() for step in steps(kind, hopper, face)]
    assert detail == sorted(detail, reverse=True)
    assert detail[-1] < detail[0] / 10


def test_darkness_halves_the_light_at_each_step(hopper, face):
    def light(picture: np.ndarray) -> float:
        return float(((picture / 255) ** stress.GAMMA).mean())

    lights = [light(step.picture) for step in steps("darkness", hopper, face)]
    for brighter, darker in itertools.pairwise(lights):
        assert darker == pytest.approx(brighter / 2, rel=0.1)


def test_the_mask_grows_from_the_chin_and_leaves_the_eyes(hopper, face):
    climbed = steps("mask", hopper, face)
    covered = [(step.picture != hopper).any(axis=2) for step in climbed]
    areas = [int(cover.sum()) for cover in covered]
    assert areas == sorted(areas) and areas[1] > 0
    nose = round(face.landmarks[2][1])
    assert not covered[1][:nose].any()
    for x, y in face.landmarks[:2]:
        assert not covered[-1][round(y), round(x)]
    for x, y in face.landmarks[3:]:
        assert covered[-1][round(y), round(x)]


def test_the_rotation_turns_about_the_face(hopper, face):
    centre = round((face.box[0] + face.box[2]) / 2), round((face.box[1] + face.box[3]) / 2)
    for step in steps("rotation", hopper, face):
        patch = step.picture[centre[1] - 2 : centre[1] + 3, centre[0] - 2 : centre[0] + 3]
        original = hopper[centre[1] - 2 : centre[1] + 3, centre[0] - 2 : centre[0] + 3]
        assert abs(patch.mean() - original.mean()) < 12


def test_a_large_photo_is_reduced_and_the_face_with_it(hopper, face):
    large = cv2.resize(hopper, None, fx=4, fy=4)
    x1, y1, x2, y2 = (4 * value for value in face.box)
    enlarged = Face((x1, y1, x2, y2), tuple((4 * x, 4 * y) for x, y in face.landmarks), face.confidence)
    step = steps("blur", large, enlarged)[0]
    assert max(step.picture.shape) == stress.LONGER_SIDE
    scale = stress.LONGER_SIDE / max(hopper.shape)
    assert step.face.box == pytest.approx([scale * value for value in face.box])
    assert step.face.landmarks[4] == pytest.approx([scale * value for value in face.landmarks[4]])
