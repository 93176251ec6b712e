"""The images of a run on many machines, by Ray Data: actors with a scorer each, and one file of rows a piece.

The sources are cut into pieces: a container (zip, tar, Parquet file, video) is one, and so are `FILES` single
files. The pieces are written down before the first is begun, so that a run that goes on has the same ones.
An actor writes the rows of a piece as one Parquet file under its number, whole or not at all. A piece that
is begun again, because a worker or a machine was lost, ends in the same file: nothing is lost, and nothing
counts twice. Which actor gets which piece, and how many wait, is left to Ray.

All machines must reach the sources, and the run's folder by one path: a shared disk, or one machine. Or the
run lies at an address: then a worker sends its files there, and the driver brings them to its own folder.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from faceqa.curation.journal import PIECES, SHARDS, VECTORS, Journal, shard, shard_images
from faceqa.curation.settings import Settings
from faceqa.curation.table import Row, own_schema, parquet_writer
from faceqa.curation.workplace import bring, send
from faceqa.errors import CurationError, FaceqaError, RemoteError
from faceqa.reading.remote import RemoteFile
from faceqa.reading.sources import CONTAINERS, File, file_name, files_of, named_images, placed

if TYPE_CHECKING:
    from faceqa.scorer import Scorer

FILES = 256
"""Single files in a piece: some seconds of work on a GPU, half a minute on a pair of cores."""

CORES = 2
"""Of an actor without a GPU."""

MOST_BLOCKS = 10_000
"""Ray's tasks: of more pieces a task has several, and one that begins again skips those that are done."""

FAILED = "runner_failed"
"""The code of an error that is Ray's, or of a machine."""

Place = str | list[Any]
"""A file of a piece: its path, or address and size."""


@dataclass(frozen=True, slots=True)
class Worker:
    """What an actor knows, before it has loaded its models.

    Attributes:
        settings: Of the run.
        out: Its folder.
        load_scorer: Loads the models.
        engine: What all results of the run are computed with.
        store: The run's address, where it has one.
    """

    settings: Settings
    out: Path
    load_scorer: Callable[[], Scorer]
    engine: dict[str, str]
    store: str | None = None


def run(
    settings: Settings,
    out: Path,
    load_scorer: Callable[[], Scorer],
    address: str | None = None,
    store: str | None = None,
) -> Iterator[int]:
    """Assess the pieces that have no file of rows yet. See `runners.local.run`.

    Args:
        settings: What to assess, and how.
        out: The folder of the run.
        load_scorer: Loads the models, in each actor.
        address: Of the cluster, as `ray.init` takes it; by default this machine alone.
        store: The run's address, of which `out` is a copy; by default all machines share `out`.

    Raises:
        CurationError: `missing_package`, `no_cluster`, `other_runner`, `not_with_ray`, `other_engine` or
            `runner_failed`, or when the folder holds something else.
        RemoteError: when the connection to the address of a piece stays lost; the other pieces are done.
    """
    if settings.most is not None:
        raise CurationError("not_with_ray", "Ray cuts the sources into pieces, which have no first images.")
    out = out.absolute()
    with Journal(out, settings) as journal:
        if journal.done:
            raise CurationError("other_runner", f"{out} was begun without Ray. Go on as it began.")
        (out / SHARDS).mkdir(exist_ok=True)
        pieces = _pieces(settings, out)
        left = [number for number in range(len(pieces)) if not shard(out, number).exists()]
        yield sum(shard_images(out, number) for number in range(len(pieces)) if number not in set(left))
        if not left:
            journal.begin()
            return
        with _cluster(address):
            share, actors = _shares()
            engine = _engine(load_scorer, share)
            journal.begin(engine)
            yield 0  # the beginning is sent to the address before the first file of rows
            worker = Worker(settings, out, load_scorer, engine, store)
            yield from _assess({number: pieces[number] for number in left}, worker, share, actors)


class Assessing:
    """An actor: one scorer, which assesses a piece after the other."""

    def __init__(self, worker: Worker):
        self._worker = worker
        self._scorer = worker.load_scorer()

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[Any]]:
        """Assess the pieces of a batch.

        Args:
            batch: `number` and `piece`, its files as JSON.

        Returns:
            By piece its number, how many images it has, and code and message of what stopped it, both empty
            where nothing did.
        """
        told = [
            self._piece(int(number), json.loads(piece))
            for number, piece in zip(batch["number"], batch["piece"], strict=True)
        ]
        images, codes, messages = zip(*told, strict=True)
        return {
            "number": batch["number"],
            "images": list(images),
            "code": list(codes),
            "message": list(messages),
        }

    def _piece(self, number: int, places: list[Place]) -> tuple[int, str, str]:
        worker = self._worker
        if shard(worker.out, number).exists():
            return shard_images(worker.out, number), "", ""
        found = self._scorer.engine.as_dict()
        if found != worker.engine:
            return 0, "other_engine", f"One machine computes with {found}, another with {worker.engine}."
        try:
            return assess_piece(worker, self._scorer, number, places), "", ""
        except FaceqaError as error:
            return 0, error.code, error.message
        except OSError as error:
            return 0, FAILED, f"A worker cannot write to {worker.out} ({error})."


def assess_piece(worker: Worker, scorer: Scorer, number: int, places: list[Place]) -> int:
    """Assess a piece and write its rows; how many images it has."""
    settings = worker.settings
    images = named_images([_file(place) for place in places], settings.sampling, root=settings.root)
    batches = scorer.assess_batches(images, all_faces=settings.all_faces, unmasked=settings.unmasked)
    results = list(chain.from_iterable(batches))
    rows = (_with_vectors(Row.of(result)) for result in chain.from_iterable(results))
    if worker.store is None:
        write_shard(worker.out, number, rows, len(results))
        return len(results)
    with tempfile.TemporaryDirectory(prefix="faceqa-") as scratch:
        folder = Path(scratch)
        (folder / SHARDS).mkdir()
        write_shard(folder, number, rows, len(results))
        send(worker.store, shard(folder, number), folder)
    return len(results)


