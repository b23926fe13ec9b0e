"""How does a producer pack user records into one record, and how large will that be?"""

from __future__ import annotations

import hashlib
from typing import Final, NamedTuple, final

from kcl_py.aggregation.hash_keys import parse_hash_key, utf8
from kcl_py.aggregation.wire import (
    DATA,
    FRAME_BYTES,
    HASH_KEY_INDEX,
    HASH_KEYS,
    KEY_INDEX,
    KEYS,
    MAGIC,
    RECORDS,
    append_varint,
    varint_size,
)

_WORTHWHILE_COUNT: Final = 2


class _Addition(NamedTuple):
    """What one user record adds.

    Attributes:
        key_index: Of its key, in the table as it will be.
        new_key: Its key, if it is not in the table yet.
        fields_bytes: Of the user record, without its own tag and size.
        size_bytes: Of everything.
    """

    key_index: int
    new_key: bytes | None
    hash_index: int | None
    new_hash_key: bytes | None
    fields_bytes: int
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
        self._indices: dict[str, int] = {}
        self._hash_indices: dict[str, int] = {}
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
        addition = self._addition(len(data), partition_key, explicit_hash_key)
        if self._size_bytes + addition.size_bytes > self.size_bytes_max:
            return False
        if addition.new_key is not None:
            self._indices[partition_key] = addition.key_index
            _append_bytes(self._keys, KEYS, addition.new_key)
        if addition.new_hash_key is not None and explicit_hash_key is not None:
            self._hash_indices[explicit_hash_key] = len(self._hash_indices)
            _append_bytes(self._hash_keys, HASH_KEYS, addition.new_hash_key)
        self._append_record(data, addition)
        if not self._count:
            self._partition_key = partition_key
        self._count += 1
        self._size_bytes += addition.size_bytes
        return True

    def encode(self) -> bytes:
        """Write the data of the record. Changes nothing: user records can still be added.

        Raises:
            ValueError: There is no user record.
        """
        if not self._count:
            raise ValueError("an aggregate without user records is no record; add one first")
        message = b"".join((self._keys, self._hash_keys, self._records))
        return MAGIC + message + hashlib.md5(message, usedforsecurity=False).digest()

    def _addition(self, data_bytes: int, key: str, hash_key: str | None) -> _Addition:
        index = self._indices.get(key)
        new_key = new_hash_key = hash_index = None
        size = 0
        if index is None:
            index = len(self._indices)
            new_key = utf8(key)
            size += _field_size(len(new_key))
        fields = 1 + varint_size(index) + _field_size(data_bytes)
        if hash_key is not None:
            hash_index = self._hash_indices.get(hash_key)
            if hash_index is None:
                parse_hash_key(hash_key)
                hash_index = len(self._hash_indices)
                new_hash_key = hash_key.encode()
                size += _field_size(len(new_hash_key))
            fields += 1 + varint_size(hash_index)
        size += _field_size(fields)
        if not self._count and new_key is not None:
            size += FRAME_BYTES + len(new_key)
        return _Addition(index, new_key, hash_index, new_hash_key, fields, size)

    def _append_record(self, data: bytes, addition: _Addition) -> None:
        records = self._records
        records.append(RECORDS)
        append_varint(records, addition.fields_bytes)
        records.append(KEY_INDEX)
        append_varint(records, addition.key_index)
        if addition.hash_index is not None:
            records.append(HASH_KEY_INDEX)
            append_varint(records, addition.hash_index)
        _append_bytes(records, DATA, data)


def _field_size(content_bytes: int) -> int:
    """Bytes of a field with a size before it: tag, size, content."""
    return 1 + varint_size(content_bytes) + content_bytes


def _append_bytes(to: bytearray, tag: int, content: bytes) -> None:
    to.append(tag)
    append_varint(to, len(content))
    to += content
