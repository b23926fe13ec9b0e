"""Which user records does a message hold? A parser by hand, because it runs for every record.

Three loops read user records, and each goes on where the one before stopped. The first knows small
ones without explicit hash keys, and takes each out of the blob in one step. The second knows what
producers write. The third knows everything that the format allows.

Some look a few bytes past the end of the message, where the 16 of the digest are; none ends there.
"""

from __future__ import annotations

from struct import Struct
from typing import Final, NamedTuple

from kcl_py.aggregation.unopened import UnopenedError, WhyUnopened
from kcl_py.aggregation.wire import (
    DATA,
    DIGEST_BYTES,
    HASH_KEY_INDEX,
    HASH_KEYS,
    KEY_INDEX,
    KEYS,
    MAGIC,
    MORE,
    RECORDS,
    TAG_KEY,
    TAG_VALUE,
    TAGS,
    read_varint,
    skip_field,
)
from kcl_py.records import Record

_START: Final = len(MAGIC)
_TWO_BYTES: Final = (1 << 14) - 1
"""The largest number that a varint of two bytes can be."""

_FIELDS: Final = frozenset({KEY_INDEX, HASH_KEY_INDEX, DATA})

# A size and as many bytes are what `struct` calls a Pascal string. These hold 126 bytes, and a user
# record below 128 bytes has 123 of data at most: what was cut here cannot pass for whole.
_small: Final = Struct("5B127p")
_small_wide: Final = Struct("6B127p")

# As many bytes as the second loop may need. Thanks to the digest there are always enough.
_head: Final = Struct("9B").unpack_from
_tail: Final = Struct("5B").unpack_from


class _Tables(NamedTuple):
    """Keys by index.

    Attributes:
        are_whole: Whoever finds more entries may step over them: they were read.
    """

    keys: list[str]
    hash_keys: list[str]
    are_whole: bool


class _TablesGoOnError(Exception):
    """Keys come after user records, which the format allows."""


def read_user_records(outer: Record, *, user_records_max: int) -> list[Record]:
    """Read the user records of an aggregated record whose frame was checked.

    Work and memory are linear in the size of the data: all user records with one key share one
    string.

    Args:
        outer: As the service gave it.
        user_records_max: Also the most keys that one table may have.

    Returns:
        At least one; `sub_sequence_number` is the index in the message.

    Raises:
        UnopenedError: Says why not.
    """
    try:
        records = _read_records(outer, user_records_max)
    except UnicodeDecodeError:
        why = WhyUnopened.NOT_UTF8
    except IndexError:
        why = WhyUnopened.NO_SUCH_KEY
    else:
        if records:
            return records
        why = WhyUnopened.EMPTY
    # Raised outside of the handlers: a UnicodeDecodeError holds the data.
    raise UnopenedError(why)


def _read_records(outer: Record, count_max: int) -> list[Record]:
    keys, at = _run_of_keys(outer.data, _START, KEYS, count_max)
    hash_keys, at = _run_of_keys(outer.data, at, HASH_KEYS, count_max)
    records: list[Record] = []
    try:
        tables = _Tables(keys, hash_keys, are_whole=False)
        at = _read_small(outer, at, keys, records, count_max)
        at = _read_usual(outer, at, tables, records, count_max)
        _read_any(outer, at, tables, records, count_max)
    except (IndexError, _TablesGoOnError):
        records.clear()
        _read_any(outer, _START, _whole_tables(outer.data, count_max), records, count_max)
    return records


# ---------------------------------------------------------------------------------- tables of keys


def _run_of_keys(blob: bytes, at: int, tag: int, count_max: int) -> tuple[list[str], int]:
    """Read the entries of one table from here on; return them and where they end."""
    end = len(blob) - DIGEST_BYTES
    keys, at = _keys_of_one_size(blob, at, tag, count_max)
    for _ in range(count_max + 1 - len(keys)):
        if at >= end or blob[at] != tag:
            return keys, at
        start = at + 2
        stop = start + blob[at + 1]
        if stop - start >= MORE:
            size, start = read_varint(blob, at + 1, end)
            stop = start + size
        if stop > end:
            raise UnopenedError(WhyUnopened.MALFORMED)
        keys.append(blob[start:stop].decode())
        at = stop
    raise UnopenedError(WhyUnopened.TOO_MANY)


