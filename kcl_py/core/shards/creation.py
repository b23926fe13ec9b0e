"""How do new rows get into the table, every one of them, however often it takes?"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, TypeAlias

from kcl_py.core.events import Applied, Failure, FailureKind
from kcl_py.core.leases.rows import LeaseRow
from kcl_py.errors import AccessDenied, LeaseTableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kcl_py.core.events import WriteAnswer
    from kcl_py.core.shards.context import Context

    OnCreated: TypeAlias = Callable[[float, int], None]

IN_FLIGHT_MAX = 25
"""Creations under way at a time, so that the writes of leases that are held find a way between."""


class Creation:
    """Creates rows if absent, in order, until each is confirmed: created now, or there already.

    Args:
        context: The surroundings.
        name: Names its timer; unique among those that run.
        event: Name of the report of a retry.
        key: Lease key that the report is about, if it is one.
        then: Called once with the number of rows that were created here.
    """

    def __init__(
        self, context: Context, name: str, event: str, then: OnCreated, *, key: str | None = None
    ) -> None:
        self._context = context
        self._timer = ("shards", "create", name)
        self._event = event
        self._key = key
        self._then = then
        self._waiting: deque[LeaseRow] = deque()
        self._in_flight = 0
        self._applied = 0
        self._failures = 0
        self._is_over = False

    def start(self, now: float, rows: Iterable[LeaseRow]) -> None:
        """Begin; with no rows it is over at once."""
        self._waiting.extend(rows)
        self._go_on(now)

    def stop(self) -> None:
        """Forget it; what is under way may still be applied."""
        self._is_over = True
        self._context.timers.cancel(self._timer)

    def _go_on(self, now: float) -> None:
        while self._waiting and self._in_flight < IN_FLIGHT_MAX:
            self._send(self._waiting.popleft())
        if not self._waiting and not self._in_flight and not self._is_over:
            self._is_over = True
            self._then(now, self._applied)

    def _send(self, row: LeaseRow) -> None:
        def answered(now: float, answer: WriteAnswer) -> None:
            if not self._is_over:
                self._in_flight -= 1
                self._answered(now, row, answer)

        self._in_flight += 1
        self._context.calls.write(self._context.creation(row), answered)

    def _answered(self, now: float, row: LeaseRow, answer: WriteAnswer) -> None:
        if isinstance(answer, Failure):
            self._failed(now, row, answer)
            return
        self._applied += isinstance(answer, Applied)
        if isinstance(answer.row, LeaseRow):
            self._context.listener.row_seen(now, answer.row)
        if not self._context.timers.is_set(self._timer):
            self._go_on(now)

    def _failed(self, now: float, row: LeaseRow, failure: Failure) -> None:
        self._waiting.appendleft(row)
        if failure.kind is FailureKind.GONE:
            self.stop()
            message = f"the lease table is gone: {failure.message}"
            self._context.listener.fail(now, LeaseTableError(message))
            return
        if failure.kind is FailureKind.DENIED:
            self.stop()
            self._context.listener.fail(now, AccessDenied(failure.message, action=failure.action))
            return
        if self._context.timers.is_set(self._timer):
            return
        wait = self._context.pause(self._failures)
        self._failures += 1
        self._context.calls.report(
            self._event, "warning", self._key, wait=round(wait, 2), why=failure.message
        )
        self._context.timers.at(now + wait, self._timer, self._go_on)
