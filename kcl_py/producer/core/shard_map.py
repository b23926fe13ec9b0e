"""To which shard does a record go? Open shards by hash key, as last listed."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from kcl_py.aggregation import hash_key

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kcl_py.core.shards.graph import Shard
    from kcl_py.producer.core.units import Item


class ShardMap:
    """The shards of one listing.

    Args:
        version: Grows whenever other shards are open.
    """

    def __init__(self, shards: Iterable[Shard], version: int) -> None:
        known = list(shards)
        self.version = version
        self._ranges = {shard.shard_id: shard.hash_range for shard in known}
        opened = sorted((*shard.hash_range, shard.shard_id) for shard in known if shard.is_open)
        self._starts = [low for low, _, _ in opened]
        self._open = opened
        # Digests are asked for once for each key; a long run of new keys must not fill memory.
        self._by_key: dict[str, str | None] = {}

    def shard_of(self, item: Item) -> str | None:
        """The shard that takes this record; None: no open shard of the listing does."""
        if item.hash_key is not None:
            return self._at(int(item.hash_key))
        known = self._by_key
        if item.key in known:
            return known[item.key]
        if len(known) >= _KEYS_MAX:
            known.clear()
        found = known[item.key] = self._at(hash_key(item.key))
        return found

    def range_of(self, shard_id: str) -> tuple[int, int] | None:
        """The hash keys of a shard, inclusive; None: the listing does not have it."""
        return self._ranges.get(shard_id)

    def agrees_with(self, other: ShardMap) -> bool:
        """Whether the same shards are open."""
        return self._open == other._open

    def _at(self, place: int) -> str | None:
        index = bisect_right(self._starts, place) - 1
        if index < 0 or place > self._open[index][1]:
            return None
        return self._open[index][2]


_KEYS_MAX = 10_000


def is_inside(item: Item, hash_range: tuple[int, int]) -> bool:
    """Whether the hash key of a record lies in this range."""
    low, high = hash_range
    return low <= hash_key(item.key, item.hash_key) <= high
