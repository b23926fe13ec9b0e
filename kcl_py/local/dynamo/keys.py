"""Where does an item lie in a table or an index?

A place is `(hash, partition value, sort value)`, for an index followed by the place in the table.
Places order a whole table the way it is scanned: partitions by hash, a partition by sort value.
"""

from __future__ import annotations

import zlib
from typing import Any, NamedTuple, TypeAlias

from kcl_py.local.dynamo.values import Item, Value, as_number, text_size
from kcl_py.local.errors import AwsError, invalid

Place: TypeAlias = tuple[Any, ...]

_PARTITION_BYTES_MAX = 2048
_SORT_BYTES_MAX = 1024
HASHES = 1 << 32


class KeySchema(NamedTuple):
    """The names and types of a key's attributes."""

    partition: str
    partition_kind: str
    sort: str | None = None
    sort_kind: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """One or two attributes."""
        return (self.partition,) if self.sort is None else (self.partition, self.sort)

    def place_of_key(self, key: Any) -> Place:  # noqa: ANN401
        """The place named by a request's key, which holds exactly the key's attributes."""
        if not isinstance(key, dict) or len(key) != len(self.names):
            raise _not_the_schema()
        return self.place(key)

    def place(self, item: Item) -> Place:
        """The place of an item that must have the key."""
        place = self.place_if_any(item)
        if place is None:
            raise _not_the_schema()
        return place

    def place_if_any(self, item: Item) -> Place | None:
        """The place of an item, or None when it lacks an attribute of the key."""
        value = item.get(self.partition)
        if value is None:
            return None
        content = _content(self.partition, self.partition_kind, value, _PARTITION_BYTES_MAX)
        raw = content if type(content) is bytes else str(content).encode()
        if self.sort is None or self.sort_kind is None:
            return (zlib.crc32(raw), content, 0)
        sort_value = item.get(self.sort)
        if sort_value is None:
            return None
        sort_content = _content(self.sort, self.sort_kind, sort_value, _SORT_BYTES_MAX)
        return (zlib.crc32(raw), content, sort_content)


def _not_the_schema() -> AwsError:
    return invalid("the key of the request does not match the schema of the table or index")


def _content(name: str, kind: str, value: Value, size_max: int) -> Any:  # noqa: ANN401
    content = value.get(kind)
    if content is None:
        raise invalid(f"type mismatch for key {name}: expected {kind}")
    if kind == "N":
        return as_number(content)
    if not content:
        raise invalid(f"the key attribute {name} must not be empty")
    if (text_size(content) if kind == "S" else len(content)) > size_max:
        raise invalid(f"the key attribute {name} is longer than {size_max} bytes")
    return content
