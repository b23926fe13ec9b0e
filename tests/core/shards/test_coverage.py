"""Is every part of the hash keys that nobody looks after found, and nothing else?"""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from kcl_py.core.shards.coverage import HASH_KEY_MAX, gaps, uncovered
from tests.core.shards.streams import Stream, ended, row, shard, streams

KEYS = st.integers(0, 40) | st.integers(HASH_KEY_MAX - 40, HASH_KEY_MAX)
RANGES = st.lists(st.tuples(KEYS, KEYS).map(lambda pair: (min(pair), max(pair))))


@given(RANGES, KEYS)
def test_a_key_is_in_a_gap_exactly_if_no_range_has_it(
    ranges: list[tuple[int, int]], key: int
) -> None:
    is_covered = any(low <= key <= high for low, high in ranges)

    assert any(low <= key <= high for low, high in gaps(ranges)) is not is_covered


@given(RANGES)
def test_gaps_are_in_order_and_do_not_touch(ranges: list[tuple[int, int]]) -> None:
    found = gaps(ranges)

    for (_, high), (low, _) in pairwise(found):
        assert low > high + 1


@given(streams())
def test_the_open_shards_of_a_stream_leave_no_gap(stream: Stream) -> None:
    assert gaps(each.hash_range for each in stream.open_shards()) == ()


def test_finished_leases_cover_nothing_and_unfinished_parents_cover_their_children() -> None:
    half = HASH_KEY_MAX // 2
    rows = [row(0, hash_range=(0, half)), ended(1, hash_range=(half + 1, HASH_KEY_MAX))]

    assert uncovered(rows, {}) == ((half + 1, HASH_KEY_MAX),)


def test_a_row_without_a_range_has_that_of_the_listing() -> None:
    listed = {each.shard_id: each for each in [shard(0)]}

    assert uncovered([row(0)], listed) == ()
    assert uncovered([row(0)], {}) == ((0, HASH_KEY_MAX),)
