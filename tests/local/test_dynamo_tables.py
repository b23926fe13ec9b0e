"""Does the model of DynamoDB keep tables, queries, batches and transactions as the service does?"""

from __future__ import annotations

from typing import Any

import pytest

from tests.local.worlds import DynamoWorld, refused

TABLE: dict[str, Any] = {
    "TableName": "events",
    "KeySchema": [
        {"AttributeName": "who", "KeyType": "HASH"},
        {"AttributeName": "at_", "KeyType": "RANGE"},
    ],
    "AttributeDefinitions": [
        {"AttributeName": "who", "AttributeType": "S"},
        {"AttributeName": "at_", "AttributeType": "N"},
    ],
    "ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1},
}


@pytest.fixture
def world() -> DynamoWorld:
    world = DynamoWorld()
    world.raw("CreateTable", **TABLE)
    world.clock.advance(1)
    for who in ("a", "b"):
        for at in (-5, 1, 2, 10, 20):
            world.raw(
                "PutItem",
                TableName="events",
                Item={"who": {"S": who}, "at_": {"N": str(at)}, "odd": {"BOOL": at % 2 == 1}},
            )
    return world


def query(world: DynamoWorld, condition: str, **more: Any) -> list[int]:
    values = {":w": {"S": "a"}, ":low": {"N": "2"}, ":high": {"N": "10"}}
    used = {name: value for name, value in values.items() if name in condition}
    page = world.raw(
        "Query",
        TableName="events",
        KeyConditionExpression=condition,
        ExpressionAttributeValues=used,
        **more,
    )
    return [int(item["at_"]["N"]) for item in page["Items"]]


@pytest.mark.parametrize(
    ("bound", "expected"),
    [
        ("", [-5, 1, 2, 10, 20]),
        (" AND at_ = :low", [2]),
        (" AND at_ < :low", [-5, 1]),
        (" AND at_ <= :low", [-5, 1, 2]),
        (" AND at_ > :low", [10, 20]),
        (" AND at_ >= :low", [2, 10, 20]),
        (" AND at_ BETWEEN :low AND :high", [2, 10]),
    ],
)
def test_a_query_names_a_part_of_a_partition(
    world: DynamoWorld, bound: str, expected: list[int]
) -> None:
    assert query(world, f"who = :w{bound}") == expected
    assert query(world, f"who = :w{bound}", ScanIndexForward=False) == expected[::-1]


def test_a_query_goes_on_from_a_key_in_both_directions(world: DynamoWorld) -> None:
    key = {"who": {"S": "a"}, "at_": {"N": "2"}}

    assert query(world, "who = :w", ExclusiveStartKey=key) == [10, 20]
    assert query(world, "who = :w", ExclusiveStartKey=key, ScanIndexForward=False) == [1, -5]


@pytest.mark.parametrize(
    "condition",
    ["who > :w", "at_ = :low", "who = :w OR who = :w", "odd = :w", "who = :w AND at_ <> :low"],
)
def test_a_bad_key_condition_is_refused(world: DynamoWorld, condition: str) -> None:
    assert refused(query, world, condition).code == "ValidationException"


def test_a_prefix_names_a_part_of_a_partition() -> None:
    world = DynamoWorld()
    names = ("KeySchema", "AttributeDefinitions", "ProvisionedThroughput")
    request = {name: TABLE[name] for name in names}
    request["AttributeDefinitions"] = [
        {"AttributeName": "who", "AttributeType": "S"},
        {"AttributeName": "at_", "AttributeType": "S"},
    ]
    world.raw("CreateTable", TableName="texts", **request)
    world.clock.advance(1)
    for text in ("a", "ab", "abc", "ac", "b"):
        world.raw("PutItem", TableName="texts", Item={"who": {"S": "w"}, "at_": {"S": text}})

    page = world.raw(
        "Query",
        TableName="texts",
        KeyConditionExpression="who = :w AND begins_with(at_, :p)",
        ExpressionAttributeValues={":w": {"S": "w"}, ":p": {"S": "ab"}},
        Select="COUNT",
    )

    assert (page["Count"], "Items" in page) == (2, False)


