"""Does an engine answer DynamoDB calls as the service does?"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

RACERS = 8
ROUNDS = 15
INDEX = "ByOwner"


def failure(call: Callable[..., object], **arguments: Any) -> Any:
    """The whole error answer."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response


def error_code(call: Callable[..., object], **arguments: Any) -> str:
    return str(failure(call, **arguments)["Error"]["Code"])


@pytest.fixture
def table(dynamodb_client: DynamoDBClient, new_name: str) -> Iterator[str]:
    dynamodb_client.create_table(
        TableName=new_name,
        KeySchema=[{"AttributeName": "leaseKey", "KeyType": "HASH"}],
        AttributeDefinitions=[
            {"AttributeName": "leaseKey", "AttributeType": "S"},
            {"AttributeName": "leaseOwner", "AttributeType": "S"},
        ],
        BillingMode="PAY_PER_REQUEST",
        GlobalSecondaryIndexes=[
            {
                "IndexName": INDEX,
                "KeySchema": [
                    {"AttributeName": "leaseOwner", "KeyType": "HASH"},
                    {"AttributeName": "leaseKey", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
    )
    until = time.monotonic() + 20
    while dynamodb_client.describe_table(TableName=new_name)["Table"]["TableStatus"] != "ACTIVE":
        assert time.monotonic() < until
        time.sleep(0.02)
    yield new_name
    dynamodb_client.delete_table(TableName=new_name)


def key(name: str) -> dict[str, Any]:
    return {"leaseKey": {"S": name}}


def put(client: DynamoDBClient, table: str, name: str, **attributes: Any) -> None:
    client.put_item(TableName=table, Item={**key(name), **attributes})


def get(client: DynamoDBClient, table: str, name: str) -> dict[str, Any] | None:
    answer = client.get_item(TableName=table, Key=key(name), ConsistentRead=True)
    return dict(answer["Item"]) if "Item" in answer else None


def renew(client: DynamoDBClient, table: str, old: int, new: int, **more: Any) -> Any:
    return client.update_item(
        TableName=table,
        Key=key("a"),
        ConditionExpression="leaseCounter = :old",
        UpdateExpression="SET leaseCounter = :new",
        ExpressionAttributeValues={":old": {"N": str(old)}, ":new": {"N": str(new)}},
        **more,
    )


def test_a_table_tells_what_it_is(dynamodb_client: DynamoDBClient, table: str) -> None:
    description = dynamodb_client.describe_table(TableName=table)["Table"]

    assert description["TableArn"].endswith(f":table/{table}")
    assert description["TableId"]
    assert description["GlobalSecondaryIndexes"][0]["IndexStatus"] == "ACTIVE"


def test_an_unknown_table_is_not_found(dynamodb_client: DynamoDBClient) -> None:
    code = error_code(dynamodb_client.get_item, TableName="no-such-table", Key=key("a"))

    assert code == "ResourceNotFoundException"


def test_what_is_put_is_got(dynamodb_client: DynamoDBClient, table: str) -> None:
    item = {
        "s": {"S": "text"},
        "n": {"N": "-1.5"},
        "b": {"B": b"\x00\xff"},
        "t": {"BOOL": True},
        "nothing": {"NULL": True},
        "l": {"L": [{"N": "1"}, {"S": "two"}]},
        "m": {"M": {"inner": {"S": "x"}}},
        "ss": {"SS": ["only"]},
    }
    put(dynamodb_client, table, "a", **item)

    assert get(dynamodb_client, table, "a") == {**key("a"), **item}


def test_numbers_have_one_spelling(dynamodb_client: DynamoDBClient, table: str) -> None:
    put(dynamodb_client, table, "a", n={"N": "0001.500"})

    assert (get(dynamodb_client, table, "a") or {})["n"] == {"N": "1.5"}


def test_a_put_can_ask_for_absence(dynamodb_client: DynamoDBClient, table: str) -> None:
    arguments: dict[str, Any] = {
        "TableName": table,
        "Item": key("a"),
        "ConditionExpression": "attribute_not_exists(leaseKey)",
    }

    dynamodb_client.put_item(**arguments)

    code = error_code(dynamodb_client.put_item, **arguments)
    assert code == "ConditionalCheckFailedException"


def test_an_update_applies_when_its_condition_holds(
    dynamodb_client: DynamoDBClient, table: str
) -> None:
    put(dynamodb_client, table, "a", leaseCounter={"N": "1"})

    answer = renew(dynamodb_client, table, 1, 2, ReturnValues="ALL_NEW")

    assert answer["Attributes"] == {**key("a"), "leaseCounter": {"N": "2"}}


def test_a_failed_condition_changes_nothing(dynamodb_client: DynamoDBClient, table: str) -> None:
    put(dynamodb_client, table, "a", leaseCounter={"N": "1"})

    with pytest.raises(dynamodb_client.exceptions.ConditionalCheckFailedException):
        renew(dynamodb_client, table, 7, 8)

    assert get(dynamodb_client, table, "a") == {**key("a"), "leaseCounter": {"N": "1"}}


def test_a_failed_condition_can_show_the_item(dynamodb_client: DynamoDBClient, table: str) -> None:
    put(dynamodb_client, table, "a", leaseCounter={"N": "1"})

    with pytest.raises(ClientError) as caught:
        renew(dynamodb_client, table, 7, 8, ReturnValuesOnConditionCheckFailure="ALL_OLD")

    answer: Any = caught.value.response
    assert answer["Item"] == {**key("a"), "leaseCounter": {"N": "1"}}


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("leaseCounter = :one", True),
        ("leaseCounter <> :one", False),
        ("nowhere <> :one", True),
        ("nowhere = :one", False),
        ("leaseCounter < :one OR leaseCounter >= :one", True),
        ("leaseCounter BETWEEN :one AND :one", True),
        ("leaseCounter IN (:one)", True),
        ("NOT leaseCounter = :one", False),
        ("attribute_exists(leaseCounter) AND leaseCounter <= :one", True),
        ("attribute_not_exists(nowhere) AND (leaseCounter > :one OR leaseCounter = :one)", True),
        ("size(leaseKey) = :one", True),
        ("nowhere <> elsewhere OR leaseCounter < :one", True),
        ("leaseKey < :one", False),
        ("begins_with(leaseCounter, leaseKey) OR leaseKey = :one", False),
    ],
)
def test_conditions(
    dynamodb_client: DynamoDBClient, table: str, *, condition: str, holds: bool
) -> None:
    put(dynamodb_client, table, "a", leaseCounter={"N": "1"})
    arguments: dict[str, Any] = {
        "TableName": table,
        "Key": key("a"),
        "ConditionExpression": condition,
        "ExpressionAttributeValues": {":one": {"N": "1.0"}},
    }

    if holds:
        dynamodb_client.delete_item(**arguments)
    else:
        code = error_code(dynamodb_client.delete_item, **arguments)
        assert code == "ConditionalCheckFailedException"


def test_updates(dynamodb_client: DynamoDBClient, table: str) -> None:
    put(dynamodb_client, table, "a", n={"N": "5"}, gone={"S": "x"}, tags={"SS": ["a", "b"]})

    answer = dynamodb_client.update_item(
        TableName=table,
        Key=key("a"),
        UpdateExpression=(
            "SET n = n + :one, begun = if_not_exists(begun, :one), copied = gone "
            "REMOVE gone ADD hits :one DELETE tags :tag"
        ),
        ExpressionAttributeValues={":one": {"N": "1"}, ":tag": {"SS": ["a"]}},
        ReturnValues="ALL_NEW",
    )

    assert answer["Attributes"] == {
        **key("a"),
        "n": {"N": "6"},
        "begun": {"N": "1"},
        "copied": {"S": "x"},
        "hits": {"N": "1"},
        "tags": {"SS": ["b"]},
    }


def test_updates_inside_documents(dynamodb_client: DynamoDBClient, table: str) -> None:
    put(dynamodb_client, table, "a", doc={"M": {"list": {"L": [{"N": "1"}, {"N": "2"}]}}})

    dynamodb_client.update_item(
        TableName=table,
        Key=key("a"),
        UpdateExpression="SET doc.#new = :x, doc.#list[1] = :x REMOVE doc.#list[0]",
        ExpressionAttributeNames={"#new": "new", "#list": "list"},
        ExpressionAttributeValues={":x": {"S": "x"}},
    )

    assert (get(dynamodb_client, table, "a") or {})["doc"] == {
        "M": {"new": {"S": "x"}, "list": {"L": [{"S": "x"}]}}
    }


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("ALL_OLD", {"leaseKey": {"S": "a"}, "n": {"N": "1"}, "kept": {"S": "k"}}),
        ("UPDATED_OLD", {"n": {"N": "1"}}),
        ("UPDATED_NEW", {"n": {"N": "2"}, "made": {"N": "2"}}),
    ],
)
def test_return_values(
    dynamodb_client: DynamoDBClient, table: str, wanted: Any, expected: Any
) -> None:
    put(dynamodb_client, table, "a", n={"N": "1"}, kept={"S": "k"})

    answer = dynamodb_client.update_item(
        TableName=table,
        Key=key("a"),
        UpdateExpression="SET n = :two, made = :two",
        ExpressionAttributeValues={":two": {"N": "2"}},
        ReturnValues=wanted,
    )

    assert answer["Attributes"] == expected


