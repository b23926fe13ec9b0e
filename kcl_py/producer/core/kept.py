"""What was not delivered, and has anybody been told? Kept until it is taken back."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kcl_py.producer.results import PutFailure


class Kept:
    """One failure.

    Attributes:
        tag: Of the record; not the record itself, which has this for its outcome.
        room: Bytes of the buffer that it takes.
        told: Somebody has it: a hook returned, or `result()` raised it, or a flush returned it.
        is_here: It is still kept.
    """

    __slots__ = ("failure", "is_here", "room", "tag", "told")

    def __init__(self, failure: PutFailure, tag: Any, room: int) -> None:  # noqa: ANN401
        self.failure = failure
        self.tag = tag
        self.room = room
        self.told = False
        self.is_here = True


class KeptFailures:
    """Failures since the last flush, oldest first.

    Attributes:
        room: Bytes of the buffer that they take together.
        told_room: Bytes of those that somebody has been told of, which make room when it is needed.
    """

    def __init__(self) -> None:
        self.room = 0
        self.told_room = 0
        self._all: deque[Kept] = deque()

    def __len__(self) -> int:
        return len(self._all)

    def add(self, kept: Kept) -> None:
        """Keep one more."""
        self._all.append(kept)
        self.room += kept.room

    def tell(self, kept: Kept) -> None:
        """Note that somebody has it."""
        if not kept.told:
            kept.told = True
            if kept.is_here:
                self.told_room += kept.room

    def forget_told(self) -> int:
        """Forget what somebody has been told; return how many bytes that sets free."""
        freed = self.told_room
        if freed:
            for kept in self._all:
                kept.is_here = not kept.told
            self._all = deque(kept for kept in self._all if kept.is_here)
            self.room -= freed
            self.told_room = 0
        return freed

    def take(self) -> list[Kept]:
        """Hand all over; whoever asked is told by that."""
        taken = list(self._all)
        for kept in taken:
            kept.is_here = False
        self._all.clear()
        self.room = self.told_room = 0
        return taken
