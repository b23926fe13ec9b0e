"""How is what a hunt found written down? As a table, for a terminal and for the docs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kcl_py.testing.mutants.registry import named

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from kcl_py.testing.mutants.hunt import Hunt

BEGIN: Final = "<!-- mutants: begin -->"
END: Final = "<!-- mutants: end -->"
"""Between these two lines of a page the table is written anew."""

_HEAD: Final = ("planted bug", "breaks rule", "in", "caught by", "within", "took", "virtual s")


def rows(hunts: Sequence[Hunt]) -> list[tuple[str, ...]]:
    """Return one row of text for each hunt."""
    return [_row(hunt) for hunt in hunts]


def _row(hunt: Hunt) -> tuple[str, ...]:
    mutant = named(hunt.name)
    return (
        mutant.name,
        mutant.rule,
        mutant.arena.name,
        hunt.invariant or "SURVIVED",
        str(mutant.within),
        str(hunt.seeds),
        f"{hunt.virtual_seconds:.0f}",
    )


def plain(hunts: Sequence[Hunt]) -> str:
    """Return the table for a terminal."""
    lines = [_HEAD, *rows(hunts)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEAD))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def markdown(hunts: Sequence[Hunt]) -> str:
    """Return the table for the docs."""
    lines = ["| " + " | ".join(_HEAD) + " |", "|" + "---|" * len(_HEAD)]
    lines += ["| " + " | ".join(row) + " |" for row in rows(hunts)]
    return "\n".join(lines)


def write_into(page: Path, hunts: Sequence[Hunt]) -> None:
    """Replace what stands between the markers of a page.

    Raises:
        ValueError: The page does not have both markers.
    """
    text = page.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN + "\n")
    _, end, after = rest.partition(END + "\n")
    if not begin or not end:
        raise ValueError(f"{page}: the lines {BEGIN} and {END} are missing")
    page.write_text(f"{before}{begin}{markdown(hunts)}\n{end}{after}", encoding="utf-8")
