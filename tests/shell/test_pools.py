"""Who carries out remote calls, and which one goes first?"""

from __future__ import annotations

import threading
import time
from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from kcl_py.shell.pools import Pool
from tests.shell.tools import PATIENCE, Crashes


def held_up(pool: Pool) -> threading.Event:
    """Occupy one thread of the pool until the returned event is set."""
    started, release = threading.Event(), threading.Event()

    def wait() -> None:
        started.set()
        release.wait(PATIENCE)

    pool.submit(wait, urgent_by=-1.0)
    assert started.wait(PATIENCE)
    return release


@given(st.lists(st.sampled_from([1.0, 2.0, 3.0, float("inf")]), max_size=20))
def test_the_earliest_fence_goes_first_and_equals_go_in_order(fences: list[float]) -> None:
    pool = Pool("pool", 1, Crashes())
    release = held_up(pool)
    ran: list[tuple[float, int]] = []
    for number, fence in enumerate(fences):
        pool.submit(partial(ran.append, (fence, number)), urgent_by=fence)
    is_done = threading.Event()
    pool.submit(is_done.set, urgent_by=float("inf"))

    release.set()

    assert is_done.wait(PATIENCE)
    pool.close()
    assert ran == sorted(ran)
    assert len(ran) == len(fences)


def test_a_job_that_hangs_holds_up_no_other_while_there_is_room() -> None:
    pool = Pool("pool", 3, Crashes())
    releases = [held_up(pool), held_up(pool)]
    is_done = threading.Event()

    pool.submit(is_done.set, urgent_by=float("inf"))

    assert is_done.wait(PATIENCE)
    for release in releases:
        release.set()
    pool.close()


def test_a_write_whose_fence_has_passed_is_sent_all_the_same() -> None:
    pool = Pool("pool", 1, Crashes())
    is_done = threading.Event()

    pool.submit(is_done.set, urgent_by=float("-inf"))

    assert is_done.wait(PATIENCE)
    pool.close()


def test_a_job_that_raises_is_a_crash_and_the_next_one_runs() -> None:
    crashes = Crashes()
    pool = Pool("pool", 1, crashes)
    is_done = threading.Event()

    def crash() -> None:
        raise SystemExit(3)

    pool.submit(crash)
    pool.submit(is_done.set)

    assert is_done.wait(PATIENCE)
    thread, error = crashes.first.result(PATIENCE)
    assert thread == "pool-0"
    assert isinstance(error, SystemExit)
    pool.close()


def test_after_the_end_what_waits_is_dropped_and_threads_end() -> None:
    pool = Pool("dropping", 1, Crashes())
    release = held_up(pool)
    ran: list[int] = []
    pool.submit(lambda: ran.append(1))

    pool.close()
    pool.submit(lambda: ran.append(2))
    release.set()

    for thread in threading.enumerate():
        if thread.name.startswith("dropping"):
            thread.join(PATIENCE)
            assert not thread.is_alive()
    assert ran == []


def test_threads_are_started_only_as_they_are_needed() -> None:
    pool = Pool("needed", 8, Crashes())
    for _ in range(5):
        is_done = threading.Event()
        pool.submit(is_done.set)
        assert is_done.wait(PATIENCE)
        patience = time.monotonic() + PATIENCE
        while not pool._idle:  # on its way there
            assert time.monotonic() < patience

    names = {thread.name for thread in threading.enumerate() if thread.name.startswith("needed")}
    assert names == {"needed-0"}
    pool.close()
