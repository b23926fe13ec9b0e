"""`kcl checkpoint reset`: let an application begin again at another place."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from kcl_py._words import counted
from kcl_py.cli.looking.watching import alive, watch
from kcl_py.cli.options import Shared
from kcl_py.cli.repairing.changing import DryRun, find_row, names_of, new_editor
from kcl_py.errors import ConfigError, LeaseTableError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import TypeAlias

    from kcl_py.admin.resetting import Change, Place
    from kcl_py.cli.looking.access import Access, StreamAccess
    from kcl_py.core.leases.rows import LeaseRow
    from kcl_py.streams.start import Beginning

    Rows: TypeAlias = Mapping[str, LeaseRow]
    Plan: TypeAlias = Callable[[Rows], Sequence[Change]]

COLUMNS: Final = ("shard", "before", "after", "effect", "done")

SINCE_SLACK: Final = 60.0
"""Seconds by which the listing of shards begins before a time; one too many ends at once."""

Fence = Annotated[
    bool,
    typer.Option("--fence", help="Take the leases away from workers that are alive; see above."),
]


def reset(
    shared: Shared,
    *,
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="PLACE",
            help="earliest, latest, 2026-11-21T10:00Z, -15m, at:SEQ/SUB or after:SEQ/SUB.",
        ),
    ],
    shard: Annotated[
        str | None, typer.Option("--shard", metavar="SHARD", help="Only this one; else all.")
    ] = None,
    fence: Fence = False,
    dry_run: DryRun = False,
) -> int:
    """Let an application begin again at another place; asks before.

    Shows for each lease whether that repeats records or skips some. Finished shards that the stream
    still keeps are read again, parents before children. Refuses with 4 while workers are alive,
    unless --fence is given: then every lease is taken away from its worker, whose user code learns
    of it at its fence, and after the lease duration the workers go on at the new place. Works by
    conditional writes only; done again after an interruption it completes what is left.
    """
    from kcl_py.cli.looking.access import lease_rows, open_access

    beginning = _asked_for(to, shard)
    access = open_access(shared)
    every = access.rows()
    application = access.application(every)
    if not application.initial_sync_done:
        raise LeaseTableError(
            f"the application {access.table.name} has not begun completely; run a worker first"
        )
    rows = lease_rows(every)
    if shard is not None:
        find_row(shard, rows, access.table.name)
    stream = access.stream(application)
    plan = _planner(stream, beginning, shard)
    return carry_out(access, plan, rows, stream, what=to, fence=fence, dry_run=dry_run)


def _asked_for(to: str, only: str | None) -> Beginning:
    """Read `--to`, before anything is asked of anybody.

    Raises:
        ConfigError: It is no place, or one in a shard that is not named.
    """
    from kcl_py.streams.start import SPELLINGS, beginning_of

    try:
        beginning = beginning_of(to)
    except ConfigError:
        raise ConfigError(f"--to {to!r} is no place to begin; use {SPELLINGS}") from None
    if beginning.is_position and only is None:
        raise ConfigError(f"--to {to} is a place in one shard; give --shard too")
    return beginning


def carry_out(
    access: Access,
    plan: Plan,
    rows: Rows,
    stream: StreamAccess,
    *,
    what: str,
    fence: bool,
    dry_run: bool,
) -> int:
    """Show what would become of each lease, ask, and do it.

    Raises:
        Unsafe: Workers are alive, or were alive after all.
    """
    from kcl_py.cli.errors import ExitCode
    from kcl_py.cli.output import say
    from kcl_py.cli.streams.access import confirm

    changes = plan(rows)
    facts = {change.key: _facts(change, stream) for change in changes}
    if not facts:
        say("there is nothing to change")
        return ExitCode.OK
    if dry_run:
        _show(access, facts)
        say("nothing was changed")
        return ExitCode.OK
    if not fence:
        _refuse_if_alive(access)
    skipping = [key for key, fact in facts.items() if str(fact["effect"]).startswith("skips")]
    warning = f" Records of {names_of(skipping)} will be skipped." if skipping else ""
    asked = f"Set {counted(len(facts), 'lease')} of {access.table.name} to {what}?{warning}"
    if not confirm(access.shared, asked):
        say("nothing was changed")
        return ExitCode.REFUSED
    try:
        _apply(access, plan, changes, rows, facts, fence=fence)
    finally:
        _show(access, facts)
    say("workers take these leases once they have seen them stand still for a lease duration")
    return ExitCode.OK


def _refuse_if_alive(access: Access) -> None:
    from kcl_py.admin.troubles import Unsafe

    living = alive(watch(access))
    if living:
        raise Unsafe(
            f"workers are alive, or not known to be dead ({names_of(living)}); stop them, or give "
            "--fence to take the leases away from them"
        )


def _apply(
    access: Access,
    plan: Plan,
    changes: Sequence[Change],
    rows: Rows,
    facts: dict[str, dict[str, Any]],
    *,
    fence: bool,
) -> None:
    """Do it, and note in the facts what was done."""
    from kcl_py.admin.applying import Applying
    from kcl_py.cli.looking.access import lease_rows
    from kcl_py.shell.clock import SYSTEM_CLOCK

    applying = Applying(
        editor=new_editor(access),
        floor=int(SYSTEM_CLOCK.wall() * 1000),
        duration=access.config.leases.duration,
    )

    def note(change: Change) -> None:
        facts.setdefault(change.key, _facts(change, None))["done"] = True

    if fence:
        applying.apply_fencing(lambda: lease_rows(access.rows()), plan, note)
        return
    for change in applying.apply(changes, rows):
        note(change)


# ---------------------------------------------------------------------------------------- deciding


def _planner(stream: StreamAccess, beginning: Beginning, only: str | None) -> Plan:
    """Resolve the place once; what becomes of each lease is decided anew as often as needed."""
    from kcl_py.admin.resetting import plan_reset

    listed, server_time = stream.listing()
    if only is not None and only not in {each.shard_id for each in listed}:
        raise ConfigError(
            f"the stream has forgotten {only} and all records of it; there is nothing to begin with"
        )
    place = _place(stream, beginning, only, server_time)

    def plan(rows: Rows) -> Sequence[Change]:
        every = {each.shard_id: each for each in stream.shards()}
        needed = every
        if place.time is not None and only is None:
            since = stream.shards(place.time - SINCE_SLACK)
            needed = {each.shard_id: each for each in since}
        return plan_reset(place, rows, (every | needed).values(), needed.keys(), only=only).changes

    return plan


def _place(
    stream: StreamAccess, beginning: Beginning, only: str | None, server_time: float
) -> Place:
    """Resolve a place: times by the clock of the service, positions by what is in the shard."""
    from kcl_py.admin.resetting import Place
    from kcl_py.core.leases.rows import Sentinel
    from kcl_py.streams.start import time_of

    time = time_of(beginning, server_time)
    if beginning.kind == "earliest":
        return Place(Sentinel.TRIM_HORIZON)
    if beginning.kind == "latest":
        # As workers resolve LATEST: the Date header counts whole seconds.
        return Place(Sentinel.LATEST, server_time - 1.0)
    if time is not None:
        return Place(Sentinel.AT_TIMESTAMP, time)
    assert only is not None
    return _position(stream, only, beginning)


def _position(stream: StreamAccess, shard: str, beginning: Beginning) -> Place:
    from kcl_py.admin.resetting import Place
    from kcl_py.aws.neighbours import find_neighbours
    from kcl_py.core.events import Failure, FailureKind
    from kcl_py.core.leases.rows import Sentinel
    from kcl_py.records import Position
    from kcl_py.streams.troubles import error_of

    number, sub = beginning.sequence_number, beginning.sub
    found = find_neighbours(stream.decoding_reader(), shard, number)
    is_invalid = isinstance(found, Failure) and found.kind is FailureKind.INVALID
    if found is None or is_invalid:
        raise ConfigError(
            f"{shard} has no record {number}, or not any more; kcl tail {shard} shows what it has"
        )
    if isinstance(found, Failure):
        raise error_of(found, shard)
    if beginning.kind == "after":
        return Place(found.last if sub is None else Position(number, sub))
    if sub:
        return Place(Position(number, sub - 1))
    if found.before is not None:
        return Place(found.before)
    return Place(Sentinel.AT_TIMESTAMP, found.arrived_at)


# ----------------------------------------------------------------------------------------- showing


def _facts(change: Change, stream: StreamAccess | None) -> dict[str, Any]:
    row = change.before
    return {
        "shard": change.key,
        "before": "no lease" if row is None else place_text(row.checkpoint, row.start_at),
        "after": place_text(change.anew.checkpoint, change.anew.start_at),
        "effect": _effect(change, stream),
        "owner": None if row is None else row.actual_owner,
        "done": False,
    }


def _effect(change: Change, stream: StreamAccess | None) -> str:
    """Say what is repeated or skipped; looks into the shard where only that can tell.

    Args:
        change: What becomes of a lease.
        stream: None: there is no time to look, for workers take leases meanwhile.
    """
    from kcl_py.admin.lag import start_of
    from kcl_py.admin.resetting import direction
    from kcl_py.core.events import Failure

    row = change.before
    if row is None:
        return "begins"
    if row.is_finished:
        return "read again"
    arrived_at, is_known = None, stream is not None
    if change.anew.start_at is not None and stream is not None:
        seen = stream.peeker.peek(change.key, start_of(row))
        is_known = not isinstance(seen, Failure) and (
            seen.arrived_at is not None or seen.behind == 0.0
        )
        arrived_at = None if isinstance(seen, Failure) else seen.arrived_at
    found = direction(change, arrived_at, is_known=is_known)
    if found == "forward" and arrived_at is not None:
        return f"skips what arrived from {time_text(arrived_at)} on"
    return {
        "back": "repeats",
        "forward": "skips",
        "same": "as before",
        "unknown": "skips or repeats: not known",
    }[found]


def _show(access: Access, facts: Mapping[str, dict[str, Any]]) -> None:
    from kcl_py.cli.output import print_rows

    print_rows(access.shared, list(facts.values()), COLUMNS, f"checkpoints of {access.table.name}")


def place_text(checkpoint: object, start_at: float | None) -> str:
    """A checkpoint for eyes."""
    return str(checkpoint) if start_at is None else f"{checkpoint} {time_text(start_at)}"


def time_text(at: float) -> str:
    """A time as the command line spells it."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
