"""How do shard machines of some workers meet one table and one stream, with time and faults?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from random import Random

from kcl_py.core import commands, events
from kcl_py.core.calls import Calls
from kcl_py.core.events import Failure, FailureKind
from kcl_py.core.leases.rows import APPLICATION_KEY, ApplicationRow, LeaseRow, Row
from kcl_py.core.shards.graph import Shard
from kcl_py.core.shards.syncer import ShardSync
from kcl_py.core.timers import Timers
from kcl_py.errors import KclError
from tests.core.fake_table import FakeTable

WALL_AT_START = 1_700_000_000.0


@dataclass(slots=True)
class Faults:
    """Chances per command.

    Attributes:
        unknown: The answer is lost; half of such writes were applied.
        throttled: Refused for its rate.
        slow: Longest time until an answer comes, seconds.
    """

    unknown: float = 0.0
    throttled: float = 0.0
    slow: float = 0.05


class Worker:
    """One worker's shard machines, and its lease side, which only listens."""

    def __init__(self, world: World, name: str, *, is_auditor: bool = True) -> None:
        self.world = world
        self.auditor = is_auditor
        self.calls = Calls()
        self.timers = Timers()
        self.view: dict[str, LeaseRow] = {}
        self.ready_at: float | None = None
        self.parents_done_at: dict[str, float] = {}
        self.children_at: dict[str, list[float]] = {}
        self.scans: list[float] = []
        self.errors: list[KclError] = []
        self.reports: list[commands.Report] = []
        self.sync = ShardSync(
            worker_id=name,
            calls=self.calls,
            timers=self.timers,
            rng=Random(world.rng.random()),
            lease_duration=10.0,
            listener=self,
        )

    def begin(self) -> None:
        """Begin with a scan that was just made."""
        self.view = dict(self.world.table.leases)
        app = self.world.table.rows[APPLICATION_KEY]
        assert isinstance(app, ApplicationRow)
        self.sync.begin(self.world.now, app, then=self._ready)

    def reported(self, name: str) -> list[str | None]:
        """The lease keys of all reports of a name."""
        return [report.key for report in self.reports if report.name == name]

    def _ready(self, now: float) -> None:
        assert self.ready_at is None
        self.ready_at = now

    # -------------------------------------------------------------------------- ShardListener

    def rows(self) -> Mapping[str, LeaseRow]:
        return self.view

    def scan_consistently(self, now: float, then: Callable[[float, bool], None]) -> None:
        self.scans.append(now)
        found: dict[str, LeaseRow] = {}

        def page(_: float, rows: tuple[Row, ...]) -> None:
            found.update((row.key, row) for row in rows if isinstance(row, LeaseRow))

        def end(at: float, failure: Failure | None) -> None:
            if failure is None:
                self.view = found
            then(at, failure is None)

        self.calls.scan(consistent=True, page=page, then=end)

    def row_seen(self, now: float, row: LeaseRow) -> None:
        self.view[row.key] = row

    def row_deleted(self, now: float, key: str) -> None:
        self.view.pop(key, None)

    def parents_done(self, now: float, key: str) -> None:
        assert key not in self.parents_done_at
        self.parents_done_at[key] = now

    def children_created(self, now: float, key: str, children: tuple[str, ...]) -> None:
        self.children_at.setdefault(key, []).append(now)

    def highest_counter(self) -> int:
        return max((row.counter for row in self.view.values()), default=0)

    def wall_now(self, now: float) -> float:
        return WALL_AT_START + now

    def is_auditor(self) -> bool:
        return self.auditor

    def fail(self, now: float, error: KclError) -> None:
        self.errors.append(error)


