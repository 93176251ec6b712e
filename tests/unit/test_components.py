"""Quality components, against OFIQ's formulas written out here, on pictures whose answer is known."""

import math
from typing import Any

import cv2
import numpy as np
import pytest

from faceqa.faces.alignment import crop_face
from faceqa.faces.pose import pose_of_landmarks
from faceqa.measures import components
from faceqa.measures.batch import FaceBatch
from faceqa.measures.components import apertures, geometry, light, sharpness
from faceqa.measures.registry import COMPONENTS
from faceqa.types import Face, Pose

SIDE = 384
SKIN = (200, 150, 120)
EYES = ((137.0, 150.0), (247.0, 150.0))
LANDMARKS = (*EYES, (192.0, 212.0), (147.0, 275.0), (237.0, 275.0))
FACE = Face((60.0, 50.0, 324.0, 334.0), LANDMARKS, 0.9)
AS_IT_IS = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
FRONTAL = Pose(0.0, 0.0, 0.0)
APERTURES = (15.0, 16.0, 4.0)


def oval() -> np.ndarray:
    """A face from y = 44 to y = 340, so that the chin is 190 px below the eyes."""
    picture = np.zeros((SIDE, SIDE), np.uint8)
    return cv2.ellipse(picture, (192, 192), (120, 148), 0, 0, 360, 1, -1).astype(np.float32)


def one(crop, outline=None, visible=None, **changes) -> FaceBatch:
    """A face that is its own photo."""
    outline = oval() if outline is None else outline
    known: dict[str, Any] = {
        "faces": (FACE,),
        "poses": (FRONTAL,),
        "photo_sizes": ((SIDE, SIDE),),
        "second_areas": (0.0,),
        "to_photos": AS_IT_IS[None],
        "aligned": np.zeros((1, 112, 112, 3), np.uint8),
        "crops": crop[None],
        "outline": outline[None],
        "visible": (outline if visible is None else visible)[None],
        "apertures": np.array([APERTURES], np.float32),
        "masked_faces": crop[None],
    }
    return FaceBatch(**(known | changes))


def plain(colour=SKIN) -> np.ndarray:
    return np.full((SIDE, SIDE, 3), colour, np.uint8)


def of(batch: FaceBatch) -> dict[str, float]:
    found = components.load()(batch)
    assert all(len(column) == len(batch.faces) for column in found.values())
    return {name: float(column[0]) for name, column in found.items()}


# OFIQ's formulas, one pixel after the other: Measure.h, image_utils.cpp and the measures' own files.


def sigmoid(x, x0, w):
    return 1 / (1 + math.exp((x0 - x) / w))


def linear(level):
    x = level / 255
    return ((x + 0.055) / 1.055) ** 2.4 if x > 0.04045 else x / 12.92


def level(pixel):
    red, green, blue = map(linear, map(int, pixel))
    return math.floor(255 * (0.2126 * red + 0.7152 * green + 0.0722 * blue) + 0.5)


def levels(crop, mask):
    return [level(crop[y, x]) for y, x in zip(*np.nonzero(mask >= 0.5), strict=True)]


def mean_and_variance(known):
    mean = sum(known) / len(known) / 255
    return mean, sum((one / 255 - mean) ** 2 for one in known) / len(known)


def entropy(known):
    shares = (known.count(value) / len(known) for value in set(known))
    return -sum(share * math.log2(share) for share in shares)


def test_the_registry_names_what_is_measured_and_nothing_else():
    assert list(of(one(plain()))) == [row.name for row in COMPONENTS]


def test_each_value_is_a_whole_number_up_to_100(hopper_batch):
    for name, value in of(hopper_batch).items():
        assert 0 <= value <= 100 and value == int(value), name


