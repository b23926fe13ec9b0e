"""Which programs must a user's type checker accept? Never executed."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, Literal, assert_type

from kcl_py import (
    AnyProcessor,
    AsyncBatch,
    AsyncDelivery,
    AsyncPreparedCheckpoint,
    AsyncProducer,
    AsyncRecordProcessor,
    AsyncShardContext,
    Backoff,
    Batch,
    Checkpointer,
    Checkpointing,
    DeadLetter,
    Delivery,
    KinesisBatchDispatcher,
    LeaseConfig,
    LeaseLost,
    OnError,
    Position,
    PreparedCheckpoint,
    Producer,
    ProducerConfig,
    PutFailed,
    PutFailure,
    PutResult,
    Record,
    RecordFailed,
    RecordProcessor,
    ShardContext,
    ShardStatus,
    ShutdownReason,
    Undelivered,
    Worker,
    WorkerConfig,
    WorkerEvent,
    each_record,
)
from kcl_py.streams import (
    Reader,
    ReadFrom,
    ShardDescription,
    ShardRecord,
    Stream,
    ensure_stream,
    list_streams,
)
from kcl_py.dead_letters import JsonLinesDeadLetters, SqsDeadLetters
from kcl_py.testing import (
    CheckpointLog,
    CrashAfter,
    CrashAt,
    Incident,
    LoseLeaseAt,
    ProcessorRun,
    Simulation,
    make_async_batch,
    make_batch,
    run_processor,
)
from kcl_py.tracing import context_in_json, inject, traced


@dataclass
class Person:
    name: str
    age: int


def count(batch: Batch) -> None:
    assert_type(batch[0], Record)
    assert_type(batch[1:], Sequence[Record])
    assert_type(batch.shard, ShardContext)
    assert_type(batch.attempt, int)
    assert_type(batch.lag, float)
    assert_type(batch.at_shard_end, bool)


async def count_async(batch: AsyncBatch) -> None:
    await batch.checkpoint(batch[0])
    assert_type(await batch.prepare(state=b"x"), AsyncPreparedCheckpoint)


@each_record
def greet(record: Record) -> None:
    assert_type(record.data, bytes)
    assert_type(record.position, Position)
    assert_type(record.arrival_time, datetime)
    assert_type(record.json(Person), Person)
    assert_type(record.json(list[int]), list[int])
    assert_type(record.text("latin-1"), str)


@each_record
async def greet_async(record: Record) -> None:
    assert_type(record.explicit_hash_key, str | None)


assert_type(greet, Callable[[], RecordProcessor])
assert_type(greet_async, Callable[[], AsyncRecordProcessor])


class Buffered(RecordProcessor):
    checkpointing: ClassVar[Checkpointing] = "explicit"
    idle_after: ClassVar[float | None] = 5.0

    def __init__(self, path: str) -> None:
        self.path = path

    def initialize(self, shard: ShardContext) -> None:
        assert_type(shard.fencing_token, int)
        assert_type(shard.checkpointed, Position | None)
        assert_type(shard.prepared, PreparedCheckpoint | None)
        if shard.prepared is not None:
            shard.prepared.commit()

    def process_records(self, batch: Batch) -> None:
        for record in batch:
            if not record.data:
                raise RecordFailed(record, "empty", retry=False)
        self.flush(batch)

    def shutdown_requested(self, shard: ShardContext) -> None:
        assert_type(shard.shutdown_reason, ShutdownReason | None)
        self.flush(shard)

    def flush(self, checkpointer: Checkpointer) -> None:
        checkpointer.checkpoint(Position.parse("1/2"), wait=False)
        checkpointer.prepare(state=b"x").commit()


class Stored(AsyncRecordProcessor):
    async def process_records(self, batch: AsyncBatch) -> None:
        if not batch.shard.is_owner:
            raise LeaseLost("a newer owner wrote here already")
        await batch.checkpoint()

    async def lease_lost(self, shard: AsyncShardContext) -> None:
        assert_type(shard.seconds_left(), float)


def all_kinds_of_processors() -> None:
    Worker(app_name="a", stream="s", processor=count)
    Worker(app_name="a", stream="s", processor=count_async)
    Worker(app_name="a", stream="s", processor=greet)
    Worker(app_name="a", stream="s", processor=greet_async)
    Worker(app_name="a", stream="s", processor=Stored)
    Worker(app_name="a", stream="s", processor=lambda: Buffered("x"))
    Worker(app_name="a", stream="s", processor=functools.partial(Buffered, path="x"))


def keep(letters: Sequence[DeadLetter]) -> None:
    assert_type(letters[0].record.data, bytes)


def either(make: Callable[[], AnyProcessor]) -> None:
    def listen(event: WorkerEvent) -> None:
        assert_type(event.fields, Mapping[str, object])

    config = WorkerConfig(
        initial_position=datetime(2026, 11, 21, tzinfo=UTC),
        leases=LeaseConfig(duration=5.0, max_leases=None),
        on_error=OnError(then="pause", backoff=Backoff(longest=5.0), give_up_on=(KeyError,)),
    )
    OnError(then="dead_letter", dead_letters=JsonLinesDeadLetters("dead.jsonl"))
    OnError(then="dead_letter", dead_letters=SqsDeadLetters("u", large_to_s3="s3://b").write)
    OnError(then="dead_letter", dead_letters="s3://bucket/prefix")
    OnError(then="dead_letter", dead_letters=keep)
    with Worker(app_name="a", stream="s", processor=make, config=config, on_event=listen) as worker:
        assert_type(worker.status().shards, Mapping[str, ShardStatus])
        assert_type(worker.status().to_dict(), dict[str, Any])
        assert_type(worker.join(timeout=1.0), bool)
    assert_type(Position("1") < Position("2"), bool)


async def on_my_loop() -> None:
    await Worker(app_name="a", stream="s", processor=Stored).run_async()


def tested(kcl_simulation: Simulation) -> None:
    assert_type(make_batch([{"age": 3}, b"raw"]), tuple[Batch, CheckpointLog])
    assert_type(make_async_batch(["text"]), tuple[AsyncBatch, CheckpointLog])
    incidents: list[Incident] = [CrashAfter(records=3), LoseLeaseAt(moment="write", until="taken")]
    assert_type(run_processor(count, [1, 2], incidents=incidents), ProcessorRun)
    crashes = [CrashAt(moment="write", nth=2)]
    assert_type(kcl_simulation(Stored, range(10), incidents=crashes), ProcessorRun)
    assert_type(kcl_simulation.rng.randrange(3), int)


def produced() -> None:
    config = ProducerConfig(order="per_key", aggregation="per_shard", attempts=None)

    def encode(value: dict[str, int]) -> bytes:
        return repr(value).encode()

    def keep(failure: PutFailure) -> None:
        assert_type(failure.explicit_hash_key, str | None)

    with Producer("s", config=config, encoder=encode, on_failure=keep) as producer:
        delivery = producer.put({"a": 1}, key="k", hash_key=2**127)
        assert_type(delivery, Delivery)
        assert_type(delivery.result(timeout=1.0), PutResult)
        delivery.add_done_callback(lambda done: done.result())
        assert_type(producer.flush(), Sequence[PutFailure])
    left = KinesisBatchDispatcher("s", "id", 100, region_name="eu-west-1").flush_payloads()
    assert_type(left, list[Any])


async def produced_on_my_loop() -> None:
    async with AsyncProducer("s") as producer:
        delivery = await producer.put(b"x")
        assert_type(delivery, AsyncDelivery)
        assert_type(await delivery, PutResult)
        await producer.close(timeout=1.0)


def undelivered(error: Undelivered | PutFailed) -> None:
    if isinstance(error, Undelivered):
        assert_type(error.failures, Sequence[PutFailure])
    else:
        assert_type(error.failure, PutFailure)
        assert_type(error.failure.cause, Literal["passing", "record", "stream"])
        assert_type(error.failure.permanent, bool)


def reshard() -> None:
    stream = ensure_stream("people", shards="on_demand", tags={"team": "data"})
    assert_type(stream, Stream)
    lower, upper = stream.split(stream.shard_for_key("ann").shard_id, at=0.25)
    assert_type(stream.merge(lower.shard_id, upper.shard_id), ShardDescription)
    stream.split(lower.shard_id, at=2**127, wait=False)
    stream.set_mode("provisioned")
    stream.set_tags({"team": None})
    stream.encrypt(None)
    assert_type(stream.tags(), Mapping[str, str])
    assert_type(list_streams(region="eu-west-1"), Sequence[str])
    Producer(stream, config=ProducerConfig(put_timeout=5.0))


def look(start: ReadFrom = "-15m") -> None:
    with Reader("people", start=start, until_caught_up=True) as reader:
        for each in reader:
            assert_type(each, ShardRecord)
            assert_type(each.record.position, Position)
    Reader(Stream("people"), start=Position("7", 1), shard_ids=["shardId-000000000000"])


async def look_on() -> None:
    async with Reader("people") as reader:
        assert_type(reader, Reader)
    async for each in Reader("people", start=datetime.now(UTC), idle_timeout=5):
        assert_type(each.record, Record)


def trace_batches() -> None:
    def context_of(record: Record) -> Mapping[str, str] | None:
        return {"traceparent": record.partition_key} if record.partition_key else None

    async def process(batch: AsyncBatch) -> None:
        await batch.checkpoint()

    maker = traced(process, context_of=context_of, links_max=16)
    assert_type(maker, Callable[[], AnyProcessor])
    Worker(app_name="orders", stream="orders", processor=maker)
    traced(traced(lambda batch: None), context_of=context_in_json("trace"))
    assert_type(inject({"id": 1}, field="trace"), dict[str, Any])
