"""How does a test run a command that ends only when it is asked to? Until it has said something.

`python -m tests.docs.until_heard PROGRAM ARGUMENT...`: the exit code is the program's, and 0 if it
ended by Ctrl-C as it should.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from typing import IO, Final

WORKER_SAYS: Final = "worker.ready"
"""A worker talks before it works; the others begin with what they were asked for."""

SILENT_SECONDS: Final = 5.0
"""For a command that may have nothing to say, as a tail of a quiet stream."""

PATIENCE_SECONDS: Final = 60.0
INTERRUPTED: Final = 128 + signal.SIGINT


def main(command: list[str]) -> int:
    """Run it, interrupt it once it was heard, and return how it ended."""
    is_worker = "run" in command
    heard = threading.Event()
    child = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    listeners = [
        threading.Thread(target=listen, args=(pipe, out, is_worker, heard))
        for pipe, out in ((child.stdout, sys.stdout), (child.stderr, sys.stderr))
    ]
    for listener in listeners:
        listener.start()
    heard.wait(PATIENCE_SECONDS if is_worker else SILENT_SECONDS)
    child.send_signal(signal.SIGINT)
    try:
        code = child.wait(PATIENCE_SECONDS)
    finally:
        child.kill()
    for listener in listeners:
        listener.join()
    return 0 if code in (0, -signal.SIGINT, INTERRUPTED) else code


def listen(pipe: IO[str], out: IO[str], is_worker: bool, heard: threading.Event) -> None:  # noqa: FBT001
    """Pass on what it says; note when it was heard, or has no more to say."""
    for line in pipe:
        out.write(line)
        out.flush()
        if not is_worker or WORKER_SAYS in line:
            heard.set()
    if is_worker:
        heard.set()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
