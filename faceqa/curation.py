"""A data set -> which faces to keep: a table, the files sorted, a summary and a report page.

Everything that the models find goes into the journal; all else in the output folder is derived from it, so
that another policy needs no model.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from faceqa import report, table
from faceqa.errors import CurationError
from faceqa.export import Export, sort_files, thumbnails
from faceqa.journal import JOURNAL, Journal, Settings, read_journal
from faceqa.sources import named_images, shown
from faceqa.table import Row
from faceqa.types import Policy

if TYPE_CHECKING:
    from faceqa.scorer import Scorer

SHARES = (0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)
"""Of the faces that pass the gates, for which the summary says the CAFI threshold that keeps them."""

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which faces to keep.

    Attributes:
        policy: Its gates and its CAFI threshold.
        keep_top: Of those that it accepts, only so many, the best by CAFI.
        keep_fraction: The same as a share of the faces that pass the gates, in [0, 1].
    """

    policy: Policy = field(default_factory=Policy)
    keep_top: int | None = None
    keep_fraction: float | None = None


def curate(
    settings: Settings,
    out: Path,
    selection: Selection,
    load_scorer: Callable[[], Scorer],
    export: Export | None = None,
    ticked: Callable[[int], object] = lambda images: None,
) -> dict[str, Any]:
    """Assess a data set, or what an earlier run left of it, and write the results to a folder.

    Args:
        settings: What to assess, and how.
        out: The folder: new, empty, or that of an earlier run with the same settings.
        selection: Which faces to keep.
        load_scorer: Loads the models; not called where everything is assessed already.
        export: Whether to fill `kept/` and `rejected/`: with links to the images (copies, where they come out
            of a zip or video), with copies, or with the face crops.
        ticked: Called with the number of images done since the last call.

    Returns:
        The summary, as in `summary.json`.

    Raises:
        CurationError: when the folder holds something else.
    """
    with Journal(out, settings) as journal:
        ticked(len(journal.done))
        images = named_images(settings.paths, settings.sampling, journal.is_new, leave_out=out)
        first = next(images, None)
        if first is not None:
            scorer = load_scorer()
            stream = chain([first], images)
            for batch in scorer.assess_batches(
                stream, all_faces=settings.all_faces, unmasked=settings.unmasked
            ):
                journal.append(batch)
                ticked(len(batch))
    return publish(out, selection, export)


def publish(out: Path, selection: Selection, export: Export | None = None) -> dict[str, Any]:
    """Derive everything from the journal: table, sorted files, summary, report. No model runs.

    Args:
        out: The folder of a run.
        selection: Which faces to keep.
        export: As in `curate`; None leaves `kept/` and `rejected/` as they are.

    Returns:
        The summary.

    Raises:
        CurationError: when the folder holds no run.
    """
    settings, rows, _ = read_journal(out / JOURNAL)
    if settings is None:
        raise CurationError("other_run", f"{out} holds no run of faceqa.")
    rows = select(rows, selection)
    asked = {**asdict(settings), "paths": [shown(Path(path)) for path in settings.paths]}
    summary = {"settings": asked, "selection": asdict(selection), **summarise(rows)}
    table.write_csv(rows, out / "scores.csv")
    table.write_parquet(rows, out / "scores.parquet")
    if export is not None:
        sort_files(settings, out, rows, export)
    _write_text(out / "summary.json", json.dumps(summary, indent=1, ensure_ascii=False) + "\n")
    pictures = thumbnails(settings, out, report.chosen(rows))
    _write_text(out / "report.html", report.page(rows, summary, pictures))
    return summary


def select(rows: list[Row], selection: Selection) -> list[Row]:
    """The rows with their verdicts: the policy's, and then the limit on how many are kept."""
    rows = [table.judged(row, selection.policy) for row in rows]
    most = selection.keep_top
    if selection.keep_fraction is not None:
        most = round(selection.keep_fraction * sum(row["cafi"] is not None for row in rows))
    if most is None:
        return rows
    accepted = [index for index, row in enumerate(rows) if row["verdict"] == "accept"]
    accepted.sort(key=lambda index: -rows[index]["cafi"])  # stable: of equals the first
    for index in accepted[most:]:
        rows[index] = {**rows[index], "verdict": "reject", "reasons": "not_among_best"}
    return rows


def summarise(rows: list[Row]) -> dict[str, Any]:
    """Counts, the distribution of each measure, and which CAFI threshold keeps which share of the faces."""
    verdicts = Counter(row["verdict"] for row in rows)
    faces = [row for row in rows if row["ser_fiq"] is not None]
    return {
        "images": len({row["image"] for row in rows}),
        "faces": len(faces),
        "passing": sum(row["cafi"] is not None for row in faces),
        "accepted": verdicts["accept"],
        "rejected": verdicts["reject"],
        "errors": verdicts["error"],
        "reasons": dict(
            Counter(code for row in rows for code in (row["reasons"] or "").split()).most_common()
        ),
        "measures": {
            name: _distribution([row[name] for row in faces if row[name] is not None])
            for name in ("ser_fiq", "dbcnn", "cafi", "occlusion", "face_size")
        },
        "thresholds": thresholds(rows),
    }


def thresholds(rows: list[Row]) -> list[dict[str, float]]:
    """For each of `SHARES` of the faces that pass the gates the CAFI threshold that keeps them."""
    passing = sorted((row["cafi"] for row in rows if row["cafi"] is not None), reverse=True)
    counts = [(share, max(1, round(share * len(passing)))) for share in SHARES if passing]
    return [{"share": share, "faces": count, "cafi": passing[count - 1]} for share, count in counts]


def _distribution(values: list[float]) -> dict[str, float]:
    if not values:
        return {}
    quantiles = {
        f"p{round(100 * q)}": float(v) for q, v in zip(QUANTILES, np.quantile(values, QUANTILES), strict=True)
    }
    known = {"min": min(values), **quantiles, "max": max(values), "mean": float(np.mean(values))}
    return {name: round(value, 4) for name, value in known.items()}


def _write_text(path: Path, text: str) -> None:
    scratch = path.with_name(path.name + ".part")
    scratch.write_text(text, encoding="utf-8")
    os.replace(scratch, path)