@pytest.fixture(scope="module")
def hopper_batch(hopper) -> FaceBatch:
    """A real face with landmarks as the detector places them, the outline an ellipse."""
    face = Face(
        (189.0, 127.0, 398.0, 413.0),
        ((246.0, 242.0), (343.0, 240.0), (297.0, 295.0), (257.0, 342.0), (337.0, 340.0)),
        0.9,
    )
    crop = crop_face(hopper, face)
    return one(
        crop.image,
        faces=(face,),
        poses=(pose_of_landmarks(face.landmarks),),
        photo_sizes=(hopper.shape[1::-1],),
        to_photos=crop.to_photo[None],
    )


def test_light_of_a_real_face_is_ofiqs(hopper_batch):
    crop, outline = hopper_batch.crops[0], hopper_batch.outline[0]
    known = levels(crop, outline)
    mean, variance = mean_and_variance(known)
    dark = sum(value <= 25 for value in known) / len(known)
    bright = sum(value >= 247 for value in known) / len(known)
    found = of(hopper_batch)
    expected = {
        "luminance_mean": 100 * sigmoid(mean, 0.2, 0.05) * (1 - sigmoid(mean, 0.8, 0.05)),
        "luminance_variance": 100 * math.sin(60 * variance / (60 * variance + 1) * math.pi),
        "dynamic_range": 12.5 * entropy(known),
        "under_exposure_prevention": min(100, 120 * (0.832 - sigmoid(dark, 0.92, 0.05))),
        "over_exposure_prevention": min(100, 1 / (bright + 0.01)),
    }
    for name, value in expected.items():
        assert value > 20 and abs(found[name] - value) <= 0.51, name


@pytest.mark.parametrize("pixel", [(0, 0, 0), (255, 255, 255), (10, 11, 12), (128, 128, 128), (250, 3, 77)])
def test_luminance_is_linear_in_light(pixel):
    found = light.luminance(np.full((2, 2, 3), pixel, np.uint8))
    assert found.dtype == np.uint8 and (found == level(pixel)).all()


def test_two_levels_in_equal_parts_are_one_bit():
    crop = plain()
    crop[:, ::2] = (90, 70, 50)
    assert of(one(crop, np.ones((SIDE, SIDE), np.float32)))["dynamic_range"] == 13  # 12.5, rounded
    assert of(one(plain()))["dynamic_range"] == 0


@pytest.mark.parametrize(
    ("share", "dark", "bright"),
    [(0.0, 100, 100), (0.01, 100, 50), (0.09, 100, 10), (0.92, 40, 1), (1.0, 0, 1)],
)
def test_exposure_counts_the_pixels_of_the_face_that_is_seen(share, dark, bright):
    """OFIQ's mappings at known shares: 120 (.832 - S(p, .92, .05)) and 1 / (p + .01)."""
    rows = np.ones((SIDE, SIDE), np.float32)
    spoilt = round(share * 100)
    for colour, name, expected in (
        ((5, 5, 5), "under_exposure_prevention", dark),
        ((255, 255, 254), "over_exposure_prevention", bright),
    ):
        crop = plain()
        seen = rows.copy()
        seen[100:] = 0  # 100 rows are seen; what lies below is covered and does not count
        crop[:spoilt] = crop[150:] = colour
        assert of(one(crop, rows, seen))[name] == expected


def detail_by_hand(crop, outline, side):
    """Mean difference to the mean of the square around each pixel, by sums over shifted pictures."""
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(float)
    reach = side // 2
    padded = np.pad(grey, reach, mode="reflect")
    around = sum(padded[y : y + SIDE, x : x + SIDE] for y in range(side) for x in range(side)) / side**2
    return np.abs(grey - around)[outline >= 0.5].mean()


def test_sharpness_is_the_ratio_of_two_mean_differences(hopper_batch):
    crop, outline = hopper_batch.crops[0], oval()
    expected = math.log2(detail_by_hand(crop, outline, 7) / detail_by_hand(crop, outline, 31))
    assert sharpness.fineness(crop, outline) == pytest.approx(expected, abs=0.03)  # the box ends at the oval
    assert sharpness.sharpness(-2.79) == 50 and round(sharpness.sharpness(-1.79)) == 95


