"""How does the lease table answer in the simulated world? Late, twice refused, or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from kcl_py.core import commands, events
from kcl_py.core.events import Applied, Failure, FailureKind, Refused
from kcl_py.core.leases.rows import LeaseRow
from kcl_py.testing.sim.faults import Fate, FaultSource
from kcl_py.testing.sim.store import TableMissingError

if TYPE_CHECKING:
    from collections.abc import Callable

    from kcl_py.core.leases.rows import Row
    from kcl_py.core.leases.writes import RowWrite
    from kcl_py.testing.sim.heap import EventHeap
    from kcl_py.testing.sim.store import TableStore
    from kcl_py.testing.sim.trace import Trace

_APPLYING = frozenset({Fate.FINE, Fate.REPLY_LOST, Fate.ERROR_APPLIED})


class Caller(Protocol):
    """Whoever calls a service: a simulated worker."""

    @property
    def worker_id(self) -> str:
        """Who it is."""

    @property
    def timeout(self) -> float:
        """Seconds after which it gives a call up."""

    def tell(self, event: events.Event) -> None:
        """Hand it an answer."""


class Change(NamedTuple):
    """A write that was applied.

    Attributes:
        at: True time at which it was.
        sent_at: True time at which it was sent.
        worker: Who sent it; empty for a test's own hand.
    """

    at: float
    sent_at: float
    worker: str
    write: RowWrite
    before: Row | None
    after: Row | None


class SimTable:
    """The table and the way to it.

    Attributes:
        on_change: Told of every applied write at the instant at which it is.
        write_count: Writes applied so far.
        late_until: True time at which the last write so far that was given up arrives.
    """

    def __init__(
        self, heap: EventHeap, store: TableStore, faults: FaultSource, trace: Trace
    ) -> None:
        self.store = store
        self.on_change: list[Callable[[Change], None]] = []
        self.write_count = 0
        self.late_until = 0.0
        self._heap = heap
        self._faults = faults
        self._trace = trace

    # ------------------------------------------------------------------------------- for tests

    def rows(self) -> dict[str, Row]:
        """Return all rows as they are now; empty if there is no table."""
        return {row.key: row for row in self.store.look_at_all()}

    def lease_rows(self) -> dict[str, LeaseRow]:
        """Return the lease rows as they are now."""
        return {key: row for key, row in self.rows().items() if isinstance(row, LeaseRow)}

    def apply(self, worker: str, write: RowWrite, sent_at: float) -> Applied | Refused:
        """Apply a write now and let everybody know."""
        before = self.store.look(write.key)
        answer = self.store.write(write)
        if isinstance(answer, Applied):
            self.write_count += 1
            change = Change(self._heap.now, sent_at, worker, write, before, answer.row)
            self._trace.add(
                worker or "hand", f"applied {write.kind}", write.key, _brief(answer.row)
            )
            for told in self.on_change:
                told(change)
        return answer

    # ----------------------------------------------------------------------------- for workers

    def execute(
        self,
        caller: Caller,
        command: commands.WriteRow
        | commands.ScanRows
        | commands.ReadRows
        | commands.FindOwned
        | commands.DescribeTable,
    ) -> None:
        """Answer a command of the core, some time."""
        match command:
            case commands.WriteRow():
                self._write(caller, command)
            case commands.ScanRows(read_id, consistent):
                _Scan(self, self._heap, self._faults, caller, read_id, consistent).start()
            case commands.ReadRows():
                self._read(caller, command)
            case commands.FindOwned():
                self._find(caller, command)
            case commands.DescribeTable(read_id):
                self._ask(
                    caller,
                    "dynamodb:DescribeTable",
                    lambda answer: self._described(read_id, answer),
                )

    def _write(self, caller: Caller, command: commands.WriteRow) -> None:
        sent_at, write, worker = self._heap.now, command.write, caller.worker_id
        fate, delay = self._faults.write_fate(worker, write)
        way = self._faults.lasts(caller.timeout)
        if fate is Fate.FINE and way >= caller.timeout:
            fate = Fate.REPLY_LOST
        if fate is not Fate.FINE:
            self._trace.add(worker, f"fate {fate}", write.key, write.kind, command.write_id)
        arrives = way
        if fate is Fate.LATE:
            arrives = caller.timeout + delay
            self.late_until = max(self.late_until, sent_at + arrives)

        def arrive() -> None:
            answer: events.WriteAnswer
            try:
                answer = self.apply(worker, write, sent_at)
            except TableMissingError:
                answer = _gone("dynamodb:UpdateItem")
            if fate is Fate.FINE:
                self._reply_write(caller, command, answer)

        if fate in _APPLYING or fate is Fate.LATE:
            self._heap.after(arrives, arrive)
        failure = _failure(fate, "dynamodb:UpdateItem")
        if failure is not None:
            waits = (
                way * 2
                if fate in (Fate.THROTTLED, Fate.ERROR, Fate.ERROR_APPLIED)
                else caller.timeout
            )
            self._heap.after(
                waits, lambda: caller.tell(events.RowWritten(command.write_id, failure))
            )

    def _reply_write(
        self, caller: Caller, command: commands.WriteRow, answer: events.WriteAnswer
    ) -> None:
        # An error without the item is followed by a read, which may see a later row.
        later = isinstance(answer, Refused) and self._faults.rng.random() < 0.2  # noqa: PLR2004

        def reply() -> None:
            row = answer
            if later:
                try:
                    row = Refused(self.store.read(command.write.key))
                except TableMissingError:
                    row = _gone("dynamodb:GetItem")
            caller.tell(events.RowWritten(command.write_id, row))

        self._heap.after(self._faults.way() * (2 if later else 1), reply)

    def _ask(
        self, caller: Caller, action: str, answer: Callable[[Failure | None], events.Event]
    ) -> None:
        """Call something that changes nothing; `answer` is asked when the call is there."""
        fate = self._faults.read_fate(caller.worker_id)
        way = self._faults.lasts(caller.timeout)
        if fate is Fate.FINE and way >= caller.timeout:
            fate = Fate.REPLY_LOST
        failure = _failure(fate, action)
        if failure is not None:
            waits = caller.timeout if fate in (Fate.LOST, Fate.REPLY_LOST) else way * 2
            self._heap.after(waits, lambda: caller.tell(answer(failure)))
            return

        def arrive() -> None:
            event = answer(None)
            self._heap.after(self._faults.way(), lambda: caller.tell(event))

        self._heap.after(way, arrive)

    def _read(self, caller: Caller, command: commands.ReadRows) -> None:
        def answer(failure: Failure | None) -> events.Event:
            rows: tuple[Row, ...] = ()
            absent: tuple[str, ...] = ()
            if failure is None:
                try:
                    rows = self.store.read_many(command.keys)
                    found = {row.key for row in rows}
                    absent = tuple(key for key in command.keys if key not in found)
                except TableMissingError:
                    failure = _gone("dynamodb:BatchGetItem")
            return events.RowsRead(command.read_id, rows, absent, failure)

        self._ask(caller, "dynamodb:BatchGetItem", answer)

    def _find(self, caller: Caller, command: commands.FindOwned) -> None:
        def answer(failure: Failure | None) -> events.Event:
            keys: tuple[str, ...] = ()
            if failure is None:
                try:
                    keys = self.store.owned_by(command.owner)
                except TableMissingError:
                    failure = _gone("dynamodb:Query")
            return events.OwnedFound(command.read_id, keys, failure)

        self._ask(caller, "dynamodb:Query", answer)

    def _described(self, read_id: int, failure: Failure | None) -> events.Event:
        table_id = None if failure is not None else self.store.table_id()
        return events.TableDescribed(read_id, table_id, failure)


class _Scan:
    """One scan on its way through the table, page after page."""

    def __init__(
        self,
        table: SimTable,
        heap: EventHeap,
        faults: FaultSource,
        caller: Caller,
        read_id: int,
        consistent: bool,  # noqa: FBT001 - as the command says it
    ) -> None:
        self._table = table
        self._heap = heap
        self._faults = faults
        self._caller = caller
        self._read_id = read_id
        self._consistent = consistent

    def start(self) -> None:
        """Ask for the first page."""
        self._next(None)

    def _next(self, start: object) -> None:
        fate = self._faults.read_fate(self._caller.worker_id)
        if fate is Fate.FINE and self._faults.happens(self._faults.faults.scan_cut):
            fate = Fate.ERROR
        way = self._faults.lasts(self._caller.timeout)
        if way >= self._caller.timeout:
            fate = Fate.LOST
        failure = _failure(fate, "dynamodb:Scan")
        if failure is not None:
            waits = self._caller.timeout if fate in (Fate.LOST, Fate.REPLY_LOST) else way * 2
            self._heap.after(waits, lambda: self._end(failure))
        else:
            self._heap.after(way, lambda: self._page(start))

    def _page(self, start: object) -> None:
        limit = self._faults.rng.choice((3, 20, 200))
        try:
            rows, following = self._table.store.scan_page(start, limit, consistent=self._consistent)
        except TableMissingError:
            self._heap.after(self._faults.way(), lambda: self._end(_gone("dynamodb:Scan")))
            return
        page = events.RowsScanned(self._read_id, rows)

        def arrive() -> None:
            self._caller.tell(page)
            if following is None:
                self._end(None)
            else:
                self._next(following)

        self._heap.after(self._faults.way(), arrive)

    def _end(self, failure: Failure | None) -> None:
        self._caller.tell(events.ScanEnded(self._read_id, failure))


def _failure(fate: Fate, action: str) -> Failure | None:
    match fate:
        case Fate.FINE:
            return None
        case Fate.THROTTLED:
            return Failure(FailureKind.THROTTLED, action, "throughput exceeded (simulated)")
        case Fate.ERROR | Fate.ERROR_APPLIED:
            return Failure(FailureKind.UNKNOWN, action, "internal server error (simulated)")
        case _:
            return Failure(FailureKind.UNKNOWN, action, "timed out (simulated)")


def _gone(action: str) -> Failure:
    return Failure(FailureKind.GONE, action, "the table does not exist (simulated)")


def _brief(row: Row | None) -> str:
    """Describe a row in a few words; sequence numbers by their last digits only."""
    if not isinstance(row, LeaseRow):
        return "" if row is not None else "deleted"
    held = f"{row.owner or '-'}" + (f" co={row.checkpoint_owner}" if row.checkpoint_owner else "")
    offer = " offered" if row.is_offered else ""
    return f"c={row.counter} owner={held}{offer} at={str(row.checkpoint)[-16:]}"
