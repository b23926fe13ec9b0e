"""What is on its way? Single records, and parcels of many that travel as one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec

if TYPE_CHECKING:
    from kcl_py.core.puts import EntrySaid
    from kcl_py.producer.core.kept import Kept

ITEM_BYTES: Final = 400
"""What an accepted record takes in memory besides data and key: objects, references, its share of a
request. Measured: tests/producer/test_memory.py."""


class Item(msgspec.Struct, gc=False, eq=False):
    """One record that was put.

    The garbage collector never looks at it, which would cost a tenth of all that a record costs. So
    nothing that outlives its delivery may lead from it back to it.

    Attributes:
        data, key, hash_key: As they are sent; `data` is let go once it was delivered.
        size: What the service counts: bytes of data and key.
        engine: Who took it in; not looked at here.
        expires: When its time is over; set when it is accepted.
        epoch: How many flushes had begun when it was put; set likewise.
        attempts: How often it was sent.
        error: Code and message of what happened last.
        outcome: What the service said, or how it was handed back; None: still on its way.
        listeners: Who waits for that; None: nobody.
        tag: Goes with it into its failure, for who put it.
    """

    data: bytes
    key: str
    hash_key: str | None
    size: int
    engine: Any = None
    expires: float = 0.0
    epoch: int = 0
    attempts: int = 0
    error: tuple[str, str] | None = None
    outcome: EntrySaid | Kept | None = None
    listeners: list[Any] | None = None
    tag: Any = None

    def __repr__(self) -> str:
        """Neither data nor key in logs."""
        return object.__repr__(self)

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """As above, in tracebacks that show values."""
        return []


class Parcel:
    """Records that were packed into one, for one shard.

    Attributes:
        shard_id: Where it should land.
        map_version: Of the shard map that said so.
        expires: When the time of the first of its records is over.
    """

    __slots__ = (
        "attempts",
        "data",
        "error",
        "expires",
        "hash_key",
        "items",
        "key",
        "map_version",
        "shard_id",
        "size",
    )

    def __init__(self, items: list[Item], data: bytes, *, shard_id: str, map_version: int) -> None:
        first = items[0]
        self.items = items
        self.data = data
        self.key = first.key
        # Not the middle of the shard: after a split the first record is in the right one at least.
        self.hash_key = first.hash_key
        self.size = len(data) + len(first.key.encode())
        self.shard_id = shard_id
        self.map_version = map_version
        self.attempts = max([item.attempts for item in items])
        self.expires = min([item.expires for item in items])
        self.error: tuple[str, str] | None = None


Unit: TypeAlias = Item | Parcel


def items_of(unit: Unit) -> list[Item]:
    """The records of a unit."""
    return unit.items if isinstance(unit, Parcel) else [unit]
