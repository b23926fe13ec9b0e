"""Does every user record come out as it was put, and everything else as it is?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcl_py.aggregation import Aggregate, Deaggregated, deaggregate, deaggregate_page
from kcl_py.errors import ConfigError
from kcl_py.records import Record
from tests.aggregation.blobs import (
    MAGIC,
    MANY_USERS,
    ROOM,
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

KEY = sized(1, b"key")


def packed(users: list[User], sequence_number: str = "7") -> Record:
    aggregate = Aggregate(size_bytes_max=10**7)
    assert all(aggregate.add(*user) for user in users)
    return outer(aggregate.encode(), sequence_number)


@given(MANY_USERS)
def test_what_was_packed_is_unpacked(users: list[User]) -> None:
    opened = deaggregate(packed(users))

    assert seen(opened.records) == users
    assert opened == Deaggregated(opened.records, opened_count=1)


@given(spelled_messages())
def test_every_spelling_of_the_format_is_read(spelled: Spelled) -> None:
    opened = deaggregate(aggregated(spelled.message))

    assert seen(opened.records) == spelled.users
    assert opened.opened_count == 1


@given(MANY_USERS)
def test_user_records_inherit_place_and_time(users: list[User]) -> None:
    record = packed(users, "42")

    records = deaggregate(record).records

    assert [each.sub_sequence_number for each in records] == list(range(len(users)))
    assert {each.sequence_number for each in records} == {"42"}
    assert {each.arrival_timestamp for each in records} == {record.arrival_timestamp}


def test_a_page_without_aggregated_records_is_returned_as_it_is() -> None:
    pages = [[], [outer(b"")], [outer(b"data"), outer(MAGIC[:3]), outer(b"x" + MAGIC)]]

    for page in pages:
        opened = deaggregate_page(page)

        assert opened.records is page
        assert opened == Deaggregated(page)


def test_a_page_of_which_nothing_was_opened_is_returned_as_it_is() -> None:
    page = [outer(b"data"), outer(MAGIC + bytes(40))]

    opened = deaggregate_page(page)

    assert opened.records is page
    assert len(opened.unopened) == 1


def test_a_page_is_flat_and_in_order() -> None:
    one, two = outer(b"1", "1"), outer(b"3", "3")
    page = [one, packed([(b"2", "k", None)] * 2, "2"), two, packed([(b"4", "k", "5")], "4")]

    opened = deaggregate_page(page)

    assert [str(record.position) for record in opened.records] == [
        "1/0",
        "2/0",
        "2/1",
        "3/0",
        "4/0",
    ]
    assert opened.records[0] is one
    assert opened.records[3] is two
    assert opened.opened_count == 2


def test_aggregates_are_not_opened_twice() -> None:
    inner = packed([(b"data", "key", None)]).data

    opened = deaggregate(packed([(inner, "key", None), (inner, "key", None)]))

    assert [record.data for record in opened.records] == [inner, inner]


def test_user_records_with_one_key_share_its_text() -> None:
    records = deaggregate(packed([(b"", "a long key" * 100, None)] * 200)).records

    assert len({id(record.partition_key) for record in records}) == 1


@pytest.mark.parametrize("count", [1, 127, 128, 129, 16_383, 16_384, 16_385])
@pytest.mark.parametrize("hashed", [False, True])
def test_indices_of_every_size_are_read(count: int, *, hashed: bool) -> None:
    users: list[User] = [(b"", f"{i:05}", str(i) if hashed else None) for i in range(count)]

    assert seen(deaggregate(packed(users)).records) == users


@pytest.mark.parametrize("size", [0, 1, 122, 123, 124, 125, 126, 127, 128, 129, 16_300, 16_500])
@pytest.mark.parametrize("hash_key", [None, "7"])
def test_data_of_every_size_is_read(size: int, hash_key: str | None) -> None:
    for extra in range(4 if size < 1000 else 100):
        users: list[User] = [(bytes([extra]) * (size + extra), "k", hash_key)] * 3

        assert seen(deaggregate(packed(users)).records) == users


TRICKY = st.text("\n\x02\x120\u00fc", max_size=10)


@given(st.lists(TRICKY | TRICKY.map(lambda key: key.rjust(10, "\n")), min_size=1, max_size=20))
def test_keys_that_look_like_the_table_itself_are_read(keys: list[str]) -> None:
    users: list[User] = [(b"", key, None) for key in keys]

    assert seen(deaggregate(packed(users)).records) == users


def test_keys_that_begin_or_end_like_the_table_itself_are_read() -> None:
    # A size of ten is written as the tag of the table is.
    users: list[User] = [(b"", key, None) for key in ("123456789\n", "abcdefghij", "\nbcdefghij")]

    assert seen(deaggregate(packed(users)).records) == users


@pytest.mark.parametrize("size", [1, 200])
@pytest.mark.parametrize("hash_index", [None, 0])
def test_a_field_that_looks_like_a_user_record_is_none(size: int, hash_index: int | None) -> None:
    good = user_record(b"d" * size, 0, hash_index)
    unknown = b"\x22" + good[1:]

    opened = deaggregate(aggregated(KEY, sized(2, b"7"), unknown, good, unknown, good, ROOM))

    assert [each.data for each in opened.records] == [b"d" * size] * 2
    assert [each.sub_sequence_number for each in opened.records] == [0, 1]


def test_tags_are_stepped_over() -> None:
    fields = number(1, 0) + sized(3, b"data") + tag("name", "value") + tag("name")

    assert seen(deaggregate(aggregated(KEY, sized(3, fields))).records) == [(b"data", "key", None)]


def test_an_explicit_hash_key_may_be_anything_that_is_text() -> None:
    record = aggregated(KEY, sized(2, b"no number"), user_record(b"data", 0, 0))

    opened = deaggregate(record, hash_range=(5, 6), strays="drop")

    assert seen(opened.records) == [(b"data", "key", "no number")]
    assert opened.stray_count == 0


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"strays": "ignore"}, "'deliver' or 'drop'"),
        ({"user_records_max": 0}, "1 or more"),
        ({"hash_range": (5, 4)}, "is no range"),
        ({"hash_range": (-1, 4)}, "is no range"),
        ({"hash_range": (0, 2**128)}, "is no range"),
    ],
)
def test_wrong_arguments_are_named(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        deaggregate_page([], **wrong)  # type: ignore[arg-type]
