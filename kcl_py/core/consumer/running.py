"""Which call of user code is running, and for how long? One processor object, call by call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from kcl_py.core.commands import (
    CallProcessor,
    Deliver,
    DumpStacks,
    EpochFacts,
    Method,
    MoveFence,
    StartRun,
    WriteLetter,
)
from kcl_py.core.consumer.tools import timer_name
from kcl_py.core.events import Traits

if TYPE_CHECKING:
    from kcl_py.core.consumer.buffer import Slice
    from kcl_py.core.consumer.tools import Tools
    from kcl_py.records import Position, Record


class Running:
    """One run: a processor object from `initialize` to `close`.

    Attributes:
        traits: Of its class; None until `initialize` returned.
        method: The call that is running; None: none is.
        slice: What the running `process_records` was given; None: an empty batch, or none runs.
        called: Every method called so far.
        began_at: When the newest call began.
        is_hung: The running call takes longer than `hung_after`.
    """

    def __init__(self, tools: Tools, now: float, epoch: EpochFacts) -> None:
        self.run_id = tools.calls.next_id()
        self.traits: Traits | None = None
        self.method: Method | None = None
        self.slice: Slice | None = None
        self.called: set[Method] = set()
        self.began_at = now
        self.is_hung = False
        self._tools = tools
        self._key = epoch.key
        tools.runs[self.run_id] = epoch.key
        self._began(now, "initialize")
        tools.calls.emit(StartRun(run_id=self.run_id, epoch=epoch))

    @property
    def is_busy(self) -> bool:
        """A call is running."""
        return self.method is not None

    @property
    def is_auto(self) -> bool:
        """Returning finishes the batch."""
        return self.traits is None or self.traits.checkpointing == "auto"

    def deliver(
        self, now: float, part: Slice | None, *, attempt: int, lag: float, at_shard_end: bool
    ) -> None:
        """Call `process_records`; without a part, with an empty batch."""
        self.slice = part
        self._began(now, "process_records")
        self._tools.calls.emit(
            Deliver(
                run_id=self.run_id,
                page=None if part is None else part.page,
                start=0 if part is None else part.start,
                stop=0 if part is None else part.stop,
                attempt=attempt,
                lag=lag,
                at_shard_end=at_shard_end,
            )
        )

    def call(
        self, now: float, method: Method, reason: Literal["stop", "handoff"] | None = None
    ) -> None:
        """Call one of the other methods."""
        self._began(now, method)
        self._tools.calls.emit(CallProcessor(run_id=self.run_id, method=method, reason=reason))

    def write_letter(
        self, now: float, position: Position, record: Record | None, failures: int
    ) -> None:
        """Have the sink write the letter of a record that is given up."""
        self._began(now, "write_letter")
        self._tools.calls.emit(
            WriteLetter(run_id=self.run_id, position=position, record=record, failures=failures)
        )

    def wind_down(self, now: float) -> None:
        """The lease is lost: say so once to an object that was initialized, then close."""
        is_told = self.traits is None or "lease_lost" in self.called
        self.call(now, "close" if is_told else "lease_lost")

    def returned(self) -> Slice | None:
        """The running call is over; return what it was given, to which nothing refers here now."""
        part, self.slice = self.slice, None
        if self.method == "close":
            del self._tools.runs[self.run_id]
        self.method = None
        self.is_hung = False
        for what in ("slow", "hung"):
            self._tools.timers.cancel(timer_name(what, self._key))
        return part

    def move_fence(self, until: float, durable: Position | None = None) -> None:
        """Let the guard of the object know."""
        self._tools.calls.emit(MoveFence(self.run_id, until, durable))

    def _began(self, now: float, method: Method) -> None:
        assert self.method is None, "one call at a time"
        assert "close" not in self.called, "close is always last"
        self.method = method
        self.began_at = now
        self.called.add(method)
        config, timers = self._tools.config.delivery, self._tools.timers
        timers.at(now + config.slow_after, timer_name("slow", self._key), self._is_slow)
        if config.hung_after is not None:
            timers.at(now + config.hung_after, timer_name("hung", self._key), self._hangs)

    def _is_slow(self, now: float) -> None:
        del now
        self._tools.calls.report(
            "processor.slow",
            "warning",
            self._key,
            method=self.method,
            seconds=self._tools.config.delivery.slow_after,
        )

    def _hangs(self, now: float) -> None:
        self.is_hung = True
        self._tools.calls.report(
            "processor.hung",
            "error",
            self._key,
            method=self.method,
            seconds=self._tools.config.delivery.hung_after,
        )
        self._tools.calls.emit(DumpStacks(self._key, self.run_id))
        self._tools.leases.hung(now, self._key)
