"""Does a child begin only after every parent is finished, or gone for good?"""

from __future__ import annotations

from dataclasses import replace
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from kcl_py.core.events import Failure, FailureKind
from kcl_py.core.leases.rows import PLACEHOLDER_OWNER, LeaseRow, Sentinel
from kcl_py.core.shards.births import waits_for_parents
from kcl_py.records import Position
from tests.core.fake_table import FakeTable
from tests.core.shards.streams import application, ended, name, row, shard
from tests.core.shards.world import Faults, Worker, World

CHILD = row(2, parents=(name(0), name(1)))
LISTED = (shard(0, is_open=False), shard(1, is_open=False), shard(2, 0, 1))


def world_of(*rows: LeaseRow) -> tuple[World, Worker]:
    """A world whose initial sync is done long ago."""
    world = World(FakeTable(application(done=True), *rows), LISTED)
    worker = world.worker()
    worker.begin()
    world.run(1)
    return world, worker


def end(world: World, number: int) -> None:
    """Finish a shard."""
    lease = world.table.lease(name(number))
    ended_row = replace(lease, checkpoint=Sentinel.SHARD_END, counter=lease.counter + 1)
    world.table.rows[lease.key] = ended_row


def test_who_waits_and_who_does_not() -> None:
    assert waits_for_parents(CHILD)
    assert waits_for_parents(replace(CHILD, checkpoint=Sentinel.LATEST))
    assert not waits_for_parents(replace(CHILD, root=True))
    assert not waits_for_parents(replace(CHILD, checkpoint=Position("12")))
    assert not waits_for_parents(replace(CHILD, checkpoint=Sentinel.SHARD_END))
    assert not waits_for_parents(replace(CHILD, parents=()))


@settings(max_examples=40)
@given(
    st.integers(0, 10**6),
    st.floats(0, 0.5),
    st.floats(2, 30),
    st.floats(2, 30),
)
def test_a_child_is_told_within_seconds_of_the_last_end_and_never_before(
    seed: int, unknown: float, first: float, second: float
) -> None:
    world, worker = world_of(row(0), row(1), CHILD)
    world.rng = Random(seed)
    world.faults = Faults(unknown, 0.1, slow=0.2)
    worker.sync.watch_parents(world.now, CHILD)
    world.at(first, lambda: end(world, 0))
    world.at(second, lambda: end(world, 1))
    world.run(120)

    told = worker.parents_done_at[CHILD.key]
    assert max(first, second) <= told
    assert unknown > 0.1 or told < max(first, second) + 5


def test_without_faults_it_is_told_within_a_second() -> None:
    world, worker = world_of(ended(0), row(1), CHILD)
    worker.sync.watch_parents(world.now, CHILD)
    world.at(20.0, lambda: end(world, 1))
    world.run(30)

    assert 20.0 <= worker.parents_done_at[CHILD.key] < 21.0


def test_all_waiting_children_share_one_read() -> None:
    world, worker = world_of(*(row(number) for number in range(20)))
    children = [row(50 + n, parents=(name(n), name((n + 1) % 20))) for n in range(20)]
    for child in children:
        worker.sync.watch_parents(world.now, child)
    assert worker.calls.take_out() == []
    worker.timers.fire(world.now)

    (read,) = worker.calls.take_out()
    assert len(read.keys) == 20  # type: ignore[union-attr]


def test_a_forgotten_child_is_not_told() -> None:
    world, worker = world_of(row(0), row(1), CHILD)
    worker.sync.watch_parents(world.now, CHILD)
    world.run(2)
    worker.sync.forget_parents(world.now, CHILD.key)
    end(world, 0)
    end(world, 1)
    world.run(10)

    assert worker.parents_done_at == {}
    assert worker.calls._waiting == {}


def test_a_parent_that_is_gone_for_good_unblocks_after_two_listings_a_minute_apart() -> None:
    world, worker = world_of(ended(1), CHILD)
    world.shards = LISTED[1:]
    worker.sync.watch_parents(world.now, CHILD)
    world.run(59)
    assert worker.parents_done_at == {}
    world.run(30)

    assert worker.parents_done_at.keys() == {CHILD.key}
    assert 3 <= len(world.listings) <= 6


def test_a_filtered_listing_proves_nothing_about_what_it_lacks() -> None:
    app = application(Sentinel.LATEST, 5.0)
    world = World(FakeTable(app, ended(1), CHILD), LISTED[1:])
    worker = world.worker()
    worker.begin()
    world.run(70)
    worker.sync.watch_parents(world.now, CHILD)
    world.run(55)
    assert world.listings[0] is not None
    assert None in world.listings
    assert worker.parents_done_at == {}
    world.run(35)

    assert worker.parents_done_at.keys() == {CHILD.key}


def test_a_parent_that_cannot_be_read_or_listed_does_not_unblock() -> None:
    world, worker = world_of(ended(1), CHILD)
    world.shards = LISTED[1:]
    world.listing_failure = Failure(FailureKind.UNKNOWN, "kinesis:ListShards", "timeout")
    worker.sync.watch_parents(world.now, CHILD)
    world.run(600)

    assert worker.parents_done_at == {}


def test_a_missing_parent_that_is_listed_gets_a_row_that_expires_before_it_is_taken() -> None:
    world, worker = world_of(ended(1), CHILD)
    worker.sync.watch_parents(world.now, CHILD)
    world.run(40)

    made = world.table.lease(name(0))
    assert (made.owner, made.duration) == (PLACEHOLDER_OWNER, 10.0)
    assert made.checkpoint is Sentinel.TRIM_HORIZON
    assert not made.is_ownerless
    assert worker.parents_done_at == {}
    end(world, 0)
    world.run(1)
    assert worker.parents_done_at.keys() == {CHILD.key}


def test_a_missing_parent_whose_own_parent_is_still_read_is_left_to_come() -> None:
    world, worker = world_of(ended(1), CHILD, row(7))
    world.shards = (shard(7, is_open=False), shard(0, 7, is_open=False), *LISTED[1:])
    worker.sync.watch_parents(world.now, CHILD)
    world.run(100)

    assert name(0) not in world.table.rows
    assert worker.parents_done_at == {}
    assert worker.scans == []
