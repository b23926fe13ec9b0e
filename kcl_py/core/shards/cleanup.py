"""Which shards are gone for good, and which tombstones may therefore be deleted?"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from kcl_py.core.shards.births import waits_for_parents

if TYPE_CHECKING:
    from kcl_py.core.leases.rows import LeaseRow

GONE_AFTER = 60.0
"""Seconds between two listings that both lack a shard. Source: PROTOCOL section 5 (ListShards is
eventually consistent)."""


class Vanished:
    """What complete, non-empty listings have stopped showing, or never showed.

    It lives in memory only: after a restart the sightings begin again, which merely takes longer.
    """

    def __init__(self) -> None:
        self._first: float | None = None
        self._latest = 0.0
        self._listed: frozenset[str] = frozenset()
        self._missed_at: dict[str, float] = {}

    def note_listing(self, now: float, shard_ids: Collection[str]) -> None:
        """Remember a complete, unfiltered listing; an empty one says nothing."""
        if not shard_ids:
            return
        if self._first is None:
            self._first = now
        listed = frozenset(shard_ids)
        self._missed_at.update(dict.fromkeys(self._listed - listed, now))
        self._missed_at = {
            name: since
            for name, since in self._missed_at.items()
            if name not in listed and now - since < GONE_AFTER
        }
        self._listed = listed
        self._latest = now

    def is_gone(self, shard_id: str) -> bool:
        """Say whether two listings far enough apart lack it, and every listing in between."""
        if self._first is None or shard_id in self._listed:
            return False
        return self._latest - self._missed_at.get(shard_id, self._first) >= GONE_AFTER


def deletable(rows: Mapping[str, LeaseRow], vanished: Vanished) -> tuple[LeaseRow, ...]:
    """Return the tombstones of shards that are gone and that no waiting child still looks at."""
    awaited = {name for row in rows.values() if waits_for_parents(row) for name in row.parents}
    return tuple(
        row
        for key, row in sorted(rows.items())
        if row.is_finished and key not in awaited and vanished.is_gone(key)
    )
