"""What does the consumer of one shard do next, in one epoch? The life that `states` draws.

The parts decide the details: `supply` which records are there, `running` which call of user code is
under way, `outcomes` what its end means, `checkpoints` what is finished, `patience` when to try
again, `losses` what becomes of a record that is given up.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Literal

from kcl_py.core.commands import EpochFacts
from kcl_py.core.consumer.accounts import account
from kcl_py.core.consumer.bisection import OF_THE_WHOLE
from kcl_py.core.consumer.checkpoints import Checkpoints
from kcl_py.core.consumer.leaving import step_of
from kcl_py.core.consumer.losses import Losses
from kcl_py.core.consumer.outcomes import error_of, judge
from kcl_py.core.consumer.patience import Patience
from kcl_py.core.consumer.reading import shard_id_of
from kcl_py.core.consumer.running import Running
from kcl_py.core.consumer.states import Signal, State, next_state
from kcl_py.core.consumer.supply import Supply
from kcl_py.core.consumer.tools import timer_name
from kcl_py.core.events import Traits

if TYPE_CHECKING:
    from collections.abc import Callable

    from kcl_py.core.consumer.buffer import Slice
    from kcl_py.core.consumer.pacing import Pacing
    from kcl_py.core.consumer.tools import Tools
    from kcl_py.core.events import CallReturned, CheckpointAsked
    from kcl_py.core.leases.rows import LeaseRow
    from kcl_py.core.ports import Epoch

_OVER = (State.LOST, State.ENDED)


class ShardMachine:
    """One shard in one epoch.

    Args:
        closed: Told once there is no processor object any more and none follows by itself: the
            state is DRAINED or ENDED.
        freed: Told after each answer to a read: there may be memory for others.

    Attributes:
        run: The processor object, if there is one.
        next_epoch: Begins once this one has closed: its handoff was cancelled too late.
        has_shutdown_begun: `shutdown_requested` was called.
        is_lost: The lease was lost.
        was_cut_off: There was a processor object then.
    """

    def __init__(
        self,
        tools: Tools,
        epoch: Epoch,
        pacing: Pacing,
        closed: Callable[[float, ShardMachine], None],
        freed: Callable[[float], None],
    ) -> None:
        self.key = epoch.row.key
        self.state = State.WAITING
        self.run: Running | None = None
        self.next_epoch: Epoch | None = None
        self.has_shutdown_begun = False
        self.is_lost = False
        self.was_cut_off = False
        self._tools = tools
        self.token = epoch.token
        self.fence = epoch.fence
        self._closed = closed
        self._freed = freed
        self.patience = Patience(tools, epoch.row, self._again)
        self.supply = Supply(tools, epoch.row, pacing, self._page_arrived)
        self.checkpoints = Checkpoints(tools, epoch.row, self.patience.progressed)
        self.losses = Losses(tools, self.key, self.checkpoints, self.supply, self.patience)
        self._waits_for_parents = False
        self._drain_reason: Literal["stop", "handoff"] | None = None

    # ------------------------------------------------------------------- told by the lease side

    def begin(self, now: float, *, waits_for_parents: bool) -> None:
        """The lease is ours."""
        self._waits_for_parents = waits_for_parents
        if not waits_for_parents:
            self._start(now)

    def parents_done(self, now: float, token: int) -> None:
        """Delivery may begin, with a token above those of the parents' epochs."""
        self._waits_for_parents, self.token = False, token
        if self.state is State.WAITING:
            self._start(now)

    def fence_moved(self, fence: float) -> None:
        """A renewal succeeded."""
        if self.state not in _OVER:
            self.fence = fence
            if self.run is not None:
                self.run.move_fence(fence)

    def durable(self, now: float, row: LeaseRow) -> None:
        """A write of ours succeeded."""
        if self.state in _OVER:
            return
        if self.checkpoints.durable(now, row) and self.run is not None:
            self.run.move_fence(self.fence, self.checkpoints.progress.durable)
        if self.state is State.PAUSED and self.patience.is_resumed(row) and now < self.fence:
            self._unpause(now)

    def drain(self, now: float, reason: Literal["stop", "handoff"]) -> None:
        """Stop: user code first, then the lease is given away."""
        if self.state in _OVER:
            return
        self._drain_reason = reason
        if self.state is State.DRAINED:
            self._closed(now, self)
            return
        step = step_of(self.state, self.run)
        if step.signal is not None:
            self._signal(step.signal)
        if step.stops_reading:
            self.supply.stop(keeps_first=True)
        if step.goes_on:
            self._go_on(now)

    def resume(self, now: float) -> None:
        """The handoff was cancelled before `shutdown_requested`: go on."""
        self._drain_reason = None
        match self.state:
            case State.INTERRUPTED | State.LEAVING:
                self._signal(Signal.RESUME)
            case State.DRAINING | State.LETTER_DRAINING:
                self._signal(Signal.RESUME)
                self._read_on(now)
            case State.DRAINED if self._waits_for_parents:
                self._signal(Signal.WAIT)
            case State.DRAINED:
                self._start(now)
            case _:
                pass  # It was not stopped.

    def lose(self, now: float, why: str) -> None:
        """The lease is not ours any more."""
        if self.state in _OVER:
            return
        self._signal(Signal.LOSE)
        self.is_lost, self.next_epoch = True, None
        self.fence = -inf
        run = self.run
        # A page in the hands of user code is in memory, whoever owns the lease.
        self._stop(keeps_first=run is not None and run.is_busy)
        self.checkpoints.lose()
        if run is None:
            self._move(now, Signal.CLOSED)
            return
        self.was_cut_off = True
        run.move_fence(-inf)
        self._report("processor.fenced", "warning", reason=why, method=run.method)
        if not run.is_busy:
            self._go_on(now)

    def children_created(self, now: float) -> None:
        """The child leases exist: the processor may be told that its shard has ended."""
        if self.state is State.FINISHING and now < self.fence:
            self._move(now, Signal.CHILDREN)

    # ------------------------------------------------------------------------ told by user code

    def asked(self, now: float, event: CheckpointAsked) -> bool:
        """User code asks for a checkpoint; False: it may not any more."""
        run = self.run
        if run is None or run.run_id != event.run_id or self.state in _OVER or now >= self.fence:
            return False
        self.checkpoints.ask(now, event, may_skip=run.method == "initialize")
        return True

    def returned(self, now: float, event: CallReturned) -> None:
        """A call is over. A result past the fence does not count; the lease side will say so."""
        run = self.run
        if run is None or run.run_id != event.run_id or run.method != event.method:
            return
        part = run.returned()
        if event.method == "initialize" and event.error is None:
            run.traits = event.traits or Traits(checkpointing="auto", idle_after=None)
        is_lost = self.state is State.LOST
        if is_lost or now >= self.fence or event.method in ("close", "shutdown_requested"):
            self._log(event)
        if event.method == "close":
            self._object_closed(now)
        elif is_lost:
            self._go_on(now)
        elif now < self.fence and event.method == "shutdown_requested":
            run.call(now, "close")
        elif now < self.fence:
            self._judge(now, run, part, event)
        if event.error is not None and event.error.kind == "exit":
            self._tools.leases.stop_worker(now, event.error.summary)

    def _judge(self, now: float, run: Running, part: Slice | None, event: CallReturned) -> None:
        progress = self.checkpoints.progress
        error = error_of(event, progress, is_auto=run.is_auto)
        signal = judge(event.method, error, is_auto=run.is_auto)
        if signal is Signal.LOSE:
            why = error.summary if error is not None else ""
            self._tools.leases.give_up(now, self.key, why)
            self.lose(now, why)
            return
        if event.method == "initialize" and error is None:
            self.patience.started()
        if event.method == "process_records":
            account(now, run, part, error, self.checkpoints, self.supply)
            self.patience.bisection.reached(progress.finished)
            if run.is_auto and error is None:
                self.patience.progressed()
        if event.method == "write_letter":
            is_leaving = self.state is State.LETTER_DRAINING
            signal = self.losses.letter_returned(now, run, error, is_leaving=is_leaving)
        elif error is not None:
            may_give_up = self.state in (State.PROCESSING, State.ENDING)
            blame = self.losses.blame(run, part, error) if may_give_up else OF_THE_WHOLE
            self.patience.failed(now, event.method, error, blame)
            if blame.position is not None:
                signal = self.losses.give_up(now, run, part, blame, error)
        self._signal(signal)
        if signal is Signal.READY and self.state is State.PROCESSING:
            self._read_on(now)
        self._go_on(now)

    def _object_closed(self, now: float) -> None:
        self.run = None
        if self.state is State.LOST:
            self.supply.stop()
        if self.state is State.LOST or now < self.fence:
            self._move(now, Signal.CLOSED)
        # Otherwise the lease side is about to say that it is lost.

    # ---------------------------------------------------------------------------------- going on

    def _move(self, now: float, signal: Signal) -> None:
        self._signal(signal)
        self._go_on(now)

    def _signal(self, signal: Signal) -> None:
        self.state = next_state(self.state, signal)

    def _go_on(self, now: float) -> None:
        """No call runs: do what the state asks for."""
        run = self.run
        match self.state:
            case State.PROCESSING:
                self._expect_quiet(now)
                self.pump(now)
            case State.RETRYING | State.BACKING_OFF | State.END_RETRYING | State.LETTER_RETRYING:
                self._try_later(now)
            case State.GIVING_UP if run is not None:
                self.losses.write(now, run)
            case State.PAUSED:
                self._stop()
                self.patience.pause(now)
            case State.SHUTTING_DOWN:
                self._stop()
                self._shut_down(now)
            case State.RESTARTING | State.LEAVING | State.CLOSING if run is not None:
                self._stop()
                run.call(now, "close")
            case State.ENDING if run is not None:
                run.call(now, "shard_ended")
            case State.LOST if run is not None:
                run.wind_down(now)
            case State.DRAINED | State.ENDED:
                self._stop()
                self.checkpoints.lose()
                self._closed(now, self)
            case _:
                pass

    def _try_later(self, now: float) -> None:
        if self.state is State.END_RETRYING and self._drain_reason is not None:
            self._move(now, Signal.SHUT)
        elif self.state in (State.RETRYING, State.BACKING_OFF) and self.patience.is_exhausted:
            self._move(now, Signal.PAUSE)
        else:
            self.patience.wait()

    def _page_arrived(self, now: float) -> None:
        self.pump(now)
        self._freed(now)

    def pump(self, now: float) -> None:
        """Deliver what is there, and read more."""
        if now >= self.fence:  # Another shard's end may free memory before ours is noticed.
            return
        if self.state is State.PROCESSING and self.run is not None and not self.run.is_busy:
            self._deliver(now, self.run)
        self.supply.pump(now)

    def _deliver(self, now: float, run: Running) -> None:
        part = self.losses.next_part(now)
        if part is not None:
            self.checkpoints.progress.deliver(part.last)
            run.deliver(
                now,
                part,
                attempt=self.patience.attempt,
                lag=part.lag,
                at_shard_end=self.supply.is_at_end(part),
            )
        elif self.supply.has_ended:
            self._signal(Signal.READ)
            self._report("shard.read", children=[child.shard_id for child in self.supply.children])
            self._tools.leases.shard_read(now, self.key, self.supply.children)

    def _expect_quiet(self, now: float) -> None:
        traits = self.run.traits if self.run is not None else None
        if traits is not None and traits.idle_after is not None:
            name = timer_name("idle", self.key)
            self._tools.timers.at(now + traits.idle_after, name, self._deliver_nothing)

    def _deliver_nothing(self, now: float) -> None:
        """The shard is quiet: let the processor flush its buffers."""
        run = self.run
        if self.state is not State.PROCESSING or run is None or run.is_busy or now >= self.fence:
            return
        if self.supply.is_empty and not self.supply.has_ended:
            lag = self.supply.lag or 0.0
            run.deliver(now, None, attempt=self.patience.attempt, lag=lag, at_shard_end=False)

    def _start(self, now: float) -> None:
        """Make a processor object: for the epoch, or a fresh one behind what is finished."""
        if now >= self.fence:
            return
        self.patience.resume(now)
        self._signal(Signal.START)
        progress = self.checkpoints.progress
        progress.start_over()
        facts = EpochFacts(
            key=self.key,
            shard_id=shard_id_of(self.key),
            token=self.token,
            fence=self.fence,
            checkpointed=progress.durable,
            pending=self.checkpoints.offered,
        )
        self.run = Running(self._tools, now, facts)
        at = progress.finished and str(progress.finished)
        self._report("processor.started", token=self.token, at=at)

    def _again(self, now: float) -> None:
        """The back-off is over."""
        if now >= self.fence:
            return
        if self.state is State.BACKING_OFF:
            self._start(now)
        elif self.state in (State.RETRYING, State.END_RETRYING, State.LETTER_RETRYING):
            self._move(now, Signal.AGAIN)

    def _unpause(self, now: float) -> None:
        """Somebody cleared the mark in the row."""
        if self.run is None:
            self._start(now)
            return
        self.patience.resume(now)
        self._signal(Signal.AGAIN)
        self._read_on(now)
        self._go_on(now)

    def _read_on(self, now: float) -> None:
        """Read behind what the object need not see again: what failed (auto) it must."""
        progress = self.checkpoints.progress
        is_auto = self.run is None or self.run.is_auto
        self.supply.start(now, progress.finished if is_auto else progress.delivered)

    # ------------------------------------------------------------------------------------ the end

    def _shut_down(self, now: float) -> None:
        if now < self.fence and self.run is not None:
            self.has_shutdown_begun = True
            self.run.call(now, "shutdown_requested", self._drain_reason)

    def _stop(self, *, keeps_first: bool = False) -> None:
        """Nothing more is read or tried."""
        for what in ("again", "idle"):
            self._tools.timers.cancel(timer_name(what, self.key))
        self.supply.stop(keeps_first=keeps_first)

    def _log(self, event: CallReturned) -> None:
        """Note an error that has no consequence; that the guard ends a call is none."""
        if event.error is not None and event.error.kind != "lease_lost":
            error = event.error.summary
            self._report("processor.failed", "warning", method=event.method, error=error)

    def _report(
        self, name: str, level: Literal["info", "warning", "error"] = "info", **fields: object
    ) -> None:
        self._tools.calls.report(name, level, self.key, **fields)
