"""What happens when shards split, merge, end and are forgotten (PROTOCOL sections 2 and 5)."""

from __future__ import annotations

import pytest

from kcl_py.config import WorkerConfig
from kcl_py.core.leases.rows import LeaseRow, Sentinel
from kcl_py.core.leases.writes import WriteKind
from kcl_py.testing.sim.code import Habits
from kcl_py.testing.sim.faults import Faults
from kcl_py.testing.world import World
from tests.simulation.fleet import all_processing, count_applied, finish_cleanly, running_world

EXPLICIT = Habits(checkpointing="explicit")


def ended(world: World, *keys: str) -> bool:
    rows = world.table.lease_rows()
    return all(key in rows and rows[key].is_finished for key in keys)


@pytest.mark.parametrize("habits", [Habits(), EXPLICIT], ids=["auto", "explicit"])
@pytest.mark.parametrize("seed", range(3))
def test_the_children_of_a_split_start_when_their_parent_has_ended(
    seed: int, habits: Habits
) -> None:
    world = running_world(workers=2, shards=2, seed=seed, habits=habits)
    parent = world.open_keys()[0]

    world.stream.split(parent)
    world.run_until(lambda: ended(world, parent), within=30)
    children = [shard.shard_id for shard in world.stream.children_of(parent)]
    took = world.run_until(lambda: all_processing(world, children), within=30)

    assert took <= 1.5
    assert len(children) == 2
    assert world.records.duplicates() == {}
    finish_cleanly(world)


@pytest.mark.parametrize("seed", range(3))
def test_a_merge_waits_for_both_parents_on_different_workers(seed: int) -> None:
    world = running_world(workers=2, shards=2, seed=seed)
    left, right = world.open_keys()
    assert world.owner(left) is not world.owner(right)
    slow = world.owner(right)
    assert slow is not None

    world.habits = Habits(per_record=(0.0, 0.4))
    world.stream.merge(left, right)
    world.run_until(lambda: ended(world, left, right), within=120)
    (child,) = world.stream.children_of(left)
    took = world.run_until(lambda: all_processing(world, [child.shard_id]), within=30)

    assert took <= 1.5
    row = world.row(child.shard_id)
    assert set(row.parents) == {left, right}
    finish_cleanly(world)


def test_a_merge_survives_the_death_of_the_owner_of_one_parent() -> None:
    world = running_world(workers=3, shards=2)
    left, right = world.open_keys()
    world.stream.merge(left, right)
    world.run_for(0.55)  # It takes half a second.
    owner = world.owner(right)
    assert owner is not None

    owner.kill()

    finish_cleanly(world)
    assert ended(world, left, right)


def test_a_chain_of_splits_and_merges_is_followed_to_its_end() -> None:
    world = running_world(workers=2, shards=1)
    for _ in range(3):
        world.stream.split(world.stream.open_shards()[0].shard_id)
        world.run_for(1.0)
    first, second = world.stream.open_shards()[:2]
    world.stream.merge(first.shard_id, second.shard_id)
    world.run_for(2.0)

    finish_cleanly(world)

    assert len(world.open_keys()) == 3


def test_shards_that_ended_before_the_first_worker_came_are_read_from_the_beginning() -> None:
    world = World(workers=0, shards=1)
    world.put(20)
    world.stream.split(world.stream.open_shards()[0].shard_id)
    world.run_for(1)
    world.put(20)

    world.start_worker()
    finish_cleanly(world)

    assert sum(len(places) for places in world.records.times_delivered.values()) == 40


def test_latest_is_resolved_once_so_that_nothing_between_two_owners_is_lost() -> None:
    world = World(workers=0, shards=2, config=WorkerConfig(initial_position="latest"))
    world.put(10)
    world.run_for(5)
    first = world.start_worker()
    world.run_until(lambda: len(world.held(first)) == 2, within=20)
    first.kill()
    world.put(10)
    world.run_for(5)
    world.put(10)

    world.start_worker()
    finish_cleanly(world)

    delivered = world.records.times_delivered
    for key in world.open_keys():
        log = world.stream.logs[key]
        start = world.row(key).start_at
        if len(log):
            assert start is not None
            assert set(delivered.get(key, ())) == set(range(log.from_time(start), len(log)))
    assert sum(len(places) for places in delivered.values()) == 20


def test_latest_has_no_meaning_for_the_children_of_a_shard_that_is_being_read() -> None:
    world = World(workers=1, shards=1, config=WorkerConfig(initial_position="latest"))
    world.run_for(10)
    world.put(10)
    world.stream.split(world.open_keys()[0])
    world.run_for(0.7)
    world.put(10)

    finish_cleanly(world)

    assert sum(len(places) for places in world.records.times_delivered.values()) == 20


def test_a_tombstone_goes_when_the_service_has_forgotten_the_shard_and_does_not_come_back() -> None:
    world = running_world(workers=2, shards=1)
    parent = world.open_keys()[0]
    world.stream.split(parent)
    world.run_until(lambda: ended(world, parent), within=60)
    world.run_for(10)
    created = count_applied(world, WriteKind.CREATE)

    world.stream.forget(parent)
    world.run_until(lambda: parent not in world.table.lease_rows(), within=900)
    world.run_for(60)

    assert created == []
    assert parent not in world.table.lease_rows()
    finish_cleanly(world)


def test_a_tombstone_stays_while_the_service_lists_the_shard() -> None:
    world = running_world(workers=2, shards=1)
    parent = world.open_keys()[0]
    world.faults.faults = Faults(stale_shards=0.3)
    world.stream.split(parent)
    world.run_until(lambda: ended(world, parent), within=60)

    world.run_for(400)

    assert ended(world, parent)


def test_a_new_row_has_a_token_above_those_of_its_parents() -> None:
    world = running_world(workers=2, shards=2)
    left, right = world.open_keys()
    parents = [world.row(left).counter, world.row(right).counter]
    world.stream.merge(left, right)

    finish_cleanly(world)

    (child,) = world.open_keys()
    assert world.row(child).counter > max(parents)
    assert world.row(left).checkpoint is Sentinel.SHARD_END


def test_every_open_shard_has_a_lease_even_if_its_row_was_deleted_by_hand() -> None:
    world = running_world(workers=2, shards=2)
    key = world.open_keys()[0]
    row = world.row(key)
    _delete(world, row)

    world.run_until(lambda: key in world.table.lease_rows(), within=600)


def _delete(world: World, row: LeaseRow) -> None:
    from kcl_py.core.leases.writes import RowWrite

    world.forget()
    write = RowWrite(kind=WriteKind.DELETE, key=row.key, tests=(), deletes=True)
    world.table.apply("", write, world.now)
