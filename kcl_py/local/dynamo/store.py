"""What items are there, in which order, and what were they a moment ago?"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from typing import Generic, NamedTuple, TypeVar

from kcl_py.local.dynamo.keys import Place
from kcl_py.local.dynamo.values import Item

_VERSIONS_KEPT = 32


class Row(NamedTuple):
    """One version of an item. It is never changed, only replaced."""

    item: Item
    size: int


_Content = TypeVar("_Content")


class Version(NamedTuple, Generic[_Content]):
    """What stood at a place from a time on; None after a deletion."""

    since: float
    row: _Content | None


class Store(Generic[_Content]):
    """Rows by place, in order. With `keeps_history`, reads of the recent past are possible."""

    def __init__(self, *, keeps_history: bool = False) -> None:
        self.rows: dict[Place, _Content] = {}
        self.places: list[Place] = []
        self._history: dict[Place, deque[Version[_Content]]] | None = {} if keeps_history else None

    def __len__(self) -> int:
        return len(self.rows)

    def put(self, place: Place, row: _Content | None, now: float) -> None:
        """Replace what is at a place; None deletes it."""
        old = self.rows.get(place)
        if row is not None:
            self.rows[place] = row
            if old is None:
                insort(self.places, place)
        elif old is not None:
            del self.rows[place]
            del self.places[bisect_left(self.places, place)]
        if self._history is not None:
            self._remember(place, old, row, now)

    def _remember(
        self, place: Place, old: _Content | None, row: _Content | None, now: float
    ) -> None:
        assert self._history is not None
        versions = self._history.get(place)
        if versions is None:
            versions = self._history[place] = deque(maxlen=_VERSIONS_KEPT)
            versions.append(Version(float("-inf"), old))
        versions.append(Version(now, row))

    def row_at(self, place: Place, when: float) -> _Content | None:
        """What was at a place at a time of the recent past; the oldest version known, if older."""
        versions = (self._history or {}).get(place)
        if versions is None:
            return self.rows.get(place)
        for version in reversed(versions):
            if version.since <= when:
                return version.row
        return versions[0].row

    def places_at(self, when: float) -> list[Place]:
        """All places that were taken at a time of the recent past."""
        history = self._history or {}
        candidates = self.rows.keys() | history.keys()
        return sorted(place for place in candidates if self.row_at(place, when) is not None)
