"""How is a user's own processor called in the simulated world? Really, at one instant of it."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from inspect import isawaitable
from typing import TYPE_CHECKING, Protocol

from kcl_py.core.events import Traits
from kcl_py.dead_letters.opening import open_sink
from kcl_py.errors import LeaseLost
from kcl_py.processor import (
    AsyncBatch,
    AsyncRecordProcessor,
    AsyncShardContext,
    Batch,
    Run,
    RunFacts,
    ShardContext,
)
from kcl_py.shell.letters import MAY_GIVE_UP, Reason, write_letter
from kcl_py.shell.user_errors import user_error
from kcl_py.testing.kit.loops import InsideLoopError
from kcl_py.testing.kit.moments import moments_go_to
from kcl_py.testing.sim.watch import ViolationError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Sequence

    from kcl_py.core.commands import AnswerCheckpoint
    from kcl_py.letters import DeadLetter
    from kcl_py.processor import AnyProcessor, CheckpointKind, ProcessorMaker
    from kcl_py.records import Position, Record
    from kcl_py.testing.kit.loops import Loops
    from kcl_py.testing.sim.run import Call, SimRun

ANSWER_SECONDS = 600.0
"""Virtual seconds after which a checkpoint without an answer is a bug of ours."""


class ProcessDiedError(BaseException):
    """The simulated process is dead: leaves user code as a kill would, but for its `finally`."""


class Stage(Protocol):
    """Who looks on while user code runs, and lets things happen to it."""

    def called(self, run: SimRun, call: Call) -> None:
        """A call begins."""

    def reached(self, run: SimRun, moment: str) -> None:
        """User code is at a moment; may raise ProcessDiedError."""

    def before_record(self, run: SimRun) -> None:
        """The guard is asked for the next record; may raise ProcessDiedError."""

    def handed_over(self, run: SimRun, record: Record) -> None:
        """The guard let a record through."""

    def buried(self, letters: Sequence[DeadLetter]) -> None:
        """The sink has returned: these letters are durable."""

    def after_call(self, run: SimRun, call: Call, error: BaseException | None) -> None:
        """User code has returned or raised; the core does not know yet. May raise likewise."""


class Baton:
    """At most one call of user code is on the stack; the others wait until it has returned."""

    def __init__(self) -> None:
        self._is_held = False
        self._waiting: list[Callable[[], None]] = []

    def run(self, action: Callable[[], None]) -> None:
        """Do it now, or when whoever has the baton gives it back."""
        if self._is_held:
            self._waiting.append(action)
            return
        self._is_held = True
        try:
            action()
        finally:
            self._is_held = False
        self._go_on()

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Whoever has it stands still, in the middle of a call, and others run."""
        assert self._is_held
        self._is_held = False
        try:
            self._go_on()
            yield
        finally:
            self._is_held = True

    def _go_on(self) -> None:
        while self._waiting:
            self.run(self._waiting.pop(0))


