"""Head pose against geometry: known rotations, a peer's solver, and photos changed in known ways."""

import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceqa.engines.openvino import OpenVinoEngine
from faceqa.faces.alignment import crop_face
from faceqa.faces.mask import FaceMasker
from faceqa.faces.pose import FRONTAL, MODEL, TURNED, head_pose, pose_of_landmarks, pose_of_rotation
from faceqa.types import Pose

# MediaPipe's canonical_face_model.obj, cm, x to the picture's right, y up, z to the viewer: the means of the
# eye corners (vertices 33, 133 and 362, 263), the nose tip (4) and the mouth corners (61, 291).
CANONICAL_HEAD = np.array(
    [
        [-3.1511, 2.6246, 3.4657],
        [3.1511, 2.6246, 3.4657],
        [0.0, -0.4632, 7.5866],
        [-2.4562, -4.3426, 4.2839],
        [2.4562, -4.3426, 4.2839],
    ]
)

# Yaw, pitch and roll in degrees of the examples, the mean of MediaPipe's 468-point mesh and 3DDFA V2.
EXAMPLES = {"hopper": (1.3, 1.9, 3.0), "collins": (-1.8, 8.3, -3.4)}


def turn(axis: int, degrees: float) -> np.ndarray:
    return cv2.Rodrigues(np.eye(3)[axis] * math.radians(degrees))[0]


