"""Do the rows that we create lead to every wanted record, once and in order?"""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcl_py.core.leases.rows import PLACEHOLDER_OWNER, LeaseRow, Sentinel
from kcl_py.core.shards.births import child_row, first_row, waits_for_parents
from kcl_py.core.shards.sync_plan import is_other_stream, plan_sync
from kcl_py.records import Position
from tests.core.shards.readers import Readers
from tests.core.shards.streams import (
    STEPS,
    Stream,
    application,
    ended,
    name,
    play,
    row,
    shard,
    streams,
    table,
)

DONE = application(done=True)


def keys(rows: tuple[LeaseRow, ...]) -> list[str]:
    return [each.key for each in rows]


@st.composite
def beginnings(draw: st.DrawFn) -> tuple[Readers, float | None]:
    """A stream with a past, an application that begins somewhere in it, and how it lists."""
    stream = draw(streams())
    position = draw(
        st.sampled_from([Sentinel.TRIM_HORIZON, Sentinel.LATEST, Sentinel.AT_TIMESTAMP])
    )
    start_at = {
        Sentinel.TRIM_HORIZON: None,
        Sentinel.LATEST: stream.now - 1.0,
        Sentinel.AT_TIMESTAMP: draw(st.integers(0, int(stream.now))) + 0.5,
    }[position]
    kept_from = draw(st.just(0.0) | st.floats(0, stream.now))
    since = None
    if start_at is not None and draw(st.booleans()):
        since = start_at - draw(st.sampled_from([0.0, 60.0]))
    rng = draw(st.randoms(use_true_random=False))
    return Readers(stream, application(position, start_at), rng, kept_from), since


@given(beginnings(), STEPS, STEPS, STEPS)
def test_every_record_from_the_position_on_is_delivered_once_and_none_before(
    beginning: tuple[Readers, float | None],
    before_listing: list[tuple[str, int]],
    between_passes: list[tuple[str, int]],
    afterwards: list[tuple[str, int]],
) -> None:
    readers, since = beginning
    play(readers.stream, before_listing)
    readers.sync(since=since, share=0.5)
    play(readers.stream, between_passes)
    readers.sync(since=since)
    readers.finish_initial_sync()
    readers.read_on(5)
    play(readers.stream, afterwards)
    readers.read_all()

    assert len(readers.delivered) == len(set(readers.delivered))
    assert set(readers.delivered) == readers.wanted()
    readers.check_lineage_order()


@pytest.mark.parametrize("since", [None, 4.0])
def test_a_child_older_than_the_position_is_read_from_the_position(since: float | None) -> None:
    stream = Stream.of(1)
    play(stream, [("split", 0), ("put", 0), ("wait", 0), ("wait", 0), ("wait", 0), ("put", 0)])
    app = application(Sentinel.AT_TIMESTAMP, 5.0)
    readers = Readers(stream, app, Random(1))
    readers.sync(since=since)
    readers.read_all()

    assert stream.lives[name(1)].records == [2.0, 6.0]
    assert readers.delivered == [(name(1), 1)]


@given(beginnings(), STEPS, st.integers(0, 20))
def test_while_all_goes_well_there_are_no_holes(
    beginning: tuple[Readers, float | None], afterwards: list[tuple[str, int]], turns: int
) -> None:
    readers, since = beginning
    readers.sync(since=since)
    readers.finish_initial_sync()
    readers.read_on(turns)
    play(readers.stream, afterwards)
    readers.read_on(turns)

    assert readers.sync() == ()


@given(beginnings(), STEPS, st.integers(0, 20), st.data())
def test_a_lost_row_is_repaired_and_no_record_is_lost(
    beginning: tuple[Readers, float | None],
    afterwards: list[tuple[str, int]],
    turns: int,
    data: st.DataObject,
) -> None:
    readers, since = beginning
    readers.sync(since=since)
    readers.finish_initial_sync()
    readers.read_on(turns)
    unfinished = sorted(key for key, each in readers.rows.items() if not each.is_finished)
    lost = data.draw(st.sampled_from(unfinished))
    del readers.rows[lost]
    readers.next_record.pop(lost, None)
    play(readers.stream, afterwards)
    repairs = readers.sync()
    readers.read_all()
    more_repairs = readers.sync()
    readers.read_all()

    assert {each.owner for each in (*repairs, *more_repairs)} <= {PLACEHOLDER_OWNER}
    assert readers.wanted() <= set(readers.delivered)
    assert lost in readers.rows


