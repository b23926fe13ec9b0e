"""What does a world that is not as it should be get? One clear line, and the right exit code."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from kcl_py.cli.looking import leases, table_source
from kcl_py.local import Engine
from kcl_py.local.process import EngineProcess
from tests.cli.typed import Kcl

LEASE_TABLE: Mapping[str, Any] = {
    "KeySchema": [{"AttributeName": "leaseKey", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "leaseKey", "AttributeType": "S"}],
    "BillingMode": "PAY_PER_REQUEST",
}
PATIENCE_SECONDS = 60.0


@pytest.fixture
def app(tmp_path: Path, bare: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delitem(sys.modules, "app", raising=False)
    path = tmp_path / "app.py"
    path.write_text("def take(batch): ...\n")
    return path


@pytest.fixture
def name() -> str:
    """Of a stream, a table, an application: nobody else's."""
    return f"t{uuid.uuid4().hex[:12]}"


@pytest.fixture
def stream(clients: Mapping[str, Any], name: str) -> str:
    kinesis = clients["kinesis"]
    kinesis.create_stream(StreamName=name, ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig={"Delay": 0.05})
    return name


def make_table(clients: Mapping[str, Any], name: str, *items: Mapping[str, Any]) -> str:
    """A lease table with these rows; its id."""
    clients["dynamodb"].create_table(TableName=name, **LEASE_TABLE)
    clients["dynamodb"].get_waiter("table_exists").wait(
        TableName=name, WaiterConfig={"Delay": 0.05}
    )
    for item in items:
        clients["dynamodb"].put_item(TableName=name, Item=item)
    return str(clients["dynamodb"].describe_table(TableName=name)["Table"]["TableId"])


def application(stream_arn: str, created_at: float, table_id: str, **more: Any) -> dict[str, Any]:
    return {
        "leaseKey": {"S": "kcl-application"},
        "entityType": {"S": "KCL_PY_APPLICATION"},
        "kclStreamArn": {"S": stream_arn},
        "kclStreamCreatedAt": {"N": str(round(created_at * 1000))},
        "kclTableId": {"S": table_id},
        "kclProtocol": {"N": "1"},
        "kclPosition": {"S": "TRIM_HORIZON"},
        **more,
    }


def described(clients: Mapping[str, Any], stream: str) -> tuple[str, float]:
    summary = clients["kinesis"].describe_stream_summary(StreamName=stream)
    facts = summary["StreamDescriptionSummary"]
    return facts["StreamARN"], facts["StreamCreationTimestamp"].timestamp()


def run_arguments(app_name: str, stream: str, *more: str) -> list[str]:
    return ["run", "app:take", "--app", app_name, "--stream", stream, *more]


# ------------------------------------------------------------------------------------- before AWS


def test_no_credentials(kcl: Kcl, app: Path) -> None:
    typed = kcl(*run_arguments("demo", "people", "--region", "us-east-1"))

    assert typed.failed(3, "no AWS credentials were found", "profile")


