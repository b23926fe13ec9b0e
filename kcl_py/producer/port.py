"""What does a producer need of AWS?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from kcl_py.core.events import Failure
    from kcl_py.core.puts import Outgoing, PutSaid
    from kcl_py.core.shards.graph import Shard


class Port(Protocol):
    """The way to the stream. Thread-safe; never raises."""

    def put(self, units: Sequence[Outgoing], /) -> PutSaid:
        """Send one PutRecords, once."""

    def list_shards(self) -> Sequence[Shard] | Failure:
        """List the shards of the stream."""

    def close(self) -> None:
        """Close all connections."""