def test_blur_takes_sharpness_and_darkness_does_not(hopper_batch):
    crop = hopper_batch.crops[0]
    blurred = [cv2.GaussianBlur(crop, (0, 0), sigma) for sigma in (1, 2, 4, 8)]
    falling = [of(one(picture))["sharpness"] for picture in (crop, *blurred)]
    assert falling == sorted(falling, reverse=True) and falling[0] - falling[3] > 40
    half = of(one(crop // 2))["sharpness"]
    assert abs(half - falling[0]) <= 3


def test_stripes_are_sharper_the_finer_they_are():
    rows = np.ones((SIDE, SIDE), np.float32)
    found = []
    for period in (4, 16, 64):
        crop = plain()
        crop[:, np.arange(SIDE) % period < period // 2] = 60
        found.append(of(one(cv2.GaussianBlur(crop, (0, 0), period / 8), rows))["sharpness"])
    assert found == sorted(found, reverse=True) and found[0] == 100 and found[-1] < 20


def test_cheeks_of_the_same_light_are_uniform_and_opposite_ones_are_not():
    assert of(one(plain()))["illumination_uniformity"] == 100
    halves = plain()
    halves[:, :192] = (90, 60, 40)
    assert of(one(halves))["illumination_uniformity"] == 0


def test_uniformity_is_the_intersection_of_the_histograms():
    """A share of .25 in common: 100 x .25^.3 = 66.0."""
    right, left = np.full((20, 20, 3), 60, np.uint8), np.full((20, 20, 3), 200, np.uint8)
    left[:5] = 60
    assert light.illumination_uniformity(right, left) == pytest.approx(100 * 0.25**0.3)


@pytest.mark.parametrize("angle", [0, 20, -35])
def test_cheeks_are_found_below_the_eyes_of_a_tilted_head(angle):
    """Squares of .3 eye distances, painted where OFIQ looks at them, in a head that is tilted."""
    crop = plain((40, 40, 200))
    to_mouth, side = 125, int(0.3 * 110)
    for x in (137 - side, 247):
        crop[150 + to_mouth // 2 :, x : x + side][:side] = SKIN
    turn = cv2.getRotationMatrix2D((192, 192), angle, 1)
    landmarks = tuple(map(tuple, np.array(LANDMARKS) @ turn[:, :2].T + turn[:, 2]))
    batch = one(
        cv2.warpAffine(crop, turn, (SIDE, SIDE)),
        np.ones((SIDE, SIDE), np.float32),
        faces=(Face(FACE.box, landmarks, 0.9),),
    )
    zones = light.cheek_zones(batch, 0, np.ones((SIDE, SIDE), np.uint8))
    assert zones is not None and len(zones) == 2
    for zone in zones:
        painted = (np.abs(zone.astype(int) - SKIN).max(axis=2) < 12).mean()
        assert painted > 0.85
        assert 0.27 * 113 < len(zone) <= 0.31 * 113


def lab(colour):
    """a* and b* by OpenCV, whose white is D65."""
    return cv2.cvtColor(np.array([[colour]], np.float32) / 255, cv2.COLOR_RGB2Lab)[0, 0, 1:]


@pytest.mark.parametrize("colour", [SKIN, (90, 60, 45), (150, 110, 90)])
def test_skin_has_a_natural_colour(colour):
    a, b = lab(colour)
    assert 5 < a < 25 and 5 < b < 35, "not the colour of skin"
    assert of(one(plain(colour)))["natural_colour"] == 100


@pytest.mark.parametrize("colour", [(230, 80, 60), (240, 150, 20), (200, 190, 180)])
def test_unnatural_colours_lose_by_their_distance(colour):
    a, b = lab(colour)
    distance = math.hypot(max(0, 5 - a, a - 25), max(0, 5 - b, b - 35))
    assert of(one(plain(colour)))["natural_colour"] == pytest.approx(
        200 * (1 - sigmoid(distance, 0, 10)), abs=6
    )


def test_green_is_unnatural_and_grey_counts_as_natural():
    assert of(one(plain((60, 160, 60))))["natural_colour"] == 0
    assert of(one(plain((150, 150, 150))))["natural_colour"] == 100


@pytest.mark.parametrize(
    ("distance", "yaw", "expected"),
    [(70, 0, 50), (90, 0, 73), (30, 0, 12), (45, 60, 73), (300, 0, 100)],
)
def test_the_distance_of_the_eyes_is_that_of_a_frontal_face(distance, yaw, expected):
    """100 S(d / cos yaw, 70, 20): 45 px at 60 degrees are 90 px."""
    face = Face(FACE.box, ((0.0, 0.0), (float(distance), 0.0), *LANDMARKS[2:]), 0.9)
    assert round(geometry.inter_eye_distance(face, yaw)) == expected


@pytest.mark.parametrize(("share", "expected"), [(0.45, 100), (0.5, 54), (0.4, 54), (0.25, 4), (0.65, 4)])
def test_a_head_has_its_size_in_a_portrait(share, expected):
    """200 (1 - S(.05, 0, .05)) = 200 / (1 + e) = 53.8."""
    assert round(geometry.head_size(share * 1000, 1000)) == expected


@pytest.mark.parametrize(("angle", "expected"), [(0, 100), (30, 75), (-45, 50), (60, 25), (90, 0), (-120, 0)])
def test_a_turned_head_loses_by_the_squared_cosine(angle, expected):
    assert round(geometry.head_pose(angle)) == expected


def test_room_around_the_face_counts_in_eye_and_chin_distances():
    """Eyes 110 px apart at y = 150, chin 190 px below: in a photo of 384 px and in one with a wide margin."""
    near = of(one(plain()))
    assert near["head_size"] == round(200 * (1 - sigmoid(abs(190 / 384 - 0.45), 0, 0.05)))
    assert near["leftward_crop"] == near["rightward_crop"] == round(100 * sigmoid(137 / 110, 0.9, 0.1))
    assert near["margin_above"] == round(100 * sigmoid(150 / 190, 1.4, 0.1)) == 0
    assert near["margin_below"] == round(100 * sigmoid(234 / 190, 1.8, 0.1)) == 0
    moved = np.array([[1.0, 0.0, -30.0], [0.0, 1.0, 150.0]])
    landmarks = tuple((x - 30, y + 150) for x, y in LANDMARKS)
    far = of(
        one(
            plain(),
            faces=(Face((30.0, 200.0, 294.0, 484.0), landmarks, 0.9),),
            to_photos=moved[None],
            photo_sizes=((400, 1000),),
        )
    )
    assert far["leftward_crop"] == round(100 * sigmoid(107 / 110, 0.9, 0.1)) == 67
    assert far["rightward_crop"] == round(100 * sigmoid(183 / 110, 0.9, 0.1)) == 100
    assert far["margin_above"] == round(100 * sigmoid(300 / 190, 1.4, 0.1)) == 86
    assert far["margin_below"] == round(100 * sigmoid(700 / 190, 1.8, 0.1)) == 100


def test_the_chin_of_a_tilted_head_lies_where_the_mouth_points():
    turn = cv2.getRotationMatrix2D((192, 192), 40, 1)
    landmarks = tuple(map(tuple, np.array(LANDMARKS) @ turn[:, :2].T + turn[:, 2]))
    outline = cv2.warpAffine(oval(), turn, (SIDE, SIDE))
    found = geometry.eyes_to_chin(Face(FACE.box, landmarks, 0.9), outline, AS_IT_IS)
    assert found == pytest.approx(190, abs=2)


@pytest.mark.parametrize(("second", "expected"), [(0.0, 100), (0.25, 75), (1.0, 0)])
def test_another_face_counts_by_its_area(second, expected):
    assert of(one(plain(), second_areas=(second,)))["single_face_present"] == expected


@pytest.mark.parametrize(("share", "expected"), [(0, 12), (0.02, 50), (0.04, 88), (0.09, 100)])
def test_eyes_are_open_by_the_smaller_aperture(share, expected):
    """100 S(a / T, .02, .01): shut eyes have 100 / (1 + e^2), not 0. T is 190 px here, from eyes to chin."""
    assert round(apertures.eyes_open([0.1 * 190, share * 190], 190)) == expected
    for eyes in ((share * 190, 19.0), (19.0, share * 190)):
        assert abs(of(one(plain(), apertures=opened(*eyes)))["eyes_open"] - expected) <= 1


@pytest.mark.parametrize(("share", "expected"), [(0, 97), (0.1, 84), (0.2, 50), (0.4, 3)])
def test_a_mouth_is_closed_by_the_aperture_of_the_lips(share, expected):
    """100 (1 - S(a / T, .2, .06))."""
    assert round(apertures.mouth_closed(share * 190, 190)) == expected
    assert abs(of(one(plain(), apertures=opened(15, 15, share * 190)))["mouth_closed"] - expected) <= 1


def opened(right: float, left: float, lips: float = 4.0) -> np.ndarray:
    return np.array([[right, left, lips]], np.float32)


@pytest.mark.parametrize(("yaw", "expected"), [(60, 100), (-60, 12), (30, 12), (-30, 12)])
def test_the_far_eye_of_a_turned_head_does_not_count(yaw, expected):
    """A face that turns to its own left shows its right eye."""
    turned = one(plain(), poses=(Pose(float(yaw), 0.0, 0.0),), apertures=opened(20, 0))
    assert of(turned)["eyes_open"] == expected


def test_what_something_covers_is_not_assessed():
    right_eye, both_eyes, mouth = oval(), oval(), oval()
    right_eye[120:180, 100:180] = 0
    both_eyes[120:180] = 0
    mouth[250:300] = 0
    closed_left, closed_right = opened(20, 0), opened(0, 20)
    assert of(one(plain(), visible=right_eye, apertures=closed_left))["eyes_open"] == 12
    assert of(one(plain(), visible=right_eye, apertures=closed_right))["eyes_open"] == 100
    assert missing(one(plain(), visible=both_eyes)) >= {"eyes_open"}
    assert missing(one(plain(), visible=mouth)) >= {"mouth_closed"}


def test_what_cannot_be_assessed_is_nan():
    nothing = np.zeros((SIDE, SIDE), np.float32)
    eyes_in_one_place = Face(FACE.box, (EYES[0], EYES[0], *LANDMARKS[2:]), 0.9)
    assert missing(one(plain(), nothing)) == {
        "sharpness",
        *("luminance_mean", "luminance_variance", "under_exposure_prevention", "over_exposure_prevention"),
        *("dynamic_range", "head_size", "margin_above", "margin_below", "eyes_open", "mouth_closed"),
    }
    assert missing(one(plain(), visible=nothing)) == {
        *("sharpness", "under_exposure_prevention", "over_exposure_prevention"),
        *("eyes_open", "mouth_closed"),
    }
    assert missing(one(plain(), poses=(None,))) == {
        *("sharpness", "inter_eye_distance", "head_pose_yaw", "head_pose_pitch", "head_pose_roll")
    }
    assert {"leftward_crop", "rightward_crop"} <= missing(one(plain(), faces=(eyes_in_one_place,)))


def missing(batch: FaceBatch) -> set[str]:
    return {name for name, value in of(batch).items() if math.isnan(value)}


def test_faces_that_are_measured_together_keep_their_values(hopper_batch):
    other = one(plain())
    fields = [name for name in FaceBatch.__slots__ if name != "by_products"]
    pairs = {name: (getattr(hopper_batch, name), getattr(other, name)) for name in fields}
    together: dict[str, Any] = {
        name: first + second if isinstance(first, tuple) else np.concatenate([first, second])
        for name, (first, second) in pairs.items()
    }
    found = components.load()(FaceBatch(**together))
    for name, value in of(hopper_batch).items():
        assert found[name].tolist() == pytest.approx([value, of(other)[name]], abs=0, nan_ok=True)
