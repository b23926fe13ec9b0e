"""A worker starts only on a table that leases can live in, and says what to do otherwise."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from kcl_py.aws.retry import Patience
from kcl_py.aws.table_setup import create_request, open_table
from kcl_py.config import TableConfig
from kcl_py.core.facts import TableFacts
from kcl_py.errors import AccessDenied, KclError, LeaseTableError, Throttled, Unavailable
from kcl_py.local.dynamo import Dynamo, DynamoSettings
from tests.aws.wire import Answerer, Canned, clients, engine_answers, error


@dataclass
class World:
    """An empty engine whose clock moves when somebody sleeps."""

    now: float = 1_700_000_000.0
    progress: list[str] = field(default_factory=list)
    is_stopping: bool = False

    def __post_init__(self) -> None:
        self.engine = Dynamo(lambda: self.now, random.Random(0), DynamoSettings(create_seconds=5.0))

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def open(
        self, config: TableConfig | None = None, answerer: Answerer | None = None
    ) -> TableFacts:
        return open_table(
            clients(answerer or engine_answers(self.engine)).table_control,
            config or TableConfig(),
            "orders-app",
            patience=Patience(
                sleep=self.sleep, is_stopping=lambda: self.is_stopping, rng=random.Random(0)
            ),
            on_progress=self.progress.append,
        )

    def described(self) -> dict[str, Any]:
        table: dict[str, Any] = self.engine.call("DescribeTable", {"TableName": "orders-app"})
        return dict(table["Table"])

    def answering(self, **replies: Callable[[dict[str, Any]], Canned]) -> Answerer:
        """The engine, but for some operations."""
        honest = engine_answers(self.engine)

        def answer(operation: str, request: dict[str, Any]) -> Canned | Exception:
            reply = replies.get(operation)
            return reply(request) if reply else honest(operation, request)

        return answer


@pytest.fixture
def world() -> World:
    return World()


def test_a_missing_table_is_created_with_its_index_and_waited_for_aloud(world: World) -> None:
    facts = world.open(TableConfig(tags={"team": "data"}, deletion_protection=True))

    table = world.described()
    assert facts == TableFacts(name="orders-app", table_id=table["TableId"], has_index=True)
    assert table["DeletionProtectionEnabled"] is True
    assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert world.progress[0] == "creating the lease table orders-app"
    assert "the lease table orders-app is CREATING" in world.progress


def test_a_table_that_is_there_is_taken_as_it_is(world: World) -> None:
    first = world.open()
    world.progress.clear()

    again = world.open(TableConfig(create=False, deletion_protection=True))

    assert again == first
    assert world.progress == []
    assert world.described().get("DeletionProtectionEnabled") in (None, False)


def test_an_application_of_an_older_java_kcl_is_refused_by_its_other_table(world: World) -> None:
    world.open()
    world.open(TableConfig(name="orders-app"))
    request = create_request("orders-app-CoordinatorState", TableConfig())
    world.engine.call("CreateTable", request)

    with pytest.raises(LeaseTableError, match=r"orders-app-CoordinatorState .*Java KCL"):
        world.open()


def test_who_may_not_look_for_another_table_goes_on(world: World) -> None:
    world.open()

    def describe(request: dict[str, Any]) -> Canned:
        if request["TableName"] == "orders-app":
            return engine_answers(world.engine)("DescribeTable", request)  # type: ignore[return-value]
        return error("AccessDeniedException")

    assert world.open(answerer=world.answering(DescribeTable=describe)).name == "orders-app"


def test_the_table_may_have_a_name_of_its_own(world: World) -> None:
    assert world.open(TableConfig(name="leases")).name == "leases"


def test_a_lost_race_to_create_is_fine(world: World) -> None:
    asked: list[str] = []

    def create(request: dict[str, Any]) -> Canned:
        asked.append(request["TableName"])
        world.engine.call("CreateTable", request)
        return error("ResourceInUseException")

    facts = world.open(answerer=world.answering(CreateTable=create))

    assert facts.has_index
    assert asked == ["orders-app"]


def test_backups_are_asked_for_where_wanted(world: World) -> None:
    world.open(TableConfig(point_in_time_recovery=True))

    answer = world.engine.call("DescribeContinuousBackups", {"TableName": "orders-app"})
    recovery = answer["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
    assert recovery["PointInTimeRecoveryStatus"] == "ENABLED"


def test_a_key_for_encryption_is_passed_on() -> None:
    request = create_request("t", TableConfig(kms_key="alias/x"))

    assert request["SSESpecification"] == {
        "Enabled": True,
        "SSEType": "KMS",
        "KMSMasterKeyId": "alias/x",
    }


def test_a_missing_table_that_must_not_be_created_says_how(world: World) -> None:
    with pytest.raises(LeaseTableError, match=r"leaseKey \(S\).*LeaseOwnerToLeaseKeyIndex"):
        world.open(TableConfig(create=False))

    assert world.engine.call("ListTables", {})["TableNames"] == []


@pytest.mark.parametrize(("key", "kind"), [("wid", "S"), ("leaseKey", "N")])
def test_a_table_with_another_key_is_no_lease_table(world: World, key: str, kind: str) -> None:
    request = {
        "TableName": "orders-app",
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": [{"AttributeName": key, "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": key, "AttributeType": kind}],
    }
    world.engine.call("CreateTable", request)

    with pytest.raises(LeaseTableError, match="not a lease table"):
        world.open()


def test_a_table_without_the_index_can_be_used(world: World) -> None:
    request = create_request("orders-app", TableConfig())
    del request["GlobalSecondaryIndexes"]
    request["AttributeDefinitions"] = request["AttributeDefinitions"][:1]
    world.engine.call("CreateTable", request)

    assert world.open().has_index is False


def changed(world: World, **change: object) -> Answerer:
    """The engine, whose lease table looks different."""

    def describe(request: dict[str, Any]) -> Canned:
        if request["TableName"] != "orders-app":
            return error("ResourceNotFoundException")
        table = world.engine.call("DescribeTable", request)["Table"]
        return Canned({"Table": {**table, **change}})

    return world.answering(DescribeTable=describe)


def test_an_index_that_is_being_made_cannot_be_asked_yet(world: World) -> None:
    world.open()
    index = {**world.described()["GlobalSecondaryIndexes"][0], "IndexStatus": "CREATING"}

    facts = world.open(answerer=changed(world, GlobalSecondaryIndexes=[index]))

    assert facts.has_index is False


def test_a_table_that_is_being_changed_is_ready(world: World) -> None:
    world.open()

    assert world.open(answerer=changed(world, TableStatus="UPDATING")).has_index


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"Replicas": [{"RegionName": "us-east-1"}]}, "global table"),
        ({"TableStatus": "DELETING"}, "DELETING"),
        ({"TableStatus": "INACCESSIBLE_ENCRYPTION_CREDENTIALS"}, "INACCESSIBLE"),
    ],
)
def test_an_unusable_table_is_refused(world: World, change: dict[str, object], said: str) -> None:
    world.open()

    with pytest.raises(LeaseTableError, match=said):
        world.open(answerer=changed(world, **change))


@pytest.mark.parametrize(
    ("operation", "code", "raised"),
    [
        ("DescribeTable", "AccessDeniedException", AccessDenied),
        ("CreateTable", "AccessDeniedException", AccessDenied),
        ("UpdateContinuousBackups", "AccessDeniedException", AccessDenied),
        ("CreateTable", "LimitExceededException", Throttled),
        ("DescribeTable", "InternalServerError", Unavailable),
    ],
)
def test_what_fails_is_named_by_its_action(
    world: World, operation: str, code: str, raised: type[KclError]
) -> None:
    replies = {operation: lambda _request: error(code)}

    with pytest.raises(raised, match=f"dynamodb:{operation}"):
        world.open(TableConfig(point_in_time_recovery=True), world.answering(**replies))


def test_a_table_that_never_becomes_ready_ends_the_wait(world: World) -> None:
    world.open()
    began = world.now

    with pytest.raises(Unavailable, match="not ready after 600 s"):
        world.open(answerer=changed(world, TableStatus="CREATING"))

    assert 600 <= world.now - began < 660


def test_a_stop_ends_the_wait_for_a_table(world: World) -> None:
    world.is_stopping = True

    with pytest.raises(Unavailable, match="stopped while waiting"):
        world.open()
