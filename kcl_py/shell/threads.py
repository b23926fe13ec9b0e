"""How does a thread of ours start, and who hears of it when it crashes?"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeAlias

OnCrash: TypeAlias = Callable[[str, BaseException], None]


def spawn(name: str, target: Callable[[], None], on_crash: OnCrash) -> threading.Thread:
    """Start a daemon thread; whatever escapes from `target` goes to `on_crash(name, error)`.

    Daemon, because user code that never returns must not keep the process alive after a stop.
    """

    def guarded() -> None:
        try:
            target()
        except BaseException as error:  # noqa: BLE001 - a crash is an event, never silence
            on_crash(name, error)

    thread = threading.Thread(target=guarded, name=name, daemon=True)
    thread.start()
    return thread
