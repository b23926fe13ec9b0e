"""How is a row changed from outside, so that it is known whether it was? One row at a time.

The answer to a write may get lost: then the row is read, and the nonce on it tells.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from kcl_py.admin.troubles import Unsafe, table_error
from kcl_py.core.events import Applied, Failure, FailureKind, Refused
from kcl_py.core.leases.rows import LeaseRow
from kcl_py.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kcl_py.aws.lease_table import RowsFound
    from kcl_py.core.events import WriteAnswer
    from kcl_py.core.leases.writes import RowWrite

TRIES_MAX: Final = 50
"""A busy owner moves the counter with every checkpoint; each try is one round trip."""

PAUSE_SECONDS: Final = 0.2
"""After a call without an answer; doubled each time."""

FAILURES_MAX: Final = 6
"""Calls without an answer, one after the other, before it is given up."""

_HOPELESS: Final = frozenset({FailureKind.DENIED, FailureKind.GONE, FailureKind.INVALID})


class TablePort(Protocol):
    """What of the lease table is needed; each call is one attempt and none raises."""

    def write(self, write: RowWrite) -> WriteAnswer:
        """Send one conditional write."""

    def read_rows(self, keys: Sequence[str]) -> RowsFound:
        """Read these rows consistently."""


@dataclass(frozen=True, slots=True)
class Edited:
    """What became of a change.

    Attributes:
        row: As it is now; None: it is gone.
        is_new: We changed it; else it was so already.
    """

    row: LeaseRow | None
    is_new: bool


class Editor:
    """Changes rows of one table.

    Args:
        table: The lease table.
        new_nonce: Returns what nobody ever uses again.
        sleep: Waits so many seconds.
    """

    def __init__(
        self, table: TablePort, *, new_nonce: Callable[[], str], sleep: Callable[[float], object]
    ) -> None:
        self._table = table
        self._new_nonce = new_nonce
        self._sleep = sleep

    def edit(
        self, row: LeaseRow | None, make: Callable[[LeaseRow | None, str], RowWrite | None]
    ) -> Edited:
        """Change a row, however often it moves meanwhile.

        Args:
            row: As it was last seen; None: it was not there.
            make: Given the row as it is now and a nonce: the write; None: it is so already. What
                it raises ends the change.

        Raises:
            KclError: The table refuses, or gives no answer; or the row moves all the time.
        """
        nonces: set[str] = set()
        failures = 0
        for _ in range(TRIES_MAX):
            nonce = self._new_nonce()
            write = make(row, nonce)
            if write is None:
                # Perhaps by our own hand, without an answer.
                return Edited(row, is_new=failures > 0)
            if write.nonce is not None:
                nonces.add(write.nonce)
            answer = self._table.write(write)
            match answer:
                case Applied(now):
                    return Edited(now if isinstance(now, LeaseRow) else None, is_new=True)
                case Refused(now):
                    row = now if isinstance(now, LeaseRow) else None
                case Failure():
                    failures += 1
                    row = self._after_failure(write.key, answer, failures)
            if row is not None and row.nonce in nonces:
                return Edited(row, is_new=True)
        raise Unavailable("a row was changed by others all the time; try again")

    def _after_failure(self, key: str, failure: Failure, failures: int) -> LeaseRow | None:
        """Wait a little, and see what became of it."""
        if failure.kind in _HOPELESS or failures > FAILURES_MAX:
            raise table_error(failure)
        self._sleep(PAUSE_SECONDS * 2.0 ** (failures - 1))
        found = self._table.read_rows((key,))
        if found.failure is not None:
            return self._after_failure(key, found.failure, failures + 1)
        if not found.rows and not found.absent:
            return self._after_failure(key, failure, failures + 1)
        row = next(iter(found.rows), None)
        return row if isinstance(row, LeaseRow) else None


def unmoved(row: LeaseRow | None, seen: LeaseRow) -> LeaseRow:
    """Refuse to go on with a row that somebody moves.

    Raises:
        Unsafe: It is not as it was seen.
    """
    if row is None or row.counter != seen.counter:
        owner = None if row is None else row.actual_owner
        raise Unsafe(
            f"the lease {seen.key} was moved meanwhile"
            + (f"; {owner} is alive" if owner is not None else "")
            + ". Stop the workers and do it again"
        )
    return row
