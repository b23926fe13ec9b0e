"""What do the machines of the shards share? Outbox, timers, randomness, and who listens."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kcl_py.core.leases import writes
from kcl_py.core.leases.rows import LeaseRow

if TYPE_CHECKING:
    import random

    from kcl_py.core.calls import Calls
    from kcl_py.core.leases.rows import Row
    from kcl_py.core.ports import ShardListener
    from kcl_py.core.timers import Timers

PAUSE_FIRST = 0.5
PAUSE_MAX = 30.0
"""Seconds between attempts of whatever failed: doubled from the first to the longest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The surroundings of one worker's shard machines.

    Attributes:
        lease_duration: Own lease duration in seconds, written into the rows of repairs.
    """

    worker_id: str
    calls: Calls
    timers: Timers
    rng: random.Random
    lease_duration: float
    listener: ShardListener

    def pause(self, attempt: int) -> float:
        """Return how long to wait before attempt number `attempt + 1`, seconds, with jitter."""
        longest = min(PAUSE_MAX, PAUSE_FIRST * 2.0 ** min(attempt, 10))
        return longest * self.rng.uniform(0.5, 1.0)

    def counter_floor(self, now: float) -> int:
        """Return the lowest counter of a new row: unix milliseconds, or above all seen."""
        unix_ms = int(self.listener.wall_now(now) * 1000)
        return max(unix_ms, 1 + self.listener.highest_counter())

    def creation(self, row: LeaseRow) -> writes.RowWrite:
        """Return the write of a new row, with a nonce of its own."""
        nonce = f"{self.worker_id}#{self.rng.getrandbits(64):016x}"
        duration = None if row.owner is None else self.lease_duration
        return writes.create(replace(row, nonce=nonce, duration=duration))

    def see(self, now: float, rows: Iterable[Row | None]) -> None:
        """Tell the lease side what was read, unless it knows newer already."""
        known = self.listener.rows()
        for row in rows:
            if isinstance(row, LeaseRow) and (
                row.key not in known or known[row.key].counter < row.counter
            ):
                self.listener.row_seen(now, row)
