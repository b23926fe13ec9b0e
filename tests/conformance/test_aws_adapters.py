"""Do our adapters learn the same from every engine?"""

from __future__ import annotations

from collections.abc import Iterator
from threading import Barrier, Thread
from typing import TYPE_CHECKING, Literal, TypeAlias, cast

import boto3
import pytest

from kcl_py.aws.clients import Clients, make_clients
from kcl_py.aws.lease_table import LeaseTable
from kcl_py.aws.names import parse_stream
from kcl_py.aws.retry import Patience
from kcl_py.aws.stream import ShardsSeen, StreamReader, describe_stream
from kcl_py.aws.table_setup import open_table
from kcl_py.config import TableConfig, WorkerConfig
from kcl_py.core.commands import Fetch, Start, StartKind
from kcl_py.core.events import Applied, FailureKind, FetchFailed, PageFetched, Refused
from kcl_py.core.leases import repairs, writes
from kcl_py.core.leases.rows import LeaseRow, Pending, Sentinel, WorkerRow, WorkerState
from kcl_py.core.shards.graph import Shard
from kcl_py.records import Position

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_kinesis import KinesisClient

    from kcl_py.core.leases.writes import RowWrite

KEY = "shardId-000000000000"
ROW = LeaseRow(
    key=KEY,
    counter=1_790_000_000_000,
    checkpoint=Sentinel.TRIM_HORIZON,
    nonce="made",
    parents=("shardId-000000000007", "shardId-000000000008"),
    hash_range=(0, 2**128 - 1),
    root=True,
    start_at=1_789_999_999.25,
)
FAR = Position("49650000000000000000000000000000000000000000000000000017")


Transport: TypeAlias = Literal["direct", "botocore"]


@pytest.fixture(params=["direct", "botocore"])
def transport(request: pytest.FixtureRequest) -> Transport:
    """What carries GetRecords and lease writes."""
    return cast("Transport", request.param)


def clients_of(url: str, transport: Transport, stream: str = "none") -> Clients:
    session = boto3.session.Session(
        aws_access_key_id="test", aws_secret_access_key="test", region_name="us-east-1"
    )
    config = WorkerConfig(
        region="us-east-1",
        kinesis_endpoint_url=url,
        dynamodb_endpoint_url=url,
        transport=transport,
    )
    return make_clients(config, parse_stream(stream), session=session)


# ---------------------------------------------------------------------------------- the lease table


@pytest.fixture
def table(
    dynamodb_client: DynamoDBClient, new_name: str, transport: Transport
) -> Iterator[LeaseTable]:
    clients = clients_of(dynamodb_client.meta.endpoint_url, transport)
    facts = open_table(
        clients.table_control,
        TableConfig(),
        new_name,
        patience=Patience(),
        on_progress=lambda _what: None,
    )
    assert facts.has_index
    yield LeaseTable(
        writes=clients.lease_writes,
        reads=clients.table_reads,
        name=facts.name,
        update_item=clients.update_item,
    )
    # A doubt of the direct transport would make this a test of botocore.
    assert getattr(clients.update_item, "why_not", None) is None
    clients.close()
    dynamodb_client.delete_table(TableName=facts.name)


def applied(table: LeaseTable, write: RowWrite) -> LeaseRow:
    answer = table.write(write)
    assert isinstance(answer, Applied), answer
    assert isinstance(answer.row, LeaseRow)
    return answer.row


def refused(table: LeaseTable, write: RowWrite) -> LeaseRow | None:
    answer = table.write(write)
    assert isinstance(answer, Refused), answer
    assert answer.row is None or isinstance(answer.row, LeaseRow)
    return answer.row


def taken(table: LeaseTable, me: str = "a") -> LeaseRow:
    row = applied(table, writes.create(ROW))
    return applied(
        table,
        writes.take(row, me=me, nonce=f"{me}1", duration=10.0, counter=row.counter + 1),
    )


def test_a_created_row_is_what_was_sent_and_is_created_once(table: LeaseTable) -> None:
    assert applied(table, writes.create(ROW)) == ROW
    assert refused(table, writes.create(ROW)) == ROW


def test_a_take_starts_from_what_its_own_answer_says(table: LeaseTable) -> None:
    row = taken(table)

    assert (row.owner, row.counter, row.nonce, row.duration) == ("a", ROW.counter + 1, "a1", 10.0)
    assert row.checkpoint is Sentinel.TRIM_HORIZON
    assert row.start_at == ROW.start_at
    assert row.parents == ROW.parents


def test_a_refused_write_shows_the_row_with_its_nonce(table: LeaseTable) -> None:
    row = taken(table)
    late = writes.renew(KEY, me="a", base=ROW.counter, nonce="late", duration=10.0)

    assert refused(table, late) == row
    assert refused(table, writes.renew("absent", me="a", base=1, nonce="n", duration=10.0)) is None


