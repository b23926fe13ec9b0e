"""Which metrics are there? One list; every sink, and the page of the reference, are made of it.

Names and operations are those of the Java KCL where it has them.
Source: its metrics, namespace = application name, dimensions Operation, ShardId, WorkerIdentifier.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from kcl_py.metrics.metric import Metric
from kcl_py.status import ShardStatus, Timing, WorkerStatus


def most_behind(status: WorkerStatus) -> float | None:
    """Seconds that the worst of its shards is behind; None: none is known."""
    known = [shard.behind for shard in status.shards.values() if shard.behind is not None]
    return max(known, default=None)


def _events(*names: str) -> Callable[[WorkerStatus], float]:
    return lambda status: sum(status.events.get(name, 0) for name in names)


def _call(kind: str) -> Callable[[WorkerStatus], Timing]:
    return lambda status: status.calls.get(kind, Timing())


def _shards(is_meant: Callable[[ShardStatus], bool]) -> Callable[[WorkerStatus], float]:
    return lambda status: sum(1 for shard in status.shards.values() if is_meant(shard))


def _table_throttles(status: WorkerStatus) -> float:
    tables = ("LeaseWrite", "Scan", "BatchGetItem", "Query", "DescribeTable")
    return sum(status.calls[kind].throttled for kind in tables if kind in status.calls)


_LAG: Final = (
    Metric(
        name="application_lag",
        cloudwatch="MillisBehindLatest",
        operation="ApplicationTracker",
        is_kcl=True,
        kind="level",
        unit="seconds",
        scope="application",
        read=most_behind,
        says="How far behind the tip the worst shard of this worker is. The maximum over all "
        "workers is that of the application: for alarms and scaling. Nothing while no lag is "
        "known, as of a worker without shards.",
    ),
)

_WORK: Final = (
    Metric(
        name="records_processed",
        cloudwatch="RecordsProcessed",
        operation="ProcessTask",
        is_kcl=True,
        kind="count",
        scope="work",
        read=lambda work: work.records,
        says="Records in batches that `process_records` returned from.",
    ),
    Metric(
        name="processed",
        cloudwatch="DataBytesProcessed",
        operation="ProcessTask",
        is_kcl=True,
        kind="count",
        unit="bytes",
        scope="work",
        read=lambda work: work.bytes,
        says="Size of those in the answers that they came in: the payload, and some 150 bytes of "
        "each record for its key and the like.",
    ),
    Metric(
        name="batches_processed",
        cloudwatch="BatchesProcessed",
        operation="ProcessTask",
        kind="count",
        scope="work",
        read=lambda work: work.batches,
        says="Those batches.",
    ),
    Metric(
        name="process_records",
        cloudwatch="RecordProcessor.processRecords.Time",
        operation="ProcessTask",
        is_kcl=True,
        kind="time",
        unit="seconds",
        scope="work",
        read=lambda work: work.processing,
        says="Calls of `process_records`, those that raised included.",
    ),
    Metric(
        name="processor_failures",
        cloudwatch="ProcessorFailures",
        operation="ProcessTask",
        kind="count",
        scope="work",
        read=lambda work: work.failures,
        says="Calls of your code that raised.",
    ),
    Metric(
        name="processor_retries",
        cloudwatch="ProcessorRetries",
        operation="ProcessTask",
        kind="count",
        scope="work",
        read=lambda work: work.retries,
        says="Batches that were delivered again after a failure.",
    ),
    Metric(
        name="records_read",
        cloudwatch="RecordsRead",
        operation="ProcessTask",
        kind="count",
        scope="work",
        read=lambda work: work.records_read,
        says="User records that arrived.",
    ),
    Metric(
        name="read",
        cloudwatch="BytesRead",
        operation="ProcessTask",
        kind="count",
        unit="bytes",
        scope="work",
        read=lambda work: work.bytes_read,
        says="Size of the answers of GetRecords, empty ones included.",
    ),
    Metric(
        name="reads_failed",
        cloudwatch="ReadFailures",
        operation="ProcessTask",
        kind="count",
        scope="work",
        read=lambda work: work.read_failures,
        says="Reads that brought no answer, throttled ones included.",
    ),
    Metric(
        name="reads_throttled",
        cloudwatch="ReadThrottles",
        operation="ProcessTask",
        kind="count",
        scope="work",
        read=lambda work: work.read_throttles,
        says="Those of them that met a limit of the shard.",
    ),
    Metric(
        name="iterators_expired",
        cloudwatch="ExpiredIterator",
        operation="ProcessTask",
        is_kcl=True,
        kind="count",
        scope="work",
        read=lambda work: work.iterators_expired,
        says="Iterators that were too old when they were used.",
    ),
)

_HELD: Final = (
    Metric(
        name="lag",
        cloudwatch="MillisBehindLatest",
        operation="ProcessTask",
        is_kcl=True,
        kind="level",
        unit="seconds",
        scope="held",
        read=lambda shard: shard.behind,
        says="How far behind the tip: as the last read said, and the time since then if that is "
        "long ago, as while your code takes its time or the shard is paused.",
    ),
    Metric(
        name="fence_margin",
        cloudwatch="FenceMargin",
        operation="RenewAllLeases",
        kind="level",
        unit="seconds",
        scope="held",
        read=lambda shard: shard.fence_in,
        says="Time until a lease is lost if no renewal succeeds. Between two thirds of the lease "
        "duration and all of it while all is well.",
    ),
)

_LEASES: Final = (
    Metric(
        name="leases_held",
        cloudwatch="CurrentLeases",
        operation="RenewAllLeases",
        is_kcl=True,
        kind="level",
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
        scope="worker",
        read=_events("lease.taken"),
        says="Leases that became this worker's, in whichever way.",
    ),
    Metric(
        name="leases_given",
        cloudwatch="GivenLeases",
        operation="RenewAllLeases",
        kind="count",
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
        scope="worker",
        read=_events("lease.lost"),
        says="Leases that were lost without having been given away.",
    ),
    Metric(
        name="handoffs",
        cloudwatch="Handoffs",
        operation="TakeLeases",
        kind="count",
        scope="worker",
        read=_events("lease.given:transfer"),
        says="Leases handed over to a worker that had asked for them.",
    ),
    Metric(
        name="handoffs_denied",
        cloudwatch="HandoffsDenied",
        operation="TakeLeases",
        kind="count",
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
        scope="worker",
        read=lambda status: _call("LeaseWrite")(status).failed,
        says="Those that got no answer; they are tried again.",
    ),
)

_SERVICES: Final = (
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
        scope="worker",
        read=lambda status: status.dynamodb_read_units,
        says="Read units of DynamoDB that were used up.",
    ),
    Metric(
        name="table_write_units",
        cloudwatch="WriteUnits",
        operation="LeaseTable",
        kind="count",
        scope="worker",
        read=lambda status: status.dynamodb_write_units,
        says="Write units of DynamoDB that were used up.",
    ),
    Metric(
        name="table_calls_throttled",
        cloudwatch="Throttles",
        operation="LeaseTable",
        kind="count",
        scope="worker",
        read=_table_throttles,
        says="Calls of DynamoDB that met a limit.",
    ),
)

_WORKER: Final = (
    Metric(
        name="unhealthy",
        cloudwatch="Unhealthy",
        operation="Worker",
        kind="level",
        scope="worker",
        read=lambda status: not status.healthy,
        says="1 while somebody should look at the worker, else 0; see `healthy` of `status()`.",
    ),
    Metric(
        name="shards_in_trouble",
        cloudwatch="ShardsInTrouble",
        operation="Worker",
        kind="level",
        scope="worker",
        read=_shards(lambda shard: shard.problem is not None),
        says="Shards that somebody should look at; `problem` of `status()` says why.",
    ),
    Metric(
        name="shards_paused",
        cloudwatch="PausedShards",
        operation="Worker",
        kind="level",
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
)

METRICS: Final[tuple[Metric, ...]] = (*_LAG, *_WORK, *_HELD, *_LEASES, *_SERVICES, *_WORKER)
