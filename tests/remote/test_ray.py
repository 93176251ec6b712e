"""Runs on a cluster of two nodes, which loses a worker or a node on the way."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import pytest
from checkout import ROOT
from conftest import EXAMPLES

from faceqa import CurationError, Scorer, cli, curate
from faceqa.curation.journal import SHARDS, read_rows
from faceqa.curation.run import Run
from faceqa.curation.runners import ray as runner
from faceqa.curation.settings import Selection, Settings
from faceqa.reading import image

pytestmark = pytest.mark.ray
ray = pytest.importorskip("ray", reason="the extra 'ray' is not installed")

TABLES = ("scores.csv", "scores.parquet")
IMAGES = 26


@pytest.fixture(scope="module")
def album(tmp_path_factory) -> Path:
    """Portraits more and more blurred, a group, a photo without a face, and a file that is no picture."""
    folder = tmp_path_factory.mktemp("data") / "album"
    folder.mkdir()
    for number in range(11):
        for name in ("hopper", "collins"):
            photo = cv2.GaussianBlur(image.load(EXAMPLES / f"{name}.jpg"), (0, 0), 0.3 + 0.5 * number)
            cv2.imwrite(str(folder / f"{name}{number:02}.jpg"), photo[..., ::-1])
    for name in ("no_face", "two_faces", "hopper_mask"):
        (folder / f"{name}.jpg").write_bytes((EXAMPLES / f"{name}.jpg").read_bytes())
    (folder / "=broken.jpg").write_text("no picture")
    return folder


@pytest.fixture(scope="module")
def local(album, tmp_path_factory) -> Path:
    """What the local runner makes of it."""
    out = tmp_path_factory.mktemp("local")
    curate([album], out, all_faces=True, scorer=Scorer(device="cpu"))
    return out


@pytest.fixture
def cluster(monkeypatch) -> Iterator[Any]:
    """Two nodes with two cores each, and pieces of four files."""
    from ray.cluster_utils import Cluster

    monkeypatch.setattr(runner, "FILES", 4)
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("RAY_worker_niceness", "0")  # on a busy machine workers would wait
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False})
    path = {"env_vars": {"PYTHONPATH": str(ROOT)}}
    ray.init(address=made.address, log_to_driver=False, runtime_env=path)
    made.add_node(num_cpus=2)  # after the driver has come: it must not be at home on the node that goes
    made.wait_for_nodes()
    yield made
    ray.shutdown()
    made.shutdown()


def same_tables(out: Path, local: Path) -> bool:
    return all((out / name).read_bytes() == (local / name).read_bytes() for name in TABLES)


def test_two_nodes_give_what_one_process_gives(album, local, cluster, tmp_path):
    steps: list[int] = []
    summary = curate([album], tmp_path, all_faces=True, device="cpu", runner="ray", progress=steps.append)
    assert same_tables(tmp_path, local)
    assert (summary.images, summary.errors, sum(steps)) == (IMAGES, 1, IMAGES)
    told, of_local = (json.loads((out / "summary.json").read_text()) for out in (tmp_path, local))
    assert told == of_local
    again: list[int] = []
    curate([album], tmp_path, all_faces=True, device="cpu", runner="ray", progress=again.append)
    assert again == [IMAGES] and same_tables(tmp_path, local), "what is done is not done again"
    with pytest.raises(CurationError) as caught:
        curate([album], tmp_path, all_faces=True, device="cpu")
    assert caught.value.code == "other_runner"


def test_a_run_at_an_address_needs_no_shared_folder(s3, album, local, cluster, tmp_path, monkeypatch, capsys):
    """It is stopped after its first piece, goes on, and is judged again."""
    import fsspec

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    files = fsspec.filesystem("s3", endpoint_url=s3, use_listings_cache=False)
    files.mkdir("cluster")
    address = "s3://cluster/run"

    def names() -> set[str]:
        return {path.removeprefix("cluster/run/") for path in files.find("cluster/run")}

    def stops(images: int) -> None:
        if images:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        curate([album], address, all_faces=True, device="cpu", runner="ray", progress=stops)
    assert "pieces.jsonl" in names() and any(name.startswith(f"{SHARDS}/") for name in names())
    again: list[int] = []
    curate([album], address, all_faces=True, device="cpu", runner="ray", progress=again.append)
    assert 0 < again[0] < IMAGES and sum(again) == IMAGES
    for name in TABLES:
        assert files.cat_file(f"cluster/run/{name}") == (local / name).read_bytes()
    assert not any(".part" in name for name in names()) and not list(tmp_path.iterdir())
    assert cli.main(["rejudge", address, "--cafi-threshold", "100"]) == 1
    assert json.loads(files.cat_file("cluster/run/summary.json"))["accepted"] == 0


def dying(flag: Path) -> Callable[[], Any]:
    """Loads scorers of which the first to come to its second batch is killed."""

    def load() -> Any:
        import os
        import signal

        from faceqa import Scorer

        class Dying:
            def __init__(self) -> None:
                self._scorer = Scorer(device="cpu")
                self.engine = self._scorer.engine

            def assess_batches(self, images: Any, **options: Any) -> Iterator[Any]:
                for number, batch in enumerate(self._scorer.assess_batches(images, 2, **options)):
                    if number == 1 and not flag.exists():
                        flag.write_text(str(os.getpid()))
                        os.kill(os.getpid(), signal.SIGKILL)
                    yield batch

        return Dying()

    return load


def test_a_worker_that_is_killed_loses_nothing_and_doubles_nothing(album, local, cluster, tmp_path):
    out, flag = tmp_path / "out", tmp_path / "killed"
    run = Run(out, Settings((str(album),), all_faces=True))
    assert sum(run.assess(dying(flag), "ray")) == IMAGES
    assert int(flag.read_text()) != os.getpid()
    run.publish(Selection())
    assert same_tables(out, local)
    assert all(path.suffix == ".parquet" for path in (out / SHARDS).iterdir())


def test_a_node_that_is_removed_loses_nothing_and_doubles_nothing(album, local, cluster, tmp_path):
    run = Run(tmp_path, Settings((str(album),), all_faces=True))
    done = run.assess(lambda: Scorer(device="cpu"), "ray")
    images = next(images for images in done if images)
    assert images < IMAGES
    (second,) = cluster.worker_nodes
    cluster.remove_node(second, allow_graceful=False)
    assert images + sum(done) == IMAGES
    run.publish(Selection())
    assert same_tables(tmp_path, local)


def test_a_run_that_was_stopped_goes_on_with_the_pieces_it_began_with(album, local, cluster, tmp_path):
    run = Run(tmp_path, Settings((str(album),), all_faces=True))
    done = run.assess(lambda: Scorer(device="cpu"), "ray")
    next(images for images in done if images)
    done.close()  # type: ignore[attr-defined]
    assert len({row.image for row in read_rows(tmp_path)}) > 0
    (album / "new.jpg").write_bytes((EXAMPLES / "hopper.jpg").read_bytes())
    try:
        assert sum(run.assess(lambda: Scorer(device="cpu"), "ray")) == IMAGES
    finally:
        (album / "new.jpg").unlink()
    run.publish(Selection())
    assert same_tables(tmp_path, local)


def test_an_error_on_a_worker_is_told_and_what_is_done_stays(album, cluster, tmp_path):
    def load() -> Any:
        raise RuntimeError("no weights on this machine")

    run = Run(tmp_path, Settings((str(album),)))
    with pytest.raises(CurationError, match="no weights on this machine") as caught:
        list(run.assess(load, "ray"))
    assert caught.value.code == "runner_failed"
