"""Which records are passed over, and since when may the checkpoint pass them? For one epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kcl_py.core.consumer.progress import is_behind

if TYPE_CHECKING:
    from kcl_py.core.consumer.buffer import Slice
    from kcl_py.records import Position


class GivenUp:
    """Records whose letters are durable (or that are skipped), and that are not finished yet.

    In auto mode everything before such a record is finished, so it stays here for a moment. In
    explicit mode it waits for what comes before it, which a fresh object is given once more. The
    list is lost with the epoch: the next owner gives the record up anew.
    """

    def __init__(self) -> None:
        self._waiting: dict[Position, Position | None] = {}
        self._known: set[Position] = set()

    def __contains__(self, position: Position) -> bool:
        return position in self._waiting

    def add(self, position: Position) -> None:
        """Pass this record over from now on."""
        self._waiting[position] = None

    def learn(self, position: Position, before: Position | None) -> None:
        """A record that is passed over comes directly behind `before`; None: first in the epoch."""
        self._waiting[position] = before
        self._known.add(position)

    def first_in(self, part: Slice) -> int | None:
        """Return the index in its page of the first record of a part that is passed over."""
        indices = (part.index_of(position) for position in self._waiting)
        return min((index for index in indices if index is not None), default=None)

    def beyond(self, finished: Position | None) -> Position | None:
        """Return how far everything is finished or given up, if that is farther than `finished`.

        What lies up to there is forgotten.
        """
        if not self._waiting:
            return None
        reached = finished
        for position in sorted(self._known):
            if is_behind(reached, position) and not is_behind(reached, self._waiting[position]):
                reached = position
        for position in list(self._waiting):
            if not is_behind(reached, position):
                del self._waiting[position]
                self._known.discard(position)
        return reached if is_behind(finished, reached) else None
