import cv2
import numpy as np
import pytest
from insightface.utils import face_align

from faceqa.faces.alignment import (
    ALIGNED_SIZE,
    ARCFACE_TEMPLATE,
    CROP_SIZE,
    align,
    align_transform,
    crop_face,
    transform_points,
)
from faceqa.types import Face

FACE = Face(
    box=(180.0, 118.0, 352.0, 334.0),
    landmarks=((228.0, 193.0), (308.0, 196.0), (267.0, 240.0), (229.0, 268.0), (302.0, 270.0)),
    confidence=0.9,
)


def moved(face: Face, scale: float = 1.0, shift: tuple[float, float] = (0.0, 0.0)) -> Face:
    """The same face in a photo enlarged by `scale` (pixel centres) and then shifted."""

    def point(x, y):
        return (x + 0.5) * scale - 0.5 + shift[0], (y + 0.5) * scale - 0.5 + shift[1]

    box = (*point(*face.box[:2]), *point(*face.box[2:]))
    return Face(box, tuple(point(x, y) for x, y in face.landmarks), face.confidence)


def test_the_template_is_insightfaces():
    np.testing.assert_allclose(ARCFACE_TEMPLATE, face_align.arcface_dst, atol=1e-4)


@pytest.mark.filterwarnings("ignore:`estimate` is deprecated")
def test_the_transform_is_insightfaces():
    expected = face_align.estimate_norm(np.array(FACE.landmarks, np.float32))
    np.testing.assert_allclose(align_transform(FACE), expected, atol=1e-3)


@pytest.mark.filterwarnings("ignore:`estimate` is deprecated")
def test_the_aligned_crop_is_insightfaces(hopper):
    expected = face_align.norm_crop(hopper, np.array(FACE.landmarks, np.float32))
    difference = np.abs(align(hopper, FACE).astype(int) - expected)
    assert difference.max() <= 1
    assert align(hopper, FACE).shape == (ALIGNED_SIZE, ALIGNED_SIZE, 3)


def test_a_tilted_face_comes_out_upright():
    turned = cv2.getRotationMatrix2D((200, 200), 35, 1.3)
    landmarks = transform_points(ARCFACE_TEMPLATE * 2 + 60, turned)
    face = Face((0, 0, 1, 1), tuple(map(tuple, landmarks)), 1.0)
    np.testing.assert_allclose(
        transform_points(landmarks, align_transform(face)), ARCFACE_TEMPLATE, atol=1e-9
    )


def test_a_large_face_is_averaged_not_aliased():
    """A one-pixel checkerboard has no detail that 112 px can show: anything but flat grey is aliasing."""
    y, x = np.mgrid[:2400, :2400]
    checkerboard = np.repeat(((x + y) % 2 * 255).astype(np.uint8)[..., None], 3, axis=2)
    face = moved(FACE, scale=6)
    plain = cv2.warpAffine(checkerboard, align_transform(face), (ALIGNED_SIZE, ALIGNED_SIZE))
    assert plain.std() > 40, "without averaging it does alias"
    assert align(checkerboard, face).std() < 2


@pytest.mark.parametrize("scale", [3, 4.7, 8])
def test_the_size_of_the_photo_hardly_moves_the_aligned_crop(hopper, scale):
    large = cv2.resize(hopper, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    true_scale = large.shape[1] / hopper.shape[1]
    difference = np.abs(align(hopper, FACE).astype(int) - align(large, moved(FACE, true_scale)))
    assert difference.mean() < 3


def test_degenerate_landmarks_give_a_crop_all_the_same(hopper):
    point = Face((0, 0, 10, 10), ((5.0, 5.0),) * 5, 0.9)
    assert align(hopper, point).shape == (112, 112, 3)


def test_the_face_crop_shows_the_whole_face_with_a_margin(hopper):
    crop = crop_face(hopper, FACE)
    corners = transform_points(np.reshape(FACE.box, (2, 2)), crop.to_crop)
    assert crop.image.shape == (CROP_SIZE, CROP_SIZE, 3) and crop.image.dtype == np.uint8
    assert corners.min() > 0.08 * CROP_SIZE and corners.max() < 0.92 * CROP_SIZE


def test_the_map_into_the_photo_is_exact(hopper):
    """A cross drawn at a known place of the photo is found at the mapped place of the crop."""
    photo = np.zeros_like(hopper)
    photo[239:242, 266:269] = 255
    crop = crop_face(photo, FACE)
    weight = crop.image[..., 0].astype(float)
    y, x = np.mgrid[:CROP_SIZE, :CROP_SIZE]
    centre = np.array([[np.average(x, weights=weight), np.average(y, weights=weight)]])
    np.testing.assert_allclose(transform_points(centre, crop.to_photo), [[267, 240]], atol=0.05)
    there_and_back = transform_points(transform_points(centre, crop.to_photo), crop.to_crop)
    np.testing.assert_allclose(there_and_back, centre, atol=1e-9)


@pytest.mark.parametrize("scale", [0.4, 1, 5])
def test_the_face_crop_never_stretches(hopper, scale):
    to_photo = crop_face(hopper, moved(FACE, scale)).to_photo
    assert to_photo[0, 0] == to_photo[1, 1]
    assert to_photo[0, 1] == to_photo[1, 0] == 0


def test_beyond_the_border_is_black_and_the_rest_in_place(hopper):
    """A face at the photo's edge: the crop equals that of a photo with a black border added."""
    bordered = cv2.copyMakeBorder(hopper, 300, 300, 300, 300, cv2.BORDER_CONSTANT)
    face = moved(FACE, shift=(-200, -150))
    crop = crop_face(hopper, face)
    np.testing.assert_array_equal(crop.image, crop_face(bordered, moved(face, shift=(300, 300))).image)
    assert (crop.image[0, 0] == 0).all()


def test_a_face_quite_outside_the_photo_gives_black(hopper):
    assert crop_face(hopper, moved(FACE, shift=(5000, 5000))).image.max() == 0
