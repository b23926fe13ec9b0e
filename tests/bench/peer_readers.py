"""Who else reads the pages? Each peer in its own environment, with user code that does nothing.

    .bench/async-kinesis/bin/python -m tests.bench.peer_readers async-kinesis --stream people ...

Prints what `tests.bench.readers` prints. Of this repository only what needs the standard library
alone may be imported here.
"""

from __future__ import annotations

import argparse
import asyncio
import os
from collections.abc import Callable
from types import MappingProxyType
from typing import Any, Final

from tests.bench.pages import Pages
from tests.bench.task import Task, add_arguments

READS_PER_SECOND: Final = 5
"""Of one shard; the service allows no more."""


def read_kclpy(task: Task, stream: str) -> None:
    """The Python half of amazon_kclpy, whose other half, the Java daemon, costs nothing here.

    Lines come on the standard input as the daemon writes them (`tests.bench.daemon`), so this
    flatters it: what the daemon spends on fetching, decoding and encoding again is left out.
    """
    from amazon_kclpy.kcl import KCLProcess
    from amazon_kclpy.v3.processor import RecordProcessorBase

    class Processor(RecordProcessorBase):  # type: ignore[misc]
        version = 3

        def initialize(self, initialize_input: Any) -> None:
            pass

        def process_records(self, process_records_input: Any) -> None:
            for record in process_records_input.records:
                record.binary_data  # noqa: B018 - a property, which decodes
            task.meter.add(len(process_records_input.records))

    KCLProcess(Processor()).run()


def read_async_kinesis(task: Task, stream: str) -> None:
    """The Consumer of async-kinesis, with checkpoints in memory and records left as bytes."""
    asyncio.run(_consume(task, stream))


async def _consume(task: Task, stream: str) -> None:
    from kinesis import Consumer
    from kinesis.aggregators import SimpleAggregator
    from kinesis.checkpointers import MemoryCheckPointer
    from kinesis.processors import Processor

    class Bytes(Processor, SimpleAggregator):  # type: ignore[misc]
        def deserialize(self, data: bytes) -> bytes:
            return data

    consumer = Consumer(
        stream_name=stream,
        endpoint_url=task.endpoint_url,
        region_name=os.environ["AWS_REGION"],
        max_shard_consumers=task.shards,
        shard_fetch_rate=READS_PER_SECOND,
        checkpointer=MemoryCheckPointer(name="bench"),
        processor=Bytes(),
    )
    left = task.records
    async with consumer:
        async for _ in consumer:
            left -= 1
            if left == 0:  # as others tell the meter: once for each page
                left = task.records
                task.meter.add(task.records)
                if task.meter.ended.is_set():
                    return


def read_orjson(task: Task, stream: str) -> None:
    """What orjson and pybase64 make of a body in memory: a dictionary with bytes per record."""
    import orjson
    from pybase64 import b64decode

    body = Pages(records=task.records, record_bytes=task.record_bytes, count=2).answer("shard", 0)
    for _ in range(task.total_pages):
        records = orjson.loads(body)["Records"]
        for record in records:
            record["Data"] = b64decode(record["Data"], validate=True)
        task.meter.add(len(records))


READERS: Final = MappingProxyType[str, Callable[[Task, str], None]](
    {
        "kclpy": read_kclpy,
        "async-kinesis": read_async_kinesis,
        "orjson": read_orjson,
    }
)


def main() -> None:
    """Read, and say what it took."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.peer_readers")
    parser.add_argument("name", choices=sorted(READERS))
    parser.add_argument("--stream", required=True)
    add_arguments(parser)
    options = parser.parse_args()
    task = Task(options)
    READERS[options.name](task, options.stream)
    task.meter.tell()


if __name__ == "__main__":
    main()
