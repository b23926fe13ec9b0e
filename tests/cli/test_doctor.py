"""Does `kcl doctor` name what is wrong, in set-ups that are broken one way each?"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from kcl_py.aws.table_setup import create_request
from kcl_py.cli.looking import doctor
from kcl_py.config import TableConfig
from kcl_py.core.leases.rows import PLACEHOLDER_OWNER
from kcl_py.local.process import EngineProcess
from tests.cli.fleets import App, eventually
from tests.cli.typed import Kcl, Typed

FIRST = "shardId-000000000000"


@pytest.fixture
def app(at_engine: EngineProcess, clients: Mapping[str, Any]) -> Iterator[App]:
    made = App(at_engine.endpoint_url, clients)
    made.create_stream(2)
    yield made
    at_engine.set_faults([])


def examine(kcl: Kcl, app: App, *more: str) -> tuple[Typed, dict[str, dict[str, Any]]]:
    """Type the command; return findings that are not ok, by check, the worst of each."""
    typed = kcl("doctor", "--app", app.name, "--stream", app.name, "-o", "json", *more)
    found = json.loads(typed.out)
    order = ["skipped", "warning", "unknown", "problem"]
    bad = [finding for finding in found if finding["level"] != "ok"]
    return typed, {
        finding["check"]: finding
        for finding in sorted(bad, key=lambda finding: order.index(finding["level"]))
    }


def update(app: App, key: str, expression: str, **values: Any) -> None:
    app.clients["dynamodb"].update_item(
        TableName=app.name,
        Key={"leaseKey": {"S": key}},
        UpdateExpression=expression,
        **({"ExpressionAttributeValues": values["values"]} if values else {}),
    )


def put(app: App, item: Mapping[str, Any]) -> None:
    app.clients["dynamodb"].put_item(TableName=app.name, Item=item)


def test_a_fleet_that_works_has_no_problem(kcl: Kcl, app: App) -> None:
    with app.worker():
        eventually(lambda: app.is_synced)
        typed, bad = examine(kcl, app)

    assert (typed.code, bad) == (0, {})
    checks = {finding["check"] for finding in json.loads(typed.out)}
    assert {"rights", "stream", "table", "application", "workers", "leases", "retention"} <= checks
    assert "no problem" in typed.err


def test_who_does_not_ask_who_lives_is_told_so_and_nothing_is_broken(kcl: Kcl, app: App) -> None:
    with app.worker():
        eventually(lambda: app.is_synced)
        typed, bad = examine(kcl, app, "--watch", "0s")
        brief, unsure = examine(kcl, app, "--watch", "1ms")

    assert typed.code == 0
    assert {check: finding["level"] for check, finding in bad.items()} == {
        "workers": "skipped",
        "leases": "skipped",
    }
    assert all("not watched" in finding["says"] for finding in bad.values())
    assert "no problem was found; 2 things not looked at" in typed.err
    assert (brief.code, unsure["leases"]["level"]) == (1, "unknown")


def test_problems_that_need_no_watching_are_found_without(kcl: Kcl, app: App) -> None:
    app.run_until(lambda: app.is_synced)
    paused(app)

    typed, bad = examine(kcl, app, "--watch", "0s")

    assert (typed.code, bad["paused shards"]["level"]) == (1, "problem")


def test_a_lag_that_could_not_be_looked_at_is_no_lag_that_is_well(
    kcl: Kcl, app: App, at_engine: EngineProcess
) -> None:
    with app.worker():
        eventually(lambda: app.is_synced)
        at_engine.set_faults([{"kind": "throttle", "operations": ["ListShards"]}])
        typed, bad = examine(kcl, app)

    assert (typed.code, bad["lag"]["level"]) == (1, "unknown")


def test_a_lease_that_was_taken_away_is_not_called_held(kcl: Kcl, app: App) -> None:
    app.run_until(lambda: app.is_synced)
    values = {":p": {"S": PLACEHOLDER_OWNER}, ":c": {"N": "9000000000000"}}
    for key in app.rows():
        seize = "SET leaseOwner = :p, leaseCounter = :c REMOVE kclOffer"
        update(app, key, seize, values=values)

    typed = kcl("doctor", "--app", app.name, "--stream", app.name, "--watch", "1ms", "-o", "json")

    checks = {each["check"]: each for each in json.loads(typed.out)}
    assert checks["leases"]["level"] != "ok", checks["leases"]


def test_it_changes_nothing(kcl: Kcl, app: App, at_engine: EngineProcess) -> None:
    app.run_until(lambda: app.is_synced)
    before = app.clients["dynamodb"].scan(TableName=app.name)["Items"]

    examine(kcl, app, "--watch", "0s")

    after = app.clients["dynamodb"].scan(TableName=app.name)["Items"]
    assert sorted(map(str, after)) == sorted(map(str, before))


def test_no_credentials(kcl: Kcl, app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    typed, bad = examine(kcl, app)
    assert typed.code == 1
    assert "no AWS credentials" in bad["credentials"]["says"]


def test_a_stream_that_is_not_there(kcl: Kcl, app: App) -> None:
    typed = kcl("doctor", "--app", app.name, "--stream", "nowhere", "-o", "jsonl")
    assert typed.code == 1
    assert "there is no stream nowhere" in typed.out


@pytest.mark.parametrize(
    ("service", "operation"),
    [
        ("kinesis", "DescribeStreamSummary"),
        ("kinesis", "ListShards"),
        ("kinesis", "GetShardIterator"),
        ("kinesis", "GetRecords"),
        ("dynamodb", "DescribeTable"),
        ("dynamodb", "Scan"),
        ("dynamodb", "GetItem"),
        ("dynamodb", "BatchGetItem"),
        ("dynamodb", "Query"),
        ("dynamodb", "UpdateItem"),
        ("dynamodb", "DeleteItem"),
    ],
)
def test_a_call_that_is_denied_is_named(
    kcl: Kcl, app: App, at_engine: EngineProcess, service: str, operation: str
) -> None:
    app.clients["dynamodb"].create_table(**create_request(app.name, TableConfig()))
    eventually(lambda: _is_active(app))
    at_engine.set_faults([{"kind": "deny", "service": service, "operations": [operation]}])

    typed, bad = examine(kcl, app, "--watch", "0s")

    assert typed.code == 1
    assert bad["rights"]["level"] == "problem"
    assert f"{service}:{operation} is denied" in bad["rights"]["says"]
    assert f"allow {service}:{operation}" in bad["rights"]["way_out"]


def _is_active(app: App) -> bool:
    table = app.clients["dynamodb"].describe_table(TableName=app.name)["Table"]
    return bool(table["TableStatus"] == "ACTIVE")


def test_a_table_that_is_missing_and_may_not_be_created(kcl: Kcl, app: App) -> None:
    typed, bad = examine(kcl, app)
    assert (typed.code, bad["table"]["level"]) == (0, "warning")
    typed, bad = examine(kcl, app, "--set", "table.create=false")
    assert (typed.code, bad["table"]["level"]) == (1, "problem")
    assert "table.create" in bad["table"]["says"]


def test_a_table_of_another_form(kcl: Kcl, app: App) -> None:
    app.clients["dynamodb"].create_table(
        TableName=app.name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    )
    eventually(lambda: _is_active(app))
    typed, bad = examine(kcl, app)
    assert typed.code == 1
    assert "not a lease table" in bad["table form"]["says"]


def test_a_table_without_its_index(kcl: Kcl, app: App) -> None:
    request = create_request(app.name, TableConfig())
    del request["GlobalSecondaryIndexes"]
    request["AttributeDefinitions"] = request["AttributeDefinitions"][:1]
    app.clients["dynamodb"].create_table(**request)
    eventually(lambda: _is_active(app))
    typed, bad = examine(kcl, app)
    assert typed.code == 0
    assert bad["index"]["level"] == "warning"


def java(app: App) -> None:
    put(app, {"leaseKey": {"S": "Leader"}, "entityType": {"S": "LEADER"}})


def java_of_version_2(app: App) -> None:
    """One of its workers has listed the stream, and made the lease of a child."""
    update(app, FIRST, "REMOVE kclNonce")


def another_stream(app: App) -> None:
    arn = "arn:aws:kinesis:us-east-1:000000000000:stream/other"
    update(app, "kcl-application", "SET kclStreamArn = :a", values={":a": {"S": arn}})


def made_anew(app: App) -> None:
    update(app, "kcl-application", "SET kclStreamCreatedAt = :a", values={":a": {"N": "1000"}})


def restored(app: App) -> None:
    update(app, "kcl-application", "SET kclTableId = :a", values={":a": {"S": "another"}})


def nobody(app: App) -> None:
    """The fleet was stopped."""


def killed(app: App) -> None:
    values = {":a": {"S": "ghost-1-abc"}, ":c": {"N": "9000000000000"}}
    update(app, FIRST, "SET leaseOwner = :a, leaseCounter = :c REMOVE kclOffer", values=values)


def paused(app: App) -> None:
    update(app, FIRST, "SET kclPaused = :a", values={":a": {"BOOL": True}})


def orphaned(app: App) -> None:
    row = app.clients["dynamodb"].get_item(TableName=app.name, Key={"leaseKey": {"S": FIRST}})
    put(app, {**row["Item"], "leaseKey": {"S": "shardId-000000000099"}})


def strange(app: App) -> None:
    put(app, {"leaseKey": {"S": "notes"}, "text": {"S": "hands off"}})


@pytest.mark.parametrize(
    ("broken", "check", "level", "words"),
    [
        (java, "table of the Java KCL", "problem", "Leader"),
        (java_of_version_2, "table of the Java KCL", "problem", FIRST),
        (another_stream, "another stream", "problem", "stream/other"),
        (made_anew, "stream made anew", "problem", "created again"),
        (restored, "restored table", "problem", "restored"),
        (nobody, "workers", "problem", "no worker is alive"),
        (nobody, "leases without an owner", "problem", FIRST),
        (killed, "stuck leases", "problem", FIRST),
        (paused, "paused shards", "problem", FIRST),
        (orphaned, "orphaned leases", "warning", "shardId-000000000099"),
        (strange, "strange rows", "warning", "notes"),
    ],
)
def test_a_table_that_tells_of_trouble(
    kcl: Kcl, app: App, broken: Callable[[App], None], check: str, level: str, words: str
) -> None:
    app.run_until(lambda: app.is_synced)
    broken(app)

    _, bad = examine(kcl, app)

    assert bad[check]["level"] == level
    assert words in bad[check]["says"]
    assert bad[check]["way_out"]


def test_a_java_worker_that_renews_a_lease_of_ours_is_noticed(
    kcl: Kcl, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    app.run_until(lambda: app.is_synced)
    values = {":j": {"S": "ip-10-0-0-1:6f1c"}, ":one": {"N": "1"}}
    renewal = "SET leaseOwner = :j, leaseCounter = leaseCounter + :one REMOVE kclOffer"
    update(app, FIRST, renewal, values=values)

    def renew(seconds: float) -> None:
        del seconds
        update(app, FIRST, renewal, values=values)

    monkeypatch.setattr(time, "sleep", renew)

    _, bad = examine(kcl, app)

    assert f"{FIRST}: renewed just now" in bad["table of the Java KCL"]["says"]
    assert "stop the Java workers" in bad["table of the Java KCL"]["way_out"]


def test_workers_that_may_not_take_all(kcl: Kcl, app: App) -> None:
    with app.worker(max_leases=1):
        eventually(lambda: any(row.actual_owner for row in app.rows().values()))
        typed, bad = examine(kcl, app)

    assert typed.code == 1
    assert "leases.max_leases" in bad["too few places"]["says"]
    assert "leases without an owner" in bad


def test_a_stream_that_was_deleted_under_its_application(kcl: Kcl, app: App) -> None:
    app.run_until(lambda: app.is_synced)
    app.clients["kinesis"].delete_stream(StreamName=app.name)
    typed, bad = examine(kcl, app, "--watch", "0s")
    assert typed.code == 1
    assert bad["stream"]["level"] == "problem"


def test_a_wrong_duration_is_named(kcl: Kcl, app: App) -> None:
    assert kcl("doctor", "--app", app.name, "--stream", app.name, "--watch", "soon").failed(
        2, "--watch soon"
    )


def test_looking_at_lags_for_long_is_no_wrong_clock(
    kcl: Kcl, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]

    def pass_by(seconds: float) -> None:
        now[0] += seconds

    def slow_lags(*_: object) -> dict[str, Any]:
        pass_by(60.0)
        return {}

    def read() -> float:
        return now[0]

    clock = SimpleNamespace(monotonic=read, time=read, sleep=pass_by)
    monkeypatch.setattr(doctor, "time", clock)
    monkeypatch.setattr(doctor, "_lags", slow_lags)
    app.run_until(lambda: app.is_synced)
    update(app, FIRST, "SET leaseOwner = :o", values={":o": {"S": "killed"}})

    typed, bad = examine(kcl, app)

    assert now[0] > 1060.0 + doctor.RATE_SECONDS_MIN, typed.err
    assert "clock rate" not in bad
