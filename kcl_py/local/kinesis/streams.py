"""What state is a stream in, and which shards does it have?"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any, NamedTuple

from kcl_py.local.kinesis.consumers import Consumer
from kcl_py.local.kinesis.limits import (
    CALLS_PER_SECOND_OF_STREAM,
    RECORD_KIB,
    CallRates,
    RollingCounts,
)
from kcl_py.local.kinesis.settings import ACCOUNT, REGION
from kcl_py.local.kinesis.shards import Shard

HASH_KEYS = 1 << 128


def stream_arn(name: str) -> str:
    """The ARN of a stream of this engine."""
    return f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{name}"


def hash_key_of(partition_key: str) -> int:
    """Where a partition key lies among the hash keys."""
    digest = hashlib.md5(partition_key.encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest, "big")


class Reshard(NamedTuple):
    """Open shards of the stream that close, and the ranges of their children."""

    parents: list[Shard]
    ranges: list[tuple[int, int]]


class Stream:
    """A stream. Changes that take a while are kept as one pending step and done when due."""

    def __init__(self, name: str, shard_count: int, now: float, ready_at: float) -> None:
        self.name = name
        self.arn = stream_arn(name)
        self.made_at = now
        self.status = "CREATING"
        self.retention_hours = 24
        self.mode = "PROVISIONED"
        self.metrics: tuple[str, ...] = ()
        self.encryption_key: str | None = None
        self.record_kib_max = RECORD_KIB[0]
        self.tags: dict[str, str] = {}
        self.changes = RollingCounts()
        self.rates = CallRates(CALLS_PER_SECOND_OF_STREAM)
        self.consumers: dict[str, Consumer] = {}
        self._consumer_stamps: dict[str, int] = {}
        self.shards: dict[str, Shard] = {}
        self._next_index = 0
        self._open: list[Shard] = []
        self._open_starts: list[int] = []
        self._due: float | None = None
        self._step: Callable[[float], None] | None = None
        self.after(ready_at, lambda at: self._make_first_shards(shard_count, at))

    def after(self, due: float, step: Callable[[float], None]) -> None:
        """Do this at `due`, then be ACTIVE."""
        self._due, self._step = due, step
        for shard in self._open:
            shard.tell_watchers()

    @property
    def due(self) -> float | None:
        """When the pending step is to be done, if there is one."""
        return self._due

    def settle(self, now: float) -> None:
        """Catch up with the clock: finish what is due, forget what retention has passed."""
        while self._due is not None and now >= self._due:
            self._do_step()
        if len(self.shards) > len(self._open):
            self._drop_expired_shards(now - self.retention_seconds)
        if self.consumers:
            self._settle_consumers(now)

    def finish(self) -> None:
        """Do all pending steps now, as if each had been done when due."""
        while self._due is not None:
            self._do_step()

    def _do_step(self) -> None:
        due, step = self._due, self._step
        self._due = self._step = None
        if due is not None and step is not None:
            self.status = "ACTIVE"
            step(due)

    @property
    def retention_seconds(self) -> float:
        """How long a record is kept."""
        return self.retention_hours * 3600.0

    @property
    def open_shards(self) -> list[Shard]:
        """By hash key."""
        return self._open

    def has_shard_listing(self) -> bool:
        """Whether the stream is in a state in which it can be used."""
        return self.status in ("ACTIVE", "UPDATING")

    def route(self, hash_key: int) -> Shard:
        """The open shard that takes this hash key."""
        return self._open[bisect_right(self._open_starts, hash_key) - 1]

    def reshard(self, steps: Iterable[Reshard], now: float) -> None:
        """Close parents and open children in their place, all at once."""
        for parents, ranges in steps:
            children = [self._make_shard(keys, now, parents) for keys in ranges]
            for parent in parents:
                parent.close(now, children)
        self._index_open_shards()

    def children_of(self, shard: Shard) -> list[dict[str, Any]]:
        """As GetRecords shows them at the end of a closed shard."""
        children = (self.shards.get(shard_id) for shard_id in shard.child_ids)
        return [
            {
                "ShardId": child.shard_id,
                "ParentShards": list(child.parent_ids),
                "HashKeyRange": child.hash_key_range(),
            }
            for child in children
            if child is not None
        ]

    def restore(self, shards: Iterable[Shard], next_index: int) -> None:
        """Take over shards that were saved."""
        self._due = self._step = None
        self.status = "ACTIVE"
        self.shards = {shard.shard_id: shard for shard in shards}
        self._next_index = next_index
        self._index_open_shards()

    @property
    def next_index(self) -> int:
        """Of the next shard to be made."""
        return self._next_index

    def consumer_stamp(self, name: str, now: float) -> int:
        """The second for the ARN of a new consumer; no two of a name have the same ARN."""
        stamp = max(int(now), self._consumer_stamps.get(name, 0) + 1)
        self._consumer_stamps[name] = stamp
        return stamp

    def _settle_consumers(self, now: float) -> None:
        gone = [name for name, consumer in self.consumers.items() if not consumer.settle(now)]
        for name in gone:
            del self.consumers[name]

    def _make_first_shards(self, count: int, _now: float) -> None:
        edges = [HASH_KEYS * number // count for number in range(count + 1)]
        for first, behind in pairwise(edges):
            self._make_shard((first, behind - 1), self.made_at, [])
        self._index_open_shards()

    def _make_shard(self, hash_keys: tuple[int, int], now: float, parents: list[Shard]) -> Shard:
        # A child's second is later than its parents', whatever the clock says: see sequence.py.
        later = max((parent.made_second + 1 for parent in parents), default=0)
        shard = Shard(
            index=self._next_index,
            made_at=now,
            made_second=max(int(now), later),
            hash_keys=hash_keys,
            parent_ids=tuple(parent.shard_id for parent in parents),
        )
        self._next_index += 1
        self.shards[shard.shard_id] = shard
        return shard

    def _index_open_shards(self) -> None:
        self._open = sorted(
            (shard for shard in self.shards.values() if shard.is_open),
            key=lambda shard: shard.first_key,
        )
        self._open_starts = [shard.first_key for shard in self._open]

    def _drop_expired_shards(self, horizon: float) -> None:
        expired = [
            shard_id
            for shard_id, shard in self.shards.items()
            if shard.closed_at is not None and shard.closed_at < horizon
        ]
        for shard_id in expired:
            del self.shards[shard_id]
