"""How does a simulated process carry out what its core says? A core, a clock, and user code."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

from kcl_py.core import commands
from kcl_py.core.events import PageFetched, StopAsked, WallRead, Woken
from kcl_py.core.leases.writes import WriteKind
from kcl_py.testing.sim.memory import CountedPage, Memory
from kcl_py.testing.sim.run import Call, CodeRun, SimRun
from kcl_py.testing.sim.watch import ViolationError

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Mapping

    from kcl_py.config import LeaseConfig, WorkerConfig
    from kcl_py.core.events import Event
    from kcl_py.core.ports import Epoch
    from kcl_py.errors import KclError
    from kcl_py.records import Position, Record
    from kcl_py.testing.sim.clocks import WorkerClock
    from kcl_py.testing.sim.heap import Action, EventHeap
    from kcl_py.testing.sim.run import OnAnswer
    from kcl_py.testing.sim.stream import SimStream
    from kcl_py.testing.sim.table import SimTable
    from kcl_py.testing.sim.trace import Trace
    from kcl_py.testing.sim.watch import Audience

WALL_SECONDS = 1.0
"""Longest pause between two readings of the wall clock."""

OVERSLEEP_MAX = 0.003
"""By how many seconds a timer may be late."""

_WOKEN = Woken()

_ABOUT_NO_LEASE = frozenset(
    {
        commands.Deliver,
        commands.Fetch,
        commands.FindOwned,
        commands.ListShards,
        commands.ReadRows,
        commands.ScanRows,
    }
)
"""Commands with which no lease begins, goes on or ends."""

_ABOUT_NO_LEASE_WRITES = frozenset({WriteKind.BEAT, WriteKind.RENEW})
"""Writes that change what is held with their answer at the earliest."""

TURNS_PER_SECOND_MAX = 5_000
"""A core that wants more is in a loop."""


class Core(Protocol):
    """What decides; `WorkerCore` is one."""

    def start(self, now: float, wall: float) -> list[commands.Command]:
        """Begin."""

    def receive(self, now: float, event: Event) -> list[commands.Command]:
        """Take one event in."""

    def next_wakeup(self) -> float | None:
        """Return when it wants to hear again, at the latest."""

    def held(self) -> Mapping[str, Epoch]:
        """Return the epochs that it holds, by lease key."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What all workers of a world share."""

    heap: EventHeap
    rng: random.Random
    table: SimTable
    stream: SimStream
    trace: Trace
    audience: Audience


