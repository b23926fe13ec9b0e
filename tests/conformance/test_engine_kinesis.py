"""Does an engine answer Kinesis calls as the service does?"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient

HASH_KEYS = 2**128
FIRST = "shardId-000000000000"


def error_code(call: Callable[..., object], **arguments: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]["Code"]


def wait_active(client: KinesisClient, name: str) -> None:
    until = time.monotonic() + 20
    while True:
        status = client.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
        if status["StreamStatus"] == "ACTIVE":
            return
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.fixture
def stream(kinesis_client: KinesisClient, new_name: str) -> Iterator[str]:
    kinesis_client.create_stream(StreamName=new_name, ShardCount=2)
    wait_active(kinesis_client, new_name)
    yield new_name
    kinesis_client.delete_stream(StreamName=new_name)


def shards_of(client: KinesisClient, name: str, **arguments: Any) -> list[Any]:
    return list(client.list_shards(StreamName=name, **arguments)["Shards"])


def put(client: KinesisClient, name: str, data: str, hash_key: int = 0) -> str:
    answer = client.put_record(
        StreamName=name, Data=data.encode(), PartitionKey="key", ExplicitHashKey=str(hash_key)
    )
    return answer["SequenceNumber"]


def read(client: KinesisClient, name: str, kind: Any, **arguments: Any) -> list[str]:
    """The data of a page of the first shard."""
    answer = client.get_shard_iterator(
        StreamName=name, ShardId=FIRST, ShardIteratorType=kind, **arguments
    )
    page = client.get_records(ShardIterator=answer["ShardIterator"])
    return [record["Data"].decode() for record in page["Records"]]


def read_to_the_end(client: KinesisClient, name: str, shard_id: str) -> tuple[list[str], Any]:
    """All data of a shard, and its last page, once the shard has ended."""
    iterator: str | None = client.get_shard_iterator(
        StreamName=name, ShardId=shard_id, ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    data: list[str] = []
    page: Any = {}
    for _ in range(20):
        assert iterator is not None
        page = client.get_records(ShardIterator=iterator)
        data += [record["Data"].decode() for record in page["Records"]]
        iterator = page.get("NextShardIterator")
        if iterator is None:
            return data, page
        time.sleep(0.02)
    raise AssertionError("the shard never ended")


def test_a_new_stream_covers_all_hash_keys(kinesis_client: KinesisClient, stream: str) -> None:
    ranges = [shard["HashKeyRange"] for shard in shards_of(kinesis_client, stream)]
    edges = sorted((int(r["StartingHashKey"]), int(r["EndingHashKey"])) for r in ranges)

    assert edges[0][0] == 0
    assert edges[0][1] + 1 == edges[1][0]
    assert edges[1][1] == HASH_KEYS - 1


def test_a_description_tells_what_a_client_needs(
    kinesis_client: KinesisClient, stream: str
) -> None:
    summary = kinesis_client.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]

    assert summary["StreamName"] == stream
    assert summary["StreamARN"].endswith(f":stream/{stream}")
    assert summary["OpenShardCount"] == 2
    assert summary["RetentionPeriodHours"] == 24
    assert abs(summary["StreamCreationTimestamp"].timestamp() - time.time()) < 60


def test_an_unknown_stream_is_not_found(kinesis_client: KinesisClient) -> None:
    code = error_code(kinesis_client.describe_stream_summary, StreamName="no-such-stream")

    assert code == "ResourceNotFoundException"


def test_a_stream_is_made_once(kinesis_client: KinesisClient, stream: str) -> None:
    code = error_code(kinesis_client.create_stream, StreamName=stream, ShardCount=1)

    assert code == "ResourceInUseException"


def test_an_arn_does_in_place_of_a_name(kinesis_client: KinesisClient, stream: str) -> None:
    arn = kinesis_client.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"][
        "StreamARN"
    ]

    assert len(kinesis_client.list_shards(StreamARN=arn)["Shards"]) == 2
    kinesis_client.put_record(StreamARN=arn, Data=b"x", PartitionKey="k", ExplicitHashKey="0")
    iterator = kinesis_client.get_shard_iterator(
        StreamARN=arn, ShardId=FIRST, ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    assert len(kinesis_client.get_records(ShardIterator=iterator, StreamARN=arn)["Records"]) == 1


def test_sequence_numbers_grow_inside_a_shard(kinesis_client: KinesisClient, stream: str) -> None:
    numbers = [int(put(kinesis_client, stream, str(n))) for n in range(20)]

    assert numbers == sorted(set(numbers))


def test_sequence_numbers_have_56_digits(kinesis_client: KinesisClient, stream: str) -> None:
    assert len(put(kinesis_client, stream, "a")) == 56


def test_records_go_where_the_hash_of_their_key_says(
    kinesis_client: KinesisClient, stream: str
) -> None:
    for key in ("a", "b", "c", "d", "e"):
        answer = kinesis_client.put_record(StreamName=stream, Data=b"x", PartitionKey=key)
        hashed = int.from_bytes(hashlib.md5(key.encode()).digest(), "big")
        expected = 0 if hashed < HASH_KEYS // 2 else 1
        assert answer["ShardId"] == f"shardId-{expected:012d}"


def test_a_shard_takes_both_ends_of_its_range(kinesis_client: KinesisClient, stream: str) -> None:
    for shard in shards_of(kinesis_client, stream):
        for key in shard["HashKeyRange"].values():
            answer = kinesis_client.put_record(
                StreamName=stream, Data=b"x", PartitionKey="k", ExplicitHashKey=key
            )
            assert answer["ShardId"] == shard["ShardId"]


def test_put_records_answers_each_record(kinesis_client: KinesisClient, stream: str) -> None:
    answer = kinesis_client.put_records(
        StreamName=stream, Records=[{"Data": b"x", "PartitionKey": str(n)} for n in range(10)]
    )

    assert answer["FailedRecordCount"] == 0
    assert len(answer["Records"]) == 10
    assert all("SequenceNumber" in record for record in answer["Records"])


def test_the_five_iterator_types(kinesis_client: KinesisClient, stream: str) -> None:
    first = put(kinesis_client, stream, "1")
    time.sleep(0.05)
    between = datetime.now(UTC)
    time.sleep(1.1)  # a timestamp travels in whole seconds with some clients
    second = put(kinesis_client, stream, "2")
    put(kinesis_client, stream, "3")

    assert read(kinesis_client, stream, "TRIM_HORIZON") == ["1", "2", "3"]
    assert read(kinesis_client, stream, "LATEST") == []
    assert read(kinesis_client, stream, "AT_SEQUENCE_NUMBER", StartingSequenceNumber=second) == [
        "2",
        "3",
    ]
    assert read(kinesis_client, stream, "AFTER_SEQUENCE_NUMBER", StartingSequenceNumber=first) == [
        "2",
        "3",
    ]
    found = read(kinesis_client, stream, "AT_TIMESTAMP", Timestamp=between)
    assert found[-2:] == ["2", "3"]


def test_latest_sees_what_comes_later(kinesis_client: KinesisClient, stream: str) -> None:
    put(kinesis_client, stream, "old")
    iterator = kinesis_client.get_shard_iterator(
        StreamName=stream, ShardId=FIRST, ShardIteratorType="LATEST"
    )["ShardIterator"]
    put(kinesis_client, stream, "new")

    page = kinesis_client.get_records(ShardIterator=iterator)

    assert [record["Data"] for record in page["Records"]] == [b"new"]


def test_pages_follow_each_other_without_gap(kinesis_client: KinesisClient, stream: str) -> None:
    for number in range(5):
        put(kinesis_client, stream, str(number))
    iterator = kinesis_client.get_shard_iterator(
        StreamName=stream, ShardId=FIRST, ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]

    data = []
    for _ in range(3):
        page = kinesis_client.get_records(ShardIterator=iterator, Limit=2)
        data += [record["Data"].decode() for record in page["Records"]]
        iterator = page["NextShardIterator"]

    assert data == ["0", "1", "2", "3", "4"]


def test_an_iterator_can_be_used_again(kinesis_client: KinesisClient, stream: str) -> None:
    put(kinesis_client, stream, "1")
    iterator = kinesis_client.get_shard_iterator(
        StreamName=stream, ShardId=FIRST, ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]

    pages = [kinesis_client.get_records(ShardIterator=iterator) for _ in range(2)]

    assert pages[0]["Records"] == pages[1]["Records"]


def test_an_invented_iterator_is_refused(kinesis_client: KinesisClient, stream: str) -> None:
    code = error_code(kinesis_client.get_records, ShardIterator=f"{stream}-nonsense")

    assert code == "InvalidArgumentException"


def test_a_reader_behind_is_told_how_far(kinesis_client: KinesisClient, stream: str) -> None:
    put(kinesis_client, stream, "1")
    time.sleep(0.1)
    put(kinesis_client, stream, "2")
    iterator = kinesis_client.get_shard_iterator(
        StreamName=stream, ShardId=FIRST, ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]

    behind = kinesis_client.get_records(ShardIterator=iterator, Limit=1)
    at_tip = kinesis_client.get_records(ShardIterator=behind["NextShardIterator"])

    # Engines measure to now or to the last record; the service's own words allow both.
    assert 90 <= behind["MillisBehindLatest"] < 30_000
    assert at_tip["MillisBehindLatest"] == 0


@pytest.mark.parametrize(
    "arguments",
    [
        {"Data": b"x", "PartitionKey": "k" * 257},
        {"Data": b"x" * (1024 * 1024 + 1), "PartitionKey": "k"},
        {"Data": b"x", "PartitionKey": "k", "ExplicitHashKey": str(HASH_KEYS)},
    ],
    ids=["key", "size", "hash-key"],
)
def test_a_record_beyond_the_limits_is_refused(
    kinesis_client: KinesisClient, stream: str, arguments: dict[str, Any]
) -> None:
    code = error_code(kinesis_client.put_record, StreamName=stream, **arguments)

    assert code in ("ValidationException", "InvalidArgumentException")


def test_501_records_are_too_many(kinesis_client: KinesisClient, stream: str) -> None:
    records = [{"Data": b"x", "PartitionKey": "k"}] * 501

    code = error_code(kinesis_client.put_records, StreamName=stream, Records=records)

    assert code == "ValidationException"


def test_a_page_of_10001_records_is_refused(kinesis_client: KinesisClient, stream: str) -> None:
    iterator = kinesis_client.get_shard_iterator(
        StreamName=stream, ShardId=FIRST, ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]

    code = error_code(kinesis_client.get_records, ShardIterator=iterator, Limit=10_001)

    assert code in ("ValidationException", "InvalidArgumentException")


def test_shards_are_listed_in_pages(kinesis_client: KinesisClient, stream: str) -> None:
    first = kinesis_client.list_shards(StreamName=stream, MaxResults=1)
    second = kinesis_client.list_shards(NextToken=first["NextToken"], MaxResults=1)

    assert [shard["ShardId"] for shard in first["Shards"] + second["Shards"]] == [
        FIRST,
        "shardId-000000000001",
    ]
    assert "NextToken" not in second


def test_a_token_excludes_a_name(kinesis_client: KinesisClient, stream: str) -> None:
    token = kinesis_client.list_shards(StreamName=stream, MaxResults=1)["NextToken"]

    code = error_code(kinesis_client.list_shards, StreamName=stream, NextToken=token)

    assert code == "InvalidArgumentException"


def test_a_listing_can_start_behind_a_shard(kinesis_client: KinesisClient, stream: str) -> None:
    found = shards_of(kinesis_client, stream, ExclusiveStartShardId=FIRST)

    assert [shard["ShardId"] for shard in found] == ["shardId-000000000001"]


@pytest.fixture
def split_stream(kinesis_client: KinesisClient, stream: str) -> str:
    """A stream whose first shard holds two records and was split."""
    put(kinesis_client, stream, "1")
    put(kinesis_client, stream, "2")
    kinesis_client.split_shard(
        StreamName=stream, ShardToSplit=FIRST, NewStartingHashKey=str(HASH_KEYS // 4)
    )
    wait_active(kinesis_client, stream)
    return stream


def test_a_split_shard_ends_and_names_its_children(
    kinesis_client: KinesisClient, split_stream: str
) -> None:
    data, last = read_to_the_end(kinesis_client, split_stream, FIRST)

    assert data == ["1", "2"]
    assert [child["ShardId"] for child in last["ChildShards"]] == [
        "shardId-000000000002",
        "shardId-000000000003",
    ]
    assert all(child["ParentShards"] == [FIRST] for child in last["ChildShards"])


def test_children_share_the_range_of_their_parent(
    kinesis_client: KinesisClient, split_stream: str
) -> None:
    shards = {shard["ShardId"]: shard for shard in shards_of(kinesis_client, split_stream)}
    left, right = shards["shardId-000000000002"], shards["shardId-000000000003"]

    assert left["ParentShardId"] == right["ParentShardId"] == FIRST
    assert left["HashKeyRange"]["StartingHashKey"] == "0"
    assert int(left["HashKeyRange"]["EndingHashKey"]) == HASH_KEYS // 4 - 1
    assert int(right["HashKeyRange"]["StartingHashKey"]) == HASH_KEYS // 4


def test_a_child_starts_above_its_parents_end(
    kinesis_client: KinesisClient, split_stream: str
) -> None:
    shards = {shard["ShardId"]: shard for shard in shards_of(kinesis_client, split_stream)}
    end = int(shards[FIRST]["SequenceNumberRange"]["EndingSequenceNumber"])
    child = shards["shardId-000000000002"]["SequenceNumberRange"]

    assert end > int(shards[FIRST]["SequenceNumberRange"]["StartingSequenceNumber"])
    assert int(child["StartingSequenceNumber"]) > end
    assert "EndingSequenceNumber" not in child


def test_a_closed_shard_is_not_split_again(
    kinesis_client: KinesisClient, split_stream: str
) -> None:
    code = error_code(
        kinesis_client.split_shard,
        StreamName=split_stream,
        ShardToSplit=FIRST,
        NewStartingHashKey="1000",
    )

    assert code in ("ResourceInUseException", "InvalidArgumentException")


def test_merged_shards_end_in_one_child(kinesis_client: KinesisClient, stream: str) -> None:
    kinesis_client.merge_shards(
        StreamName=stream, ShardToMerge=FIRST, AdjacentShardToMerge="shardId-000000000001"
    )
    wait_active(kinesis_client, stream)

    child = {shard["ShardId"]: shard for shard in shards_of(kinesis_client, stream)}[
        "shardId-000000000002"
    ]
    _, last = read_to_the_end(kinesis_client, stream, FIRST)

    assert {child["ParentShardId"], child["AdjacentParentShardId"]} == {
        FIRST,
        "shardId-000000000001",
    }
    assert set(last["ChildShards"][0]["ParentShards"]) == {FIRST, "shardId-000000000001"}


def test_a_split_outside_the_range_is_refused(kinesis_client: KinesisClient, stream: str) -> None:
    code = error_code(
        kinesis_client.split_shard,
        StreamName=stream,
        ShardToSplit=FIRST,
        NewStartingHashKey=str(HASH_KEYS - 1),
    )

    assert code == "InvalidArgumentException"


@pytest.mark.parametrize(
    ("shard_filter", "expected"),
    [
        ({"Type": "AT_LATEST"}, [1, 2, 3]),
        ({"Type": "FROM_TRIM_HORIZON"}, [0, 1, 2, 3]),
        ({"Type": "AT_TRIM_HORIZON"}, [0, 1]),
        ({"Type": "AFTER_SHARD_ID", "ShardId": "shardId-000000000001"}, [2, 3]),
    ],
    ids=lambda value: value["Type"] if isinstance(value, dict) else "",
)
def test_a_listing_can_be_filtered(
    kinesis_client: KinesisClient, split_stream: str, shard_filter: Any, expected: list[int]
) -> None:
    found = shards_of(kinesis_client, split_stream, ShardFilter=shard_filter)

    assert sorted(shard["ShardId"] for shard in found) == [f"shardId-{n:012d}" for n in expected]


def test_retention_grows_and_shrinks(kinesis_client: KinesisClient, stream: str) -> None:
    kinesis_client.increase_stream_retention_period(StreamName=stream, RetentionPeriodHours=48)
    wait_active(kinesis_client, stream)
    kinesis_client.decrease_stream_retention_period(StreamName=stream, RetentionPeriodHours=36)
    wait_active(kinesis_client, stream)

    summary = kinesis_client.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]
    assert summary["RetentionPeriodHours"] == 36


def test_tags_come_and_go(kinesis_client: KinesisClient, stream: str) -> None:
    kinesis_client.add_tags_to_stream(StreamName=stream, Tags={"a": "1", "b": "2"})
    kinesis_client.remove_tags_from_stream(StreamName=stream, TagKeys=["a"])

    assert kinesis_client.list_tags_for_stream(StreamName=stream)["Tags"] == [
        {"Key": "b", "Value": "2"}
    ]


def test_a_deleted_stream_is_gone(kinesis_client: KinesisClient, new_name: str) -> None:
    kinesis_client.create_stream(StreamName=new_name, ShardCount=1)
    wait_active(kinesis_client, new_name)

    kinesis_client.delete_stream(StreamName=new_name)

    until = time.monotonic() + 20
    while new_name in kinesis_client.list_streams()["StreamNames"]:
        assert time.monotonic() < until
        time.sleep(0.02)
    code = error_code(kinesis_client.describe_stream_summary, StreamName=new_name)
    assert code == "ResourceNotFoundException"


def summary_of(client: KinesisClient, name: str) -> Any:
    return client.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]


def test_tags_are_one_set_for_both_families(kinesis_client: KinesisClient, stream: str) -> None:
    arn = summary_of(kinesis_client, stream)["StreamARN"]
    kinesis_client.tag_resource(ResourceARN=arn, Tags={"a": "1", "b": "2"})
    kinesis_client.untag_resource(ResourceARN=arn, TagKeys=["a"])
    kinesis_client.add_tags_to_stream(StreamName=stream, Tags={"c": "3"})

    tags = kinesis_client.list_tags_for_resource(ResourceARN=arn)["Tags"]
    assert sorted(tag["Key"] for tag in tags) == ["b", "c"]


def test_fifty_one_tags_are_too_many(kinesis_client: KinesisClient, stream: str) -> None:
    tags = {f"k{number}": "v" for number in range(51)}

    code = error_code(kinesis_client.add_tags_to_stream, StreamName=stream, Tags=tags)

    assert code in ("LimitExceededException", "InvalidArgumentException")


def test_all_metrics_are_named_one_by_one(kinesis_client: KinesisClient, stream: str) -> None:
    kinesis_client.enable_enhanced_monitoring(StreamName=stream, ShardLevelMetrics=["ALL"])
    wait_active(kinesis_client, stream)
    after = summary_of(kinesis_client, stream)["EnhancedMonitoring"][0]["ShardLevelMetrics"]
    kinesis_client.disable_enhanced_monitoring(StreamName=stream, ShardLevelMetrics=["ALL"])
    wait_active(kinesis_client, stream)

    assert len(set(after)) == 7
    assert "ALL" not in after
    assert not any(
        level["ShardLevelMetrics"]
        for level in summary_of(kinesis_client, stream)["EnhancedMonitoring"]
    )


def test_encryption_starts_and_stops(kinesis_client: KinesisClient, stream: str) -> None:
    key = "arn:aws:kms:us-east-1:000000000000:key/12345678-1234-1234-1234-123456789012"
    kinesis_client.start_stream_encryption(StreamName=stream, EncryptionType="KMS", KeyId=key)
    wait_active(kinesis_client, stream)
    started = summary_of(kinesis_client, stream)
    put_ = kinesis_client.put_record(StreamName=stream, Data=b"x", PartitionKey="k")
    kinesis_client.stop_stream_encryption(StreamName=stream, EncryptionType="KMS", KeyId=key)
    wait_active(kinesis_client, stream)

    assert (started["EncryptionType"], started["KeyId"]) == ("KMS", key)
    assert put_["EncryptionType"] == "KMS"
    assert summary_of(kinesis_client, stream).get("EncryptionType", "NONE") == "NONE"


def test_an_on_demand_stream_has_four_shards(kinesis_client: KinesisClient, new_name: str) -> None:
    kinesis_client.create_stream(StreamName=new_name, StreamModeDetails={"StreamMode": "ON_DEMAND"})
    wait_active(kinesis_client, new_name)
    summary = summary_of(kinesis_client, new_name)
    kinesis_client.delete_stream(StreamName=new_name)

    assert summary["OpenShardCount"] == 4
    assert summary["StreamModeDetails"]["StreamMode"] == "ON_DEMAND"


def test_the_mode_of_a_stream_changes(kinesis_client: KinesisClient, stream: str) -> None:
    kinesis_client.update_stream_mode(
        StreamARN=summary_of(kinesis_client, stream)["StreamARN"],
        StreamModeDetails={"StreamMode": "ON_DEMAND"},
    )
    wait_active(kinesis_client, stream)

    assert summary_of(kinesis_client, stream)["StreamModeDetails"]["StreamMode"] == "ON_DEMAND"


@pytest.mark.parametrize("targets", [[4], [1], [3], [3, 2], [4, 6, 3]], ids=str)
def test_shards_are_scaled_to_equal_ones(
    kinesis_client: KinesisClient, stream: str, targets: list[int]
) -> None:
    for target in targets:
        answer = kinesis_client.update_shard_count(
            StreamName=stream, TargetShardCount=target, ScalingType="UNIFORM_SCALING"
        )
        assert answer["TargetShardCount"] == target
        wait_active(kinesis_client, stream)

    opened = sorted(
        (int(shard["HashKeyRange"]["StartingHashKey"]), int(shard["HashKeyRange"]["EndingHashKey"]))
        for shard in shards_of(kinesis_client, stream)
        if "EndingSequenceNumber" not in shard["SequenceNumberRange"]
    )
    assert len(opened) == targets[-1]
    assert (opened[0][0], opened[-1][1]) == (0, HASH_KEYS - 1)
    assert all(one[1] + 1 == other[0] for one, other in pairwise(opened))
    widths = [last - first for first, last in opened]
    assert max(widths) - min(widths) <= HASH_KEYS // 1_000_000


def test_more_than_double_is_too_far(kinesis_client: KinesisClient, stream: str) -> None:
    code = error_code(
        kinesis_client.update_shard_count,
        StreamName=stream,
        TargetShardCount=5,
        ScalingType="UNIFORM_SCALING",
    )

    assert code in ("LimitExceededException", "InvalidArgumentException")


def test_the_size_of_records_can_be_raised(kinesis_client: KinesisClient, stream: str) -> None:
    client: Any = kinesis_client  # types of older stubs do not know it
    client.update_max_record_size(
        StreamARN=summary_of(client, stream)["StreamARN"], MaxRecordSizeInKiB=2048
    )
    wait_active(client, stream)

    assert summary_of(client, stream)["MaxRecordSizeInKiB"] == 2048
    client.put_record(StreamName=stream, Data=b"x" * 2_000_000, PartitionKey="k")


def test_an_account_has_limits(kinesis_client: KinesisClient, stream: str) -> None:
    limits = kinesis_client.describe_limits()

    assert limits["OpenShardCount"] >= 2
    assert limits["ShardLimit"] >= limits["OpenShardCount"]
    assert limits["OnDemandStreamCountLimit"] >= 0
