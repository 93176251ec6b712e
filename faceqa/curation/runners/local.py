"""The images of a run, one batch after the other, on this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from faceqa.curation.journal import SHARDS, Journal
from faceqa.curation.settings import Settings
from faceqa.errors import CurationError
from faceqa.reading.sources import named_images

if TYPE_CHECKING:
    from faceqa.scorer import Scorer


def run(
    settings: Settings,
    out: Path,
    load_scorer: Callable[[], Scorer],
    address: str | None = None,
    store: str | None = None,
) -> Iterator[int]:
    """Assess what is not yet in the journal.

    Args:
        settings: What to assess, and how.
        out: The folder of the run.
        load_scorer: Loads the models; not called where everything is assessed already.
        address: Of other machines, which this runner has none of.
        store: The run's address, to which others send.

    Yields:
        The number of images that came to the journal: first those of earlier runs, then batch by batch.

    Raises:
        CurationError: when the folder holds something else.
    """
    with Journal(out, settings) as journal:
        if (out / SHARDS).exists():
            raise CurationError("other_runner", f"{out} was begun with the runner 'ray'. Go on with it.")
        yield len(journal.done)
        images = named_images(
            settings.paths, settings.sampling, journal.is_new, leave_out=out, root=settings.root
        )
        if settings.most is not None:
            left = settings.most - len(journal.done)
            images = (image for _, image in zip(range(left), images, strict=False))
        first = next(images, None)
        if first is None:
            journal.begin()
            return
        scorer = load_scorer()
        journal.begin(scorer.engine.as_dict())
        batches = scorer.assess_batches(
            chain([first], images), all_faces=settings.all_faces, unmasked=settings.unmasked
        )
        for batch in batches:
            journal.append(batch)
            yield len(batch)
