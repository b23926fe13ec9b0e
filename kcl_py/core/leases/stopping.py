"""In which order does a worker stop?

Leaving, draining, giving away, the final sweep, the own row last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from kcl_py.core.leases.rows import LeaseRow
from kcl_py.core.leases.writes import WriteKind
from kcl_py.errors import StopTimeout

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kcl_py.core.leases.desk import Desk
    from kcl_py.core.leases.holding import Holding
    from kcl_py.core.leases.scanner import Scan
    from kcl_py.core.leases.shared import Shared
    from kcl_py.core.leases.victim import Victim
    from kcl_py.errors import KclError

_DRAIN_SHARE = 0.8
"""Part of `stop_grace` after which user code that still runs is fenced.

To leave time to release.
"""

_SWEEP_RETRY = 0.3

_LOOK_MAX = 1.0
"""Seconds that a drained lease waits for the look at the fleet that tells its successor."""


class StoppingHost(Protocol):
    """What the stop needs of the keeper."""

    holdings: dict[str, Holding]
    victims: dict[str, Victim]
    running_lost: set[str]

    def give_stray(self, now: float, row: LeaseRow, successor: str | None) -> None:
        """Give away a lease whose row names us, though we do not hold it; without a position."""

    def finish(self, error: KclError | None) -> None:
        """The worker is done."""


class Stopping:
    """The stop of one worker."""

    def __init__(self, desk: Desk, host: StoppingHost, shared: Shared) -> None:
        self._desk = desk
        self._host = host
        self._taking = shared.taking
        self._requests = shared.requests
        self._balance = shared.balance
        self._membership = shared.membership
        self._scanner = shared.scanner
        self._is_sweeping = False
        self._is_swept = False
        self._is_joined = False
        self._is_done = False
        self._has_looked = False
        self._drained: list[Holding] = []

    def begin(self, now: float, *, joined: bool) -> None:
        """Leave: nothing new is taken, everything held is drained and given away."""
        self._desk.stopping = True
        self._is_joined = joined
        for name in (("review",), ("requests",), ("startup",)):
            self._desk.timers.cancel(name)
        self._scanner.stop()
        self._desk.shards.stop()
        self._desk.calls.report("worker.leaving", "info", leases=len(self._host.holdings))
        grace = self._desk.config.stop_grace
        self._desk.timers.at(now + grace * _DRAIN_SHARE, ("stop", "drain"), self._force)
        self._desk.timers.at(now + grace, ("stop", "grace"), self._out_of_time)
        if joined:
            self._desk.timers.at(now + _LOOK_MAX, ("stop", "look"), self._looked)
            self._membership.leave(now, self._look)
        self._requests.withdraw_all(now)
        for key, holding in sorted(self._host.holdings.items()):
            if not holding.is_owner:
                continue
            self._host.victims[key].stop()
            if self._host.victims[key].is_drained:
                self.drained(now, holding)
            else:
                self._desk.consumers.drain(now, key, "stop")
        self.check(now)

    def _look(self, now: float) -> None:
        """See who else is leaving, and what they gave away since the last scan."""
        self._scanner.scan(now, consistent=True, then=lambda at, _scan: self._looked(at))

    def _looked(self, now: float) -> None:
        self._desk.timers.cancel(("stop", "look"))
        self._has_looked = True
        waiting, self._drained = self._drained, []
        for holding in waiting:
            if holding.is_owner:
                self.drained(now, holding)

    def drained(self, now: float, holding: Holding) -> None:
        """User code of a lease has closed.

        To a pending live taker, else to the successor, else to nobody.
        """
        if not self._has_looked:
            self._drained.append(holding)
            return
        taker = self._host.victims[holding.key].taker
        pending = holding.row.checkpoint_owner == self._desk.me and holding.row.owner == taker
        if taker is not None and pending and self._desk.sights.is_running(taker, now):
            holding.give(now, WriteKind.TRANSFER, taker)
        else:
            holding.give(now, WriteKind.RELEASE, self._successor(now, holding.key))

    def taken(self, now: float, row: LeaseRow) -> None:
        """A take of before the stop applied: give it away unused."""
        self._host.give_stray(now, row, self._successor(now, row.key))

    def refused(self) -> None:
        """Something of ours was written late: the table must be looked at again."""
        self._is_swept = False

    def check(self, now: float) -> None:
        """Go on to the sweep when nothing is held or open, and to the end when nothing is left."""
        if self._is_done or self._host.holdings or self._taking.open_keys:
            return
        if self._requests.is_withdrawing or self._is_sweeping:
            return
        if self._desk.timers.is_set(("stop", "sweep")):
            return
        if not self._is_joined:
            self._membership.delete(now, self._gone)
            self._is_done = True
        elif not self._is_swept:
            self._sweep(now)
        elif not self._host.running_lost:
            self._is_done = True
            self._membership.delete(now, self._gone)

    # ---------------------------------------------------------------------------------------- sweep

    def _sweep(self, now: float) -> None:
        self._is_sweeping = True
        self._scanner.scan(now, consistent=True, then=self._swept)

    def _swept(self, now: float, scan: Scan) -> None:
        self._is_sweeping = False
        if not scan.is_complete:
            self._desk.timers.at(now + _SWEEP_RETRY, ("stop", "sweep"), self.check)
            return
        strays = [row for key in sorted(scan.leases) if (row := self._stray(key)) is not None]
        mine = tuple(row.key for row in strays)
        successors: Mapping[str, str] = self._balance.successors(now, mine) if mine else {}
        for row in strays:
            if row.actual_owner == self._desk.me:
                self._host.give_stray(now, row, successors.get(row.key))
            elif row.checkpoint_owner is not None:
                self._requests.withdraw(now, row.key, row.checkpoint_owner)
        self._is_swept = not strays
        self.check(now)

    def _stray(self, key: str) -> LeaseRow | None:
        """Return a row that still names us though nothing of it runs here."""
        sight = self._desk.sights.leases.get(key)
        if sight is None or sight.row.is_finished or key in self._host.holdings:
            return None
        if self._desk.consumers.is_running(key):
            return None
        row, me = sight.row, self._desk.me
        if row.actual_owner == me:
            return row
        return row if row.owner == me and row.in_handoff else None

    def _successor(self, now: float, key: str) -> str | None:
        mine = tuple(sorted({*self._host.holdings, key}))
        return self._balance.successors(now, mine).get(key)

    # ----------------------------------------------------------------------------------------- ends

    def _force(self, now: float) -> None:
        """Part of the grace is over: fence user code that still runs, so that its guard raises."""
        for key, holding in sorted(self._host.holdings.items()):
            if holding.is_owner and self._desk.consumers.is_running(key):
                holding.lose(now, "stop_grace is nearly over")
        self.check(now)

    def _out_of_time(self, now: float) -> None:
        del now
        if self._host.running_lost:
            shards = ", ".join(sorted(self._host.running_lost))
            why = f"user code of {shards} has not returned; its leases are left to expire"
        else:
            why = "the lease table did not answer in time; leases are left to expire"
        self._host.finish(
            StopTimeout(f"stop_grace is over: {why}. Raise stop_grace, or return sooner.")
        )

    def _gone(self, now: float) -> None:
        del now
        for name in ("drain", "grace", "sweep", "look"):
            self._desk.timers.cancel(("stop", name))
        self._host.finish(None)
