"""What would the table answer? Conditional writes evaluated on a dict of rows."""

from __future__ import annotations

from dataclasses import MISSING, fields, replace

from kcl_py.core import commands, events
from kcl_py.core.leases import writes
from kcl_py.core.leases.rows import APPLICATION_KEY, ApplicationRow, LeaseRow, Row, WorkerRow
from kcl_py.core.leases.writes import RowWrite, Test, WriteKind

NOTHING = (None, False, ())
"""Field values that stand for an attribute that is not there."""


class FakeTable:
    """Rows by key, and what the commands of the core would be answered.

    Attributes:
        rows: The table as it is; tests may change it.
        log: Every write in order, with whether it applied.
    """

    def __init__(self, *rows: Row, table_id: str = "table-1") -> None:
        self.rows: dict[str, Row] = {row.key: row for row in rows}
        self.table_id = table_id
        self.log: list[tuple[RowWrite, bool]] = []

    @property
    def leases(self) -> dict[str, LeaseRow]:
        """The lease rows."""
        return {key: row for key, row in self.rows.items() if isinstance(row, LeaseRow)}

    def lease(self, key: str) -> LeaseRow:
        """One lease row that exists."""
        row = self.rows[key]
        assert isinstance(row, LeaseRow)
        return row

    def apply(self, write: RowWrite) -> events.Applied | events.Refused:
        """Do one conditional write."""
        row = self.rows.get(write.key)
        if not all(holds(test, row) for test in write.tests):
            self.log.append((write, False))
            return events.Refused(row)
        self.log.append((write, True))
        if write.deletes:
            del self.rows[write.key]
            return events.Applied(None)
        changed = written(write) if row is None else updated(row, write)
        self.rows[write.key] = changed
        return events.Applied(changed)

    def answer(self, command: commands.Command) -> list[events.Event]:
        """Answer a command that is about the table; nothing to any other."""
        match command:
            case commands.WriteRow(write_id, write):
                return [events.RowWritten(write_id, self.apply(write))]
            case commands.ScanRows(read_id):
                rows = tuple(row for _, row in sorted(self.rows.items()))
                return [events.RowsScanned(read_id, rows), events.ScanEnded(read_id, None)]
            case commands.ReadRows(read_id, keys):
                found = tuple(self.rows[key] for key in keys if key in self.rows)
                absent = tuple(key for key in keys if key not in self.rows)
                return [events.RowsRead(read_id, found, absent)]
            case commands.FindOwned(read_id, owner):
                owned = (key for key, row in self.leases.items() if row.owner == owner)
                return [events.OwnedFound(read_id, tuple(sorted(owned)))]
            case commands.DescribeTable(read_id):
                return [events.TableDescribed(read_id, self.table_id)]
            case _:
                return []


def holds(test: Test, row: Row | None) -> bool:
    """Evaluate one test; on an absent row only `RowAbsent` holds."""
    if row is None or isinstance(test, writes.RowAbsent):
        return row is None and isinstance(test, writes.RowAbsent)
    match test:
        case writes.Is(name, value):
            return bool(getattr(row, name) == value)
        case writes.Absent(name):
            return getattr(row, name) in NOTHING
        case writes.OwnedBy(worker):
            return isinstance(row, LeaseRow) and row.actual_owner == worker


def written(write: RowWrite) -> Row:
    """Return the row that a write makes where there was none."""
    kind: type[LeaseRow | WorkerRow | ApplicationRow] = LeaseRow
    if write.kind is WriteKind.APPLICATION or write.key == APPLICATION_KEY:
        kind = ApplicationRow
    elif write.kind is WriteKind.BEAT:
        kind = WorkerRow
    values = {name: value for name, value in write.sets.items() if value is not None}
    return kind(key=write.key, **values)  # type: ignore[arg-type]


def updated(row: Row, write: RowWrite) -> Row:
    """Return the row with the fields set, and those set to None back at their defaults."""
    defaults = {field.name: field.default for field in fields(row)}
    values = {}
    for name, value in write.sets.items():
        default = defaults[name]
        assert value is not None or default is not MISSING, f"{name} cannot be removed"
        values[name] = default if value is None else value
    return replace(row, **values)  # type: ignore[arg-type]
