"""How does a producer's deciding part meet Kinesis in virtual time, with whatever may go wrong?"""

from __future__ import annotations

import contextlib
import random
from dataclasses import dataclass, field
from typing import Any

from kcl_py.aggregation import deaggregate
from kcl_py.aws.put import EntryAnswer
from kcl_py.core.events import Failure, FailureKind
from kcl_py.core.puts import PutRefused, PutSaid, blames_entries
from kcl_py.core.shards.graph import Shard
from kcl_py.local.errors import AwsError
from kcl_py.local.kinesis import Kinesis, KinesisSettings
from kcl_py.producer.config import ProducerConfig
from kcl_py.producer.core.commands import ListShards, Send
from kcl_py.producer.core.kept import Kept
from kcl_py.producer.core.machine import ProducerCore
from kcl_py.producer.core.units import Item
from kcl_py.records import Position, Record
from kcl_py.testing.sim.heap import EventHeap

STREAM = "people"
BEGAN_AT = 1_700_000_000.0
TIMEOUT_SECONDS = 10.0


def refused(
    kind: FailureKind, code: str, *, passing: bool = True, blames_entries: bool = False
) -> PutRefused:
    return PutRefused(
        kind=kind, passing=passing, code=code, message="said", blames_entries=blames_entries
    )


@dataclass(frozen=True, kw_only=True)
class Troubles:
    """How often what goes wrong, per request, but `partial`: per record."""

    throttled: float = 0.0
    partial: float = 0.0
    error: float = 0.0
    lost: float = 0.0
    reply_lost: float = 0.0
    late: float = 0.0
    listing: float = 0.0


