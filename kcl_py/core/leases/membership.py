"""Is this worker in the fleet, and who else is?

The own worker row, and the removal of dead ones.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from kcl_py.core.events import Applied, Failure, FailureKind, Refused
from kcl_py.core.leases import writes
from kcl_py.core.leases.plan import PLAN_VERSION
from kcl_py.core.leases.rows import WorkerRow, WorkerState

if TYPE_CHECKING:
    from collections.abc import Callable

    from kcl_py.core.events import WriteAnswer
    from kcl_py.core.leases.desk import Desk
    from kcl_py.core.leases.writes import RowWrite

REMOVE_AFTER = 10.0
"""Lease durations of stillness after which anyone removes the row of a dead worker."""


class MembershipListener(Protocol):
    """Whoever is told of trouble with the own row."""

    def own_row_vanished(self, now: float) -> None:
        """Our row is not there: the table may be another one."""

    def table_failed(self, now: float, kind: FailureKind, action: str, message: str) -> None:
        """The table is gone, or denies the write."""


class Membership:
    """The own worker row: created, moved each D/3, deleted last.

    Attributes:
        silent_since: Since when the table has not taken a beat; None: it took the last one.
    """

    def __init__(self, desk: Desk, listener: MembershipListener) -> None:
        self._desk = desk
        self._listener = listener
        self._row = WorkerRow(
            key=desk.me,
            beat=1,
            lease_max=desk.config.leases.max_leases,
            plan_version=PLAN_VERSION,
            duration=desk.duration,
        )
        self._exists = False
        self._in_flight: RowWrite | None = None
        self._failures = 0
        self._deleting: Callable[[float], None] | None = None
        self._joined: Callable[[float], None] | None = None
        self._left: Callable[[float], None] | None = None
        self._sent_at = 0.0
        self.silent_since: float | None = None

    def join(self, now: float, then: Callable[[float], None]) -> None:
        """Create the own row; `then(now)` once it exists."""
        self._joined = then
        self._pump(now)

    def recreate(self, now: float) -> None:
        """The row was removed while we were frozen: put it back."""
        self._exists = False
        self._pump(now)

    def leave(self, now: float, then: Callable[[float], None]) -> None:
        """Say that we are leaving, at once; `then(now)` when everybody can see it."""
        self._left = then
        self._row = _with_state(self._row, WorkerState.LEAVING)
        if self._exists:
            self._pump(now)

    def delete(self, now: float, then: Callable[[float], None]) -> None:
        """Delete the own row; `then(now)` once it is gone.

        Nothing of ours is processed any more.
        """
        self._deleting = then
        self._desk.timers.cancel(("beat",))
        self._pump(now)

    def remove_dead(self, now: float) -> None:
        """Delete rows of workers that stood still for very long, conditionally."""
        sights = self._desk.sights
        for worker, sight in sorted(sights.workers.items()):
            limit = REMOVE_AFTER * sight.row.silence_seconds(self._desk.duration)
            still = now - max(sight.since, sight.moved_at or 0.0)
            if worker == self._desk.me or still < limit or not sight.present:
                continue
            self._desk.calls.report("worker.row_removed", "info", worker=worker)
            write = writes.remove_worker(worker, seen=sight.row.beat)
            self._desk.calls.write(write, _Ignore(sights.miss_worker, worker))

    # -------------------------------------------------------------------------------------- writing

    def _pump(self, now: float) -> None:
        if self._in_flight is not None:
            return
        if self._deleting is not None:
            write = writes.remove_worker(self._desk.me, seen=self._row.beat)
        elif self._exists:
            write = writes.beat(self._desk.me, seen=self._row.beat, state=self._row.state)
        else:
            write = writes.create_worker(self._row)
        self._in_flight = write
        self._sent_at = now
        self._desk.calls.write(write, self._answered, urgent_by=now + self._desk.duration)

    def _answered(self, now: float, answer: WriteAnswer) -> None:
        assert self._in_flight is not None
        was_deletion = self._in_flight.deletes
        self._in_flight = None
        if isinstance(answer, Failure):
            self._unanswered(now, answer)
            return
        self._failures = 0
        self.silent_since = None
        row = answer.row if isinstance(answer.row, WorkerRow) else None
        if self._deleting is not None:
            self._while_deleting(now, row, gone=row is None and was_deletion)
            return
        if row is None:
            self._exists = False
            self._listener.own_row_vanished(now)
            return
        self._known(now, row, refused=isinstance(answer, Refused))

    def _known(self, now: float, row: WorkerRow, *, refused: bool) -> None:
        """An earlier attempt of ours may have applied: the row is ours whatever it says.

        Ids are never shared.
        """
        self._exists = True
        wanted = self._row.state
        self._row = _with_state(row, wanted)
        self._desk.sights.see_worker(now, row)
        if self._joined is not None:
            joined, self._joined = self._joined, None
            joined(now)
        if row.state is not wanted or refused:
            self._pump(now)
            return
        at = self._sent_at + self._desk.duration / 3
        self._desk.timers.at(at, ("beat",), self._pump)
        if wanted is WorkerState.LEAVING and self._left is not None:
            left, self._left = self._left, None
            left(now)

    def _while_deleting(self, now: float, row: WorkerRow | None, *, gone: bool) -> None:
        """Go on until a deletion found our beat as it was, or no row at all."""
        if not gone:
            if row is not None:
                self._row = _with_state(row, WorkerState.LEAVING)
            self._pump(now)
            return
        assert self._deleting is not None
        deleted, self._deleting = self._deleting, None
        deleted(now)

    def _unanswered(self, now: float, failure: Failure) -> None:
        self._failures += 1
        self.silent_since = now if self.silent_since is None else self.silent_since
        self._desk.calls.report(
            "worker.beat_retried", "warning", action=failure.action, message=failure.message
        )
        if failure.kind in (FailureKind.GONE, FailureKind.DENIED):
            self._listener.table_failed(now, failure.kind, failure.action, failure.message)
        self._desk.timers.at(now + self._desk.backoff(self._failures), ("beat",), self._pump)


class _Ignore:
    """A write whose answer only says whether a row of somebody else is gone."""

    def __init__(self, gone: Callable[[str], None], worker: str) -> None:
        self._gone = gone
        self._worker = worker

    def __call__(self, now: float, answer: WriteAnswer) -> None:
        del now
        if isinstance(answer, Applied):
            self._gone(self._worker)


def _with_state(row: WorkerRow, state: WorkerState) -> WorkerRow:
    return replace(row, state=state)
