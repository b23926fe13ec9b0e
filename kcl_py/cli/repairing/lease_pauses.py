"""`kcl leases pause|resume`: let the user code of a shard rest, and go on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Final

import typer

from kcl_py.cli.options import Shared
from kcl_py.cli.repairing.changing import DryRun, find_row, new_editor
from kcl_py.errors import ConfigError

if TYPE_CHECKING:
    from kcl_py.core.leases.rows import LeaseRow
    from kcl_py.core.leases.writes import RowWrite

Shards = Annotated[list[str], typer.Argument(metavar="SHARD...", help="Keys of leases.")]

COLUMNS: Final = ("shard", "owner", "change")


def pause(shared: Shared, *, shards: Shards, dry_run: DryRun = False) -> int:
    """Pause shards: their owners keep them, and no user code of them runs.

    The owner drains with its next renewal, at most a third of the lease duration later. A paused
    shard stays so through restarts, deploys and moves, until `kcl leases resume`; meanwhile it
    falls behind, and the stream keeps its records no longer than others.
    """
    from kcl_py.core.leases import repairs

    def make(row: LeaseRow | None, _nonce: str) -> RowWrite | None:
        if row is None or row.is_finished:
            raise ConfigError("the shard was finished meanwhile; there is nothing to pause")
        return None if row.halted else repairs.halt(row)

    def check(row: LeaseRow) -> str:
        if row.is_finished:
            raise ConfigError(f"{row.key} is finished; there is nothing to pause")
        return "is paused already" if row.halted else "pause"

    return _change(shared, shards, check, make, "paused", dry_run=dry_run)


def resume(shared: Shared, *, shards: Shards, dry_run: DryRun = False) -> int:
    """Let paused shards go on, whether somebody paused them or too many errors did.

    The owner sees it with its next renewal; what failed is tried as often as at first.
    """
    from kcl_py.core.leases import repairs

    def make(row: LeaseRow | None, _nonce: str) -> RowWrite | None:
        is_paused = row is not None and (row.halted or row.paused)
        return repairs.resume(row) if row is not None and is_paused else None

    def check(row: LeaseRow) -> str:
        return "resume" if row.halted or row.paused else "is not paused"

    return _change(shared, shards, check, make, "resumed", dry_run=dry_run)


def _change(
    shared: Shared,
    shards: list[str],
    check: Callable[[LeaseRow], str],
    make: Callable[[LeaseRow | None, str], RowWrite | None],
    done: str,
    *,
    dry_run: bool,
) -> int:
    from kcl_py.cli.looking.access import lease_rows, open_access
    from kcl_py.cli.output import print_rows, say

    access = open_access(shared)
    every = access.rows()
    access.application(every)
    rows = lease_rows(every)
    wanted = [find_row(shard, rows, access.table.name) for shard in dict.fromkeys(shards)]
    changes = {row.key: check(row) for row in wanted}
    editor = new_editor(access)
    facts: list[dict[str, object]] = []
    try:
        for row in wanted:
            change = changes[row.key]
            if not dry_run and not change.startswith("is "):
                edited = editor.edit(row, make)
                change = done if edited.is_new else f"was {done} already"
            facts.append({"shard": row.key, "owner": row.actual_owner, "change": change})
    finally:
        # Also what was done before a change failed.
        print_rows(shared, facts, COLUMNS, f"leases of {access.table.name}")
    if dry_run:
        say("nothing was changed")
    return 0
