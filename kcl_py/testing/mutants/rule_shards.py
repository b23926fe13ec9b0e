"""Which planted bugs break the rules of parents and children?"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kcl_py.core.consumer.machine import ShardMachine
from kcl_py.core.leases.holding import Holding
from kcl_py.core.shards import children as children_module
from kcl_py.core.shards.births import child_row
from kcl_py.core.shards.cleanup import Vanished
from kcl_py.core.shards.parents import ParentWatch
from kcl_py.core.shards.syncer import ShardSync
from kcl_py.testing.mutants.arena_shards import RESHARDINGS, SLOW_PARENT
from kcl_py.testing.mutants.mutant import Room

if TYPE_CHECKING:
    from kcl_py.core.events import RowsRead
    from kcl_py.core.leases.rows import LeaseRow
    from kcl_py.core.shards.graph import Shard
    from kcl_py.testing.mutants.mutant import Patches

ROOM = Room("5 Shards")


@ROOM.plant("a child that waits for nobody", "only the child waits", "I4", within=20)
def child_waits_for_nobody(patches: Patches) -> None:
    """The rows of the children are there before SHARD_END: they are read beside their parent."""
    patches.put(ShardSync, "waits_for_parents", lambda self, row: False)


@ROOM.plant(
    "child before one of its parents",
    "reading its parents, all",
    "I4",
    within=10,
    arena=SLOW_PARENT,
)
def child_before_one_parent(patches: Patches) -> None:
    """One parent of a merge has ended, the other is behind."""

    def tell(self: ParentWatch, now: float) -> None:
        waiting = list(self._waiting.items())
        for key in [key for key, parents in waiting if not self._done.isdisjoint(parents)]:
            self.forget(key)
            self._context.listener.parents_done(now, key)

    patches.put(ParentWatch, "_tell", tell)


@ROOM.plant("a child names one parent", "naming both parents", "I4", within=10, arena=SLOW_PARENT)
def child_names_one_parent(patches: Patches) -> None:
    """The owner that ends first creates the child of a merge, and knows of itself only."""

    def with_one(shard: Shard, parent: LeaseRow, *more: Any) -> LeaseRow:
        return replace(child_row(shard, parent, *more), parents=(parent.key,))

    patches.put(children_module, "child_row", with_one)


@ROOM.plant(
    "trimmed parent assumed done", "absent: not listed for 60 s", "I4", within=10, arena=SLOW_PARENT
)
def absent_parent_is_done(patches: Patches) -> None:
    """The other parent has no row yet, because its own parent has not ended."""
    have = ParentWatch._have

    def assuming(self: ParentWatch, now: float, read: RowsRead) -> None:
        self._done.update(read.absent)
        have(self, now, read)

    patches.put(ParentWatch, "_have", assuming)


@ROOM.plant(
    "children created after SHARD_END", "children first", "I5", within=20, arena=RESHARDINGS
)
def children_after_the_end(patches: Patches) -> None:
    """The owner dies between the two writes: nobody creates the children."""
    create = ShardSync.create_children

    def later(self: ShardSync, now: float, row: LeaseRow, children: tuple[Shard, ...]) -> None:
        keys = tuple(child.shard_id for child in children)
        self._context.listener.children_created(now, row.key, keys)
        context = self._context
        context.timers.at(now + 0.5, ("shards", "late", row.key),
                          lambda at: create(self, at, row, children))  # fmt: skip

    patches.put(ShardSync, "create_children", later)


@ROOM.plant(
    "children are not validated", "validate the children", "I5", "I6", within=20, arena=RESHARDINGS
)
def children_not_validated(patches: Patches) -> None:
    """The end of a shard names some of its children only, and the others have no row."""
    patches.put(children_module, "objection", lambda parent, children: None)


@ROOM.plant(
    "SHARD_END before shard_ended returned",
    "that is consent",
    "I1",
    "I5",
    within=20,
    arena=RESHARDINGS,
)
def end_without_consent(patches: Patches) -> None:
    """User code has not flushed the last records when the shard counts as finished."""
    created = ShardMachine.children_created

    def hasty(self: ShardMachine, now: float) -> None:
        created(self, now)
        self._tools.leases.ended(now, self.key)

    patches.put(ShardMachine, "children_created", hasty)


@ROOM.plant(
    "one listing is enough", "two listings 60 s apart", "I4", "I9", within=200, arena=RESHARDINGS
)
def one_listing_is_enough(patches: Patches) -> None:
    """A stale listing does not show a shard yet: it counts as gone."""

    def is_gone(self: Vanished, shard_id: str) -> bool:
        return self._first is not None and shard_id not in self._listed

    patches.put(Vanished, "is_gone", is_gone)


@ROOM.plant(
    "a child begins with the token of its take",
    "above its parents' last counters",
    "I3",
    within=10,
    arena=SLOW_PARENT,
)
def token_of_the_take(patches: Patches) -> None:
    """The child was taken before its other parent began: a sink has seen higher tokens than its."""

    def at_once(self: Holding, now: float, counter_max: int) -> None:
        self._desk.consumers.parents_done(now, self.key, self.token)

    patches.put(Holding, "parents_done", at_once)
