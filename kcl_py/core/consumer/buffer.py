"""Which records come next? Pages of one shard that were read and not yet processed."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kcl_py.core.consumer.budget import Budget
    from kcl_py.core.consumer.page import Page
    from kcl_py.records import Position


@dataclass(slots=True)
class _Buffered:
    page: Page
    start: int
    lag: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """A part of one page, for one call.

    Attributes:
        is_last: Nothing else is buffered behind it.
    """

    page: Page
    start: int
    stop: int
    lag: float
    is_last: bool

    @property
    def last(self) -> Position:
        """Position of its last record."""
        return self.page.position_at(self.stop - 1)

    @property
    def count(self) -> int:
        """Number of records."""
        return self.stop - self.start

    def index_of(self, position: Position) -> int | None:
        """Return the index in the page of a record of the slice; None: it has no such record."""
        index = self.page.index_after(position) - 1
        if not self.start <= index < self.stop or self.page.position_at(index) != position:
            return None
        return index

    def before(self, position: Position) -> Position | None:
        """Return the last record of the slice that comes before `position`; None: none does.

        None too if `position` is not that of a record of the slice: then it says nothing.
        """
        index = self.index_of(position)
        if index is None or index == self.start:
            return None
        return self.page.position_at(index - 1)

    def count_up_to(self, position: Position) -> int:
        """Return how many of its records come up to `position`, itself included."""
        return max(0, min(self.stop, self.page.index_after(position)) - self.start)

    def first(self, count: int) -> Slice:
        """Return the part of so many records, 1 at least, with which it begins."""
        if count >= self.count:
            return self
        return replace(self, stop=self.start + max(1, count), is_last=False)

    def behind(self, position: Position | None) -> Slice | None:
        """Return the part that comes behind `position`; None: nothing does."""
        start = self.start if position is None else self.start + self.count_up_to(position)
        return replace(self, start=start) if start < self.stop else None


class Buffer:
    """Pages in order; the first one may be partly processed."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._pages: deque[_Buffered] = deque()

    def __len__(self) -> int:
        return len(self._pages)

    @property
    def last(self) -> Position | None:
        """Position of the last record that is buffered."""
        return self._pages[-1].page.last if self._pages else None

    def put(self, page: Page, start: int, lag: float) -> None:
        """Append a page whose bytes are counted already; records before `start` are skipped."""
        if start < page.count:
            behind = self.last
            assert behind is None or behind < page.position_at(start), "pages in order"
            self._pages.append(_Buffered(page, start, lag))
        else:
            self._budget.release(page.bytes)

    def next_slice(self, records_max: int) -> Slice | None:
        """Return what to deliver next; it stays here until `advance`."""
        if not self._pages:
            return None
        head = self._pages[0]
        stop = min(head.page.count, head.start + records_max)
        is_last = stop == head.page.count and len(self._pages) == 1
        return Slice(page=head.page, start=head.start, stop=stop, lag=head.lag, is_last=is_last)

    def advance(self, position: Position | None) -> None:
        """Let go of everything up to `position`."""
        while position is not None and self._pages:
            head = self._pages[0]
            head.start = max(head.start, head.page.index_after(position))
            if head.start < head.page.count:
                return
            self._budget.release(self._pages.popleft().page.bytes)

    def drop_behind_first(self) -> None:
        """Let go of every page but the first, which is being delivered."""
        while len(self._pages) > 1:
            self._budget.release(self._pages.pop().page.bytes)

    def clear(self) -> None:
        """Let go of everything."""
        while self._pages:
            self._budget.release(self._pages.pop().page.bytes)
