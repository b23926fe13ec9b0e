"""How does a live lease move? Request, renewal, drain, transfer, take (PROTOCOL section 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kcl_py.core.leases.requests import (
    AGAIN_AFTER_CANCEL,
    AT_ONCE_MAX,
    POLL_SECONDS,
)
from kcl_py.core.leases.scanner import INDEX_INTERVAL_MAX
from kcl_py.testing.scale.actors import Lease, State, Worker

if TYPE_CHECKING:
    from collections.abc import Callable

    from kcl_py.testing.scale.fleet import Fleet, Look


class Handoffs:
    """All handoffs of a run.

    Attributes:
        dark: Seconds that each shard which moved by request was processed by nobody.
        on_leaver: Told of a lease that is offered to a worker which is leaving.
    """

    def __init__(self, fleet: Fleet) -> None:
        self.dark: list[float] = []
        self.collisions = 0
        self.cancelled = 0
        self.on_leaver: Callable[[Lease], None] = self._lose
        self._fleet = fleet
        self._at = fleet.heap.at
        fleet.reviewers.append(self._review)

    # ------------------------------------------------------------------------------------- asking

    def _review(self, worker: Worker, look: Look) -> None:
        fleet = self._fleet
        settled = fleet.now - worker.settled_since >= fleet.assume.leases.settle
        if not look.after_scan or not settled or len(worker.asked) >= AT_ONCE_MAX:
            return
        decision = fleet.decision(worker, look)
        for index, victim in decision.moves.get(worker.id, ()):
            if len(worker.asked) >= AT_ONCE_MAX:
                return
            if index not in worker.asked and index not in worker.denied:
                self._ask(worker, fleet.table.leases[index], victim)

    def _ask(self, worker: Worker, lease: Lease, victim: str) -> None:
        fleet = self._fleet
        worker.asked.add(lease.index)
        fleet.spent["request"] += 1

        def arrives() -> None:
            as_planned = lease.owner is not None and lease.owner.id == victim
            if lease.state is State.HELD and as_planned and worker.runs:
                fleet.table.ask(lease, worker)
                epoch = lease.epoch
                self._at(self._next_renewal(lease) + fleet.rtt(), lambda: self._seen(lease, epoch))
            else:
                self.collisions += 1
                worker.asked.discard(lease.index)
                worker.denied[lease.index] = fleet.now + worker.interval

        fleet.heap.after(fleet.rtt() / 2, arrives)

    def _next_renewal(self, lease: Lease) -> float:
        fleet = self._fleet
        passed = (fleet.now - lease.phase) % fleet.renew_period
        return fleet.now + fleet.renew_period - passed

    # -------------------------------------------------------------------------- the owner's side

    def _seen(self, lease: Lease, epoch: int) -> None:
        fleet, owner, taker = self._fleet, lease.owner, lease.taker
        if not fleet.is_current(lease, epoch, State.ASKED) or owner is None or taker is None:
            return
        if not owner.runs:
            return
        if owner.count < fleet.floor(self._takers_seen(owner, taker), self._unfinished()):
            self._cancel(lease, epoch)
            return
        fleet.read_rows(1)
        drained = fleet.rtt() + fleet.rng.uniform(*fleet.assume.drain)
        fleet.heap.after(drained, lambda: self._drained(lease, epoch))

    def _takers_seen(self, owner: Worker, taker: Worker) -> int:
        return owner.member_count + (taker in owner.unknown)

    def _unfinished(self) -> int:
        return len(self._fleet.table.leases) - self._fleet.table.ended

    def _cancel(self, lease: Lease, epoch: int) -> None:
        fleet, taker = self._fleet, lease.taker

        def arrives() -> None:
            if fleet.is_current(lease, epoch, State.ASKED) and taker is not None:
                fleet.table.keep(lease)
                taker.asked.discard(lease.index)
                taker.denied[lease.index] = fleet.now + AGAIN_AFTER_CANCEL * taker.interval

        self.cancelled += 1
        fleet.spent["renew"] += 1
        fleet.heap.after(fleet.rtt() / 2, arrives)

    def _drained(self, lease: Lease, epoch: int) -> None:
        fleet = self._fleet
        if not fleet.is_current(lease, epoch, State.ASKED):
            return
        lease.dark_since = fleet.now
        fleet.read_rows(1)
        wait = fleet.rtt() + fleet.rtt() / 2

        def transfers() -> None:
            if not fleet.is_current(lease, epoch, State.ASKED):
                return
            if lease.taker is None or not lease.taker.runs:
                self._cancel(lease, epoch)
            else:
                self.transfer(lease, lease.taker)

        fleet.heap.after(wait, transfers)

    # ------------------------------------------------------------------------- the taker's side

    def transfer(self, lease: Lease, taker: Worker) -> None:
        """A transfer applies; the taker polls the row that it asked for."""
        fleet = self._fleet
        fleet.accrue()
        fleet.spent["transfer"] += 1
        fleet.table.give(lease, taker)
        polled = fleet.rng.uniform(0.0, POLL_SECONDS + fleet.mean_rtt()) + fleet.rtt()
        shown = self._index_shows(taker, lag=0.0)
        self._count_polls()
        self._find(lease, taker, min(polled, shown), self.dark)

    def offer(self, lease: Lease, taker: Worker, dark: list[float]) -> None:
        """A lease was released to a successor, who learns of it from the index."""
        lag = self._fleet.rng.uniform(*self._fleet.assume.index_lag)
        self._fleet.read_rows(1)
        self._find(lease, taker, self._index_shows(taker, lag=lag), dark)

    def _index_shows(self, taker: Worker, *, lag: float) -> float:
        """Draw after how long the index, and a read of what it shows, tell of an offer."""
        del taker
        fleet = self._fleet
        period = min(INDEX_INTERVAL_MAX, fleet.duration / 3) + fleet.mean_rtt()
        return lag + fleet.rng.uniform(0.0, period) + fleet.rtt() + fleet.rtt()

    def _count_polls(self) -> None:
        """A request is open for half a renewal period, a drain, and what it takes to be found."""
        fleet = self._fleet
        wait = fleet.renew_period / 2 + sum(fleet.assume.drain) / 2 + 4 * fleet.mean_rtt()
        fleet.read_rows(round(wait / POLL_SECONDS) + round(wait / INDEX_INTERVAL_MAX))

    def _find(self, lease: Lease, taker: Worker, after: float, dark: list[float]) -> None:
        fleet, epoch = self._fleet, lease.epoch

        def arrives() -> None:
            if not fleet.is_current(lease, epoch, State.OFFERED):
                return
            if not taker.runs:
                self.on_leaver(lease)
                return
            fleet.accrue()
            fleet.spent["take_offered"] += 1
            fleet.table.hold(lease, taker, fleet.now)
            taker.asked.discard(lease.index)
            dark.append(fleet.now + fleet.rtt() / 2 - lease.dark_since)

        fleet.heap.after(after + fleet.rtt() / 2, arrives)

    def _lose(self, lease: Lease) -> None:
        self._fleet.table.give(lease, None)
