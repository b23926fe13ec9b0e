"""With which row does a shard enter the table? Position, parents and counter of a new lease row.

`T` is the resolved time of an initial position LATEST or AT_TIMESTAMP. To read a shard from `T`
skips no record at or after `T`, and of a shard that was made after `T` it skips nothing at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from kcl_py.core.leases.rows import PLACEHOLDER_OWNER, LeaseRow, Sentinel

if TYPE_CHECKING:
    from kcl_py.core.leases.rows import ApplicationRow
    from kcl_py.core.shards.graph import Shard


def waits_for_parents(row: LeaseRow) -> bool:
    """Say whether a row must wait: it has parents, and neither a numeric checkpoint nor kclRoot."""
    return bool(row.parents) and not row.root and is_at_start(row)


def is_at_start(row: LeaseRow) -> bool:
    """Say whether nothing of the shard is recorded as finished yet."""
    return isinstance(row.checkpoint, Sentinel) and not row.is_finished


def counter_above(floor: int, parents: Iterable[str], rows: Mapping[str, LeaseRow]) -> int:
    """Return a first counter: at least `floor`, and above the counter of every parent known."""
    return max(floor, *(rows[name].counter + 1 for name in parents if name in rows), 0)


def first_row(
    shard: Shard, rows: Mapping[str, LeaseRow], app: ApplicationRow, counter_floor: int
) -> LeaseRow:
    """Return the row of a shard that no parent's end will create.

    If a parent has a row, records of this shard follow on that: TRIM_HORIZON. Else it stands where
    the application begins, at the application's position, and waits for no parent. Once initial
    sync is done the row is a repair: it names an owner who does not exist.

    Raises:
        ValueError: The application's LATEST or AT_TIMESTAMP was not resolved to a time.
    """
    follows = any(name in rows for name in shard.parents)
    checkpoint = Sentinel.TRIM_HORIZON if follows else app.position
    if checkpoint is not Sentinel.TRIM_HORIZON and app.start_at is None:
        raise ValueError(f"the initial position {app.position} has no time")
    return LeaseRow(
        key=shard.shard_id,
        counter=counter_above(counter_floor, shard.parents, rows),
        checkpoint=checkpoint,
        start_at=None if checkpoint is Sentinel.TRIM_HORIZON else app.start_at,
        owner=PLACEHOLDER_OWNER if app.initial_sync_done else None,
        root=not follows,
        parents=shard.parents,
        hash_range=shard.hash_range,
    )


def child_row(
    shard: Shard, parent: LeaseRow, rows: Mapping[str, LeaseRow], counter_floor: int
) -> LeaseRow:
    """Return the row of a child that the owner of a finished parent creates, naming both parents.

    It starts at TRIM_HORIZON. Only where the parent never got beyond its own start at a time `T`
    the child starts at `T` too: the parent may have been closed before `T`, and the child's first
    records may then be older than what the application asked for.
    """
    inherits = is_at_start(parent) and parent.start_at is not None
    return LeaseRow(
        key=shard.shard_id,
        counter=counter_above(counter_floor, shard.parents, {**rows, parent.key: parent}),
        checkpoint=Sentinel.AT_TIMESTAMP if inherits else Sentinel.TRIM_HORIZON,
        start_at=parent.start_at if inherits else None,
        parents=shard.parents,
        hash_range=shard.hash_range,
    )
