"""Near-duplicates: faces whose pictures are nearly the same, but for their encoding, size or brightness.

Of each face a vector is compared: the direction of its embedding, which says who it is, beside its
descriptor (`faces.descriptor`), which says how the face looks in this picture. Two faces are as similar as
the weighted mean of both cosines. Embeddings alone do not tell a second picture of a person from the same
picture.

The groups are those of leader clustering (Hartigan, 1975): the faces come in the order of their quality, the
best first; each joins the most similar leader that is similar enough, or else becomes a leader itself. So the
groups do not depend on the order of the images, on the policy or on chance.

Leaders are searched with faiss: one after the other where the faces are few; of many, by their main
components and in the nearest cells of an inverted file.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from zipfile import BadZipFile

import faiss
import numpy as np

from faceqa.curation import journal
from faceqa.curation.table import SHORTEST, Row, whole
from faceqa.verdict.judge import cafi
from faceqa.verdict.policy import Policy
from faceqa.version import __version__

GROUPS = "groups.npz"
"""The file of a run that holds its groups; it can be deleted, and is made again."""

SIMILAR = 0.97
"""Similarity from which on two faces count as one picture (benchmarks/duplicates.py)."""

EMBEDDING_WEIGHT = 0.1
"""Of the embedding's cosine; that of the descriptor's has the rest."""

LABEL = 12
"""Letters of a group's name."""

AT_ONCE = 1024
"""Faces that are searched together."""

MOST_EXACT = 50_000
"""Faces up to which every leader is compared; of more those in the nearest cells."""

COMPONENTS = 64
"""Main components of many vectors that the nearest leaders are searched by. Reduced vectors lie no farther
apart than whole ones, so what is nearly the same stays near."""

CANDIDATES = 4
"""Leaders that are nearest by these; of them the whole vectors are compared."""

AXES_TRAINED_ON = 20_000
"""Vectors that the main components are learnt from."""

CELLS_PER_ROOT = 4
"""Cells of the inverted file over the square root of the number of faces, as faiss recommends."""

CELLS_SEARCHED = 32
"""Near-duplicates lie in the same cell or in one beside it; a test plants some."""

TRAINED_ON = 39
"""Vectors a cell that the cells are learnt from: the fewest that faiss asks for."""


def groups_of_run(out: Path) -> np.ndarray:
    """The group of each row of a run, as `find_groups` says; found once, as no policy moves them.

    Args:
        out: Its folder.
    """
    extent = f"{__version__} {journal.extent(out)}"
    with suppress(OSError, ValueError, KeyError, BadZipFile), np.load(out / GROUPS) as known:
        if known["extent"] == extent:
            return np.asarray(known["groups"])
    groups = find_groups(journal.read_rows(out))
    with whole(out / GROUPS) as scratch, scratch.open("wb") as file:
        np.savez(file, extent=extent, groups=groups)
    return groups


def find_groups(rows: Iterable[Row]) -> np.ndarray:
    """The group of each row.

    Args:
        rows: Of a run, with what its journal keeps; rows without it are alone.

    Returns:
        ASCII (N,): a group of two faces and more is called after its leader, `LABEL` hexadecimal digits that
        are another group's in no other run; empty is alone.
    """
    numbers, ranks = array("q"), []
    packed = bytearray()
    count = 0
    for count, row in enumerate(rows, 1):
        if row.embedding is not None and row.descriptor is not None and row.measures is not None:
            numbers.append(count - 1)
            packed += vector(row.embedding, row.descriptor).tobytes()
            ranks.append((-cafi(row.measures, Policy()), row.image, row.face_index or 0))
    found = np.zeros(count, f"S{LABEL}")
    if not numbers:
        return found
    vectors = np.frombuffer(packed, np.float16).reshape(len(numbers), -1)
    order = np.array(sorted(range(len(ranks)), key=ranks.__getitem__))
    leaders = find_leaders(vectors, order=order)
    several, sizes = np.unique(leaders, return_counts=True)
    labels = {leader: _label(*ranks[leader][1:]) for leader in several[sizes > 1].tolist()}
    found[np.array(numbers)] = [labels.get(leader, b"") for leader in leaders.tolist()]
    return found


def with_groups(rows: Iterable[Row], groups: np.ndarray) -> Iterator[Row]:
    """The rows with their groups, as `find_groups` gives them."""
    for row, group in zip(rows, groups.tolist(), strict=True):
        yield replace(row, group=group.decode()) if group else row


def vector(embedding: np.ndarray, descriptor: np.ndarray) -> np.ndarray:
    """What is compared of a face: a unit vector, float16 (K + L,), of which inner products are similarities.

    Args:
        embedding: Of any length, (K,).
        descriptor: Of any length, (L,).
    """
    weighted = ((embedding, EMBEDDING_WEIGHT), (descriptor, 1 - EMBEDDING_WEIGHT))
    parts = [weight**0.5 * _unit(np.asarray(part, np.float32)) for part, weight in weighted]
    return np.concatenate(parts).astype(np.float16)


