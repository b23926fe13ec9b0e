"""Who calls the user's code? One thread for hooks and callbacks, so that sending never waits."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Final, TypeAlias

_log = logging.getLogger(__name__)

Call: TypeAlias = Callable[[], object]

IDLE_SECONDS: Final = 5.0
"""After which the thread ends; the next call starts another."""


class Calls:
    """Runs calls one after the other, in the order in which they were asked for.

    Args:
        lock: Held by whoever calls `add`; never while a call runs.
        on_done: Called with the lock held after each call.
    """

    def __init__(self, lock: threading.Lock, on_done: Callable[[], None]) -> None:
        self._changed = threading.Condition(lock)
        self._lock = lock
        self._on_done = on_done
        self._waiting: deque[Call] = deque()
        self._thread: threading.Thread | None = None
        self.asked = 0
        self.done = 0

    def add(self, call: Call) -> None:
        """Let it be called soon. With the lock held."""
        self.asked += 1
        self._waiting.append(call)
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._run, name="kcl-producer-calls", daemon=True
            )
            self._thread.start()
        else:
            self._changed.notify()

    @property
    def is_current_thread(self) -> bool:
        """Whether this is the user's code, called from here."""
        return threading.current_thread() is self._thread

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._changed.wait(IDLE_SECONDS)
                if not self._waiting:
                    self._thread = None
                    return
                call = self._waiting.popleft()
            try:
                call()
            except Exception:  # noqa: BLE001 - it is theirs
                # The traceback is the user's code; records are in none of our messages.
                _log.exception("producer.callback_failed")
            finally:
                del call  # or it lived on while this waits for the next one
                with self._lock:
                    self.done += 1
                    self._on_done()
