"""Do we agree with AWS' own Python library for the format, and with protobuf itself?"""

from __future__ import annotations

import base64
import random
import re
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcl_py.aggregation import Aggregate, deaggregate
from tests.aggregation.blobs import (
    HASH_KEYS,
    MANY_USERS,
    SEQUENCE_NUMBER,
    Spelled,
    User,
    aggregated,
    number,
    outer,
    seen,
    sized,
    spelled_messages,
    tag,
    user_record,
)

PATH = list(sys.path)
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    aggregator = pytest.importorskip("aws_kinesis_agg.aggregator")
    deaggregator = pytest.importorskip("aws_kinesis_agg.deaggregator")
    messages = pytest.importorskip("aws_kinesis_agg.messages_pb2")
    unknown_fields = pytest.importorskip("google.protobuf.unknown_fields")
# The package puts itself in front of everything, for a module that was generated.
sys.path[:] = PATH

DecodeError = pytest.importorskip("google.protobuf.message").DecodeError
GROUP = 3
LONG_VARINT = re.compile(rb"[\x80-\xff]{5}")
PLENTY = 10**7
NO_HASH_KEY = st.none()
# Its reader gives the first explicit hash key to whoever has none, if anybody has one.
ALIKE = [
    st.lists(st.tuples(st.binary(max_size=300), st.text(), hash_key), min_size=1, max_size=30)
    for hash_key in (NO_HASH_KEY, HASH_KEYS)
]


def read_by_aws(data: bytes) -> list[User]:
    record = {
        "SequenceNumber": SEQUENCE_NUMBER,
        "PartitionKey": "a",
        "ApproximateArrivalTimestamp": 0,
        "Data": data,
    }
    records = deaggregator.iter_deaggregate_records([record], data_format="Boto3")
    found = [each["kinesis"] for each in records]
    assert [each["subSequenceNumber"] for each in found] == list(range(len(found)))
    return [
        (base64.b64decode(each["data"]), each["partitionKey"], each["explicitHashKey"])
        for each in found
    ]


@given(st.one_of(ALIKE))
def test_aws_reads_what_we_write(users: list[User]) -> None:
    aggregate = Aggregate(size_bytes_max=PLENTY)
    assert all(aggregate.add(*user) for user in users)

    assert read_by_aws(aggregate.encode()) == users


@given(st.one_of(ALIKE))
def test_we_read_what_aws_writes(users: list[User]) -> None:
    theirs = aggregator.AggRecord(PLENTY)
    for data, key, hash_key in users:
        assert theirs.add_user_record(key, data, hash_key)

    assert seen(deaggregate(outer(theirs.get_contents()[2])).records) == users


@given(MANY_USERS)
def test_we_write_what_aws_writes(users: list[User]) -> None:
    ours = Aggregate(size_bytes_max=PLENTY)
    theirs = aggregator.AggRecord(PLENTY)
    for data, key, hash_key in users:
        assert ours.add(data, key, hash_key)
        assert theirs.add_user_record(key, data, hash_key)

    key, _, data = theirs.get_contents()
    assert ours.encode() == data
    assert ours.partition_key == key


# ---------------------------------------------------------------------------------------- protobuf


def walk(message: Any) -> Iterator[Any]:
    """A message and all messages in it."""
    yield message
    for record in getattr(message, "records", ()):
        yield from walk(record)
    for each in getattr(message, "tags", ()):
        yield from walk(each)


def has_group(message: Any) -> bool:
    return any(
        field.wire_type == GROUP
        for part in walk(message)
        for field in unknown_fields.UnknownFieldSet(part)
    )


def texts_of(message: Any) -> Iterator[object]:
    """Every text, which protobuf leaves as bytes (or raises) if it is no UTF-8."""
    yield from message.partition_key_table
    yield from message.explicit_hash_key_table
    for record in message.records:
        for each in record.tags:
            yield each.key
            yield each.value


def user_of(message: Any, record: Any) -> User:
    hash_key = None
    if record.HasField("explicit_hash_key_index"):
        hash_key = message.explicit_hash_key_table[record.explicit_hash_key_index]
    return record.data, message.partition_key_table[record.partition_key_index], hash_key


def read_by_protobuf(data: bytes) -> tuple[Any, list[User]] | None:
    """What a message says to protobuf; None if it cannot be read or used."""
    message = messages.AggregatedRecord()
    try:
        message.ParseFromString(data)
        if not message.IsInitialized() or not all(isinstance(t, str) for t in texts_of(message)):
            return None
        users = [user_of(message, record) for record in message.records]
    except (IndexError, UnicodeDecodeError, DecodeError):
        return None
    return (message, users) if users else None


def compare(message: bytes) -> bool:
    """Agree on a message; return whether there was something to read."""
    ours = deaggregate(aggregated(message))
    theirs = read_by_protobuf(message)
    if theirs is None:
        # What only we read has a size in more than five bytes, which the Java KCL reads, too.
        assert ours.opened_count == 0 or LONG_VARINT.search(message)
        return False
    parsed, users = theirs
    if ours.opened_count:
        assert seen(ours.records) == users
    else:
        # What only we refuse has a group, or a tag that is longer than it need be.
        assert ours.unopened[0].why == "malformed"
        is_excused = has_group(parsed)
        parsed.DiscardUnknownFields()
        shortest = deaggregate(aggregated(parsed.SerializeToString()))
        assert is_excused or seen(shortest.records) == users
    return True


@given(spelled_messages())
def test_every_spelling_means_the_same_to_protobuf(spelled: Spelled) -> None:
    theirs = read_by_protobuf(spelled.message)

    assert theirs is not None
    assert theirs[1] == spelled.users
    assert compare(spelled.message)


@given(spelled_messages(), st.randoms(use_true_random=False))
def test_damage_means_the_same_to_protobuf(spelled: Spelled, rng: random.Random) -> None:
    message = bytearray(spelled.message)
    for _ in range(10):
        message[rng.randrange(len(message))] = rng.choice(
            [0, 8, 10, 26, 127, 128, rng.randrange(256)]
        )

        compare(bytes(message))


EXAMPLE = (
    sized(1, b"key")
    + sized(1, b"another")
    + sized(2, b"7")
    + user_record(b"data")
    + user_record(b"x", 1)
    + user_record(b"more" * 40, 1)
    + user_record(b"data", 1, 0)
    + sized(3, number(1, 0) + sized(3, b"data") + tag("name", "value"))
)


def test_every_cut_means_the_same_to_protobuf() -> None:
    read = [compare(EXAMPLE[:size]) for size in range(1, len(EXAMPLE) + 1)]

    assert read.count(True) == 5


def test_every_flipped_bit_means_the_same_to_protobuf() -> None:
    read = []
    for bit in range(len(EXAMPLE) * 8):
        flipped = bytearray(EXAMPLE)
        flipped[bit // 8] ^= 1 << bit % 8
        read.append(compare(bytes(flipped)))

    assert 0 < read.count(True) < len(read)


def test_a_thousand_mutations_mean_the_same_to_protobuf() -> None:
    rng = random.Random(8)
    read = []
    for _ in range(5_000):
        head = EXAMPLE[: rng.randrange(len(EXAMPLE))]
        mutant = bytearray(head + EXAMPLE[rng.randrange(len(EXAMPLE)) :] + b"\x00")
        for _ in range(rng.randrange(4)):
            mutant[rng.randrange(len(mutant))] = rng.randrange(256)
        read.append(compare(bytes(mutant)))

    assert 0 < read.count(True) < len(read)
