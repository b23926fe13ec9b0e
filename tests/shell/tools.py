"""What do the tests of the shell share? A clock moved by hand, a core that plays a script."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future

from kcl_py.aws.lease_table import KeysFound, RowsFound, TableSeen
from kcl_py.aws.stream import ShardsSeen
from kcl_py.core.commands import CallProcessor, Command, Deliver, EpochFacts, Fetch, StartRun
from kcl_py.core.consumer.page import Page
from kcl_py.core.events import (
    Applied,
    CallReturned,
    Event,
    Failure,
    FetchFailed,
    PageFetched,
    WriteAnswer,
)
from kcl_py.core.facts import StreamFacts
from kcl_py.core.leases.rows import Row
from kcl_py.core.leases.writes import RowWrite
from kcl_py.processor import ProcessorLike, classify
from kcl_py.records import Record
from kcl_py.shell.clock import Clock
from kcl_py.shell.letters import ErrorRules
from kcl_py.shell.shell import Job
from kcl_py.status import WorkerStatus

PATIENCE = 10.0
"""Seconds after which a test gives up waiting; nothing takes that long."""

STREAM = StreamFacts(name="people", arn="arn:aws:kinesis:x:1:stream/people", created_at=1.0)


class HandClock:
    """Stands still until it is moved."""

    def __init__(self, now: float = 100.0) -> None:
        self.time = now
        self.wall_time = 1_000_000.0

    def now(self) -> float:
        return self.time

    @property
    def clock(self) -> Clock:
        return Clock(now=self.now, wall=lambda: self.wall_time)


class ScriptedCore:
    """Answers every event with what a function says, and remembers what it was told."""

    def __init__(
        self,
        react: Callable[[Event], Sequence[Command]],
        *,
        first: Sequence[Command] = (),
        wakeup: float | None = None,
    ) -> None:
        self._react = react
        self._first = first
        self.wakeup = wakeup
        self.told: list[tuple[float, Event]] = []

    def start(self, now: float, wall: float) -> list[Command]:
        return list(self._first)

    def receive(self, now: float, event: Event) -> list[Command]:
        self.told.append((now, event))
        return list(self._react(event))

    def next_wakeup(self) -> float | None:
        return self.wakeup

    def status(self, now: float) -> WorkerStatus:
        return worker_status()


class Returns:
    """Collects `CallReturned` events as they are posted, and waits for the next one."""

    def __init__(self) -> None:
        self._arrived = threading.Condition()
        self.all: list[CallReturned] = []
        self._taken = 0

    def post(self, event: CallReturned) -> None:
        with self._arrived:
            self.all.append(event)
            self._arrived.notify_all()

    def next(self) -> CallReturned:
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.all) > self._taken, PATIENCE)
            self._taken += 1
            return self.all[self._taken - 1]


class EmptyTable:
    """A lease table in which nothing is ever found; every write applies."""

    def write(self, write: RowWrite) -> WriteAnswer:
        return Applied(None)

    def scan(self, *, consistent: bool) -> Iterator[tuple[Row, ...] | Failure]:
        yield ()

    def read_rows(self, keys: Sequence[str]) -> RowsFound:
        return RowsFound((), tuple(keys))

    def find_owned(self, owner: str) -> KeysFound:
        return KeysFound(())

    def describe(self) -> TableSeen:
        return TableSeen("table-1")


class EmptyStream:
    """A stream of one shard in which nothing ever arrives."""

    def list_shards(self, *, since: float | None = None) -> ShardsSeen | Failure:
        return ShardsSeen((), 1.0)

    def fetch(self, command: Fetch) -> PageFetched | FetchFailed:
        return PageFetched(
            fetch_id=command.fetch_id,
            key=command.key,
            page=None,
            next_iterator="next",
            children=(),
            lag=0.0,
            bytes_read=0,
        )


class Crashes:
    """Takes crashes of threads down."""

    def __init__(self) -> None:
        self.first: Future[tuple[str, BaseException]] = Future()
        self.all: list[BaseException] = []

    def __call__(self, thread: str, error: BaseException) -> None:
        self.all.append(error)
        if not self.first.done():
            self.first.set_result((thread, error))


def worker_status() -> WorkerStatus:
    return WorkerStatus(
        worker_id="w",
        state="running",
        healthy=True,
        shards={},
        peers=(),
        dynamodb_read_units=0.0,
        dynamodb_write_units=0.0,
    )


def job(processor: ProcessorLike) -> Job:
    return Job(
        app_name="app",
        worker_id="w-1",
        stream=STREAM,
        maker=classify(processor),
        errors=ErrorRules(),
        table_port=EmptyTable(),
        stream_port=EmptyStream(),
        audit=None,
        loop=None,
        context=contextvars.copy_context(),
    )


def start_run(run_id: int = 1, *, fence: float = 1e12, token: int = 7) -> StartRun:
    epoch = EpochFacts(
        key="shardId-1",
        shard_id="shardId-1",
        token=token,
        fence=fence,
        checkpointed=None,
        pending=None,
    )
    return StartRun(run_id=run_id, epoch=epoch)


def page(count: int = 3) -> Page:
    records = [Record(sequence_number=str(n + 1), data=b"secret") for n in range(count)]
    return Page(records, count * 6)


def deliver(count: int = 3, run_id: int = 1) -> Deliver:
    return Deliver(
        run_id=run_id,
        page=page(count) if count else None,
        start=0,
        stop=count,
        attempt=1,
        lag=0.0,
        at_shard_end=False,
    )


def close(run_id: int = 1) -> CallProcessor:
    return CallProcessor(run_id=run_id, method="close")
