"""How long do calls of AWS take, how many fail, and does one not come back at all?"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from kcl_py.core.events import Failure, FailureKind
from kcl_py.core.tallies import TimeTally
from kcl_py.status import Timing


@dataclass(slots=True, eq=False)
class Call:
    """One call that is under way; whoever made it says how it ended."""

    began_at: float
    failure: Failure | None = None


class Meter:
    """Calls by kind. Thread-safe; used once for each call.

    Args:
        now: The worker's clock.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._tallies: dict[str, TimeTally] = {}
        self._under_way: dict[str, set[Call]] = {}

    @contextmanager
    def timed(self, kind: str) -> Iterator[Call]:
        """Count what is done inside as one call."""
        call = Call(self._now())
        with self._lock:
            self._under_way.setdefault(kind, set()).add(call)
        try:
            yield call
        finally:
            took = self._now() - call.began_at
            failure = call.failure
            throttled = failure is not None and failure.kind is FailureKind.THROTTLED
            with self._lock:
                self._under_way[kind].discard(call)
                tally = self._tallies.setdefault(kind, TimeTally())
                tally.add(took, failed=failure is not None, throttled=throttled)

    def values(self) -> dict[str, Timing]:
        """What was counted so far, by kind."""
        with self._lock:
            return {kind: tally.value() for kind, tally in self._tallies.items()}

    def waits(self) -> dict[str, float]:
        """Seconds since the oldest call of each kind began that is under way."""
        with self._lock:
            oldest = {
                kind: min(call.began_at for call in calls)
                for kind, calls in self._under_way.items()
                if calls
            }
        now = self._now()
        return {kind: max(0.0, now - began) for kind, began in oldest.items()}
