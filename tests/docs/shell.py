"""How does a test type at the shell that `kcl local -- bash` opens?"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.docs.pages import EXAMPLES, ROOT

PATIENCE_SECONDS: Final = 60.0
SHELL: Final = "kcl local -- bash\n"
COMMANDS: Final = {"kcl": "-m kcl_py", "python": ""}
SUFFIXES: Final = (".py", ".json")
"""Of what a reader has in the folder."""


class Shell:
    """What `kcl local -- bash` opens, typed at by a program."""

    def __init__(self, folder: Path) -> None:
        programs = folder / "bin"
        programs.mkdir()
        for name, arguments in COMMANDS.items():
            program = programs / name
            program.write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments} "$@"\n')
            program.chmod(0o755)
        self.folder = folder
        self._bash = subprocess.Popen(
            SHELL.split(),
            executable=programs / "kcl",
            cwd=folder,
            env={**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def type(self, text: str) -> str:
        """Run a block; return what it wrote to stdout."""
        assert self._bash.stdin is not None
        assert self._bash.stdout is not None
        mark = uuid.uuid4().hex
        patience = threading.Timer(PATIENCE_SECONDS, self.kill)
        patience.start()
        try:
            self._bash.stdin.write(f"{text}\necho {mark}\n")
            self._bash.stdin.flush()
            lines: list[str] = []
            for line in self._bash.stdout:
                if mark in line:
                    return "".join(lines)
                lines.append(line)
        finally:
            patience.cancel()
        raise AssertionError(f"the shell ended in {text!r} after {lines}")

    def kill(self) -> None:
        """End everything that was started in the shell, and the shell."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._bash.pid, signal.SIGKILL)

    def close(self) -> None:
        """Leave nothing behind."""
        assert self._bash.stdin is not None
        assert self._bash.stdout is not None
        self.kill()
        self._bash.wait(PATIENCE_SECONDS)
        self._bash.stdout.close()
        with contextlib.suppress(BrokenPipeError):
            self._bash.stdin.close()


@contextlib.contextmanager
def open_shell(folder: Path) -> Iterator[Shell]:
    """A shell in a folder that has all examples."""
    for path in EXAMPLES.iterdir():
        if path.suffix in SUFFIXES:
            shutil.copy(path, folder)
    opened = Shell(folder)
    try:
        yield opened
    finally:
        opened.close()
