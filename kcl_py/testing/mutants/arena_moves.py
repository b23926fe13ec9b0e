"""Which directed worlds move leases while nothing fails? Clean moves, lost takers, maxima."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from kcl_py.config import LeaseConfig, WorkerConfig
from kcl_py.core import commands
from kcl_py.core.leases.writes import WriteKind
from kcl_py.testing.checks.moves import MoveChecker
from kcl_py.testing.mutants.arena import directed
from kcl_py.testing.mutants.watched import HABITS, begin, is_balanced, watched_world
from kcl_py.testing.sim.code import Habits
from kcl_py.testing.sim.faults import Faults
from kcl_py.testing.sim.watch import Watcher

if TYPE_CHECKING:
    from kcl_py.testing.mutants.arena import Stage
    from kcl_py.testing.sim.table import Change
    from kcl_py.testing.sim.worker import SimWorker
    from kcl_py.testing.world import World


@directed("clean moves")
def MOVES(stage: Stage) -> None:
    """Join, leave and deploy, with nothing that fails: every bound of the design holds."""
    rng = random.Random(f"moves {stage.seed}")
    config = WorkerConfig(leases=LeaseConfig(max_leases=rng.choice((None, None, 3))))
    shards = rng.randint(2, 6)
    world = watched_world(
        stage, workers=rng.randint(2, 3), shards=shards, config=config, habits=rng.choice(HABITS)
    )
    world.has_index = True
    moves = MoveChecker(world, stage.muted)
    begin(world, rng)
    for deed in rng.sample((_join, _leave, _deploy, _change_places, _stop_the_taker, _reshard), 3):
        moves.forget()
        count = len(world.living())
        deed(world, rng)
        _wait_for_balance(world)
        if deed is _join:
            share = -(-len(world.open_keys()) // len(world.living()))
            moves.check_total(share * (len(world.living()) - count), "join")
        moves.check_moves(2 if deed in (_deploy, _stop_the_taker) else 1, deed.__name__.strip("_"))
    world.heal()
    world.check_settles(within=60)
    moves.check_no_duplicates()


def _wait_for_balance(world: World) -> None:
    world.run_until(lambda: is_balanced(world), within=120)
    world.run_for(8)


def _join(world: World, rng: random.Random) -> None:
    for _ in range(rng.randint(1, 2)):
        world.start_worker()


def _leave(world: World, rng: random.Random) -> None:
    if len(world.living()) < 3:
        world.start_worker()
        _wait_for_balance(world)
    rng.choice(world.living()).stop()
    world.run_for(3)


def _deploy(world: World, rng: random.Random) -> None:
    """A second fleet comes, then the first one leaves."""
    old = world.living()
    for _ in old:
        world.start_worker()
    _wait_for_balance(world)
    for worker in old:
        worker.stop()
        world.run_for(rng.choice((0.0, 1.0, 4.0)))
    world.run_for(10)


def _change_places(world: World, rng: random.Random) -> None:
    """One comes while another goes."""
    leaving = rng.choice(world.living())
    world.start_worker()
    world.run_for(rng.uniform(6.0, 16.0))
    leaving.stop()
    world.run_for(3)


def _stop_the_taker(world: World, rng: random.Random) -> None:
    """A newcomer leaves in the middle of its first handoffs."""
    newcomer = world.start_worker()
    world.heap.run_until(
        world.now + 40, stop=lambda: any(world.row(k).in_handoff for k in world.open_keys())
    )
    world.run_for(rng.uniform(0.0, 1.5))
    newcomer.stop()
    world.run_for(3)


def _reshard(world: World, rng: random.Random) -> None:
    world.stream.split(rng.choice(world.stream.open_shards()).shard_id)
    world.run_for(10)


@directed("a restless deploy")
def RESTLESS(stage: Stage) -> None:
    """Workers come and go all the time, nobody waits until the fleet has settled.

    Whom a lease was given to may leave before it takes it, twice in a row; seven seconds are enough
    all the same.
    """
    rng = random.Random(f"restless {stage.seed}")
    config = WorkerConfig(leases=LeaseConfig(settle=0.0))
    slow = Habits(shutdown=(0.0, 6.0))
    shards = rng.randint(8, 16)
    world = watched_world(stage, workers=4, shards=shards, config=config, habits=slow)
    MoveChecker(world, stage.muted, given_seconds=7.0)
    world.put_steadily(5)
    world.run_until(lambda: is_balanced(world), within=90)
    for _ in range(6):
        old = [worker for worker in world.living() if not worker.stopping]
        for _ in range(rng.randint(1, 2)):
            world.start_worker()
        world.run_for(rng.uniform(1.0, 6.0))
        for worker in old[: rng.randint(1, 2)]:
            worker.stop()
        world.run_for(rng.uniform(0.0, 6.0))
    world.heal()
    world.check_settles(within=90)


@directed("takers that vanish")
def TAKERS(stage: Stage) -> None:
    """A newcomer asks for leases with slow user code, and dies or leaves before it gets them."""
    rng = random.Random(f"takers {stage.seed}")
    world = watched_world(stage, workers=1, shards=4)
    MoveChecker(world, stage.muted)
    begin(world, rng)
    world.habits = Habits(per_call=(8.0, 16.0), shutdown=(0.0, 10.0))
    world.run_for(3)
    newcomer = world.start_worker()

    def asked(change: Change) -> None:
        if change.write.kind is WriteKind.REQUEST:
            delay = rng.choice((rng.uniform(0, 2), rng.uniform(6, 20)))
            world.after(delay, rng.choice((newcomer.kill, newcomer.stop)))

    world.table.on_change.append(asked)
    world.run_for(50)
    world.start_worker()
    world.heal()
    world.check_settles(within=100)


@directed("withdrawals in flight")
def WITHDRAWALS(stage: Stage) -> None:
    """A taker leaves while the lease is on its way to it, on a slow network."""
    rng = random.Random(f"withdrawals {stage.seed}")
    slow = Faults(latency=(0.3, 0.9))
    world = watched_world(stage, workers=1, shards=4, faults=slow)
    begin(world, rng)
    newcomer = world.start_worker()

    class AtTheLastLook(Watcher):
        """Stops the newcomer when a victim whose user code has closed looks at its row."""

        def commanded(self, worker: SimWorker, command: commands.Command) -> None:
            if not isinstance(command, commands.ReadRows):
                return
            if command.keys == (newcomer.worker_id,) and _is_drained(worker):
                world.after(rng.uniform(0.0, 0.3), newcomer.stop)

    world.watchers.append(AtTheLastLook())
    world.run_until(lambda: not newcomer.alive, within=90)
    world.heal()
    world.check_settles(within=60)


def _is_drained(worker: SimWorker) -> bool:
    """Say whether user code of a lease has closed, and the lease is not given yet."""
    return any(not worker.open_runs(key) for key in worker.core.held())


@directed("a modest worker")
def MODEST(stage: Stage) -> None:
    """One worker carries one lease only, the others what there is."""
    rng = random.Random(f"modest {stage.seed}")
    modest = WorkerConfig(leases=LeaseConfig(max_leases=1))
    world = watched_world(stage, workers=0, shards=rng.randint(3, 6))
    MoveChecker(world, stage.muted)
    world.put_steadily(5)
    world.start_worker(config=modest)
    world.run_for(rng.uniform(0, 10))
    world.start_worker()
    world.run_for(60)
    if rng.random() < 0.5:
        world.start_worker()
        world.run_for(60)
    world.heal()
    world.run_until(world.is_settled, within=100)
