"""A folder with one sub-folder a person, or a list -> pairs of pictures: of one person, or of two."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path, PurePosixPath

import numpy as np

from faceqa.errors import EvaluationError
from faceqa.reading.image import IMAGE_SUFFIXES, shown
from faceqa.reading.sources import source_files

MOST_PAIRS_PER_PERSON = 50
"""Mated pairs of one person at most, so that nobody with many pictures decides the figure alone: 50 pictures
would make 1,225 pairs, 5 pictures 10."""

NON_MATED_PER_MATED = 1
"""Non-mated pairs for each mated pair, as in LFW's list."""

FEWEST_NON_MATED = 1000
"""Non-mated pairs at least, where the pictures give so many: an FMR of 0.001 cannot be set with fewer."""

DRAWS_PER_PAIR = 20
"""So many draws for each non-mated pair at most: people with few pictures may run out of pairs."""

TRUTHS = {"1": True, "true": True, "0": False, "false": False}


@dataclass(frozen=True, slots=True)
class Pair:
    """Two pictures, by their names, and whether they show one person."""

    first: str
    second: str
    mated: bool


def picture_name(path: Path, root: Path) -> str:
    """What a picture is called: its path without the root, where the picture lies below the root."""
    return shown(path.relative_to(root) if path.is_relative_to(root) else path)


def folder_pictures(folder: Path, leave_out: Path | None = None) -> dict[str, Path]:
    """Every picture below a folder, by name: its path in the folder.

    Args:
        folder: One sub-folder a person.
        leave_out: A folder that is not searched.

    Raises:
        EvaluationError: when there is no such folder.
    """
    if not folder.is_dir():
        raise EvaluationError(
            "bad_pairs", f"{folder} is no folder. Name one that holds a sub-folder a person."
        )
    files = source_files([folder], leave_out)
    return {picture_name(file, folder): file for file in files if file.suffix.lower() in IMAGE_SUFFIXES}


def listed_pictures(pairs: Iterable[Pair], root: Path) -> dict[str, Path]:
    """Every picture of pairs that were read from a list, by name.

    Args:
        pairs: As `read_pairs` gives them.
        root: The folder that the list's paths start from.
    """
    names = dict.fromkeys(name for pair in pairs for name in (pair.first, pair.second))
    return {name: root / name for name in names}


def read_pairs(path: Path, root: Path) -> list[Pair]:
    """Read a list of pairs: CSV of image, image, mated (1, 0, true or false), with or without a heading.

    Args:
        path: Of the list.
        root: The folder that the list's paths start from.

    Raises:
        EvaluationError: when the file cannot be read, or a line is no pair.
    """
    pairs = []
    for number, cells in _csv_lines(path):
        if number == 1 and len(cells) == 3 and cells[2].lower() == "mated":
            continue
        if len(cells) != 3 or not all(cells) or cells[2].lower() not in TRUTHS:
            raise EvaluationError(
                "bad_pairs",
                f"Line {number} of {path} is no pair. Each line has an image, an image, and 1 or 0: whether"
                " both show the same person.",
            )
        first, second = (picture_name(root / cell, root) for cell in cells[:2])
        pairs.append(Pair(first, second, TRUTHS[cells[2].lower()]))
    return pairs


def people_of(pictures: Iterable[str]) -> dict[str, list[str]]:
    """Group names by their first folder, the person; a picture in no folder is left out."""
    people: dict[str, list[str]] = {}
    for picture in pictures:
        parts = PurePosixPath(picture).parts
        if len(parts) > 1:
            people.setdefault(parts[0], []).append(picture)
    return people


def folder_pairs(people: Mapping[str, Sequence[str]], seed: int = 0) -> list[Pair]:
    """Mated pairs within each person, and non-mated pairs across people; the same seed, the same pairs.

    Args:
        people: The pictures of each person.
        seed: Of the draw, where there are more pairs than `MOST_PAIRS_PER_PERSON`, and of the non-mated
            pairs.

    Raises:
        EvaluationError: when nobody has two pictures, or there is only one person.
    """
    rng = np.random.default_rng(seed)
    pairs = []
    for person in sorted(people):
        within = list(combinations(sorted(people[person]), 2))
        if len(within) > MOST_PAIRS_PER_PERSON:
            drawn = rng.choice(len(within), MOST_PAIRS_PER_PERSON, replace=False)
            within = [within[index] for index in sorted(drawn)]
        pairs += [Pair(first, second, True) for first, second in within]
    if not pairs or len(people) < 2:
        raise EvaluationError(
            "too_few_pairs",
            "An evaluation needs two people at least, and one with two pictures: one sub-folder a person.",
        )
    return pairs + _non_mated_pairs(people, max(NON_MATED_PER_MATED * len(pairs), FEWEST_NON_MATED), rng)


def _non_mated_pairs(
    people: Mapping[str, Sequence[str]], wanted: int, rng: np.random.Generator
) -> list[Pair]:
    """Different pairs across people, each person as likely as any other; all there are, where too few."""
    names = sorted(people)
    sizes = np.array([len(people[name]) for name in names])
    possible = (int(sizes.sum()) ** 2 - int((sizes**2).sum())) // 2
    if possible <= 2 * wanted:
        everyone = [(name, picture) for name in names for picture in sorted(people[name])]
        across = [(a, b) for (one, a), (other, b) in combinations(everyone, 2) if one != other]
        drawn = rng.choice(len(across), min(wanted, len(across)), replace=False)
        return [Pair(across[index][0], across[index][1], False) for index in sorted(drawn)]
    found: dict[tuple[str, str], None] = {}
    for _ in range(DRAWS_PER_PAIR * wanted):
        chosen = [people[names[person]] for person in rng.choice(len(names), 2, replace=False)]
        first, second = (pictures[int(rng.integers(len(pictures)))] for pictures in chosen)
        found[min(first, second), max(first, second)] = None
        if len(found) == wanted:
            break
    return [Pair(first, second, False) for first, second in found]


def _csv_lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The lines that are not empty, each with its number and its cells without spaces around them."""
    if path.exists() and not path.is_file():  # opening a pipe would wait for its writer
        raise EvaluationError("bad_pairs", f"{path} is no file.")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for number, row in enumerate(csv.reader(file), start=1):
                cells = [cell.strip() for cell in row]
                if any(cells):
                    yield number, cells
    except (OSError, ValueError, csv.Error) as error:
        raise EvaluationError("bad_pairs", f"{path} cannot be read as a list of pairs ({error}).") from error
