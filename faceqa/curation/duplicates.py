"""Near-duplicates: faces whose pictures are nearly the same, but for their encoding, size or brightness.

Of each face a vector is compared: the direction of its embedding, which says who it is, beside its
descriptor (`faces.descriptor`), which says how the face looks in this picture. Two faces are as similar as
the weighted mean of both cosines. Embeddings alone do not tell a second picture of a person from the same
picture.

The groups are those of leader clustering (Hartigan, 1975): the faces come in the order of their quality, the
best first; each joins the most similar leader that is similar enough, or else becomes a leader itself. So the
groups do not depend on the order of the images, on the policy or on chance.

Leaders are searched with faiss: one after the other while they are few, and in the nearest cells of an
inverted file where they are many.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from hashlib import sha256

import faiss
import numpy as np

from faceqa.curation.table import SHORTEST, Row
from faceqa.verdict.judge import cafi
from faceqa.verdict.policy import Policy

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

CELLS_PER_ROOT = 4
"""Cells of the inverted file over the square root of the number of faces, as faiss recommends."""

CELLS_SEARCHED = 16
"""Near-duplicates lie in the same cell or in one beside it; a test plants some."""

TRAINED_ON = 64
"""Vectors a cell that the cells are learnt from."""


def find_groups(rows: Iterable[Row]) -> np.ndarray:
    """The group of each row.

    Args:
        rows: Of a run, with what its journal keeps; rows without it are alone.

    Returns:
        ASCII (N,): a group of two faces and more is called after its leader, `LABEL` hexadecimal digits that
        are another group's in no other run; empty is alone.
    """
    numbers, vectors, ranks = [], [], []
    count = 0
    for count, row in enumerate(rows, 1):
        if row.embedding is not None and row.descriptor is not None and row.measures is not None:
            numbers.append(count - 1)
            vectors.append(vector(row.embedding, row.descriptor))
            ranks.append((-cafi(row.measures, Policy()), row.image, row.face_index or 0))
    found = np.zeros(count, f"S{LABEL}")
    if not numbers:
        return found
    order = np.array(sorted(range(len(ranks)), key=ranks.__getitem__))
    leaders = order[find_leaders(np.stack(vectors)[order])]
    several, sizes = np.unique(leaders, return_counts=True)
    labels = {leader: _label(*ranks[leader][1:]) for leader in several[sizes > 1].tolist()}
    found[np.array(numbers)[order]] = [labels.get(leader, b"") for leader in leaders.tolist()]
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


def find_leaders(vectors: np.ndarray, similar: float = SIMILAR) -> np.ndarray:
    """The place of the leader of each vector.

    Args:
        vectors: Unit vectors (N, K), the best first.
        similar: Cosine from which on a vector joins a leader.

    Returns:
        int64 (N,); a leader is its own.
    """
    index = _index(vectors)
    leaders = np.arange(len(vectors))
    places = np.zeros(0, np.int64)
    for start in range(0, len(vectors), AT_ONCE):
        block = vectors[start : start + AT_ONCE].astype(np.float32)
        best, nearest = index.search(block, 1)
        similarity, leader = best[:, 0], np.where(nearest[:, 0] < 0, -1, nearest[:, 0])
        similarity[leader < 0] = -1
        new = _join(block, similarity, leader, len(places), similar)
        places = np.append(places, start + new)
        leaders[start : start + len(block)] = places[leader]
        index.add(block[new])
    return leaders


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


def _index(vectors: np.ndarray) -> faiss.Index:
    """An empty index of inner products for so many vectors."""
    count, length = vectors.shape
    if count <= MOST_EXACT:
        return faiss.IndexFlatIP(length)
    cells = round(CELLS_PER_ROOT * count**0.5)
    index = faiss.IndexIVFScalarQuantizer(
        faiss.IndexFlatIP(length),
        length,
        cells,
        faiss.ScalarQuantizer.QT_fp16,
        faiss.METRIC_INNER_PRODUCT,
    )
    index.nprobe = CELLS_SEARCHED
    step = max(1, count // (cells * TRAINED_ON))
    index.train(vectors[::step].astype(np.float32))
    return index


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / max(float(np.linalg.norm(vector)), SHORTEST)


def _label(image: str, face: int) -> bytes:
    known = f"{image}#{face}".encode("utf-8", "surrogateescape")
    return sha256(known).hexdigest()[:LABEL].encode()