def rotation(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """Of a camera with x right, y down, z away: first roll, then pitch, then yaw, about its fixed axes."""
    return turn(1, -yaw) @ turn(0, pitch) @ turn(2, -roll)


def seen_from_afar(yaw: float, pitch: float, roll: float) -> np.ndarray:
    return 80 * (MODEL @ rotation(yaw, pitch, roll).T)[:, :2] + [300, 200]


def seen_from(distance: float, yaw: float, pitch: float, roll: float) -> np.ndarray:
    """The canonical head through a pinhole, `distance` in cm."""
    points = (CANONICAL_HEAD - CANONICAL_HEAD.mean(axis=0)) * [1, -1, -1] @ rotation(yaw, pitch, roll).T
    return 1000 * points[:, :2] / (points[:, 2:] + distance) + [960, 540]


def angles(pose: Pose | None) -> np.ndarray:
    assert pose is not None
    return np.array([pose.yaw, pose.pitch, pose.roll])


def apart(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return np.abs((np.asarray(first) - second + 180) % 360 - 180)


@pytest.fixture(scope="module")
def masker() -> FaceMasker:
    return FaceMasker(OpenVinoEngine(["face_mask"]))


@pytest.fixture(scope="module")
def pose_in(masker, detector):
    """Yaw, pitch and roll of the largest face."""

    def pose(photo: np.ndarray) -> np.ndarray:
        face = detector.refine(photo, detector.detect(photo)[0])
        return angles(head_pose(face.landmarks, masker(crop_face(photo, face).image[None]).rotation[0]))

    return pose


@pytest.mark.parametrize("yaw", range(-90, 91, 30))
@pytest.mark.parametrize("pitch", [-60, -20, 0, 35])
@pytest.mark.parametrize("roll", [-170, -45, 0, 10, 90])
def test_a_known_rotation_comes_back(yaw, pitch, roll):
    found = angles(pose_of_landmarks(seen_from_afar(yaw, pitch, roll)))
    assert apart(found, np.array([yaw, pitch, roll])).max() < 1e-6


@pytest.mark.parametrize("yaw", range(-60, 61, 20))
@pytest.mark.parametrize("roll", [-20, 0, 20])
def test_another_head_before_a_near_camera_turns_by_the_same_angles(yaw, roll):
    found = angles(pose_of_landmarks(seen_from(60, yaw, 0, roll)))
    assert apart(found, np.array([yaw, 0, roll]))[[0, 2]].max() < 6


@pytest.mark.parametrize("pitch", [-20, -10, 10, 20])
def test_another_head_nods_by_the_same_angle(pitch):
    # Its nose tip sits higher than where YuNet puts the nose, which shifts every pitch alike.
    neutral, nodding = (angles(pose_of_landmarks(seen_from(60, 0, degrees, 0))) for degrees in (0, pitch))
    assert apart(nodding - neutral, np.array([0, pitch, 0])).max() < 4


@pytest.mark.parametrize(
    "landmark, shift, angle",
    [
        ("nose", (8, 0), 0),  # the nose to the right of the picture: turned to the own left
        ("nose", (0, 8), 1),  # the nose further down: looks down
        ("left_eye", (0, -8), 2),  # the own left eye higher: tilted to the right shoulder
    ],
)
def test_signs(landmark, shift, angle):
    landmarks = seen_from_afar(0, 0, 0)
    landmarks[{"nose": 2, "left_eye": 1}[landmark]] += shift
    assert angles(pose_of_landmarks(landmarks))[angle] > 1


@pytest.mark.parametrize("name", EXAMPLES)
def test_portraits_agree_with_much_larger_networks(name, request, pose_in):
    assert apart(pose_in(request.getfixturevalue(name)), np.array(EXAMPLES[name])).max() < 4


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_mirrored_photo_negates_yaw_and_roll(name, request, pose_in):
    photo = request.getfixturevalue(name)
    mirrored = pose_in(np.ascontiguousarray(photo[:, ::-1]))
    assert apart(mirrored * [-1, 1, -1], pose_in(photo)).max() < 3


def test_a_turned_photo_moves_roll(hopper, pose_in):
    height, width = hopper.shape[:2]
    turned = {}
    for angle in (-30, -15, 0, 15, 30):
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1)  # positive: anticlockwise
        turned[angle] = pose_in(cv2.warpAffine(hopper, matrix, (width, height)))
    for angle in (-30, -15, 15, 30):
        assert apart(turned[angle], turned[0] + [0, 0, angle])[2] < 4


@given(
    yaw=st.floats(-80, 80), pitch=st.floats(-60, 60), roll=st.floats(-170, 170), in_plane=st.floats(-90, 90)
)
@settings(deadline=None, max_examples=50)
def test_a_turn_of_the_picture_is_a_turn_about_the_line_of_sight(yaw, pitch, roll, in_plane):
    picture = turn(2, -in_plane)
    landmarks = seen_from_afar(yaw, pitch, roll) @ picture[:2, :2].T
    expected = picture @ rotation(yaw, pitch, roll)
    np.testing.assert_allclose(rotation(*angles(pose_of_landmarks(landmarks))), expected, atol=1e-6)
    facing = pose_of_landmarks(seen_from_afar(0, 0, roll) @ picture[:2, :2].T)
    assert apart(angles(facing), np.array([0, 0, roll + in_plane])).max() < 1e-6


def test_size_and_place_in_the_photo_do_not_matter():
    landmarks = seen_from(60, 25, -10, 5)
    expected = angles(pose_of_landmarks(landmarks))
    for scale, shift in ((0.05, 0.0), (40.0, -3000.0)):
        np.testing.assert_allclose(angles(pose_of_landmarks(scale * landmarks + shift)), expected, atol=1e-6)


@pytest.mark.parametrize("yaw", [-70, -30, 0, 45])
@pytest.mark.parametrize("pitch", [-20, 0, 20])
def test_noisy_landmarks_give_what_solve_pnp_gives_for_a_far_camera(yaw, pitch):
    noise = np.random.default_rng(7).normal(0, 1.5, (5, 2))  # px; 80 px between the eyes
    landmarks = seen_from_afar(yaw, pitch, 8) + noise
    focal = 80 * 50.0
    camera = np.array([[focal, 0, 300], [0, focal, 200], [0, 0, 1]])
    _, turned, _ = cv2.solvePnP(MODEL, landmarks, camera, None, flags=cv2.SOLVEPNP_SQPNP)
    found = rotation(*angles(pose_of_landmarks(landmarks)))
    assert np.degrees(np.linalg.norm(cv2.Rodrigues(found.T @ cv2.Rodrigues(turned)[0])[0])) < 4


@pytest.mark.parametrize("yaw", [-90, 90])
def test_profile_is_stable(yaw):
    landmarks = seen_from_afar(yaw, 0, 0)
    for seed in range(20):
        noise = np.random.default_rng(seed).normal(0, 0.8, (5, 2))  # 1 % of the distance between the eyes
        assert apart(angles(pose_of_landmarks(landmarks + noise)), np.array([yaw, 0, 0])).max() < 5


@pytest.mark.parametrize(
    "landmarks",
    [
        np.zeros((5, 2)),
        np.full((5, 2), 17.0),
        np.array([[x, 2 * x + 1] for x in range(5)]),
        np.array([[100.0, 50.0], [180.0, 50.01], [140.0, 50.0], [110.0, 50.0], [170.0, 50.0]]),
        np.full((5, 2), np.nan),
        np.where(np.arange(10).reshape(5, 2) == 4, np.inf, seen_from_afar(0, 0, 0)),
        np.where(np.arange(10).reshape(5, 2) % 3 == 0, 1.7e308, -1.7e308),
    ],
    ids=["zero", "one point", "a line", "nearly a line", "nan", "inf", "overflow"],
)
def test_landmarks_without_a_pose_give_none(landmarks):
    assert pose_of_landmarks(landmarks) is None


@given(st.lists(st.tuples(st.floats(), st.floats()), min_size=5, max_size=5))
@settings(deadline=None, max_examples=300)
def test_any_five_points_give_finite_angles_or_none(landmarks):
    pose = pose_of_landmarks(landmarks)
    assert pose is None or np.isfinite(angles(pose)).all()


@pytest.mark.parametrize("shape", [(4, 2), (5, 3), (10,)])
def test_anything_but_five_points_is_refused(shape):
    with pytest.raises(ValueError, match="five"):
        pose_of_landmarks(np.zeros(shape))


@given(yaw=st.floats(-180, 180), pitch=st.floats(-89, 89), roll=st.floats(-180, 180))
@settings(deadline=None)
def test_the_angles_of_a_rotation_come_back(yaw, pitch, roll):
    assert (
        apart(angles(pose_of_rotation(rotation(yaw, pitch, roll))), np.array([yaw, pitch, roll])).max() < 1e-6
    )


@pytest.mark.parametrize(
    "place, shift, angle",
    [
        ((0, 0, -1), (1, 0, 0), 0),  # the nose to the right of the picture: turned to the own left
        ((0, 0, -1), (0, 1, 0), 1),  # the nose further down: looks down
        ((1, 0, 0), (0, -1, 0), 2),  # the own left eye higher: tilted to the right shoulder
    ],
)
def test_signs_of_a_rotation(place, shift, angle):
    """What lies at a place of the head is seen shifted when the angle grows."""
    turned = rotation(*(10.0 if i == angle else 0.0 for i in range(3)))
    assert (turned @ np.array(place, float) - place) @ np.array(shift, float) > 0.1
    assert angles(pose_of_rotation(turned))[angle] == pytest.approx(10)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_rotation_that_is_not_finite_has_no_pose(value):
    broken = np.eye(3)
    broken[1, 2] = value
    assert pose_of_rotation(broken) is None


def test_what_the_network_tells_is_a_rotation(masker, hopper, detector):
    noise = np.random.default_rng(0).integers(0, 256, (384, 384, 3), dtype=np.uint8)
    crop = crop_face(hopper, detector.detect(hopper)[0]).image
    for found in masker(np.stack([crop, noise, np.zeros_like(crop)])).rotation:
        np.testing.assert_allclose(found @ found.T, np.eye(3), atol=1e-4)
        assert np.linalg.det(found) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ((FRONTAL, 12, 9), (5, 12, 3)),
        ((-FRONTAL, 12, 9), (5, 12, 3)),
        ((TURNED, 12, 9), (TURNED, 12, 9)),
        ((-70, -12, 9), (-70, -12, 9)),
        (((FRONTAL + TURNED) / 2, 12, 9), ((5 + (FRONTAL + TURNED) / 2) / 2, 12, 6)),
    ],
)
def test_landmarks_tell_heads_that_face_the_camera_and_the_network_the_others(told, expected):
    landmarks = seen_from_afar(5, 0, 3)
    assert angles(head_pose(landmarks, rotation(*told))) == pytest.approx(expected, abs=1e-6)


def test_rolls_meet_on_the_shorter_way():
    """Of a head on its side, 170 and -170 degrees, halfway between looking at the camera and being turned."""
    found = head_pose(seen_from_afar(0, 0, 170), rotation((FRONTAL + TURNED) / 2, 0, -170))
    assert abs(angles(found)[2]) == pytest.approx(180, abs=1e-6)


def test_landmarks_without_a_pose_leave_it_to_the_network():
    assert angles(head_pose(np.zeros((5, 2)), rotation(10, 5, 2))) == pytest.approx([10, 5, 2])
    assert head_pose(seen_from_afar(0, 0, 0), np.full((3, 3), np.nan)) is None
