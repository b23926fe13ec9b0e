"""How does a core call a processor object? The seat between core and user code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from kcl_py.core.events import CallReturned, CheckpointAsked
from kcl_py.processor import Fence

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kcl_py.core.commands import AnswerCheckpoint, EpochFacts, Method, WriteLetter
    from kcl_py.core.events import Traits, UserError
    from kcl_py.records import Position, Record
    from kcl_py.testing.sim.worker import SimWorker

    OnAnswer: TypeAlias = Callable[[AnswerCheckpoint], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of user code.

    Attributes:
        records: For process_records; empty for an idle batch.
        letter: For write_letter.
    """

    method: Method
    records: Sequence[Record] = ()
    attempt: int = 1
    lag: float = 0.0
    at_shard_end: bool = False
    reason: Literal["stop", "handoff"] | None = None
    letter: WriteLetter | None = None


class CodeRun(Protocol):
    """One processor object; it ends each call with `SimRun.returned`, later or never."""

    def call(self, call: Call) -> None:
        """Begin a call."""


class SimRun:
    """One processor object in one epoch.

    Attributes:
        key: The lease key.
        fence: On the worker's own clock; past it the guard lets nothing through.
        method: The call that is under way.
        closed: `close` has returned.
        last: The call that began last.
        code: The processor object; set by the worker.
    """

    code: CodeRun

    def __init__(self, worker: SimWorker, run_id: int, epoch: EpochFacts) -> None:
        self.worker = worker
        self.run_id = run_id
        self.epoch = epoch
        self.key = epoch.key
        self.fence = Fence(epoch.fence)
        self.method: Method | None = None
        self.closed = False
        self.last: Call | None = None

    def move_fence(self, until: float) -> None:
        """Let the guard stop later, or now and for ever."""
        if until == float("-inf"):
            self.fence.lose()
        elif not self.fence.lost:
            self.fence.until = until

    def begin(self, call: Call) -> None:
        """Call user code.

        Raises:
            AssertionError: The core calls while a call is under way, or after `close`.
        """
        assert self.method is None, f"{self.key}: {call.method} while {self.method} is running"
        assert not self.closed, f"{self.key}: {call.method} after close"
        self.method, self.last = call.method, call
        self.worker.note("call", self.key, f"run={self.run_id}", call.method, len(call.records))
        self.worker.later(self.worker.jitter(), lambda: self.code.call(call))

    def is_inside(self) -> bool:
        """The guard: may the run act now, by the clock of its own worker?"""
        return self.worker.clock.now() < self.fence.until

    def hand_over(self, record: Record) -> bool:
        """Give user code one record, if the guard lets it through."""
        if not self.is_inside():
            return False
        self.worker.delivered(self, record)
        return True

    def bury(self) -> None:
        """The letter that is being written is durable from here on, whoever hears of it."""
        assert self.last is not None
        assert self.last.letter is not None, "no letter is being written"
        self.worker.buried(self, self.last.letter.position)

    def returned(self, error: UserError | None = None, traits: Traits | None = None) -> None:
        """The call that is under way is over."""
        method = self.method
        assert method is not None, f"{self.key}: returned without a call"
        self.method = None
        if method == "close":
            self.closed = True
            self.worker.runs.pop(self.run_id, None)
        self.worker.note(
            "returned",
            self.key,
            f"run={self.run_id}",
            method,
            "" if error is None else error.summary,
        )
        self.worker.user_said(
            CallReturned(run_id=self.run_id, method=method, error=error, traits=traits)
        )

    def ask(
        self,
        kind: Literal["checkpoint", "prepare", "commit"],
        at: Position,
        *,
        handed: Position | None,
        then: OnAnswer,
        wait: bool = True,
        state: bytes = b"",
    ) -> None:
        """Ask for a checkpoint; `then` is called with the answer."""
        request_id = self.worker.expect_answer(then)
        self.worker.note("asked", self.key, f"run={self.run_id}", kind, at)
        self.worker.user_said(
            CheckpointAsked(
                run_id=self.run_id,
                request_id=request_id,
                kind=kind,
                at=at,
                handed=handed,
                wait=wait,
                state=state,
            )
        )
