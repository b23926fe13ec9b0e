"""The fifth tutorial as whoever learned boto3 writes it: four shards, all iterators, settings."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from hashlib import md5
from pathlib import Path
from typing import Any

import boto3

NAMES = ("Anna", "Bert", "Cleo", "Dora", "Emil", "Fay", "Gus", "Hedi")

kinesis: Any = boto3.client("kinesis")


def describe() -> Any:
    return kinesis.describe_stream_summary(StreamName="family")["StreamDescriptionSummary"]


def wait_active() -> None:
    while describe()["StreamStatus"] != "ACTIVE":
        time.sleep(0.05)


def open_shards() -> dict[str, tuple[int, int]]:
    """Hash keys by shard."""
    return {
        shard["ShardId"]: (
            int(shard["HashKeyRange"]["StartingHashKey"]),
            int(shard["HashKeyRange"]["EndingHashKey"]),
        )
        for shard in kinesis.list_shards(StreamName="family")["Shards"]
        if "EndingSequenceNumber" not in shard["SequenceNumberRange"]
    }


def shard_of(key: str) -> str:
    place = int(md5(key.encode()).hexdigest(), 16)
    [found] = [name for name, (low, high) in open_shards().items() if low <= place <= high]
    return found


def read(kind: str, **where: Any) -> list[int]:
    """What Anna put, from some place on."""
    iterator = kinesis.get_shard_iterator(
        StreamName="family", ShardId=shard_of("Anna"), ShardIteratorType=kind, **where
    )["ShardIterator"]
    records = kinesis.get_records(ShardIterator=iterator)["Records"]
    people = [json.loads(record["Data"]) for record in records]
    return [person["nth"] for person in people if person["name"] == "Anna"]


# ----------------------------------------------------------------------- four shards, eight names
kinesis.create_stream(StreamName="family", ShardCount=4)
wait_active()
begun = datetime.now(UTC)
puts = {}
for nth in (1, 2):
    for name in NAMES:
        person = json.dumps({"name": name, "nth": nth})
        put = kinesis.put_record(StreamName="family", Data=person, PartitionKey=name)
        assert put["ShardId"] == shard_of(name)
        puts[name, nth] = put["SequenceNumber"]

# --------------------------------------------------------------------------- five kinds of iterator
assert read("TRIM_HORIZON") == [1, 2]
assert read("LATEST") == []
assert read("AT_SEQUENCE_NUMBER", StartingSequenceNumber=puts["Anna", 1]) == [1, 2]
assert read("AFTER_SEQUENCE_NUMBER", StartingSequenceNumber=puts["Anna", 1]) == [2]
assert read("AT_TIMESTAMP", Timestamp=begun - timedelta(seconds=1)) == [1, 2]

# ------------------------------------------------------------------- merge the first two, split one
first, second, third, _ = sorted(open_shards())
kinesis.merge_shards(StreamName="family", ShardToMerge=first, AdjacentShardToMerge=second)
wait_active()
low, high = open_shards()[third]
kinesis.split_shard(
    StreamName="family", ShardToSplit=third, NewStartingHashKey=str((low + high + 1) // 2)
)
wait_active()
assert len(open_shards()) == 4
assert not {first, second, third} & set(open_shards())

# ------------------------------------------------------------------- retention, tags, monitoring
kinesis.increase_stream_retention_period(StreamName="family", RetentionPeriodHours=48)
wait_active()
assert describe()["RetentionPeriodHours"] == 48
kinesis.decrease_stream_retention_period(StreamName="family", RetentionPeriodHours=24)
wait_active()
assert describe()["RetentionPeriodHours"] == 24

kinesis.add_tags_to_stream(StreamName="family", Tags={"team": "genealogy", "stage": "test"})
kinesis.remove_tags_from_stream(StreamName="family", TagKeys=["stage"])
tags = kinesis.list_tags_for_stream(StreamName="family")["Tags"]
assert tags == [{"Key": "team", "Value": "genealogy"}]

wanted = ["IncomingRecords", "OutgoingRecords"]
kinesis.enable_enhanced_monitoring(StreamName="family", ShardLevelMetrics=wanted)
wait_active()
assert sorted(describe()["EnhancedMonitoring"][0]["ShardLevelMetrics"]) == wanted
kinesis.disable_enhanced_monitoring(StreamName="family", ShardLevelMetrics=["ALL"])
wait_active()

# ------------------------------------------------------------------- questions with missing values
questions = json.loads(Path("questions.json").read_text(encoding="utf-8"))
records = [
    {"Data": json.dumps(each), "PartitionKey": each.get("topic") or str(each["id"])}
    for each in questions
]
answer = kinesis.put_records(StreamName="family", Records=records)
assert answer["FailedRecordCount"] == 0
assert [each["ShardId"] for each in answer["Records"]] == [
    shard_of(each["PartitionKey"]) for each in records
]

kinesis.delete_stream(StreamName="family", EnforceConsumerDeletion=True)
kinesis.get_waiter("stream_not_exists").wait(
    StreamName="family", WaiterConfig={"Delay": 1, "MaxAttempts": 30}
)

print("done")
