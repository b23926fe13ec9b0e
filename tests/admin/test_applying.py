"""Does a lease that begins anew have a fencing token above those of its parents?"""

from __future__ import annotations

from collections.abc import Sequence

from kcl_py.admin.applying import Applying
from kcl_py.admin.editing import Editor
from kcl_py.admin.resetting import Change, Place, plan_reset
from kcl_py.aws.lease_table import RowsFound
from kcl_py.core.events import WriteAnswer
from kcl_py.core.leases import writes
from kcl_py.core.leases.rows import LeaseRow, Sentinel
from kcl_py.core.leases.writes import RowWrite
from kcl_py.core.shards.births import waits_for_parents
from kcl_py.core.shards.graph import Shard
from kcl_py.testing.world import World

FORGOTTEN = LeaseRow(key="s0", counter=50, checkpoint=Sentinel.SHARD_END)
WAITING = LeaseRow(key="s1", counter=10, checkpoint=Sentinel.TRIM_HORIZON, parents=("s0",))


class AtOnce:
    """A table of a simulated world that answers every call at once."""

    def __init__(self, world: World) -> None:
        self._world = world

    def write(self, write: RowWrite) -> WriteAnswer:
        return self._world.table.store.write(write)

    def read_rows(self, keys: Sequence[str]) -> RowsFound:
        raise AssertionError("no answer was lost")


def test_who_waits_no_more_for_a_forgotten_parent_still_gets_a_token_above_its_own() -> None:
    """The parent was taken often while its child waited; both stopped, and retention passed."""
    world = World(workers=0, shards=1)
    for row in (FORGOTTEN, WAITING):
        world.table.store.write(writes.create(row))
    listed = [Shard(shard_id="s1", parents=("s0",), hash_range=(0, 1), is_open=True)]
    names = iter(range(9))
    editor = Editor(AtOnce(world), new_nonce=lambda: f"hand#{next(names)}", sleep=world.run_for)
    told: list[Change] = []
    applying = Applying(editor=editor, floor=1, duration=10.0)

    applying.apply_fencing(
        world.table.lease_rows,
        lambda rows: plan_reset(Place(Sentinel.TRIM_HORIZON), rows, listed, {"s1"}).changes,
        told.append,
    )

    assert [change.key for change in told] == ["s1"]
    child = world.table.lease_rows()["s1"]
    assert not waits_for_parents(child)
    assert child.counter > FORGOTTEN.counter
