"""Interleavings that the chaos run on real processes found; each broke a promise once."""

from __future__ import annotations

from collections import defaultdict

import pytest

from kcl_py.core import commands
from kcl_py.testing.sim.faults import Faults
from kcl_py.testing.sim.watch import Watcher
from kcl_py.testing.sim.worker import SimWorker
from kcl_py.testing.world import World
from tests.simulation.fleet import finish_cleanly, running_world


class Tokens(Watcher):
    """Remembers the fencing tokens of all processor objects, by lease key."""

    def __init__(self) -> None:
        self.seen: dict[str, list[int]] = defaultdict(list)

    def commanded(self, worker: SimWorker, command: commands.Command) -> None:
        if isinstance(command, commands.StartRun):
            self.seen[command.epoch.key].append(command.epoch.token)

    def grow_from(self, parent: str, child: str) -> bool:
        assert self.seen[parent]
        assert self.seen[child]
        return max(self.seen[parent]) < min(self.seen[child])


def merged_with_a_shard_without_row(world: World) -> tuple[str, str]:
    """The last child of a chain has its row before one of its parents has.

    Returns:
        The parent whose row comes last, and the child.
    """
    left, right = sorted(world.open_keys())
    slow = world.owner(right)
    assert slow is not None
    slow.pause()
    world.stream.split(right)
    world.run_until(lambda: bool(world.stream.children_of(right)), within=5)
    near, _far = (shard.shard_id for shard in world.stream.children_of(right))
    world.stream.merge(left, near)
    world.run_until(lambda: bool(world.stream.children_of(left)), within=5)
    (child,) = world.stream.children_of(left)
    world.run_until(lambda: child.shard_id in world.table.lease_rows(), within=60)
    assert near not in world.table.lease_rows()
    slow.resume()
    return near, child.shard_id


@pytest.mark.parametrize("seed", range(3))
def test_tokens_of_a_child_are_larger_though_a_parent_had_no_row_when_it_got_its_own(
    seed: int,
) -> None:
    world = running_world(workers=2, shards=2, seed=seed)
    tokens = Tokens()
    world.watchers.append(tokens)

    near, child = merged_with_a_shard_without_row(world)
    finish_cleanly(world)

    assert world.row(near).is_finished
    assert tokens.grow_from(near, child)


@pytest.mark.parametrize("seed", range(5))
def test_a_token_is_raised_through_lost_answers(seed: int) -> None:
    world = running_world(workers=2, shards=2, seed=seed, faults=Faults(reply_lost=0.2))
    tokens = Tokens()
    world.watchers.append(tokens)

    near, child = merged_with_a_shard_without_row(world)
    finish_cleanly(world)

    assert tokens.grow_from(near, child)
