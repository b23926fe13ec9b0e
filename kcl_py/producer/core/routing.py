"""Which way does a record go before it is sent? By key order, pack and pace, as was configured.

With order per key, at most one unit with a key is on its way; its owner is noted, and all later
records of the key wait in a lane until that unit was delivered or handed back. Records of one key
may still share a pack: a packed record is stored whole, or not at all.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

from kcl_py.producer.core.pacing import Pacing
from kcl_py.producer.core.packing import Pack, Packs, finish
from kcl_py.producer.core.shard_map import ShardMap
from kcl_py.producer.core.units import Item, Parcel, Unit, items_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kcl_py.producer.config import ProducerConfig

_UNROUTED: Final = "waits for the shard map"
_Owner: TypeAlias = Item | Pack | str


class Exits(Protocol):
    """Where the router puts what it is done with."""

    def ready(self, unit: Unit) -> None:
        """It may be sent now."""

    def expired(self, item: Item, now: float) -> None:
        """Its time is over; hand it back."""


class Router:
    """The ways of records to the queue of what may be sent.

    Attributes:
        map: The shards as last listed; None: not known yet, or not needed.
        needs_map: Records cannot go on without it.
        changed: `next_due` may be another than before; whoever looks resets it.
    """

    def __init__(self, config: ProducerConfig, exits: Exits) -> None:
        rate = config.records_per_second_per_shard
        self.map: ShardMap | None = None
        self.needs_map = config.aggregation == "per_shard" or rate is not None
        self.changed = False
        self._exits = exits
        self._linger = config.linger
        self._ttl = config.record_ttl
        self._per_key = config.order == "per_key"
        self._packs = Packs() if config.aggregation == "per_shard" else None
        self._pacing = None if rate is None else Pacing(rate)
        self._owners: dict[str, _Owner] = {}
        self._lanes: dict[str, deque[Item]] = {}
        self._unrouted: deque[Item] = deque()
        self._closing: Pack | None = None

    # ------------------------------------------------------------------------------------ inwards

    def route(self, item: Item, now: float) -> None:
        """Begin the way of a record that was just put."""
        if not self._per_key:
            self._place(item, now)
            return
        key = item.key
        owner = self._owners.get(key)
        if owner is None:
            self._owners[key] = self._place(item, now)
        elif owner is _UNROUTED:
            self._unrouted.append(item)
        elif key in self._lanes or not self._joins(owner, item, now):
            self._lanes.setdefault(key, deque()).append(item)

    def route_all(self, items: Sequence[Item], now: float) -> None:
        """As `route` each."""
        if self._per_key or self._packs is None or self.map is None:
            for item in items:
                self.route(item, now)
            return
        shard_of, pack_of = self.map.shard_of, self._packs.get
        for item in items:
            pack = pack_of(shard_of(item))
            if pack is None or not pack.add(item):
                self._place(item, now)

    def reopen(self, items: list[Item], now: float, *, settled: Iterable[Item] = ()) -> None:
        """Let records go their way again, before all later ones of their keys.

        Args:
            settled: Records of the same unit that are done with.
        """
        if not self._per_key:
            for item in items:
                self._place(item, now)
            return
        for item in reversed(items):
            self._lanes.setdefault(item.key, deque()).appendleft(item)
        self._release(dict.fromkeys(item.key for item in (*items, *settled)), now)

    def settled(self, items: Iterable[Item], now: float) -> None:
        """These were delivered or handed back: their successors may go."""
        if self._per_key:
            self._release(dict.fromkeys(item.key for item in items), now)

    def again(self, unit: Unit, now: float) -> None:
        """Let a unit that failed, or waited for too long, go on or be taken apart."""
        if isinstance(unit, Item):
            if unit.expires <= now:
                self._exits.expired(unit, now)
                self.settled((unit,), now)
            else:
                self._go(unit, self.map.shard_of(unit) if self.map else None, now)
        elif unit.expires <= now or (self.map and unit.map_version != self.map.version):
            self._take_apart(unit, now)
        else:
            self._go(unit, unit.shard_id, now)

    def _take_apart(self, parcel: Parcel, now: float) -> None:
        alive: list[Item] = []
        late: list[Item] = []
        for item in parcel.items:
            item.attempts, item.error = parcel.attempts, parcel.error
            (alive if item.expires > now else late).append(item)
        for item in late:
            self._exits.expired(item, now)
        self.reopen(alive, now, settled=late)

    # -------------------------------------------------------------------------------------- time

    def tick(self, now: float, *, flushing: bool) -> None:
        """Let go what has waited for long enough."""
        if self._packs is not None:
            for pack in self._packs.all():
                if flushing or pack.due <= now:
                    self._close(pack, now)
        if self._pacing is not None:
            for unit in self._pacing.release(now):
                if unit.expires > now:
                    self._exits.ready(unit)
                else:
                    self.again(unit, now)
        while self._unrouted and self._unrouted[0].expires <= now:
            item = self._unrouted.popleft()
            self._exits.expired(item, now)

    def next_due(self) -> float | None:
        """When `tick` has something to do."""
        times = [self._unrouted[0].expires] if self._unrouted else []
        for part in (self._packs, self._pacing):
            due = part.next_due() if part is not None else None
            if due is not None:
                times.append(due)
        return min(times, default=None)

    @property
    def is_waiting_for_map(self) -> bool:
        """Records wait until the shards are known."""
        return bool(self._unrouted)

    def set_map(self, shard_map: ShardMap, now: float) -> None:
        """Go by these shards from now on."""
        self.map = shard_map
        for item in self.take_unrouted():
            self.route(item, now)

    def go_without_map(self, now: float) -> None:
        """Send every record as it is: nobody may list the shards."""
        self.needs_map = False
        for item in self.take_unrouted():
            self.route(item, now)

    def all(self) -> list[Item]:
        """Everything that waits here."""
        found: list[Item] = list(self._unrouted)
        for pack in self._packs.all() if self._packs is not None else ():
            found += pack.items
        for unit in self._pacing.all() if self._pacing is not None else ():
            found += items_of(unit)
        for lane in self._lanes.values():
            found += lane
        return found

    def clear(self) -> None:
        """Forget everything."""
        if self._packs is not None:
            self._packs = Packs()
        if self._pacing is not None:
            self._pacing.clear()
        self._unrouted.clear()
        self._lanes.clear()
        self._owners.clear()

    def take_unrouted(self) -> list[Item]:
        """Take out what waits for the shards."""
        items, self._unrouted = list(self._unrouted), deque()
        self._owners = {key: owner for key, owner in self._owners.items() if owner is not _UNROUTED}
        return items

    # ------------------------------------------------------------------------------------- inside

    def _place(self, item: Item, now: float) -> _Owner:
        if not self.needs_map:
            self._exits.ready(item)
            return item
        if self.map is None:
            self._unrouted.append(item)
            self.changed = True
            return _UNROUTED
        packs = self._packs
        shard_id = self.map.shard_of(item)
        if packs is None or shard_id is None:
            self._go(item, shard_id, now)
            return item
        pack = packs.get(shard_id)
        if pack is not None:
            if pack.add(item):
                return pack
            self._close(pack, now)
        self.changed = True
        pack = packs.begin(shard_id, max(now, item.expires - self._ttl + self._linger))
        if pack.add(item):
            return pack
        packs.drop(pack)
        self._go(item, shard_id, now)
        return item

    def _joins(self, owner: _Owner, item: Item, now: float) -> bool:
        """Add the record to the pack that holds its predecessors, if that is still open."""
        packs, shard_map = self._packs, self.map
        if packs is None or shard_map is None or not isinstance(owner, Pack):
            return False
        if packs.get(owner.shard_id) is not owner or shard_map.shard_of(item) != owner.shard_id:
            return False
        if owner.add(item):
            return True
        self._close(owner, now)
        return False

    def _close(self, pack: Pack, now: float) -> None:
        assert self._packs is not None
        assert self.map is not None
        self._closing = pack
        self._packs.drop(pack)
        if pack.items:  # or a `put` was interrupted while it began this pack
            self._go(finish(pack, self.map.version), pack.shard_id, now)
        # Owners of keys may remember the pack for long: it must not keep what was in it.
        pack.items = []
        self._closing = None

    def mend(self, ready: Iterable[Unit], now: float) -> None:
        """Close the pack that was being closed when a `put` was interrupted.

        Args:
            ready: What this was letting out.
        """
        pack = self._closing
        if pack is None:
            return
        assert self._packs is not None
        waiting = self._pacing.all() if self._pacing is not None else ()
        if any(items_of(unit)[-1:] == pack.items[-1:] for unit in (*ready, *waiting)):
            pack.items = []
        if self._packs.get(pack.shard_id) is not pack:
            self._packs.reopen(pack)
        self._close(pack, now)

    def _go(self, unit: Unit, shard_id: str | None, now: float) -> None:
        if self._pacing is None or shard_id is None:
            self._exits.ready(unit)
        else:
            self.changed |= self._pacing.add(unit, shard_id, now)

    def _release(self, keys: Iterable[str], now: float) -> None:
        for key in keys:
            self._owners.pop(key, None)
            lane = self._lanes.get(key)
            if lane is not None:
                self._move_on(key, lane, now)

    def _move_on(self, key: str, lane: deque[Item], now: float) -> None:
        """Let the first of a lane go, and with it those that fit into the same pack."""
        while lane:
            item = lane[0]
            owner = self._owners.get(key)
            if item.expires <= now:
                self._exits.expired(item, now)
            elif owner is None:
                self._owners[key] = self._place(item, now)
            elif not self._joins(owner, item, now):
                return
            lane.popleft()
        del self._lanes[key]
