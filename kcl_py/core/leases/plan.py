"""Who should own which lease? One pure decision that all workers reach from the same rows.

It is a preference, never a permission: conditional writes decide (PROTOCOL section 6). In short:

1. What nobody has, and what workers that may hold leases have, counts; the rest is left alone.
2. Everybody's target is `q` or `q + 1`, within maxima; the extras go to the most loaded.
3. Available leases go to workers below target, matched by score: the highest pair first. Of two
   views that differ a little only the pairs around the difference come out differently.
4. Workers above target shed what scores lowest on themselves, matched the same way. Without maxima
   this happens only where the difference is at least 2, so that nothing ever moves to and fro.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from hashlib import blake2b
from heapq import heapify, heappop, heappush, nsmallest
from struct import Struct

PLAN_VERSION = 1
"""Written into worker rows; the lowest live version wins. There is one so far."""

_HALVES_CACHED = 65_536
_LOW_64 = 2**64 - 1
_SLOT_BYTES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanLease:
    """One unfinished lease as the plan sees it.

    Attributes:
        holder: For whom it counts: the taker in a handoff, the addressee of an offer, else the
            actual owner; None if it counts for nobody.
        available: Ownerless, offered, expired, or of a worker whose row was seen leaving and is now
            deleted.
        expired: Its counter stood still: it counts for nobody, whoever holds it.
        movable: It may be requested from its live owner: not in a handoff, not offered.
    """

    key: str
    holder: str | None
    available: bool
    expired: bool
    movable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanWorker:
    """One worker as the plan sees it.

    Attributes:
        lease_max: Most leases that it will hold; None for no limit.
        is_taker: May be given leases. False for the leaving, unknown and dead, and for the owner
            of an expired lease (except oneself in one's own plan).
        is_live: Live and running, whatever has become of its leases; where there is no taker, all
            of these are takers.
    """

    worker_id: str
    lease_max: int | None
    is_taker: bool
    is_live: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What should change.

    Attributes:
        takes: Available lease to the worker that should take it; an offered one to its addressee.
        moves: Live lease to (its owner, who should ask for it).
        targets: How many leases each taker should end with.
        floors: How many it may refuse to go below, per taker: `q`, or its maximum if that is less.
    """

    takes: Mapping[str, str] = field(default_factory=dict)
    moves: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    targets: Mapping[str, int] = field(default_factory=dict)
    floors: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Nothing should change."""
        return not self.takes and not self.moves


def score(lease_key: str, worker_id: str) -> int:
    """Return how well the two suit each other: 64 bits, the same in every process and version."""
    return _pair(_half(lease_key), _half(worker_id))


@lru_cache(maxsize=_HALVES_CACHED)
def _half(text: str) -> int:
    """Return an odd stable hash of 64 bits."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big") | 1


def _pair(lease_half: int, worker_half: int) -> int:
    """Mix two hashes: the middle half of their product hangs on every bit of both."""
    return ((lease_half * worker_half) >> 32) & _LOW_64


def rank(lease_key: str, worker_id: str, takers: Iterable[str]) -> int:
    """Return how many of the takers suit the lease better than this worker; 0 for the best."""
    mine = (score(lease_key, worker_id), worker_id)
    return sum((score(lease_key, taker), taker) > mine for taker in takers if taker != worker_id)


def floor_of(plan: Plan, worker_id: str) -> int:
    """Return the number of leases below which an owner cancels requests; 0 if it is no taker."""
    return plan.floors.get(worker_id, 0)


def plan(leases: Sequence[PlanLease], workers: Sequence[PlanWorker]) -> Plan:
    """Return what should change so that everything is held and the counts differ by at most one.

    With nothing available and counts that differ by at most one the plan is empty, unless somebody
    holds more than its maximum. The order of the arguments does not matter.

    Cost: O(leases + workers · log workers), and a score for each pair of a lease that must be
    placed and a worker that has room.
    """
    limits = _limits(workers, len(leases))
    if not limits:
        return Plan()
    held, free = _divide(leases, limits)
    counts = {worker: len(mine) for worker, mine in held.items()}
    targets, floors = _quotas(counts, limits, len(free) + sum(counts.values()))
    room = {worker: targets[worker] - counts[worker] for worker in counts}
    takes = {
        lease.key: worker for worker, mine in held.items() for lease in mine if lease.available
    }
    takes.update(_match(free, room))
    victims = _shed(held, targets) if any(space > 0 for space in room.values()) else {}
    moves = {key: (victims[key], taker) for key, taker in _match(victims, room).items()}
    return Plan(takes=takes, moves=moves, targets=targets, floors=floors)


def successors(
    mine: Collection[str], leases: Sequence[PlanLease], workers: Sequence[PlanWorker], leaving: str
) -> Mapping[str, str]:
    """Return who should get each lease of a worker that leaves; what is missing goes to nobody.

    Args:
        mine: Keys of the leases to give away; those that count for somebody else (a pending
            handoff) are not in the answer.
        leases: All unfinished leases, as for `plan`.
        workers: All workers, as for `plan`.
        leaving: The worker that leaves.
    """
    keys = frozenset(mine)
    without_me = [
        replace(lease, holder=None, available=True, expired=False, movable=False)
        if lease.key in keys and lease.holder in (leaving, None)
        else lease
        for lease in leases
    ]
    others = [worker for worker in workers if worker.worker_id != leaving]
    takes = plan(without_me, others).takes
    return {key: takes[key] for key in sorted(keys) if key in takes}


