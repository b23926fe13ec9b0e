"""What if an aggregated record landed in another shard than it was packed for?

After a split or merge the records of one parcel may belong to several shards, and the service looks
at the first only. Those whose hash key is not in the range of the shard where they are now, the
strays, are sent again, as the KPL does it; a consumer may leave them out where they do not belong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from kcl_py.producer.core.shard_map import is_inside

if TYPE_CHECKING:
    from kcl_py.core.puts import EntrySaid
    from kcl_py.producer.core.shard_map import ShardMap
    from kcl_py.producer.core.units import Item, Parcel

LISTINGS_MAX: Final = 3
"""How many listings may not know the shard yet, until all but the first record go again."""


class Landed(NamedTuple):
    """A parcel that is stored, and where."""

    parcel: Parcel
    said: EntrySaid
    listings: int


class Sorted(NamedTuple):
    """Its records: those that are where they belong, and those that go again."""

    landed: Landed
    home: list[Item]
    strays: list[Item]


class StrayDesk:
    """Parcels whose shard no listing knows yet."""

    def __init__(self) -> None:
        self._undecided: list[Landed] = []

    def __bool__(self) -> bool:
        return bool(self._undecided)

    def look(self, landed: Landed, shard_map: ShardMap | None) -> Sorted | None:
        """Sort the records of a parcel; None: a newer listing is needed, and it is kept here."""
        parcel, said, listings = landed
        shard_id = said.shard_id
        if shard_id == parcel.shard_id:
            return Sorted(landed, parcel.items, [])
        hash_range = None if shard_map is None or shard_id is None else shard_map.range_of(shard_id)
        if hash_range is None and listings < LISTINGS_MAX:
            self._undecided.append(landed)
            return None
        home: list[Item] = []
        strays: list[Item] = []
        for place, item in enumerate(parcel.items):
            # The first one has led the whole parcel there.
            is_home = place == 0 or (hash_range is not None and is_inside(item, hash_range))
            (home if is_home else strays).append(item)
        return Sorted(landed, home, strays)

    def listed(self, shard_map: ShardMap | None) -> list[Sorted]:
        """Sort what waited, now that there is another listing, or none."""
        waiting, self._undecided = self._undecided, []
        looked = [
            self.look(landed._replace(listings=landed.listings + 1), shard_map)
            for landed in waiting
        ]
        return [found for found in looked if found is not None]

    def clear(self) -> list[Item]:
        """Take everything out."""
        items = [item for landed in self._undecided for item in landed.parcel.items]
        self._undecided.clear()
        return items
