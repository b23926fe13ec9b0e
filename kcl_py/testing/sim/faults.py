"""What does the network do to this call? Drawn by chance, or ordered by a test."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from kcl_py.core.leases.writes import RowWrite


class Fate(StrEnum):
    """How one call ends."""

    FINE = "fine"
    REPLY_LOST = "reply_lost"
    """Applied; the client times out."""
    LOST = "lost"
    """Never applied; the client times out."""
    LATE = "late"
    """Applied after the client has given up."""
    THROTTLED = "throttled"
    ERROR = "error"
    """A 500; not applied."""
    ERROR_APPLIED = "error_applied"
    """A 500, although it was applied."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """How often what goes wrong. All chances are per call and from 0 to 1; times are seconds.

    Attributes:
        latency: Shortest and longest way of a healthy call, there and back.
        slow: Chance of a call that takes up to `slow_max`.
        late_max: How long after the time-out a late write may still be applied.
        stale: Chance that a page of a scan that is not consistent is an old one.
        stale_max: Greatest age of an old page.
        index_lag_max: How far the index may lag behind.
        scan_cut: Chance per page that a scan breaks off.
        stale_shards: Chance that ListShards answers as before the last change.
        expired: Chance that an iterator has expired.
        short_page: Chance that a page of records is cut short.
        empty_page: Chance that a read brings nothing, though there is something.
    """

    latency: tuple[float, float] = (0.005, 0.030)
    slow: float = 0.0
    slow_max: float = 3.0
    reply_lost: float = 0.0
    lost: float = 0.0
    late: float = 0.0
    late_max: float = 15.0
    throttled: float = 0.0
    error: float = 0.0
    error_applied: float = 0.0
    stale: float = 0.0
    stale_max: float = 1.0
    index_lag_max: float = 0.2
    scan_cut: float = 0.0
    stale_shards: float = 0.0
    expired: float = 0.0
    short_page: float = 0.0
    empty_page: float = 0.0
    stream_throttled: float = 0.0
    stream_lost: float = 0.0


CALM = Faults()
"""Nothing goes wrong."""

Matches: TypeAlias = Callable[[str, RowWrite], bool]


@dataclass(slots=True)
class Order:
    """A test's wish for the fate of the next write that matches."""

    matches: Matches
    fate: Fate
    delay: float


class FaultSource:
    """Decides what happens to each call.

    Attributes:
        faults: May be replaced at any time.
        cut: Workers that reach DynamoDB no more, and how: LOST or REPLY_LOST.
        cut_stream: Workers that reach Kinesis no more.
    """

    def __init__(self, rng: random.Random, faults: Faults = CALM) -> None:
        self.rng = rng
        self.faults = faults
        self.cut: dict[str, Fate] = {}
        self.cut_stream: set[str] = set()
        self._orders: list[Order] = []
        self._chances: list[tuple[Fate, float]] = []
        self._chances_of: Faults | None = None

    def order(self, matches: Matches, fate: Fate, *, delay: float = 5.0) -> None:
        """Give the next write for which `matches(worker, write)` this fate, once.

        Args:
            delay: For LATE: seconds after the time-out at which it is applied.
        """
        self._orders.append(Order(matches, fate, delay))

    def forget_orders(self) -> None:
        """Drop the wishes that no write has matched yet."""
        self._orders.clear()

    def way(self) -> float:
        """Return the time of one healthy call, one direction, seconds."""
        low, high = self.faults.latency
        return (low + (high - low) * self.rng.random()) / 2

    def write_fate(self, worker: str, write: RowWrite) -> tuple[Fate, float]:
        """Return what happens to a write, and for a late one how late."""
        for order in self._orders:
            if order.matches(worker, write):
                self._orders.remove(order)
                return order.fate, order.delay
        fate = self.read_fate(worker)
        if fate is Fate.FINE and self.faults.late and self.rng.random() < self.faults.late:
            fate = Fate.LATE
        return fate, self.rng.uniform(0.0, self.faults.late_max) if fate is Fate.LATE else 0.0

    def read_fate(self, worker: str) -> Fate:
        """Return what happens to a call that is no write."""
        if worker in self.cut:
            return self.cut[worker]
        if self._chances_of is not self.faults:
            self._chances, self._chances_of = _chances(self.faults), self.faults
        for fate, chance in self._chances:
            if self.rng.random() < chance:
                return fate
        return Fate.FINE

    def happens(self, chance: float) -> bool:
        """Draw: does something of this chance happen?"""
        return chance > 0 and self.rng.random() < chance

    def staleness(self) -> float:
        """Return how old the answer of a read that need not be consistent is, seconds."""
        if self.happens(self.faults.stale):
            return self.rng.uniform(0.0, self.faults.stale_max)
        return 0.0

    def index_lag(self) -> float:
        """Return after how many seconds the index learns of a write."""
        return self.rng.uniform(0.0, self.faults.index_lag_max)

    def lasts(self, timeout: float) -> float:
        """Return how long a call that is fine takes there; beyond `timeout` it is not answered."""
        if self.faults.slow and self.happens(self.faults.slow):
            return self.rng.uniform(0.0, max(timeout, self.faults.slow_max))
        return self.way()


def _chances(faults: Faults) -> list[tuple[Fate, float]]:
    """Return what may happen to a call that is no write, and how often."""
    chances = (
        (Fate.REPLY_LOST, faults.reply_lost),
        (Fate.LOST, faults.lost),
        (Fate.THROTTLED, faults.throttled),
        (Fate.ERROR, faults.error),
        (Fate.ERROR_APPLIED, faults.error_applied),
    )
    return [(fate, chance) for fate, chance in chances if chance]
