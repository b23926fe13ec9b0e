"""Which lines of a file of dead letters are still to be delivered?

The file itself is never changed, because workers may be appending to it. What was delivered is
written down in a file beside it, `NAME.redriven`, on the disk before the next one is: one line for
each line of letters, with its offset, the letter's id and a digest of the line. The same letter,
written once more later, counts anew, also in a file that was begun anew beside old marks. Whoever
delivers holds a lock on that file, which ends with its process, however that ends: two at once
would both deliver every letter.
"""

from __future__ import annotations

import hashlib
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

        Its handle is the list of its places, each an offset and a digest of the line.

        Raises:
            ConfigError: The marks cannot be read.
        """
        delivered = self._delivered()
        places: dict[str, list[tuple[int, str]]] = {}
        lines: dict[str, Stored] = {}
        for offset, line in self._lines():
            try:
                letter = decode_line(line)
            except BadLetter as bad:
                yield Stored(name=f"byte {offset}", problem=str(bad))
                continue
            name = letter_id(letter)
            digest = _digest(line)
            if delivered.isdisjoint({(offset, name, digest), (offset, name, None)}):
                places.setdefault(name, []).append((offset, digest))
                lines[name] = Stored(name=name, letter=letter, handle=places[name])
        yield from lines.values()

    def take_out(self, stored: Stored) -> None:
        """Write down that it was delivered; on the disk when this returns.

        Raises:
            OSError: It may not be.
        """
        assert isinstance(stored.handle, list)
        marks = [
            {"offset": offset, "id": stored.name, "line": digest}
            for offset, digest in stored.handle
        ]
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

    def _delivered(self) -> set[tuple[int, str, str | None]]:
        """A line that a crash has cut says nothing, so its letter is delivered once more."""
        found: set[tuple[int, str, str | None]] = set()
        try:
            lines = self._marks_path.read_bytes().splitlines()
        except FileNotFoundError:
            return found
        except OSError as error:
            raise ConfigError(
                f"{self._marks_path} cannot be read ({error.strerror}): it says which letters were "
                "delivered; mend that first, else they would all be delivered again"
            ) from None
        for line in lines:
            try:
                mark = json.loads(line)
                digest = mark.get("line")  # None: of an earlier version
                found.add((int(mark["offset"]), str(mark["id"]), digest and str(digest)))
            except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
                continue
        return found


def _digest(line: bytes) -> str:
    return hashlib.sha256(line.strip()).hexdigest()[:16]
