"""What do real cores do in the scenarios of the scale table? The simulated world, measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from kcl_py.core.leases.rows import LeaseRow
from kcl_py.core.leases.writes import WriteKind
from kcl_py.testing.sim_code import Habits
from kcl_py.testing.sim_table import Change
from kcl_py.testing.store import TABLE_NAME
from kcl_py.testing.world import World

DRAIN = (0.2, 2.0)
HABITS = Habits(initialize=(0.0, 0.0), per_record=(0.0, 0.0), per_call=(0.0, 0.0), shutdown=DRAIN)
COLD_SECONDS = 60.0


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


def measure(
    seed: int, workers: int, shards: int, event: Callable[[World], None], seconds: float
) -> Measured:
    """Start a fleet of real cores, let something happen, and count for `seconds`."""
    world = World(seed, workers=workers, shards=shards, habits=HABITS)
    _scan_in_large_pages(world)
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
    before = _units(world)
    event(world)
    world.run_for(seconds)
    after = _units(world)
    found.reads, found.writes = ((a - b) / seconds for a, b in zip(after, before, strict=True))
    return found


def _scan_in_large_pages(world: World) -> None:
    """The world cuts pages short on purpose, and every page costs at least half a unit."""
    store = world.table.store
    scan_page = store.scan_page
    store.scan_page = lambda start, limit, *, consistent: scan_page(  # type: ignore[method-assign]
        start, 100_000, consistent=consistent
    )


def _units(world: World) -> tuple[float, float]:
    taken = world.table.store._model.world
    return taken.read_units[TABLE_NAME], taken.write_units[TABLE_NAME]


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
