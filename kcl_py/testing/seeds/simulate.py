"""Does the world of this seed keep all promises? One whole run: a plague, and then healing."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from kcl_py.errors import LeaseTableError
from kcl_py.testing.seeds.nemesis import Nemesis
from kcl_py.testing.seeds.plans import Plan, draw_plan
from kcl_py.testing.sim.cores import production_core
from kcl_py.testing.sim.row_store import RowStore
from kcl_py.testing.sim.watch import ViolationError
from kcl_py.testing.sim.wire_store import WireStore
from kcl_py.testing.world import World

if TYPE_CHECKING:
    from collections.abc import Collection

    from kcl_py.testing.sim.cores import CoreMaker

SETTLE_SECONDS: Final = 150.0
"""How long after the last fault everything may take: a hung call, a time-out, an expiry, a move."""

START_SECONDS: Final = 5.0
"""How long a worker that has just been started may need to know its table."""

NOTICE_SECONDS: Final = 120.0
"""How long a fleet may take to notice that its table is another one."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one plan went.

    Attributes:
        failure: What was violated, or the exception that escaped; None: all is well.
    """

    plan: Plan
    world: World
    failure: BaseException | None

    @property
    def seed(self) -> int:
        """Return the seed of the plan."""
        return self.plan.seed

    @property
    def events(self) -> int:
        """Return how many things happened."""
        return self.world.heap.count

    @property
    def verdict(self) -> str | None:
        """Return the invariant that was violated, or the kind of exception; None: all is well."""
        if self.failure is None:
            return None
        if isinstance(self.failure, ViolationError):
            return self.failure.invariant
        return type(self.failure).__name__

    @property
    def replay(self) -> str:
        """The command that does it again."""
        return f"python -m kcl_py.testing simulate --replay {self.seed}"

    def digest(self) -> str:
        """Return a hash of everything that happened, the same wherever the seed is run."""
        return hashlib.sha256(self.world.trace.text().encode()).hexdigest()

    def story(self, *, last: int = 40) -> str:
        """Return what went wrong, how to see it again, and the end of the trace."""
        why = f"{type(self.failure).__name__}: {self.failure}"
        return f"seed {self.seed}: {why}\nreplay: {self.replay}\n{self.world.trace.text(last=last)}"


def simulate(
    seed: int, *, make_core: CoreMaker = production_core, muted: Collection[str] = ()
) -> Outcome:
    """Run the world of a seed to its end; whatever goes wrong is in the outcome."""
    return simulate_plan(draw_plan(seed), make_core=make_core, muted=muted)


def simulate_plan(
    plan: Plan, *, make_core: CoreMaker = production_core, muted: Collection[str] = ()
) -> Outcome:
    """Run a plan to its end; whatever goes wrong is in the outcome."""
    world = World(
        plan.seed,
        workers=0,
        shards=plan.scale.shards,
        config=plan.config,
        habits=plan.habits,
        faults=plan.faults,
        make_core=make_core,
        make_store=WireStore if plan.on_wire else RowStore,
        muted=muted,
    )
    world.has_index = plan.has_index
    world.stream.record_bytes = plan.record_bytes
    world.stream.user_records_max = plan.user_records_max
    world.trace.add("world", "plan", "", replace(plan, deeds=(), on_wire=False))
    if plan.giving_up is not None:
        world.poison = plan.giving_up.poison
        world.trace.add("world", "poison", "", plan.giving_up)
    failure: BaseException | None = None
    try:
        for _ in range(plan.scale.workers):
            world.start_worker()
        _live_through(world, plan)
    except Exception as error:  # noqa: BLE001 - a bug of the core is a finding like any other
        failure = error
    return Outcome(plan, world, failure)


def _live_through(world: World, plan: Plan) -> None:
    world.put_steadily(plan.scale.records_per_second)
    nemesis = Nemesis(world, late=plan.late_config, until=plan.scale.plague)
    nemesis.begin(plan.deeds)
    backup = None
    if plan.ending == "restore":
        world.run_for(plan.scale.plague / 2)
        backup = world.table.store.save()
    world.run_for(plan.scale.plague - world.now)
    nemesis.end()
    world.heal(wakes=True)
    if plan.ending == "heal":
        world.check_settles(within=SETTLE_SECONDS)
        return
    world.run_for(START_SECONDS)
    if backup is not None:
        world.table.store.restore(backup)
        _see_who_notices(world)
        return
    world.table.store.drop()
    if plan.ending == "recreate":
        # This breaks A2: who has not noticed yet makes and takes rows that others own in the old
        # table. Nothing holds, but everybody stops.
        world.mute_all()
        world.table.store.create()
    _see_that_all_stop(world)


def _see_that_all_stop(world: World) -> None:
    """A table that is gone stops everybody, soon, and with the reason."""
    fleet = world.living()
    # On another table every shard begins anew, the finished ones too.
    world.forget()
    world.run_until(lambda: not world.living(), within=NOTICE_SECONDS)
    for worker in fleet:
        if not (isinstance(worker.error, LeaseTableError) or worker.stopping):
            raise ViolationError(
                "I6", f"{worker.worker_id} ends with {worker.error!r} when its table is gone"
            )


def _see_who_notices(world: World) -> None:
    """A table that went back in time breaks A2: nothing holds, but whoever can see it stops."""
    world.mute_all()
    world.run_for(NOTICE_SECONDS)
    store = world.table.store
    for worker in world.living():
        for key, epoch in worker.core.held().items():
            row = store.look(key)
            if row is None or getattr(row, "counter", 0) < epoch.token:
                raise ViolationError(
                    "I6", f"{worker.worker_id} goes on with {key}, whose row went back: {row}"
                )
