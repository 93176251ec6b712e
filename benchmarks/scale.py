"""What many machines cost and give: rows a second by workers, Ray against one process, the driver's memory.

    python benchmarks/scale.py [--images 2000] [--rows 1000000]

Throughput: so many photos of 384 px (as in benchmarks/resume.py), once by the local runner, then by Ray with
1 worker and with 2. The tables must be the same, byte for byte. Rates count from the first photos that are
done to the last; the whole time has loading models and starting Ray in it.
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
from faceqa.curation.run import Run, Runner
from faceqa.curation.settings import Selection, Settings

MEMBERS = 10_000
"""Pictures in a tar."""

TABLE = "scores.csv"


def main() -> None:
    """Measure, print, write results/scale.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--rows", type=int, default=1_000_000)
    arguments = parser.parse_args()
    import ray

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_photos(folder / "photos", arguments.images)
        local = timed(folder / "photos", folder / "local", "local")
        rates: dict[str, dict[str, float]] = {"local": local}
        for workers in (1, 2):
            ray.init(num_cpus=2 * workers, log_to_driver=False, include_dashboard=False)
            rates[f"ray, {workers}"] = timed(folder / "photos", folder / f"ray{workers}", "ray")
            ray.shutdown()
        same = all(
            (folder / f"ray{workers}" / TABLE).read_bytes() == (folder / "local" / TABLE).read_bytes()
            for workers in (1, 2)
        )
        ray.init(num_cpus=2, log_to_driver=False, include_dashboard=False)
        memory = driver_memory(folder, arguments.rows)
        ray.shutdown()
    for name, known in rates.items():
        print(f"{name:8} {known['images_a_second']:6.1f} images/s, whole {known['seconds']:.0f} s")
    print(f"same table: {same}; driver's memory by rows, MB: {memory}")
    found = {"rates": rates, "same_table": same, "driver_mb_by_rows": memory}
    write("scale", {"machine": machine(), "images": arguments.images, **found})
    sys.exit(not same)


def timed(photos: Path, out: Path, runner: Runner) -> dict[str, float]:
    """Images a second from the first that is done to the last, and the seconds of all."""
    run = Run(out, Settings((str(photos),)))
    begun = time.perf_counter()
    done = run.assess(lambda: Scorer(device="cpu"), runner)
    steps = [(time.perf_counter(), images) for images in done if images]
    ended = time.perf_counter()
    run.publish(Selection())
    (first, at_first), *later = steps
    rate = sum(images for _, images in later) / (later[-1][0] - first) if later else at_first
    return {"images_a_second": round(rate, 2), "seconds": round(ended - begun, 1)}


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
