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

_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL

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

    Where nothing new can be made, as on a disk that is full, what is there is written over: whoever
    reads in that moment may find half of each, but no worker is ended for want of space.

    Raises:
        OSError: It cannot be written.
        ValueError: That is no path.
    """
    text = json.dumps(beat)
    try:
        _replace(path, text)
    except OSError as error:
        try:
            _overwrite(path, text)
        except OSError:
            raise error from None  # why a new one cannot be made says more


def _replace(path: str, text: str) -> None:
    draft = f"{path}.{os.getpid()}.tmp"
    # Never through a link that somebody put there; left over is what was killed in the middle.
    remove(draft)
    try:
        with open(os.open(draft, _NEW, 0o666), "w", encoding="utf-8") as file:  # noqa: PTH123 - pathlib costs 10 ms
            file.write(text)
        os.replace(draft, path)  # noqa: PTH105 - as above
    except BaseException:
        remove(draft)
        raise


def _overwrite(path: str, text: str) -> None:
    flags = os.O_WRONLY | getattr(os, "O_NOFOLLOW", 0)
    with open(os.open(path, flags), "w", encoding="utf-8") as file:  # noqa: PTH123 - as above
        # No shorter than before: blanks behind the end of an object mean nothing.
        file.write(text.ljust(min(os.fstat(file.fileno()).st_size, FILE_BYTES_MAX)))
        file.truncate()


def read_beat(path: str) -> Beat:
    """Read the file.

    Raises:
        OSError: It cannot be read.
        ValueError: It is no heartbeat.
    """
    # Not blocking: a pipe into which nobody writes is no heartbeat.
    opened = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with open(opened, encoding="utf-8") as file:  # noqa: PTH123 - as above
        try:
            found = json.loads(file.read(FILE_BYTES_MAX))
        except RecursionError:
            raise ValueError("nested too deeply") from None
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
