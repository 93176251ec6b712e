import hashlib
from dataclasses import asdict
from importlib.metadata import version

from faceqa import Policy, weights
from faceqa.curation.selection import Summing
from faceqa.curation.settings import Selection, Settings
from faceqa.curation.table import Row


def told(settings: Settings, selection: Selection | None = None) -> dict:
    summing = Summing()
    summing.add(Row("a.jpg", "reject", reasons=("no_face",)))
    summing.add(Row("b.jpg", "error"))
    return summing.summary(selection, settings).to_dict()["manifest"]


def test_it_says_what_made_the_data_set():
    policy = Policy(cafi_threshold=70)
    found = told(Settings(("photos",)), Selection(policy))
    assert found["sources"] == ["photos"] and found["policy"] == asdict(policy)
    assert found["faceqa"] == version("faceqa") and found["packages"]["numpy"] == version("numpy")
    assert found["counts"] == {
        **{"images": 2, "faces": 0, "passing": 0, "accepted": 0, "rejected": 1, "errors": 1},
        **{"duplicates": 0, "groups": 0},
    }


def test_the_hashes_are_those_of_the_files():
    listed = told(Settings(("photos",)))["weights"]
    networks = {"detection", "embedding", "face_mask", "apertures", "iqa"}
    assert {one["role"] for one in listed} == networks | {"head_pose", "distortions"}
    (face_mask,) = [one for one in weights.manifest() if one.name == listed[2]["name"]]
    path = weights.locate(face_mask)
    assert path is not None
    assert hashlib.sha256(path.read_bytes()).hexdigest() == listed[2]["sha256"]


def test_weights_are_named_only_where_they_are_those_of_the_run():
    found = told(Settings(("photos",), weights="0123456789ab"))
    assert found["weights"] == [] and found["fingerprint"] == "0123456789ab"
    other = told(Settings(("photos",), iqa="pyiqa:brisque"))
    assert not {"iqa", "distortions"} & {one["role"] for one in other["weights"]}
    assert other["iqa"] == "pyiqa:brisque"


def test_packages_are_those_of_the_beginning_and_do_not_make_another_run():
    begun = Settings(("photos",), packages={"numpy": "1.0"})
    assert begun == Settings(("photos",))
    assert told(Settings.from_dict(asdict(begun)))["packages"] == {"numpy": "1.0"}


def test_a_table_alone_has_none():
    assert Summing().summary().to_dict()["manifest"] is None
