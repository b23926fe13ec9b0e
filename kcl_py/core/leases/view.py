"""What does the table look like to the plan, from where this worker stands?

Sights into plan leases and workers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from kcl_py.core.leases.plan import PlanLease, PlanWorker
from kcl_py.core.leases.rows import WorkerState

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from kcl_py.core.leases.sights import LeaseSight, Sights

OFFER_GRACE = 2.0
"""Seconds after first sight in which an offer is its addressee's alone.

Source: PROTOCOL section 3.
"""

_LEASES_KEPT = 65_536
_WORKERS_KEPT = 4_096


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """The input of one plan."""

    leases: tuple[PlanLease, ...]
    workers: tuple[PlanWorker, ...]

    @property
    def running(self) -> tuple[str, ...]:
        """Ids of all workers that run, me included."""
        return tuple(w.worker_id for w in self.workers if w.is_live)


def build_view(
    sights: Sights,
    now: float,
    *,
    me: str,
    lease_max: int | None,
    mine: Mapping[str, str | None],
    resting: Collection[str] = (),
) -> View:
    """Return what the plan gets to see.

    Args:
        lease_max: This worker's maximum, as its row says.
        mine: What this worker knows better than the rows: leases that it holds, takes or gives
            away,
            each with the worker for whom it counts.
        resting: Leases not to be asked for now, because a request for them was refused or has just
            moved them; the plan then moves others.
    """
    suspects: set[str] = set()
    running = frozenset(worker for worker in sights.workers if sights.is_running(worker, now))
    leases = []
    for key in sorted(sights.leases):
        sight = sights.leases[key]
        if sight.row.is_finished:
            continue
        lease = _lease(sights, now, sight, me=me, mine=mine, running=running)
        if key in resting:
            lease = replace(lease, movable=False)
        owner = sight.row.actual_owner
        if lease.expired and owner is not None and owner != me:
            suspects.add(owner)
        leases.append(lease)
    workers = _workers(sights, running, suspects, me=me, lease_max=lease_max)
    return View(leases=tuple(leases), workers=workers)


def _lease(
    sights: Sights,
    now: float,
    sight: LeaseSight,
    *,
    me: str,
    mine: Mapping[str, str | None],
    running: frozenset[str],
) -> PlanLease:
    row = sight.row
    if row.key in mine:
        holder = mine[row.key]
        return _counted(row.key, holder, movable=holder == me and not row.in_handoff)
    if row.is_offered:
        return _offered(now, sight, running)
    if row.is_ownerless:
        return _available(row.key, expired=False)
    actual = row.actual_owner
    assert actual is not None
    expired = actual != me and sights.is_expired(row.key, now)
    if expired or sights.has_left(actual):
        return _available(row.key, expired=expired)
    holder = row.owner if row.in_handoff else actual
    movable = not row.in_handoff and row.offer is None and actual in running
    return _counted(row.key, holder, movable=movable)


def _offered(now: float, sight: LeaseSight, running: frozenset[str]) -> PlanLease:
    """An offer counts for its addressee while it is fresh and the addressee runs."""
    row = sight.row
    stands = row.owner is not None and now < sight.since + OFFER_GRACE
    if stands and row.owner in running:
        return _counted(row.key, row.owner, movable=False)
    return _available(row.key, expired=False)


# To the plan most leases and workers look as they did before: the same object each time.


@lru_cache(maxsize=_LEASES_KEPT)
def _counted(key: str, holder: str | None, *, movable: bool) -> PlanLease:
    return PlanLease(key=key, holder=holder, available=False, expired=False, movable=movable)


@lru_cache(maxsize=_LEASES_KEPT)
def _available(key: str, *, expired: bool) -> PlanLease:
    return PlanLease(key=key, holder=None, available=True, expired=expired, movable=False)


@lru_cache(maxsize=_WORKERS_KEPT)
def _worker(worker_id: str, lease_max: int | None, *, is_taker: bool, is_live: bool) -> PlanWorker:
    return PlanWorker(worker_id=worker_id, lease_max=lease_max, is_taker=is_taker, is_live=is_live)


def _workers(
    sights: Sights,
    running: frozenset[str],
    suspects: set[str],
    *,
    me: str,
    lease_max: int | None,
) -> tuple[PlanWorker, ...]:
    workers = [_worker(me, lease_max, is_taker=True, is_live=True)]
    for worker in sorted(sights.workers):
        sight = sights.workers[worker]
        if worker == me or not sight.present:
            continue
        runs = worker in running
        workers.append(
            _worker(
                worker,
                sight.row.lease_max,
                is_taker=runs and worker not in suspects,
                is_live=runs,
            )
        )
    return tuple(workers)


def members_seen(sights: Sights, now: float, me: str) -> int:
    """Return how many workers seem to be there, unknown ones and this one included."""
    others = (
        worker
        for worker, sight in sights.workers.items()
        if worker != me
        and sight.present
        and sight.row.state is WorkerState.RUNNING
        and sights.liveness(worker, now) != "dead"
    )
    return 1 + sum(1 for _ in others)
