"""What does reading one item answer?"""

from __future__ import annotations

from kcl_py.local.dynamo.capacity import Units, read_units
from kcl_py.local.dynamo.keys import Place
from kcl_py.local.dynamo.plans import bind
from kcl_py.local.dynamo.projection import project
from kcl_py.local.dynamo.store import Row
from kcl_py.local.dynamo.tables import Table
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