@dataclass
class World:
    """One producer, one stream."""

    config: ProducerConfig = field(default_factory=ProducerConfig)
    seed: int = 0
    shards: int = 2
    troubles: Troubles = Troubles()
    limits: bool = False

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self.heap = EventHeap(random.Random(f"heap/{self.seed}"))
        settings = KinesisSettings(create_seconds=0.0, update_seconds=0.5, limits=self.limits)
        self.kinesis = Kinesis(self.wall, random.Random(self.seed), settings)
        self.kinesis.fail_record = lambda: self.rng.random() < self.troubles.partial
        self.core = ProducerCore(self.config, random.Random(f"core/{self.seed}"))
        self.call("CreateStream", ShardCount=self.shards)
        self.call("DescribeStreamSummary")
        self.items: list[Item] = []
        self.refused: list[Item] = []
        self.sends: list[list[Any]] = []
        self.plain: set[Position] = set()
        self.used_max = 0
        self._alarm: int | None = None

    @property
    def now(self) -> float:
        return self.heap.now

    def wall(self) -> float:
        return BEGAN_AT + self.heap.now

    def call(self, operation: str, **request: object) -> dict[str, Any]:
        return self.kinesis.call(operation, {"StreamName": STREAM, **request})

    # ------------------------------------------------------------------------------------ doing

    def put_first(self, items: list[Item]) -> int:
        """Put a page; return how many were accepted."""
        for item in items:
            item.listeners = []
        count = self.core.put_first(items, self.now)
        self.items += items[:count]
        self.used_max = max(self.used_max, self.core.ledger.used)
        if self.core.stirred:
            self.core.stirred = False
            self.drive()
        return count

    def put(self, data: bytes, key: str, hash_key: str | None = None) -> Item | None:
        item = Item(data, key, hash_key, len(data) + len(key.encode()))
        item.listeners = []
        if not self.core.put(item, self.now):
            self.refused.append(item)
            return None
        self.items.append(item)
        self.used_max = max(self.used_max, self.core.ledger.used)
        if self.core.stirred:
            self.core.stirred = False
            self.drive()
        return item

    def drive(self) -> None:
        """Do what the core wants until it wants nothing, and ask again when it says."""
        while (command := self.core.poll(self.now)) is not None:
            if isinstance(command, Send):
                self._send(command)
            else:
                assert isinstance(command, ListShards)
                self.heap.after(0.01, self._list)
        self.core.stirred = False
        if self._alarm is not None:
            self.heap.cancel(self._alarm)
            self._alarm = None
        due = self.core.next_due()
        if due is not None:
            assert due > self.now, "it would be asked for ever"
            self._alarm = self.heap.at(due, self._ring)

    def _ring(self) -> None:
        self._alarm = None
        self.drive()

    def run(self, seconds: float) -> None:
        self.heap.run_until(self.now + seconds)

    def flush(self, seconds: float = 1000.0) -> list[Kept]:
        epoch = self.core.begin_flush()
        self.drive()
        ended = self.heap.run_until(
            self.now + seconds, stop=lambda: self.core.ledger.is_flushed(epoch)
        )
        assert ended, f"{self.core.ledger.pending} records never ended"
        self.core.end_flush()
        return self.core.ledger.take_kept()

    def open_shards(self) -> list[str]:
        return [
            shard["ShardId"]
            for shard in self.call("ListShards")["Shards"]
            if "EndingSequenceNumber" not in shard["SequenceNumberRange"]
        ]

    def split(self, shard_id: str) -> None:
        shards = {shard["ShardId"]: shard for shard in self.call("ListShards")["Shards"]}
        keys = shards[shard_id]["HashKeyRange"]
        low, high = int(keys["StartingHashKey"]), int(keys["EndingHashKey"])
        middle = str((low + high + 1) // 2)
        with contextlib.suppress(AwsError):  # the last change is still under way
            self.call("SplitShard", ShardToSplit=shard_id, NewStartingHashKey=middle)

    def merge(self, shard_id: str) -> None:
        """Merge an open shard with the next one, if there is one."""
        ranges = self.ranges()
        next_one = ranges[shard_id][1] + 1
        for other in self.open_shards():
            if ranges[other][0] == next_one:
                with contextlib.suppress(AwsError):  # as above
                    self.call("MergeShards", ShardToMerge=shard_id, AdjacentShardToMerge=other)

    # -------------------------------------------------------------------------------- answering

    def _send(self, send: Send) -> None:
        request = [_entry(unit) for unit in send.units]
        self.sends.append(request)
        draw = self.rng.random
        way = self.rng.uniform(0.002, 0.02)
        troubles = self.troubles

        def arrive() -> None:
            if draw() < troubles.throttled:
                code = "ProvisionedThroughputExceededException"
                answer: PutSaid = PutRefused(
                    kind=FailureKind.THROTTLED, passing=True, code=code, message="slow down"
                )
            elif draw() < troubles.error:
                if draw() < 0.5:
                    self._apply(request)
                answer = PutRefused(
                    kind=FailureKind.UNKNOWN, passing=True, code="InternalFailure", message="broken"
                )
            else:
                answer = self._apply(request)
            self.heap.after(way, lambda: self._answer(send, answer))

        def later() -> None:
            self._apply(request)

        if draw() < troubles.lost:
            self._time_out(send)
        elif draw() < troubles.reply_lost:
            self.heap.after(way, later)
            self._time_out(send)
        elif draw() < troubles.late:
            self.heap.after(TIMEOUT_SECONDS + 20 * draw(), later)
            self._time_out(send)
        else:
            self.heap.after(way, arrive)

    def _time_out(self, send: Send) -> None:
        said = PutRefused(
            kind=FailureKind.UNKNOWN, passing=True, code="ReadTimeoutError", message="no answer"
        )
        self.heap.after(TIMEOUT_SECONDS, lambda: self._answer(send, said))

    def _apply(self, request: list[dict[str, Any]]) -> PutSaid:
        try:
            answer = self.call("PutRecords", Records=request)
        except AwsError as error:
            kinds = {
                "ResourceNotFoundException": FailureKind.GONE,
                "InvalidArgumentException": FailureKind.INVALID,
                "ValidationException": FailureKind.INVALID,
            }
            return PutRefused(
                kind=kinds[error.code],
                passing=False,
                code=error.code,
                message=error.message,
                blames_entries=blames_entries(error.message),
            )
        return [
            EntryAnswer(
                shard_id=entry.get("ShardId"),
                sequence_number=entry.get("SequenceNumber"),
                error_code=entry.get("ErrorCode"),
                error_message=entry.get("ErrorMessage"),
            )
            for entry in answer["Records"]
        ]

    def _answer(self, send: Send, said: PutSaid) -> None:
        self.core.answered(send.send_id, said, self.now)
        self.used_max = max(self.used_max, self.core.ledger.used)
        self.drive()

    def _list(self) -> None:
        answer: list[Shard] | Failure
        if self.rng.random() < self.troubles.listing:
            answer = Failure(FailureKind.UNKNOWN, "kinesis:ListShards", "no answer")
        else:
            answer = [_shard(shard) for shard in self.call("ListShards")["Shards"]]
        self.core.listed(answer, self.now)
        self.drive()

    # ---------------------------------------------------------------------------------- looking

    def ranges(self) -> dict[str, tuple[int, int]]:
        """Hash keys of each shard, inclusive."""
        listed = [_shard(shard) for shard in self.call("ListShards")["Shards"]]
        return {shard.shard_id: shard.hash_range for shard in listed}

    def stored(self) -> dict[str, list[Record]]:
        """What is in each shard, opened; shards in the order in which they were made."""
        found: dict[str, list[Record]] = {}
        for shard in self.call("ListShards")["Shards"]:
            shard_id = shard["ShardId"]
            where: dict[str, Any] = {"ShardId": shard_id, "ShardIteratorType": "TRIM_HORIZON"}
            iterator = self.call("GetShardIterator", **where)["ShardIterator"]
            found[shard_id] = []
            while iterator is not None:
                request = {"ShardIterator": iterator, "Limit": 10_000}
                page = self.kinesis.call("GetRecords", request)
                for record in map(_record, page["Records"]):
                    users = deaggregate(record).records
                    if len(users) == 1 and users[0] is record:
                        self.plain.add(record.position)
                    found[shard_id] += users
                iterator = page.get("NextShardIterator") if page["Records"] else None
        return found


def _entry(unit: Any) -> dict[str, Any]:
    entry = {"Data": unit.data, "PartitionKey": unit.key}
    return entry if unit.hash_key is None else {**entry, "ExplicitHashKey": unit.hash_key}


def _record(found: dict[str, Any]) -> Record:
    return Record(
        sequence_number=found["SequenceNumber"],
        data=found["Data"],
        partition_key=found["PartitionKey"],
        arrival_timestamp=found["ApproximateArrivalTimestamp"],
    )


def _shard(described: dict[str, Any]) -> Shard:
    keys = described["HashKeyRange"]
    parents = (described.get("ParentShardId"), described.get("AdjacentParentShardId"))
    return Shard(
        shard_id=described["ShardId"],
        parents=tuple(parent for parent in parents if parent is not None),
        hash_range=(int(keys["StartingHashKey"]), int(keys["EndingHashKey"])),
        is_open="EndingSequenceNumber" not in described["SequenceNumberRange"],
    )
