"""Does the page on scale show what the command generates?"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kcl_py.testing.scale import report
from kcl_py.testing.scale.figures import SIZES
from kcl_py.testing.scale.scenarios import SCENARIOS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "explanation" / "scale.md"
HEADS = {
    "Moves and times": report.MAIN,
    "Cost of a steady fleet": report.COST,
    "What a look at the table costs each worker": report.BUSY,
    "Next to the earlier estimate": report.EARLIER,
    "What grows faster than linearly": report.GROWTH,
}


def sections() -> dict[str, list[list[str]]]:
    text = PAGE.read_text("utf-8")
    generated = text.partition(report.BEGIN)[2].partition(report.END)[0]
    found = {}
    for part in re.split(r"^### ", generated, flags=re.MULTILINE)[1:]:
        title, _, body = part.partition("\n")
        lines = [line for line in body.splitlines() if line.startswith("|")]
        found[title] = [[cell.strip() for cell in line[1:-1].split("|")] for line in lines]
    return found


def test_every_table_that_the_command_makes_is_on_the_page() -> None:
    assert [title for title, _, _ in report.tables([], [])] == list(HEADS)
    assert list(sections()) == list(HEADS)


@pytest.mark.parametrize("title", HEADS)
def test_the_columns_are_those_of_the_command(title: str) -> None:
    head, _, *body = sections()[title]

    assert tuple(head) == HEADS[title]
    assert body
    assert {len(line) for line in body} == {len(head)}


def test_no_size_and_no_scenario_is_missing() -> None:
    _, _, *body = sections()["Moves and times"]

    wanted = [(f"{w:,}", f"{n:,}", name) for w, n in SIZES for name in SCENARIOS]
    assert [tuple(line[:3]) for line in body] == wanted


def test_a_row_has_figures_or_says_why_not() -> None:
    _, _, *body = sections()["Moves and times"]

    for line in body:
        assert line[3] == report.STOPPED or re.fullmatch(r"[\d,]+ \([\d,]+\)", line[3]), line
