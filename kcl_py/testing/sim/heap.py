"""What happens next in the simulated world, and what time is it truly there?"""

from __future__ import annotations

import random
from collections.abc import Callable
from heapq import heappop, heappush
from typing import TypeAlias

Action: TypeAlias = Callable[[], None]


class EventHeap:
    """Everything that will happen, by true time; what falls on one instant comes in random order.

    Attributes:
        now: True time, seconds since the world began. Nobody inside the world can read it.
    """

    def __init__(self, rng: random.Random) -> None:
        self.now = 0.0
        self.count = 0
        self._rng = rng
        self._entries: list[tuple[float, float, int, Action]] = []
        self._cancelled: set[int] = set()

    def at(self, when: float, action: Action) -> int:
        """Do something at a true time; what lies in the past is done next.

        Returns:
            A ticket to cancel it with.
        """
        self.count += 1
        when = max(when, self.now)
        heappush(self._entries, (when, self._rng.random(), self.count, action))
        return self.count

    def after(self, delay: float, action: Action) -> int:
        """Do something `delay` seconds from now."""
        return self.at(self.now + delay, action)

    def cancel(self, ticket: int) -> None:
        """Let something not happen that has not happened yet."""
        self._cancelled.add(ticket)

    def run_until(self, when: float, *, stop: Callable[[], bool] | None = None) -> bool:
        """Let everything happen up to `when`, or until `stop()` says so; True if it did.

        May be called from inside an action: then the world goes on around that action.
        """
        entries, cancelled = self._entries, self._cancelled
        while stop is None or not stop():
            if not entries or entries[0][0] > when:
                self.now = max(self.now, when)
                return False
            due, _, ticket, action = heappop(entries)
            if ticket in cancelled:
                cancelled.remove(ticket)
            else:
                self.now = due
                action()
            del action  # else this frame would keep what an exception keeps of it alive
        return True
