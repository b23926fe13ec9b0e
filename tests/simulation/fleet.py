"""Small worlds for scripted scenarios."""

from __future__ import annotations

from kcl_py.core.leases.writes import WriteKind
from kcl_py.testing.sim.table import Change
from kcl_py.testing.sim.worker import SimWorker
from kcl_py.testing.world import World


def running_world(
    *, workers: int = 2, shards: int = 4, rate: float = 10.0, **more: object
) -> World:
    """A fleet at work: every shard held, the leases balanced, records flowing for a while."""
    world = World(workers=workers, shards=shards, **more)  # type: ignore[arg-type] # a test's options
    world.put_steadily(rate)
    world.run_until(lambda: is_balanced(world, shards), within=90)
    world.run_for(10)
    return world


def is_balanced(world: World, shards: int) -> bool:
    counts = [len(world.held(worker)) for worker in world.living() if not worker.stopping]
    return sum(counts) == shards and max(counts) - min(counts) <= 1


def all_processing(world: World, keys: list[str], *, not_by: SimWorker | None = None) -> bool:
    """Every key has an owner with a processor that was called in its present epoch."""
    for key in keys:
        owner = world.owner(key)
        if owner is None or owner is not_by or not owner.open_runs(key):
            return False
    return True


def when_applied(world: World, kind: WriteKind, then: object) -> list[Change]:
    """Call `then(change)` at the first write of this kind; the list holds it afterwards."""
    seen: list[Change] = []

    def look(change: Change) -> None:
        if change.write.kind is kind and not seen:
            seen.append(change)
            world.after(0.0, lambda: then(change))  # type: ignore[operator] # a test's callable

    world.table.on_change.append(look)
    return seen


def count_applied(world: World, *kinds: WriteKind) -> list[Change]:
    """Collect the writes of these kinds from now on."""
    seen: list[Change] = []
    world.table.on_change.append(
        lambda change: seen.append(change) if change.write.kind in kinds else None
    )
    return seen


def finish_cleanly(world: World, *, within: float = 150.0) -> None:
    """Everything heals, is processed to its end, and the leases are balanced and stay."""
    world.heal()
    world.check_settles(within=within)
