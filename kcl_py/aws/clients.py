"""Which connections does a worker have? One client per purpose, made once, at start.

Making clients is not thread-safe, and a slow scan must never make a lease write wait for a
connection. A user's session is only asked for clients, and a user's client is never changed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

import boto3.session
from botocore.config import Config

from kcl_py.aws.decode import hook_dynamodb, hook_kinesis, take_item, take_page
from kcl_py.aws.direct.calls import DirectCall
from kcl_py.aws.making import client_config, make_client, need_credentials, told_plainly
from kcl_py.errors import ConfigError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_kinesis import KinesisClient

    from kcl_py.aws.names import StreamAddress
    from kcl_py.config import WorkerConfig

Service = Literal["kinesis", "dynamodb", "cloudwatch"]

LEASE_CALL_SECONDS_MAX: Final = 2.0
CONNECT_SECONDS_MAX: Final = 1.0
CONTROL_CONNECT_SECONDS: Final = 3.0
TABLE_READ_SECONDS: Final = 5.0
STREAM_READ_SECONDS: Final = 10.0
"""A page is up to 10 MB; the limit is on silence, not on the whole answer."""
CONTROL_READ_SECONDS: Final = 10.0
CONTROL_CONNECTIONS: Final = 2
METRICS_READ_SECONDS: Final = 5.0


class ClientFactory(Protocol):
    """Makes a new client at every call, with this configuration (it may merge its own into it)."""

    def __call__(self, service: Service, config: Config, /) -> Any:  # noqa: ANN401 - a client
        """Make a client."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clients:
    """All clients of a worker.

    Attributes:
        lease_writes: Conditional writes, with calls that end in time for a fence.
        table_reads: Scans, batch reads, the index.
        stream_reads: GetRecords and iterators; also listings.
        table_control, stream_control: Set-up.
        get_records, update_item: The two calls that are made all the time: methods of
            `stream_reads` and `lease_writes`, or what stands for them.
    """

    lease_writes: DynamoDBClient
    table_reads: DynamoDBClient
    table_control: DynamoDBClient
    stream_reads: KinesisClient
    stream_control: KinesisClient
    get_records: Callable[..., Any]
    update_item: Callable[..., Any]

    def close(self) -> None:
        """Close all connections."""
        for call in (self.get_records, self.update_item):
            if isinstance(call, DirectCall):
                call.close()
        for client in (
            self.lease_writes,
            self.table_reads,
            self.table_control,
            self.stream_reads,
            self.stream_control,
        ):
            client.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Connections:
    """How many threads use each client at most."""

    lease_writes: int = 10
    table_reads: int = 4
    stream_reads: int = 16


def lease_call_seconds(duration: float, margin: float) -> float:
    """Return within how many seconds a lease write must end, so that three fit before the fence.

    Args:
        duration: Lease duration, seconds.
        margin: Fence margin, seconds.
    """
    return min(LEASE_CALL_SECONDS_MAX, (2 * duration / 3 - margin) / 3)


def make_clients(
    config: WorkerConfig,
    stream: StreamAddress,
    *,
    session: boto3.session.Session | None = None,
    client_factory: ClientFactory | None = None,
    connections: Connections | None = None,
) -> Clients:
    """Make all clients of a worker.

    Args:
        config: Region, endpoints, and the lease duration that calls must fit into.
        stream: Its ARN says the region of Kinesis.
        session: Asked for clients; None: the default chain of boto3.
        client_factory: Used instead of a session.
        connections: Sizes of the connection pools.

    Raises:
        ConfigError: No region, a bad profile or endpoint, or a factory that gives one client twice.
        NoCredentials: There are none.
    """
    sizes = connections or Connections()
    seconds = lease_call_seconds(config.leases.duration, config.leases.fence_margin)
    with told_plainly():
        if client_factory is not None:
            # Of clients that somebody else makes we know neither credentials nor transport.
            return _make_all(client_factory, seconds, sizes)
        asked = session or boto3.session.Session()
        made = _make_all(_session_factory(config, stream, asked), seconds, sizes)
        if config.transport == "botocore":
            return made
        return _with_direct_calls(made, asked, seconds)


