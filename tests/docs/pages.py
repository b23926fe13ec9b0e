"""What is on a page? Its blocks, in order."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

ROOT: Final = Path(__file__).resolve().parents[2]
DOCS: Final = ROOT / "docs"
EXAMPLES: Final = DOCS / "examples"
PAGES: Final = [
    ROOT / "README.md",
    *sorted(DOCS.rglob("*.md")),
    *sorted((ROOT / "deploy").rglob("*.md")),
]

A_REMARK: Final = -1

_BLOCK: Final = re.compile(
    r"^( *)```(\w*)\n(.*?)^\1```$|^<!-- (wait) until: (.*?) -->$", re.MULTILINE | re.DOTALL
)

Claim: TypeAlias = tuple[str, int]
"""A page, as `docs/how-to/tune.md`, and the number of one of its blocks, from 0.

A module that runs blocks, or compares them with what is so, has a `claimed_blocks()` that yields
them: those that its tests really go through. `test_inventory.py` wants each block to have one.
"""


@dataclass(frozen=True, slots=True)
class Block:
    """A block of code, or a remark to the test: `wait` until something is so."""

    kind: str
    text: str
    number: int = field(default=A_REMARK, compare=False)


def blocks_of(page: Path) -> list[Block]:
    """Read a page's blocks; one inside a list comes without the list's indentation."""
    blocks: list[Block] = []
    count = 0
    for each in _BLOCK.finditer(page.read_text(encoding="utf-8")):
        if each[4]:
            blocks.append(Block("wait", each[5]))
            continue
        blocks.append(Block(each[2], textwrap.dedent(each[3]) if each[1] else each[3], count))
        count += 1
    return blocks


def name_of(page: Path) -> str:
    """What a page is called in a claim, and in the name of a test."""
    return page.relative_to(ROOT).as_posix()


def claims(page: Path, blocks: Iterable[Block]) -> Iterator[Claim]:
    """Claim blocks of a page; remarks are not claimed."""
    return ((name_of(page), block.number) for block in blocks if block.number != A_REMARK)


def blocks_of_kind(*kinds: str) -> Iterator[tuple[Path, Block]]:
    """Every block of these kinds, on all pages."""
    return ((page, block) for page in PAGES for block in blocks_of(page) if block.kind in kinds)
