"""Is the lease table one that leases can live in, and is it this application's?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from kcl_py.admin.doctor.evidence import Evidence
from kcl_py.admin.doctor.findings import Finding, ok, problem, some, unknown, warning
from kcl_py.core.events import Failure, FailureKind
from kcl_py.core.leases.java import find_java

if TYPE_CHECKING:
    from kcl_py.core.leases.rows import StrangeRow

CREATED_AT_TOLERANCE_SECONDS: Final = 1.0


def check_table(evidence: Evidence) -> list[Finding]:
    """Say whether the table is there, and of the right form."""
    seen = evidence.table
    if isinstance(seen, Failure):
        return _not_seen(seen)
    if seen is None:
        return [_missing(evidence)]
    name = evidence.table_name
    status = str(seen.get("TableStatus", "ACTIVE"))
    found = []
    if seen.get("trouble"):
        found.append(problem("table form", str(seen["trouble"]), "choose another --app"))
    if status not in ("ACTIVE", "UPDATING"):
        found.append(problem("table", f"{name} is {status}", "wait until it is ACTIVE"))
    if not seen.get("has_index") and not found:
        found.append(
            warning(
                "index",
                f"{name} has no usable index LeaseOwnerToLeaseKeyIndex",
                "workers scan in its place, which costs more; create it (PROTOCOL of the table: "
                "docs/reference/lease-table.md), or let a worker create a new table",
            )
        )
    if not found:
        found.append(ok("table", f"{name} is {status}, with its index"))
    return found


def check_application(evidence: Evidence) -> list[Finding]:
    """Say whose table this is: a Java KCL's, another stream's, a restored copy, or this one's."""
    if evidence.rows_failure is not None:
        return [unknown("rows", str(evidence.rows_failure), "then nothing can be said of leases")]
    java = find_java(evidence.rows.values())
    if java is not None or evidence.foreign:
        return [_of_java(evidence, java)]
    row = evidence.application
    if row is None:
        if not evidence.rows:
            return []
        return [warning("application", "no worker has started here yet", "start one")]
    table = evidence.table if isinstance(evidence.table, Mapping) else {}
    stream = evidence.stream if isinstance(evidence.stream, Mapping) else {}
    if table.get("TableId") not in (None, row.table_id):
        return [
            problem(
                "restored table",
                f"{evidence.table_name} was restored from a backup: fencing tokens went back",
                "choose another --app, or delete the table to start anew",
            )
        ]
    if stream and stream.get("StreamARN") != row.stream_arn:
        return [
            problem(
                "another stream",
                f"{evidence.table_name} belongs to {row.stream_arn}",
                "choose another --app for this stream",
            )
        ]
    if stream and _was_made_anew(stream, row.stream_created_at):
        return [
            problem(
                "stream made anew",
                f"{evidence.stream_name} is not the stream whose checkpoints these are: it was "
                "deleted and created again",
                "choose another --app, or delete the table",
            )
        ]
    return [ok("application", f"{evidence.app_name} reads {row.stream_arn}")]


def check_rows(evidence: Evidence) -> list[Finding]:
    """Name rows that cannot be read."""
    strange = [row for row in evidence.strange if not row.is_java]
    if not strange:
        return []
    return [
        warning(
            "strange rows",
            f"{some([row.key for row in strange])}: {strange[0].why}",
            "workers leave them alone; if nobody else needs them, delete them",
        )
    ]


def _of_java(evidence: Evidence, row: StrangeRow | None) -> Finding:
    """Say what shows it, and whether Java workers are at it now, as far as it was watched."""
    says = [] if row is None else [f"the row {row.key!r} is {row.why}"]
    if evidence.foreign:
        leases = some(list(evidence.foreign))
        says.append(f"{leases}: renewed just now by somebody who is no worker of kcl_py")
    return problem(
        "table of the Java KCL",
        "; ".join(says),
        "workers refuse to start and to go on; choose another --app, or stop the Java workers if "
        "this table is not theirs (how to move: docs/how-to/migrate-from-the-kcl.md)",
    )


def _missing(evidence: Evidence) -> Finding:
    if evidence.may_create:
        return warning(
            "table",
            f"there is no table {evidence.table_name} yet",
            "the first worker creates it (dynamodb:CreateTable); check --app and --region",
        )
    return problem(
        "table",
        f"there is no table {evidence.table_name}, and table.create is off",
        "create it (docs/reference/lease-table.md has its form), or set table.create=true",
    )


def _not_seen(failure: Failure) -> list[Finding]:
    if failure.kind is FailureKind.DENIED:
        return []  # among the rights already
    return [unknown("table", f"{failure.action}: {failure.message}", "check network and endpoint")]


def _was_made_anew(stream: Mapping[str, Any], created_at: float) -> bool:
    now = stream.get("StreamCreationTimestamp")
    return now is not None and abs(now.timestamp() - created_at) >= CREATED_AT_TOLERANCE_SECONDS
