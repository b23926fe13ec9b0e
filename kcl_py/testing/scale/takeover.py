"""How do the leases of the dead, and those of nobody, find a new owner?

Planned takes at expiry, others after their rank, reading first: section 6 of the protocol.
"""

from __future__ import annotations

from heapq import nlargest
from math import ceil
from typing import TYPE_CHECKING

from kcl_py.core.leases.plan import score
from kcl_py.shell.pools import TABLE_THREADS_MAX
from kcl_py.testing.scale.actors import Lease, State, Worker

if TYPE_CHECKING:
    from kcl_py.testing.scale.fleet import Fleet, Look
    from kcl_py.testing.scale.table import Decision

FALLBACK_STEP = 0.5
"""Seconds by which each next-best worker waits longer. Source: PROTOCOL section 6."""

ROUND = 1.0
"""Seconds between two rounds in which ownerless leases are taken. Source: PROTOCOL section 6."""


class Takeovers:
    """All takes of leases that nobody holds.

    Attributes:
        dark: Seconds from each death to the start of the next processor, per lease.
        collisions: Takes that were refused, because another one was first.
        needless_reads: Reads of the fallback that found the lease taken.
        most_reads: Most such reads that one worker sends at once.
    """

    def __init__(self, fleet: Fleet) -> None:
        self.dark: list[float] = []
        self.collisions = 0
        self.needless_reads = 0
        self.most_reads = 0
        self._fleet = fleet
        self._best: dict[tuple[str, ...], dict[int, tuple[str, ...]]] = {}
        self._done: dict[Worker, float] = {}
        fleet.reviewers.append(self._review)

    def _review(self, worker: Worker, look: Look) -> None:
        fleet, snapshot = self._fleet, worker.snapshot
        assert snapshot is not None
        expired = snapshot.frozen_until(look.horizon)
        if not expired and next(snapshot.unclaimed(look.absent), None) is None:
            return
        decision = fleet.decision(worker, look)
        for index in decision.takes.get(worker.id, ()):
            lease = fleet.table.leases[index]
            if lease.state is State.FREE and self._fits_round(worker):
                self.take(worker, lease)
            elif index not in worker.handled and lease.state is State.FROZEN:
                worker.handled.add(index)
                self._take_planned(worker, lease)
        if expired:
            self._fall_back(worker, look.horizon, decision)

    def _fits_round(self, worker: Worker) -> bool:
        fleet = self._fleet
        if fleet.now >= worker.round_at:
            worker.round_at = fleet.now + ROUND
            unowned = len(fleet.table.loose)
            worker.round_left = ceil(unowned / max(1, worker.member_count))
        worker.round_left -= 1
        return worker.round_left >= 0

    # ----------------------------------------------------------------------------------- planned

    def _take_planned(self, worker: Worker, lease: Lease) -> None:
        """Take at once; what was seen long ago is read first."""
        fleet = self._fleet
        if fleet.now - worker.scans[-1] > fleet.duration / 4:
            fleet.read_rows(1)
            fleet.heap.after(self._queue(worker, 1), lambda: self._take_if_frozen(worker, lease))
        else:
            self.take(worker, lease)

    def _queue(self, worker: Worker, count: int) -> float:
        """Return how long so many reads of single rows take: few threads carry them out."""
        fleet = self._fleet
        began = max(fleet.now, worker.reads_until)
        worker.reads_until = began + count * fleet.mean_rtt() / TABLE_THREADS_MAX
        return began + fleet.rtt() - fleet.now

    def _take_if_frozen(self, worker: Worker, lease: Lease) -> None:
        if lease.state is State.FROZEN:
            self.take(worker, lease)

    def take(self, worker: Worker, lease: Lease) -> None:
        """Send a take, conditional on the lease as it stands."""
        fleet, epoch, state = self._fleet, lease.epoch, lease.state
        died = state is State.FROZEN

        def arrives() -> None:
            if not fleet.is_current(lease, epoch, state) or not worker.runs:
                self.collisions += 1
                fleet.spent["refused"] += 1
                return
            fleet.accrue()
            fleet.spent["take_expired" if died else "take_free"] += 1
            fleet.table.hold(lease, worker, fleet.now)
            if lease.parent is None or lease.parent.state is State.ENDED:
                self.started(lease, fleet.now + fleet.rtt() / 2)

        fleet.heap.after(fleet.rtt() / 2, arrives)

    def started(self, lease: Lease, at: float) -> None:
        """A processor starts on a lease that was taken."""
        self.dark.append(at - lease.dark_since)

    # --------------------------------------------------------------------------------- fallback

    def _fall_back(self, worker: Worker, horizon: float, decision: Decision) -> None:
        """What was planned for others: wait by rank for each lease, and look before taking."""
        if self._done.get(worker, float("-inf")) >= horizon:
            return
        since, self._done[worker] = self._done.get(worker, float("-inf")), horizon
        fleet = self._fleet
        longest = worker.interval / 2
        expiry = horizon + fleet.duration
        steps = ceil(longest / FALLBACK_STEP) - 1
        near = self._near(decision, steps, worker)
        for place in range(steps):
            mine = [index for rank, index in near if rank == place]
            if mine:
                at = expiry + (1 + place) * FALLBACK_STEP
                fleet.heap.at(at, lambda mine=mine: self._look(worker, mine, since, horizon))  # type: ignore[misc]
        fleet.heap.at(expiry + longest, lambda: self._look(worker, None, since, horizon))

    def _near(self, decision: Decision, steps: int, worker: Worker) -> list[tuple[int, int]]:
        """Return the frozen leases for which this worker ranks high, as (rank, index)."""
        best = self._best.setdefault(decision.takers, {})
        found = []
        for index in self._fleet.table.frozen:
            ranked = best.get(index)
            if ranked is None:
                key = self._fleet.table.leases[index].key
                ranked = tuple(
                    nlargest(steps, decision.takers, key=lambda w, key=key: (score(key, w), w))  # type: ignore[misc]
                )
                best[index] = ranked
            if worker.id in ranked:
                found.append((ranked.index(worker.id), index))
        return found

    def _look(self, worker: Worker, only: list[int] | None, since: float, horizon: float) -> None:
        """Read the rows that still look frozen, and take those that are.

        Args:
            only: Indices; None: all that first stood still between these two sights.
        """
        fleet, snapshot = self._fleet, worker.snapshot
        if not worker.runs or snapshot is None:
            return
        first, last = snapshot.frozen_until(since), snapshot.frozen_until(horizon)
        known = {index for _, index in snapshot.frozen[first:last]}
        looked = known if only is None else known.intersection(only)
        looked = looked - worker.handled
        if not looked:
            return
        worker.handled |= looked
        fleet.read_rows(len(looked))
        self.most_reads = max(self.most_reads, len(looked))
        self._queue(worker, len(looked))
        still = sorted(looked.intersection(fleet.table.frozen))
        self.needless_reads += len(looked) - len(still)
        order = sorted(looked) if still else []
        places = {index: place for place, index in enumerate(order)}
        for index in still:
            lease = fleet.table.leases[index]
            after = places[index] * fleet.mean_rtt() / TABLE_THREADS_MAX + fleet.rtt()
            fleet.heap.after(after, lambda lease=lease: self._take_if_frozen(worker, lease))  # type: ignore[misc]
