"""What do the consumers of the shards ask of the leases, and what do they tell them?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from kcl_py.core.leases.writes import WriteKind

if TYPE_CHECKING:
    from kcl_py.core.leases.desk import Desk
    from kcl_py.core.leases.failing import Failing
    from kcl_py.core.leases.holding import Holding
    from kcl_py.core.leases.rows import LeaseRow, Pending
    from kcl_py.core.leases.stopping import Stopping
    from kcl_py.core.leases.victim import Victim
    from kcl_py.core.shards.graph import Shard
    from kcl_py.records import Position


class Leases(Protocol):
    """What is known of our leases; the keeper.

    Attributes:
        holdings: Leases whose row names us, by key.
        victims: What others ask of them.
        running_lost: Keys of lost leases whose user code still runs.
    """

    holdings: dict[str, Holding]
    victims: dict[str, Victim]
    running_lost: set[str]

    def owned(self, key: str) -> Holding | None:
        """Return the lease if it is ours, and not being given away."""

    def give_stray(self, now: float, row: LeaseRow, successor: str | None) -> None:
        """Give away a lease of which nothing runs here."""

    def stop(self, now: float) -> None:
        """Drain and leave."""


class ConsumerSide:
    """Implements `LeasePort`. What is asked of a lease that is not ours has no effect."""

    def __init__(self, desk: Desk, leases: Leases, failing: Failing, stopping: Stopping) -> None:
        self._desk = desk
        self._leases = leases
        self._failing = failing
        self._stopping = stopping
        self._release_after: set[str] = set()

    def finished(self, now: float, key: str, position: Position, *, urgent: bool) -> None:
        """Carry this position with the next write."""
        if holding := self._leases.owned(key):
            holding.finish(now, position, urgent=urgent)

    def prepare(self, now: float, key: str, pending: Pending) -> None:
        """Store a prepared checkpoint."""
        if holding := self._leases.owned(key):
            holding.prepare(now, pending)

    def commit(self, now: float, key: str, position: Position) -> None:
        """Make a prepared checkpoint the checkpoint."""
        if holding := self._leases.owned(key):
            holding.commit(now, position)

    def drained(self, now: float, key: str) -> None:
        """User code of a draining shard has closed."""
        holding = self._leases.owned(key)
        if holding is None:
            self.code_returned(now, key)
        elif self._desk.stopping:
            self._stopping.drained(now, holding)
        else:
            self._leases.victims[key].drained(now)

    def shard_read(self, now: float, key: str, children: tuple[Shard, ...]) -> None:
        """Create the children of a shard that was read to its end."""
        if holding := self._leases.owned(key):
            self._desk.shards.create_children(now, holding.row, children)

    def ended(self, now: float, key: str) -> None:
        """The processor agreed to the end of its shard: write SHARD_END."""
        if holding := self._leases.owned(key):
            self._leases.victims[key].stop()
            holding.give(now, WriteKind.END)

    def give_up(self, now: float, key: str, why: str) -> None:
        """User code says that the epoch is over: leave the lease to others for a while."""
        if holding := self._leases.owned(key):
            self._desk.avoid_until[key] = now + self._desk.duration
            self._release_after.add(key)
            holding.lose(now, why)

    def hung(self, now: float, key: str) -> None:
        """User code hangs: its lease is not renewed any more."""
        del now
        if holding := self._leases.owned(key):
            holding.stop_renewing()

    def paused(self, now: float, key: str, *, paused: bool) -> None:
        """Say in the row that the shard is paused, or that it goes on."""
        if holding := self._leases.owned(key):
            holding.say_paused(now, paused=paused)

    def code_returned(self, now: float, key: str) -> None:
        """The last user code of a lost lease has closed: it may be taken, or given away, now."""
        self._leases.running_lost.discard(key)
        self._failing.check(now)
        if self._failing.error is not None:
            return
        sight = self._desk.sights.leases.get(key)
        wanted = key in self._release_after or self._desk.stopping
        self._release_after.discard(key)
        if (
            wanted
            and sight
            and sight.row.actual_owner == self._desk.me
            and key not in self._leases.holdings
        ):
            self._leases.give_stray(now, sight.row, None)
        elif self._desk.stopping:
            self._stopping.check(now)

    def stop_worker(self, now: float, why: str) -> None:
        """User code raised SystemExit: drain and stop."""
        self._desk.calls.report("worker.stop_asked", "info", reason=why)
        self._leases.stop(now)
