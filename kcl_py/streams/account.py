"""Which streams are there, and how does one come to be?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal

from kcl_py.aws.retry import poll_seconds
from kcl_py.aws.stream_admin import AnswerLost, StreamBusy
from kcl_py.errors import ConfigError, StreamNotFound
from kcl_py.streams.connection import Connection
from kcl_py.streams.stream import TRIES_MAX, Stream

if TYPE_CHECKING:
    import boto3.session

NO_TAGS: Final[Mapping[str, str]] = MappingProxyType({})


def list_streams(
    *,
    region: str | None = None,
    endpoint_url: str | None = None,
    session: boto3.session.Session | None = None,
) -> Sequence[str]:
    """Names of all streams of this account and region, in the order of the service."""
    connection = Connection(None, region=region, endpoint_url=endpoint_url, session=session)
    return tuple(connection.admin.names())


def ensure_stream(
    name: str,
    *,
    shards: int | Literal["on_demand"] = 1,
    wait: bool = True,
    tags: Mapping[str, str] = NO_TAGS,
    region: str | None = None,
    endpoint_url: str | None = None,
    session: boto3.session.Session | None = None,
) -> Stream:
    """Create it unless it exists.

    An existing stream is taken as it is; its shard count is not changed. A new one has one shard
    unless told; `kcl stream create` without `--shards` makes an on-demand stream.

    Args:
        name: Of the stream; an ARN cannot be chosen.
        shards: How many, or "on_demand".
        wait: Until it is ACTIVE, and until one of this name that is being deleted is gone.
        tags: Of a new stream.
        region: None: as boto3 finds it.
        endpoint_url: Another address for Kinesis; None: as boto3 finds it.
        session: Asked for clients; never changed. None: the default chain of boto3.

    Raises:
        ConfigError: The name, or the number of shards.
        StreamBusy: Without `wait`: one of this name is being deleted.
        KclError: It could not be made.
    """
    stream = Stream(name, region=region, endpoint_url=endpoint_url, session=session)
    create(stream, shards=shards, wait=wait, tags=tags)
    if wait:
        stream._wait_until_active()  # noqa: SLF001 - of one family
    return stream


def create(
    stream: Stream, *, shards: int | Literal["on_demand"], wait: bool, tags: Mapping[str, str]
) -> bool:
    """Create it, without waiting for it; False: it exists already.

    Args:
        stream: A handle on what is to be.
        shards: How many, or "on_demand".
        wait: Until one of this name that is being deleted is gone.
        tags: Of a new stream.
    """
    connection = stream._connection  # noqa: SLF001 - of one family
    address = connection.address
    if address.arn is not None:
        raise ConfigError("a stream is created by its name; the service makes the ARN")
    parameters = {"StreamName": address.name, **_size(shards)}
    tags_at_birth = bool(tags) and connection.admin.takes_tags_at_birth()
    if tags_at_birth:
        parameters["Tags"] = dict(tags)
    is_new = _create(stream, parameters, wait=wait)
    if is_new and tags and not tags_at_birth:
        stream.wait_active()
        stream.set_tags(tags)
    return is_new


def _create(stream: Stream, parameters: Mapping[str, Any], *, wait: bool) -> bool:
    connection = stream._connection  # noqa: SLF001 - as above
    lost = 0
    while True:
        try:
            connection.admin.change("CreateStream", connection.address, **parameters)
            return True
        except StreamBusy as busy:
            if not _is_leaving(stream, busy, wait=wait):
                # After a lost answer it is there because we made it.
                return lost > 0
        except AnswerLost:
            lost += 1
            if lost >= TRIES_MAX:
                raise
            connection.patience.sleep(poll_seconds(lost))


def _is_leaving(stream: Stream, busy: StreamBusy, *, wait: bool) -> bool:
    """A stream of this name is being deleted, or is gone by now: try again."""
    try:
        status = stream.describe().status
    except StreamNotFound:
        return True
    if status != "DELETING":
        return False
    if not wait:
        raise StreamBusy(
            f"the stream {stream._connection.address.name} is being deleted; "  # noqa: SLF001
            "create it again when it is gone"
        ) from busy
    stream._wait_gone()  # noqa: SLF001 - as above
    return True


def _size(shards: int | Literal["on_demand"]) -> dict[str, Any]:
    if shards == "on_demand":
        return {"StreamModeDetails": {"StreamMode": "ON_DEMAND"}}
    if type(shards) is not int or shards < 1:
        raise ConfigError(f"shards = {shards!r} is not allowed; use 1 or more, or 'on_demand'")
    return {"ShardCount": shards}
