"""The picture to share shows the face, the verdict and what it goes by."""

import io

import numpy as np
import pytest
from conftest import EXAMPLES
from PIL import Image, ImageFont

from demo import photo, pieces, share, wording
from faceqa import Policy
from faceqa.languages import LANGUAGES
from faceqa.measures.registry import SCORE


@pytest.fixture(scope="module")
def held(scorer):
    shown = photo.show(scorer, str(EXAMPLES / "hopper.jpg"), "hopper.jpg", 0, "en", Policy())
    return shown[0]


def shared(scorer, held, policy: Policy, language="en", non_commercial: bool = False) -> Image.Image:
    judged = scorer.rejudge(held.assessment, policy, language)
    return Image.open(io.BytesIO(share.picture(judged, held.pictures, policy, language, non_commercial)))


def pixels(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture.convert("RGB")).astype(int)


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_has_the_size_of_link_previews_and_says_what_it_shows(scorer, held, language):
    if share.spoken(language) != language:
        pytest.skip("there is no Korean font on this machine")
    picture = shared(scorer, held, Policy(cafi_threshold=90), language)
    assert picture.size == (1200, 630)
    said = picture.info["Description"]
    judged = scorer.rejudge(held.assessment, Policy(cafi_threshold=90), language)
    for expected in ("faceqa", wording.text("reject", language), judged.reasons[0].message):
        assert expected in said
    assert SCORE.text(held.assessment.cafi) in said


def test_the_face_and_the_part_that_is_scored_are_in_it(scorer, held):
    picture = pixels(shared(scorer, held, Policy()))
    for place, name in enumerate(("plain", "masked_file")):
        x = share.LEFT + place * (share.PICTURE_SIDE + share.GAP)
        side = share.PICTURE_SIDE
        shown = picture[share.TOP : share.TOP + side, x : x + side]
        given = pixels(share._opened(held.pictures[name]).resize((side, side), Image.Resampling.LANCZOS))
        assert np.abs(shown - given).mean() < 3


def places_of(picture: Image.Image, colour: str) -> np.ndarray:
    """Columns of the score's scale in which a colour stands."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    scale = pixels(picture)[share.TOP + 224 : share.TOP + 230]
    return np.flatnonzero((np.abs(scale - (red, green, blue)).max(axis=2) < 8).any(axis=0))


def test_the_threshold_and_the_score_stand_in_their_places(scorer, held):
    low, high = (
        places_of(shared(scorer, held, Policy(cafi_threshold=limit)), share.INK) for limit in (20, 80)
    )
    left, right = share.SAID + 172, share.RIGHT
    on_scale = [found[found > left].mean() for found in (low, high)]
    assert on_scale == pytest.approx([left + 0.2 * (right - left), left + 0.8 * (right - left)], abs=2)
    score = left + held.assessment.cafi / 100 * (right - left)
    for limit, kind in ((20, "accept"), (80, "reject")):
        mark = places_of(shared(scorer, held, Policy(cafi_threshold=limit)), share.TONES[kind])
        assert mark[mark > left].mean() == pytest.approx(score, abs=2)


def test_only_models_that_are_not_for_commerce_say_so(scorer, held):
    plain, noted = (pixels(shared(scorer, held, Policy(), non_commercial=noted)) for noted in (False, True))
    changed = np.argwhere((plain != noted).any(axis=2))
    assert len(changed) > 100 and changed[:, 0].min() > 570


def test_a_gate_that_failed_leaves_no_score(scorer, held):
    picture = shared(scorer, held, Policy(ser_fiq_threshold=1))
    description = picture.info["Description"]
    assert SCORE.title.en in description and SCORE.text(held.assessment.cafi) not in description


def test_without_a_korean_font_it_is_in_english_and_the_button_says_so(monkeypatch):
    def missing(*_arguments, **_options):
        raise OSError("cannot open resource")

    share.font_files.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(ImageFont, "truetype", missing)
        assert share.spoken("ko") == "en" == share.spoken("en")
        assert photo._share_label("ko") == wording.text("share.in_english", "ko")
        assert photo._share_label("en") == wording.text("share", "en")
    share.font_files.cache_clear()


def test_a_long_reason_is_cut_and_ends_in_dots():
    drawn = share._Drawing("en")
    lines = drawn.wrapped("word " * 200, 400, 21, share.LINES)
    assert len(lines) == share.LINES and lines[-1].endswith("…")
    assert drawn.wrapped("two words", 400, 21, share.LINES) == ["two words"]


def test_the_card_has_the_button_only_where_there_is_a_face(scorer, held):
    card, *_ = photo.rejudged(scorer, held, Policy(), "en")
    assert 'data-choice="share"' in card
    nothing = photo.show(scorer, str(EXAMPLES / "no_face.jpg"), "no_face.jpg", 0, "en", Policy())
    assert not photo.can_be_shared(nothing[0])
    assert 'data-choice="share"' not in pieces.idle_card("en")
