"""Does a worker do its work? Real workers, in threads of this process, on the embedded engine."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest

from kcl_py import (
    AsyncBatch,
    AsyncRecordProcessor,
    Batch,
    LeaseConfig,
    PollingConfig,
    RecordProcessor,
    ShardContext,
    StopTimeout,
    Worker,
    WorkerConfig,
    WorkerEvent,
    WorkerFailed,
)
from kcl_py.aggregation import Aggregate
from kcl_py.core.leases.rows import LeaseRow
from kcl_py.local import Engine
from kcl_py.processor import Checkpointing
from kcl_py.records import Position
from kcl_py.testing.audit.log import read_audit_logs
from tests.shell.tables import create_lease_table, lease_rows

PATIENCE = 40.0


class Stream:
    """A stream on an engine of its own, and what is needed to consume it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.kinesis = engine.session().client("kinesis")
        self.written: list[bytes] = []
        self.workers: list[Worker] = []

    def create(self, shards: int, *, table: bool = True) -> None:
        """Create the stream, and unless a worker shall do it, the lease table."""
        self.kinesis.create_stream(StreamName="people", ShardCount=shards)
        if table:
            create_lease_table(self.engine, "demo")
        while self.status() != "ACTIVE":
            time.sleep(0.02)

    def status(self) -> str:
        described = self.kinesis.describe_stream_summary(StreamName="people")
        return described["StreamDescriptionSummary"]["StreamStatus"]

    def put(self, count: int) -> None:
        first = len(self.written)
        data = [f"{number}".encode() for number in range(first, first + count)]
        self.kinesis.put_records(
            StreamName="people",
            Records=[{"Data": one, "PartitionKey": one.decode()} for one in data],
        )
        self.written += data

    def config(self) -> WorkerConfig:
        leases = LeaseConfig(duration=3.0, settle=1.0, handoff_timeout=4.0)
        return replace(self.engine.config(), leases=leases, stop_grace=5.0)

    def worker(self, processor: object, **other: object) -> Worker:
        arguments: dict[str, object] = {
            "app_name": "demo",
            "stream": "people",
            "processor": processor,
            "config": self.config(),
            "session": self.engine.session(),
        }
        worker = Worker(**{**arguments, **other})  # type: ignore[arg-type]  # one builder for all
        self.workers.append(worker)
        return worker

    def wait_until(self, is_true: Callable[[], bool]) -> None:
        """Wait for it, but not for a worker that has failed."""
        deadline = time.monotonic() + PATIENCE
        while not is_true():
            assert time.monotonic() < deadline
            for worker in self.workers:
                if worker.status().state == "failed":
                    worker.join()
            time.sleep(0.05)

    def wait_for_all_in(self, sink: Sink) -> None:
        """Wait until everything that was written arrived there."""
        self.wait_until(lambda: set(self.written) <= set(sink.data))

    def rows(self) -> Sequence[LeaseRow]:
        return lease_rows(self.engine, "demo")


@pytest.fixture
def stream() -> Iterator[Stream]:
    with Engine() as engine:
        yield Stream(engine)


class Sink:
    """Collects what processors are given."""

    def __init__(self) -> None:
        self.data: list[bytes] = []

    def process(self, batch: Batch) -> None:
        self.data.extend([record.data for record in batch])


def assert_given_back(stream: Stream) -> None:
    """Offered is given away, also where the one that it is offered to has left meanwhile."""
    for row in stream.rows():
        assert row.is_offered, row


def test_one_worker_reads_everything_and_gives_all_back(stream: Stream, tmp_path: Path) -> None:
    stream.create(2, table=False)
    stream.put(100)
    sink = Sink()
    events: list[WorkerEvent] = []

    worker = stream.worker(sink.process, on_event=events.append)
    worker._audit_path = tmp_path / "audit.jsonl"
    with worker:
        stream.wait_for_all_in(sink)
        stream.wait_until(lambda: worker.status().state == "running")
        status = worker.status()
        stream.put(50)
        stream.wait_for_all_in(sink)

    assert sorted(sink.data) == sorted(stream.written)
    assert len(status.shards) == 2
    assert status.healthy
    assert status.dynamodb_write_units > 0
    assert status.to_dict()["state"] == "running"
    assert worker.status().state == "stopped"
    audited = read_audit_logs([tmp_path / "audit.jsonl"])
    assert sum(event.kind == "record" for event in audited) == len(stream.written)
    assert {event.worker for event in audited} == {worker.worker_id}
    assert {event.name for event in events} >= {"lease.taken", "worker.ready", "worker.leaving"}
    assert_given_back(stream)


