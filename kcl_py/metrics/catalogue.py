"""Which metrics are there? One list; every sink, and the page of the reference, are made of it.

Names and operations are those of the Java KCL where it has them.
Source: its metrics, namespace = application name, dimensions Operation, ShardId, WorkerIdentifier.
"""

from __future__ import annotations

from typing import Final

from kcl_py.metrics.catalogue_worker import ITSELF, LEASES, SERVICES
from kcl_py.metrics.metric import Metric
from kcl_py.status import WorkerStatus


def most_behind(status: WorkerStatus) -> float | None:
    """Seconds that the worst of its shards is behind; None: none is known."""
    known = [shard.behind for shard in status.shards.values() if shard.behind is not None]
    return max(known, default=None)


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
        thing="record",
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
        thing="batch",
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
        thing="call",
        scope="work",
        read=lambda work: work.failures,
        says="Calls of your code that raised.",
    ),
    Metric(
        name="processor_retries",
        cloudwatch="ProcessorRetries",
        operation="ProcessTask",
        kind="count",
        thing="batch",
        scope="work",
        read=lambda work: work.retries,
        says="Batches that were delivered again after a failure.",
    ),
    Metric(
        name="records_read",
        cloudwatch="RecordsRead",
        operation="ProcessTask",
        kind="count",
        thing="record",
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
        thing="read",
        scope="work",
        read=lambda work: work.read_failures,
        says="Reads that brought no answer, throttled ones included.",
    ),
    Metric(
        name="reads_throttled",
        cloudwatch="ReadThrottles",
        operation="ProcessTask",
        kind="count",
        thing="read",
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
        thing="iterator",
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
        is_low_worse=True,
        says="Time until a lease is lost if no renewal succeeds. Between two thirds of the lease "
        "duration and all of it while all is well.",
    ),
)

METRICS: Final[tuple[Metric, ...]] = (*_LAG, *_WORK, *_HELD, *LEASES, *SERVICES, *ITSELF)
