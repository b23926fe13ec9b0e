"""Rows survive the wire, and every write means there what it means here."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kcl_py.aws.lease_codec import decode_row, encode_write
from kcl_py.core.leases import writes
from kcl_py.core.leases.rows import (
    ApplicationRow,
    LeaseRow,
    Pending,
    Row,
    Sentinel,
    StrangeRow,
    WorkerRow,
)
from kcl_py.core.leases.writes import Absent, RowWrite, WriteKind
from kcl_py.local.dynamo import Dynamo
from kcl_py.local.errors import AwsError
from kcl_py.records import Position
from tests.aws.rows import (
    application_rows,
    creation,
    evaluate,
    lease_rows,
    lease_writes,
    worker_rows,
    worker_writes,
)
from tests.aws.wire import dynamo

WALL = 1_700_000_000.5
any_row = st.one_of(lease_rows, worker_rows, application_rows)


def apply(engine: Dynamo, write: RowWrite) -> tuple[bool, Row | None]:
    """Send a write to an engine; return whether it applied, and the row it answered with."""
    request = encode_write(write, table_name="leases", wall=WALL)
    try:
        answer = engine.call(request.operation, request.parameters)
    except AwsError as refused:
        if refused.code != "ConditionalCheckFailedException":
            raise
        item = refused.extra.get("Item")
        return False, decode_row(item) if isinstance(item, dict) else None
    return True, None if write.deletes else decode_row(answer["Attributes"])


def stored(engine: Dynamo, key: str) -> Row | None:
    request = {"TableName": "leases", "Key": {"leaseKey": {"S": key}}, "ConsistentRead": True}
    item = engine.call("GetItem", request).get("Item")
    return decode_row(item) if item else None


@given(any_row)
@settings(max_examples=150, deadline=None)
def test_a_row_that_was_created_is_read_back_unchanged(
    row: LeaseRow | WorkerRow | ApplicationRow,
) -> None:
    engine = dynamo()

    applied, answered = apply(engine, creation(row))

    assert applied
    assert answered == row
    assert stored(engine, row.key) == row


@given(st.data())
@settings(max_examples=400, deadline=None)
def test_every_write_on_a_lease_does_what_its_words_say(data: st.DataObject) -> None:
    engine = dynamo()
    row: LeaseRow | None = data.draw(lease_rows)
    assert row is not None
    write = data.draw(lease_writes(row))
    if data.draw(st.integers(0, 9)):
        apply(engine, writes.create(row))
    else:
        row = None

    outcome = apply(engine, write)

    assert outcome == evaluate(write, row, LeaseRow)
    assert stored(engine, write.key) == outcome[1]


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_every_write_on_a_worker_row_does_what_its_words_say(data: st.DataObject) -> None:
    engine = dynamo()
    row: WorkerRow | None = data.draw(worker_rows)
    assert row is not None
    write = data.draw(worker_writes(row))
    if data.draw(st.booleans()):
        apply(engine, writes.create_worker(row))
    else:
        row = None

    outcome = apply(engine, write)

    assert outcome == evaluate(write, row, WorkerRow)
    assert stored(engine, write.key) == outcome[1]


@given(application_rows)
@settings(max_examples=50, deadline=None)
def test_the_first_sync_is_finished_once(row: ApplicationRow) -> None:
    engine = dynamo()
    apply(engine, writes.create_application(row))

    first, answered = apply(engine, writes.finish_initial_sync(row))
    again, _ = apply(engine, writes.finish_initial_sync(row))

    assert (first, again) == (True, False)
    assert isinstance(answered, ApplicationRow)
    assert answered.initial_sync_done


def test_an_update_never_brings_a_deleted_row_back() -> None:
    engine = dynamo()
    write = RowWrite(
        kind=WriteKind.RENEW, key="shardId-1", tests=(Absent("offer"),), sets={"duration": 5.0}
    )

    assert apply(engine, write) == (False, None)
    assert stored(engine, "shardId-1") is None


def test_attributes_of_others_stay_in_the_item() -> None:
    engine = dynamo()
    row = LeaseRow(key="shardId-1", counter=7, checkpoint=Sentinel.TRIM_HORIZON, owner="a")
    apply(engine, writes.create(row))
    engine.call(
        "UpdateItem",
        {
            "TableName": "leases",
            "Key": {"leaseKey": {"S": "shardId-1"}},
            "UpdateExpression": "SET throughputKBps = :t",
            "ExpressionAttributeValues": {":t": {"N": "1.5"}},
        },
    )

    request = encode_write(
        writes.renew("shardId-1", me="a", base=7, nonce="n", duration=10.0),
        table_name="leases",
        wall=WALL,
    )
    answer = engine.call(request.operation, request.parameters)

    assert answer["Attributes"]["throughputKBps"] == {"N": "1.5"}


def test_a_lease_item_is_what_the_java_kcl_writes() -> None:
    engine = dynamo()
    row = LeaseRow(
        key="shardId-1",
        counter=7,
        checkpoint=Sentinel.TRIM_HORIZON,
        parents=("shardId-0",),
        hash_range=(0, 99),
    )
    request = encode_write(writes.create(row), table_name="leases", wall=WALL)

    answer = engine.call(request.operation, request.parameters)

    assert answer["Attributes"] == {
        "leaseKey": {"S": "shardId-1"},
        "leaseCounter": {"N": "7"},
        "checkpoint": {"S": "TRIM_HORIZON"},
        "checkpointSubSequenceNumber": {"N": "0"},
        "ownerSwitchesSinceCheckpoint": {"N": "0"},
        "parentShardId": {"SS": ["shardId-0"]},
        "startingHashKey": {"S": "0"},
        "endingHashKey": {"S": "99"},
        "entityType": {"S": "LEASE"},
    }


def test_a_worker_item_is_a_valid_metric_row_of_the_java_kcl() -> None:
    engine = dynamo()
    row = WorkerRow(key="w-1-xx", beat=1)
    request = encode_write(writes.create_worker(row), table_name="leases", wall=WALL)

    item = engine.call(request.operation, request.parameters)["Attributes"]

    assert item["entityType"] == {"S": "WORKER_METRIC_STATS"}
    assert item["lut"] == {"N": "1700000000"}
    assert (item["sts"], item["opr"]) == ({"M": {}}, {"M": {}})
    assert "leaseCounter" not in item
    assert "checkpoint" not in item


def test_an_empty_state_is_no_attribute_and_takes_an_older_one_away() -> None:
    engine = dynamo()
    prepared = Pending(position=Position("5"), state=b"half")
    apply(engine, writes.create(LeaseRow(key="s", counter=1, checkpoint=Position("4"), owner="a")))
    apply(engine, writes.renew("s", me="a", base=1, nonce="n", duration=9.0, pending=prepared))
    request = encode_write(
        writes.renew(
            "s", me="a", base=2, nonce="n", duration=9.0, pending=Pending(position=Position("6"))
        ),
        table_name="leases",
        wall=WALL,
    )

    item = engine.call(request.operation, request.parameters)["Attributes"]

    assert item["pendingCheckpoint"] == {"S": "6"}
    assert "pendingCheckpointState" not in item


GOOD = {
    "leaseKey": {"S": "shardId-1"},
    "leaseCounter": {"N": "1"},
    "checkpoint": {"S": "LATEST"},
}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"leaseCounter": None}, "leaseCounter is missing"),
        ({"leaseCounter": {"S": "1"}}, "leaseCounter is not of type N"),
        ({"leaseCounter": {"N": "1.5"}}, "leaseCounter is no whole number of reasonable size"),
        ({"leaseCounter": {"N": "-1"}}, "leaseCounter is out of bounds"),
        ({"leaseCounter": {"N": "9" * 38}}, "leaseCounter is no whole number of reasonable size"),
        ({"leaseCounter": "1"}, "leaseCounter is not of type N"),
        ({"checkpoint": None}, "checkpoint is missing"),
        ({"checkpoint": {"S": "YESTERDAY"}}, "checkpoint is no position"),
        ({"checkpoint": {"S": "9" * 130}}, "checkpoint is no position"),
        ({"leaseOwner": {"S": "x" * 3000}}, "leaseOwner is empty or too long"),
        ({"parentShardId": {"S": "shardId-0"}}, "parentShardId is not of type SS"),
        ({"parentShardId": {"SS": ["x"] * 2000}}, "parentShardId has too many entries"),
        ({"childShardIds": {"SS": [1]}}, "childShardIds has an entry that is no name"),
        ({"startingHashKey": {"S": "1"}}, "startingHashKey and endingHashKey are no range"),
        ({"startingHashKey": {"S": "-1"}}, "startingHashKey is no hash key"),
        ({"entityType": {"S": "WHALE"}}, "its entityType is unknown"),
    ],
)
def test_what_cannot_be_taken_is_a_strange_row_that_says_why(
    change: dict[str, object], why: str
) -> None:
    item: dict[str, object] = {**GOOD, **change}

    row = decode_row({name: value for name, value in item.items() if value is not None})  # type: ignore[misc] # untrusted on purpose

    assert row == StrangeRow(key="shardId-1", why=why)


@pytest.mark.parametrize(
    "item",
    [
        {"leaseKey": {"S": "Leader"}, "ownerName": {"S": "x"}},
        {"leaseKey": {"S": "Migration3.0"}},
        {"leaseKey": {"S": "TableMigration3.5"}},
        {"leaseKey": {"S": "x"}, "entityType": {"S": "LEADER"}},
        {"leaseKey": {"S": "x"}, "entityType": {"S": "STREAM"}},
        {"leaseKey": {"S": "w"}, "entityType": {"S": "WORKER_METRIC_STATS"}, "lut": {"N": "1"}},
    ],
)
def test_rows_of_the_java_kcl_are_recognised(item: dict[str, dict[str, object]]) -> None:
    row = decode_row(item)

    assert isinstance(row, StrangeRow)
    assert row.is_java


@pytest.mark.parametrize(
    ("attribute", "state", "words"),
    [
        ("cv", "CLIENT_VERSION_UPGRADE_FROM_2X", "in the middle of an upgrade from 2.x"),
        ("tm", "TABLE_MIGRATION_STATUS_PENDING", "in the middle of a migration to one table"),
        ("cv", "CLIENT_VERSION_9X", "not known here"),
        ("other", "x", "a row of the Java KCL"),
    ],
)
def test_the_migration_that_a_java_kcl_is_in_is_told(
    attribute: str, state: str, words: str
) -> None:
    row = decode_row({"leaseKey": {"S": "Migration3.0"}, attribute: {"S": state}})

    assert isinstance(row, StrangeRow)
    assert words in row.why


def test_a_lease_that_an_older_java_kcl_wrote_is_read() -> None:
    row = decode_row({**GOOD, "pendingCheckpoint": {"S": "SHARD_END"}})

    assert row == LeaseRow(key="shardId-1", counter=1, checkpoint=Sentinel.LATEST)


@pytest.mark.parametrize(("wire", "seconds"), [("1000", 1.0), ("-5", -0.005), ("0", 0.0)])
def test_an_absurd_duration_does_not_hide_the_row(wire: str, seconds: float) -> None:
    row = decode_row({**GOOD, "leaseDurationMs": {"N": wire}})

    assert isinstance(row, LeaseRow)
    assert row.duration == seconds
    assert row.wait_seconds(10.0) == 300.0


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.binary(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["S", "N", "SS", "B", "BOOL", "M"]), inner, max_size=2)
    ),
    max_leaves=8,
)
ATTRIBUTES = """
    leaseKey leaseCounter checkpoint entityType kclBeat kclState kclRoot parentShardId
    startingHashKey endingHashKey leaseDurationMs pendingCheckpoint pendingCheckpointState
"""
attributes = st.sampled_from(ATTRIBUTES.split())


@given(st.dictionaries(attributes, values | st.just({"S": "5"}) | st.just({"N": "5"})))
@settings(max_examples=300, deadline=None)
def test_no_item_makes_reading_raise(item: dict[str, object]) -> None:
    row = decode_row(item)  # type: ignore[arg-type] # untrusted on purpose

    assert isinstance(row, LeaseRow | WorkerRow | StrangeRow)
