"""Which lease rows should be created, given what is listed and what exists?

Rows are made for the oldest shards that the position needs; all descendants come at the end of
their parents, as in the Java KCL. The listing decides what is oldest. For TRIM_HORIZON it shows all
that still exists. For LATEST and AT_TIMESTAMP, both pinned to a time `T`, it shows what was open at
or after `T` (ShardFilter FROM_TIMESTAMP) or, if the service cannot filter, everything: then a shard
that was closed before `T` has nothing to read from `T` on, ends at once, and its children start at
`T` as well (`births`). So every record at or after `T` is delivered, after the records of its
shard's parents, and none before `T`.

After initial sync a listed shard without a row is normal while the end of an ancestor will bring
it, and when a descendant has a row that waits for no parent: it was finished, or closed before `T`.
Any other is a hole.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from kcl_py.core.shards.births import first_row, waits_for_parents
from kcl_py.core.shards.graph import Lineage

if TYPE_CHECKING:
    from kcl_py.core.leases.rows import ApplicationRow, LeaseRow
    from kcl_py.core.shards.graph import Shard


def plan_sync(
    shards: Collection[Shard],
    rows: Mapping[str, LeaseRow],
    app: ApplicationRow,
    counter_floor: int,
) -> tuple[LeaseRow, ...]:
    """Return the rows that should be created, parents first, else by starting sequence number.

    Until the initial sync is done these are its rows. From then on they repair holes; a scan is no
    snapshot, so whoever repairs should have seen the same hole in two passes.

    Args:
        shards: A fresh, complete listing.
        rows: All lease rows of a complete consistent scan that began before the listing.
        app: The application's row: position, time, and whether initial sync is done.
        counter_floor: Lowest counter of a new row.
    """
    lineage = Lineage(shards)
    wanted = _needed(lineage, rows) if app.initial_sync_done else lineage.shards
    created: dict[str, LeaseRow] = {}
    comes = {key for key, row in rows.items() if not row.is_finished}
    for shard in lineage.in_order():
        if shard.shard_id in rows:
            continue
        if not comes.isdisjoint(shard.parents):
            comes.add(shard.shard_id)
        elif shard.shard_id in wanted:
            created[shard.shard_id] = first_row(shard, rows, app, counter_floor)
            comes.add(shard.shard_id)
    return tuple(created.values())


def _needed(lineage: Lineage, rows: Mapping[str, LeaseRow]) -> frozenset[str]:
    """Return the listed shards that a waiting row names as parent, or that were not passed yet.

    A row that waits for no parent proves that all its ancestors were passed; one that waits proves
    nothing.
    """
    waiting = {key for key, row in rows.items() if waits_for_parents(row)}
    awaited = {name for key in waiting for name in rows[key].parents}
    passed = {name for key, row in rows.items() if key not in waiting for name in row.parents}
    for shard in reversed(lineage.in_order()):
        name = shard.shard_id
        if name in passed or (name in rows and name not in waiting):
            passed.update(shard.parents)
    return frozenset(name for name in lineage.shards if name in awaited or name not in passed)


def is_other_stream(shards: Collection[Shard], rows: Mapping[str, LeaseRow]) -> bool:
    """Say whether the rows have nothing to do with the listed shards, not even as their parents."""
    if not shards or not rows:
        return False
    return all(
        shard.shard_id not in rows and not any(name in rows for name in shard.parents)
        for shard in shards
    )
