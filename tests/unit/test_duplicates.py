"""Groups of near-duplicates: what leader clustering finds, and what follows from the groups."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from faceqa import Policy
from faceqa.curation import duplicates
from faceqa.curation.duplicates import SIMILAR, find_groups, find_leaders, with_groups
from faceqa.curation.selection import Summing, select
from faceqa.curation.settings import Selection
from faceqa.curation.table import Row

LENGTH = 96


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def copies(pictures: int, each: int, noise: float = 0.05, seed: int = 0) -> np.ndarray:
    """So many unit vectors, each so many times with a little noise: (pictures * each, K)."""
    rng = np.random.default_rng(seed)
    bases = np.repeat(unit(rng.normal(size=(pictures, LENGTH))), each, axis=0)
    return unit(bases + noise * unit(rng.normal(size=bases.shape))).astype(np.float16)


def leaders_by_hand(vectors: np.ndarray, similar: float) -> list[int]:
    """Hartigan (1975), as the book has it: one after the other."""
    alike = vectors.astype(np.float32) @ vectors.astype(np.float32).T
    leaders: list[int] = []
    found = []
    for place in range(len(vectors)):
        nearest = max(leaders, key=lambda one: alike[place, one], default=None)
        if nearest is None or alike[place, nearest] < similar:
            leaders.append(place)
            nearest = place
        found.append(nearest)
    return found


def face(image: str, vector: np.ndarray, dbcnn: float = 60.0, **scores: float) -> Row:
    half = len(vector) // 2
    usual = {"face_size": 300.0, "yaw": 0.0, "ser_fiq": 0.8, "occlusion": 0.0}
    return Row(
        image,
        "accept",
        face_index=0,
        scores={**usual, "dbcnn": dbcnn, **scores},
        embedding=vector[:half],
        descriptor=vector[half:],
    )


def grouped(rows: Sequence[Row], selection: Selection | None = None) -> list[Row]:
    known = list(with_groups(rows, find_groups(rows)))
    return list(select(lambda: known, selection or Selection()))


@pytest.mark.parametrize("at_once", [7, 1024])
@pytest.mark.parametrize("similar", [0.5, 0.75, 0.9])
def test_leaders_are_those_of_the_book(monkeypatch, at_once, similar):
    monkeypatch.setattr(duplicates, "AT_ONCE", at_once)
    vectors = copies(30, 10, noise=0.6)
    vectors = vectors[np.random.default_rng(1).permutation(len(vectors))]
    assert find_leaders(vectors, similar).tolist() == leaders_by_hand(vectors, similar)


def test_many_leaders_are_searched_in_cells_and_hardly_a_copy_is_missed(monkeypatch):
    monkeypatch.setattr(duplicates, "MOST_EXACT", 100)
    vectors = copies(1500, 4)
    found = find_leaders(vectors)
    right = np.arange(len(vectors)) // 4 * 4
    assert (found == right).mean() > 0.99


def test_groups_do_not_depend_on_the_order_of_the_images():
    vectors = copies(20, 5, noise=(1 / SIMILAR - 1) ** 0.5)  # two copies are about as similar as that
    quality = np.random.default_rng(3).uniform(40, 80, len(vectors)).round(2)
    rows = [face(f"{place:03}.jpg", *known) for place, known in enumerate(zip(vectors, quality, strict=True))]
    usual = {row.image: row.group for row in grouped(rows)}
    shuffled = [rows[place] for place in np.random.default_rng(4).permutation(len(rows))]
    assert {row.image: row.group for row in grouped(shuffled)} == usual
    assert 1 < len(set(usual.values())) < len(rows)


def test_the_best_of_a_group_is_named_and_without_unique_nothing_else_changes():
    a, b = copies(2, 3, noise=0.02).reshape(2, 3, LENGTH)
    rows = [face("a0", a[0], 60), face("b0", b[0]), face("a1", a[1], 70), face("a2", a[2], 40)]
    found = grouped(rows)
    assert [row.duplicate_of for row in found] == ["a1", None, None, "a1"]
    assert found[0].group == found[2].group == found[3].group
    assert found[0].group is not None and found[1].group is None, "alone"
    plain = [replace(row, group=None, duplicate_of=None) for row in found]
    assert plain == list(select(lambda: rows, Selection()))


def test_unique_keeps_the_best_that_passes_the_gates():
    a = copies(1, 4, noise=0.02)
    rows = [face("a0", a[0], 60), face("a1", a[1], 70), face("a2", a[2], 80, yaw=80.0), face("a3", a[3], 40)]
    found = grouped(rows, Selection(unique=True))
    assert [row.verdict for row in found] == ["reject", "accept", "reject", "reject"]
    assert [row.reasons for row in found] == [("duplicate",), (), ("turned_away",), ("duplicate",)]
    assert [row.duplicate_of for row in found] == ["a1", None, "a1", "a1"]
    assert found[0].cafi is None and found[0].scores == rows[0].scores, "a gate, as the others are"
    summing = Summing()
    for row in found:
        summing.add(row)
    summary = summing.summary()
    assert (summary.groups, summary.duplicates, summary.passing, summary.accepted) == (1, 3, 1, 1)


def test_another_policy_finds_another_best_in_the_same_groups():
    a = copies(1, 2, noise=0.02)
    turned = [face("straight", a[0], 60), face("turned", a[1], 70, yaw=50.0)]
    usual = grouped(turned, Selection(unique=True))
    other = list(select(lambda: usual, Selection(Policy(max_yaw=90), unique=True)))
    assert [row.verdict for row in usual] == ["accept", "reject"]
    assert [row.verdict for row in other] == ["reject", "accept"]
    assert [row.group for row in other] == [row.group for row in usual]
    assert list(select(lambda: other, Selection(unique=True))) == usual, "and back"


def test_of_equals_the_first_by_name_is_kept():
    a = copies(1, 3, noise=0.02)
    found = grouped([face("c", a[0]), face("a", a[1]), face("b", a[2])], Selection(unique=True))
    assert [row.verdict for row in found] == ["reject", "accept", "reject"]


def test_a_limit_counts_no_duplicates():
    vectors = copies(4, 2, noise=0.02)
    rows = [face(f"{place}", vector, 60 + place) for place, vector in enumerate(vectors)]
    kept = [row.image for row in grouped(rows, Selection(keep_top=3, unique=True)) if row.verdict == "accept"]
    assert kept == ["3", "5", "7"]
    half = grouped(rows, Selection(keep_fraction=0.5, unique=True))
    assert [row.image for row in half if row.verdict == "accept"] == ["5", "7"]


def test_images_without_a_face_are_in_no_group():
    same = copies(1, 2, noise=0.02)
    rows = [
        Row("tree", "reject"),
        face("a", same[0]),
        Row("broken", "error"),
        face("b", same[1]),
        Row("tree2", "reject"),
    ]
    assert [row.group is not None for row in grouped(rows)] == [False, True, False, True, False]
    assert find_groups([]).tolist() == []
    assert find_groups(rows[:1]).tolist() == [b""]


def test_groups_of_two_runs_do_not_mix():
    """Tables of several runs are judged as one."""
    one, other = copies(2, 2, noise=0.02).reshape(2, 2, LENGTH)
    first = grouped([face("a/1", one[0], 61), face("a/2", one[1])])
    second = grouped([face("b/1", other[0], 62), face("b/2", other[1])])
    both = select(lambda: [*first, *second], Selection(unique=True))
    assert [row.verdict for row in both] == ["accept", "reject", "accept", "reject"]