def test_a_handoff_goes_through_and_its_position_is_carried_over(table: LeaseTable) -> None:
    row = taken(table)
    asked = applied(table, writes.request(KEY, me="b", victim="a"))
    assert (asked.counter, asked.nonce) == (row.counter, row.nonce)
    renewed = applied(table, writes.renew(KEY, me="a", base=row.counter, nonce="a2", duration=10.0))
    assert (renewed.owner, renewed.checkpoint_owner) == ("b", "a")
    given = applied(
        table,
        writes.transfer(KEY, me="a", taker="b", base=renewed.counter, nonce="a3", checkpoint=FAR),
    )
    assert given.is_offered

    got = applied(
        table,
        writes.take(given, me="b", nonce="b1", duration=10.0, counter=given.counter + 1),
    )

    assert (got.owner, got.checkpoint_owner, got.offer, got.checkpoint) == ("b", None, None, FAR)


def test_a_withdrawn_request_leaves_the_row_as_it_was(table: LeaseTable) -> None:
    row = taken(table)
    applied(table, writes.request(KEY, me="b", victim="a"))

    assert applied(table, writes.withdraw(KEY, me="b", victim="a")) == row


def test_a_cancel_makes_the_victim_the_owner_again(table: LeaseTable) -> None:
    row = taken(table)
    applied(table, writes.request(KEY, me="b", victim="a"))

    kept = applied(table, writes.cancel(KEY, me="a", base=row.counter, nonce="a2", duration=10.0))

    assert (kept.owner, kept.checkpoint_owner, kept.counter) == ("a", None, row.counter + 1)


def test_a_release_to_nobody_takes_the_row_out_of_the_index(table: LeaseTable) -> None:
    row = taken(table)
    assert table.find_owned("a").keys == (KEY,)

    free = applied(table, writes.release(KEY, me="a", successor=None, base=row.counter, nonce="a2"))

    assert free.is_ownerless
    assert table.find_owned("a").keys == ()


def test_a_prepared_checkpoint_is_kept_and_committed(table: LeaseTable) -> None:
    row = taken(table)
    pending = Pending(position=FAR, state=b"\x00state")
    held = applied(
        table,
        writes.renew(KEY, me="a", base=row.counter, nonce="a2", duration=10.0, pending=pending),
    )
    assert held.pending == pending

    done = applied(
        table,
        writes.renew(
            KEY,
            me="a",
            base=held.counter,
            nonce="a3",
            duration=10.0,
            checkpoint=FAR,
            clear_pending=True,
        ),
    )

    assert (done.checkpoint, done.pending) == (FAR, None)


def test_an_ended_shard_is_a_tombstone_that_is_deleted_as_it_was_seen(table: LeaseTable) -> None:
    row = taken(table)
    assert isinstance(table.write(writes.delete(row)), Refused)
    ended = writes.end(KEY, me="a", base=row.counter, nonce="a2", children=("c1", "c2"))

    stone = applied(table, ended)
    assert stone.is_finished
    assert (stone.owner, stone.children) == (None, ("c1", "c2"))

    assert table.write(writes.delete(stone)) == Applied(None)
    assert table.read_rows((KEY,)).absent == (KEY,)


def test_a_halt_that_arrives_twice_does_not_undo_the_resume_between(table: LeaseTable) -> None:
    row = applied(table, writes.create(ROW))
    halt = repairs.halt(row)
    halted = applied(table, halt)
    assert (halted.halted, halted.marks, halted.counter, halted.nonce) == (
        True,
        1,
        row.counter,
        row.nonce,
    )
    resume = repairs.resume(halted)
    resumed = applied(table, resume)
    assert (resumed.halted, resumed.marks) == (False, 2)

    assert refused(table, halt) == resumed
    again = applied(table, repairs.halt(resumed))
    assert refused(table, resume) == again
    assert (again.halted, again.counter) == (True, row.counter)


def test_rows_of_all_kinds_are_scanned_and_read(table: LeaseTable) -> None:
    taken(table)
    worker = WorkerRow(key="w-1", beat=1, lease_max=3)
    assert table.write(writes.create_worker(worker)) == Applied(worker)
    beat = table.write(writes.beat("w-1", seen=1, state=WorkerState.LEAVING))
    assert isinstance(beat, Applied)

    for consistent in (False, True):
        pages = list(table.scan(consistent=consistent))
        found = {row.key for page in pages if isinstance(page, tuple) for row in page}
        assert found == {KEY, "w-1"}
    read = table.read_rows((KEY, "w-1", "nothing"))
    assert {row.key for row in read.rows} == {KEY, "w-1"}
    assert read.absent == ("nothing",)


