"""What is in the lease table, and what does a plan make of it? One plan per distinct view."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass, field, replace
from time import process_time
from typing import TYPE_CHECKING

from kcl_py.core.leases.plan import Plan, PlanLease, PlanWorker, plan, successors
from kcl_py.testing.scale.actors import Lease, State, Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

_SETTLED = frozenset({State.HELD, State.ENDED})


class OutOfTimeError(Exception):
    """The budget of wall-clock time is used up."""


@dataclass(slots=True)
class Decision:
    """A plan, sorted by worker id.

    Attributes:
        takes: Indices of the leases that each worker should take.
        moves: Likewise those that it should ask for, each with its owner, in order of their keys.
        planned: The indices of all that somebody should take.
    """

    plan: Plan
    takes: dict[str, list[int]] = field(default_factory=dict)
    moves: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    takers: tuple[str, ...] = ()


class Snapshot:
    """The table at one instant, and the plans that were made of it.

    Attributes:
        running: Workers whose row says that they run: the living and the dead.
        frozen: Leases of the dead, as (last counter movement, index), in order.
        loose: Indices of offered and free leases.
    """

    def __init__(self, table: Table, now: float) -> None:
        self.at = now
        self.version = table.version
        self.entries = list(table.entries)
        self.running = table.running
        self.running_tokens = table.running_tokens
        self.frozen = sorted((at, index) for index, at in table.frozen.items())
        self.frozen_times = [at for at, _ in self.frozen]
        self.loose = tuple(sorted(table.loose))
        self._leases = table.leases
        self._offers = {i: table.leases[i].taker for i in self.loose}
        self._states = {i: table.leases[i].state for i in self.loose}
        self._clock = table.clock
        self._deadline = table.deadline
        self._decisions: dict[object, Decision] = {}
        self._heirs: dict[object, dict[str, str]] = {}
        self._slowest = table.plan_seconds

    def frozen_until(self, horizon: float) -> int:
        """Return how many of the frozen leases moved last at or before this."""
        return bisect_right(self.frozen_times, horizon)

    def unclaimed(self, absent: Collection[Worker]) -> Iterator[int]:
        """Yield the leases of nobody: free, or offered to one who does not count as running."""
        gone = set(absent)
        for index in self.loose:
            taker = self._offers[index]
            stands = self._states[index] is State.OFFERED and taker is not None
            if not stands or taker in gone or taker not in self.running:
                yield index

    def decide(
        self,
        members: int,
        absent: Collection[Worker],
        expired: int,
        denied: Iterable[int] = (),
    ) -> Decision:
        """Return the plan of everybody who sees just this.

        Args:
            members: Sum of the tokens of the workers that count as running.
            absent: Those of `running` that do not.
            expired: How many of the frozen leases have expired.
            denied: Indices of leases not to be asked for.
        """
        resting = tuple(sorted(denied))
        key = (members, expired, resting)
        found = self._decisions.get(key)
        if found is None:
            leases = self._plan_leases(absent, expired, resting)
            workers = self._plan_workers(absent, expired)
            found = self._decisions[key] = _sorted_plan(self._timed_plan(leases, workers))
            found.takers = tuple(w.worker_id for w in workers)
        return found

    def heirs(self, members: int, absent: Collection[Worker], leaver: Worker) -> dict[str, str]:
        """Return who gets each lease of a worker that leaves, as `Balance.successors` asks it.

        What other leavers still hold is placed as well.
        """
        key = (members, leaver.id)
        found = self._heirs.get(key)
        if found is None:
            leases = [
                replace(lease, holder=None, available=True, movable=False)
                if lease.holder is not None and self._leaves(index)
                else lease
                for index, lease in self._numbered(absent, 0)
            ]
            mine = [lease.key for lease in leaver.leases.values()]
            workers = self._plan_workers(absent, 0)
            found = self._heirs[key] = dict(successors(mine, leases, workers, leaver.id))
        return found

    def _leaves(self, index: int) -> bool:
        lease = self._leases[index]
        return lease.state is State.HELD and lease.owner is not None and lease.owner.leaving

    def _timed_plan(self, leases: list[PlanLease], workers: list[PlanWorker]) -> Plan:
        if self._clock() >= self._deadline:
            raise OutOfTimeError
        began = process_time()
        decided = plan(leases, workers)
        self._slowest.append(process_time() - began)
        return decided

    def _numbered(self, absent: Collection[Worker], expired: int) -> list[tuple[int, PlanLease]]:
        entries: list[PlanLease | None] = self.entries
        available = list(self.unclaimed(absent))
        if expired or available:
            entries = list(entries)
            for _, index in self.frozen[:expired]:
                entries[index] = _available(self._leases[index].key, expired=True)
            for index in available:
                entries[index] = _available(self._leases[index].key, expired=False)
        return [(i, entry) for i, entry in enumerate(entries) if entry is not None]

    def _plan_leases(
        self, absent: Collection[Worker], expired: int, resting: tuple[int, ...]
    ) -> list[PlanLease]:
        numbered = self._numbered(absent, expired)
        if not resting:
            return [entry for _, entry in numbered]
        rests = set(resting)
        return [replace(e, movable=False) if i in rests else e for i, e in numbered]

    def _plan_workers(self, absent: Collection[Worker], expired: int) -> list[PlanWorker]:
        suspects = {self._leases[index].owner for _, index in self.frozen[:expired]}
        gone = set(absent)
        return [
            PlanWorker(
                worker_id=worker.id, lease_max=None, is_taker=worker not in suspects, is_live=True
            )
            for worker in self.running
            if worker not in gone
        ]


class Table:
    """All rows; every change goes through here, and is counted.

    Attributes:
        entries: Each lease as a plan sees it if nothing is known of its owner's death; None: ended.
        frozen: Index of each lease of the dead to its last counter movement.
        loose: Indices of offered and free leases.
        unsettled: Leases that are not simply held.
        moves: Changes of ownership of leases that had an owner before.
        changed_at: When a lease was last taken.
        deadline: What the wall clock shows when no plan is begun any more.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.deadline = float("inf")
        self.version = 0
        self.leases: list[Lease] = []
        self.entries: list[PlanLease | None] = []
        self.running: dict[Worker, None] = {}
        self.running_tokens = 0
        self.frozen: dict[int, float] = {}
        self.loose: set[int] = set()
        self.unsettled = 0
        self.ended = 0
        self.moves = 0
        self.changed_at = 0.0
        self.plan_seconds: list[float] = []
        self._spread: Counter[int] = Counter()
        self._latest: Snapshot | None = None

    @property
    def spread(self) -> int:
        """Most minus fewest leases of a worker that runs."""
        return max(self._spread) - min(self._spread) if self._spread else 0

    def look(self, now: float, tick: float) -> Snapshot:
        """Return the table as a scan sees it now; not older than `tick`."""
        latest = self._latest
        if latest is None or (latest.version != self.version and now - latest.at >= tick):
            latest = self._latest = Snapshot(self, now)
        return latest

    # ------------------------------------------------------------------------------------ workers

    def add_worker(self, worker: Worker) -> None:
        """Its row comes into being."""
        self.version += 1
        self.running = {**self.running, worker: None}
        self.running_tokens += worker.token
        self._spread[worker.count] += 1

    def add_workers(self, workers: Iterable[Worker]) -> None:
        """Many rows at once."""
        added = dict.fromkeys(workers)
        self.version += 1
        self.running = {**self.running, **added}
        for worker in added:
            self.running_tokens += worker.token
            self._spread[worker.count] += 1

    def leaves(self, worker: Worker) -> None:
        """Its row says that it leaves."""
        self.version += 1
        self.running = {w: None for w in self.running if w is not worker}
        self.running_tokens -= worker.token
        self._lower(self._spread, worker.count)
        worker.leaving = True

    def dies(self, worker: Worker, now: float, last_renewal: Callable[[float], float]) -> None:
        """It is killed: its leases stand still since their last renewal; its row stays.

        Args:
            last_renewal: Returns the last renewal before now of what was renewed at an instant.
        """
        self.version += 1
        worker.alive = False
        worker.died_at = now
        self._lower(self._spread, worker.count)
        for lease in worker.leases.values():
            if lease.state is State.HELD:
                self.frozen[lease.index] = last_renewal(lease.phase)
                lease.dark_since = now
                self._become(lease, State.FROZEN)

    # ------------------------------------------------------------------------------------- leases

    def add_lease(self, parent: Lease | None = None) -> Lease:
        """Create a row that nobody owns."""
        self.version += 1
        lease = Lease(len(self.leases), parent)
        self.leases.append(lease)
        self.entries.append(None)
        self.unsettled += 1
        self.loose.add(lease.index)
        self._enter(lease)
        return lease

    def hold(self, lease: Lease, worker: Worker, now: float) -> None:
        """A take applies."""
        before = lease.owner
        self._uncount(lease)
        if before is not None:
            before.leases.pop(lease.index, None)
            self.moves += before is not worker
        lease.owner, lease.taker, lease.phase = worker, None, now
        worker.leases[lease.index] = lease
        worker.took_at = now if worker.took_at is None else worker.took_at
        self.frozen.pop(lease.index, None)
        self.changed_at = now
        self._become(lease, State.HELD)
        self._count(worker, 1)

    def ask(self, lease: Lease, taker: Worker) -> None:
        """A request applies."""
        self._uncount(lease)
        lease.taker = taker
        self._become(lease, State.ASKED)
        self._count(taker, 1)

    def keep(self, lease: Lease) -> None:
        """A cancel or a withdrawal applies: its owner keeps it."""
        assert lease.owner is not None
        self._uncount(lease)
        lease.taker = None
        self._become(lease, State.HELD)
        self._count(lease.owner, 1)

    def give(self, lease: Lease, taker: Worker | None) -> None:
        """A transfer or a release applies: offered, or free."""
        self._uncount(lease)
        if lease.owner is not None:
            lease.owner.leases.pop(lease.index, None)
        lease.taker = taker
        self._become(lease, State.FREE if taker is None else State.OFFERED)
        if taker is not None:
            self._count(taker, 1)

    def end(self, lease: Lease) -> None:
        """SHARD_END applies."""
        self._uncount(lease)
        if lease.owner is not None:
            lease.owner.leases.pop(lease.index, None)
        self.ended += 1
        self._become(lease, State.ENDED)

    # ------------------------------------------------------------------------------------- counts

    def _uncount(self, lease: Lease) -> None:
        if lease.state is State.HELD and lease.owner is not None:
            self._count(lease.owner, -1)
        elif lease.state in (State.ASKED, State.OFFERED) and lease.taker is not None:
            self._count(lease.taker, -1)

    def _count(self, worker: Worker, change: int) -> None:
        if worker.runs and worker in self.running:
            self._lower(self._spread, worker.count)
            self._spread[worker.count + change] += 1
        worker.count += change

    @staticmethod
    def _lower(spread: Counter[int], count: int) -> None:
        spread[count] -= 1
        if not spread[count]:
            del spread[count]

    def _become(self, lease: Lease, state: State) -> None:
        self.unsettled += (state not in _SETTLED) - (lease.state not in _SETTLED)
        lease.state = state
        lease.epoch += 1
        self.version += 1
        if state in (State.OFFERED, State.FREE):
            self.loose.add(lease.index)
        else:
            self.loose.discard(lease.index)
        self._enter(lease)

    def _enter(self, lease: Lease) -> None:
        counts_for = lease.owner if lease.state in (State.HELD, State.FROZEN) else lease.taker
        self.entries[lease.index] = (
            None
            if lease.state is State.ENDED
            else PlanLease(
                key=lease.key,
                holder=None if counts_for is None else counts_for.id,
                available=lease.state is State.FREE,
                expired=False,
                movable=lease.state in (State.HELD, State.FROZEN),
            )
        )


def _available(key: str, *, expired: bool) -> PlanLease:
    return PlanLease(key=key, holder=None, available=True, expired=expired, movable=False)


def _sorted_plan(decided: Plan) -> Decision:
    decision = Decision(decided)
    for key, worker in decided.takes.items():
        decision.takes.setdefault(worker, []).append(_index(key))
    for key, (victim, taker) in sorted(decided.moves.items()):
        decision.moves.setdefault(taker, []).append((_index(key), victim))
    return decision


def _index(key: str) -> int:
    return int(key.rpartition("-")[2])