class SimWorker:
    """One process: killed, it executes nothing more; paused, nothing until it resumes.

    While it is paused its clock goes on, what it has sent may still be applied, and answers wait.

    Attributes:
        name: The configured id; a restarted process has it again, with another worker id.
        alive: Neither killed nor finished.
        stopping: It was asked to stop.
        error: What it finished with.
        runs: Processor objects whose `close` has not returned, by run.
        memory: The records that it holds.
    """

    def __init__(
        self,
        scene: Scene,
        worker_id: str,
        *,
        core: Core,
        clock: WorkerClock,
        config: WorkerConfig,
        make_code: Callable[[SimRun], CodeRun],
        name: str = "",
    ) -> None:
        self.scene = scene
        self.worker_id = worker_id
        self.name = name or worker_id
        self.core = core
        self.clock = clock
        self.config = config
        self.alive = True
        self.finished = False
        self.stopping = False
        self.error: KclError | None = None
        self.started_at = scene.heap.now
        self.runs: dict[int, SimRun] = {}
        self.memory = Memory()
        self.timeout = _call_timeout(config.leases)
        self._make_code = make_code
        self._mail: list[Event] | None = None
        self._threads: list[Action] = []
        self._answers: dict[int, OnAnswer] = {}
        self._request_ids = itertools.count(1)
        self._wake: int | None = None
        self._wake_due = 0.0
        self._wall_due = 0.0
        self._turns = 0
        self._turns_since = 0.0

    @property
    def is_paused(self) -> bool:
        """Nothing is executed."""
        return self._mail is not None

    # ----------------------------------------------------------------------- what befalls it

    def start(self) -> None:
        """Begin."""
        now = self.clock.now()
        self._wall_due = now + WALL_SECONDS
        self.note("started")
        self._carry_out(StopAsked(), self.core.start(now, self.clock.wall()))

    def kill(self) -> None:
        """Kill -9."""
        if self.alive:
            self.note("killed")
            self._die()

    def pause(self) -> None:
        """SIGSTOP."""
        if self._mail is None:
            self.note("paused")
            self._mail = []

    def resume(self) -> None:
        """SIGCONT: everything that waited happens within milliseconds, threads in any order."""
        if self._mail is None:
            return
        self.note("resumed")
        mail, self._mail = self._mail, None
        threads, self._threads = self._threads, []
        heap, rng = self.scene.heap, self.scene.rng
        delays = sorted(rng.uniform(0.0, 0.005) for _ in mail)
        for delay, event in zip(delays, mail, strict=True):
            heap.after(delay, partial(self.tell, event))
        for action in threads:
            self.later(rng.uniform(0.0, 0.005), action)

    def stop(self) -> None:
        """SIGTERM."""
        if not self.stopping:
            self.stopping = True
            self.note("stop asked")
            self.tell(StopAsked())

    def _die(self) -> None:
        self.alive = False
        for told in self.scene.audience.died:
            told(self)

    def open_runs(self, key: str) -> list[SimRun]:
        """Return the processor objects of a lease that have not closed yet."""
        return [run for run in self.runs.values() if run.key == key]

    # ------------------------------------------------------------------------------ the shell

    def note(self, what: str, key: str = "", *facts: object) -> None:
        """Write a line of the trace."""
        self.scene.trace.add(self.worker_id, what, key, *facts)

    def jitter(self) -> float:
        """Return the time that a thread takes to begin."""
        return 0.001 * self.scene.rng.random()

    def later(self, delay: float, action: Action) -> None:
        """Do something in a thread of this process, unless it is dead by then."""

        def due() -> None:
            if not self.alive:
                return
            if self._mail is not None:
                self._threads.append(action)
            else:
                action()

        self.scene.heap.after(delay, due)

    def tell(self, event: Event) -> None:
        """Put an event into the mailbox of the control thread."""
        if not self.alive:
            return
        if self._mail is not None:
            self._mail.append(event)
        else:
            self._receive(event)

    def user_said(self, event: Event) -> None:
        """User code returned or asks: the core hears of it."""
        for told in self.scene.audience.user_said:
            told(self, event)
        self.scene.heap.after(self.jitter() / 10, lambda: self.tell(event))

    def delivered(self, run: SimRun, record: Record) -> None:
        """The guard let a record through to user code."""
        place = self.scene.stream.logs[run.key].index(record.position)
        self.note("delivered", run.key, f"token={run.epoch.token}", f"#{place}")
        for told in self.scene.audience.delivered:
            told(self, run, record)

    def buried(self, run: SimRun, position: Position) -> None:
        """A dead letter is durable."""
        self.note("buried", run.key, f"token={run.epoch.token}", position)
        for told in self.scene.audience.buried:
            told(self, run, position)

    def expect_answer(self, then: OnAnswer) -> int:
        """Return the number of a question whose answer goes to `then`."""
        request_id = next(self._request_ids)
        self._answers[request_id] = then
        return request_id

    def _receive(self, event: Event) -> None:
        now = self.clock.now()
        self._count_turn(event)
        if now >= self._wall_due:
            self._wall_due = now + WALL_SECONDS
            reading = WallRead(self.clock.wall())
            self._carry_out(reading, self.core.receive(now, reading))
            if event is _WOKEN:
                return  # The core was woken by the reading.
        if self.alive:
            if isinstance(event, PageFetched) and isinstance(event.page, CountedPage):
                event.page.arrive(self.memory)
            for heard in self.scene.audience.heard_by(type(event)):
                heard(self, event)
            self._carry_out(event, self.core.receive(now, event))

    def _count_turn(self, event: Event) -> None:
        now = self.scene.heap.now
        if now - self._turns_since > 1.0:
            self._turns_since, self._turns = now, 0
        self._turns += 1
        if self._turns > TURNS_PER_SECOND_MAX:
            raise ViolationError("I8", f"{self.worker_id} spins; its last event is {event}")

    def _carry_out(self, event: Event, orders: list[commands.Command]) -> None:
        audience = self.scene.audience
        idle = True
        for command in orders:
            idle = idle and _is_about_no_lease(command)
            for commanded in audience.commanded_by(type(command)):
                commanded(self, command)
            self._execute(command)
        for told in audience.told:
            told(self, event, idle=idle)
        if self.alive:
            self._set_alarm()

    def _set_alarm(self) -> None:
        wakeup = self.core.next_wakeup()
        # Something comes each second anyway; the wall clock is read then.
        latest = self._wall_due + WALL_SECONDS
        due = latest if wakeup is None else min(wakeup, latest)
        if self._wake is not None and due == self._wake_due:
            return
        self._wake_due = due
        late = 0.0001 + (OVERSLEEP_MAX - 0.0001) * self.scene.rng.random()
        when = max(self.clock.true_time(due), self.scene.heap.now) + late
        if self._wake is not None:
            self.scene.heap.cancel(self._wake)
        self._wake = self.scene.heap.at(when, self._alarm)

    def _alarm(self) -> None:
        self._wake = None
        self.tell(_WOKEN)

    def _execute(self, command: commands.Command) -> None:
        scene = self.scene
        match command:
            case (
                commands.WriteRow()
                | commands.ScanRows()
                | commands.ReadRows()
                | commands.FindOwned()
                | commands.DescribeTable()
            ):
                scene.table.execute(self, command)
            case commands.ListShards() | commands.Fetch():
                scene.stream.execute(self, command)
            case (
                commands.StartRun()
                | commands.Deliver()
                | commands.CallProcessor()
                | commands.WriteLetter()
            ):
                self._call_user(command)
            case commands.MoveFence(run_id, until):
                run = self.runs.get(run_id)
                if run is not None:
                    run.move_fence(until)
            case commands.AnswerCheckpoint():
                then = self._answers.pop(command.request_id)
                self.later(self.jitter(), lambda: then(command))
            case commands.Report():
                self.note(command.name, command.key or "", *_facts(command.fields))
            case commands.DumpStacks(key, run_id):
                self.note("stacks", key, run_id)
            case commands.Finish(error):
                self._finish(error)

    def _call_user(
        self,
        command: commands.StartRun
        | commands.Deliver
        | commands.CallProcessor
        | commands.WriteLetter,
    ) -> None:
        match command:
            case commands.StartRun(run_id=run_id, epoch=epoch):
                run = SimRun(self, run_id, epoch)
                run.code = self._make_code(run)
                self.runs[run_id] = run
                run.begin(Call(method="initialize"))
            case commands.Deliver():
                page = command.page
                records = () if page is None else page.records[command.start : command.stop]
                self.runs[command.run_id].begin(
                    Call(
                        method="process_records",
                        records=records,
                        attempt=command.attempt,
                        lag=command.lag,
                        at_shard_end=command.at_shard_end,
                    )
                )
            case commands.CallProcessor():
                self.runs[command.run_id].begin(Call(method=command.method, reason=command.reason))
            case commands.WriteLetter():
                self.runs[command.run_id].begin(Call(method="write_letter", letter=command))

    def _finish(self, error: KclError | None) -> None:
        self.error = error
        self.finished = True
        self.note("finished", "", "" if error is None else f"{type(error).__name__}: {error}")
        self._die()


def _call_timeout(leases: LeaseConfig) -> float:
    """Return after how many seconds a call is given up. Source: section 2 of the design."""
    return min(2.0, (2 * leases.duration / 3 - leases.fence_margin) / 3)


def _is_about_no_lease(command: commands.Command) -> bool:
    if type(command) is commands.WriteRow:
        return command.write.kind in _ABOUT_NO_LEASE_WRITES
    if type(command) is commands.Report:
        # A lease may be lost when nothing of it runs any more: the report is all that follows.
        return not command.name.startswith("lease.")
    return type(command) in _ABOUT_NO_LEASE


def _facts(fields: Mapping[str, object]) -> list[str]:
    return [f"{name}={value}" for name, value in fields.items()]
