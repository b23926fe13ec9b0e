"""How long do calls of AWS take, how many fail, and does one not come back at all?"""

from __future__ import annotations

import threading
from collections.abc import Callable

from kcl_py.core.events import Failure, FailureKind
from kcl_py.core.tallies import TimeTally
from kcl_py.status import Timing


class Call:
    """One call that is under way."""

    __slots__ = ("began_at", "kind")

    def __init__(self, kind: str, began_at: float) -> None:
        self.kind = kind
        self.began_at = began_at


class Meter:
    """Calls by kind. Thread-safe.

    Args:
        now: The worker's clock.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._tallies: dict[str, TimeTally] = {}
        self._under_way: set[Call] = set()

    def begin(self, kind: str) -> Call:
        """A call is being made; `end` follows, unless its thread crashes."""
        call = Call(kind, self._now())
        with self._lock:
            self._under_way.add(call)
        return call

    def end(self, call: Call, failure: Failure | None) -> None:
        """It has come back, well or badly."""
        took = self._now() - call.began_at
        throttled = failure is not None and failure.kind is FailureKind.THROTTLED
        with self._lock:
            self._under_way.discard(call)
            tally = self._tallies.get(call.kind)
            if tally is None:
                tally = self._tallies[call.kind] = TimeTally()
            tally.add(took, failed=failure is not None, throttled=throttled)

    def values(self) -> dict[str, Timing]:
        """What was counted so far, by kind."""
        with self._lock:
            return {kind: tally.value() for kind, tally in self._tallies.items()}

    def waits(self) -> dict[str, float]:
        """Seconds since the oldest call of each kind began that is under way."""
        with self._lock:
            calls = list(self._under_way)
        now = self._now()
        oldest: dict[str, float] = {}
        for call in calls:
            oldest[call.kind] = max(oldest.get(call.kind, 0.0), now - call.began_at)
        return oldest
