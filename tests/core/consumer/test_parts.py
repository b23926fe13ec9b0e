"""Do the small parts of a consumer keep their laws?"""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from kcl_py.config import Backoff, OnError
from kcl_py.core.consumer.budget import PAGE_BYTES_MAX, Budget
from kcl_py.core.consumer.buffer import Buffer
from kcl_py.core.consumer.outcomes import judge
from kcl_py.core.consumer.page import Page
from kcl_py.core.consumer.progress import Progress, is_behind, later
from kcl_py.core.consumer.reading import shard_id_of
from kcl_py.core.consumer.retries import Tries, longest_wait_seconds, wait_seconds
from kcl_py.core.consumer.states import Signal
from kcl_py.records import Position
from tests.core.consumer.house import EXIT, LOST, at, error, record

places = st.one_of(st.none(), st.builds(at, st.integers(1, 12), st.integers(0, 2)))


# ---------------------------------------------------------------------------------------- progress


@given(places, places)
def test_later_and_behind_agree(one: Position | None, other: Position | None) -> None:
    assert later(one, other) == (other if is_behind(one, other) else one)
    assert not (is_behind(one, other) and is_behind(other, one))


@given(places, st.lists(st.tuples(st.sampled_from("dfwo"), st.integers(1, 12)), max_size=30))
def test_progress_never_moves_back_and_never_gets_ahead(
    start: Position | None, steps: list[tuple[str, int]]
) -> None:
    progress = Progress(start)
    for what, number in steps:
        finished, durable = progress.finished, progress.durable
        if what == "d":
            progress.deliver(at(number))
        elif what == "f" and not is_behind(progress.delivered, at(number)):
            assert progress.finish(at(number)) is is_behind(finished, at(number))
        elif what == "w" and not is_behind(progress.finished, at(number)):
            assert progress.write(at(number)) is is_behind(durable, at(number))
        elif what == "o":
            progress.start_over()
        assert not is_behind(progress.finished, finished)
        assert not is_behind(progress.durable, durable)
        assert not is_behind(progress.delivered, progress.finished)
        assert not is_behind(progress.finished, progress.durable)
        assert progress.is_written is (progress.finished == progress.durable)


# ----------------------------------------------------------------------------------------- retries


@given(
    st.floats(0.01, 10), st.floats(1, 10), st.floats(1, 1000), st.integers(1, 5000), st.integers()
)
def test_waits_grow_and_never_exceed_the_longest(
    first: float, factor: float, more: float, failures: int, seed: int
) -> None:
    backoff = Backoff(first=first, factor=factor, longest=first * more)

    longest = longest_wait_seconds(backoff, failures)

    assert first <= longest <= backoff.longest
    assert longest <= longest_wait_seconds(backoff, failures + 1)
    assert 0 <= wait_seconds(backoff, failures, random.Random(seed)) <= longest


@given(st.integers(1, 6), st.lists(st.sampled_from(["fail", "hopeless", "finish"]), max_size=20))
def test_a_shard_is_red_exactly_after_so_many_failures_in_a_row(
    attempts: int, steps: list[str]
) -> None:
    tries = Tries(OnError(attempts=attempts), random.Random(0))
    in_a_row, hopeless = 0, False
    for step in steps:
        if step == "finish":
            assert tries.progressed() is (in_a_row >= attempts or hopeless)
            in_a_row, hopeless = 0, False
        else:
            hopeless = hopeless or step == "hopeless"
            in_a_row += 1
            tries.failed("e", may_retry=step == "fail")
            assert 0 <= tries.wait() <= 30
        assert tries.is_red is (in_a_row >= attempts or hopeless)
        assert tries.attempt == in_a_row + 1
        assert not tries.is_paused


# ------------------------------------------------------------------------------------------ budget


@given(
    st.integers(1, 100),
    st.lists(
        st.tuples(
            st.integers(0, 5),
            st.booleans(),
            st.sampled_from(["ask", "arrive", "release"]),
            st.integers(0, PAGE_BYTES_MAX),
        ),
        max_size=60,
    ),
)
def test_the_budget_is_never_exceeded_and_nobody_waits_for_nothing(
    limit_mib: int, steps: list[tuple[int, bool, str, int]]
) -> None:
    limit = limit_mib * 1024 * 1024
    budget, under_way, pages = Budget(limit), 0, list[int]()
    waiting: set[str] = set()
    for shard, ahead, what, size in steps:
        key = str(shard)
        if what == "ask" and key not in waiting:
            if budget.reserve(key, ahead=ahead):
                under_way += 1
            else:
                waiting.add(key)
        elif what == "arrive" and under_way:
            budget.arrived(size)
            under_way -= 1
            pages.append(size)
        elif what == "release" and pages:
            budget.release(pages.pop())
        while (served := budget.next_in_line()) is not None:
            waiting.remove(served)
            assert budget.reserve(served, ahead=True) or budget.reserve(served, ahead=False)
            under_way += 1
        assert budget.claimed_bytes <= max(limit, PAGE_BYTES_MAX)
        assert budget.buffered_bytes == sum(pages)
        assert not (waiting and under_way == 0 and not any(pages)), "waiting for nobody"


