"""Which planted bugs break the rules of time? Fences, sights, expiry."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kcl_py.core.leases import writes
from kcl_py.core.leases.desk import Desk
from kcl_py.core.leases.holding import Holding
from kcl_py.core.leases.keeper import Keeper
from kcl_py.core.leases.ledger import Attempt, Won
from kcl_py.core.leases.rows import LeaseRow
from kcl_py.core.leases.scanner import Scanner
from kcl_py.core.leases.sights import Sights
from kcl_py.core.leases.taking import Taking
from kcl_py.testing.mutants.arena_fleets import DURATIONS, LATE, QUIET
from kcl_py.testing.mutants.arena_shards import RESTORED
from kcl_py.testing.mutants.mutant import Room

if TYPE_CHECKING:
    from kcl_py.core.events import RowsRead
    from kcl_py.core.leases.rows import Row
    from kcl_py.core.leases.scanner import Scan
    from kcl_py.core.leases.writes import RowWrite
    from kcl_py.testing.mutants.mutant import Patches

ROOM = Room("1 Time")


@ROOM.plant("deadline counted from the reply", "fence", "I1", within=5)
def deadline_from_reply(patches: Patches) -> None:
    """The answer to a renewal took a second: for that second we are inside, and others may take."""
    renewed = Holding._renewed

    def later(self: Holding, now: float, won: Won) -> None:
        renewed(self, now, Won(Attempt(won.attempt.write, now), won.row))

    patches.put(Holding, "_renewed", later)


@ROOM.plant("no margin before the fence", "fence", "I1", within=5)
def no_margin(patches: Patches) -> None:
    """Our clock runs slow by a thousandth: the last record goes out after somebody has taken."""
    patches.put(Desk, "fence_of", lambda self, sent_at: sent_at + self.duration)


@ROOM.plant("live steal", "expired", "I1", within=5)
def live_steal(patches: Patches) -> None:
    """A counter that stood still for a second is taken for a dead owner's."""
    patches.put(Sights, "expires_at", lambda self, key: self.leases[key].since + 1.0)


@ROOM.plant("expiry counted from the write", "sight", "I1", within=10)
def expiry_from_the_write(patches: Patches) -> None:
    """The counter moved some time after our last look: to count from there is up to S too early.

    The owner renews late once, is cut off, and still is inside its fence when it is taken from.
    """
    see = Sights.see_lease

    def guessing(self: Sights, now: float, row: LeaseRow, **how: Any) -> None:
        known = self.leases.get(row.key)
        looked_at = None if known is None else known.seen_at
        before = None if known is None else known.row.counter
        see(self, now, row, **how)
        sight = self.leases[row.key]
        if looked_at is not None and sight.row.counter != before:
            sight.since = looked_at

    patches.put(Sights, "see_lease", guessing)


@ROOM.plant("take on whatever the read shows", "take on exactly that counter", "I1", within=10)
def take_what_the_read_shows(patches: Patches) -> None:
    """The read before a take shows a counter that has moved: its owner lives, and is taken from."""

    def have_read(
        self: Taking, now: float, key: str, expected: int, read: RowsRead, *, asked_at: float
    ) -> None:
        del expected
        for row in read.rows:
            if isinstance(row, LeaseRow) and not row.is_finished:
                self._desk.sights.see_lease(now, row, asked_at=asked_at, consistent=True)
                if self._listener.may_take(now, key):
                    self.take(now, row)

    patches.put(Taking, "_have_read", have_read)


@ROOM.plant("the duration in the row is ignored", "expired", "I1", within=15, arena=DURATIONS)
def own_duration_only(patches: Patches) -> None:
    """A worker with a short duration takes from one with a long one, which is alive."""
    patches.put(LeaseRow, "wait_seconds", lambda self, own_duration: own_duration)


@ROOM.plant(
    "adopt without the duration",
    "every take sets leaseDurationMs",
    "I1",
    within=15,
    arena=DURATIONS,
)
def adopt_without_the_duration(patches: Patches) -> None:
    """The row goes on naming the short duration of the owner before: others wait too short."""
    take, renew = writes.take, writes.renew

    def bare_take(row: LeaseRow, **how: Any) -> RowWrite:
        return _without_duration(take(row, **how))

    def bare_renew(key: str, **how: Any) -> RowWrite:
        return _without_duration(renew(key, **how))

    patches.put(writes, "take", bare_take)
    patches.put(writes, "renew", bare_renew)


def _without_duration(write: RowWrite) -> RowWrite:
    sets = {name: value for name, value in write.sets.items() if name != "duration"}
    return replace(write, sets=sets)


@ROOM.plant("a wall clock that jumps is ignored", "a restored machine", "I1", within=20, arena=LATE)
def jump_ignored(patches: Patches) -> None:
    """A machine is restored from a snapshot: its own clock has not seen the lease expire."""
    patches.put(Keeper, "fence_all", lambda self, now, why: None)


@ROOM.plant("a take of before the jump counts", "a restored machine", "I1", within=60, arena=LATE)
def take_before_the_jump(patches: Patches) -> None:
    """A take was under way when the machine was restored; nobody knows how old its answer is."""
    patches.put(Taking, "void", lambda self, now: None)


@ROOM.plant(
    "a restored table is a stale replica", "a restored table", "I1", "I3", within=20, arena=RESTORED
)
def restored_is_stale(patches: Patches) -> None:
    """Every counter has gone back: to wait for newer ones is to hand out old tokens again."""
    patches.put(Sights, "_see_lower", lambda self, row, known, **how: None)


@ROOM.plant(
    "a scan that overwrites a newer answer",
    "a lower counter is ignored",
    "I6",
    "I7",
    "I8",
    "I10",
    within=10,
    arena=QUIET,
)
def scan_overwrites(patches: Patches) -> None:
    """A stale page shows our own lease as of before the last renewal: the next one is refused."""
    see = Scanner._see

    def refresh(self: Scanner, now: float, row: Row, scan: Scan) -> None:
        see(self, now, row, scan)
        holding = self._listener.holdings.get(row.key)  # type: ignore[attr-defined] # the keeper
        if isinstance(row, LeaseRow) and holding is not None and not holding._ledger.in_flight:
            holding.row, holding._ledger.base = row, row.counter

    patches.put(Scanner, "_see", refresh)
