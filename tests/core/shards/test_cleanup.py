"""Is a shard gone only after two listings far enough apart, and no tombstone deleted early?"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kcl_py.core.shards.cleanup import GONE_AFTER, Vanished, deletable
from tests.core.shards.streams import ended, name, row, table

LISTINGS = st.lists(st.tuples(st.floats(0, 50), st.frozensets(st.sampled_from("abc"))), max_size=12)


@given(LISTINGS)
def test_gone_means_missing_in_the_last_listings_for_a_minute(
    listings: list[tuple[float, frozenset[str]]],
) -> None:
    vanished = Vanished()
    now = 0.0
    said: list[tuple[float, frozenset[str]]] = []
    for wait, shards in listings:
        now += wait
        vanished.note_listing(now, shards)
        if shards:
            said.append((now, shards))
        for each in "abcd":
            lacking: list[float] = []
            for at, shown in said:
                lacking = [] if each in shown else [*lacking, at]
            expected = bool(lacking) and lacking[-1] - lacking[0] >= GONE_AFTER
            assert vanished.is_gone(each) is expected


def gone(*numbers: int) -> Vanished:
    """A memory of listings that lack these."""
    vanished = Vanished()
    shown = [name(number) for number in range(9) if number not in numbers]
    vanished.note_listing(0.0, shown)
    vanished.note_listing(GONE_AFTER, shown)
    return vanished


def test_only_tombstones_of_vanished_shards_are_deletable() -> None:
    rows = table(ended(0), ended(1), row(2))

    assert deletable(rows, gone(0, 2)) == (rows[name(0)],)
    assert deletable(rows, Vanished()) == ()


def test_a_tombstone_stays_while_a_child_waits_for_it() -> None:
    waiting = row(3, parents=(name(0), name(1)))
    begun = row(4, parents=(name(1),), root=True)

    assert deletable(table(ended(0), waiting), gone(0)) == ()
    assert deletable(table(ended(1), begun), gone(1)) == (ended(1),)
