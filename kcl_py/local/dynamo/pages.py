"""Which items are on a page of a scan or a query, and where does the next page begin?"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from kcl_py.local.dynamo.capacity import Units, read_units
from kcl_py.local.dynamo.indexes import Index
from kcl_py.local.dynamo.key_conditions import KeyRange, read_key_range
from kcl_py.local.dynamo.keys import HASHES, KeySchema, Place
from kcl_py.local.dynamo.plans import Bound, bind
from kcl_py.local.dynamo.projection import project
from kcl_py.local.dynamo.store import Row, Store
from kcl_py.local.dynamo.tables import Table
from kcl_py.local.dynamo.values import Item
from kcl_py.local.dynamo.world import Answer, Request, World
from kcl_py.local.dynamo.writes import clean_item
from kcl_py.local.errors import invalid
from kcl_py.local.parameters import flag, optional_text, optional_whole

_PAGE_BYTES_MAX = 1_048_576
_SEGMENTS_MAX = 1_000_000


@dataclass(frozen=True, slots=True)
class _Source:
    """What is read: a table or an index, now or a moment ago."""

    table: Table
    index: Index | None
    schema: KeySchema
    store: Store[Row]
    when: float | None
    consistent: bool

    def places(self) -> Sequence[Place]:
        if self.when is None:
            return self.store.places
        return self.store.places_at(self.when)

    def row(self, place: Place) -> Row:
        if self.when is None:
            return self.store.rows[place]
        row = self.store.row_at(place, self.when)
        assert row is not None
        return row

    def start_place(self, key: Any) -> Place:  # noqa: ANN401
        """The place named by ExclusiveStartKey; nothing needs to be there any more."""
        item = clean_item(key)
        names = {*self.schema.names, *self.table.schema.names}
        if item.keys() != names:
            raise invalid("ExclusiveStartKey does not hold the key of what is read")
        place = self.schema.place(item)
        return place if self.index is None else (*place, self.table.schema.place(item))

    def key_of(self, item: Item) -> Item:
        """The key by which a page is continued behind this item."""
        names = dict.fromkeys((*self.table.schema.names, *self.schema.names))
        return {name: item[name] for name in names}


class _Page(NamedTuple):
    rows: list[Row]
    scanned: int
    scanned_bytes: int
    last: Row | None


def query(world: World, request: Request) -> Answer:
    """Query."""
    bound = bind(request)
    source = _source(world, request)
    if bound.plan.key_condition is None:
        raise invalid("KeyConditionExpression is needed")
    keys = read_key_range(source.schema, bound.plan.key_condition, bound.names, bound.values)
    places = source.places()
    begin, end = _within(places, keys)
    start = request.get("ExclusiveStartKey")
    forward = flag(request, "ScanIndexForward", default=True)
    if start is not None and forward:
        begin = max(begin, bisect_right(places, source.start_place(start)))
    elif start is not None:
        end = min(end, bisect_left(places, source.start_place(start)))
    chosen = places[begin:end]
    return _answer(world, request, source, bound, chosen if forward else reversed(chosen))


def scan(world: World, request: Request) -> Answer:
    """Scan, whole or by segments."""
    bound = bind(request)
    source = _source(world, request)
    places = source.places()
    begin, end = _segment(places, request)
    start = request.get("ExclusiveStartKey")
    if start is not None:
        begin = max(begin, bisect_right(places, source.start_place(start)))
    return _answer(world, request, source, bound, places[begin:end])


def _source(world: World, request: Request) -> _Source:
    table = world.usable(request)
    consistent = flag(request, "ConsistentRead")
    name = optional_text(request, "IndexName")
    if name is None:
        when = world.read_time(consistent=consistent)
        return _Source(table, None, table.schema, table.store, when, consistent)
    index = table.indexes.get(name)
    if index is None:
        raise invalid(f"the table has no index {name}")
    if consistent:
        raise invalid("a global secondary index cannot be read consistently")
    index.settle(world.clock())
    return _Source(table, index, index.schema, index.store, None, consistent)


def _segment(places: Sequence[Place], request: Request) -> tuple[int, int]:
    total = optional_whole(request, "TotalSegments", 1, _SEGMENTS_MAX)
    number = optional_whole(request, "Segment", 0, _SEGMENTS_MAX - 1)
    if total is None and number is None:
        return 0, len(places)
    if total is None or number is None or number >= total:
        raise invalid("Segment and TotalSegments belong together, and Segment is the smaller one")
    edges = (-(-HASHES * number // total), -(-HASHES * (number + 1) // total))
    begin, end = (bisect_left(places, (edge,)) for edge in edges)
    return begin, end


def _within(places: Sequence[Place], keys: KeyRange) -> tuple[int, int]:
    partition = (keys.hash, keys.partition)
    begin = bisect_left(places, partition)
    end = bisect_right(places, partition, lo=begin, key=lambda place: place[:2])
    if keys.low is not None:
        cut = bisect_left if keys.low_included else bisect_right
        begin = cut(places, keys.low, lo=begin, hi=end, key=lambda place: place[2])
    if keys.prefix is not None:
        length = len(keys.prefix)
        end = bisect_right(
            places, keys.prefix, lo=begin, hi=end, key=lambda place: place[2][:length]
        )
    if keys.high is not None:
        cut = bisect_right if keys.high_included else bisect_left
        end = cut(places, keys.high, lo=begin, hi=end, key=lambda place: place[2])
    return begin, end


def _read_page(source: _Source, bound: Bound, limit: int | None, places: Iterable[Place]) -> _Page:
    keeps = bound.plan.filter
    rows: list[Row] = []
    scanned = scanned_bytes = 0
    last: Row | None = None
    for place in places:
        row = source.row(place)
        if scanned == limit or (scanned and scanned_bytes + row.size > _PAGE_BYTES_MAX):
            return _Page(rows, scanned, scanned_bytes, last)
        scanned += 1
        scanned_bytes += row.size
        last = row
        if keeps is None or keeps(row.item, bound.names, bound.values):
            rows.append(row)
    # The service cannot know that a page that reached its limit was the last one.
    return _Page(rows, scanned, scanned_bytes, last if scanned == limit else None)


def _answer(
    world: World, request: Request, source: _Source, bound: Bound, places: Iterable[Place]
) -> Answer:
    limit = optional_whole(request, "Limit", 1, 2**31)
    page = _read_page(source, bound, limit, places)
    units = Units()
    cost = read_units(page.scanned_bytes, consistent=source.consistent)
    if source.index is None:
        units.table = cost
    else:
        units.indexes[source.index.name] = cost
    world.count_read(source.table, units)
    answer: Answer = {"Count": len(page.rows), "ScannedCount": page.scanned}
    if request.get("Select") != "COUNT":
        projection, names = bound.plan.projection, bound.names
        answer["Items"] = [project(row.item, projection, names) for row in page.rows]
    if page.last is not None:
        answer["LastEvaluatedKey"] = source.key_of(page.last.item)
    consumed = units.describe(source.table.name, request.get("ReturnConsumedCapacity"))
    if consumed is not None:
        answer["ConsumedCapacity"] = consumed
    return answer
