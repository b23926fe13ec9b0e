"""What does reading one item answer, and how is a part of an item chosen?"""

from __future__ import annotations

from typing import Any

from kcl_py.local.dynamo.capacity import Units, read_units
from kcl_py.local.dynamo.evaluate import Names, resolve
from kcl_py.local.dynamo.keys import Place
from kcl_py.local.dynamo.plans import bind
from kcl_py.local.dynamo.store import Row
from kcl_py.local.dynamo.syntax import Path
from kcl_py.local.dynamo.tables import Table
from kcl_py.local.dynamo.values import Item, Value
from kcl_py.local.dynamo.world import Answer, Request, World
from kcl_py.local.dynamo.writes import clean_item
from kcl_py.local.parameters import flag


def get_item(world: World, request: Request) -> Answer:
    """GetItem."""
    table = world.usable(request)
    bound = bind(request)
    consistent = flag(request, "ConsistentRead")
    place = table.schema.place_of_key(clean_item(request.get("Key")))
    row = read_row(table, place, world.read_time(consistent=consistent))
    units = Units(read_units(row.size if row else 0, consistent=consistent))
    world.count_read(table, units)
    answer: Answer = {}
    if row is not None:
        answer["Item"] = project(row.item, bound.plan.projection, bound.names)
    consumed = units.describe(table.name, request.get("ReturnConsumedCapacity"))
    if consumed is not None:
        answer["ConsumedCapacity"] = consumed
    return answer


def read_row(table: Table, place: Place, when: float | None) -> Row | None:
    """The row at a place, now or as of a moment ago."""
    if when is None:
        return table.store.rows.get(place)
    return table.store.row_at(place, when)


def project(item: Item, paths: tuple[Path, ...] | None, names: Names) -> Item:
    """The wanted parts of an item; a copy of all of it when none are named."""
    if paths is None:
        return dict(item)
    tree: dict[str | int, Any] = {}
    for path in paths:
        node = tree
        for part in resolve(path, names):
            node = node.setdefault(part, {})
    chosen: Item = _choose({"M": item}, tree)["M"]
    return chosen


def _choose(value: Value, tree: dict[str | int, Any]) -> Value:
    if not tree:
        return value
    if "M" in value:
        content = value["M"]
        picked = {
            name: _choose(content[name], tree[name])
            for name in tree
            if isinstance(name, str) and name in content
        }
        return {"M": {name: part for name, part in picked.items() if part}}
    if "L" in value:
        elements = value["L"]
        indexes = sorted(part for part in tree if isinstance(part, int) and part < len(elements))
        chosen = [_choose(elements[index], tree[index]) for index in indexes]
        return {"L": [part for part in chosen if part]}
    return {}
