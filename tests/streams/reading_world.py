"""A reading in virtual time: the machine of `Reader` against the model of Kinesis, with faults."""

from __future__ import annotations

import contextlib
import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from email.utils import formatdate
from typing import Any

from botocore.exceptions import ReadTimeoutError

from kcl_py.aws.names import parse_stream
from kcl_py.aws.retry import Patience
from kcl_py.aws.stream import ShardsSeen, StreamReader
from kcl_py.core.commands import Fetch
from kcl_py.core.events import Failure
from kcl_py.core.shards.graph import Shard
from kcl_py.local.errors import AwsError
from kcl_py.records import Record
from kcl_py.streams.machine import Ends, ReadCommand, ReadEvent, ReadMachine, Relist, Relisted
from kcl_py.streams.opening import open_reading
from kcl_py.streams.start import ReadFrom
from tests.aws.wire import Answerer, Canned, answer_with, clients, engine_answers, error
from tests.local.worlds import HASH_KEYS, KinesisWorld

FAULTS: Sequence[Callable[[], Canned | Exception]] = (
    lambda: error("ProvisionedThroughputExceededException"),
    lambda: error("InternalFailure", status=500),
    lambda: error("ExpiredIteratorException"),
    lambda: ReadTimeoutError(endpoint_url="http://127.0.0.1"),
    lambda: Canned(b'{"Records": [', 200),
)
READS = {"GetRecords", "GetShardIterator"}


