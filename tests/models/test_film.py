"""A video of two people from the file to its segments, clips and report."""

import csv
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from files import write_video

from faceqa import Policy, cli, curate
from faceqa.curation.run import Run
from faceqa.curation.settings import Selection
from faceqa.curation.table import read_csv
from faceqa.reading.sampling import Sampling

SIDE = 480


def panned(photo: np.ndarray, count: int) -> list[np.ndarray]:
    """A camera that pans over a photo."""
    scale = 1.2 * SIDE / min(photo.shape[:2])
    large = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    lefts = 4 * np.arange(count)
    return [np.ascontiguousarray(large[:SIDE, left : left + SIDE]) for left in lefts]


@pytest.fixture(scope="module")
def film(hopper, collins, scorer, tmp_path_factory) -> Path:
    """The run over a film: two seconds of one person, a second of nobody, two seconds of another."""
    folder = tmp_path_factory.mktemp("film")
    nobody = panned(np.random.default_rng(0).integers(90, 160, hopper.shape, np.uint8), 4)
    write_video(folder / "film.mp4", [*panned(hopper, 8), *nobody, *panned(collins, 8)], fps=4)
    curate(
        [folder / "film.mp4"],
        folder / "out",
        sampling=Sampling(every=1),
        policy=Policy(cafi_threshold=0),
        export="clips",
        scorer=scorer,
    )
    return folder


def lines(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_segments_lie_where_the_people_are(film):
    found = lines(film / "out" / "segments.csv")
    assert [(float(line["start_s"]), float(line["end_s"])) for line in found] == [(0.0, 1.75), (3.0, 4.75)]
    rows = {row.image: row for row in read_csv(film / "out" / "scores.csv")}
    for line in found:
        of_segment = [
            row.cafi
            for row in rows.values()
            if row.frame and float(line["start_s"]) <= row.frame.seconds <= float(line["end_s"])
        ]
        assert int(line["frames"]) == len(of_segment) == 8
        assert float(line["lowest_cafi"]) == min(cafi or 0 for cafi in of_segment)
        assert rows[line["best_frame"]].cafi == max(cafi or 0 for cafi in of_segment)


def test_clips_are_cut_and_the_report_shows_the_line_of_time(film):
    clips = lines(film / "out" / "clips" / "clips.csv")
    assert len(clips) == 2 and all(line["clip"] for line in clips)
    for line in clips:
        with av.open(str(film / "out" / "clips" / line["clip"])) as cut:
            seconds = len(list(cut.decode(video=0))) / 4
        assert seconds == pytest.approx(float(line["clip_end_s"]) - float(line["clip_start_s"]), abs=0.01)
    page = (film / "out" / "report.html").read_text(encoding="utf-8")
    assert page.count('class="timeline"') == 1 and "0:03.0 - 0:04.8" in page
    assert page.split('id="films"')[1].split("</section>")[0].count("data:image/webp") == 2


def test_rejudging_tells_other_segments(film):
    run = Run.found(film / "out")
    summary = run.publish(Selection(Policy(cafi_threshold=0), min_seconds=1.8))
    assert (summary.videos, summary.segments) == (1, 0)
    assert lines(film / "out" / "segments.csv") == []
    cli.main(["rejudge", str(film / "out"), "--cafi-threshold", "0", "--max-gap", "9"])
    assert len(lines(film / "out" / "segments.csv")) == 2, "another person ends one, whatever the gap"
