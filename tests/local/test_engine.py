"""Does the engine serve a program from its own thread and from a process, and end with it?"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from kcl_py.config import WorkerConfig
from kcl_py.local import Engine
from kcl_py.local.engine import EngineSettings
from kcl_py.local.kinesis import KinesisSettings

INSTANT = KinesisSettings(create_seconds=0, update_seconds=0, delete_seconds=0, limits=False)
HASH_KEYS = 2**128


def test_a_program_can_write_read_split_merge_and_delete() -> None:
    with Engine.from_settings(EngineSettings(kinesis=INSTANT)) as engine:
        kinesis = engine.session().client("kinesis")
        kinesis.create_stream(StreamName="s", ShardCount=1)
        put = kinesis.put_record(StreamName="s", Data=b"1", PartitionKey="k")
        kinesis.split_shard(
            StreamName="s",
            ShardToSplit="shardId-000000000000",
            NewStartingHashKey=str(HASH_KEYS // 2),
        )
        kinesis.merge_shards(
            StreamName="s",
            ShardToMerge="shardId-000000000001",
            AdjacentShardToMerge="shardId-000000000002",
        )
        shards = kinesis.list_shards(StreamName="s")["Shards"]
        iterator = kinesis.get_shard_iterator(
            StreamName="s",
            ShardId="shardId-000000000000",
            ShardIteratorType="AT_SEQUENCE_NUMBER",
            StartingSequenceNumber=put["SequenceNumber"],
        )["ShardIterator"]
        page = kinesis.get_records(ShardIterator=iterator)
        kinesis.delete_stream(StreamName="s")
        names = kinesis.list_streams()["StreamNames"]
        kinesis.close()

    assert len(shards) == 4
    assert [record["Data"] for record in page["Records"]] == [b"1"]
    assert len(page["ChildShards"]) == 2
    assert names == []


def test_of_eight_threads_exactly_one_wins_each_round() -> None:
    winners: list[int] = []
    with Engine() as engine:
        dynamodb = engine.session().client("dynamodb")
        dynamodb.create_table(
            TableName="leases",
            KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        dynamodb.get_waiter("table_exists").wait(TableName="leases", WaiterConfig={"Delay": 1})
        dynamodb.put_item(TableName="leases", Item={"k": {"S": "a"}, "c": {"N": "0"}})
        start = threading.Barrier(8)

        def race() -> None:
            for lap in range(20):
                start.wait()
                try:
                    dynamodb.update_item(
                        TableName="leases",
                        Key={"k": {"S": "a"}},
                        ConditionExpression="c = :old",
                        UpdateExpression="SET c = :new",
                        ExpressionAttributeValues={
                            ":old": {"N": str(lap)},
                            ":new": {"N": str(lap + 1)},
                        },
                    )
                except dynamodb.exceptions.ConditionalCheckFailedException:
                    continue
                winners.append(lap)

        threads = [threading.Thread(target=race) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        dynamodb.close()

    assert sorted(winners) == list(range(20))


def test_its_session_ignores_the_users_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_ENDPOINT_URL_KINESIS", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")

    with Engine() as engine:
        client = engine.session().client("kinesis")
        assert client.meta.endpoint_url == engine.endpoint_url
        assert client.list_streams()["StreamNames"] == []
        client.close()


def test_its_config_leads_a_worker_here() -> None:
    with Engine() as engine:
        config = engine.config()

        assert isinstance(config, WorkerConfig)
        assert config.kinesis_endpoint_url == config.dynamodb_endpoint_url == engine.endpoint_url
        assert config.region == "us-east-1"


def test_its_environment_leads_a_child_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")

    with Engine() as engine:
        environment = engine.environment

        assert environment["AWS_ENDPOINT_URL"] == engine.endpoint_url
        assert "AWS_PROFILE" not in environment
        assert environment["PATH"] == os.environ["PATH"]


def test_it_has_no_address_outside_its_block() -> None:
    engine = Engine()
    with pytest.raises(RuntimeError, match="with"):
        _ = engine.endpoint_url
    with engine:
        assert engine.endpoint_url.startswith("http://127.0.0.1:")
    with pytest.raises(RuntimeError, match="with"):
        _ = engine.endpoint_url
    with pytest.raises(RuntimeError, match="new one"):
        engine.__enter__()


def test_a_port_that_is_taken_is_an_error() -> None:
    with Engine() as first:
        port = int(first.endpoint_url.rpartition(":")[2])

        with pytest.raises(RuntimeError, match="did not start"), Engine(port=port):
            pass


def test_a_folder_keeps_everything(tmp_path: Path) -> None:
    item: dict[str, Any] = {"k": {"S": "a"}, "b": {"B": b"\x00"}, "m": {"M": {"x": {"BS": [b"1"]}}}}
    settings = EngineSettings(kinesis=INSTANT, data=tmp_path / "data")
    with Engine.from_settings(settings) as engine:
        kinesis = engine.session().client("kinesis")
        kinesis.create_stream(StreamName="s", ShardCount=1)
        number = kinesis.put_record(StreamName="s", Data=b"\x00\xff", PartitionKey="k")
        dynamodb = engine.session().client("dynamodb")
        dynamodb.create_table(
            TableName="leases",
            KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        dynamodb.get_waiter("table_exists").wait(TableName="leases", WaiterConfig={"Delay": 1})
        dynamodb.put_item(TableName="leases", Item=item)
        kinesis.close()
        dynamodb.close()

    with Engine(data=tmp_path / "data") as engine:
        kinesis = engine.session().client("kinesis")
        iterator = kinesis.get_shard_iterator(
            StreamName="s",
            ShardId="shardId-000000000000",
            ShardIteratorType="AT_SEQUENCE_NUMBER",
            StartingSequenceNumber=number["SequenceNumber"],
        )["ShardIterator"]
        page = kinesis.get_records(ShardIterator=iterator)
        dynamodb = engine.session().client("dynamodb")
        items = dynamodb.scan(TableName="leases")["Items"]
        kinesis.close()
        dynamodb.close()

    assert [record["Data"] for record in page["Records"]] == [b"\x00\xff"]
    assert items == [item]


def start(*options: str) -> tuple[subprocess.Popen[str], str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "kcl_py.local", *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    line = json.loads(process.stdout.readline())
    assert line["ready"] is True
    return process, line["endpoint_url"]


def finish(process: subprocess.Popen[str]) -> int:
    try:
        return process.wait(10)
    finally:
        process.kill()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_process_ends_at_a_signal(number: signal.Signals) -> None:
    process, url = start()
    assert url.startswith("http://127.0.0.1:")

    process.send_signal(number)

    assert finish(process) == 0


def test_a_process_ends_with_whoever_started_it() -> None:
    process, _ = start("--until-stdin-closes")
    assert process.stdin is not None

    process.stdin.close()

    assert finish(process) == 0


def test_a_process_outlives_its_stdin_unless_asked_otherwise() -> None:
    process, _ = start()
    assert process.stdin is not None
    process.stdin.close()
    time.sleep(0.2)

    assert process.poll() is None
    process.terminate()
    assert finish(process) == 0


def test_the_models_load_no_server() -> None:
    probe = (
        "import sys, kcl_py.local.kinesis, kcl_py.local.dynamo; "
        "print([name for name in ('asyncio', 'boto3', 'socket') if name in sys.modules])"
    )

    answer = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=True
    )

    assert answer.stdout.strip() == "[]"


def test_a_seed_makes_the_same_table_ids() -> None:
    ids = []
    for _ in range(2):
        with Engine.from_settings(EngineSettings(seed=random.Random(5).randrange(100))) as engine:
            client = engine.session().client("dynamodb")
            made = client.create_table(
                TableName="leases",
                KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
                AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
                BillingMode="PAY_PER_REQUEST",
            )
            ids.append(made["TableDescription"]["TableId"])
            client.close()

    assert ids[0] == ids[1]
