"""Which planted bugs break the rules of writes? Conditions, nonces, what an answer means."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from kcl_py.core.consumer.consumers import Consumers
from kcl_py.core.events import Failure, Refused
from kcl_py.core.leases import writes
from kcl_py.core.leases.desk import Desk
from kcl_py.core.leases.holding import Holding
from kcl_py.core.leases.keeper import Keeper
from kcl_py.core.leases.ledger import Ledger, Won
from kcl_py.core.leases.rows import LeaseRow
from kcl_py.core.leases.scanner import Scanner
from kcl_py.core.leases.writes import Absent, Is, WriteKind
from kcl_py.testing.mutants.arena_code import HUNG
from kcl_py.testing.mutants.arena_fleets import LATE
from kcl_py.testing.mutants.mutant import ASSERTION, Room

if TYPE_CHECKING:
    from kcl_py.core.events import WriteAnswer
    from kcl_py.core.leases.ledger import Attempt, Outcome
    from kcl_py.core.leases.rows import Row
    from kcl_py.core.leases.scanner import Scan
    from kcl_py.core.leases.writes import RowWrite
    from kcl_py.records import Position
    from kcl_py.testing.mutants.mutant import Patches

ROOM = Room("3 Writes")


@ROOM.plant("one nonce for all attempts", "a fresh nonce each", "I1", within=5, arena=LATE)
def one_nonce(patches: Patches) -> None:
    """The first attempt applied, the second is refused and finds "its" nonce: a fence too late."""
    patches.put(Desk, "new_nonce", lambda self: f"{self.me}#1")


@ROOM.plant("the newest attempt is credited", "take its send time", "I1", within=5, arena=LATE)
def newest_attempt(patches: Patches) -> None:
    """An early attempt applied: to count the fence from the last one is too late."""
    settle = Ledger.settle

    def credit(self: Ledger, attempt: Attempt, answer: WriteAnswer) -> Outcome:
        outcome = settle(self, attempt, answer)
        return Won(attempt, outcome.row) if isinstance(outcome, Won) else outcome

    patches.put(Ledger, "settle", credit)


@ROOM.plant('"counter is mine + 1" instead of the nonce', "own nonce on the row", "I1", within=10)
def counter_instead_of_nonce(patches: Patches) -> None:
    """Two take at once; the loser finds the counter that it wanted, and believes that it won."""
    settle = Ledger.settle

    def by_counter(self: Ledger, attempt: Attempt, answer: WriteAnswer) -> Outcome:
        row = answer.row if isinstance(answer, Refused) else None
        if isinstance(row, LeaseRow) and row.counter == self.base + 1:
            self.in_flight, self.base = None, row.counter
            self._attempts.clear()
            return Won(attempt, row)
        return settle(self, attempt, answer)

    patches.put(Ledger, "settle", by_counter)


@ROOM.plant("take conditional on owner only", "take: counter = c", "I1", "I3", within=5, arena=LATE)
def take_on_owner_only(patches: Patches) -> None:
    """The owner has renewed since we looked, and is still the owner: it is taken from alive."""
    take = writes.take

    def loose(row: LeaseRow, **how: Any) -> RowWrite:
        test = Absent("owner") if row.owner is None else Is("owner", row.owner)
        return replace(take(row, **how), tests=(test,))

    patches.put(writes, "take", loose)


@ROOM.plant("a take that leaves the counter", "every write moves the counter", "I3", within=5)
def take_leaves_the_counter(patches: Patches) -> None:
    """Two epochs have one token, and an owner who comes back does not notice."""
    take = writes.take

    def same(row: LeaseRow, *, me: str, nonce: str, duration: float, counter: int) -> RowWrite:
        del counter
        return take(row, me=me, nonce=nonce, duration=duration, counter=row.counter)

    patches.put(writes, "take", same)


@ROOM.plant(
    "checkpoint unconditional", "renew: counter and owner", "I1", "I2", "I3", within=5, arena=LATE
)
def checkpoint_unconditional(patches: Patches) -> None:
    """A renewal that arrives late takes the row back, and its checkpoint too."""
    renew = writes.renew

    def blind(key: str, **how: Any) -> RowWrite:
        return replace(renew(key, **how), tests=())

    patches.put(writes, "renew", blind)


@ROOM.plant(
    "renewal without the counter", "renew: counter = c", "I1", "I2", "I3", within=5, arena=LATE
)
def renewal_without_the_counter(patches: Patches) -> None:
    """Two attempts on one base may both apply: the late one takes the position back."""
    renew = writes.renew

    def loose(key: str, **how: Any) -> RowWrite:
        write = renew(key, **how)
        return replace(write, tests=tuple(t for t in write.tests if not isinstance(t, Is)))

    patches.put(writes, "renew", loose)


@ROOM.plant(
    "release not conditional",
    "release: owner's condition",
    "I1",
    "I2",
    "I3",
    within=120,
    arena=LATE,
)
def release_not_conditional(patches: Patches) -> None:
    """A release that arrives late offers a lease that somebody else holds by now."""
    release = writes.release

    def blind(key: str, **how: Any) -> RowWrite:
        return replace(release(key, **how), tests=())

    patches.put(writes, "release", blind)


@ROOM.plant(
    "own by reading", "ownership begins with one's own write", "I1", "I3", within=5, arena=LATE
)
def own_by_reading(patches: Patches) -> None:
    """An offer that names us is taken for the lease itself: anybody may take it beside us."""
    take_given = Keeper._take_given

    def hasty(self: Keeper, now: float, row: LeaseRow) -> None:
        if row.actual_owner == self._desk.me and self.may_take(now, row.key):
            self.taken(now, row, now)
        else:
            take_given(self, now, row)

    patches.put(Keeper, "_take_given", hasty)


@ROOM.plant(
    "start checkpoint from a stale read", "checkpoint from the answer", "I3", within=5, arena=LATE
)
def start_from_a_stale_read(patches: Patches) -> None:
    """The scan of before the last renewals shows an older position: records come again."""
    see, taken = Scanner._see, Keeper.taken
    scanned: WeakKeyDictionary[Scanner, dict[str, LeaseRow]] = WeakKeyDictionary()

    def noting(self: Scanner, now: float, row: Row, scan: Scan) -> None:
        if isinstance(row, LeaseRow):
            scanned.setdefault(self, {})[row.key] = row
        see(self, now, row, scan)

    def stale(self: Keeper, now: float, row: LeaseRow, sent_at: float) -> None:
        old = scanned.get(self._scanner, {}).get(row.key, row)
        taken(self, now, replace(row, checkpoint=old.checkpoint), sent_at)

    patches.put(Scanner, "_see", noting)
    patches.put(Keeper, "taken", stale)


@ROOM.plant(
    "a position of an earlier epoch", "only what this epoch finished", "I2", within=150, arena=LATE
)
def position_of_an_earlier_epoch(patches: Patches) -> None:
    """The lease was away and came back: the first write of the new epoch carries the old place."""
    finish = Holding.finish
    newest: WeakKeyDictionary[object, dict[str, Position]] = WeakKeyDictionary()

    def noting(self: Holding, now: float, position: Position, *, urgent: bool) -> None:
        newest.setdefault(self._listener, {})[self.key] = position
        finish(self, now, position, urgent=urgent)

    def news(self: Holding) -> Position | None:
        return newest.get(self._listener, {}).get(self.key)

    patches.put(Holding, "finish", noting)
    patches.put(Holding, "_news", news)


@ROOM.plant(
    "take while own user code runs", "never beside its own user code", "I1", within=10, arena=HUNG
)
def take_while_running(patches: Patches) -> None:
    """The lease was lost in a long call and is taken back: two objects of one shard."""
    patches.put(Consumers, "is_running", lambda self, key: False)


@ROOM.plant(
    "resume after a transfer without a write",
    "giving away is final",
    "I1",
    "I3",
    ASSERTION,
    within=150,
    arena=LATE,
)
def resume_after_a_transfer(patches: Patches) -> None:
    """A transfer times out and is taken for not applied: the old owner goes on, the new one too."""
    settle = Holding._answered

    def hopeful(self: Holding, now: float, answer: WriteAnswer, *, attempt: Attempt) -> None:
        if isinstance(answer, Failure) and attempt.kind is WriteKind.TRANSFER:
            self._ledger.settle(attempt, answer)
            self.phase = type(self.phase).HELD
            self._set_timers()
            self._desk.consumers.resume(now, self.key, self.epoch())
            return
        settle(self, now, answer, attempt=attempt)

    patches.put(Holding, "_answered", hopeful)