def test_no_region(kcl: Kcl, app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")

    assert kcl(*run_arguments("demo", "people")).failed(2, "no AWS region", "AWS_DEFAULT_REGION")
    assert kcl("leases", "--app", "demo").failed(2, "no AWS region", "--region")


def test_a_region_that_is_no_name(kcl: Kcl, app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu west")

    assert kcl("leases", "--app", "demo").failed(2, "'eu west' is no name of a region", "--region")
    assert kcl(*run_arguments("demo", "people")).failed(2, "'eu west' is no name of a region")


def test_dead_letters_in_a_folder_that_is_not_there(
    kcl: Kcl, app: Path, at_engine: EngineProcess, stream: str, tmp_path: Path
) -> None:
    place = f"file:{tmp_path}/nowhere/dead.jsonl"
    policy = ("--set", "on_error.then=dead_letter", "--set", f"on_error.dead_letters={place}")

    typed = kcl(*run_arguments(stream, stream, *policy))

    assert typed.failed(2, f"{tmp_path}/nowhere is no directory", "make it")


def test_a_profile_that_is_not_there(kcl: Kcl, app: Path) -> None:
    assert kcl("leases", "--app", "demo", "--profile", "prod").failed(2, "no AWS profile 'prod'")
    typed = kcl(*run_arguments("demo", "people", "--profile", "prod"))
    assert typed.failed(2, "no AWS profile 'prod'")


def test_a_profile_of_the_environment_that_is_not_there(
    kcl: Kcl, app: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "prod")

    assert kcl("leases", "--app", "demo").failed(2, "prod")
    assert kcl(*run_arguments("demo", "people")).failed(2, "prod")


def test_an_endpoint_that_is_no_url(kcl: Kcl, app: Path) -> None:
    typed = kcl(*run_arguments("demo", "people", "--endpoint-url", "localhost"))

    assert typed.failed(2, "endpoint_url", "http://")


def test_nobody_at_the_endpoint(kcl: Kcl, app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")

    typed = kcl("leases", "--app", "demo", "--endpoint-url", "http://127.0.0.1:1")

    assert typed.failed(3, "127.0.0.1:1", "network")


# ------------------------------------------------------------------------------------- the stream


def test_a_stream_that_is_missing(kcl: Kcl, app: Path, at_engine: EngineProcess, name: str) -> None:
    assert kcl(*run_arguments(name, "nowhere")).failed(3, "nowhere")


def slow_kinesis(engine: Engine | EngineProcess) -> Any:
    from kcl_py.aws import tools

    return tools.make_client(
        "kinesis", session=tools.make_session(None), endpoint_url=engine.endpoint_url
    )


def test_a_stream_that_is_being_deleted(
    kcl: Kcl, app: Path, parting_engine: Engine, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for variable, value in parting_engine.environment.items():
        monkeypatch.setenv(variable, value)
    kinesis = slow_kinesis(parting_engine)
    kinesis.create_stream(StreamName=name, ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig={"Delay": 0.1})
    kinesis.delete_stream(StreamName=name)

    assert kcl(*run_arguments(name, name)).failed(3, name, "being deleted")


def test_a_stream_that_is_being_created_is_waited_for_with_progress(
    app: Path, slow_engine: EngineProcess, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for variable, value in slow_engine.environment.items():
        monkeypatch.setenv(variable, value)
    slow_kinesis(slow_engine).create_stream(StreamName=name, ShardCount=1)
    process = subprocess.Popen(
        [sys.executable, "-m", "kcl_py", *run_arguments(name, name, "--ready-file", "-")],
        cwd=app.parent,
        env={**slow_engine.environment, "PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    facts = json.loads(process.stdout.readline())
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=PATIENCE_SECONDS)

    assert facts["ready"] is True
    assert process.returncode == 0
    assert "worker.waiting" in said
    assert name in said


def test_a_worker_that_does_not_get_ready_in_time_is_stopped(
    kcl: Kcl, app: Path, slow_engine: EngineProcess, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for variable, value in slow_engine.environment.items():
        monkeypatch.setenv(variable, value)
    slow_kinesis(slow_engine).create_stream(StreamName=name, ShardCount=1)

    typed = kcl(*run_arguments(name, name, "--timeout", "300ms"))

    assert typed.failed(5, "300ms")


# -------------------------------------------------------------------------------------- the table


def test_a_table_that_is_missing_and_not_to_be_created(
    kcl: Kcl, app: Path, at_engine: EngineProcess, stream: str
) -> None:
    typed = kcl(*run_arguments(stream, stream, "--set", "table.create=false"))

    assert typed.failed(4, f"no table {stream}", "table.create")


def test_a_table_that_is_missing_when_somebody_looks(kcl: Kcl, at_engine: EngineProcess) -> None:
    assert kcl("leases", "--app", "nowhere").failed(3, "no lease table nowhere", "--region")


def test_a_table_that_is_no_lease_table(
    kcl: Kcl, app: Path, at_engine: EngineProcess, clients: Mapping[str, Any], stream: str
) -> None:
    clients["dynamodb"].create_table(
        TableName=stream,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )

    assert kcl(*run_arguments(stream, stream)).failed(4, stream, "not a lease table")
    assert kcl("leases", "--app", stream).failed(4, stream, "not a lease table")


def test_a_table_that_a_java_fleet_uses(
    kcl: Kcl, app: Path, at_engine: EngineProcess, clients: Mapping[str, Any], stream: str
) -> None:
    java = {"leaseKey": {"S": "Leader"}, "entityType": {"S": "LEADER"}, "leaseOwner": {"S": "j"}}
    make_table(clients, stream, java)

    assert kcl(*run_arguments(stream, stream)).failed(4, stream, "Java KCL", "another app name")
    items = clients["dynamodb"].scan(TableName=stream)["Items"]
    assert [item["leaseKey"]["S"] for item in items] == ["Leader"], "nothing is written there"
    for command in (("lag",), ("leases", "pause", "s0"), ("checkpoint", "show"), ("leases", "gc")):
        assert kcl(*command, "--app", stream).failed(4, "Java KCL")


def test_a_table_that_a_java_fleet_of_an_older_version_uses(
    kcl: Kcl, app: Path, at_engine: EngineProcess, clients: Mapping[str, Any], stream: str
) -> None:
    make_table(clients, stream)
    make_table(clients, f"{stream}-CoordinatorState")

    assert kcl(*run_arguments(stream, stream)).failed(4, f"{stream}-CoordinatorState", "Java KCL")


def test_a_table_that_a_java_fleet_of_version_2_uses(
    kcl: Kcl, app: Path, at_engine: EngineProcess, clients: Mapping[str, Any], stream: str
) -> None:
    item = lease_item("shardId-000000000000", leaseOwner={"S": "ip-10-0-0-1:6f1c"})
    del item["leaseDurationMs"]
    make_table(clients, stream, item)

    typed = kcl(*run_arguments(stream, stream))

    assert typed.failed(4, stream, "Java KCL", "ip-10-0-0-1:6f1c", "another app name")
    assert clients["dynamodb"].scan(TableName=stream)["Items"] == [item], "nothing is written there"
    for command in (("lag",), ("leases", "pause", "s0"), ("checkpoint", "show"), ("leases", "gc")):
        assert kcl(*command, "--app", stream).failed(4, "Java KCL")


def test_a_table_of_another_stream(
    kcl: Kcl, app: Path, at_engine: EngineProcess, clients: Mapping[str, Any], stream: str
) -> None:
    arn, created_at = described(clients, stream)
    table_id = make_table(clients, stream)
    row = application(arn + "-other", created_at, table_id)
    clients["dynamodb"].put_item(TableName=stream, Item=row)

    assert kcl(*run_arguments(stream, stream)).failed(4, "belongs to the stream", arn)


def test_a_table_of_another_protocol_version(
    kcl: Kcl, app: Path, at_engine: EngineProcess, clients: Mapping[str, Any], stream: str
) -> None:
    arn, created_at = described(clients, stream)
    table_id = make_table(clients, stream)
    row = application(arn, created_at, table_id, kclProtocol={"N": "99"})
    clients["dynamodb"].put_item(TableName=stream, Item=row)

    assert kcl(*run_arguments(stream, stream)).failed(4, "version 99")


def test_a_restored_table(
    kcl: Kcl, app: Path, at_engine: EngineProcess, clients: Mapping[str, Any], stream: str
) -> None:
    arn, created_at = described(clients, stream)
    make_table(clients, stream, application(arn, created_at, "another-table-id"))

    assert kcl(*run_arguments(stream, stream)).failed(4, stream, "restored")


def test_a_stream_that_was_created_again(
    kcl: Kcl, app: Path, at_engine: EngineProcess, clients: Mapping[str, Any], stream: str
) -> None:
    arn, created_at = described(clients, stream)
    table_id = make_table(clients, stream)
    row = application(arn, created_at - 3600, table_id)
    clients["dynamodb"].put_item(TableName=stream, Item=row)

    typed = kcl(*run_arguments(stream, stream))

    assert typed.code != 0
    assert typed.failed(typed.code, stream, "created again", "another app name")


@pytest.mark.parametrize(
    "operation",
    ["DescribeStreamSummary", "CreateTable", "DescribeTable", "BatchGetItem", "UpdateItem", "Scan"],
)
def test_a_permission_that_is_missing_is_named(
    kcl: Kcl,
    app: Path,
    at_engine: EngineProcess,
    stream: str,
    operation: str,
) -> None:
    at_engine.set_faults([{"kind": "deny", "operations": [operation]}])
    try:
        typed = kcl(*run_arguments(stream, stream))
    finally:
        at_engine.set_faults([])

    assert typed.failed(3, f":{operation}")


# ------------------------------------------------------------------------------------ kcl leases


def lease_item(key: str, **more: Any) -> dict[str, Any]:
    return {
        "leaseKey": {"S": key},
        "leaseCounter": {"N": "5"},
        "checkpoint": {"S": "4711"},
        "checkpointSubSequenceNumber": {"N": "2"},
        "leaseOwner": {"S": "w1"},
        "leaseDurationMs": {"N": "3000"},
        **more,
    }


class Clock:
    """In the place of `time`, and of the clock: nobody waits."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds

    def now(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(leases, "time", made)
    return made


def test_rows_that_cannot_be_read_are_shown_and_the_others_too(
    kcl: Kcl, at_engine: EngineProcess, clients: Mapping[str, Any], name: str, clock: Clock
) -> None:
    broken = lease_item("shardId-000000000001", checkpoint={"S": "yesterday"})
    java = {"leaseKey": {"S": "Migration3.0"}, "x": {"N": "1"}}
    make_table(clients, name, lease_item("shardId-000000000000"), broken, java)

    typed = kcl("leases", "--app", name, "-o", "json")

    said = json.loads(typed.out)
    assert typed.code == 0
    assert [lease["lease_key"] for lease in said["leases"]] == ["shardId-000000000000"]
    assert said["leases"][0]["checkpoint"] == "4711/2"
    assert said["leases"][0]["live"] == "unknown"
    assert {row["key"] for row in said["strange_rows"]} == {"shardId-000000000001", "Migration3.0"}


def test_an_owner_that_is_silent_for_a_lease_duration_is_dead(
    kcl: Kcl,
    at_engine: EngineProcess,
    clients: Mapping[str, Any],
    name: str,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(table_source, "SYSTEM_CLOCK", clock)
    make_table(clients, name, lease_item("shardId-000000000000"))

    typed = kcl("leases", "--app", name, "-o", "json")

    assert json.loads(typed.out)["leases"][0]["live"] == "dead"
    assert "somebody is silent" in typed.err
    assert 3.0 <= clock.seconds < 5.0


def test_a_table_on_paper_has_no_escape_codes(
    kcl: Kcl, at_engine: EngineProcess, clients: Mapping[str, Any], name: str, clock: Clock
) -> None:
    make_table(clients, name, lease_item("shardId-000000000000", leaseOwner={"S": "[bold]w[/]"}))

    typed = kcl("leases", "--app", name)

    assert typed.code == 0
    assert "shardId-000000000000" in typed.out
    assert "[bold]w[/]" in typed.out
    assert "\x1b" not in typed.out


def test_each_lease_is_a_line_of_json_lines(
    kcl: Kcl, at_engine: EngineProcess, clients: Mapping[str, Any], name: str
) -> None:
    rows = [lease_item(f"shardId-00000000000{n}") for n in range(3)]
    for row in rows:
        del row["leaseOwner"]
    make_table(clients, name, *rows)

    typed = kcl("leases", "--app", name, "-o", "jsonl")

    assert len([json.loads(line) for line in typed.out.splitlines()]) == 3


def test_nobody_looks_for_longer_than_the_timeout(
    kcl: Kcl, at_engine: EngineProcess, clients: Mapping[str, Any], name: str, clock: Clock
) -> None:
    make_table(clients, name, lease_item("shardId-000000000000"))

    typed = kcl("leases", "--app", name, "-o", "jsonl", "--timeout", "1s")

    assert typed.code == 0, typed.err
    assert json.loads(typed.out)["live"] == "unknown"
    assert clock.seconds == 1.0
    assert kcl("leases", "--app", name, "--timeout", "soon").failed(2, "--timeout soon")


def test_a_watch_goes_on_though_one_look_is_without_an_answer(
    kcl: Kcl,
    at_engine: EngineProcess,
    clients: Mapping[str, Any],
    name: str,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def sleep(seconds: float) -> None:
        clock.seconds += seconds
        is_struck = clock.seconds == leases.WATCH_SECONDS
        at_engine.set_faults([THROTTLED] if is_struck else [])

    make_table(clients, name, lease_item("shardId-000000000000"))
    monkeypatch.setattr(clock, "sleep", sleep)

    try:
        typed = kcl("leases", "--app", name, "--watch", "-o", "jsonl", "--timeout", "5s")
    finally:
        at_engine.set_faults([])

    assert typed.code == 0, typed.err
    assert len(typed.out.splitlines()) == 3
    assert len([line for line in typed.err.splitlines() if line.startswith("nothing new: ")]) == 1


THROTTLED = {"kind": "throttle", "operations": ["Scan"]}


def test_a_watch_goes_on_until_its_time_is_over(
    kcl: Kcl, at_engine: EngineProcess, clients: Mapping[str, Any], name: str, clock: Clock
) -> None:
    make_table(clients, name, lease_item("shardId-000000000000"))

    typed = kcl("leases", "--app", name, "--watch", "-o", "jsonl", "--timeout", "2.1s")

    assert typed.code == 0
    assert len(typed.out.splitlines()) == 2
    assert clock.seconds == 2 * leases.WATCH_SECONDS