def test_the_next_worker_goes_on_where_the_last_one_stopped(stream: Stream) -> None:
    stream.create(1)
    stream.put(30)
    first, second = Sink(), Sink()
    with stream.worker(first.process):
        stream.wait_for_all_in(first)

    stream.put(20)
    with stream.worker(second.process):
        stream.wait_until(lambda: len(second.data) >= 20)

    assert second.data == stream.written[30:]


def test_a_checkpoint_inside_of_an_aggregated_record_is_where_the_next_worker_goes_on(
    stream: Stream,
) -> None:
    stream.create(1)
    for number in range(3):
        packed = Aggregate(size_bytes_max=10_000)
        for one in range(10):
            stream.written.append(f"{number}.{one}".encode())
            assert packed.add(stream.written[-1], f"key {one}")
        stream.kinesis.put_record(
            StreamName="people", Data=packed.encode(), PartitionKey=packed.partition_key
        )
    first, second = Sink(), Sink()

    class Stops(RecordProcessor):
        """In the middle of the second one."""

        checkpointing: ClassVar[Checkpointing] = "explicit"

        def process_records(self, batch: Batch) -> None:
            for record in batch:
                if len(first.data) == 15:
                    return
                first.data.append(record.data)
                batch.checkpoint(record)

    with stream.worker(Stops):
        stream.wait_until(lambda: len(first.data) == 15)
    (row,) = stream.rows()
    with stream.worker(second.process):
        stream.wait_until(lambda: len(second.data) >= 15)

    assert isinstance(row.checkpoint, Position)
    assert row.checkpoint.sub_sequence_number == 4
    assert first.data + second.data == stream.written


def test_user_records_of_another_shard_are_dropped_and_told_and_do_not_keep_the_shard_from_ending(
    stream: Stream,
) -> None:
    """A producer packs by an old map of the shards, and looks at what its answers say."""
    stream.create(2)
    low, high = "1", str(2**128 - 1)
    for hash_keys in ((low, high, low), (high, high)):
        packed = Aggregate(size_bytes_max=10_000)
        for place, one in enumerate(hash_keys):
            assert packed.add(f"{one} {place}".encode(), "key", one)
        stream.kinesis.put_record(
            StreamName="people", Data=packed.encode(), PartitionKey="key", ExplicitHashKey=low
        )
    sink, events = Sink(), list[WorkerEvent]()
    config = replace(stream.config(), reading=PollingConfig(strays="drop"))
    worker = stream.worker(sink.process, config=config, on_event=events.append)

    with worker:
        stream.wait_until(lambda: len(sink.data) == 2)
        first, second = (row.key for row in stream.rows())
        stream.kinesis.merge_shards(
            StreamName="people", ShardToMerge=first, AdjacentShardToMerge=second
        )
        stream.wait_until(lambda: sum(row.is_finished for row in stream.rows()) == 2)

    assert sink.data == [b"1 0", b"1 2"]
    told = [event.fields for event in events if event.name == "records.stray"]
    assert sum(int(str(fields["dropped"])) for fields in told) == 3
    assert str(told[0]["first"]).endswith("/1")


def test_two_workers_share_the_shards(stream: Stream) -> None:
    stream.create(4)
    stream.put(40)
    sink = Sink()
    one, two = stream.worker(sink.process), stream.worker(sink.process)
    with one, two:
        stream.wait_until(lambda: len(one.status().shards) == 2 and len(two.status().shards) == 2)
        stream.put(40)
        stream.wait_for_all_in(sink)

    assert sorted(sink.data) == sorted(stream.written)
    assert_given_back(stream)