BAD_UPDATES: dict[str, dict[str, Any]] = {
    "unused value": {
        "UpdateExpression": "SET a = :a",
        "ExpressionAttributeValues": {":a": {"S": "x"}, ":b": {"S": "x"}},
    },
    "undefined value": {"UpdateExpression": "SET a = :a"},
    "undefined name": {"UpdateExpression": "REMOVE #a"},
    "unused name": {"UpdateExpression": "REMOVE a", "ExpressionAttributeNames": {"#b": "b"}},
    "reserved word": {
        "UpdateExpression": "SET owner = :a",
        "ExpressionAttributeValues": {":a": {"S": "x"}},
    },
    "overlap": {
        "UpdateExpression": "SET a = :a REMOVE a",
        "ExpressionAttributeValues": {":a": {"S": "x"}},
    },
    "key": {
        "UpdateExpression": "SET leaseKey = :a",
        "ExpressionAttributeValues": {":a": {"S": "x"}},
    },
    "absent operand": {
        "UpdateExpression": "SET a = absent + :a",
        "ExpressionAttributeValues": {":a": {"N": "1"}},
    },
    "unknown function": {
        "UpdateExpression": "SET a = shout(:a)",
        "ExpressionAttributeValues": {":a": {"S": "x"}},
    },
    "empty set": {
        "UpdateExpression": "SET a = :a",
        "ExpressionAttributeValues": {":a": {"SS": []}},
    },
    "39 digits": {
        "UpdateExpression": "SET a = :a",
        "ExpressionAttributeValues": {":a": {"N": "1" * 39}},
    },
    "syntax": {"UpdateExpression": "SET a = "},
    "index key type": {
        "UpdateExpression": "SET leaseOwner = :a",
        "ExpressionAttributeValues": {":a": {"N": "1"}},
    },
    "empty index key": {
        "UpdateExpression": "SET leaseOwner = :a",
        "ExpressionAttributeValues": {":a": {"S": ""}},
    },
}


