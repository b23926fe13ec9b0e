"""What do we write while we hold a lease, and until when is it ours?

One held lease: renewals, fence, giving away.
"""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Protocol

from kcl_py.core.events import FailureKind
from kcl_py.core.leases import writes
from kcl_py.core.leases.ledger import Attempt, Ledger, Lost, Open, Won
from kcl_py.core.leases.rows import checkpoint_order
from kcl_py.core.leases.writes import GIVES, RowWrite, WriteKind
from kcl_py.core.ports import Epoch

if TYPE_CHECKING:
    from kcl_py.core.events import WriteAnswer
    from kcl_py.core.leases.desk import Desk
    from kcl_py.core.leases.rows import LeaseRow, Pending
    from kcl_py.records import Position

_URGENT_FAILURES_MAX = 3
"""After so many unanswered attempts whoever waits for a checkpoint is told; it stays recorded."""


class Phase(StrEnum):
    """Where a held lease stands."""

    HELD = "held"
    CANCELLING = "cancelling"
    GIVING = "giving"
    OVER = "over"


class HoldingListener(Protocol):
    """Whoever is told what becomes of a held lease."""

    def handoff_seen(self, now: float, holding: Holding) -> None:
        """A successful answer shows the row: a pending handoff is read off it, every time."""

    def cancelled(self, now: float, holding: Holding) -> None:
        """A cancel is durable."""

    def over(self, now: float, holding: Holding, *, given: bool) -> None:
        """It is not ours any more; given: by a write of ours that applied."""

    def table_failed(self, now: float, kind: FailureKind, action: str, message: str) -> None:
        """The table is gone, or denies the write."""


