"""Our clients are our own: no retries, short calls, nothing of the user's changed."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import boto3.session
import pytest

from kcl_py.aws.clients import Connections, lease_call_seconds, make_clients
from kcl_py.aws.lease_table import LeaseTable
from kcl_py.aws.names import parse_stream
from kcl_py.config import LeaseConfig, WorkerConfig
from kcl_py.core.events import Failure, FailureKind
from kcl_py.core.leases import writes
from kcl_py.errors import ConfigError, NoCredentials
from tests.aws.wire import REGION, Canned, answer_with, session

ARN = "arn:aws:kinesis:us-east-2:123456789012:stream/orders"
STREAM = parse_stream("orders")


@pytest.fixture(autouse=True)
def nothing_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


@pytest.mark.parametrize(
    ("duration", "margin", "seconds"), [(10.0, 0.5, 2.0), (3.0, 0.5, 0.5), (60.0, 0.5, 2.0)]
)
def test_three_lease_calls_fit_before_the_fence(
    duration: float, margin: float, seconds: float
) -> None:
    assert lease_call_seconds(duration, margin) == pytest.approx(seconds)
    assert 3 * lease_call_seconds(duration, margin) <= 2 * duration / 3 - margin + 1e-9


def test_lease_writes_have_short_calls_one_attempt_and_their_own_connections() -> None:
    config = WorkerConfig(leases=LeaseConfig(duration=3.0))

    made = make_clients(config, STREAM, session=session(), connections=Connections(lease_writes=7))

    lease: Any = made.lease_writes.meta.config
    assert lease.connect_timeout + lease.read_timeout == pytest.approx(0.5)
    assert lease.max_pool_connections == 7
    everything: tuple[Any, ...] = (
        made.lease_writes,
        made.table_reads,
        made.table_control,
        made.stream_reads,
        made.stream_control,
    )
    assert len({id(client._endpoint.http_session) for client in everything}) == 5
    for client in everything:
        assert client.meta.config.retries["total_max_attempts"] == 1
        assert client.meta.config.tcp_keepalive is True


def test_clients_that_a_user_makes_of_the_same_session_are_plain() -> None:
    mine = boto3.session.Session("AKID", "secret", region_name=REGION)

    make_clients(WorkerConfig(), STREAM, session=mine)
    theirs: Any = mine.client("kinesis")

    page = {"Records": [{"SequenceNumber": "1", "Data": "eA==", "PartitionKey": "k"}]}
    answer_with(theirs, lambda _operation, _request: Canned(page))
    answer = theirs.get_records(ShardIterator="it")
    assert answer["Records"] == [{"SequenceNumber": "1", "Data": b"x", "PartitionKey": "k"}]
    assert theirs.meta.config.retries != {"total_max_attempts": 1, "mode": "standard"}


def test_the_region_of_an_arn_is_where_its_stream_is() -> None:
    made = make_clients(WorkerConfig(region="eu-north-1"), parse_stream(ARN), session=session())

    assert made.stream_reads.meta.region_name == "us-east-2"
    assert made.lease_writes.meta.region_name == "eu-north-1"


def test_an_arn_is_region_enough() -> None:
    mine = boto3.session.Session("AKID", "secret")

    made = make_clients(WorkerConfig(), parse_stream(ARN), session=mine)

    assert made.lease_writes.meta.region_name == "us-east-2"


def test_endpoints_of_the_configuration_are_used() -> None:
    config = WorkerConfig(
        kinesis_endpoint_url="http://127.0.0.1:1", dynamodb_endpoint_url="http://127.0.0.1:2"
    )

    made = make_clients(config, STREAM, session=session())

    assert made.stream_reads.meta.endpoint_url == "http://127.0.0.1:1"
    assert made.table_control.meta.endpoint_url == "http://127.0.0.1:2"


def test_endpoints_of_the_environment_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:3")

    made = make_clients(
        WorkerConfig(), STREAM, session=boto3.session.Session("AKID", "secret", region_name=REGION)
    )

    assert made.stream_reads.meta.endpoint_url == "http://127.0.0.1:3"
    assert made.lease_writes.meta.endpoint_url == "http://127.0.0.1:3"


def test_no_region_is_said_plainly() -> None:
    with pytest.raises(ConfigError, match="region"):
        make_clients(WorkerConfig(), STREAM, session=boto3.session.Session("AKID", "secret"))


def test_no_credentials_are_said_plainly() -> None:
    with pytest.raises(NoCredentials, match="AWS_PROFILE"):
        make_clients(WorkerConfig(region=REGION), STREAM)


def test_a_profile_that_is_not_there_is_a_wrong_configuration(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "no-such-profile")

    with pytest.raises(ConfigError, match="ProfileNotFound"):
        make_clients(WorkerConfig(region=REGION), STREAM)


def test_an_endpoint_that_is_no_url_is_a_wrong_configuration() -> None:
    with pytest.raises(ConfigError, match="no URL"):
        make_clients(WorkerConfig(kinesis_endpoint_url="http://"), STREAM, session=session())


def test_a_factory_makes_the_clients_with_our_configuration() -> None:
    mine: Any = session()
    asked: list[tuple[str, dict[str, object]]] = []

    def factory(service: str, config: Any) -> Any:
        asked.append((service, config.retries))
        return mine.client(service, config=config)

    make_clients(WorkerConfig(), STREAM, client_factory=factory)

    once = {"total_max_attempts": 1, "mode": "standard"}
    assert sorted(service for service, _ in asked) == ["dynamodb"] * 3 + ["kinesis"] * 2
    assert all(retries == once for _, retries in asked)


def test_a_factory_that_gives_one_client_twice_is_refused() -> None:
    mine: Any = session()
    only = {name: mine.client(name) for name in ("kinesis", "dynamodb")}

    with pytest.raises(ConfigError, match="a new one every time"):
        make_clients(WorkerConfig(), STREAM, client_factory=lambda service, _config: only[service])


@pytest.fixture
def deaf_server() -> Iterator[tuple[int, list[bytes]]]:
    """A server that takes requests and never answers."""
    heard: list[bytes] = []
    kept: list[socket.socket] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def listen() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            kept.append(connection)
            heard.append(connection.recv(65536))

    thread = threading.Thread(target=listen)
    thread.start()
    yield listener.getsockname()[1], heard
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(5)
    for connection in kept:
        connection.close()


BOTOCORE_SECONDS = 60.0
"""How long it waits unless told; half of that is enough for the slowest machine."""


def test_a_lease_write_to_a_deaf_service_is_sent_once_and_ends_in_time(
    deaf_server: tuple[int, list[bytes]],
) -> None:
    port, heard = deaf_server
    config = WorkerConfig(
        leases=LeaseConfig(duration=3.0), dynamodb_endpoint_url=f"http://127.0.0.1:{port}"
    )
    made = make_clients(config, STREAM, session=session())
    table = LeaseTable(writes=made.lease_writes, reads=made.table_reads, name="leases")
    began = time.monotonic()

    answer = table.write(writes.renew("s", me="a", base=1, nonce="n", duration=3.0))

    assert isinstance(answer, Failure)
    assert answer.kind is FailureKind.UNKNOWN
    assert time.monotonic() - began < BOTOCORE_SECONDS / 2
    assert len(heard) == 1
    made.close()
