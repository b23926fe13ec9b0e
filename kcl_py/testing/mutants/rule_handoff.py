"""Which planted bugs break the rules of handoffs? Ask, drain, look again, give, or refuse."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kcl_py.core.leases import requests, writes
from kcl_py.core.leases.consumer_side import ConsumerSide
from kcl_py.core.leases.holding import Holding
from kcl_py.core.leases.requests import Requests
from kcl_py.core.leases.rows import LeaseRow
from kcl_py.core.leases.scanner import Scanner
from kcl_py.core.leases.victim import Step, Victim
from kcl_py.core.leases.writes import Is, WriteKind
from kcl_py.testing.mutants.arena_code import HUNG
from kcl_py.testing.mutants.arena_moves import MOVES, RESTLESS, TAKERS, WITHDRAWALS
from kcl_py.testing.mutants.mutant import Room

if TYPE_CHECKING:
    from kcl_py.core.leases.writes import RowWrite
    from kcl_py.testing.mutants.mutant import Patches

ROOM = Room("4 Handoff")


@ROOM.plant(
    "a request that bumps the counter",
    "a request touches no counter",
    "I6",
    "I7",
    "I10",
    within=10,
    arena=MOVES,
)
def request_bumps(patches: Patches) -> None:
    """The owner's next renewal is refused: it is cut off in the middle of a batch."""
    ask, request = Requests.ask, writes.request

    def asking(self: Requests, now: float, moves: list[tuple[str, str]]) -> None:
        counters = {key: sight.row.counter for key, sight in self._desk.sights.leases.items()}

        def bumping(key: str, *, me: str, victim: str) -> RowWrite:
            write = request(key, me=me, victim=victim)
            at = counters[key]
            tests = (*write.tests, Is("counter", at))
            return replace(write, tests=tests, sets={**write.sets, "counter": at + 1})

        writes.request = bumping
        try:
            ask(self, now, moves)
        finally:
            writes.request = request

    patches.put(Requests, "ask", asking)


@ROOM.plant(
    "transfer conditional on the counter only",
    "transfer: leaseOwner = T",
    "I6",
    within=20,
    arena=WITHDRAWALS,
)
def transfer_whoever_asks(patches: Patches) -> None:
    """The taker has withdrawn, which moves no counter: the lease is offered to who gave it."""
    transfer = writes.transfer

    def loose(key: str, **options: Any) -> RowWrite:  # as the core calls it
        write = transfer(key, **options)
        tests = tuple(t for t in write.tests if isinstance(t, Is) and t.field == "counter")
        return replace(write, tests=tests)

    patches.put(writes, "transfer", loose)


@ROOM.plant(
    "handoff released before user code returned",
    "transfer after the drain",
    "I1",
    within=10,
    arena=MOVES,
)
def transfer_before_the_drain(patches: Patches) -> None:
    """The taker begins while a call of the old owner still runs."""
    drain = Victim._drain

    def hasty(self: Victim, now: float) -> None:
        drain(self, now)
        if self.step is Step.DRAINING:
            self.step = Step.LAST_LOOK
            self._look(now)

    patches.put(Victim, "_drain", hasty)


@ROOM.plant("forced handoff of a hung victim", "a slow drain cancels", "I1", within=20, arena=HUNG)
def forced_handoff(patches: Patches) -> None:
    """The drain takes too long, and the lease is given although the call may still write."""

    def force(self: Victim, now: float) -> None:
        if self.step is Step.DRAINING and self.taker is not None:
            self._holding.give(now, WriteKind.TRANSFER, self.taker)

    patches.put(Victim, "_too_slow", force)


@ROOM.plant("a slow drain goes on for ever", "a slow drain cancels", "I6", within=20, arena=HUNG)
def no_cancel(patches: Patches) -> None:
    """User code never comes back, and the handoff stays half done."""
    patches.put(Victim, "_too_slow", lambda self, now: None)


