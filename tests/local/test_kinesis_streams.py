"""Does the model of Kinesis keep streams as the service does?"""

from __future__ import annotations

from typing import Any

import pytest

from tests.local.worlds import FIRST, HASH_KEYS, SECOND, KinesisWorld, refused


def status(world: KinesisWorld) -> str:
    summary = world.call("DescribeStreamSummary", StreamName="s")["StreamDescriptionSummary"]
    return str(summary["StreamStatus"])


def test_a_stream_is_made_changed_and_deleted_in_steps() -> None:
    world = KinesisWorld(create_seconds=2.0, update_seconds=2.0, delete_seconds=2.0)
    seen = [status(world)]
    world.clock.advance(2)
    seen.append(status(world))
    world.call(
        "SplitShard", StreamName="s", ShardToSplit=FIRST, NewStartingHashKey=str(HASH_KEYS // 2)
    )
    seen.append(status(world))
    world.clock.advance(2)
    seen.append(status(world))
    world.call("DeleteStream", StreamName="s")
    seen.append(status(world))
    world.clock.advance(2)

    assert seen == ["CREATING", "ACTIVE", "UPDATING", "ACTIVE", "DELETING"]
    error = refused(world.call, "DescribeStreamSummary", StreamName="s")
    assert error.code == "ResourceNotFoundException"


def test_a_stream_that_is_being_made_has_no_shards_to_list_or_use() -> None:
    world = KinesisWorld(create_seconds=10.0)

    assert refused(world.shards).code == "ResourceInUseException"
    assert refused(world.put).code == "ResourceNotFoundException"
    description = world.call("DescribeStream", StreamName="s")["StreamDescription"]
    assert description["Shards"] == []


def test_a_reshard_happens_when_it_is_due_and_not_when_somebody_looks() -> None:
    world = KinesisWorld(update_seconds=5.0)
    world.call(
        "SplitShard", StreamName="s", ShardToSplit=FIRST, NewStartingHashKey=str(HASH_KEYS // 2)
    )
    world.clock.advance(100)

    parent = world.model._account.find({"StreamName": "s"}).shards[FIRST]

    assert parent.closed_at == world.clock.now - 95


def test_records_can_be_put_while_a_stream_is_updating() -> None:
    world = KinesisWorld(update_seconds=5.0)
    world.call(
        "SplitShard", StreamName="s", ShardToSplit=FIRST, NewStartingHashKey=str(HASH_KEYS // 2)
    )

    world.put(b"while updating")
    world.clock.advance(10)

    assert world.read() == [b"while updating"]


def test_nothing_else_changes_while_a_stream_is_updating() -> None:
    world = KinesisWorld(shards=2, update_seconds=5.0)
    world.call("IncreaseStreamRetentionPeriod", StreamName="s", RetentionPeriodHours=48)

    error = refused(
        world.call,
        "MergeShards",
        StreamName="s",
        ShardToMerge=FIRST,
        AdjacentShardToMerge=SECOND,
    )

    assert error.code == "ResourceInUseException"


@pytest.mark.parametrize(
    ("operation", "hours", "code"),
    [
        ("IncreaseStreamRetentionPeriod", 8761, "InvalidArgumentException"),
        ("DecreaseStreamRetentionPeriod", 23, "InvalidArgumentException"),
        ("DecreaseStreamRetentionPeriod", 48, "InvalidArgumentException"),
    ],
)
def test_a_bad_retention_is_refused(operation: str, hours: int, code: str) -> None:
    world = KinesisWorld()

    error = refused(world.call, operation, StreamName="s", RetentionPeriodHours=hours)

    assert error.code == code


def test_records_are_forgotten_after_the_retention_for_good() -> None:
    world = KinesisWorld()
    world.put(b"old")
    world.clock.advance(20 * 3600)
    world.put(b"new")
    world.clock.advance(5 * 3600)

    assert world.read() == [b"new"]

    world.call("IncreaseStreamRetentionPeriod", StreamName="s", RetentionPeriodHours=48)
    world.clock.advance(1)
    assert world.read() == [b"new"]


def test_an_iterator_on_a_forgotten_record_goes_on_with_the_oldest() -> None:
    world = KinesisWorld(iterator_seconds=1e9)
    number = world.put(b"old")
    iterator = world.iterator()
    world.clock.advance(20 * 3600)
    world.put(b"new")
    world.clock.advance(5 * 3600)

    assert [record["Data"] for record in world.page(iterator)["Records"]] == [b"new"]
    assert world.read("AT_SEQUENCE_NUMBER", StartingSequenceNumber=number) == [b"new"]


def test_a_closed_shard_is_forgotten_after_the_retention() -> None:
    world = KinesisWorld()
    world.split(FIRST, HASH_KEYS // 2)
    world.clock.advance(25 * 3600)

    assert FIRST not in world.shard_ids()
    assert world.shards()[0]["ParentShardId"] == FIRST
    assert refused(world.iterator).code == "ResourceNotFoundException"


def test_streams_are_listed_in_pages() -> None:
    world = KinesisWorld()
    for name in ("a", "b", "c"):
        world.call("CreateStream", StreamName=name, ShardCount=1)

    first = world.call("ListStreams", Limit=2)
    second = world.call("ListStreams", NextToken=first["NextToken"])

    assert first["StreamNames"] + second["StreamNames"] == ["a", "b", "c", "s"]
    assert first["HasMoreStreams"]
    assert not second["HasMoreStreams"]


def test_the_account_has_a_number_of_shards() -> None:
    world = KinesisWorld(shards=2, shards_max=3)

    error = refused(world.call, "CreateStream", StreamName="t", ShardCount=2)

    assert error.code == "LimitExceededException"
    assert world.call("DescribeLimits") == {
        "ShardLimit": 3,
        "OpenShardCount": 2,
        "OnDemandStreamCount": 0,
        "OnDemandStreamCountLimit": 50,
    }


@pytest.mark.parametrize(
    "request_", [{"StreamName": "s", "ShardCount": 1, "Colour": "red"}, {"StreamName": "no way"}]
)
def test_what_would_have_to_be_ignored_is_refused(request_: dict[str, Any]) -> None:
    world = KinesisWorld()

    assert refused(world.call, "CreateStream", **request_).code == "ValidationException"


def test_an_unknown_operation_is_refused_by_name() -> None:
    error = refused(KinesisWorld().call, "CreateQueue")

    assert error.code == "UnknownOperationException"
    assert "CreateQueue" in error.message


def test_name_and_arn_must_agree() -> None:
    world = KinesisWorld()
    arn = "arn:aws:kinesis:us-east-1:000000000000:stream/other"

    error = refused(world.call, "ListShards", StreamName="s", StreamARN=arn)

    assert error.code == "InvalidArgumentException"


def test_calls_of_the_control_plane_are_counted_per_second() -> None:
    world = KinesisWorld(limits=True)
    for _ in range(5):
        world.call("ListStreams")

    assert refused(world.call, "ListStreams").code == "LimitExceededException"
    world.clock.advance(1)
    world.call("ListStreams")


def test_everything_outlives_a_restart() -> None:
    world = KinesisWorld()
    number = world.put(b"one")
    world.split(FIRST, HASH_KEYS // 2)
    world.put(b"two")

    other = KinesisWorld()
    other.clock.now = world.clock.now
    other.model.load(world.model.dump())

    assert other.shards() == world.shards()
    assert other.read() == [b"one"]
    assert other.read("AFTER_SEQUENCE_NUMBER", StartingSequenceNumber=number) == []
    assert other.read(shard=SECOND) == [b"two"]
    assert int(other.put()) > int(number)
