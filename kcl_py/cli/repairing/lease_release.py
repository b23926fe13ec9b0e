"""`kcl leases release`: let a worker give one lease to another."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Final

import typer

from kcl_py.cli.errors import ExitCode, OutOfTime, nearest
from kcl_py.cli.looking.watching import watch
from kcl_py.cli.options import Shared
from kcl_py.cli.repairing.changing import DryRun, find_row, names_of, new_editor
from kcl_py.errors import ConfigError

if TYPE_CHECKING:
    from kcl_py.cli.looking.access import Access
    from kcl_py.cli.looking.table_view import TableView
    from kcl_py.core.leases.rows import LeaseRow

PATIENCE_SECONDS: Final = 60.0
"""A renewal, a drain of up to `leases.handoff_timeout`, and some."""


def release(
    shared: Shared,
    *,
    shard: Annotated[str, typer.Argument(metavar="SHARD", help="Key of the lease.")],
    to: Annotated[
        str | None,
        typer.Option("--to", metavar="WORKER", help="Who gets it; else who has the fewest."),
    ] = None,
    fence: Annotated[
        bool, typer.Option("--fence", help="Take it away, whether its owner agrees or not.")
    ] = False,
    dry_run: DryRun = False,
) -> int:
    """Let the owner of a shard hand it to another worker, without a gap or a repetition.

    The owner drains as for any other move. It refuses (exit code 4) what would leave it with less
    than its share, and a drain that takes too long. --fence takes the lease away at once: its user
    code learns of it at its fence, records since its checkpoint come again, and some worker,
    perhaps the same, takes it after the lease duration. Later the fleet balances as ever.
    """
    from kcl_py.cli.looking.access import lease_rows, open_access
    from kcl_py.cli.output import say

    access = open_access(shared)
    every = access.rows()
    access.application(every)
    row = find_row(shard, lease_rows(every), access.table.name)
    owner = row.actual_owner
    if row.is_finished:
        raise ConfigError(f"{shard} is finished; there is nothing to release")
    if owner is None or row.is_offered:
        say(f"nobody processes {shard}; a worker takes it by itself")
        return ExitCode.OK
    if fence:
        return _take_away(access, row, dry_run=dry_run)
    view = watch(access)
    if view.liveness(owner) == "dead":
        say(f"{owner} is dead; another worker takes {shard} by itself")
        return ExitCode.OK
    taker = _taker(view, owner, to)
    if dry_run:
        say(f"{owner} would be asked to hand {shard} to {taker}; nothing was changed")
        return ExitCode.OK
    return _hand_over(access, row, owner, taker)


def _taker(view: TableView, owner: str, to: str | None) -> str:
    from kcl_py.admin.releasing import candidates
    from kcl_py.admin.troubles import Unsafe

    live = [row.key for row in view.workers if view.liveness(row.key) == "live"]
    leases = {row.key: row for row in view.leases}
    found = [each.worker_id for each in candidates(view.workers, leases, live, owner)]
    if to is not None and to not in found:
        raise ConfigError(
            f"there is no live worker {to} with room for it, other than its owner"
            + (nearest(to, found) or f"; there are {names_of(found) or 'none'}")
        )
    if not found:
        raise Unsafe(
            f"no other worker could take it from {owner}; --fence takes it away nonetheless"
        )
    return to or found[0]


def _hand_over(access: Access, row: LeaseRow, owner: str, taker: str) -> int:
    from kcl_py.admin.releasing import Handover
    from kcl_py.admin.troubles import Unsafe
    from kcl_py.cli.output import say

    seconds = access.shared.timeout_seconds or PATIENCE_SECONDS
    handover = Handover(
        editor=new_editor(access),
        read=lambda: _read(access, row.key),
        now=time.monotonic,
        sleep=time.sleep,
    )
    say(f"asking {owner} to hand {row.key} to {taker}")
    match handover.run(row, owner=owner, taker=taker, seconds=seconds):
        case "given":
            say(f"{row.key} was handed over")
        case "gone":
            say(f"{row.key} was finished meanwhile")
        case "kept":
            raise Unsafe(
                f"{owner} keeps {row.key}: without it it would have less than its share, or "
                "draining took too long; --fence takes it away nonetheless"
            )
        case _:
            raise OutOfTime(
                f"{owner} has not handed {row.key} over within {seconds:g} s; the request was "
                "withdrawn"
            )
    return ExitCode.OK


def _read(access: Access, key: str) -> LeaseRow | None:
    from kcl_py.admin.troubles import table_error
    from kcl_py.core.leases.rows import LeaseRow
    from kcl_py.errors import Unavailable

    found = access.table.read_rows((key,))
    if found.failure is not None:
        raise table_error(found.failure)
    if not found.rows and not found.absent:
        raise Unavailable("the lease table did not answer for this row; try again")
    row = next(iter(found.rows), None)
    return row if isinstance(row, LeaseRow) else None


def _take_away(access: Access, row: LeaseRow, *, dry_run: bool) -> int:
    from kcl_py.admin.applying import fence
    from kcl_py.cli.output import say
    from kcl_py.cli.streams.access import confirm

    if dry_run:
        say(f"{row.key} would be taken away from {row.actual_owner}; nothing was changed")
        return ExitCode.OK
    question = f"Take {row.key} away from {row.actual_owner}? Records since its checkpoint repeat."
    if not confirm(access.shared, question):
        say("nothing was changed")
        return ExitCode.REFUSED
    for edited in fence(new_editor(access), [row]):
        if edited.is_new:
            say(f"{row.key} was taken away; a worker takes it after the lease duration")
        else:
            say(f"{row.key} was finished meanwhile; there was nothing to take away")
    return ExitCode.OK
