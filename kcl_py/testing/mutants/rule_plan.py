"""Which planted bugs break the rules of the plan? Who takes what, and when nothing moves."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kcl_py.core.leases import balance, plan
from kcl_py.core.leases.keeper import Keeper
from kcl_py.core.leases.plan import Plan
from kcl_py.core.leases.sights import Sights
from kcl_py.core.leases.taking import Taking
from kcl_py.testing.mutants.arena_fleets import FROZEN
from kcl_py.testing.mutants.arena_moves import MODEST, MOVES
from kcl_py.testing.mutants.mutant import Room

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kcl_py.core.leases.plan import PlanLease, PlanWorker
    from kcl_py.testing.mutants.mutant import Patches

ROOM = Room("6 Plan")


@ROOM.plant("plan not sticky", "leases stay where they are", "I6", "I7", within=20, arena=MOVES)
def not_sticky(patches: Patches) -> None:
    """Every change of the fleet deals all leases anew, by hash."""
    whole = plan.plan

    def deal(leases: Sequence[PlanLease], workers: Sequence[PlanWorker]) -> Plan:
        free = [replace(lease, holder=None, available=True) for lease in leases]
        dealt, sticky = whole(free, workers).takes, whole(leases, workers)
        moves = {
            lease.key: (lease.holder, dealt[lease.key])
            for lease in leases
            if lease.movable and lease.holder and dealt.get(lease.key, lease.holder) != lease.holder
        }
        return replace(sticky, moves=moves)

    patches.put(balance, "plan", deal)


@ROOM.plant(
    "plan ignores idle workers", "every live worker counts", "I6", "I7", within=20, arena=MOVES
)
def ignores_the_idle(patches: Patches) -> None:
    """A newcomer holds nothing, so it does not count, so it never gets anything."""
    whole = plan.plan

    def busy_only(leases: Sequence[PlanLease], workers: Sequence[PlanWorker]) -> Plan:
        holders = {lease.holder for lease in leases}
        return whole(leases, [w for w in workers if w.worker_id in holders] or workers)

    patches.put(balance, "plan", busy_only)


@ROOM.plant(
    "the extras go to the least loaded",
    "extras to the most loaded",
    "I6",
    "I7",
    within=20,
    arena=MOVES,
)
def extras_to_the_least(patches: Patches) -> None:
    """Of five leases two workers have three and two, then two and three, and so on for ever."""
    quotas = plan._quotas

    def turned(counts: Mapping[str, int], limits: Any, total: int) -> Any:
        return quotas({worker: -count for worker, count in counts.items()}, limits, total)

    patches.put(plan, "_quotas", turned)


@ROOM.plant(
    "leases of the leaving are moved",
    "the leaving are left alone",
    "I6",
    "I7",
    "I10",
    within=40,
    arena=MOVES,
)
def leaving_are_asked(patches: Patches) -> None:
    """A worker that drains is asked for what it is about to give away."""
    running = Sights.is_running

    def any_state(self: Sights, worker: str, now: float) -> bool:
        return running(self, worker, now) or self.is_leaving(worker)

    patches.put(Sights, "is_running", any_state)


@ROOM.plant("only the designee may take", "others after their rank", "I6", within=20, arena=FROZEN)
def only_the_designee(patches: Patches) -> None:
    """The worker that the plan names cannot take: its own call on that shard still hangs."""
    due_at = Taking._due_at

    def planned_only(self: Taking, key: str, planned: str | None, takers: Any) -> float | None:
        row = self._desk.sights.leases[key].row
        if planned != self._desk.me and not self._is_mine(row):
            return None
        return due_at(self, key, planned, takers)

    patches.put(Taking, "_due_at", planned_only)


@ROOM.plant("the maximum is not looked at", "within maxima", "I7", within=20, arena=MODEST)
def no_maximum(patches: Patches) -> None:
    """A worker takes more than it said it can carry."""
    made = Keeper.may_take

    def more(self: Keeper, now: float, key: str) -> bool:
        config = self._desk.config
        self._desk.config = replace(config, leases=replace(config.leases, max_leases=None))
        try:
            return made(self, now, key)
        finally:
            self._desk.config = config

    def unbounded(workers: Sequence[PlanWorker], most: int) -> dict[str, int]:
        return limits([replace(w, lease_max=None) for w in workers], most)

    limits = plan._limits
    patches.put(Keeper, "may_take", more)
    patches.put(plan, "_limits", unbounded)
