import hashlib
import sys
import types
from dataclasses import replace
from pathlib import Path

import pytest

from faceqa import weights
from faceqa.errors import WeightsError
from faceqa.weights import Source, WeightFile

CONTENT = b"these are the weights"


@pytest.fixture
def weight() -> WeightFile:
    return WeightFile(
        name="toy",
        role="embedding",
        models="open",
        file="toy.bin",
        sha256=hashlib.sha256(CONTENT).hexdigest(),
        bytes=len(CONTENT),
        licence="MIT",
        origin="a test",
        sources=(Source("file", "", "toy.bin"),),
    )


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.setattr(weights, "WEIGHTS_DIR", tmp_path)
    monkeypatch.setattr(weights, "INSIGHTFACE_ROOT", tmp_path / "insightface")
    return tmp_path


def test_the_open_set_is_complete_present_and_verified():
    states = {state.weight.role: state for state in weights.status() if state.weight.models != "research"}
    assert {"detection", "embedding", "face_mask"} <= states.keys()
    assert all(state.verified for state in states.values())


def test_the_manifest_is_well_formed():
    for row in weights.manifest():
        assert len(bytes.fromhex(row.sha256)) == 32
        assert row.bytes > 0 and row.licence and row.origin and row.sources
        if row.models != "research":
            assert all(source.kind == "file" for source in row.sources), "open must work offline"
    sizes = [(state.path.stat().st_size, state.weight.bytes) for state in weights.status() if state.path]
    assert sizes and all(size == expected for size, expected in sizes)


@pytest.mark.parametrize("models", weights.MODEL_SETS)
@pytest.mark.parametrize("role", ["detection", "embedding", "face_mask"])
def test_each_set_fills_each_role(role, models):
    row = weights.find(role, models)
    assert row.role == role and row.models in (models, "both")


def test_an_unknown_role_is_named():
    with pytest.raises(WeightsError, match="'open' has no weights for the role 'astrology'") as caught:
        weights.find("astrology", "open")  # type: ignore[arg-type]
    assert caught.value.code == "unknown_weights"


def test_a_right_file_is_handed_out(folder, weight):
    (folder / "toy.bin").write_bytes(CONTENT)
    assert weights.fetch(weight) == folder / "toy.bin"


def test_a_wrong_file_is_refused_even_after_a_right_one(folder, weight):
    file = folder / "toy.bin"
    file.write_bytes(CONTENT)
    weights.fetch(weight)
    file.write_bytes(b"something else entirely")
    with pytest.raises(WeightsError, match="Delete it") as caught:
        weights.fetch(weight)
    assert caught.value.code == "wrong_hash"


def test_a_missing_file_says_where_it_comes_from(folder, weight):
    with pytest.raises(WeightsError, match="Restore it from the repository") as caught:
        weights.fetch(weight)
    assert caught.value.code == "missing_file"


@pytest.mark.parametrize(("package", "kind"), [("huggingface_hub", "hub"), ("insightface", "insightface")])
def test_a_missing_package_says_what_to_install(folder, weight, monkeypatch, package, kind):
    for name in (package, f"{package}.utils", f"{package}.utils.storage"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr(weights, "INSIGHTFACE_ROOT", folder)
    source = Source(kind, "nobody/nothing", "toy.bin", revision="0" * 40)
    with pytest.raises(WeightsError, match=r"pip install 'faceqa\[research\]'") as caught:
        weights.fetch(replace(weight, models="research", sources=(source,)))
    assert caught.value.code == "missing_package"


def test_the_first_source_that_has_the_file_is_taken(folder, weight):
    (folder / "toy.bin").write_bytes(CONTENT)
    sources = (Source("file", "", "no_such_file.bin"), Source("file", "", "toy.bin"))
    assert weights.fetch(replace(weight, sources=sources)) == folder / "toy.bin"


def test_an_offline_hub_says_what_to_do(folder, weight, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    source = Source("hub", "nobody/nothing", "toy.bin", revision="0" * 40)
    with pytest.raises(WeightsError, match="Check the connection") as caught:
        weights.fetch(replace(weight, models="research", sources=(source,)))
    assert caught.value.code == "download_failed"


def test_nothing_of_the_open_set_is_ever_downloaded(folder, weight, monkeypatch):
    def refuse(*_arguments, **_options):
        raise AssertionError("a download was tried")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", refuse)
    source = Source("hub", "nobody/nothing", "toy.bin", revision="0" * 40)
    with pytest.raises(WeightsError) as caught:
        weights.fetch(replace(weight, sources=(source,)))
    assert caught.value.code == "missing_file"


@pytest.fixture
def pack(folder, monkeypatch):
    """A stand-in for insightface's downloader, which unpacks `pack.content` wherever it is told."""
    pack = types.SimpleNamespace(content=CONTENT, calls=0)

    def download(sub_dir, name, root):
        pack.calls += 1
        print("chatter on stdout")
        target = Path(root) / sub_dir / name
        target.mkdir(parents=True)
        (target / "toy.bin").write_bytes(pack.content)
        return str(target)

    storage = types.ModuleType("insightface.utils.storage")
    monkeypatch.setattr(storage, "download", download, raising=False)
    monkeypatch.setitem(sys.modules, "insightface.utils.storage", storage)
    return pack


def test_a_pack_is_downloaded_once_into_place(folder, weight, pack, capsys):
    row = replace(weight, models="research", sources=(Source("insightface", "toys", "toy.bin"),))
    path = weights.fetch(row)
    assert path.read_bytes() == CONTENT
    assert [p.name for p in path.parent.parent.iterdir()] == ["toys"], "no scratch folder is left"
    assert weights.fetch(row) == path and pack.calls == 1
    assert capsys.readouterr().out == "", "stdout belongs to the results"


def test_a_wrong_pack_leaves_nothing_behind(folder, weight, pack):
    pack.content = b"tampered with"
    row = replace(weight, models="research", sources=(Source("insightface", "toys", "toy.bin"),))
    with pytest.raises(WeightsError, match="Nothing was kept") as caught:
        weights.fetch(row)
    assert caught.value.code == "wrong_hash"
    assert list((weights.INSIGHTFACE_ROOT / "models").iterdir()) == []


def test_a_pack_with_a_damaged_file_is_mended(folder, weight, pack):
    row = replace(weight, models="research", sources=(Source("insightface", "toys", "toy.bin"),))
    other = weights.fetch(row).with_name("other.bin")
    other.write_bytes(b"kept")
    weights.fetch(row).unlink()
    assert weights.fetch(row).read_bytes() == CONTENT
    assert other.read_bytes() == b"kept"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "weights = 3",
        "[[weights]]\nname = 'incomplete'",
        "[[weights",
        "[[weights]]\nsources = [{ hub = 'a/b' }]",
    ],
)
def test_a_broken_manifest_is_reported(tmp_path, text):
    path = tmp_path / "manifest.toml"
    path.write_text(text)
    with pytest.raises(WeightsError, match="Reinstall") as caught:
        weights.manifest(path)
    assert caught.value.code == "bad_manifest"


@pytest.mark.download
@pytest.mark.parametrize("role", ["detection", "embedding", "iqa"])
def test_the_research_files_are_what_the_manifest_says(role):
    row = weights.find(role, "research")
    if weights.locate(row) is None:
        pytest.skip(f"{row.file} has not been downloaded on this machine")
    assert weights.fetch(row).stat().st_size == row.bytes
