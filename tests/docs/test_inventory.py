"""Has every block of every page somebody who runs it, or a reason why nobody does?

Whoever runs blocks yields them from `claimed_blocks()`, computed from what its tests go through.
"""

from __future__ import annotations

import importlib
import re
from collections import defaultdict
from collections.abc import Mapping
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
)

AT_DEPLOY: Final = tuple(
    f"tests.deploy.{path.stem}"
    for path in sorted((ROOT / "tests" / "deploy").glob("*.py"))
    if "\ndef claimed_blocks(" in path.read_text(encoding="utf-8")
)

NOT_RUN: Final[Mapping[str, str]] = {
    "docs/explanation/chaos.md": "ten minutes; .ci/run has a minute of it",
    "docs/explanation/mutants.md": "minutes; tests/simulation/test_mutants.py plants each bug",
    "docs/explanation/performance.md": "half an hour alone on a machine, and it writes that page",
    "docs/explanation/scale.md": "an hour, and it writes that page, which test_scale_page.py reads",
    "docs/spec/README.md": "an installation, and hours; .ci/run has the first of its two runs",
}
"""Pages with commands that are too long, each with one block. test_long_commands.py sees to it that
all that these commands name is there."""


INSTALLS: Final = re.compile(r"(?:pip install(?: [\w-]+(?:\[[\w,]+\])?)+\n)+")
"""What asks an index for packages of others, and shows nothing of ours."""


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


def is_left_out(claim: Claim, block: Block) -> bool:
    """Say whether there is a reason why nobody here runs it."""
    page, _ = claim
    is_others = block.kind == "text" and INSTALLS.fullmatch(block.text) is not None
    return is_others or (page in NOT_RUN and block.kind in ("sh", "console"))


BLOCKS: Final = all_blocks()
CLAIMANTS: Final = claimants()


def test_every_block_is_run_by_somebody_or_left_out_for_a_reason() -> None:
    nobody = [
        f"{page}, block {number} ({block.kind}): {block.text[:60]!r}"
        for (page, number), block in BLOCKS.items()
        if (page, number) not in CLAIMANTS and not is_left_out((page, number), block)
    ]

    assert nobody == []


def test_no_block_is_claimed_twice() -> None:
    twice = {claim: names for claim, names in CLAIMANTS.items() if len(names) > 1}

    assert twice == {}


def test_nobody_claims_what_is_not_there_or_is_left_out() -> None:
    strange = [
        (claim, names)
        for claim, names in CLAIMANTS.items()
        if claim not in BLOCKS or is_left_out(claim, BLOCKS[claim])
    ]

    assert strange == []


@pytest.mark.parametrize("page", NOT_RUN)
def test_a_reason_is_for_one_block_that_is_there(page: str) -> None:
    assert len(blocks_of(ROOT / page)) == 1


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
