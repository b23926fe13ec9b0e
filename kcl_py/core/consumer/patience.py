"""How often did the user code of this shard fail, when is it tried again, and does it pause?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kcl_py.core.consumer.bisection import OF_THE_WHOLE, Bisection, Blame
from kcl_py.core.consumer.retries import Tries
from kcl_py.core.consumer.tools import timer_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from kcl_py.core.commands import Method
    from kcl_py.core.consumer.tools import Tools
    from kcl_py.core.events import UserError
    from kcl_py.core.leases.rows import LeaseRow


class Patience:
    """Failures of one shard in one epoch, counted apart for `initialize`, dead letters, the rest.

    Args:
        again: Told when the back-off is over.

    Attributes:
        bisection: Which records are to blame.
    """

    def __init__(self, tools: Tools, row: LeaseRow, again: Callable[[float], None]) -> None:
        self._tools = tools
        self._key = row.key
        self._again = again
        self._starts = Tries(tools.config.on_error, tools.rng)
        self._tries = Tries(tools.config.on_error, tools.rng)
        self._letters = Tries(tools.config.on_error, tools.rng)
        self.bisection = Bisection(tools.config.on_error)
        self._again_at: float | None = None
        self._says_paused = row.paused
        self._last_summary: str | None = None
        self._pause_is_written = False

    @property
    def attempt(self) -> int:
        """What a batch is told: failures since anything was finished, and one."""
        return self._tries.attempt

    @property
    def attempts(self) -> int:
        """What status shows: failed starts count too."""
        return max(self._tries.attempt, self._starts.attempt, self._letters.attempt)

    @property
    def last_error(self) -> str | None:
        """Of the newest failure that was not overcome, else of the last one ever.

        It may quote what user code said: for `status()`, never for logs.
        """
        for tries in (self._starts, self._letters):
            if tries.failures:
                return tries.last_error
        return self._tries.last_error or self._starts.last_error

    @property
    def is_exhausted(self) -> bool:
        """The error policy says that nothing more is tried."""
        return self._tries.is_paused or self._starts.is_paused

    @property
    def problem(self) -> str | None:
        """Why somebody should look."""
        if self._letters.failures:
            failed = f"failed {self._letters.failures} times: {self._letters.last_error}"
            return f"a dead letter cannot be written: {failed}"
        for tries in (self._starts, self._tries):
            if tries.is_red:
                return f"failed {tries.failures} times: {tries.last_error}"
        return None

    def is_exhausted_by(self, error: UserError) -> bool:
        """Say whether this failure, once counted, is the last that the policy allows."""
        policy = self._tools.config.on_error
        return not error.may_retry or self._tries.failures + 1 >= policy.attempts

    def failed(
        self, now: float, method: Method, error: UserError, blame: Blame = OF_THE_WHOLE
    ) -> None:
        """Count a failure. SystemExit is none, and is followed by a drain, not by a try."""
        self._again_at = None
        if error.kind == "exit":
            return
        tries = self._starts if method == "initialize" else self._tries
        self._last_summary = error.summary
        tries.failed(error.detail or error.summary, may_retry=error.may_retry)
        wait = 0.0 if blame.position is not None else tries.wait(blame.failures)
        self._again_at = now + wait
        self._tools.calls.report(
            "processor.failed",
            "error" if tries.is_red else "warning",
            self._key,
            method=method,
            error=error.summary,
            failures=tries.failures,
            retry_in=wait,
        )
        if blame.narrows:
            self._tools.calls.report("batch.narrowed", "warning", self._key, records=blame.narrows)

    def letter_failed(self, now: float, error: UserError) -> None:
        """The sink raised: nothing passes until it has not."""
        self._again_at = None
        if error.kind == "exit":
            return
        self._letters.failed(error.detail or error.summary, may_retry=True)
        wait = self._letters.wait(self._letters.failures)
        self._again_at = now + wait
        self._tools.calls.report(
            "letter.failed",
            "error",
            self._key,
            error=error.summary,
            failures=self._letters.failures,
            retry_in=wait,
        )

    def passed(self) -> None:
        """The record to blame is out of the way: start counting anew."""
        self.bisection.gave_up()
        self._letters.progressed()
        self.progressed()

    def started(self) -> None:
        """`initialize` returned."""
        self._starts.progressed()

    def progressed(self) -> None:
        """Something was finished."""
        if self._tries.progressed(stays_red=self.bisection.is_narrowing):
            self._tools.calls.report("processor.recovered", "info", self._key)

    def wait(self) -> None:
        """Set the timer for the next try."""
        if self._again_at is not None:
            self._tools.timers.at(self._again_at, timer_name("again", self._key), self._again)

    def pause(self, now: float) -> None:
        """Stop trying, and say so in the row."""
        self._says_paused, self._pause_is_written = True, False
        self._tools.calls.report("shard.paused", "error", self._key, error=self._last_summary)
        self._tools.leases.paused(now, self._key, paused=True)

    def is_resumed(self, row: LeaseRow) -> bool:
        """Say whether somebody took the mark out of the row after we had set it."""
        was_written, self._pause_is_written = self._pause_is_written, row.paused
        return was_written and not row.paused

    def resume(self, now: float) -> None:
        """Try anew, as often as the policy says; no change unless the row says paused."""
        if not self._says_paused:
            return
        self._says_paused = self._pause_is_written = False
        self._starts.progressed()
        self._tries.progressed()
        self._letters.progressed()
        self._tools.calls.report("shard.resumed", "info", self._key)
        self._tools.leases.paused(now, self._key, paused=False)
