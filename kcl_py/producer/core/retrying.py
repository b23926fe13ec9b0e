"""When is what failed sent again? Growing waits with jitter; what failed together goes together."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable

    from kcl_py.producer.core.units import Unit

WAIT_SECONDS_FIRST: Final = 0.1
WAIT_SECONDS_MAX: Final = 5.0


def wait_seconds(attempts: int, rng: random.Random) -> float:
    """How long to wait after so many attempts: from half of it to all of it."""
    longest = min(WAIT_SECONDS_MAX, WAIT_SECONDS_FIRST * 2.0 ** min(attempts - 1, 20))
    return longest * (0.5 + rng.random() / 2)


class Retries:
    """What waits for its next attempt."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, list[Unit]]] = []
        self._count = 0

    def add(self, when: float, units: list[Unit]) -> None:
        """Send these again then."""
        self._count += 1
        heappush(self._heap, (when, self._count, units))

    def due(self, now: float) -> Iterable[list[Unit]]:
        """What is to be sent again now."""
        while self._heap and self._heap[0][0] <= now:
            yield heappop(self._heap)[2]

    def next_due(self) -> float | None:
        """When there is something to send again."""
        return self._heap[0][0] if self._heap else None

    def clear(self) -> list[Unit]:
        """Take everything out."""
        units = [unit for _, _, group in self._heap for unit in group]
        self._heap.clear()
        return units
