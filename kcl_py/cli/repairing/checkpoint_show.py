"""`kcl checkpoint show`: up to where is each shard finished?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kcl_py.cli.options import Shared

if TYPE_CHECKING:
    from kcl_py.core.leases.rows import LeaseRow

COLUMNS: Final = ("shard", "checkpoint", "starts_at", "prepared", "parents")


def show(shared: Shared) -> int:
    """Show the checkpoint of every lease.

    SEQ/SUB: all up to that record is finished. SHARD_END: the whole shard is. TRIM_HORIZON, LATEST
    and AT_TIMESTAMP: nothing is finished yet, and reading begins there.
    """
    from kcl_py.cli.looking.access import lease_rows, open_access
    from kcl_py.cli.output import print_rows

    access = open_access(shared)
    every = access.rows()
    access.application(every)
    rows = [_facts(row) for _, row in sorted(lease_rows(every).items())]
    print_rows(shared, rows, COLUMNS, f"checkpoints of {access.table.name}")
    return 0


def _facts(row: LeaseRow) -> dict[str, object]:
    from kcl_py.cli.repairing.checkpoint_reset import time_text

    return {
        "shard": row.key,
        "checkpoint": str(row.checkpoint),
        "starts_at": None if row.start_at is None else time_text(row.start_at),
        "prepared": None if row.pending is None else str(row.pending.position),
        "parents": list(row.parents),
        "owner": row.actual_owner,
        "counter": row.counter,
    }
