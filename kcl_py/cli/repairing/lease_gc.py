"""`kcl leases gc`: delete the rows that nobody needs any more."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from kcl_py._words import counted
from kcl_py.cli.errors import ExitCode, OutOfTime
from kcl_py.cli.options import Shared
from kcl_py.cli.repairing.changing import DryRun

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kcl_py.admin.cleaning import Rubbish

COLUMNS: Final = ("row", "why", "done")


def gc(shared: Shared, *, dry_run: DryRun = False) -> int:
    """Delete tombstones of forgotten shards, and rows of dead workers; asks before.

    Workers do the same by themselves, later. To be sure it looks for a minute for shards that the
    stream no longer lists, and for ten lease durations at workers that do not move. A lease that is
    not finished is never deleted.
    """
    from kcl_py.admin.cleaning import Cleaning, delete
    from kcl_py.cli.looking.access import open_access
    from kcl_py.cli.output import say
    from kcl_py.cli.streams.access import confirm
    from kcl_py.shell.clock import SYSTEM_CLOCK

    access = open_access(shared)
    stream = access.stream(access.application(access.rows()))
    cleaning = Cleaning(
        rows=access.rows,
        shard_ids=lambda: [shard.shard_id for shard in stream.shards()],
        now=SYSTEM_CLOCK.now,
        sleep=time.sleep,
    )
    cleaning.begin()
    _tell_left_alone(cleaning.left_alone())
    if dry_run:
        _show(shared, [(each, False) for each in cleaning.candidates()])
        say(f"nothing was deleted; to be sure takes {cleaning.patience():.0f} s of looking")
        return ExitCode.OK
    patience = cleaning.patience()
    if not patience:
        say("there is nothing to delete")
        return ExitCode.OK
    if shared.timeout_seconds is not None and shared.timeout_seconds < patience:
        raise OutOfTime(f"to be sure takes {patience:.0f} s; --timeout {shared.timeout} is less")
    most = counted(len(cleaning.candidates()), "row")
    if not confirm(shared, f"Delete up to {most} of {access.table.name}?"):
        say("nothing was deleted")
        return ExitCode.REFUSED
    say(f"looking at the table for {patience:.0f} s: who lives shows it meanwhile")
    cleaning.watch(patience)
    found = cleaning.find()
    _show(shared, [(each, delete(access.table.write, each, time.sleep)) for each in found])
    return ExitCode.OK


def _tell_left_alone(rows: Iterable[object]) -> None:
    from kcl_py.cli.output import say

    count = len(list(rows))
    if count:
        say(
            f"not finished though the stream has forgotten its shard: {counted(count, 'lease')}; "
            "records were lost to retention; a worker finds out and ends such leases"
        )


def _show(shared: Shared, rubbish: list[tuple[Rubbish, bool]]) -> None:
    from kcl_py.cli.output import print_rows

    rows = [{"row": each.row.key, "why": each.why, "done": done} for each, done in rubbish]
    print_rows(shared, rows, COLUMNS, f"rows of {shared.app} that nobody needs")
