"""What ends a worker before it is asked to stop?

Fatal errors, and a table that is not the one we began with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from kcl_py.core.events import FailureKind
from kcl_py.errors import AccessDenied, LeaseTableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from kcl_py.core.events import TableDescribed
    from kcl_py.core.facts import TableFacts
    from kcl_py.core.leases.desk import Desk
    from kcl_py.core.leases.holding import Holding
    from kcl_py.errors import KclError

_QUIET_MAX = 5.0
"""Seconds that a failing worker waits for user code to notice its fence."""


class FailingHost(Protocol):
    """What a failure needs of the keeper."""

    holdings: dict[str, Holding]
    running_lost: set[str]


class Failing:
    """The fatal end of one worker.

    Args:
        recreate_row: Puts the own worker row back.
        on_finish: Called once when the worker is done, with the error that stopped it.
    """

    def __init__(
        self,
        desk: Desk,
        host: FailingHost,
        *,
        table: TableFacts,
        recreate_row: Callable[[float], None],
        on_finish: Callable[[KclError | None], None],
    ) -> None:
        self.error: KclError | None = None
        self._desk = desk
        self._host = host
        self._table = table
        self._recreate_row = recreate_row
        self._on_finish = on_finish
        self._is_finished = False

    def fail(self, now: float, error: KclError) -> None:
        """Something that trying again will not mend.

        Fence everything, then finish with the error.
        """
        if self.error is not None or self._is_finished:
            return
        self.error = error
        self._desk.stopping = True
        self._desk.shards.stop()
        self.fence_all(now, "the worker fails")
        grace = min(_QUIET_MAX, self._desk.config.stop_grace)
        self._desk.timers.at(now + grace, ("failed",), self._finish_failed)
        self.check(now)

    def fence_all(self, now: float, why: str) -> None:
        """Give up every lease at once, without a write."""
        for holding in list(self._host.holdings.values()):
            holding.lose(now, why)

    def finish(self, error: KclError | None) -> None:
        """The worker is done; nothing is said twice."""
        if not self._is_finished:
            self._is_finished = True
            self._on_finish(error)

    def check(self, now: float) -> None:
        """Finish a failing worker once no user code runs any more."""
        if self.error is not None and not self._host.running_lost:
            self._finish_failed(now)

    def settle(self, now: float) -> None:
        """Act on a table that was seen to have gone back, or to be somebody else's as well."""
        self._settle_foreign(now)
        key = self._desk.sights.restored
        if key is not None and self.error is None:
            self.fail(
                now,
                LeaseTableError(
                    f"the counter of lease {key} went back: table {self._table.name} was restored"
                    " from a copy while this worker ran. Stop all workers; choose another app name,"
                    " or delete the table to start anew."
                ),
            )

    def _settle_foreign(self, now: float) -> None:
        row = self._desk.sights.foreign
        if row is not None and self.error is None:
            self.fail(
                now,
                LeaseTableError(
                    f"lease {row.key} of table {self._table.name} is renewed by"
                    f" {row.actual_owner or 'somebody'}, who is no worker of kcl_py (its counter"
                    " moves, its kclNonce does not): a Java KCL runs on the same table, and a shard"
                    " could have two owners. Stop the Java workers and start these again, or"
                    " choose another app name."
                ),
            )

    def table_failed(self, now: float, kind: FailureKind, action: str, message: str) -> None:
        """The table is gone: stop. A denied call is retried while leases last; else it stops us."""
        if kind is FailureKind.GONE:
            self.fail(
                now,
                LeaseTableError(
                    f"table {self._table.name} vanished: {message}. It is never created anew while"
                    " a worker runs; restore it, or start the workers again to begin anew."
                ),
            )
        elif not self._host.holdings and not self._desk.stopping:
            self.fail(now, AccessDenied(message, action=action, resource=None))

    def own_row_vanished(self, now: float) -> None:
        """Our row is gone: either we were taken for dead.

        Or this is another table of the same name.
        """
        at = now + self._desk.backoff(3)
        self._desk.timers.at(at, ("describe",), self._describe)

    def _describe(self, now: float) -> None:
        del now
        self._desk.calls.describe_table(self._described)

    def _described(self, now: float, answer: TableDescribed) -> None:
        if answer.failure is not None and answer.failure.kind is not FailureKind.GONE:
            self.own_row_vanished(now)
        elif answer.table_id == self._table.table_id:
            self._recreate_row(now)
        else:
            self.fail(
                now,
                LeaseTableError(
                    f"table {self._table.name} was deleted and created again while this worker ran."
                    " Start the workers again to use the new one."
                ),
            )

    def _finish_failed(self, now: float) -> None:
        del now
        self.finish(self.error)
