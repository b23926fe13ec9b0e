"""What is in one shard, and where in it is a given time or sequence number?"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from kcl_py.local.kinesis.limits import (
    ITERATOR_CALLS_PER_SECOND,
    READ_BYTES_PER_SECOND,
    READ_CALLS_PER_SECOND,
    WRITE_BYTES_PER_SECOND,
    WRITE_RECORDS_PER_SECOND,
    Bucket,
)
from kcl_py.local.kinesis.sequence import FIRST_COUNTER, LAST_COUNTER, Numbering

_COMPACT_AT = 1024


class StoredRecord(NamedTuple):
    """One record as it was put."""

    sequence_number: str
    arrival: float
    data: bytes
    key: str
    is_encrypted: bool = False


def _arrival_of(record: StoredRecord) -> float:
    return record.arrival


class Shard:
    """A log of records for one range of hash keys. A position is the counter of the next record."""

    def __init__(
        self,
        *,
        index: int,
        made_at: float,
        made_second: int,
        hash_keys: tuple[int, int],
        parent_ids: tuple[str, ...],
    ) -> None:
        self.shard_id = f"shardId-{index:012d}"
        self.index = index
        self.made_at = made_at
        self.made_second = made_second
        self.first_key, self.last_key = hash_keys
        self.parent_ids = parent_ids
        self.child_ids: tuple[str, ...] = ()
        self.closed_at: float | None = None
        self._numbers = Numbering(index, made_second)
        self.starting_number = self._numbers.write(0, made_second)
        self.ending_number: str | None = None
        self._records: list[StoredRecord] = []
        self._base = FIRST_COUNTER
        self._oldest = FIRST_COUNTER
        self.write_bytes = Bucket(WRITE_BYTES_PER_SECOND)
        self.write_records = Bucket(WRITE_RECORDS_PER_SECOND)
        self.read_bytes = Bucket(READ_BYTES_PER_SECOND)
        self.read_calls = Bucket(READ_CALLS_PER_SECOND)
        self.iterator_calls = Bucket(ITERATOR_CALLS_PER_SECOND)
        self.watchers: set[Callable[[], None]] = set()

    @property
    def is_open(self) -> bool:
        """Whether it takes records."""
        return self.closed_at is None

    @property
    def tip(self) -> int:
        """The position behind the last record."""
        return self._base + len(self._records)

    @property
    def oldest(self) -> int:
        """The position of the first record that retention has left."""
        return self._oldest

    def append(self, data: bytes, key: str, now: float, *, is_encrypted: bool = False) -> str:
        """Add a record; times of arrival never go back inside a shard."""
        arrival = math.floor(now * 1000) / 1000
        if self._records:
            arrival = max(arrival, self._records[-1].arrival)
        number = self._numbers.write(self.tip, int(arrival))
        self._records.append(StoredRecord(number, arrival, data, key, is_encrypted))
        if self.watchers:
            self.tell_watchers()
        return number

    def tell_watchers(self) -> None:
        """Something has changed, or soon will."""
        for wake in list(self.watchers):
            wake()

    def close(self, now: float, children: Sequence[Shard]) -> None:
        """Take no more records; the children go on."""
        self.closed_at = now
        self.ending_number = self._numbers.write(LAST_COUNTER, int(now))
        self.child_ids = tuple(child.shard_id for child in children)
        self.tell_watchers()

    def trim(self, horizon: float) -> None:
        """Forget what arrived before `horizon`, for good."""
        if not self._records or self._records[0].arrival >= horizon:
            return
        kept_from = self._base + bisect_left(self._records, horizon, key=_arrival_of)
        self._oldest = max(self._oldest, kept_from)
        dropped = self._oldest - self._base
        if dropped >= min(_COMPACT_AT, len(self._records)):
            del self._records[:dropped]
            self._base = self._oldest

    def at_time(self, when: float) -> int:
        """The position of the first record that arrived at `when` or later."""
        return self._base + bisect_left(self._records, when, key=_arrival_of)

    def at_number(self, number: int, *, after: bool) -> int | None:
        """The position at, or behind, a sequence number; None when it is none of this shard."""
        counter = self._numbers.counter(number)
        if counter is None:
            return None
        if not self._base <= counter < self.tip:
            return max(self._base, min(counter, self.tip))
        stored = int(self._records[counter - self._base].sequence_number)
        is_passed = stored <= number if after else stored < number
        return counter + 1 if is_passed else counter

    def number_before(self, position: int) -> str:
        """A sequence number that stands for everything before a position, read or not."""
        index = position - 1 - self._base
        if 0 <= index < len(self._records):
            return self._records[index].sequence_number
        return self._numbers.write(position - 1, self.made_second)

    def read(self, position: int, count_max: int, bytes_max: int) -> list[StoredRecord]:
        """Records from a position on; at least one if there is one, however large."""
        begin = max(position, self._oldest) - self._base
        page = self._records[begin : begin + count_max]
        total = 0
        for number, record in enumerate(page):
            total += len(record.data) + len(record.key)
            if total > bytes_max and number:
                return page[:number]
        return page

    def arrival_at(self, position: int) -> float | None:
        """When the record at a position arrived, or None at the tip."""
        index = max(position, self._oldest) - self._base
        return self._records[index].arrival if index < len(self._records) else None

    def describe(self) -> dict[str, Any]:
        """As DescribeStream and ListShards show it."""
        numbers = {"StartingSequenceNumber": self.starting_number}
        if self.ending_number is not None:
            numbers["EndingSequenceNumber"] = self.ending_number
        shard: dict[str, Any] = {
            "ShardId": self.shard_id,
            "HashKeyRange": self.hash_key_range(),
            "SequenceNumberRange": numbers,
        }
        roles = ("ParentShardId", "AdjacentParentShardId")
        shard.update(zip(roles, self.parent_ids, strict=False))
        return shard

    def hash_key_range(self) -> dict[str, str]:
        """Both ends belong to the shard."""
        return {"StartingHashKey": str(self.first_key), "EndingHashKey": str(self.last_key)}

    def dump(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "index": self.index,
            "made_at": self.made_at,
            "made_second": self.made_second,
            "hash_keys": [str(self.first_key), str(self.last_key)],
            "parent_ids": self.parent_ids,
            "child_ids": self.child_ids,
            "closed_at": self.closed_at,
            "ending_number": self.ending_number,
            "base": self._base,
            "oldest": self._oldest,
            "records": self._records,
        }

    @classmethod
    def load(cls, saved: dict[str, Any]) -> Shard:
        """From what `dump` returned; `data` is bytes again."""
        first, last = saved["hash_keys"]
        shard = cls(
            index=saved["index"],
            made_at=saved["made_at"],
            made_second=saved["made_second"],
            hash_keys=(int(first), int(last)),
            parent_ids=tuple(saved["parent_ids"]),
        )
        shard.child_ids = tuple(saved["child_ids"])
        shard.closed_at = saved["closed_at"]
        shard.ending_number = saved["ending_number"]
        shard._base, shard._oldest = saved["base"], saved["oldest"]
        shard._records = [StoredRecord(*record) for record in saved["records"]]
        return shard
