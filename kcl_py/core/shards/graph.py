"""How do the shards of a stream descend from each other? Lineage, as ListShards tells it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from heapq import heapify, heappop, heappush


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """One shard as the service describes it.

    Attributes:
        parents: None, one (split) or both (merge) shards that it came from.
        hash_range: Inclusive range of hash keys.
        is_open: It still takes records (no ending sequence number).
    """

    shard_id: str
    parents: tuple[str, ...]
    hash_range: tuple[int, int]
    is_open: bool
    starting_sequence_number: str = "0"


class Lineage:
    """The shards of one listing and how they descend from each other.

    Parents that are not listed any more (trimmed) are simply missing: a shard with no listed parent
    is a root here. A listing that contradicts itself (a circle) confuses nothing.
    """

    def __init__(self, shards: Iterable[Shard]) -> None:
        self.shards: Mapping[str, Shard] = {shard.shard_id: shard for shard in shards}
        children: dict[str, list[str]] = defaultdict(list)
        for shard in sorted(self.shards.values(), key=_age):
            for parent in dict.fromkeys(shard.parents):
                children[parent].append(shard.shard_id)
        self._children: Mapping[str, list[str]] = children

    def __contains__(self, shard_id: object) -> bool:
        return shard_id in self.shards

    def parents_of(self, shard_id: str) -> tuple[Shard, ...]:
        """Return the parents that are listed."""
        shard = self.shards.get(shard_id)
        names = dict.fromkeys(shard.parents) if shard is not None else ()
        return tuple(self.shards[name] for name in names if name in self.shards)

    def children_of(self, shard_id: str) -> tuple[Shard, ...]:
        """Return the shards that name this one as a parent, whether or not it is listed itself."""
        return tuple(self.shards[name] for name in self._children.get(shard_id, ()))

    def ancestors_of(self, shard_id: str) -> frozenset[str]:
        """Return every listed shard that it descends from."""
        return self._reach(shard_id, self.parents_of)

    def descendants_of(self, shard_id: str) -> frozenset[str]:
        """Return every listed shard that descends from it."""
        return self._reach(shard_id, self.children_of)

    def roots(self) -> tuple[Shard, ...]:
        """Return the shards that have no listed parent, oldest first."""
        listed = sorted(self.shards.values(), key=_age)
        return tuple(shard for shard in listed if not self.parents_of(shard.shard_id))

    def open_shards(self) -> tuple[Shard, ...]:
        """Return the shards that still take records, oldest first."""
        return tuple(sorted((s for s in self.shards.values() if s.is_open), key=_age))

    def in_order(self) -> tuple[Shard, ...]:
        """Return all shards, parents before children, else by starting sequence number."""
        waits_for = {name: len(self.parents_of(name)) for name in self.shards}
        ready = [_age(self.shards[name]) for name, count in waits_for.items() if count == 0]
        heapify(ready)
        ordered: dict[str, Shard] = {}
        while ready:
            _, name = heappop(ready)
            ordered[name] = self.shards[name]
            for child in self._children.get(name, ()):
                waits_for[child] -= 1
                if waits_for[child] == 0:
                    heappush(ready, _age(self.shards[child]))
        circular = (shard for name, shard in self.shards.items() if name not in ordered)
        return (*ordered.values(), *sorted(circular, key=_age))

    def _reach(self, start: str, step: Callable[[str], tuple[Shard, ...]]) -> frozenset[str]:
        found: set[str] = set()
        ahead = [start]
        while ahead:
            for shard in step(ahead.pop()):
                if shard.shard_id not in found:
                    found.add(shard.shard_id)
                    ahead.append(shard.shard_id)
        return frozenset(found - {start})


def _age(shard: Shard) -> tuple[int, str]:
    """Return a key that orders shards from old to new."""
    return int(shard.starting_sequence_number), shard.shard_id