@pytest.mark.parametrize("reason", sorted(BAD_UPDATES))
def test_a_bad_update_is_refused(dynamodb_client: DynamoDBClient, table: str, reason: str) -> None:
    code = error_code(
        dynamodb_client.update_item, TableName=table, Key=key("a"), **BAD_UPDATES[reason]
    )

    assert code == "ValidationException"
    assert get(dynamodb_client, table, "a") is None


@pytest.mark.parametrize(
    "condition",
    [
        "((leaseKey = :text))",
        "leaseKey = leaseKey AND a = :text",
        "a < :flag",
        "begins_with(a, :flag)",
        "attribute_type(a, :text)",
        "a BETWEEN :text AND :flag",
        "a BETWEEN :text AND :earlier",
        "shout(a, :text)",
        "status = :text",
    ],
)
def test_a_bad_condition_is_refused(
    dynamodb_client: DynamoDBClient, table: str, condition: str
) -> None:
    values = {":text": {"S": "x"}, ":earlier": {"S": "a"}, ":flag": {"BOOL": True}}

    code = error_code(
        dynamodb_client.delete_item,
        TableName=table,
        Key=key("a"),
        ConditionExpression=condition,
        ExpressionAttributeValues={k: v for k, v in values.items() if k in condition},
    )

    assert code == "ValidationException"


def test_an_item_has_at_most_400_kilobytes(dynamodb_client: DynamoDBClient, table: str) -> None:
    code = error_code(
        dynamodb_client.put_item, TableName=table, Item={**key("a"), "x": {"S": "x" * 409_600}}
    )

    assert code == "ValidationException"


