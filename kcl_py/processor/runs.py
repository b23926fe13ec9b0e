"""What do batches and contexts of one processor object share? Internal: the shell moves it.

A *run* is one processor object in one epoch of one shard. Attributes are replaced, never mutated in
place, so that user threads may read them while the shell stores new values.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from operator import length_hint
from typing import TYPE_CHECKING, Final, Literal, Protocol, TypeAlias

from kcl_py.errors import CheckpointOutOfRange, LeaseLost
from kcl_py.records import Position

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from kcl_py.records import Record

CheckpointKind: TypeAlias = Literal["checkpoint", "prepare", "commit"]
ShutdownReason: TypeAlias = Literal["stop", "handoff"]
"""Why a processor is asked to stop: its worker stops, or the shard moves to another worker."""

STATE_BYTES_MAX: Final = 64 * 1024
"""Most bytes of state in a prepared checkpoint: it is in the lease row, which every scan reads."""


@dataclass(slots=True, eq=False)
class Fence:
    """Up to when the run may act. The shell moves it, guards read it.

    Attributes:
        until: Clock reading from which on the run may not act.
        lost: The epoch is over for ever, whatever `until` says.
    """

    until: float
    lost: bool = False

    def lose(self) -> None:
        """End it now and for ever."""
        self.lost = True
        self.until = -inf


class RunPort(Protocol):
    """What contexts and batches need of the shell.

    Attributes:
        audit: Called with the very clock reading of the fence check before a record is yielded.
    """

    @property
    def audit(self) -> Callable[[float, Record], None] | None:
        """Where iterators report what they are about to yield; normally None."""

    def now(self) -> float:
        """Read the clock that fences are on, seconds."""

    def checkpoint(
        self,
        kind: CheckpointKind,
        at: Position,
        handed: Position | None,
        *,
        wait: bool,
        state: bytes,
    ) -> Position | None:
        """Ask the core, wait for its answer, and return the durable checkpoint.

        Raises:
            LeaseLost, CheckpointOutOfRange, Throttled, Unavailable: As the core answered.
        """

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


class Seen:
    """How much of one batch was handed over: its first `count` records.

    Iterators of the batch are followed by how much they have left, so that handing a record over
    costs nothing here.
    """

    __slots__ = ("_count", "_iterators", "records")

    def __init__(self, records: Sequence[Record]) -> None:
        # Their iterators know how much they have left.
        self.records = records if isinstance(records, (list, tuple)) else tuple(records)
        self._count = 0
        self._iterators: list[Iterator[Record]] = []

    @property
    def count(self) -> int:
        """Records handed over, by whichever iterator came farthest, or at once."""
        return max((self._count, *map(self._taken, self._iterators)))

    def follow(self) -> Iterator[Record]:
        """Return an iterator; what is taken out of it counts as handed over."""
        iterator = iter(self.records)
        self._iterators.append(iterator)
        return iterator

    def refuse(self, iterator: Iterator[Record]) -> None:
        """What was taken out of this iterator last is not handed over after all."""
        self._count = max(self._count, self._taken(iterator) - 1)
        self._iterators.remove(iterator)

    def reach(self, count: int) -> None:
        """So many were handed over by somebody who counts."""
        self._count = max(self._count, count)

    def whole(self) -> None:
        """The batch was indexed or sliced: nobody knows what was looked at, so all of it."""
        self._count = len(self.records)

    def _taken(self, iterator: Iterator[Record]) -> int:
        return len(self.records) - length_hint(iterator)


class Handed:
    """The newest position handed over to one processor object.

    `newest` is what a checkpoint without an argument means: nothing of a retried batch until it is
    handed over again. `highest` is the last position that a checkpoint may name at all.
    """

    __slots__ = ("_before", "_highest", "_seen")

    def __init__(self) -> None:
        self._before: Position | None = None
        self._highest: Position | None = None
        self._seen = Seen(())

    @property
    def newest(self) -> Position | None:
        """What iterators yielded last, or the end of a batch that was indexed; None: nothing."""
        seen = self._seen
        return seen.records[seen.count - 1].position if seen.count else self._before

    @property
    def highest(self) -> Position | None:
        """The newest ever, failed attempts included; None: nothing."""
        return _later(self.newest, self._highest)

    def begin(self, records: Sequence[Record]) -> Seen:
        """A batch is about to be delivered; its iterators count what they yield in the answer."""
        self.returned(failed=False)
        if records and self._before is not None and self._before >= records[0].position:
            self._before = None  # a retry
        self._seen = Seen(records)
        return self._seen

    def returned(self, *, failed: bool) -> None:
        """`process_records` returned or raised: let go of the records.

        After a failure nothing counts as handed over, so that a checkpoint in `shutdown_requested`
        does not declare the failed record finished.
        """
        newest, seen = self.newest, self._seen
        if seen.records:
            self._highest = _later(self._highest, seen.records[-1].position)
        self._seen = Seen(())
        self._before = None if failed else newest


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """What never changes for one run; the fields of the contexts."""

    app_name: str
    stream: str
    stream_arn: str
    shard_id: str
    lease_key: str
    worker_id: str
    fencing_token: int


@dataclass(slots=True, kw_only=True, eq=False)
class Run:
    """One processor object in one epoch, as its batches and contexts see it.

    Attributes:
        durable: Newest durable checkpoint known here. The shell calls `learn` for more.
        pending: Position and state that an earlier owner prepared and did not commit.
        shutdown_reason: Set by the shell before it calls `shutdown_requested`.
    """

    facts: RunFacts
    fence: Fence
    port: RunPort
    durable: Position | None = None
    pending: tuple[Position, bytes] | None = None
    shutdown_reason: ShutdownReason | None = None
    handed: Handed = field(default_factory=Handed)

    def is_owner(self) -> bool:
        """Say whether the run may act now."""
        return not self.fence.lost and self.port.now() < self.fence.until

    def ensure_owner(self) -> None:
        """Raise LeaseLost past the fence."""
        if not self.is_owner():
            raise self.lease_lost()

    def seconds_left(self) -> float:
        """Return the time until the fence; never negative."""
        return 0.0 if self.fence.lost else max(0.0, self.fence.until - self.port.now())

    def lease_lost(self) -> LeaseLost:
        """Make the exception that says so."""
        return LeaseLost(lease_key=self.facts.lease_key)

    def learn(self, durable: Position | None) -> None:
        """A checkpoint became durable; an older answer that comes late is ignored."""
        self.durable = _later(self.durable, durable)
        pending = self.pending
        if pending is not None and self.durable is not None and pending[0] <= self.durable:
            self.pending = None

    def place_to_checkpoint(self, at: Record | Position | None) -> Position | None:
        """Return the position that the user means; None: nothing was handed over yet.

        Raises:
            LeaseLost: Past the fence.
        """
        self.ensure_owner()
        if at is None:
            return self.handed.newest
        return at if isinstance(at, Position) else at.position

    def place_to_prepare(self, at: Record | Position | None, state: bytes) -> Position:
        """Return the position that the user means; the last checkpoint if nothing came since.

        Raises:
            LeaseLost: Past the fence.
            ValueError: The state is too large.
            CheckpointOutOfRange: There is nothing to prepare.
        """
        if len(state) > STATE_BYTES_MAX:
            raise ValueError(
                f"the state of a prepared checkpoint has {len(state)} bytes; at most "
                f"{STATE_BYTES_MAX} are allowed, store the rest elsewhere"
            )
        place = self.place_to_checkpoint(at) or self.durable
        if place is None:
            raise CheckpointOutOfRange(
                "nothing was handed over yet, so there is nothing to prepare; "
                "prepare after the first record",
                asked=Position("0"),
            )
        return place


def _later(one: Position | None, other: Position | None) -> Position | None:
    if one is None or other is None:
        return one or other
    return max(one, other)
