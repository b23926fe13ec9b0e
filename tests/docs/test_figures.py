"""Do figures that several pages quote still agree with the page of performance?"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from tests.docs.pages import DOCS, ROOT

README: Final = ROOT / "README.md"
COMPARISON: Final = DOCS / "explanation" / "comparison.md"
SEVERAL_CORES: Final = DOCS / "how-to" / "several-cores.md"
MEASURED: Final = (DOCS / "explanation" / "performance.md").read_text(encoding="utf-8")

SHARE: Final = 0.03
"""Figures are rounded, and a ratio of medians is not the median of ratios."""


def row_of(name: str) -> list[float]:
    """The numbers of the first row of this name; of two ways to be connected the first, TLS."""
    [cells, *_] = re.findall(rf"^\| {re.escape(name)} \| (.*) \|$", MEASURED, re.MULTILINE)
    firsts = [re.match(r"[\d.,]+", cell.strip()) for cell in cells.split("|")]
    return [float(first[0].replace(",", "")) for first in firsts if first]


def quoted(page: Path, pattern: str) -> list[float]:
    """The numbers that a page has at one place."""
    found = re.search(pattern, page.read_text(encoding="utf-8"))
    assert found is not None, pattern
    return [float(number.replace(",", "")) for number in found.groups()]


OURS: Final = row_of("the whole worker")
CONTENDERS: Final = {
    r"a bare `get_records` loop of boto3": "boto3 as it is",
    r"the Python half of `amazon_kclpy` alone, without its JVM": (
        "amazon_kclpy's Python half, without its JVM"
    ),
    r"`async-kinesis`": "async-kinesis",
}


@pytest.mark.parametrize("said", CONTENDERS)
def test_the_ratios_of_the_readme_are_those_measured(said: str) -> None:
    ratios = quoted(README, rf"\| {said} \| ([\d.]+) times less \| ([\d.]+) times less \|")

    theirs = row_of(CONTENDERS[said])
    assert ratios == pytest.approx([theirs[0] / OURS[0], theirs[1] / OURS[1]], rel=SHARE)


def test_the_comparison_has_the_same_ratios() -> None:
    ratios = quoted(
        COMPARISON, r"next to us \| 1 \| ([\d.]+) for its .*? measured \| (\d+) .* \| (\d+) \|"
    )
    names = ("amazon_kclpy's Python half, without its JVM", "async-kinesis", "boto3 as it is")
    measured = [row_of(name)[0] / OURS[0] for name in names]

    assert ratios == pytest.approx(measured, rel=SHARE)


@pytest.mark.parametrize(
    ("page", "pattern", "names", "unit"),
    [
        (README, r"1,000 idle shards take (\d+) %", ["1,000 idle shards: CPU of the worker"], 1),
        (
            README,
            r"it takes (\d+) ms \(p50\) and (\d+) ms \(p99\)",
            [
                "1 busy shard, 20 records/s each: put to process_records, p50",
                "1 busy shard, 20 records/s each: put to process_records, p99",
            ],
            1,
        ),
        (
            SEVERAL_CORES,
            r"CPU for a million records, all together \| ([\d.]+) s \| ([\d.]+) s",
            [
                "48 full shards of 100 B records, processes: 1: CPU",
                "48 full shards of 100 B records, processes: 2: CPU",
            ],
            1,
        ),
        (
            SEVERAL_CORES,
            r"records that they got \| ([\d,]+) a second \| ([\d,]+) a second",
            [
                "48 full shards of 100 B records, processes: 1: records that they got",
                "48 full shards of 100 B records, processes: 2: records that they got",
            ],
            1000,
        ),
        (SEVERAL_CORES, r"64 idle shards \| (\d+) MiB", ["64 idle shards: the process"], 1),
        (
            SEVERAL_CORES,
            r"counted as: (\d+) MiB for 100 B",
            ["256 shards, budget full of 100 B records: more than idle"],
            1,
        ),
    ],
)
def test_a_figure_is_the_one_that_was_measured(
    page: Path, pattern: str, names: list[str], unit: int
) -> None:
    measured = [row_of(name)[0] * unit for name in names]

    assert quoted(page, pattern) == pytest.approx(measured, rel=SHARE)
