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
        heap, pending = self._heap, self._set
        while heap:
            when, count, name = heap[0]
            current = pending.get(name)
            if current is not None and current[0] == count:
                return when
            heappop(heap)  # moved or cancelled since
        return None

    def fire(self, now: float) -> None:
        """Call everything that is due, earliest first.

        What is set meanwhile for `now` or before waits.
        """
        heap, pending = self._heap, self._set
        if not heap or heap[0][0] > now:
            return
        due: list[tuple[float, int, TimerName]] = []
        while heap and heap[0][0] <= now:
            due.append(heappop(heap))
        if len(due) > 1:
            due.sort(key=lambda entry: entry[2] not in self._first)
        for _, count, name in due:
            current = pending.get(name)
            if current is not None and current[0] == count:
                del pending[name]
                self._first.discard(name)
                current[1](now)
