"""Where do adverse scenarios play? A real worker on fake services, in virtual time, watched."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import kcl_py.worker
from kcl_py.aws.lease_table import KeysFound, RowsFound, TableSeen
from kcl_py.aws.stream import ShardsSeen
from kcl_py.config import LeaseConfig, WorkerConfig
from kcl_py.core import commands
from kcl_py.core.commands import Fetch, Start, StartKind
from kcl_py.core.consumer.page import Page
from kcl_py.core.events import Failure, FailureKind, FetchFailed, PageFetched, WriteAnswer
from kcl_py.core.facts import TableFacts
from kcl_py.core.leases.rows import Row
from kcl_py.core.leases.writes import RowWrite
from kcl_py.core.shards.graph import Shard
from kcl_py.core.worker_core import WorkerCore
from kcl_py.errors import Unavailable
from kcl_py.processor import (
    AsyncBatch,
    AsyncRecordProcessor,
    AsyncShardContext,
    Batch,
    RecordProcessor,
    ShardContext,
)
from kcl_py.records import Record
from kcl_py.shell.connecting import Connected
from kcl_py.shell.letters import ErrorRules
from kcl_py.shell.meter import Meter
from kcl_py.worker import Worker
from tests.core.fake_table import FakeTable
from tests.shell.baton import START, Baton, Stuck
from tests.shell.primitives import ScenarioOver
from tests.shell.tools import STREAM
from tests.shell.witness import Witness

DURATION = 3.0
GRACE = 4.0
CONFIG = WorkerConfig(
    stop_grace=GRACE, leases=LeaseConfig(duration=DURATION, handoff_timeout=2.0, settle=1.0)
)
PAGE_RECORDS = 6
HASH_KEYS = 1 << 128

Behaviour = Callable[[str, ShardContext, Batch | None], None]


class Stage:
    """Fake services and workers on them.

    Attributes:
        lasts: Says how long a remote call takes, by its name and what it is about, seconds; half of
            it before it has its effect. Infinite: for ever.
        fails: Says whether a write's answer is lost, by the same.
        behave: What user code does inside each call.
        rate: Records per second and shard.
        contexts: What user code was given, to look at when it is over.
    """

    def __init__(self, baton: Baton, *, shards: int = 3, rate: float = 5.0) -> None:
        self.baton = baton
        self.witness = Witness(baton)
        self.rng = random.Random(baton.rng.random())
        self.rows = FakeTable()
        self.shard_ids = tuple(f"shardId-{number:012}" for number in range(shards))
        self.rate = rate
        self.lasts: Callable[[str, object], float] = lambda name, what: self.rng.uniform(0.0, 0.1)
        self.fails: Callable[[str, object], bool] = lambda name, what: False
        self.behave: Behaviour = lambda method, shard, batch: None
        self.core_cost = 0.0
        self.contexts: list[ShardContext | AsyncShardContext] = []
        self.stopped_at = 0.0
        self.close_clients: Callable[[], None] = lambda: None
        self._names = iter(f"w-{number}" for number in range(1, 100))
        baton.replace(kcl_py.worker, "SYSTEM_CLOCK", baton.clock)
        baton.replace(kcl_py.worker, "WorkerCore", self._core)
        baton.replace(kcl_py.worker, "secrets", SimpleNamespace(randbits=self.rng.getrandbits))
        baton.replace(kcl_py.worker, "new_worker_id", lambda name: next(self._names))

    def worker(self, processor: Any = None, **other: Any) -> Worker:
        """Return a worker that connects to the fake services."""
        arguments: dict[str, Any] = {
            "app_name": "app",
            "stream": "people",
            "processor": processor or (lambda: Code(self)),
            "config": CONFIG,
            "on_event": self.witness.on_event,
        }
        worker = Worker(**{**arguments, **other})
        worker._connecting = lambda shell, rng: _Connecting(self, worker)  # type: ignore[method-assign, assignment, return-value]
        return worker

    def call(self, name: str, *what: object) -> Any:
        """Take note of one remote call."""
        return self.witness.call(name, *what)

    def travel(self, name: str, what: object) -> None:
        """Be half way to a service, or back."""
        seconds = self.lasts(name, what)
        if seconds == float("inf"):
            self.baton.until(lambda: False)
        self.baton.sleep(seconds / 2)

    def end(self, worker: Worker, *, patience: float = 1.0) -> BaseException | None:
        """Wait until it has ended; return what it raised.

        Args:
            patience: Seconds that its threads may go on.
        """
        try:
            worker.join()
        except (Stuck, ScenarioOver):
            raise
        except BaseException as error:  # noqa: BLE001 - the scenario judges it
            return error
        finally:
            self.witness.ended()
            self.baton.until(lambda: not self.baton.alive(), patience)
        return None

    def play(
        self, worker: Worker, seconds: float, *, patience: float = 1.0
    ) -> BaseException | None:
        """Let it run so long, and stop it."""
        worker.start()
        self.baton.sleep(seconds)
        worker.request_stop()
        return self.end(worker, patience=patience)

    def _core(self, **arguments: Any) -> Any:
        return self.witness.spy(
            WorkerCore(**arguments), arguments["worker_id"], cost=self.core_cost
        )


class _Connecting:
    """Set-up that takes a while and gives up at a stop."""

    def __init__(self, stage: Stage, worker: Worker) -> None:
        self._stage = stage
        self._worker = worker

    def connect(self) -> Any:
        stage = self._stage
        for _ in range(3):
            stage.baton.sleep(0.1)
            if self._worker._stop_asked:
                raise Unavailable("asked to stop")
        services: dict[str, Any] = {
            "clients": SimpleNamespace(close=stage.close_clients),
            "table": StageTable(stage),
            "stream": StageStream(stage),
        }
        return Connected(
            **services,
            table_facts=TableFacts(name="app", table_id=stage.rows.table_id, has_index=True),
            stream_facts=STREAM,
            meter=Meter(stage.baton.clock.now),
            errors=ErrorRules(),
        )


class StageTable:
    """The lease table of a stage."""

    read_units = 0.0
    write_units = 0.0

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def write(self, write: RowWrite) -> WriteAnswer:
        with self._stage.call("write", id(write)):
            self._stage.travel("write", write)
            is_lost = self._stage.fails("write", write)
            if is_lost and self._stage.rng.random() < 0.5:
                return Failure(FailureKind.UNKNOWN, "dynamodb:UpdateItem", "cut on the way there")
            answer = self._stage.rows.apply(write)
            self._stage.travel("write", write)
            if is_lost:
                return Failure(FailureKind.UNKNOWN, "dynamodb:UpdateItem", "cut on the way back")
            return answer

    def scan(self, *, consistent: bool) -> Iterator[tuple[Row, ...] | Failure]:
        with self._stage.call("scan", consistent):
            self._stage.travel("scan", consistent)
            rows = tuple(row for _, row in sorted(self._stage.rows.rows.items()))
            self._stage.travel("scan", consistent)
            yield rows[: len(rows) // 2]
            yield rows[len(rows) // 2 :]

    def read_rows(self, keys: Sequence[str]) -> RowsFound:
        with self._stage.call("read", keys):
            self._stage.travel("read", keys)
            (answer,) = self._stage.rows.answer(commands.ReadRows(0, tuple(keys)))
            self._stage.travel("read", keys)
            return RowsFound(answer.rows, answer.absent)  # type: ignore[union-attr]  # RowsRead

    def find_owned(self, owner: str) -> KeysFound:
        with self._stage.call("find", owner):
            self._stage.travel("find", owner)
            (answer,) = self._stage.rows.answer(commands.FindOwned(0, owner))
            self._stage.travel("find", owner)
            return KeysFound(answer.keys)  # type: ignore[union-attr]  # OwnedFound

    def describe(self) -> TableSeen:
        with self._stage.call("describe"):
            self._stage.travel("describe", None)
            return TableSeen(self._stage.rows.table_id)


class StageStream:
    """Shards in which records arrive at one rate; their sequence numbers count from one."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def list_shards(self, *, since: float | None = None) -> ShardsSeen | Failure:
        with self._stage.call("list", since):
            self._stage.travel("list", since)
            ids = self._stage.shard_ids
            part = HASH_KEYS // len(ids)
            ends = [*(part * number for number in range(len(ids))), HASH_KEYS]
            shards = tuple(
                Shard(
                    shard_id=shard_id,
                    parents=(),
                    hash_range=(ends[number], ends[number + 1] - 1),
                    is_open=True,
                )
                for number, shard_id in enumerate(ids)
            )
            return ShardsSeen(shards, self._stage.baton.time)

    def fetch(self, command: Fetch) -> PageFetched | FetchFailed:
        with self._stage.call("fetch", command.fetch_id, command.key):
            self._stage.travel("fetch", command)
            first = int(command.iterator or _records_before(command.start))
            there = int(self._stage.rate * (self._stage.baton.time - START))
            last = min(there, first + PAGE_RECORDS)
            records = [Record(sequence_number=str(n + 1), data=b"x") for n in range(first, last)]
            self._stage.travel("fetch", command)
            return PageFetched(
                fetch_id=command.fetch_id,
                key=command.key,
                page=Page(records, len(records)) if records else None,
                next_iterator=str(max(first, last)),
                children=(),
                lag=0.0,
                bytes_read=len(records),
            )


