"""How are leases made to begin anew, with a stopped fleet or against one that runs?

Against a fleet that runs every lease is seized first, as it stands, and only then given its new
place, parents first: a worker may take a seized lease only after the lease duration, and whoever
dies half-way leaves a state that repeats records and skips none; doing it again is safe.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from kcl_py.admin.editing import Edited, unmoved
from kcl_py.admin.resetting import Change, created_row
from kcl_py.admin.troubles import Unsafe
from kcl_py.core.leases import repairs, writes

if TYPE_CHECKING:
    from kcl_py.admin.editing import Editor
    from kcl_py.core.leases.rows import LeaseRow
    from kcl_py.core.leases.writes import RowWrite


def fence(editor: Editor, rows: Iterable[LeaseRow]) -> Iterator[Edited]:
    """Take leases away from whoever has them; they go on behind their checkpoints later."""

    def make(row: LeaseRow | None, nonce: str) -> RowWrite | None:
        if row is None or row.is_finished:
            return None
        return repairs.seize(row, nonce=nonce)

    for row in rows:
        yield editor.edit(row, make)


def apply(
    editor: Editor,
    changes: Sequence[Change],
    rows: Mapping[str, LeaseRow],
    *,
    floor: int,
    duration: float,
    is_fencing: bool,
) -> Iterator[Edited]:
    """Make the changes, in their order.

    Args:
        editor: Of the table.
        changes: What to do.
        rows: All leases as they were last seen, by key.
        floor: Lowest counter of a new row.
        duration: Lease duration of a new row, seconds.
        is_fencing: Whoever has a lease loses it; else a lease that moves ends it all.

    Raises:
        Unsafe: A lease moved, and nobody is to be fenced.
    """
    known = dict(rows)
    for change in changes:
        make = _maker(change, known, floor=floor, duration=duration, is_fencing=is_fencing)
        edited = editor.edit(known.get(change.key), make)
        if edited.row is not None:
            known[change.key] = edited.row
        yield edited


def _maker(
    change: Change,
    known: Mapping[str, LeaseRow],
    *,
    floor: int,
    duration: float,
    is_fencing: bool,
) -> Callable[[LeaseRow | None, str], RowWrite | None]:
    seen = known.get(change.key)

    def make(row: LeaseRow | None, nonce: str) -> RowWrite | None:
        if row is None and change.shard is not None:
            return writes.create(
                replace(created_row(change, known, floor), nonce=nonce, duration=duration)
            )
        if row is None:
            raise Unsafe(f"the lease {change.key} was deleted meanwhile; do it again")
        if not is_fencing:
            if seen is None:
                raise Unsafe(f"somebody created the lease {change.key}; stop the workers first")
            unmoved(row, seen)
        return repairs.seize(row, nonce=nonce, anew=change.anew)

    return make
