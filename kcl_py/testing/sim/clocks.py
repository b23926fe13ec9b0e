"""What time is it for one worker, and for a test that wants to say so itself?"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kcl_py.testing.sim.heap import EventHeap

WORLD_BEGAN_AT = 1_790_000_000.0
"""Unix seconds at true time 0: what the services' Date headers count from."""

DRIFT_MAX = 0.001
"""By how much a clock may run fast or slow. Source: assumption A1 of the design."""


class WorkerClock:
    """The clocks of one machine: a monotonic one with its own rate and origin, and a wall clock.

    Attributes:
        wall_offset: Seconds by which the wall clock is ahead of the services' clocks.
    """

    def __init__(
        self, heap: EventHeap, *, rate: float = 1.0, offset: float = 0.0, wall_offset: float = 0.0
    ) -> None:
        self._heap = heap
        self._rate = rate
        self._offset = offset
        self.wall_offset = wall_offset

    def now(self) -> float:
        """What the monotonic clock shows."""
        return self.reading(self._heap.now)

    def reading(self, true_time: float) -> float:
        """What the monotonic clock shows at a true time."""
        return self._offset + self._rate * true_time

    def true_time(self, reading: float) -> float:
        """When the monotonic clock shows `reading`."""
        return (reading - self._offset) / self._rate

    def wall(self) -> float:
        """What the wall clock shows, unix seconds."""
        return WORLD_BEGAN_AT + self._heap.now + self.wall_offset


class FakeClock:
    """A clock that moves only when told to."""

    def __init__(self, start: float = 0.0) -> None:
        self._now = start

    def now(self) -> float:
        """Return the time, seconds."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Move on.

        Raises:
            ValueError: Clocks do not go back.
        """
        if seconds < 0:
            raise ValueError(f"a clock cannot go back by {-seconds} seconds")
        self._now += seconds
