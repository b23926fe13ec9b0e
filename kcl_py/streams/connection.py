"""How does a handle on a stream reach the service? One client, made when it is first needed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from kcl_py.aws.names import StreamAddress, parse_stream
from kcl_py.aws.retry import Patience
from kcl_py.aws.stream import StreamReader
from kcl_py.aws.stream_admin import StreamAdmin, make_stream_client
from kcl_py.errors import ConfigError

if TYPE_CHECKING:
    import boto3.session
    from mypy_boto3_kinesis import KinesisClient


WAIT_SECONDS: Final = 300.0
"""How long a change waits for the stream to be ACTIVE, before and after, each time."""


class Connection:
    """What all calls about a stream go through. Thread-safe.

    Args:
        name_or_arn: None: no stream in particular.

    Raises:
        ConfigError: The name or the URL is none.
    """

    def __init__(
        self,
        name_or_arn: str | None,
        *,
        region: str | None,
        endpoint_url: str | None,
        session: boto3.session.Session | None,
    ) -> None:
        if endpoint_url is not None and not endpoint_url.startswith(("http://", "https://")):
            raise ConfigError(
                f"endpoint_url = {endpoint_url!r} must start with http:// or https://"
            )
        self._address = None if name_or_arn is None else parse_stream(name_or_arn)
        self.region = region
        self.endpoint_url = endpoint_url
        self.session = session
        self._lock = threading.Lock()
        self._client: KinesisClient | None = None
        self.clock: Callable[[], float] = time.monotonic
        self.patience = Patience()
        self.wait_seconds = WAIT_SECONDS

    @property
    def address(self) -> StreamAddress:
        """How the user names the stream."""
        assert self._address is not None
        return self._address

    @property
    def client(self) -> KinesisClient:
        """Made once.

        Raises:
            ConfigError: No region, or an endpoint that is none.
            NoCredentials: There are none.
        """
        with self._lock:
            if self._client is None:
                self._client = self.new_client()
            return self._client

    def new_client(self) -> KinesisClient:
        """Another one, with connections of its own."""
        return make_stream_client(
            self._address,
            session=self.session,
            region=self.region,
            endpoint_url=self.endpoint_url,
        )

    @property
    def admin(self) -> StreamAdmin:
        """For calls that describe and change."""
        return StreamAdmin(self.client, self.patience)

    @property
    def listing(self) -> StreamReader:
        """For lists of shards."""
        return StreamReader(client=self.client, stream=self.address, patience=self.patience)
