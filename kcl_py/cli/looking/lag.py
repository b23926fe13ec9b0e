"""`kcl lag`: how far behind the stream is an application, as its checkpoints say?"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Final, cast

import typer

from kcl_py._words import counted
from kcl_py.cli.options import Output, Shared
from kcl_py.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kcl_py.admin.lag import Place, ShardLag, Total
    from kcl_py.aws.peeking import Peeker

COLUMNS: Final = ("shard", "lag", "waiting", "stage", "checkpoint", "prepared", "trouble")

THREADS_MAX: Final = 8


def lag(
    shared: Shared,
    *,
    most: Annotated[
        str | None,
        typer.Option("--max", metavar="TIME", help="Return 1 if any shard is further behind."),
    ] = None,
) -> int:
    """Show how far behind each shard's checkpoint is, without a worker.

    The lag is the age of the first record behind the checkpoint, which trails what is processed by
    up to a third of the lease duration. Reads one record of each shard, and shares its limits with
    the workers. Returns 1 beyond --max; else 3 if the lag of some shard could not be found out.
    """
    from kcl_py.admin.lag import add_up, places
    from kcl_py.cli.looking.access import lease_rows, open_access

    limit = None if most is None else _seconds(most)
    access = open_access(shared)
    every = access.rows()
    stream = access.stream(access.application(every))
    rows = lease_rows(every)
    wanted = places(rows, stream.shards())
    lags = look_at_all(stream.peeker, wanted)
    total = add_up(lags, rows)
    _show(shared, lags, total)
    return _verdict(total, limit)


def look_at_all(peeker: Peeker, wanted: Iterable[Place]) -> list[ShardLag]:
    """Find out the lags of many shards, some at a time."""
    with ThreadPoolExecutor(THREADS_MAX, thread_name_prefix="kcl-lag") as pool:
        return list(pool.map(lambda place: look(peeker, place), wanted))


def look(peeker: Peeker, place: Place) -> ShardLag:
    """Find out the lag of one shard."""
    from kcl_py.admin.lag import FROM_OLDEST, ShardLag
    from kcl_py.core.events import Failure, FailureKind

    seen = peeker.peek(place.shard_id, place.start)
    trouble = None
    is_refused = isinstance(seen, Failure) and seen.kind is FailureKind.INVALID
    if is_refused and place.start.sequence_number is not None:
        # A worker would go on with the oldest record, and say that others may be lost.
        trouble = "the stream has forgotten its checkpoint; records may be lost"
        seen = peeker.peek(place.shard_id, FROM_OLDEST)
    if isinstance(seen, Failure):
        said = f"{seen.action}: {seen.message}"
        return ShardLag(place=place, seconds=None, trouble=said)
    return ShardLag(
        place=place,
        seconds=round(seen.lag, 3),
        is_waiting=seen.sequence_number is not None or seen.behind > 0,
        trouble=trouble,
    )


def _verdict(total: Total, limit: float | None) -> int:
    from kcl_py.admin.troubles import Unknown
    from kcl_py.cli.errors import ExitCode
    from kcl_py.cli.output import say

    if limit is not None and total.seconds is not None and total.seconds > limit:
        say(f"the lag is {total.seconds:g} s, more than {limit:g} s")
        return ExitCode.CHECK_FAILED
    if total.unknown:
        raise Unknown(
            f"the lag of {counted(total.unknown, 'shard')} could not be found out; the column "
            "trouble says why"
        )
    return ExitCode.OK


def _show(shared: Shared, lags: list[ShardLag], total: Total) -> None:
    import sys

    from kcl_py.cli.output import console, make_table, print_json, print_jsonl, say

    rows = [_facts(each) for each in lags]
    if shared.form is Output.JSON:
        print_json({"total": asdict(total), "shards": rows})
    elif shared.form is Output.JSONL:
        print_jsonl(rows)
    else:
        table = make_table(rows, COLUMNS, f"lag of {shared.app}, seconds")
        console(shared, sys.stdout).print(table)
        known = "unknown" if total.seconds is None else f"{total.seconds:.1f} s"
        say(f"total: {known}; {counted(len(lags), 'shard')}, {total.finished} finished")


def _facts(each: ShardLag) -> dict[str, object]:
    place = each.place
    return {
        "shard": place.shard_id,
        "lag": each.seconds,
        "waiting": each.is_waiting,
        "stage": place.stage,
        "checkpoint": place.checkpoint,
        "prepared": place.prepared,
        "trouble": each.trouble,
    }


def _seconds(text: str) -> float:
    from kcl_py.settings import parse_setting

    try:
        return cast("float", parse_setting("stop_grace", text))
    except ConfigError:
        raise ConfigError(f"--max {text} is not allowed; use a duration, as 60 or 5m") from None
