"""What is there to deliver, and is more to come? The reading of a shard and what it brought."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kcl_py.core.consumer.buffer import Buffer, Slice
from kcl_py.core.consumer.reading import Reading, place_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from kcl_py.core.consumer.pacing import Pacing
    from kcl_py.core.consumer.tools import Tools
    from kcl_py.core.leases.rows import LeaseRow
    from kcl_py.core.shards.graph import Shard
    from kcl_py.records import Position


class Supply:
    """Records of one shard in one epoch, in order, read ahead of the processor.

    Args:
        row: The lease row as the epoch began; its start counts while nothing is finished.
        changed: Told after each answer to a read.
    """

    def __init__(
        self, tools: Tools, row: LeaseRow, pacing: Pacing, changed: Callable[[float], None]
    ) -> None:
        self._tools = tools
        self._row = row
        self._pacing = pacing
        self._changed = changed
        self._buffer = Buffer(tools.budget)
        self._reading: Reading | None = None

    @property
    def lag(self) -> float | None:
        """Seconds behind the tip at the last read; None: not read yet."""
        return self._reading.lag if self._reading is not None else None

    def read_age(self, now: float) -> float | None:
        """Seconds since the last read that was answered; None: not read yet."""
        at = self._reading.read_at if self._reading is not None else None
        return None if at is None else now - at

    @property
    def quiet_seconds(self) -> float:
        """Longest pause between two reads of a shard at its tip."""
        return self._tools.config.reading.idle_interval

    @property
    def trouble(self) -> str | None:
        """Why the last read brought nothing."""
        return self._reading.trouble if self._reading is not None else None

    @property
    def failure(self) -> str | None:
        """Why reading does not get on, if somebody must act."""
        return self._reading.failure if self._reading is not None else None

    @property
    def children(self) -> tuple[Shard, ...]:
        """The shards that follow this one; known at its end."""
        return self._reading.children if self._reading is not None else ()

    @property
    def has_ended(self) -> bool:
        """The whole shard was read, delivered or not."""
        return self._reading is not None and self._reading.has_ended

    @property
    def is_empty(self) -> bool:
        """Nothing is buffered."""
        return len(self._buffer) == 0

    def start(self, now: float, after: Position | None) -> None:
        """Read on behind what is buffered, else behind `after`, else where the shard begins."""
        place = place_of(self._row, self._buffer.last or after)
        self._pacing.hurry()
        self._reading = Reading(
            self._tools, self._row, place, self._pacing, self._buffer, self._changed
        )
        self._reading.pump(now)

    def pump(self, now: float) -> None:
        """Read more, if there is room."""
        if self._reading is not None:
            self._reading.pump(now)

    def stop(self, *, keeps_first: bool = False) -> None:
        """Read no more and let go of what is buffered.

        Args:
            keeps_first: Not of the page that is being delivered: its rest may have to be repeated.
        """
        if self._reading is not None:
            self._reading.stop()
        if keeps_first:
            self._buffer.drop_behind_first()
        else:
            self._buffer.clear()

    def next_slice(self) -> Slice | None:
        """Return what to deliver next; it stays until `advance`."""
        return self._buffer.next_slice(self._tools.config.delivery.batch_records)

    def is_at_end(self, part: Slice) -> bool:
        """Say whether nothing follows this part in the shard."""
        return part.is_last and self.has_ended

    def advance(self, position: Position | None) -> None:
        """Everything up to `position` is not needed any more."""
        self._buffer.advance(position)
