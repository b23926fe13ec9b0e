"""Has every block of every page somebody who runs it?

Whoever runs blocks yields them from `claimed_blocks()`, computed from what its tests go through.
"""

from __future__ import annotations

import importlib
import re
from collections import defaultdict
from pathlib import Path
from typing import Final

import pytest

from tests.docs.pages import PAGES, ROOT, Block, Claim, blocks_of, name_of

EXECUTORS: Final = (
    "tests.acceptance.test_tutorials",
    "tests.docs.test_beginnings",
    "tests.docs.test_cli_page",
    "tests.docs.test_examples",
    "tests.docs.test_failing_records",
    "tests.docs.test_how_to",
    "tests.docs.test_long_commands",
    "tests.docs.test_mermaid",
    "tests.docs.test_reference",
    "tests.docs.test_repair_pages",
    "tests.docs.test_shown_output",
    "tests.docs.test_trace_page",
    "tests.docs.test_tutorial",
    "tests.process.test_chaos",
)

AT_DEPLOY: Final = tuple(
    f"tests.deploy.{path.stem}"
    for path in sorted((ROOT / "tests" / "deploy").glob("*.py"))
    if "\ndef claimed_blocks(" in path.read_text(encoding="utf-8")
)


def all_blocks() -> dict[Claim, Block]:
    return {(name_of(page), block.number): block for page in PAGES for block in numbered(page)}


def numbered(page: Path) -> list[Block]:
    return [block for block in blocks_of(page) if block.kind != "wait"]


def claimants() -> dict[Claim, list[str]]:
    """Who runs a block."""
    found: defaultdict[Claim, list[str]] = defaultdict(list)
    for name in (*EXECUTORS, *AT_DEPLOY):
        for claim in importlib.import_module(name).claimed_blocks():
            found[claim].append(name)
    return found


BLOCKS: Final = all_blocks()
CLAIMANTS: Final = claimants()


def test_every_block_is_run_by_somebody() -> None:
    nobody = [
        f"{page}, block {number} ({block.kind}): {block.text[:60]!r}"
        for (page, number), block in BLOCKS.items()
        if (page, number) not in CLAIMANTS
    ]

    assert nobody == []


def test_no_block_is_claimed_twice() -> None:
    twice = {claim: names for claim, names in CLAIMANTS.items() if len(names) > 1}

    assert twice == {}


def test_nobody_claims_what_is_not_there() -> None:
    strange = [(claim, names) for claim, names in CLAIMANTS.items() if claim not in BLOCKS]

    assert strange == []


@pytest.mark.parametrize("name", EXECUTORS)
def test_an_executor_claims_something(name: str) -> None:
    assert any(name in names for names in CLAIMANTS.values())


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_no_block_hides_from_the_inventory(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    fences = re.findall(r"^\s*(?:>\s*)*(`{3,}|~{3,})", text, re.MULTILINE)

    assert fences == ["```"] * (2 * len(numbered(page)))
    prose = re.sub(r"^( *)```.*?^\1```$", "", text, flags=re.MULTILINE | re.DOTALL)
    # Four blanks behind an empty line are a block too, unless they go on with an item of a list.
    indented = re.findall(
        r"\n\n {4,}(?![-*\d ]).*", re.sub(r"(?m)^(?:[-*]|\d+\.) .*(?:\n+ +.*)*", "", prose)
    )
    assert indented == []
    assert "<pre" not in text
