"""When is what failed sent again? Growing waits with jitter, at times that many records share.

Were each failed request tried again by itself, a stream that refuses everything would get as many
requests as there are records, each with a few: so times are rounded, and what is due together
shares its requests again.
"""

from __future__ import annotations

import math
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable

    from kcl_py.producer.core.units import Unit

WAIT_SECONDS_FIRST: Final = 0.1
WAIT_SECONDS_MAX: Final = 5.0


SLOTS: Final = 4
"""Into so many parts is a wait divided; it ends where one of them does."""


def longest_wait(attempts: int) -> float:
    """The longest wait after so many attempts, seconds."""
    return min(WAIT_SECONDS_MAX, WAIT_SECONDS_FIRST * 2.0 ** min(attempts - 1, 20))


def wait_seconds(attempts: int, rng: random.Random) -> float:
    """How long to wait after so many attempts: from half of the longest wait to all of it."""
    return longest_wait(attempts) * (0.5 + rng.random() / 2)


class Retries:
    """What waits for its next attempt.

    Args:
        rng: Spreads waits; and the shared times of many producers.
    """

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._phase = rng.random()
        self._heap: list[tuple[float, int, list[Unit]]] = []
        self._count = 0

    def add(self, when: float, units: list[Unit]) -> None:
        """Send these again then."""
        self._count += 1
        heappush(self._heap, (when, self._count, units))

    def next_time(self, attempts: int, now: float) -> float:
        """When to try again after so many attempts: between half of the longest wait and all."""
        longest = longest_wait(attempts)
        slot = longest / SLOTS
        earliest = now + longest * (0.5 + self._rng.random() * (0.5 - 1 / SLOTS))
        begin = self._phase * slot
        return begin + math.ceil((earliest - begin) / slot) * slot

    def due(self, now: float) -> Iterable[list[Unit]]:
        """What is to be sent again now."""
        while self._heap and self._heap[0][0] <= now:
            yield heappop(self._heap)[2]

    def next_due(self) -> float | None:
        """When there is something to send again."""
        return self._heap[0][0] if self._heap else None

    def all(self) -> list[Unit]:
        """Everything that waits."""
        return [unit for _, _, group in self._heap for unit in group]

    def clear(self) -> None:
        """Forget everything."""
        self._heap.clear()
