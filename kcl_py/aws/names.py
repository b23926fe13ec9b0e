"""Which stream does a name or an ARN mean? Parsed once, refused early."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from kcl_py.errors import ConfigError

if TYPE_CHECKING:
    import boto3.session

_NAME: Final = re.compile(r"[a-zA-Z0-9_.-]{1,128}")  # Source: Kinesis, StreamName.
_ARN: Final = re.compile(
    r"arn:aws[a-z-]*:kinesis:(?P<region>[a-z0-9-]+):[0-9]{12}:stream/(?P<name>[a-zA-Z0-9_.-]{1,128})"
)


@dataclass(frozen=True, slots=True)
class StreamAddress:
    """How the user names the stream.

    Attributes:
        arn: Only if the user gave one. Requests then carry it, which is what reading a stream of
            another account needs; otherwise they carry the name, which every endpoint understands.
        region: Of the ARN.
    """

    name: str
    arn: str | None = None
    region: str | None = None

    @property
    def parameters(self) -> dict[str, str]:
        """What a request names the stream by."""
        return {"StreamARN": self.arn} if self.arn else {"StreamName": self.name}


@dataclass(frozen=True, slots=True)
class StreamPlace:
    """How a stream is reached: what a handle on it was given.

    Attributes:
        region, endpoint_url, session: None: as boto3 finds it.
    """

    address: StreamAddress
    region: str | None = None
    endpoint_url: str | None = None
    session: boto3.session.Session | None = None


def place_of(stream: object) -> StreamPlace:
    """Read a name, an ARN, or a handle that knows its place.

    Raises:
        ConfigError: It is none of these.
    """
    if isinstance(stream, str):
        return StreamPlace(parse_stream(stream))
    place = getattr(stream, "place", None)
    if isinstance(place, StreamPlace):
        return place
    raise ConfigError(
        f"stream must be a name, an ARN or a kcl_py.streams.Stream, not {type(stream).__name__}"
    )


def parse_stream(text: str) -> StreamAddress:
    """Read a name or an ARN.

    Raises:
        ConfigError: It is neither.
    """
    found = _ARN.fullmatch(text)
    if found:
        return StreamAddress(found["name"], text, found["region"])
    if _NAME.fullmatch(text):
        return StreamAddress(text)
    raise ConfigError(
        f"stream = {text[:200]!r} is neither a stream name (1 to 128 letters, digits, '_', '-' "
        "and '.') nor an ARN (arn:aws:kinesis:REGION:ACCOUNT:stream/NAME)"
    )
