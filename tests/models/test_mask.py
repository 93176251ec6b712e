"""The face mask on real photographs, on what is drawn over them, and its helpers by geometry."""

import cv2
import numpy as np
import pytest
import torch
from conftest import EXAMPLES, needs_bfloat16

from faceqa.engines.openvino import OpenVinoEngine
from faceqa.engines.torch import TorchEngine
from faceqa.faces import mask
from faceqa.faces.alignment import CROP_SIZE, crop_face, transform_points
from faceqa.measures.occlusion import occlusion
from faceqa.reading import image

FLOOR = 1e-4  # a crop's maps may differ this much between batches


@pytest.fixture(scope="module")
def masker():
    return mask.FaceMasker(OpenVinoEngine(["face_mask"]))


def covered(masks) -> np.ndarray:
    """The covered share of each face."""
    return np.array([occlusion(*pair) for pair in zip(masks.outline, masks.visible, strict=True)])


def iou(a, b):
    return (a & b).sum() / (a | b).sum()


def cut(detector, photo):
    face = detector.refine(photo, detector.detect(photo)[0])
    crop = crop_face(photo, face)
    return crop.image, transform_points(np.array(face.landmarks), crop.to_crop)


@pytest.fixture(scope="module")
def portraits(detector, hopper, collins):
    return [cut(detector, hopper), cut(detector, collins)]


@pytest.fixture(scope="module")
def crops(portraits):
    return np.stack([picture for picture, _ in portraits])


def test_maps_have_the_crops_shape_and_range(masker, crops):
    masks = masker(crops)
    for maps in (masks.outline, masks.visible):
        assert maps.shape == (2, CROP_SIZE, CROP_SIZE)
        assert maps.dtype == np.float32
        assert maps.min() >= 0
        assert maps.max() <= 1
    assert (masks.visible <= masks.outline).all()


def test_outline_holds_the_landmarks_and_a_plausible_share_of_the_crop(masker, portraits, crops):
    for (_, landmarks), outline in zip(portraits, masker(crops).outline, strict=True):
        for x, y in np.round(landmarks).astype(int):
            assert outline[y, x] > 0.9
        assert 0.2 < (outline >= mask.THRESHOLD).mean() < 0.5  # a box of 1/1.4 x 1/1.4 holds it
        assert outline[:8].max() < 0.5
        assert outline[:, :8].max() < 0.5


def test_plain_portraits_are_not_occluded(masker, crops):
    assert (covered(masker(crops)) < 0.10).all()


def test_a_drawn_mask_occludes_but_leaves_the_outline(masker, detector, hopper, collins):
    for name, photo in (("hopper", hopper), ("collins", collins)):
        face = detector.refine(photo, detector.detect(photo)[0])
        worn = image.load(EXAMPLES / f"{name}_mask.jpg")
        masks = masker(np.stack([crop_face(p, face).image for p in (photo, worn)]))
        bare, masked = covered(masks)
        assert bare < 0.10 < 0.30 < masked
        a, b = masks.outline >= 0.5
        assert iou(a, b) > 0.85


def test_grey_dark_and_small_faces_keep_their_outline(masker, crops):
    reference = masker(crops).outline >= 0.5
    grey = np.repeat(crops.mean(axis=3, keepdims=True), 3, axis=3).astype(np.uint8)
    dark = (crops * 0.35).astype(np.uint8)
    small = np.stack(
        [
            cv2.resize(cv2.resize(c, (64, 64), interpolation=cv2.INTER_AREA), (CROP_SIZE, CROP_SIZE))
            for c in crops
        ]
    )
    for changed in (grey, dark, small):
        found = masker(changed).outline >= 0.5
        for a, b in zip(reference, found, strict=True):
            assert iou(a, b) > 0.9


