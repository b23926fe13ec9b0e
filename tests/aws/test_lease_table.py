"""Every call on the lease table ends in a value that means what happened."""

from __future__ import annotations

import json
import threading
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError, NoCredentialsError, ReadTimeoutError

from kcl_py.aws.lease_table import LeaseTable, RowsFound
from kcl_py.core.events import Applied, Failure, FailureKind, Refused
from kcl_py.core.leases import writes
from kcl_py.core.leases.rows import LeaseRow, Pending, Sentinel, WorkerRow
from kcl_py.local.dynamo import Dynamo
from kcl_py.records import Position
from tests.aws.wire import Answerer, Canned, clients, dynamo, engine_answers, error

ROW = LeaseRow(key="shardId-1", counter=7, checkpoint=Sentinel.TRIM_HORIZON, owner="a")
RENEWAL = writes.renew("shardId-1", me="a", base=7, nonce="n", duration=10.0)


def table_on(answerer: Answerer) -> LeaseTable:
    made = clients(answerer)
    return LeaseTable(
        writes=made.lease_writes,
        reads=made.table_reads,
        name="leases",
        wall_clock=lambda: 1_700_000_000.0,
        sleep=lambda _seconds: None,
    )


@pytest.fixture
def engine() -> Dynamo:
    return dynamo()


@pytest.fixture
def table(engine: Dynamo) -> LeaseTable:
    return table_on(engine_answers(engine))


def scripted(*answers: Canned | Exception) -> tuple[LeaseTable, list[str]]:
    """A table whose calls are answered one after another, and the operations asked for."""
    asked: list[str] = []
    left: Iterator[Canned | Exception] = iter(answers)

    def answer(operation: str, _request: dict[str, Any]) -> Canned | Exception:
        asked.append(operation)
        return next(left)

    return table_on(answer), asked


def test_writes_answer_with_the_row_as_it_is_then(table: LeaseTable) -> None:
    assert table.write(writes.create(ROW)) == Applied(ROW)
    assert table.write(writes.create(ROW)) == Refused(ROW)

    renewed = table.write(RENEWAL)

    assert isinstance(renewed, Applied)
    assert isinstance(renewed.row, LeaseRow)
    assert (renewed.row.counter, renewed.row.nonce, renewed.row.duration) == (8, "n", 10.0)
    assert table.write(RENEWAL) == Refused(renewed.row)


def test_a_prepared_state_survives_as_bytes(table: LeaseTable) -> None:
    pending = Pending(position=Position("5", 2), state=bytes(range(256)))
    table.write(writes.create(ROW))
    write = writes.renew("shardId-1", me="a", base=7, nonce="n", duration=10.0, pending=pending)

    answer = table.write(write)

    assert isinstance(answer, Applied)
    assert isinstance(answer.row, LeaseRow)
    assert answer.row.pending == pending


def test_a_write_on_a_row_that_is_gone_is_refused_without_a_row(table: LeaseTable) -> None:
    assert table.write(RENEWAL) == Refused(None)


def test_a_deletion_answers_without_a_row(table: LeaseTable) -> None:
    finished = LeaseRow(key="shardId-1", counter=7, checkpoint=Sentinel.SHARD_END)
    table.write(writes.create(finished))

    assert table.write(writes.delete(finished)) == Applied(None)
    assert table.read_rows(["shardId-1"]) == RowsFound((), ("shardId-1",))


def test_a_refusal_without_the_item_is_followed_by_a_consistent_read() -> None:
    item = {"leaseKey": {"S": "shardId-1"}, "leaseCounter": {"N": "9"}, "checkpoint": {"S": "5"}}
    requests: list[tuple[str, dict[str, Any]]] = []

    def answer(operation: str, request: dict[str, Any]) -> Canned:
        requests.append((operation, request))
        refused = error("ConditionalCheckFailedException")
        return refused if operation == "UpdateItem" else Canned({"Item": item})

    written = table_on(answer).write(RENEWAL)

    assert written == Refused(LeaseRow(key="shardId-1", counter=9, checkpoint=Position("5")))
    assert [operation for operation, _ in requests] == ["UpdateItem", "GetItem"]
    assert requests[1][1]["ConsistentRead"] is True


