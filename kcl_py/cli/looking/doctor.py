"""`kcl doctor`: what is wrong with an application, and what is the way out?"""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Final, cast

import typer

from kcl_py._words import counted
from kcl_py.cli.options import Output, Shared
from kcl_py.core.leases.rows import PLACEHOLDER_OWNER
from kcl_py.errors import ConfigError, KclError

if TYPE_CHECKING:
    from kcl_py.admin.doctor import Evidence, Finding
    from kcl_py.aws.probing import Prober
    from kcl_py.cli.looking.access import Access
    from kcl_py.cli.looking.table_view import TableView

COLUMNS: Final = ("check", "level", "says", "way_out")
LOOK_SECONDS: Final = 0.5
SPARE_SECONDS: Final = 1.0
"""Watched beyond the lease duration, after which a counter that stands still is one of the dead."""

RATE_SECONDS_MIN: Final = 2.0
"""Over less than this a reading of two clocks tells nothing of a thousandth."""


def doctor(
    shared: Shared,
    *,
    watch: Annotated[
        str | None,
        typer.Option(
            "--watch",
            metavar="TIME",
            help="How long to watch counters; by default until sure; 0s: not at all.",
        ),
    ] = None,
) -> int:
    """Examine an application: rights, clocks, stream, table, workers, leases, lag; change nothing.

    Tries each call that a worker makes, in ways that change nothing, and watches the lease table
    for a lease duration. Returns 1 if there is a problem, or if something could not be found out.
    With --watch 0s it does not ask who lives, and says that it has not.
    """
    from kcl_py.admin.doctor import examine

    seconds = None if watch is None else _seconds(watch)
    findings = examine(_gather(shared, seconds))
    _show(shared, findings)
    return _verdict(findings)


def _gather(shared: Shared, seconds: float | None) -> Evidence:
    from kcl_py.admin.doctor import Evidence
    from kcl_py.aws.names import parse_stream

    config = shared.worker_config()
    app, stream = shared.needed_app(), parse_stream(shared.needed_stream())
    facts: dict[str, Any] = {
        "app_name": app,
        "table_name": config.table.name or app,
        "stream_name": stream.name,
        "may_create": config.table.create,
    }
    try:
        prober = _prober(shared, facts["table_name"])
    except KclError as error:
        return Evidence(stopped_by=error, **facts)
    facts |= _look_at_stream(prober)
    facts |= _look_at_table(shared, prober, seconds)
    return Evidence(**facts)


def _prober(shared: Shared, table_name: str) -> Prober:
    from kcl_py.aws.names import parse_stream
    from kcl_py.aws.probing import Prober
    from kcl_py.cli.looking.access import make_client

    config, address = shared.worker_config(), parse_stream(shared.needed_stream())
    return Prober(
        kinesis=make_client(shared, config, "kinesis", address.region),
        dynamodb=make_client(shared, config, "dynamodb", None),
        stream=address,
        table_name=table_name,
    )


def _look_at_stream(prober: Prober) -> dict[str, Any]:
    from kcl_py.admin.doctor import ShardCount
    from kcl_py.aws.stream import StreamReader
    from kcl_py.core.events import Failure

    seen = prober.stream_summary()
    if isinstance(seen, Failure):
        return {"stream": seen}
    listed = StreamReader(client=prober.kinesis, stream=prober.stream).list_shards()
    shards = None if isinstance(listed, Failure) else listed.shards
    newest = shards[-1].shard_id if shards else "shardId-000000000000"
    prober.try_reading(newest)
    count = prober.shard_limits()
    return {
        "stream": seen,
        "shards": shards,
        "shard_count": None if count is None else ShardCount(*count),
    }


def _look_at_table(shared: Shared, prober: Prober, seconds: float | None) -> dict[str, Any]:
    from kcl_py.admin.doctor import ClockSeen, Right

    table = prober.describe_table()
    facts: dict[str, Any] = {"table": table}
    rate = None
    if isinstance(table, Mapping) and "trouble" not in table:
        prober.try_table(with_index=bool(table["has_index"]))
        watched, rate = _watch(shared, seconds)
        facts |= watched
    not_tried = (("dynamodb:CreateTable", "trying it would make a table"),)
    facts["rights"] = [Right(*each) for each in prober.rights(not_tried)]
    facts["clock"] = ClockSeen(prober.skew, rate)
    return facts


