"""How does a test sit at a terminal? It types, and reads until it sees what it waits for."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Self

PATIENCE_SECONDS: Final = 60.0
DRIVING: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|\x07")
"""What moves the cursor, colours and rings."""


def programs_in(folder: Path) -> str:
    """Make `kcl` in this folder; return a PATH that begins with it."""
    root = Path(__file__).resolve().parents[2]
    folder.mkdir(exist_ok=True)
    program = folder / "kcl"
    program.write_text(
        f'#!/bin/sh\nPYTHONPATH="{root}" exec "{sys.executable}" -m kcl_py "$@"\n',
        encoding="utf-8",
    )
    program.chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


class Terminal:
    """A program whose input and output are a terminal of its own."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._pid, self._file = pty.fork()
        if self._pid == 0:
            # As a login does; whoever runs the tests in the background of a script ignores it.
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.execvpe(command[0], list(command), dict(environment))
        self.code: int | None = None
        self._said = b""

    def type(self, text: str) -> None:
        """Type this."""
        os.write(self._file, text.encode())

    def until(self, wanted: str) -> str:
        """Read until this is there; return what was said up to it."""
        end = time.monotonic() + PATIENCE_SECONDS
        while wanted not in self._text():
            assert self._read(end - time.monotonic()), (wanted, self._text())
        before, _, rest = self._text().partition(wanted)
        self._said = rest.encode()
        return before + wanted

    def rest(self) -> str:
        """Read until the program ends; its exit code is known afterwards."""
        end = time.monotonic() + PATIENCE_SECONDS
        while self._read(end - time.monotonic()):
            pass
        self._wait()
        return self._text()

    def _text(self) -> str:
        text = DRIVING.sub("", self._said.decode(errors="replace"))
        return text.replace("\r\n", "\n")

    def _read(self, seconds: float) -> bool:
        if not select.select([self._file], [], [], max(0.0, seconds))[0]:
            raise AssertionError(f"nothing more is said after {self._text()!r}")
        try:
            said = os.read(self._file, 65536)
        except OSError:  # on Linux, that nobody has the other end
            return False
        self._said += said
        return bool(said)

    def _wait(self) -> None:
        if self.code is None:
            self.code = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.code is None:
            os.kill(self._pid, signal.SIGKILL)
            self._wait()
        os.close(self._file)
