"""What happens when records are put?"""

from __future__ import annotations

from typing import Any

from kcl_py.local.errors import AwsError, invalid
from kcl_py.local.kinesis.account import Account, Answer, Request
from kcl_py.local.kinesis.limits import (
    KEY_CHARACTERS_MAX,
    PUT_BYTES_MAX,
    PUT_RECORDS_MAX,
    WRITE_BYTES_PER_SECOND,
)
from kcl_py.local.kinesis.shards import Shard
from kcl_py.local.kinesis.streams import HASH_KEYS, Stream, hash_key_of
from kcl_py.local.parameters import decimal_number, optional_text, refuse_unknown, sequence


def put_record(account: Account, request: Request) -> Answer:
    """PutRecord: refused as a whole when the shard's second is used up."""
    stream = account.usable(request)
    ordering = optional_text(request, "SequenceNumberForOrdering")
    if ordering is not None:  # nothing to do for it: the numbers of a shard always grow
        decimal_number(ordering, "SequenceNumberForOrdering")
    size = _check(stream, request)
    shard = _shard_for(stream, request)
    now = account.clock()
    fails = account.fail_record is not None and account.fail_record()
    if fails or not _fits(account, shard, size, now):
        raise AwsError(_TOO_MUCH, _too_much(stream, shard))
    encrypts = stream.encryption_key is not None
    number = shard.append(request["Data"], request["PartitionKey"], now, is_encrypted=encrypts)
    return {"ShardId": shard.shard_id, "SequenceNumber": number} | _encryption(encrypts)


def put_records(account: Account, request: Request) -> Answer:
    """PutRecords: each record succeeds or fails by itself, in any mixture."""
    stream = account.usable(request)
    entries = sequence(request, "Records")
    if not 1 <= len(entries) <= PUT_RECORDS_MAX:
        raise invalid(f"Records must hold 1 to {PUT_RECORDS_MAX} records, not {len(entries)}")
    for entry in entries:
        if not entry.keys() <= _ENTRY:
            refuse_unknown("PutRecords", entry, _ENTRY)
    sizes = [_check(stream, entry) for entry in entries]
    if sum(sizes) > PUT_BYTES_MAX:
        raise AwsError(
            "InvalidArgumentException", f"the records are larger than {PUT_BYTES_MAX} bytes"
        )
    shards = [_shard_for(stream, entry) for entry in entries]
    now = account.clock()
    fails = account.fail_record
    encrypts = stream.encryption_key is not None
    answers: list[dict[str, Any]] = []
    failed = 0
    for entry, size, shard in zip(entries, sizes, shards, strict=True):
        if (fails is not None and fails()) or not _fits(account, shard, size, now):
            failed += 1
            answers.append({"ErrorCode": _TOO_MUCH, "ErrorMessage": _too_much(stream, shard)})
        else:
            number = shard.append(entry["Data"], entry["PartitionKey"], now, is_encrypted=encrypts)
            answers.append({"SequenceNumber": number, "ShardId": shard.shard_id})
    return {"FailedRecordCount": failed, "Records": answers} | _encryption(encrypts)


def _encryption(encrypts: bool) -> Answer:  # noqa: FBT001 - its name is its meaning
    return {"EncryptionType": "KMS"} if encrypts else {}


_ENTRY = frozenset({"Data", "PartitionKey", "ExplicitHashKey"})
_TOO_MUCH = "ProvisionedThroughputExceededException"


def _too_much(stream: Stream, shard: Shard) -> str:
    return f"rate exceeded for shard {shard.shard_id} in stream {stream.name}"


def _check(stream: Stream, entry: Any) -> int:  # noqa: ANN401
    """Refuse a record that breaks a rule of its own; return its size."""
    data = entry.get("Data")
    key = entry.get("PartitionKey")
    if not isinstance(data, bytes):
        raise AwsError("SerializationException", "Data must be bytes")
    if not isinstance(key, str) or not 1 <= len(key) <= KEY_CHARACTERS_MAX:
        raise invalid(f"PartitionKey must be 1 to {KEY_CHARACTERS_MAX} characters")
    size = len(data) + (len(key) if key.isascii() else len(key.encode()))
    if size > stream.record_kib_max * 1024:
        raise invalid(f"a record with its key must not be larger than {stream.record_kib_max} KiB")
    return size


def _shard_for(stream: Stream, entry: Any) -> Shard:  # noqa: ANN401
    explicit = entry.get("ExplicitHashKey")
    if explicit is None:
        return stream.route(hash_key_of(entry["PartitionKey"]))
    if not isinstance(explicit, str):
        raise AwsError("SerializationException", "ExplicitHashKey must be text")
    hash_key = decimal_number(explicit, "ExplicitHashKey")
    if hash_key >= HASH_KEYS:
        raise AwsError("InvalidArgumentException", "ExplicitHashKey must be less than 2^128")
    return stream.route(hash_key)


def _fits(account: Account, shard: Shard, size: int, now: float) -> bool:
    if not account.settings.limits:
        return True
    # A large record needs a full second and then silences the shard: on average the limit holds.
    needed = min(size, WRITE_BYTES_PER_SECOND)
    if not shard.write_bytes.holds(needed, now) or not shard.write_records.take(1, now):
        return False
    shard.write_bytes.draw(size)
    return True
