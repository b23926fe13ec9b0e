"""How much was done, how often, and how long did it take? Counts that only grow.

Counted for each page, batch and call, never for each record.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Container
from dataclasses import dataclass, field, fields
from typing import Final

from kcl_py.status import TIMING_BOUNDS, ShardWork, Timing

ENDED_MAX: Final = 1000
"""So many shards that are not held any more are remembered one by one; older ones are summed up."""


@dataclass(slots=True, eq=False)
class TimeTally:
    """Durations of one kind, in buckets.

    Attributes:
        failed: So many of them ended badly.
        throttled: So many of those because of a limit.
    """

    failed: int = 0
    throttled: int = 0
    counts: list[int] = field(default_factory=lambda: [0] * (len(TIMING_BOUNDS) + 1))
    sums: list[float] = field(default_factory=lambda: [0.0] * (len(TIMING_BOUNDS) + 1))

    def add(self, seconds: float, *, failed: bool = False, throttled: bool = False) -> None:
        """Count one."""
        bucket = bisect_left(TIMING_BOUNDS, seconds)
        self.counts[bucket] += 1
        self.sums[bucket] += seconds
        self.failed += failed
        self.throttled += throttled

    def value(self) -> Timing:
        """What was counted so far."""
        return Timing(
            failed=self.failed,
            throttled=self.throttled,
            counts=tuple(self.counts),
            sums=tuple(self.sums),
        )


@dataclass(slots=True, eq=False)
class ShardTally:
    """What was done for one shard; see `ShardWork`."""

    reads: int = 0
    records_read: int = 0
    bytes_read: int = 0
    read_failures: int = 0
    read_throttles: int = 0
    iterators_expired: int = 0
    batches: int = 0
    records: int = 0
    bytes: int = 0
    failures: int = 0
    retries: int = 0
    processing: TimeTally = field(default_factory=TimeTally)

    def value(self) -> ShardWork:
        """What was counted so far."""
        counts = {name: getattr(self, name) for name in _COUNTS}
        return ShardWork(**counts, processing=self.processing.value())


_COUNTS: Final = tuple(each.name for each in fields(ShardTally) if each.name != "processing")


class Tallies:
    """The tallies of all shards that this worker ever held."""

    def __init__(self) -> None:
        self._shards: dict[str, ShardTally] = {}
        self._older = ShardWork()

    def at(self, key: str) -> ShardTally:
        """That of one shard; it goes on counting in its next epoch."""
        tally = self._shards.get(key)
        if tally is None:
            tally = self._shards[key] = ShardTally()
        return tally

    def values(self, held: Container[str]) -> dict[str, ShardWork]:
        """By lease key; of those that are not held only the newest are kept."""
        ended = [key for key in self._shards if key not in held]
        for key in ended[: max(0, len(ended) - ENDED_MAX)]:
            self._older = self._older.plus(self._shards.pop(key).value())
        return {key: tally.value() for key, tally in self._shards.items()}

    @property
    def older(self) -> ShardWork:
        """The sum of those that were given up."""
        return self._older
