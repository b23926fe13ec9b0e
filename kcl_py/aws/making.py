"""How is a client of boto3 made? With timeouts of ours, and a plain word when it cannot be.

Making clients is not thread-safe; whoever makes them does it once, at start.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, InvalidRegionError, NoRegionError

from kcl_py.aws.failures import public_error
from kcl_py.errors import ConfigError, KclError, NoCredentials

if TYPE_CHECKING:
    import boto3.session


def client_config(
    connect_seconds: float,
    read_seconds: float,
    *,
    connections: int,
    validate: bool = True,
    attempts: int = 1,
) -> Config:
    """What all our clients share.

    Args:
        connect_seconds: For a connection.
        read_seconds: For silence, not for a whole answer.
        connections: How many threads use it at most.
        validate: Off where requests hold nothing but what we spelled ourselves.
        attempts: How often a call is sent at most.
    """
    return Config(
        # `max_attempts` would count the retries.
        retries={"total_max_attempts": attempts, "mode": "standard"},
        connect_timeout=connect_seconds,
        read_timeout=read_seconds,
        max_pool_connections=connections,
        tcp_keepalive=True,
        parameter_validation=validate,
        user_agent_extra="lib/kcl_py",
    )


def make_client(
    session: boto3.session.Session,
    service: str,
    *,
    config: Config,
    region: str | None,
    endpoint_url: str | None,
    **more: Any,  # noqa: ANN401 - whatever boto3.client takes
) -> Any:  # noqa: ANN401 - a client
    """Ask a session for a client; to be called in `told_plainly`.

    Args:
        session: Only asked, never changed.
        service: Its name in boto3.
        config: See `client_config`.
        region: None: that of the session.
        endpoint_url: None: as boto3 finds it.
        more: More of what `boto3.client` takes.

    Raises:
        ConfigError: The endpoint is none.
    """
    try:
        client = session.client(  # type: ignore[call-overload]  # the service is no literal here
            service, config=config, region_name=region, endpoint_url=endpoint_url, **more
        )
    except ValueError as error:
        if isinstance(error, BotoCoreError):
            raise
        if endpoint_url is None:
            raise ConfigError(
                f"the endpoint of {service} is no URL; look at AWS_ENDPOINT_URL, at "
                f"AWS_ENDPOINT_URL_{service.upper()}, in the files of AWS, and at the region"
            ) from None
        raise ConfigError(f"the endpoint {endpoint_url!r} of {service} is no URL") from None
    if endpoint_url is None:
        _warn_of_empty_variables(service, client)
    return client


def _warn_of_empty_variables(service: str, client: Any) -> None:  # noqa: ANN401 - of boto3
    """An empty variable, as of a script whose engine did not start, leads to AWS itself."""
    for name in ("AWS_ENDPOINT_URL", f"AWS_ENDPOINT_URL_{service.upper()}"):
        if os.environ.get(name) == "":
            warnings.warn(
                f"{name} is set and empty, which boto3 takes for not set: {service} is reached at "
                f"{client.meta.endpoint_url}; give it an address, or unset it",
                stacklevel=2,
            )


def need_credentials(session: boto3.session.Session) -> None:
    """Refuse a session without credentials.

    Raises:
        NoCredentials: It has none.
    """
    if session.get_credentials() is None:
        raise NoCredentials(
            "no AWS credentials were found; set a profile (AWS_PROFILE, --profile), a role, or keys"
        )


@contextmanager
def told_plainly() -> Iterator[None]:
    """Turn what boto3 raises while clients are made into errors of ours.

    Raises:
        ConfigError: No region, a bad profile or endpoint.
        NoCredentials: There are none.
    """
    try:
        yield
    except KclError:
        raise
    except NoRegionError:
        raise ConfigError(
            "no AWS region is known; set region in the configuration (--region), "
            "AWS_DEFAULT_REGION, or the region of the profile"
        ) from None
    except InvalidRegionError as error:
        region = error.kwargs.get("region_name")
        raise ConfigError(
            f"{region!r} is no name of a region; write one as eu-central-1 (--region, "
            "AWS_DEFAULT_REGION, or the region of the profile)"
        ) from None
    except BotoCoreError as error:
        raise public_error(error, "boto3:client") from None
