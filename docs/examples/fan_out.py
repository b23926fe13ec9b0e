"""Have records of a shard pushed to you, by enhanced fan-out with plain boto3."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient


def pushed(kinesis: KinesisClient, consumer_arn: str) -> Generator[Any, None, None]:
    subscribed = kinesis.subscribe_to_shard(
        ConsumerARN=consumer_arn,
        ShardId="shardId-000000000000",
        StartingPosition={"Type": "TRIM_HORIZON"},
    )
    with closing(subscribed["EventStream"]) as events:  # also for who wants no more of them
        for event in events:
            yield from event["SubscribeToShardEvent"]["Records"]
