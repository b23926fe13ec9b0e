"""Does a reader bring all records to a `for`, whatever thread or loop it runs in?"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any, TypeAlias

import boto3.session
import pytest

from kcl_py.aggregation import Aggregate
from kcl_py.aws.stream_admin import StreamBusy
from kcl_py.errors import AccessDenied, ConfigError, StreamNotFound, Throttled
from kcl_py.local.engine import Engine, EngineSettings
from kcl_py.local.kinesis import KinesisSettings
from kcl_py.streams import Reader, ShardRecord, Stream, ensure_stream
from tests.local.worlds import FIRST
from tests.streams.conftest import MakeStream
from tests.streams.test_stream import fault

Went: TypeAlias = dict[str, list[str]]


def put(kinesis: Any, stream: Stream, numbers: Iterable[int], went: Went | None = None) -> Went:
    """Put numbers, one by one; which went to which shard, in order."""
    went = defaultdict(list) if went is None else went
    name = stream._connection.address.name
    for number in numbers:
        answer = kinesis.put_record(
            StreamName=name, Data=str(number).encode(), PartitionKey=str(number)
        )
        went[answer["ShardId"]].append(str(number))
    return went


def by_shard(found: Iterable[ShardRecord]) -> Went:
    read: Went = defaultdict(list)
    for each in found:
        read[each.shard_id].append(each.record.text())
    return read


def test_all_records_of_all_shards(make: MakeStream, kinesis: Any) -> None:
    stream = make(shards=3)
    went = put(kinesis, stream, range(50))

    with Reader(stream, start="earliest", until_caught_up=True) as reader:
        assert by_shard(reader) == went


def test_records_that_come_while_it_reads_through_a_split_and_a_merge(
    make: MakeStream, kinesis: Any
) -> None:
    stream = make()
    read: list[ShardRecord] = []
    with Reader(stream, max_records=90) as reader:
        records = iter(reader)
        went = put(kinesis, stream, range(30))
        read += [next(records) for _ in range(10)]
        lower, upper = stream.split(FIRST)
        put(kinesis, stream, range(30, 60), went)
        merged = stream.merge(lower.shard_id, upper.shard_id)
        put(kinesis, stream, range(60, 90), went)
        read += records

    assert by_shard(read) == went
    assert {each.shard_id for each in read[:30]} == {FIRST}
    assert {each.shard_id for each in read[60:]} == {merged.shard_id}


def test_latest_leaves_out_what_was_there(make: MakeStream, kinesis: Any) -> None:
    stream = make()
    put(kinesis, stream, range(5))
    with Reader(stream, max_records=3) as reader:
        records = iter(reader)
        went = put(kinesis, stream, range(5, 8))

        assert by_shard(records) == went


def test_latest_is_where_the_block_is_entered(make: MakeStream, kinesis: Any) -> None:
    stream = make()
    put(kinesis, stream, range(5))
    with Reader(stream, start="latest", max_records=3) as reader:
        went = put(kinesis, stream, range(5, 8))

        assert by_shard(reader) == went


def test_latest_is_where_the_block_is_entered_on_a_loop_too(make: MakeStream, kinesis: Any) -> None:
    stream = make()
    put(kinesis, stream, range(5))

    async def read() -> tuple[Went, list[ShardRecord]]:
        async with Reader(stream, start="latest", max_records=3) as reader:
            went = put(kinesis, stream, range(5, 8))
            return went, [each async for each in reader]

    went, found = asyncio.run(read())
    assert by_shard(found) == went


def test_a_block_that_cannot_begin_is_not_entered_and_leaves_nothing_open(
    session: boto3.session.Session,
) -> None:
    stream = Stream("not-there", session=session)
    readers = [Reader(stream), Reader(stream)]

    async def enter() -> None:
        async with readers[1]:
            pytest.fail("entered")

    with pytest.raises(StreamNotFound), readers[0]:
        pytest.fail("entered")
    with pytest.raises(StreamNotFound):
        asyncio.run(enter())
    assert [(reader._client, reader._pool) for reader in readers] == [(None, None)] * 2


def test_silence_is_counted_from_where_somebody_waits(make: MakeStream) -> None:
    """Not from where the block was entered: what was done in it meanwhile took its time."""
    with Reader(make(), idle_timeout=0.2) as reader:
        machine = reader._machine
        assert machine is not None
        entered_at = machine._idle_since
        assert list(reader) == []
        assert machine._idle_since > entered_at


def test_on_a_loop(make: MakeStream, kinesis: Any) -> None:
    stream = make(shards=2)
    went = put(kinesis, stream, range(20))

    async def read() -> list[ShardRecord]:
        with Reader(stream, start="earliest", until_caught_up=True) as reader:
            return [each async for each in reader]

    assert by_shard(asyncio.run(read())) == went


def test_a_task_that_waits_for_a_record_can_be_cancelled(make: MakeStream) -> None:
    async def wait() -> None:
        with Reader(make()) as reader:
            async with asyncio.timeout(0.3):
                async for _ in reader:
                    pass

    with pytest.raises(TimeoutError):
        asyncio.run(wait())


def test_another_thread_ends_it(make: MakeStream) -> None:
    reader = Reader(make())
    records = iter(reader)
    found: list[ShardRecord] = []
    waiting = threading.Thread(target=lambda: found.extend(records))
    waiting.start()

    reader.close()
    waiting.join(10)

    assert not waiting.is_alive()
    assert found == []
    reader.close()
    assert list(reader) == []


def test_another_thread_ends_it_on_a_loop(make: MakeStream) -> None:
    async def wait() -> list[ShardRecord]:
        reader = Reader(make())
        threading.Timer(0.3, reader.close).start()
        return [each async for each in reader]

    assert asyncio.run(wait()) == []


def test_a_second_loop_goes_on_where_the_first_one_was_left(make: MakeStream, kinesis: Any) -> None:
    stream = make()
    went = put(kinesis, stream, range(10))
    with Reader(stream, start="earliest", until_caught_up=True) as reader:
        read = []
        for each in reader:
            read.append(each)
            if len(read) == 4:
                break
        read += reader

    assert by_shard(read) == went


def test_of_two_iterations_the_older_one_is_over(make: MakeStream, kinesis: Any) -> None:
    stream = make()
    put(kinesis, stream, range(3))
    with Reader(stream, start="earliest", max_records=3) as reader:
        first, second = iter(reader), iter(reader)
        assert next(second).record.text() == "0"
        with pytest.raises(RuntimeError, match="one at a time"):
            next(first)


def test_it_ends_after_silence(make: MakeStream, kinesis: Any) -> None:
    stream = make()
    went = put(kinesis, stream, range(3))

    # Longer than the first answer takes on a busy machine, which would be silence as well.
    with Reader(stream, start="earliest", idle_timeout=2.0) as reader:
        assert by_shard(reader) == went


def test_aggregated_records_are_opened_unless_told(make: MakeStream, kinesis: Any) -> None:
    stream = make()
    packed = Aggregate(size_bytes_max=1_000)
    assert packed.add(b"a", "key")
    assert packed.add(b"b", "key")
    name = stream.describe().name
    kinesis.put_record(StreamName=name, Data=packed.encode(), PartitionKey="key")

    opened = list(Reader(stream, start="earliest", until_caught_up=True))
    closed = list(Reader(stream, start="earliest", until_caught_up=True, deaggregate=False))

    assert [each.record.data for each in opened] == [b"a", b"b"]
    assert [each.record.data for each in closed] == [packed.encode()]


@pytest.mark.slow
def test_with_faults_every_record_comes_once() -> None:
    with Engine() as engine:
        stream = ensure_stream("orders", shards=2, session=engine.session())
        kinesis = engine.session().client("kinesis")
        reads = {"operations": ["GetRecords", "GetShardIterator", "ListShards"]}
        kinds = ("throttle", "500", "cut", "lost")
        fault(engine, *({"kind": kind, "probability": 0.07, **reads} for kind in kinds))
        with Reader(stream, start="earliest", max_records=120) as reader:
            records = iter(reader)
            went = put(kinesis, stream, range(60))
            stream.split(FIRST)
            put(kinesis, stream, range(60, 120), went)

            assert by_shard(records) == went


def test_a_crash_in_a_thread_is_never_silent(
    make: MakeStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Reader(make()) as reader:
        records = iter(reader)
        monkeypatch.setattr(reader, "_answer", lambda _: 1 / 0)
        with pytest.raises(RuntimeError, match="a bug") as caught:
            next(records)

    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_what_is_not_allowed_is_told_at_once() -> None:
    with Engine() as engine:
        stream = ensure_stream("orders", session=engine.session())
        fault(engine, {"kind": "deny", "operations": ["GetRecords"]})

        with pytest.raises(AccessDenied, match="kinesis:GetRecords"):
            list(Reader(stream, start="earliest"))


def test_silence_is_not_taken_for_the_end_while_reads_fail(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with Engine() as engine:
        stream = ensure_stream("orders", session=engine.session())
        fault(engine, {"kind": "throttle", "operations": ["GetRecords"]})

        with caplog.at_level(logging.WARNING, "kcl_py"), pytest.raises(Throttled):
            list(Reader(stream, start="earliest", idle_timeout=0.5))

    assert any(
        record.message.startswith("reader.read_failed shard_id=") for record in caplog.records
    )


def test_a_stream_that_is_not_there_or_not_ready_says_so() -> None:
    settings = EngineSettings(kinesis=KinesisSettings(create_seconds=1e6))
    with Engine.from_settings(settings) as engine:
        stream = ensure_stream("orders", wait=False, session=engine.session())

        with pytest.raises(StreamNotFound, match="no such stream"):
            iter(Reader(Stream("other", session=engine.session())))
        with pytest.raises(StreamBusy, match="is CREATING and has no shards"):
            iter(Reader(stream))


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_records": 0},
        {"idle_timeout": 0},
        {"start": "soon"},
        {"start": datetime(2026, 11, 21)},  # noqa: DTZ001 - the mistake
    ],
)
def test_arguments_are_checked_before_anything_is_connected(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        Reader("orders", **wrong)
