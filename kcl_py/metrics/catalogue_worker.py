"""Which metrics are about a worker as a whole: its leases, its calls of AWS, itself?

Part of the one catalogue; see `catalogue`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from kcl_py.metrics.metric import Metric
from kcl_py.status import ShardStatus, Timing, WorkerStatus


def _events(*names: str) -> Callable[[WorkerStatus], float]:
    return lambda status: sum(status.events.get(name, 0) for name in names)


def _call(kind: str) -> Callable[[WorkerStatus], Timing]:
    return lambda status: status.calls.get(kind, Timing())


def _shards(is_meant: Callable[[ShardStatus], bool]) -> Callable[[WorkerStatus], float]:
    return lambda status: sum(1 for shard in status.shards.values() if is_meant(shard))


def _table_throttles(status: WorkerStatus) -> float:
    tables = ("LeaseWrite", "Scan", "BatchGetItem", "Query", "DescribeTable")
    return sum(status.calls[kind].throttled for kind in tables if kind in status.calls)


LEASES: Final = (
    Metric(
        name="leases_held",
        cloudwatch="CurrentLeases",
        operation="RenewAllLeases",
        is_kcl=True,
        kind="level",
        thing="lease",
        scope="worker",
        read=lambda status: len(status.shards),
        says="Leases that a worker holds.",
    ),
    Metric(
        name="leases_taken",
        cloudwatch="TakenLeases",
        operation="TakeLeases",
        is_kcl=True,
        kind="count",
        thing="lease",
        scope="worker",
        read=_events("lease.taken"),
        says="Leases that became this worker's, in whichever way.",
    ),
    Metric(
        name="leases_given",
        cloudwatch="GivenLeases",
        operation="RenewAllLeases",
        kind="count",
        thing="lease",
        scope="worker",
        read=_events("lease.given"),
        says="Leases given away for good: handed over, released at a stop, or of finished shards.",
    ),
    Metric(
        name="leases_lost",
        cloudwatch="LostLeases",
        operation="RenewAllLeases",
        is_kcl=True,
        kind="count",
        thing="lease",
        scope="worker",
        read=_events("lease.lost"),
        says="Leases that were lost without having been given away.",
    ),
    Metric(
        name="handoffs",
        cloudwatch="Handoffs",
        operation="TakeLeases",
        kind="count",
        thing="handoff",
        scope="worker",
        read=_events("lease.given:transfer"),
        says="Leases handed over to a worker that had asked for them.",
    ),
    Metric(
        name="handoffs_denied",
        cloudwatch="HandoffsDenied",
        operation="TakeLeases",
        kind="count",
        thing="request",
        scope="worker",
        read=_events("handoff.denied"),
        says="Requests for a lease that were refused.",
    ),
    Metric(
        name="workers",
        cloudwatch="NumWorkers",
        operation="TakeLeases",
        is_kcl=True,
        kind="level",
        thing="worker",
        scope="worker",
        read=lambda status: 1 + len(status.peers),
        says="Live workers of the application, as this one sees them.",
    ),
    Metric(
        name="lease_write",
        cloudwatch="RenewLease.Time",
        operation="RenewAllLeases",
        is_kcl=True,
        kind="time",
        unit="seconds",
        scope="worker",
        read=_call("LeaseWrite"),
        says="Conditional writes of the lease table, of which nearly all are renewals.",
    ),
    Metric(
        name="lease_writes_failed",
        cloudwatch="RenewLeaseFailures",
        operation="RenewAllLeases",
        kind="count",
        thing="write",
        scope="worker",
        read=lambda status: _call("LeaseWrite")(status).failed,
        says="Those that got no answer; they are tried again.",
    ),
)

SERVICES: Final = (
    Metric(
        name="get_records",
        cloudwatch="KinesisDataFetcher.getRecords.Time",
        operation="ProcessTask",
        is_kcl=True,
        kind="time",
        unit="seconds",
        scope="worker",
        read=_call("GetRecords"),
        says="Reads, with the iterator where one has to be got first.",
    ),
    Metric(
        name="table_scan",
        cloudwatch="Scan.Time",
        operation="LeaseTable",
        kind="time",
        unit="seconds",
        scope="worker",
        read=_call("Scan"),
        says="Scans of the lease table.",
    ),
    Metric(
        name="table_read_units",
        cloudwatch="ReadUnits",
        operation="LeaseTable",
        kind="count",
        thing="unit",
        scope="worker",
        read=lambda status: status.dynamodb_read_units,
        says="Read units of DynamoDB that were used up.",
    ),
    Metric(
        name="table_write_units",
        cloudwatch="WriteUnits",
        operation="LeaseTable",
        kind="count",
        thing="unit",
        scope="worker",
        read=lambda status: status.dynamodb_write_units,
        says="Write units of DynamoDB that were used up.",
    ),
    Metric(
        name="table_calls_throttled",
        cloudwatch="Throttles",
        operation="LeaseTable",
        kind="count",
        thing="call",
        scope="worker",
        read=_table_throttles,
        says="Calls of DynamoDB that met a limit.",
    ),
)

ITSELF: Final = (
    Metric(
        name="unhealthy",
        cloudwatch="Unhealthy",
        operation="Worker",
        kind="level",
        thing="worker",
        scope="worker",
        read=lambda status: not status.healthy,
        says="1 while somebody should look at the worker, else 0; see `healthy` of `status()`.",
    ),
    Metric(
        name="shards_in_trouble",
        cloudwatch="ShardsInTrouble",
        operation="Worker",
        kind="level",
        thing="shard",
        scope="worker",
        read=_shards(lambda shard: shard.problem is not None),
        says="Shards that somebody should look at; `problem` of `status()` says why.",
    ),
    Metric(
        name="shards_paused",
        cloudwatch="PausedShards",
        operation="Worker",
        kind="level",
        thing="shard",
        scope="worker",
        read=_shards(lambda shard: shard.state == "paused"),
        says="Shards of which nothing is tried any more.",
    ),
    Metric(
        name="buffered",
        cloudwatch="BufferedBytes",
        operation="Worker",
        kind="level",
        unit="bytes",
        scope="worker",
        read=lambda status: status.buffered_bytes,
        says="Records that have arrived and are not processed; `delivery.buffer_bytes` is the "
        "limit.",
    ),
    Metric(
        name="cpu_used",
        cloudwatch="CpuUsed",
        operation="Worker",
        kind="level",
        unit="fraction",
        scope="worker",
        read=lambda status: status.cpu_used,
        says="Part of the CPUs that the worker may use that is used, by all that share them: its "
        "ECS task, else its cgroup, else the machine; over 10 s. Slightly above 1 where a limit is "
        "enforced in slices. Nothing where it cannot be read.",
    ),
)