def test_a_table_is_made_and_deleted_in_steps() -> None:
    world = DynamoWorld()
    first = world.raw("CreateTable", **TABLE)["TableDescription"]
    early = refused(world.raw, "Scan", TableName="events")
    world.clock.advance(1)
    active = world.raw("DescribeTable", TableName="events")["Table"]
    gone = world.raw("DeleteTable", TableName="events")["TableDescription"]
    late = refused(world.raw, "Scan", TableName="events")
    world.clock.advance(1)

    statuses = [table["TableStatus"] for table in (first, active, gone)]
    assert statuses == ["CREATING", "ACTIVE", "DELETING"]
    assert early.code == late.code == "ResourceNotFoundException"
    assert world.raw("ListTables") == {"TableNames": ["leases"]}
    again = world.raw("CreateTable", **TABLE)["TableDescription"]
    assert again["TableId"] != first["TableId"]


def test_a_table_describes_its_schema_and_items() -> None:
    world = DynamoWorld()
    world.put("a", holder={"S": "me"})

    table = world.call("DescribeTable")["Table"]

    assert table["TableArn"] == "arn:aws:dynamodb:us-east-1:000000000000:table/leases"
    assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert table["ItemCount"] == 1
    (index,) = table["GlobalSecondaryIndexes"]
    assert (index["IndexName"], index["IndexStatus"], index["ItemCount"]) == (
        "ByOwner",
        "ACTIVE",
        1,
    )


def test_protection_against_deletion() -> None:
    world = DynamoWorld()
    world.call("UpdateTable", DeletionProtectionEnabled=True)

    assert refused(world.call, "DeleteTable").code == "ValidationException"
    world.call("UpdateTable", DeletionProtectionEnabled=False)
    world.call("DeleteTable")


@pytest.mark.parametrize(
    "change",
    [
        {"TableName": "no"},
        {"KeySchema": []},
        {"AttributeDefinitions": []},
        {"AttributeDefinitions": TABLE["AttributeDefinitions"][:1]},
        {"ProvisionedThroughput": None},
        {"BillingMode": "FREE"},
        {"LocalSecondaryIndexes": []},
        {"GlobalSecondaryIndexes": [{"IndexName": "x", "KeySchema": TABLE["KeySchema"]}]},
    ],
)
def test_a_bad_table_is_refused(change: dict[str, Any]) -> None:
    error = refused(DynamoWorld().raw, "CreateTable", **(TABLE | change))

    assert error.code == "ValidationException"


def test_a_table_is_made_once() -> None:
    world = DynamoWorld()
    world.raw("CreateTable", **TABLE)

    assert refused(world.raw, "CreateTable", **TABLE).code == "ResourceInUseException"


def test_tags_backups_and_time_to_live() -> None:
    world = DynamoWorld()
    arn = world.call("DescribeTable")["Table"]["TableArn"]
    world.raw("TagResource", ResourceArn=arn, Tags=[{"Key": "k", "Value": "v"}])
    world.call(
        "UpdateContinuousBackups",
        PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
    )

    tags = world.raw("ListTagsOfResource", ResourceArn=arn)["Tags"]
    backups = world.call("DescribeContinuousBackups")["ContinuousBackupsDescription"]
    ttl = world.call("DescribeTimeToLive")["TimeToLiveDescription"]

    assert tags == [{"Key": "k", "Value": "v"}]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"
    assert ttl == {"TimeToLiveStatus": "DISABLED"}
    world.raw("UntagResource", ResourceArn=arn, TagKeys=["k"])
    assert world.raw("ListTagsOfResource", ResourceArn=arn)["Tags"] == []


def keys(*names: str) -> list[dict[str, Any]]:
    return [{"id": {"S": name}} for name in names]


def test_a_batch_read_may_leave_keys_out() -> None:
    world = DynamoWorld()
    for name in "abc":
        world.put(name)
    answers = iter([False, True, False])
    world.model.world.leave_unprocessed = lambda: next(answers)

    answer = world.raw("BatchGetItem", RequestItems={"leases": {"Keys": keys("a", "b", "c")}})

    assert [item["id"]["S"] for item in answer["Responses"]["leases"]] == ["a", "c"]
    assert answer["UnprocessedKeys"] == {"leases": {"Keys": keys("b")}}


