"""What is on a page? Its blocks, in order."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
DOCS: Final = ROOT / "docs"
EXAMPLES: Final = DOCS / "examples"
PAGES: Final = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]

_BLOCK: Final = re.compile(
    r"^```(\w*)\n(.*?)^```$|^<!-- (wait) until: (.*?) -->$", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Block:
    """A block of code, or a remark to the test: `wait` until something is so."""

    kind: str
    text: str


def blocks_of(page: Path) -> list[Block]:
    """Read a page's blocks."""
    found = _BLOCK.finditer(page.read_text(encoding="utf-8"))
    return [Block(each[1] or each[3] or "", each[2] or each[4] or "") for each in found]
