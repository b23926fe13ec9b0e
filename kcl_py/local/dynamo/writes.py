"""What happens when one item is put, updated or deleted?"""

from __future__ import annotations

from typing import Any, NamedTuple

from kcl_py.local.dynamo.capacity import Units, write_units
from kcl_py.local.dynamo.evaluate import find
from kcl_py.local.dynamo.keys import Place
from kcl_py.local.dynamo.plans import Bound, bind
from kcl_py.local.dynamo.store import Row
from kcl_py.local.dynamo.tables import Table
from kcl_py.local.dynamo.values import Item, Value, clean, item_size, text_size, value_size
from kcl_py.local.dynamo.world import Answer, Request, World
from kcl_py.local.errors import AwsError, invalid

ITEM_BYTES_MAX = 400 * 1024
CONDITION_FAILED = "ConditionalCheckFailedException"


class Change(NamedTuple):
    """A write that is allowed and can be done."""

    table: Table
    place: Place
    old: Row | None
    new: Row | None
    written: tuple[tuple[str | int, ...], ...] = ()

    @property
    def units(self) -> float:
        """For the table alone."""
        before = 0 if self.old is None else self.old.size
        return write_units(max(before, 0 if self.new is None else self.new.size))


def put_item(world: World, request: Request) -> Answer:
    """PutItem."""
    return _write(world, request, prepare_put(world, request), ("NONE", "ALL_OLD"))


def delete_item(world: World, request: Request) -> Answer:
    """DeleteItem."""
    return _write(world, request, prepare_delete(world, request), ("NONE", "ALL_OLD"))


def update_item(world: World, request: Request) -> Answer:
    """UpdateItem."""
    return _write(world, request, prepare_update(world, request), _UPDATE_RETURNS)


_UPDATE_RETURNS = ("NONE", "ALL_OLD", "ALL_NEW", "UPDATED_OLD", "UPDATED_NEW")


def prepare_put(world: World, request: Request) -> Change:
    """Check a put, its condition included."""
    table = world.usable(request)
    item = clean_item(request.get("Item"))
    bound = bind(request)
    place = table.schema.place(item)
    old = table.store.rows.get(place)
    _check_condition(world, table, bound, old, request)
    new = _checked_row(table, item, item_size(item))
    return Change(table, place, old, new)


def prepare_delete(world: World, request: Request) -> Change:
    """Check a delete, its condition included."""
    table = world.usable(request)
    bound = bind(request)
    place = table.schema.place_of_key(clean_item(request.get("Key")))
    old = table.store.rows.get(place)
    _check_condition(world, table, bound, old, request)
    return Change(table, place, old, None)


def prepare_update(world: World, request: Request) -> Change:
    """Check an update, its condition included; an item that is absent is made."""
    table = world.usable(request)
    bound = bind(request)
    key = clean_item(request.get("Key"))
    place = table.schema.place_of_key(key)
    update = bound.plan.update
    written = () if update is None else update.places(bound.names)
    touched = tuple([str(target[0]) for target in written])
    old = table.store.rows.get(place)
    _check_condition(world, table, bound, old, request)
    for name in table.schema.names:
        if name in touched:
            raise invalid(f"{name} is part of the key and cannot be updated")
    base = old or Row(key, item_size(key))
    if update is None:
        return Change(table, place, old, base)
    item = update.apply(base.item, written, bound.names, bound.values)
    size = base.size
    for name in dict.fromkeys(touched):
        size += _growth(name, base.item.get(name), item.get(name))
    return Change(table, place, old, _checked_row(table, item, size, touched), written)


def prepare_check(world: World, request: Request) -> Change:
    """Check the condition of a transaction that writes nothing to this item."""
    table = world.usable(request)
    bound = bind(request)
    place = table.schema.place_of_key(clean_item(request.get("Key")))
    old = table.store.rows.get(place)
    _check_condition(world, table, bound, old, request)
    return Change(table, place, old, old)


def commit(world: World, change: Change) -> Units:
    """Do a prepared change."""
    now = world.clock()
    units = change.table.write(change.place, change.new, now, world.index_due(now))
    units.table = change.units
    return units


def clean_item(item: Any) -> Item:  # noqa: ANN401
    """The canonical form of an item or key from outside."""
    if not isinstance(item, dict):
        raise invalid("the request lacks its item or key")
    return {name: clean(value) for name, value in item.items()}


def _growth(name: str, old: Value | None, new: Value | None) -> int:
    """By how much an item grows when one attribute changes."""
    if old is None:
        return 0 if new is None else text_size(name) + value_size(new)
    if new is None:
        return -text_size(name) - value_size(old)
    return value_size(new) - value_size(old)


def _checked_row(
    table: Table, item: Item, size: int, touched: tuple[str, ...] | None = None
) -> Row:
    if size > ITEM_BYTES_MAX:
        raise invalid(f"the item is larger than {ITEM_BYTES_MAX} bytes")
    for index in table.indexes.values():
        if touched is None or index.schema.partition in touched or index.schema.sort in touched:
            index.check(item)
    return Row(item, size)


def _check_condition(
    world: World, table: Table, bound: Bound, old: Row | None, request: Request
) -> None:
    condition = bound.plan.condition
    if condition is None or condition(old.item if old else {}, bound.names, bound.values):
        return
    world.count_write(table, Units(write_units(old.size if old else 0)))
    raise _refusal(old, request)


def _refusal(old: Row | None, request: Request) -> AwsError:
    error = AwsError(CONDITION_FAILED, "the conditional request failed")
    if old is not None and request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD":
        error.extra["Item"] = dict(old.item)
    return error


def _write(world: World, request: Request, change: Change, returns: tuple[str, ...]) -> Answer:
    wanted = request.get("ReturnValues", "NONE")
    if wanted not in returns:
        raise invalid(f"ReturnValues must be one of {', '.join(returns)}, not {wanted}")
    units = commit(world, change)
    world.count_write(change.table, units)
    answer: Answer = {}
    attributes = _returned(change, wanted)
    if attributes:
        answer["Attributes"] = attributes
    detail = request.get("ReturnConsumedCapacity")
    if detail is not None:
        consumed = units.describe(change.table.name, detail)
        if consumed is not None:
            answer["ConsumedCapacity"] = consumed
    return answer


def _returned(change: Change, wanted: str) -> Item | None:
    if wanted == "NONE":
        return None
    row = change.new if wanted.endswith("NEW") else change.old
    if row is None:
        return None
    if wanted.startswith("ALL"):
        return dict(row.item)
    # A place inside an attribute brings the whole attribute, if the place is there.
    found = (str(place[0]) for place in change.written if find(row.item, place) is not None)
    return {name: row.item[name] for name in found}