def test_a_crop_alone_gives_what_it_gives_in_a_batch(masker, crops):
    batch = np.concatenate([crops, crops[:, :, ::-1], crops[:, ::-1], crops // 2])
    batch = np.concatenate([batch] * 3)  # more than one pass through the network
    together = masker(batch)
    for index in (0, 3, 7, 20):
        alone = masker(batch[index : index + 1])
        assert np.abs(alone.outline[0] - together.outline[index]).max() < FLOOR
        assert np.abs(alone.visible[0] - together.visible[index]).max() < FLOOR


@needs_bfloat16
def test_bfloat16_hardly_moves_the_maps(crops):
    crops = np.concatenate([crops, crops // 4])
    plain, small = (
        mask.FaceMasker(OpenVinoEngine(["face_mask"], precision))(crops) for precision in ("f32", "bf16")
    )
    assert not np.array_equal(plain.visible, small.visible)
    for a, b in ((plain.outline, small.outline), (plain.visible, small.visible)):
        overlaps = [iou(x >= 0.5, y >= 0.5) for x, y in zip(a, b, strict=True)]
        assert np.mean(overlaps) > 0.995 and min(overlaps) > 0.98
    np.testing.assert_allclose(covered(plain), covered(small), atol=0.005)


def test_a_mirrored_crop_gives_mirrored_maps(masker, crops):
    a = masker(crops).outline >= 0.5
    b = masker(np.ascontiguousarray(crops[:, :, ::-1])).outline[:, :, ::-1] >= 0.5
    assert iou(a, b) > 0.95


@pytest.mark.parametrize("colour", [(128, 128, 128), (240, 240, 240), (60, 90, 160), (190, 150, 130)])
def test_a_face_behind_a_board_is_fully_covered(masker, crops, colour):
    whole = masker(crops).outline >= 0.5
    behind = crops.copy()
    behind[whole] = colour
    masks = masker(behind)
    assert (covered(masks) > 0.95).all()
    for a, b in zip(whole, masks.outline >= 0.5, strict=True):
        assert iou(a, b) > 0.85


def test_where_no_face_is_found_nothing_of_one_is_seen():
    assert occlusion(np.zeros((4, 4)), np.zeros((4, 4))) == 1.0


def test_no_crops_give_no_maps(masker):
    masks = masker(np.zeros((0, CROP_SIZE, CROP_SIZE, 3), np.uint8))
    assert masks.outline.shape == masks.visible.shape == (0, CROP_SIZE, CROP_SIZE)


def test_wrong_arrays_are_refused(masker, crops):
    with pytest.raises(ValueError, match="uint8"):
        masker(crops[0])
    with pytest.raises(ValueError, match="uint8"):
        masker(crops.astype(np.float32))


def test_occlusion_is_the_hidden_share_of_the_outline():
    outline = np.zeros((10, 10), np.float32)
    outline[2:8, 2:7] = 0.9  # 30 px
    visible = np.zeros_like(outline)
    visible[2:8, 2:5] = 0.8  # 18 of them
    visible[0, 0] = 1.0  # not face: does not count
    assert occlusion(outline, visible) == pytest.approx(1 - 18 / 30)
    assert occlusion(outline, outline) == 0.0


def test_remove_background_is_black_outside_and_untouched_well_inside():
    outline = np.zeros((40, 40), np.float32)
    outline[10:30, 10:30] = 1.0
    crop = np.full((40, 40, 3), 200, np.uint8)
    masked = mask.remove_background(crop, outline)
    assert masked.dtype == np.uint8
    assert (masked[outline < 0.5] == 0).all()
    assert (masked[14:26, 14:26] == 200).all()
    row = masked[20, 10:14, 0].astype(int)
    assert (np.diff(row) >= 0).all()
    assert 0 < row[0] < 200


def test_remove_background_keeps_a_face_that_reaches_the_crops_border():
    outline = np.zeros((40, 40), np.float32)
    outline[:, :20] = 1.0
    masked = mask.remove_background(np.full((40, 40, 3), 200, np.uint8), outline)
    assert (masked[:, :16] == 200).all()


def test_only_the_largest_region_counts():
    outline = np.zeros((50, 50), np.float32)
    outline[5:30, 5:30] = 0.9
    outline[40:45, 40:45] = 0.9
    kept = mask._largest_region(outline)
    assert kept[40:45, 40:45].max() == 0
    assert (kept[5:30, 5:30] == np.float32(0.9)).all()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_gives_what_the_cpu_gives(masker, crops):
    ours, theirs = (
        masker(crops),
        mask.FaceMasker(TorchEngine(torch.device("cuda"), networks=["face_mask"]))(crops),
    )
    assert np.abs(ours.outline - theirs.outline).max() < 1e-3
    assert np.abs(ours.visible - theirs.visible).max() < 1e-3
