"""Is what only looks aggregated delivered as it is, and told? Whatever bytes there are."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcl_py.aggregation import Unopened, WhyUnopened, deaggregate, deaggregate_page
from kcl_py.aggregation.unopened import UnopenedError
from kcl_py.aggregation.wire import skip_field
from kcl_py.records import Record
from tests.aggregation.blobs import (
    MAGIC,
    ROOM,
    SEQUENCE_NUMBER,
    Spelled,
    aggregated,
    number,
    outer,
    sealed,
    sized,
    spelled_messages,
    tag,
    user_record,
    varint,
)

KEY = sized(1, b"key")
HASH_KEY = sized(2, b"7")
GOOD = user_record(b"data")
LATIN_1 = "schl\u00fcssel".encode("latin-1")
SURROGATE = b"\xed\xa0\x80"


def check(record: Record) -> WhyUnopened | None:
    """Nothing is lost, whatever the record is: it is opened, or delivered and told, or no look."""
    opened = deaggregate(record)
    if opened.opened_count:
        assert opened.unopened == ()
        count = len(opened.records)
        assert [each.sub_sequence_number for each in opened.records] == list(range(count))
        assert sum(len(each.data) + 6 for each in opened.records) <= len(record.data)
        return None
    assert list(opened.records) == [record]
    assert bool(opened.unopened) == record.data.startswith(MAGIC)
    return opened.unopened[0].why if opened.unopened else None


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (KEY, "empty"),
        (number(9, 9), "empty"),
        (KEY + user_record(b"data", 1), "no_such_key"),
        (user_record(b"data"), "no_such_key"),
        (KEY + user_record(b"data", 2**63), "no_such_key"),
        (KEY + user_record(b"data", 0, 0), "no_such_key"),
        (KEY + HASH_KEY + user_record(b"data", 0, 1), "no_such_key"),
        (KEY + user_record(b"data" * 99, 1) + GOOD, "no_such_key"),
        (sized(1, LATIN_1) + GOOD, "not_utf8"),
        (sized(1, SURROGATE) + GOOD, "not_utf8"),
        (KEY + sized(1, LATIN_1) + GOOD, "not_utf8"),
        (KEY + GOOD + sized(1, LATIN_1), "not_utf8"),
        (KEY + sized(2, LATIN_1) + GOOD, "not_utf8"),
        (KEY + sized(3, number(1, 0) + sized(3, b"") + sized(4, sized(1, LATIN_1))), "not_utf8"),
    ],
)
def test_messages_that_can_be_read_but_not_used(message: bytes, why: str) -> None:
    assert check(aggregated(message)) == why


@pytest.mark.parametrize(
    "message",
    [
        KEY + sized(3, sized(3, b"no index")),
        KEY + sized(3, number(1, 0)),
        KEY + sized(3, b""),
        KEY + GOOD + b"\x1a",
        KEY + GOOD + b"\x1a\x05\x08\x00",
        KEY + GOOD[:-1],
        b"\x0a",
        b"\x0a\x05key",
        KEY + b"\x12",
        KEY + GOOD + b"\x0a\x05key",
        KEY + b"\x1a" + varint(2**40) + GOOD,
        # A user record that says less, or more, than its fields take.
        KEY + b"\x1a\x03" + GOOD[2:],
        KEY + b"\x1a\x09" + GOOD[2:] + GOOD,
        KEY + b"\x1a\x03" + GOOD[2:] + ROOM,
        KEY + b"\x1a\x09" + GOOD[2:] + GOOD + ROOM,
        KEY + sized(3, number(1, 0) + b"\x1a\x05data"),
        KEY + sized(3, sized(3, b"data") + b"\x08"),
        # Varints: of eleven bytes, of more than 64 bits, that never end.
        KEY + sized(3, b"\x08" + b"\x80" * 10 + b"\x00" + sized(3, b"data")),
        KEY + sized(3, b"\x08" + b"\xff" * 9 + b"\x02" + sized(3, b"data")),
        KEY + GOOD + b"\x1a" + b"\xff" * 30,
        KEY + b"\x0a" + b"\x80" * 10 + b"\x00" + GOOD,
        # Fields that are none: groups, wire types 6 and 7, number 0, a tag above 32 bits.
        KEY + GOOD + varint(5 << 3 | 3) + varint(5 << 3 | 4),
        KEY + GOOD + varint(5 << 3 | 6),
        KEY + GOOD + varint(5 << 3 | 7),
        KEY + GOOD + number(0, 1),
        KEY + GOOD + varint(1 << 32) + b"\x00",
        KEY + sized(3, number(1, 0) + sized(3, b"data") + varint(4 << 3 | 3) + varint(4 << 3 | 4)),
        # A known tag in two bytes: whoever steps over it would lose a user record.
        KEY + GOOD + b"\x9a\x00" + GOOD[1:],
        KEY + sized(3, b"\x88\x00\x00" + sized(3, b"data")),
        KEY + GOOD + varint(5 << 3 | 1) + b"short",
        KEY + GOOD + varint(5 << 3 | 5) + b"abc",
        KEY + GOOD + varint(5 << 3 | 2) + b"\x05abc",
        # Tags: without a key, cut, longer than the user record.
        KEY + sized(3, number(1, 0) + sized(3, b"data") + sized(4, b"")),
        KEY + sized(3, number(1, 0) + sized(3, b"data") + sized(4, sized(2, b"value"))),
        KEY + sized(3, number(1, 0) + sized(3, b"data") + sized(4, b"\x0a")),
        KEY + sized(3, number(1, 0) + sized(3, b"data") + sized(4, b"\x0a\x03ab")),
        KEY + sized(3, number(1, 0) + sized(3, b"data") + b"\x22\x05\x0a\x01a"),
    ],
    ids=lambda message: message.hex()[:40],
)
def test_messages_that_cannot_be_read(message: bytes) -> None:
    assert check(aggregated(message)) == "malformed"
    # A table behind the user records makes no difference.
    assert check(aggregated(message, b"")) == "malformed"


@pytest.mark.parametrize("field", [number(9, 300), sized(9, b"abc"), varint(9 << 3 | 1) + bytes(8)])
def test_a_field_ends_where_it_ends_or_is_refused(field: bytes) -> None:
    assert skip_field(field + b"more", 0, len(field)) == len(field)
    with pytest.raises(UnopenedError, match="malformed"):
        skip_field(field + b"more", 0, len(field) - 1)


@pytest.mark.parametrize("size", [4, 200])
@pytest.mark.parametrize("hashed", [b"", number(2, 0)])
def test_user_records_with_another_field_in_the_place_of_ours(size: int, hashed: bytes) -> None:
    index, data = number(1, 0), sized(3, b"d" * size)

    assert check(aggregated(KEY, HASH_KEY, sized(3, index + hashed + data), ROOM)) is None
    for fields in (
        number(5, 0) + hashed + data,
        index + hashed + sized(5, b"d" * size),
        index + hashed + sized(1, b"d" * size),
        index + number(5, 0) * bool(hashed) + sized(5, b"d" * size),
    ):
        assert check(aggregated(KEY, HASH_KEY, sized(3, fields), ROOM)) == "malformed"


@pytest.mark.parametrize("size", [*range(90, 131), 300])
def test_a_user_record_that_leads_into_the_digest_or_over_it(size: int) -> None:
    message = KEY + user_record(b"d" * size)
    for cut in range(1, size + 6):
        assert check(aggregated(message[:-cut])) == "malformed"


def test_a_key_that_leads_into_the_digest() -> None:
    for each in range(50):
        assert check(aggregated(b"\x0a\x05%03d" % each)) == "malformed"
        assert check(aggregated(b"\x0a\x03key\x0a\x03%02d" % each)) == "malformed"


# The fast loops read numbers of one or two bytes. What follows has longer ones, made so that who
# misses that finds something else at the end, which fits.


def test_an_index_of_three_bytes_is_not_read_as_one_of_two() -> None:
    keys = sized(1, b"") * 20_000
    hash_keys = sized(2, b"") * 20_000
    index = 26 << 14 | 5

    for size in range(20, 30):
        data = sized(3, b"d" * size)
        key_is_far = sized(3, number(1, index) + data)
        hash_key_is_far = sized(3, number(1, 0) + number(2, index) + data)
        assert check(aggregated(keys, key_is_far, ROOM)) == "no_such_key"
        assert check(aggregated(keys, hash_keys, hash_key_is_far, ROOM)) == "no_such_key"


@pytest.mark.parametrize(
    ("size", "data_size"), [(1 << 10, 124), (1 << 10 | 1, 125), (8 << 14, (1 << 14) - 5)]
)
def test_a_longer_size_is_not_read_as_a_shorter_one(size: int, data_size: int) -> None:
    # Its second or third byte is an 8, the tag of an index; the index itself would be the next.
    body = b"\x00\x1a" + varint(data_size) + bytes(data_size)
    body += user_record(b"") * ((size - len(body)) // 6 - 1)
    body += sized(9, bytes(size - len(body) - 2))

    assert check(aggregated(KEY, b"\x1a" + varint(size) + body)) == "malformed"


def test_long_indices_are_read() -> None:
    keys = [sized(1, b"%d" % i) for i in range(20_001)]
    record = aggregated(*keys, user_record(b"", 20_000), user_record(b"", 1))

    assert [each.partition_key for each in deaggregate(record).records] == ["20000", "1"]


@pytest.mark.parametrize("size", range(len(MAGIC), len(MAGIC) + 17))
def test_what_has_no_room_for_a_message_is_too_short(size: int) -> None:
    assert check(outer(sealed(b"")[:size])) == "too_short"


@pytest.mark.parametrize("size", range(len(MAGIC)))
def test_what_does_not_begin_with_the_magic_is_not_worth_a_word(size: int) -> None:
    assert check(outer(MAGIC[:size])) is None


def test_what_was_not_opened_is_told_with_its_place_and_nothing_else() -> None:
    page = [aggregated(KEY, GOOD), outer(MAGIC + b"secret", "9"), aggregated(KEY)]

    opened = deaggregate_page(page)

    assert list(opened.records[1:]) == page[1:]
    assert opened.unopened == (
        Unopened("9", WhyUnopened.TOO_SHORT),
        Unopened(SEQUENCE_NUMBER, WhyUnopened.EMPTY),
    )
    assert "secret" not in repr(opened)


EXAMPLE = sealed(
    KEY
    + sized(1, b"another")
    + HASH_KEY
    + GOOD
    + user_record(b"x", 1)
    + user_record(b"more" * 40, 1)
    + user_record(b"data", 1, 0)
    + sized(3, number(1, 0) + sized(3, b"data") + tag("name", "value"))
)


def test_every_cut_gives_the_plain_record() -> None:
    for size in range(len(MAGIC), len(EXAMPLE)):
        assert check(outer(EXAMPLE[:size])) in {"too_short", "wrong_digest"}


def test_every_cut_with_a_right_digest_is_opened_or_told() -> None:
    message = EXAMPLE[len(MAGIC) : -16]
    outcomes = {check(aggregated(message[:size])) for size in range(1, len(message))}

    assert outcomes == {None, "malformed", "empty"}


def test_every_flipped_bit_gives_the_plain_record() -> None:
    for bit in range(len(EXAMPLE) * 8):
        flipped = bytearray(EXAMPLE)
        flipped[bit // 8] ^= 1 << bit % 8

        why = check(outer(bytes(flipped)))

        assert why == (None if bit < len(MAGIC) * 8 else "wrong_digest")


def test_every_flipped_bit_with_a_right_digest_is_opened_or_told() -> None:
    message = EXAMPLE[len(MAGIC) : -16]
    for bit in range(len(message) * 8):
        flipped = bytearray(message)
        flipped[bit // 8] ^= 1 << bit % 8

        check(aggregated(bytes(flipped)))


@given(st.binary(max_size=200))
def test_any_bytes_are_delivered(data: bytes) -> None:
    check(outer(data))
    check(outer(MAGIC + data))
    check(aggregated(data))


@given(spelled_messages(), st.randoms(use_true_random=False))
def test_damaged_messages_are_opened_or_told(spelled: Spelled, rng: random.Random) -> None:
    message = bytearray(spelled.message)
    for _ in range(10):
        message[rng.randrange(len(message))] = rng.choice([0, 8, 10, 26, 127, 128, 255])

        check(aggregated(bytes(message)))


def test_a_thousand_mutations_of_real_messages_are_opened_or_told() -> None:
    rng = random.Random(4)
    message = EXAMPLE[len(MAGIC) : -16]
    outcomes = set()
    for _ in range(3_000):
        pieces = [message[: rng.randrange(len(message))], message[rng.randrange(len(message)) :]]
        rng.shuffle(pieces)
        mutant = bytearray(b"".join(pieces))
        for _ in range(rng.randrange(4)):
            mutant[rng.randrange(len(mutant))] = rng.randrange(256)
        outcomes.add(check(aggregated(bytes(mutant))))

    assert outcomes >= {None, *(set(WhyUnopened) - {"too_short", "wrong_digest", "too_many"})}
