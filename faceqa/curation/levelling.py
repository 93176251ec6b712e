"""Levelling: SER-FIQ relative to what a good picture of such a face gets, learnt from a data set's own faces.

SER-FIQ says how stable the recognition network finds a face, and that depends on the person as much as on the
picture. From the good faces of one data set (`is_good`: frontal, uncovered, of high picture quality) a kernel
ridge regression learns the log-odds z that such a face gets, z0(e), from the direction e of its embedding. No
label of a group is needed. Then

    ser_fiq_levelled = sigmoid(z - z0(e) + Z_GOOD),

so that a good picture of anybody gets about sigmoid(Z_GOOD), and the faults of a picture are what is left.

Several pictures of one person in one setting count as one. For a person of the fit z0 is what the other
people say (the leave-one-out prediction): nobody's faults are forgiven because all pictures of that person
have them.

The kernel is exp(-|e - e'|^2 / (2 WIDTH^2)) on unit vectors. Far from the faces of the fit the prediction
becomes their mean, and it never leaves the range of the fitted values. The ridge is that of the lowest
squared leave-one-out error in closed form (Allen's PRESS, 1974). Nothing is random.

A fit holds for its data set. It does not carry over to other sources of pictures.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from faceqa.curation.table import Row
from faceqa.errors import CurationError
from faceqa.measures.registry import LEVELLED

LEVELLING = "levelling.npz"
"""The file of a run that holds its fit."""

FEWEST = 200
"""Different people with a good face from which on a fit is made: from there on it explains 0.4 of the
differences between people of mixed sources (training/calibration/levelling.py)."""

LEAST_EXPLAINED = 0.1
"""A fit that explains less of the differences between faces it has not seen is none."""

MOST = 2000
"""People that a fit is made of: the time grows with their cube. Of more every n-th is taken."""

SAME_PERSON = 0.8
"""Cosine from which on two faces are taken for one person in one setting. Pairs of the London set lie at 0.88
and more, strangers below 0.78; SFace's own threshold, 0.363, would merge strangers."""

WIDTH = 0.7
"""Of the kernel. Unit vectors lie 0 to 2 apart, those of two people about 1.4. Widths of 0.6 to 4 explain the
same to 0.03; with a narrow one a face like none of the fit is nearly back at the mean."""

RIDGES = tuple(float(value) for value in np.geomspace(0.001, 30, 16))
"""Ridges that are tried, in units of the kernel's scale, 1."""

Z_GOOD = 2.2
"""Log-odds of the levelled score of a good picture, 0.90: the mean of the good frontal faces of two sources
of real, whole photographs (London 2.5, LFW 1.9)."""

GOOD_YAW = 15.0
"""Degrees up to which a head counts as frontal here; a good face keeps this and the next limits."""

GOOD_ROLL = 20.0
GOOD_OCCLUSION = 0.10
GOOD_DBCNN = 55.5
GOOD_SIZE = 112.0

SATURATED = 5e-5
"""SER-FIQ comes with four decimals: 0 and 1 stand for values this far from them."""

ROWS_AT_ONCE = 256


