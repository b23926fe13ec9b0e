"""When is the table read, and what did a reading show?

Scans, and the index that tells what is meant for us.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from kcl_py.core.events import FailureKind
from kcl_py.core.leases.rows import ApplicationRow, LeaseRow, StrangeRow, WorkerRow

if TYPE_CHECKING:
    from collections.abc import Callable

    from kcl_py.core.events import Failure, OwnedFound, RowsRead
    from kcl_py.core.leases.desk import Desk
    from kcl_py.core.leases.rows import Row

INDEX_INTERVAL_MAX = 1.0
"""Seconds between two looks into the index. Source: PROTOCOL section 3."""

_JITTER = 0.1


@dataclass(slots=True)
class Scan:
    """One reading of the whole table.

    Attributes:
        failure: What ended it early; None: complete.
    """

    asked_at: float
    consistent: bool
    leases: set[str] = field(default_factory=set)
    workers: set[str] = field(default_factory=set)
    strange: list[StrangeRow] = field(default_factory=list)
    application: ApplicationRow | None = None
    failure: Failure | None = None

    @property
    def is_complete(self) -> bool:
        """The last page arrived without error."""
        return self.failure is None


class ScannerListener(Protocol):
    """Whoever is told what readings showed."""

    def scanned(self, now: float, scan: Scan) -> None:
        """A periodic scan is over, complete or not."""

    def is_at_work(self, key: str) -> bool:
        """We hold the lease, or a write of ours on it is open.

        No need to read what the index shows.
        """

    def examine(self, now: float, row: LeaseRow) -> None:
        """A row that names us was read consistently."""

    def table_failed(self, now: float, kind: FailureKind, action: str, message: str) -> None:
        """The table is gone, or denies the read."""


class Scanner:
    """The readings of this worker."""

    def __init__(self, desk: Desk, listener: ScannerListener, *, has_index: bool) -> None:
        self._desk = desk
        self._listener = listener
        self._has_index = has_index
        self._warned: set[str] = set()
        self._is_scanning = False
        self._is_looking = False

    def start(self, now: float) -> None:
        """Begin the periodic scans and looks into the index."""
        self._schedule(now, self._desk.scan_interval)
        if self._has_index:
            self._look(now)

    def stop(self) -> None:
        """No more periodic scans; the index is still asked while leases drain."""
        self._desk.timers.cancel(("scan",))

    def scan(self, now: float, *, consistent: bool, then: Callable[[float, Scan], None]) -> None:
        """Read everything once; every page is seen as it arrives."""
        scan = Scan(now, consistent)

        def page(at: float, rows: tuple[Row, ...]) -> None:
            for row in rows:
                self._see(at, row, scan)

        def ended(at: float, failure: Failure | None) -> None:
            scan.failure = failure
            if failure is None:
                self._desk.sights.keep_only(scan.leases, asked_at=now, consistent=consistent)
                unsure = self._desk.sights.keep_only_workers(
                    scan.workers, asked_at=now, consistent=consistent
                )
                if unsure:
                    self._read_leavers(unsure, lambda later: then(later, scan))
                    return
            else:
                self._failed(at, failure)
            then(at, scan)

        self._desk.calls.scan(consistent=consistent, page=page, then=ended)

    def _read_leavers(self, workers: tuple[str, ...], then: Callable[[float], None]) -> None:
        """Who is leaving and was not shown has left only if a consistent read finds no row."""

        def have_read(now: float, read: RowsRead) -> None:
            for key in read.absent:
                self._desk.sights.miss_worker(key)
            then(now)

        self._desk.calls.read_rows(workers, have_read)

    # --------------------------------------------------------------------------------------- scans

    def _schedule(self, now: float, seconds: float) -> None:
        wait = seconds * self._desk.rng.uniform(1 - _JITTER, 1 + _JITTER)
        self._desk.timers.at(now + wait, ("scan",), self._periodic)

    def _periodic(self, now: float) -> None:
        def scanned(at: float, scan: Scan) -> None:
            if not self._desk.stopping:
                self._schedule(max(now, at - 1.0), self._desk.scan_interval)
            self._listener.scanned(at, scan)

        self.scan(now, consistent=False, then=scanned)

    def _see(self, now: float, row: Row, scan: Scan) -> None:
        match row:
            case LeaseRow():
                scan.leases.add(row.key)
                self._desk.sights.see_lease(
                    now, row, asked_at=scan.asked_at, consistent=scan.consistent
                )
            case WorkerRow():
                scan.workers.add(row.key)
                self._desk.sights.see_worker(now, row)
            case ApplicationRow():
                scan.application = row
            case StrangeRow():
                scan.strange.append(row)
                self._warn(row)

    def _warn(self, row: StrangeRow) -> None:
        if row.key not in self._warned:
            self._warned.add(row.key)
            self._desk.calls.report("row.skipped", "warning", row.key, reason=row.why)

    def _failed(self, now: float, failure: Failure) -> None:
        self._desk.calls.report(
            "scan.failed", "warning", action=failure.action, message=failure.message
        )
        if failure.kind in (FailureKind.GONE, FailureKind.DENIED):
            self._listener.table_failed(now, failure.kind, failure.action, failure.message)

    # --------------------------------------------------------------------------------------- index

    def _look(self, now: float) -> None:
        """Ask the index for rows that name us as owner.

        It is never consistent, so hits are read.
        """

        def found(at: float, owned: OwnedFound) -> None:
            wait = min(INDEX_INTERVAL_MAX, self._desk.duration / 3)
            self._desk.timers.at(max(at, now + wait), ("index",), self._look)
            keys = tuple(k for k in owned.keys if not self._listener.is_at_work(k))
            if keys and not self._is_looking:
                self._read_hits(at, keys)

        self._desk.calls.find_owned(self._desk.me, found)

    def _read_hits(self, now: float, keys: tuple[str, ...]) -> None:
        self._is_looking = True

        def have_read(at: float, read: RowsRead) -> None:
            self._is_looking = False
            for key in read.absent:
                self._desk.sights.forget_lease(key)
            for row in read.rows:
                if isinstance(row, LeaseRow):
                    self._desk.sights.see_lease(at, row, asked_at=now, consistent=True)
                    self._listener.examine(at, row)

        self._desk.calls.read_rows(keys, have_read)
