"""How far behind is an application? Which places to look at, and what the looks add up to.

The lag of a shard is the age of the first record behind its checkpoint. A checkpoint trails what is
processed by up to a third of the lease duration.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from kcl_py.core.commands import Start, StartKind
from kcl_py.core.leases.rows import LeaseRow, Sentinel
from kcl_py.core.shards.births import waits_for_parents
from kcl_py.records import Position

if TYPE_CHECKING:
    from kcl_py.core.shards.graph import Shard

Stage: TypeAlias = Literal["begun", "not begun", "waiting for parents", "no lease yet"]

FROM_OLDEST: Final = Start(kind=StartKind.TRIM_HORIZON)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A place that an application has reached in one shard.

    Attributes:
        checkpoint: As in the row; None: it has no row yet, and will begin at its oldest record.
        start: Where the first record that is not finished is.
        prepared: A checkpoint that was prepared and not committed.
    """

    shard_id: str
    stage: Stage
    checkpoint: str | None
    start: Start
    prepared: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardLag:
    """What was found out about one shard.

    Attributes:
        seconds: None: it could not be found out.
        is_waiting: There is a record behind the checkpoint, as far as one read can tell.
        trouble: Why not, or what else is wrong there.
    """

    place: Place
    seconds: float | None
    is_waiting: bool = False
    trouble: str | None = None


@dataclass(frozen=True, slots=True)
class Total:
    """All shards together.

    Attributes:
        seconds: The longest lag that is known; None: none is.
        finished: Shards that were read to their end.
        unknown: Shards of which the lag could not be found out.
    """

    seconds: float | None
    finished: int
    unknown: int


def places(rows: Mapping[str, LeaseRow], shards: Iterable[Shard]) -> tuple[Place, ...]:
    """Return where to look: leases that are not finished, and shards whose lease will come.

    Args:
        rows: Lease rows by key.
        shards: All shards that the stream lists, parents before children.
    """
    listed = tuple(shards)
    found = [_of_row(row, rows) for _, row in sorted(rows.items()) if not row.is_finished]
    coming = {place.shard_id for place in found}
    for shard in listed:
        # The end of a parent brings the lease of its child.
        if shard.shard_id not in rows and not coming.isdisjoint(shard.parents):
            coming.add(shard.shard_id)
            found.append(
                Place(
                    shard_id=shard.shard_id,
                    stage="no lease yet",
                    checkpoint=None,
                    start=FROM_OLDEST,
                )
            )
    return tuple(found)


def add_up(lags: Sequence[ShardLag], rows: Mapping[str, LeaseRow]) -> Total:
    """Add up what was found out."""
    known = [lag.seconds for lag in lags if lag.seconds is not None]
    return Total(
        seconds=max(known, default=None if lags else 0.0),
        finished=sum(row.is_finished for row in rows.values()),
        unknown=len(lags) - len(known),
    )


def start_of(row: LeaseRow) -> Start:
    """Return where the first record of a row is that is not finished."""
    if isinstance(row.checkpoint, Position):
        return Start(kind=StartKind.AFTER, sequence_number=row.checkpoint.sequence_number)
    if row.start_at is not None and row.checkpoint is not Sentinel.TRIM_HORIZON:
        return Start(kind=StartKind.AT_TIMESTAMP, timestamp=row.start_at)
    return FROM_OLDEST


def _of_row(row: LeaseRow, rows: Mapping[str, LeaseRow]) -> Place:
    stage: Stage = "begun" if isinstance(row.checkpoint, Position) else "not begun"
    if waits_for_parents(row) and any(
        name in rows and not rows[name].is_finished for name in row.parents
    ):
        stage = "waiting for parents"
    return Place(
        shard_id=row.key,
        stage=stage,
        checkpoint=str(row.checkpoint),
        start=start_of(row),
        prepared=str(row.pending.position) if row.pending is not None else None,
    )