@pytest.mark.parametrize(
    "second",
    [
        error("ProvisionedThroughputExceededException"),
        error("AccessDeniedException"),
        Canned(b"", status=500),
        Canned(b'{"Item": {"leaseKey"'),
        ReadTimeoutError(endpoint_url="https://dynamodb"),
    ],
)
def test_if_that_read_fails_nothing_is_known(second: Canned | Exception) -> None:
    table, asked = scripted(error("ConditionalCheckFailedException"), second)

    answer = table.write(RENEWAL)

    assert isinstance(answer, Failure)
    assert (answer.kind, answer.action) == (FailureKind.UNKNOWN, "dynamodb:GetItem")
    assert asked == ["UpdateItem", "GetItem"]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (error("ThrottlingException"), FailureKind.THROTTLED),
        (error("AccessDeniedException"), FailureKind.DENIED),
        (error("ResourceNotFoundException"), FailureKind.GONE),
        (error("ValidationException"), FailureKind.INVALID),
        (Canned({"__type": "InternalServerError"}, 500), FailureKind.UNKNOWN),
        (Canned(b"<html>bad gateway", 502), FailureKind.UNKNOWN),
        (Canned(b""), FailureKind.UNKNOWN),
        (Canned(b'{"Attributes": {"leaseKey": {"S": "sha'), FailureKind.UNKNOWN),
        (Canned(b"[]"), FailureKind.UNKNOWN),
        (Canned(b"\xff\xfe"), FailureKind.UNKNOWN),
        (Canned({}), FailureKind.UNKNOWN),
        (Canned({"Attributes": {}}, headers={"x-amz-crc32": "1"}), FailureKind.UNKNOWN),
        (ReadTimeoutError(endpoint_url="https://dynamodb"), FailureKind.UNKNOWN),
        (EndpointConnectionError(endpoint_url="https://x"), FailureKind.UNKNOWN),
        (NoCredentialsError(), FailureKind.DENIED),
        (OSError("broken pipe"), FailureKind.UNKNOWN),
        (RuntimeError("a bug"), FailureKind.UNKNOWN),
    ],
)
def test_each_failed_write_is_one_request_and_one_failure(
    answer: Canned | Exception, kind: FailureKind
) -> None:
    table, asked = scripted(answer)

    written = table.write(RENEWAL)

    assert isinstance(written, Failure)
    assert (written.kind, written.action) == (kind, "dynamodb:UpdateItem")
    assert asked == ["UpdateItem"]


def test_a_right_checksum_is_no_trouble() -> None:
    body = json.dumps({"Items": []}).encode()
    table, _ = scripted(Canned(body, headers={"x-amz-crc32": str(zlib.crc32(body))}))

    assert list(table.scan(consistent=True)) == [()]


READS: list[tuple[str, Callable[[LeaseTable], Failure | None]]] = [
    ("Scan", lambda table: next(p for p in table.scan(consistent=False) if isinstance(p, Failure))),
    ("BatchGetItem", lambda table: table.read_rows(["a"]).failure),
    ("Query", lambda table: table.find_owned("me").failure),
    ("DescribeTable", lambda table: table.describe().failure),
]


@pytest.mark.parametrize(("operation", "read"), READS)
@pytest.mark.parametrize(
    "answer",
    [
        error("ThrottlingException"),
        Canned(b""),
        Canned(b'{"Items": [], "Responses": {}, "Table"'),
        Canned({}),
        OSError("reset"),
    ],
)
def test_a_read_that_fails_or_is_cut_never_passes_for_nothing_there(
    operation: str, read: Callable[[LeaseTable], Failure | None], answer: Canned | Exception
) -> None:
    table, asked = scripted(answer)

    failed = read(table)

    assert failed is not None
    assert failed.action == f"dynamodb:{operation}"
    assert asked == [operation]


def test_a_scan_brings_all_pages(table: LeaseTable) -> None:
    rows = [
        LeaseRow(
            key=f"shardId-{number:03}",
            counter=number,
            checkpoint=Position("5"),
            pending=Pending(position=Position("6"), state=bytes(200_000)),
        )
        for number in range(1, 13)
    ]
    for row in rows:
        table.write(writes.create(row))

    pages = list(table.scan(consistent=True))

    found = [row for page in pages if not isinstance(page, Failure) for row in page]
    assert sorted(found, key=lambda row: row.key) == rows
    assert len(pages) > 1


def test_a_scan_that_breaks_off_gives_what_it_had_and_then_the_failure() -> None:
    item = {"leaseKey": {"S": "shardId-1"}, "leaseCounter": {"N": "9"}, "checkpoint": {"S": "5"}}
    more = {"Items": [item], "LastEvaluatedKey": {"leaseKey": {"S": "shardId-1"}}}
    table, _ = scripted(Canned(more), error("ThrottlingException"))

    first, last = table.scan(consistent=False)

    assert first == (LeaseRow(key="shardId-1", counter=9, checkpoint=Position("5")),)
    assert isinstance(last, Failure)
    assert last.kind is FailureKind.THROTTLED


def test_a_scan_that_goes_in_circles_ends() -> None:
    circle = Canned({"Items": [], "LastEvaluatedKey": {"leaseKey": {"S": "x"}}})
    table, _ = scripted(circle, circle, circle)

    pages = list(table.scan(consistent=False))

    assert isinstance(pages[-1], Failure)
    assert len(pages) <= 3


