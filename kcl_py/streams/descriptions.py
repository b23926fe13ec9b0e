"""What is a stream like, and what are its shards? Plain values, made of what the service says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from kcl_py.records import Record

if TYPE_CHECKING:
    from kcl_py.core.shards.graph import Shard

StreamMode: TypeAlias = Literal["provisioned", "on_demand"]

RECORD_KIB_DEFAULT: Final = 1024
"""Source: CreateStream, MaxRecordSizeInKiB."""

_MODES: Final[Mapping[str, StreamMode]] = {"PROVISIONED": "provisioned", "ON_DEMAND": "on_demand"}

MODE_NAMES: Final[Mapping[StreamMode, str]] = {mode: name for name, mode in _MODES.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardDescription:
    """One shard.

    Attributes:
        shard_id: Empty for a shard that was ordered and is not there yet.
        parent_shard_ids: None, one (split) or both (merge) shards that it came from.
        is_open: It still takes records.
        starting_hash_key: First hash key that it takes, 0 to 2**128 - 1.
        ending_hash_key: Last one.
        starting_sequence_number: Empty for a shard that is not there yet.
    """

    shard_id: str
    parent_shard_ids: Sequence[str]
    is_open: bool
    starting_hash_key: int
    ending_hash_key: int
    starting_sequence_number: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamDescription:
    """One stream.

    Attributes:
        status: CREATING, ACTIVE, UPDATING or DELETING.
        retention_hours: How long a record is kept.
        record_bytes_max: The largest record that it takes.
        encryption_key: Id, ARN or alias of the key; None: not encrypted.
        enhanced_metrics: Names of the metrics that are kept for each shard.
        consumers: How many are registered for enhanced fan-out.
    """

    name: str
    arn: str
    status: str
    mode: StreamMode
    retention_hours: int
    record_bytes_max: int
    open_shard_count: int
    encryption_key: str | None
    enhanced_metrics: Sequence[str]
    consumers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardRecord:
    """A record with the shard that it was read from; what Reader yields."""

    shard_id: str
    record: Record


def describe_summary(summary: Mapping[str, Any]) -> StreamDescription:
    """From what DescribeStreamSummary answers."""
    mode = (summary.get("StreamModeDetails") or {}).get("StreamMode")
    is_encrypted = summary.get("EncryptionType", "NONE") != "NONE"
    metrics = {
        name
        for monitored in summary.get("EnhancedMonitoring") or ()
        for name in monitored.get("ShardLevelMetrics") or ()
    }
    return StreamDescription(
        name=summary["StreamName"],
        arn=summary["StreamARN"],
        status=summary["StreamStatus"],
        mode=_MODES.get(str(mode), "provisioned"),
        retention_hours=summary.get("RetentionPeriodHours", 24),
        record_bytes_max=(summary.get("MaxRecordSizeInKiB") or RECORD_KIB_DEFAULT) * 1024,
        open_shard_count=summary["OpenShardCount"],
        encryption_key=summary.get("KeyId") if is_encrypted else None,
        enhanced_metrics=tuple(sorted(metrics)),
        consumers=summary.get("ConsumerCount") or 0,
    )


def describe_shard(shard: Shard) -> ShardDescription:
    """From what ListShards answers."""
    return ShardDescription(
        shard_id=shard.shard_id,
        parent_shard_ids=shard.parents,
        is_open=shard.is_open,
        starting_hash_key=shard.hash_range[0],
        ending_hash_key=shard.hash_range[1],
        starting_sequence_number=shard.starting_sequence_number,
    )


def ordered_shard(parents: Sequence[Shard], hash_range: tuple[int, int]) -> ShardDescription:
    """A shard that is about to be made."""
    return ShardDescription(
        shard_id="",
        parent_shard_ids=tuple(shard.shard_id for shard in parents),
        is_open=False,
        starting_hash_key=hash_range[0],
        ending_hash_key=hash_range[1],
        starting_sequence_number="",
    )
