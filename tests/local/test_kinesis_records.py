"""Does the model of Kinesis take and give records as the service does?"""

from __future__ import annotations

from typing import Any

import pytest

from kcl_py.local.kinesis.limits import GET_BYTES_MAX
from tests.local.worlds import FIRST, HASH_KEYS, START, KinesisWorld, refused


def test_the_five_iterator_types() -> None:
    world = KinesisWorld()
    numbers = []
    for number in range(5):
        numbers.append(world.put(str(number).encode()))
        world.clock.advance(10)

    assert world.read("TRIM_HORIZON") == [b"0", b"1", b"2", b"3", b"4"]
    assert world.read("LATEST") == []
    assert world.read("AT_SEQUENCE_NUMBER", StartingSequenceNumber=numbers[3]) == [b"3", b"4"]
    assert world.read("AFTER_SEQUENCE_NUMBER", StartingSequenceNumber=numbers[3]) == [b"4"]
    assert world.read("AT_TIMESTAMP", Timestamp=START + 21) == [b"2", b"3", b"4"]
    assert world.read("AT_TIMESTAMP", Timestamp=START + 22) == [b"3", b"4"]


def test_the_ends_of_a_shard_are_positions_too() -> None:
    world = KinesisWorld()
    world.put(b"1")
    world.split(FIRST, HASH_KEYS // 2)
    ends = world.shards()[0]["SequenceNumberRange"]

    start = ends["StartingSequenceNumber"]
    end = ends["EndingSequenceNumber"]

    assert world.read("AT_SEQUENCE_NUMBER", StartingSequenceNumber=start) == [b"1"]
    assert world.read("AFTER_SEQUENCE_NUMBER", StartingSequenceNumber=start) == [b"1"]
    assert world.read("AFTER_SEQUENCE_NUMBER", StartingSequenceNumber=end) == []


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"kind": "AT_SEQUENCE_NUMBER"}, "InvalidArgumentException"),
        ({"kind": "AT_SEQUENCE_NUMBER", "StartingSequenceNumber": "1"}, "InvalidArgumentException"),
        ({"kind": "AT_SEQUENCE_NUMBER", "StartingSequenceNumber": "x"}, "ValidationException"),
        ({"kind": "AT_TIMESTAMP"}, "InvalidArgumentException"),
        ({"kind": "AT_TIMESTAMP", "Timestamp": START + 1e6}, "InvalidArgumentException"),
        ({"kind": "SOMEWHERE"}, "ValidationException"),
        ({"kind": "LATEST", "shard": "shardId-000000000007"}, "ResourceNotFoundException"),
    ],
)
def test_a_bad_position_is_refused(arguments: dict[str, Any], code: str) -> None:
    assert refused(KinesisWorld().iterator, **arguments).code == code


def test_a_sequence_number_of_another_shard_is_refused() -> None:
    world = KinesisWorld(shards=2)
    number = world.put(hash_key=HASH_KEYS - 1)

    error = refused(world.iterator, "AT_SEQUENCE_NUMBER", StartingSequenceNumber=number)

    assert error.code == "InvalidArgumentException"


def test_an_iterator_lives_five_minutes() -> None:
    world = KinesisWorld()
    iterator = world.iterator()
    world.clock.advance(300)
    world.page(iterator)
    world.clock.advance(0.1)

    assert refused(world.page, iterator).code == "ExpiredIteratorException"


def test_an_iterator_of_a_deleted_stream_finds_nothing_even_under_the_same_name() -> None:
    world = KinesisWorld()
    iterator = world.iterator()
    world.call("DeleteStream", StreamName="s")
    world.clock.advance(1)

    assert refused(world.page, iterator).code == "ResourceNotFoundException"
    world.call("CreateStream", StreamName="s", ShardCount=1)
    world.clock.advance(1)
    assert refused(world.page, iterator).code == "ResourceNotFoundException"


def test_a_cut_iterator_is_not_valid() -> None:
    world = KinesisWorld()

    error = refused(world.page, world.iterator()[:-4])

    assert error.code == "InvalidArgumentException"


def test_a_page_has_at_most_ten_megabytes() -> None:
    world = KinesisWorld()
    for _ in range(12):
        world.put(b"x" * 1_000_000)

    page = world.page(world.iterator())

    size = sum(len(record["Data"]) for record in page["Records"])
    assert size <= GET_BYTES_MAX < size + 1_000_001


