"""What is going on? An engine, a stream, a producer and a fleet, and the facts about them.

The demo and the process tests stand on this. Whatever is asked here is answered from outside the
workers: from the lease table, the stream, the producer's list and the audit logs.
"""

from __future__ import annotations

import os
import signal
from collections import Counter, defaultdict, deque
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from kcl_py.cli.demo.fleet import Pump, WorkerFactory, WorkerProcess, wait_until
from kcl_py.cli.demo.producer import PeopleProducer
from kcl_py.cli.looking.table_source import Scan, scanner
from kcl_py.cli.looking.table_view import TableView
from kcl_py.core.leases.rows import LeaseRow
from kcl_py.local.process import EngineProcess
from kcl_py.shell.clock import SYSTEM_CLOCK
from kcl_py.testing.audit.auditor import Fault, Verdict, audit, read_audit_logs
from kcl_py.testing.audit.log import RECORD, AuditEvent, AuditTail

LOOK_SECONDS: Final = 0.25
"""Least pause between two looks at table, stream and logs."""

FACT_SECONDS_MAX: Final = 90.0
"""How long a fact may take; generous, only a fault reaches it."""

RATE_SECONDS: Final = 3.0
"""Over how long records per second are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldSettings:
    """How a world is made.

    Attributes:
        rate: Records per second that the producer writes, all shards together.
        worker_settings: Tuning of the workers by name, as `{"leases.duration": "3s"}`.
        worker_environment: More variables for the workers.
        engine_flags: As `python -m kcl_py.local` takes them.
    """

    directory: Path
    processor: str
    shards: int = 4
    rate: float = 200.0
    worker_settings: Mapping[str, str] = field(default_factory=dict)
    worker_environment: Mapping[str, str] = field(default_factory=dict)
    engine_flags: Sequence[str] = ()


class World:
    """Made by `with`; everything that it started has ended afterwards, however the block ends."""

    engine: EngineProcess
    kinesis: Any
    dynamodb: Any
    producer: PeopleProducer

    def __init__(self, settings: WorldSettings, pump: Pump | None = None) -> None:
        self.settings = settings
        self.app = "people-average"
        self.stream = "people"
        self.view = TableView()
        self.workers: dict[str, WorkerProcess] = {}
        self.faults: list[Fault] = []
        self.shards: Mapping[str, Mapping[str, Any]] = {}
        self.handed: dict[str, set[int]] = defaultdict(set)
        self.last_handed: dict[str, AuditEvent] = {}
        self._pump = pump
        self._tails: dict[str, AuditTail] = {}
        self._recent: deque[float] = deque()
        self._ending: set[str] = set()
        self._looked = float("-inf")
        self._scan: Scan | None = None
        self._exits = ExitStack()

    # ------------------------------------------------------------------------------ begin and end

    def __enter__(self) -> Self:
        with ExitStack() as exits:
            self.engine = exits.enter_context(EngineProcess(*self.settings.engine_flags))
            exits.callback(_set_environment, dict(os.environ))
            environment = {
                name: value
                for name, value in self.engine.environment.items()
                if not name.startswith("KCL_")
            }
            _set_environment(environment)
            exits.callback(self._kill_all)
            self._connect()
            self._factory = WorkerFactory(
                directory=self.settings.directory,
                app=self.app,
                stream=self.stream,
                processor=self.settings.processor,
                settings=self.settings.worker_settings,
                environment={**environment, **self.settings.worker_environment},
            )
            self._exits = exits.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._exits.close()

    def _connect(self) -> None:
        from kcl_py.aws import tools

        session = tools.make_session(None)
        url = self.engine.endpoint_url
        self.kinesis = tools.make_client("kinesis", session=session, endpoint_url=url)
        self.dynamodb = tools.make_client("dynamodb", session=session, endpoint_url=url)
        self.kinesis.create_stream(StreamName=self.stream, ShardCount=self.settings.shards)
        self.kinesis.get_waiter("stream_exists").wait(
            StreamName=self.stream, WaiterConfig={"Delay": 0.1, "MaxAttempts": 100}
        )
        # One attempt: a repeated call would write twice and know of one.
        writes = tools.make_client("kinesis", session=session, endpoint_url=url, attempts=1)
        log = self.settings.directory / "written.jsonl"
        self.producer = PeopleProducer(writes, self.stream, log=log, rate=self.settings.rate)
        self._scan = scanner(self.dynamodb, self.app)

    def _kill_all(self) -> None:
        producer = getattr(self, "producer", None)  # Not there if making the world failed.
        if producer is not None and producer.is_running:
            producer.stop()
        for worker in self.workers.values():
            worker.child.kill()

    # ------------------------------------------------------------------------------------ workers

    def start_workers(self, *names: str) -> None:
        """Start workers all at once, and wait until each runs."""
        for name in names:
            self.start_worker(name)
        for name in names:
            self.workers[name].wait_ready(self.pump)

    def start_worker(self, name: str, environment: Mapping[str, str] | None = None) -> None:
        """Start one; do not wait."""
        self.workers[name] = self._factory.start(name, environment)

    @property
    def live(self) -> list[str]:
        """Names of the workers that run and were not told to end."""
        return [
            name
            for name, worker in self.workers.items()
            if name not in self._ending and worker.child.is_running
        ]

    def signal(self, name: str, number: signal.Signals, what: str) -> float:
        """Send a worker a signal that is its end, or as good as; remembered as a fault."""
        worker = self.workers[name]
        self._ending.add(name)
        at = worker.child.send(number)
        self.faults.append(Fault(at=at, worker=worker.worker_id, name=what))
        return at

    def kill(self, name: str) -> float:
        """`kill -9`; returns when."""
        at = self.signal(name, signal.SIGKILL, f"kill -9 {name}")
        self.workers[name].child.wait(pump=self.pump)
        return at

    def freeze(self, name: str) -> float:
        """SIGSTOP; until it is thawed the worker counts as gone. Returns when."""
        return self.signal(name, signal.SIGSTOP, f"SIGSTOP {name}")

    def thaw(self, name: str) -> None:
        """SIGCONT: it takes part again."""
        self.workers[name].child.send(signal.SIGCONT)
        self._ending.discard(name)

    def stop_workers(self) -> Mapping[str, int]:
        """SIGTERM to all that live, and wait; exit codes by name."""
        names = self.live
        for name in names:
            self.signal(name, signal.SIGTERM, f"SIGTERM {name}")
        return {name: self.workers[name].child.wait(pump=self.pump) for name in names}

    def leases_of(self, name: str) -> list[str]:
        """Keys of what a worker really owns, as last seen."""
        worker_id = self.workers[name].worker_id
        return [row.key for row in self._active() if row.actual_owner == worker_id]

    # -------------------------------------------------------------------------------------- looks

    def pump(self) -> None:
        """Look, and let whoever watches draw."""
        self.look()
        if self._pump is not None:
            self._pump()

    def look(self) -> None:
        """Look at table, stream and logs, unless that was just done."""
        now = SYSTEM_CLOCK.now()
        if now - self._looked < LOOK_SECONDS:
            return
        self._looked = now
        for name, worker in self.workers.items():
            tail = self._tails.setdefault(name, AuditTail(worker.audit_log))
            for event in tail.read():
                self._take_in(event)
        while self._recent and self._recent[0] < now - RATE_SECONDS:
            self._recent.popleft()
        answer = self.kinesis.list_shards(StreamName=self.stream)
        self.shards = {shard["ShardId"]: shard for shard in answer["Shards"]}
        if self._scan is not None and any(worker.worker_id for worker in self.workers.values()):
            self._scan(self.view)

    def _take_in(self, event: AuditEvent) -> None:
        if event.kind != RECORD or event.place is None:
            return
        self._recent.append(event.at)
        self.handed[event.key].add(event.place[0])
        last = self.last_handed.get(event.key)
        if last is None or event.at >= last.at:
            self.last_handed[event.key] = event

    @property
    def rate(self) -> float:
        """Records per second that were handed over lately."""
        return len(self._recent) / RATE_SECONDS

    def behind(self) -> Counter[str]:
        """By shard, how many written records nobody was handed yet."""
        found: Counter[str] = Counter()
        for shard, numbers in self.producer.by_shard().items():
            handed = self.handed[shard]
            found[shard] = sum(int(number) not in handed for number in numbers)
        return found

    # -------------------------------------------------------------------------------------- facts

    @property
    def open_shards(self) -> list[str]:
        """Shards that take records."""
        return [
            key
            for key, shard in self.shards.items()
            if "EndingSequenceNumber" not in shard["SequenceNumberRange"]
        ]

    @property
    def parents(self) -> Mapping[str, Sequence[str]]:
        """Parents by shard."""
        names = ("ParentShardId", "AdjacentParentShardId")
        return {
            key: [shard[name] for name in names if name in shard]
            for key, shard in self.shards.items()
        }

    def _active(self) -> list[LeaseRow]:
        return [row for row in self.view.leases if not row.is_finished]

    def is_settled(self, since: float) -> bool:
        """Every open shard has a live owner who was handed a record of it after `since`.

        And every closed shard is finished, and nothing is on its way from one worker to another.
        """
        self.look()
        owners = {self.workers[name].worker_id for name in self.live}
        rows = {row.key: row for row in self._active()}
        open_shards = self.open_shards
        if not open_shards or rows.keys() != set(open_shards):
            return False
        for key in open_shards:
            row, last = rows[key], self.last_handed.get(key)
            if row.in_handoff or row.is_offered or row.owner not in owners:
                return False
            if last is None or last.at <= since or last.worker != row.owner:
                return False
        return True

    @property
    def is_balanced(self) -> bool:
        """No two live workers differ by more than one lease."""
        counts = [len(self.leases_of(name)) for name in self.live]
        return bool(counts) and max(counts) - min(counts) <= 1

    def wait_settled(self, *, balanced: bool = False, timeout: float = FACT_SECONDS_MAX) -> float:
        """Wait until every shard flows, from now on; returns the seconds that it took."""
        since = SYSTEM_CLOCK.now()
        return wait_until(
            lambda: self.is_settled(since) and (not balanced or self.is_balanced),
            "every shard is processed by a live worker" + (" and shared fairly" * balanced),
            timeout=timeout,
            pump=self.pump,
        )

    def wait_caught_up(self, timeout: float = FACT_SECONDS_MAX) -> float:
        """Wait until everything that was written was handed over; the producer has stopped."""

        def is_caught_up() -> bool:
            self.look()
            return self.behind().total() == 0

        return wait_until(
            is_caught_up, "every record is processed", timeout=timeout, pump=self.pump
        )

    # ----------------------------------------------------------------------------------- the stream

    def split(self, shard: str) -> None:
        """Split a shard in the middle."""
        hash_range = self.shards[shard]["HashKeyRange"]
        low, high = int(hash_range["StartingHashKey"]), int(hash_range["EndingHashKey"])
        self.kinesis.split_shard(
            StreamName=self.stream,
            ShardToSplit=shard,
            NewStartingHashKey=str((low + high + 1) // 2),
        )
        self._wait_changed()

    def merge(self, shard: str, adjacent: str) -> None:
        """Merge two shards that are neighbours."""
        self.kinesis.merge_shards(
            StreamName=self.stream, ShardToMerge=shard, AdjacentShardToMerge=adjacent
        )
        self._wait_changed()

    def _wait_changed(self) -> None:
        def is_active() -> bool:
            summary = self.kinesis.describe_stream_summary(StreamName=self.stream)
            return bool(summary["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE")

        wait_until(is_active, "the stream is ACTIVE", timeout=FACT_SECONDS_MAX, pump=self.pump)
        self._looked = float("-inf")
        self.look()

    def neighbours(self) -> list[tuple[str, str]]:
        """Pairs of open shards whose hash ranges touch, in the order of these."""
        ordered = sorted(
            self.open_shards,
            key=lambda key: int(self.shards[key]["HashKeyRange"]["StartingHashKey"]),
        )
        return list(pairwise(ordered))

    # ------------------------------------------------------------------------------------- verdict

    def verdict(self) -> Verdict:
        """What the audit logs of all workers say, read afresh."""
        self._looked = float("-inf")
        self.look()
        paths = [worker.audit_log for worker in self.workers.values() if worker.audit_log.exists()]
        return audit(
            read_audit_logs(paths),
            written=self.producer.by_shard(),
            parents=self.parents,
            faults=self.faults,
        )


def _set_environment(environment: Mapping[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environment)
