"""How does a child process end when its parent dies?"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time

_PR_SET_PDEATHSIG = 1  # Source: prctl(2).
_LOOK_SECONDS = 0.5


def die_with_parent(parent: int | None = None) -> None:
    """End this process at once when the process that started it ends.

    On Linux the kernel does it, also to a process that is stopped. Elsewhere a thread looks.

    Args:
        parent: Its id, if it was told: then an end before this call counts as well.
    """
    parent = os.getppid() if parent is None else parent
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # It died before the kernel was asked.
            os._exit(1)
        return
    threading.Thread(target=_watch, args=(parent,), name="parent-watch", daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK_SECONDS)
    os._exit(1)
