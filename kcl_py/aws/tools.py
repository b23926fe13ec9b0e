"""What do the commands of `kcl` need from AWS besides a worker? Sessions, clients, rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import boto3.session
import botocore.session
from botocore.exceptions import ProfileNotFound

from kcl_py.aws import making
from kcl_py.aws.failures import kind_of, public_error
from kcl_py.aws.lease_codec import decode_row, scan_request
from kcl_py.aws.making import client_config, need_credentials, told_plainly
from kcl_py.aws.table_setup import check_table
from kcl_py.core.events import FailureKind
from kcl_py.core.leases.rows import Row
from kcl_py.errors import ConfigError, LeaseTableError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

CONNECT_SECONDS: Final = 3.0
READ_SECONDS: Final = 10.0
CONNECTIONS: Final = 10
ATTEMPTS_MAX: Final = 3
"""A command is typed by somebody who waits; they can type it again."""


class TableMissing(LeaseTableError):
    """There is no such table; for a command that only looks, that is an answer of AWS."""

    exit_code = 3


def make_session(profile: str | None) -> boto3.session.Session:
    """A session of this profile, or of the default chain.

    Raises:
        ConfigError: There is no such profile; the message names those that there are.
    """
    try:
        return boto3.session.Session(profile_name=profile)
    except ProfileNotFound as error:
        known = botocore.session.get_session().available_profiles
        there_are = f"there are {', '.join(known)}" if known else "there are none"
        asked = error.kwargs.get("profile", profile)
        raise ConfigError(f"there is no AWS profile {asked!r}; {there_are}") from None


def make_client(
    service: str,
    *,
    session: boto3.session.Session,
    region: str | None = None,
    endpoint_url: str | None = None,
    attempts: int = ATTEMPTS_MAX,
) -> Any:  # noqa: ANN401 - a client
    """A plain client for looking and for tools; workers have their own kind.

    Raises:
        ConfigError: No region, or an endpoint that is none.
        NoCredentials: There are none.
    """
    with told_plainly():
        need_credentials(session)
        return making.make_client(
            session,
            service,
            config=client_config(
                CONNECT_SECONDS, READ_SECONDS, connections=CONNECTIONS, attempts=attempts
            ),
            region=region,
            endpoint_url=endpoint_url,
        )


def check_lease_table(client: DynamoDBClient, name: str) -> None:
    """Refuse what is no lease table.

    Raises:
        TableMissing: There is no such table.
        LeaseTableError: Its key is another one.
    """
    answer = _call("dynamodb:DescribeTable", name, lambda: client.describe_table(TableName=name))
    check_table(name, answer["Table"])


def scan_rows(client: DynamoDBClient, name: str) -> list[Row]:
    """All rows of a lease table, once; rows that cannot be read are among them as `StrangeRow`.

    Raises:
        KclError: Access, credentials, or the service.
    """
    return [decode_row(item) for page in _pages(client, name) for item in page["Items"]]


def _pages(client: DynamoDBClient, name: str) -> Iterator[Mapping[str, Any]]:
    start: Any = None
    while True:
        request = scan_request(name, consistent=False, start=start)
        page = _call("dynamodb:Scan", name, partial(client.scan, **request))
        yield page
        start = page.get("LastEvaluatedKey")
        if not start:
            return


def _call(action: str, name: str, call: Callable[[], Any]) -> Mapping[str, Any]:
    try:
        answer: Mapping[str, Any] = call()
        return answer
    except Exception as error:  # noqa: BLE001 - every exception has a meaning
        if kind_of(error) is FailureKind.GONE:
            raise TableMissing(
                f"there is no lease table {name} in this account and region; check --app (or "
                "table.name), --region and --profile; the first worker creates it"
            ) from None
        raise public_error(error, action) from None