@ROOM.plant("given to a taker that is gone", "V reads T's row", "I6", "I7", within=30, arena=TAKERS)
def taker_not_looked_at(patches: Patches) -> None:
    """The taker has died or left since it asked: nobody is there to take the offer."""
    patches.put(Victim, "_is_gone", lambda self, now, taker, read: False)


@ROOM.plant(
    "the old object goes on after a late cancel",
    "after it: a new epoch",
    "I3",
    "I6",
    within=20,
    arena=TAKERS,
)
def late_cancel_goes_on(patches: Patches) -> None:
    """`shutdown_requested` was called, the handoff is cancelled: there is nothing to go on with."""

    def resume(self: Victim, now: float) -> None:
        self.step = Step.IDLE
        self._told_to_drain = self._is_drained = False
        self._desk.consumers.resume(now, self._holding.key, None)

    patches.put(Victim, "_resume", resume)


@ROOM.plant(
    "the old token after a late cancel",
    "the token is the cancel's counter",
    "I3",
    within=10,
    arena=TAKERS,
)
def late_cancel_keeps_the_token(patches: Patches) -> None:
    """A new object in an epoch that was told to shut down: a sink cannot tell the two apart."""
    patches.put(Holding, "begin_new_epoch", lambda self: None)


@ROOM.plant("no look into the index", "found within a second", "I6", within=20, arena=MOVES)
def no_index(patches: Patches) -> None:
    """Who is named as successor learns of it from a scan, seconds later."""
    patches.put(Scanner, "_look", lambda self, now: None)


@ROOM.plant("hung code is renewed", "hung code: renewals stop", "I6", within=5, arena=HUNG)
def hung_is_renewed(patches: Patches) -> None:
    """A call never comes back; its shard is held, and nobody processes it."""
    patches.put(ConsumerSide, "hung", lambda self, now, key: None)


@ROOM.plant("an offer that outlives the take", "any bump ends the offer", "I1", within=10)
def offer_outlives_the_take(patches: Patches) -> None:
    """The mark is a flag that the take leaves: a lease in use looks as if nobody ran it."""
    take = writes.take

    def leaving(row: LeaseRow, **how: Any) -> RowWrite:
        write = take(row, **how)
        return replace(write, sets={k: v for k, v in write.sets.items() if k != "offer"})

    def is_offered(self: LeaseRow) -> bool:
        return self.offer is not None and not self.is_finished

    patches.put(writes, "take", leaving)
    patches.put(LeaseRow, "is_offered", property(is_offered))


@ROOM.plant(
    "a lease without its last position", "own newer position", "I10", within=10, arena=MOVES
)
def without_the_last_position(patches: Patches) -> None:
    """What was finished since the last renewal is repeated by the next owner."""
    for name in ("transfer", "release"):
        write = getattr(writes, name)

        def bare(key: str, *, old: Any = write, **how: Any) -> RowWrite:
            found: RowWrite = old(key, **{**how, "checkpoint": None})
            return found

        patches.put(writes, name, bare)


@ROOM.plant(
    "refused, and asked again at once", "T backs off for 10 S", "I7", "I8", within=20, arena=HUNG
)
def asked_again(patches: Patches) -> None:
    """The owner drains, refuses and resumes, over and over."""
    patches.put(requests, "AGAIN_AFTER_CANCEL", 0.0)


@ROOM.plant(
    "a transferred lease moved again before it was taken",
    "an offer is marked, and not moved again",
    "I6",
    within=30,
    arena=RESTLESS,
)
def moved_on_the_way(patches: Patches) -> None:
    """A lease on its way looks like one in use: it waits for whom it was given to, gone or not."""
    for name in ("transfer", "release"):
        write = getattr(writes, name)

        def unmarked(key: str, *, old: Any = write, **how: Any) -> RowWrite:
            found: RowWrite = old(key, **how)
            return replace(found, sets={k: v for k, v in found.sets.items() if k != "offer"})

        patches.put(writes, name, unmarked)
