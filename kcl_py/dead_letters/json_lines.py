"""How are dead letters kept in a file? One line of JSON each, on the disk before anybody goes on.

Several processes may append to one file: it is opened for appending, and each call is one write. A
line that a crash or a full disk has cut is ended by whoever comes next, so that only that line is
lost; its letter is written again by the next owner of the shard. No lock is held: a process that is
frozen would keep all others from going on. Empty lines mean nothing.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from kcl_py.dead_letters.codec import letter_line

if TYPE_CHECKING:
    from kcl_py.letters import DeadLetter


class JsonLinesDeadLetters:
    """Appends to a file, which is made if it is not there (its directory is not).

    What is in it is the data of records: only its owner may read it. Use a disk that outlives the
    process: in a container, a volume.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)

    def __repr__(self) -> str:
        return f"JsonLinesDeadLetters({str(self._path)!r})"

    def write(self, letters: Sequence[DeadLetter]) -> None:
        """Return when they are on the disk.

        Raises:
            OSError: They may not be, whole or in part.
        """
        data = b"".join(letter_line(letter) for letter in letters)
        is_new = not self._path.exists()
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0)
        file = os.open(self._path, flags, 0o600)
        try:
            append_lines(file, data)
        finally:
            os.close(file)
        if is_new:
            _sync_directory(self._path.parent)


def append_lines(file: int, data: bytes) -> None:
    """Append whole lines in one write, behind what is there; they are on the disk at the end.

    Args:
        file: Opened for reading and appending.
        data: Lines with their ends.

    Raises:
        OSError: They may not be there, whole or in part.
    """
    size = os.fstat(file).st_size
    if size > 0 and os.pread(file, 1, size - 1) != b"\n":
        data = b"\n" + data
    written = os.write(file, data)
    if written != len(data):
        # The rest, in a second write, would not be one line any more.
        raise OSError(f"only {written} of {len(data)} bytes could be written; is the disk full?")
    os.fsync(file)


def _sync_directory(folder: Path) -> None:
    """A new file is there after a crash only if its name is on the disk as well."""
    with suppress(OSError):  # some systems cannot open a directory
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)