def test_a_batch_read_ends_at_sixteen_megabytes() -> None:
    world = DynamoWorld()
    names = [str(number) for number in range(50)]
    for name in names:
        world.put(name, x={"S": "x" * 400_000})

    answer = world.raw("BatchGetItem", RequestItems={"leases": {"Keys": keys(*names)}})

    read = len(answer["Responses"]["leases"])
    assert read == 16 * 1_048_576 // 400_010
    assert len(answer["UnprocessedKeys"]["leases"]["Keys"]) == 50 - read


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"leases": {"Keys": []}},
        {"leases": {"Keys": keys("a", "a")}},
        {"leases": {"Keys": keys(*map(str, range(101)))}},
        {"leases": {"Keys": keys("a"), "AttributesToGet": ["id"]}},
    ],
)
def test_a_bad_batch_is_refused(wanted: dict[str, Any]) -> None:
    error = refused(DynamoWorld().raw, "BatchGetItem", RequestItems=wanted)

    assert error.code == "ValidationException"


def test_a_batch_writes_each_item_by_itself() -> None:
    world = DynamoWorld()
    world.put("a")
    answers = iter([False, False, True])
    world.model.world.leave_unprocessed = lambda: next(answers)
    writes: list[dict[str, Any]] = [
        {"DeleteRequest": {"Key": {"id": {"S": "a"}}}},
        {"PutRequest": {"Item": {"id": {"S": "b"}}}},
        {"PutRequest": {"Item": {"id": {"S": "c"}}}},
    ]

    answer = world.raw("BatchWriteItem", RequestItems={"leases": writes})

    assert answer["UnprocessedItems"] == {"leases": [writes[2]]}
    assert [item["id"]["S"] for item in world.call("Scan")["Items"]] == ["b"]


def put_action(name: str, **more: Any) -> dict[str, Any]:
    return {"Put": {"TableName": "leases", "Item": {"id": {"S": name}}, **more}}


def test_a_transaction_tells_why_it_was_cancelled() -> None:
    world = DynamoWorld()
    world.put("b", x={"N": "1"})
    absent = {
        "ConditionExpression": "attribute_not_exists(id)",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }

    error = refused(
        world.raw,
        "TransactWriteItems",
        TransactItems=[put_action("a", **absent), put_action("b", **absent)],
    )

    assert error.code == "TransactionCanceledException"
    reasons: Any = error.extra["CancellationReasons"]
    assert [reason["Code"] for reason in reasons] == ["None", "ConditionalCheckFailed"]
    assert reasons[1]["Item"] == {"id": {"S": "b"}, "x": {"N": "1"}}
    assert world.get("a") is None


def test_a_transaction_is_done_once_per_token() -> None:
    world = DynamoWorld()
    action = {
        "Update": {
            "TableName": "leases",
            "Key": {"id": {"S": "a"}},
            "UpdateExpression": "ADD x :one",
            "ExpressionAttributeValues": {":one": {"N": "1"}},
        }
    }
    answers = [
        world.raw(
            "TransactWriteItems",
            TransactItems=[action],
            ClientRequestToken=token,
            ReturnConsumedCapacity="TOTAL",
        )
        for token in ("one", "one", "two")
    ]

    assert (world.get("a") or {})["x"] == {"N": "2"}
    assert answers[2]["ConsumedCapacity"] == [{"TableName": "leases", "CapacityUnits": 2.0}]


@pytest.mark.parametrize(
    "actions",
    [
        [],
        [put_action("a"), put_action("a")],
        [{"Get": {"TableName": "leases", "Key": {"id": {"S": "a"}}}}],
        [put_action("a")] * 101,
    ],
)
def test_a_bad_transaction_is_refused(actions: list[Any]) -> None:
    error = refused(DynamoWorld().raw, "TransactWriteItems", TransactItems=actions)

    assert error.code == "ValidationException"


def test_an_unknown_operation_is_refused_by_name() -> None:
    error = refused(DynamoWorld().raw, "ExecuteStatement")

    assert error.code == "UnknownOperationException"
    assert "ExecuteStatement" in error.message


def test_everything_outlives_a_restart(world: DynamoWorld) -> None:
    world.put("a", holder={"S": "me"}, tags={"SS": ["x"]})

    other = DynamoWorld()
    other.clock.now = world.clock.now
    other.model.load(world.model.dump())

    assert other.get("a") == world.get("a")
    assert other.owned_by("me") == ["a"]
    assert query(other, "who = :w") == [-5, 1, 2, 10, 20]
    assert other.call("DescribeTable") == world.call("DescribeTable")
