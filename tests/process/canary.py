"""How late does this machine wake a process that only sleeps? Bounds are judged against that.

`python -m tests.process.canary` sleeps and watches until its stdin ends, then prints the worst
oversleep in seconds.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from types import TracebackType
from typing import Final, Self

from tests.piped import start_piped

NAP_SECONDS: Final = 0.01
MODULE: Final = "tests.process.canary"


class Canary:
    """Such a process, while a `with` block runs; `worst` is known afterwards."""

    def __init__(self) -> None:
        self.worst = 0.0
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self._process = start_piped([sys.executable, "-m", MODULE])
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process is not None
        said, _ = self._process.communicate()
        self.worst = float(said)


def _wait_for_the_end(ended: threading.Event) -> None:
    sys.stdin.read()
    ended.set()


def main() -> None:
    ended = threading.Event()
    threading.Thread(target=_wait_for_the_end, args=(ended,), daemon=True).start()
    worst = 0.0
    while not ended.is_set():
        before = time.monotonic()
        time.sleep(NAP_SECONDS)
        worst = max(worst, time.monotonic() - before - NAP_SECONDS)
    sys.stdout.write(f"{worst:.4f}\n")


if __name__ == "__main__":
    main()
