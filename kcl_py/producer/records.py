"""Can this record be put? Data, key and hash key as the service wants them, or a named refusal."""

from __future__ import annotations

from typing import Final

from kcl_py.aggregation import HASH_KEY_MAX
from kcl_py.aggregation.hash_keys import parse_hash_key
from kcl_py.core.puts import KEY_CHARACTERS_MAX
from kcl_py.errors import RecordRefused

_HASH_KEY_TEXT: Final = "hash_key must be a whole number from 0 to 2**128 - 1"


def key_bytes(key: str) -> int:
    """Return how many bytes a partition key counts.

    Raises:
        RecordRefused: It is no text, empty, too long, or no UTF-8.
    """
    if not isinstance(key, str):
        raise RecordRefused(f"key must be text, not {type(key).__name__}")
    length = len(key)
    if not 0 < length <= KEY_CHARACTERS_MAX:
        problem = "is empty" if not length else f"has {length} characters"
        raise RecordRefused(f"key {problem}; use 1 to {KEY_CHARACTERS_MAX} characters")
    if key.isascii():
        return length
    try:
        return len(key.encode())
    except UnicodeEncodeError:
        pass
    raise RecordRefused("key has half of a surrogate pair, which UTF-8 cannot hold")


def hash_key_text(hash_key: str | int) -> str:
    """Return an explicit hash key in decimal.

    Raises:
        RecordRefused: It is none.
    """
    if isinstance(hash_key, int) and not isinstance(hash_key, bool):
        if 0 <= hash_key <= HASH_KEY_MAX:
            return str(hash_key)
        raise RecordRefused(_HASH_KEY_TEXT)
    if isinstance(hash_key, str):
        try:
            return str(parse_hash_key(hash_key))
        except ValueError:
            pass
        raise RecordRefused(f"{_HASH_KEY_TEXT}, as a number or in decimal digits")
    raise RecordRefused(f"{_HASH_KEY_TEXT}, not {type(hash_key).__name__}")
