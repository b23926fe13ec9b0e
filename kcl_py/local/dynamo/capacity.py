"""How many capacity units does an operation take?

Source: "DynamoDB read and write operations" of the developer guide: 1 KB per write unit, 4 KB per
read unit, half of that when eventually consistent, twice when transactional.
"""

from __future__ import annotations

from typing import Any

_WRITE_BYTES = 1024
_READ_BYTES = 4096


def write_units(size: int) -> float:
    """For writing, or trying to write, an item of this size."""
    return float(max(1, -(-size // _WRITE_BYTES)))


def read_units(size: int, *, consistent: bool) -> float:
    """For reading so many bytes in one go, even if nothing was found."""
    units = max(1, -(-size // _READ_BYTES))
    return float(units) if consistent else units / 2


class Units:
    """What one request took from one table and its indexes."""

    __slots__ = ("indexes", "table")

    def __init__(self, table: float = 0.0) -> None:
        self.table = table
        self.indexes: dict[str, float] = {}

    def total(self) -> float:
        """Table and indexes together."""
        return self.table + sum(self.indexes.values())

    def describe(self, table_name: str, detail: str | None) -> dict[str, Any] | None:
        """As ConsumedCapacity, if it was asked for."""
        if detail is None or detail == "NONE":
            return None
        answer: dict[str, Any] = {"TableName": table_name, "CapacityUnits": self.total()}
        if detail == "INDEXES":
            answer["Table"] = {"CapacityUnits": self.table}
            if self.indexes:
                answer["GlobalSecondaryIndexes"] = {
                    name: {"CapacityUnits": units} for name, units in self.indexes.items()
                }
        return answer
