"""How does Kinesis answer in the simulated world? The engine's model under virtual time."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

from kcl_py.aggregation import Aggregate, deaggregate, deaggregate_page
from kcl_py.core import commands, events
from kcl_py.core.commands import StartKind
from kcl_py.core.events import Failure, FailureKind
from kcl_py.core.facts import StreamFacts
from kcl_py.core.shards.graph import Shard
from kcl_py.local.errors import AwsError
from kcl_py.local.kinesis import Kinesis, KinesisSettings
from kcl_py.local.kinesis.sequence import FIRST_COUNTER
from kcl_py.records import Position, Record
from kcl_py.testing.sim.clocks import WORLD_BEGAN_AT
from kcl_py.testing.sim.faults import Fate
from kcl_py.testing.sim.memory import PAGE_BYTES_MAX, CountedPage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kcl_py.testing.sim.faults import FaultSource
    from kcl_py.testing.sim.heap import EventHeap
    from kcl_py.testing.sim.table import Caller
    from kcl_py.testing.sim.trace import Trace

STREAM_NAME: Final = "people"

_KINDS: Final = {
    "ExpiredIteratorException": FailureKind.EXPIRED,
    "ProvisionedThroughputExceededException": FailureKind.THROTTLED,
    "LimitExceededException": FailureKind.THROTTLED,
    "ResourceNotFoundException": FailureKind.GONE,
    "InvalidArgumentException": FailureKind.INVALID,
    "ValidationException": FailureKind.INVALID,
}


class ShardLog:
    """What was put into one shard, in order, as the checkers know it.

    Attributes:
        records: User records: what a processor is to be given.
        starts: For each record as the service has it, the place of its first user record.
        floors: Places before which retention has forgotten everything, at some time or other.
    """

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.starts: list[int] = []
        self.floors: set[int] = set()
        self._index: dict[Position, int] = {}

    def __len__(self) -> int:
        return len(self.records)

    def add(self, records: Sequence[Record]) -> None:
        """Note the user records of one record that was put."""
        self.starts.append(len(self.records))
        for record in records:
            self._index[record.position] = len(self.records)
            self.records.append(record)

    def trimmed(self, count: int) -> None:
        """Note that retention has forgotten so many records, as the service counts them."""
        is_known = count < len(self.starts)
        self.floors.add(self.starts[count] if is_known else len(self.records))

    def has(self, position: Position) -> bool:
        """Say whether there is, or was, such a record."""
        return position in self._index

    def index(self, position: Position) -> int:
        """Return the place of a record in the shard."""
        return self._index[position]

    @property
    def kept_from(self) -> int:
        """Return the place of the oldest record that retention has left."""
        return max(self.floors, default=0)

    def after(self, position: Position) -> int:
        """Return the place of the first record behind a position."""
        place = self._index.get(position)
        if place is not None:
            return place + 1
        return bisect_right(self.records, position, key=lambda record: record.position)

    def from_time(self, unix_seconds: float) -> int:
        """Return the place of the first record that arrived then or later."""
        return bisect_left(self.records, unix_seconds, key=lambda record: record.arrival_timestamp)


class SimStream:
    """One stream and the way to it.

    Attributes:
        logs: By shard id: what was put.
        record_bytes: What each record counts, whatever is in it; None: what is in it.
        user_records_max: Writers pack so many user records into one record, or fewer; 1: none.
    """

    def __init__(self, heap: EventHeap, faults: FaultSource, trace: Trace, *, shards: int) -> None:
        self.logs: dict[str, ShardLog] = {}
        self.record_bytes: int | None = None
        self.user_records_max = 1
        self._heap = heap
        self._faults = faults
        self._trace = trace
        settings = KinesisSettings(create_seconds=0.0, update_seconds=0.5)
        self._model = Kinesis(self._wall, faults.rng, settings)
        self._call("CreateStream", ShardCount=shards)
        summary = self._call("DescribeStreamSummary")["StreamDescriptionSummary"]
        self.facts = StreamFacts(
            name=STREAM_NAME,
            arn=summary["StreamARN"],
            created_at=float(summary["StreamCreationTimestamp"]),
        )
        self._listed_last = self._list()
        self._listing = _shards_of(self._listed_last)
        self._listing_before = self._listing
        self._note_new_shards()

    def _wall(self) -> float:
        return WORLD_BEGAN_AT + self._heap.now

    def _call(self, operation: str, **request: object) -> dict[str, Any]:
        if "ShardIterator" not in request:
            request["StreamName"] = STREAM_NAME
        return self._model.call(operation, request)

    # ------------------------------------------------------------------------------- for tests

    def put(self, data: bytes, key: str, *, hash_key: int | None = None) -> tuple[str, Record]:
        """Put one record; return its shard and itself, or the last user record in it."""
        data = _packed(data, key, 1 + crc32(data) % self.user_records_max)
        more = {} if hash_key is None else {"ExplicitHashKey": str(hash_key)}
        answer = self._call("PutRecord", Data=data, PartitionKey=key, **more)
        shard_id = str(answer["ShardId"])
        # The model keeps milliseconds, rounded down, and never goes back inside a shard.
        arrival = int(self._wall() * 1000) / 1000
        log = self._log(shard_id)
        if log.records:
            arrival = max(arrival, log.records[-1].arrival_timestamp)
        record = Record(
            sequence_number=str(answer["SequenceNumber"]),
            data=data,
            partition_key=key,
            arrival_timestamp=arrival,
        )
        log.add(deaggregate(record).records)
        return shard_id, log.records[-1]

    def shards(self) -> tuple[Shard, ...]:
        """Return all shards as they truly are now."""
        listed = self._list()
        if listed != self._listed_last:
            self._listed_last = listed
            self._listing_before, self._listing = self._listing, _shards_of(listed)
            self._note_new_shards()
        return self._listing

    def shard(self, shard_id: str) -> Shard | None:
        """Return one shard; None: the service has forgotten it."""
        return next((shard for shard in self.shards() if shard.shard_id == shard_id), None)

    def open_shards(self) -> list[Shard]:
        """Return the shards that take records, by hash key."""
        found = [shard for shard in self.shards() if shard.is_open]
        return sorted(found, key=lambda shard: shard.hash_range)

    def split(self, shard_id: str) -> bool:
        """Split a shard in its middle; False if the service refuses now."""
        shard = self.shard(shard_id)
        assert shard is not None, shard_id
        low, high = shard.hash_range
        return self._reshard(
            "SplitShard", ShardToSplit=shard_id, NewStartingHashKey=str((low + high + 1) // 2)
        )

    def merge(self, shard_id: str, neighbour: str) -> bool:
        """Merge two neighbours; False if the service refuses now."""
        return self._reshard("MergeShards", ShardToMerge=shard_id, AdjacentShardToMerge=neighbour)

    def _reshard(self, operation: str, **request: object) -> bool:
        try:
            self._call(operation, **request)
        except AwsError as error:
            self._trace.add("stream", "refused", "", operation, error.code)
            return False
        self._trace.add("stream", operation, "", *request.values())
        self._heap.after(0.6, self._look)
        return True

    def _look(self) -> None:
        self.shards()

    def forget(self, shard_id: str) -> None:
        """Let retention pass for a closed shard: it is listed no more, now."""
        account = self._model._account  # noqa: SLF001 - the service has no call for that
        del account.streams[STREAM_NAME].shards[shard_id]
        self._trace.add("stream", "forgets", shard_id)
        self._look()

    def trim(self, shard_id: str, place: int) -> None:
        """Let retention pass for the records before a place; those of its millisecond stay."""
        account = self._model._account  # noqa: SLF001 - the service has no call for that
        shard, log = account.streams[STREAM_NAME].shards[shard_id], self._log(shard_id)
        if not 0 < place <= len(log):
            return
        behind = log.records[place - 1].arrival_timestamp + 0.001
        shard.trim(behind if place == len(log) else log.records[place].arrival_timestamp)
        log.trimmed(shard.oldest - FIRST_COUNTER)
        self._trace.add("stream", "trims", shard_id, *sorted(log.floors))

    def children_of(self, shard_id: str) -> tuple[Shard, ...]:
        """Return the shards that came from one."""
        return tuple(shard for shard in self.shards() if shard_id in shard.parents)

    def _log(self, shard_id: str) -> ShardLog:
        return self.logs.setdefault(shard_id, ShardLog())

    def _note_new_shards(self) -> None:
        for shard in self._listing:
            if shard.shard_id not in self.logs:
                self._log(shard.shard_id)
                self._trace.add("stream", "shard", shard.shard_id, *shard.parents)

    def _list(self) -> list[dict[str, Any]]:
        answer = self._call("ListShards")
        listed: list[dict[str, Any]] = answer["Shards"]
        while "NextToken" in answer:
            answer = self._model.call("ListShards", {"NextToken": answer["NextToken"]})
            listed += answer["Shards"]
        return listed

    # ----------------------------------------------------------------------------- for workers

    def execute(self, caller: Caller, command: commands.ListShards | commands.Fetch) -> None:
        """Answer a command of the core, some time."""
        faults = self._faults
        fate = Fate.FINE
        if faults.happens(faults.faults.stream_throttled):
            fate = Fate.THROTTLED
        elif caller.worker_id in faults.cut_stream or faults.happens(faults.faults.stream_lost):
            fate = Fate.LOST
        way = faults.lasts(caller.timeout)
        if fate is Fate.LOST or way >= caller.timeout:
            failure = Failure(FailureKind.UNKNOWN, "kinesis", "timed out (simulated)")
            self._heap.after(caller.timeout, lambda: caller.tell(_failed(command, failure)))
            return

        def arrive() -> None:
            event = self._answer(command, throttled=fate is Fate.THROTTLED)
            self._heap.after(faults.way(), lambda: caller.tell(event))

        self._heap.after(way, arrive)

    def _answer(
        self, command: commands.ListShards | commands.Fetch, *, throttled: bool
    ) -> events.Event:
        if throttled:
            return _failed(command, Failure(FailureKind.THROTTLED, "kinesis", "rate exceeded"))
        try:
            if isinstance(command, commands.ListShards):
                return events.ShardsListed(command.read_id, self._listed(), self._wall())
            return self._fetched(command)
        except AwsError as error:
            kind = _KINDS.get(error.code, FailureKind.UNKNOWN)
            return _failed(command, Failure(kind, "kinesis", error.code))

    def _listed(self) -> tuple[Shard, ...]:
        now = self.shards()
        stale = self._faults.happens(self._faults.faults.stale_shards)
        return self._listing_before if stale else now

    def _fetched(self, command: commands.Fetch) -> events.PageFetched:
        faults = self._faults
        if command.iterator is not None and faults.happens(faults.faults.expired):
            raise AwsError("ExpiredIteratorException")
        limit = command.records_max
        if self.record_bytes is not None:
            limit = min(limit, PAGE_BYTES_MAX // self.record_bytes)
        if faults.happens(faults.faults.short_page):
            limit = faults.rng.randint(1, min(limit, 5))
        iterator = command.iterator or self._iterator(command.shard_id, command.start)
        if faults.happens(faults.faults.empty_page):
            return _nothing(command, iterator)
        answer = self._call("GetRecords", ShardIterator=iterator, Limit=limit)
        raw = tuple(_record_of(item) for item in answer["Records"])
        size = self._size_of(raw)
        records = tuple(deaggregate_page(raw).records)
        following = answer.get("NextShardIterator")
        children: Sequence[Shard] = ()
        if following is None:
            children = self.children_of(command.shard_id)
        return events.PageFetched(
            fetch_id=command.fetch_id,
            key=command.key,
            page=CountedPage(records, size) if records else None,
            next_iterator=following,
            children=tuple(children),
            lag=answer["MillisBehindLatest"] / 1000,
            bytes_read=size,
            span=(raw[0].sequence_number, raw[-1].sequence_number) if raw else None,
        )

    def _size_of(self, records: Sequence[Record]) -> int:
        if self.record_bytes is not None:
            return len(records) * self.record_bytes
        return sum(len(record.data) + len(record.partition_key) for record in records)

    def _iterator(self, shard_id: str, start: commands.Start) -> str:
        more: dict[str, object] = {}
        if start.kind in (StartKind.AT, StartKind.AFTER):
            more["StartingSequenceNumber"] = start.sequence_number
        elif start.kind is StartKind.AT_TIMESTAMP:
            more["Timestamp"] = start.timestamp
        answer = self._call(
            "GetShardIterator", ShardId=shard_id, ShardIteratorType=start.kind.value, **more
        )
        return str(answer["ShardIterator"])


def _packed(data: bytes, key: str, count: int) -> bytes:
    """Return a record of so many user records; of one: as it is."""
    if count == 1:
        return data
    aggregate = Aggregate(size_bytes_max=1_000_000)
    for number in range(count):
        assert aggregate.add(b"%s.%d" % (data, number), key)
    return aggregate.encode()


def _nothing(command: commands.Fetch, iterator: str) -> events.PageFetched:
    """An empty page, as the service sends it now and then: that says nothing about the shard."""
    return events.PageFetched(
        fetch_id=command.fetch_id,
        key=command.key,
        page=None,
        next_iterator=iterator,
        children=(),
        lag=1.0,
        bytes_read=0,
    )


def _failed(
    command: commands.ListShards | commands.Fetch, failure: Failure
) -> events.ShardsListed | events.FetchFailed:
    if isinstance(command, commands.ListShards):
        return events.ShardsListed(command.read_id, (), None, failure)
    return events.FetchFailed(command.fetch_id, command.key, failure)


def _record_of(item: dict[str, Any]) -> Record:
    return Record(
        sequence_number=item["SequenceNumber"],
        data=item["Data"],
        partition_key=item["PartitionKey"],
        arrival_timestamp=item["ApproximateArrivalTimestamp"],
    )


def _shards_of(listed: list[dict[str, Any]]) -> tuple[Shard, ...]:
    return tuple(_shard_of(item) for item in listed)


def _shard_of(item: dict[str, Any]) -> Shard:
    parents = (item.get("ParentShardId"), item.get("AdjacentParentShardId"))
    numbers, keys = item["SequenceNumberRange"], item["HashKeyRange"]
    return Shard(
        shard_id=item["ShardId"],
        parents=tuple(parent for parent in parents if parent is not None),
        hash_range=(int(keys["StartingHashKey"]), int(keys["EndingHashKey"])),
        is_open="EndingSequenceNumber" not in numbers,
        starting_sequence_number=numbers["StartingSequenceNumber"],
    )
