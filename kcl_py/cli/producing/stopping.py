"""How does a command that reads for long stop early? By a signal, in time, or told by a thread.

A read of a pipe may last for ever, and only an exception ends it; everything else must not be torn
apart by one. So the exception is raised within `next_of` alone, and all else looks at `reason`.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Final, Self, TypeVar

_T = TypeVar("_T")

WAKE: Final = signal.SIGURG
"""Ignored by whoever does not handle it, so that one that comes too late does no harm."""

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class _StopReadingError(Exception):
    """The read under way has ended for `Stopping.reason`."""


class Stopping:
    """Why to stop, once there is a reason. For the main thread; `stop` for any.

    Attributes:
        reason: None: go on.
        signal: The first one that came.
        is_urgent: A second one came: wait for nothing.
    """

    def __init__(self, seconds: float | None) -> None:
        self.reason: str | None = None
        self.signal: int | None = None
        self.is_urgent = False
        self._event = threading.Event()
        self._is_reading = False
        self._before: dict[int, object] = {}
        self._timer = None if seconds is None else threading.Timer(seconds, self.stop, ("time",))

    def stop(self, reason: str) -> None:
        """Stop for this reason, unless there is one already."""
        if self.reason is None:
            self.reason = reason
        self._event.set()
        if self._before:
            main = threading.main_thread().ident
            assert main is not None
            signal.pthread_kill(main, WAKE)

    def wait(self, seconds: float) -> bool:
        """Wait; True: there is a reason to stop."""
        return self._event.wait(seconds)

    def next_of(self, source: Iterator[_T]) -> _T | None:
        """Read one more; None: there is none, or a reason to stop."""
        try:
            self._is_reading = True
            try:
                return None if self.reason is not None else next(source, None)
            finally:
                self._is_reading = False
        except _StopReadingError:
            return None

    def __enter__(self) -> Self:
        for number in (*SIGNALS, WAKE):
            self._before[number] = signal.signal(number, self._handle)
        if self._timer is not None:
            self._timer.daemon = True
            self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
        before, self._before = self._before, {}
        for number, handler in before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal() has returned

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if number in SIGNALS:
            self.is_urgent = self.signal is not None
            self.signal = self.signal or number
            self.reason = self.reason or "signal"
            self._event.set()
        if self._is_reading:
            self._is_reading = False
            raise _StopReadingError
