"""Overlays: what is drawn lies where the measures say, and nowhere else."""

import io
import math

import numpy as np
import pytest
from PIL import Image

from demo import draw
from faceqa.types import Face, Pose

FACE = Face((40.0, 30.0, 140.0, 150.0), ((70, 70), (110, 70), (90, 95), (75, 120), (105, 120)), 0.9)
OTHER = Face((160.0, 40.0, 190.0, 80.0), ((170, 55), (180, 55), (175, 62), (171, 70), (179, 70)), 0.8)


@pytest.fixture
def photo() -> np.ndarray:
    return np.full((200, 200, 3), 128, np.uint8)


def changed(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    return (before != after).any(axis=2)


def test_the_frame_and_the_landmarks_lie_where_the_face_is(photo):
    drawn = changed(photo, draw.annotated(photo, [FACE]))
    rows, columns = np.nonzero(drawn)
    assert abs(rows.min() - 30) <= 4 and abs(rows.max() - 150) <= 4
    assert abs(columns.min() - 40) <= 4 and abs(columns.max() - 140) <= 4
    for x, y in FACE.landmarks:
        assert drawn[round(y), round(x)]
    assert not drawn[60, 90]  # between the eyes nothing is drawn


def test_the_photo_itself_is_not_changed(photo):
    before = photo.copy()
    draw.annotated(photo, [FACE, OTHER], chosen=1)
    assert (photo == before).all()


def test_only_the_chosen_face_has_landmarks_and_its_frame_is_thicker():
    photo = np.full((700, 700, 3), 128, np.uint8)
    drawn = draw.annotated(photo, [FACE, OTHER], chosen=0)
    x, y = map(round, OTHER.landmarks[0])
    assert (drawn[y, x] == photo[y, x]).all()
    assert changed(photo, drawn)[90, 30:50].sum() > changed(photo, drawn)[60, 150:170].sum()


def test_a_large_photo_is_reduced_and_its_frame_with_it():
    photo = np.full((3000, 2000, 3), 128, np.uint8)
    face = Face((500.0, 1000.0, 1500.0, 2000.0), ((800, 1300),) * 5, 0.9)
    drawn = draw.annotated(photo, [face])
    assert max(drawn.shape) == draw.PHOTO_SIDE
    rows, _ = np.nonzero((drawn != 128).any(axis=2))
    scale = draw.PHOTO_SIDE / 3000
    assert abs(rows.min() - 1000 * scale) <= 5 and abs(rows.max() - 2000 * scale) <= 5


def test_a_head_that_faces_the_camera_has_its_axes_along_the_picture():
    side, chin, nose = draw.head_axes(Pose(0, 0, 0))
    assert side == pytest.approx((1, 0, 0))
    assert chin == pytest.approx((0, 1, 0))
    assert nose == pytest.approx((0, 0, -1))


@pytest.mark.parametrize(
    ("pose", "axis", "direction"),
    [
        (Pose(90, 0, 0), 2, (1, 0, 0)),  # turned to its own left: the nose points to the right of the picture
        (Pose(0, 90, 0), 2, (0, 1, 0)),  # looking down: the nose points down
        (Pose(0, 0, 90), 0, (0, -1, 0)),  # tilted to its own right shoulder: its left side points up
    ],
)
def test_the_axes_turn_as_the_standard_says(pose, axis, direction):
    assert draw.head_axes(pose)[axis] == pytest.approx(direction, abs=1e-9)


def test_the_axes_stay_at_right_angles():
    axes = np.array(draw.head_axes(Pose(31, -17, 8)))
    assert axes @ axes.T == pytest.approx(np.eye(3))
    assert math.isclose(np.linalg.det(axes), -1)  # x right, y down, nose towards the camera


def test_the_pose_starts_at_the_nose_in_the_crop():
    crop = np.zeros((100, 100, 3), np.uint8)
    drawn = draw.with_pose(crop, (40.0, 30.0, 140.0, 130.0), FACE, Pose(0, 0, 0))
    nose = (90 - 40, 95 - 30)
    assert drawn[nose[1], nose[0] + 12].any() and drawn[nose[1] + 12, nose[0]].any()
    assert not drawn[nose[1] - 12, nose[0]].any()
    without = draw.with_pose(crop, (40.0, 30.0, 140.0, 130.0), FACE, None)
    assert without.any(axis=2).sum() < drawn.any(axis=2).sum()


def test_the_overlay_tells_seen_covered_and_background_apart():
    outline, visible = np.zeros((96, 96)), np.zeros((96, 96))
    outline[16:80, 16:80] = 1
    visible[16:48, 16:80] = 1
    overlay = draw.mask_overlay(outline, visible)
    assert tuple(overlay[30, 40]) == (*draw.VISIBLE, draw.FILL)
    assert overlay[:10].max() == 0
    covered = overlay[52:76, 20:76].reshape(-1, 4)
    assert (covered == (*draw.COVERED, draw.FILL)).all(axis=1).any()
    assert (covered[:, :3] == draw.EDGE).all(axis=1).mean() > 0.05  # hatched: not told by colour only
    assert tuple(overlay[16, 40]) == (*draw.EDGE, 255)


def test_an_overlay_without_opacity_leaves_the_crop():
    crop = np.random.default_rng(0).integers(0, 256, (20, 20, 3), np.uint8)
    overlay = np.zeros((20, 20, 4), np.uint8)
    assert (draw.laid_over(crop, overlay) == crop).all()
    overlay[...] = (1, 2, 3, 255)
    assert (draw.laid_over(crop, overlay) == (1, 2, 3)).all()


@pytest.mark.parametrize("box", [(-30, -30, 40, 40), (150, 150, 260, 260), (300, 300, 400, 400)])
def test_the_thumbnail_of_a_face_at_the_border_has_its_size(photo, box):
    face = Face(box, (), 0.9)
    assert draw.thumbnail(photo, face, 64).shape == (64, 64, 3)


def test_a_picture_is_fitted_whole_and_undistorted():
    picture = np.full((50, 100, 3), 200, np.uint8)
    fitted = draw.fitted(picture, 80)
    assert fitted.shape == (80, 80, 3)
    assert (fitted[20:60] == 200).all() and (fitted[:19] == draw.DARK).all()


@pytest.mark.parametrize(("write", "tolerance"), [(draw.png, 0), (draw.jpeg, 12)])
def test_files_and_urls_hold_the_picture(write, tolerance):
    picture = np.zeros((32, 32, 3), np.uint8)
    picture[..., 0] = 200  # red: in the wrong order it would be blue
    file = write(picture)
    read = np.asarray(Image.open(io.BytesIO(file)).convert("RGB")).astype(int)
    assert np.abs(read - picture).max() <= tolerance
    kind = "png" if write is draw.png else "jpeg"
    assert draw.data_url(file).startswith(f"data:image/{kind};base64,")


def test_a_png_keeps_its_transparency():
    overlay = np.zeros((8, 8, 4), np.uint8)
    overlay[2, 2] = (250, 10, 20, 90)
    assert (np.asarray(Image.open(io.BytesIO(draw.png(overlay)))) == overlay).all()
