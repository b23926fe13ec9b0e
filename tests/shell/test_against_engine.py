"""Does the shell bring records from the embedded engine to user code, with the least of cores?"""

from __future__ import annotations

import random
import time
from dataclasses import replace

from kcl_py.aws.names import parse_stream
from kcl_py.core.commands import (
    CallProcessor,
    Command,
    Deliver,
    EpochFacts,
    Fetch,
    Finish,
    ListShards,
    MoveFence,
    Start,
    StartKind,
    StartRun,
    WriteRow,
)
from kcl_py.core.events import Applied, CallReturned, Event, PageFetched, RowWritten, ShardsListed
from kcl_py.core.leases import writes
from kcl_py.core.leases.rows import LeaseRow, Sentinel
from kcl_py.local import Engine
from kcl_py.processor import AsyncBatch, Batch, ProcessorLike
from kcl_py.shell.clock import SYSTEM_CLOCK
from kcl_py.shell.connecting import Connecting
from kcl_py.shell.shell import Shell
from kcl_py.status import WorkerStatus
from tests.shell.tables import create_lease_table
from tests.shell.tools import job, worker_status

RECORDS = [f"record {number}".encode() for number in range(30)]


class LeastCore:
    """Creates and takes the lease of the one shard, reads it to its tip, renews, gives it back."""

    def __init__(self) -> None:
        self.now = 0.0
        self.key = ""
        self.row: LeaseRow | None = None
        self.finished: list[str] = []

    def start(self, now: float, wall: float) -> list[Command]:
        return [ListShards(1)]

    def next_wakeup(self) -> float | None:
        return None

    def status(self, now: float) -> WorkerStatus:
        return worker_status()

    def receive(self, now: float, event: Event) -> list[Command]:
        self.now = now
        match event:
            case ShardsListed(_, (shard, *_)):
                self.key = shard.shard_id
                row = LeaseRow(key=self.key, counter=5, checkpoint=Sentinel.TRIM_HORIZON, nonce="n")
                return [WriteRow(2, writes.create(row), now + 10)]
            case RowWritten(write_id, Applied(LeaseRow() as row)):
                self.row = row
                return self.written(write_id, row)
            case RowWritten():
                raise AssertionError(event)
            case CallReturned(method="initialize"):
                return [self.fetch(None)]
            case PageFetched(page=page) if page is not None:
                self.finished.append(str(page.last))
                deliver = Deliver(
                    run_id=1,
                    page=page,
                    start=0,
                    stop=page.count,
                    attempt=1,
                    lag=event.lag,
                    at_shard_end=False,
                )
                return [deliver, self.fetch(event.next_iterator)]
            case PageFetched():
                return [CallProcessor(run_id=1, method="close")]
            case CallReturned(method="close"):
                assert self.row is not None
                write = writes.release(
                    self.key, me="w-1", successor=None, base=self.row.counter, nonce="r"
                )
                return [WriteRow(4, write, now + 10)]
            case _:
                return []

    def written(self, write_id: int, row: LeaseRow) -> list[Command]:
        if write_id == 2:
            take = writes.take(row, me="w-1", nonce="t", duration=10.0, counter=row.counter + 1)
            return [WriteRow(3, take, self.now + 10)]
        if write_id == 4:
            return [Finish()]
        epoch = EpochFacts(
            key=row.key,
            shard_id=row.key,
            token=row.counter,
            fence=self.now + 9,
            checkpointed=None,
            pending=None,
        )
        return [StartRun(run_id=1, epoch=epoch), MoveFence(1, self.now + 10)]

    def fetch(self, iterator: str | None) -> Fetch:
        return Fetch(
            fetch_id=9,
            key=self.key,
            shard_id=self.key,
            iterator=iterator,
            start=Start(kind=StartKind.TRIM_HORIZON),
            records_max=10_000,
        )


def run(processor: ProcessorLike) -> LeastCore:
    with Engine() as engine:
        kinesis = engine.session().client("kinesis")
        kinesis.create_stream(StreamName="people", ShardCount=1)
        create_lease_table(engine, "demo")
        while not kinesis.list_shards(StreamName="people")["Shards"]:
            time.sleep(0.02)
        kinesis.put_records(
            StreamName="people", Records=[{"Data": data, "PartitionKey": "k"} for data in RECORDS]
        )
        connected = Connecting(
            app_name="demo",
            stream=parse_stream("people"),
            config=replace(engine.config(), initial_position="earliest"),
            session=engine.session(),
            client_factory=None,
            rng=random.Random(1),
            is_stopping=lambda: False,
            on_progress=lambda _: None,
        ).connect()
        shell = Shell(SYSTEM_CLOCK, {"worker_id": "w-1"})
        core = LeastCore()
        all_of_it = replace(
            job(processor), table_port=connected.table, stream_port=connected.stream
        )
        assert shell.run(core, all_of_it) is None
        shell.reporter.close()
        (row,) = connected.table.read_rows([core.key]).rows
        connected.clients.close()
        assert isinstance(row, LeaseRow)
        assert row.owner is None
        assert row.is_offered
        return core


def test_records_reach_a_processor() -> None:
    seen: list[bytes] = []

    def process(batch: Batch) -> None:
        seen.extend(record.data for record in batch)

    core = run(process)

    assert seen == RECORDS
    assert len(core.finished) >= 1


def test_records_reach_an_async_processor() -> None:
    seen: list[bytes] = []

    async def process(batch: AsyncBatch) -> None:
        seen.extend(record.data for record in batch)

    run(process)

    assert seen == RECORDS
