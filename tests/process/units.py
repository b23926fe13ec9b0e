"""What does a quiet fleet cost in DynamoDB units? A command that anyone can run.

    python -m tests.process.units --workers 2 --shards 4 --duration 10 --seconds 60

The workers run as threads of this process against the embedded engine, which computes units from
item sizes by the published rules. Prints one JSON object: units per second of the whole fleet, and
per shard and hour. Settled state only: starting is not counted.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import time
from collections.abc import Sequence
from typing import Any, Final

from kcl_py import Batch, LeaseConfig, Worker, WorkerConfig
from kcl_py.aws import tools
from kcl_py.local.environment import ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY
from kcl_py.local.process import EngineProcess

SETTLE_SECONDS_MAX: Final = 300.0
PUT_SECONDS: Final = 1.0


def take(batch: Batch) -> None:
    for record in batch:
        _ = record.sequence_number


def sessions() -> Any:
    import boto3.session

    return boto3.session.Session(
        aws_access_key_id=ACCESS_KEY_ID,
        aws_secret_access_key=SECRET_ACCESS_KEY,
        region_name=REGION,
    )


def start(engine: EngineProcess, count: int, shards: int, duration: float) -> list[Worker]:
    """A stream, and workers that share it, all settled."""
    kinesis = tools.make_client("kinesis", session=sessions(), endpoint_url=engine.endpoint_url)
    kinesis.create_stream(StreamName="people", ShardCount=shards)
    config = WorkerConfig(
        kinesis_endpoint_url=engine.endpoint_url,
        dynamodb_endpoint_url=engine.endpoint_url,
        leases=LeaseConfig(duration=duration),
    )
    workers = [
        Worker(app_name="units", stream="people", processor=take, config=config, session=sessions())
        for _ in range(count)
    ]
    for worker in workers:
        worker.start()
    patience = time.monotonic() + SETTLE_SECONDS_MAX
    while not is_settled(workers, shards):
        assert time.monotonic() < patience, [worker.status().state for worker in workers]
        time.sleep(0.5)
    return workers


def is_settled(workers: Sequence[Worker], shards: int) -> bool:
    counts = [len(worker.status().shards) for worker in workers]
    return sum(counts) == shards and max(counts) - min(counts) <= 1


def units(workers: Sequence[Worker]) -> tuple[float, float]:
    found = [worker.status() for worker in workers]
    return (
        sum(status.dynamodb_read_units for status in found),
        sum(status.dynamodb_write_units for status in found),
    )


def measure(engine: EngineProcess, workers: Sequence[Worker], seconds: float) -> dict[str, float]:
    """Units per second while records flow, a batch to all shards each second."""
    kinesis = tools.make_client("kinesis", session=sessions(), endpoint_url=engine.endpoint_url)
    reads, writes = units(workers)
    begun = time.monotonic()
    number = 0
    while time.monotonic() - begun < seconds:
        number += 1
        records = [{"Data": b"{}", "PartitionKey": f"{number}-{index}"} for index in range(100)]
        kinesis.put_records(StreamName="people", Records=records)
        time.sleep(PUT_SECONDS)
    reads_now, writes_now = units(workers)
    took = time.monotonic() - begun
    return {"read": (reads_now - reads) / took, "write": (writes_now - writes) / took}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.process.units")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--shards", type=int, default=4)
    parser.add_argument("--duration", type=float, default=10.0, help="of leases, seconds")
    parser.add_argument("--seconds", type=float, default=60.0, help="of measuring")
    options = parser.parse_args()
    with contextlib.ExitStack() as exits:
        engine = exits.enter_context(EngineProcess())
        workers = start(engine, options.workers, options.shards, options.duration)
        for worker in workers:
            exits.callback(worker.join)
        for worker in workers:
            exits.callback(worker.request_stop)
        found = measure(engine, workers, options.seconds)
    answer = vars(options) | {
        f"{kind}_units_per_second": round(value, 3) for kind, value in found.items()
    }
    answer |= {
        f"{kind}_units_per_shard_hour": round(value * 3600 / options.shards, 1)
        for kind, value in found.items()
    }
    sys.stdout.write(json.dumps(answer) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
