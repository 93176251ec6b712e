"""The example pictures are what their script makes."""

import numpy as np
import pytest
from conftest import EXAMPLES

from examples import make
from faceqa.reading import image


@pytest.fixture(scope="module")
def remade(tmp_path_factory):
    folder = tmp_path_factory.mktemp("examples")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(make, "FOLDER", folder)
        make.main()
    return folder


def test_the_script_makes_the_committed_pictures(remade):
    assert {p.name for p in remade.iterdir()} == {p.name for p in EXAMPLES.glob("*.jpg")}
    for path in remade.iterdir():
        made, kept = image.load(path), image.load(EXAMPLES / path.name)
        assert made.shape == kept.shape
        assert np.abs(made.astype(int) - kept).mean() < 1, path.name


def test_every_picture_has_its_provenance():
    note = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    for path in EXAMPLES.glob("*.jpg"):
        assert f"`{path.name}`" in note
