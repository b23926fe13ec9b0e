"""The first tutorial as whoever learned boto3 writes it: one stream, one record, two iterators."""

from __future__ import annotations

import json
import time
from typing import Any

import boto3

kinesis: Any = boto3.client("kinesis")

# ------------------------------------------------------------- create, and wait until it is ACTIVE
kinesis.create_stream(StreamName="first", ShardCount=1)
while True:
    stream = kinesis.describe_stream(StreamName="first")["StreamDescription"]
    if stream["StreamStatus"] == "ACTIVE":
        break
    time.sleep(0.05)
assert kinesis.list_streams()["StreamNames"] == ["first"]
assert stream["RetentionPeriodHours"] == 24
[shard] = stream["Shards"]
assert shard["HashKeyRange"] == {"StartingHashKey": "0", "EndingHashKey": str(2**128 - 1)}
# The waiter of boto3 asks, and returns at once.
kinesis.get_waiter("stream_exists").wait(StreamName="first")


def iterator(kind: str) -> Any:
    return kinesis.get_shard_iterator(
        StreamName="first", ShardId=shard["ShardId"], ShardIteratorType=kind
    )["ShardIterator"]


# ---------------------------------------------------------------------------------- put one record
ada = {"name": "Ada", "age": 36}
put = kinesis.put_record(StreamName="first", Data=json.dumps(ada), PartitionKey="Ada")
assert put["ShardId"] == shard["ShardId"]

# ------------------------------------------------------------------------- from the oldest, or not
oldest, newest = iterator("TRIM_HORIZON"), iterator("LATEST")
[record] = kinesis.get_records(ShardIterator=oldest)["Records"]
assert json.loads(record["Data"]) == ada
assert record["SequenceNumber"] == put["SequenceNumber"]
assert record["PartitionKey"] == "Ada"

empty = kinesis.get_records(ShardIterator=newest)
assert empty["Records"] == []
kinesis.put_record(StreamName="first", Data=json.dumps({"name": "Grace"}), PartitionKey="Grace")
[record] = kinesis.get_records(ShardIterator=empty["NextShardIterator"])["Records"]
assert json.loads(record["Data"]) == {"name": "Grace"}

print("done")
