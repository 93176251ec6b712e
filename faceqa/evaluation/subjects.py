"""Pictures of people -> what is measured of each person, kept on disk so that the work can go on.

All faces of a picture are measured. The face whose box lies nearest to the picture's centre is the person's:
collections such as LFW centre the person whom they name, and others may stand larger in the foreground.

The journal is `subjects.jsonl`, the evaluation's own, since it holds the embeddings. Its first line says
what the numbers depend on. Each further line holds a batch of pictures and is on disk before the next batch.
A line that an interruption left unfinished is no part of the journal.
"""

from __future__ import annotations

import base64
import json
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Self

import numpy as np

from faceqa import weights
from faceqa.errors import EvaluationError
from faceqa.reading.image import NamedImage
from faceqa.types import Assessment, Face, Measures, measures_of
from faceqa.version import __version__

if TYPE_CHECKING:
    from faceqa.scorer import Scorer

JOURNAL = "subjects.jsonl"
"""The file in the output folder."""

EMBEDDING_TYPE = "<f4"
"""Of the numbers whose bytes the journal holds in base64."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """What the numbers depend on: the first line of the journal. Work goes on only under the same.

    Attributes:
        root: The folder that the pictures' names leave out.
        models: The model set.
        iqa: Another metric in the place of DBCNN.
        unmasked: Whether the measures on request are taken, too.
        version: Of faceqa.
        weights: Fingerprint of the networks; empty stands for that of the model set as it is now.
    """

    root: str
    models: weights.Models = "open"
    iqa: str | None = None
    unmasked: bool = False
    version: str = __version__
    weights: str = ""

    def __post_init__(self) -> None:
        if not self.weights:
            object.__setattr__(self, "weights", weights.fingerprint(self.models))


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """The person whom a picture shows.

    Attributes:
        scores: The measures by the registry's names and in its units; empty without a face.
        confidence: The detector's, in [0, 1]; None without a face.
        embedding: The face as the recognition network sees it: float32 (K,), not normalised; None without a
            face.
        error: Why the picture could not be assessed, in a sentence; None where it was.
        components: The quality components by name; empty without a face.
    """

    scores: Mapping[str, float] = field(default_factory=dict)
    confidence: float | None = None
    embedding: np.ndarray | None = None
    error: str | None = None
    components: Mapping[str, int | None] = field(default_factory=dict)

    @classmethod
    def of(cls, faces: Sequence[Assessment]) -> Subject:
        """The person of a picture.

        Args:
            faces: One assessment a face; of a picture without one its only assessment.
        """
        found = min(faces, key=_off_centre)
        return cls(
            dict(found.scores),
            None if found.face is None else found.face.confidence,
            found.embedding,
            found.error,
            dict(found.components),
        )

    @property
    def measures(self) -> Measures | None:
        """What a verdict rests on; None without a face."""
        return measures_of(self.scores, self.components) if self.scores else None

    def _to_json(self) -> dict[str, Any]:
        packed = None
        if self.embedding is not None:
            packed = base64.b64encode(self.embedding.astype(EMBEDDING_TYPE).tobytes()).decode()
        return {
            "scores": dict(self.scores),
            "confidence": self.confidence,
            "embedding": packed,
            "error": self.error,
            "components": dict(self.components),
        }

    @classmethod
    def _from_json(cls, known: dict[str, Any]) -> Self:
        packed = known["embedding"]
        vector = None if packed is None else np.frombuffer(base64.b64decode(packed), EMBEDDING_TYPE)
        return cls(**{**known, "embedding": vector})


def off_centre(face: Face, width: int, height: int) -> float:
    """Distance of the middle of a face's box from the middle of its picture of this size, px."""
    x1, y1, x2, y2 = face.box
    return math.dist(((width - 1) / 2, (height - 1) / 2), ((x1 + x2) / 2, (y1 + y2) / 2))


def measure(
    pictures: Mapping[str, Path], conditions: Conditions, out: Path, load_scorer: Callable[[], Scorer]
) -> Iterator[int]:
    """Measure the people of pictures, or what an earlier call left of them.

    Args:
        pictures: The file of each, by name.
        conditions: Under which they are measured.
        out: The folder of the journal: new, empty, or that of an earlier call.
        load_scorer: Loads the models; not called where everything is measured already.

    Yields:
        How many more pictures are in the journal; first those of earlier calls.

    Raises:
        EvaluationError: when the folder holds something else.
    """
    path = out / JOURNAL
    done = _opened(path, conditions)
    missing = [NamedImage(name, picture) for name, picture in pictures.items() if name not in done]
    yield len(pictures) - len(missing)
    if not missing:
        return
    with path.open("ab") as journal:
        for batch in load_scorer().assess_batches(missing, all_faces=True, unmasked=conditions.unmasked):
            _write(journal, {faces[0].image: Subject.of(faces)._to_json() for faces in batch})
            yield len(batch)


def read_subjects(out: Path) -> dict[str, Subject]:
    """The people who were measured so far, by the pictures' names.

    Raises:
        EvaluationError: when the folder holds no journal.
    """
    try:
        batches = [batch for _, batch in _lines(out / JOURNAL)][1:]
        return {name: Subject._from_json(known) for batch in batches for name, known in batch.items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise _no_journal(out / JOURNAL, error) from error


def _opened(path: Path, conditions: Conditions) -> set[str]:
    """Make the journal, or cut off what an interruption left unfinished; the names of the pictures in it."""
    out = path.parent
    try:
        out.mkdir(parents=True, exist_ok=True)
        strangers = not path.exists() and any(out.iterdir())
    except OSError as error:
        raise EvaluationError("bad_output", f"The folder {out} cannot be written to ({error}).") from error
    if strangers:
        raise EvaluationError("bad_output", f"The folder {out} holds other files. Choose a new one.")
    with path.open("a+b") as journal:
        try:
            lines = list(_lines(path))
            known = Conditions(**lines[0][1]) if lines else None
            done = {name for _, batch in lines[1:] for name in batch}
        except (ValueError, TypeError) as error:
            raise _no_journal(path, error) from error
        if known not in (None, conditions):
            raise EvaluationError(
                "other_evaluation",
                f"{out} holds an evaluation of other pictures, measures or models. Choose a new folder, or"
                " delete it.",
            )
        journal.truncate(lines[-1][0] if lines else 0)
        if known is None:
            _write(journal, asdict(conditions))
    return done


def _lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The whole lines of a journal, each with the place in bytes where it ends."""
    end = 0
    with path.open("rb") as file:
        for line in file:
            if not line.endswith(b"\n"):
                return
            end += len(line)
            yield end, json.loads(line)


def _write(journal: BinaryIO, line: Mapping[str, Any]) -> None:
    """Append a line and wait until it is on disk."""
    journal.write(json.dumps(line).encode() + b"\n")
    journal.flush()
    os.fsync(journal.fileno())


def _no_journal(path: Path, error: Exception) -> EvaluationError:
    return EvaluationError("other_evaluation", f"{path} is no journal of an evaluation ({error}).")


def _off_centre(found: Assessment) -> float:
    if found.face is None or found.width is None or found.height is None:
        return 0.0
    return off_centre(found.face, found.width, found.height)
