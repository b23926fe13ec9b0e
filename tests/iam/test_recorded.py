"""Do the policies allow what our code calls, and nothing else? Both directions, by recording."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest

from kcl_py import LeaseConfig, Producer, ProducerConfig, RecordProcessor, TableConfig, Worker
from kcl_py.aws.lease_table import LeaseTable
from kcl_py.aws.names import StreamAddress
from kcl_py.aws.probing import Prober
from kcl_py.aws.table_setup import create_request
from kcl_py.cli.catalogue import STREAM_COMMANDS
from kcl_py.config import MIB
from kcl_py.core.leases import repairs, writes
from kcl_py.core.leases.rows import LeaseRow, Sentinel
from kcl_py.errors import RecordRefused
from kcl_py.iam import Grant, Needs, Role, grants_of
from tests.cli.fleets import eventually
from tests.cli.typed import Kcl
from tests.iam import suite
from tests.iam.recorder import Call, Recorder, allowed_by

STREAM = "people"
APP = "greeter"
FIRST = "shardId-000000000000"

Run = Callable[[str], str]


ELSEWHERE = {Needs.STREAM_KEY, Needs.TABLE_KEY, *suite.NOT_THE_ENGINE}


class Idle(RecordProcessor):
    def process_records(self, batch: object) -> None:
        pass


def judged(recorder: Recorder, role: Role) -> None:
    """Compare what was called with what is allowed."""
    called = recorder.by(role)
    grants = [grant for grant in grants_of(role) if is_ours(grant)]
    allowed = allowed_by(grants, STREAM, APP)
    # A request that names no resource is about whichever its action is allowed on.
    called = {call for call in called if call.arn is not None} | {
        each for call in called if call.arn is None for each in named(call, allowed)
    }

    assert called - allowed == set(), "called, and in no policy"
    assert allowed - called == set(), "allowed, and never called"


def is_ours(grant: Grant) -> bool:
    """Made by a request of ours to Kinesis or DynamoDB; tags are seen in the request."""
    return grant.needs not in ELSEWHERE


def named(call: Call, allowed: set[Call]) -> set[Call]:
    return {each for each in allowed if each.action == call.action} or {call}


# ------------------------------------------------------------------------------------------ workers


def test_a_worker_may_do_what_it_does_and_no_more(recorder: Recorder) -> None:
    make_stream(recorder)
    table = TableConfig(tags={"team": "data"}, point_in_time_recovery=True)
    config = replace(
        recorder.engine.config(), leases=LeaseConfig(duration=3.0, settle=0.0), table=table
    )
    session = recorder.session(Role.WORKER)

    with Worker(app_name=APP, stream=STREAM, processor=Idle, config=config, session=session):
        recorder.wait_for(Role.WORKER, "kinesis:GetRecords", "dynamodb:Query")
        kinesis = recorder.client("kinesis")
        kinesis.split_shard(StreamName=STREAM, ShardToSplit=FIRST, NewStartingHashKey=str(2**126))
        # A row that is gone refuses a renewal without an answer to why: it is looked for.
        recorder.client("dynamodb").delete_item(
            TableName=APP, Key={"leaseKey": {"S": "shardId-000000000001"}}
        )
        recorder.wait_for(Role.WORKER, "dynamodb:GetItem")
    # The next one finds the table there.
    with Worker(
        app_name=APP, stream=STREAM, processor=Idle, config=config, session=session
    ) as second:
        eventually(lambda: second.status().state == "running")

    judged(recorder, Role.WORKER)


def make_stream(recorder: Recorder) -> None:
    kinesis = recorder.client("kinesis")
    kinesis.create_stream(StreamName=STREAM, ShardCount=2)
    kinesis.get_waiter("stream_exists").wait(
        StreamName=STREAM, WaiterConfig={"Delay": 0.02, "MaxAttempts": 500}
    )


# ---------------------------------------------------------------------------------------- producers


def test_a_producer_may_do_what_it_does_and_no_more(
    recorder: Recorder, kcl: Kcl, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_stream(recorder)
    config = ProducerConfig(aggregation="per_shard", endpoint_url=recorder.engine.endpoint_url)
    with Producer(STREAM, config=config, session=recorder.session(Role.PRODUCER)) as producer:
        producer.put({"name": "Ada"}, key="Ada")
        with pytest.raises(RecordRefused):
            producer.put(b"x" * (MIB + 1), key="Ada")
    become(recorder, Role.PRODUCER, monkeypatch)
    assert kcl("put", STREAM, "{}", "--key", "Ada").code == 0
    assert kcl("produce", STREAM, "--demo", "users", "--count", "3").code == 0

    judged(recorder, Role.PRODUCER)


def become(recorder: Recorder, role: Role, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in recorder.environment(role).items():
        monkeypatch.setenv(name, value)


# ------------------------------------------------------------------------------------------- people

LOOKS = (
    "stream list",
    f"stream describe {STREAM}",
    f"stream graph {STREAM}",
    f"stream consumers {STREAM}",
    f"stream tags --stream {STREAM}",
    f"tail --stream {STREAM} --from earliest",
    f"leases --app {APP}",
    f"workers --app {APP}",
    f"lag --app {APP}",
    f"checkpoint show --app {APP}",
)

REPAIRS = (
    "leases pause SHARD --app APP",
    "leases resume SHARD --app APP",
    "checkpoint export kept.json --app APP",
    "checkpoint reset --to earliest --app APP --yes",
    "checkpoint import kept.json --app APP --yes",
)

CHANGES = (
    f"stream create {STREAM} --shards 2 --tag a=b --wait",
    f"stream split {FIRST} --stream {STREAM} --wait",
    f"stream merge shardId-000000000002 shardId-000000000003 --stream {STREAM} --wait",
    f"stream scale 4 --stream {STREAM} --wait",
    f"stream retention 48h --stream {STREAM} --wait",
    f"stream retention 24h --stream {STREAM} --wait",
    f"stream tags c=d a- --stream {STREAM}",
    f"stream monitoring on --stream {STREAM}",
    f"stream monitoring off --stream {STREAM}",
    f"stream encrypt alias/people --stream {STREAM} --wait",
    f"stream encrypt off --stream {STREAM} --wait",
    f"stream mode on-demand --stream {STREAM} --wait",
)
DELETE = f"stream delete {STREAM} --yes --wait"


def test_an_operator_may_do_what_the_commands_do_and_no_more(
    recorder: Recorder, kcl: Kcl, monkeypatch: pytest.MonkeyPatch
) -> None:
    become(recorder, Role.OPERATOR, monkeypatch)

    type_all(kcl, CHANGES)
    shard = run_a_worker(recorder)
    type_all(kcl, LOOKS)
    type_all(kcl, [line.replace("SHARD", shard).replace("APP", APP) for line in REPAIRS])
    after_trouble(recorder)
    ask_for_limits(recorder, Role.OPERATOR)
    type_all(kcl, [DELETE])

    judged(recorder, Role.OPERATOR)


def type_all(kcl: Kcl, lines: Iterable[str]) -> None:
    for line in lines:
        typed = kcl(*line.split())
        assert typed.code == 0, (line, typed.err)


def run_a_worker(recorder: Recorder) -> str:
    """Leave the table of an application whose worker has stopped; return an open shard of it."""
    config = replace(recorder.engine.config(), leases=LeaseConfig(duration=3.0, settle=0.0))
    session = recorder.session(None)
    listed = recorder.client("kinesis").list_shards(StreamName=STREAM)["Shards"]
    open_shards = {
        shard["ShardId"]
        for shard in listed
        if "EndingSequenceNumber" not in shard["SequenceNumberRange"]
    }
    with Worker(
        app_name=APP, stream=STREAM, processor=Idle, config=config, session=session
    ) as worker:
        found: str = eventually(lambda: first_of(worker, open_shards))
    return found


def first_of(worker: Worker, wanted: set[str]) -> str | None:
    """One of these that the worker has read."""
    shards = worker.status().shards.values()
    return next(
        (each.shard_id for each in shards if each.lag is not None and each.shard_id in wanted), None
    )


def ask_for_limits(recorder: Recorder, role: Role) -> None:
    """As `kcl doctor` does, whose other calls are those of a worker."""
    prober = Prober(
        kinesis=recorder.client("kinesis", role),
        dynamodb=recorder.client("dynamodb", role),
        stream=StreamAddress(STREAM, None, None),
        table_name=APP,
    )
    assert prober.shard_limits() is not None


def after_trouble(recorder: Recorder) -> None:
    """What is done after a write that got no answer, or was refused without one."""
    client = recorder.client("dynamodb", Role.OPERATOR)
    table = LeaseTable(writes=client, reads=client, name=APP)
    table.read_rows([FIRST])
    table.write(repairs.halt(LeaseRow(key="gone", counter=1, checkpoint=Sentinel.TRIM_HORIZON)))
    table.write(writes.remove_worker("dead-1", seen=1))


def test_somebody_who_only_looks_may_look_at_everything_and_change_nothing(
    recorder: Recorder, kcl: Kcl, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_stream(recorder)
    run_a_worker(recorder)
    become(recorder, Role.READ_ONLY, monkeypatch)

    type_all(kcl, LOOKS)
    ask_for_limits(recorder, Role.READ_ONLY)

    judged(recorder, Role.READ_ONLY)


def make_table(recorder: Recorder, name: str = APP) -> None:
    dynamodb = recorder.client("dynamodb")
    dynamodb.create_table(**create_request(name, TableConfig()))
    dynamodb.get_waiter("table_exists").wait(
        TableName=name, WaiterConfig={"Delay": 0.02, "MaxAttempts": 500}
    )


def test_every_command_about_streams_was_typed() -> None:
    lines = [*CHANGES, *LOOKS, DELETE]
    typed = {line.split()[1] for line in lines if line.startswith("stream ")}

    assert typed == set(STREAM_COMMANDS)


# --------------------------------------------------------------------------------------- the judge


def test_a_call_that_no_policy_allows_is_noticed(recorder: Recorder) -> None:
    make_stream(recorder)
    make_table(recorder)
    recorder.client("dynamodb", Role.PRODUCER).scan(TableName=APP)

    with pytest.raises(AssertionError, match="in no policy"):
        judged(recorder, Role.PRODUCER)


def test_a_permission_that_nobody_uses_is_noticed(recorder: Recorder) -> None:
    with pytest.raises(AssertionError, match="never called"):
        judged(recorder, Role.READ_ONLY)


def test_the_same_action_on_another_table_is_noticed(recorder: Recorder) -> None:
    make_table(recorder, "other")
    recorder.client("dynamodb", Role.READ_ONLY).scan(TableName="other")

    with pytest.raises(AssertionError, match="in no policy"):
        judged(recorder, Role.READ_ONLY)