def _keys_of_one_size(blob: bytes, at: int, tag: int, count_max: int) -> tuple[list[str], int]:
    """Read those that have the size of the first one, in one step; none if that cannot be done.

    Keys are often all of one size (UUIDs, numbers with leading zeros). Each entry then begins with
    the same two bytes, and the next one is always as far away.
    """
    end = len(blob) - DIGEST_BYTES
    mark = blob[at : at + 2]
    # Two equal bytes could be found one too early, where the key before ends with a third.
    if at >= end or mark[0] != tag or mark[1] >= MORE or mark[1] == tag:
        return [], at
    stride = len(mark) + mark[1]
    tags, sizes = blob[at:end:stride], blob[at + 1 : end : stride]
    count = min(
        len(tags) - len(tags.lstrip(mark[:1])),
        len(sizes) - len(sizes.lstrip(mark[1:])),
    )
    stop = at + count * stride
    if stop > end or count > count_max:
        return [], at
    keys = blob[at:stop].decode().split(mark.decode())
    # Before the first mark is nothing. If there is more than one piece behind each mark, then a key
    # has those two bytes inside.
    del keys[0]
    return (keys, stop) if len(keys) == count else ([], at)


def _whole_tables(blob: bytes, count_max: int) -> _Tables:
    """Read the keys from wherever in the message they are."""
    end = len(blob) - DIGEST_BYTES
    tables = _Tables([], [], are_whole=True)
    at = _START
    while at < end:
        tag = blob[at]
        if tag in (KEYS, HASH_KEYS):
            table = tables.keys if tag == KEYS else tables.hash_keys
            key, at = _text(blob, at + 1, end)
            table.append(key)
            if len(table) > count_max:
                raise UnopenedError(WhyUnopened.TOO_MANY)
        else:
            at = skip_field(blob, at, end)
    return tables


def _text(blob: bytes, at: int, end: int) -> tuple[str, int]:
    """Read a text and its size before it; return it and where it ends."""
    size = blob[at]
    at += 1
    if size >= MORE:
        size, at = read_varint(blob, at - 1, end)
    stop = at + size
    if stop > end:
        raise UnopenedError(WhyUnopened.MALFORMED)
    return blob[at:stop].decode(), stop


# ------------------------------------------------------------------------------------ user records


def _read_small(
    outer: Record, at: int, keys: list[str], records: list[Record], count_max: int
) -> int:
    """Read user records below 128 bytes that have no explicit hash key.

    Stops at what is of another shape, without a word; returns where that is.
    """
    blob, sequence_number = outer.data, outer.sequence_number
    arrival_timestamp = outer.arrival_timestamp
    read, read_wide = _small.unpack_from, _small_wide.unpack_from
    last = len(blob) - DIGEST_BYTES - _small_wide.size
    for sub_sequence_number in range(count_max):
        if at > last:
            break
        if blob[at + 3] < MORE:
            tag, size, index_tag, index, data_tag, data = read(blob, at)
            stop = at + 6 + len(data)
        else:
            tag, size, index_tag, index, high, data_tag, data = read_wide(blob, at)
            if high >= MORE:
                break
            index += high - 1 << 7
            stop = at + 7 + len(data)
        if (
            tag != RECORDS
            or size >= MORE
            or index_tag != KEY_INDEX
            or data_tag != DATA
            or at + 2 + size != stop
        ):
            break
        records.append(
            Record(
                sequence_number=sequence_number,
                data=data,
                partition_key=keys[index],
                arrival_timestamp=arrival_timestamp,
                sub_sequence_number=sub_sequence_number,
            )
        )
        at = stop
    return at


