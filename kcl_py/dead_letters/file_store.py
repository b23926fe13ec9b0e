"""Which lines of a file of dead letters are still to be delivered?

The file itself is never changed, because workers may be appending to it. What was delivered is
written down in a file beside it, `NAME.redriven`, on the disk before the next one is: one line for
each line of letters, with its offset and the letter's id. The same letter, written once more later,
counts anew. Whoever delivers holds a lock on that file, which ends with its process, however that
ends: two at once would both deliver every letter.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from kcl_py.dead_letters.codec import BadLetter, decode_line, letter_id
from kcl_py.dead_letters.json_lines import append_lines
from kcl_py.dead_letters.stored import Stored
from kcl_py.errors import ConfigError, KclError

SUFFIX: Final = ".redriven"


class BeingRedriven(KclError):
    """Somebody else delivers the letters of this file at this moment."""

    exit_code = 4


class FileStore:
    """Letters in a file of JSON lines.

    Raises:
        ConfigError: It cannot be read.
    """

    shows_at_once = None

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        self._marks_path = self._path.with_name(self._path.name + SUFFIX)
        self._marks: int | None = None
        if not self._path.is_file():
            raise ConfigError(f"{self._path} is no file of dead letters; check the path")

    def claim(self) -> None:
        """Let nobody else deliver these letters until `close`; to be called before `read`.

        A system without such locks (Windows) keeps nobody away.

        Raises:
            BeingRedriven: Somebody does already.
            ConfigError: The file beside it cannot be written or locked.
        """
        try:
            import fcntl  # noqa: PLC0415 - not every system has it
        except ImportError:
            return
        try:
            fcntl.flock(self._open_marks(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BeingRedriven(
                f"another redrive of {self._path} is running; wait until it has ended: what it "
                "leaves can be put back then"
            ) from None
        except OSError as error:
            raise ConfigError(
                f"{self._marks_path} cannot be written or locked ({error.strerror}), so letters "
                "could be put back twice; copy the letters to a local disk and redrive them there"
            ) from None

    def read(self) -> Iterator[Stored]:
        """Return letters in the order of the file; one that is there twice comes once.

        Its handle is the list of its offsets.
        """
        delivered = self._delivered()
        offsets: dict[str, list[int]] = {}
        lines: dict[str, Stored] = {}
        for offset, line in self._lines():
            try:
                letter = decode_line(line)
            except BadLetter as bad:
                yield Stored(name=f"byte {offset}", problem=str(bad))
                continue
            name = letter_id(letter)
            if (offset, name) not in delivered:
                offsets.setdefault(name, []).append(offset)
                lines[name] = Stored(name=name, letter=letter, handle=offsets[name])
        yield from lines.values()

    def take_out(self, stored: Stored) -> None:
        """Write down that it was delivered; on the disk when this returns."""
        assert isinstance(stored.handle, list)
        marks = [{"offset": offset, "id": stored.name} for offset in stored.handle]
        lines = "".join(json.dumps(mark) + "\n" for mark in marks)
        append_lines(self._open_marks(), lines.encode())

    def close(self) -> None:
        """Close the file of marks, which ends the lock."""
        if self._marks is not None:
            os.close(self._marks)
            self._marks = None

    def _open_marks(self) -> int:
        if self._marks is None:
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0)
            self._marks = os.open(self._marks_path, flags, 0o600)
        return self._marks

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        offset = 0
        with self._path.open("rb") as file:
            for line in file:
                if line.strip():
                    yield offset, line
                offset += len(line)

    def _delivered(self) -> set[tuple[int, str]]:
        """A line that a crash has cut says nothing, so its letter is delivered once more."""
        found: set[tuple[int, str]] = set()
        if not self._marks_path.exists():
            return found
        for line in self._marks_path.read_bytes().splitlines():
            try:
                mark = json.loads(line)
                found.add((int(mark["offset"]), str(mark["id"])))
            except (ValueError, KeyError, TypeError):
                continue
        return found
