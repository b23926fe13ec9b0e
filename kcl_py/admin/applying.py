"""How are leases made to begin anew, with a stopped fleet or against one that runs?

A change is made only to a lease that is as it was planned for. Against a fleet that runs every
lease is seized first, as it stands, until no worker has any: only then nothing ends or begins any
more, the plan holds, and there is a lease duration in which to carry it out. Leases get their new
places parents first: whoever dies half-way leaves a state that repeats records and skips none.
Doing it again completes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeAlias

from kcl_py.admin.editing import Edited, unmoved
from kcl_py.admin.resetting import Change, created_row
from kcl_py.admin.troubles import Unsafe
from kcl_py.core.leases import repairs, writes
from kcl_py.core.leases.rows import PLACEHOLDER_OWNER, LeaseRow
from kcl_py.core.shards.births import counter_above
from kcl_py.errors import Unavailable

if TYPE_CHECKING:
    from kcl_py.admin.editing import Editor
    from kcl_py.core.leases.writes import RowWrite

Rows: TypeAlias = Mapping[str, LeaseRow]

ROUNDS_MAX: Final = 10
"""How often it begins again because workers took leases meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Applying:
    """Makes changes.

    Attributes:
        editor: Of the table.
        floor: Lowest counter of a new row: unix milliseconds.
        duration: Lease duration of a new row, seconds.
    """

    editor: Editor
    floor: int
    duration: float

    def apply(self, changes: Sequence[Change], rows: Rows) -> Iterator[Change]:
        """Make the changes in their order; yields each that was made.

        Args:
            changes: What to do.
            rows: All leases, as the changes were planned for them.

        Raises:
            Unsafe: A lease is not as it was.
        """
        known = dict(rows)
        floor = max([self.floor, *(1 + row.counter for row in rows.values())])
        for change in changes:
            edited = self.editor.edit(known.get(change.key), self._maker(change, known, floor))
            if edited.row is not None:
                known[change.key] = edited.row
            yield change

    def apply_fencing(
        self,
        read: Callable[[], Rows],
        plan: Callable[[Rows], Sequence[Change]],
        on_change: Callable[[Change], object],
    ) -> None:
        """Take all leases away from whoever has them, and make the changes.

        Args:
            read: Reads all leases consistently.
            plan: Says what to do with leases as they are then; begins with a listing of its own.
            on_change: Told of each change that was made; of one again if it is made again.

        Raises:
            Unavailable: Workers take leases faster than they are changed.
        """
        for _ in range(ROUNDS_MAX):
            rows = read()
            changes = plan(rows)
            loose = [change.before for change in changes if _is_loose(change.before)]
            if loose:
                for _ in fence(self.editor, loose):
                    pass
                continue
            try:
                for change in self.apply(changes, rows):
                    on_change(change)
            except Unsafe:
                continue  # A worker was faster; it is fenced again.
            return
        raise Unavailable(
            "workers take the leases faster than they are changed; stop them and do it again"
        )

    def _maker(
        self, change: Change, known: Rows, floor: int
    ) -> Callable[[LeaseRow | None, str], RowWrite | None]:
        seen = known.get(change.key)

        def make(row: LeaseRow | None, nonce: str) -> RowWrite | None:
            if seen is not None:
                still = unmoved(row, seen)
                above = counter_above(0, still.parents, known)
                return repairs.seize(still, nonce=nonce, anew=change.anew, above=above)
            if row is not None:
                raise Unsafe(f"somebody created the lease {change.key}; stop the workers first")
            created = created_row(change, known, floor)
            return writes.create(replace(created, nonce=nonce, duration=self.duration))

        return make


def fence(editor: Editor, rows: Iterable[LeaseRow | None]) -> Iterator[Edited]:
    """Take leases away from whoever has them; they go on behind their checkpoints later."""

    def make(row: LeaseRow | None, nonce: str) -> RowWrite | None:
        if row is None or row.is_finished:
            return None
        return repairs.seize(row, nonce=nonce)

    for row in rows:
        yield editor.edit(row, make)


def _is_loose(row: LeaseRow | None) -> bool:
    """Say whether a worker may move it."""
    return row is not None and not row.is_finished and row.actual_owner != PLACEHOLDER_OWNER