def _read_usual(
    outer: Record, at: int, tables: _Tables, records: list[Record], count_max: int
) -> int:
    """Read user records as producers write them: index of a key, perhaps of a hash key, data.

    Sizes and indices may have one byte or two. Stops at what is of another shape, without a word;
    returns where that is.
    """
    blob, sequence_number = outer.data, outer.sequence_number
    arrival_timestamp = outer.arrival_timestamp
    keys, hash_keys = tables.keys, tables.hash_keys
    end = len(blob) - DIGEST_BYTES
    for sub_sequence_number in range(len(records), count_max):
        # Read as if every number had one byte. Where one has two, the rest moves up.
        tag, size, index_tag, index, data_tag, data_size, more, b7, b8 = _head(blob, at)
        start, hash_index = at + 6, -1
        if size >= MORE:
            size += index_tag - 1 << 7
            start += 1
            index_tag, index, data_tag = index, data_tag, data_size
            data_size, more, b7 = more, b7, b8
        stop = start + size - 4
        if index >= MORE:
            index += data_tag - 1 << 7
            start += 1
            data_tag, data_size, more = data_size, more, b7
        if data_tag == HASH_KEY_INDEX:
            hash_index, data_tag, data_size, more, b7 = _tail(blob, start - 1)
            start += 2
            if hash_index >= MORE:
                hash_index += data_tag - 1 << 7
                start += 1
                data_tag, data_size, more = data_size, more, b7
        if data_size >= MORE:
            data_size += more - 1 << 7
            start += 1
        if tag != RECORDS or index_tag != KEY_INDEX or data_tag != DATA or stop > end:
            break
        # Of a number with three bytes or more, two give a value that no number with two has.
        if start + data_size != stop or (size | index) > _TWO_BYTES or hash_index > _TWO_BYTES:
            break
        records.append(
            Record(
                sequence_number=sequence_number,
                data=blob[start:stop],
                partition_key=keys[index],
                arrival_timestamp=arrival_timestamp,
                explicit_hash_key=None if hash_index < 0 else hash_keys[hash_index],
                sub_sequence_number=sub_sequence_number,
            )
        )
        at = stop
    return at


def _read_any(
    outer: Record, at: int, tables: _Tables, records: list[Record], count_max: int
) -> None:
    """Read user records of every shape, to the end of the message."""
    blob, sequence_number = outer.data, outer.sequence_number
    arrival_timestamp = outer.arrival_timestamp
    end = len(blob) - DIGEST_BYTES
    while at < end:
        tag = blob[at]
        if tag != RECORDS:
            if tag in (KEYS, HASH_KEYS) and not tables.are_whole:
                raise _TablesGoOnError
            at = skip_field(blob, at, end)
            continue
        if len(records) == count_max:
            raise UnopenedError(WhyUnopened.TOO_MANY)
        data, index, hash_index, at = _fields(blob, at + 1, end)
        records.append(
            Record(
                sequence_number=sequence_number,
                data=data,
                partition_key=tables.keys[index],
                arrival_timestamp=arrival_timestamp,
                explicit_hash_key=None if hash_index < 0 else tables.hash_keys[hash_index],
                sub_sequence_number=len(records),
            )
        )
    assert at == end, "no step leads past the end"


def _fields(blob: bytes, at: int, end: int) -> tuple[bytes, int, int, int]:
    """Read one user record, from its size on.

    As in all of protobuf, the last of several values of a field is the one that counts.

    Returns:
        Data, index of its key, index of its explicit hash key (-1: none), and where it ends.
    """
    size, at = read_varint(blob, at, end)
    stop = at + size
    data, index, hash_index = None, -1, -1
    while at < stop <= end:
        tag = blob[at]
        if tag not in _FIELDS:
            at = _step_over(blob, at, stop)
            continue
        value = blob[at + 1]
        at += 2
        if value >= MORE:
            value, at = read_varint(blob, at - 1, stop)
        if tag == DATA:
            data = blob[at : at + value]
            at += value
        elif tag == KEY_INDEX:
            index = value
        else:
            hash_index = value
    if at != stop or data is None or index < 0:
        raise UnopenedError(WhyUnopened.MALFORMED)
    return data, index, hash_index, stop


def _step_over(blob: bytes, at: int, end: int) -> int:
    """Step over a field of a user record that no `Record` has, and check it if it is a tag."""
    stop = skip_field(blob, at, end)
    if blob[at] != TAGS:
        return stop
    has_key = False
    _, at = read_varint(blob, at + 1, stop)
    while at < stop:
        field = blob[at]
        if field in (TAG_KEY, TAG_VALUE):
            has_key |= field == TAG_KEY
            _, at = _text(blob, at + 1, stop)
        else:
            at = skip_field(blob, at, stop)
    if not has_key:
        raise UnopenedError(WhyUnopened.MALFORMED)
    return stop
