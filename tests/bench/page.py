"""How do figures get into the documentation? Between marks, each benchmark between its own."""

from __future__ import annotations

import platform
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.bench.figures import Report, markdown
from tests.bench.plot import curves, svg


def as_json(reports: Sequence[Report]) -> dict[str, Any]:
    """Return everything that was found, and on what."""
    about = {"python": platform.python_version(), "machine": platform.machine()}
    return {"about": about, "reports": [report.describe() for report in reports]}


def update(path: Path, reports: Sequence[Report]) -> None:
    """Replace the tables of these reports in a page; with reading also the picture beside it.

    Raises:
        ValueError: The page has no place for one of them.
    """
    text = path.read_text(encoding="utf-8")
    for report in reports:
        text = with_table(text, report)
        if report.name == "read":
            picture = svg(*curves(as_json([report])))
            path.with_suffix(".svg").write_text(picture, encoding="utf-8")
    path.write_text(text, encoding="utf-8")


def with_table(text: str, report: Report) -> str:
    """Return a page with the table of a report between the marks of its name."""
    begin, end = f"<!-- bench: {report.name} -->", "<!-- end -->"
    place = re.compile(f"{re.escape(begin)}\n.*?{re.escape(end)}", re.DOTALL)
    changed, count = place.subn(lambda _: f"{begin}\n{markdown(report)}\n{end}", text)
    if count != 1:
        raise ValueError(f"the page has {count} places for {begin}")
    return changed
