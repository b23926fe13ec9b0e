"""Which settings of a stream can be changed while it is used?

Each change makes the stream UPDATING for a while and holds once it is ACTIVE again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kcl_py.local.errors import AwsError, invalid
from kcl_py.local.kinesis.account import Account, Answer, Request, mode_of
from kcl_py.local.kinesis.limits import RECORD_KIB
from kcl_py.local.kinesis.streams import Stream
from kcl_py.local.parameters import required_text, required_whole, sequence

_RETENTION_HOURS = (24, 8760)
_WHOLE_MAX = 2**31 - 1
_KEY_CHARACTERS_MAX = 2048
METRICS = (
    "IncomingBytes",
    "IncomingRecords",
    "OutgoingBytes",
    "OutgoingRecords",
    "WriteProvisionedThroughputExceeded",
    "ReadProvisionedThroughputExceeded",
    "IteratorAgeMilliseconds",
)


def increase_retention(account: Account, request: Request) -> Answer:
    """IncreaseStreamRetentionPeriod."""
    return _change_retention(account, request, grow=True)


def decrease_retention(account: Account, request: Request) -> Answer:
    """DecreaseStreamRetentionPeriod."""
    return _change_retention(account, request, grow=False)


def enable_monitoring(account: Account, request: Request) -> Answer:
    """EnableEnhancedMonitoring."""
    return _change_monitoring(account, request, enable=True)


def disable_monitoring(account: Account, request: Request) -> Answer:
    """DisableEnhancedMonitoring."""
    return _change_monitoring(account, request, enable=False)


def start_encryption(account: Account, request: Request) -> Answer:
    """StartStreamEncryption. No key is looked up and nothing is encrypted; the answers say so."""
    key = _encryption_key(request)
    stream = account.changeable(request)
    if stream.encryption_key != key:
        count_change(account, stream, "StartStreamEncryption")

    def change(_now: float) -> None:
        stream.encryption_key = key

    start_change(account, stream, change)
    return {}


def stop_encryption(account: Account, request: Request) -> Answer:
    """StopStreamEncryption, with the key that encrypts now."""
    key = _encryption_key(request)
    stream = account.changeable(request)
    if stream.encryption_key not in (key, None):
        raise AwsError("InvalidArgumentException", f"key {key} does not encrypt {stream.name}")
    if stream.encryption_key is not None:
        count_change(account, stream, "StopStreamEncryption")

    def change(_now: float) -> None:
        stream.encryption_key = None

    start_change(account, stream, change)
    return {}


def update_mode(account: Account, request: Request) -> Answer:
    """UpdateStreamMode: the shards stay as they are, whichever way it goes."""
    mode = mode_of(request)
    if mode is None:
        raise invalid("StreamModeDetails must not be empty")
    stream = account.changeable({"StreamARN": required_text(request, "StreamARN")})
    if mode != stream.mode:
        if mode == "ON_DEMAND":
            account.check_on_demand()
        else:
            account.check_shards(len(stream.open_shards))
        count_change(account, stream, "UpdateStreamMode")

    def change(_now: float) -> None:
        stream.mode = mode

    start_change(account, stream, change)
    return {}


def update_record_size(account: Account, request: Request) -> Answer:
    """UpdateMaxRecordSize."""
    kib = required_whole(request, "MaxRecordSizeInKiB", *RECORD_KIB)
    stream = account.changeable({"StreamARN": required_text(request, "StreamARN")})

    def change(_now: float) -> None:
        stream.record_kib_max = kib

    start_change(account, stream, change)
    return {}


def start_change(account: Account, stream: Stream, change: Callable[[float], None]) -> None:
    """Be UPDATING, then change, then be ACTIVE."""
    now = account.clock()
    stream.after(now + account.settings.update_seconds, change)
    stream.status = "UPDATING"
    stream.settle(now)


def count_change(account: Account, stream: Stream, operation: str) -> None:
    """Count a change that may be made so often in 24 hours; refuse one too many."""
    if account.settings.limits:
        now = account.clock()
        stream.changes.check(operation, now)
        stream.changes.note(operation, now)


def _change_retention(account: Account, request: Request, *, grow: bool) -> Answer:
    hours = required_whole(request, "RetentionPeriodHours", -_WHOLE_MAX, _WHOLE_MAX)
    low, high = _RETENTION_HOURS
    if not low <= hours <= high:
        raise AwsError("InvalidArgumentException", f"the retention is {low} to {high} hours")
    stream = account.changeable(request)
    if (hours < stream.retention_hours) if grow else (hours > stream.retention_hours):
        raise AwsError(
            "InvalidArgumentException",
            f"the retention is {stream.retention_hours} hours; {hours} is on the wrong side of it",
        )

    def change(now: float) -> None:
        for shard in stream.shards.values():
            shard.trim(now - stream.retention_seconds)
        stream.retention_hours = hours

    start_change(account, stream, change)
    return {}


def _change_monitoring(account: Account, request: Request, *, enable: bool) -> Answer:
    named = _named_metrics(request)
    stream = account.changeable(request)
    before = stream.metrics
    desired = tuple(
        metric for metric in METRICS if (enable if metric in named else metric in before)
    )

    def change(_now: float) -> None:
        stream.metrics = desired

    start_change(account, stream, change)
    return {
        "StreamName": stream.name,
        "StreamARN": stream.arn,
        "CurrentShardLevelMetrics": list(before),
        "DesiredShardLevelMetrics": list(desired),
    }


def _named_metrics(request: Request) -> set[str]:
    named: list[Any] = sequence(request, "ShardLevelMetrics")
    if not 1 <= len(named) <= len(METRICS):
        raise invalid(f"ShardLevelMetrics must hold 1 to {len(METRICS)} names, not {len(named)}")
    for name in named:
        if name != "ALL" and name not in METRICS:
            raise invalid(f"there is no shard-level metric {name}")
    return set(METRICS if "ALL" in named else named)


def _encryption_key(request: Request) -> str:
    kind = required_text(request, "EncryptionType")
    if kind not in ("NONE", "KMS"):
        raise invalid(f"there is no EncryptionType {kind}")
    if kind == "NONE":
        raise AwsError("InvalidArgumentException", "EncryptionType must be KMS")
    key = required_text(request, "KeyId")
    if len(key) > _KEY_CHARACTERS_MAX:
        raise invalid(f"KeyId must be at most {_KEY_CHARACTERS_MAX} characters")
    return key
