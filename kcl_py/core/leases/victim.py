"""Should a lease that somebody asks for be handed over, and may its user code run?

The victim's side of the handshake, one per held lease. A lease that is halted is held and renewed
as ever, and may be handed over, but no user code of it runs.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from kcl_py.core.leases.rows import WorkerRow, WorkerState
from kcl_py.core.leases.writes import WriteKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from kcl_py.core.events import RowsRead
    from kcl_py.core.leases.desk import Desk
    from kcl_py.core.leases.holding import Holding


class Step(StrEnum):
    """Where the handshake stands."""

    IDLE = "idle"
    ASKING = "asking"
    """Reading the taker's row before anything is stopped."""
    DRAINING = "draining"
    LAST_LOOK = "last_look"
    """User code has closed; reading the taker's row once more."""
    CANCELLING = "cancelling"
    RESTARTING = "restarting"
    """The handoff ended while user code was shutting down: a new epoch follows, once user code has
    closed and all that it finished is durable."""
    RESTING = "resting"
    """Halted: user code has closed, or is closing, or never began."""


class Victim:
    """The handshake of one lease that we hold.

    Args:
        may_shed: Says whether we stay at or above our own floor without this lease.
    """

    def __init__(self, desk: Desk, holding: Holding, may_shed: Callable[[float], bool]) -> None:
        self.taker: str | None = None
        self.step = Step.IDLE
        self._desk = desk
        self._holding = holding
        self._may_shed = may_shed
        self._is_drained = False
        self._told_to_drain = False
        self._has_begun = False

    def begin(self, now: float) -> None:
        """The lease has just become ours: run its user code, unless it is halted."""
        if self._holding.row.halted:
            self._is_drained = True
            self._rest(now)
            return
        self._has_begun = True
        row, shards = self._holding.row, self._desk.shards
        waits = shards.waits_for_parents(row)
        self._desk.consumers.begin(now, self._holding.epoch(), waits_for_parents=waits)
        if waits:
            shards.watch_parents(now, row)

    @property
    def is_resting(self) -> bool:
        """Its user code does not run because it is halted."""
        return self.step is Step.RESTING

    @property
    def is_drained(self) -> bool:
        """User code of the present epoch has closed for good."""
        return self._is_drained

    def seen(self, now: float) -> None:
        """Read the pending handoff off the row, level-triggered."""
        row = self._holding.row
        pending = row.checkpoint_owner == self._desk.me and row.owner != self._desk.me
        taker = row.owner if pending else None
        if taker == self.taker:
            if not self._desk.stopping:
                self._undisturbed(now)
            return
        before, self.taker = self.taker, taker
        if self._desk.stopping:
            return
        if taker is None:
            self._withdrawn(now)
        elif before is None:
            self._asked(now, taker)

    def drained(self, now: float) -> None:
        """User code has closed (not called while the worker stops)."""
        self._is_drained = True
        match self.step:
            case Step.DRAINING:
                self.step = Step.LAST_LOOK
                self._look(now)
            case Step.RESTARTING:
                self._resume_anew(now)
            case Step.RESTING:
                self._holding.flush(now)
            case _:
                pass

    def cancelled(self, now: float) -> None:
        """Our cancel is durable: go on, or begin a new epoch if user code was told to shut down."""
        self._desk.timers.cancel(("handoff", self._holding.key))
        self.taker = None
        self._desk.calls.report("handoff.cancelled", "info", self._holding.key)
        if self._desk.stopping:
            return
        self._resume(now)

    def stop(self) -> None:
        """The lease is over, or the worker stops: no more timers."""
        self._desk.timers.cancel(("handoff", self._holding.key))
        self.step = Step.IDLE

    # ---------------------------------------------------------------------------------------- steps

    def _undisturbed(self, now: float) -> None:
        """Nothing is new of a handoff; somebody may have halted the shard, or let it go on."""
        if self._holding.row.halted:
            if self.step in (Step.IDLE, Step.RESTARTING):
                self._rest(now)
        elif self.step is Step.RESTING:
            self._desk.calls.report("shard.resumed", "info", self._holding.key)
            self._resume(now)
        elif self.step is Step.RESTARTING and self._is_drained:
            self._resume_anew(now)

    def _rest(self, now: float) -> None:
        self.step = Step.RESTING
        self._desk.calls.report("shard.halted", "warning", self._holding.key)
        if not self._is_drained and not self._told_to_drain:
            self._told_to_drain = True
            self._desk.consumers.drain(now, self._holding.key, "handoff")

    def _asked(self, now: float, taker: str) -> None:
        self._desk.calls.report("handoff.asked", "info", self._holding.key, taker=taker)
        if not self._may_shed(now):
            self._cancel(now, "it would take us below our share")
            return
        self.step = Step.ASKING
        self._look(now)

    def _look(self, now: float) -> None:
        """Read the taker's row consistently."""
        del now
        taker = self.taker
        assert taker is not None

        def looked(then: float, read: RowsRead) -> None:
            self._looked(then, taker, read)

        self._desk.calls.read_rows((taker,), looked)

    def _looked(self, now: float, taker: str, read: RowsRead) -> None:
        if not self._holding.is_owner or self._desk.stopping:
            return
        if self.step not in (Step.ASKING, Step.LAST_LOOK):
            return
        if taker != self.taker:
            self._look(now)
            return
        if self._is_gone(now, taker, read):
            self._cancel(now, "the taker is not there any more")
        elif self.step is Step.ASKING:
            self._drain(now)
        else:
            self.stop()
            self._holding.give(now, WriteKind.TRANSFER, taker)

    def _is_gone(self, now: float, taker: str, read: RowsRead) -> bool:
        """A taker that is absent, leaving or dead; unknown counts as live."""
        for row in read.rows:
            if isinstance(row, WorkerRow):
                self._desk.sights.see_worker(now, row)
                if row.state is WorkerState.LEAVING:
                    return True
        if taker in read.absent:
            self._desk.sights.miss_worker(taker)
            return True
        return self._desk.sights.liveness(taker, now) == "dead"

    def _drain(self, now: float) -> None:
        if self._is_drained:
            self.step = Step.LAST_LOOK
            self._look(now)
            return
        self.step = Step.DRAINING
        self._told_to_drain = True
        self._is_drained = False
        timeout = self._desk.config.leases.handoff_timeout
        self._desk.timers.at(now + timeout, ("handoff", self._holding.key), self._too_slow)
        self._desk.consumers.drain(now, self._holding.key, "handoff")

    def _too_slow(self, now: float) -> None:
        if self.step is Step.DRAINING and not self._desk.stopping:
            self._cancel(now, "draining took longer than handoff_timeout")

    def _cancel(self, now: float, why: str) -> None:
        self._desk.calls.report("handoff.refused", "info", self._holding.key, reason=why)
        self.step = Step.CANCELLING
        self._holding.cancel(now)

    def _withdrawn(self, now: float) -> None:
        self._desk.timers.cancel(("handoff", self._holding.key))
        self._desk.calls.report("handoff.withdrawn", "info", self._holding.key)
        self._resume(now)

    def _resume(self, now: float) -> None:
        key = self._holding.key
        if self._holding.row.halted:
            self._rest(now)
        elif not self._has_begun:
            self.step, self._is_drained = Step.IDLE, False
            self.begin(now)
        elif not self._desk.consumers.has_shutdown_begun(key):
            self.step = Step.IDLE
            if self._told_to_drain:
                self._told_to_drain = self._is_drained = False
                self._desk.consumers.resume(now, key, None)
        elif self._is_drained:
            self._resume_anew(now)
        else:
            self.step = Step.RESTARTING

    def _resume_anew(self, now: float) -> None:
        """Begin a new epoch, from a checkpoint that holds everything the old one finished."""
        if not self._holding.flush(now):
            self.step = Step.RESTARTING
            return
        self.step = Step.IDLE
        self._told_to_drain = self._is_drained = False
        self._holding.begin_new_epoch()
        self._desk.consumers.resume(now, self._holding.key, self._holding.epoch())
