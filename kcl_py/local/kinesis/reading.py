"""What does a reader of a shard get, and where does it go on?"""

from __future__ import annotations

from typing import NamedTuple

from kcl_py.local.errors import AwsError
from kcl_py.local.kinesis.account import Account, Answer, Request
from kcl_py.local.kinesis.limits import GET_BYTES_MAX, GET_RECORDS_MAX
from kcl_py.local.kinesis.positions import Place, position_of
from kcl_py.local.kinesis.shards import Shard, StoredRecord
from kcl_py.local.kinesis.streams import Stream
from kcl_py.local.kinesis.tokens import seal, unseal
from kcl_py.local.parameters import (
    optional_text,
    optional_time,
    optional_whole,
    required_text,
)


class Cursor(NamedTuple):
    """What an iterator stands for."""

    stream: str
    stream_made_at: float
    shard_id: str
    position: int
    issued_at: float


def get_shard_iterator(account: Account, request: Request) -> Answer:
    """GetShardIterator, five types."""
    stream = account.usable(request)
    shard = account.shard(stream, required_text(request, "ShardId"))
    now = account.clock()
    shard.trim(now - stream.retention_seconds)
    place = Place(
        kind=required_text(request, "ShardIteratorType"),
        number=optional_text(request, "StartingSequenceNumber"),
        when=optional_time(request, "Timestamp"),
    )
    position = position_of(shard, place, now)
    if account.settings.limits and not shard.iterator_calls.take(1, now):
        raise _too_much(stream, shard)
    return {"ShardIterator": _iterator(stream, shard, position, now)}


def get_records(account: Account, request: Request) -> Answer:
    """GetRecords: one page, and the iterator for the next one unless the shard has ended."""
    cursor = _cursor(account, required_text(request, "ShardIterator"))
    limit = _limit(request)
    stream = account.usable({"StreamName": cursor.stream, "StreamARN": request.get("StreamARN")})
    shard = account.shard(stream, cursor.shard_id)
    if stream.made_at != cursor.stream_made_at:
        raise AwsError("ResourceNotFoundException", f"stream {stream.name} was deleted")
    now = account.clock()
    _check_read_rate(account, stream, shard, now)
    shard.trim(now - stream.retention_seconds)
    page = _page(account, shard, cursor.position, limit)
    position = max(cursor.position, shard.oldest) + len(page)
    if account.settings.limits:
        shard.read_bytes.draw(sum(len(record.data) + len(record.key) for record in page))
    answer: Answer = {
        "Records": [as_answer(record) for record in page],
        "MillisBehindLatest": millis_behind(shard, page, position, now),
    }
    if shard.is_open or position < shard.tip:
        answer["NextShardIterator"] = _iterator(stream, shard, position, now)
    else:
        answer["ChildShards"] = stream.children_of(shard)
    return answer


def _limit(request: Request) -> int:
    """Source: GetRecords, which names the error for too large a limit."""
    limit = request.get("Limit")
    if isinstance(limit, int) and limit > GET_RECORDS_MAX:
        raise AwsError("InvalidArgumentException", f"Limit must be at most {GET_RECORDS_MAX}")
    return optional_whole(request, "Limit", 1, GET_RECORDS_MAX) or GET_RECORDS_MAX


def as_answer(record: StoredRecord) -> dict[str, object]:
    """A record as GetRecords and SubscribeToShard show it."""
    answer: dict[str, object] = {
        "SequenceNumber": record.sequence_number,
        "ApproximateArrivalTimestamp": record.arrival,
        "Data": record.data,
        "PartitionKey": record.key,
    }
    if record.is_encrypted:
        answer["EncryptionType"] = "KMS"
    return answer


def _page(account: Account, shard: Shard, position: int, limit: int) -> list[StoredRecord]:
    chance = account.settings.empty_page_probability
    if chance and account.rng.random() < chance:
        return []
    return shard.read(position, limit, GET_BYTES_MAX)


def millis_behind(shard: Shard, page: list[StoredRecord], position: int, now: float) -> int:
    """How far the reader is behind: 0 at the tip, else the age of what it read last."""
    unread = shard.arrival_at(position)
    if unread is None:
        return 0
    return max(0, int((now - (page[-1].arrival if page else unread)) * 1000))


def _check_read_rate(account: Account, stream: Stream, shard: Shard, now: float) -> None:
    if not account.settings.limits:
        return
    if not shard.read_bytes.holds(1, now) or not shard.read_calls.take(1, now):
        raise _too_much(stream, shard)


def _too_much(stream: Stream, shard: Shard) -> AwsError:
    return AwsError(
        "ProvisionedThroughputExceededException",
        f"rate exceeded for shard {shard.shard_id} in stream {stream.name}",
    )


def _iterator(stream: Stream, shard: Shard, position: int, now: float) -> str:
    return seal("iterator", [stream.name, stream.made_at, shard.shard_id, position, now])


def _cursor(account: Account, iterator: str) -> Cursor:
    fields = unseal("iterator", iterator)
    if fields is None:
        raise AwsError("InvalidArgumentException", "ShardIterator is not valid")
    cursor = Cursor(*fields)
    if account.clock() - cursor.issued_at > account.settings.iterator_seconds:
        raise AwsError("ExpiredIteratorException", "ShardIterator has expired")
    return cursor
