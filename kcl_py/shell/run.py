"""How is one processor object made and called? One thread, one call at a time."""

from __future__ import annotations

import contextvars
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import inf
from typing import Final, TypeAlias

import structlog

from kcl_py.core.commands import (
    CallProcessor,
    Deliver,
    Method,
    Report,
    StartRun,
    WriteLetter,
)
from kcl_py.core.events import CallReturned, Traits, UserError
from kcl_py.core.facts import StreamFacts
from kcl_py.processor import (
    AnyProcessor,
    AsyncBatch,
    AsyncRecordProcessor,
    AsyncShardContext,
    Batch,
    Fence,
    ProcessorMaker,
    RecordProcessor,
    Run,
    RunFacts,
    ShardContext,
)
from kcl_py.processor.raised import root_of
from kcl_py.records import Position, Record
from kcl_py.shell.async_calls import AsyncCall, AsyncCalls, RunningCall
from kcl_py.shell.audit import AuditLog, EpochAudit
from kcl_py.shell.checkpoints import CheckpointDesk, Port
from kcl_py.shell.letters import MAY_GIVE_UP, ErrorRules, Reason, write_letter
from kcl_py.shell.threads import OnCrash, spawn
from kcl_py.shell.user_errors import stack_of, user_error

Call: TypeAlias = Deliver | CallProcessor | WriteLetter

AFTER_THE_FENCE: Final = frozenset({"lease_lost", "close"})
"""Methods that are called when the epoch is over, too."""

_INSIDE: Final[contextvars.ContextVar[frozenset[str]]] = contextvars.ContextVar(
    "kcl_py_inside", default=frozenset()
)


