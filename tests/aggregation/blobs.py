"""What aggregated records are there? Honest ones in every spelling, and a record around them.

Written without the code that is tested, so that the two cannot be wrong together.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TypeAlias

from hypothesis import strategies as st

from kcl_py.records import Record

MAGIC = b"\xf3\x89\x9a\xc2"
SEQUENCE_NUMBER = "49590338271490256608559692538361571095921575989136588898"
User: TypeAlias = tuple[bytes, str, str | None]
"""Data, partition key, explicit hash key."""


def varint(value: int, *, longer: int = 0) -> bytes:
    """A number; with `longer` in more bytes than it needs, which is allowed."""
    groups = [value >> shift & 0x7F for shift in range(0, max(value.bit_length(), 1), 7)]
    groups += [0] * longer
    return bytes([group | 0x80 for group in groups[:-1]] + groups[-1:])


def number(field: int, value: int, *, longer: int = 0) -> bytes:
    return varint(field << 3) + varint(value, longer=longer)


def sized(field: int, content: bytes, *, longer: int = 0) -> bytes:
    return varint(field << 3 | 2) + varint(len(content), longer=longer) + content


def user_record(data: bytes, index: int = 0, hash_index: int | None = None) -> bytes:
    middle = b"" if hash_index is None else number(2, hash_index)
    return sized(3, number(1, index) + middle + sized(3, data))


def tag(key: str, value: str | None = None) -> bytes:
    return sized(4, sized(1, key.encode()) + (b"" if value is None else sized(2, value.encode())))


def sealed(message: bytes) -> bytes:
    return MAGIC + message + hashlib.md5(message).digest()


def outer(data: bytes, sequence_number: str = SEQUENCE_NUMBER) -> Record:
    return Record(
        sequence_number=sequence_number,
        data=data,
        partition_key="a",
        arrival_timestamp=1_790_000_000.25,
    )


def aggregated(*messages: bytes, sequence_number: str = SEQUENCE_NUMBER) -> Record:
    return outer(sealed(b"".join(messages)), sequence_number)


def seen(records: object) -> list[User]:
    """What of records the producer gave."""
    assert isinstance(records, (list, tuple))
    return [(each.data, each.partition_key, each.explicit_hash_key) for each in records]


# --------------------------------------------------------------------------------------- strategies

HASH_KEYS = st.integers(0, 2**128 - 1).map(str)
KEYS = st.sampled_from(["", "a", "k\n\x01", "0123456789", "schl\u00fcssel", "x" * 130]) | st.text()
DATA = st.binary(max_size=40) | st.integers(100, 300).map(bytes) | st.sampled_from([MAGIC, b""])
USERS = st.tuples(DATA, KEYS, st.none() | HASH_KEYS)
PLAIN_USERS = st.tuples(DATA, KEYS, st.none())
MANY_USERS = st.lists(USERS, min_size=1, max_size=30) | st.lists(
    PLAIN_USERS, min_size=1, max_size=30
)
ROOM = sized(9, bytes(140))
"""An unknown field at the end: so much must come behind what is read as small user records."""

LONGER = st.sampled_from([0, 0, 0, 0, 1, 3])
"""With three more a size has five bytes, which is what every protobuf reads."""


UNKNOWN_FIELDS = st.one_of(
    st.builds(number, st.integers(5, 2**29 - 1), st.integers(0, 2**64 - 1)),
    st.builds(sized, st.integers(5, 2**29 - 1), st.binary(max_size=20)),
    # Our numbers with another wire type count as unknown, too.
    st.builds(number, st.just(4), st.integers(0, 2**64 - 1)),
    st.binary(min_size=8, max_size=8).map(lambda content: varint(3 << 3 | 1) + content),
    st.binary(min_size=4, max_size=4).map(lambda content: varint(1 << 3 | 5) + content),
)
TAGS = st.builds(tag, st.text(max_size=5), st.none() | st.text(max_size=5))


@dataclass(frozen=True)
class Spelled:
    """A message in one of the spellings that the format allows, and what is in it."""

    users: list[User]
    message: bytes


@st.composite
def spelled_messages(draw: st.DrawFn) -> Spelled:
    """Messages that no producer we know writes, and that every reader has to read."""
    users = draw(st.lists(USERS, min_size=1, max_size=8))
    keys: list[str] = []
    hash_keys: list[str] = []
    records = []
    for data, key, hash_key in users:
        fields = [number(1, _index(draw, keys, key), longer=draw(LONGER))]
        fields.append(sized(3, data, longer=draw(LONGER)))
        if hash_key is not None:
            fields.append(number(2, _index(draw, hash_keys, hash_key), longer=draw(LONGER)))
        fields += draw(st.lists(UNKNOWN_FIELDS | TAGS, max_size=2))
        fields = draw(st.permutations(fields))
        # The last of several values counts.
        early = draw(st.sampled_from([[], [number(1, 7_000)], [sized(3, b"early")]]))
        records.append(sized(3, b"".join([*early, *fields]), longer=draw(LONGER)))
    rows = [[sized(1, key.encode()) for key in keys], [sized(2, key.encode()) for key in hash_keys]]
    room = draw(st.sampled_from([b"", ROOM]))
    return Spelled(users, b"".join([*_mixed(draw, [*rows, records]), room]))


def _index(draw: st.DrawFn, table: list[str], key: str) -> int:
    """Where a key is in its table: shared with others, or an entry of its own."""
    if key in table and draw(st.booleans()):
        return table.index(key)
    table.append(key)
    return len(table) - 1


def _mixed(draw: st.DrawFn, rows: list[list[bytes]]) -> list[bytes]:
    """Rows one after the other, or mixed with each other and with unknown fields."""
    if draw(st.booleans()):
        return [field for row in rows for field in row]
    rows = [*rows, draw(st.lists(UNKNOWN_FIELDS, max_size=3))]
    turns = draw(st.permutations([which for which, row in enumerate(rows) for _ in row]))
    queues = [iter(row) for row in rows]
    return [next(queues[which]) for which in turns]
