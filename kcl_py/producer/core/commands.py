"""What may the core ask for?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from kcl_py.producer.core.units import Unit


class Send:
    """Send one PutRecords, once.

    Attributes:
        send_id: Named in the answer.
        size: Bytes of data and keys.
        began_at: When it was given out.
    """

    __slots__ = ("began_at", "send_id", "size", "units")

    def __init__(self, send_id: int, units: list[Unit], size: int, began_at: float) -> None:
        self.send_id = send_id
        self.units = units
        self.size = size
        self.began_at = began_at


@dataclass(frozen=True, slots=True)
class ListShards:
    """List the shards of the stream."""


Command: TypeAlias = Send | ListShards
