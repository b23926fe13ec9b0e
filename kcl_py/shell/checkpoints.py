"""How does user code that asks for a checkpoint get its answer, and how long may it wait?"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final, TypeAlias

from kcl_py.core.commands import AnswerCheckpoint
from kcl_py.core.events import CheckpointAsked
from kcl_py.errors import LeaseLost
from kcl_py.processor import CheckpointKind, Fence
from kcl_py.records import Position, Record

Answer: TypeAlias = Future[Position | None]

LOOK_SECONDS: Final = 0.5
"""Between two looks at the fence, which renewals move while we wait."""

LATE_SECONDS: Final = 1.0
"""How long past the fence an answer is waited for; the core answers everything when it passes."""


class CheckpointDesk:
    """Hands questions of user code to the core, and the core's answers back. Thread-safe.

    Args:
        post: Hands an event to the core.
    """

    def __init__(self, post: Callable[[CheckpointAsked], None]) -> None:
        self._post = post
        self._ids = itertools.count(1)
        self._open: dict[int, Answer] = {}
        self._is_closed = False

    def next_id(self) -> int:
        """Return a number that names one question."""
        return next(self._ids)

    def ask(self, question: CheckpointAsked) -> Answer:
        """Hand a question over; the answer comes, at the latest when the worker ends."""
        answer: Answer = Future()
        self._open[question.request_id] = answer
        self._post(question)
        if self._is_closed:  # Looked at last, so that `close` cannot slip in between.
            self.close()
        return answer

    def answer(self, command: AnswerCheckpoint) -> None:
        """Let the one who asked go on."""
        answer = self._open.pop(command.request_id, None)
        if answer is None:
            return
        if command.error is not None:
            answer.set_exception(command.error)
        else:
            answer.set_result(command.durable)

    def forget(self, question: CheckpointAsked) -> None:
        """Nobody waits for this any more."""
        self._open.pop(question.request_id, None)

    def close(self) -> None:
        """The worker has ended: nobody answers any more."""
        self._is_closed = True
        while self._open:
            with contextlib.suppress(KeyError):
                self._open.popitem()[1].set_exception(_unknown(None))


class Port:
    """What the contexts and batches of one run reach of the shell; see `processor.RunPort`.

    Attributes:
        now: Reads the clock that fences are on.
        audit: Told of every record before it is yielded; normally None.
    """

    def __init__(
        self,
        desk: CheckpointDesk,
        now: Callable[[], float],
        fence: Fence,
        run_id: int,
        lease_key: str,
        audit: Callable[[float, Record], None] | None,
    ) -> None:
        self.now = now
        self.audit = audit
        self._desk = desk
        self._fence = fence
        self._run_id = run_id
        self._lease_key = lease_key

    def checkpoint(
        self,
        kind: CheckpointKind,
        at: Position,
        handed: Position | None,
        *,
        wait: bool,
        state: bytes,
    ) -> Position | None:
        """Ask the core, wait for its answer, and return the durable checkpoint of the epoch."""
        question = self._question(kind, at, handed, wait=wait, state=state)
        answer = self._desk.ask(question)
        try:
            while not answer.done():
                patience = self._patience()
                with contextlib.suppress(TimeoutError):
                    answer.exception(patience)
            return answer.result()
        finally:
            self._desk.forget(question)

    async def checkpoint_async(
        self,
        kind: CheckpointKind,
        at: Position,
        handed: Position | None,
        *,
        wait: bool,
        state: bytes,
    ) -> Position | None:
        """Do the same without blocking the loop."""
        question = self._question(kind, at, handed, wait=wait, state=state)
        answer = self._desk.ask(question)
        waiter = asyncio.wrap_future(answer)
        try:
            while not waiter.done():
                await asyncio.wait([waiter], timeout=self._patience())
            return waiter.result()
        finally:
            self._desk.forget(question)

    def _question(
        self,
        kind: CheckpointKind,
        at: Position,
        handed: Position | None,
        *,
        wait: bool,
        state: bytes,
    ) -> CheckpointAsked:
        return CheckpointAsked(
            run_id=self._run_id,
            request_id=self._desk.next_id(),
            kind=kind,
            at=at,
            handed=handed,
            wait=wait,
            state=state,
        )

    def _patience(self) -> float:
        """Return the seconds until the next look; raise LeaseLost once the fence is long past."""
        left = self._fence.until + LATE_SECONDS - self.now()
        if left <= 0:
            raise _unknown(self._lease_key)
        return min(left, LOOK_SECONDS)


def _unknown(lease_key: str | None) -> LeaseLost:
    return LeaseLost(
        "this epoch ended before the checkpoint was confirmed; it may be durable all the same, so "
        "the next owner starts at it or behind the one before",
        lease_key=lease_key,
    )
