"""The fourth tutorial as whoever learned boto3 writes it: put_records, and what it refuses."""

from __future__ import annotations

import json
import time
from typing import Any

import boto3

kinesis: Any = boto3.client("kinesis")
kinesis.create_stream(StreamName="batches", ShardCount=1)
while (
    kinesis.describe_stream(StreamName="batches")["StreamDescription"]["StreamStatus"] != "ACTIVE"
):
    time.sleep(0.05)


def entries(count: int) -> list[dict[str, Any]]:
    return [
        {"Data": json.dumps({"order": n}), "PartitionKey": f"customer-{n % 7}"}
        for n in range(count)
    ]


def put_group(group: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Put at once what may go at once; return what was refused."""
    answer = kinesis.put_records(StreamName="batches", Records=group)
    results = answer["Records"]
    refused = [entry for entry, result in zip(group, results, strict=True) if "ErrorCode" in result]
    assert len(refused) == answer["FailedRecordCount"]
    for result in results:
        if "ErrorCode" in result:
            assert result["ErrorCode"] == "ProvisionedThroughputExceededException"
        else:
            assert result["ShardId"]
    return refused


def count_records() -> int:
    [shard] = kinesis.list_shards(StreamName="batches")["Shards"]
    iterator = kinesis.get_shard_iterator(
        StreamName="batches", ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    count = 0
    while True:
        answer = kinesis.get_records(ShardIterator=iterator, Limit=1000)
        count += len(answer["Records"])
        if answer["MillisBehindLatest"] == 0:
            return count
        iterator = answer["NextShardIterator"]
        time.sleep(0.2)  # five reads a second are allowed


# ---------------------------------------------------------------------------------- groups of five
group: list[dict[str, Any]] = []
for entry in entries(20):
    group.append(entry)
    if len(group) == 5:
        assert put_group(group) == []
        group = []

# -------------------------------------------- groups of 500, faster than the shard takes them
refused_ever = 0
for start in range(0, 1500, 500):
    left = entries(1500)[start : start + 500]
    while left := put_group(left):
        refused_ever += len(left)
        time.sleep(0.25)
print("refused at first:", refused_ever)
assert count_records() == 1520

# ------------------------------------------------------------------------------ what is too much
try:
    kinesis.put_records(StreamName="batches", Records=entries(501))
except kinesis.exceptions.ClientError as error:
    print(error.response["Error"]["Code"])
else:
    raise AssertionError("501 records are too many")

# -------------------------------------------------------------------------------------- delete it
kinesis.delete_stream(StreamName="batches")
while True:
    try:
        kinesis.describe_stream(StreamName="batches")
    except kinesis.exceptions.ResourceNotFoundException:
        break
    time.sleep(0.05)
assert kinesis.list_streams()["StreamNames"] == []

print("done")
