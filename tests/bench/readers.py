"""Who reads the pages? Each contender in a process of its own, with user code that does nothing.

    python -m tests.bench.readers boto3 --shards 1 --pages 20 --records 1000

Prints one line: how many records, and the CPU seconds that they took, warming up left out.
"""

from __future__ import annotations

import argparse
import uuid
from collections.abc import Callable, Iterator
from types import MappingProxyType
from typing import Any, Final

from kcl_py.local.environment import REGION
from tests.bench.pages import Pages
from tests.bench.server import STREAM
from tests.bench.task import Task, add_arguments

WAIT_SECONDS_MAX: Final = 300.0


def client(**settings: Any) -> Any:
    """Return a plain client."""
    import boto3

    return boto3.client("kinesis", region_name=REGION, **settings)


def walk(kinesis: Any, task: Task, following: Callable[[Any], str]) -> Iterator[dict[str, Any]]:
    """Yield every answer of every shard, as a loop of boto3 does.

    Args:
        following: Takes the next iterator out of an answer.
    """
    shards = kinesis.list_shards(StreamName=STREAM)["Shards"]
    for shard in shards[: task.shards]:
        iterator = kinesis.get_shard_iterator(
            StreamName=STREAM, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        for _ in range(task.pages):
            answer = kinesis.get_records(ShardIterator=iterator, Limit=10_000)
            yield answer
            iterator = following(answer)


def read_boto3(task: Task) -> None:
    """boto3 as it is."""
    for answer in walk(client(), task, lambda answer: str(answer["NextShardIterator"])):
        for _ in answer["Records"]:
            pass
        task.meter.add(len(answer["Records"]))


def read_hook(task: Task) -> None:
    """boto3 with our decoder behind its documented hook, and nothing around it."""
    from kcl_py.aws.decode import DECODED, hook_kinesis

    kinesis = client()
    hook_kinesis(kinesis)
    for answer in walk(kinesis, task, lambda it: str(it[DECODED].answer.next_shard_iterator)):
        records = answer[DECODED].answer.records
        for _ in records:
            pass
        task.meter.add(len(records))


def read_fetch(task: Task) -> None:
    """The reads of a worker, as it sends them, in a loop without core and shell."""
    from kcl_py.aws.clients import make_clients
    from kcl_py.aws.names import StreamAddress
    from kcl_py.aws.stream import StreamReader
    from kcl_py.config import WorkerConfig
    from kcl_py.core.commands import Fetch, Start, StartKind
    from kcl_py.core.events import PageFetched

    stream = StreamAddress(STREAM)
    clients = make_clients(WorkerConfig(region=REGION), stream)
    source = StreamReader(
        client=clients.stream_reads, stream=stream, get_records=clients.get_records
    )
    for number in range(task.shards):
        iterator: str | None = None
        for page in range(task.pages):
            command = Fetch(
                fetch_id=page,
                key=f"shard-{number}",
                shard_id=f"shardId-{number:012d}",
                iterator=iterator,
                start=Start(kind=StartKind.TRIM_HORIZON),
                records_max=10_000,
            )
            answer = source.fetch(command)
            assert isinstance(answer, PageFetched), answer
            assert answer.page is not None
            for _ in answer.page.records:
                pass
            task.meter.add(answer.page.count)
            iterator = answer.next_iterator


def read_decode(task: Task) -> None:
    """Our decoder alone, on a body in memory: what no reader of ours can go below."""
    from kcl_py.aws.decode import decode_records

    pages = Pages(records=task.records, record_bytes=task.record_bytes, count=task.pages)
    body = pages.answer("shardId-000000000000", 0)
    for _ in range(task.total_pages):
        records = decode_records(body).answer.records
        for _ in records:
            pass
        task.meter.add(len(records))


def read_worker(task: Task) -> None:
    """A whole worker: leases, reads, guards, checkpoints."""
    from kcl_py import Batch, Worker, WorkerConfig

    def process(batch: Batch) -> None:
        for _ in batch:
            pass
        task.meter.add(len(batch))

    worker = Worker(
        app_name=f"bench-{uuid.uuid4()}",
        stream=STREAM,
        processor=process,
        config=WorkerConfig(region=REGION),
    )
    with worker:
        assert task.meter.ended.wait(WAIT_SECONDS_MAX), "the worker has not read everything"


READERS: Final = MappingProxyType[str, Callable[[Task], None]](
    {
        "boto3": read_boto3,
        "hook": read_hook,
        "fetch": read_fetch,
        "decode": read_decode,
        "worker": read_worker,
    }
)


def main() -> None:
    """Read, and say what it took."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.readers")
    parser.add_argument("name", choices=sorted(READERS))
    add_arguments(parser)
    options = parser.parse_args()
    task = Task(options)
    READERS[options.name](task)
    task.meter.tell()


if __name__ == "__main__":
    main()
