"""The README's tables of whom the gates reject, from results/fairness.json.

    python benchmarks/fairness_tables.py

A cell holds the shares of the worst and of the best group of one kind in one source that are rejected, and
their ratio, as `benchmarks/fairness.py` has it: a group without a rejection counts half a face.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

FIGURES = Path(__file__).parent / "results/fairness.json"

SEXES = ("female", "male")


@dataclass(frozen=True, slots=True)
class Kind:
    """Groups of one source that are compared.

    Attributes:
        name: As the benchmark calls it.
        source: In the tables.
        by: What tells the groups apart.
    """

    name: str
    source: str
    by: str

    def members(self, groups: Mapping[str, Any]) -> dict[str, Any]:
        """Those of all groups that belong to it."""
        return {name: found for name, found in groups.items() if _kind(name) == self.name}


KINDS = (
    Kind("generated, by sex and group", "generated", "sex and group"),
    Kind("london, by group", "one studio", "ethnicity"),
    Kind("southasian, by group", "South Asian web", "region"),
    Kind("lfw, by sex", "LFW", "sex"),
)

GATES = {
    "ser_fiq 0.5": "SER-FIQ 0.5",
    "gates, reference": "all gates of *reference*",
    "ser_fiq 0.05": "SER-FIQ 0.05",
    "yaw 45": "head turn 45°",
    "occlusion 0.25": "covered 25 %",
    "gates, fair": "all gates of *fair*",
    "cafi 55.5": "CAFI 55.5",
}
"""Rows of the first table."""

TOGETHER = "gates, "
"""How the name of all gates of a preset begins; their ratio has an interval."""

DAMAGES = {
    "framed": "none",
    "blur, sigma 3.6 % of the face's width": "blur, sigma 3.6 % of the face's width",
    "noise, deviation 44 of 255": "noise, deviation 44 of 255",
    "resolution reduced 6 times": "resolution reduced 6 times",
    "4 stops darker": "4 stops darker",
}
"""Rows of the second table."""

DAMAGED = KINDS[:2]
"""The sources of the second table: sharp and evenly lit before they are damaged."""

COLUMNS = {
    "ser_fiq 0.5": "SER-FIQ 0.5",
    "ser_fiq 0.05": "SER-FIQ 0.05",
    "accepted, fair": "*fair*, with CAFI",
}
"""Of each source of the second table."""


def main() -> None:
    """Print both tables."""
    populations = json.loads(FIGURES.read_text(encoding="utf-8"))["populations"]
    print(*by_gate(populations["large"]), "", *by_damage(populations), sep="\n")


def by_gate(large: Mapping[str, Any]) -> Iterator[str]:
    """Lines of the first table: what each gate by itself rejects of every picture with a large face."""
    kinds = {kind: kind.members(large["groups"]) for kind in KINDS}
    yield _line("gate", *(f"{kind.source}, by {kind.by}: {_sizes(groups)}" for kind, groups in kinds.items()))
    yield "|---" * (len(KINDS) + 1) + "|"
    for column, title in GATES.items():
        cells = []
        for kind, groups in kinds.items():
            rejected = _rejected(groups, column)
            cell = _told(rejected)
            if max(rejected.values()):
                cell += f"; {_ratio(rejected, groups):.1f}"
                if column.startswith(TOGETHER):
                    _, low, high = large["differences"][kind.name][column.removeprefix(TOGETHER)]["ratio"]
                    cell += f" ({low:.1f} to {high:.1f})"
            cells.append(cell)
        yield _line(title, *cells)


def by_damage(populations: Mapping[str, Any]) -> Iterator[str]:
    """Lines of the second table: what is rejected after the same damage to every group."""
    yield _line("damage", *(f"{kind.source}: {title}" for kind in DAMAGED for title in COLUMNS.values()))
    yield "|---" * (1 + len(DAMAGED) * len(COLUMNS)) + "|"
    for name, title in DAMAGES.items():
        groups = populations[name]["groups"]
        cells = (_told(_rejected(kind.members(groups), column)) for kind in DAMAGED for column in COLUMNS)
        yield _line(title, *cells)


def _kind(group: str) -> str:
    source, *words = group.split(", ")
    if len(words) > 1:
        return f"{source}, by sex and group"
    return f"{source}, by {'sex' if words[0] in SEXES else 'group'}"


def _rejected(groups: Mapping[str, Any], column: str) -> dict[str, Fraction]:
    """The share of each group, exactly: the file has rounded shares of whole faces."""
    return {
        name: 1 - Fraction(round(found[column][0] * found["faces"]), found["faces"])
        for name, found in groups.items()
    }


def _ratio(rejected: Mapping[str, Fraction], groups: Mapping[str, Any]) -> float:
    lowest = min(share or Fraction(1, 2 * groups[name]["faces"]) for name, share in rejected.items())
    return float(max(rejected.values()) / lowest)


def _told(rejected: Mapping[str, Fraction]) -> str:
    worst, best = (_percent(end) for end in (max(rejected.values()), min(rejected.values())))
    return f"{worst} %" if worst == best else f"{worst} / {best} %"


def _percent(share: Fraction) -> str:
    percent = float(100 * share)
    return f"{percent:.1f}" if 0 < percent < 1 else f"{percent:.0f}"


def _sizes(groups: Mapping[str, Any]) -> str:
    faces = [found["faces"] for found in groups.values()]
    return f"{len(faces)} groups of {min(faces)} to {max(faces)}"


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
