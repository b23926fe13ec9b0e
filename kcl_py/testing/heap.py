"""What happens next in the simulated world, and what time is it truly there?"""

from __future__ import annotations

import random
from collections.abc import Callable
from heapq import heappop, heappush
from typing import TypeAlias

Action: TypeAlias = Callable[[], None]


class Entry:
    """One thing that will happen; it can be called off until then."""

    __slots__ = ("action", "when")

    def __init__(self, when: float, action: Action) -> None:
        self.when = when
        self.action: Action | None = action

    def cancel(self) -> None:
        """Let it not happen."""
        self.action = None


class EventHeap:
    """Everything that will happen, by true time; what falls on one instant comes in random order.

    Attributes:
        now: True time, seconds since the world began. Nobody inside the world can read it.
    """

    def __init__(self, rng: random.Random) -> None:
        self.now = 0.0
        self.count = 0
        self._rng = rng
        self._entries: list[tuple[float, float, int, Entry]] = []

    def at(self, when: float, action: Action) -> Entry:
        """Do something at a true time; what lies in the past is done next."""
        entry = Entry(max(when, self.now), action)
        self.count += 1
        heappush(self._entries, (entry.when, self._rng.random(), self.count, entry))
        return entry

    def after(self, delay: float, action: Action) -> Entry:
        """Do something `delay` seconds from now."""
        return self.at(self.now + delay, action)

    def run_until(self, when: float, *, stop: Callable[[], bool] | None = None) -> bool:
        """Let everything happen up to `when`, or until `stop()` says so; True if it did.

        May be called from inside an action: then the world goes on around that action.
        """
        while stop is None or not stop():
            if not self._entries or self._entries[0][0] > when:
                self.now = max(self.now, when)
                return False
            due, _, _, entry = heappop(self._entries)
            action, entry.action = entry.action, None
            if action is not None:
                self.now = due
                action()
            del entry, action  # else this frame would keep what an exception keeps of it alive
        return True
