"""Do simulated writers aggregate, and do consumers go on inside of an aggregated record?"""

from __future__ import annotations

from kcl_py.core import commands
from kcl_py.core.commands import Command
from kcl_py.testing.seeds.plans import draw_plan
from kcl_py.testing.sim.code import Habits
from kcl_py.testing.sim.stream import ShardLog
from kcl_py.testing.sim.watch import Watcher
from kcl_py.testing.sim.worker import SimWorker
from kcl_py.testing.world import World
from tests.simulation.fleet import finish_cleanly


class Resumed(Watcher):
    """Notes the epochs that began inside of an aggregated record."""

    judged = frozenset({commands.StartRun})

    def __init__(self, world: World) -> None:
        self.inside = 0
        self._world = world
        world.watchers.append(self)

    def commanded(self, worker: SimWorker, command: Command) -> None:
        """An epoch begins."""
        if not isinstance(command, commands.StartRun) or command.epoch.checkpointed is None:
            return
        log = self._world.stream.logs[command.epoch.key]
        place = log.after(command.epoch.checkpointed)
        self.inside += place < len(log) and place not in log.starts


def test_workers_that_die_are_followed_inside_of_aggregated_records() -> None:
    habits = Habits(checkpointing="explicit", checkpoint_every=2, per_record=(0.0, 0.1))
    world = World(5, workers=2, shards=3, habits=habits)
    world.stream.user_records_max = 5
    resumed = Resumed(world)
    world.put_steadily(10)
    for _ in range(4):
        world.run_for(8)
        world.start_worker()
        world.living()[0].kill()
        world.run_for(20)

    world.habits = Habits(checkpointing="explicit")
    world.run_for(2)
    finish_cleanly(world)

    assert resumed.inside >= 2
    for key, log in world.stream.logs.items():
        assert len(log) > len(log.starts)
        assert len(world.records.times_delivered[key]) == len(log)


def test_what_retention_forgets_is_forgotten_record_by_record() -> None:
    world = World(1, workers=0, shards=1)
    world.stream.user_records_max = 5
    for _ in range(9):
        world.put()
        world.run_for(1)
    (key,) = world.stream.logs
    log: ShardLog = world.stream.logs[key]

    world.stream.trim(key, log.starts[4])

    assert log.kept_from == log.starts[4]


def test_a_part_of_the_seeds_aggregates() -> None:
    packing = [draw_plan(seed).user_records_max for seed in range(200)]

    assert set(packing) == {1, 5}
    assert 30 <= packing.count(5) <= 70


def test_records_that_writers_do_not_aggregate_are_as_they_were_put() -> None:
    world = World(1, workers=0, shards=1)

    _, record = world.stream.put(b"data", "key")

    assert (record.data, record.sub_sequence_number) == (b"data", 0)
