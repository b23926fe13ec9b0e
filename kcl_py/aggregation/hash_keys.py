"""To which hash key does the service map a record, and is that inside of a shard's range?"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import md5
from typing import Final

from kcl_py.records import Record

HASH_KEY_MAX: Final = 2**128 - 1
"""Source: PutRecord; hash keys are unsigned numbers of 128 bits."""

WHOLE_RANGE: Final = (0, HASH_KEY_MAX)

_DIGITS_MAX: Final = len(str(HASH_KEY_MAX))


def hash_key(partition_key: str, explicit_hash_key: str | None = None) -> int:
    """Return the hash key of a record: the explicit one, or else the MD5 of its partition key.

    Source: PutRecord ("an MD5 hash function is used to map partition keys to 128-bit integer
    values"); for user records `AggregatorUtil.effectiveHashKey` of the Java KCL.

    Raises:
        ValueError: The explicit hash key is no number from 0 to `HASH_KEY_MAX`, or the partition
            key is no text that can be written as UTF-8.
    """
    if explicit_hash_key is not None:
        return parse_hash_key(explicit_hash_key)
    return int.from_bytes(md5(utf8(partition_key), usedforsecurity=False).digest())


def parse_hash_key(text: str) -> int:
    """Read an explicit hash key: decimal digits.

    Raises:
        ValueError: It is no number from 0 to `HASH_KEY_MAX`.
    """
    # Checked before int() sees it, whose work on long numbers is not linear.
    if len(text) <= _DIGITS_MAX and text.isascii() and text.isdigit():
        value = int(text)
        if value <= HASH_KEY_MAX:
            return value
    raise ValueError("an explicit hash key is a decimal number from 0 to 2**128 - 1")


def utf8(partition_key: str) -> bytes:
    """Write a partition key as the service does.

    Raises:
        ValueError: It has half of a surrogate pair.
    """
    try:
        return partition_key.encode()
    except UnicodeEncodeError:
        pass
    # Raised outside of the handler: a UnicodeEncodeError holds the key.
    raise ValueError("a partition key is text that can be written as UTF-8; this one cannot")


class StrayDetector:
    """Tells user records outside of a range of hash keys. Hashes each key once.

    Args:
        hash_range: Inclusive.
    """

    def __init__(self, hash_range: tuple[int, int]) -> None:
        self._low, self._high = hash_range
        # A digest is the number's bytes, highest first, so the two compare alike.
        self._ends = tuple(end.to_bytes(16) for end in hash_range)
        self._known: dict[str, bool] = {}

    def strays(self, records: Iterable[Record]) -> list[Record]:
        """Return those records of which it is certain that they belong elsewhere.

        An explicit hash key that is no number belongs nowhere, so it is no stray anywhere.
        """
        known, (low, high), found = self._known, self._ends, []
        for record in records:
            if record.explicit_hash_key is not None:
                stray = self._is_stray(record.partition_key, record.explicit_hash_key)
            else:
                key = record.partition_key
                cached = known.get(key)
                if cached is None:
                    digest = md5(utf8(key), usedforsecurity=False).digest()
                    cached = known[key] = not low <= digest <= high
                stray = cached
            if stray:
                found.append(record)
        return found

    def _is_stray(self, partition_key: str, explicit_hash_key: str) -> bool:
        try:
            return not self._low <= hash_key(partition_key, explicit_hash_key) <= self._high
        except ValueError:
            return False