@dataclass(slots=True)
class World:
    """One table, one stream, some workers, and time.

    Attributes:
        shards: What ListShards shows now.
        listing_failure: What it fails with instead, if anything.
        write_failure: What writes fail with, if anything.
        scan_failure: How scans end before the first page, if so.
        listings: The `since` of every listing asked for.
    """

    table: FakeTable
    shards: tuple[Shard, ...]
    rng: Random = field(default_factory=lambda: Random(1))
    faults: Faults = field(default_factory=Faults)
    now: float = 0.0
    listing_failure: Failure | None = None
    write_failure: Failure | None = None
    scan_failure: Failure | None = None
    listings: list[float | None] = field(default_factory=list)
    workers: list[Worker] = field(default_factory=list)
    ahead: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    order: count[int] = field(default_factory=count)

    def worker(self, name: str = "w1", *, is_auditor: bool = True) -> Worker:
        """Add a worker."""
        worker = Worker(self, name, is_auditor=is_auditor)
        self.workers.append(worker)
        return worker

    def at(self, when: float, happens: Callable[[], None]) -> None:
        """Let something happen at a time."""
        heappush(self.ahead, (when, next(self.order), happens))

    def run(self, seconds: float) -> None:
        """Let time pass."""
        end = self.now + seconds
        self._carry_out()
        while (due := self._next_time()) is not None and due <= end:
            self.now = max(self.now, due)
            while self.ahead and self.ahead[0][0] <= self.now:
                heappop(self.ahead)[2]()
            for worker in self.workers:
                worker.timers.fire(self.now)
            self._carry_out()
        self.now = end

    def _next_time(self) -> float | None:
        times = [worker.timers.next() for worker in self.workers]
        times += [self.ahead[0][0]] if self.ahead else []
        return min((each for each in times if each is not None), default=None)

    def _carry_out(self) -> None:
        for worker in self.workers:
            for command in worker.calls.take_out():
                if isinstance(command, commands.Report):
                    worker.reports.append(command)
                else:
                    self._answer(worker, command)

    def _answer(self, worker: Worker, command: commands.Command) -> None:
        """Let the service act after some time, and the answer arrive after some more."""
        roll = self.rng.random()
        acts_at = self.now + self.rng.uniform(0.001, self.faults.slow)
        if roll < self.faults.throttled:
            self._tell(worker, acts_at, [failed(command, FailureKind.THROTTLED)])
            return
        is_lost = roll < self.faults.throttled + self.faults.unknown
        is_done = not is_lost or self.rng.random() < 0.5

        def act() -> None:
            answers = self._act(command) if is_done else []
            if not is_lost:
                self._tell(worker, self.now + self.rng.uniform(0.001, self.faults.slow), answers)

        if is_lost:
            lost_at = self.now + self.faults.slow
            self._tell(worker, lost_at, [failed(command, FailureKind.UNKNOWN)])
            acts_at = self.now + self.rng.uniform(0.001, 3 * self.faults.slow)
        self.at(acts_at, act)

    def _tell(self, worker: Worker, when: float, answers: list[events.Event]) -> None:
        def arrive() -> None:
            for answer in answers:
                assert worker.calls.answer(self.now, answer)

        self.at(when, arrive)

    def _act(self, command: commands.Command) -> list[events.Event]:
        if isinstance(command, commands.WriteRow) and self.write_failure is not None:
            return [events.RowWritten(command.write_id, self.write_failure)]
        if isinstance(command, commands.ScanRows) and self.scan_failure is not None:
            return [events.ScanEnded(command.read_id, self.scan_failure)]
        if not isinstance(command, commands.ListShards):
            return self.table.answer(command)
        self.listings.append(command.since)
        failure = self.listing_failure
        shown = () if failure is not None else self.shards
        return [events.ShardsListed(command.read_id, shown, WALL_AT_START + self.now, failure)]


def failed(command: commands.Command, kind: FailureKind) -> events.Event:
    """Return the answer that a failed command gets."""
    failure = Failure(kind, "service:Call", f"{kind} in a test")
    match command:
        case commands.WriteRow(write_id):
            return events.RowWritten(write_id, failure)
        case commands.ScanRows(read_id):
            return events.ScanEnded(read_id, failure)
        case commands.ReadRows(read_id):
            return events.RowsRead(read_id, (), (), failure)
        case commands.ListShards(read_id):
            return events.ShardsListed(read_id, (), None, failure)
        case _:
            raise AssertionError(command)
