"""The second tutorial as whoever learned boto3 writes it: puts in a loop, reads in a loop."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from threading import Thread
from typing import Any

import boto3

USERS = 40
LIMIT = 5

kinesis: Any = boto3.client("kinesis")
kinesis.create_stream(StreamName="users", ShardCount=2)
while kinesis.describe_stream(StreamName="users")["StreamDescription"]["StreamStatus"] != "ACTIVE":
    time.sleep(0.05)


def put_users(count: int) -> list[int]:
    ages: list[int] = []
    for number in range(count):
        gender = random.choice(["female", "male"])
        age = random.randint(1, 99)
        user = {"name": f"user {number}", "age": age, "gender": gender}
        kinesis.put_record(StreamName="users", Data=json.dumps(user), PartitionKey=f"user {number}")
        ages.append(age)
    return ages


def read_ages(shard_id: str, wanted: int) -> Iterator[int]:
    """Some at a time, until so many were read or the shard has no more for now."""
    iterator = kinesis.get_shard_iterator(
        StreamName="users", ShardId=shard_id, ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    read = 0
    while read < wanted:
        answer = kinesis.get_records(ShardIterator=iterator, Limit=LIMIT)
        assert len(answer["Records"]) <= LIMIT
        for record in answer["Records"]:
            yield json.loads(record["Data"])["age"]
        read += len(answer["Records"])
        if not answer["Records"] and answer["MillisBehindLatest"] == 0:
            return
        iterator = answer["NextShardIterator"]
        time.sleep(0.2)  # five reads a second are allowed


shard_ids = [shard["ShardId"] for shard in kinesis.list_shards(StreamName="users")["Shards"]]

# ---------------------------------------------------------------------- one loop after the other
put = put_users(USERS)
seen = [age for shard_id in shard_ids for age in read_ages(shard_id, USERS)]
assert sorted(seen) == sorted(put)
print("average age", sum(seen) / len(seen))

# ----------------------------------------------------- two readers at once, one for each shard
live: list[int] = []
threads = [
    Thread(target=lambda shard_id=shard_id: live.extend(read_ages(shard_id, USERS)))
    for shard_id in shard_ids
]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert sorted(live) == sorted(put)

print("done")
