"""What if something else wants the processors? Processes that are busy with nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self

_PROGRAM: Final = """
import os, sys, time
parent, end = os.getppid(), time.monotonic() + float(sys.argv[1])
while time.monotonic() < end and os.getppid() == parent:
    sum(range(10_000))
"""


@dataclass(slots=True)
class Hogs:
    """Made by `with`; no hog is left afterwards, and each ends by itself as well."""

    _running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()

    def start(self, seconds: float) -> None:
        """Two for each processor, for so long."""
        self._running = [hog for hog in self._running if hog.poll() is None]
        if not self._running:
            command = [sys.executable, "-S", "-c", _PROGRAM, str(seconds)]
            self._running = [
                subprocess.Popen(command, start_new_session=True)
                for _ in range(2 * (os.cpu_count() or 1))
            ]

    def end(self) -> None:
        """End all."""
        for hog in self._running:
            hog.kill()
            hog.wait()
        self._running = []