def is_inside_processor(worker_id: str) -> bool:
    """Say whether the caller is user code that this worker called."""
    return worker_id in _INSIDE.get()


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What every run of a worker shares.

    Attributes:
        post: Hands an event to the core.
        report: Hands a line to the log.
        errors: What becomes of exceptions of user code.
        context: Context variables that user code starts with.
    """

    app_name: str
    stream: StreamFacts
    worker_id: str
    maker: ProcessorMaker
    errors: ErrorRules
    now: Callable[[], float]
    wall: Callable[[], float]
    post: Callable[[CallReturned], None]
    report: Callable[[Report], None]
    desk: CheckpointDesk
    async_calls: AsyncCalls
    audit: AuditLog | None
    on_crash: OnCrash
    context: contextvars.Context


class ProcessorRun:
    """One processor object, its thread, and what its contexts see."""

    def __init__(self, command: StartRun, surroundings: Surroundings) -> None:
        epoch = command.epoch
        self.run_id = command.run_id
        self.key = epoch.key
        self._surroundings = surroundings
        self._fence = Fence(epoch.fence)
        log = surroundings.audit
        self._audit = log.epoch(epoch.key, epoch.token) if log is not None else None
        self._shared = _shared(command, surroundings, self._fence, self._audit)
        self._calls: queue.SimpleQueue[Call] = queue.SimpleQueue()
        self._processor: AnyProcessor | None = None
        self._shard = ShardContext(self._shared)
        self._async_shard = AsyncShardContext(self._shared)
        self._context = surroundings.context.copy()
        self._running: RunningCall | None = None
        self._reason: Reason | None = None
        self._is_over = threading.Event()
        spawn(f"kcl-shard-{epoch.shard_id}", self._work, surroundings.on_crash)

    @property
    def is_over(self) -> bool:
        """Say whether `close` has returned."""
        return self._is_over.is_set()

    def call(self, command: Call) -> None:
        """Make this call after those before it."""
        self._calls.put(command)

    def join(self, timeout: float) -> None:
        """Wait until `close` has returned, so many seconds at most."""
        self._is_over.wait(timeout)

    def learn(self, durable: Position | None) -> None:
        """Tell its contexts the newest durable checkpoint; None: no news."""
        if durable is not None:
            self._shared.learn(durable)

    def move_fence(self, until: float) -> None:
        """Store a new fence; minus infinity ends the epoch, and no later value revives it."""
        if until > -inf:
            if not self._fence.lost:
                self._fence.until = until
            if not self._fence.lost:
                return
        was_lost = self._fence.lost
        self._fence.lose()
        if self._audit is not None and not was_lost:
            self._audit.fenced(self._surroundings.now())
        running = self._running
        if running is not None:
            running.look_at_fence()

    # ---------------------------------------------------------------------- the thread of the run

    def _work(self) -> None:
        self._context.run(self._bind)
        if self._audit is not None:
            self._audit.begun(self._surroundings.now())
        try:
            self._perform(CallProcessor(run_id=self.run_id, method="initialize"))
            while not self._is_over.is_set():
                self._perform(self._calls.get())
        finally:
            self._end()

    def _bind(self) -> None:
        facts = self._shared.facts
        structlog.contextvars.bind_contextvars(
            worker_id=facts.worker_id,
            app_name=facts.app_name,
            stream=facts.stream,
            shard_id=facts.shard_id,
            lease_key=facts.lease_key,
            fencing_token=facts.fencing_token,
        )
        _INSIDE.set(_INSIDE.get() | {facts.worker_id})

    def _end(self) -> None:
        self._fence.lose()
        self._is_over.set()

    def _perform(self, call: Call) -> None:
        method = method_of(call)
        error: UserError | None = None
        try:
            self._call_user(call, method)
        except BaseException as raised:  # noqa: BLE001 - whatever user code raises is an event
            error = self._judge(raised, method)
        if isinstance(call, Deliver):
            self._shared.handed.returned(failed=error is not None)
        if self._audit is not None:
            self._audit.returned(self._surroundings.now(), method, ok=error is None)
        if method == "close":
            self._end()
        traits = self._traits() if method == "initialize" else None
        returned = CallReturned(run_id=self.run_id, method=method, error=error, traits=traits)
        self._surroundings.post(returned)

    def _call_user(self, call: Call, method: Method) -> None:
        if method == "initialize":
            self._shared.ensure_owner()
            self._make()
        if method not in AFTER_THE_FENCE:
            self._shared.ensure_owner()
        if isinstance(call, WriteLetter):
            self._context.run(self._write_letter, call)
            return
        if isinstance(call, CallProcessor) and call.reason is not None:
            self._shared.shutdown_reason = call.reason
        processor = self._processor
        if isinstance(processor, AsyncRecordProcessor):
            fence = None if method in AFTER_THE_FENCE else self._fence
            self._on_loop(partial(self._await, processor, call), fence)
        elif processor is not None:  # None: making it failed, so there is nothing to close
            self._context.run(self._invoke, processor, call)

    def _write_letter(self, call: WriteLetter) -> None:
        """In this thread, also where the processor is on the loop: a sink may block."""
        around = self._surroundings
        write = around.errors.write_letters
        write_letter(write, call, self._reason, self._shared.facts, around.wall())

    def _make(self) -> None:
        maker = self._surroundings.maker
        if maker.is_async:

            async def make() -> None:
                self._processor = maker.make()

            self._on_loop(make, self._fence)
        else:
            self._processor = self._context.run(maker.make)

    def _invoke(self, processor: RecordProcessor, call: Deliver | CallProcessor) -> None:
        if isinstance(call, Deliver):
            processor.process_records(
                Batch(
                    self._shard,
                    _records(call),
                    attempt=call.attempt,
                    lag=call.lag,
                    at_shard_end=call.at_shard_end,
                )
            )
        elif call.method == "close":
            processor.close()
        else:
            getattr(processor, call.method)(self._shard)

    async def _await(self, processor: AsyncRecordProcessor, call: Deliver | CallProcessor) -> None:
        if isinstance(call, Deliver):
            await processor.process_records(
                AsyncBatch(
                    self._async_shard,
                    _records(call),
                    attempt=call.attempt,
                    lag=call.lag,
                    at_shard_end=call.at_shard_end,
                )
            )
        elif call.method == "close":
            await processor.close()
        else:
            await getattr(processor, call.method)(self._async_shard)

    def _on_loop(self, call: AsyncCall, fence: Fence | None) -> None:
        self._running = self._surroundings.async_calls.run(call, self._context, fence)
        try:
            self._running.wait()
        finally:
            self._running = None

    def _judge(self, raised: BaseException, method: Method) -> UserError:
        error = user_error(
            raised,
            is_fenced=not self._shared.is_owner(),
            give_up_on=self._surroundings.errors.give_up_on,
        )
        if method in MAY_GIVE_UP:
            self._reason = Reason.of(raised)
        if error.kind != "lease_lost":
            root = root_of(raised)
            fields: dict[str, object] = {
                "method": method,
                "error_type": type(root).__qualname__,
                "stack_of_error": stack_of(root),
            }
            self._surroundings.report(Report("processor.raised", "info", self.key, fields))
        return error

    def _traits(self) -> Traits | None:
        processor = self._processor
        if processor is None:
            return None
        return Traits(checkpointing=processor.checkpointing, idle_after=processor.idle_after)


def method_of(call: Call) -> Method:
    """Return what is called."""
    match call:
        case Deliver():
            return "process_records"
        case WriteLetter():
            return "write_letter"
        case CallProcessor():
            return call.method


def _shared(
    command: StartRun, surroundings: Surroundings, fence: Fence, audit: EpochAudit | None
) -> Run:
    epoch = command.epoch
    port = Port(
        surroundings.desk,
        surroundings.now,
        fence,
        command.run_id,
        epoch.key,
        audit.record if audit is not None else None,
    )
    facts = RunFacts(
        app_name=surroundings.app_name,
        stream=surroundings.stream.name,
        stream_arn=surroundings.stream.arn,
        shard_id=epoch.shard_id,
        lease_key=epoch.key,
        worker_id=surroundings.worker_id,
        fencing_token=epoch.token,
    )
    pending = None if epoch.pending is None else (epoch.pending.position, epoch.pending.state)
    return Run(facts=facts, fence=fence, port=port, durable=epoch.checkpointed, pending=pending)


def _records(call: Deliver) -> Sequence[Record]:
    page = call.page
    if page is None:
        return ()
    is_whole = call.start == 0 and call.stop == page.count
    return page.records if is_whole else page.records[call.start : call.stop]
