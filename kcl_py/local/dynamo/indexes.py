"""What does a global secondary index hold, and when does it learn of a write?"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any, NamedTuple

from kcl_py.local.dynamo.capacity import write_units
from kcl_py.local.dynamo.keys import KeySchema, Place
from kcl_py.local.dynamo.store import Row, Store
from kcl_py.local.dynamo.values import Item, item_size


class _Entry(NamedTuple):
    place: Place
    row: Row


class _Change(NamedTuple):
    due: float
    removed: Place | None
    added: _Entry | None


class Index:
    """A copy of some attributes of a table's items under another key."""

    def __init__(
        self, name: str, schema: KeySchema, table_schema: KeySchema, projection: Mapping[str, Any]
    ) -> None:
        self.name = name
        self.schema = schema
        self.table_schema = table_schema
        self.projection = dict(projection)
        self.store: Store[Row] = Store()
        self._pending: deque[_Change] = deque()
        kept = {*schema.names, *table_schema.names, *projection.get("NonKeyAttributes", ())}
        self._kept = None if projection.get("ProjectionType") == "ALL" else tuple(sorted(kept))

    def check(self, item: Item) -> None:
        """Refuse an item whose attributes have the wrong type for the index's key."""
        self.schema.place_if_any(item)

    def learn(self, place: Place, old: Row | None, new: Row | None, due: float) -> float:
        """Take over a write of the table at `due`.

        Returns:
            The write units it costs: none, if nothing that the index holds has changed.
        """
        if old is not None and new is not None and self._is_untouched(old.item, new.item):
            return 0.0
        before, after = self._entry(place, old), self._entry(place, new)
        if before == after:
            return 0.0
        if self._pending:
            # Writes reach the index in the order in which they reached the table.
            due = max(due, self._pending[-1].due)
        self._pending.append(_Change(due, None if before is None else before.place, after))
        if before is None or after is None:
            entry = after if before is None else before
            return 0.0 if entry is None else write_units(entry.row.size)
        if before.place == after.place:
            return write_units(max(before.row.size, after.row.size))
        return write_units(before.row.size) + write_units(after.row.size)

    def _is_untouched(self, old: Item, new: Item) -> bool:
        """Whether an update left alone all that the index holds; it then kept the very objects."""
        if self._kept is None:
            return old is new
        for name in self._kept:  # noqa: SIM110 - a generator costs twice as much here
            if old.get(name) is not new.get(name):
                return False
        return True

    def settle(self, now: float) -> None:
        """Do what is due."""
        pending = self._pending
        while pending and pending[0].due <= now:
            change = pending.popleft()
            if change.removed is not None and (
                change.added is None or change.added.place != change.removed
            ):
                self.store.put(change.removed, None, now)
            if change.added is not None:
                self.store.put(change.added.place, change.added.row, now)

    def _entry(self, place: Place, row: Row | None) -> _Entry | None:
        if row is None:
            return None
        own = self.schema.place_if_any(row.item)
        if own is None:
            return None
        if self._kept is None:
            return _Entry((*own, place), row)
        item = {name: row.item[name] for name in self._kept if name in row.item}
        return _Entry((*own, place), Row(item, item_size(item)))

    def describe(self, status: str) -> dict[str, Any]:
        """As DescribeTable shows it."""
        return {
            "IndexName": self.name,
            "IndexStatus": status,
            "KeySchema": key_schema(self.schema),
            "Projection": self.projection,
            "ItemCount": len(self.store),
            "IndexSizeBytes": sum(row.size for row in self.store.rows.values()),
        }


def key_schema(schema: KeySchema) -> list[dict[str, str]]:
    """As requests and descriptions write it."""
    return [
        {"AttributeName": name, "KeyType": role}
        for name, role in zip(schema.names, ("HASH", "RANGE"), strict=False)
    ]
