"""Which application do the flags mean, and what is known of it before anything is changed?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kcl_py.cli.options import Shared
from kcl_py.errors import ConfigError, LeaseTableError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kcl_py.aws.lease_table import LeaseTable
    from kcl_py.aws.names import StreamAddress
    from kcl_py.aws.peeking import Peeker
    from kcl_py.aws.stream import ShardsSeen, StreamReader
    from kcl_py.config import WorkerConfig
    from kcl_py.core.leases.rows import ApplicationRow, LeaseRow, Row
    from kcl_py.core.shards.graph import Shard


@dataclass(frozen=True, slots=True)
class Access:
    """A way to one application.

    Attributes:
        table: Its lease table; each call is one attempt.
        table_id: Which table this is now.
    """

    shared: Shared
    config: WorkerConfig
    table: LeaseTable
    table_id: str

    def rows(self) -> dict[str, Row]:
        """Every row, read consistently.

        Raises:
            KclError: The table could not be read to its end.
        """
        from kcl_py.admin.troubles import table_error
        from kcl_py.core.events import Failure

        found: dict[str, Row] = {}
        for page in self.table.scan(consistent=True):
            if isinstance(page, Failure):
                raise table_error(page)
            found.update((row.key, row) for row in page)
        return found

    def application(self, rows: Mapping[str, Row]) -> ApplicationRow:
        """Whose table this is.

        Raises:
            LeaseTableError: It is nobody's, a restored copy, or a Java KCL's.
            ConfigError: It is of another stream than `--stream`.
        """
        from kcl_py.core.leases.java import find_java
        from kcl_py.core.leases.rows import APPLICATION_KEY, ApplicationRow

        java = find_java(rows.values())
        if java is not None:
            raise LeaseTableError(
                f"the table {self.table.name} is used by a Java KCL (row {java.key!r}: "
                f"{java.why}); use its own tools, or choose another --app"
            )
        row = rows.get(APPLICATION_KEY)
        if not isinstance(row, ApplicationRow):
            raise LeaseTableError(
                f"no worker of kcl_py has used the table {self.table.name} yet; start one first"
            )
        if row.table_id != self.table_id:
            raise LeaseTableError(
                f"the table {self.table.name} is a restored copy: its fencing tokens have gone "
                "back; choose another --app, or delete the table to start anew"
            )
        named = self.shared.stream
        if named is not None and named not in (row.stream_arn, row.stream_arn.rpartition("/")[2]):
            raise ConfigError(
                f"the application {self.table.name} reads {row.stream_arn}, not {named}; "
                "leave --stream out, or name the other application"
            )
        return row

    def stream(self, application: ApplicationRow) -> StreamAccess:
        """The way to its stream."""
        from kcl_py.aws.names import StreamAddress, parse_stream
        from kcl_py.aws.peeking import Peeker
        from kcl_py.aws.stream import StreamReader

        named = parse_stream(self.shared.stream or application.stream_arn)
        # By its name, as a worker would: an ARN is only needed across accounts.
        address = named if self.shared.stream else StreamAddress(named.name, None, named.region)
        client: Any = make_client(self.shared, self.config, "kinesis", address.region)
        return StreamAccess(
            self, address, StreamReader(client=client, stream=address), Peeker(client, address)
        )


@dataclass(frozen=True, slots=True)
class StreamAccess:
    """A way to the stream of an application."""

    access: Access
    address: StreamAddress
    reader: StreamReader
    peeker: Peeker

    def decoding_reader(self) -> StreamReader:
        """What reads records and opens aggregated ones."""
        from kcl_py.aws import tools
        from kcl_py.aws.stream import StreamReader
        from kcl_py.aws.stream_admin import make_stream_client

        client = make_stream_client(
            self.address,
            session=tools.make_session(self.access.shared.profile),
            region=self.access.config.region,
            endpoint_url=self.access.config.kinesis_endpoint_url,
        )
        return StreamReader(client=client, stream=self.address)

    def listing(self) -> tuple[tuple[Shard, ...], float]:
        """All shards, and what time the service says it is, unix seconds.

        Raises:
            KclError: They could not be listed.
        """
        from kcl_py.core.shards.graph import Lineage
        from kcl_py.shell.clock import SYSTEM_CLOCK

        seen = self._list(None)
        time = seen.server_time
        return Lineage(seen.shards).in_order(), SYSTEM_CLOCK.wall() if time is None else time

    def shards(self, since: float | None = None) -> tuple[Shard, ...]:
        """All shards, afresh, parents before children.

        Args:
            since: Only those that took records at or after this time, unix seconds, if the
                service can tell.

        Raises:
            KclError: They could not be listed.
        """
        from kcl_py.core.shards.graph import Lineage

        return Lineage(self._list(since).shards).in_order()

    def _list(self, since: float | None) -> ShardsSeen:
        from kcl_py.core.events import Failure, FailureKind
        from kcl_py.errors import Unavailable
        from kcl_py.streams.troubles import error_of

        seen = self.reader.list_shards(since=since)
        if isinstance(seen, Failure) and seen.kind is FailureKind.INVALID and since is not None:
            seen = self.reader.list_shards()
        if isinstance(seen, Failure):
            raise error_of(seen)
        if not seen.shards and since is None:
            raise Unavailable(f"the stream {self.address.name} lists no shards; try again")
        return seen


def open_access(shared: Shared) -> Access:
    """Find the lease table of the application that the flags name.

    Raises:
        KclError: It is missing, or no lease table, or cannot be read.
    """
    from kcl_py.admin.troubles import table_error
    from kcl_py.aws import tools
    from kcl_py.aws.lease_table import LeaseTable

    config = shared.worker_config()
    name = config.table.name or shared.needed_app()
    client = make_client(shared, config, "dynamodb", None)
    tools.check_lease_table(client, name)
    table = LeaseTable(writes=client, reads=client, name=name)
    seen = table.describe()
    if seen.failure is not None or seen.table_id is None:
        raise table_error(seen.failure) if seen.failure else LeaseTableError(f"{name} is gone")
    return Access(shared, config, table, seen.table_id)


def lease_rows(rows: Mapping[str, Row]) -> dict[str, LeaseRow]:
    """The lease rows among all rows."""
    from kcl_py.core.leases.rows import LeaseRow

    return {key: row for key, row in rows.items() if isinstance(row, LeaseRow)}


def make_client(shared: Shared, config: WorkerConfig, service: str, region: str | None) -> Any:  # noqa: ANN401
    """A plain client of this service, which repeats nothing by itself.

    Raises:
        KclError: No credentials, no region, or an endpoint that is none.
    """
    from kcl_py.aws import tools

    url = config.kinesis_endpoint_url if service == "kinesis" else config.dynamodb_endpoint_url
    return tools.make_client(
        service,
        session=tools.make_session(shared.profile),
        region=region or config.region,
        endpoint_url=url,
        attempts=1,
    )
