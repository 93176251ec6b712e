"""A run over a data set: everything that the models find goes into a journal, all else follows from it.

So a run that was interrupted, however hard, goes on where it stopped, and another policy needs no model.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from faceqa.curation import table
from faceqa.curation.export import Export, sort_files
from faceqa.curation.journal import JOURNAL, read_rows, read_settings
from faceqa.curation.levelling import LEVELLING, Levelling, fit_rows
from faceqa.curation.report import write_report
from faceqa.curation.runners import local, ray
from faceqa.curation.segments import SEGMENTS, find_segments, write_segments
from faceqa.curation.selection import Choice, Levelled, Summary, Summing, select
from faceqa.curation.settings import Selection, Settings
from faceqa.curation.table import Row
from faceqa.curation.thumbnails import Key, key
from faceqa.curation.workplace import Workplace
from faceqa.errors import CurationError
from faceqa.languages import Language
from faceqa.reading.remote import is_address
from faceqa.reading.sampling import Sampling
from faceqa.types import Decision
from faceqa.verdict.policy import Policy

if TYPE_CHECKING:
    from faceqa.engines.base import Precision
    from faceqa.scorer import Device, EngineChoice, Scorer
    from faceqa.weights import Models

Runner = Literal["local", "ray"]

RUNNERS = {"local": local.run, "ray": ray.run}


@dataclass(frozen=True, slots=True)
class Run:
    """A run in its folder.

    Attributes:
        out: The folder: new, empty, or that of an earlier run with the same settings.
        settings: What to assess, and how.
        overrides: Verdicts that somebody gave by hand, by image and face; they stand above the policy's.
    """

    out: Path
    settings: Settings
    overrides: Mapping[Key, Decision] = field(default_factory=dict, compare=False)

    @classmethod
    def found(cls, out: Path) -> Run:
        """The run that a folder holds.

        Raises:
            CurationError: when it holds none.
        """
        return cls(out, read_settings(out))

    def assess(
        self,
        load_scorer: Callable[[], Scorer],
        runner: Runner = "local",
        address: str | None = None,
        store: str | None = None,
    ) -> Iterator[int]:
        """Assess the data set, or what an earlier run left of it.

        Args:
            load_scorer: Loads the models; not called where everything is assessed already.
            runner: Who works through the images.
            address: Of the cluster, for the runner "ray".
            store: The run's address, where its folder is a copy of what lies there.

        Yields:
            How many more images are done. What was yielded is safely on disk.

        Raises:
            CurationError: when the folder holds something else.
        """
        yield from RUNNERS[runner](self.settings, self.out, load_scorer, address, store)

    def rows(self, selection: Selection) -> Iterator[Row]:
        """The rows with their verdicts, read as they are needed.

        They know their near-duplicates, and are levelled where the run holds a fit.
        """
        return select(self._measured(), selection)

    def level(self, by: Path | None = None) -> Levelled:
        """Level the run: `rows` and `publish` then go by levelled SER-FIQ, now and later.

        Args:
            by: The fit of another run; by default one of this run's own good faces.

        Returns:
            What the fit is like, or why there is none. Without one the run is not levelled.

        Raises:
            CurationError: when `by` is no fit.
        """
        try:
            found = Levelling.read(by) if by is not None else fit_rows(read_rows(self.out))
        except CurationError as error:
            if error.code != "no_levelling":
                raise
            (self.out / LEVELLING).unlink(missing_ok=True)
            return Levelled(why_not=error.message)
        found.write(self.out / LEVELLING)
        return Levelled.of(found)

    def publish(
        self,
        selection: Selection,
        export: Export | None = None,
        language: Language = "en",
        levelled: Levelled | None = None,
    ) -> Summary:
        """Write what follows from the journal: tables, sorted files, summary, report. No model runs.

        Args:
            selection: Which faces to keep.
            export: Whether to fill `kept/` and `rejected/`: with links to the images (copies, where they come
                out of a container or from an address), with copies, with the face crops, or with shards, see
                `curation.shards`; or with "clips" to cut the segments of videos out into `clips/`. None
                leaves them as they are.
            language: Of the report, when it is opened.
            levelled: What `level` said; by default what the run's fit says.

        Returns:
            The summary.
        """
        settings = read_settings(self.out)
        measured = self._measured()
        choice = Choice.among(measured, selection)

        def rows() -> Iterator[Row]:
            return choice.of(measured())

        summing = Summing()
        with ExitStack() as stack:
            writers = [
                stack.enter_context(table.csv_writer(self.out / "scores.csv")),
                stack.enter_context(table.parquet_writer(self.out / "scores.parquet")),
            ]
            for row in rows():
                summing.add(row)
                for write in writers:
                    write(row)
        segments = list(find_segments(measured(), selection))
        summary = summing.summary(selection, settings, levelled or self._levelled(), segments)
        if summary.videos:
            write_segments(segments, self.out / SEGMENTS)
        if export == "clips":
            from faceqa.curation.clips import cut_clips

            cut_clips(self.settings, self.out, segments)
        elif export is not None:
            sort_files(self.settings, self.out, rows, export)
        _write_json(summary.to_dict(), self.out / "summary.json")
        write_report(self.settings, self.out, rows, summary, language, segments)
        return summary

    def _measured(self) -> Callable[[], Iterator[Row]]:
        """Gives the rows of the journal, from the first on, with what only all of them together tell."""
        from faceqa.curation.duplicates import groups_of_run, with_groups

        groups = groups_of_run(self.out)
        path = self.out / LEVELLING
        levelling = Levelling.read(path) if path.is_file() else None

        def rows() -> Iterator[Row]:
            found = with_groups(read_rows(self.out), groups)
            return self._decided(found if levelling is None else levelling.rows(found))

        return rows

    def _decided(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The rows with the verdicts that were given by hand."""
        for row in rows:
            yield replace(row, override=self.overrides.get(key(row), row.override))

    def _levelled(self) -> Levelled | None:
        path = self.out / LEVELLING
        return Levelled.of(Levelling.read(path)) if path.is_file() else None


