"""Which mistakes must a user's type checker find? Never executed.

Each `type: ignore` names the error that mypy has to report there; one that is not needed fails the
check, and so a mistake that goes unnoticed does. pyright reads the same comments.
"""

from __future__ import annotations

from kcl_py import (
    AsyncBatch,
    AsyncRecordProcessor,
    AsyncShardContext,
    Batch,
    LeaseConfig,
    OnError,
    Position,
    Producer,
    ProducerConfig,
    Record,
    RecordProcessor,
    ShardContext,
    Worker,
    WorkerConfig,
    each_record,
)
from kcl_py.streams import Reader, Stream
from kcl_py import Wroker  # type: ignore[attr-defined]  # noqa: F401


class ForgottenAwait(AsyncRecordProcessor):
    async def process_records(self, batch: AsyncBatch) -> None:
        batch.checkpoint()  # type: ignore[unused-coroutine]

    async def shutdown_requested(self, shard: AsyncShardContext) -> None:
        shard.checkpoint()  # type: ignore[unused-coroutine]


class AwaitTooMuch(AsyncRecordProcessor):
    async def process_records(self, batch: Batch) -> None:  # type: ignore[override]
        pass


class NotAsync(AsyncRecordProcessor):
    def process_records(self, batch: AsyncBatch) -> None:  # type: ignore[override]
        pass


class AsyncInSync(RecordProcessor):
    async def process_records(self, batch: Batch) -> None:  # type: ignore[override]
        pass


class TooManyArguments(RecordProcessor):
    def process_records(self, batch: Batch, shard: ShardContext) -> None:  # type: ignore[override]
        pass


class WrongMode(RecordProcessor):
    checkpointing = "manual"  # type: ignore[assignment]


class NeedsArguments(RecordProcessor):
    def __init__(self, first: str, second: str) -> None:
        self.path = first + second


def two_arguments(batch: Batch, shard: ShardContext) -> None:
    pass


def one_record(record: Record) -> None:
    pass


def workers() -> None:
    each_record(two_arguments)  # type: ignore[arg-type]
    Worker(app_name="a", stream="s", processor=NeedsArguments)  # type: ignore[arg-type]
    Worker(app_name="a", stream="s", processor=two_arguments)  # type: ignore[arg-type]
    Worker(app_name="a", stream="s", processor=one_record)  # type: ignore[arg-type]
    Worker(app_name="a", stream="s", processor=NeedsArguments("a", "b"))  # type: ignore[arg-type]
    Worker("a", "s", two_arguments)  # type: ignore[call-arg, arg-type]
    Worker(app_name="a", stream="s")  # type: ignore[call-arg]


def settings() -> None:
    LeaseConfig(5.0)  # type: ignore[call-arg]
    LeaseConfig(duration="5s")  # type: ignore[arg-type]
    LeaseConfig(failoverTimeMillis=5000)  # type: ignore[call-arg]
    WorkerConfig(initial_position="oldest")  # type: ignore[arg-type]
    OnError(then="ignore")  # type: ignore[arg-type]
    OnError(then="dead_letter", dead_letters=7)  # type: ignore[arg-type]
    WorkerConfig(transport="http")  # type: ignore[arg-type]
    WorkerConfig().stop_grace = 5.0  # type: ignore[misc]


def values(batch: Batch, record: Record) -> None:
    batch.checkpoint(record.sequence_number)  # type: ignore[arg-type]
    batch.checkpoint(record, True)  # type: ignore[call-arg]
    record.json(int).upper()  # type: ignore[attr-defined]
    Position("1") < "2"  # type: ignore[operator]  # noqa: B015
    batch[0] = record  # type: ignore[index]


def produced(producer: Producer) -> None:
    producer.put(b"x", "key")  # type: ignore[call-arg]
    producer.put(b"x", key=7)  # type: ignore[arg-type]
    ProducerConfig(order="per_shard")  # type: ignore[arg-type]
    producer.put(b"x").result().shard  # type: ignore[attr-defined]  # noqa: B018


def wrong_streams(stream: Stream) -> None:
    stream.set_mode("serverless")  # type: ignore[arg-type]
    stream.split("shardId-000000000000", 0.5)  # type: ignore[call-arg]
    Reader(stream, start=7)  # type: ignore[arg-type]
