"""How does a command become a remote call, and its result an event?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

from kcl_py.core.commands import (
    DescribeTable,
    Fetch,
    FindOwned,
    ListShards,
    ReadRows,
    ScanRows,
    WriteRow,
)
from kcl_py.core.events import (
    Event,
    Failure,
    FetchFailed,
    OwnedFound,
    PageFetched,
    RowsRead,
    RowsScanned,
    RowWritten,
    ScanEnded,
    ShardsListed,
    TableDescribed,
    WriteAnswer,
)
from kcl_py.shell.meter import Meter
from kcl_py.shell.pools import (
    LEASE_THREADS_MAX,
    STREAM_THREADS_MAX,
    TABLE_THREADS_MAX,
    Pool,
)
from kcl_py.shell.threads import OnCrash

if TYPE_CHECKING:
    from kcl_py.aws.lease_table import KeysFound, RowsFound, TableSeen
    from kcl_py.aws.stream import ShardsSeen
    from kcl_py.core.leases.rows import Row
    from kcl_py.core.leases.writes import RowWrite

RemoteCommand: TypeAlias = (
    WriteRow | ScanRows | ReadRows | FindOwned | DescribeTable | ListShards | Fetch
)

WRITES_SECONDS: Final = 2.0
"""How long the end of a worker waits for lease writes: no call of theirs takes longer."""

READS_SECONDS: Final = 0.5
"""How long it waits for reads, of either kind; they change nothing."""

AFTER_ALL_READS: Final = 1.0
"""A scan, and a listing of shards, let reads of single rows pass: those somebody waits for."""


class TablePort(Protocol):
    """The lease table; see `aws.lease_table.LeaseTable`. Every call ends in a value."""

    def write(self, write: RowWrite) -> WriteAnswer:
        """Send one conditional write, once."""

    def scan(self, *, consistent: bool) -> Iterator[tuple[Row, ...] | Failure]:
        """Read the whole table, page by page; a failure is the last."""

    def read_rows(self, keys: Sequence[str]) -> RowsFound:
        """Read these rows consistently."""

    def find_owned(self, owner: str) -> KeysFound:
        """Ask the index which leases name this owner."""

    def describe(self) -> TableSeen:
        """Ask which table this is now."""


class StreamPort(Protocol):
    """The stream; see `aws.stream.StreamReader`. Every call ends in a value."""

    def list_shards(self, *, since: float | None = None) -> ShardsSeen | Failure:
        """List all shards afresh, or those that took records at or after `since` (unix seconds)."""

    def fetch(self, command: Fetch) -> PageFetched | FetchFailed:
        """Read one page, once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """Pools and the services behind them. Every command is answered as `commands` says.

    Attributes:
        post: Hands an event to the core.
        meter: Counts every call.
        leases: For lease writes alone: nothing else may hold them up.
    """

    table: TablePort
    stream: StreamPort
    post: Callable[[Event], None]
    meter: Meter
    leases: Pool
    rows: Pool
    records: Pool

    @classmethod
    def open(
        cls,
        table: TablePort,
        stream: StreamPort,
        post: Callable[[Event], None],
        on_crash: OnCrash,
        meter: Meter,
    ) -> Remote:
        """Make the pools; threads come with the first call."""
        return cls(
            table=table,
            stream=stream,
            post=post,
            meter=meter,
            leases=Pool("kcl-lease", LEASE_THREADS_MAX, on_crash),
            rows=Pool("kcl-table", TABLE_THREADS_MAX, on_crash),
            records=Pool("kcl-read", STREAM_THREADS_MAX, on_crash),
        )

    def send(self, command: RemoteCommand) -> None:
        """Carry it out soon; never blocks."""
        match command:
            case WriteRow():
                self.leases.submit(partial(self._write, command), urgent_by=command.urgent_by)
            case ScanRows():
                self.rows.submit(partial(self._scan, command), urgent_by=AFTER_ALL_READS)
            case ListShards():
                self.rows.submit(partial(self._list, command), urgent_by=AFTER_ALL_READS)
            case ReadRows():
                self.rows.submit(partial(self._read, command))
            case FindOwned():
                self.rows.submit(partial(self._find, command))
            case DescribeTable():
                self.rows.submit(partial(self._describe, command))
            case Fetch():
                self.records.submit(partial(self._fetch, command))

    def close(self) -> None:
        """Drop what waits; threads end with the call that they are in."""
        for pool in (self.leases, self.rows, self.records):
            pool.close()

    def join(self) -> None:
        """After `close`: wait a bounded time for the calls that are under way."""
        self.leases.join(WRITES_SECONDS)
        for pool in (self.rows, self.records):
            pool.join(READS_SECONDS)

    def _write(self, command: WriteRow) -> None:
        call = self.meter.begin("LeaseWrite")
        answer = self.table.write(command.write)
        self.meter.end(call, answer if isinstance(answer, Failure) else None)
        self.post(RowWritten(command.write_id, answer))

    def _scan(self, command: ScanRows) -> None:
        failure: Failure | None = None
        call = self.meter.begin("Scan")
        for page in self.table.scan(consistent=command.consistent):
            if isinstance(page, Failure):
                failure = page
            else:
                self.post(RowsScanned(command.read_id, page))
        self.meter.end(call, failure)
        self.post(ScanEnded(command.read_id, failure))

    def _read(self, command: ReadRows) -> None:
        call = self.meter.begin("BatchGetItem")
        found = self.table.read_rows(command.keys)
        self.meter.end(call, found.failure)
        self.post(RowsRead(command.read_id, found.rows, found.absent, found.failure))

    def _find(self, command: FindOwned) -> None:
        call = self.meter.begin("Query")
        found = self.table.find_owned(command.owner)
        self.meter.end(call, found.failure)
        self.post(OwnedFound(command.read_id, found.keys, found.failure))

    def _describe(self, command: DescribeTable) -> None:
        call = self.meter.begin("DescribeTable")
        seen = self.table.describe()
        self.meter.end(call, seen.failure)
        self.post(TableDescribed(command.read_id, seen.table_id, seen.failure))

    def _list(self, command: ListShards) -> None:
        call = self.meter.begin("ListShards")
        seen = self.stream.list_shards(since=command.since)
        self.meter.end(call, seen if isinstance(seen, Failure) else None)
        if isinstance(seen, Failure):
            self.post(ShardsListed(command.read_id, (), None, seen))
        else:
            self.post(ShardsListed(command.read_id, seen.shards, seen.server_time))

    def _fetch(self, command: Fetch) -> None:
        call = self.meter.begin("GetRecords")
        answer = self.stream.fetch(command)
        self.meter.end(call, answer.failure if isinstance(answer, FetchFailed) else None)
        self.post(answer)
