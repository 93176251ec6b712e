"""What many machines cost and give: Ray against one process, by workers, and the driver's memory.

    python benchmarks/scale.py [--images 2000] [--rows 1000000]

Time: so many photos of 384 px (as in benchmarks/resume.py), and half as many, by the local runner, by Ray
with 1 worker and with 2. The tables must be the same, byte for byte. From both follows what a further photo
takes; the rest is loading models and starting Ray. (Ray hands rows over by whole pieces, so a rate in the
middle of a run would say nothing.)
Memory: a synthetic scorer, which invents the rows of tars with so many members, and the resident size of the
driver while they stream by. Prints both and writes results/scale.json.
"""

from __future__ import annotations

import argparse
import io
import sys
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1]))

from benchmarks.report import machine, write
from benchmarks.resume import write_photos
from faceqa import Scorer
from faceqa.curation.run import Run
from faceqa.curation.settings import Selection, Settings

MEMBERS = 10_000
"""Pictures in a tar."""

TABLE = "scores.csv"

WORKERS = (0, 1, 2)
"""Of Ray, a pair of cores each; 0 is the local runner."""


def main() -> None:
    """Measure, print, write results/scale.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--rows", type=int, default=1_000_000)
    arguments = parser.parse_args()
    import ray

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        names = [runner_name(workers) for workers in WORKERS]
        seconds: dict[str, list[float]] = {name: [] for name in names}
        for images in (arguments.images // 2, arguments.images):
            write_photos(folder / f"photos{images}", images)
            for workers, name in zip(WORKERS, names, strict=True):
                out = folder / f"{name} {images}"
                seconds[name].append(timed(folder / f"photos{images}", out, workers))
        tables = [(folder / f"{name} {arguments.images}" / TABLE).read_bytes() for name in names]
        same = len(set(tables)) == 1
        ray.init(num_cpus=2, log_to_driver=False, include_dashboard=False)
        memory = driver_memory(folder, arguments.rows)
        ray.shutdown()
    further = {
        name: 1000 * (long - short) / (arguments.images - arguments.images // 2)
        for name, (short, long) in seconds.items()
    }
    times = {
        name: {
            "seconds": [round(one, 1) for one in seconds[name]],
            "ms a further photo": round(further[name], 1),
            "of the local runner's": round(further[name] / further["local"], 3),
        }
        for name in names
    }
    for name, known in times.items():
        print(name, known)
    print(f"same table: {same}; driver's memory by rows, MB: {memory}")
    found = {"times": times, "same_table": same, "driver_mb_by_rows": memory}
    write("scale", {"machine": machine(), "images": arguments.images, **found})
    sys.exit(not same)


def runner_name(workers: int) -> str:
    """Of the local runner, or of Ray with so many workers."""
    return f"ray, {workers}" if workers else "local"


def timed(photos: Path, out: Path, workers: int) -> float:
    """Seconds that a run takes, Ray's start and end among them; 0 workers is the local runner."""
    import ray

    run = Run(out, Settings((str(photos),)))
    begun = time.perf_counter()
    if workers:
        ray.init(num_cpus=2 * workers, log_to_driver=False, include_dashboard=False)
    for _ in run.assess(lambda: Scorer(device="cpu"), "ray" if workers else "local"):
        pass
    if workers:
        ray.shutdown()
    seconds = time.perf_counter() - begun
    run.publish(Selection())
    return seconds


def driver_memory(folder: Path, rows: int) -> dict[int, float]:
    """The driver's resident size in MB after each tenth of the rows."""
    tars = folder / "tars"
    tars.mkdir()
    for number in range(rows // MEMBERS):
        write_tar(tars / f"{number:05}.tar")
    run = Run(folder / "million", Settings((str(tars),)))
    found: dict[int, float] = {}
    done = 0
    for images in run.assess(synthetic, "ray"):
        done += images
        if done // (rows / 10) > len(found):
            found[done] = resident()
    return found


def write_tar(path: Path) -> None:
    """A tar of tiny members with the names of pictures."""
    with tarfile.open(path, "w") as archive:
        for number in range(MEMBERS):
            member = tarfile.TarInfo(f"{number:09}.jpg")
            member.size = 1
            archive.addfile(member, io.BytesIO(b"x"))


def resident() -> float:
    """The resident size of this process in MB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return round(int(line.split()[1]) / 1024, 1)
    return 0.0


def synthetic() -> Any:
    """A scorer that invents: every picture is a face, and none is read."""
    from dataclasses import dataclass
    from itertools import islice

    from faceqa.engines.base import EngineInfo
    from faceqa.types import Assessment

    @dataclass
    class Synthetic:
        engine: EngineInfo

        def assess_batches(self, images: Any, **_: Any) -> Any:
            while batch := list(islice(images, 1000)):
                yield [[Assessment(image=image.name, verdict="reject")] for image in batch]

    return Synthetic(EngineInfo("openvino", "CPU", "f32"))


if __name__ == "__main__":
    main()
