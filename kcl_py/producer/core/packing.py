"""Which records travel as one? One open pack for each shard."""

from __future__ import annotations

from typing import Final

from kcl_py.aggregation import (
    FRAME_BYTES,
    HASH_KEY_BYTES_MAX,
    USER_RECORD_BYTES_MAX,
    aggregate_all,
)
from kcl_py.producer.core.units import Item, Parcel, Unit

PACK_BYTES_MAX: Final = 51_200
"""As a KPL packs by default: small beside the 1 MiB that a shard takes in a second, so that what is
throttled is not much. Source: the KPL's default_config.properties, AggregationMaxSize."""

_ALONE: Final = 1


class Pack:
    """Records for one shard that are still being added to.

    Their size is only estimated, from above, and they are written down all at once: both are for
    every record.
    """

    __slots__ = ("due", "items", "room", "shard_id")

    def __init__(self, shard_id: str, due: float) -> None:
        self.shard_id = shard_id
        self.due = due
        self.items: list[Item] = []
        self.room = PACK_BYTES_MAX - FRAME_BYTES

    def add(self, item: Item) -> bool:
        """Add a record; False: it does not fit."""
        room = self.room - item.size - USER_RECORD_BYTES_MAX
        items = self.items
        if item.hash_key is not None:
            room -= HASH_KEY_BYTES_MAX
        if not items:
            room -= item.size - len(item.data)  # its key is that of the whole, too
        if room < 0:
            return False
        self.room = room
        items.append(item)
        return True


class Packs:
    """The open packs, by shard."""

    def __init__(self) -> None:
        self._open: dict[str | None, Pack] = {}
        self.get = self._open.get
        """The open pack of a shard; None: there is none."""

    def begin(self, shard_id: str, due: float) -> Pack:
        """Open a pack."""
        pack = self._open[shard_id] = Pack(shard_id, due)
        return pack

    def reopen(self, pack: Pack) -> None:
        """Take it back."""
        self._open[pack.shard_id] = pack

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
    items = pack.items
    if len(items) == _ALONE:
        return items[0]
    return Parcel(items, aggregate_all(items), shard_id=pack.shard_id, map_version=map_version)
