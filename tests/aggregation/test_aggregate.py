"""Does a producer know how large an aggregate is, before and after, to the byte?"""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcl_py.aggregation import (
    FRAME_BYTES,
    HASH_KEY_BYTES_MAX,
    HASH_KEY_MAX,
    USER_RECORD_BYTES_MAX,
    Aggregate,
    aggregate_all,
    deaggregate,
)
from tests.aggregation.blobs import (
    MANY_USERS,
    USERS,
    User,
    outer,
    sealed,
    seen,
    sized,
    user_record,
)

PLENTY = 10**7


def size_of(aggregate: Aggregate) -> int:
    """What the service counts."""
    return len(aggregate.encode()) + len(aggregate.partition_key.encode())


@given(MANY_USERS)
def test_sizes_are_known_before(users: list[User]) -> None:
    aggregate = Aggregate(size_bytes_max=PLENTY)
    for user in users:
        said = aggregate.size_with(*user)

        assert aggregate.add(*user)
        assert said == aggregate.size_bytes == size_of(aggregate)


@given(MANY_USERS, st.integers(0, 1_500))
def test_what_does_not_fit_changes_nothing(users: list[User], size_bytes_max: int) -> None:
    aggregate = Aggregate(size_bytes_max=size_bytes_max)
    added: list[User] = []
    for user in users:
        before = aggregate.encode() if added else b""
        fits = aggregate.size_with(*user) <= size_bytes_max

        assert aggregate.add(*user) == fits
        if fits:
            added.append(user)
        else:
            assert (aggregate.encode() if added else b"") == before

    assert aggregate.count == len(added)
    assert aggregate.size_bytes <= size_bytes_max
    if added:
        assert aggregate.size_bytes == size_of(aggregate)
        assert seen(deaggregate(outer(aggregate.encode())).records) == added


def test_what_fits_to_the_byte_fits() -> None:
    size = Aggregate(size_bytes_max=0).size_with(b"data", "key", "7")

    assert Aggregate(size_bytes_max=size).add(b"data", "key", "7")
    assert not Aggregate(size_bytes_max=size - 1).add(b"data", "key", "7")


@pytest.mark.parametrize("count", [127, 128, 129, 16_383, 16_384, 16_385])
def test_sizes_are_right_where_indices_grow(count: int) -> None:
    aggregate = Aggregate(size_bytes_max=PLENTY)
    for number in range(count):
        assert aggregate.add(b"", str(number), str(number))

    assert aggregate.size_bytes == size_of(aggregate)


@pytest.mark.parametrize("size", [120, 121, 122, 123, 124, 125, 126, 127, 128, 16_378, 16_400])
def test_sizes_are_right_where_lengths_grow(size: int) -> None:
    for extra in range(8):
        aggregate = Aggregate(size_bytes_max=PLENTY)
        assert aggregate.add(bytes(size + extra), "k" * (size + extra))

        assert aggregate.size_bytes == size_of(aggregate)


def test_it_is_written_as_the_format_says() -> None:
    aggregate = Aggregate(size_bytes_max=PLENTY)
    for user in [(b"1", "a", None), (b"2", "b", "7"), (b"", "a", "7"), (b"4", "b", "8")]:
        assert aggregate.add(*user)

    assert aggregate.encode() == sealed(
        sized(1, b"a")
        + sized(1, b"b")
        + sized(2, b"7")
        + sized(2, b"8")
        + user_record(b"1", 0)
        + user_record(b"2", 1, 0)
        + user_record(b"", 0, 0)
        + user_record(b"4", 1, 1)
    )


def test_the_record_has_the_key_of_the_first_user_record() -> None:
    aggregate = Aggregate(size_bytes_max=PLENTY)
    assert aggregate.partition_key == ""

    aggregate.add(b"", "first", "7")
    aggregate.add(b"", "second")

    assert aggregate.partition_key == "first"


