"""How does an application come to its first leases?

Every worker does the same until one has done it completely: scan, list, create what is absent.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kcl_py.core.events import Failure
from kcl_py.core.leases import writes
from kcl_py.core.leases.rows import APPLICATION_KEY, ApplicationRow
from kcl_py.core.shards.creation import IN_FLIGHT_MAX, Creation
from kcl_py.core.shards.sync_plan import plan_sync

if TYPE_CHECKING:
    from collections.abc import Callable

    from kcl_py.core.events import RowsRead, WriteAnswer
    from kcl_py.core.leases.rows import LeaseRow
    from kcl_py.core.shards.context import Context
    from kcl_py.core.shards.graph import Shard
    from kcl_py.core.shards.listing import Listing

_SINCE_SLACK = 60.0
"""Seconds by which the listing begins before the position: the clocks of services differ a little,
and a shard too many has nothing to read."""

_FINISHED = ("shards", "first", "finish")
_AGAIN = ("shards", "first", "again")


class FirstSync:
    """The first sync of one worker.

    Args:
        context: The surroundings.
        listing: Where listings come from.
        done: Called once with the application row as it is then.
    """

    def __init__(
        self, context: Context, listing: Listing, done: Callable[[float, ApplicationRow], None]
    ) -> None:
        self._context = context
        self._listing = listing
        self._done = done
        self._app: ApplicationRow | None = None
        self._creation: Creation | None = None
        self._failures = 0
        self._is_stopped = False

    def begin(self, now: float, app: ApplicationRow) -> None:
        """Sync now; a complete consistent scan has just been made."""
        self._app = app
        if app.initial_sync_done:
            self._done(now, app)
            return
        since = None if app.start_at is None else app.start_at - _SINCE_SLACK
        self._listing.ask(now, self._listed, since=since)

    def stop(self) -> None:
        """The worker stops: create nothing more."""
        self._is_stopped = True
        self._context.timers.cancel(_AGAIN)
        if self._creation is not None:
            self._creation.stop()

    # ------------------------------------------------------------------------------------- creating

    def _listed(self, now: float, shards: tuple[Shard, ...]) -> None:
        if self._is_stopped or self._app is None:
            return
        floor = self._context.counter_floor(now)
        self._create(now, plan_sync(shards, self._context.listener.rows(), self._app, floor))

    def _create(self, now: float, rows: tuple[LeaseRow, ...]) -> None:
        """Create some, then look whether somebody else is at the same."""
        some, rest = rows[:IN_FLIGHT_MAX], rows[IN_FLIGHT_MAX:]

        def created(at: float, applied: int) -> None:
            if not rest:
                self._finish(at)
            elif 2 * applied < len(some):
                self._look_again(at)
            else:
                self._create(at, rest)

        self._creation = Creation(self._context, "first sync", "sync.creation_retried", created)
        self._creation.start(now, some)

    def _look_again(self, now: float) -> None:
        """Others are ahead of us: read what they did instead of trying to write the same rows."""
        wait = self._context.rng.uniform(0.2, 1.0)
        self._context.timers.at(now + wait, _AGAIN, self._reread)

    def _reread(self, now: float) -> None:
        del now
        self._context.calls.read_rows((APPLICATION_KEY,), self._have_application)

    def _have_application(self, now: float, read: RowsRead) -> None:
        if not self._is_stopped:
            for row in read.rows:
                if isinstance(row, ApplicationRow):
                    self._app = row
            self._context.listener.scan_consistently(now, self._scanned)

    def _scanned(self, now: float, complete: bool) -> None:  # noqa: FBT001 - what a scan tells
        if self._is_stopped or self._app is None:
            return
        if complete:
            self.begin(now, self._app)
        else:
            self._look_again(now)

    # ------------------------------------------------------------------------------------ finishing

    def _finish(self, now: float) -> None:
        """Every row is there: say so in the application row, and go on without waiting for it."""
        if self._app is None:
            return
        app = self._app
        self._mark(now)
        self._context.calls.report("sync.finished", "info", rows=len(self._context.listener.rows()))
        self._done(now, replace(app, initial_sync_done=True))

    def _mark(self, now: float) -> None:
        del now
        if self._app is not None:
            self._context.calls.write(writes.finish_initial_sync(self._app), self._marked)

    def _marked(self, now: float, answer: WriteAnswer) -> None:
        if isinstance(answer, Failure) and not self._is_stopped:
            wait = self._context.pause(self._failures)
            self._failures += 1
            self._context.timers.at(now + wait, _FINISHED, self._mark)
