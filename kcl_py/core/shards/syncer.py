"""Who looks after the rows of shards? The machine behind `ShardPort`, made of its parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kcl_py.core.shards.audit import Audit
from kcl_py.core.shards.births import waits_for_parents
from kcl_py.core.shards.children import ChildCreation
from kcl_py.core.shards.cleanup import Vanished
from kcl_py.core.shards.context import Context
from kcl_py.core.shards.first_sync import FirstSync
from kcl_py.core.shards.listing import Listing
from kcl_py.core.shards.parents import ParentWatch

if TYPE_CHECKING:
    import random

    from kcl_py.core.calls import Calls
    from kcl_py.core.leases.rows import ApplicationRow, LeaseRow
    from kcl_py.core.ports import ShardListener
    from kcl_py.core.shards.graph import Shard
    from kcl_py.core.timers import OnTime, Timers


class ShardSync:
    """Initial sync, audits, waiting for parents, and children, for one worker.

    Args:
        worker_id: This worker; part of the nonces of its creations.
        calls: Outbox.
        timers: Timers; its names begin with `shards`.
        rng: Jitter.
        lease_duration: Own lease duration, seconds.
        listener: The lease side.
    """

    def __init__(
        self,
        *,
        worker_id: str,
        calls: Calls,
        timers: Timers,
        rng: random.Random,
        lease_duration: float,
        listener: ShardListener,
    ) -> None:
        self._context = Context(
            worker_id=worker_id,
            calls=calls,
            timers=timers,
            rng=rng,
            lease_duration=lease_duration,
            listener=listener,
        )
        self._vanished = Vanished()
        self._listing = Listing(self._context, self._vanished)
        self._audit = Audit(self._context, self._listing, self._vanished)
        self._parents = ParentWatch(self._context, self._listing, self._vanished, self._audit)
        self._first = FirstSync(self._context, self._listing, self._synced)
        self._children: dict[str, ChildCreation] = {}
        self._then: OnTime | None = None

    def begin(self, now: float, app: ApplicationRow, *, then: OnTime) -> None:
        """Sync first, if nobody has done it completely, then audit; `then(now)` is called between.

        Args:
            now: Clock reading.
            app: The application row; the stream was compared with it already.
            then: Called once, when every row that the position needs exists.
        """
        self._then = then
        self._first.begin(now, app)

    def stop(self) -> None:
        """Create, repair and delete nothing more; parents and children of held leases go on."""
        self._first.stop()
        self._audit.stop()

    def request_sync(self, now: float) -> None:
        """Audit now."""
        self._audit.request(now)

    def waits_for_parents(self, row: LeaseRow) -> bool:
        """Say whether this row must wait (it has parents, no numeric checkpoint and no kclRoot)."""
        return waits_for_parents(row)

    def watch_parents(self, now: float, row: LeaseRow) -> None:
        """Read its parents until all are finished, then tell `parents_done` of the listener."""
        self._parents.watch(now, row)

    def forget_parents(self, now: float, key: str) -> None:
        """The lease is gone; stop reading its parents."""
        del now
        self._parents.forget(key)

    def create_children(self, now: float, row: LeaseRow, children: tuple[Shard, ...]) -> None:
        """Validate and create the children of a finished shard, then tell `children_created`."""
        self.forget_children(now, row.key)
        creation = ChildCreation(self._context, self._listing, self._vanished, row)
        self._children[row.key] = creation
        creation.start(now, children)

    def forget_children(self, now: float, key: str) -> None:
        """The lease is gone; stop creating its children."""
        del now
        if (creation := self._children.pop(key, None)) is not None:
            creation.stop()

    def _synced(self, now: float, app: ApplicationRow) -> None:
        self._audit.start(now, app)
        if self._then is not None:
            then, self._then = self._then, None
            then(now)
