"""Did a worker say something that no fault explains? Read from the logs of the processes.

Faults make workers warn. A crash in a thread of ours, a call that failed in a way that nobody
foresaw, or a bare traceback are bugs, whatever was done to the worker.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

BUGS: Final = frozenset(
    {"thread.crashed", "aws.call_broken", "on_event.failed", "companion.failed"}
)
_WIDTH: Final = 300


def read_complaints(paths: Iterable[Path]) -> list[str]:
    """Every such line; the torn last line of a killed process is dropped."""
    return [
        f"{path.stem} said: {line[:_WIDTH]}"
        for path in paths
        for line in _lines(path)
        if is_bug(line)
    ]


def is_bug(line: str) -> bool:
    """Whether this line must not be. One that is no JSON may say why a process ends."""
    try:
        return json.loads(line).get("event") in BUGS
    except ValueError:
        return line.startswith("Traceback ")


def _lines(path: Path) -> Iterator[str]:
    text = path.read_text(errors="replace")
    yield from text[: text.rfind("\n") + 1].splitlines()