def test_one_user_record_alone_is_not_worth_it() -> None:
    aggregate = Aggregate(size_bytes_max=PLENTY)
    seen_so_far = [aggregate.is_worthwhile]
    for _ in range(2):
        aggregate.add(b"data", "key")
        seen_so_far.append(aggregate.is_worthwhile)

    assert seen_so_far == [False, False, True]
    assert aggregate.count == 2


@given(USERS)
def test_one_user_record_alone_is_larger_than_plain(user: User) -> None:
    data, key, _ = user

    assert Aggregate(size_bytes_max=0).size_with(*user) > len(data) + len(key.encode())


def test_encoding_is_not_the_end() -> None:
    aggregate = Aggregate(size_bytes_max=PLENTY)
    aggregate.add(b"one", "key")
    before = aggregate.encode()
    aggregate.add(b"two", "key")

    assert seen(deaggregate(outer(before)).records) == [(b"one", "key", None)]
    assert len(deaggregate(outer(aggregate.encode())).records) == 2


def test_an_empty_aggregate_is_no_record() -> None:
    aggregate = Aggregate(size_bytes_max=PLENTY)

    assert aggregate.size_bytes == aggregate.count == 0
    with pytest.raises(ValueError, match="add one first"):
        aggregate.encode()


@pytest.mark.parametrize("hash_key", ["", "x", "-1", "1e5", str(HASH_KEY_MAX + 1), "0" * 40])
def test_hash_keys_over_which_others_stumble_are_refused(hash_key: str) -> None:
    aggregate = Aggregate(size_bytes_max=PLENTY)

    with pytest.raises(ValueError, match="decimal number"):
        aggregate.add(b"", "key", hash_key)
    assert aggregate.count == 0


def test_keys_that_are_no_text_are_refused_without_being_shown() -> None:
    aggregate = Aggregate(size_bytes_max=PLENTY)

    with pytest.raises(ValueError, match="UTF-8") as caught:
        aggregate.add(b"", "secret\udfff")
    assert "secret" not in str(caught.value)
    assert caught.value.__context__ is None
    assert aggregate.count == 0


@dataclass(frozen=True)
class Plain:
    """A user record as `aggregate_all` wants it."""

    data: bytes
    key: str
    hash_key: str | None


@given(MANY_USERS)
def test_all_at_once_is_the_same_as_one_after_the_other(users: list[User]) -> None:
    aggregate = Aggregate(size_bytes_max=PLENTY)
    for user in users:
        assert aggregate.add(*user)

    assert aggregate_all([Plain(*user) for user in users]) == aggregate.encode()


@pytest.mark.parametrize("size", [0, 120, 127, 128, 1_010, 1_030, 16_370, 16_390, 2_097_000])
@pytest.mark.parametrize("before", [0, 1, 127, 128, 1_023, 1_024, 1_025])
@pytest.mark.parametrize("hash_key", [None, "7"])
def test_all_at_once_is_written_as_the_format_says(
    size: int, before: int, hash_key: str | None
) -> None:
    """Wherever a number needs one more byte; and what a record adds stays below its bound."""
    users = [Plain(b"", f"key-{number}", None) for number in range(before)]
    without = aggregate_all(users) if users else b""
    key = "k" * min(size, 1_030)
    index = None if hash_key is None else 0

    written = aggregate_all([*users, Plain(bytes(size), key, hash_key)])

    keys = [*(user.key for user in users), key]
    assert written == sealed(
        b"".join(sized(1, text.encode()) for text in keys)
        + (b"" if hash_key is None else sized(2, hash_key.encode()))
        + b"".join(user_record(b"", place) for place in range(before))
        + user_record(bytes(size), before, index)
    )
    bound = size + len(key) + USER_RECORD_BYTES_MAX + (hash_key is not None) * HASH_KEY_BYTES_MAX
    assert len(written) - max(len(without), FRAME_BYTES) <= bound
