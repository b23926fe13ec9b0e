"""What did one read bring? A page of records travels through the core as one opaque thing."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kcl_py.records import Position, Record


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """Records of one read, in order; never empty.

    Attributes:
        bytes: Payload and keys; what it counts in the byte budget.
    """

    records: Sequence[Record]
    bytes: int

    @property
    def count(self) -> int:
        """Number of records."""
        return len(self.records)

    @property
    def first(self) -> Position:
        """Position of the first record."""
        return self.records[0].position

    @property
    def last(self) -> Position:
        """Position of the last record."""
        return self.records[-1].position

    def position_at(self, index: int) -> Position:
        """Return the position of the record at `index`."""
        return self.records[index].position

    def index_after(self, position: Position) -> int:
        """Return the index of the first record behind `position`; `count` if there is none."""
        return bisect_right(self.records, position, key=lambda record: record.position)