def race(table: LeaseTable, row: LeaseRow) -> list[object]:
    answers: list[object] = []
    barrier = Barrier(8)

    def run(me: str) -> None:
        barrier.wait()
        take = writes.take(row, me=me, nonce=me, duration=10.0, counter=row.counter + 1)
        answers.append(table.write(take))

    threads = [Thread(target=run, args=(f"w{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_of_eight_takes_on_one_counter_exactly_one_wins_each_round(table: LeaseTable) -> None:
    row = applied(table, writes.create(ROW))
    for _ in range(10):
        won = [answer for answer in race(table, row) if isinstance(answer, Applied)]
        assert len(won) == 1
        assert isinstance(won[0].row, LeaseRow)
        row = won[0].row


# --------------------------------------------------------------------------------------- the stream


def fetch(reader: StreamReader, start: Start, iterator: str | None = None) -> PageFetched:
    answer = reader.fetch(
        Fetch(
            fetch_id=1,
            key=KEY,
            shard_id=KEY,
            iterator=iterator,
            start=start,
            records_max=100,
        )
    )
    assert isinstance(answer, PageFetched), answer
    return answer


@pytest.fixture
def reader(
    kinesis_client: KinesisClient, new_name: str, transport: Transport
) -> Iterator[StreamReader]:
    kinesis_client.create_stream(StreamName=new_name, ShardCount=1)
    address = parse_stream(new_name)
    clients = clients_of(kinesis_client.meta.endpoint_url, transport, new_name)
    facts = describe_stream(
        clients.stream_control, address, patience=Patience(), on_progress=lambda _what: None
    )
    assert facts.name == new_name
    yield StreamReader(client=clients.stream_reads, stream=address, get_records=clients.get_records)
    clients.close()
    kinesis_client.delete_stream(StreamName=new_name)


def test_records_are_read_from_the_start_and_behind_a_position(
    reader: StreamReader, kinesis_client: KinesisClient
) -> None:
    name = stream_of(reader)
    put = [
        kinesis_client.put_record(StreamName=name, Data=f"{n}".encode(), PartitionKey="k")
        for n in range(5)
    ]

    whole = fetch(reader, Start(kind=StartKind.TRIM_HORIZON))
    behind = fetch(reader, Start(kind=StartKind.AFTER, sequence_number=put[2]["SequenceNumber"]))

    assert whole.page is not None
    assert [record.data for record in whole.page.records] == [b"0", b"1", b"2", b"3", b"4"]
    assert behind.page is not None
    assert [record.data for record in behind.page.records] == [b"3", b"4"]
    assert whole.next_iterator is not None
    assert getattr(reader._get_records, "why_not", None) is None
    quiet = fetch(reader, Start(kind=StartKind.TRIM_HORIZON), whole.next_iterator)
    assert quiet.page is None
    assert quiet.next_iterator is not None


def stream_of(reader: StreamReader) -> str:
    return reader._stream.name


def test_shards_are_listed_with_the_time_of_the_service(reader: StreamReader) -> None:
    seen = reader.list_shards()

    assert isinstance(seen, ShardsSeen)
    assert [shard.shard_id for shard in seen.shards] == [KEY]
    assert seen.shards[0].is_open
    assert seen.shards[0].hash_range == (0, 2**128 - 1)


def test_a_shard_that_is_not_there_is_gone(reader: StreamReader) -> None:
    answer = reader.fetch(
        Fetch(
            fetch_id=1,
            key="shardId-000000000099",
            shard_id="shardId-000000000099",
            iterator=None,
            start=Start(kind=StartKind.TRIM_HORIZON),
            records_max=10,
        )
    )

    assert isinstance(answer, FetchFailed)
    assert answer.failure.kind is FailureKind.GONE


def test_a_split_shard_ends_with_its_children(
    reader: StreamReader, kinesis_client: KinesisClient
) -> None:
    name = stream_of(reader)
    kinesis_client.put_record(StreamName=name, Data=b"last", PartitionKey="k")
    kinesis_client.split_shard(StreamName=name, ShardToSplit=KEY, NewStartingHashKey=str(2**127))
    kinesis_client.get_waiter("stream_exists").wait(
        StreamName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 10}
    )

    iterator: str | None = None
    read: list[bytes] = []
    children: tuple[Shard, ...] = ()
    for _ in range(20):
        answer = fetch(reader, Start(kind=StartKind.TRIM_HORIZON), iterator)
        read += [record.data for record in answer.page.records] if answer.page else []
        iterator, children = answer.next_iterator, answer.children
        if iterator is None:
            break

    assert iterator is None
    assert read == [b"last"]
    assert [child.parents for child in children] == [(KEY,), (KEY,)]
