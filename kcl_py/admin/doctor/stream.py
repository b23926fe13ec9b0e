"""Can the stream be read as a worker reads it, and how long does it keep what waits?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from kcl_py._words import counted
from kcl_py.admin.doctor.evidence import Evidence
from kcl_py.admin.doctor.findings import Finding, ok, problem, some, unknown, warning
from kcl_py.core.events import Failure, FailureKind

RETENTION_SHARE_WARNED: Final = 0.5
RETENTION_SHARE_MAX: Final = 0.9
"""Shares of the retention that a lag may reach before somebody should look, or must act."""

LIMIT_SHARE_WARNED: Final = 0.9


def check_stream(evidence: Evidence) -> list[Finding]:
    """Say what the stream is; name what keeps workers from reading it in order."""
    seen = evidence.stream
    if isinstance(seen, Failure):
        return _not_seen(evidence.stream_name, seen)
    if seen is None:
        return []
    status = str(seen.get("StreamStatus"))
    found = []
    if status == "DELETING":
        found.append(problem("stream", f"{evidence.stream_name} is being deleted", "name another"))
    elif status == "CREATING":
        found.append(
            warning("stream", f"{evidence.stream_name} is being created", "workers wait for it")
        )
    else:
        mode = (seen.get("StreamModeDetails") or {}).get("StreamMode", "PROVISIONED")
        shards = counted(int(seen.get("OpenShardCount") or 0), "open shard")
        says = f"{evidence.stream_name} is {status}, {mode}, {shards}, kept {_hours(seen):g} h"
        found.append(ok("stream", says))
    if seen.get("RecordDistributionStrategy") == "AUTO":
        found.append(
            warning(
                "partition keys",
                f"{evidence.stream_name} ignores partition keys (RecordDistributionStrategy AUTO)",
                "records of one key are in no order; if order matters, set USER_PARTITION_KEY by "
                "UpdateStreamRecordDistributionStrategy",
            )
        )
    return found


def check_limits(evidence: Evidence) -> list[Finding]:
    """Say when the account runs out of shards."""
    count = evidence.shard_count
    if count is None or count.used < LIMIT_SHARE_WARNED * count.allowed:
        return []
    return [
        warning(
            "shard limit",
            f"{count.used} of {count.allowed} shards of this account and region are in use",
            "ask for more before the next split (Service Quotas, shards per region)",
        )
    ]


def check_retention(evidence: Evidence) -> list[Finding]:
    """Compare how far behind the application is with how long records are kept."""
    seen = evidence.stream
    if evidence.lags_failure is not None:
        return [unknown("lag", str(evidence.lags_failure), "`kcl lag` says more")]
    if not isinstance(seen, Mapping) or not evidence.lags:
        return []
    kept = _hours(seen) * 3600
    found = [
        problem(
            "forgotten checkpoint",
            f"{lag.place.shard_id}: {lag.trouble}",
            "nothing brings them back; the worker goes on with the oldest record that is left",
        )
        for lag in evidence.lags
        if lag.trouble and lag.seconds is not None
    ]
    unseen = [lag.place.shard_id for lag in evidence.lags if lag.seconds is None]
    if unseen:
        found.append(unknown("lag", f"not known for {some(unseen)}", "`kcl lag` says why"))
    known = [(lag.seconds, lag.place.shard_id) for lag in evidence.lags if lag.seconds is not None]
    longest, where = max(known, default=(0.0, ""))
    way_out = (
        f"keep records longer now (`kcl stream retention 168h --stream {evidence.stream_name}`), "
        "then add workers or find out what is slow"
    )
    says = f"{where} is {longest / 3600:.1f} h behind, and records are kept {kept / 3600:g} h"
    if longest >= RETENTION_SHARE_MAX * kept:
        found.append(problem("retention", f"{says}: they will be lost", way_out))
    elif longest >= RETENTION_SHARE_WARNED * kept:
        found.append(warning("retention", says, way_out))
    elif known:
        found.append(ok("retention", f"at most {longest:.0f} s behind of {kept / 3600:g} h kept"))
    return found


def _not_seen(name: str, failure: Failure) -> list[Finding]:
    if failure.kind is FailureKind.GONE:
        return [
            problem(
                "stream",
                f"there is no stream {name} in this account and region",
                f"check name, --region and --profile, or `kcl stream create {name} --wait`",
            )
        ]
    if failure.kind is FailureKind.DENIED:
        return []  # among the rights already
    return [unknown("stream", f"{failure.action}: {failure.message}", "check network and endpoint")]


def _hours(summary: Mapping[str, Any]) -> float:
    return float(summary.get("RetentionPeriodHours") or 24)