def make_metrics_client(
    config: WorkerConfig,
    stream: StreamAddress,
    *,
    session: boto3.session.Session | None = None,
    client_factory: ClientFactory | None = None,
) -> Any:  # noqa: ANN401 - a client
    """Make a client of CloudWatch, as `make_clients` makes its own.

    Raises:
        ConfigError, NoCredentials: As there.
    """
    with told_plainly():
        wanted = client_config(
            CONNECT_SECONDS_MAX, METRICS_READ_SECONDS, connections=1, validate=False
        )
        if client_factory is not None:
            return client_factory("cloudwatch", wanted)
        asked = session or boto3.session.Session()
        return _session_factory(config, stream, asked)("cloudwatch", wanted)


def _with_direct_calls(
    clients: Clients, session: boto3.session.Session, lease_seconds: float
) -> Clients:
    return replace(
        clients,
        get_records=DirectCall(
            clients.stream_reads, "GetRecords", "get_records", session=session, decode=take_page
        ),
        update_item=DirectCall(
            clients.lease_writes,
            "UpdateItem",
            "update_item",
            session=session,
            decode=take_item,
            total_seconds=lease_seconds,
        ),
    )


def _make_all(make: ClientFactory, lease_seconds: float, sizes: Connections) -> Clients:
    connect = min(CONNECT_SECONDS_MAX, lease_seconds / 3)
    lease_writes = make("dynamodb", _config(connect, lease_seconds - connect, sizes.lease_writes))
    table_reads = make(
        "dynamodb", _config(CONNECT_SECONDS_MAX, TABLE_READ_SECONDS, sizes.table_reads)
    )
    stream_reads = make(
        "kinesis", _config(CONNECT_SECONDS_MAX, STREAM_READ_SECONDS, sizes.stream_reads)
    )
    clients = Clients(
        lease_writes=lease_writes,
        table_reads=table_reads,
        table_control=make("dynamodb", _control_config()),
        stream_reads=stream_reads,
        stream_control=make("kinesis", _control_config()),
        get_records=stream_reads.get_records,
        update_item=lease_writes.update_item,
    )
    for_tables = [clients.lease_writes, clients.table_reads, clients.table_control]
    for_streams = [clients.stream_reads, clients.stream_control]
    if len({id(client) for client in [*for_tables, *for_streams]}) < len(for_tables + for_streams):
        raise ConfigError("client_factory gave one client twice; it must make a new one every time")
    for table_client in for_tables:
        hook_dynamodb(table_client)
    for stream_client in for_streams:
        hook_kinesis(stream_client)
    return clients


def _config(connect_seconds: float, read_seconds: float, connections: int) -> Config:
    return client_config(connect_seconds, read_seconds, connections=connections, validate=False)


def _control_config() -> Config:
    return client_config(
        CONTROL_CONNECT_SECONDS, CONTROL_READ_SECONDS, connections=CONTROL_CONNECTIONS
    )


def _session_factory(
    config: WorkerConfig, stream: StreamAddress, asked: boto3.session.Session
) -> ClientFactory:
    need_credentials(asked)
    region = config.region or asked.region_name or stream.region
    regions: dict[Service, str | None] = {
        "kinesis": stream.region or region,
        "dynamodb": region,
        "cloudwatch": region,
    }
    endpoints: dict[Service, str | None] = {
        "kinesis": config.kinesis_endpoint_url,
        "dynamodb": config.dynamodb_endpoint_url,
        "cloudwatch": None,
    }

    def make(service: Service, wanted: Config, /) -> Any:  # noqa: ANN401 - a client
        return make_client(
            asked,
            service,
            config=wanted,
            region=regions[service],
            endpoint_url=endpoints[service],
        )

    return make
