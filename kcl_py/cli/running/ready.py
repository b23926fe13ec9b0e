"""How does a process say that it is ready, and how does whoever waits for it read that?"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path


def say_ready(path: Path, facts: Mapping[str, object]) -> None:
    """Write one line of facts to a file, or to stdout if the path is `-`."""
    line = json.dumps({"ready": True, **facts}) + "\n"
    if str(path) == "-":
        sys.stdout.write(line)
        sys.stdout.flush()
    else:
        path.write_text(line)


def read_ready(path: Path) -> Mapping[str, object] | None:
    """What a process said; None as long as it has not said all of it, and can be read."""
    try:
        text = path.read_text(errors="replace")
        found = json.loads(text.splitlines()[-1]) if text.endswith("\n") else None
    except (OSError, ValueError, IndexError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