@given(beginnings(), STEPS)
def test_planning_again_after_creating_plans_nothing(
    beginning: tuple[Readers, float | None], steps: list[tuple[str, int]]
) -> None:
    readers, since = beginning
    play(readers.stream, steps)
    readers.sync(since=since)

    assert readers.sync(since=since) == ()


@given(streams(), st.integers(0, 10**6))
def test_rows_of_initial_sync_are_ownerless_roots_in_order_of_age(
    stream: Stream, floor: int
) -> None:
    planned = plan_sync(stream.listing(), {}, application(), floor)

    assert all(each.is_ownerless and each.root and each.counter == floor for each in planned)
    assert not any(waits_for_parents(each) for each in planned)
    assert keys(planned) == sorted(keys(planned))


def test_a_position_in_time_is_the_same_for_every_row_whoever_creates_it() -> None:
    app = application(Sentinel.LATEST, 1234.5)

    (made,) = plan_sync([shard(0)], {}, app, 1)

    assert (made.checkpoint, made.start_at) == (Sentinel.LATEST, 1234.5)


def test_a_latest_without_a_time_is_refused() -> None:
    with pytest.raises(ValueError, match="LATEST"):
        plan_sync([shard(0)], {}, application(Sentinel.LATEST), 1)


def test_a_child_whose_parent_has_a_row_begins_at_its_start_with_a_higher_counter() -> None:
    rows = table(ended(0, counter=77))
    app = application(Sentinel.LATEST, 5.0)

    made = first_row(shard(1, 0), rows, app, 3)

    assert (made.checkpoint, made.start_at, made.counter) == (Sentinel.TRIM_HORIZON, None, 78)
    assert not made.root


def test_the_child_of_a_merge_is_above_both_parents_and_names_both() -> None:
    rows = table(row(1, counter=500))

    made = child_row(shard(2, 0, 1), row(0, counter=90), rows, 100)

    assert made.counter == 501
    assert made.parents == (name(0), name(1))
    assert made.is_ownerless


def test_a_child_inherits_a_time_only_from_a_parent_that_never_got_beyond_it() -> None:
    waiting = row(0, checkpoint=Sentinel.LATEST, start_at=9.0)
    begun = row(0, checkpoint=Position("17"), start_at=9.0)

    inherited = child_row(shard(1, 0), waiting, {}, 1)
    assert (inherited.checkpoint, inherited.start_at) == (Sentinel.AT_TIMESTAMP, 9.0)
    assert child_row(shard(1, 0), begun, {}, 1).checkpoint is Sentinel.TRIM_HORIZON


def test_a_shard_is_no_hole_while_an_ancestor_will_bring_it() -> None:
    listing = [shard(0, is_open=False), shard(1, 0, is_open=False), shard(2, 1)]

    assert plan_sync(listing, table(row(0)), DONE, 1) == ()
    assert keys(plan_sync(listing, table(ended(0)), DONE, 1)) == [name(1)]


def test_a_finished_and_forgotten_shard_is_not_read_again() -> None:
    listing = [shard(0, is_open=False), shard(1, 0, is_open=False), shard(2, 1)]

    assert plan_sync(listing, table(row(2, parents=(name(1),), root=True)), DONE, 1) == ()


def test_a_missing_parent_that_a_row_waits_for_is_a_hole() -> None:
    listing = [shard(0, is_open=False), shard(1, is_open=False), shard(2, 0, 1)]
    rows = table(ended(0), row(2, parents=(name(0), name(1))))

    assert keys(plan_sync(listing, rows, DONE, 1)) == [name(1)]


def test_a_waiting_row_does_not_prove_that_its_ancestors_were_read() -> None:
    listing = [
        shard(0, is_open=False),
        shard(1, is_open=False),
        shard(2, 1, is_open=False),
        shard(3, 1),
        shard(4, 0, 2),
    ]
    rows = table(ended(0), row(4, parents=(name(0), name(2))))

    assert keys(plan_sync(listing, rows, DONE, 1)) == [name(1)]


def test_a_row_whose_shard_is_not_listed_yet_still_speaks_for_its_parent() -> None:
    rows = table(row(1, parents=(name(0),), root=True))

    assert plan_sync([shard(0, is_open=False)], rows, DONE, 1) == ()


def test_a_stream_that_was_made_anew_is_noticed_and_a_resharded_one_is_not_taken_for_it() -> None:
    rows = table(row(7), ended(8))

    assert is_other_stream([shard(0), shard(1)], rows)
    assert not is_other_stream([shard(9, 7), shard(10, 7)], rows)
    assert not is_other_stream([shard(0), shard(8)], rows)
    assert not is_other_stream([], rows)
    assert not is_other_stream([shard(0)], {})
