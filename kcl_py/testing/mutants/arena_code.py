"""Which directed worlds have bad user code? Calls that hang, and calls that raise."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

from kcl_py.config import Backoff, DeliveryConfig, LeaseConfig, OnError, PollingConfig, WorkerConfig
from kcl_py.core.leases.rows import Pending
from kcl_py.core.leases.writes import RowWrite, WriteKind
from kcl_py.testing.checks.moves import MoveChecker
from kcl_py.testing.mutants.arena import directed
from kcl_py.testing.mutants.watched import begin, watched_world
from kcl_py.testing.seeds.swarm import GivingUp
from kcl_py.testing.sim.code import Habits, Poison
from kcl_py.testing.sim.faults import Faults

if TYPE_CHECKING:
    from kcl_py.testing.mutants.arena import Stage
    from kcl_py.testing.sim.worker import SimWorker
    from kcl_py.testing.world import World


@directed("hung code")
def HUNG(stage: Stage) -> None:
    """Calls of one worker never come back: its shards go to others, its handoffs are refused."""
    rng = random.Random(f"hung {stage.seed}")
    config = WorkerConfig(
        leases=LeaseConfig(handoff_timeout=5.0),
        delivery=DeliveryConfig(hung_after=rng.choice((12.0, 40.0))),
    )
    world = watched_world(stage, workers=rng.randint(2, 3), shards=4, config=config)
    MoveChecker(world, stage.muted)
    begin(world, rng)
    hung = {
        key: run for worker in world.living()[:1] for key, run in _hang(world, worker.worker_id)
    }
    if rng.random() < 0.5:
        world.start_worker()
    bound = (config.delivery.hung_after or 0.0) + 2 * config.leases.duration + 8.0
    world.run_until(lambda: all(_is_elsewhere(world, k, w) for k, w in hung.items()), within=bound)
    world.run_for(rng.uniform(0, 30))
    first = world.workers["w1"]
    first.stop()
    world.run_for(30)
    world.heal()
    world.check_settles(within=150)


def _hang(world: World, worker_id: str) -> list[tuple[str, str]]:
    """Let every call of this worker that begins within four seconds hang for long."""
    held = world.held(world.workers[worker_id])
    world.habits = Habits(hang=1.0, hang_seconds=300.0)
    others = [worker for worker in world.living() if worker.worker_id != worker_id]
    for other in others:
        other.pause()
    world.run_for(2.5)
    world.habits = Habits()
    for other in others:
        other.resume()
    return [(key, worker_id) for key in held]


def _is_elsewhere(world: World, key: str, hung: str) -> bool:
    owner = world.owner(key)
    return owner is not None and owner.worker_id != hung and bool(owner.open_runs(key))


@directed("failing code")
def FAILING(stage: Stage) -> None:
    """One or two workers, small pages and batches, user code that raises and prepares."""
    rng = random.Random(f"failing {stage.seed}")
    habits = (
        Habits(error=0.1, names_record=0.7),
        Habits(error=0.05, per_record=(0.0, 0.2)),
        Habits(checkpointing="explicit", error=0.05),
        Habits(checkpointing="explicit", prepares=0.7, checkpoint_every=3, idle_after=2.0),
    )
    config = WorkerConfig(
        delivery=DeliveryConfig(batch_records=rng.choice((3, 10))),
        reading=PollingConfig(page_records=5),
        on_error=OnError(backoff=Backoff(first=0.1, longest=1.0)),
    )
    world = watched_world(
        stage, workers=rng.randint(1, 2), shards=2, config=config, habits=rng.choice(habits)
    )
    world.faults.faults = Faults(expired=0.05, short_page=0.3)
    world.put(40)
    world.put_steadily(15)
    world.run_for(30)
    _die_after_a_prepare(world, world.living()[0])
    world.start_worker()
    world.run_for(20)
    world.heal()
    world.check_settles(within=100)


@directed("poison")
def POISON(stage: Stage) -> None:
    """Records that nothing helps, a sink that often fails, and workers that die beside it."""
    rng = random.Random(f"poison {stage.seed}")
    giving_up = GivingUp(
        poison=Poison(share=0.1, names=rng.choice((0.0, 0.5)), sink=(0.0, 0.5), sink_error=0.5),
        then="dead_letter",
        attempts=rng.choice((1, 3)),
        longest=0.5,
    )
    habits = (
        Habits(),
        Habits(checkpoint_every=3),
        Habits(checkpointing="explicit", checkpoint_every=4),
    )
    config = WorkerConfig(
        delivery=DeliveryConfig(batch_records=rng.choice((5, 50)), checkpoint_interval=0.2),
        reading=PollingConfig(page_records=50),
    )
    world = watched_world(
        stage,
        workers=2,
        shards=2,
        config=giving_up.applied_to(config),
        habits=rng.choice(habits),
    )
    if world.habits.checkpointing == "explicit":
        giving_up = replace(giving_up, poison=replace(giving_up.poison, names=1.0))
    world.poison = giving_up.poison
    world.put(60)
    world.put_steadily(5)
    world.run_for(rng.uniform(10, 25))
    world.living()[0].kill()
    world.start_worker()
    world.run_for(25)
    world.heal(wakes=True)
    world.check_settles(within=100)


def _die_after_a_prepare(world: World, worker: SimWorker) -> None:
    """A worker has prepared a checkpoint of all that there is, and dies before it commits."""
    for key in world.held(worker):
        if world.habits.checkpointing == "explicit" and len(world.stream.logs[key]):
            pending = Pending(position=world.stream.logs[key].records[-1].position, state=b"half")
            write = RowWrite(kind=WriteKind.RENEW, key=key, tests=(), sets={"pending": pending})
            world.table.apply("", write, world.now)
    worker.kill()
