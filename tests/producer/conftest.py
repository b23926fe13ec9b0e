"""What do tests with threads share? One engine process, a new stream for each test."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import boto3.session
import pytest

from kcl_py.aggregation import deaggregate
from kcl_py.local.process import EngineProcess
from kcl_py.local.session import make_session
from kcl_py.producer.core import retrying
from kcl_py.records import Record

_NUMBERS = itertools.count()


class Stream:
    """One stream of the embedded engine."""

    def __init__(self, engine: EngineProcess, session: boto3.session.Session, shards: int) -> None:
        self.engine = engine
        self.session = session
        self.name = f"stream-{next(_NUMBERS)}"
        self.client: Any = session.client("kinesis")
        self.client.create_stream(StreamName=self.name, ShardCount=shards)
        self.wait_active()

    def _status(self) -> str:
        summary = self.client.describe_stream_summary(StreamName=self.name)
        status: str = summary["StreamDescriptionSummary"]["StreamStatus"]
        return status

    def records(self) -> list[Record]:
        """What is stored, opened; each shard in its order."""
        found: list[Record] = []
        for shard in self.client.list_shards(StreamName=self.name)["Shards"]:
            found += self._records_of(shard["ShardId"])
        return found

    def _records_of(self, shard_id: str) -> list[Record]:
        iterator = self.client.get_shard_iterator(
            StreamName=self.name, ShardId=shard_id, ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        found: list[Record] = []
        while iterator is not None:
            page = self.client.get_records(ShardIterator=iterator, Limit=10_000)
            for entry in page["Records"]:
                record = Record(
                    sequence_number=entry["SequenceNumber"],
                    data=entry["Data"],
                    partition_key=entry["PartitionKey"],
                    arrival_timestamp=0.0,
                )
                found += deaggregate(record).records
            iterator = page.get("NextShardIterator") if page["Records"] else None
        return found

    def shards(self, *, only_open: bool = False) -> list[dict[str, Any]]:
        """As they are listed."""
        found: list[dict[str, Any]] = self.client.list_shards(StreamName=self.name)["Shards"]
        return [
            shard
            for shard in found
            if not only_open or "EndingSequenceNumber" not in shard["SequenceNumberRange"]
        ]

    def wait_active(self) -> None:
        """Until the last change is made."""
        while self._status() != "ACTIVE":
            pass

    def merge(self) -> None:
        """Merge the two open shards with the lowest hash keys."""
        self.wait_active()
        shards = self.shards(only_open=True)
        shards.sort(key=lambda shard: int(shard["HashKeyRange"]["StartingHashKey"]))
        self.client.merge_shards(
            StreamName=self.name,
            ShardToMerge=shards[0]["ShardId"],
            AdjacentShardToMerge=shards[1]["ShardId"],
        )
        self.wait_active()

    def split(self, place: int) -> None:
        """Split one of the open shards in its middle, in the order in which they are listed."""
        self.wait_active()
        shard = self.shards(only_open=True)[place]
        keys = shard["HashKeyRange"]
        middle = (int(keys["StartingHashKey"]) + int(keys["EndingHashKey"]) + 1) // 2
        self.client.split_shard(
            StreamName=self.name, ShardToSplit=shard["ShardId"], NewStartingHashKey=str(middle)
        )

    def faults(self, *rules: dict[str, Any], seed: int = 0) -> None:
        """Let these requests go wrong from now on."""
        self.engine.set_faults([{"operations": ["PutRecords"], **rule} for rule in rules], seed)


@pytest.fixture(scope="session")
def kinesis() -> Iterator[EngineProcess]:
    with EngineProcess("--no-limits") as engine:
        yield engine


@pytest.fixture(scope="session")
def session(kinesis: EngineProcess) -> boto3.session.Session:
    return make_session(kinesis.endpoint_url)


@pytest.fixture
def stream(
    kinesis: EngineProcess, session: boto3.session.Session, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Stream]:
    """A new stream; whatever fails is tried again soon."""
    monkeypatch.setattr(retrying, "WAIT_SECONDS_MAX", 0.2)
    stream = Stream(kinesis, session, shards=2)
    yield stream
    kinesis.set_faults([])
    stream.client.close()
