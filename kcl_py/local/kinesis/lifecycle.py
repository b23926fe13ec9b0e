"""How is a stream made, described, changed and deleted?"""

from __future__ import annotations

from typing import Any

from kcl_py.local.errors import AwsError, invalid
from kcl_py.local.kinesis.account import (
    Account,
    Answer,
    Request,
    mode_of,
    new_stream_name,
)
from kcl_py.local.kinesis.limits import RECORD_KIB
from kcl_py.local.kinesis.streams import Stream, stream_arn
from kcl_py.local.kinesis.tags import put_tags
from kcl_py.local.kinesis.tokens import seal, unseal
from kcl_py.local.parameters import (
    flag,
    mapping,
    optional_text,
    optional_whole,
    required_whole,
)

# Source: CreateStream, and "Choose the right mode": a new on-demand stream has four shards.
_CREATING_MAX = 5
# Source: ListStreams and DescribeStream; whoever asks for more gets as many.
_PAGE_MAX = 100
_ON_DEMAND_SHARDS = 4


def create_stream(account: Account, request: Request) -> Answer:
    """CreateStream, in both capacity modes."""
    name = new_stream_name(request)
    mode = mode_of(request) or "PROVISIONED"
    count = _first_shards(request, mode)
    record_kib_max = optional_whole(request, "MaxRecordSizeInKiB", *RECORD_KIB)
    tags: dict[str, str] = {}
    put_tags(tags, mapping(request, "Tags"))
    now = account.clock()
    account.settle(now)
    if name in account.streams:
        raise AwsError("ResourceInUseException", f"stream {name} exists already")
    if mode == "ON_DEMAND":
        account.check_on_demand()
    else:
        account.check_shards(count)
    if account.settings.limits:
        _check_creating(account)
    stream = Stream(name, count, now, now + account.settings.create_seconds)
    stream.mode = mode
    stream.record_kib_max = record_kib_max or stream.record_kib_max
    stream.tags = tags
    stream.settle(now)
    account.streams[name] = stream
    return {}


def _first_shards(request: Request, mode: str) -> int:
    if mode == "PROVISIONED":
        return required_whole(request, "ShardCount", 1, 1_000_000)
    if request.get("ShardCount") is not None:
        raise invalid("ShardCount cannot be given with the mode ON_DEMAND")
    return _ON_DEMAND_SHARDS


def _check_creating(account: Account) -> None:
    creating = sum(stream.status == "CREATING" for stream in account.streams.values())
    if creating >= _CREATING_MAX:
        raise AwsError(
            "LimitExceededException", f"{_CREATING_MAX} streams are being created already"
        )


def delete_stream(account: Account, request: Request) -> Answer:
    """DeleteStream; a second one while DELETING changes nothing."""
    enforce = flag(request, "EnforceConsumerDeletion")
    stream = account.find(request)
    now = account.clock()
    if stream.status != "DELETING":
        if not enforce and any(c.status != "DELETING" for c in stream.consumers.values()):
            raise AwsError("ResourceInUseException", f"stream {stream.name} has consumers")

        def forget(_now: float) -> None:
            stream.status = "DELETED"

        stream.after(now + account.settings.delete_seconds, forget)
        stream.status = "DELETING"
        for consumer in stream.consumers.values():
            consumer.begin("DELETING", now + account.settings.delete_seconds)
    account.settle(now)
    return {}


def list_streams(account: Account, request: Request) -> Answer:
    """ListStreams, by name."""
    account.settle(account.clock())
    after = _list_start(account, request)
    limit = min(optional_whole(request, "Limit", 1, 10_000) or _PAGE_MAX, _PAGE_MAX)
    names = sorted(name for name in account.streams if name > after)
    page = [account.streams[name] for name in names[:limit]]
    answer: Answer = {
        "StreamNames": [stream.name for stream in page],
        "StreamSummaries": [_summary(stream) for stream in page],
        "HasMoreStreams": len(names) > limit,
    }
    if len(names) > limit:
        answer["NextToken"] = seal("streams", [account.clock(), page[-1].name])
    return answer


def _list_start(account: Account, request: Request) -> str:
    """The name behind which a listing begins."""
    token = optional_text(request, "NextToken")
    name = optional_text(request, "ExclusiveStartStreamName")
    if token is None:
        return name or ""
    fields = unseal("streams", token)
    if fields is None or name not in (None, fields[1]):
        raise AwsError("InvalidArgumentException", "NextToken is not valid")
    if account.clock() - fields[0] > account.settings.token_seconds:
        raise AwsError("ExpiredNextTokenException", "NextToken has expired")
    after: str = fields[1]
    return after


def describe_stream_summary(account: Account, request: Request) -> Answer:
    """DescribeStreamSummary."""
    stream = account.find(request)
    summary = _summary(stream) | _settings(stream)
    summary |= {"MaxRecordSizeInKiB": stream.record_kib_max}
    summary |= {"OpenShardCount": len(stream.open_shards), "ConsumerCount": len(stream.consumers)}
    return {"StreamDescriptionSummary": summary}


def describe_stream(account: Account, request: Request) -> Answer:
    """DescribeStream, with its shards in pages."""
    stream = account.find(request)
    limit = min(optional_whole(request, "Limit", 1, 10_000) or _PAGE_MAX, _PAGE_MAX)
    after = optional_text(request, "ExclusiveStartShardId") or ""
    shards = [shard for shard in stream.shards.values() if shard.shard_id > after]
    return {
        "StreamDescription": _summary(stream)
        | _settings(stream)
        | {
            "Shards": [shard.describe() for shard in shards[:limit]],
            "HasMoreShards": len(shards) > limit,
        }
    }


def describe_limits(account: Account, _request: Request) -> Answer:
    """DescribeLimits. Shards of on-demand streams do not count against the limit of shards."""
    account.settle(account.clock())
    return {
        "ShardLimit": account.settings.shards_max,
        "OpenShardCount": account.open_shard_count(),
        "OnDemandStreamCount": account.on_demand_count(),
        "OnDemandStreamCountLimit": account.settings.on_demand_streams_max,
    }


def describe_account_settings(_account: Account, _request: Request) -> Answer:
    """DescribeAccountSettings: no commitment was ever made."""
    return {"MinimumThroughputBillingCommitment": {"Status": "DISABLED"}}


def _summary(stream: Stream) -> dict[str, Any]:
    return {
        "StreamName": stream.name,
        "StreamARN": stream_arn(stream.name),
        "StreamStatus": stream.status,
        "StreamModeDetails": {"StreamMode": stream.mode},
        "StreamCreationTimestamp": stream.made_at,
    }


def _settings(stream: Stream) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "RetentionPeriodHours": stream.retention_hours,
        "EnhancedMonitoring": [{"ShardLevelMetrics": list(stream.metrics)}],
        "EncryptionType": "NONE" if stream.encryption_key is None else "KMS",
    }
    if stream.encryption_key is not None:
        settings["KeyId"] = stream.encryption_key
    return settings
