"""How do the children of a finished shard come into the table, every one, before the shard ends?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kcl_py.core.leases.rows import LeaseRow
from kcl_py.core.shards.births import child_row
from kcl_py.core.shards.coverage import HASH_KEY_MAX, gaps
from kcl_py.core.shards.creation import Creation
from kcl_py.core.shards.graph import Lineage

if TYPE_CHECKING:
    from kcl_py.core.events import RowsRead
    from kcl_py.core.shards.cleanup import Vanished
    from kcl_py.core.shards.context import Context
    from kcl_py.core.shards.graph import Shard
    from kcl_py.core.shards.listing import Listing
    from kcl_py.core.timers import OnTime


def objection(parent: LeaseRow, children: tuple[Shard, ...]) -> str | None:
    """Return why these cannot be all children of the parent; None if they can."""
    if not children:
        return "no children are named"
    for child in children:
        low, high = child.hash_range
        if parent.key not in child.parents:
            return f"{child.shard_id} does not name {parent.key} as its parent"
        if not 0 <= low <= high <= HASH_KEY_MAX:
            return f"{child.shard_id} has an impossible hash range"
    if parent.hash_range is not None:
        low, high = parent.hash_range
        missing = gaps(child.hash_range for child in children)
        if any(first <= high and last >= low for first, last in missing):
            return "the children do not cover the hash range of their parent"
    return None


class ChildCreation:
    """Creates the children of one finished shard. Ends with `children_created`, or by `stop`.

    What does not fit together is asked again of ListShards until it does; a shard that is itself no
    longer listed, and is nobody's parent, has no children.
    """

    def __init__(
        self, context: Context, listing: Listing, vanished: Vanished, parent: LeaseRow
    ) -> None:
        self._context = context
        self._listing = listing
        self._vanished = vanished
        self._parent = parent
        self._timer = ("shards", "children", parent.key)
        self._children: tuple[Shard, ...] = ()
        self._creation: Creation | None = None
        self._failures = 0
        self._is_stopped = False

    def start(self, now: float, children: tuple[Shard, ...]) -> None:
        """Create these if they can be all."""
        why = objection(self._parent, children)
        if why is not None:
            self._retry(now, why, self._list)
            return
        self._children = children
        self._read_parents(now)

    def stop(self) -> None:
        """The lease is gone: it is for the next owner to create them."""
        self._is_stopped = True
        self._context.timers.cancel(self._timer)
        if self._creation is not None:
            self._creation.stop()

    # --------------------------------------------------------------------------------- which ones

    def _list(self, now: float) -> None:
        self._listing.ask(now, self._listed)

    def _listed(self, now: float, shards: tuple[Shard, ...]) -> None:
        if self._is_stopped:
            return
        children = Lineage(shards).children_of(self._parent.key)
        if not children and self._vanished.is_gone(self._parent.key):
            self._context.calls.report("children.none", "warning", self._parent.key)
            self._context.listener.children_created(now, self._parent.key, ())
        else:
            self.start(now, children)

    # ------------------------------------------------------------------------------- above parents

    def _read_parents(self, now: float) -> None:
        """Read the other parents of a merge: the children's counters must be above theirs."""
        names = {name for child in self._children for name in child.parents}
        others = tuple(sorted(names - {self._parent.key}))
        if others:
            self._context.calls.read_rows(others, self._have_parents)
        else:
            self._create(now)

    def _have_parents(self, now: float, read: RowsRead) -> None:
        if self._is_stopped:
            return
        self._context.see(now, read.rows)
        if read.failure is not None:
            self._retry(now, read.failure.message, self._read_parents)
        else:
            self._create(now, read)

    def _create(self, now: float, read: RowsRead | None = None) -> None:
        others = () if read is None else read.rows
        known = dict(self._context.listener.rows())
        known.update((row.key, row) for row in others if isinstance(row, LeaseRow))
        floor = self._context.counter_floor(now)
        rows = [child_row(child, self._parent, known, floor) for child in self._children]

        def created(at: float, applied: int) -> None:
            self._context.calls.report(
                "children.created",
                "info",
                self._parent.key,
                children=tuple(row.key for row in rows),
                applied=applied,
            )
            keys = tuple(row.key for row in rows)
            self._context.listener.children_created(at, self._parent.key, keys)

        self._creation = Creation(
            self._context,
            self._parent.key,
            "children.creation_retried",
            created,
            key=self._parent.key,
        )
        self._creation.start(now, rows)

    def _retry(self, now: float, why: str, step: OnTime) -> None:
        wait = self._context.pause(self._failures)
        self._failures += 1
        self._context.calls.report(
            "children.creation_retried", "warning", self._parent.key, wait=round(wait, 2), why=why
        )
        self._context.timers.at(now + wait, self._timer, step)
