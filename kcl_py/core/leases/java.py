"""Does a Java KCL use this table? What its rows show, and how the counters of its leases move.

Version 3.x leaves rows of its own kinds. Version 2.x leaves nothing but leases. But every write of
kcl_py that creates a lease or moves its counter leaves a fresh nonce, and no other program does: a
lease without one was made by somebody else, and so was a counter that moved while its nonce stayed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from kcl_py.core.leases.rows import ApplicationRow, LeaseRow, Row, StrangeRow

MOVES_MAX: Final = 1
"""So often in a row a counter may move under one nonce: somebody edits a row by hand, once.

A worker of the Java KCL renews three times in a lease duration.
"""


def find_java(rows: Iterable[Row]) -> StrangeRow | None:
    """Return a row that shows that a Java KCL uses this table, or used it; None: there is none.

    Of a table that kcl_py has begun to use, finished leases of others prove nothing any more.
    """
    every = tuple(rows)
    ours = any(isinstance(row, ApplicationRow) for row in every)
    for row in every:
        if isinstance(row, StrangeRow) and row.is_java:
            return row
    for row in every:
        if isinstance(row, LeaseRow) and row.nonce is None and not (ours and row.is_finished):
            return StrangeRow(key=row.key, why=_why(row), is_java=True)
    return None


def why_refused(table: str, row: StrangeRow) -> str:
    """Say why no worker starts on this table, and where to go."""
    return (
        f"table {table} is used by a Java KCL (row {row.key!r}: {row.why}); this version neither"
        " shares a table with it nor goes on from one. Choose another app name;"
        " docs/how-to/migrate-from-the-kcl.md says where to begin."
    )


def is_foreign_move(before: LeaseRow, after: LeaseRow) -> bool:
    """Say whether no worker of kcl_py has moved the counter last: the nonce is the same."""
    return after.counter > before.counter and after.nonce == before.nonce


def _why(row: LeaseRow) -> str:
    owner = "without an owner" if row.actual_owner is None else f"of {row.actual_owner}"
    return f"a lease {owner} without a kclNonce, as the Java KCL 2.x makes them"
