"""Which directed worlds make a fleet suffer? Late writes, freezes, cut scans, lost answers."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from kcl_py.config import LeaseConfig, WorkerConfig
from kcl_py.core.events import WallRead
from kcl_py.core.leases.writes import WriteKind
from kcl_py.testing.checks.moves import MoveChecker
from kcl_py.testing.mutants.arena import directed
from kcl_py.testing.mutants.watched import HABITS, begin, watched_world
from kcl_py.testing.sim.code import Habits
from kcl_py.testing.sim.faults import Fate, Faults

if TYPE_CHECKING:
    from kcl_py.testing.mutants.arena import Stage
    from kcl_py.testing.sim.table import Change
    from kcl_py.testing.world import World


@directed("late writes")
def LATE(stage: Stage) -> None:
    """Two or three workers give few leases to and fro while answers are lost and writes late."""
    rng = random.Random(f"late {stage.seed}")
    config = WorkerConfig(leases=LeaseConfig(duration=rng.choice((3.0, 5.0)), handoff_timeout=5.0))
    faults = Faults(
        late=0.08, late_max=rng.choice((4.0, 10.0)), reply_lost=0.08, stale=0.2, scan_cut=0.2
    )
    world = watched_world(
        stage,
        workers=2,
        shards=rng.randint(1, 3),
        config=config,
        habits=rng.choice(HABITS),
        faults=faults,
    )
    _restore_machines(world, rng)
    world.put_steadily(6)
    world.run_for(12)
    for _ in range(6):
        if len(world.living()) < 3:
            world.start_worker()
            world.run_for(rng.uniform(3, 10))
        victim = rng.choice(world.living())
        match rng.choice(("stop", "stop", "pause", "cut")):
            case "stop":
                victim.stop()
            case "pause":
                victim.pause()
                world.after(rng.uniform(1, 10), victim.resume)
            case _:
                world.cut(victim, rng.choice((Fate.LOST, Fate.REPLY_LOST)))
                world.after(rng.uniform(1, 8), lambda victim=victim: world.mend(victim))  # type: ignore[misc]
        world.run_for(rng.uniform(3, 10))
    if not any(not worker.stopping for worker in world.living()):
        world.start_worker()
    world.heal()
    world.check_settles(within=150)


def _restore_machines(world: World, rng: random.Random) -> None:
    """Now and then the wall clock of a worker jumps ahead while its take is on the way."""

    def look(change: Change) -> None:
        if change.write.kind is WriteKind.TAKE and change.worker and rng.random() < 0.1:
            worker = world.workers[change.worker]
            worker.clock.wall_offset += 30.0
            world.after(0.0, lambda: worker.tell(WallRead(worker.clock.wall())))

    world.table.on_change.append(look)


@directed("two durations")
def DURATIONS(stage: Stage) -> None:
    """Patient and hasty workers share a table; the patient ones freeze and are cut off."""
    rng = random.Random(f"durations {stage.seed}")
    patient = WorkerConfig(leases=LeaseConfig(duration=rng.choice((10.0, 15.0))))
    hasty = WorkerConfig(leases=LeaseConfig(duration=rng.choice((3.0, 4.0))))
    world = watched_world(stage, workers=0, shards=rng.randint(1, 4), config=patient)
    world.put_steadily(6)
    for config in rng.sample((patient, hasty), 2):
        world.start_worker(config=config)
    world.run_for(25)
    for _ in range(4):
        world.start_worker(config=rng.choice((patient, hasty)))
        world.run_for(rng.uniform(5, 15))
        slow = [worker for worker in world.living() if worker.config is patient]
        if slow:
            victim = rng.choice(slow)
            if rng.random() < 0.5:
                world.cut(victim)
            else:
                victim.pause()
            world.run_for(rng.uniform(3, 20))
            world.mend(victim)
            victim.resume()
        if len(world.living()) > 3:
            rng.choice(world.living()).kill()
    world.heal()
    world.check_settles(within=200)


@directed("slow leavers")
def LEAVERS(stage: Stage) -> None:
    """Workers leave while calls of user code are long, and scans break off."""
    rng = random.Random(f"leavers {stage.seed}")
    config = WorkerConfig(leases=LeaseConfig(duration=rng.choice((3.0, 5.0))))
    world = watched_world(stage, workers=3, shards=4, config=config)
    begin(world, rng)
    world.faults.faults = Faults(scan_cut=0.4)
    world.habits = Habits(per_call=(5.0, 14.0))
    world.run_for(5)
    for _ in range(3):
        rng.choice([worker for worker in world.living() if not worker.stopping]).stop()
        world.start_worker()
        world.run_for(rng.uniform(5, 20))
    world.heal()
    world.check_settles(within=100)


@directed("stale leavers")
def STALE_LEAVERS(stage: Stage) -> None:
    """One leaves while its code runs on, and others read replicas from before it came."""
    rng = random.Random(f"stale leavers {stage.seed}")
    world = watched_world(stage, workers=2, shards=4)
    begin(world, rng)
    world.start_worker()
    world.run_for(12)
    world.habits = Habits(per_call=(18.0, 20.0))
    world.run_for(3)
    world.faults.faults = Faults(stale=0.7, stale_max=60.0)
    max(world.living(), key=lambda worker: len(world.held(worker))).stop()
    world.run_for(17)
    world.heal()
    world.check_settles(within=100)


@directed("a frozen designee")
def FROZEN(stage: Stage) -> None:
    """One worker dies; before its leases expire another one freezes, whom the plan still names."""
    rng = random.Random(f"frozen {stage.seed}")
    world = watched_world(stage, workers=4, shards=rng.randint(6, 9))
    MoveChecker(world, stage.muted, kill_slack=2.0)
    begin(world, rng)
    world.living()[0].kill()
    world.run_for(rng.uniform(4.0, 7.0))
    frozen = rng.choice(world.living())
    frozen.pause()
    world.run_for(14)
    frozen.resume()
    world.run_for(20)
    world.heal()
    world.check_settles(within=100)


@directed("a quiet fleet")
def QUIET(stage: Stage) -> None:
    """Nobody comes or goes, answers are lost, scans are stale: no lease moves."""
    rng = random.Random(f"quiet {stage.seed}")
    busy = Habits(
        checkpointing="explicit", checkpoint_every=1, per_record=(0.05, 0.2), idle_after=2.0
    )
    world = watched_world(
        stage,
        workers=rng.randint(2, 4),
        shards=rng.randint(3, 8),
        habits=rng.choice((*HABITS, busy, busy)),
    )
    moves = MoveChecker(world, stage.muted)
    begin(world, rng)
    moves.forget()
    world.faults.faults = Faults(
        throttled=0.05, error_applied=0.05, reply_lost=0.05, stale=0.5, stale_max=3.0, scan_cut=0.1
    )
    world.put_steadily(20)
    world.run_for(60)
    world.faults.faults = Faults()
    moves.check_moves(0, "nobody came or went")
    world.heal()
    world.check_settles(within=100)