class Holding:
    """One lease that is ours from a write of our own until a fence.

    The fence is counted from the send of the last write that succeeded.

    Args:
        row: What the take returned.
        sent_at: When the take was emitted.
    """

    def __init__(
        self, desk: Desk, row: LeaseRow, sent_at: float, listener: HoldingListener
    ) -> None:
        self.key = row.key
        self.row = row
        self.token = row.counter
        self.fence = desk.fence_of(sent_at)
        self.phase = Phase.HELD
        self.finished: Position | None = None
        self.give_to: str | None = None
        self.give_kind: WriteKind | None = None
        self.hung = False
        self.children: tuple[str, ...] = ()
        self._desk = desk
        self._listener = listener
        self._ledger = Ledger(row.counter)
        self._renew_at = sent_at + desk.duration / 3
        self._urgent: Position | None = None
        self._pending: Pending | None = None
        self._commits: Position | None = None
        self._paused: bool | None = None
        self._begin_above: int | None = None
        self._epoch_facts = (row, self.token, self.fence)
        self._epoch = Epoch(row=row, token=self.token, fence=self.fence)

    @property
    def is_owner(self) -> bool:
        """It was not given away and not lost."""
        return self.phase in (Phase.HELD, Phase.CANCELLING)

    def epoch(self) -> Epoch:
        """Return the present epoch, for the consumer; the same object while nothing changes."""
        facts = (self.row, self.token, self.fence)
        if facts != self._epoch_facts:
            self._epoch_facts = facts
            self._epoch = Epoch(row=self.row, token=self.token, fence=self.fence)
        return self._epoch

    def start(self, now: float) -> None:
        """Set the timers; the lease has just become ours."""
        self._set_timers()
        self.pump(now)

    # ------------------------------------------------------------------------- what is asked of it

    def finish(self, now: float, position: Position, *, urgent: bool) -> None:
        """Everything up to `position` is finished in this epoch."""
        if self.finished is None or position > self.finished:
            self.finished = position
        if urgent and (self._urgent is None or position > self._urgent):
            self._urgent = position
        self.pump(now)

    def prepare(self, now: float, pending: Pending) -> None:
        """Store a prepared checkpoint with a write of now."""
        self._pending = pending
        self.pump(now)

    def commit(self, now: float, position: Position) -> None:
        """Make a prepared checkpoint the checkpoint with a write of now."""
        self._commits = position
        self.finish(now, position, urgent=True)

    def say_paused(self, now: float, *, paused: bool) -> None:
        """Write with the next renewal, which is now, whether the shard is paused."""
        self._paused = paused
        self.pump(now)

    def stop_renewing(self) -> None:
        """User code hangs: let the fence come."""
        self.hung = True

    def flush(self, now: float) -> bool:
        """Say whether everything finished is durable; if not, write it now."""
        if self._news() is None:
            return True
        self._urgent = self.finished
        self.pump(now)
        return False

    def begin_new_epoch(self) -> None:
        """After a cancelled drain: the counter of our newest write is the token from now on."""
        assert self.row.counter > self.token, "a token must grow"
        self.token = self.row.counter

    def parents_done(self, now: float, counter_max: int) -> None:
        """Delivery may begin, with a token above every epoch of the parents.

        A parent may have been taken by others after this lease was: then a renewal comes first
        whose counter is the token.

        Args:
            now: Clock reading.
            counter_max: The highest last counter of the parents.
        """
        if self.token > counter_max:
            self._desk.consumers.parents_done(now, self.key, self.token)
        else:
            self._begin_above = counter_max
            self.pump(now)

    def cancel(self, now: float) -> None:
        """Refuse the pending handoff."""
        assert self.is_owner
        self.phase = Phase.CANCELLING
        self.pump(now)

    def give(
        self,
        now: float,
        kind: WriteKind,
        to: str | None = None,
    ) -> None:
        """Give the lease away, for good: from here on we are not its owner, whatever the answer."""
        assert kind in GIVES
        self.phase = Phase.GIVING
        self.give_kind, self.give_to = kind, to
        self._desk.timers.cancel(("fence", self.key))
        self._desk.timers.cancel(("renew", self.key))
        self._desk.timers.cancel(("retry", self.key))
        self.pump(now)

    def lose(self, now: float, why: str) -> None:
        """Stop being the owner at once."""
        if self.phase is Phase.OVER:
            return
        was_owner = self.is_owner
        self._end(now, given=False)
        if was_owner:
            self._desk.calls.report("lease.lost", "warning", self.key, reason=why)
            self._desk.consumers.lose(now, self.key, why)

    # ------------------------------------------------------------------------------------- writing

    def pump(self, now: float) -> None:
        """Send the write that is due, if none is in flight and no back-off runs."""
        if self._ledger.in_flight or self._desk.timers.is_set(("retry", self.key)):
            return
        write = self._next_write(now)
        if write is None:
            return
        attempt = self._ledger.send(write, now)
        self._desk.calls.write(
            write, partial(self._answered, attempt=attempt), urgent_by=self.fence
        )

    def _next_write(self, now: float) -> RowWrite | None:
        if self.phase is Phase.HELD and (self.hung or not self._has_reason(now)):
            return None
        base, nonce, me = self._ledger.base, self._desk.new_nonce(), self._desk.me
        match self.phase:
            case Phase.GIVING:
                return self._give_write(base, nonce)
            case Phase.CANCELLING:
                return writes.cancel(
                    self.key,
                    me=me,
                    base=base,
                    nonce=nonce,
                    duration=self._desk.duration,
                    checkpoint=self._news(),
                )
            case Phase.HELD:
                return writes.renew(
                    self.key,
                    me=me,
                    base=base,
                    nonce=nonce,
                    duration=self._desk.duration,
                    checkpoint=self._news(),
                    pending=self._pending,
                    clear_pending=self._is_committed(),
                    paused=self._paused,
                    above=self._begin_above or 0,
                )
            case _:
                return None

    def _has_reason(self, now: float) -> bool:
        if now >= self.fence:
            return False
        carried = (self._pending, self._commits, self._paused, self._begin_above)
        asked = any(what is not None for what in carried)
        return now >= self._renew_at or asked or self._is_urgent()

    def _is_urgent(self) -> bool:
        """Say whether something that may not wait for the next renewal is not durable yet.

        What was finished since it was asked for may wait, or one write would follow the other.
        """
        if self._urgent is None:
            return False
        return checkpoint_order(self._urgent) > checkpoint_order(self.row.checkpoint)

    def _is_committed(self) -> bool:
        """Say whether what is prepared in the row lies within what is to be committed."""
        pending = self.row.pending
        if self._commits is None or pending is None:
            return False
        return pending.position <= self._commits

    def _give_write(self, base: int, nonce: str) -> RowWrite:
        me, news = self._desk.me, self._news()
        if self.give_kind is WriteKind.END:
            return writes.end(self.key, me=me, base=base, nonce=nonce, children=self.children)
        if self.give_kind is WriteKind.TRANSFER:
            assert self.give_to is not None
            return writes.transfer(
                self.key, me=me, taker=self.give_to, base=base, nonce=nonce, checkpoint=news
            )
        return writes.release(
            self.key, me=me, successor=self.give_to, base=base, nonce=nonce, checkpoint=news
        )

    def _news(self) -> Position | None:
        """Return what this epoch finished, if it is newer than the checkpoint of the base row."""
        if self.finished is None:
            return None
        if checkpoint_order(self.finished) > checkpoint_order(self.row.checkpoint):
            return self.finished
        return None

    # ------------------------------------------------------------------------------------- answers

    def _answered(self, now: float, answer: WriteAnswer, *, attempt: Attempt) -> None:
        outcome = self._ledger.settle(attempt, answer)
        row = None if isinstance(outcome, Open) else outcome.row
        if row is not None:
            mine = isinstance(outcome, Won)
            self._desk.sights.see_lease(
                now, row, asked_at=attempt.sent_at, consistent=True, mine=mine
            )
        if self.phase is Phase.OVER:
            return
        match outcome:
            case Won():
                self._won(now, outcome)
            case Lost():
                self._refused(now)
            case Open():
                self._unanswered(now, outcome)

    def _won(self, now: float, won: Won) -> None:
        self.row = won.row
        if self.phase is Phase.GIVING:
            if won.attempt.kind in GIVES:
                self._end(now, given=True)
            else:
                self.pump(now)
            return
        if now >= self.fence:
            self.lose(now, "the answer to a renewal came past the fence")
            return
        self._renewed(now, won)
        if won.attempt.kind is WriteKind.CANCEL:
            self.phase = Phase.HELD
            self._listener.cancelled(now, self)
        elif self.phase is Phase.HELD:
            self._listener.handoff_seen(now, self)
        self.pump(now)

    def _renewed(self, now: float, won: Won) -> None:
        sent_at, sets = won.attempt.sent_at, won.attempt.write.sets
        self.fence = max(self.fence, self._desk.fence_of(sent_at))
        self._renew_at = sent_at + self._desk.duration / 3
        if sets.get("pending") is self._pending:
            self._pending = None
        if self._news() is None and not self._is_committed():
            self._commits = None
        if "paused" in sets and bool(sets["paused"]) == self._paused:
            self._paused = None
        self._set_timers()
        self._desk.consumers.fence_moved(now, self.key, self.fence)
        if sets.get("paused") and not self.row.paused:
            # Somebody resumed it before we heard that the pause was written.
            self._desk.consumers.durable(now, self.key, replace(self.row, paused=True))
        self._desk.consumers.durable(now, self.key, self.row)
        if self._begin_above is not None and self.row.counter > self._begin_above:
            self._begin_above = None
            self.token = self.row.counter
            self._desk.consumers.parents_done(now, self.key, self.token)

    def _refused(self, now: float) -> None:
        if self.phase is Phase.GIVING:
            self._end(now, given=False)
        else:
            self.lose(now, "somebody else has it")

    def _unanswered(self, now: float, outcome: Open) -> None:
        failure = outcome.failure
        self._desk.calls.report(
            "lease.write_retried",
            "warning",
            self.key,
            kind=failure.kind,
            action=failure.action,
            message=failure.message,
        )
        if failure.kind in (FailureKind.GONE, FailureKind.DENIED):
            self._listener.table_failed(now, failure.kind, failure.action, failure.message)
        if self.phase is Phase.OVER:
            return
        if self._is_urgent() and self._ledger.failures % _URGENT_FAILURES_MAX == 0:
            throttled = failure.kind is FailureKind.THROTTLED
            self._desk.consumers.checkpoint_failed(now, self.key, throttled=throttled)
        at = now + self._desk.backoff(self._ledger.failures)
        self._desk.timers.at(at, ("retry", self.key), self.pump)

    # -------------------------------------------------------------------------------------- timers

    def _set_timers(self) -> None:
        self._desk.timers.at(self.fence, ("fence", self.key), self._fenced, first=True)
        self._desk.timers.at(self._renew_at, ("renew", self.key), self.pump)

    def _fenced(self, now: float) -> None:
        if self.is_owner:
            self.lose(now, "not renewed in time" if not self.hung else "user code hangs")

    def _end(self, now: float, *, given: bool) -> None:
        self.phase = Phase.OVER
        for name in ("fence", "renew", "retry"):
            self._desk.timers.cancel((name, self.key))
        self._listener.over(now, self, given=given)