def has_ended(worker: Worker) -> bool:
    """Say so without a lock, as conditions of the baton must."""
    return worker._ended._state == "FINISHED"


def _records_before(start: Start) -> int:
    """How many records the shard has before this place."""
    number = int(start.sequence_number or 0)
    return number - 1 if start.kind is StartKind.AT else number


def run_of(shard: ShardContext | AsyncShardContext) -> str:
    """Name a run as the witness does."""
    port: Any = shard._run.port
    return f"{shard.worker_id}/{port._run_id}"


class Code(RecordProcessor):
    """User code that shows the witness everything that it is given."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.run = ""
        self.shard: ShardContext | None = None

    def initialize(self, shard: ShardContext) -> None:
        self.run, self.shard = run_of(shard), shard
        self.stage.contexts.append(shard)
        self._inside("initialize", shard)

    def process_records(self, batch: Batch) -> None:
        shard, stage = batch.shard, self.stage
        with stage.witness.inside(self.run, "process_records"):
            for record in batch:
                stage.witness.record(
                    self.run, shard.lease_key, shard.fencing_token, record.sequence_number
                )
                stage.behave("record", shard, batch)
            stage.behave("process_records", shard, batch)

    def shutdown_requested(self, shard: ShardContext) -> None:
        self._inside("shutdown_requested", shard)

    def lease_lost(self, shard: ShardContext) -> None:
        self._inside("lease_lost", shard)

    def close(self) -> None:
        if self.shard is not None:  # else the fence passed before `initialize`
            self._inside("close", self.shard)

    def _inside(self, method: str, shard: ShardContext) -> None:
        with self.stage.witness.inside(self.run, method):
            self.stage.behave(method, shard, None)


class AsyncCode(AsyncRecordProcessor):
    """The same on a loop."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.run = ""

    async def initialize(self, shard: AsyncShardContext) -> None:
        self.run = run_of(shard)
        self.stage.contexts.append(shard)
        with self.stage.witness.inside(self.run, "initialize"):
            await self.behave("initialize", shard)

    async def process_records(self, batch: AsyncBatch) -> None:
        shard, witness = batch.shard, self.stage.witness
        with witness.inside(self.run, "process_records"):
            for record in batch:
                witness.record(
                    self.run, shard.lease_key, shard.fencing_token, record.sequence_number
                )
                await self.behave("record", shard)
            await self.behave("process_records", shard)

    async def shutdown_requested(self, shard: AsyncShardContext) -> None:
        with self.stage.witness.inside(self.run, "shutdown_requested"):
            await self.behave("shutdown_requested", shard)

    async def lease_lost(self, shard: AsyncShardContext) -> None:
        with self.stage.witness.inside(self.run, "lease_lost"):
            await self.behave("lease_lost", shard)

    async def close(self) -> None:
        with self.stage.witness.inside(self.run, "close"):
            await self.behave("close", None)

    async def behave(self, method: str, shard: AsyncShardContext | None) -> None:
        """What it does inside each call."""
