"""What do the machines of the core ask of each other?

Three small ports, so that each can be read alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kcl_py.core.leases.rows import LeaseRow, Pending
    from kcl_py.core.shards.graph import Shard
    from kcl_py.errors import KclError
    from kcl_py.records import Position


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """One ownership of one lease, as its own successful write gave it.

    Attributes:
        row: The row that the write returned; its checkpoint is where the epoch starts.
        token: Fencing token: the counter of that write.
        fence: Clock reading past which it is over unless renewed.
    """

    row: LeaseRow
    token: int
    fence: float


class ConsumerPort(Protocol):
    """What the lease side tells the consumers."""

    def begin(self, now: float, epoch: Epoch, *, waits_for_parents: bool) -> None:
        """A lease is ours. Never called while `is_running(key)`."""

    def parents_done(self, now: float, key: str, token: int) -> None:
        """Every parent is finished: delivery may begin, with this token."""

    def fence_moved(self, now: float, key: str, fence: float) -> None:
        """A renewal succeeded."""

    def durable(self, now: float, key: str, row: LeaseRow) -> None:
        """A write of ours succeeded: checkpoint and pending of `row` are durable."""

    def checkpoint_failed(self, now: float, key: str, *, throttled: bool) -> None:
        """An urgent write got no answer within its budget.

        It stays recorded for the next renewal.
        """

    def drain(self, now: float, key: str, reason: Literal["stop", "handoff"]) -> None:
        """Stop fetching, let the running call return, `shutdown_requested`, `close`.

        Then `drained`.
        """

    def resume(self, now: float, key: str, epoch: Epoch | None) -> None:
        """The handoff was cancelled, durably.

        Args:
            epoch: None: `shutdown_requested` was not called yet and the same object goes on. Else
                the
                new epoch, to be begun with a fresh object (the old run has closed, or will have).
        """

    def lose(self, now: float, key: str, why: str) -> None:
        """Not ours any more: fence now, drop the pages.

        `lease_lost` and `close` once the call returns.
        """

    def children_created(self, now: float, key: str) -> None:
        """The child leases exist: `shard_ended` may be called."""

    def is_running(self, key: str) -> bool:
        """Say whether user code of this shard, of any epoch, has not returned from `close` yet."""

    def has_shutdown_begun(self, key: str) -> bool:
        """Say whether `shutdown_requested` was already called in this epoch."""


class LeasePort(Protocol):
    """What the consumers ask of the lease side."""

    def finished(self, now: float, key: str, position: Position, *, urgent: bool) -> None:
        """Record that this epoch finished everything up to here.

        It goes with the next write, urgent: now.
        """

    def prepare(self, now: float, key: str, pending: Pending) -> None:
        """Store a prepared checkpoint now; `durable` follows."""

    def commit(self, now: float, key: str, position: Position) -> None:
        """Make a prepared checkpoint the checkpoint now; `durable` follows."""

    def drained(self, now: float, key: str) -> None:
        """User code of a draining shard has closed: give the lease away."""

    def shard_read(self, now: float, key: str, children: tuple[Shard, ...]) -> None:
        """Everything in the shard was delivered and finished: create the children.

        `children_created` follows.
        """

    def ended(self, now: float, key: str) -> None:
        """`shard_ended` and `close` returned: write SHARD_END."""

    def give_up(self, now: float, key: str, why: str) -> None:
        """User code says that the epoch is over (a sink refused its token): drop the lease."""

    def hung(self, now: float, key: str) -> None:
        """User code hangs: stop renewing, let others take it by expiry."""

    def paused(self, now: float, key: str, *, paused: bool) -> None:
        """The shard stops trying (or tries again): say so in the row, with a renewal."""

    def code_returned(self, now: float, key: str) -> None:
        """The last user code of this shard has closed after the lease was lost."""

    def stop_worker(self, now: float, why: str) -> None:
        """User code raised SystemExit: drain and stop."""


class ShardPort(Protocol):
    """What the lease side asks of the shard side."""

    def waits_for_parents(self, row: LeaseRow) -> bool:
        """Say whether this row must wait (it has parents, no numeric checkpoint and no kclRoot)."""

    def watch_parents(self, now: float, row: LeaseRow) -> None:
        """Read its parents until all are finished, then tell `parents_done` of the listener."""

    def forget_parents(self, now: float, key: str) -> None:
        """The lease is gone; stop reading its parents."""

    def create_children(self, now: float, row: LeaseRow, children: tuple[Shard, ...]) -> None:
        """Validate and create the children of a finished shard, then tell `children_created`."""

    def forget_children(self, now: float, key: str) -> None:
        """The lease is gone; stop creating its children."""


class ShardListener(Protocol):
    """What the shard side asks of the lease side, and tells it."""

    def rows(self) -> Mapping[str, LeaseRow]:
        """Return the newest lease rows known, by key."""

    def scan_consistently(self, now: float, then: Callable[[float, bool], None]) -> None:
        """Scan the whole table consistently; then `then(now, complete)`; `rows` is fresh."""

    def row_seen(self, now: float, row: LeaseRow) -> None:
        """Learn a row that was created, or read consistently, by the shard side."""

    def row_deleted(self, now: float, key: str) -> None:
        """Learn that a row is gone."""

    def parents_done(self, now: float, key: str) -> None:
        """Every parent of this lease is finished, or gone for good."""

    def children_created(self, now: float, key: str, children: tuple[str, ...]) -> None:
        """Every child of this lease has a row; these are their keys."""

    def highest_counter(self) -> int:
        """Return the highest counter seen in any lease row."""

    def wall_now(self, now: float) -> float:
        """Return an estimate of the wall clock, unix seconds."""

    def is_auditor(self) -> bool:
        """Say whether this worker is the first of the live ones, by stable hash."""

    def fail(self, now: float, error: KclError) -> None:
        """Stop the worker: trying again will not help."""
