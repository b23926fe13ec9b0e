"""What does a heartbeat file say, and how is it written and read?

One JSON object. Its age is told by a clock that all processes of a machine share and that nobody
sets; a file of an earlier boot has a time in the future there, and counts as old.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from typing import Final

GOOD_SECONDS: Final = 15.0
"""For so long a beat counts; one is written about every second, unless the machine is starved."""

FILE_BYTES_MAX: Final = 64 * 1024

Beat = dict[str, object]
"""`at` (clock reading), `good_for` (seconds), `alive`, `ready`, `why` (one line), `worker_id`,
`state`, `pid`."""


def steady() -> float:
    """Seconds on a clock that goes on while the machine sleeps, where there is one."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


def write_beat(path: str, beat: Beat) -> None:
    """Replace the file as a whole: a reader sees the old beat or the new one.

    Raises:
        OSError: It cannot be written.
    """
    draft = f"{path}.{os.getpid()}.tmp"
    try:
        with open(draft, "w", encoding="utf-8") as file:  # noqa: PTH123 - pathlib costs 10 ms
            json.dump(beat, file)
        os.replace(draft, path)  # noqa: PTH105 - as above
    except BaseException:
        remove(draft)
        raise


def read_beat(path: str) -> Beat:
    """Read the file.

    Raises:
        OSError: It cannot be read.
        ValueError: It is no heartbeat.
    """
    with open(path, encoding="utf-8") as file:  # noqa: PTH123 - as above
        found = json.loads(file.read(FILE_BYTES_MAX))
    if not isinstance(found, dict):
        raise ValueError("not an object")  # noqa: TRY004 - as what json raises
    for name in ("at", "good_for"):
        if not isinstance(found.get(name), int | float):
            raise ValueError(f"no {name}")  # noqa: TRY004 - as above
    return found


def remove(path: str) -> None:
    """Remove the file, if it is there."""
    with contextlib.suppress(OSError):
        os.unlink(path)  # noqa: PTH108 - as above
