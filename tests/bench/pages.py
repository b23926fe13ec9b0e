"""What does a page of GetRecords look like on the wire? Rendered once, numbered for each answer."""

from __future__ import annotations

import base64
import random
import uuid
from functools import lru_cache
from typing import Final

PLACE: Final = b"#########"
"""Stands where the number of the page goes: in every sequence number, and in the iterator."""

ITERATOR_LENGTH: Final = 228
"""About as long as the service's."""

LAG_SECONDS: Final = 3600
"""While pages are left, the shard is this far behind, so that it is read at the full rate."""


class Pages:
    """Pages of records of one size, all alike but for their sequence numbers.

    Args:
        records: In each page.
        record_bytes: Payload of each.
        count: How many pages a shard has; after them answers are empty, and the shard stays open.
    """

    def __init__(self, *, records: int, record_bytes: int, count: int) -> None:
        self.records = records
        self.record_bytes = record_bytes
        self.count = count
        self._template = self._render()
        self.numbered = lru_cache(maxsize=32)(self._numbered)

    def _render(self) -> bytes:
        rng = random.Random(f"{self.records}/{self.record_bytes}")
        rendered = [
            b'{"ApproximateArrivalTimestamp":1.7954%05dE9,"Data":"%s","PartitionKey":"%s",'
            b'"SequenceNumber":"4967%s%043d"}'
            % (
                index,
                base64.b64encode(rng.randbytes(self.record_bytes)),
                str(uuid.UUID(int=rng.getrandbits(128))).encode(),
                PLACE,
                index,
            )
            for index in range(self.records)
        ]
        return b",".join(rendered)

    def _numbered(self, page: int) -> bytes:
        return self._template.replace(PLACE, b"%09d" % page)

    def answer(self, shard_id: str, page: int) -> bytes:
        """Return the body of the answer for one page of a shard; an empty one after the last."""
        if page >= self.count:
            records, lag = b"", 0
        else:
            records, lag = self.numbered(page), LAG_SECONDS * 1000 * (page < self.count - 1)
        following = iterator(shard_id, min(page + 1, self.count)).encode()
        return (
            b'{"MillisBehindLatest":%d,"NextShardIterator":"%s","Records":[' % (lag, following)
            + records
            + b"]}"
        )


def iterator(shard_id: str, page: int) -> str:
    """Return an iterator of a page, as long as the service's."""
    return f"{shard_id}/{page}/".ljust(ITERATOR_LENGTH, "A")


def place_of(shard_iterator: str) -> tuple[str, int]:
    """Return shard and page of an iterator."""
    shard_id, page, _ = shard_iterator.split("/")
    return shard_id, int(page)


def page_after(sequence_number: str) -> int:
    """Return the page behind the one that a sequence number is in."""
    return int(sequence_number[4 : 4 + len(PLACE)]) + 1
