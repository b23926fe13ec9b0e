"""Does the model of DynamoDB write and read items as the service does?"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcl_py.local.dynamo.values import item_size
from tests.local.worlds import DynamoWorld, refused

NAMES = st.sampled_from(["a", "b", "c", "d"])
OWNERS = st.sampled_from(["x", "y", None])


def n(number: int) -> dict[str, str]:
    return {"N": str(number)}


def test_a_conditional_update_has_one_winner() -> None:
    world = DynamoWorld()
    world.put("a", counter_=n(1))
    arguments: dict[str, Any] = {
        "ConditionExpression": "counter_ = :old",
        "ExpressionAttributeValues": {":old": n(1), ":new": n(2)},
    }

    world.update("a", "SET counter_ = :new", **arguments)

    error = refused(world.update, "a", "SET counter_ = :new", **arguments)
    assert error.code == "ConditionalCheckFailedException"
    assert error.extra == {}


def test_a_failed_condition_shows_the_item_on_request_if_there_is_one() -> None:
    world = DynamoWorld()
    world.put("a", x=n(1))
    arguments: dict[str, Any] = {
        "ConditionExpression": "attribute_exists(nowhere)",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }

    present = refused(world.update, "a", "REMOVE x", **arguments)
    absent = refused(world.update, "b", "REMOVE x", **arguments)

    assert present.extra == {"Item": {"id": {"S": "a"}, "x": n(1)}}
    assert absent.extra == {}


def test_an_update_makes_an_absent_item() -> None:
    world = DynamoWorld()

    world.update("a", "SET x = :x", ExpressionAttributeValues={":x": n(1)})
    world.call("UpdateItem", Key={"id": {"S": "b"}})

    assert world.get("a") == {"id": {"S": "a"}, "x": n(1)}
    assert world.get("b") == {"id": {"S": "b"}}


def test_a_delete_returns_what_was_there() -> None:
    world = DynamoWorld()
    world.put("a", x=n(1))

    gone = world.call("DeleteItem", Key={"id": {"S": "a"}}, ReturnValues="ALL_OLD")
    nothing = world.call("DeleteItem", Key={"id": {"S": "a"}}, ReturnValues="ALL_OLD")

    assert gone == {"Attributes": {"id": {"S": "a"}, "x": n(1)}}
    assert nothing == {}


def test_a_returned_item_can_be_changed_without_harm() -> None:
    world = DynamoWorld()
    world.put("a", x=n(1))

    item = world.get("a")
    assert item is not None
    item["x"] = n(2)

    assert (world.get("a") or {})["x"] == n(1)


@pytest.mark.parametrize(
    ("operation", "request_"),
    [
        ("PutItem", {"Item": {"other": {"S": "x"}}}),
        ("PutItem", {"Item": {"id": {"N": "1"}}}),
        ("PutItem", {"Item": {"id": {"S": ""}}}),
        ("PutItem", {"Item": {"id": {"S": "x" * 2049}}}),
        ("PutItem", {"Item": {"id": {"S": "a"}, "holder": {"N": "1"}}}),
        ("PutItem", {"Item": {"id": {"S": "a"}, "holder": {"S": ""}}}),
        ("PutItem", {"Item": {"id": {"S": "a"}, "x": {"S": "x" * 409_600}}}),
        ("PutItem", {"Item": {"id": {"S": "a"}}, "ReturnValues": "ALL_NEW"}),
        ("PutItem", {"Item": {"id": {"S": "a"}}, "Expected": {}}),
        ("UpdateItem", {"Key": {"id": {"S": "a"}}, "AttributeUpdates": {}}),
        ("UpdateItem", {"Key": {"id": {"S": "a"}}, "UpdateExpression": "SET id = id"}),
        ("GetItem", {"Key": {"id": {"S": "a"}, "x": {"S": "b"}}}),
        ("GetItem", {"Key": {}}),
        ("GetItem", {}),
    ],
)
def test_a_bad_request_is_refused(operation: str, request_: dict[str, Any]) -> None:
    world = DynamoWorld()

    assert refused(world.call, operation, **request_).code == "ValidationException"


@pytest.mark.parametrize(
    ("old", "new", "units"), [(0, 10, 1.0), (0, 1024, 2.0), (5000, 10, 5.0), (10, 3000, 3.0)]
)
def test_a_write_costs_the_larger_of_old_and_new(old: int, new: int, units: float) -> None:
    world = DynamoWorld()
    if old:
        world.put("a", x={"S": "x" * old})

    answer = world.call(
        "PutItem",
        Item={"id": {"S": "a"}, "x": {"S": "x" * new}},
        ReturnConsumedCapacity="TOTAL",
    )

    assert answer["ConsumedCapacity"] == {"TableName": "leases", "CapacityUnits": units}


def test_a_failed_condition_costs_as_much_as_the_item_is_large() -> None:
    world = DynamoWorld()
    world.put("a", x={"S": "x" * 3000})
    before = world.model.world.write_units["leases"]

    refused(world.call, "DeleteItem", Key={"id": {"S": "a"}}, ConditionExpression="id = x")

    assert world.model.world.write_units["leases"] - before == 3.0


def index_units(answer: dict[str, Any]) -> float:
    indexes = answer["ConsumedCapacity"].get("GlobalSecondaryIndexes", {})
    return float(indexes.get("ByOwner", {}).get("CapacityUnits", 0.0))


def test_an_index_costs_only_when_what_it_holds_changes() -> None:
    world = DynamoWorld()
    steps = [
        ("SET x = :v", {"S": "1"}),
        ("SET holder = :v", {"S": "me"}),
        ("SET x = :v", {"S": "2"}),
        ("SET holder = :v", {"S": "you"}),
        ("SET holder = :v", {"S": "you"}),
        ("SET y = :v REMOVE holder", {"S": "3"}),
    ]

    costs = [
        index_units(
            world.update(
                "a",
                expression,
                ExpressionAttributeValues={":v": value},
                ReturnConsumedCapacity="INDEXES",
            )
        )
        for expression, value in steps
    ]

    assert costs == [0.0, 1.0, 0.0, 2.0, 0.0, 1.0]


@given(
    st.lists(st.tuples(NAMES, OWNERS, st.sampled_from(["put", "update", "delete"])), max_size=25)
)
def test_table_and_index_agree_after_any_writes(steps: list[tuple[str, str | None, str]]) -> None:
    world = DynamoWorld()
    expected: dict[str, str | None] = {}
    for name, owner, verb in steps:
        if verb == "delete":
            world.call("DeleteItem", Key={"id": {"S": name}})
            expected.pop(name, None)
        elif verb == "put":
            world.put(name, **({} if owner is None else {"holder": {"S": owner}}))
            expected[name] = owner
        elif owner is None:
            world.update(name, "REMOVE holder")
            expected[name] = None
        else:
            world.update(name, "SET holder = :o", ExpressionAttributeValues={":o": {"S": owner}})
            expected[name] = owner

    items = world.call("Scan")["Items"]
    assert {item["id"]["S"]: item.get("holder", {}).get("S") for item in items} == expected
    for owner in ("x", "y"):
        held = sorted(name for name, holder in expected.items() if holder == owner)
        assert sorted(world.owned_by(owner)) == held
    rows = world.model.world.tables["leases"].store.rows.values()
    assert all(row.size == item_size(row.item) for row in rows)


def test_an_index_may_lag_behind() -> None:
    world = DynamoWorld()
    world.model.world.index_lag = lambda: 2.0
    world.put("a", holder={"S": "me"})
    seen = [world.owned_by("me")]
    world.clock.advance(1)
    world.call("DeleteItem", Key={"id": {"S": "a"}})
    world.clock.advance(1)
    seen.append(world.owned_by("me"))
    world.clock.advance(1)
    seen.append(world.owned_by("me"))

    assert seen == [[], ["a"], []]


def test_a_read_may_be_stale_unless_it_must_not() -> None:
    world = DynamoWorld(stale=lambda: 5.0)
    world.put("a", x=n(1))
    world.clock.advance(10)
    world.put("a", x=n(2))
    world.call("PutItem", Item={"id": {"S": "b"}})
    world.clock.advance(2)

    assert (world.get("a", consistent=False) or {})["x"] == n(1)
    assert (world.get("a") or {})["x"] == n(2)
    assert [item["id"]["S"] for item in world.call("Scan")["Items"]] == ["a"]
    assert world.call("Scan", ConsistentRead=True)["Count"] == 2
    world.clock.advance(5)
    assert (world.get("a", consistent=False) or {})["x"] == n(2)


def test_a_stale_scan_still_shows_what_was_deleted() -> None:
    world = DynamoWorld(stale=lambda: 5.0)
    world.put("a")
    world.clock.advance(10)
    world.call("DeleteItem", Key={"id": {"S": "a"}})

    assert world.call("Scan")["Count"] == 1
    assert world.call("Scan", ConsistentRead=True)["Count"] == 0


@given(st.sets(st.text("abc", min_size=1, max_size=4), max_size=30), st.integers(1, 7))
def test_pages_show_every_item_once(names: set[str], limit: int) -> None:
    world = DynamoWorld()
    for name in sorted(names):
        world.put(name)

    seen: list[str] = []
    more: dict[str, Any] = {}
    while True:
        page = world.call("Scan", Limit=limit, **more)
        seen += [item["id"]["S"] for item in page["Items"]]
        if "LastEvaluatedKey" not in page:
            break
        more = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
        world.call("DeleteItem", Key=page["LastEvaluatedKey"])

    assert sorted(seen) == sorted(names)


@given(st.sets(st.text("abc", min_size=1, max_size=4), max_size=30), st.integers(1, 9))
def test_segments_share_the_items(names: set[str], total: int) -> None:
    world = DynamoWorld()
    for name in sorted(names):
        world.put(name)

    seen = [
        item["id"]["S"]
        for segment in range(total)
        for item in world.call("Scan", Segment=segment, TotalSegments=total)["Items"]
    ]

    assert sorted(seen) == sorted(names)


def test_a_page_of_a_scan_ends_at_a_megabyte() -> None:
    world = DynamoWorld()
    for number in range(12):
        world.put(str(number), x={"S": "x" * 100_000})

    page = world.call("Scan", ReturnConsumedCapacity="TOTAL")

    assert page["Count"] == 10
    assert "LastEvaluatedKey" in page
    assert page["ConsumedCapacity"]["CapacityUnits"] == 122.5


def test_a_projection_keeps_the_shape_of_documents() -> None:
    world = DynamoWorld()
    world.put("a", doc={"M": {"x": n(1), "y": {"L": [n(1), n(2), n(3)]}}}, other=n(1))

    item = world.call(
        "GetItem",
        Key={"id": {"S": "a"}},
        ProjectionExpression="doc.#y[2], doc.z, #y",
        ExpressionAttributeNames={"#y": "y"},
    )["Item"]

    assert item == {"doc": {"M": {"y": {"L": [n(3)]}}}}