def write_shard(out: Path, number: int, rows: Iterable[Row], images: int) -> None:
    """Write the rows of a piece, whole or not at all; who writes them again writes the same."""
    import pyarrow

    schema = own_schema()
    for name in VECTORS:
        schema = schema.append(pyarrow.field(name, pyarrow.binary()))
    path = shard(out, number)
    scratch = path.with_name(f".{path.name}-{uuid4().hex}")
    try:
        with parquet_writer(scratch, schema.with_metadata({b"images": str(images).encode()})) as write:
            for row in rows:
                write(row)
        os.replace(scratch, path)
    finally:
        scratch.unlink(missing_ok=True)


def _with_vectors(row: Row) -> Row:
    """The row with what the journal keeps beside its cells."""
    vectors = {name: getattr(row, name) for name in VECTORS}
    return replace(
        row,
        others={name: None if vector is None else vector.tobytes() for name, vector in vectors.items()},
    )


def _pieces(settings: Settings, out: Path) -> list[str]:
    """The pieces as they were written down when the run began, each as JSON."""
    path = out / PIECES
    if not path.exists():
        scratch = path.with_name(path.name + ".part")
        with scratch.open("w", encoding="ascii") as file:
            file.writelines(json.dumps(piece) + "\n" for piece in cut(settings, out))
        os.replace(scratch, path)
    return path.read_text(encoding="ascii").splitlines()


def cut(settings: Settings, out: Path) -> Iterator[list[Place]]:
    """The sources in pieces; a file that is named twice is in one of them."""
    seen: set[str] = set()
    files: list[Place] = []
    for file in files_of(placed(settings.paths, settings.root), leave_out=out):
        name = file_name(file, settings.root)
        if name in seen:
            continue
        seen.add(name)
        is_container = file.suffix.lower() in CONTAINERS
        if files and (is_container or len(files) == FILES):
            yield files
            files = []
        files.append(_place(file))
        if is_container:
            yield files
            files = []
    if files:
        yield files


def _place(file: File) -> Place:
    return [file.address, file.size] if isinstance(file, RemoteFile) else str(file)


def _file(place: Place) -> File:
    return RemoteFile(*place) if isinstance(place, list) else Path(place)


@contextmanager
def _cluster(address: str | None) -> Iterator[None]:
    """A connection to Ray; the caller's own where there is one."""
    try:
        import ray
    except ImportError as error:
        raise CurationError(
            "missing_package", f"Ray could not be imported ({error}). Run: pip install 'faceqa[ray]'."
        ) from error
    if ray.is_initialized():
        yield
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would report to Ray's makers
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, OSError, RuntimeError, ValueError) as error:
        raise CurationError("no_cluster", f"There is no cluster of Ray at '{address}' ({error}).") from error
    try:
        yield
    finally:
        ray.shutdown()


def _shares() -> tuple[dict[str, Any], int]:
    """What an actor gets, and how many actors there can be: one a GPU, or one a pair of cores."""
    import ray

    found = ray.cluster_resources()
    gpus, cores = int(found.get("GPU", 0)), int(found.get("CPU", 1))
    if gpus:
        return {"num_gpus": 1}, gpus
    share = min(CORES, cores)
    nodes = (int(node["Resources"].get("CPU", 0)) for node in ray.nodes() if node["Alive"])
    return {"num_cpus": share}, max(1, sum(cores // share for cores in nodes))


def _engine(load_scorer: Callable[[], Scorer], share: dict[str, Any]) -> dict[str, str]:
    """What a worker computes with; not asked of this process, which may have another processor."""
    import ray

    def engine() -> dict[str, str]:
        return load_scorer().engine.as_dict()

    with _told():
        found: dict[str, str] = ray.get(ray.remote(**share)(engine).remote())
    return found


def _assess(pieces: dict[int, str], worker: Worker, share: dict[str, Any], actors: int) -> Iterator[int]:
    from ray import data

    context = data.DataContext.get_current()
    context.enable_progress_bars = False
    items = [{"number": number, "piece": piece} for number, piece in pieces.items()]
    stopped: tuple[str, str] | None = None
    with _told():
        done = data.from_items(items, override_num_blocks=min(len(items), MOST_BLOCKS)).map_batches(
            Assessing,
            fn_constructor_args=(worker,),
            batch_size=1,
            compute=data.ActorPoolStrategy(size=min(actors, len(items))),
            **share,
        )
        for row in done.iter_rows():
            if row["code"]:
                stopped = stopped or (row["code"], row["message"])
            elif worker.store is not None:
                bring(worker.store, shard(Path(), int(row["number"])).as_posix(), worker.out)
            yield int(row["images"])
    if stopped is not None:
        kind = CurationError if stopped[0] in ("other_engine", FAILED) else RemoteError
        raise kind(*stopped)
    if missing := [number for number in pieces if not shard(worker.out, number).exists()]:
        raise CurationError(
            FAILED,
            f"The machines do not share the folder {worker.out}: {len(missing)} of {len(pieces)} pieces are "
            "not there. Choose a folder that all reach by this path.",
        )


@contextmanager
def _told() -> Iterator[None]:
    """Turn what Ray raises into an error of ours."""
    from ray.exceptions import RayError

    try:
        yield
    except RayError as error:
        cause = getattr(error, "cause", None)
        detail = str(cause or error).strip().splitlines()[-1]
        raise CurationError(
            FAILED, f"Ray could not go on ({detail}). What is done stays done; run the same again."
        ) from error
