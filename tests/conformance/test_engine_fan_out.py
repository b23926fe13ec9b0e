"""Does an engine register consumers and push to them as the service does?"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient

HASH_KEYS = 2**128
FIRST = "shardId-000000000000"
EVENTS_MAX = 100
LOOKS = 60


def error_code(call: Callable[..., object], **arguments: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]["Code"]


def wait_active(ask: Callable[[], str]) -> None:
    until = time.monotonic() + 20
    while ask() != "ACTIVE":
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.fixture
def arn(kinesis_client: KinesisClient, new_name: str) -> Iterator[str]:
    """Of a stream with one shard."""

    def status() -> str:
        summary = kinesis_client.describe_stream_summary(StreamName=new_name)
        return summary["StreamDescriptionSummary"]["StreamStatus"]

    kinesis_client.create_stream(StreamName=new_name, ShardCount=1)
    wait_active(status)
    summary = kinesis_client.describe_stream_summary(StreamName=new_name)
    yield summary["StreamDescriptionSummary"]["StreamARN"]
    with contextlib.suppress(kinesis_client.exceptions.ResourceNotFoundException):
        kinesis_client.delete_stream(StreamName=new_name, EnforceConsumerDeletion=True)


@pytest.fixture
def consumer(kinesis_client: KinesisClient, arn: str) -> str:
    """The ARN of an ACTIVE consumer of that stream."""
    made = kinesis_client.register_stream_consumer(StreamARN=arn, ConsumerName="c")["Consumer"]

    def status() -> str:
        described = kinesis_client.describe_stream_consumer(ConsumerARN=made["ConsumerARN"])
        return described["ConsumerDescription"]["ConsumerStatus"]

    wait_active(status)
    return made["ConsumerARN"]


def test_a_consumer_tells_what_it_is(
    kinesis_client: KinesisClient, arn: str, consumer: str
) -> None:
    by_name = kinesis_client.describe_stream_consumer(StreamARN=arn, ConsumerName="c")
    by_arn = kinesis_client.describe_stream_consumer(ConsumerARN=consumer)

    described = by_name["ConsumerDescription"]
    assert described == by_arn["ConsumerDescription"]
    assert (described["ConsumerName"], described["StreamARN"]) == ("c", arn)
    made_at = int(described["ConsumerCreationTimestamp"].timestamp())
    assert consumer == f"{arn}/consumer/c:{made_at}"


def test_a_consumer_is_registered_once(
    kinesis_client: KinesisClient, arn: str, consumer: str
) -> None:
    code = error_code(kinesis_client.register_stream_consumer, StreamARN=arn, ConsumerName="c")

    assert code == "ResourceInUseException"


def test_consumers_are_listed_and_leave(
    kinesis_client: KinesisClient, arn: str, consumer: str
) -> None:
    listed = kinesis_client.list_stream_consumers(StreamARN=arn)["Consumers"]
    kinesis_client.deregister_stream_consumer(ConsumerARN=consumer)
    until = time.monotonic() + 20
    while kinesis_client.list_stream_consumers(StreamARN=arn)["Consumers"]:
        assert time.monotonic() < until
        time.sleep(0.02)

    assert [one["ConsumerARN"] for one in listed] == [consumer]
    code = error_code(kinesis_client.describe_stream_consumer, ConsumerARN=consumer)
    assert code == "ResourceNotFoundException"


def test_a_stream_with_consumers_is_not_deleted_by_the_way(
    kinesis_client: KinesisClient, arn: str, consumer: str
) -> None:
    code = error_code(kinesis_client.delete_stream, StreamName=arn.rpartition("/")[2])

    assert code == "ResourceInUseException"
    # More than once: who deletes it all the same may take a moment.
    for _ in range(LOOKS):
        summary = kinesis_client.describe_stream_summary(StreamARN=arn)["StreamDescriptionSummary"]
        assert summary["StreamStatus"] == "ACTIVE"


def events_of(client: Any, consumer: str, **position: Any) -> Iterator[Any]:
    answer = client.subscribe_to_shard(
        ConsumerARN=consumer, ShardId=FIRST, StartingPosition=position
    )
    stream = answer["EventStream"]
    try:
        for number, event in enumerate(stream):
            assert number < EVENTS_MAX
            yield event["SubscribeToShardEvent"]
    finally:
        stream.close()


def test_records_are_pushed(kinesis_client: KinesisClient, arn: str, consumer: str) -> None:
    for data in (b"1", b"2"):
        kinesis_client.put_record(StreamARN=arn, Data=data, PartitionKey="k")
    found: list[bytes] = []
    for event in events_of(kinesis_client, consumer, Type="TRIM_HORIZON"):
        found += [record["Data"] for record in event["Records"]]
        assert event["ContinuationSequenceNumber"]
        if len(found) == 2:
            break

    assert found == [b"1", b"2"]


def test_a_second_subscription_comes_too_soon(
    kinesis_client: KinesisClient, arn: str, consumer: str
) -> None:
    kinesis_client.put_record(StreamARN=arn, Data=b"x", PartitionKey="k")
    events = events_of(kinesis_client, consumer, Type="TRIM_HORIZON")
    next(events)

    code = error_code(
        kinesis_client.subscribe_to_shard,
        ConsumerARN=consumer,
        ShardId=FIRST,
        StartingPosition={"Type": "LATEST"},
    )
    events.close()  # type: ignore[attr-defined]  # it is a generator

    assert code == "ResourceInUseException"


def test_a_closed_shard_ends_with_its_children(
    kinesis_client: KinesisClient, arn: str, consumer: str
) -> None:
    kinesis_client.put_record(StreamARN=arn, Data=b"last", PartitionKey="k")
    kinesis_client.split_shard(
        StreamARN=arn, ShardToSplit=FIRST, NewStartingHashKey=str(HASH_KEYS // 2)
    )

    events = list(events_of(kinesis_client, consumer, Type="TRIM_HORIZON"))

    assert [r["Data"] for event in events for r in event["Records"]] == [b"last"]
    assert sorted(child["ShardId"] for child in events[-1]["ChildShards"]) == [
        "shardId-000000000001",
        "shardId-000000000002",
    ]
    assert not events[-1].get("ContinuationSequenceNumber")