def test_reading_rows_tells_found_from_absent_and_takes_any_number(table: LeaseTable) -> None:
    rows = [
        LeaseRow(key=f"shardId-{number:03}", counter=1, checkpoint=Position("5"))
        for number in range(120)
    ]
    for row in rows:
        table.write(writes.create(row))
    keys = [row.key for row in rows] + ["shardId-no", "shardId-000"]

    found = table.read_rows(keys)

    assert sorted(found.rows, key=lambda row: row.key) == rows
    assert found.absent == ("shardId-no",)
    assert found.failure is None


def test_keys_that_stay_unprocessed_are_neither_found_nor_absent(
    engine: Dynamo, table: LeaseTable
) -> None:
    table.write(writes.create(ROW))
    engine.world.leave_unprocessed = lambda: True

    assert table.read_rows(["shardId-1", "shardId-2"]) == RowsFound((), ())


def test_keys_that_were_unprocessed_once_are_asked_again(engine: Dynamo, table: LeaseTable) -> None:
    table.write(writes.create(ROW))
    left = [True, True, False, False]
    engine.world.leave_unprocessed = lambda: left.pop(0)

    assert table.read_rows(["shardId-1", "shardId-2"]) == RowsFound((ROW,), ("shardId-2",))


def test_rows_are_read_consistently_and_scans_only_where_asked() -> None:
    asked: list[dict[str, Any]] = []

    def answer(operation: str, request: dict[str, Any]) -> Canned:
        asked.append(request)
        rows = {"leases": []} if operation == "BatchGetItem" else []
        return Canned({"Responses": rows, "Items": rows})

    table = table_on(answer)

    table.read_rows(["a"])
    list(table.scan(consistent=True))
    list(table.scan(consistent=False))

    assert asked[0]["RequestItems"]["leases"]["ConsistentRead"] is True
    assert [request["ConsistentRead"] for request in asked[1:]] == [True, False]


def test_a_batch_answer_that_leaves_the_table_out_proves_no_absence() -> None:
    table, _ = scripted(Canned({"Responses": {}, "UnprocessedKeys": {}}))

    found = table.read_rows(["a"])

    assert (found.rows, found.absent) == ((), ())
    assert found.failure is not None


def test_unprocessed_keys_are_asked_for_after_a_pause(engine: Dynamo) -> None:
    made = clients(engine_answers(engine))
    slept: list[float] = []
    table = LeaseTable(
        writes=made.lease_writes, reads=made.table_reads, name="leases", sleep=slept.append
    )
    engine.world.leave_unprocessed = lambda: True

    table.read_rows(["a"])

    assert slept == [0.1, 0.2]


def test_the_failure_of_a_later_batch_keeps_what_earlier_ones_proved() -> None:
    first = Canned({"Responses": {"leases": []}, "UnprocessedKeys": {}})
    table, _ = scripted(first, error("ThrottlingException"))
    keys = [f"shardId-{number:03}" for number in range(101)]

    found = table.read_rows(keys)

    assert found.absent == tuple(keys[:100])
    assert found.failure is not None


def test_the_index_shows_leases_by_owner_and_nothing_else(table: LeaseTable) -> None:
    table.write(writes.create(ROW))
    table.write(writes.create(LeaseRow(key="shardId-2", counter=1, checkpoint=Sentinel.LATEST)))
    table.write(writes.create_worker(WorkerRow(key="a", beat=1)))

    assert table.find_owned("a").keys == ("shardId-1",)
    assert table.find_owned("b").keys == ()


def test_the_table_tells_its_id_until_it_is_gone(engine: Dynamo, table: LeaseTable) -> None:
    seen = table.describe()
    table_on_nothing = LeaseTable(
        writes=table._writes, reads=table._reads, name="no-such-table"
    ).describe()

    assert seen.table_id
    assert seen.failure is None
    assert (table_on_nothing.table_id, table_on_nothing.failure) == (None, None)


def test_units_are_counted_from_all_threads(engine: Dynamo, table: LeaseTable) -> None:
    lock = threading.Lock()
    answer = engine_answers(engine)

    def one_at_a_time(operation: str, request: dict[str, Any]) -> Canned | Exception:
        with lock:
            return answer(operation, request)

    shared = table_on(one_at_a_time)

    def work(number: int) -> None:
        for turn in range(5):
            key = f"shardId-{number}-{turn}"
            shared.write(writes.create(LeaseRow(key=key, counter=1, checkpoint=Sentinel.LATEST)))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert shared.write_units == 20.0
    list(shared.scan(consistent=True))
    assert shared.read_units > 0
