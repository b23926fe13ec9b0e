"""Which workers of an application live? Found out by looking at its table until it is known."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Final

from kcl_py.cli.looking.table_view import TableView
from kcl_py.cli.output import say
from kcl_py.errors import Throttled, Unavailable
from kcl_py.shell.clock import SYSTEM_CLOCK

if TYPE_CHECKING:
    from kcl_py.cli.looking.access import Access
    from kcl_py.cli.options import Shared

PASSING: Final = (Throttled, Unavailable)
"""One look without an answer: the next may have one."""

LOOK_SECONDS: Final = 0.5
"""Pause between two looks at the table, while liveness is found out."""


def patience_of(shared: Shared, seconds: float) -> float:
    """Return how long to look: so many seconds, and no longer than `--timeout`."""
    limit = shared.timeout_seconds
    return seconds if limit is None else min(seconds, limit)


def watch(access: Access, *, seconds: float | None = None) -> TableView:
    """Look at the table until it is known of every worker whether it lives.

    No clock of a worker is compared with ours: a counter that moves is life, and one that stands
    still for a whole lease duration is death.

    Args:
        access: The application.
        seconds: Look for so long in any case.
    """
    view = TableView()
    begun = SYSTEM_CLOCK.now()
    view.look(begun, access.rows().values())
    wanted = view.duration + 2 * LOOK_SECONDS if seconds is None else seconds
    patience = patience_of(access.shared, wanted)
    if not view.all_known or seconds is not None:
        say(
            f"watching the table for up to {patience:.0f} s: a worker that was killed cannot say so"
        )
    while SYSTEM_CLOCK.now() - begun < patience:
        if view.all_known and seconds is None:
            break
        time.sleep(LOOK_SECONDS)
        # Without an answer nobody is called dead: that takes a look after the whole duration.
        with contextlib.suppress(*PASSING):
            view.look(SYSTEM_CLOCK.now(), access.rows().values())
    return view


def alive(view: TableView) -> list[str]:
    """Workers that live, or of which it is not known."""
    named = {row.key for row in view.workers} | {
        row.actual_owner for row in view.leases if row.actual_owner is not None
    }
    return sorted(worker for worker in named if view.liveness(worker) != "dead")
