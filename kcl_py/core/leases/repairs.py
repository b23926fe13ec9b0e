"""What may somebody write who is no worker? Halting, resuming, and taking a lease away.

None of these makes two owners. Halting and resuming leave owner and counter alone. Who seizes a
lease moves its counter, so that no write of its owner applies any more, and names an owner who does
not exist: a worker takes the lease only after the counter stood still for as long as the row says
(PROTOCOL section 2). By then the fence of the old owner has passed, for it counts from a write of
before, with the duration that stands in the row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kcl_py.core.leases.rows import DURATION_MAX, PLACEHOLDER_OWNER, Checkpoint, LeaseRow
from kcl_py.core.leases.writes import Is, RowWrite, WriteKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kcl_py.core.leases.writes import FieldValue


@dataclass(frozen=True, slots=True, kw_only=True)
class Anew:
    """Where a shard begins anew.

    Attributes:
        start_at: Unix seconds, for LATEST and AT_TIMESTAMP.
        root: It waits for no parent.
    """

    checkpoint: Checkpoint
    start_at: float | None = None
    root: bool = False


def halt(row: LeaseRow) -> RowWrite:
    """Ask that no user code of a shard runs, whoever owns it. Touches neither counter nor owner.

    Args:
        row: As it was just read; the write is refused if the counter has moved since, or somebody
            else has halted or resumed it.
    """
    assert not row.is_finished
    return _mark(WriteKind.HALT, row, {"halted": True})


def resume(row: LeaseRow) -> RowWrite:
    """Let a shard go on, whether it was halted or its owner paused it.

    Args:
        row: As for `halt`. A late one would undo a pause of which nobody knew when it was sent.
    """
    return _mark(WriteKind.RESUME, row, {"halted": None, "paused": None})


def _mark(kind: WriteKind, row: LeaseRow, sets: Mapping[str, FieldValue]) -> RowWrite:
    """Return a mark that is set once, though its request arrives twice.

    The counter alone does not see to that: it stands still while nobody renews.
    """
    return RowWrite(
        kind=kind,
        key=row.key,
        tests=(Is("counter", row.counter), Is("marks", row.marks)),
        sets={**sets, "marks": (row.marks or 0) + 1},
    )


def seize(row: LeaseRow, *, nonce: str, anew: Anew | None = None, above: int = 0) -> RowWrite:
    """Take a lease away from its owner, if any, and let it begin elsewhere.

    Args:
        row: As it was just read; the write is refused if the counter has moved since.
        nonce: Never used before.
        anew: None: it goes on behind its checkpoint.
        above: The new counter is at least this one: a lease that begins anew may wait for no parent
            any more, and its fencing token has to be above theirs all the same.
    """
    sets: dict[str, FieldValue] = {
        "counter": max(row.counter + 1, above),
        "nonce": nonce,
        "owner": PLACEHOLDER_OWNER,
        "checkpoint_owner": None,
        "offer": None,
    }
    had_owner = row.actual_owner not in (None, PLACEHOLDER_OWNER)
    if had_owner and row.duration is None:
        sets["duration"] = DURATION_MAX  # Nobody can tell for how long its owner believes in it.
    if anew is not None:
        sets |= {
            "checkpoint": anew.checkpoint,
            "start_at": anew.start_at,
            "root": anew.root or None,
            "pending": None,
            "owner_switches": 0,
        }
    elif had_owner:
        sets["owner_switches"] = row.owner_switches + 1
    return RowWrite(
        kind=WriteKind.SEIZE,
        key=row.key,
        tests=(Is("counter", row.counter),),
        sets=sets,
        base=row.counter,
        nonce=nonce,
    )
