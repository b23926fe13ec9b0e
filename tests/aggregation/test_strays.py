"""What happens to user records outside of the shard's range, as after a split?"""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcl_py.aggregation import HASH_KEY_MAX, deaggregate, deaggregate_page, hash_key
from kcl_py.aggregation.hash_keys import StrayDetector
from tests.aggregation.blobs import USERS, User, aggregated, outer, seen, sized, user_record
from tests.aggregation.test_deaggregate import packed

SPLIT = 2**127
LOW: User = (b"low", "key", str(SPLIT - 1))
HIGH: User = (b"high", "key", str(SPLIT))
BOUNDS = st.integers(0, HASH_KEY_MAX) | st.sampled_from([0, SPLIT, HASH_KEY_MAX])
RANGES = st.tuples(BOUNDS, BOUNDS).map(lambda ends: (min(ends), max(ends)))


def is_in(user: User, hash_range: tuple[int, int]) -> bool:
    """As the service decides where a record goes."""
    _, key, explicit = user
    place = int(explicit) if explicit else int(hashlib.md5(key.encode()).hexdigest(), 16)
    return hash_range[0] <= place <= hash_range[1]


@given(st.lists(USERS, min_size=1, max_size=20), RANGES)
def test_by_default_everybody_is_delivered_and_strays_are_counted(
    users: list[User], hash_range: tuple[int, int]
) -> None:
    opened = deaggregate(packed(users), hash_range=hash_range)

    assert seen(opened.records) == users
    strays = [place for place, user in enumerate(users) if not is_in(user, hash_range)]
    assert opened.stray_count == len(strays)
    assert opened.dropped_count == 0
    assert opened.first_stray == (opened.records[strays[0]].position if strays else None)


@given(st.lists(USERS, min_size=1, max_size=20), RANGES)
def test_drop_drops_strays_and_nobody_else(users: list[User], hash_range: tuple[int, int]) -> None:
    opened = deaggregate(packed(users), hash_range=hash_range, strays="drop")

    assert seen(opened.records) == [user for user in users if is_in(user, hash_range)]
    assert opened.opened_count == 1
    assert opened.dropped_count == opened.stray_count == len(users) - len(opened.records)


def test_a_number_means_the_same_user_record_whatever_the_policy() -> None:
    record = packed([LOW, HIGH, LOW, HIGH])

    kept = deaggregate(record, hash_range=(SPLIT, HASH_KEY_MAX), strays="drop").records

    assert [each.sub_sequence_number for each in kept] == [1, 3]
    assert list(kept) == [deaggregate(record).records[i] for i in (1, 3)]


def test_plain_records_are_never_strays() -> None:
    page = [outer(b"nobody knows its explicit hash key"), packed([LOW])]

    opened = deaggregate_page(page, hash_range=(5, 5), strays="drop")

    assert list(opened.records) == page[:1]
    assert opened.stray_count == 1


def test_what_was_not_opened_is_never_a_stray() -> None:
    page = [aggregated(sized(1, b"key"))]

    opened = deaggregate_page(page, hash_range=(5, 5), strays="drop")

    assert opened.records is page
    assert opened.dropped_count == 0


@pytest.mark.parametrize("hash_range", [None, (0, HASH_KEY_MAX)])
def test_without_a_range_no_key_is_hashed(
    hash_range: tuple[int, int] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StrayDetector, "strays", None)

    opened = deaggregate(packed([LOW, HIGH]), hash_range=hash_range, strays="drop")

    assert seen(opened.records) == [LOW, HIGH]
    assert opened.stray_count == 0


@pytest.mark.parametrize("text", ["", "-1", "1.5", "\u0661", " 7", str(2**128), "9" * 5_000])
def test_a_hash_key_that_is_no_number_makes_nobody_a_stray(text: str) -> None:
    record = aggregated(sized(1, b"key"), sized(2, text.encode()), user_record(b"data", 0, 0))

    opened = deaggregate(record, hash_range=(5, 5), strays="drop")

    assert seen(opened.records) == [(b"data", "key", text)]
    with pytest.raises(ValueError, match="decimal number"):
        hash_key("key", text)


def test_hash_keys_are_those_of_the_service() -> None:
    # Source: PutRecord; the MD5 of "a" is the first of the test vectors of RFC 1321 with a letter.
    assert hash_key("a") == 0x0CC175B9C0F1B6A831C399E269772661
    assert hash_key("a", "0") == 0
    assert hash_key("a", str(HASH_KEY_MAX)) == HASH_KEY_MAX


def test_a_key_that_is_no_text_is_refused_without_being_shown() -> None:
    with pytest.raises(ValueError, match="UTF-8") as caught:
        hash_key("secret\ud800")

    assert caught.value.__context__ is None
    assert "secret" not in str(caught.value)