class RealRun:
    """One object of the user's class (or a wrapped function), called by the production core."""

    def __init__(
        self,
        run: SimRun,
        *,
        maker: ProcessorMaker,
        stage: Stage,
        baton: Baton,
        loops: Loops,
    ) -> None:
        worker, epoch = run.worker, run.epoch
        facts = RunFacts(
            app_name="test",
            stream=worker.scene.stream.facts.name,
            stream_arn=worker.scene.stream.facts.arn,
            shard_id=epoch.shard_id,
            lease_key=epoch.key,
            worker_id=worker.worker_id,
            fencing_token=epoch.token,
        )
        port = _Port(run, stage)
        pending = None if epoch.pending is None else (epoch.pending.position, epoch.pending.state)
        self._shared = Run(
            facts=facts,
            fence=run.fence,
            port=port,
            durable=epoch.checkpointed,
            pending=pending,
        )
        self._port = port
        self._run = run
        self._maker = maker
        self._stage = stage
        self._baton = baton
        self._loops = loops
        self._shard = ShardContext(self._shared)
        self._async_shard = AsyncShardContext(self._shared)
        self._processor: AnyProcessor | None = None
        self._reason: Reason | None = None

    def call(self, call: Call) -> None:
        """Make a call, when no other is on the stack."""
        self._baton.run(lambda: self._perform(call))

    def _perform(self, call: Call) -> None:
        worker = self._run.worker
        if not worker.alive:
            return
        if worker.is_paused:  # another call of it is frozen, and others have the baton meanwhile
            worker.later(0.0, lambda: self.call(call))
            return
        error: BaseException | None = None
        self._port.begin()
        try:
            self._stage.called(self._run, call)
            try:
                with moments_go_to(self._reached):
                    self._call_user(call)
            except (InsideLoopError, ViolationError):
                raise  # the kit's own
            except (Exception, SystemExit, asyncio.CancelledError) as raised:  # noqa: BLE001 - user code
                error = raised
            if call.method == "process_records":
                self._port.account(call.records, upto=self._handed_upto(call, error))
                self._shared.handed.returned(failed=error is not None)
            self._stage.after_call(self._run, call, error)
        except ProcessDiedError:
            return
        self._report(call, error)

    def _reached(self, moment: str) -> None:
        self._stage.reached(self._run, moment)

    def _handed_upto(self, call: Call, error: BaseException | None) -> Position | None:
        """An auto processor that returns has been handed the batch, whatever it looked at."""
        processor = self._processor
        is_auto = processor is not None and processor.checkpointing == "auto"
        if error is None and is_auto and call.records:
            return call.records[-1].position
        return self._shared.handed.newest

    def _report(self, call: Call, error: BaseException | None) -> None:
        traits = None
        if call.method == "initialize" and self._processor is not None:
            traits = Traits(
                checkpointing=self._processor.checkpointing,
                idle_after=self._processor.idle_after,
            )
        policy = self._run.worker.config.on_error
        said = None
        if error is not None:
            if call.method in MAY_GIVE_UP:
                self._reason = Reason.of(error)
            said = user_error(
                error, is_fenced=not self._run.is_inside(), give_up_on=policy.give_up_on
            )
        if self._run.worker.alive:
            self._run.returned(said, traits)

    def _call_user(self, call: Call) -> None:
        if call.method not in ("lease_lost", "close"):
            self._shared.ensure_owner()
        if call.method == "initialize":
            self._processor = self._maker.make()
        if call.reason is not None:
            self._shared.shutdown_reason = call.reason
        if call.letter is not None:
            self._reached(call.method)
            wall = self._run.worker.clock.wall()
            write_letter(self._write, call.letter, self._reason, self._shared.facts, wall)
            return
        processor = self._processor
        if processor is None:
            return
        # Behind the check of the fence, because that is where a frozen process is not seen.
        self._reached(call.method)
        if isinstance(processor, AsyncRecordProcessor):
            self._loops.run(self._run.worker.worker_id, self._await(processor, call))
        elif call.method == "process_records":
            processor.process_records(
                Batch(
                    self._shard,
                    call.records,
                    attempt=call.attempt,
                    lag=call.lag,
                    at_shard_end=call.at_shard_end,
                )
            )
        elif call.method == "close":
            processor.close()
        else:
            getattr(processor, call.method)(self._shard)

    def _write(self, letters: Sequence[DeadLetter]) -> object:
        """Give them to the sink of the policy; a sink that returns has them."""
        sink = self._run.worker.config.on_error.dead_letters
        assert sink is not None, "a policy of dead letters has a sink"
        answer = open_sink(sink, session=None)(letters)
        if not isawaitable(answer):
            self._run.bury()
            self._stage.buried(letters)
        return answer

    async def _await(self, processor: AsyncRecordProcessor, call: Call) -> None:
        if call.method == "process_records":
            await processor.process_records(
                AsyncBatch(
                    self._async_shard,
                    call.records,
                    attempt=call.attempt,
                    lag=call.lag,
                    at_shard_end=call.at_shard_end,
                )
            )
        elif call.method == "close":
            await processor.close()
        else:
            method: Callable[[AsyncShardContext], Coroutine[object, object, None]]
            method = getattr(processor, call.method)
            await method(self._async_shard)


class _Port:
    """What batches and contexts reach of the simulated process."""

    def __init__(self, run: SimRun, stage: Stage) -> None:
        self._run = run
        self._stage = stage
        self._upto: Position | None = None

    def begin(self) -> None:
        """A call begins: nothing of its records was handed over yet."""
        self._upto = None

    def account(self, records: Sequence[Record], *, upto: Position | None) -> None:
        """Count what was handed over by index or slice, which no guard has seen."""
        for record in records:
            if upto is not None and record.position <= upto:
                self._hand_over(record)

    def _hand_over(self, record: Record) -> None:
        if self._upto is not None and record.position <= self._upto:
            return  # the batch is iterated once more
        self._upto = record.position
        self._run.worker.delivered(self._run, record)
        self._stage.handed_over(self._run, record)

    @property
    def audit(self) -> Callable[[float, Record], None]:
        """Tell the stage of every record."""
        return self._audit

    def _audit(self, _read_at: float, record: Record) -> None:
        self._stage.before_record(self._run)
        # What happened just now may have taken the lease.
        if not self._run.is_inside():
            raise LeaseLost(lease_key=self._run.key)
        self._hand_over(record)

    def now(self) -> float:
        """Read the clock of the simulated process."""
        return self._run.worker.clock.now()

    def checkpoint(
        self,
        kind: CheckpointKind,
        at: Position,
        handed: Position | None,
        *,
        wait: bool,
        state: bytes,
    ) -> Position | None:
        """Ask the core, and let the world go on until it has answered."""
        run = self._run
        self._stage.reached(run, kind)
        answers: list[AnswerCheckpoint] = []
        run.ask(kind, at, handed=handed, then=answers.append, wait=wait, state=state)
        heap = run.worker.scene.heap
        answered = heap.run_until(
            heap.now + ANSWER_SECONDS, stop=lambda: bool(answers) or not run.worker.alive
        )
        if not run.worker.alive:
            raise ProcessDiedError
        assert answered, f"no answer to a {kind} of {run.key}"
        if answers[0].error is not None:
            raise answers[0].error
        if wait:  # else it is not durable yet
            self._stage.reached(run, f"{kind} returned")
        return answers[0].durable

    async def checkpoint_async(
        self,
        kind: CheckpointKind,
        at: Position,
        handed: Position | None,
        *,
        wait: bool,
        state: bytes,
    ) -> Position | None:
        """Do the same."""
        return self.checkpoint(kind, at, handed, wait=wait, state=state)
