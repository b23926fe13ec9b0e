"""Does every worker find all first rows in the table before it begins, whatever is lost?"""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kcl_py.core.events import Failure, FailureKind
from kcl_py.core.leases.rows import APPLICATION_KEY, ApplicationRow, LeaseRow, Sentinel
from kcl_py.core.leases.writes import WriteKind
from kcl_py.core.shards.sync_plan import plan_sync
from kcl_py.errors import AccessDenied, LeaseTableError, StreamNotFound
from tests.core.fake_table import FakeTable
from tests.core.shards.streams import Stream, application, ended, row, shard, streams, table
from tests.core.shards.world import WALL_AT_START, Faults, World


def is_marked_done(world: World) -> bool:
    app = world.table.rows[APPLICATION_KEY]
    assert isinstance(app, ApplicationRow)
    return app.initial_sync_done


def contents(rows: dict[str, LeaseRow]) -> dict[str, LeaseRow]:
    """Rows without what differs from creation to creation."""
    return {key: replace(each, counter=0, nonce=None) for key, each in rows.items()}


@settings(max_examples=40)
@given(
    streams(),
    st.integers(0, 10**6),
    st.integers(1, 3),
    st.floats(0, 0.4),
    st.floats(0, 0.3),
)
def test_all_workers_get_all_rows_whatever_is_lost(
    stream: Stream, seed: int, fleet: int, unknown: float, throttled: float
) -> None:
    world = World(FakeTable(application()), stream.listing(), Random(seed))
    world.faults = Faults(unknown, throttled, slow=0.5)
    workers = [world.worker(f"w{number}") for number in range(fleet)]
    expected = plan_sync(stream.listing(), {}, application(), 1)
    for worker in workers:
        worker.begin()
    world.run(600)

    assert contents(world.table.leases) == contents(table(*expected))
    assert is_marked_done(world)
    for worker in workers:
        assert worker.ready_at is not None
        assert worker.view.keys() == world.table.leases.keys()
        assert not worker.errors
    nonces = [each.nonce for each in world.table.leases.values()]
    assert len(set(nonces)) == len(nonces)


def test_counters_begin_at_the_milliseconds_of_the_clock_or_above_all_seen() -> None:
    high = int(WALL_AT_START * 1000) * 2
    world = World(FakeTable(application(), row(1, counter=high)), (shard(0), shard(1)))
    world.worker().begin()
    world.run(5)
    fresh = World(FakeTable(application()), (shard(0),))
    fresh.worker().begin()
    fresh.run(5)

    assert world.table.lease(shard(0).shard_id).counter == high + 1
    assert fresh.table.lease(shard(0).shard_id).counter >= WALL_AT_START * 1000


def test_many_workers_do_not_write_the_same_rows_over_and_over() -> None:
    stream = Stream.of(400)
    world = World(FakeTable(application()), stream.listing())
    for number in range(5):
        world.worker(f"w{number}").begin()
    world.run(120)

    creations = sum(write.kind is WriteKind.CREATE for write, _ in world.table.log)
    assert len(world.table.leases) == 400
    assert creations < 2 * 400
    assert all(worker.ready_at is not None for worker in world.workers)


def test_a_sync_that_was_done_is_not_done_again() -> None:
    world = World(FakeTable(application(done=True)), (shard(0),))
    worker = world.worker()
    worker.begin()
    world.run(1)

    assert worker.ready_at == 0.0
    assert world.table.log == []


def test_a_position_in_time_asks_only_for_shards_that_were_open_since() -> None:
    world = World(FakeTable(application(Sentinel.LATEST, 5_000.0)), (shard(0),))
    world.worker().begin()
    world.run(5)

    assert world.listings == [5_000.0 - 60.0]
    assert world.table.lease(shard(0).shard_id).start_at == 5_000.0


def test_a_filter_that_the_service_refuses_is_left_out() -> None:
    world = World(FakeTable(application(Sentinel.LATEST, 5_000.0)), (shard(0),))
    world.listing_failure = Failure(FailureKind.INVALID, "kinesis:ListShards", "no filter")
    worker = world.worker()
    worker.begin()
    world.at(0.2, lambda: setattr(world, "listing_failure", None))
    world.run(5)

    assert world.listings[0] is not None
    assert world.listings[-1] is None
    assert worker.ready_at is not None


@pytest.mark.parametrize(
    ("kind", "error"), [(FailureKind.DENIED, AccessDenied), (FailureKind.GONE, StreamNotFound)]
)
def test_a_stream_that_cannot_be_listed_stops_the_worker(
    kind: FailureKind, error: type[Exception]
) -> None:
    world = World(FakeTable(application()), (shard(0),))
    world.listing_failure = Failure(kind, "kinesis:ListShards", "no")
    worker = world.worker()
    worker.begin()
    world.run(60)

    assert [type(each) for each in worker.errors] == [error]
    assert worker.ready_at is None


def test_an_empty_listing_is_asked_again_with_longer_and_longer_pauses() -> None:
    world = World(FakeTable(application()), ())
    worker = world.worker()
    worker.begin()
    world.run(200)
    before = len(world.listings)
    world.shards = (shard(0),)
    world.run(31)

    assert 8 <= before <= 25
    assert worker.ready_at is not None
    assert worker.reported("shards.listing_retried") == [None] * before


@pytest.mark.parametrize(
    ("kind", "error"), [(FailureKind.DENIED, AccessDenied), (FailureKind.GONE, LeaseTableError)]
)
def test_a_table_that_cannot_be_written_stops_the_worker(
    kind: FailureKind, error: type[Exception]
) -> None:
    world = World(FakeTable(application()), (shard(0),))
    world.write_failure = Failure(kind, "dynamodb:PutItem", "no")
    worker = world.worker()
    worker.begin()
    world.run(60)

    assert [type(each) for each in worker.errors] == [error]
    assert worker.ready_at is None


def test_a_worker_that_stops_creates_nothing_more() -> None:
    world = World(FakeTable(application(), ended(9)), Stream.of(200).listing())
    worker = world.worker()
    worker.begin()
    world.run(0.12)
    worker.sync.stop()
    world.run(0.2)
    created = len(world.table.leases)
    world.run(60)

    assert len(world.table.leases) == created < 201
    assert worker.ready_at is None