def curate(
    sources: Iterable[str | Path],
    out: str | Path,
    *,
    policy: Policy | None = None,
    keep_top: int | None = None,
    keep_fraction: float | None = None,
    unique: bool = False,
    min_seconds: float = 1.0,
    max_gap: float = 0.0,
    export: Export | None = None,
    all_faces: bool = False,
    unmasked: bool = False,
    sampling: Sampling | None = None,
    root: str | Path = "",
    most: int | None = None,
    device: Device = "auto",
    engine: EngineChoice = "auto",
    precision: Precision = "auto",
    models: Models = "open",
    iqa: str | None = None,
    level: bool | str | Path = False,
    scorer: Scorer | None = None,
    runner: Runner = "local",
    address: str | None = None,
    language: Language = "en",
    progress: Callable[[int], object] = lambda images: None,
) -> Summary:
    """Filter a data set: assess every image and say which faces to keep.

    The same call goes on with a run that was interrupted. Writes `scores.csv`, `scores.parquet`,
    `summary.json`, `report.html`, and `scores.jsonl`, the journal.

    Args:
        sources: Images, folders (recursive), zips, tars, Parquet files and videos; by path or by address,
            see `reading.remote`.
        out: The folder to write to, or its address: new, empty, or that of an earlier run with the same
            settings. What goes to an address is first written here, see `curation.workplace`.
        policy: What the verdicts go by; by default the default policy.
        keep_top: Of the accepted faces only so many, the best by CAFI.
        keep_fraction: The same as a share of the faces that pass the gates, in [0, 1].
        unique: Of near-duplicates keep the best by CAFI only; by default the tables only tell them.
        min_seconds: Segments of videos that are shorter are not told.
        max_gap: Seconds between two good frames up to which bad ones between do not end a segment.
        export: Fill `kept/` and `rejected/` with "link", "copy", "crop", "webdataset" or "parquet", or
            `clips/` with "clips"; see `Run.publish`.
        all_faces: Assess every face of an image, not only the largest.
        unmasked: Score the crops with their backgrounds, too.
        sampling: Which frames of videos to take.
        root: The folder that relative sources lie in, which the images' names leave out.
        most: So many images at most.
        device: Where the networks run.
        engine: What runs them, see `Scorer`.
        precision: What the engine may round layers to, see `Scorer`.
        models: The model set.
        iqa: Another perceptual metric in the place of DBCNN, see `Scorer`.
        level: Level SER-FIQ by this data set's own good faces (`curation.levelling`), or by a fit of another
            run, the path of its `levelling.npz`. Where there are too few good faces the summary says so.
        scorer: One that is loaded already, in the place of `device`, `engine`, `precision`,
            `models` and `iqa`.
        runner: Who works through the images: "local", this process, or "ray", the machines of a cluster, see
            `curation.runners.ray`.
        address: Of the cluster: "auto" for the one that this machine belongs to; by default this machine
            alone.
        language: Of the report, when it is opened.
        progress: Called with the number of images done since the last call.

    Returns:
        The summary, as in `summary.json`.

    Raises:
        CurationError: when the folder holds something else or was begun with another engine, or there is no
            such runner.
        WeightsError: when weights are missing or wrong.
        DeviceError: when there is no such device, or the engine cannot serve it, or not in this precision.
        RemoteError: when the connection to an address stays lost; the same call goes on from there.
    """
    if runner not in RUNNERS:
        raise CurationError("unknown_runner", f"There is no runner '{runner}', only {', '.join(RUNNERS)}.")
    sources = list(sources)
    if is_address(out) and any(f"{out}/".startswith(f"{source}".rstrip("/") + "/") for source in sources):
        raise CurationError("bad_output", f"{out} lies in a folder that is read. Choose another one.")
    if runner == "ray" and scorer is not None:
        raise CurationError("not_with_ray", "Ray's workers load scorers of their own; leave `scorer` out.")
    policy = policy or Policy()
    settings = Settings(
        tuple(
            str(source) if is_address(source) else str(Path(source))  # without a slash at the end
            for source in sources
        ),
        root=str(root),
        sampling=sampling or Sampling(),
        most=most,
        all_faces=all_faces,
        unmasked=unmasked,
        models=models if scorer is None else scorer.model_set,
        iqa=iqa if scorer is None else scorer.iqa,
    )

    def load_scorer() -> Scorer:
        if scorer is not None:
            return scorer
        from faceqa.scorer import Scorer as Loaded

        return Loaded(device, models, policy, iqa, engine, precision)

    with Workplace(out) as place:
        run = Run(place.folder, settings)
        for images in run.assess(load_scorer, runner, address, place.address):
            progress(images)
            place.save()
        levelled = run.level(None if level is True else Path(level)) if level else None
        selection = Selection(policy, keep_top, keep_fraction, unique, min_seconds, max_gap)
        summary = run.publish(selection, export, language, levelled)
        place.finish()
    return summary


def holds_run(out: Path) -> bool:
    """Whether a folder is that of a run."""
    return (out / JOURNAL).is_file()


def _write_json(content: object, path: Path) -> None:
    scratch = path.with_name(path.name + ".part")
    scratch.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(scratch, path)
