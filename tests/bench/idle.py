"""What does a worker spend while nothing comes? All defaults, over TLS, once it has settled."""

from __future__ import annotations

import time
from collections import defaultdict
from typing import Final

from kcl_py import LeaseConfig
from tests.bench.children import Stub
from tests.bench.figures import Figure, Report, Target
from tests.bench.session import Session
from tests.bench.watched import Watched, all_read, between, settle

SHARDS: Final = (64, 256, 1_000)
CPU: Final = "% of a core"
LEASES: Final = LeaseConfig()
GAP_SECONDS_MAX: Final = LEASES.duration - LEASES.fence_margin
"""The most that may lie between two writes of a lease row before its owner has fenced itself."""

SETTLE_SECONDS: Final = 2 * LEASES.duration / 3
"""After the last shard was read for the first time: two rounds of renewals."""

CPU_MAX: Final = {64: 4.0, 1_000: 50.0}
"""Promised, % of a core."""


def run(session: Session) -> Report:
    """Measure at every number of shards; they differ too much to be run in turns."""
    report = Report(name="idle", title="Idle shards")
    if session.tls is None:
        report.skipped.append("idle shards: openssl, which makes the certificate, is not here")
        return report
    for shards in SHARDS:
        found: dict[str, list[float]] = defaultdict(list)
        for number in range(1 if session.quick else 2):
            session.say(f"idle {shards} shards, round {number + 1}")
            for what, value in _measure(session, shards).items():
                found[what].append(value)
        _add(report, shards, {what: tuple(values) for what, values in found.items()})
    return report


def _measure(session: Session, shards: int) -> dict[str, float]:
    with (
        Stub(session.tls, shards=shards) as stub,
        Watched("count", "idle", stub.environment) as worker,
    ):
        settle([worker], all_read(shards), 1.0 if session.quick else SETTLE_SECONDS)
        stub.forget()
        stub_cpu = stub.cpu()
        first = worker.look()
        time.sleep(6.0 if session.quick else 20.0)
        last = worker.look()
        stub_cpu = stub.cpu() - stub_cpu
        gaps = stub.gaps()
        spent = between(first, last)
        assert last.held == len(gaps) == shards, f"{last.held} of {shards} leases are left"
        return {
            "cpu": spent.percent,
            "gap": max(gaps),
            "late": spent.lost + sum(gap > GAP_SECONDS_MAX for gap in gaps),
            "reads": stub.requests("kinesis", "GetRecords") / spent.wall,
            "writes": stub.requests("dynamodb", "UpdateItem") / spent.wall,
            "stub": stub_cpu / spent.wall * 100,
        }


def _add(report: Report, shards: int, found: dict[str, tuple[float, ...]]) -> None:
    named = f"{shards:,} idle shards"
    report.figures += [
        Figure(what=f"{named}: {what}", unit=unit, samples=found[key])
        for key, what, unit in (
            ("cpu", "CPU of the worker", CPU),
            ("reads", "GetRecords that it sends", "a second"),
            ("writes", "lease and worker rows that it writes", "a second"),
            ("gap", "longest that a lease row waited for its next write", "s"),
            ("stub", "CPU of the server in the other process", CPU),
        )
    ]
    if shards in CPU_MAX:
        report.targets.append(
            Target(
                what=f"{named}: CPU of the worker",
                samples=found["cpu"],
                limit=CPU_MAX[shards],
                sense="at most",
                unit=CPU,
            )
        )
    report.targets.append(
        Target(
            what=f"{named}: leases lost, or renewed later than {GAP_SECONDS_MAX:g} s after",
            samples=(max(found["late"]),),
            limit=0,
            sense="at most",
            unit="leases",
        )
    )