class ReadingWorld:
    """A stream of the model, what was put into it, and a reader of it."""

    def __init__(self, shards: int = 1, *, seed: int = 0, faults: float = 0.0) -> None:
        self.world = KinesisWorld(shards, limits=True, empty_page_probability=0.2 if faults else 0)
        self.rng = random.Random(seed)
        self.fault_rate = faults
        self.calls: dict[str, list[float]] = defaultdict(list)
        self.put_in: dict[str, list[bytes]] = defaultdict(list)
        self._number = 0
        made = clients(self._answerer(), stream="s")
        answer_with(made.stream_reads, self._answerer())
        self.client = made.stream_reads
        self.machine: ReadMachine | None = None
        self.read: list[tuple[str, Record]] = []
        self._under_way: list[tuple[float, ReadCommand]] = []

    def _answerer(self) -> Answerer:
        answer = engine_answers(self.world.model)

        def strike(operation: str, request: dict[str, Any]) -> Canned | Exception:
            if operation == "GetRecords":
                self.calls[request["ShardIterator"]].append(self.now)
            if operation in READS and self.rng.random() < self.fault_rate:
                return self.rng.choice(FAULTS)()
            canned = answer(operation, request)
            if isinstance(canned, Canned):
                canned.headers["Date"] = formatdate(self.now, usegmt=True)
            return canned

        return strike

    @property
    def now(self) -> float:
        return self.world.clock.now

    # ------------------------------------------------------------------------------- the stream

    def shards(self, *, only_open: bool = False) -> list[dict[str, Any]]:
        listed = self.world.call("ListShards", StreamName="s")["Shards"]
        ended = "EndingSequenceNumber"
        return [s for s in listed if not only_open or ended not in s["SequenceNumberRange"]]

    def put(self, count: int = 1) -> None:
        """Put records anywhere, each with data of its own."""
        for _ in range(count):
            self._number += 1
            data = str(self._number).encode()
            answer = self.world.call(
                "PutRecord",
                StreamName="s",
                Data=data,
                PartitionKey="k",
                ExplicitHashKey=str(self.rng.randrange(HASH_KEYS)),
            )
            self.put_in[answer["ShardId"]].append(data)
            self.world.clock.advance(0.01)

    def split(self) -> None:
        """Split any open shard."""
        shard = self.rng.choice(self.shards(only_open=True))
        low, high = (int(shard["HashKeyRange"][f"{end}HashKey"]) for end in ("Starting", "Ending"))
        self.world.split(shard["ShardId"], (low + high + 1) // 2)

    def merge(self) -> None:
        """Merge any two neighbours, if there are two shards."""
        found = self.shards(only_open=True)
        found.sort(key=lambda shard: int(shard["HashKeyRange"]["StartingHashKey"]))
        if len(found) > 1:
            first = self.rng.randrange(len(found) - 1)
            self.world.merge(found[first]["ShardId"], found[first + 1]["ShardId"])

    def scale(self) -> None:
        """Go to any number of shards; the service splits and merges several times for that."""
        count = len(self.shards(only_open=True))
        target = self.rng.randint(max(1, -(-count // 2)), min(count * 2, 6))
        with contextlib.suppress(AwsError):  # Not so often a day.
            self.world.call(
                "UpdateShardCount",
                StreamName="s",
                TargetShardCount=target,
                ScalingType="UNIFORM_SCALING",
            )
        self.world.clock.advance(5)

    # ------------------------------------------------------------------------------- the reading

    def source(self, *, opens: bool = True) -> StreamReader:
        return StreamReader(
            client=self.client,
            stream=parse_stream("s"),
            patience=Patience(sleep=self.world.clock.advance, rng=random.Random(1)),
            opens=opens,
        )

    def open(
        self,
        start: ReadFrom = "earliest",
        *,
        shard_ids: Sequence[str] | None = None,
        ends: Ends | None = None,
        opens: bool = True,
    ) -> None:
        """Begin to read."""
        self._source = self.source(opens=opens)
        opened = open_reading(
            self._source, start, shard_ids, opens=opens, wall=lambda: self.now, gather=map
        )
        self.machine = ReadMachine(
            opened.shards,
            opened.entries,
            ignored=opened.ignored,
            takes_all=shard_ids is None,
            ends=ends or Ends(when_caught_up=True),
            rng=random.Random(2),
            now=self.now,
        )

    def step(self) -> bool:
        """Do one thing: send what is due, let one answer arrive, or let time pass; False: over."""
        assert self.machine is not None
        self.take_all()
        if self.machine.is_over(self.now):
            return False
        for command in self.machine.due(self.now):
            self._under_way.append((self.now, command))
        if self._under_way:
            at = self.rng.randrange(len(self._under_way))
            _, command = self._under_way.pop(at)
            event = self._execute(command)
            self.world.clock.advance(self.rng.choice((0.0, 0.001, 0.1)))
            self.machine.receive(self.now, event)
            return True
        next_at = self.machine.next_at()
        assert next_at is not None, "nothing to wait for"
        self.world.clock.advance(max(0.0, next_at - self.now))
        return True

    def take_all(self) -> None:
        assert self.machine is not None
        while not self.machine.has_enough and (taken := self.machine.take()) is not None:
            self.read.append(taken)
            self.machine.resumed(self.now)

    def run(self, steps_max: int = 100_000) -> None:
        """Read until it is over."""
        for _ in range(steps_max):
            if not self.step():
                return
        raise AssertionError("the reading does not end")

    def run_until_all(self) -> None:
        """Read until every record that was put has come, and then some more."""
        wanted = sum(map(len, self.put_in.values()))
        for _ in range(20_000):
            if len(self.read) >= wanted:
                break
            assert self.step()
        for _ in range(10):
            assert self.step()

    def _execute(self, command: ReadCommand) -> ReadEvent:
        if isinstance(command, Fetch):
            return self._source.fetch(command)
        assert isinstance(command, Relist)
        seen = self._source.list_shards()
        answer: tuple[Shard, ...] | Failure
        answer = seen.shards if isinstance(seen, ShardsSeen) else seen
        return Relisted(command, answer)

    # ------------------------------------------------------------------------------- the verdict

    def data_by_shard(self) -> dict[str, list[bytes]]:
        found: dict[str, list[bytes]] = defaultdict(list)
        for shard_id, record in self.read:
            found[shard_id].append(record.data)
        return dict(found)

    def check_parents_first(self) -> None:
        """No record of a child before the last record of any ancestor."""
        last = {shard_id: index for index, (shard_id, _) in enumerate(self.read)}
        first: dict[str, int] = {}
        for index, (shard_id, _) in enumerate(self.read):
            first.setdefault(shard_id, index)
        for shard in self.shards():
            for name in ("ParentShardId", "AdjacentParentShardId"):
                parent = shard.get(name)
                if parent in last and shard["ShardId"] in first:
                    assert last[parent] < first[shard["ShardId"]]