@dataclass(frozen=True, slots=True, eq=False)
class Levelling:
    """A fit: which z a face gets in a good picture.

    Attributes:
        embeddings: Unit vectors of the people of the fit: float32 (N, K).
        weights: Of each person: float64 (N,).
        left_out: What the fit without a person says of that person: float64 (N,).
        mean: Mean z of these people.
        ridge: The regularisation.
        low: The lowest fitted value; no prediction lies below.
        high: The highest fitted value; no prediction lies above.
        error: Root of the mean squared leave-one-out error, in z.
        explained: 1 - squared leave-one-out error / variance of z.
        faces: How many good faces these people had.
    """

    embeddings: np.ndarray
    weights: np.ndarray
    left_out: np.ndarray
    mean: float
    ridge: float
    low: float
    high: float
    error: float
    explained: float
    faces: int

    def expected(self, embeddings: np.ndarray) -> np.ndarray:
        """The z of such faces in a good picture: embeddings of any length (N, K) -> float64 (N,)."""
        faces = _unit(embeddings)
        found = self.mean + _kernel(faces, self.embeddings) @ self.weights
        alike = faces @ self.embeddings.T.astype(np.float64)
        known = alike.max(axis=1) >= SAME_PERSON
        found[known] = self.left_out[alike[known].argmax(axis=1)]
        return np.clip(found, self.low, self.high)

    def level(self, ser_fiq: np.ndarray, embeddings: np.ndarray) -> np.ndarray:
        """Levelled SER-FIQ: values in [0, 1] (N,) and embeddings (N, K) -> float64 (N,) in [0, 1]."""
        return _sigmoid(_log_odds(ser_fiq) - self.expected(embeddings) + Z_GOOD)

    def rows(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The rows with their levelled SER-FIQ; those without an embedding stay as they are."""
        waiting = iter(rows)
        while batch := list(islice(waiting, ROWS_AT_ONCE)):
            yield from self._levelled(batch)

    def _levelled(self, batch: list[Row]) -> Iterator[Row]:
        faces = [(row.scores["ser_fiq"], row.embedding) for row in batch if row.embedding is not None]
        values: Iterator[float] = iter(())
        if faces:
            scores, embeddings = zip(*faces, strict=True)
            values = iter(self.level(np.array(scores), np.stack(embeddings)).tolist())
        for row in batch:
            if row.embedding is None:
                yield row
            else:
                levelled = {LEVELLED.name: round(next(values), LEVELLED.decimals)}
                yield replace(row, scores={**row.scores, **levelled})

    def write(self, path: Path) -> None:
        """Write the fit as a file of NumPy arrays; the same fit gives the same bytes."""
        scratch = path.with_name(path.name + ".part")
        with scratch.open("wb") as file:
            arrays: Any = {one.name: np.asarray(getattr(self, one.name)) for one in fields(self)}
            np.savez(file, **arrays)
        scratch.replace(path)

    @classmethod
    def read(cls, path: Path) -> Levelling:
        """Read what `write` has written.

        Raises:
            CurationError: `bad_levelling`, when the file is missing or no fit.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                found = {one.name: file[one.name] for one in fields(cls)}
        except (OSError, ValueError, KeyError, EOFError) as error:
            raise CurationError("bad_levelling", f"{path} is no levelling of faceqa ({error}).") from error
        arrays = {name: found.pop(name) for name in ("embeddings", "weights", "left_out")}
        return cls(**arrays, **{name: value.item() for name, value in found.items()})


def is_good(row: Row) -> bool:
    """Whether a face is frontal, uncovered, large and of high picture quality. SER-FIQ has no say."""
    return (
        row.roll is not None
        and abs(row.scores["yaw"]) <= GOOD_YAW
        and abs(row.roll) <= GOOD_ROLL
        and row.scores["occlusion"] <= GOOD_OCCLUSION
        and row.scores["dbcnn"] >= GOOD_DBCNN
        and row.scores["face_size"] >= GOOD_SIZE
    )


def fit_rows(rows: Iterable[Row]) -> Levelling:
    """Learn from the good faces among the rows.

    Raises:
        CurationError: `no_levelling`, when they show too few different people, or nothing can be learnt.
    """
    good = (
        (row.scores["ser_fiq"], row.embedding) for row in rows if row.embedding is not None and is_good(row)
    )
    scores, embeddings = [], []
    every, number = 1, 0
    for number, (score, embedding) in enumerate(good, 1):
        if number % every == 0:
            scores.append(score)
            embeddings.append(embedding)
        if len(scores) > 4 * MOST:  # of millions of faces not all are kept
            scores, embeddings, every = scores[1::2], embeddings[1::2], 2 * every
    if number < FEWEST:
        raise _too_few(number, number)
    found = replace(fit(np.array(scores), np.stack(embeddings)), faces=number)
    if len(found.weights) < FEWEST:
        raise _too_few(number, len(found.weights))
    if found.explained < LEAST_EXPLAINED:
        raise CurationError(
            "no_levelling", "SER-FIQ differs between these people in no way that a fit could learn."
        )
    return found


def _too_few(faces: int, people: int) -> CurationError:
    return CurationError(
        "no_levelling",
        f"Levelling needs good faces (frontal, uncovered, large, sharp) of {FEWEST} people; here are {faces} "
        f"of {people}.",
    )


def fit(ser_fiq: np.ndarray, embeddings: np.ndarray) -> Levelling:
    """Learn from good faces, however few; the same faces in the same order give the same fit.

    Args:
        ser_fiq: In [0, 1], (N,).
        embeddings: Of any length, (N, K).
    """
    targets, people = _by_person(_log_odds(ser_fiq), _unit(embeddings))
    step = -(-len(targets) // MOST)
    targets, people = targets[::step], people[::step]
    mean = float(targets.mean())
    gram = _kernel(people, people)
    values, vectors = np.linalg.eigh(gram)
    spectrum = np.maximum(values, 0), vectors
    ridge = min(RIDGES, key=lambda one: float(np.square(_left_out(spectrum, targets - mean, one)).mean()))
    wrong = _left_out(spectrum, targets - mean, ridge)
    weights = np.linalg.solve(gram + ridge * np.eye(len(gram)), targets - mean)
    fitted = mean + gram @ weights
    squared = float(np.square(wrong).mean())
    return Levelling(
        embeddings=people.astype(np.float32),
        weights=weights,
        left_out=targets - wrong,
        mean=mean,
        ridge=ridge,
        low=float(fitted.min()),
        high=float(fitted.max()),
        error=squared**0.5,
        explained=1 - squared / max(float(targets.var()), 1e-12),
        faces=len(ser_fiq),
    )


def _by_person(z: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean z and mean direction of each person: a face joins the first face that it resembles, in order."""
    first: list[int] = []
    owner = np.empty(len(z), int)
    for index, face in enumerate(faces):
        alike = faces[first] @ face if first else np.zeros(0)
        if len(alike) and alike.max() >= SAME_PERSON:
            owner[index] = int(alike.argmax())
        else:
            owner[index] = len(first)
            first.append(index)
    sums = np.zeros((len(first), faces.shape[1]))
    np.add.at(sums, owner, faces)
    return np.bincount(owner, z) / np.bincount(owner), _unit(sums)


def _left_out(spectrum: tuple[np.ndarray, np.ndarray], target: np.ndarray, ridge: float) -> np.ndarray:
    """Leave-one-out errors (N,) of kernel ridge, from eigenvalues and eigenvectors of the kernel."""
    values, vectors = spectrum
    shrink = values / (values + ridge)
    residual = target - vectors @ (shrink * (vectors.T @ target))
    leverage = vectors**2 @ shrink
    return residual / (1 - leverage)


def _kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Unit vectors (N, K), (M, K) -> exp(-|a - b|^2 / (2 WIDTH^2)), float64 (N, M)."""
    return np.exp((np.asarray(a, np.float64) @ np.asarray(b, np.float64).T - 1) / WIDTH**2)


def _unit(embeddings: np.ndarray) -> np.ndarray:
    """Directions: (N, K) -> float64 (N, K)."""
    found = np.asarray(embeddings, np.float64)
    return found / np.maximum(np.linalg.norm(found, axis=-1, keepdims=True), 1e-12)


def _log_odds(ser_fiq: np.ndarray) -> np.ndarray:
    inside = np.clip(np.asarray(ser_fiq, np.float64), SATURATED, 1 - SATURATED)
    return np.log(inside) - np.log1p(-inside)


def _sigmoid(z: np.ndarray) -> np.ndarray:
    return np.exp(-np.logaddexp(0, -z))
