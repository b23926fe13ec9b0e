"""Which positions count as finished, and who waits until they are durable? For one epoch."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kcl_py.core.commands import AnswerCheckpoint
from kcl_py.core.consumer.given_up import GivenUp
from kcl_py.core.consumer.progress import Progress, is_behind, later
from kcl_py.core.consumer.tools import timer_name
from kcl_py.core.leases.rows import Pending
from kcl_py.errors import CheckpointOutOfRange, KclError, LeaseLost, Throttled, Unavailable
from kcl_py.records import Position

if TYPE_CHECKING:
    from collections.abc import Callable

    from kcl_py.core.consumer.tools import Tools
    from kcl_py.core.events import CheckpointAsked
    from kcl_py.core.leases.rows import LeaseRow


@dataclass(frozen=True, slots=True)
class _Prepare:
    request_id: int
    pending: Pending
    waits: bool


class Checkpoints:
    """What user code and returned calls declare finished, on its way into the lease row.

    Every question is answered exactly once: at once if it is refused or does not wait, else when a
    position at least its own is durable, when the lease side gives up for now, or when the epoch
    ends.

    Args:
        moved: Told whenever something new is finished.
    """

    def __init__(self, tools: Tools, row: LeaseRow, moved: Callable[[], None]) -> None:
        start = row.checkpoint if isinstance(row.checkpoint, Position) else None
        self.progress = Progress(start)
        self.given_up = GivenUp()
        self._claimed = start
        self._tools = tools
        self._key = row.key
        self._moved = moved
        self._waiting: list[tuple[int, Position]] = []
        self._prepares: deque[_Prepare] = deque()
        self._prepared = row.pending

    @property
    def offered(self) -> Pending | None:
        """What an earlier owner or object prepared behind the checkpoint; nobody committed it."""
        prepared = self._prepared
        if prepared is None or not is_behind(self.progress.finished, prepared.position):
            return None
        return prepared

    # --------------------------------------------------------------------------------- finished

    def finish(self, now: float, position: Position, *, urgent: bool) -> None:
        """Everything up to `position` is finished; urgent: somebody waits for it."""
        is_news = self.progress.finish(position)
        if is_news:
            self._claimed = position
        position = self._pass_given_up() or position
        if is_news:
            self._moved()
        if not self.progress.is_written:
            self._record(now, position, urgent=urgent)

    def _record(self, now: float, position: Position, *, urgent: bool) -> None:
        self._tools.leases.finished(now, self._key, position, urgent=urgent)
        interval = self._tools.config.delivery.checkpoint_interval
        name = timer_name("checkpoint", self._key)
        if interval is not None and not urgent and not self._tools.timers.is_set(name):
            self._tools.timers.at(now + interval, name, self._write_now)

    def pass_over(self, now: float) -> None:
        """Records were given up: the checkpoint passes those that come next, when it is written.

        Until then a new owner would give them up once more.
        """
        beyond = self._pass_given_up()
        if beyond is not None:
            self._record(now, beyond, urgent=False)

    def _pass_given_up(self) -> Position | None:
        beyond = self.given_up.beyond(self.progress.finished)
        if beyond is not None:
            self.progress.commit(beyond)
        return beyond

    def _write_now(self, now: float) -> None:
        finished = self.progress.finished
        if finished is not None and not self.progress.is_written:
            self._tools.leases.finished(now, self._key, finished, urgent=True)

    # -------------------------------------------------------------------------------- questions

    def ask(self, now: float, event: CheckpointAsked, *, may_skip: bool) -> None:
        """User code asks.

        Args:
            may_skip: What an earlier owner prepared may be committed without delivering up to it:
                nothing was delivered yet.
        """
        offered = self.offered
        is_offered = offered is not None and event.kind == "commit" and event.at == offered.position
        # User code was never given what was passed over behind what it declared.
        lowest = self._claimed
        delivered = self.progress.delivered
        is_known = not is_behind(delivered, event.handed)
        highest = later(lowest, event.handed if is_known else delivered)
        if is_offered and may_skip:
            highest = later(highest, event.at)
        if is_behind(event.at, lowest) or is_behind(highest, event.at):
            error = CheckpointOutOfRange(asked=event.at, lowest=lowest, highest=highest)
            self._answer(event.request_id, error)
        elif event.kind == "prepare":
            self._prepare(now, event)
        else:
            self._accept(now, event)

    def _accept(self, now: float, event: CheckpointAsked) -> None:
        if event.kind == "commit" and is_behind(self.progress.durable, event.at):
            if self.progress.commit(event.at):
                self._claimed = event.at
                self._moved()
            self._tools.leases.commit(now, self._key, event.at)
            self.pass_over(now)
        else:
            self.finish(now, event.at, urgent=event.wait)
        if event.wait and is_behind(self.progress.durable, event.at):
            self._waiting.append((event.request_id, event.at))
        else:
            self._answer(event.request_id)

    def _prepare(self, now: float, event: CheckpointAsked) -> None:
        pending = Pending(position=event.at, state=event.state)
        self._prepares.append(_Prepare(event.request_id, pending, event.wait))
        if not event.wait:
            self._answer(event.request_id)
        if len(self._prepares) == 1:
            self._tools.leases.prepare(now, self._key, pending)

    # ---------------------------------------------------------------------------------- answers

    def durable(self, now: float, row: LeaseRow) -> bool:
        """A write of ours succeeded; True if the checkpoint in it is news."""
        is_news = isinstance(row.checkpoint, Position) and self.progress.write(row.checkpoint)
        if self.progress.is_written:
            self._tools.timers.cancel(timer_name("checkpoint", self._key))
        waiting, self._waiting = self._waiting, []
        for request_id, position in waiting:
            if is_behind(self.progress.durable, position):
                self._waiting.append((request_id, position))
            else:
                self._answer(request_id)
        self._prepared = row.pending
        self._prepare_next(now, row)
        return is_news

    def _prepare_next(self, now: float, row: LeaseRow) -> None:
        if not self._prepares:
            return
        first = self._prepares[0]
        if row.pending != first.pending:
            return
        self._prepares.popleft()
        if first.waits:
            self._answer(first.request_id)
        if self._prepares:
            self._tools.leases.prepare(now, self._key, self._prepares[0].pending)

    def failed(self, *, throttled: bool) -> None:
        """The lease side got no answer in time; everything asked for stays recorded."""
        message = (
            "the checkpoint is not durable yet; it stays recorded and goes out with the next "
            "renewal of the lease, so carrying on is safe"
        )
        kind = Throttled if throttled else Unavailable
        self._answer_all(lambda: kind(message))

    def lose(self) -> None:
        """The epoch ends: what is still under way may be durable or not."""
        self._tools.timers.cancel(timer_name("checkpoint", self._key))
        self._answer_all(
            lambda: LeaseLost(
                f"the lease {self._key} ended while the checkpoint was being written; it may be "
                "durable; stop processing and write nothing",
                lease_key=self._key,
            )
        )

    def _answer_all(self, error: Callable[[], KclError]) -> None:
        waiting, self._waiting = self._waiting, []
        prepares, self._prepares = self._prepares, deque()
        for request_id, _ in waiting:
            self._answer(request_id, error())
        for prepare in prepares:
            if prepare.waits:
                self._answer(prepare.request_id, error())

    def _answer(self, request_id: int, error: KclError | None = None) -> None:
        durable = self.progress.durable
        self._tools.calls.emit(AnswerCheckpoint(request_id, durable=durable, error=error))
