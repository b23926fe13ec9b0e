"""What may be written to the table, on which condition?

The table of section 3 of the protocol, row by row.

Field names are those of `rows`; the codec turns them into attributes. A value of None removes the
field.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final, TypeAlias

from kcl_py.core.leases.rows import (
    ApplicationRow,
    Checkpoint,
    LeaseRow,
    Pending,
    Sentinel,
    WorkerRow,
    WorkerState,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


class WriteKind(StrEnum):
    """The writes of the protocol; the last three are those of repair (`repairs`)."""

    CREATE = "create"
    TAKE = "take"
    RENEW = "renew"
    REQUEST = "request"
    WITHDRAW = "withdraw"
    CANCEL = "cancel"
    TRANSFER = "transfer"
    RELEASE = "release"
    END = "end"
    DELETE = "delete"
    BEAT = "beat"
    APPLICATION = "application"
    HALT = "halt"
    RESUME = "resume"
    SEIZE = "seize"


GIVES: Final = frozenset({WriteKind.TRANSFER, WriteKind.RELEASE, WriteKind.END})
"""After sending one of these the worker is not the owner, whatever the answer."""


@dataclass(frozen=True, slots=True)
class RowAbsent:
    """The row does not exist."""


@dataclass(frozen=True, slots=True)
class Is:
    """The field has this value."""

    field: str
    value: object


@dataclass(frozen=True, slots=True)
class Absent:
    """The field is not there (and the row is)."""

    field: str


@dataclass(frozen=True, slots=True)
class OwnedBy:
    """`checkpoint_owner = worker OR (owner = worker AND checkpoint_owner absent)`."""

    worker: str


Test: TypeAlias = RowAbsent | Is | Absent | OwnedBy
FieldValue: TypeAlias = object


@dataclass(frozen=True, slots=True, kw_only=True)
class RowWrite:
    """One conditional write on one row.

    Attributes:
        tests: All must hold.
        sets: Field to new value; None removes the field.
        base: The counter on which a counter-moving write is conditional.
        nonce: Fresh for every attempt of a counter-moving write.
        deletes: The row is deleted rather than updated.
    """

    kind: WriteKind
    key: str
    tests: tuple[Test, ...]
    sets: Mapping[str, FieldValue] = field(default_factory=dict)
    base: int | None = None
    nonce: str | None = None
    deletes: bool = False


def _owner_write(
    kind: WriteKind, key: str, me: str, base: int, nonce: str, sets: Mapping[str, FieldValue]
) -> RowWrite:
    return RowWrite(
        kind=kind,
        key=key,
        tests=(Is("counter", base), OwnedBy(me)),
        sets={"counter": base + 1, "nonce": nonce, **sets},
        base=base,
        nonce=nonce,
    )


def create(row: LeaseRow) -> RowWrite:
    """Create a lease row if it is absent; that it exists is fine."""
    return RowWrite(
        kind=WriteKind.CREATE,
        key=row.key,
        tests=(RowAbsent(),),
        sets=lease_fields(row),
        nonce=row.nonce,
    )


def lease_fields(row: LeaseRow) -> dict[str, FieldValue]:
    """Return every field of a lease row that is set, by name."""
    names = (
        "counter", "checkpoint", "owner", "checkpoint_owner", "nonce", "duration", "offer",
        "start_at", "root", "paused", "halted", "marks", "parents", "children",
        "hash_range", "owner_switches", "pending",
    )  # fmt: skip
    values = {name: getattr(row, name) for name in names}
    return {k: v for k, v in values.items() if v is not None and v is not False and v != ()}


def take(row: LeaseRow, *, me: str, nonce: str, duration: float, counter: int) -> RowWrite:
    """Take an expired, offered, ownerless or orphaned lease at exactly the counter of `row`.

    Args:
        row: The row as last seen.
        counter: The new counter, above `row.counter`; a take may jump.
    """
    sets: dict[str, FieldValue] = {
        "counter": counter,
        "nonce": nonce,
        "owner": me,
        "checkpoint_owner": None,
        "offer": None,
        "duration": duration,
    }
    if row.actual_owner is not None and row.actual_owner != me:
        sets["owner_switches"] = row.owner_switches + 1
    return RowWrite(
        kind=WriteKind.TAKE,
        key=row.key,
        tests=(Is("counter", row.counter),),
        sets=sets,
        base=row.counter,
        nonce=nonce,
    )


def progress_fields(checkpoint: Checkpoint | None) -> dict[str, FieldValue]:
    """Return what a write sets when this epoch finished something newer, else nothing."""
    return {} if checkpoint is None else {"checkpoint": checkpoint, "owner_switches": 0}


def renew(  # noqa: PLR0913 - everything that may ride on a renewal
    key: str,
    *,
    me: str,
    base: int,
    nonce: str,
    duration: float,
    checkpoint: Checkpoint | None = None,
    pending: Pending | None = None,
    clear_pending: bool = False,
    paused: bool | None = None,
    above: int = 0,
) -> RowWrite:
    """Renew, and carry a newer checkpoint, a prepared one, or the commit of one along.

    Args:
        above: The new counter is above this one too: the token of an epoch that waited for parents.
    """
    sets: dict[str, FieldValue] = {"duration": duration, **progress_fields(checkpoint)}
    if above > base:
        sets["counter"] = above + 1
    if pending is not None:
        sets["pending"] = pending
    elif clear_pending:
        sets["pending"] = None
    if paused is not None:
        sets["paused"] = paused or None
    return _owner_write(WriteKind.RENEW, key, me, base, nonce, sets)


def request(key: str, *, me: str, victim: str) -> RowWrite:
    """Ask a live owner for its lease. Touches neither counter nor nonce."""
    return RowWrite(
        kind=WriteKind.REQUEST,
        key=key,
        tests=(Is("owner", victim), Absent("checkpoint_owner"), Absent("offer")),
        sets={"owner": me, "checkpoint_owner": victim},
    )


def withdraw(key: str, *, me: str, victim: str) -> RowWrite:
    """Take a request back."""
    return RowWrite(
        kind=WriteKind.WITHDRAW,
        key=key,
        tests=(Is("owner", me), Is("checkpoint_owner", victim)),
        sets={"owner": victim, "checkpoint_owner": None},
    )


def cancel(
    key: str,
    *,
    me: str,
    base: int,
    nonce: str,
    duration: float,
    checkpoint: Checkpoint | None = None,
) -> RowWrite:
    """Refuse a request: the victim stays the owner."""
    sets = {
        "owner": me,
        "checkpoint_owner": None,
        "duration": duration,
        **progress_fields(checkpoint),
    }
    return _owner_write(WriteKind.CANCEL, key, me, base, nonce, sets)


def transfer(
    key: str, *, me: str, taker: str, base: int, nonce: str, checkpoint: Checkpoint | None = None
) -> RowWrite:
    """Give a lease to the worker that asked for it, after user code has stopped."""
    return RowWrite(
        kind=WriteKind.TRANSFER,
        key=key,
        tests=(Is("owner", taker), Is("checkpoint_owner", me), Is("counter", base)),
        sets={
            "counter": base + 1,
            "nonce": nonce,
            "checkpoint_owner": None,
            "offer": base + 1,
            **progress_fields(checkpoint),
        },
        base=base,
        nonce=nonce,
    )


def release(
    key: str,
    *,
    me: str,
    successor: str | None,
    base: int,
    nonce: str,
    checkpoint: Checkpoint | None = None,
) -> RowWrite:
    """Give a lease away at stop: to the successor by the plan, or to nobody."""
    sets: dict[str, FieldValue] = {
        "owner": successor,
        "checkpoint_owner": None,
        "offer": base + 1,
        **progress_fields(checkpoint),
    }
    return _owner_write(WriteKind.RELEASE, key, me, base, nonce, sets)


def end(key: str, *, me: str, base: int, nonce: str, children: tuple[str, ...]) -> RowWrite:
    """Finish a shard: the row becomes a tombstone."""
    sets: dict[str, FieldValue] = {
        "checkpoint": Sentinel.SHARD_END,
        "owner_switches": 0,
        "children": children or None,
        "owner": None,
        "checkpoint_owner": None,
        "offer": None,
    }
    return _owner_write(WriteKind.END, key, me, base, nonce, sets)


def delete(row: LeaseRow) -> RowWrite:
    """Delete a tombstone exactly as it was seen."""
    tests = (Is("counter", row.counter), Is("checkpoint", Sentinel.SHARD_END))
    return RowWrite(kind=WriteKind.DELETE, key=row.key, tests=tests, base=row.counter, deletes=True)


def create_worker(row: WorkerRow) -> RowWrite:
    """Create a worker's own row."""
    return RowWrite(kind=WriteKind.BEAT, key=row.key, tests=(RowAbsent(),), sets=worker_fields(row))


