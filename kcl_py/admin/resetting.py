"""Where does each shard begin anew, so that nothing that was asked for is left out?

Every shard that took records at or after the place begins there, parents before children; a shard
that was finished is read again. What is closed before that place ends at once, and its children
begin there as well. A lease that is not there is made, though a parent's end would bring it:
whoever had the parent before may still make it, late, to begin where the parent had begun for him,
which may be after what is asked for.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from kcl_py.core.leases.repairs import Anew
from kcl_py.core.leases.rows import (
    PLACEHOLDER_OWNER,
    Checkpoint,
    LeaseRow,
    Sentinel,
    checkpoint_order,
)
from kcl_py.core.shards.births import counter_above
from kcl_py.core.shards.graph import Lineage
from kcl_py.records import Position

if TYPE_CHECKING:
    from kcl_py.core.shards.graph import Shard

Direction: TypeAlias = Literal["back", "forward", "same", "unknown"]


@dataclass(frozen=True, slots=True)
class Place:
    """A place to begin, resolved.

    Attributes:
        checkpoint: TRIM_HORIZON, LATEST, AT_TIMESTAMP, or a position, which is in one shard.
        time: Of LATEST and AT_TIMESTAMP, unix seconds.
    """

    checkpoint: Checkpoint
    time: float | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of one lease.

    Attributes:
        before: As it is; None: it is created.
        shard: Of a lease that is created.
    """

    key: str
    before: LeaseRow | None
    anew: Anew
    shard: Shard | None = None


@dataclass(frozen=True, slots=True)
class Reset:
    """What is to be done, in this order, and which leases stay as they are, with the reason."""

    changes: tuple[Change, ...]
    kept: Mapping[str, str]


def plan_reset(
    place: Place,
    rows: Mapping[str, LeaseRow],
    listed: Collection[Shard],
    needed: Collection[str],
    *,
    only: str | None = None,
) -> Reset:
    """Decide what becomes of each lease.

    Args:
        place: Where to begin.
        rows: All leases, of a complete consistent scan.
        listed: All shards of the stream, of a listing that began after the scan.
        needed: Ids of the shards that took records at or after the place; more do no harm, since
            they end at once.
        only: The one lease to change; None: all.
    """
    # Leases on whose end those of their children wait.
    coming = {key for key, row in rows.items() if not row.is_finished}
    changes: list[Change] = []
    changed: set[str] = set()
    for shard in Lineage(listed).in_order():
        key, row = shard.shard_id, rows.get(shard.shard_id)
        follows = not coming.isdisjoint(shard.parents)
        is_born = row is None and follows
        if only is None:
            is_changed = is_born or key in needed or key in coming
        else:
            is_changed = key == only or (is_born and not changed.isdisjoint(shard.parents))
        if is_born or is_changed:
            coming.add(key)
        if is_changed:
            anew = _begins(place, is_other=only not in (None, key), follows=follows)
            changes.append(Change(key, row, anew, shard if row is None else None))
            changed.add(key)
    kept = {
        key: _why_kept(row, {shard.shard_id for shard in listed}, only)
        for key, row in rows.items()
        if key not in changed
    }
    return Reset(tuple(changes), kept)


def _begins(place: Place, *, is_other: bool, follows: bool) -> Anew:
    """Return where a shard begins; a position says nothing about another one than its own."""
    if is_other and isinstance(place.checkpoint, Position):
        return Anew(checkpoint=Sentinel.TRIM_HORIZON)
    return Anew(checkpoint=place.checkpoint, start_at=place.time, root=not follows)


def _why_kept(row: LeaseRow, listed: Collection[str], only: str | None) -> str:
    if only is not None:
        return "not asked for"
    if row.is_finished:
        return "finished before that place"
    assert row.key not in listed
    return "the stream has forgotten this shard"


def created_row(change: Change, rows: Mapping[str, LeaseRow], floor: int) -> LeaseRow:
    """Return the row of a lease that is created.

    Args:
        change: With the shard.
        rows: Of the parents, for their counters.
        floor: Lowest counter: unix milliseconds, or above all that were seen.
    """
    shard, anew = change.shard, change.anew
    assert shard is not None
    return LeaseRow(
        key=change.key,
        counter=counter_above(floor, shard.parents, rows),
        checkpoint=anew.checkpoint,
        start_at=anew.start_at,
        owner=PLACEHOLDER_OWNER,
        root=anew.root,
        parents=shard.parents,
        hash_range=shard.hash_range,
    )


def direction(change: Change, next_arrived_at: float | None, *, is_known: bool) -> Direction:
    """Say whether the new place is before the old one, which repeats, or behind it, which skips.

    Args:
        change: What is changed.
        next_arrived_at: When the first record that is not finished arrived, unix seconds; None:
            there is none.
        is_known: That could be found out.
    """
    row, new = change.before, change.anew.checkpoint
    if row is None or row.is_finished:
        return "back"
    if isinstance(new, Position) and isinstance(row.checkpoint, Position):
        old_order, new_order = checkpoint_order(row.checkpoint), checkpoint_order(new)
        return "same" if old_order == new_order else _sign(is_back=new_order < old_order)
    if new is Sentinel.TRIM_HORIZON:
        return "same" if row.checkpoint is new else "back"
    if isinstance(new, Position):
        return "forward"  # Nothing of it is finished yet.
    if not is_known or change.anew.start_at is None:
        return "unknown"
    if next_arrived_at is None:
        return "back"
    return _sign(is_back=change.anew.start_at <= next_arrived_at)


def _sign(*, is_back: bool) -> Direction:
    return "back" if is_back else "forward"