def find_leaders(
    vectors: np.ndarray, similar: float = SIMILAR, order: np.ndarray | None = None
) -> np.ndarray:
    """The place of the leader of each vector.

    Args:
        vectors: Unit vectors (N, K).
        similar: Cosine from which on a vector joins a leader.
        order: Their places, the best first; by default they come in that order.

    Returns:
        int64 (N,); a leader is its own.
    """
    order = np.arange(len(vectors)) if order is None else order
    found = np.empty(len(vectors), np.int64)
    leaders = _Leaders(vectors)
    for start in range(0, len(vectors), AT_ONCE):
        places = order[start : start + AT_ONCE]
        block = vectors[places].astype(np.float32)
        similarity, leader = leaders.nearest(block)
        new = _join(block, similarity, leader, leaders.count, similar)
        leaders.add(places[new])
        found[places] = leaders.places[leader]
    return found


def _join(
    block: np.ndarray, similarity: np.ndarray, leader: np.ndarray, known: int, similar: float
) -> np.ndarray:
    """Let a block's vectors join the leaders known before, or leaders among themselves.

    Args:
        block: float32 (B, K).
        similarity: To the nearest leader known before (B,); changed in place.
        leader: The number of that leader (B,); changed in place into the number of the vector's leader.
        known: How many leaders there were.
        similar: As for `find_leaders`.

    Returns:
        The places in the block of its new leaders, which are numbered from `known` on.
    """
    alike = block @ block.T
    new: list[int] = []
    for place in range(len(block)):
        if similarity[place] >= similar:
            continue
        leader[place] = known + len(new)
        new.append(place)
        later = slice(place + 1, None)
        nearer = alike[place, later] > similarity[later]
        similarity[later][nearer] = alike[place, later][nearer]
        leader[later][nearer] = leader[place]
    return np.array(new, np.int64)


class _Leaders:
    """The leaders so far.

    Attributes:
        places: Of the leaders among the vectors (N,), as far as `count`.
        count: How many leaders there are.
    """

    def __init__(self, vectors: np.ndarray) -> None:
        self.places = np.zeros(len(vectors), np.int64)
        self.count = 0
        self._vectors = vectors
        self._axes: faiss.PCAMatrix | None = None
        if len(vectors) <= MOST_EXACT:
            self._index: faiss.Index = faiss.IndexFlatL2(vectors.shape[1])
        else:
            self._axes, self._index = _cells(vectors)

    def add(self, places: np.ndarray) -> None:
        """Let vectors become leaders; their numbers go on from `count`."""
        self.places[self.count : self.count + len(places)] = places
        self.count += len(places)
        self._index.add(self._reduced(self._vectors[places].astype(np.float32)))

    def nearest(self, block: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Cosine and number of the leader that is most similar to each vector.

        Args:
            block: float32 (B, K).

        Returns:
            float32 (B,) and int64 (B,); -1 and -1 where none was found.
        """
        _, numbers = self._index.search(self._reduced(block), CANDIDATES)
        candidates = self._vectors[self.places[numbers]].astype(np.float32)
        cosines = np.where(numbers < 0, -1, np.einsum("bk,bnk->bn", block, candidates))
        best = np.arange(len(block)), cosines.argmax(axis=1)
        return cosines[best].astype(np.float32), numbers[best]

    def _reduced(self, block: np.ndarray) -> np.ndarray:
        return block if self._axes is None else np.asarray(self._axes.apply(block))


def _cells(vectors: np.ndarray) -> tuple[faiss.PCAMatrix, faiss.Index]:
    """The main components of many vectors, and an empty inverted file of what is reduced to them."""
    count, length = vectors.shape
    cells = round(CELLS_PER_ROOT * count**0.5)
    sample = vectors[:: max(1, count // (cells * TRAINED_ON))]
    axes = faiss.PCAMatrix(length, min(length, COMPONENTS))
    axes.train(sample[:: max(1, len(sample) // AXES_TRAINED_ON)].astype(np.float32))
    index = faiss.IndexIVFScalarQuantizer(
        faiss.IndexFlatL2(axes.d_out),
        axes.d_out,
        cells,
        faiss.ScalarQuantizer.QT_fp16,
        faiss.METRIC_L2,
        False,  # the vectors themselves, not what is left of them beside their cell's middle
    )
    index.nprobe = CELLS_SEARCHED
    blocks = (sample[start : start + AT_ONCE] for start in range(0, len(sample), AT_ONCE))
    index.train(np.concatenate([axes.apply(block.astype(np.float32)) for block in blocks]))
    return axes, index


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / max(float(np.linalg.norm(vector)), SHORTEST)


def _label(image: str, face: int) -> bytes:
    known = f"{image}#{face}".encode("utf-8", "surrogateescape")
    return sha256(known).hexdigest()[:LABEL].encode()
