"""The numbers of the examples are what they were: see golden.py."""

import json

import golden
import pytest

from faceqa import Scorer

KNOWN = json.loads(golden.GOLDEN.read_text(encoding="utf-8"))


@pytest.fixture(scope="module", params=["this processor's", "f32"])
def now(scorer, request):
    """What is measured as this processor does it, and as one without bfloat16 would."""
    if request.param != "f32":
        return golden.golden(scorer)
    return golden.golden(Scorer(device="cpu", precision="f32"))


def test_every_example_is_guarded(now):
    assert now.keys() == KNOWN.keys() >= {path.stem for path in golden.EXAMPLES.glob("*.jpg")}


@pytest.mark.parametrize("name", KNOWN)
def test_the_numbers_and_verdicts_are_what_they_were(now, name):
    assert len(now[name]) == len(KNOWN[name])
    for face, known in zip(now[name], KNOWN[name], strict=True):
        assert face.keys() == known.keys()
        for measure, value in known.items():
            tolerance = golden.TOLERANCES.get(measure)
            if tolerance is None or value is None:
                assert face[measure] == value, measure
            else:
                assert face[measure] == pytest.approx(value, abs=tolerance), measure
