"""Are all children of a finished shard created, and told only then, whatever goes wrong?"""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kcl_py.core.leases.rows import Sentinel
from kcl_py.core.leases.writes import WriteKind
from kcl_py.core.shards.children import objection
from kcl_py.core.shards.coverage import HASH_KEY_MAX
from kcl_py.core.shards.graph import Shard
from tests.core.fake_table import FakeTable
from tests.core.shards.streams import application, ended, name, row, shard
from tests.core.shards.world import Faults, Worker, World

HALF = HASH_KEY_MAX // 2
LOW, HIGH = (0, HALF), (HALF + 1, HASH_KEY_MAX)
PARENT = row(0, hash_range=(0, HASH_KEY_MAX), counter=40, owner="w1")
SPLIT = (shard(1, 0, span=LOW), shard(2, 0, span=HIGH))
MERGED = (shard(5, 3, 4),)
LISTED = (shard(0, is_open=False), *SPLIT)


def world_of(*rows: object, shards: tuple[Shard, ...] = LISTED) -> tuple[World, Worker]:
    """A world in which some shards are being read."""
    world = World(FakeTable(application(done=True), *rows), shards)  # type: ignore[arg-type]
    worker = world.worker()
    worker.begin()
    return world, worker


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.floats(0, 0.5), st.floats(0, 0.3), st.sampled_from([SPLIT, ()]))
def test_children_are_told_once_and_only_when_every_row_is_there(
    seed: int, unknown: float, throttled: float, named: tuple[Shard, ...]
) -> None:
    world, worker = world_of(PARENT)
    world.rng = Random(seed)
    world.faults = Faults(unknown, throttled, slow=0.3)
    complete: list[bool] = []
    note = worker.children_created

    def told(now: float, key: str, children: tuple[str, ...]) -> None:
        complete.append({name(1), name(2)} == set(children) <= world.table.rows.keys())
        note(now, key, children)

    worker.children_created = told  # type: ignore[method-assign]
    worker.sync.create_children(world.now, PARENT, named)
    world.run(900)

    assert complete == [True]
    assert len(worker.children_at[PARENT.key]) == 1
    for child in SPLIT:
        made = world.table.lease(child.shard_id)
        assert made.checkpoint is Sentinel.TRIM_HORIZON
        assert made.counter > PARENT.counter
        assert (made.parents, made.hash_range) == (child.parents, child.hash_range)
        assert made.is_ownerless
        assert not made.root


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.floats(0, 0.4))
def test_both_parents_of_a_merge_may_create_the_child_at_once(seed: int, unknown: float) -> None:
    left, right = row(3, counter=10), row(4, counter=9 * 10**12)
    world, worker = world_of(left, right, shards=MERGED)
    other = world.worker("w2")
    other.begin()
    world.rng = Random(seed)
    world.faults = Faults(unknown, 0.0, slow=0.3)
    worker.view.clear()
    worker.sync.create_children(world.now, left, MERGED)
    other.sync.create_children(world.now, right, MERGED)
    world.run(900)

    creations = [write for write, applied in world.table.log if applied]
    assert [write.kind for write in creations] == [WriteKind.CREATE]
    assert world.table.lease(name(5)).parents == (name(3), name(4))
    assert world.table.lease(name(5)).counter > right.counter
    assert worker.children_at.keys() == {left.key}
    assert other.children_at.keys() == {right.key}


def test_what_is_created_is_known_to_the_lease_side() -> None:
    world, worker = world_of(PARENT)
    worker.sync.create_children(world.now, PARENT, SPLIT)
    world.run(1)

    assert worker.view[name(1)] == world.table.lease(name(1))
    assert worker.reported("children.created") == [PARENT.key]


@pytest.mark.parametrize(
    ("children", "why"),
    [
        ((), "no children"),
        ((shard(1, 9, span=LOW), SPLIT[1]), "does not name"),
        ((SPLIT[0],), "do not cover"),
        ((shard(1, 0, span=(5, 4)), *SPLIT), "impossible"),
        ((shard(1, 0, span=(-1, HASH_KEY_MAX)),), "impossible"),
    ],
)
def test_what_cannot_be_all_children_is_objected_to(children: tuple[Shard, ...], why: str) -> None:
    assert why in (objection(PARENT, children) or "")


def test_what_can_be_all_children_is_not_objected_to() -> None:
    assert objection(PARENT, SPLIT) is None
    assert objection(row(3, hash_range=LOW), MERGED) is None
    assert objection(row(3), MERGED) is None


def test_an_incomplete_list_is_asked_of_the_stream_until_it_is_complete() -> None:
    world, worker = world_of(PARENT, shards=LISTED[:2])
    worker.sync.create_children(world.now, PARENT, SPLIT[:1])
    world.run(60)
    assert worker.children_at == {}
    assert name(1) not in world.table.rows
    world.shards = LISTED
    world.run(31)

    assert worker.children_at.keys() == {PARENT.key}
    assert len(worker.reported("children.creation_retried")) >= 4


def test_a_shard_that_is_gone_and_has_no_children_listed_has_none() -> None:
    world, worker = world_of(PARENT, row(9), shards=(shard(9),))
    worker.sync.create_children(world.now, PARENT, ())
    world.run(55)
    assert worker.children_at == {}
    world.run(120)

    assert worker.children_at.keys() == {PARENT.key}
    assert worker.reported("children.none") == [PARENT.key]
    assert world.table.leases.keys() == {PARENT.key, name(9)}


def test_a_listed_shard_without_children_is_waited_for_and_said_so() -> None:
    world, worker = world_of(PARENT, shards=(shard(0, is_open=False),))
    worker.sync.create_children(world.now, PARENT, ())
    world.run(600)

    assert worker.children_at == {}
    assert len(worker.reported("children.creation_retried")) > 15


def test_a_lease_that_was_lost_creates_no_more_children() -> None:
    world, worker = world_of(PARENT)
    worker.sync.create_children(world.now, PARENT, ())
    worker.sync.forget_children(world.now, PARENT.key)
    world.run(60)

    assert worker.children_at == {}
    assert world.table.log == []


def test_a_child_that_is_finished_already_stays_so() -> None:
    world, worker = world_of(PARENT, ended(1))
    worker.sync.create_children(world.now, PARENT, SPLIT)
    world.run(1)

    assert world.table.lease(name(1)).is_finished
    assert worker.children_at.keys() == {PARENT.key}
