"""Make the stream `people` if it is missing, and put so many people into it, or ten."""

from __future__ import annotations

import json
import random
import sys
import time
import uuid

import boto3

STREAM = "people"
NAMES = ("Ada", "Alan", "Barbara", "Edsger", "Frances", "Grace", "Leslie", "Margaret")
AT_ONCE = 100


def make_stream(kinesis, shards: int) -> None:
    try:
        kinesis.create_stream(StreamName=STREAM, ShardCount=shards)
    except kinesis.exceptions.ResourceInUseException:
        return
    while True:
        answer = kinesis.describe_stream_summary(StreamName=STREAM)
        if answer["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE":
            return
        time.sleep(0.2)


def person() -> dict[str, object]:
    age = random.randint(1, 99)
    return {"id": uuid.uuid4().hex, "name": random.choice(NAMES), "age": age}


def put(kinesis, people: list[dict[str, object]]) -> None:
    entries = [{"Data": json.dumps(p).encode(), "PartitionKey": str(p["id"])} for p in people]
    while entries:
        answer = kinesis.put_records(StreamName=STREAM, Records=entries)
        results = zip(entries, answer["Records"], strict=True)
        entries = [entry for entry, result in results if "ErrorCode" in result]


def main(count: int) -> None:
    kinesis = boto3.client("kinesis")
    make_stream(kinesis, shards=4)
    for first in range(0, count, AT_ONCE):
        put(kinesis, [person() for _ in range(min(AT_ONCE, count - first))])
    print(f"put {count} people")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
