"""The third tutorial as whoever learned boto3 writes it: split in the middle, fill, merge."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import boto3

kinesis: Any = boto3.client("kinesis")


def wait_active() -> None:
    while True:
        stream = kinesis.describe_stream(StreamName="growing")["StreamDescription"]
        if stream["StreamStatus"] == "ACTIVE":
            return
        time.sleep(0.05)


def shards() -> dict[str, Any]:
    listed = kinesis.describe_stream(StreamName="growing")["StreamDescription"]["Shards"]
    return {shard["ShardId"]: shard for shard in listed}


def put(count: int) -> Counter[str]:
    return Counter(
        kinesis.put_record(StreamName="growing", Data=b"x", PartitionKey=f"key {number}")["ShardId"]
        for number in range(count)
    )


def read_to_the_end(shard_id: str) -> tuple[int, list[str]]:
    """How many records a closed shard has, and what its children are."""
    answer: Any = kinesis.get_shard_iterator(
        StreamName="growing", ShardId=shard_id, ShardIteratorType="TRIM_HORIZON"
    )
    iterator, count = answer["ShardIterator"], 0
    while iterator is not None:
        answer = kinesis.get_records(ShardIterator=iterator)
        count += len(answer["Records"])
        iterator = answer.get("NextShardIterator")
    return count, [child["ShardId"] for child in answer["ChildShards"]]


kinesis.create_stream(StreamName="growing", ShardCount=1)
wait_active()
[(parent, about)] = shards().items()
assert put(10) == {parent: 10}

# ---------------------------------------------------------------------------- split in the middle
keys = about["HashKeyRange"]
middle = (int(keys["StartingHashKey"]) + int(keys["EndingHashKey"]) + 1) // 2
kinesis.split_shard(StreamName="growing", ShardToSplit=parent, NewStartingHashKey=str(middle))
wait_active()
children = [key for key, shard in shards().items() if shard.get("ParentShardId") == parent]
assert len(children) == 2
assert "EndingSequenceNumber" in shards()[parent]["SequenceNumberRange"]

# --------------------------------------------------------------------------- both children fill
filled = put(40)
assert set(filled) == set(children)
assert read_to_the_end(parent) == (10, children)

# ------------------------------------------------------------------------------------------ merge
kinesis.merge_shards(
    StreamName="growing", ShardToMerge=children[0], AdjacentShardToMerge=children[1]
)
wait_active()
assert read_to_the_end(children[0])[0] == filled[children[0]]
[merged] = read_to_the_end(children[1])[1]
assert shards()[merged]["ParentShardId"] == children[0]
assert shards()[merged]["AdjacentParentShardId"] == children[1]
assert put(5) == {merged: 5}

print("done")
