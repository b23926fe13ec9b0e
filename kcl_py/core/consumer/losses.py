"""What becomes of a record that is given up? A letter first, and only then is it passed over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kcl_py.core.consumer.progress import is_behind
from kcl_py.core.consumer.states import Signal

if TYPE_CHECKING:
    from kcl_py.core.consumer.bisection import Blame
    from kcl_py.core.consumer.buffer import Slice
    from kcl_py.core.consumer.checkpoints import Checkpoints
    from kcl_py.core.consumer.patience import Patience
    from kcl_py.core.consumer.running import Running
    from kcl_py.core.consumer.supply import Supply
    from kcl_py.core.consumer.tools import Tools
    from kcl_py.core.events import UserError
    from kcl_py.records import Position, Record


@dataclass(frozen=True, slots=True)
class _Lost:
    """A record on its way out.

    Attributes:
        record: None: an explicit processor named one of an earlier batch.
        before: What comes directly before it, if `record` is known; None: the epoch's start.
        error: For the log.
    """

    position: Position
    record: Record | None
    before: Position | None
    failures: int
    error: str


class Losses:
    """Records of one shard that are given up, in one epoch.

    Nothing is passed over before its letter is durable: not by the checkpoint, and not in what is
    delivered. A letter that may have been written and is not known to be is written again.
    """

    def __init__(
        self,
        tools: Tools,
        key: str,
        checkpoints: Checkpoints,
        supply: Supply,
        patience: Patience,
    ) -> None:
        self._tools = tools
        self._key = key
        self._checkpoints = checkpoints
        self._supply = supply
        self._patience = patience
        self._lost: _Lost | None = None
        self._before_part: Position | None = None

    @property
    def count(self) -> int:
        """How many records of this shard this worker has given up, in earlier epochs too."""
        return self._tools.given_up[self._key]

    # ------------------------------------------------------------------------- what comes next

    def next_part(self, now: float) -> Slice | None:
        """Return what to deliver next; None: nothing is there.

        Without what was given up, and no more than is to be tried at once.
        """
        progress, given_up = self._checkpoints.progress, self._checkpoints.given_up
        while True:
            self._supply.advance(progress.finished)
            part = self._supply.next_slice()
            if part is None:
                return None
            index = given_up.first_in(part)
            if index is None:
                break
            position = part.page.position_at(index)
            if index > part.start:
                given_up.learn(position, part.page.position_at(index - 1))
                part = part.first(index - part.start)
                break
            given_up.learn(position, progress.delivered)
            self._supply.advance(position)
            self._checkpoints.pass_over(now)
        self._before_part = progress.delivered
        return part.first(self._patience.bisection.most(part))

    # ---------------------------------------------------------------------------- who is to blame

    def blame(self, run: Running, part: Slice | None, error: UserError) -> Blame:
        """Judge a failure, after what the call finished was noted.

        Of `shard_ended` too: there an explicit processor flushes what it has kept.
        """
        finished = self._checkpoints.progress.finished
        is_error = error.kind == "error"
        is_named = self._is_named(error.failed_at, part, is_auto=run.is_auto)
        return self._patience.bisection.failed(
            part.behind(finished) if part is not None and is_error else None,
            named=error.failed_at if is_named and is_error else None,
            may_retry=error.may_retry,
            is_exhausted=self._patience.is_exhausted_by(error),
            is_auto=run.is_auto,
        )

    def _is_named(self, position: Position | None, part: Slice | None, *, is_auto: bool) -> bool:
        """Say whether RecordFailed names a record that was delivered and is not finished.

        An explicit processor may name one of an earlier batch, which it had kept. One that was
        given up is not delivered again, so whoever names it once more makes it up.
        """
        progress = self._checkpoints.progress
        if position is None or not is_behind(progress.finished, position):
            return False
        if position in self._checkpoints.given_up:
            return False
        if part is not None and part.index_of(position) is not None:
            return True
        return not is_auto and not is_behind(progress.delivered, position)

    # ------------------------------------------------------------------------------- giving up

    def give_up(
        self, now: float, run: Running, part: Slice | None, blame: Blame, error: UserError
    ) -> Signal:
        """The record to blame has failed too often: have its letter written, or skip it."""
        position = blame.position
        assert position is not None, "some record is to blame"
        index = None if part is None else part.index_of(position)
        record, before = None, self._before_part
        if part is not None and index is not None:
            record = part.page.records[index]
            before = part.page.position_at(index - 1) if index > part.start else before
        if run.is_auto:
            before = self._checkpoints.progress.finished
        self._lost = _Lost(position, record, before, blame.failures or 0, error.summary)
        if self._tools.config.on_error.then == "dead_letter":
            return Signal.GIVE_UP
        self._tools.calls.report(
            "record.skipped",
            "error",
            self._key,
            position=str(position),
            failures=self._lost.failures,
            error=error.summary,
        )
        return self._passed(now, run)

    def write(self, now: float, run: Running) -> None:
        """Have its letter written, once more if need be."""
        assert self._lost is not None, "no record was given up"
        run.write_letter(now, self._lost.position, self._lost.record, self._lost.failures)

    def letter_returned(
        self, now: float, run: Running, error: UserError | None, *, is_leaving: bool
    ) -> Signal:
        """The sink returned, so that the letter is durable; or it raised.

        Args:
            is_leaving: A drain waits. It is not held up: the next owner gives the record up.
        """
        if error is None and self._lost is not None:
            self._tools.calls.report(
                "record.dead_lettered",
                "error",
                self._key,
                position=str(self._lost.position),
                failures=self._lost.failures,
                error=self._lost.error,
            )
            return self._passed(now, run)
        assert error is not None, "a letter was being written"
        self._patience.letter_failed(now, error)
        return Signal.BROKEN if is_leaving and not run.is_auto else Signal.FAILED

    def _passed(self, now: float, run: Running) -> Signal:
        """Go on without it; an explicit object may hold half a buffer, and must go."""
        lost, self._lost = self._lost, None
        assert lost is not None, "no record was given up"
        self._tools.given_up[self._key] += 1
        given_up = self._checkpoints.given_up
        given_up.add(lost.position)
        if lost.record is not None:
            given_up.learn(lost.position, lost.before)
        self._checkpoints.pass_over(now)
        self._patience.passed()
        return Signal.RETURNED if run.is_auto else Signal.BROKEN
