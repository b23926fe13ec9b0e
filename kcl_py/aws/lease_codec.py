"""How does a row of the core become an item of the lease table, and back? Pure, without boto3.

Reading never raises: what cannot be taken becomes a `StrangeRow` that says why. Writing names only
the attributes of the fields it is given, so that whatever else is in an item stays there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal, NamedTuple, TypeAlias, TypeVar, assert_never

from kcl_py.aws import attributes as wire
from kcl_py.aws.attributes import AttributeValue, Item, ItemReader, UnreadableRowError
from kcl_py.aws.java_rows import why_java
from kcl_py.core.leases.rows import (
    APPLICATION_KEY,
    JAVA_KEYS,
    ApplicationRow,
    Checkpoint,
    LeaseRow,
    Pending,
    Row,
    Sentinel,
    StrangeRow,
    WorkerRow,
    WorkerState,
)
from kcl_py.core.leases.writes import Absent, Is, OwnedBy, RowAbsent, RowWrite, Test, WriteKind
from kcl_py.records import Position

_T = TypeVar("_T")

KEYS_READ_MAX: Final = 100  # Source: BatchGetItem.
_SHAPES_KEPT: Final = 512
_CONDITIONS: Final = {
    "absent": "attribute_not_exists(#{name})",
    "exists": "attribute_exists(#{name})",
    "equal": "#{name} = :was_{name}",
    "mine": (
        f"(#checkpointOwner = :me OR (#{wire.OWNER} = :me AND"
        " attribute_not_exists(#checkpointOwner)))"
    ),
}
_Part: TypeAlias = tuple[str, str]
"""A form of condition, and the attribute of which it speaks."""

_STARTS: Final = frozenset({Sentinel.TRIM_HORIZON, Sentinel.LATEST, Sentinel.AT_TIMESTAMP})


# ------------------------------------------------------------------------------------------ reading


def decode_row(item: Item) -> Row:
    """Read one item. Never raises."""
    key = "?"
    try:
        reader = ItemReader(item)
        key = reader.text(wire.KEY) or key
        return _decode(key, reader)
    except UnreadableRowError as error:
        return StrangeRow(key=key, why=str(error))
    except Exception as error:  # noqa: BLE001 - an item is untrusted input
        return StrangeRow(key=key, why=f"cannot be read ({type(error).__name__})")


def _decode(key: str, reader: ItemReader) -> Row:
    if key in JAVA_KEYS:
        return StrangeRow(key=key, why=why_java(reader), is_java=True)
    kind = reader.text(wire.ENTITY_TYPE) or wire.ENTITY_LEASE
    if key == APPLICATION_KEY:
        return _decode_application(reader)
    if kind == wire.ENTITY_LEASE:
        return _decode_lease(key, reader)
    if kind == wire.ENTITY_WORKER:
        if "kclBeat" not in reader.item:
            return StrangeRow(key=key, why="a worker of the Java KCL", is_java=True)
        return _decode_worker(key, reader)
    if kind in wire.ENTITIES_OF_JAVA:
        return StrangeRow(key=key, why=why_java(reader), is_java=True)
    return StrangeRow(key=key, why="its entityType is unknown")


def _decode_lease(key: str, reader: ItemReader) -> LeaseRow:
    switches = reader.integer("ownerSwitchesSinceCheckpoint")
    return LeaseRow(
        key=key,
        counter=_need(reader.integer("leaseCounter"), "leaseCounter"),
        checkpoint=_checkpoint(reader),
        owner=reader.text(wire.OWNER),
        checkpoint_owner=reader.text("checkpointOwner"),
        nonce=reader.text("kclNonce"),
        # Any number is taken: one out of range counts as the longest allowed.
        duration=reader.seconds("leaseDurationMs", low=-wire.INTEGER_MAX),
        offer=reader.integer("kclOffer"),
        start_at=reader.seconds("kclStartAt"),
        root=bool(reader.flag("kclRoot")),
        paused=bool(reader.flag("kclPaused")),
        halted=bool(reader.flag("kclHalted")),
        marks=reader.integer("kclMarks"),
        parents=reader.names("parentShardId"),
        children=reader.names("childShardIds"),
        hash_range=_hash_range(reader),
        owner_switches=switches or 0,
        pending=_pending(reader),
    )


def _checkpoint(reader: ItemReader) -> Checkpoint:
    value = _need(reader.text("checkpoint"), "checkpoint")
    sub = reader.integer("checkpointSubSequenceNumber") or 0
    if reader.sequence_number("checkpoint") is not None:
        return Position(value, sub)
    return _sentinel(value, "checkpoint", frozenset(Sentinel))


def _sentinel(value: str, name: str, allowed: frozenset[Sentinel]) -> Sentinel:
    for sentinel in allowed:
        if sentinel.value == value:
            return sentinel
    raise UnreadableRowError(f"{name} is no position")


def _pending(reader: ItemReader) -> Pending | None:
    # The Java KCL may prepare a sentinel, which nobody could commit here: as if there were none.
    sequence_number = reader.sequence_number("pendingCheckpoint")
    if sequence_number is None:
        return None
    sub = reader.integer("pendingCheckpointSubSequenceNumber") or 0
    state = reader.binary("pendingCheckpointState") or b""
    return Pending(position=Position(sequence_number, sub), state=state)


def _hash_range(reader: ItemReader) -> tuple[int, int] | None:
    low, high = reader.hash_key("startingHashKey"), reader.hash_key("endingHashKey")
    if low is None and high is None:
        return None
    if low is None or high is None or low > high:
        raise UnreadableRowError("startingHashKey and endingHashKey are no range")
    return low, high


def _decode_worker(key: str, reader: ItemReader) -> WorkerRow:
    state = _need(reader.text("kclState"), "kclState")
    if state not in list(WorkerState):
        raise UnreadableRowError("kclState is unknown")
    return WorkerRow(
        key=key,
        beat=_need(reader.integer("kclBeat"), "kclBeat"),
        state=WorkerState(state),
        lease_max=reader.integer("kclMaxLeases"),
        plan_version=reader.integer("kclPlan") or 1,
        duration=reader.seconds("leaseDurationMs", low=-wire.INTEGER_MAX),
    )


def _decode_application(reader: ItemReader) -> ApplicationRow:
    position = _need(reader.text("kclPosition"), "kclPosition")
    return ApplicationRow(
        stream_arn=_need(reader.text("kclStreamArn"), "kclStreamArn"),
        stream_created_at=_need(reader.seconds("kclStreamCreatedAt"), "kclStreamCreatedAt"),
        table_id=_need(reader.text("kclTableId"), "kclTableId"),
        protocol=_need(reader.integer("kclProtocol"), "kclProtocol"),
        position=_sentinel(position, "kclPosition", _STARTS),
        start_at=reader.seconds("kclStartAt"),
        initial_sync_done=bool(reader.flag("kclInitialSyncDone")),
    )


def _need(value: _T | None, name: str) -> _T:
    if value is None:
        raise UnreadableRowError(f"{name} is missing")
    return value


# ------------------------------------------------------------------------------------------ writing


@dataclass(frozen=True, slots=True)
class WriteRequest:
    """One request to DynamoDB, in the spelling of its low-level API."""

    operation: Literal["UpdateItem", "DeleteItem"]
    parameters: dict[str, Any]


class _Spelling(NamedTuple):
    """What writes of one shape have in common: all but the values."""

    condition: str
    update: str
    names: dict[str, str]


def encode_write(write: RowWrite, *, table_name: str, wall: float) -> WriteRequest:
    """Spell a conditional write.

    A creation is an UpdateItem on the condition that the row is absent, so that every write that is
    no deletion answers with the whole item as it is afterwards.

    Args:
        write: One row of the protocol's table of writes.
        table_name: The lease table.
        wall: Unix seconds; only shown in worker rows, never compared.
    """
    values: dict[str, AttributeValue] = {}
    tests = [part for test in write.tests for part in _parts(test, values)]
    if not any(_says_whether_there_is_a_row(test) for test in write.tests):
        # Without this an UpdateItem would bring a deleted row back, as half a row.
        tests.append(("exists", wire.KEY))
    sets, removes = [], []
    for attribute, value in () if write.deletes else _content(write, wall).items():
        if value is None:
            removes.append(attribute)
        else:
            sets.append(attribute)
            values[f":{attribute}"] = value
    spelling = _spell(tuple(tests), tuple(sets), tuple(removes))
    parameters: dict[str, Any] = {
        "TableName": table_name,
        "Key": {wire.KEY: wire.text(write.key)},
        "ConditionExpression": spelling.condition,
        "ReturnConsumedCapacity": "TOTAL",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        "ExpressionAttributeNames": dict(spelling.names),
    }
    if values:
        parameters["ExpressionAttributeValues"] = values
    if write.deletes:
        return WriteRequest("DeleteItem", parameters)
    parameters["UpdateExpression"] = spelling.update
    parameters["ReturnValues"] = "ALL_NEW"
    return WriteRequest("UpdateItem", parameters)


def _parts(test: Test, values: dict[str, AttributeValue]) -> list[_Part]:
    """Return what a test is made of, and add the values that it compares with."""
    match test:
        case RowAbsent():
            return [("absent", wire.KEY)]
        case Absent(name):
            return [("absent", wire.attributes_of(name)[0])]
        case OwnedBy(worker):
            values[":me"] = wire.text(worker)
            return [("mine", "")]
        case Is(name, value):
            spelled = wire.spell(name, value)
            if isinstance(value, Sentinel) and name == "checkpoint":
                spelled = {"checkpoint": spelled["checkpoint"]}
            for attribute, content in spelled.items():
                if content is not None:
                    values[f":was_{attribute}"] = content
            return [("absent" if c is None else "equal", a) for a, c in spelled.items()]
        case _:
            assert_never(test)


def _says_whether_there_is_a_row(test: Test) -> bool:
    return isinstance(test, (RowAbsent, OwnedBy)) or (
        isinstance(test, Is) and test.value is not None
    )


@lru_cache(maxsize=_SHAPES_KEPT)
def _spell(tests: tuple[_Part, ...], sets: tuple[str, ...], removes: tuple[str, ...]) -> _Spelling:
    """Put the expressions together; a fleet at rest sends two or three shapes, again and again."""
    used = [*(name for _, name in tests if name), *sets, *removes]
    if ("mine", "") in tests:
        used += [wire.OWNER, "checkpointOwner"]
    assigned = [f"#{name} = :{name}" for name in sets]
    clauses = [("SET", assigned), ("REMOVE", [f"#{name}" for name in removes])]
    return _Spelling(
        condition=" AND ".join(_CONDITIONS[form].format(name=name) for form, name in tests),
        update=" ".join(f"{word} {', '.join(parts)}" for word, parts in clauses if parts),
        names={f"#{name}": name for name in used},
    )


def _content(write: RowWrite, wall: float) -> dict[str, AttributeValue | None]:
    """Return what the write sets and removes, with what KCL wants besides our fields."""
    is_new = any(isinstance(test, RowAbsent) for test in write.tests)
    content: dict[str, AttributeValue | None] = {}
    if write.kind is WriteKind.BEAT:
        content[wire.LAST_UPDATE] = wire.integer(wall)
        if is_new:
            # No metrics: the Java KCL reads that as "balance this worker by throughput".
            content |= {"sts": {"M": {}}, "opr": {"M": {}}}
            content[wire.ENTITY_TYPE] = wire.text(wire.ENTITY_WORKER)
    elif write.kind is WriteKind.APPLICATION and is_new:
        content[wire.ENTITY_TYPE] = wire.text(wire.ENTITY_APPLICATION)
    elif write.kind is WriteKind.CREATE:
        content[wire.ENTITY_TYPE] = wire.text(wire.ENTITY_LEASE)
        content |= wire.spell("counter", 0) | wire.spell("owner_switches", 0)
    for name, value in write.sets.items():
        content.update(wire.spell(name, value))
    return content


# ---------------------------------------------------------------------------------- asking for rows


def scan_request(table_name: str, *, consistent: bool, start: Item | None) -> dict[str, Any]:
    """Spell the request for one page of a scan."""
    page = {"ExclusiveStartKey": start} if start else {}
    return {
        "TableName": table_name,
        "ConsistentRead": consistent,
        "ReturnConsumedCapacity": "TOTAL",
        **page,
    }


def read_request(table_name: str, keys: Sequence[str]) -> dict[str, Any]:
    """Spell a consistent BatchGetItem of at most KEYS_READ_MAX keys, each named once."""
    wanted = {"ConsistentRead": True, "Keys": [{wire.KEY: wire.text(key)} for key in keys]}
    return {"RequestItems": {table_name: wanted}, "ReturnConsumedCapacity": "TOTAL"}


def get_request(table_name: str, key: str) -> dict[str, Any]:
    """Spell a consistent GetItem."""
    return {
        "TableName": table_name,
        "Key": {wire.KEY: wire.text(key)},
        "ConsistentRead": True,
        "ReturnConsumedCapacity": "TOTAL",
    }


def owned_request(table_name: str, owner: str, *, start: Item | None) -> dict[str, Any]:
    """Spell the question to the index which leases name this owner."""
    page = {"ExclusiveStartKey": start} if start else {}
    return {
        "TableName": table_name,
        "IndexName": wire.INDEX,
        "KeyConditionExpression": "#leaseOwner = :owner",
        "ExpressionAttributeNames": {"#leaseOwner": wire.OWNER},
        "ExpressionAttributeValues": {":owner": wire.text(owner)},
        "ReturnConsumedCapacity": "TOTAL",
        **page,
    }
