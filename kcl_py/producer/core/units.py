"""What is on its way? Single records, and parcels of many that travel as one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from kcl_py.core.puts import EntrySaid
    from kcl_py.producer.core.kept import Kept

ITEM_BYTES: Final = 400
"""What an accepted record takes in memory besides data and key: objects, references, its share of a
request. Measured: tests/producer/test_memory.py."""


class Item:
    """One record that was put.

    Attributes:
        data, key, hash_key: As they are sent; `data` is let go once it was delivered.
        size: What the service counts: bytes of data and key.
        expires: When its time is over.
        epoch: How many flushes had begun when it was put.
        attempts: How often it was sent.
        error: Code and message of what happened last.
        outcome: What the service said, or how it was handed back; None: still on its way.
        listeners: Who waits for that; None: nobody.
    """

    __slots__ = (
        "__weakref__",
        "attempts",
        "data",
        "epoch",
        "error",
        "expires",
        "hash_key",
        "key",
        "listeners",
        "outcome",
        "size",
    )

    # Set when it is accepted.
    expires: float
    epoch: int

    def __init__(self, data: bytes, key: str, hash_key: str | None, size: int) -> None:
        self.data = data
        self.key = key
        self.hash_key = hash_key
        self.size = size
        self.attempts = 0
        self.error: tuple[str, str] | None = None
        self.outcome: EntrySaid | Kept | None = None
        self.listeners: list[Any] | None = None


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
        self.attempts = max(item.attempts for item in items)
        self.expires = min(item.expires for item in items)
        self.error: tuple[str, str] | None = None


Unit: TypeAlias = Item | Parcel


def items_of(unit: Unit) -> list[Item]:
    """The records of a unit."""
    return unit.items if isinstance(unit, Parcel) else [unit]
