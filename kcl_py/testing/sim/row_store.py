"""What is in the simulated lease table, without spelling it? The engine's item store, of rows.

Most simulated worlds use this one, because a write takes a fifth of the time. It must do whatever
`wire_store` does: tests run worlds on both and compare their logs, byte for byte.
"""

from __future__ import annotations

import zlib
from bisect import bisect_right
from collections import deque
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final, NamedTuple, assert_never

from kcl_py.core.events import Applied, Refused
from kcl_py.core.leases.rows import ApplicationRow, LeaseRow, Row, StrangeRow, WorkerRow
from kcl_py.core.leases.writes import Absent, Is, OwnedBy, RowAbsent, RowWrite, Test, WriteKind
from kcl_py.local.dynamo.store import Store
from kcl_py.testing.sim.store import TableMissingError

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Mapping, Sequence

    from kcl_py.local.dynamo.keys import Place

_NEW: Final[Mapping[WriteKind, type[LeaseRow | WorkerRow | ApplicationRow]]] = {
    WriteKind.CREATE: LeaseRow,
    WriteKind.BEAT: WorkerRow,
    WriteKind.APPLICATION: ApplicationRow,
}
_ABSENT: Final[Mapping[str, object]] = {
    "root": False,
    "paused": False,
    "halted": False,
    "parents": (),
    "children": (),
    "owner_switches": 0,
    "plan_version": 1,
    "initial_sync_done": False,
}
"""What a field of a row says when the table does not have it; the others say None."""

_SETS: Final = frozenset({"parents", "children"})
_MILLISECONDS: Final = frozenset({"duration", "start_at", "stream_created_at"})
_NAMES: Final = {
    kind: tuple(field.name for field in fields(kind))
    for kind in (LeaseRow, WorkerRow, ApplicationRow)
}


class _Move(NamedTuple):
    """What the index is to learn: a lease that goes from one owner to another."""

    due: float
    key: str
    before: str | None
    after: str | None


@dataclass(slots=True)
class _Table:
    """One table, and its index of owners."""

    table_id: str
    made_at: float
    rows: Store[Row] = field(default_factory=lambda: Store(keeps_history=True))
    owned: dict[str, set[str]] = field(default_factory=dict)
    moves: deque[_Move] = field(default_factory=deque)

    def put(self, key: str, row: Row | None, now: float, index_due: float) -> None:
        """Replace a row; None deletes it."""
        place = _place(key)
        before, after = _owner(self.rows.rows.get(place)), _owner(row)
        self.rows.put(place, row, now)
        if before != after:
            # Writes reach the index in the order in which they reached the table.
            due = max(index_due, self.moves[-1].due) if self.moves else index_due
            self.moves.append(_Move(due, key, before, after))

    def settle(self, now: float) -> None:
        """Let the index learn what is due."""
        while self.moves and self.moves[0].due <= now:
            _, key, before, after = self.moves.popleft()
            if before is not None:
                self.owned[before].discard(key)
            if after is not None:
                self.owned.setdefault(after, set()).add(key)


