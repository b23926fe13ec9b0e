"""Which answer belongs to which question?

Commands go out with an id, answers find whoever asked.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from kcl_py.core import commands, events

if TYPE_CHECKING:
    from collections.abc import Callable

    from kcl_py.core.leases.rows import Row
    from kcl_py.core.leases.writes import RowWrite

    OnWritten: TypeAlias = Callable[[float, events.WriteAnswer], None]
    OnRead: TypeAlias = Callable[[float, events.RowsRead], None]
    OnScanPage: TypeAlias = Callable[[float, tuple[Row, ...]], None]
    OnScanEnd: TypeAlias = Callable[[float, events.Failure | None], None]
    OnOwned: TypeAlias = Callable[[float, events.OwnedFound], None]
    OnTable: TypeAlias = Callable[[float, events.TableDescribed], None]
    OnShards: TypeAlias = Callable[[float, events.ShardsListed], None]
    OnFetched: TypeAlias = Callable[[float, events.PageFetched | events.FetchFailed], None]

NEVER = float("inf")


class Calls:
    """The outbox of the core: commands in order, and who waits for which answer.

    Every question is answered exactly once; an answer nobody waits for is a bug of the shell and
    ignored.

    Attributes:
        counted: How often each event was reported, for metrics.
    """

    def __init__(self) -> None:
        self._out: list[commands.Command] = []
        self._waiting: dict[int, Callable[[float, Any], None]] = {}
        self._scan_pages: dict[int, OnScanPage] = {}
        self._last_id = 0
        self.counted: Counter[str] = Counter()

    def next_id(self) -> int:
        """Return a number that was never given out before."""
        self._last_id += 1
        return self._last_id

    def emit(self, command: commands.Command) -> None:
        """Send a command that has no answer here."""
        self._out.append(command)

    def take_out(self) -> list[commands.Command]:
        """Return the commands since the last call, in order."""
        out, self._out = self._out, []
        return out

    def report(
        self,
        name: str,
        level: Literal["debug", "info", "warning", "error"] = "info",
        key: str | None = None,
        **fields: object,
    ) -> None:
        """Log one event of the catalogue."""
        self.counted[name] += 1
        self._out.append(commands.Report(name, level, key, fields))

    def write(self, write: RowWrite, then: OnWritten, *, urgent_by: float = NEVER) -> None:
        """Send a conditional write; `then(now, answer)` is called once."""
        self._ask(commands.WriteRow(self.next_id(), write, urgent_by), then)

    def read_rows(self, keys: tuple[str, ...], then: OnRead) -> None:
        """Read rows consistently."""
        self._ask(commands.ReadRows(self.next_id(), keys), then)

    def scan(self, *, consistent: bool, page: OnScanPage, then: OnScanEnd) -> None:
        """Scan the table; `page` is called per page, then `then` once."""
        read_id = self.next_id()
        self._scan_pages[read_id] = page
        self._waiting[read_id] = then
        self._out.append(commands.ScanRows(read_id, consistent))

    def find_owned(self, owner: str, then: OnOwned) -> None:
        """Ask the index for the rows that name `owner`."""
        self._ask(commands.FindOwned(self.next_id(), owner), then)

    def describe_table(self, then: OnTable) -> None:
        """Ask for the table's id."""
        self._ask(commands.DescribeTable(self.next_id()), then)

    def list_shards(self, then: OnShards, *, since: float | None = None) -> None:
        """List the shards of the stream, if possible only those that took records since then."""
        self._ask(commands.ListShards(self.next_id(), since), then)

    def fetch(self, command: commands.Fetch, then: OnFetched) -> None:
        """Read one page of a shard; the command has an id of `next_id`."""
        self._waiting[command.fetch_id] = then
        self._out.append(command)

    def answer(self, now: float, event: events.Event) -> bool:
        """Hand an answer to whoever waits for it; False if it is no answer to anything open."""
        match event:  # What comes most often is looked for first.
            case events.PageFetched() | events.FetchFailed():
                return self._tell(event.fetch_id, now, event)
            case events.RowWritten(write_id, answer):
                return self._tell(write_id, now, answer)
            case events.RowsScanned(read_id, rows):
                page = self._scan_pages.get(read_id)
                if page is not None:
                    page(now, rows)
                return page is not None
            case events.ScanEnded(read_id, failure):
                self._scan_pages.pop(read_id, None)
                return self._tell(read_id, now, failure)
            case (
                events.RowsRead()
                | events.OwnedFound()
                | events.TableDescribed()
                | events.ShardsListed()
            ):
                return self._tell(event.read_id, now, event)
            case _:
                return False

    def _ask(
        self,
        command: commands.WriteRow
        | commands.ReadRows
        | commands.FindOwned
        | commands.DescribeTable
        | commands.ListShards,
        then: Callable[[float, Any], None],
    ) -> None:
        name = command.write_id if isinstance(command, commands.WriteRow) else command.read_id
        self._waiting[name] = then
        self._out.append(command)

    def _tell(self, name: int, now: float, answer: object) -> bool:
        then = self._waiting.pop(name, None)
        if then is not None:
            then(now, answer)
        return then is not None
