"""Which planted bugs break the rules of rows? Counters, start positions, tombstones, ids."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from kcl_py.core.consumer.machine import ShardMachine
from kcl_py.core.leases.failing import Failing
from kcl_py.core.leases.keeper import Keeper
from kcl_py.core.leases.rows import ApplicationRow, LeaseRow, Sentinel
from kcl_py.core.leases.startup import Startup
from kcl_py.core.shards import audit, sync_plan
from kcl_py.core.shards.births import first_row
from kcl_py.core.shards.context import Context
from kcl_py.core.shards.first_sync import FirstSync
from kcl_py.core.worker_core import WorkerCore
from kcl_py.testing.mutants.arena_shards import EDITED, RESHARDINGS, RESTORED, YOUNG
from kcl_py.testing.mutants.mutant import Room

if TYPE_CHECKING:
    from kcl_py.core.events import ShardsListed, TableDescribed
    from kcl_py.core.ports import Epoch
    from kcl_py.core.shards.graph import Shard
    from kcl_py.testing.mutants.mutant import Patches

ROOM = Room("2 Rows")


@ROOM.plant("shared worker id", "an id ends in a random suffix", "I1", "I3", within=5)
def shared_worker_id(patches: Patches) -> None:
    """Every worker calls itself by the configured name: each finds its leases held by another."""
    make = WorkerCore.__init__

    def same(self: WorkerCore, *, worker_id: str, **facts: Any) -> None:
        del worker_id
        make(self, worker_id="worker", **facts)

    patches.put(WorkerCore, "__init__", same)


@ROOM.plant(
    "a new row begins at counter 0", "counters grow over re-creation", "I3", within=20, arena=EDITED
)
def counter_from_zero(patches: Patches) -> None:
    """A row was deleted by hand and is made again: its tokens are those of long ago."""
    patches.put(Context, "counter_floor", lambda self, now: 0)


@ROOM.plant(
    "a new row's counter from the clock alone",
    "above the highest counter seen",
    "I3",
    within=20,
    arena=EDITED,
)
def counter_from_the_clock(patches: Patches) -> None:
    """The wall clock of the creator was set back: the row begins below what it had before."""

    def floor(self: Context, now: float) -> int:
        return int(self.listener.wall_now(now) * 1000)

    patches.put(Context, "counter_floor", floor)


@ROOM.plant(
    "LATEST evaluated again by the next epoch",
    "LATEST is resolved once",
    "I5",
    "I6",
    within=20,
    arena=YOUNG,
)
def latest_again(patches: Patches) -> None:
    """The first owner dies before it has a checkpoint: what came until the next is never read."""
    made = ShardMachine.__init__

    def begin(self: ShardMachine, tools: Any, epoch: Epoch, *more: Any) -> None:
        row = epoch.row
        if row.checkpoint is Sentinel.LATEST:
            now = epoch.fence - tools.config.leases.duration + tools.leases._desk.wall_offset
            epoch = replace(epoch, row=replace(row, start_at=now))
        made(self, tools, epoch, *more)

    patches.put(ShardMachine, "__init__", begin)


@ROOM.plant(
    "every worker's own LATEST", "the loser adopts position and time", "I5", within=20, arena=YOUNG
)
def own_latest(patches: Patches) -> None:
    """Two workers begin at once; what comes between their two nows is read by neither."""
    ready = Keeper.ready

    def own(self: Keeper, now: float, application: ApplicationRow) -> None:
        if application.position is Sentinel.LATEST:
            application = replace(application, start_at=now + self._desk.wall_offset)
        ready(self, now, application)

    patches.put(Keeper, "ready", own)


@ROOM.plant(
    "tombstones deleted at once", "only when no longer listed", "I9", within=40, arena=RESHARDINGS
)
def tombstones_deleted_at_once(patches: Patches) -> None:
    """The shard is still listed, so the next audit finds a hole there and reads it again."""
    patches.put(audit, "deletable", lambda rows, vanished: tuple(
        row for key, row in sorted(rows.items()) if row.is_finished))  # fmt: skip


@ROOM.plant("listed before scanned", "scan, then list", "I9", within=200, arena=YOUNG)
def listed_before_scanned(patches: Patches) -> None:
    """A starter freezes between the two: it creates what has ended and is forgotten meanwhile."""
    joined, begin = Startup._joined, FirstSync.begin
    listings: WeakKeyDictionary[object, tuple[Shard, ...]] = WeakKeyDictionary()

    def list_first(self: Startup, now: float) -> None:
        def listed(at: float, answer: ShardsListed) -> None:
            listings.setdefault(self._desk.calls, answer.shards)
            joined(self, at)

        self._desk.calls.list_shards(listed)

    def with_the_old(self: FirstSync, now: float, app: ApplicationRow) -> None:
        shards = listings.get(self._context.calls, ())
        if app.initial_sync_done or not shards:
            begin(self, now, app)
        else:
            self._app = app
            self._listed(now, shards)

    patches.put(Startup, "_joined", list_first)
    patches.put(FirstSync, "begin", with_the_old)


@ROOM.plant(
    "a repaired row made ownerless", "repair names a placeholder", "I1", within=30, arena=EDITED
)
def repaired_row_ownerless(patches: Patches) -> None:
    """The owner of the deleted row has not heard of it: its shard is taken at once beside it."""

    def free(*parts: Any) -> LeaseRow:
        return replace(first_row(*parts), owner=None)

    patches.put(sync_plan, "first_row", free)


@ROOM.plant(
    "a row of the first sync waits", "kclRoot waits for no parent", "I6", within=20, arena=YOUNG
)
def root_waits(patches: Patches) -> None:
    """Its parents were trimmed before the application began: a minute passes until that is sure."""

    def waiting(*parts: Any) -> LeaseRow:
        return replace(first_row(*parts), root=False)

    patches.put(sync_plan, "first_row", waiting)


@ROOM.plant("a restored table is accepted", "TableId", "I3", within=20, arena=RESTORED)
def restored_accepted(patches: Patches) -> None:
    """A copy of the table has another id: its tokens were given out once already."""
    patches.put(Startup, "_mismatch", lambda self, row: None)


@ROOM.plant("a namesake of the table is accepted", "TableId", "I3", within=20, arena=RESTORED)
def namesake_accepted(patches: Patches) -> None:
    """The table was deleted and made again: the own row is put back there as if nothing was."""

    def described(self: Failing, now: float, answer: TableDescribed) -> None:
        if answer.failure is not None:
            self.own_row_vanished(now)
        else:
            self._recreate_row(now)

    patches.put(Failing, "_described", described)