class RowStore:
    """The table, applying one write at a time."""

    def __init__(
        self,
        wall: Callable[[], float],
        rng: random.Random,
        *,
        stale: Callable[[], float],
        index_lag: Callable[[], float],
    ) -> None:
        """Make a table; see `MakeStore`."""
        self._wall = wall
        self._rng = rng
        self._stale = stale
        self._index_lag = index_lag
        self._table: _Table | None = None
        self.create()

    def create(self) -> None:
        """Make the table, empty, with a new id."""
        digits = f"{self._rng.getrandbits(128):032x}"
        name = "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
        self._table = _Table(name, self._wall())

    def drop(self) -> None:
        """Delete the table."""
        self._table = None

    def table_id(self) -> str | None:
        """Return the id of the table; None: there is none."""
        return None if self._table is None else self._table.table_id

    # ------------------------------------------------------------------------------------ writing

    def write(self, write: RowWrite) -> Applied | Refused:
        """Apply a write if its condition holds.

        Raises:
            TableMissingError: There is no table.
        """
        table = self._there()
        row = table.rows.rows.get(_place(write.key))
        for test in write.tests:
            if not _holds(test, row):
                return Refused(row)
        now = self._wall()
        new = None if write.deletes else _written(row, write)
        table.put(write.key, new, now, now + self._index_lag())
        return Applied(new)

    # ------------------------------------------------------------------------------------ reading

    def look(self, key: str) -> Row | None:
        """Return one row as it is now, without asking the service; None: there is no such row."""
        return None if self._table is None else self._table.rows.rows.get(_place(key))

    def look_at_all(self) -> list[Row]:
        """Return all rows as they are now, without asking the service; empty without a table."""
        if self._table is None:
            return []
        rows = self._table.rows
        return [rows.rows[place] for place in rows.places]

    def read(self, key: str) -> Row | None:
        """Return one row as it is now.

        Raises:
            TableMissingError: There is no table.
        """
        return self._there().rows.rows.get(_place(key))

    def read_many(self, keys: Sequence[str]) -> tuple[Row, ...]:
        """Return the rows that there are.

        Raises:
            TableMissingError: There is no table.
        """
        found = [self.read(key) for key in dict.fromkeys(keys)]
        return tuple(row for row in found if row is not None)

    def scan_page(
        self, start: Place | None, limit: int, *, consistent: bool
    ) -> tuple[tuple[Row, ...], Place | None]:
        """Return some rows, and where the next page begins (None: that was the last).

        Raises:
            TableMissingError: There is no table.
        """
        rows = self._there().rows
        age = 0.0 if consistent else self._stale()
        when = self._wall() - age
        places = rows.places if age <= 0 else rows.places_at(when)
        begin = 0 if start is None else bisect_right(places, start)
        chosen = places[begin : begin + limit]
        found = [rows.rows[p] if age <= 0 else rows.row_at(p, when) for p in chosen]
        # As the service: a page that reached its limit is never known to be the last one.
        following = chosen[-1] if len(chosen) == limit else None
        return tuple(row for row in found if row is not None), following

    def owned_by(self, owner: str) -> tuple[str, ...]:
        """Return the keys of the lease rows that the index shows for this owner.

        Raises:
            TableMissingError: There is no table.
        """
        table = self._there()
        table.settle(self._wall())
        return tuple(sorted(table.owned.get(owner, ())))

    # ----------------------------------------------------------------------------------- backups

    def save(self) -> tuple[str, float, list[Row]]:
        """Return everything that is in the table, as a backup has it."""
        table = self._there()
        return table.table_id, table.made_at, self.look_at_all()

    def restore(self, saved: tuple[str, float, list[Row]], *, table_id: str | None = None) -> None:
        """Put a backup in the place of the table; None: with the id that it had."""
        old_id, made_at, rows = saved
        self._table = _Table(table_id or old_id, made_at)
        for row in rows:
            self._table.put(row.key, row, made_at, made_at)

    def _there(self) -> _Table:
        if self._table is None:
            raise TableMissingError
        return self._table


def _place(key: str) -> Place:
    """Return where the engine puts a row of this key: scans go by hash."""
    return (zlib.crc32(key.encode()), key, 0)


def _owner(row: Row | None) -> str | None:
    return row.owner if isinstance(row, LeaseRow) else None


def _holds(test: Test, row: Row | None) -> bool:
    """Say whether a test holds. A row that is not there fails all but `RowAbsent`."""
    if row is None or isinstance(test, RowAbsent):
        return row is None and isinstance(test, RowAbsent)
    match test:
        case Is(name, value):
            return bool(getattr(row, name, None) == value)
        case OwnedBy(worker):
            return isinstance(row, LeaseRow) and row.actual_owner == worker
        case Absent(name):
            return bool(getattr(row, name, None) == _ABSENT.get(name))
        case _:
            assert_never(test)


def _written(row: Row | None, write: RowWrite) -> Row:
    """Return the row that a write makes."""
    if row is None:
        values: dict[str, Any] = {"counter": 0} if write.kind is WriteKind.CREATE else {}
        values |= {name: _kept(name, value) for name, value in write.sets.items()}
        return _NEW[write.kind](key=write.key, **values)
    assert not isinstance(row, StrangeRow), row
    # As `dataclasses.replace`, in a third of the time: this is most of what a world does.
    made = object.__new__(type(row))
    sets = write.sets
    for name in _NAMES[type(row)]:
        value = _kept(name, sets[name]) if name in sets else getattr(row, name)
        object.__setattr__(made, name, value)
    return made


def _kept(name: str, value: object) -> object:
    """Return what reads back of a value once it is in the table."""
    if value is None:
        return _ABSENT.get(name)
    if name in _MILLISECONDS:
        assert isinstance(value, float | int)
        return round(value * 1000) / 1000
    if name in _SETS:
        assert isinstance(value, tuple)
        return tuple(sorted(set(value)))
    return value