def _limits(workers: Sequence[PlanWorker], most: int) -> dict[str, int]:
    """Return the most leases that each taker may have, `most` standing for no limit."""
    takers = [worker for worker in workers if worker.is_taker]
    takers = takers or [worker for worker in workers if worker.is_live]
    return {
        worker.worker_id: most if worker.lease_max is None else max(0, min(worker.lease_max, most))
        for worker in sorted(takers, key=lambda taker: taker.worker_id)
    }


def _divide(
    leases: Sequence[PlanLease], limits: Mapping[str, int]
) -> tuple[dict[str, list[PlanLease]], list[str]]:
    """Return what counts for each taker, and the keys that are to be placed."""
    held: dict[str, list[PlanLease]] = {worker: [] for worker in limits}
    free: list[str] = []
    for lease in leases:
        if lease.holder in held and not lease.expired:
            held[lease.holder].append(lease)
        elif lease.available:
            free.append(lease.key)
    for worker, limit in limits.items():
        free += _offered_in_vain(held, worker, limit)
    return held, free


def _offered_in_vain(held: dict[str, list[PlanLease]], worker: str, limit: int) -> list[str]:
    """Take back from an addressee the offers that it will not accept because it is full."""
    excess = len(held[worker]) - limit
    if excess <= 0:
        return []
    offered = [lease.key for lease in held[worker] if lease.available]
    vain = frozenset(_lowest(excess, offered, worker))
    held[worker] = [lease for lease in held[worker] if lease.key not in vain]
    return sorted(vain)


def _quotas(
    counts: Mapping[str, int], limits: Mapping[str, int], total: int
) -> tuple[dict[str, int], dict[str, int]]:
    """Return target and floor of every taker."""
    level = _level(limits.values(), total)
    floors = {worker: min(limit, level) for worker, limit in limits.items()}
    extras = total - sum(floors.values())
    most_loaded = sorted(
        (worker for worker, limit in limits.items() if limit > level),
        key=lambda worker: (-counts[worker], _half(worker), worker),
    )
    targets = dict(floors)
    for worker in most_loaded[:extras]:
        targets[worker] += 1
    return targets, floors


def _level(limits: Iterable[int], total: int) -> int:
    """Return the highest `q` for which everybody can have `q`, or its limit, out of `total`."""
    ascending = sorted(limits)
    for full, limit in enumerate(ascending):
        others = len(ascending) - full
        if limit * others > total:
            return total // others
        total -= limit
    return ascending[-1]


def _shed(held: Mapping[str, list[PlanLease]], targets: Mapping[str, int]) -> dict[str, str]:
    """Return the leases that workers above target should part with, each with its owner."""
    victims: dict[str, str] = {}
    for worker, mine in held.items():
        surplus = len(mine) - targets[worker]
        if surplus > 0:
            movable = [lease.key for lease in mine if lease.movable]
            victims.update(dict.fromkeys(_lowest(surplus, movable, worker), worker))
    return victims


def _lowest(count: int, keys: Iterable[str], worker: str) -> list[str]:
    """Return the keys that score lowest on this worker."""
    return nsmallest(count, keys, key=lambda key: (score(key, worker), key))


def _match(keys: Iterable[str], room: dict[str, int]) -> dict[str, str]:
    """Match leases to workers with room, the pair of the highest score first; uses the room up.

    Each lease stands in the heap with the best worker that it could have when it was last looked
    at, so that the top is the best pair of all if its worker still has room.
    """
    matched: dict[str, str] = {}
    takers = _Takers([worker for worker, space in room.items() if space > 0])
    if not takers:
        return matched
    heap = [takers.best(key) for key in keys]
    heapify(heap)
    while heap and takers:
        _, key, worker = heappop(heap)
        if worker not in takers:
            heappush(heap, takers.best(key))
            continue
        matched[key] = worker
        room[worker] -= 1
        if room[worker] == 0:
            takers.remove(worker)
    return matched


class _Takers:
    """Workers with room, packed into one number: a multiplication scores a lease on all of them.

    Each worker's half stands in a slot of twice its length, which is what a product needs.
    """

    def __init__(self, workers: Iterable[str]) -> None:
        self._pack(sorted(workers))

    def _pack(self, workers: list[str]) -> None:
        self._slots = workers
        self._places = {worker: place for place, worker in enumerate(workers)}
        halves = b"".join(_half(worker).to_bytes(_SLOT_BYTES, "little") for worker in workers)
        self._packed = int.from_bytes(halves, "little")
        self._middles = Struct("<4x" + "Q8x" * len(workers))

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, worker: str) -> bool:
        return worker in self._places

    def remove(self, worker: str) -> None:
        """It has no room any more."""
        place = self._places.pop(worker)
        if 2 * len(self._places) <= len(self._slots):
            self._pack(list(self._places))
        else:
            self._packed -= _half(worker) << (8 * _SLOT_BYTES * place)

    def best(self, key: str) -> tuple[int, str, str]:
        """Return the heap's entry of a lease: its best score, negative, and the worker of it."""
        products = (self._packed * _half(key)).to_bytes(self._middles.size, "little")
        scores = self._middles.unpack(products)
        best = max(scores)
        place = scores.index(best)
        if best == 0 or best in scores[place + 1 :]:
            # A tie, or a slot that was emptied: as rare as it is slow.
            best, worker = max((score(key, worker), worker) for worker in self._places)
            return -best, key, worker
        return -best, key, self._slots[place]
