"""When may a child begin? Reads the parents of all waiting leases until they are finished."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kcl_py.core.leases.rows import LeaseRow

if TYPE_CHECKING:
    from kcl_py.core.events import RowsRead
    from kcl_py.core.shards.audit import Audit
    from kcl_py.core.shards.cleanup import Vanished
    from kcl_py.core.shards.context import Context
    from kcl_py.core.shards.graph import Shard
    from kcl_py.core.shards.listing import Listing

READ_EVERY = 0.5
"""Seconds between two reads. Source: PROTOCOL section 5, shard end."""
LIST_EVERY = 20.0
"""Seconds between two listings while a parent's row is absent."""

_TIMER = ("shards", "parents")


class ParentWatch:
    """Reads all parents that anything waits for with one consistent read at a time.

    An absent row counts as finished only once its shard is gone for good (`Vanished`). If the shard
    is listed, its row is either still to come from its own parent, or missing: the audit decides.
    """

    def __init__(
        self, context: Context, listing: Listing, vanished: Vanished, audit: Audit
    ) -> None:
        self._context = context
        self._listing = listing
        self._vanished = vanished
        self._audit = audit
        self._waiting: dict[str, tuple[str, ...]] = {}
        self._done: set[str] = set()
        self._is_reading = False
        self._is_listing = False
        self._list_at = 0.0
        self._absent: frozenset[str] = frozenset()

    def watch(self, now: float, row: LeaseRow) -> None:
        """Tell `parents_done` once every parent of this row is finished."""
        self._waiting[row.key] = row.parents
        if not self._is_reading:
            self._context.timers.at(now, _TIMER, self._read)

    def forget(self, key: str) -> None:
        """Nothing is to be told of this row any more."""
        self._waiting.pop(key, None)
        self._done &= self._awaited()

    def _awaited(self) -> set[str]:
        return {name for parents in self._waiting.values() for name in parents}

    def _read(self, now: float) -> None:
        keys = tuple(sorted(self._awaited() - self._done))
        if keys:
            self._is_reading = True
            self._context.calls.read_rows(keys, self._have)
        else:
            self._tell(now)

    def _have(self, now: float, read: RowsRead) -> None:
        self._is_reading = False
        self._context.see(now, read.rows)
        finished = (row.key for row in read.rows if isinstance(row, LeaseRow) and row.is_finished)
        self._done.update(finished)
        self._done.update(key for key in read.absent if self._vanished.is_gone(key))
        self._absent = frozenset(read.absent) - self._done
        self._tell(now)
        if self._absent:
            self._list(now)
        if self._waiting:
            self._context.timers.at(now + READ_EVERY, _TIMER, self._read)

    def _tell(self, now: float) -> None:
        ready = [key for key, parents in self._waiting.items() if self._done.issuperset(parents)]
        for key in ready:
            self.forget(key)
            self._context.listener.parents_done(now, key)

    def _list(self, now: float) -> None:
        if not self._is_listing and now >= self._list_at:
            self._is_listing = True
            self._listing.ask(now, self._listed)

    def _listed(self, now: float, shards: tuple[Shard, ...]) -> None:
        self._is_listing = False
        self._list_at = now + LIST_EVERY * self._context.rng.uniform(0.9, 1.1)
        self._audit.consider(now, shards, self._absent & self._awaited())