def _watch(shared: Shared, seconds: float | None) -> tuple[dict[str, Any], float | None]:
    """Watch the table's counters until it is sure who lives, and look how far behind they are."""
    from kcl_py.cli.looking.access import open_access
    from kcl_py.cli.looking.table_view import TableView
    from kcl_py.cli.looking.watching import PASSING, patience_of

    began, wall = time.monotonic(), time.time()
    try:
        access = open_access(shared)
        view = TableView()
        _look(view, access)
        wanted = view.duration + SPARE_SECONDS if seconds is None else seconds
        patience = patience_of(shared, wanted)
        while not _is_sure(view) and time.monotonic() - began < patience:
            time.sleep(LOOK_SECONDS)
            with contextlib.suppress(*PASSING):
                _look(view, access)
    except KclError as error:
        return {"rows_failure": error}, None
    # Both at once: what is done between two looks at clocks would pass for a wrong rate.
    watched, passed = time.monotonic() - began, time.time() - wall
    names = {row.key for row in view.workers} | {row.actual_owner for row in view.leases}
    facts: dict[str, Any] = {
        "rows": view.rows,
        "foreign": sorted(view.foreign),
        "watched": watched,
        "is_watched": seconds != 0,
        "liveness": {name: view.liveness(name) for name in names if name is not None},
        **_lags(access, view.rows),
    }
    rate = watched / passed if passed >= RATE_SECONDS_MIN else None
    return facts, rate


def _is_sure(view: TableView) -> bool:
    """Of each owner it is known whether it lives, and no lease waits for one to be seen."""
    is_seized = any(row.actual_owner == PLACEHOLDER_OWNER for row in view.leases)
    return view.all_known and not is_seized


def _look(view: TableView, access: Access) -> None:
    view.look(time.monotonic(), access.rows().values())


def _lags(access: Access, rows: Mapping[str, Any]) -> dict[str, Any]:
    from kcl_py.admin.lag import places
    from kcl_py.cli.looking.access import lease_rows
    from kcl_py.cli.looking.lag import look_at_all
    from kcl_py.cli.looking.watching import PASSING

    try:
        stream = access.stream(access.application(rows))
        wanted = places(lease_rows(rows), stream.shards())
    except PASSING as error:
        return {"lags_failure": error}
    except KclError:
        return {}  # what is wrong is said by the checks of the stream and of the table
    return {"lags": look_at_all(stream.peeker, wanted)}


def _verdict(findings: list[Finding]) -> int:
    from kcl_py.admin.doctor import Level
    from kcl_py.cli.errors import ExitCode
    from kcl_py.cli.output import say

    count = Counter(finding.level for finding in findings)
    is_bad = bool(count[Level.PROBLEM] or count[Level.UNKNOWN])
    things = counted(count[Level.PROBLEM], "problem") if is_bad else "no problem was found"
    for level, what in (
        (Level.UNKNOWN, "could not be found out"),
        (Level.SKIPPED, "not looked at"),
    ):
        if count[level]:
            things += f"; {counted(count[level], 'thing')} {what}"
    say(things)
    return ExitCode.CHECK_FAILED if is_bad else ExitCode.OK


def _show(shared: Shared, findings: list[Finding]) -> None:
    import sys

    from kcl_py.cli.output import console, make_table, print_json, print_jsonl

    rows = [asdict(finding) for finding in findings]
    if shared.form is Output.JSON:
        print_json(rows)
    elif shared.form is Output.JSONL:
        print_jsonl(rows)
    else:
        console(shared, sys.stdout).print(make_table(rows, COLUMNS, f"check-up of {shared.app}"))


def _seconds(text: str) -> float:
    from kcl_py.settings import parse_setting

    try:
        return cast("float", parse_setting("stop_grace", text))
    except ConfigError:
        raise ConfigError(f"--watch {text} is not allowed; use a duration, as 15s") from None