def test_a_closed_shard_ends_only_when_all_was_read() -> None:
    world = KinesisWorld()
    for number in range(3):
        world.put(str(number).encode())
    world.split(FIRST, HASH_KEYS // 2)

    first = world.page(world.iterator(), Limit=2)
    last = world.page(first["NextShardIterator"], Limit=2)

    assert "ChildShards" not in first
    assert [record["Data"] for record in last["Records"]] == [b"2"]
    assert "NextShardIterator" not in last
    assert [child["ShardId"] for child in last["ChildShards"]] == [
        "shardId-000000000001",
        "shardId-000000000002",
    ]


def test_an_empty_closed_shard_ends_at_once() -> None:
    world = KinesisWorld()
    world.split(FIRST, HASH_KEYS // 2)

    page = world.page(world.iterator("LATEST"))

    assert page["Records"] == []
    assert "NextShardIterator" not in page


def test_how_far_behind() -> None:
    world = KinesisWorld()
    world.put()
    world.clock.advance(5)
    world.put()
    world.clock.advance(5)

    behind = world.page(world.iterator(), Limit=1)

    assert behind["MillisBehindLatest"] == 10_000
    assert world.page(behind["NextShardIterator"])["MillisBehindLatest"] == 0


def test_empty_pages_happen_although_there_are_records() -> None:
    world = KinesisWorld(empty_page_probability=0.5)
    world.put(b"1")
    iterator = world.iterator()
    pages = [world.page(iterator)["Records"] for _ in range(50)]

    assert [] in pages
    assert any(pages)


def test_arrival_times_never_go_back() -> None:
    world = KinesisWorld()
    world.put()
    world.clock.advance(-10)
    world.put()

    times = [
        record["ApproximateArrivalTimestamp"] for record in world.page(world.iterator())["Records"]
    ]

    assert times == [START + 1, START + 1]


@pytest.mark.parametrize(
    ("record", "code"),
    [
        ({"Data": b"x", "PartitionKey": ""}, "ValidationException"),
        ({"Data": b"x", "PartitionKey": "k" * 257}, "ValidationException"),
        ({"Data": b"x" * 1_048_576, "PartitionKey": "k"}, "ValidationException"),
        ({"Data": "text", "PartitionKey": "k"}, "SerializationException"),
        ({"Data": b"x", "PartitionKey": "k", "ExplicitHashKey": "-1"}, "ValidationException"),
        (
            {"Data": b"x", "PartitionKey": "k", "ExplicitHashKey": str(HASH_KEYS)},
            "InvalidArgumentException",
        ),
    ],
)
def test_a_bad_record_is_refused(record: dict[str, Any], code: str) -> None:
    world = KinesisWorld()

    assert refused(world.call, "PutRecord", StreamName="s", **record).code == code
    assert refused(world.call, "PutRecords", StreamName="s", Records=[record]).code == code


def test_put_records_has_limits_as_a_whole() -> None:
    world = KinesisWorld()
    small = {"Data": b"x", "PartitionKey": "k"}
    large = {"Data": b"x" * 1_000_000, "PartitionKey": "k"}

    many = refused(world.call, "PutRecords", StreamName="s", Records=[small] * 501)
    heavy = refused(world.call, "PutRecords", StreamName="s", Records=[large] * 11)

    assert many.code == "ValidationException"
    assert heavy.code == "InvalidArgumentException"


def test_a_shard_takes_a_thousand_records_per_second() -> None:
    world = KinesisWorld(limits=True)
    records = [{"Data": b"x", "PartitionKey": "k"}] * 500
    failed = [
        world.call("PutRecords", StreamName="s", Records=records)["FailedRecordCount"]
        for _ in range(3)
    ]

    assert failed == [0, 0, 500]
    assert refused(world.put).code == "ProvisionedThroughputExceededException"
    world.clock.advance(0.5)
    answer = world.call("PutRecords", StreamName="s", Records=records)
    assert answer["FailedRecordCount"] == 0


def test_a_shard_takes_a_megabyte_per_second_and_the_others_are_not_affected() -> None:
    world = KinesisWorld(shards=2, limits=True)
    world.put(b"x" * 1_000_000)

    assert refused(world.put, b"x" * 100_000).code == "ProvisionedThroughputExceededException"
    world.put(b"x" * 100_000, hash_key=HASH_KEYS - 1)


def test_a_shard_is_read_five_times_per_second() -> None:
    world = KinesisWorld(limits=True)
    iterator = world.iterator()
    for _ in range(5):
        world.page(iterator)

    error = refused(world.page, iterator)

    assert error.code == "ProvisionedThroughputExceededException"
    world.clock.advance(0.2)
    world.page(iterator)


def test_a_large_read_silences_the_shard() -> None:
    world = KinesisWorld()
    for _ in range(10):
        world.put(b"x" * 1_000_000)
    settings = world.model._account.settings
    world.model._account.settings = type(settings)(limits=True)
    iterator = world.iterator()
    world.page(iterator)

    assert refused(world.page, iterator).code == "ProvisionedThroughputExceededException"
    world.clock.advance(3)
    assert refused(world.page, iterator).code == "ProvisionedThroughputExceededException"
    world.clock.advance(2)
    world.page(iterator)


def test_single_records_can_be_made_to_fail() -> None:
    world = KinesisWorld()
    answers = iter([False, True, False])
    world.model.fail_record = lambda: next(answers)

    answer = world.call(
        "PutRecords",
        StreamName="s",
        Records=[{"Data": data, "PartitionKey": "k"} for data in (b"1", b"2", b"3")],
    )

    assert answer["FailedRecordCount"] == 1
    assert answer["Records"][1]["ErrorCode"] == "ProvisionedThroughputExceededException"
    assert world.read() == [b"1", b"3"]


def test_a_large_record_is_taken_when_the_second_is_whole_and_silences_the_shard() -> None:
    world = KinesisWorld(limits=True)
    world.call(
        "UpdateMaxRecordSize",
        StreamARN="arn:aws:kinesis:us-east-1:000000000000:stream/s",
        MaxRecordSizeInKiB=10_240,
    )
    world.clock.advance(1)
    large = b"x" * (10 * 1_048_576 - 1)

    world.put(large)
    world.clock.advance(8.9)
    assert refused(world.put, b"x" * 100_000).code == "ProvisionedThroughputExceededException"
    world.clock.advance(0.6)
    assert refused(world.put, large).code == "ProvisionedThroughputExceededException"
    world.clock.advance(0.5)
    world.put(large)
    assert [len(data) for data in world.read()] == [len(large)]