def test_asking_again_does_not_lose_the_place_in_line() -> None:
    budget = Budget(PAGE_BYTES_MAX)
    assert budget.reserve("a", ahead=False)
    for key in ("b", "c", "b"):
        assert not budget.reserve(key, ahead=False)

    budget.arrived(0)

    assert budget.next_in_line() == "b"


def test_a_busy_shard_does_not_overtake_those_in_line() -> None:
    budget = Budget(PAGE_BYTES_MAX)
    assert budget.reserve("busy", ahead=False)
    assert not budget.reserve("waits", ahead=False)
    budget.arrived(0)

    assert not budget.reserve("busy", ahead=False)
    assert budget.next_in_line() == "waits"
    assert budget.reserve("waits", ahead=False)
    budget.arrived(0)
    assert budget.next_in_line() == "busy"


def test_a_shard_that_waits_for_its_first_page_comes_before_one_that_reads_ahead() -> None:
    budget = Budget(2 * PAGE_BYTES_MAX)
    assert budget.reserve("a", ahead=False)
    assert not budget.reserve("b", ahead=True)

    assert budget.reserve("c", ahead=False)


# ------------------------------------------------------------------------------------------ buffer


@given(st.lists(st.integers(1, 6), min_size=1, max_size=5), st.integers(1, 4), st.data())
def test_slices_cover_everything_once_and_in_order(
    sizes: list[int], records_max: int, data: st.DataObject
) -> None:
    budget = Budget(10 * PAGE_BYTES_MAX)
    buffer = Buffer(budget)
    pages, first = [], 1
    for size in sizes:
        page = Page([record(number) for number in range(first, first + size)], size)
        pages.append(page)
        budget.reserve("k", ahead=False)
        budget.arrived(page.bytes)
        buffer.put(page, 0, 0.0)
        first += size

    seen: list[Position] = []
    while (part := buffer.next_slice(records_max)) is not None:
        assert 0 < part.stop - part.start <= records_max
        upto = data.draw(st.integers(part.start + 1, part.stop))
        seen += [part.page.position_at(index) for index in range(part.start, upto)]
        assert part.is_last is (part.last == pages[-1].last)
        buffer.advance(part.page.position_at(upto - 1))

    assert seen == [at(number) for number in range(1, first)]
    assert budget.buffered_bytes == 0


def test_what_comes_before_a_record_is_found_inside_the_slice_only() -> None:
    buffer = Buffer(Budget(PAGE_BYTES_MAX))
    page = Page([record(number) for number in range(1, 7)], 0)
    buffer.put(page, 1, 0.0)
    part = buffer.next_slice(3)

    assert part is not None
    assert [part.before(at(number)) for number in range(8)] == [
        None,
        None,
        None,
        at(2),
        at(3),
        None,
        None,
        None,
    ]


# -------------------------------------------------------------------------------------- judgements


def test_what_the_end_of_a_call_means() -> None:
    assert judge("initialize", None, is_auto=True) is Signal.READY
    assert judge("initialize", error(), is_auto=True) is Signal.BROKEN
    assert judge("initialize", EXIT, is_auto=True) is Signal.BROKEN
    assert judge("process_records", None, is_auto=False) is Signal.RETURNED
    assert judge("process_records", error(), is_auto=True) is Signal.FAILED
    assert judge("process_records", error(), is_auto=False) is Signal.BROKEN
    assert judge("process_records", EXIT, is_auto=False) is Signal.FAILED
    assert judge("process_records", LOST, is_auto=False) is Signal.LOSE
    assert judge("shard_ended", error(), is_auto=False) is Signal.FAILED


def test_the_shard_id_is_the_last_part_of_a_lease_key() -> None:
    assert shard_id_of("shardId-000000000001") == "shardId-000000000001"
    assert shard_id_of("123456789012:people:1700000000:shardId-1") == "shardId-1"
