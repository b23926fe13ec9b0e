"""Do fencing tokens grow from parents to children, whatever the clocks say (PROTOCOL section 2)?"""

from __future__ import annotations

from kcl_py.testing.sim.code import Habits
from kcl_py.testing.world import World
from tests.simulation.fleet import all_processing, finish_cleanly, running_world
from tests.simulation.test_edited_rows import edit

AHEAD = 4_000_000_000_000
"""Above unix milliseconds: as if whoever made the first rows had a wall clock decades ahead."""


def newest_token(world: World, key: str) -> int:
    """Return the highest token with which a processor of this shard was begun."""
    view = world.records.epoch(key)
    assert view is not None
    return view.token


def world_with_counters_ahead() -> World:
    world = running_world(workers=3, shards=2, rate=0.0)
    for key in world.open_keys():
        edit(world, key, "SET leaseCounter = :ahead", {":ahead": {"N": str(AHEAD)}})
    world.run_until(lambda: all_processing(world, world.open_keys()), within=60)
    world.run_for(10)
    return world


def test_a_child_that_waited_begins_above_the_last_epoch_of_each_parent() -> None:
    world = world_with_counters_ahead()
    left, right = world.open_keys()
    world.habits = Habits(per_record=(1.0, 1.0))
    hash_range = world.row(right).hash_range
    assert hash_range is not None
    for number in range(80):
        world.stream.put(b"x", f"{number}", hash_key=hash_range[0])
    world.run_for(3)

    world.stream.merge(left, right)
    world.run_until(lambda: len(world.stream.children_of(left)) == 1, within=30)
    (child,) = world.stream.children_of(left)
    world.run_until(lambda: world.owner(child.shard_id) is not None, within=30)
    world.run_for(25)
    owner = world.owner(right)
    assert owner is not None
    assert owner is not world.owner(child.shard_id)
    owner.kill()
    world.run_until(lambda: all_processing(world, [right]), within=40)
    parent = newest_token(world, right)
    world.habits = Habits()
    world.run_until(lambda: all_processing(world, [child.shard_id]), within=200)

    assert newest_token(world, child.shard_id) > parent
    finish_cleanly(world)