def worker_fields(row: WorkerRow) -> dict[str, FieldValue]:
    """Return every field of a worker row that is set, by name."""
    sets: dict[str, FieldValue] = {
        "beat": row.beat,
        "state": row.state,
        "plan_version": row.plan_version,
    }
    if row.lease_max is not None:
        sets["lease_max"] = row.lease_max
    if row.duration is not None:
        sets["duration"] = row.duration
    return sets


def beat(me: str, *, seen: int, state: WorkerState) -> RowWrite:
    """Move one's own heartbeat.

    Conditional on it, so that a stranger with the same id is noticed.
    """
    return RowWrite(
        kind=WriteKind.BEAT,
        key=me,
        tests=(Is("beat", seen),),
        sets={"beat": seen + 1, "state": state},
    )


def remove_worker(key: str, *, seen: int) -> RowWrite:
    """Delete a worker row whose beat stands at `seen`.

    One's own at stop, a dead one's after 10 D.
    """
    return RowWrite(kind=WriteKind.BEAT, key=key, tests=(Is("beat", seen),), deletes=True)


def create_application(row: ApplicationRow) -> RowWrite:
    """Create the application row; whoever loses the race reads it and adopts it."""
    sets: dict[str, FieldValue] = {
        "stream_arn": row.stream_arn,
        "stream_created_at": row.stream_created_at,
        "table_id": row.table_id,
        "protocol": row.protocol,
        "position": row.position,
    }
    if row.start_at is not None:
        sets["start_at"] = row.start_at
    return RowWrite(kind=WriteKind.APPLICATION, key=row.key, tests=(RowAbsent(),), sets=sets)


def finish_initial_sync(row: ApplicationRow) -> RowWrite:
    """Say that the first complete shard sync was done; only once."""
    return RowWrite(
        kind=WriteKind.APPLICATION,
        key=row.key,
        tests=(Is("stream_arn", row.stream_arn), Absent("initial_sync_done")),
        sets={"initial_sync_done": True},
    )
