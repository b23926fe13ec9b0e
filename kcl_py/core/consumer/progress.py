"""How far is one epoch of a shard? Delivered, finished, durable: never ahead of each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kcl_py.records import Position


def later(one: Position | None, other: Position | None) -> Position | None:
    """Return the later of two positions; None is before all."""
    if one is None or other is None:
        return one or other
    return max(one, other)


def is_behind(position: Position | None, other: Position | None) -> bool:
    """Say whether `position` comes strictly before `other`; None is before all."""
    if other is None:
        return False
    return position is None or position < other


class Progress:
    """Positions of one epoch.

    `finished` and `durable` never move back. `delivered` moves back to `finished` when a fresh
    object starts over, and is never before it.

    Args:
        start: The checkpoint at which the epoch starts; None: at the initial position.
    """

    def __init__(self, start: Position | None) -> None:
        self._delivered = start
        self._finished = start
        self._durable = start

    @property
    def delivered(self) -> Position | None:
        """The last position handed to the processor."""
        return self._delivered

    @property
    def finished(self) -> Position | None:
        """The last position finished: returned (auto), or accepted from user code."""
        return self._finished

    @property
    def durable(self) -> Position | None:
        """The last position that the lease row is known to hold."""
        return self._durable

    @property
    def is_written(self) -> bool:
        """Everything finished is durable."""
        return not is_behind(self._durable, self._finished)

    def deliver(self, last: Position) -> None:
        """Everything up to `last` is in the hands of the processor."""
        self._delivered = later(self._delivered, last)

    def finish(self, position: Position) -> bool:
        """Everything up to `position` is finished; False if that is no news."""
        assert not is_behind(self._delivered, position), "never ahead of what was delivered"
        if not is_behind(self._finished, position):
            return False
        self._finished = position
        return True

    def commit(self, position: Position) -> bool:
        """Everything up to `position` is finished, delivered or not.

        A prepared checkpoint of an earlier owner counts, or what comes next is given up.
        """
        self.deliver(position)
        return self.finish(position)

    def write(self, position: Position) -> bool:
        """The lease row holds `position`; False if that is no news."""
        if not is_behind(self._durable, position):
            return False
        self._durable = position
        return True

    def start_over(self) -> None:
        """A fresh object starts behind what is finished."""
        self._delivered = self._finished
