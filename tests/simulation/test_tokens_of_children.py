"""Do fencing tokens grow from parents to children, whichever row came first?"""

from __future__ import annotations

import pytest

from kcl_py.testing.sim.code import Habits
from kcl_py.testing.world import World
from tests.simulation.fleet import finish_cleanly


def family(seed: int, *, backlog: int) -> World:
    """Shard 0 splits into 2 and 3; 3 and 1 merge into 4 before anybody has read all of 0."""
    world = World(seed, workers=2, shards=2, habits=Habits(per_record=(0.1, 0.2)))
    world.run_for(15)
    left, right = world.stream.open_shards()
    for _ in range(backlog):
        world.stream.put(b"much", "key", hash_key=left.hash_range[0])
    world.stream.split(left.shard_id)
    world.run_for(0.8)
    world.stream.merge(world.stream.open_shards()[1].shard_id, right.shard_id)
    return world


def test_a_child_whose_parents_have_rows_has_a_token_above_theirs() -> None:
    world = family(0, backlog=0)
    world.run_for(30)

    finish_cleanly(world)


@pytest.mark.parametrize("seed", range(3))
def test_a_child_that_has_a_row_before_its_parent_has_a_token_above_it(seed: int) -> None:
    world = family(seed, backlog=60)
    world.run_for(30)

    finish_cleanly(world)
