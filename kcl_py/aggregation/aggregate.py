"""How does a producer pack user records into one record, and how large will that be?"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final, NamedTuple, Protocol, final

from kcl_py.aggregation.hash_keys import parse_hash_key, utf8
from kcl_py.aggregation.wire import (
    DATA,
    FRAME_BYTES,
    HASH_KEY_INDEX,
    HASH_KEYS,
    KEY_INDEX,
    KEYS,
    MAGIC,
    MORE,
    RECORDS,
    append_varint,
)

_WORTHWHILE_COUNT: Final = 2

_LOW: Final = MORE - 1
_TWO_BYTES_END: Final = 1 << 14

USER_RECORD_BYTES_MAX: Final = 14
"""What a user record adds at most besides its data and keys, up to 2 MiB of data, 16 KiB of key and
16,384 keys: tags, sizes of at most three and two bytes, an index of two."""

HASH_KEY_BYTES_MAX: Final = 2 + len(str(2**128 - 1)) + 3
"""What an explicit hash key adds at most to that."""


def _spelled(tag: int, number: int) -> bytes:
    """A tag, and a number or the size of what follows."""
    if number < MORE:
        return bytes((tag, number))
    if number < _TWO_BYTES_END:
        return bytes((tag, number & _LOW | MORE, number >> 7))
    spelled = bytearray((tag,))
    append_varint(spelled, number)
    return bytes(spelled)


_TABLE_END: Final = 1_024
_SIZED, _INDICES, _KEYED = (
    tuple(_spelled(tag, number) for number in range(_TABLE_END)) for tag in (DATA, KEY_INDEX, KEYS)
)
"""What is spelled for every record, beforehand. The tags of user records and of data are the same.
"""
assert DATA == RECORDS


class _Addition(NamedTuple):
    """What one user record adds.

    Attributes:
        key_index: Of its key in the table, as a field.
        new_key: Its key as a field, if it is not in the table yet.
        hash_index, new_hash_key: Likewise, if it has an explicit hash key.
        head: What stands before its data, all of it.
        size_bytes: Of everything.
    """

    key_index: bytes
    new_key: bytes
    hash_index: bytes
    new_hash_key: bytes
    head: bytes
    size_bytes: int


@final
class Aggregate:
    """User records that travel as one record, packed as the KPL does it.

    The record that is put to the stream has `encode()` for data and `partition_key` for partition
    key, which is that of the first user record. Only the service's view of it decides to which
    shard it goes, so put only user records together that belong to one shard, and see to an
    explicit hash key yourself if the first partition key does not lead there (the KPL always gives
    one, and the partition key "a").

    A user record that is alone is larger packed than plain: put it as it is unless
    `is_worthwhile`.

    Not thread-safe.

    Args:
        size_bytes_max: The most that `size_bytes` may become: the limit of the stream for one
            record, or less.
    """

    __slots__ = (
        "_count",
        "_hash_indices",
        "_hash_keys",
        "_indices",
        "_keys",
        "_partition_key",
        "_records",
        "_size_bytes",
        "size_bytes_max",
    )

    def __init__(self, *, size_bytes_max: int) -> None:
        self.size_bytes_max = size_bytes_max
        self._indices: dict[str, bytes] = {}
        self._hash_indices: dict[str, bytes] = {}
        self._keys = bytearray()
        self._hash_keys = bytearray()
        self._records = bytearray()
        self._partition_key = ""
        self._size_bytes = 0
        self._count = 0

    @property
    def count(self) -> int:
        """Number of user records."""
        return self._count

    @property
    def size_bytes(self) -> int:
        """What the service counts: the encoded data plus the partition key; 0 if it is empty.

        Source: PutRecord ("when the data blob is added to the partition key size").
        """
        return self._size_bytes

    @property
    def partition_key(self) -> str:
        """The key of the first user record; empty if there is none."""
        return self._partition_key

    @property
    def is_worthwhile(self) -> bool:
        """There are two user records or more; one alone should be put as it is."""
        return self._count >= _WORTHWHILE_COUNT

    def size_with(
        self, data: bytes, partition_key: str, explicit_hash_key: str | None = None
    ) -> int:
        """Say exactly what `size_bytes` would be with one more user record; changes nothing.

        Raises:
            ValueError: As `add`.
        """
        addition = self._addition(len(data), partition_key, explicit_hash_key)
        return self._size_bytes + addition.size_bytes

    def add(self, data: bytes, partition_key: str, explicit_hash_key: str | None = None) -> bool:
        """Add a user record; False, and nothing is changed, if it does not fit.

        One that does not even fit into an empty aggregate may still fit into a record of its own.

        Raises:
            ValueError: The partition key is no text that can be written as UTF-8, or the explicit
                hash key is no number of 128 bits (the Java KCL would lose user records over it).
        """
        index, new_key, hash_index, new_hash_key, head, size = self._addition(
            len(data), partition_key, explicit_hash_key
        )
        if self._size_bytes + size > self.size_bytes_max:
            return False
        if new_key:
            self._indices[partition_key] = index
            self._keys += new_key
        if new_hash_key and explicit_hash_key is not None:
            self._hash_indices[explicit_hash_key] = hash_index
            self._hash_keys += new_hash_key
        self._records += head
        self._records += data
        if not self._count:
            self._partition_key = partition_key
        self._count += 1
        self._size_bytes += size
        return True

    def encode(self) -> bytes:
        """Write the data of the record. Changes nothing: user records can still be added.

        Raises:
            ValueError: There is no user record.
        """
        if not self._count:
            raise ValueError("an aggregate without user records is no record; add one first")
        return _sealed(b"".join((self._keys, self._hash_keys, self._records)))

    def _addition(self, data_bytes: int, key: str, hash_key: str | None) -> _Addition:
        index = self._indices.get(key)
        new_key = new_hash_key = hash_index = b""
        size = data_bytes
        if index is None:
            written = utf8(key)
            if not self._count:
                size += FRAME_BYTES + len(written)
            number = len(self._indices)
            index = _INDICES[number] if number < _TABLE_END else _spelled(KEY_INDEX, number)
            new_key = _field(KEYS, written)
        fields = index
        if hash_key is not None:
            known = self._hash_indices.get(hash_key)
            if known is None:
                parse_hash_key(hash_key)
                known = _spelled(HASH_KEY_INDEX, len(self._hash_indices))
                new_hash_key = _field(HASH_KEYS, hash_key.encode())
            hash_index = known
            fields += known
        fields += _sized(data_bytes)
        head = _sized(len(fields) + data_bytes) + fields
        size += len(new_key) + len(new_hash_key) + len(head)
        return _Addition(index, new_key, hash_index, new_hash_key, head, size)


class UserRecord(Protocol):
    """A user record to be packed. Keys are known to be good ones."""

    @property
    def data(self) -> bytes:
        """As the user put it."""

    @property
    def key(self) -> str:
        """Partition key."""

    @property
    def hash_key(self) -> str | None:
        """Explicit hash key, in decimal."""


def aggregate_all(records: Iterable[UserRecord]) -> bytes:
    """Write the data of a record as `Aggregate` does, all user records at once.

    Keys are not checked, and there must be a record.
    """
    indices: dict[str, bytes] = {}
    hash_indices: dict[str, bytes] = {}
    parts: list[bytes] = []
    for record in records:
        key, data, hash_key = record.key, record.data, record.hash_key
        size = len(data)
        fields = indices.get(key)
        if fields is None:
            number = len(indices)
            fields = _INDICES[number] if number < _TABLE_END else _spelled(KEY_INDEX, number)
            indices[key] = fields
        if hash_key is not None:
            hash_index = hash_indices.get(hash_key)
            if hash_index is None:
                hash_index = hash_indices[hash_key] = _spelled(HASH_KEY_INDEX, len(hash_indices))
            fields += hash_index
        tail = _SIZED[size] if size < _TABLE_END else _sized(size)
        size += len(fields) + len(tail)
        parts += (_SIZED[size] if size < _TABLE_END else _sized(size), fields, tail, data)
    return _sealed(b"".join((*_table(KEYS, indices), *_table(HASH_KEYS, hash_indices), *parts)))


def _table(tag: int, texts: Iterable[str]) -> list[bytes]:
    return [_field(tag, text.encode()) for text in texts]


def _field(tag: int, text: bytes) -> bytes:
    size = len(text)
    is_usual = tag == KEYS and size < _TABLE_END
    return (_KEYED[size] if is_usual else _spelled(tag, size)) + text


def _sealed(message: bytes) -> bytes:
    return MAGIC + message + hashlib.md5(message, usedforsecurity=False).digest()


def _sized(size: int) -> bytes:
    """What stands before a user record, or its data, of this size."""
    return _SIZED[size] if size < _TABLE_END else _spelled(DATA, size)
