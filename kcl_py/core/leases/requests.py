"""Which live leases do we ask for, and what becomes of it? The taker's side of the handshake."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kcl_py.core.events import Applied, Failure, Refused
from kcl_py.core.leases import writes
from kcl_py.core.leases.rows import LeaseRow

if TYPE_CHECKING:
    from collections.abc import Callable

    from kcl_py.core.events import RowsRead, WriteAnswer
    from kcl_py.core.leases.desk import Desk

POLL_SECONDS = 0.5
AT_ONCE_MAX = 10
"""Leases asked for and polled at the same time. Source: PROTOCOL section 4."""

AGAIN_AFTER_MOVE = 5.0
"""Scan intervals before a lease that was moved by request is asked for again."""

AGAIN_AFTER_CANCEL = 10.0
"""Scan intervals before a lease whose request was refused is asked for again."""


@dataclass(slots=True)
class _Request:
    """One lease asked for; not certain: the request may never have applied."""

    victim: str
    is_certain: bool = True


class Requests:
    """The leases that this worker has asked for.

    Args:
        take: Called with a row that was given to us: take it now, unless something stands against
            it.
    """

    def __init__(self, desk: Desk, take: Callable[[float, LeaseRow], None]) -> None:
        self._desk = desk
        self._take = take
        self._open: dict[str, _Request] = {}
        self._not_before: dict[str, float] = {}
        self._withdrawing: set[str] = set()
        self._is_reading = False

    @property
    def keys(self) -> tuple[str, ...]:
        """The leases that were asked for and not given or refused yet."""
        return tuple(self._open)

    @property
    def is_withdrawing(self) -> bool:
        """Some withdrawal has no answer yet."""
        return bool(self._withdrawing)

    def resting(self, now: float) -> frozenset[str]:
        """Return the leases that are not to be asked for yet."""
        self._not_before = {key: at for key, at in self._not_before.items() if at > now}
        return frozenset(self._not_before)

    def ask(self, now: float, moves: list[tuple[str, str]]) -> None:
        """Ask for leases, as (key, victim); not more than may be polled at once."""
        for key, victim in moves:
            if len(self._open) >= AT_ONCE_MAX:
                return
            if key in self._open or key in self._not_before:
                continue
            self._desk.calls.report("handoff.requested", "info", key, victim=victim)
            self._open[key] = _Request(victim)
            self._desk.calls.write(
                writes.request(key, me=self._desk.me, victim=victim), self._answer_for(key, now)
            )
            self._poll_soon(now)

    def adopt(self, now: float, row: LeaseRow) -> None:
        """A pending handoff names us, whoever asked: treat it as our own, or withdraw it."""
        victim = row.checkpoint_owner
        assert victim is not None
        if self._desk.stopping:
            self.withdraw(now, row.key, victim)
        elif row.key not in self._open:
            self._open[row.key] = _Request(victim)
            self._poll_soon(now)

    def forget(self, now: float, key: str) -> None:
        """The lease came to us, or is finished: no more polling."""
        if self._open.pop(key, None) is not None:
            self._not_before[key] = now + AGAIN_AFTER_MOVE * self._desk.scan_interval

    def withdraw_all(self, now: float) -> None:
        """Take every open request back; we are leaving."""
        for key, request in sorted(self._open.items()):
            self.withdraw(now, key, request.victim)
        self._open.clear()

    def withdraw(self, now: float, key: str, victim: str) -> None:
        """Take one request back; an unanswered withdrawal is found by the final scan."""
        if key in self._withdrawing:
            return
        self._withdrawing.add(key)

        def withdrawn(then: float, answer: WriteAnswer) -> None:
            self._withdrawing.discard(key)
            self._see(then, answer, asked_at=now)

        self._desk.calls.write(writes.withdraw(key, me=self._desk.me, victim=victim), withdrawn)

    # -------------------------------------------------------------------------------------- answers

    def _answer_for(self, key: str, asked_at: float) -> Callable[[float, WriteAnswer], None]:
        def answered(now: float, answer: WriteAnswer) -> None:
            self._see(now, answer, asked_at=asked_at)
            if isinstance(answer, Refused):
                self._refused(now, key)
            elif isinstance(answer, Failure) and key in self._open:
                self._open[key].is_certain = False

        return answered

    def _see(self, now: float, answer: WriteAnswer, *, asked_at: float) -> None:
        if isinstance(answer, Failure):
            return
        row = answer.row
        if isinstance(row, LeaseRow):
            self._desk.sights.see_lease(
                now, row, asked_at=asked_at, consistent=True, mine=isinstance(answer, Applied)
            )

    def _refused(self, now: float, key: str) -> None:
        """The row was not as we thought; a later plan decides anew."""
        if self._open.pop(key, None) is not None:
            self._not_before[key] = now + self._desk.scan_interval

    # -------------------------------------------------------------------------------------- polling

    def _poll_soon(self, now: float) -> None:
        if not self._desk.timers.is_set(("requests",)) and not self._is_reading:
            self._desk.timers.at(now + POLL_SECONDS, ("requests",), self._poll)

    def _poll(self, now: float) -> None:
        if not self._open:
            return
        keys = tuple(sorted(self._open))[:AT_ONCE_MAX]
        self._is_reading = True

        def have_read(then: float, read: RowsRead) -> None:
            self._is_reading = False
            self._have_read(then, read, asked_at=now)
            if self._open:
                self._poll_soon(then)

        self._desk.calls.read_rows(keys, have_read)

    def _have_read(self, now: float, read: RowsRead, *, asked_at: float) -> None:
        for key in read.absent:
            self._open.pop(key, None)
        for row in read.rows:
            if isinstance(row, LeaseRow):
                self._desk.sights.see_lease(now, row, asked_at=asked_at, consistent=True)
                self._polled(now, row)

    def _polled(self, now: float, row: LeaseRow) -> None:
        request = self._open.get(row.key)
        if request is None:
            return
        me = self._desk.me
        if row.owner == me and row.is_offered:
            self._take(now, row)
        elif row.owner == me and row.checkpoint_owner is not None:
            request.victim = row.checkpoint_owner
        elif row.actual_owner == me:
            self.forget(now, row.key)
        else:
            self._cancelled(now, row.key)

    def _cancelled(self, now: float, key: str) -> None:
        request = self._open.pop(key)
        scans = AGAIN_AFTER_CANCEL if request.is_certain else 1.0
        self._not_before[key] = now + scans * self._desk.scan_interval
        self._desk.calls.report("handoff.denied", "info", key, certain=request.is_certain)
