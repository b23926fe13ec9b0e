"""Does the engine's front speak HTTP as clients need it, and do its faults reach them?"""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
import zlib
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from kcl_py.local.process import EngineProcess

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_kinesis import KinesisClient

KEY: dict[str, Any] = {"leaseKey": {"S": "a"}}


@pytest.fixture(scope="module")
def process() -> Iterator[EngineProcess]:
    with EngineProcess("--transition-seconds", "0", "--no-limits") as engine:
        yield engine


@pytest.fixture
def engine(process: EngineProcess) -> Iterator[EngineProcess]:
    yield process
    process.set_faults([])


def client_of(engine: EngineProcess, service: Any, source: str = "worker-a", **config: Any) -> Any:
    return boto3.client(
        service,
        endpoint_url=engine.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id=source,
        aws_secret_access_key="x",
        config=Config(retries={"total_max_attempts": 1}, **config),
    )


@pytest.fixture(scope="module")
def dynamodb(process: EngineProcess) -> Iterator[DynamoDBClient]:
    client: DynamoDBClient = client_of(process, "dynamodb")
    client.create_table(
        TableName="leases",
        KeySchema=[{"AttributeName": "leaseKey", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "leaseKey", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    yield client
    client.close()


@pytest.fixture(scope="module")
def kinesis(process: EngineProcess) -> Iterator[KinesisClient]:
    client: KinesisClient = client_of(process, "kinesis")
    client.create_stream(StreamName="s", ShardCount=1)
    yield client
    client.close()


def count_up(client: DynamoDBClient, name: str = "a") -> int:
    answer = client.update_item(
        TableName="leases",
        Key={"leaseKey": {"S": name}},
        UpdateExpression="ADD leaseCounter :one",
        ExpressionAttributeValues={":one": {"N": "1"}},
        ReturnValues="ALL_NEW",
    )
    return int(answer["Attributes"]["leaseCounter"]["N"])


def call(
    engine: EngineProcess, method: str, path: str, body: bytes = b"", **headers: str
) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection(engine.endpoint_url.removeprefix("http://"), timeout=60)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, named)
        answer = connection.getresponse()
        return answer, answer.read()
    finally:
        connection.close()


def test_health(engine: EngineProcess) -> None:
    answer, body = call(engine, "GET", "/_kcl/health")

    assert answer.status == 200
    assert json.loads(body) == {"healthy": True}


def test_the_headers_that_clients_use(engine: EngineProcess) -> None:
    answer, body = call(engine, "POST", "/", b"{}", X_Amz_Target="DynamoDB_20120810.ListTables")

    assert answer.getheader("Content-Type") == "application/x-amz-json-1.0"
    assert int(answer.getheader("x-amz-crc32") or 0) == zlib.crc32(body)
    assert len(answer.getheader("x-amzn-RequestId") or "") == 32
    date = parsedate_to_datetime(answer.getheader("Date") or "")
    assert abs(date.timestamp() - time.time()) < 60


@pytest.mark.parametrize(
    ("headers", "body", "code"),
    [
        ({}, b"{}", "UnknownOperationException"),
        ({"X_Amz_Target": "S3_1.Get"}, b"{}", "UnknownOperationException"),
        ({"X_Amz_Target": "Kinesis_20131202.Dance"}, b"{}", "UnknownOperationException"),
        ({"X_Amz_Target": "Kinesis_20131202.ListStreams"}, b"{", "SerializationException"),
        ({"X_Amz_Target": "Kinesis_20131202.ListStreams"}, b"[]", "SerializationException"),
        (
            {
                "X_Amz_Target": "Kinesis_20131202.ListStreams",
                "Content_Type": "application/x-amz-cbor-1.1",
            },
            b"\xa0",
            "SerializationException",
        ),
        (
            {"X_Amz_Target": "Kinesis_20131202.PutRecord"},
            b'{"StreamName":"s","Data":"*","PartitionKey":"k"}',
            "SerializationException",
        ),
    ],
)
def test_a_bad_request_is_answered_with_an_error(
    engine: EngineProcess, headers: dict[str, str], body: bytes, code: str
) -> None:
    answer, content = call(engine, "POST", "/", body, **headers)

    assert answer.status == 400
    assert json.loads(content)["__type"] == code


def test_what_is_not_http_ends_the_connection(engine: EngineProcess) -> None:
    host, _, port = engine.endpoint_url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall(b"hello\r\n\r\n")

        assert connection.recv(1000).startswith(b"HTTP/1.1 400")
        assert connection.recv(1000) == b""


def test_requests_in_pieces_and_several_at_once(engine: EngineProcess) -> None:
    host, _, port = engine.endpoint_url.removeprefix("http://").partition(":")
    one = (
        b"POST / HTTP/1.1\r\nX-Amz-Target: Kinesis_20131202.ListStreams\r\n"
        b"Content-Length: 2\r\n\r\n{}"
    )
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall(one[:30])
        time.sleep(0.05)
        connection.sendall(one[30:] + one + one)
        received = b""
        while received.count(b"HTTP/1.1 200") < 3:
            received += connection.recv(10_000)

    assert received.count(b"StreamNames") == 3


def test_long_pages_arrive_whole(engine: EngineProcess, kinesis: KinesisClient) -> None:
    for start in range(0, 2500, 500):
        kinesis.put_records(
            StreamName="s",
            Records=[
                {"Data": f"{number}\x00".encode(), "PartitionKey": "k"}
                for number in range(start, start + 500)
            ],
        )
    iterator = kinesis.get_shard_iterator(
        StreamName="s", ShardId="shardId-000000000000", ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]

    page = kinesis.get_records(ShardIterator=iterator)

    assert [record["Data"] for record in page["Records"]] == [
        f"{number}\x00".encode() for number in range(2500)
    ]
    assert page["NextShardIterator"]
    assert page["MillisBehindLatest"] == 0


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("throttle", "ProvisionedThroughputExceededException"),
        ("deny", "AccessDeniedException"),
        ("500", "InternalServerError"),
    ],
)
def test_an_error_by_rule_does_nothing(
    engine: EngineProcess, dynamodb: DynamoDBClient, kind: str, code: str
) -> None:
    before = count_up(dynamodb)
    engine.set_faults([{"kind": kind, "operations": ["UpdateItem"], "count": 1}])

    with pytest.raises(ClientError) as caught:
        count_up(dynamodb)

    assert caught.value.response["Error"]["Code"] == code
    assert count_up(dynamodb) == before + 1
    assert engine.faults()[0]["hits"] == 1
    assert engine.requests()["dynamodb"]["UpdateItem"][code] >= 1


