"""How is an aggregated record written down? Frame, tags, varints.

    magic (4 bytes) | AggregatedRecord in protobuf (proto2) | MD5 of the message (16 bytes)

    AggregatedRecord: 1 partition_key_table, repeated string
                      2 explicit_hash_key_table, repeated string
                      3 records, repeated Record
    Record:           1 partition_key_index, required uint64
                      2 explicit_hash_key_index, optional uint64
                      3 data, required bytes
                      4 tags, repeated Tag
    Tag:              1 key, required string
                      2 value, optional string

Source: aggregation-format.md of the KPL (awslabs/amazon-kinesis-producer), and "Encoding" on
protobuf.dev for tags and varints.
"""

from __future__ import annotations

from typing import Final

from kcl_py.aggregation.unopened import UnopenedError, WhyUnopened

MAGIC: Final = b"\xf3\x89\x9a\xc2"
DIGEST_BYTES: Final = 16
FRAME_BYTES: Final = len(MAGIC) + DIGEST_BYTES

# A tag is the number of a field, times 8, plus the wire type.
KEYS: Final = 1 << 3 | 2
HASH_KEYS: Final = 2 << 3 | 2
RECORDS: Final = 3 << 3 | 2
KEY_INDEX: Final = 1 << 3 | 0
HASH_KEY_INDEX: Final = 2 << 3 | 0
DATA: Final = 3 << 3 | 2
TAGS: Final = 4 << 3 | 2
TAG_KEY: Final = 1 << 3 | 2
TAG_VALUE: Final = 2 << 3 | 2

MORE: Final = 0x80
"""The bit of a varint's byte that says that another one follows."""

_VARINT_BYTES_MAX: Final = 10
_VARINT_MAX: Final = 2**64 - 1
_TAG_MAX: Final = 2**32 - 1
_WIRE_VARINT: Final = 0
_WIRE_BYTES: Final = 2
_FIXED_BYTES: Final = {1: 8, 5: 4}


def read_varint(blob: bytes, at: int, end: int) -> tuple[int, int]:
    """Read a varint; return it and where it ends.

    Raises:
        UnopenedError: It leads over the end, or is larger than 64 bits can be.
    """
    value = 0
    for place in range(_VARINT_BYTES_MAX):
        if at >= end:
            break
        byte = blob[at]
        at += 1
        value |= (byte & ~MORE) << 7 * place
        if byte < MORE and value <= _VARINT_MAX:
            return value, at
    raise UnopenedError(WhyUnopened.MALFORMED)


def skip_field(blob: bytes, at: int, end: int) -> int:
    """Step over a field, known or not; return where it ends.

    Raises:
        UnopenedError: It leads over the end, is no field, or is a group (older than the format,
            which has none), or a tag is longer than it need be (it could be one of ours).
    """
    is_short = blob[at] < MORE
    tag, at = read_varint(blob, at, end)
    number, wire_type = tag >> 3, tag & 7
    if wire_type == _WIRE_VARINT:
        _, at = read_varint(blob, at, end)
    elif wire_type == _WIRE_BYTES:
        size, at = read_varint(blob, at, end)
        at += size
    elif wire_type in _FIXED_BYTES:
        at += _FIXED_BYTES[wire_type]
    else:
        raise UnopenedError(WhyUnopened.MALFORMED)
    if not number or tag > _TAG_MAX or is_short != (tag < MORE) or at > end:
        raise UnopenedError(WhyUnopened.MALFORMED)
    return at


def varint_size(value: int) -> int:
    """Bytes that a number takes as a varint."""
    return (value.bit_length() + 6) // 7 or 1


def append_varint(to: bytearray, value: int) -> None:
    """Write a number, seven bits to a byte, the lowest first."""
    while value >= MORE:
        to.append(value & ~MORE & 0xFF | MORE)
        value >>= 7
    to.append(value)
