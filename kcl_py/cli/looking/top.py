"""`kcl top`: what does an application do at this moment? A board that is drawn again and again."""

from __future__ import annotations

import contextlib
import sys
import time
from typing import TYPE_CHECKING, Final

from kcl_py.cli.looking.watching import PASSING, patience_of
from kcl_py.cli.options import Output, Shared

if TYPE_CHECKING:
    from kcl_py.cli.looking.access import Access, StreamAccess
    from kcl_py.cli.looking.table_view import TableView
    from kcl_py.cli.looking.top_picture import Looks

DRAW_SECONDS: Final = 1.0
"""Between two looks at the table: liveness needs beats that come every third of a duration."""

LAG_SECONDS: Final = 5.0
"""Between two looks at lags; each is one of the five reads a second that a shard allows to all."""

SHARDS_PER_ROUND: Final = 200
"""So many shards are looked at in one round; a round of more takes as much longer."""


def top(shared: Shared) -> int:
    """Show workers, shards and lags, live, until Ctrl-C.

    Looks at the lease table every second and at lags every five, which takes one read of each
    shard, from the limits that its consumers share. Without a terminal, and with -o json or jsonl,
    it looks until it is known who lives, and writes that once.
    """
    from kcl_py.cli.looking.access import open_access
    from kcl_py.cli.looking.table_view import TableView
    from kcl_py.cli.looking.top_picture import Looks

    access = open_access(shared)
    stream = access.stream(access.application(access.rows()))
    view, looks = TableView(), Looks()
    if shared.form is not Output.TABLE or not sys.stdout.isatty():
        return _once(shared, access, stream, view, looks)
    return _live(shared, access, stream, view, looks)


def _once(
    shared: Shared, access: Access, stream: StreamAccess, view: TableView, looks: Looks
) -> int:
    from kcl_py.cli.looking.top_picture import picture
    from kcl_py.cli.output import console, print_json, print_jsonl

    began = time.monotonic()
    _look(view, access)
    looks.see_checkpoints(began, view.lease_facts())
    patience = patience_of(shared, view.duration + DRAW_SECONDS)
    while not view.all_known and time.monotonic() - began < patience:
        time.sleep(DRAW_SECONDS)
        with contextlib.suppress(*PASSING):
            _look(view, access)
            looks.see_checkpoints(time.monotonic(), view.lease_facts())
    _look_at_lags(view, stream, looks)
    if shared.form is Output.TABLE:
        drawn = picture(access.table.name, view, looks, time.monotonic())
        console(shared, sys.stdout).print(drawn)
    else:
        leases = [
            {**row, "lag": looks.lags.get(str(row["lease_key"]))} for row in view.lease_facts()
        ]
        if shared.form is Output.JSONL:
            print_jsonl(leases)
        else:
            print_json({"lag": looks.longest, "workers": view.worker_facts(), "leases": leases})
    return 0


def _live(
    shared: Shared, access: Access, stream: StreamAccess, view: TableView, looks: Looks
) -> int:
    from rich.live import Live

    from kcl_py.cli.looking.top_picture import picture
    from kcl_py.cli.output import console

    ends = None if shared.timeout_seconds is None else time.monotonic() + shared.timeout_seconds
    lags_at = float("-inf")
    out = console(shared, sys.stdout)
    try:
        with Live(console=out, screen=True, auto_refresh=False) as live:
            while ends is None or time.monotonic() < ends:
                is_due = time.monotonic() - lags_at >= _lag_pause(view)
                lags_at = time.monotonic() if is_due else lags_at
                look_again(view, access, stream if is_due else None, looks)
                live.update(picture(access.table.name, view, looks, time.monotonic()), refresh=True)
                time.sleep(DRAW_SECONDS)
    except KeyboardInterrupt:
        pass  # how a board ends
    return 0


def look_again(view: TableView, access: Access, stream: StreamAccess | None, looks: Looks) -> None:
    """Look once more; without an answer the board stays as it was, and says so.

    Args:
        stream: For the lags; None: it is not their time.
    """
    try:
        _look(view, access)
        if stream is not None:
            _look_at_lags(view, stream, looks)
    except PASSING as error:
        looks.trouble = str(error)
    else:
        looks.trouble = None


def _look(view: TableView, access: Access) -> None:
    view.look(time.monotonic(), access.rows().values())


def _look_at_lags(view: TableView, stream: StreamAccess, looks: Looks) -> None:
    from kcl_py.admin.lag import places
    from kcl_py.cli.looking.lag import look_at_all

    rows = {row.key: row for row in view.leases}
    looks.see_lags(look_at_all(stream.peeker, places(rows, stream.shards())))


def _lag_pause(view: TableView) -> float:
    return LAG_SECONDS * max(1.0, len(view.leases) / SHARDS_PER_ROUND)
