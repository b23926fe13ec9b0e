"""Which shards may be read now? Every shard once, and none before all of its parents."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from kcl_py.core.shards.graph import Lineage, Shard

if TYPE_CHECKING:
    from collections.abc import Mapping


class Frontier:
    """The shards of one reading: those that wait for parents, those being read, those done."""

    def __init__(self, ignored: Iterable[str] = ()) -> None:
        """Read nothing yet.

        Args:
            ignored: Shards that were there from the beginning and are no part of this reading.
        """
        self._ignored = frozenset(ignored)
        self._shards: dict[str, Shard] = {}
        self._waiting: set[str] = set()
        self._done: set[str] = set()

    def add(self, shards: Iterable[Shard]) -> tuple[str, ...]:
        """Read these too, those known before excepted; return which of them may begin."""
        new = {s.shard_id: s for s in shards if s.shard_id not in self._shards}
        self._shards |= new
        self._waiting |= new.keys()
        return self._release()

    def finished(self, shard_id: str) -> tuple[str, ...]:
        """All of a shard was read; return which may begin now."""
        self._done.add(shard_id)
        return self._release()

    def is_closed(self, shard_id: str) -> bool:
        """It was closed when it came to light, so that it surely ends."""
        return not self._shards[shard_id].is_open

    def is_clear(self, shards: Iterable[Shard]) -> bool:
        """It is known of every parent of these whether it is read here.

        A merged shard may come to light before one of its parents does.
        """
        parents = {parent for shard in shards for parent in shard.parents}
        return parents <= self._shards.keys() | self._ignored

    def followers(self, listed: Iterable[Shard], *, all_new: bool) -> tuple[Shard, ...]:
        """Which of these take part: descendants of what is read here, or all that are new."""
        within, chosen = set(self._shards), []
        for shard in Lineage(listed).in_order():
            if shard.shard_id in self._ignored or shard.shard_id in self._shards:
                continue
            if all_new or not within.isdisjoint(shard.parents):
                within.add(shard.shard_id)
                chosen.append(shard)
        return tuple(chosen)

    def _release(self) -> tuple[str, ...]:
        """Parents that are no part of this reading are not waited for."""
        free = [name for name in self._waiting if self._is_free(self._shards[name])]
        self._waiting.difference_update(free)
        chosen = Lineage(self._shards[name] for name in free)
        return tuple(shard.shard_id for shard in chosen.in_order())

    def _is_free(self, shard: Shard) -> bool:
        return all(p in self._done or p not in self._shards for p in shard.parents)


def chosen_shards(
    shards: Mapping[str, Shard], recent: Callable[[Shard], bool], named: Iterable[str] | None
) -> tuple[Shard, ...]:
    """Which of the listed shards take part from the beginning.

    Args:
        shards: All that are listed.
        recent: May hold something that was asked for.
        named: The user's choice, whose descendants belong to it; None: all.
    """
    lineage = Lineage(shards.values())
    within = set(shards)
    if named is not None:
        within = set(named)
        for name in list(within):
            within |= lineage.descendants_of(name)
    chosen = [shard for shard in lineage.in_order() if shard.shard_id in within]
    return tuple(filter(recent, chosen))
