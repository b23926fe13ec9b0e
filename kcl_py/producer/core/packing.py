"""Which records travel as one? One open pack for each shard."""

from __future__ import annotations

from typing import Final

from kcl_py.aggregation import Aggregate
from kcl_py.producer.core.units import Item, Parcel, Unit

PACK_BYTES_MAX: Final = 51_200
"""As a KPL packs by default: small beside the 1 MiB that a shard takes in a second, so that what is
throttled is not much. Source: the KPL's default_config.properties, AggregationMaxSize."""


class Pack:
    """Records for one shard that are still being added to."""

    __slots__ = ("due", "items", "message", "shard_id")

    def __init__(self, shard_id: str, due: float) -> None:
        self.shard_id = shard_id
        self.due = due
        self.items: list[Item] = []
        self.message = Aggregate(size_bytes_max=PACK_BYTES_MAX)

    def add(self, item: Item) -> bool:
        """Add a record; False: it does not fit."""
        if not self.message.add(item.data, item.key, item.hash_key):
            return False
        self.items.append(item)
        return True


class Packs:
    """The open packs, by shard."""

    def __init__(self) -> None:
        self._open: dict[str, Pack] = {}

    def get(self, shard_id: str) -> Pack | None:
        """The open pack of a shard."""
        return self._open.get(shard_id)

    def begin(self, shard_id: str, due: float) -> Pack:
        """Open a pack."""
        pack = self._open[shard_id] = Pack(shard_id, due)
        return pack

    def drop(self, pack: Pack) -> None:
        """Close it: nothing more is added."""
        del self._open[pack.shard_id]

    def all(self) -> list[Pack]:
        """All of them, in the order in which they were opened."""
        return list(self._open.values())

    def next_due(self) -> float | None:
        """When the first of them has waited for long enough."""
        return min((pack.due for pack in self._open.values()), default=None)


def finish(pack: Pack, map_version: int) -> Unit:
    """What is sent: a parcel, or the record itself if there is only one."""
    if not pack.message.is_worthwhile:
        return pack.items[0]
    return Parcel(
        pack.items, pack.message.encode(), shard_id=pack.shard_id, map_version=map_version
    )
