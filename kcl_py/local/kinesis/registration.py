"""How do consumers come to a stream and leave it?"""

from __future__ import annotations

import re

from kcl_py.local.errors import AwsError, invalid
from kcl_py.local.kinesis.account import Account, Answer, Request
from kcl_py.local.kinesis.consumers import Consumer
from kcl_py.local.kinesis.limits import CONSUMERS_CREATING_MAX, CONSUMERS_MAX
from kcl_py.local.kinesis.streams import Stream
from kcl_py.local.kinesis.tags import put_tags
from kcl_py.local.kinesis.tokens import seal, unseal
from kcl_py.local.parameters import (
    mapping,
    optional_text,
    optional_time,
    optional_whole,
    required_text,
)

_NAME = re.compile(r"[a-zA-Z0-9_.-]{1,128}")
_PAGE_MAX = 100


def register(account: Account, request: Request) -> Answer:
    """RegisterStreamConsumer."""
    name = _checked_name(required_text(request, "ConsumerName"))
    tags: dict[str, str] = {}
    put_tags(tags, mapping(request, "Tags"))
    stream = account.find({"StreamARN": required_text(request, "StreamARN")})
    if not stream.has_shard_listing():
        raise AwsError("ResourceInUseException", f"stream {stream.name} is {stream.status}")
    if name in stream.consumers:
        raise AwsError("ResourceInUseException", f"consumer {name} is registered already")
    if len(stream.consumers) >= CONSUMERS_MAX:
        raise AwsError(
            "LimitExceededException", f"stream {stream.name} has {CONSUMERS_MAX} consumers already"
        )
    if account.settings.limits:
        _check_creating(account)
    now = account.clock()
    consumer = Consumer(stream.arn, name, stamp=stream.consumer_stamp(name, now), made_at=now)
    consumer.tags = tags
    consumer.begin("CREATING", now + account.settings.create_seconds)
    stream.consumers[name] = consumer
    answer = {"Consumer": consumer.describe()}
    stream.settle(now)
    return answer


def describe(account: Account, request: Request) -> Answer:
    """DescribeStreamConsumer."""
    stream, consumer = _named(account, request)
    account.check_rate(stream, "DescribeStreamConsumer")
    return {"ConsumerDescription": consumer.describe() | {"StreamARN": stream.arn}}


def deregister(account: Account, request: Request) -> Answer:
    """DeregisterStreamConsumer; a second one while DELETING changes nothing."""
    stream, consumer = _named(account, request)
    account.check_rate(stream, "DeregisterStreamConsumer")
    now = account.clock()
    if consumer.status != "DELETING":
        consumer.begin("DELETING", now + account.settings.delete_seconds)
    stream.settle(now)
    return {}


def list_consumers(account: Account, request: Request) -> Answer:
    """ListStreamConsumers, by name."""
    stream = account.find({"StreamARN": required_text(request, "StreamARN")})
    account.check_rate(stream, "ListStreamConsumers")
    limit = min(optional_whole(request, "MaxResults", 1, 10_000) or _PAGE_MAX, _PAGE_MAX)
    after = _start(account, stream, request)
    names = sorted(name for name in stream.consumers if name > after)
    answer: Answer = {"Consumers": [stream.consumers[name].describe() for name in names[:limit]]}
    if len(names) > limit:
        fields = [stream.name, stream.made_at, account.clock(), names[limit - 1]]
        answer["NextToken"] = seal("consumers", fields)
    return answer


def _checked_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise invalid("ConsumerName must be 1 to 128 letters, digits, '_', '.' or '-'")
    return name


def _check_creating(account: Account) -> None:
    creating = sum(
        consumer.status == "CREATING"
        for stream in account.settled_streams()
        for consumer in stream.consumers.values()
    )
    if creating >= CONSUMERS_CREATING_MAX:
        raise AwsError(
            "LimitExceededException",
            f"{CONSUMERS_CREATING_MAX} consumers are being registered already",
        )


def _named(account: Account, request: Request) -> tuple[Stream, Consumer]:
    """The consumer by its ARN, by its stream and name, or by all three if they agree."""
    arn = optional_text(request, "ConsumerARN")
    name = optional_text(request, "ConsumerName")
    stream_arn = optional_text(request, "StreamARN")
    if arn is None:
        if name is None or stream_arn is None:
            raise AwsError(
                "InvalidArgumentException", "ConsumerARN, or StreamARN and ConsumerName, is needed"
            )
        stream = account.find({"StreamARN": stream_arn})
        consumer = stream.consumers.get(_checked_name(name))
        if consumer is None:
            raise AwsError("ResourceNotFoundException", f"consumer {name} is not registered")
        return stream, consumer
    stream, consumer = account.consumer(arn)
    if name not in (None, consumer.name) or stream_arn not in (None, stream.arn):
        raise AwsError("InvalidArgumentException", "the parameters name different consumers")
    return stream, consumer


def _start(account: Account, stream: Stream, request: Request) -> str:
    """The name behind which a listing begins."""
    token = optional_text(request, "NextToken")
    made_at = optional_time(request, "StreamCreationTimestamp")
    if token is None:
        account.check_made_at(stream, made_at)
        return ""
    if made_at is not None:
        raise AwsError(
            "InvalidArgumentException", "NextToken cannot be given with StreamCreationTimestamp"
        )
    fields = unseal("consumers", token)
    if fields is None or fields[:2] != [stream.name, stream.made_at]:
        raise AwsError("InvalidArgumentException", "NextToken is not valid for this stream")
    if account.clock() - fields[2] > account.settings.token_seconds:
        raise AwsError("ExpiredNextTokenException", "NextToken has expired")
    after: str = fields[3]
    return after
