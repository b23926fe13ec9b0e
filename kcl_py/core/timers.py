"""What is due, and when? Named timers of the core; time itself is handed in."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    OnTime: TypeAlias = Callable[[float], None]

TimerName: TypeAlias = tuple[str, ...]


class Timers:
    """One pending time per name; setting a name again moves it."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, TimerName]] = []
        self._set: dict[TimerName, tuple[int, OnTime]] = {}
        self._first: set[TimerName] = set()
        self._count = 0

    def at(self, when: float, name: TimerName, then: OnTime, *, first: bool = False) -> None:
        """Call `then(now)` once `now` reaches `when`; replaces the timer of that name.

        Args:
            first: Goes before all else that is due, however long that has been: after a pause a
                fence must be noticed before anything acts on a lease that is over.
        """
        self._count += 1
        self._set[name] = (self._count, then)
        heappush(self._heap, (when, self._count, name))
        if first:
            self._first.add(name)

    def cancel(self, name: TimerName) -> None:
        """Forget the timer of that name, if there is one."""
        self._set.pop(name, None)
        self._first.discard(name)

    def is_set(self, name: TimerName) -> bool:
        """Say whether a timer of that name is pending."""
        return name in self._set

    def next(self) -> float | None:
        """Return the earliest time that is pending."""
        while self._heap and self._is_stale(self._heap[0]):
            heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def fire(self, now: float) -> None:
        """Call everything that is due, earliest first.

        What is set meanwhile for `now` or before waits.
        """
        if not self._heap or self._heap[0][0] > now:
            return
        due: list[tuple[float, int, TimerName]] = []
        while self._heap and self._heap[0][0] <= now:
            due.append(heappop(self._heap))
        if len(due) > 1:
            due.sort(key=lambda entry: entry[2] not in self._first)
        for entry in due:
            if not self._is_stale(entry):
                _, then = self._set.pop(entry[2])
                self._first.discard(entry[2])
                then(now)

    def _is_stale(self, entry: tuple[float, int, TimerName]) -> bool:
        current = self._set.get(entry[2])
        return current is None or current[0] != entry[1]
