"""Bad and odd input through every door: what is expected, and what comes.

    python benchmarks/robustness.py

The doors are Python, the command line, the HTTP API and the app; the kinds are broken and hostile images,
zips, videos, arrays, policies, requests and tables, faces in odd places, fifty visitors at once, a full disk,
a folder that cannot be written to and a killed process. tests/hostile/test_robustness.py holds the cases;
this script runs them.

Prints a table and writes results/robustness.json; the exit code is not 0 where a case is not as expected.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1]))

from benchmarks.report import machine, write

ROOT = Path(__file__).parent.parent
CASES = ROOT / "tests" / "hostile" / "test_robustness.py"
WIDEST = 60
"""Columns of the table's expected and got at most."""


class Table:
    """Collects what the tests record of their cases."""

    def __init__(self) -> None:
        self.rows: list[dict[str, str]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """One row a case; a test that could not begin is one, too."""
        if report.when == "call" or not report.passed:
            case = {"door": "", "kind": report.nodeid.partition("::")[2], "expected": "", "got": ""}
            case |= {name: str(value) for name, value in report.user_properties}
            if not report.passed:
                case["got"] += f" ({report.longreprtext.strip().splitlines()[-1]})"
            ok = {"passed": "yes", "failed": "NO", "skipped": "skipped"}[report.outcome]
            self.rows.append({**case, "ok": ok})


def main() -> int:
    """Run the cases, print the table, write results/robustness.json."""
    table = Table()
    options = ["--rootdir", str(ROOT), "-o", "addopts=", "-p", "no:terminal", "-W", "ignore"]
    exit_code = pytest.main([*options, str(CASES)], plugins=[table])
    show(table.rows)
    kinds = {door: len({row["kind"] for row in rows}) for door, rows in by_door(table.rows).items()}
    outcomes = Counter(row["ok"] for row in table.rows)
    all_kinds = len({row["kind"] for row in table.rows})
    print(
        f"\n{all_kinds} kinds, {len(table.rows)} cases; as expected: {dict(outcomes)}; kinds by door: {kinds}"
    )
    write(
        "robustness",
        {
            "machine": machine(),
            "kinds": all_kinds,
            "kinds_by_door": kinds,
            "as_expected": outcomes,
            "cases": table.rows,
        },
    )
    return int(exit_code)


def by_door(rows: list[dict[str, str]]) -> dict[str, list[dict[str, str]]]:
    """The rows of each door."""
    doors: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        doors.setdefault(row["door"], []).append(row)
    return doors


def show(rows: list[dict[str, str]]) -> None:
    """Print the table."""
    columns = ("door", "kind", "expected", "got", "ok")
    lines = [columns, *(tuple(ascii(row[name])[1:-1][:WIDEST] for name in columns) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print("  ".join(f"{cell:{width}}" for cell, width in zip(line, widths, strict=True)).rstrip())


if __name__ == "__main__":
    sys.exit(main())
