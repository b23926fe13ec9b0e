"""Which tests of a folder were left out, and why? Also of those that ran in another process."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def tell_skips(terminal: pytest.TerminalReporter, folder: Path) -> None:
    """Write one line for each reason."""
    inside = f"{folder.relative_to(ROOT).as_posix()}/"
    whys = Counter(
        str(report.longrepr[2]).removeprefix("Skipped: ")
        for report in terminal.getreports("skipped")
        if report.nodeid.startswith(inside) and isinstance(report.longrepr, tuple)
    )
    for why, count in sorted(whys.items()):
        terminal.write_line(f"skipped {count} tests of {inside.rstrip('/')}: {why}")
