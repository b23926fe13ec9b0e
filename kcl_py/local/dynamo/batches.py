"""What happens when several items are read or written at once?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kcl_py.local.dynamo.capacity import Units, read_units
from kcl_py.local.dynamo.plans import bind
from kcl_py.local.dynamo.projection import project
from kcl_py.local.dynamo.reads import read_row
from kcl_py.local.dynamo.values import Item
from kcl_py.local.dynamo.world import Answer, Request, World
from kcl_py.local.dynamo.writes import (
    Change,
    clean_item,
    commit,
    prepare_check,
    prepare_delete,
    prepare_put,
    prepare_update,
)
from kcl_py.local.errors import AwsError, invalid
from kcl_py.local.parameters import flag, mapping, optional_text, refuse_unknown, sequence

_READS_MAX = 100
_WRITES_MAX = 25
_TRANSACTION_MAX = 100
_READ_BYTES_MAX = 16 * 1_048_576
_TOKEN_SECONDS = 600.0
_READ_PARAMETERS = frozenset(
    {"Keys", "ConsistentRead", "ProjectionExpression", "ExpressionAttributeNames"}
)


def batch_get_item(world: World, request: Request) -> Answer:
    """BatchGetItem: what does not fit, or is left out on purpose, comes back as UnprocessedKeys."""
    wanted = mapping(request, "RequestItems")
    _check_count("BatchGetItem", _READS_MAX, sum(len(_keys(part)) for part in wanted.values()))
    responses: dict[str, list[Item]] = {}
    unprocessed: dict[str, Any] = {}
    consumed: list[dict[str, Any]] = []
    room = _READ_BYTES_MAX
    for name, part in wanted.items():
        found, left, units, room = _read_part(world, name, part, room)
        responses[name] = found
        if left:
            unprocessed[name] = {**part, "Keys": left}
        cost = units.describe(name, request.get("ReturnConsumedCapacity"))
        if cost is not None:
            consumed.append(cost)
    answer: Answer = {"Responses": responses, "UnprocessedKeys": unprocessed}
    if consumed:
        answer["ConsumedCapacity"] = consumed
    return answer


def _keys(part: Any) -> list[Any]:  # noqa: ANN401
    if not isinstance(part, dict) or not part.get("Keys"):
        raise invalid("every table of RequestItems needs Keys")
    refuse_unknown("BatchGetItem", part, _READ_PARAMETERS)
    return sequence(part, "Keys")


def _read_part(
    world: World, name: str, part: dict[str, Any], room: int
) -> tuple[list[Item], list[Item], Units, int]:
    table = world.usable({"TableName": name})
    bound = bind(part)
    consistent = flag(part, "ConsistentRead")
    when = world.read_time(consistent=consistent)
    places = [table.schema.place_of_key(clean_item(key)) for key in part["Keys"]]
    if len(set(places)) < len(places):
        raise invalid("a key is asked for twice")
    found: list[Item] = []
    left: list[Item] = []
    units = Units()
    for key, place in zip(part["Keys"], places, strict=True):
        row = read_row(table, place, when)
        size = row.size if row else 0
        if size > room or (world.leave_unprocessed and world.leave_unprocessed()):
            left.append(key)
            continue
        room -= size
        units.table += read_units(size, consistent=consistent)
        if row is not None:
            found.append(project(row.item, bound.plan.projection, bound.names))
    world.count_read(table, units)
    return found, left, units, room


def batch_write_item(world: World, request: Request) -> Answer:
    """BatchWriteItem: puts and deletes without conditions, each by itself."""
    wanted = mapping(request, "RequestItems")
    writes = [(name, write) for name, part in wanted.items() for write in part]
    _check_count("BatchWriteItem", _WRITES_MAX, len(writes))
    changes = [_prepare_batched(world, name, write) for name, write in writes]
    _check_distinct(changes)
    unprocessed: dict[str, list[Any]] = {}
    taken: dict[str, Units] = {}
    for (name, write), change in zip(writes, changes, strict=True):
        if world.leave_unprocessed and world.leave_unprocessed():
            unprocessed.setdefault(name, []).append(write)
            continue
        units = commit(world, change)
        world.count_write(change.table, units)
        _add(taken.setdefault(name, Units()), units, 1)
    answer: Answer = {"UnprocessedItems": unprocessed}
    return _with_consumed(answer, taken, request)


def _prepare_batched(world: World, name: str, write: Any) -> Change:  # noqa: ANN401
    match write:
        case {"PutRequest": {"Item": item}}:
            return prepare_put(world, {"TableName": name, "Item": item})
        case {"DeleteRequest": {"Key": key}}:
            return prepare_delete(world, {"TableName": name, "Key": key})
    raise invalid("a write of a batch is a PutRequest with Item or a DeleteRequest with Key")


_PREPARE: dict[str, Callable[[World, Request], Change]] = {
    "ConditionCheck": prepare_check,
    "Put": prepare_put,
    "Delete": prepare_delete,
    "Update": prepare_update,
}


def transact_write_items(world: World, request: Request) -> Answer:
    """TransactWriteItems: all or nothing; a repeated token does nothing again."""
    actions = sequence(request, "TransactItems")
    _check_count("TransactWriteItems", _TRANSACTION_MAX, len(actions))
    token = optional_text(request, "ClientRequestToken")
    now = world.clock()
    if token is not None:
        done = world.done_transactions.get(token)
        if done is not None and now - done[0] < _TOKEN_SECONDS:
            return dict(done[1])
    changes = _prepare_all(world, actions)
    _check_distinct(changes)
    taken: dict[str, Units] = {}
    for change in changes:
        units = commit(world, change)
        doubled = taken.setdefault(change.table.name, Units())
        _add(doubled, units, 2)
        world.count_write(change.table, units)
        world.count_write(change.table, units)
    answer = _with_consumed({}, taken, request)
    if token is not None:
        world.done_transactions[token] = (now, answer)
    return answer


def _prepare_all(world: World, actions: list[Any]) -> list[Change]:
    """Every change of a transaction, or the reasons why there will be none."""
    changes: list[Change] = []
    reasons: list[dict[str, object]] = []
    for action in actions:
        kind, details = _action(action)
        try:
            changes.append(_PREPARE[kind](world, details))
            reasons.append({"Code": "None"})
        except AwsError as error:
            code = error.code.removesuffix("Exception").removesuffix("Error")
            if error.code == "ResourceNotFoundException":
                raise
            if code == "Validation":
                code = "ValidationError"
            reasons.append({"Code": code, "Message": error.message, **error.extra})
    if len(changes) == len(actions):
        return changes
    codes = ", ".join(str(reason["Code"]) for reason in reasons)
    raise AwsError(
        "TransactionCanceledException",
        f"the transaction was cancelled, with these reasons: [{codes}]",
        CancellationReasons=reasons,
    )


def _action(action: Any) -> tuple[str, dict[str, Any]]:  # noqa: ANN401
    if isinstance(action, dict) and len(action) == 1:
        kind, details = next(iter(action.items()))
        if kind in _PREPARE and isinstance(details, dict):
            return kind, details
    raise invalid(f"an action of a transaction is exactly one of {', '.join(_PREPARE)}")


def _check_count(operation: str, count_max: int, count: int) -> None:
    if not 1 <= count <= count_max:
        raise invalid(f"{operation} takes 1 to {count_max} items, not {count}")


def _check_distinct(changes: list[Change]) -> None:
    if len({(change.table.name, change.place) for change in changes}) < len(changes):
        raise invalid("one request cannot write an item twice")


def _add(total: Units, units: Units, times: int) -> None:
    total.table += units.table * times
    for name, cost in units.indexes.items():
        total.indexes[name] = total.indexes.get(name, 0.0) + cost * times


def _with_consumed(answer: Answer, taken: dict[str, Units], request: Request) -> Answer:
    detail = request.get("ReturnConsumedCapacity")
    described = [units.describe(name, detail) for name, units in taken.items()]
    consumed = [part for part in described if part is not None]
    if consumed:
        answer["ConsumedCapacity"] = consumed
    return answer
