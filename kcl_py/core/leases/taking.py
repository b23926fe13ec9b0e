"""Which lease is taken now, and what does the answer make of it?

Takes of expired, offered, ownerless and orphaned leases.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from math import ceil
from typing import TYPE_CHECKING, Protocol

from kcl_py.core.events import FailureKind
from kcl_py.core.leases import writes
from kcl_py.core.leases.ledger import Attempt, Ledger, Lost, Open, Won
from kcl_py.core.leases.plan import Plan, rank
from kcl_py.core.leases.rows import LeaseRow
from kcl_py.core.leases.view import OFFER_GRACE, View, members_seen

if TYPE_CHECKING:
    from kcl_py.core.events import RowsRead, WriteAnswer
    from kcl_py.core.leases.desk import Desk

_FALLBACK_STEP = 0.5
"""Seconds by which each next-best worker waits longer for a lease planned for another."""

_ROUND = 1.0
"""Seconds between two rounds of a cold start."""

_SOON = 0.05


class TakingListener(Protocol):
    """Whoever is told of a lease that was taken."""

    def may_take(self, now: float, key: str) -> bool:
        """Not stopping, below the maximum, not at work on it, no earlier user code running."""

    def taken(self, now: float, row: LeaseRow, sent_at: float) -> None:
        """Our take applied, and its fence lies ahead."""

    def table_failed(self, now: float, kind: FailureKind, action: str, message: str) -> None:
        """The table is gone, or denies the write."""


@dataclass(slots=True)
class _Take:
    row: LeaseRow
    ledger: Ledger


class Taking:
    """The takes of this worker: which are due, which are under way."""

    def __init__(self, desk: Desk, listener: TakingListener) -> None:
        self._desk = desk
        self._listener = listener
        self._open: dict[str, _Take] = {}
        self._reading: set[str] = set()
        self._started_at: float | None = None
        self._round_at = 0.0
        self._round_left = 0
        self._void_until = float("-inf")

    def void(self, now: float) -> None:
        """No take that was sent until now begins an epoch: nobody knows how old it is."""
        self._void_until = now

    def start(self, now: float) -> None:
        """Takes may begin; a cold start does so in rounds after a jitter."""
        self._started_at = now
        self._round_at = now

    def is_busy(self, key: str) -> bool:
        """Say whether a take of this lease has no definite answer yet."""
        return key in self._open

    @property
    def open_keys(self) -> tuple[str, ...]:
        """Leases whose take has no definite answer yet."""
        return tuple(self._open)

    # ----------------------------------------------------------------------------------- deciding

    def review(self, now: float, view: View, plan: Plan) -> float | None:
        """Take what is due; return when the next one may be."""
        if self._started_at is None or self._desk.stopping:
            return None
        takers = view.running
        times = [
            self._consider(now, lease.key, plan.takes.get(lease.key), takers)
            for lease in view.leases
            if lease.available or lease.holder == self._desk.me
        ]
        return min((t for t in times if t is not None), default=None)

    def _consider(
        self, now: float, key: str, planned: str | None, takers: tuple[str, ...]
    ) -> float | None:
        due = self._due_at(key, planned, takers)
        if due is None:
            return None
        due = max(due, self._desk.avoid_until.get(key, due))
        if due > now:
            return due
        if not self._listener.may_take(now, key):
            return None
        row = self._desk.sights.leases[key].row
        if row.is_ownerless and not self._fits_round(now):
            return self._round_at
        if planned == self._desk.me or self._is_mine(row):
            self._take_fresh(now, key)
        else:
            self._read_then_take(now, key)
        return None

    def _is_mine(self, row: LeaseRow) -> bool:
        return row.is_offered and row.owner == self._desk.me

    def _due_at(self, key: str, planned: str | None, takers: tuple[str, ...]) -> float | None:
        """Return when I may take an available lease: planned ones at once, others after my rank."""
        sight, me = self._desk.sights.leases[key], self._desk.me
        row = sight.row
        if self._is_mine(row):
            return sight.since
        if row.actual_owner == me:
            return None
        if row.is_offered and row.owner is not None:
            ready = sight.since + OFFER_GRACE
        elif row.is_ownerless or self._desk.sights.has_left(row.actual_owner or ""):
            ready = sight.since
        else:
            expiry = self._desk.sights.expires_at(key)
            if expiry is None:
                return None
            ready = expiry
        if planned == me:
            return ready
        place = rank(key, me, takers)
        return ready + min((1 + place) * _FALLBACK_STEP, self._desk.scan_interval / 2)

    def _fits_round(self, now: float) -> bool:
        """At a cold start take a share of the ownerless per round, so that others get theirs."""
        if now >= self._round_at:
            self._round_at = now + _ROUND
            unowned = sum(1 for s in self._desk.sights.leases.values() if s.row.is_ownerless)
            members = members_seen(self._desk.sights, now, self._desk.me)
            self._round_left = ceil(unowned / members)
        if self._round_left <= 0:
            return False
        self._round_left -= 1
        return True

    # ------------------------------------------------------------------------------------- reading

    def _take_fresh(self, now: float, key: str) -> None:
        """Take at once, unless what we know is so old that a read must precede it."""
        sight = self._desk.sights.leases[key]
        if now - sight.seen_at > self._desk.duration / 4:
            self._read_then_take(now, key)
        else:
            self.take(now, sight.row)

    def _read_then_take(self, now: float, key: str) -> None:
        if key in self._reading:
            return
        self._reading.add(key)
        expected = self._desk.sights.leases[key].row.counter

        def have_read(then: float, read: RowsRead) -> None:
            self._reading.discard(key)
            self._have_read(then, key, expected, read, asked_at=now)

        self._desk.calls.read_rows((key,), have_read)

    def _have_read(
        self, now: float, key: str, expected: int, read: RowsRead, *, asked_at: float
    ) -> None:
        if key in read.absent:
            self._desk.sights.forget_lease(key)
            return
        row = next((r for r in read.rows if isinstance(r, LeaseRow) and r.key == key), None)
        if row is None:
            return
        self._desk.sights.see_lease(now, row, asked_at=asked_at, consistent=True)
        if (
            row.counter == expected
            and row.is_finished is False
            and self._listener.may_take(now, key)
        ):
            self.take(now, row)

    def take_children(self, now: float, children: tuple[str, ...]) -> None:
        """Whoever wrote the last SHARD_END takes the ownerless children itself."""

        def have_read(at: float, read: RowsRead) -> None:
            for row in read.rows:
                if not isinstance(row, LeaseRow):
                    continue
                self._desk.sights.see_lease(at, row, asked_at=now, consistent=True)
                ready = row.is_ownerless and self._are_finished(row.parents)
                if ready and self._listener.may_take(at, row.key):
                    self.take(at, row)

        if children:
            self._desk.calls.read_rows(children, have_read)

    def _are_finished(self, keys: tuple[str, ...]) -> bool:
        sights = self._desk.sights.leases
        return all(key not in sights or sights[key].row.is_finished for key in keys)

    # -------------------------------------------------------------------------------------- taking

    def take(self, now: float, row: LeaseRow) -> None:
        """Send a take, conditional on exactly this counter."""
        if row.key in self._open:
            return
        self._open[row.key] = _Take(row, Ledger(row.counter))
        self._send(now, row.key)

    def _send(self, now: float, key: str) -> None:
        take = self._open[key]
        write = writes.take(
            take.row,
            me=self._desk.me,
            nonce=self._desk.new_nonce(),
            duration=self._desk.duration,
            counter=take.row.counter + 1,
        )
        attempt = take.ledger.send(write, now)
        self._desk.calls.write(
            write,
            partial(self._answered, key=key, attempt=attempt),
            urgent_by=self._desk.fence_of(now),
        )

    def _answered(self, now: float, answer: WriteAnswer, *, key: str, attempt: Attempt) -> None:
        outcome = self._open[key].ledger.settle(attempt, answer)
        match outcome:
            case Won():
                self._won(now, key, outcome, asked_at=attempt.sent_at)
            case Lost(row):
                del self._open[key]
                if row is None:
                    self._desk.sights.forget_lease(key)
                else:
                    self._see(now, row, attempt.sent_at, mine=False)
                self._desk.calls.report("lease.take_lost", "debug", key)
            case Open(failure):
                self._retry(now, key, failure.kind, failure.action, failure.message)

    def _won(self, now: float, key: str, won: Won, *, asked_at: float) -> None:
        del self._open[key]
        self._see(now, won.row, asked_at, mine=True)
        sent_at = won.attempt.sent_at
        in_time = self._void_until < sent_at and now < self._desk.fence_of(sent_at)
        if in_time and won.row.actual_owner == self._desk.me:
            self._listener.taken(now, won.row, won.attempt.sent_at)

    def _see(self, now: float, row: LeaseRow, asked_at: float, *, mine: bool) -> None:
        self._desk.sights.see_lease(now, row, asked_at=asked_at, consistent=True, mine=mine)

    def _retry(self, now: float, key: str, kind: FailureKind, action: str, message: str) -> None:
        """Only a definite answer ends a take: until then the row may become ours at any time."""
        self._desk.calls.report(
            "lease.take_retried", "warning", key, kind=kind, action=action, message=message
        )
        if kind in (FailureKind.GONE, FailureKind.DENIED):
            self._listener.table_failed(now, kind, action, message)
        wait = self._desk.backoff(self._open[key].ledger.failures) + _SOON
        self._desk.timers.at(now + wait, ("take", key), partial(self._send, key=key))
