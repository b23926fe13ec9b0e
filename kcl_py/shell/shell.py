"""How do the parts of the shell make one running worker, and how does that end?"""

from __future__ import annotations

import contextvars
from asyncio import AbstractEventLoop
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar, Final

from kcl_py.companions import Companion
from kcl_py.core.commands import (
    AnswerCheckpoint,
    CallProcessor,
    Command,
    Deliver,
    DumpStacks,
    Finish,
    MoveFence,
    Report,
    StartRun,
    WriteLetter,
)
from kcl_py.core.events import ThreadCrashed
from kcl_py.core.facts import StreamFacts
from kcl_py.errors import KclError, WorkerFailed
from kcl_py.processor import ProcessorMaker
from kcl_py.shell.async_calls import AsyncCalls
from kcl_py.shell.audit import AuditLog
from kcl_py.shell.checkpoints import CheckpointDesk
from kcl_py.shell.clock import SYSTEM_CLOCK, Clock
from kcl_py.shell.control import Control, Core, Mailbox
from kcl_py.shell.letters import ErrorRules
from kcl_py.shell.meter import Meter
from kcl_py.shell.remote import Remote, StreamPort, TablePort
from kcl_py.shell.reporting import OnEvent, Reporter
from kcl_py.shell.run import Surroundings
from kcl_py.shell.runs import Runs

CLOSE_SECONDS: Final = 2.0
"""How long the end of a worker waits for user code that is being closed."""


class Crashed(WorkerFailed):
    """A thread of ours ended with an exception, its cause: a bug in kcl_py."""

    exit_code: ClassVar[int] = 70


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is known once the worker is set up.

    Attributes:
        errors: What becomes of exceptions of user code.
        loop: Where async processors run; None: a loop of our own.
        context: Context variables that user code starts with.
        meter: Counts calls of AWS.
    """

    app_name: str
    worker_id: str
    stream: StreamFacts
    maker: ProcessorMaker
    errors: ErrorRules
    table_port: TablePort
    stream_port: StreamPort
    audit: AuditLog | None
    loop: AbstractEventLoop | None
    context: contextvars.Context
    meter: Meter = field(default_factory=lambda: Meter(SYSTEM_CLOCK.now))


class Shell:
    """Mailbox and log from the start; pools, runs and the loop of the core while the worker runs.

    Args:
        facts: Fields of every log line.
    """

    def __init__(
        self,
        clock: Clock,
        facts: Mapping[str, object],
        on_event: OnEvent | None = None,
        companions: Sequence[Companion] = (),
    ) -> None:
        self.mailbox = Mailbox()
        self.reporter = Reporter(facts, clock.now, on_event, self.on_crash, companions)
        self._clock = clock
        self._crash: BaseException | None = None
        self._calls: AsyncCalls | None = None

    def on_crash(self, thread: str, error: BaseException) -> None:
        """A thread of ours ended with an exception: have the core end the worker, and log it."""
        self._crash = self._crash or error
        self.mailbox.put(ThreadCrashed(thread, type(error).__qualname__))
        self.reporter.crashed(thread, error)

    def say_waiting(self, because: str) -> None:
        """Report what set-up waits for."""
        self.reporter.report(Report("worker.waiting", "info", None, {"because": because}))

    def dump_stacks(self) -> None:
        """Report where every thread is; safe from any thread but a signal handler's."""
        self.reporter.dump_stacks(None, self._calls.stacks() if self._calls is not None else "")

    def take_leave(self, error: BaseException | None) -> None:
        """Report what ended the worker, if it was no clean stop, and end the log's thread."""
        try:
            if error is not None:
                fields = {"error_type": type(error).__qualname__, "problem": str(error)}
                self.reporter.report(Report("worker.failed", "error", None, fields))
        finally:
            self.reporter.close()

    def run(self, core: Core, job: Job) -> KclError | None:
        """Run the worker until it has stopped; return what stopped it, None after a clean stop.

        Called by the control thread. Nothing of the worker acts any more when it returns, but for
        user code that has not returned: that is fenced. Reads may still be under way.
        """
        desk = CheckpointDesk(self.mailbox.put)
        calls = AsyncCalls(self._clock.now, self.on_crash, job.loop)
        runs = Runs(self._surroundings(job, desk, calls))
        self._calls = calls
        remote = Remote.open(
            job.table_port, job.stream_port, self.mailbox.put, self.on_crash, job.meter
        )
        control = Control(
            core, self.mailbox, self._clock, _Executor(remote, runs, desk, self.reporter, calls)
        )
        if job.audit is not None:
            job.audit.worker_started(self._clock.now())
        error: KclError | None = None
        try:
            error = control.run()
        except BaseException as bug:  # noqa: BLE001 - whatever it is, nothing may act from here on
            self.on_crash("kcl-control", bug)
        for step in (
            remote.close,
            partial(runs.abandon, CLOSE_SECONDS),
            desk.close,
            calls.close,
            remote.join,
            control.answer_the_rest,
            partial(self._say_ended, job.audit),
        ):
            try:
                step()
            except BaseException as bug:  # noqa: BLE001 - the other steps matter all the more
                self.on_crash("kcl-control", bug)
        return self._judge(error)

    def _say_ended(self, audit: AuditLog | None) -> None:
        if audit is not None:
            audit.worker_ended(self._clock.now())

    def _judge(self, error: KclError | None) -> KclError | None:
        """Say that a crash was one, with its cause."""
        if self._crash is None:
            return error
        name = type(self._crash).__qualname__
        crashed = Crashed(
            f"a thread of the worker crashed ({name}); this is a bug in kcl_py, please report it "
            "with the log line thread.crashed"
        )
        crashed.__cause__ = self._crash
        return crashed

    def _surroundings(self, job: Job, desk: CheckpointDesk, calls: AsyncCalls) -> Surroundings:
        return Surroundings(
            app_name=job.app_name,
            stream=job.stream,
            worker_id=job.worker_id,
            maker=job.maker,
            errors=job.errors,
            now=self._clock.now,
            wall=self._clock.wall,
            post=self.mailbox.put,
            report=self.reporter.report,
            desk=desk,
            async_calls=calls,
            audit=job.audit,
            on_crash=self.on_crash,
            context=job.context,
        )


@dataclass(frozen=True, slots=True)
class _Executor:
    """Hands each command to the part that carries it out."""

    remote: Remote
    runs: Runs
    desk: CheckpointDesk
    reporter: Reporter
    async_calls: AsyncCalls

    def __call__(self, command: Command) -> None:
        match command:
            case Deliver() | CallProcessor() | WriteLetter():
                self.runs.call(command)
            case MoveFence():
                self.runs.move_fence(command)
            case StartRun():
                self.runs.start(command)
            case AnswerCheckpoint():
                self.desk.answer(command)
            case Report():
                self.reporter.report(command)
            case DumpStacks():
                self.reporter.dump_stacks(command.key, self.async_calls.stacks())
            case Finish():
                raise AssertionError("the control loop keeps it")
            case _:
                self.remote.send(command)
