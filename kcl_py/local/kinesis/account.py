"""Which stream does a request mean, and may it be used now?"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from typing import Any

from kcl_py.local.errors import AwsError, invalid
from kcl_py.local.kinesis.consumers import Consumer
from kcl_py.local.kinesis.limits import CALLS_PER_SECOND, CallRates
from kcl_py.local.kinesis.settings import ACCOUNT, KinesisSettings
from kcl_py.local.kinesis.shards import Shard
from kcl_py.local.kinesis.streams import Stream
from kcl_py.local.parameters import mapping, optional_text, refuse_unknown, required_text

Request = Mapping[str, Any]
Answer = dict[str, Any]

_NAME = re.compile(r"[a-zA-Z0-9_.-]{1,128}")
_ARN = re.compile(r"arn:[^:]+:kinesis:[^:]*:\d{12}:stream/([a-zA-Z0-9_.-]{1,128})")
_CONSUMER_ARN = re.compile(
    r"(arn:[^:]+:kinesis:[^:]*:\d{12}:stream/[a-zA-Z0-9_.-]+)/consumer/[a-zA-Z0-9_.-]+:[0-9]+"
)


class Account:
    """Everything the operations share."""

    def __init__(
        self, clock: Callable[[], float], rng: random.Random, settings: KinesisSettings
    ) -> None:
        self.clock = clock
        self.rng = rng
        self.settings = settings
        self.streams: dict[str, Stream] = {}
        self.rates = CallRates(CALLS_PER_SECOND)
        self.fail_record: Callable[[], bool] | None = None

    def settle(self, now: float) -> None:
        """Let every stream catch up; forget those whose deletion is done."""
        for stream in list(self.streams.values()):
            self._settled(stream, now)

    def settled_streams(self) -> list[Stream]:
        """All streams as they are now."""
        self.settle(self.clock())
        return list(self.streams.values())

    def find(self, request: Request) -> Stream:
        """The stream named by StreamName, StreamARN or both, in whatever state."""
        name = stream_name(request)
        if name is None:
            raise invalid("StreamName or StreamARN is needed")
        stream = self.streams.get(name)
        if stream is None or not self._settled(stream, self.clock()):
            raise _not_found(name)
        return stream

    def usable(self, request: Request) -> Stream:
        """The stream, if records can be put and read."""
        stream = self.find(request)
        if not stream.has_shard_listing():
            raise _not_found(stream.name)
        return stream

    def changeable(self, request: Request) -> Stream:
        """The stream, if it is ACTIVE."""
        stream = self.find(request)
        if stream.status != "ACTIVE":
            raise AwsError(
                "ResourceInUseException", f"stream {stream.name} is {stream.status}, not ACTIVE"
            )
        return stream

    def scalable(self, request: Request) -> Stream:
        """The stream, if it is ACTIVE and its shards are the caller's business."""
        stream = self.find(request)
        if stream.mode == "ON_DEMAND":
            raise invalid(f"the service scales stream {stream.name}: its mode is ON_DEMAND")
        return self.changeable(request)

    def shard(self, stream: Stream, shard_id: str) -> Shard:
        """A shard of the stream that retention has not forgotten."""
        shard = stream.shards.get(shard_id)
        if shard is None:
            raise AwsError(
                "ResourceNotFoundException",
                f"there is no shard {shard_id} in stream {stream.name} of account {ACCOUNT}",
            )
        return shard

    def consumer(self, arn: str) -> tuple[Stream, Consumer]:
        """The registered consumer of this ARN, in whatever state, and its stream."""
        match = _CONSUMER_ARN.fullmatch(arn)
        if match is None:
            raise invalid("ConsumerARN is not the ARN of a consumer")
        stream = self.find({"StreamARN": match[1]})
        for consumer in stream.consumers.values():
            if consumer.arn == arn:
                return stream, consumer
        raise AwsError("ResourceNotFoundException", f"consumer {arn} is not registered")

    def check_rate(self, stream: Stream, operation: str) -> None:
        """Refuse one call too many of those that are counted per stream."""
        if self.settings.limits and not stream.rates.allow(operation, self.clock()):
            raise AwsError("LimitExceededException", f"too many calls of {operation} this second")

    def check_made_at(self, stream: Stream, made_at: float | None) -> None:
        """Refuse a StreamCreationTimestamp of another stream; clients send whole seconds."""
        if made_at is not None and int(made_at) != int(stream.made_at):
            raise _not_found(f"{stream.name}, made at {made_at},")

    def open_shard_count(self) -> int:
        """Over all provisioned streams."""
        return sum(
            len(stream.open_shards)
            for stream in self.streams.values()
            if stream.mode == "PROVISIONED"
        )

    def on_demand_count(self) -> int:
        """How many streams are in the mode ON_DEMAND."""
        return sum(stream.mode == "ON_DEMAND" for stream in self.streams.values())

    def check_shards(self, more: int) -> None:
        """Refuse what would make too many open shards."""
        if self.open_shard_count() + more > self.settings.shards_max:
            raise AwsError(
                "LimitExceededException",
                f"the account would have more than {self.settings.shards_max} open shards",
            )

    def check_on_demand(self) -> None:
        """Refuse one stream too many in the mode ON_DEMAND."""
        if self.on_demand_count() >= self.settings.on_demand_streams_max:
            raise AwsError(
                "LimitExceededException",
                f"the account has {self.settings.on_demand_streams_max} on-demand streams already",
            )

    def _settled(self, stream: Stream, now: float) -> bool:
        stream.settle(now)
        if stream.status == "DELETED":
            del self.streams[stream.name]
            return False
        return True


def stream_name(request: Request) -> str | None:
    """The name in StreamName or StreamARN, which must agree."""
    name = optional_text(request, "StreamName")
    if name is not None and not _NAME.fullmatch(name):
        raise invalid("StreamName must be 1 to 128 letters, digits, '_', '.' or '-'")
    arn = optional_text(request, "StreamARN")
    if arn is None:
        return name
    match = _ARN.fullmatch(arn)
    if match is None:
        raise invalid("StreamARN is not the ARN of a stream")
    if name is not None and name != match[1]:
        raise AwsError("InvalidArgumentException", "StreamName and StreamARN name two streams")
    return match[1]


def new_stream_name(request: Request) -> str:
    """The name for a stream to be made."""
    name = required_text(request, "StreamName")
    if not _NAME.fullmatch(name):
        raise invalid("StreamName must be 1 to 128 letters, digits, '_', '.' or '-'")
    return name


def mode_of(request: Request) -> str | None:
    """The mode in StreamModeDetails, if there is one."""
    details = mapping(request, "StreamModeDetails")
    if request.get("StreamModeDetails") is None:
        return None
    refuse_unknown("StreamModeDetails", details, {"StreamMode"})
    mode = required_text(details, "StreamMode")
    if mode not in ("PROVISIONED", "ON_DEMAND"):
        raise invalid(f"there is no StreamMode {mode}")
    return mode


def _not_found(name: str) -> AwsError:
    return AwsError(
        "ResourceNotFoundException", f"stream {name} of account {ACCOUNT} does not exist"
    )
