"""What is told to whoever asked, when something is not as they thought?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from kcl_py.core.events import Failure, FailureKind
from kcl_py.errors import (
    AccessDenied,
    ConfigError,
    KclError,
    SetupError,
    StreamNotFound,
    Throttled,
    Unavailable,
)

if TYPE_CHECKING:
    from kcl_py.core.shards.graph import Shard

NAMED_MAX: Final = 5
"""How many things a message lists."""

_LOCATES: Final = "kinesis:GetShardIterator"


def error_of(failure: Failure, shard_id: str | None = None) -> KclError:
    """What to raise for a read that failed for good.

    Args:
        failure: Why.
        shard_id: Where.
    """
    where = f" ({shard_id})" if shard_id else ""
    said = f"{failure.action}{where}: {failure.message}"
    match failure.kind:
        case FailureKind.DENIED:
            return AccessDenied(failure.message, action=failure.action)
        case FailureKind.GONE:
            return StreamNotFound(
                f"there is no such stream ({said}); check name, region and account; "
                "`kcl stream list` shows those that there are"
            )
        case FailureKind.THROTTLED:
            return Throttled(f"reading was throttled too long ({said}); too many read this stream")
        case FailureKind.INVALID if failure.action == _LOCATES:
            return ConfigError(
                f"there is no such place in this shard ({said}); check shard and sequence number"
            )
        case FailureKind.INVALID | FailureKind.EXPIRED:
            return SetupError(f"the read was refused ({said})")
        case _:
            return Unavailable(f"no usable answer ({said}); check network, endpoint and region")


def unknown_shard(shard_id: str, listed: Mapping[str, Shard]) -> ConfigError:
    """There is no such shard."""
    near = get_close_matches(shard_id, list(listed), n=1, cutoff=0.8)
    instead = f"did you mean {near[0]}?" if near else f"there are {some_of(listed)}"
    return ConfigError(f"there is no shard {shard_id}, or its records are all past; {instead}")


def some_of(names: Iterable[str]) -> str:
    """The first of many names."""
    every = list(names)
    more = len(every) - NAMED_MAX
    return ", ".join(every[:NAMED_MAX]) + (f" and {more} more" if more > 0 else "")
