"""What does the stub answer to PutRecords? Success for every entry, rendered beforehand.

Nothing is kept. Entries are counted without being parsed, unless they are as large as aggregated
records: for those it matters that the answer names the shard of their key.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
from typing import Final

from kcl_py.aggregation import hash_key

KEY_FIELD: Final = b'"PartitionKey"'
LARGE_BYTES: Final = 20_000
"""Of one entry on the wire, on average; the records that are measured one by one are smaller."""

_NUMBER: Final = 49_671_234_567_890_123_456_789_012_345_678_901_234_567_890_123_456_789


def answer(body: bytes, shards: int) -> bytes:
    """Return the answer to this request to a stream of so many shards of the same width."""
    count = body.count(KEY_FIELD)
    if count and len(body) // count > LARGE_BYTES:
        entries = json.loads(body)["Records"]
        places = (hash_key(each["PartitionKey"], each.get("ExplicitHashKey")) for each in entries)
        return _render(tuple(place * shards >> 128 for place in places))
    return _spread(count, shards)


@functools.lru_cache(maxsize=2_000)
def _spread(count: int, shards: int) -> bytes:
    return _render(tuple(number % shards for number in range(count)))


def _render(places: tuple[int, ...]) -> bytes:
    records = [
        {"SequenceNumber": str(_NUMBER + number), "ShardId": f"shardId-{place:012d}"}
        for number, place in enumerate(places)
    ]
    return json.dumps({"FailedRecordCount": 0, "Records": records}, separators=(",", ":")).encode()


def payloads(size: int, count: int) -> list[bytes]:
    """Return different printable data of this size, the same in every run."""
    return [
        base64.a85encode(hashlib.shake_128(str(number).encode()).digest(size))[:size]
        for number in range(count)
    ]