def test_an_async_processor_runs_on_the_loop_of_run_async(stream: Stream) -> None:
    stream.create(1)
    stream.put(30)
    sink = Sink()
    loops: set[int] = set()

    class Async(AsyncRecordProcessor):
        checkpointing: ClassVar[Checkpointing] = "explicit"

        async def process_records(self, batch: AsyncBatch) -> None:
            loops.add(id(asyncio.get_running_loop()))
            data = [record.data for record in batch]
            await batch.checkpoint()
            sink.data += data

    async def main() -> None:
        task = asyncio.create_task(stream.worker(Async).run_async())
        await asyncio.to_thread(stream.wait_for_all_in, sink)
        loops.add(id(asyncio.get_running_loop()))
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    asyncio.run(main())

    assert sink.data == stream.written
    assert len(loops) == 1
    assert_given_back(stream)


def test_a_checkpoint_is_durable_when_it_returns(stream: Stream) -> None:
    stream.create(1)
    stream.put(10)
    sink = Sink()
    durable: list[bool] = []

    class Explicit(RecordProcessor):
        checkpointing: ClassVar[Checkpointing] = "explicit"

        def process_records(self, batch: Batch) -> None:
            middle = batch[len(batch) // 2]
            batch.checkpoint(middle)
            (row,) = stream.rows()
            durable.append(row.checkpoint == middle.position)
            batch.checkpoint()
            sink.data += [record.data for record in batch]

    with stream.worker(Explicit):
        stream.wait_for_all_in(sink)

    assert durable
    assert all(durable)


def test_system_exit_in_a_processor_stops_the_worker_cleanly(stream: Stream) -> None:
    stream.create(1)
    stream.put(1)

    def process(batch: Batch) -> None:
        raise SystemExit

    stream.worker(process).run()

    assert_given_back(stream)


def test_a_crash_of_any_thread_ends_the_worker_and_gives_user_code_its_close(
    stream: Stream,
) -> None:
    stream.create(1)
    stream.put(1)
    calls: list[str] = []

    class Recorder(RecordProcessor):
        def process_records(self, batch: Batch) -> None:
            calls.append("process_records")

        def lease_lost(self, shard: ShardContext) -> None:
            assert not shard.is_owner
            calls.append("lease_lost")

        def close(self) -> None:
            calls.append("close")

    worker = stream.worker(Recorder)
    worker.start()
    stream.wait_until(lambda: bool(calls))
    assert worker._shell is not None

    worker._shell.on_crash("kcl-lease-0", ZeroDivisionError("a bug"))

    with pytest.raises(WorkerFailed) as failed:
        worker.join()
    assert isinstance(failed.value.__cause__, ZeroDivisionError)
    assert calls[0] == "process_records"
    assert calls[-1] == "close"
    assert calls.count("close") == 1


def test_a_processor_cannot_wait_for_its_own_worker(stream: Stream) -> None:
    stream.create(1)
    stream.put(1)
    refused: list[str] = []

    def process(batch: Batch) -> None:
        for wait in (worker.stop, worker.join):
            try:
                wait()
            except RuntimeError as error:
                refused.append(str(error))

    worker = stream.worker(process)
    worker.run()

    assert len(refused) == 2
    assert all("request_stop" in message for message in refused)


def test_user_code_that_never_returns_makes_the_stop_time_out(stream: Stream) -> None:
    stream.create(1)
    stream.put(1)
    entered, release, closed = threading.Event(), threading.Event(), threading.Event()
    lost: list[bool] = []

    class Stuck(RecordProcessor):
        def initialize(self, shard: ShardContext) -> None:
            self.shard = shard

        def process_records(self, batch: Batch) -> None:
            entered.set()
            release.wait(PATIENCE)
            lost.append(not self.shard.is_owner)

        def close(self) -> None:
            closed.set()

    config = replace(
        stream.config(), stop_grace=2.0, leases=LeaseConfig(duration=3.0, handoff_timeout=1.0)
    )
    worker = stream.worker(Stuck, config=config)
    worker.start()
    assert entered.wait(PATIENCE)

    with pytest.raises(StopTimeout, match="shardId-000000000000"):
        worker.stop()

    release.set()
    assert closed.wait(PATIENCE)
    assert lost == [True]
    (row,) = stream.rows()
    assert row.actual_owner == worker.worker_id
