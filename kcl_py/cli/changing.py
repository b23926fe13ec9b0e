"""What do commands that change an application have in common? Names, and who is alive."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Final

import typer

from kcl_py.cli.table_view import TableView
from kcl_py.errors import ConfigError
from kcl_py.shell.clock import SYSTEM_CLOCK

if TYPE_CHECKING:
    from kcl_py.admin.editing import Editor
    from kcl_py.cli.admin_access import Access
    from kcl_py.core.leases.rows import LeaseRow

DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Only say what would be done; change nothing.")
]

LOOK_SECONDS: Final = 0.5
"""Pause between two looks at the table, while liveness is found out."""

NAMED_MAX: Final = 5


def new_editor(access: Access) -> Editor:
    """What changes rows of this application's table."""
    from kcl_py.admin.editing import Editor

    return Editor(
        access.table,
        new_nonce=lambda: f"kcl-repair#{secrets.token_hex(8)}",
        sleep=time.sleep,
    )


def find_row(shard: str, rows: Mapping[str, LeaseRow], app: str) -> LeaseRow:
    """The lease of a shard.

    Raises:
        ConfigError: There is none; near ones are named.
    """
    import difflib

    if shard in rows:
        return rows[shard]
    near = difflib.get_close_matches(shard, list(rows), n=3, cutoff=0.8)
    if near:
        hint = f"did you mean {' or '.join(near)}?"
    else:
        some = ", ".join(sorted(rows)[:NAMED_MAX])
        hint = f"there are {some}" if len(rows) <= NAMED_MAX else f"there are {some}, ..."
    raise ConfigError(f"the application {app} has no lease of {shard}; {hint}")


def watch(access: Access, *, seconds: float | None = None) -> TableView:
    """Look at the table until it is known of every worker whether it lives.

    No clock of a worker is compared with ours: a counter that moves is life, and one that stands
    still for a whole lease duration is death.

    Args:
        access: The application.
        seconds: Look for so long in any case.
    """
    from kcl_py.cli.output import say

    view = TableView()
    begun = SYSTEM_CLOCK.now()
    view.look(begun, access.rows().values())
    patience = view.duration + 2 * LOOK_SECONDS if seconds is None else seconds
    if not view.all_known or seconds is not None:
        say(
            f"watching the table for up to {patience:.0f} s: a worker that was killed cannot say so"
        )
    while SYSTEM_CLOCK.now() - begun < patience:
        if view.all_known and seconds is None:
            break
        time.sleep(LOOK_SECONDS)
        view.look(SYSTEM_CLOCK.now(), access.rows().values())
    return view


def alive(view: TableView) -> list[str]:
    """Workers that live, or of which it is not known."""
    named = {row.key for row in view.workers} | {
        row.actual_owner for row in view.leases if row.actual_owner is not None
    }
    return sorted(worker for worker in named if view.liveness(worker) != "dead")


def names_of(workers: Iterable[str]) -> str:
    """The first of many names."""
    every = list(workers)
    more = len(every) - NAMED_MAX
    return ", ".join(every[:NAMED_MAX]) + (f" and {more} more" if more > 0 else "")
