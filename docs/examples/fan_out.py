"""Have records of a shard pushed to you, by enhanced fan-out with plain boto3."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient


def pushed(kinesis: KinesisClient, consumer_arn: str) -> Iterator[Any]:
    subscribed = kinesis.subscribe_to_shard(
        ConsumerARN=consumer_arn,
        ShardId="shardId-000000000000",
        StartingPosition={"Type": "TRIM_HORIZON"},
    )
    for event in subscribed["EventStream"]:
        yield from event["SubscribeToShardEvent"]["Records"]
    subscribed["EventStream"].close()
