"""Are holes repaired, tombstones deleted, and other people's streams left alone?"""

from __future__ import annotations

import pytest

from kcl_py.core.events import Failure, FailureKind
from kcl_py.core.leases.rows import PLACEHOLDER_OWNER
from kcl_py.errors import SetupError, StreamNotFound
from tests.core.fake_table import FakeTable
from tests.core.shards.streams import Stream, application, ended, name, row, shard
from tests.core.shards.world import Worker, World


def world_of(
    *rows: object, shards: tuple[object, ...], is_auditor: bool = True
) -> tuple[World, Worker]:
    """A world whose initial sync is done long ago."""
    world = World(FakeTable(application(done=True), *rows), shards)  # type: ignore[arg-type]
    worker = world.worker(is_auditor=is_auditor)
    worker.begin()
    return world, worker


def test_a_hole_is_repaired_when_two_passes_found_it() -> None:
    stream = Stream.of(2)
    rows = [row(0, hash_range=stream.open_shards()[0].hash_range)]
    world, worker = world_of(*rows, shards=stream.listing())
    world.run(107)
    assert worker.scans == []
    world.run(25.5)
    assert len(worker.scans) == 1
    assert name(1) not in world.table.rows
    world.run(12)

    assert len(worker.scans) == 2
    made = world.table.lease(name(1))
    assert (made.owner, made.duration, made.root) == (PLACEHOLDER_OWNER, 10.0, True)
    assert worker.reported("shard.repaired") == [name(1)]
    assert worker.view[name(1)] == made


def test_what_only_one_pass_found_is_no_hole() -> None:
    world, worker = world_of(row(0), shards=(shard(0), shard(1)))
    world.at(133.0, lambda: world.table.rows.update({name(1): row(1)}))
    world.run(400)

    assert world.table.log == []
    assert worker.reported("shard.repaired") == []


def test_while_nothing_is_wrong_only_the_auditor_looks_often() -> None:
    world, auditor = world_of(row(0), shards=(shard(0),))
    other = world.worker("w2", is_auditor=False)
    other.begin()
    world.run(3600)

    assert 26 <= len(auditor.scans) <= 34
    assert 4 <= len(other.scans) <= 6


def test_an_audit_can_be_asked_for_and_two_at_once_are_one_after_the_other() -> None:
    world, worker = world_of(row(0), shards=(shard(0),), is_auditor=False)
    for _ in range(3):
        worker.sync.request_sync(world.now)
    world.run(5)

    assert len(worker.scans) == 2
    assert len(world.listings) == 2


def test_a_tombstone_is_deleted_once_its_shard_is_gone_for_good() -> None:
    world, worker = world_of(ended(0, counter=8), row(1), shards=(shard(0), shard(1)))
    world.run(300)
    assert name(0) in world.table.rows
    world.shards = (shard(1),)
    world.run(135)
    assert name(0) in world.table.rows
    world.run(135)

    assert world.table.leases.keys() == {name(1)}
    assert worker.view.keys() == {name(1)}
    assert worker.reported("lease.deleted") == [name(0)]


def test_a_tombstone_that_changed_meanwhile_stays() -> None:
    world, worker = world_of(ended(0, counter=8), row(1), shards=(shard(1),))
    world.run(140)
    scan = worker.scan_consistently

    def changed_after_the_scan(now: float, then: object) -> None:
        scan(now, then)  # type: ignore[arg-type]
        world.at(now + 0.2, lambda: world.table.rows.update({name(0): row(0, counter=99)}))

    worker.scan_consistently = changed_after_the_scan  # type: ignore[method-assign]
    world.faults.slow = 0.001
    world.listing_failure = Failure(FailureKind.UNKNOWN, "kinesis:ListShards", "timeout")
    world.at(world.now + 140, lambda: setattr(world, "listing_failure", None))
    world.run(300)

    assert world.table.lease(name(0)).counter == 99
    assert [applied for write, applied in world.table.log if write.deletes] == [False]


def test_a_stream_made_anew_while_we_run_stops_the_worker_when_seen_twice() -> None:
    world, worker = world_of(row(7), ended(8), shards=(shard(7), shard(8)))
    worker.sync.request_sync(world.now)
    world.run(5)
    world.shards = (shard(0), shard(1))
    worker.sync.request_sync(world.now)
    world.run(5)
    assert len(worker.scans) == 2
    assert not worker.errors
    world.run(10)

    (error,) = worker.errors
    assert isinstance(error, SetupError)
    assert "created again" in str(error)
    assert world.table.log == []


def test_after_an_outage_longer_than_retention_the_application_goes_on() -> None:
    world, worker = world_of(row(1), row(2), shards=(shard(7, 5), shard(8, 6)))
    world.run(150)

    assert worker.errors == []
    assert sorted(map(str, worker.reported("shard.repaired"))) == [name(7), name(8)]


def test_a_stream_that_is_gone_stops_the_worker() -> None:
    world, worker = world_of(row(0), shards=(shard(0),))
    world.listing_failure = Failure(FailureKind.GONE, "kinesis:ListShards", "not found")
    world.run(140)

    assert [type(error) for error in worker.errors] == [StreamNotFound]


def test_a_permission_that_was_taken_away_later_stops_nobody() -> None:
    world = World(FakeTable(application()), (shard(0),))
    worker = world.worker()
    worker.begin()
    world.run(5)
    world.listing_failure = Failure(FailureKind.DENIED, "kinesis:ListShards", "no")
    world.run(300)

    assert worker.errors == []
    assert worker.reported("shards.listing_retried")


def test_a_gap_in_the_hash_keys_that_stays_is_reported() -> None:
    world, worker = world_of(
        row(0, hash_range=(0, 99)), shards=(shard(0, span=(0, 99)), shard(1, 0, span=(100, 200)))
    )
    world.run(133)
    assert worker.reported("shards.uncovered") == []
    world.run(133)

    assert worker.reported("shards.uncovered") == [None]


def test_an_incomplete_scan_proves_nothing_and_is_made_again() -> None:
    world, worker = world_of(row(0), shards=(shard(0), shard(1)))
    world.scan_failure = Failure(FailureKind.UNKNOWN, "dynamodb:Scan", "timeout")
    world.run(200)
    assert len(worker.scans) > 5
    assert world.listings == []
    assert world.table.log == []
    world.scan_failure = None
    world.run(30)

    assert worker.reported("shard.repaired") == [name(1)]


@pytest.mark.parametrize("seconds", [130, 145])
def test_a_worker_that_stops_repairs_nothing(seconds: float) -> None:
    world, worker = world_of(row(0), shards=(shard(0), shard(1)))
    world.run(seconds - 24)
    worker.sync.stop()
    world.run(600)

    assert world.table.log == []
