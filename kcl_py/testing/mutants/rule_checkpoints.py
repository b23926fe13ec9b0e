"""Which planted bugs break the rules of checkpoints? What is finished, and what is said of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kcl_py.core.consumer import machine
from kcl_py.core.consumer.accounts import account
from kcl_py.core.consumer.checkpoints import Checkpoints
from kcl_py.core.consumer.consumers import Consumers
from kcl_py.core.consumer.machine import ShardMachine
from kcl_py.core.events import CallReturned
from kcl_py.core.leases import writes
from kcl_py.core.leases.holding import Holding
from kcl_py.testing.mutants.arena_code import FAILING
from kcl_py.testing.mutants.arena_fleets import QUIET
from kcl_py.testing.mutants.mutant import ASSERTION, Room

if TYPE_CHECKING:
    from kcl_py.core.consumer.buffer import Slice
    from kcl_py.core.consumer.running import Running
    from kcl_py.core.events import CheckpointAsked, UserError
    from kcl_py.core.leases.ledger import Won
    from kcl_py.core.leases.writes import RowWrite
    from kcl_py.testing.mutants.mutant import Patches

ROOM = Room("7 Checkpoints")


@ROOM.plant(
    "checkpoint ahead of what is finished",
    "a finished batch is a position",
    "I2",
    within=5,
    arena=FAILING,
)
def checkpoint_ahead(patches: Patches) -> None:
    """The worker dies before it processes what it has declared finished."""
    deliver = ShardMachine._deliver

    def early(self: ShardMachine, now: float, run: Running) -> None:
        deliver(self, now, run)
        last = self.checkpoints.progress.delivered
        if run.is_busy and last is not None and run.is_auto:
            self.checkpoints.finish(now, last, urgent=True)

    patches.put(ShardMachine, "_deliver", early)


@ROOM.plant(
    "checkpoint ahead of a failed record",
    "from the first not finished",
    "I2",
    "I5",
    within=40,
    arena=FAILING,
)
def checkpoint_ahead_of_the_failed(patches: Patches) -> None:
    """RecordFailed names a record, and the record itself counts as finished too."""

    def one_more(
        now: float, run: Running, part: Slice | None, error: UserError | None, *parts: Any
    ) -> None:
        account(now, run, part, error, *parts)
        if error is not None and error.failed_at is not None and run.is_auto:
            parts[0].finish(now, error.failed_at, urgent=False)

    patches.put(machine, "account", one_more)


@ROOM.plant(
    "failed batch skipped", "a batch that failed is retried", "I2", "I5", within=20, arena=FAILING
)
def failed_batch_skipped(patches: Patches) -> None:
    """User code raises, and is given what follows."""
    on_event = Consumers.on_event

    def deaf(self: Consumers, now: float, event: CallReturned | CheckpointAsked) -> None:
        if isinstance(event, CallReturned) and event.method == "process_records" and event.error:
            event = replace(event, error=None)
        on_event(self, now, event)

    patches.put(Consumers, "on_event", deaf)


@ROOM.plant(
    "retry re-orders batches",
    "retried from the first not finished",
    "I3",
    "I5",
    ASSERTION,
    within=40,
    arena=FAILING,
)
def retry_reorders(patches: Patches) -> None:
    """What failed goes to the end of the line, so that the rest need not wait for it."""
    judge = ShardMachine._judge

    def requeue(
        self: ShardMachine, now: float, run: Running, part: Slice | None, event: CallReturned
    ) -> None:
        if event.error is not None and event.method == "process_records":
            self.supply._buffer._pages.rotate(-1)
        judge(self, now, run, part, event)

    patches.put(ShardMachine, "_judge", requeue)


@ROOM.plant(
    "a call returns before it is durable", "returns when durable", "I2", within=20, arena=QUIET
)
def answered_early(patches: Patches) -> None:
    """User code tells its queue that all is well, and the write never applies."""
    accept = Checkpoints._accept

    def early(self: Checkpoints, now: float, event: CheckpointAsked) -> None:
        accept(self, now, event)
        for request_id, _ in self._waiting:
            self._answer(request_id)
        self._waiting.clear()

    patches.put(Checkpoints, "_accept", early)


@ROOM.plant(
    "a renewal wipes out what is prepared",
    "renewals never touch it",
    "I2",
    within=40,
    arena=FAILING,
)
def renewal_wipes_prepared(patches: Patches) -> None:
    """The next owner finds nothing to commit, and does twice what was half done."""
    renew = writes.renew

    def wiping(key: str, **how: Any) -> RowWrite:
        return renew(key, **{**how, "clear_pending": True})

    patches.put(writes, "renew", wiping)


@ROOM.plant(
    "renewals starved by checkpoints",
    "renewals carry positions",
    "I6",
    "I7",
    within=20,
    arena=QUIET,
)
def renewals_starved(patches: Patches) -> None:
    """A checkpoint puts the next renewal off, and does not renew: a busy shard loses its lease."""
    renewed = Holding._renewed

    def not_a_renewal(self: Holding, now: float, won: Won) -> None:
        fence = self.fence
        renewed(self, now, won)
        if "checkpoint" in won.attempt.write.sets:
            self.fence = fence
            self._set_timers()

    patches.put(Holding, "_renewed", not_a_renewal)


@ROOM.plant(
    "an explicit batch counts as finished",
    "only what user code accepted",
    "I2",
    within=40,
    arena=FAILING,
)
def explicit_batch_counts(patches: Patches) -> None:
    """Records are in a buffer of user code, and the checkpoint has passed them."""

    def returned(
        now: float, run: Running, part: Slice | None, error: UserError | None, *parts: Any
    ) -> None:
        account(now, run, part, error, *parts)
        if error is None and part is not None:
            parts[0].finish(now, part.last, urgent=False)

    patches.put(machine, "account", returned)
