"""How does a worker leave? Leaving, draining, releasing to successors, the final sweep."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kcl_py.testing.scale.actors import Lease, State, Worker

if TYPE_CHECKING:
    from kcl_py.testing.scale.fleet import Fleet
    from kcl_py.testing.scale.handoff import Handoffs

_LOOK_MAX = 1.0
"""Seconds that a drained lease waits for the look at the fleet. Source: core/leases/stopping.py."""


class Departures:
    """All graceful stops of a run.

    Attributes:
        dark: Seconds that each shard of a leaver was processed by nobody.
        forwarded: Leases that were offered to somebody who was leaving.
    """

    def __init__(self, fleet: Fleet, handoffs: Handoffs) -> None:
        self.dark: list[float] = []
        self.forwarded = 0
        self._fleet = fleet
        self._handoffs = handoffs
        self._looked_at: dict[Worker, float] = {}
        self._heirs: dict[Worker, dict[str, str]] = {}
        self._by_id: dict[str, Worker] = {}
        handoffs.on_leaver = self.forward

    def stop(self, worker: Worker) -> None:
        """SIGTERM."""
        fleet = self._fleet
        fleet.accrue()
        fleet.spent["beat"] += 1
        fleet.table.leaves(worker)
        self._withdraw(worker)
        looks = min(fleet.rtt() + fleet.scan_seconds(), _LOOK_MAX)
        self._looked_at[worker] = fleet.now + looks
        # The look comes before every release: nothing is drained before it ends, or it waits.
        fleet.heap.after(looks, lambda: self._look(worker))
        last = looks
        for lease in list(worker.leases.values()):
            drained = fleet.rng.uniform(*fleet.assume.drain)
            last = max(last, drained)
            self._drain(worker, lease, drained)
        self._sweep_after(worker, last + fleet.rtt())

    def _withdraw(self, worker: Worker) -> None:
        fleet = self._fleet
        for index in sorted(worker.asked):
            lease = fleet.table.leases[index]
            if lease.state is State.ASKED and lease.taker is worker:
                fleet.spent["request"] += 1
                fleet.table.keep(lease)
        worker.asked.clear()

    def _look(self, worker: Worker) -> None:
        """See who else leaves, and choose the successors of everything held."""
        fleet = self._fleet
        fleet.count_scan(consistent=True)
        fleet.learn(worker)
        absent = fleet.absent(worker, fleet.horizon(worker))
        members = fleet.members(worker, absent)[0]
        assert worker.snapshot is not None
        self._heirs[worker] = worker.snapshot.heirs(members, absent, worker)

    def _drain(self, worker: Worker, lease: Lease, after: float) -> None:
        fleet = self._fleet
        at = fleet.now + after

        def drained() -> None:
            if lease.owner is worker and lease.state in (State.HELD, State.ASKED):
                # Whoever asked while it drained gets it.
                lease.dark_since = at
                self._release(worker, lease)

        fleet.heap.at(max(at, self._looked_at[worker]) + fleet.rtt() / 2, drained)

    def _release(self, worker: Worker, lease: Lease) -> None:
        fleet = self._fleet
        fleet.accrue()
        asked_by = lease.taker if lease.state is State.ASKED else None
        if asked_by is not None and asked_by.runs:
            fleet.spent["transfer"] += 1
            fleet.table.give(lease, asked_by)
            self._handoffs.offer(lease, asked_by, self.dark)
            return
        fleet.spent["release"] += 1
        heir = self._heir(self._heirs[worker].get(lease.key))
        fleet.table.give(lease, heir)
        if heir is not None:
            self._handoffs.offer(lease, heir, self.dark)

    def _heir(self, worker_id: str | None) -> Worker | None:
        if worker_id is None:
            return None
        if worker_id not in self._by_id:
            self._by_id = {worker.id: worker for worker in self._fleet.workers}
        return self._by_id[worker_id]

    def _sweep_after(self, worker: Worker, seconds: float) -> None:
        """The final consistent scan, and the deletion of the own row."""
        fleet = self._fleet

        def swept() -> None:
            fleet.accrue()
            fleet.count_scan(consistent=True)
            fleet.spent["leave"] += 1
            worker.left = True
            worker.alive = False

        fleet.heap.after(seconds + fleet.scan_seconds() + fleet.rtt(), swept)

    def forward(self, lease: Lease) -> None:
        """An offer to somebody who leaves: its final sweep gives it on by the plan without it."""
        fleet, leaver = self._fleet, lease.taker
        assert leaver is not None
        self.forwarded += 1
        after = max(0.0, self._looked_at[leaver] - fleet.now) + fleet.scan_seconds()
        epoch = lease.epoch

        def gives() -> None:
            if not fleet.is_current(lease, epoch, State.OFFERED):
                return
            leaver.leases[lease.index] = lease
            self._look(leaver)
            heir = self._heir(self._heirs[leaver].get(lease.key))
            fleet.spent["release"] += 1
            fleet.table.give(lease, heir)
            leaver.leases.pop(lease.index, None)
            if heir is not None:
                self._handoffs.offer(lease, heir, self.dark)

        fleet.heap.after(after + fleet.rtt() / 2, gives)
