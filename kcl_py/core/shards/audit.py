"""Does the table still fit the stream? A regular look: repair holes, delete tombstones, report."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from kcl_py.core.events import Applied, Failure
from kcl_py.core.leases import writes
from kcl_py.core.shards.cleanup import deletable
from kcl_py.core.shards.coverage import uncovered
from kcl_py.core.shards.creation import Creation
from kcl_py.core.shards.graph import Lineage
from kcl_py.core.shards.sync_plan import is_other_stream, plan_sync
from kcl_py.errors import LeaseTableError

if TYPE_CHECKING:
    from collections.abc import Collection

    from kcl_py.core.events import WriteAnswer
    from kcl_py.core.leases.rows import ApplicationRow, LeaseRow
    from kcl_py.core.shards.cleanup import Vanished
    from kcl_py.core.shards.context import Context
    from kcl_py.core.shards.graph import Shard
    from kcl_py.core.shards.listing import Listing

AUDIT_EVERY = 120.0
"""Seconds between two audits of the worker that audits for all."""
AUDIT_ALONE_EVERY = 600.0
"""Seconds after which any other worker looks for itself, in case the auditor sees less."""
CONFIRM_AFTER = 10.0
"""Seconds until a second look at something that should not be."""
DELETIONS_MAX = 50
"""Most tombstones deleted in one pass."""

_DUE = ("shards", "audit")


class Audit:
    """The audits of one worker, one at a time: consistent scan, fresh listing, what is missing.

    A scan is no snapshot and a listing is eventually consistent, so whatever looks wrong is acted
    on only if the next pass finds the same.
    """

    def __init__(self, context: Context, listing: Listing, vanished: Vanished) -> None:
        self._context = context
        self._listing = listing
        self._vanished = vanished
        self._app: ApplicationRow | None = None
        self._last = 0.0
        self._is_running = False
        self._is_asked = False
        self._suspects: frozenset[str] = frozenset()
        self._gaps: frozenset[tuple[int, int]] = frozenset()
        self._was_our_stream = False
        self._was_other_stream = False

    def start(self, now: float, app: ApplicationRow) -> None:
        """Audit from now on, for an application whose initial sync is done."""
        self._app = app
        self._last = now
        self._arm(now, AUDIT_EVERY)

    def stop(self) -> None:
        """The worker stops: audit no more."""
        self._app = None
        self._context.timers.cancel(_DUE)

    def request(self, now: float) -> None:
        """Audit as soon as possible, even if another worker is the auditor."""
        if self._is_running:
            self._is_asked = True
        elif self._app is not None:
            self._run(now)

    def consider(self, now: float, shards: tuple[Shard, ...], missing: Collection[str]) -> None:
        """Audit if one of these missing parents should have a row and will not get one."""
        if self._app is None:
            return
        planned = plan_sync(shards, self._context.listener.rows(), self._app, 0)
        if any(row.key in missing for row in planned):
            self.request(now)

    def _arm(self, now: float, wait: float) -> None:
        self._context.timers.at(now + wait * self._context.rng.uniform(0.9, 1.1), _DUE, self._due)

    def _due(self, now: float) -> None:
        is_mine = self._context.listener.is_auditor() or bool(self._suspects)
        if is_mine or self._was_other_stream or now - self._last >= AUDIT_ALONE_EVERY:
            self.request(now)
        else:
            self._arm(now, AUDIT_EVERY)

    # ----------------------------------------------------------------------------------- one pass

    def _run(self, now: float) -> None:
        self._is_running = True
        self._is_asked = False
        self._last = now
        self._context.listener.scan_consistently(now, self._scanned)

    def _scanned(self, now: float, complete: bool) -> None:  # noqa: FBT001 - what a scan tells
        if complete:
            self._listing.ask(now, self._listed)
        else:
            self._end(now, again=True)

    def _listed(self, now: float, shards: tuple[Shard, ...]) -> None:
        app, rows = self._app, self._context.listener.rows()
        if app is None:
            self._end(now)
        elif self._was_our_stream and is_other_stream(shards, rows):
            self._stop_or_confirm(now)
        else:
            self._was_our_stream = bool(rows) and not is_other_stream(shards, rows)
            self._was_other_stream = False
            planned = plan_sync(shards, rows, app, self._context.counter_floor(now))
            self._report_gaps(shards, [*rows.values(), *planned])
            self._delete(deletable(rows, self._vanished)[:DELETIONS_MAX])
            self._repair(now, planned)

    def _stop_or_confirm(self, now: float) -> None:
        """The shards that we knew were replaced while we ran.

        At the start, where creation times were compared, strange shards are no reason to stop: the
        fleet may have been down for longer than the stream keeps anything.
        """
        if not self._was_other_stream:
            self._was_other_stream = True
            self._end(now, again=True)
            return
        self._end(now)
        message = (
            "none of the stream's shards is known to the lease table: the stream was deleted and "
            "created again. Its checkpoints mean nothing there: choose another app name, or delete "
            "the lease table"
        )
        self._context.listener.fail(now, LeaseTableError(message))

    def _repair(self, now: float, planned: tuple[LeaseRow, ...]) -> None:
        confirmed = [row for row in planned if row.key in self._suspects]
        self._suspects = frozenset(row.key for row in planned) - {row.key for row in confirmed}
        for row in confirmed:
            self._context.calls.report("shard.repaired", "warning", row.key)

        def created(at: float, _applied: int) -> None:
            self._end(at, again=bool(self._suspects))

        Creation(self._context, "audit", "sync.creation_retried", created).start(now, confirmed)

    def _delete(self, tombstones: tuple[LeaseRow, ...]) -> None:
        """Delete what may go; what failed is left to the next audit."""
        for row in tombstones:
            self._context.calls.write(writes.delete(row), partial(self._deleted, row.key))

    def _deleted(self, key: str, now: float, answer: WriteAnswer) -> None:
        if isinstance(answer, Failure):
            return
        if isinstance(answer, Applied) or answer.row is None:
            self._context.calls.report("lease.deleted", "debug", key)
            self._context.listener.row_deleted(now, key)
        else:
            self._context.see(now, (answer.row,))

    def _report_gaps(self, shards: tuple[Shard, ...], rows: list[LeaseRow]) -> None:
        found = frozenset(uncovered(rows, Lineage(shards).shards))
        for low, high in sorted(found & self._gaps):
            self._context.calls.report("shards.uncovered", "warning", low=low, high=high)
        self._gaps = found

    def _end(self, now: float, *, again: bool = False) -> None:
        self._is_running = False
        if self._app is None:
            return
        if self._is_asked:
            self._run(now)
        else:
            self._arm(now, CONFIRM_AFTER if again else AUDIT_EVERY)
