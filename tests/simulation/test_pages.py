"""Does the page about the simulation name everything that there is?"""

from __future__ import annotations

import re
from pathlib import Path

from kcl_py.testing.seeds.plans import DEED_NAMES
from kcl_py.testing.world import ALL_INVARIANTS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "explanation" / "simulation.md"


def test_every_deed_is_told() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    named = [name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])]

    assert sorted(named) == sorted(DEED_NAMES)


def test_every_checker_is_told() -> None:
    rows = re.findall(r"^\| (I\d+) \|", PAGE.read_text(), re.MULTILINE)

    assert set(rows) == ALL_INVARIANTS
