"""What do the tests of the models start from? Services with a clock that stands still."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from kcl_py.local.dynamo import Dynamo, DynamoSettings
from kcl_py.local.errors import AwsError
from kcl_py.local.kinesis import Kinesis, KinesisSettings

START = 1_790_000_000.0
FIRST = "shardId-000000000000"
SECOND = "shardId-000000000001"
HASH_KEYS = 2**128


class Clock:
    """Time that passes only when told."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


class KinesisWorld:
    """A Kinesis model with an ACTIVE stream `s`."""

    def __init__(self, shards: int = 1, **settings: Any) -> None:
        self.clock = Clock()
        self.model = Kinesis(
            self.clock, random.Random(0), KinesisSettings(**({"limits": False} | settings))
        )
        self.call("CreateStream", StreamName="s", ShardCount=shards)
        self.clock.advance(1)

    def call(self, operation: str, **request: Any) -> dict[str, Any]:
        return self.model.call(operation, request)

    def put(self, data: bytes = b"x", hash_key: int = 0) -> str:
        answer = self.call(
            "PutRecord",
            StreamName="s",
            Data=data,
            PartitionKey="k",
            ExplicitHashKey=str(hash_key),
        )
        number: str = answer["SequenceNumber"]
        return number

    def iterator(self, kind: str = "TRIM_HORIZON", shard: str = FIRST, **more: Any) -> str:
        answer = self.call(
            "GetShardIterator", StreamName="s", ShardId=shard, ShardIteratorType=kind, **more
        )
        iterator: str = answer["ShardIterator"]
        return iterator

    def page(self, iterator: str, **more: Any) -> dict[str, Any]:
        return self.call("GetRecords", ShardIterator=iterator, **more)

    def read(self, kind: str = "TRIM_HORIZON", **more: Any) -> list[bytes]:
        return [record["Data"] for record in self.page(self.iterator(kind, **more))["Records"]]

    def split(self, shard: str, border: int) -> None:
        self.call("SplitShard", StreamName="s", ShardToSplit=shard, NewStartingHashKey=str(border))
        self.clock.advance(1)

    def merge(self, one: str, other: str) -> None:
        self.call("MergeShards", StreamName="s", ShardToMerge=one, AdjacentShardToMerge=other)
        self.clock.advance(1)

    def shards(self, **more: Any) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = self.call("ListShards", StreamName="s", **more)["Shards"]
        return listed

    def shard_ids(self, **more: Any) -> list[str]:
        return [shard["ShardId"] for shard in self.shards(**more)]


class DynamoWorld:
    """A DynamoDB model with an ACTIVE table `leases`, keyed by `id`, with an index `ByOwner`."""

    def __init__(self, stale: Callable[[], float] | None = None) -> None:
        self.clock = Clock()
        self.model = Dynamo(self.clock, random.Random(0), DynamoSettings(), stale=stale)
        self.call(
            "CreateTable",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[
                {"AttributeName": "id", "AttributeType": "S"},
                {"AttributeName": "holder", "AttributeType": "S"},
            ],
            BillingMode="PAY_PER_REQUEST",
            GlobalSecondaryIndexes=[
                {
                    "IndexName": "ByOwner",
                    "KeySchema": [{"AttributeName": "holder", "KeyType": "HASH"}],
                    "Projection": {"ProjectionType": "KEYS_ONLY"},
                }
            ],
        )
        self.clock.advance(1)

    def call(self, operation: str, **request: Any) -> dict[str, Any]:
        return self.model.call(operation, {"TableName": "leases", **request})

    def raw(self, operation: str, **request: Any) -> dict[str, Any]:
        return self.model.call(operation, request)

    def put(self, name: str, **attributes: Any) -> dict[str, Any]:
        return self.call("PutItem", Item={"id": {"S": name}, **attributes})

    def get(self, name: str, *, consistent: bool = True) -> dict[str, Any] | None:
        return self.call("GetItem", Key={"id": {"S": name}}, ConsistentRead=consistent).get("Item")

    def update(self, name: str, expression: str, **more: Any) -> dict[str, Any]:
        return self.call("UpdateItem", Key={"id": {"S": name}}, UpdateExpression=expression, **more)

    def owned_by(self, owner: str) -> list[str]:
        page = self.call(
            "Query",
            IndexName="ByOwner",
            KeyConditionExpression="holder = :o",
            ExpressionAttributeValues={":o": {"S": owner}},
        )
        return [item["id"]["S"] for item in page["Items"]]


def refused(call: Callable[..., object], *arguments: Any, **named: Any) -> AwsError:
    """The error that this call ends in."""
    with pytest.raises(AwsError) as caught:
        call(*arguments, **named)
    return caught.value
