"""Which stream does a name or an ARN mean? Parsed once, refused early."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from kcl_py.errors import ConfigError

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
