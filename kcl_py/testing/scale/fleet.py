"""Who looks at the table when, and what does it know then? The reduced workers of one run.

What is periodic and changes nothing (renewals, beats, looks into the index) is counted, not
simulated; scans are events, because what a worker knows comes from them.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from kcl_py.core.leases.balance import scan_interval
from kcl_py.core.leases.plan import PlanLease, PlanWorker, floor_of, plan
from kcl_py.testing.scale.actors import Assumptions, State, Worker
from kcl_py.testing.scale.table import Table
from kcl_py.testing.scale.units import measured
from kcl_py.testing.sim.heap import EventHeap

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from kcl_py.testing.scale.actors import Lease
    from kcl_py.testing.scale.table import Decision

_SCAN_JITTER = 0.1
_EXACTLY = 1e-9


@dataclass(frozen=True, slots=True)
class Look:
    """What a worker goes by when it looks at its plan.

    Attributes:
        horizon: The scan whose first sights have expired.
        absent: Workers whose row is there and that do not count as running.
        after_scan: A scan has just ended.
    """

    horizon: float
    absent: list[Worker]
    after_scan: bool


class Fleet:
    """Workers and their table under virtual time.

    Attributes:
        spent: How often each step was carried out.
        read_units: Taken by scans and reads of single rows so far.
        reviewers: Told of every moment at which a worker looks at its plan.
        newcomers: Workers that came after the start, in order.
        dead: Killed workers, each with the last instant at which anything of it moved.
    """

    def __init__(
        self,
        seed: int,
        *,
        workers: int,
        shards: int,
        assumptions: Assumptions,
        clock: Callable[[], float],
    ) -> None:
        self.assume = assumptions
        self.duration = assumptions.leases.duration
        self.renew_period = self.duration / 3
        self.rng = random.Random(seed)
        self.heap = EventHeap(self.rng)
        self.table = Table(clock)
        self.units = measured()
        self.spent: Counter[str] = Counter()
        self.read_units = 0.0
        self.reviewers: list[Callable[[Worker, Look], None]] = []
        self.newcomers: list[Worker] = []
        self.dead: list[tuple[float, Worker]] = []
        self.workers: list[Worker] = []
        self._floors: dict[tuple[int, int], int] = {}
        self._accrued_at = 0.0
        self.lease_seconds = 0.0
        self.worker_seconds = 0.0
        self._begin(workers, shards)

    @property
    def now(self) -> float:
        """True time, seconds."""
        return self.heap.now

    def living(self) -> list[Worker]:
        """Return the workers that are up, leaving or not."""
        return [worker for worker in self.workers if worker.alive and not worker.left]

    def rtt(self) -> float:
        """Draw the time of one request, there and back, seconds."""
        way = self.rng.uniform(*self.assume.latency)
        if self.assume.slow and self.rng.random() < self.assume.slow:
            way += self.assume.slow_seconds
        return way

    def mean_rtt(self) -> float:
        """Return the usual time of one request, seconds."""
        return sum(self.assume.latency) / 2

    # ---------------------------------------------------------------------------------- beginning

    def _begin(self, workers: int, shards: int) -> None:
        """A balanced fleet that has been up for long."""
        made = [self._make_worker() for _ in range(workers)]
        self.table.add_workers(made)
        for index in range(shards):
            lease = self.table.add_lease()
            self.table.hold(lease, made[index % workers], 0.0)
            lease.phase = -self.rng.uniform(0.0, self.renew_period)
        interval = scan_interval(self.assume.leases.scan_interval, self.duration, workers)
        for worker in made:
            worker.began = -self.rng.uniform(100.0, 200.0)
            worker.fresh, worker.ready, worker.interval = False, True, interval
            worker.snapshot = self.table.look(0.0, self.assume.tick)
            last = -self.rng.uniform(0.0, interval)
            worker.scans.extend((last - interval, last))
            worker.members, worker.member_count = self.members(worker, ())
            worker.settled_since = worker.began
            self.heap.at(last + interval, lambda worker=worker: self._scan(worker))  # type: ignore[misc]

    def _make_worker(self) -> Worker:
        worker = Worker(len(self.workers), self.rng.getrandbits(64), self.now)
        self.workers.append(worker)
        return worker

    def join(self) -> Worker:
        """A process starts: application row, own row, a consistent scan, then the first review."""
        worker = self._make_worker()
        worker.alive = True
        self.heap.after(self.rtt() + self.rtt(), lambda: self._joined(worker))
        return worker

    def _joined(self, worker: Worker) -> None:
        self.accrue()
        self.spent["join"] += 1
        self.read_rows(1)
        worker.began = self.now
        self.table.add_worker(worker)
        self.newcomers.append(worker)
        worker.interval = scan_interval(self.assume.leases.scan_interval, self.duration, 1)
        self.heap.after(self.scan_seconds(), lambda: self._first_scan(worker))

    def _first_scan(self, worker: Worker) -> None:
        if not worker.runs:
            return
        self.count_scan(consistent=True)
        worker.scans.append(self.now)
        self.learn(worker)
        worker.ready = True
        worker.settled_since = self.now
        self._schedule(worker, self.now)
        jitter = self.rng.uniform(0.0, 1.0)
        self.heap.after(jitter, lambda: self.review(worker, after_scan=False))

    # -------------------------------------------------------------------------------------- scans

    def scan_seconds(self) -> float:
        """Draw how long a scan takes: page after page."""
        pages = self.units.pages(len(self.table.leases), len(self.table.running))
        return self.mean_rtt() * (pages - 1) + self.rtt()

    def count_scan(self, *, consistent: bool) -> None:
        """A scan of everything takes its units."""
        self.spent["scan"] += 1
        leases, workers = len(self.table.leases), len(self.table.running)
        self.read_units += self.units.scan(leases, workers, consistent=consistent)

    def read_rows(self, count: int) -> None:
        """Single rows are read consistently."""
        self.spent["row_read"] += count
        self.read_units += count

    def _schedule(self, worker: Worker, since: float) -> None:
        wait = worker.interval * self.rng.uniform(1 - _SCAN_JITTER, 1 + _SCAN_JITTER)
        # Reads of single rows go before a scan: it waits until they are all answered.
        at = max(since + wait, worker.reads_until)
        self.heap.at(at, lambda: self._scan(worker))

    def _scan(self, worker: Worker) -> None:
        if not worker.runs:
            return
        self.count_scan(consistent=False)
        asked_at = self.now
        self.heap.after(self.scan_seconds(), lambda: self._scanned(worker, asked_at))

    def _scanned(self, worker: Worker, asked_at: float) -> None:
        if not worker.runs:
            return
        worker.fresh = False
        worker.scans.append(self.now)
        self.learn(worker)
        self._schedule(worker, max(asked_at, self.now - 1.0))
        if self.dead:
            self.watch_expiry(worker, self.now)
        self.review(worker, after_scan=True)

    def watch_expiry(self, worker: Worker, sight: float) -> None:
        """Look again when what was first seen in this scan will have expired."""
        at = sight + self.duration
        self.heap.at(at + _EXACTLY, lambda: self.review(worker, after_scan=False))

    def learn(self, worker: Worker) -> None:
        """See who is there, and who of the newcomers has moved since the last scan."""
        worker.snapshot = self.table.look(self.now, self.assume.tick)
        fresh = self.newcomers[worker.joiners_seen :]
        worker.joiners_seen = len(self.newcomers)
        for other, seen_at in list(worker.unknown.items()):
            if self._has_moved(other, seen_at) or not other.runs:
                del worker.unknown[other]
        for other in fresh:
            if other is not worker and other.runs and other.took_at is None:
                worker.unknown[other] = self.now

    def _has_moved(self, other: Worker, since: float) -> bool:
        if other.took_at is not None:
            return True
        until = self.now if other.died_at is None else other.died_at
        period = self.renew_period
        return (until - other.began) // period > (since - other.began) // period

    # -------------------------------------------------------------------------------------- review

    def horizon(self, worker: Worker) -> float:
        """Return the scan whose first sights have expired by now: what stood still since has."""
        known = [at for at in list(worker.scans)[:-1] if at + self.duration <= self.now]
        return known[-1] if known else float("-inf")

    def absent(self, worker: Worker, horizon: float) -> list[Worker]:
        """Return those whose row is there and that do not count as running for this worker."""
        assert worker.snapshot is not None
        running = worker.snapshot.running
        if worker.fresh:
            return [other for other in running if other is not worker]
        absent = [other for other in worker.unknown if other in running]
        return absent + [o for at, o in self.dead if at <= horizon and o in running]

    def members(self, worker: Worker, absent: Collection[Worker]) -> tuple[int, int]:
        """Return what stands for the workers that count as running, and how many they are."""
        assert worker.snapshot is not None
        tokens = worker.snapshot.running_tokens - sum(other.token for other in absent)
        return tokens, len(worker.snapshot.running) - len(absent)

    def _note_members(self, worker: Worker, absent: Collection[Worker]) -> None:
        """Any change begins the settle time anew, and may change the scan interval."""
        members, count = self.members(worker, absent)
        if members != worker.members:
            worker.members, worker.member_count = members, count
            worker.settled_since = self.now
            worker.interval = scan_interval(
                self.assume.leases.scan_interval, self.duration, max(1, count)
            )

    def review(self, worker: Worker, *, after_scan: bool) -> None:
        """A worker looks at what its plan says now."""
        if not worker.runs or not worker.ready:
            return
        horizon = self.horizon(worker)
        look = Look(horizon, self.absent(worker, horizon), after_scan)
        self._note_members(worker, look.absent)
        for reviewer in self.reviewers:
            reviewer(worker, look)

    def decision(self, worker: Worker, look: Look) -> Decision:
        """Return the plan as this worker makes it; shared with all who see the same."""
        assert worker.snapshot is not None
        for index in [i for i, at in worker.denied.items() if at <= self.now]:
            del worker.denied[index]
        expired = worker.snapshot.frozen_until(look.horizon)
        return worker.snapshot.decide(worker.members, look.absent, expired, worker.denied)

    def floor(self, takers: int, leases: int) -> int:
        """Return how many leases a taker keeps whatever is asked of it, by the production plan."""
        found = self._floors.get((takers, leases))
        if found is None:
            ids = [f"w{number}" for number in range(takers)]
            held = [
                PlanLease(
                    key=f"l{number}",
                    holder=ids[number % takers],
                    available=False,
                    expired=False,
                    movable=True,
                )
                for number in range(leases)
            ]
            everyone = [PlanWorker(worker_id=w, lease_max=None, is_taker=True) for w in ids]
            found = floor_of(plan(held, everyone), ids[-1])
            self._floors[(takers, leases)] = found
        return found

    # -------------------------------------------------------------------------------------- ending

    def kill(self, victims: list[Worker]) -> None:
        """Kill -9, all at once."""
        self.accrue()
        for worker in victims:
            self.table.dies(worker, self.now, self._last_renewal)
            beat = self._last_renewal(worker.began)
            moved = [self.table.frozen[i] for i in worker.leases if i in self.table.frozen]
            self.dead.append((max([beat, *moved]), worker))
        for worker in self.living():
            if worker.runs:
                for sight in worker.scans:
                    if sight + self.duration > self.now:
                        self.watch_expiry(worker, sight)

    def _last_renewal(self, phase: float) -> float:
        """Return the last instant of a period before now; to the tick, as scans are."""
        at, tick = self.now - (self.now - phase) % self.renew_period, self.assume.tick
        return min(self.now, ceil(at / tick) * tick) if tick else at

    def accrue(self) -> None:
        """Count what is periodic up to now; before every change of what renews and beats."""
        span = self.now - self._accrued_at
        self._accrued_at = self.now
        table = self.table
        renewed = len(table.leases) - table.ended - len(table.frozen) - len(table.loose)
        self.lease_seconds += span * renewed
        self.worker_seconds += span * len(self.living())

    def is_converged(self) -> bool:
        """Say whether every lease is held, by workers whose counts differ by at most one."""
        return self.table.unsettled == 0 and self.table.spread <= 1

    def is_current(self, lease: Lease, epoch: int, state: State) -> bool:
        """Say whether a lease still stands as it did when something was planned for it."""
        return lease.epoch == epoch and lease.state is state