def test_an_empty_key_is_refused(dynamodb_client: DynamoDBClient, table: str) -> None:
    assert error_code(dynamodb_client.put_item, TableName=table, Item=key("")) == (
        "ValidationException"
    )


def test_a_scan_in_pages_shows_every_item_once(dynamodb_client: DynamoDBClient, table: str) -> None:
    names = [f"item-{number}" for number in range(10)]
    for name in names:
        put(dynamodb_client, table, name)

    seen: list[str] = []
    arguments: dict[str, Any] = {"TableName": table, "Limit": 3, "ConsistentRead": True}
    while True:
        page = dynamodb_client.scan(**arguments)
        seen += [item["leaseKey"]["S"] for item in page["Items"]]
        if "LastEvaluatedKey" not in page:
            break
        arguments["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    assert sorted(seen) == sorted(names)


def test_segments_share_the_items(dynamodb_client: DynamoDBClient, table: str) -> None:
    names = [f"item-{number}" for number in range(20)]
    for name in names:
        put(dynamodb_client, table, name)

    seen = [
        item["leaseKey"]["S"]
        for segment in range(4)
        for item in dynamodb_client.scan(TableName=table, Segment=segment, TotalSegments=4)["Items"]
    ]

    assert sorted(seen) == sorted(names)


def test_a_filter_leaves_items_out_but_counts_them(
    dynamodb_client: DynamoDBClient, table: str
) -> None:
    for number in range(4):
        put(dynamodb_client, table, f"item-{number}", n={"N": str(number)})

    page = dynamodb_client.scan(
        TableName=table,
        FilterExpression="n >= :two",
        ExpressionAttributeValues={":two": {"N": "2"}},
        ProjectionExpression="n",
    )

    assert (page["Count"], page["ScannedCount"]) == (2, 4)
    assert sorted(item["n"]["N"] for item in page["Items"]) == ["2", "3"]
    assert all(item.keys() == {"n"} for item in page["Items"])


def test_an_index_finds_items_by_another_key(dynamodb_client: DynamoDBClient, table: str) -> None:
    put(dynamodb_client, table, "a", leaseOwner={"S": "me"}, other={"S": "x"})
    put(dynamodb_client, table, "b", leaseOwner={"S": "you"})
    put(dynamodb_client, table, "c")
    put(dynamodb_client, table, "d", leaseOwner={"S": "me"})

    page = dynamodb_client.query(
        TableName=table,
        IndexName=INDEX,
        KeyConditionExpression="leaseOwner = :me",
        ExpressionAttributeValues={":me": {"S": "me"}},
    )

    assert page["Items"] == [
        {"leaseKey": {"S": name}, "leaseOwner": {"S": "me"}} for name in ("a", "d")
    ]


def test_an_index_follows_updates(dynamodb_client: DynamoDBClient, table: str) -> None:
    put(dynamodb_client, table, "a", leaseOwner={"S": "me"})
    dynamodb_client.update_item(TableName=table, Key=key("a"), UpdateExpression="REMOVE leaseOwner")

    page = dynamodb_client.query(
        TableName=table,
        IndexName=INDEX,
        KeyConditionExpression="leaseOwner = :me",
        ExpressionAttributeValues={":me": {"S": "me"}},
    )

    assert page["Items"] == []


def test_an_index_is_not_read_consistently(dynamodb_client: DynamoDBClient, table: str) -> None:
    code = error_code(
        dynamodb_client.query,
        TableName=table,
        IndexName=INDEX,
        KeyConditionExpression="leaseOwner = :me",
        ExpressionAttributeValues={":me": {"S": "me"}},
        ConsistentRead=True,
    )

    assert code == "ValidationException"


def test_a_batch_reads_what_is_there(dynamodb_client: DynamoDBClient, table: str) -> None:
    put(dynamodb_client, table, "a")
    put(dynamodb_client, table, "b")

    answer = dynamodb_client.batch_get_item(
        RequestItems={table: {"Keys": [key("a"), key("b"), key("c")], "ConsistentRead": True}}
    )

    assert sorted(item["leaseKey"]["S"] for item in answer["Responses"][table]) == ["a", "b"]
    assert answer["UnprocessedKeys"] == {}


def test_a_batch_writes(dynamodb_client: DynamoDBClient, table: str) -> None:
    put(dynamodb_client, table, "a")

    dynamodb_client.batch_write_item(
        RequestItems={
            table: [
                {"DeleteRequest": {"Key": key("a")}},
                {"PutRequest": {"Item": {**key("b"), "n": {"N": "1"}}}},
            ]
        }
    )

    assert get(dynamodb_client, table, "a") is None
    assert get(dynamodb_client, table, "b") == {**key("b"), "n": {"N": "1"}}


def test_a_transaction_does_all_or_nothing(dynamodb_client: DynamoDBClient, table: str) -> None:
    put(dynamodb_client, table, "a", n={"N": "1"})

    answer = failure(
        dynamodb_client.transact_write_items,
        TransactItems=[
            {"Put": {"TableName": table, "Item": key("b")}},
            {
                "ConditionCheck": {
                    "TableName": table,
                    "Key": key("a"),
                    "ConditionExpression": "n = :two",
                    "ExpressionAttributeValues": {":two": {"N": "2"}},
                }
            },
        ],
    )

    assert answer["Error"]["Code"] == "TransactionCanceledException"
    assert [reason["Code"] for reason in answer["CancellationReasons"]] == [
        "None",
        "ConditionalCheckFailed",
    ]
    assert get(dynamodb_client, table, "b") is None


def test_a_transaction_writes_several_items(dynamodb_client: DynamoDBClient, table: str) -> None:
    put(dynamodb_client, table, "a", n={"N": "1"})
    put(dynamodb_client, table, "c")

    dynamodb_client.transact_write_items(
        TransactItems=[
            {"Put": {"TableName": table, "Item": key("b")}},
            {
                "Update": {
                    "TableName": table,
                    "Key": key("a"),
                    "UpdateExpression": "ADD n :one",
                    "ExpressionAttributeValues": {":one": {"N": "1"}},
                }
            },
            {"Delete": {"TableName": table, "Key": key("c")}},
        ]
    )

    assert get(dynamodb_client, table, "a") == {**key("a"), "n": {"N": "2"}}
    assert get(dynamodb_client, table, "b") == key("b")
    assert get(dynamodb_client, table, "c") is None


@pytest.mark.parametrize(
    ("size", "consistent", "units"),
    [(100, True, 1.0), (100, False, 0.5), (5000, True, 2.0), (5000, False, 1.0)],
)
def test_read_units(
    dynamodb_client: DynamoDBClient, table: str, *, size: int, consistent: bool, units: float
) -> None:
    put(dynamodb_client, table, "a", x={"S": "x" * size})

    answer = dynamodb_client.get_item(
        TableName=table, Key=key("a"), ConsistentRead=consistent, ReturnConsumedCapacity="TOTAL"
    )

    assert answer["ConsumedCapacity"]["CapacityUnits"] == units


@pytest.mark.parametrize(
    ("attributes", "units"),
    [
        ({"x": {"S": "x" * 100}}, 1.0),
        ({"x": {"S": "x" * 2500}}, 3.0),
        ({"leaseOwner": {"S": "me"}}, 2.0),
    ],
    ids=["small", "large", "indexed"],
)
def test_write_units(
    dynamodb_client: DynamoDBClient, table: str, attributes: dict[str, Any], units: float
) -> None:
    answer = dynamodb_client.put_item(
        TableName=table, Item={**key("a"), **attributes}, ReturnConsumedCapacity="TOTAL"
    )

    assert answer["ConsumedCapacity"]["CapacityUnits"] == units


def test_of_eight_racers_exactly_one_wins(dynamodb_client: DynamoDBClient, table: str) -> None:
    put(dynamodb_client, table, "a", leaseCounter={"N": "0"})
    start = threading.Barrier(RACERS)
    winners: list[tuple[int, int]] = []

    def race(racer: int) -> None:
        for lap in range(ROUNDS):
            start.wait()
            try:
                renew(dynamodb_client, table, lap, lap + 1)
            except dynamodb_client.exceptions.ConditionalCheckFailedException:
                continue
            winners.append((lap, racer))

    racers = [threading.Thread(target=race, args=(number,)) for number in range(RACERS)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()

    assert [lap for lap, _ in sorted(winners)] == list(range(ROUNDS))