def test_a_cut_call_was_not_applied(engine: EngineProcess, dynamodb: DynamoDBClient) -> None:
    before = count_up(dynamodb)
    engine.set_faults([{"kind": "cut", "service": "dynamodb", "count": 1}])

    with pytest.raises(ConnectionClosedError):
        count_up(dynamodb)

    assert count_up(dynamodb) == before + 1


def test_a_lost_call_was_applied(engine: EngineProcess, dynamodb: DynamoDBClient) -> None:
    before = count_up(dynamodb)
    engine.set_faults([{"kind": "lost", "service": "dynamodb", "count": 1}])

    with pytest.raises(ConnectionClosedError):
        count_up(dynamodb)

    assert count_up(dynamodb) == before + 2


def test_an_answer_can_be_held_back_beyond_the_clients_patience(
    engine: EngineProcess, dynamodb: DynamoDBClient
) -> None:
    before = count_up(dynamodb)
    engine.set_faults([{"kind": "lost", "count": 1, "seconds": 30.0}])
    impatient: DynamoDBClient = client_of(engine, "dynamodb", read_timeout=1)

    with pytest.raises(ReadTimeoutError):
        count_up(impatient)

    impatient.close()
    assert count_up(dynamodb) == before + 2


def test_a_delay_holds_up_one_call_only(engine: EngineProcess, dynamodb: DynamoDBClient) -> None:
    count_up(dynamodb)
    engine.set_faults([{"kind": "delay", "key": KEY, "count": 1, "seconds": 1.0}])
    times: dict[str, float] = {}
    began = time.monotonic()

    def timed(name: str) -> None:
        count_up(dynamodb, name)
        times[name] = time.monotonic() - began

    threads = [threading.Thread(target=timed, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert list(times) == ["b", "a"]
    assert times["a"] >= 1.0


def test_one_worker_can_be_cut_off(engine: EngineProcess, dynamodb: DynamoDBClient) -> None:
    engine.set_faults([{"kind": "deny", "source": "worker-b"}])
    other: DynamoDBClient = client_of(engine, "dynamodb", source="worker-b")

    count_up(dynamodb)
    with pytest.raises(ClientError):
        count_up(other)
    other.close()


def test_a_batch_may_succeed_in_part(engine: EngineProcess, kinesis: KinesisClient) -> None:
    engine.set_faults([{"kind": "partial", "service": "kinesis", "probability": 0.5}], seed=3)

    answer = kinesis.put_records(
        StreamName="s", Records=[{"Data": b"x", "PartitionKey": "k"}] * 100
    )

    assert 20 < answer["FailedRecordCount"] < 80
    engine.set_faults([])
    answer = kinesis.put_records(StreamName="s", Records=[{"Data": b"x", "PartitionKey": "k"}])
    assert answer["FailedRecordCount"] == 0


def test_bad_rules_are_refused(engine: EngineProcess) -> None:
    answer, body = call(engine, "POST", "/_kcl/faults", b'[{"kind": "explode"}]')

    assert answer.status == 400
    assert b"kind must be one of" in body


def test_bytes_survive_the_way_into_a_table(
    engine: EngineProcess, dynamodb: DynamoDBClient
) -> None:
    item: dict[str, Any] = {
        "leaseKey": {"S": "bytes"},
        "b": {"B": b"\x00\xff"},
        "bs": {"BS": [b"\x00", b"\x01"]},
        "m": {"M": {"B": {"B": b"inner"}, "l": {"L": [{"B": b""}]}}},
    }

    dynamodb.put_item(TableName="leases", Item=item)

    got = dynamodb.get_item(TableName="leases", Key={"leaseKey": {"S": "bytes"}})
    assert got["Item"] == item
