"""What do real cores do in the scenarios of the scale table? The simulated world, measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kcl_py.core.leases.rows import LeaseRow
from kcl_py.core.leases.writes import WriteKind
from kcl_py.local.dynamo.values import clean, item_size
from kcl_py.testing.sim.code import Habits
from kcl_py.testing.sim.table import Change
from kcl_py.testing.sim.wire_store import TABLE_NAME, WireStore
from kcl_py.testing.world import World

DRAIN = (0.2, 2.0)
HABITS = Habits(initialize=(0.0, 0.0), per_record=(0.0, 0.0), per_call=(0.0, 0.0), shutdown=DRAIN)
COLD_SECONDS = 60.0
RECORDS_PER_SHARD = 8
"""So many that hardly a shard gets none: a checkpoint makes a row longer."""


@dataclass(slots=True)
class Measured:
    """What happened from the event on.

    Attributes:
        moves: Takes by another worker than the one that had the lease before.
        settled: Until the last take, seconds.
        dark: From the death, or from the give-away's send, to the take that ended it, seconds.
    """

    moves: int = 0
    settled: float = 0.0
    dark: list[float] = field(default_factory=list)
    reads: float = 0.0
    writes: float = 0.0
    lease_bytes: int = 0


def measure(
    seed: int, workers: int, shards: int, event: Callable[[World], None], seconds: float
) -> Measured:
    """Start a fleet of real cores, let something happen, and count for `seconds`."""
    world = World(seed, workers=workers, shards=shards, habits=HABITS)
    world.watchers.clear()  # Promises are checked elsewhere; here they only take time.
    _scan_in_large_pages(world)
    world.put(RECORDS_PER_SHARD * shards)
    world.run_for(COLD_SECONDS)
    began = world.now
    holders = {key: row.actual_owner for key, row in world.table.lease_rows().items()}
    given: dict[str, float] = {}
    found = Measured()

    def changed(change: Change) -> None:
        key, kind = change.write.key, change.write.kind
        if kind in (WriteKind.TRANSFER, WriteKind.RELEASE):
            given[key] = change.sent_at
        if kind is not WriteKind.TAKE or not isinstance(change.after, LeaseRow):
            return
        if holders.get(key) not in (None, change.worker):
            found.moves += 1
            found.dark.append(change.at - given.get(key, began))
        holders[key] = change.worker
        found.settled = change.at - began

    world.table.on_change.append(changed)
    meter = Meter(world)
    event(world)
    world.run_for(seconds)
    found.reads, found.writes = meter.reads / seconds, meter.writes / seconds
    found.lease_bytes = _lease_bytes(world)
    return found


def _lease_bytes(world: World) -> int:
    store = world.table.store
    assert isinstance(store, WireStore)
    answer = store._call("Scan", {"TableName": TABLE_NAME})
    items = [i for i in answer["Items"] if "leaseCounter" in i]
    sizes = [item_size({name: clean(value) for name, value in i.items()}) for i in items]
    return sum(sizes) // len(sizes)


def _scan_in_large_pages(world: World) -> None:
    """The world cuts pages short on purpose, and every page costs at least half a unit."""
    store = world.table.store
    scan_page = store.scan_page
    store.scan_page = lambda start, limit, *, consistent: scan_page(  # type: ignore[method-assign]
        start, 100_000, consistent=consistent
    )


class Meter:
    """Counts the units that workers take: single rows are read by the world itself as well."""

    def __init__(self, world: World) -> None:
        store = world.table.store
        assert isinstance(store, WireStore)
        self._model = store._model
        self._call = self._model.call
        self.reads = 0.0
        self.writes = 0.0
        self._model.call = self._counting  # type: ignore[method-assign]

    def _counting(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        reads, writes = self._taken()
        answer = self._call(operation, request)
        reads_now, writes_now = self._taken()
        if operation != "GetItem":
            self.reads += reads_now - reads
        self.writes += writes_now - writes
        return answer

    def _taken(self) -> tuple[float, float]:
        taken = self._model.world
        return taken.read_units.get(TABLE_NAME, 0.0), taken.write_units.get(TABLE_NAME, 0.0)


def kill(count: int) -> Callable[[World], None]:
    def event(world: World) -> None:
        for worker in world.living()[:count]:
            worker.kill()

    return event


def join(count: int) -> Callable[[World], None]:
    def event(world: World) -> None:
        for _ in range(count):
            world.start_worker()

    return event


def stop(world: World) -> None:
    world.living()[0].stop()


def idle(world: World) -> None:
    del world
