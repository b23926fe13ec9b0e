"""`kcl workers`: which workers are there, and do they live?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from kcl_py.cli.looking.watching import watch
from kcl_py.cli.options import Output, Shared

if TYPE_CHECKING:
    from kcl_py.cli.looking.table_view import TableView

COLUMNS: Final = ("worker", "state", "live", "last_sign", "leases", "max_leases", "duration")


def workers(shared: Shared) -> int:
    """Show the workers of an application: leases, last sign of life, lease duration.

    No clock of a worker can be compared with another, so this looks until a counter of each was
    seen to move, or stood still for a whole lease duration. `last_sign` is in seconds.
    """
    from kcl_py.cli.looking.access import open_access
    from kcl_py.cli.output import print_rows

    access = open_access(shared)
    rows = worker_facts(watch(access))
    if shared.form is Output.TABLE:
        rows = [{**row, "last_sign": _aged(row)} for row in rows]
    print_rows(shared, rows, COLUMNS, f"workers of {access.table.name}")
    return 0


def worker_facts(view: TableView) -> list[dict[str, Any]]:
    """One mapping for each worker that a row names, JSON-ready."""
    held: dict[str, list[str]] = {}
    for lease in view.leases:
        if lease.actual_owner is not None:
            held.setdefault(lease.actual_owner, []).append(lease.key)
    known = {row.key: row for row in view.workers}
    facts = []
    for name in sorted({*known, *held}):
        row = known.get(name)
        sign, moved = view.last_sign(name)
        facts.append(
            {
                "worker": name,
                "state": "no row" if row is None else row.state.value,
                "live": view.liveness(name),
                "last_sign": sign,
                "seen_moving": moved,
                "leases": len(held.get(name, ())),
                "lease_keys": held.get(name, []),
                "max_leases": None if row is None else row.lease_max,
                "duration": None if row is None else row.duration,
            }
        )
    return facts


def _aged(row: dict[str, Any]) -> str:
    """Of a counter that was not seen to move the age is at least that."""
    return f"{row['last_sign']}" if row["seen_moving"] else f">= {row['last_sign']}"
