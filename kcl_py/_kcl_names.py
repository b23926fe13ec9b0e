"""What is a name of the Java KCL's or amazon_kclpy's configuration called here?

Source: the setters of the configuration classes of the Java KCL 3.5.1, and the properties that
amazon_kclpy 3.2 reads besides.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

__all__ = ["KCL_NAMES", "KclName", "hint_for"]


class KclName(NamedTuple):
    """One name.

    Attributes:
        name: As the other library spells it.
        default: Its default there; empty: none.
        here: The setting, or argument, that has its meaning; empty: there is none.
        says: What is different; without a counterpart, why.
    """

    name: str
    default: str
    here: str
    says: str = ""


_LEASES: Final = (
    KclName("failoverTimeMillis", "10000", "leases.duration", "in seconds"),
    KclName("maxLeasesForWorker", "unlimited", "leases.max_leases"),
    KclName("gracefulLeaseHandoffTimeoutMillis", "30000", "leases.handoff_timeout", "in seconds"),
    KclName("isGracefulLeaseHandoffEnabled", "true", "", "live leases always move by a handshake"),
    KclName("gracefulLeaseHandoffConfig", "enabled", "leases.handoff_timeout", "in seconds"),
    KclName(
        "leaseAssignmentIntervalMillis",
        "2 x failover",
        "leases.scan_interval",
        "in seconds; by default it follows the size of the fleet",
    ),
    KclName("maxLeasesToStealAtOneTime", "1", "", "a plan moves no more than a balance needs"),
    KclName("enablePriorityLeaseAssignment", "true", "", "there is one plan, computed by all"),
    KclName("leaseAssignmentStrategy", "WORKER_UTILIZATION_AWARE", "", "leases are counted"),
    KclName("workerUtilizationAwareAssignmentConfig", "", "", "leases are counted, not weighed"),
    KclName("reBalanceThresholdPercentage", "10", "", "leases are counted, not weighed"),
    KclName("dampeningPercentage", "60", "", "leases are counted, not weighed"),
    KclName("allowThroughputOvershoot", "true", "", "leases are counted, not weighed"),
    KclName("maxThroughputPerHostKBps", "unlimited", "", "leases are counted, not weighed"),
    KclName("varianceBalancingFrequency", "3", "", "leases are counted, not weighed"),
    KclName("workerMetricsEMAAlpha", "0.5", "", "leases are counted, not weighed"),
    KclName("disableWorkerMetrics", "false", "", "no worker writes its load into the table"),
    KclName("workerMetricsReporterFreqInMillis", "30000", "", "workers write no load"),
    KclName("inMemoryWorkerMetricsCaptureFrequencyMillis", "1000", "", "workers write no load"),
    KclName("noOfPersistedMetricsPerWorkerMetrics", "10", "", "workers write no load"),
    KclName("workerMetricList", "auto", "", "workers write no load"),
    KclName("staleWorkerMetricsEntryCleanupDuration", "1 day", "", "workers write no load"),
    KclName("workerMetricsTableConfig", "", "", "everything is in the one lease table"),
    KclName("maxLeaseRenewalThreads", "20", "", "a small pool, the earliest fence first"),
    KclName("leaseTableScanTotalSegments", "auto", "", "one scan, by as few calls as it needs"),
    KclName("consistentReads", "false", "", "each read of the table is as strong as its use needs"),
    KclName("epsilonMillis", "25", "leases.fence_margin", "in seconds, at least 0.5"),
    KclName("dynamoDbRequestTimeout", "60 s", "", "a lease write ends before its fence"),
    KclName("leasesRecoveryAuditorExecutionFrequencyMillis", "120000", "", "always on"),
    KclName("leasesRecoveryAuditorInconsistencyConfidenceThreshold", "3", "", "always on"),
    KclName("dynamoDbLockBasedLeaderLeaseDurationInMillis", "120000", "", "there is no leader"),
    KclName("dynamoDbLockBasedLeaderHeartbeatPeriodInMillis", "30000", "", "there is no leader"),
)

_SHARDS: Final = (
    KclName("shardSyncIntervalMillis", "60000", "", "children come with the end of their parent"),
    KclName("cleanupLeasesUponShardCompletion", "true", "", "rows go when the stream forgets them"),
    KclName("leaseCleanupConfig", "1/5/30 min", "", "rows go when the stream forgets them"),
    KclName("ignoreUnexpectedChildShards", "false", "", "for DynamoDB Streams, not read here"),
    KclName("parentShardPollIntervalMillis", "10000", "", "a child begins when its parents end"),
    KclName(
        "skipShardSyncAtWorkerInitializationIfLeasesExist", "false", "", "the table says so itself"
    ),
    KclName("shardPrioritization", "none", "", "parents come first, nothing else does"),
    KclName("listShardsBackoffTimeInMillis", "1500", "", "a growing wait with jitter"),
    KclName(
        "maxListShardsRetryAttempts",
        "50",
        "",
        "a start gives up after some ten seconds; a worker never does",
    ),
    KclName("maxCacheMissesBeforeReload", "1000", "", "shards are not cached"),
    KclName("listShardsCacheAllowedAgeInSeconds", "30", "", "shards are not cached"),
    KclName("cacheMissWarningModulus", "250", "", "shards are not cached"),
    KclName("initialPositionInStream", "LATEST", "initial_position", "the default is earliest"),
    KclName(
        "initialPositionInStreamExtended", "", "initial_position", "a time with its zone, no epoch"
    ),
)

_TABLE: Final = (
    KclName("tableName", "applicationName", "table.name"),
    KclName("billingMode", "PAY_PER_REQUEST", "", "on demand; set table.create=false for others"),
    KclName("initialLeaseTableReadCapacity", "10", "", "on demand"),
    KclName("initialLeaseTableWriteCapacity", "10", "", "on demand"),
    KclName(
        "leaseTableDeletionProtectionEnabled",
        "false",
        "table.deletion_protection",
        "of a new table",
    ),
    KclName("leaseTablePitrEnabled", "false", "table.point_in_time_recovery", "of a new table"),
    KclName("coordinatorStateTableConfig", "", "", "everything is in the one lease table"),
    KclName("migrateAllEntitiesToLeaseTable", "false", "", "everything is in the one lease table"),
    KclName("tableMigrationCompleteBakeTimeSeconds", "86400", "", "there is nothing to migrate"),
    KclName("clientVersionConfig", "3X", "", "a table of the Java KCL is refused"),
    KclName("tableCreatorCallback", "", "", "set table.create=false and make it yourself"),
)

_READING: Final = (
    KclName("maxRecords", "10000", "reading.page_records"),
    KclName(
        "idleTimeBetweenReadsInMillis",
        "1500",
        "reading.idle_interval",
        "in seconds, of a quiet shard",
    ),
    KclName(
        "millisBehindLatestThresholdForReducedTps",
        "0",
        "reading.idle_interval",
        "pacing is adaptive",
    ),
    KclName("maxPendingProcessRecordsInput", "4", "delivery.buffer_bytes", "bytes of all shards"),
    KclName("recordsFetcherFactory", "8 MiB", "delivery.buffer_bytes", "bytes of all shards"),
    KclName("kinesisRequestTimeout", "30 s", "", "fixed; a read that is late is asked again"),
    KclName("retryGetRecordsInSeconds", "", "", "reads are tried again with a growing wait"),
    KclName("maxGetRecordsThreadPool", "", "", "follows delivery.buffer_bytes, 32 at most"),
    KclName("sleepTimeController", "", "", "pacing is adaptive"),
    KclName("retrievalMode", "DEFAULT", "", "by GetRecords; enhanced fan-out is not there yet"),
    KclName("consumerArn", "", "", "enhanced fan-out is not there yet"),
    KclName("consumerName", "", "", "enhanced fan-out is not there yet"),
    KclName("glueSchemaRegistryDeserializer", "", "", "decode record.data in your processor"),
    KclName("aggregatorUtil", "", "reading.strays", "user records are opened always"),
)

_PROCESSING: Final = (
    KclName(
        "callProcessRecordsEvenForEmptyRecordList",
        "false",
        "idle_after, an attribute of the processor",
        "seconds without records",
    ),
    KclName("taskBackoffTimeMillis", "500", "on_error.backoff.first", "in seconds"),
    KclName("logWarningForTaskAfterMillis", "", "delivery.slow_after", "in seconds"),
    KclName("timeoutInSeconds", "", "delivery.hung_after", "the lease goes, not the process"),
    KclName(
        "readTimeoutsToIgnoreBeforeWarning", "0", "", "each failed read is logged: read.failed"
    ),
    KclName("taskExecutionListener", "", "on_event, an argument of the Worker"),
    KclName("workerStateChangeListener", "", "on_event, an argument of the Worker"),
    KclName(
        "validateSequenceNumberBeforeCheckpointing", "true", "", "always: CheckpointOutOfRange"
    ),
    KclName("shardConsumerDispatchPollIntervalMillis", "1000", "", "nothing is polled"),
)

_METRICS: Final = (
    KclName("metricsLevel", "DETAILED", "metrics.level", "in small letters; none by default"),
    KclName("metricsNamespace", "applicationName", "metrics.namespace"),
    KclName("metricsBufferTimeMillis", "10000", "metrics.interval", "in seconds"),
    KclName("metricsMaxQueueSize", "10000", "", "what cannot be sent is counted and told"),
    KclName("metricsEnabledDimensions", "all", "", "metrics.level decides"),
    KclName("metricsBackend", "CLOUDWATCH", "metrics.sink", "cloudwatch, emf or otel"),
)

_PROGRAM: Final = (
    KclName("applicationName", "", "app_name, an argument of the Worker"),
    KclName("streamName", "", "stream, an argument of the Worker"),
    KclName("streamArn", "", "stream, an argument of the Worker", "name or ARN"),
    KclName("streamTracker", "", "", "one stream; run one Worker for each"),
    KclName("workerIdentifier", "a UUID", "worker_name", "a prefix; the rest is new each time"),
    KclName("workerId", "a UUID", "worker_name", "a prefix; the rest is new each time"),
    KclName("regionName", "us-east-1", "region", "by default as boto3 finds it"),
    KclName("kinesisEndpoint", "", "kinesis_endpoint_url"),
    KclName("dynamoDBEndpoint", "", "dynamodb_endpoint_url"),
    KclName("shutdownGraceMillis", "", "stop_grace", "in seconds"),
    KclName("executableName", "", "", "your code is imported: kcl run MODULE:THING"),
    KclName("processingLanguage", "", "", "your code is imported: kcl run MODULE:THING"),
    KclName("maxActiveThreads", "0", "", "one thread for each shard that has work"),
    KclName("AwsCredentialsProvider", "", "", "credentials are found as boto3 finds them"),
    KclName("AwsCredentialsProviderDynamoDB", "", "", "hand in client_factory"),
    KclName("AwsCredentialsProviderCloudWatch", "", "", "credentials as boto3 finds them"),
    KclName("maxInitializationAttempts", "20", "", "kcl run --timeout bounds the start"),
    KclName("schedulerInitializationBackoffTimeMillis", "1000", "", "a growing wait with jitter"),
)

KCL_NAMES: Final[Mapping[str, tuple[KclName, ...]]] = MappingProxyType(
    {
        "Leases and balance": _LEASES,
        "Shards": _SHARDS,
        "The lease table": _TABLE,
        "Reading": _READING,
        "Processing": _PROCESSING,
        "Metrics": _METRICS,
        "The program": _PROGRAM,
    }
)
"""By what they are about."""

_BY_FOLDED_NAME: Final = MappingProxyType(
    {each.name.lower(): each for names in KCL_NAMES.values() for each in names}
)


def hint_for(name: str) -> str | None:
    """What to say to somebody who asks for a setting by its name there; None: it is no such name.

    Args:
        name: In any case, with or without underscores and the group before the last dot.
    """
    known = _BY_FOLDED_NAME.get(name.rpartition(".")[2].replace("_", "").lower())
    if known is None:
        return None
    if not known.here:
        return f"the Java KCL's {known.name} has no counterpart here: {known.says}"
    says = f", {known.says}" if known.says else ""
    return f"the Java KCL's {known.name} is {known.here} here{says}"
