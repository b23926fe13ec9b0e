"""In which order does a worker start, and what stops it from starting?

Application row, own row, scan, shard sync.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from kcl_py.core.events import Failure, FailureKind
from kcl_py.core.leases import writes
from kcl_py.core.leases.java import find_java, why_refused
from kcl_py.core.leases.rows import (
    APPLICATION_KEY,
    JAVA_KEYS,
    ApplicationRow,
    Sentinel,
    StrangeRow,
)
from kcl_py.errors import AccessDenied, LeaseTableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from kcl_py.core.events import RowsRead, ShardsListed, WriteAnswer
    from kcl_py.core.facts import StreamFacts, TableFacts
    from kcl_py.core.leases.desk import Desk
    from kcl_py.core.leases.scanner import Scan
    from kcl_py.core.leases.shared import Shared
    from kcl_py.errors import KclError

PROTOCOL_VERSION = 1
_CREATED_AT_SLACK = 1.0
_LATEST_SLACK = 1.0
"""Seconds that LATEST is put back before the service's own Date header.

Source: PROTOCOL section 2.
"""


class StartupListener(Protocol):
    """Whoever is told how the start went."""

    def ready(self, now: float, application: ApplicationRow) -> None:
        """The rows are known: shard sync, then takes."""

    def fail(self, now: float, error: KclError) -> None:
        """This worker must not start."""


class Startup:
    """The start of one worker, up to the first complete scan."""

    def __init__(
        self,
        desk: Desk,
        listener: StartupListener,
        shared: Shared,
        *,
        table: TableFacts,
        stream: StreamFacts,
    ) -> None:
        self._desk = desk
        self._listener = listener
        self._table = table
        self._stream = stream
        self._membership = shared.membership
        self._scanner = shared.scanner
        self._application: ApplicationRow | None = None
        self._failures = 0

    def begin(self, now: float) -> None:
        """Read whose table it is first: nothing is written to somebody else's."""
        del now
        keys = (APPLICATION_KEY, *sorted(JAVA_KEYS))
        self._desk.calls.read_rows(keys, self._have_application)

    # ------------------------------------------------------------------------------ application row

    def _have_application(self, now: float, read: RowsRead) -> None:
        row = next((r for r in read.rows if r.key == APPLICATION_KEY), None)
        java = next((r for r in read.rows if isinstance(r, StrangeRow) and r.is_java), None)
        if java is not None:
            self._fail_java(now, java)
        elif isinstance(row, ApplicationRow):
            self._check(now, row)
        elif row is not None:
            self._fail_foreign(now)
        elif APPLICATION_KEY in read.absent:
            self._resolve_position(now)
        else:
            self._again(now, read.failure, self.begin)

    def _find_java(self, scan: Scan) -> StrangeRow | None:
        ours = () if scan.application is None else (scan.application,)
        leases = (sight.row for sight in self._desk.sights.leases.values())
        return find_java((*ours, *scan.strange, *leases))

    def _fail_foreign(self, now: float) -> None:
        self._listener.fail(
            now,
            LeaseTableError(
                f"table {self._table.name}: the row {APPLICATION_KEY!r} is not readable; this is no"
                " lease table of kcl_py, or one of a newer version. Choose another app name."
            ),
        )

    def _fail_java(self, now: float, row: StrangeRow) -> None:
        self._listener.fail(now, LeaseTableError(why_refused(self._table.name, row)))

    def _resolve_position(self, now: float) -> None:
        """LATEST becomes a time once, by the creator of the row, on the service's clock."""
        position, start_at = _initial(self._desk.config.initial_position)
        if position is not Sentinel.LATEST:
            self._create(now, position, start_at)
            return

        def listed(at: float, answer: ShardsListed) -> None:
            if answer.server_time is None:
                self._again(at, answer.failure, self._resolve_position)
            else:
                self._create(at, position, answer.server_time - _LATEST_SLACK)

        self._desk.calls.list_shards(listed)

    def _create(self, now: float, position: Sentinel, start_at: float | None) -> None:
        del now
        row = ApplicationRow(
            stream_arn=self._stream.arn,
            stream_created_at=self._stream.created_at,
            table_id=self._table.table_id,
            protocol=PROTOCOL_VERSION,
            position=position,
            start_at=start_at,
        )
        self._desk.calls.write(writes.create_application(row), self._created)

    def _created(self, now: float, answer: WriteAnswer) -> None:
        if isinstance(answer, Failure):
            self._again(now, answer, self.begin)
        elif isinstance(answer.row, ApplicationRow):
            self._check(now, answer.row)
        else:
            self.begin(now)

    def _check(self, now: float, row: ApplicationRow) -> None:
        error = self._mismatch(row)
        if error is not None:
            self._listener.fail(now, error)
            return
        position, _ = _initial(self._desk.config.initial_position)
        if position is not row.position:
            self._desk.calls.report(
                "position.ignored", "warning", configured=position, application=row.position
            )
        self._application = row
        self._membership.join(now, self._joined)

    def _mismatch(self, row: ApplicationRow) -> KclError | None:
        name = self._table.name
        if row.protocol != PROTOCOL_VERSION:
            return LeaseTableError(
                f"table {name} speaks version {row.protocol} of the lease protocol, this worker"
                f" speaks {PROTOCOL_VERSION}. Run the same version of kcl_py everywhere."
            )
        if row.stream_arn != self._stream.arn:
            return LeaseTableError(
                f"table {name} belongs to the stream {row.stream_arn}, not to {self._stream.arn}."
                " Choose another app name."
            )
        if abs(row.stream_created_at - self._stream.created_at) > _CREATED_AT_SLACK:
            return LeaseTableError(
                f"stream {self._stream.name} was deleted and created again since table {name} was"
                " made; its checkpoints mean nothing here. Choose another app name, or delete"
                " the table."
            )
        if row.table_id != self._table.table_id:
            return LeaseTableError(
                f"table {name} is a restored copy: its checkpoints and fencing tokens have gone"
                " back. Choose another app name, or delete the table to start anew."
            )
        return None

    # ------------------------------------------------------------------------------------ own row

    def _joined(self, now: float) -> None:
        if not self._desk.stopping:
            self._scanner.scan(now, consistent=True, then=self._scanned)

    def _scanned(self, now: float, scan: Scan) -> None:
        if self._desk.stopping:
            return
        if not scan.is_complete:
            self._again(now, scan.failure, self._joined)
            return
        java = self._find_java(scan)
        if java is not None:
            self._fail_java(now, java)
            return
        assert self._application is not None
        self._listener.ready(now, self._application)

    def _again(self, now: float, failure: Failure | None, then: Callable[[float], None]) -> None:
        if failure is not None and failure.kind is FailureKind.DENIED:
            self._listener.fail(
                now, AccessDenied(failure.message, action=failure.action, resource=None)
            )
            return
        if failure is not None and failure.kind is FailureKind.GONE:
            self._listener.fail(
                now, LeaseTableError(f"table {self._table.name} is gone: {failure.message}")
            )
            return
        self._failures += 1
        wait = min(5.0, 0.1 * 2 ** min(self._failures, 6)) * self._desk.rng.uniform(0.5, 1.0)
        self._desk.calls.report("start.retried", "warning", wait=round(wait, 2))
        self._desk.timers.at(now + wait, ("startup",), then)


def _initial(position: object) -> tuple[Sentinel, float | None]:
    """Return the sentinel of a configured initial position, and its time in unix seconds."""
    if position in ("earliest", "TRIM_HORIZON"):
        return Sentinel.TRIM_HORIZON, None
    if position in ("latest", "LATEST"):
        return Sentinel.LATEST, None
    timestamp = getattr(position, "timestamp", None)
    assert timestamp is not None, "checked by WorkerConfig"
    return Sentinel.AT_TIMESTAMP, float(timestamp())
