"""Which shards does a stream have, and how are they split and merged?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kcl_py.local.errors import AwsError
from kcl_py.local.kinesis.account import Account, Answer, Request
from kcl_py.local.kinesis.changes import start_change
from kcl_py.local.kinesis.shards import Shard
from kcl_py.local.kinesis.streams import Reshard, Stream
from kcl_py.local.kinesis.tokens import seal, unseal
from kcl_py.local.parameters import (
    decimal_number,
    mapping,
    optional_text,
    optional_time,
    optional_whole,
    refuse_unknown,
    required_text,
)

_PAGE_MAX = 1_000


def split_shard(account: Account, request: Request) -> Answer:
    """SplitShard: two children share the parent's hash keys."""
    stream = account.scalable(request)
    parent = _open_shard(account, stream, required_text(request, "ShardToSplit"))
    text = required_text(request, "NewStartingHashKey")
    border = decimal_number(text, "NewStartingHashKey")
    if not parent.first_key + 1 < border < parent.last_key:
        raise AwsError(
            "InvalidArgumentException",
            f"NewStartingHashKey {text} leaves one side of {parent.shard_id} empty or lies outside",
        )
    ranges = [(parent.first_key, border - 1), (border, parent.last_key)]
    _start_reshard(account, stream, [parent], ranges)
    return {}


def merge_shards(account: Account, request: Request) -> Answer:
    """MergeShards: one child takes the hash keys of two neighbours."""
    stream = account.scalable(request)
    first = _open_shard(account, stream, required_text(request, "ShardToMerge"))
    second = _open_shard(account, stream, required_text(request, "AdjacentShardToMerge"))
    if first.last_key + 1 != second.first_key and second.last_key + 1 != first.first_key:
        raise AwsError(
            "InvalidArgumentException",
            f"{first.shard_id} and {second.shard_id} are not adjacent",
        )
    keys = (min(first.first_key, second.first_key), max(first.last_key, second.last_key))
    _start_reshard(account, stream, [first, second], [keys])
    return {}


def list_shards(account: Account, request: Request) -> Answer:
    """ListShards, with filters and pages."""
    token = optional_text(request, "NextToken")
    if token is None:
        stream = account.find(request)
        account.check_made_at(stream, optional_time(request, "StreamCreationTimestamp"))
        after = optional_text(request, "ExclusiveStartShardId") or ""
        chosen = _filter(account, stream, mapping(request, "ShardFilter"))
    else:
        stream, after, chosen = _continue(account, request, token)
    if not stream.has_shard_listing():
        raise AwsError("ResourceInUseException", f"stream {stream.name} is {stream.status}")
    limit = min(optional_whole(request, "MaxResults", 1, 10_000) or _PAGE_MAX, _PAGE_MAX)
    accepts = _accepts(account, stream, chosen)
    shards = [
        shard for shard in stream.shards.values() if shard.shard_id > after and accepts(shard)
    ]
    answer: Answer = {"Shards": [shard.describe() for shard in shards[:limit]]}
    if len(shards) > limit:
        fields = [stream.name, stream.made_at, account.clock(), shards[limit - 1].shard_id, chosen]
        answer["NextToken"] = seal("shards", fields)
    return answer


def _open_shard(account: Account, stream: Stream, shard_id: str) -> Shard:
    shard = account.shard(stream, shard_id)
    if not shard.is_open:
        raise AwsError(
            "ResourceInUseException", f"{shard_id} is closed: it was split or merged before"
        )
    return shard


def _start_reshard(
    account: Account, stream: Stream, parents: list[Shard], ranges: list[tuple[int, int]]
) -> None:
    account.check_shards(len(ranges) - len(parents))
    start_change(account, stream, lambda at: stream.reshard([Reshard(parents, ranges)], at))


def _continue(account: Account, request: Request, token: str) -> tuple[Stream, str, dict[str, Any]]:
    """What a NextToken stands for. It names the stream, so nothing else may."""
    exclusive = ("StreamName", "ExclusiveStartShardId", "StreamCreationTimestamp")
    if any(request.get(name) is not None for name in exclusive):
        raise AwsError(
            "InvalidArgumentException", f"NextToken cannot be given with {', '.join(exclusive)}"
        )
    fields = unseal("shards", token)
    if fields is None:
        raise AwsError("InvalidArgumentException", "NextToken is not valid")
    name, made_at, issued_at, after, chosen = fields
    if account.clock() - issued_at > account.settings.token_seconds:
        raise AwsError("ExpiredNextTokenException", "NextToken has expired")
    stream = account.find({"StreamName": name, "StreamARN": request.get("StreamARN")})
    if stream.made_at != made_at:
        raise AwsError("InvalidArgumentException", "NextToken is of a stream that was deleted")
    given = mapping(request, "ShardFilter")
    if given and given.get("Type") != chosen.get("Type"):
        raise AwsError("InvalidArgumentException", "NextToken is of a listing with another filter")
    return stream, after, chosen


def _filter(account: Account, stream: Stream, given: dict[str, Any]) -> dict[str, Any]:
    """The filter with its time made absolute, so that all pages see the same shards."""
    kind = optional_text(given, "Type")
    if given:
        _check_filter(given, kind)
    now = account.clock()
    if kind in ("AT_TIMESTAMP", "FROM_TIMESTAMP"):
        when = optional_time(given, "Timestamp")
        if when is None or when > now:
            raise AwsError("InvalidArgumentException", f"{kind} needs a Timestamp of the past")
        return {"Type": kind, "Timestamp": max(when, _trim_horizon(stream, now))}
    if kind == "AFTER_SHARD_ID":
        return {"Type": kind, "ShardId": required_text(given, "ShardId")}
    return {"Type": kind, "Timestamp": _trim_horizon(stream, now)} if kind else {}


def _check_filter(given: dict[str, Any], kind: str | None) -> None:
    """Refuse a type that is none, and what does not belong to the type."""
    refuse_unknown("ShardFilter", given, {"Type", "ShardId", "Timestamp"})
    if kind not in _FILTERS:
        raise AwsError("InvalidArgumentException", f"ShardFilter has no Type {kind}")
    by_time = kind in ("AT_TIMESTAMP", "FROM_TIMESTAMP")
    if ("Timestamp" in given and not by_time) or ("ShardId" in given and kind != "AFTER_SHARD_ID"):
        raise AwsError("InvalidArgumentException", f"{kind} takes no such parameter")


def _trim_horizon(stream: Stream, now: float) -> float:
    return max(stream.made_at, now - stream.retention_seconds)


def _is_open_at(shard: Shard, when: float) -> bool:
    return shard.made_at <= when and (shard.closed_at is None or shard.closed_at > when)


_FILTERS: dict[str | None, Callable[[Shard, dict[str, Any]], bool]] = {
    None: lambda _shard, _given: True,
    "AFTER_SHARD_ID": lambda shard, given: shard.shard_id > given["ShardId"],
    "AT_TRIM_HORIZON": lambda shard, given: _is_open_at(shard, given["Timestamp"]),
    "FROM_TRIM_HORIZON": lambda _shard, _given: True,
    "AT_LATEST": lambda shard, _given: shard.is_open,
    "AT_TIMESTAMP": lambda shard, given: _is_open_at(shard, given["Timestamp"]),
    "FROM_TIMESTAMP": lambda shard, given: (
        shard.closed_at is None or shard.closed_at >= given["Timestamp"]
    ),
}


def _accepts(_account: Account, _stream: Stream, chosen: dict[str, Any]) -> Callable[[Shard], bool]:
    keeps = _FILTERS[chosen.get("Type")]
    return lambda shard: keeps(shard, chosen)
