"""Which function answers which operation of Kinesis?"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, NamedTuple

from kcl_py.local.errors import AwsError, unknown_operation
from kcl_py.local.kinesis import (
    changes,
    lifecycle,
    reading,
    records,
    registration,
    resharding,
    scaling,
    subscriptions,
    tags,
)
from kcl_py.local.kinesis.account import Account, Answer, Request
from kcl_py.local.kinesis.saving import dump_account, load_account
from kcl_py.local.kinesis.settings import KinesisSettings
from kcl_py.local.parameters import refuse_unknown


class _Operation(NamedTuple):
    run: Callable[[Account, Request], Answer]
    parameters: frozenset[str]


def _on_stream(run: Callable[[Account, Request], Answer], *parameters: str) -> _Operation:
    return _Operation(run, frozenset({"StreamName", "StreamARN", *parameters}))


_CONSUMER = frozenset({"StreamARN", "ConsumerName", "ConsumerARN"})

_OPERATIONS = {
    "CreateStream": _Operation(
        lifecycle.create_stream,
        frozenset({"StreamName", "ShardCount", "StreamModeDetails", "Tags", "MaxRecordSizeInKiB"}),
    ),
    "DeleteStream": _on_stream(lifecycle.delete_stream, "EnforceConsumerDeletion"),
    "ListStreams": _Operation(
        lifecycle.list_streams, frozenset({"Limit", "ExclusiveStartStreamName", "NextToken"})
    ),
    "DescribeStream": _on_stream(lifecycle.describe_stream, "Limit", "ExclusiveStartShardId"),
    "DescribeStreamSummary": _on_stream(lifecycle.describe_stream_summary),
    "DescribeLimits": _Operation(lifecycle.describe_limits, frozenset()),
    "DescribeAccountSettings": _Operation(lifecycle.describe_account_settings, frozenset()),
    "UpdateStreamMode": _Operation(
        changes.update_mode, frozenset({"StreamARN", "StreamModeDetails"})
    ),
    "IncreaseStreamRetentionPeriod": _on_stream(changes.increase_retention, "RetentionPeriodHours"),
    "DecreaseStreamRetentionPeriod": _on_stream(changes.decrease_retention, "RetentionPeriodHours"),
    "UpdateMaxRecordSize": _Operation(
        changes.update_record_size, frozenset({"StreamARN", "MaxRecordSizeInKiB"})
    ),
    "EnableEnhancedMonitoring": _on_stream(changes.enable_monitoring, "ShardLevelMetrics"),
    "DisableEnhancedMonitoring": _on_stream(changes.disable_monitoring, "ShardLevelMetrics"),
    "StartStreamEncryption": _on_stream(changes.start_encryption, "EncryptionType", "KeyId"),
    "StopStreamEncryption": _on_stream(changes.stop_encryption, "EncryptionType", "KeyId"),
    "AddTagsToStream": _on_stream(tags.add_tags, "Tags"),
    "RemoveTagsFromStream": _on_stream(tags.remove_tags, "TagKeys"),
    "ListTagsForStream": _on_stream(tags.list_tags, "ExclusiveStartTagKey", "Limit"),
    "TagResource": _Operation(tags.tag_resource, frozenset({"ResourceARN", "Tags"})),
    "UntagResource": _Operation(tags.untag_resource, frozenset({"ResourceARN", "TagKeys"})),
    "ListTagsForResource": _Operation(tags.list_resource_tags, frozenset({"ResourceARN"})),
    "ListShards": _on_stream(
        resharding.list_shards,
        "NextToken",
        "ExclusiveStartShardId",
        "MaxResults",
        "StreamCreationTimestamp",
        "ShardFilter",
    ),
    "SplitShard": _on_stream(resharding.split_shard, "ShardToSplit", "NewStartingHashKey"),
    "MergeShards": _on_stream(resharding.merge_shards, "ShardToMerge", "AdjacentShardToMerge"),
    "RegisterStreamConsumer": _Operation(
        registration.register, frozenset({"StreamARN", "ConsumerName", "Tags"})
    ),
    "DescribeStreamConsumer": _Operation(registration.describe, _CONSUMER),
    "DeregisterStreamConsumer": _Operation(registration.deregister, _CONSUMER),
    "ListStreamConsumers": _Operation(
        registration.list_consumers,
        frozenset({"StreamARN", "NextToken", "MaxResults", "StreamCreationTimestamp"}),
    ),
    "SubscribeToShard": _Operation(
        subscriptions.subscribe, frozenset({"ConsumerARN", "ShardId", "StartingPosition"})
    ),
    "UpdateShardCount": _on_stream(scaling.update_shard_count, "TargetShardCount", "ScalingType"),
    "PutRecord": _on_stream(
        records.put_record,
        "Data",
        "PartitionKey",
        "ExplicitHashKey",
        "SequenceNumberForOrdering",
    ),
    "PutRecords": _on_stream(records.put_records, "Records"),
    "GetShardIterator": _on_stream(
        reading.get_shard_iterator,
        "ShardId",
        "ShardIteratorType",
        "StartingSequenceNumber",
        "Timestamp",
    ),
    "GetRecords": _Operation(
        reading.get_records, frozenset({"ShardIterator", "Limit", "StreamARN"})
    ),
}


class Kinesis:
    """A Kinesis service inside this object: no thread, clock or randomness of its own.

    One call at a time. Requests and answers have boto3's shapes; times are seconds since 1970,
    `Data` is bytes. Answers share values with the store: do not change them.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        rng: random.Random,
        settings: KinesisSettings | None = None,
    ) -> None:
        self._account = Account(clock, rng, settings or KinesisSettings())

    @property
    def fail_record(self) -> Callable[[], bool] | None:
        """Asked for every record that is put: True refuses it as if its shard were too busy."""
        return self._account.fail_record

    @fail_record.setter
    def fail_record(self, decide: Callable[[], bool] | None) -> None:
        self._account.fail_record = decide

    def call(self, operation: str, request: Request) -> Answer:
        """Answer one request. `SubscribeToShard` is answered with a `Subscription`.

        Raises:
            AwsError: What the service would answer with an error, an unknown operation included.
        """
        known = _OPERATIONS.get(operation)
        if known is None:
            raise unknown_operation(operation)
        refuse_unknown(operation, request, known.parameters)
        account = self._account
        if account.settings.limits and not account.rates.allow(operation, account.clock()):
            raise AwsError("LimitExceededException", f"too many calls of {operation} this second")
        return known.run(account, request)

    def dump(self) -> dict[str, Any]:
        """Everything that outlives a restart, as plain data."""
        return dump_account(self._account)

    def load(self, saved: dict[str, Any]) -> None:
        """Take over what `dump` returned, in place of everything here."""
        load_account(self._account, saved)
