"""`kcl leases`: who has which shard, and is it alive?"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterable
from typing import Annotated, Final

import typer

from kcl_py.cli.looking.table_view import (
    LEASE_COLUMNS,
    STRANGE_COLUMNS,
    WORKER_COLUMNS,
    TableView,
)
from kcl_py.cli.looking.watching import PASSING, patience_of
from kcl_py.cli.options import Output, Shared, refuse_flags_before

LOOK_SECONDS: Final = 0.5
"""Pause between two looks at the table, while liveness is found out."""

WATCH_SECONDS: Final = 2.0
"""Pause between two looks with `--watch`."""


def leases(
    shared: Shared,
    *,
    context: typer.Context,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Go on looking until interrupted.")
    ] = False,
) -> int:
    """Show the lease table: owners, liveness, checkpoints, handoffs and offers.

    A worker counts as live once a counter of its was seen to move, and as dead once all of them
    stood still for a lease duration: so long this looks at most, and no longer than --timeout.
    """
    if context.invoked_subcommand is not None:
        refuse_flags_before(context)
        return 0
    from kcl_py.cli.looking.table_source import open_table

    scan = open_table(shared)
    view = TableView()
    if watch:
        return _watch(shared, view, scan)
    _find_out(shared, view, scan)
    _show(shared, view)
    return 0


def _find_out(shared: Shared, view: TableView, scan: Callable[[TableView], None]) -> None:
    """Look until every owner is known to live or to be dead, as `kcl workers` does."""
    from kcl_py.cli.output import say

    begun = time.monotonic()
    scan(view)
    # Beats and renewals come three times per duration: who is silent for longer may be dead.
    soon = view.duration / 3 + 2 * LOOK_SECONDS
    patience = patience_of(shared, view.duration + 2 * LOOK_SECONDS)
    is_told = False
    while not view.all_known and (passed := time.monotonic() - begun) < patience:
        if passed >= soon and not is_told:
            is_told = True
            say(f"somebody is silent; looking for up to {patience:.0f} s, until that means dead")
        time.sleep(LOOK_SECONDS)
        with contextlib.suppress(*PASSING):
            scan(view)


def _watch(shared: Shared, view: TableView, scan: Callable[[TableView], None]) -> int:
    from kcl_py.cli.output import say

    deadline = shared.timeout_seconds
    begun = time.monotonic()
    live = shared.form is Output.TABLE and sys.stdout.isatty()
    try:
        scan(view)  # who cannot look at all is told so; later one look may be without an answer
        while deadline is None or time.monotonic() - begun < deadline:
            if live:
                sys.stdout.write("\x1b[H\x1b[2J")
            _show(shared, view)
            time.sleep(WATCH_SECONDS)
            try:
                scan(view)
            except PASSING as error:
                say(f"nothing new: {error}")
    except KeyboardInterrupt:
        pass  # How a watch ends.
    return 0


def _show(shared: Shared, view: TableView) -> None:
    from kcl_py.cli.output import console, make_table, print_json, print_jsonl

    if shared.form is Output.JSONL:
        print_jsonl(view.lease_facts())
        return
    if shared.form is Output.JSON:
        print_json(
            {
                "application": view.application_facts(),
                "leases": view.lease_facts(),
                "workers": view.worker_facts(),
                "strange_rows": view.strange_facts(),
            }
        )
        return
    out = console(shared, sys.stdout)
    out.print(make_table(_aged(view.lease_facts()), LEASE_COLUMNS, f"leases of {shared.app}"))
    out.print()
    out.print(make_table(_aged(view.worker_facts()), WORKER_COLUMNS, "workers"))
    if view.strange:
        out.print()
        out.print(make_table(view.strange_facts(), STRANGE_COLUMNS, "rows that are not ours"))


def _aged(rows: Iterable[dict[str, object]]) -> list[dict[str, object]]:
    """Say of a counter that was not seen to move that its age is at least that."""
    return [row if row["seen_moving"] else {**row, "age": f">= {row['age']}"} for row in rows]
