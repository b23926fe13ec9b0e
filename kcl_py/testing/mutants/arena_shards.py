"""Which directed worlds change shards and rows? Reshardings, a young fleet, hands in the table."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from kcl_py.config import DeliveryConfig, LeaseConfig, PollingConfig, WorkerConfig
from kcl_py.core.leases.writes import RowWrite, WriteKind
from kcl_py.errors import LeaseTableError
from kcl_py.testing.mutants.arena import directed
from kcl_py.testing.mutants.watched import is_balanced, watched_world
from kcl_py.testing.sim.code import Habits
from kcl_py.testing.sim.faults import Fate, Faults
from kcl_py.testing.sim.watch import ViolationError

if TYPE_CHECKING:
    from kcl_py.core.shards.graph import Shard
    from kcl_py.testing.mutants.arena import Stage
    from kcl_py.testing.world import World


@directed("reshardings")
def RESHARDINGS(stage: Stage) -> None:
    """Shards split and merge all the time under slow readers; retention and audits follow."""
    rng = random.Random(f"reshardings {stage.seed}")
    world = watched_world(
        stage,
        workers=rng.randint(2, 3),
        shards=rng.randint(1, 3),
        config=WorkerConfig(reading=PollingConfig(page_records=rng.choice((5, 1000)))),
        habits=Habits(per_call=(0.0, 2.0), per_record=(0.0, 0.1)),
        faults=Faults(stale_shards=0.2, reply_lost=0.02, late=0.02),
    )
    _name_children_badly(world, rng)
    world.put_steadily(8)
    world.run_for(10)
    for _ in range(5):
        _reshard(world, rng)
        world.run_for(rng.uniform(0.7, 6))
        if rng.random() < 0.3:
            rng.choice(world.living()).clock.wall_offset -= 60.0
        if rng.random() < 0.4:
            rng.choice(world.living()).kill()
            world.start_worker()
    world.heal()
    world.check_settles(within=250)
    world.run_for(rng.uniform(0, 200))
    _forget_some(world, rng)
    world.run_for(400)
    world.check_settles(within=60)


def _reshard(world: World, rng: random.Random) -> None:
    shards = world.stream.open_shards()
    if len(shards) > 1 and (len(shards) > 5 or rng.random() < 0.5):
        first = rng.randrange(len(shards) - 1)
        world.stream.merge(shards[first].shard_id, shards[first + 1].shard_id)
    else:
        world.stream.split(rng.choice(shards).shard_id)


def _forget_some(world: World, rng: random.Random) -> None:
    """Retention passes for the oldest of the closed shards, never for a child before a parent."""
    closed = [shard for shard in world.stream.shards() if not shard.is_open]
    for shard in closed[: rng.randint(0, len(closed))]:
        world.stream.forget(shard.shard_id)


def _name_children_badly(world: World, rng: random.Random) -> None:
    """The end of a shard may name some of its children only, as long as faults last."""
    name_all = world.stream.children_of

    def children_of(shard_id: str) -> tuple[Shard, ...]:
        children = name_all(shard_id)
        if world.faults.faults.stale_shards and rng.random() < 0.3:
            return children[: rng.randrange(len(children) + 1)]
        return children

    fetched = world.stream._fetched  # noqa: SLF001 - only what a read names is incomplete

    def fetch(command: object) -> object:
        world.stream.children_of = children_of  # type: ignore[method-assign]
        try:
            return fetched(command)  # type: ignore[arg-type] # as the stream gave it
        finally:
            del world.stream.children_of

    world.stream._fetched = fetch  # type: ignore[assignment,method-assign] # noqa: SLF001


@directed("a slow parent")
def SLOW_PARENT(stage: Stage) -> None:
    """A shard with much to read splits; one of its children, not yet begun, merges at once."""
    rng = random.Random(f"slow parent {stage.seed}")
    world = watched_world(
        stage, workers=rng.randint(1, 3), shards=2, habits=Habits(per_record=(0.1, 0.3))
    )
    world.run_until(lambda: is_balanced(world) or len(world.living()) > 2, within=90)
    left, right = world.stream.open_shards()
    for _ in range(rng.randint(20, 80)):
        world.stream.put(b"much", "key", hash_key=left.hash_range[0])
    world.run_for(rng.uniform(0.0, 2.0))
    world.stream.split(left.shard_id)
    world.run_for(rng.uniform(0.7, 2.0))
    world.stream.merge(world.stream.open_shards()[1].shard_id, right.shard_id)
    world.put_steadily(5)
    world.run_for(rng.uniform(5, 30))
    if rng.random() < 0.3:
        world.living()[0].kill()
        world.start_worker()
    world.heal()
    world.check_settles(within=150)


@directed("a young fleet")
def YOUNG(stage: Stage) -> None:
    """Workers meet an old stream for the first time, most of them from LATEST on."""
    rng = random.Random(f"young {stage.seed}")
    config = WorkerConfig(initial_position=rng.choice(("latest", "latest", "earliest")))
    world = watched_world(stage, workers=0, shards=2, config=config)
    world.has_index = rng.random() < 0.8
    world.put(10)
    for _ in range(rng.randint(0, 2)):
        _reshard(world, rng)
        world.run_for(2)
        world.put(10)
    if rng.random() < 0.5:
        _forget_some(world, rng)
    world.faults.faults = Faults(slow=0.1, slow_max=2.0)
    world.put_steadily(10)
    frozen = world.start_worker()
    for _ in range(rng.randint(1, 4)):
        world.start_worker()
    world.run_for(rng.uniform(0.06, 0.16))
    frozen.pause()
    world.run_until(lambda: _is_all_processed(world), within=50)
    if rng.random() < 0.5:
        world.living()[-1].kill()
        world.start_worker()
    _reshard(world, rng)
    world.run_for(40)
    if rng.random() < 0.7:
        _forget_some(world, rng)
        world.run_for(400)
    frozen.resume()
    world.run_for(20)
    world.heal()
    world.check_settles(within=150)


def _is_all_processed(world: World) -> bool:
    owners = {key: world.owner(key) for key in world.open_keys()}
    return bool(owners) and all(owner and owner.open_runs(key) for key, owner in owners.items())


@directed("rows edited by hand")
def EDITED(stage: Stage) -> None:
    """Somebody deletes a row under an owner who does not hear of it; the audit mends it."""
    rng = random.Random(f"edited {stage.seed}")
    config = WorkerConfig(leases=LeaseConfig(duration=30.0, scan_interval=2.0))
    world = watched_world(stage, workers=2, shards=2, config=config)
    world.put_steadily(3)
    world.run_until(lambda: is_balanced(world), within=120)
    world.run_for(rng.uniform(95, 115) - world.now)
    key = rng.choice(world.open_keys())
    owner = world.owner(key)
    if rng.random() < 0.5:
        for worker in world.living():
            worker.clock.wall_offset -= 300.0
    world.forget()
    delete = RowWrite(kind=WriteKind.DELETE, key=key, tests=(), deletes=True)
    world.table.apply("", delete, world.now)
    if owner is not None and rng.random() < 0.8:
        world.cut(owner, Fate.LOST)
    world.run_for(60)
    for worker in world.living():
        world.mend(worker)
    world.run_until(lambda: _is_all_processed(world) and len(world.open_keys()) == 2, within=900)


@directed("a table restored")
def RESTORED(stage: Stage) -> None:
    """The table goes back to a copy, with its own id or another; nobody may go on with it."""
    rng = random.Random(f"restored {stage.seed}")
    world = watched_world(stage, workers=2, shards=rng.randint(2, 4))
    world.put_steadily(5)
    world.run_until(lambda: is_balanced(world), within=90)
    old, fleet = world.table.store.save(), world.living()
    world.run_for(rng.uniform(20, 60))
    if rng.random() < 0.5:
        for worker in fleet:
            worker.stop()
        world.run_until(lambda: not world.living(), within=60)
        world.table.store.restore(old, table_id="restored")
        fleet = [world.start_worker()]
    elif rng.random() < 0.5:
        world.table.store.drop()
        world.table.store.create()
    else:
        world.table.store.restore(old)
    world.forget()
    world.heap.run_until(world.now + 120, stop=lambda: not world.living())
    if not any(isinstance(worker.error, LeaseTableError) for worker in fleet):
        raise ViolationError("I3", "the table was replaced, and everybody goes on with it")


@directed("little memory")
def MEMORY(stage: Stage) -> None:
    """Many shards share a small budget of bytes, and their readers are slow."""
    rng = random.Random(f"memory {stage.seed}")
    config = WorkerConfig(delivery=DeliveryConfig(buffer_bytes=rng.choice((11, 25, 40)) << 20))
    world = watched_world(
        stage, workers=1, shards=rng.randint(3, 6), config=config, habits=Habits(per_call=(0, 2))
    )
    world.put_steadily(20)
    world.run_for(40)
    world.heal()
    world.check_settles(within=100)
