"""Do expiry and liveness follow from what was seen, and only from that?"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kcl_py.core.leases.rows import PLACEHOLDER_OWNER, LeaseRow, Sentinel, WorkerRow, WorkerState
from kcl_py.core.leases.sights import Sights

D = 10.0


def lease(
    counter: int,
    owner: str | None = "a",
    duration: float | None = None,
    offer: int | None = None,
) -> LeaseRow:
    return LeaseRow(
        key="s0",
        counter=counter,
        checkpoint=Sentinel.TRIM_HORIZON,
        owner=owner,
        duration=duration,
        offer=offer,
    )


def sights() -> Sights:
    return Sights(me="me", duration=D)


def see(view: Sights, now: float, row: LeaseRow, *, consistent: bool = True) -> None:
    view.see_lease(now, row, asked_at=now - 0.01, consistent=consistent)


def test_a_lease_seen_once_never_expires() -> None:
    view = sights()
    see(view, 0.0, lease(5))

    assert not view.is_expired("s0", 1e9)


def test_a_lease_expires_when_its_counter_stood_still_and_was_seen_again() -> None:
    view = sights()
    see(view, 0.0, lease(5, duration=D))
    see(view, 3.0, lease(5, duration=D))

    assert not view.is_expired("s0", 9.99)
    assert view.is_expired("s0", 10.0)


def test_the_longer_of_both_durations_counts() -> None:
    view = sights()
    see(view, 0.0, lease(5, duration=30.0))
    see(view, 3.0, lease(5, duration=30.0))

    assert not view.is_expired("s0", 29.9)
    assert view.is_expired("s0", 30.0)


def test_an_absurd_duration_counts_as_the_longest() -> None:
    view = sights()
    see(view, 0.0, lease(5, duration=0.001))
    see(view, 3.0, lease(5, duration=0.001))

    assert not view.is_expired("s0", 299.0)
    assert view.is_expired("s0", 300.0)


def test_a_moved_counter_starts_the_wait_anew() -> None:
    view = sights()
    see(view, 0.0, lease(5))
    see(view, 9.0, lease(6))
    see(view, 9.5, lease(6))

    assert not view.is_expired("s0", 18.9)
    assert view.is_expired("s0", 19.0)


def test_a_stale_read_changes_nothing() -> None:
    view = sights()
    see(view, 0.0, lease(6, owner="b"))
    see(view, 1.0, lease(5, owner="a"), consistent=False)

    sight = view.leases["s0"]
    assert (sight.row.owner, sight.row.counter, sight.seen_at) == ("b", 6, 0.0)


def test_an_answer_to_an_older_question_does_not_overwrite_a_newer_one() -> None:
    view = sights()
    view.see_lease(5.0, lease(6, owner="new"), asked_at=4.0, consistent=True)
    view.see_lease(6.0, lease(6, owner="old"), asked_at=3.0, consistent=False)

    assert view.leases["s0"].row.owner == "new"


def test_a_counter_that_goes_back_in_two_consistent_reads_means_a_restored_table() -> None:
    view = sights()
    see(view, 0.0, lease(60))
    see(view, 1.0, lease(50))
    assert view.restored is None
    see(view, 2.0, lease(50))

    assert view.restored == "s0"


def test_a_late_answer_to_an_early_question_is_no_restored_table() -> None:
    view = sights()
    see(view, 5.0, lease(60))
    for now in (6.0, 7.0, 8.0):
        view.see_lease(now, lease(50), asked_at=4.0, consistent=True)

    assert view.restored is None


@given(st.lists(st.tuples(st.floats(0.1, 5), st.integers(1, 4), st.booleans()), max_size=30))
def test_a_lease_is_never_expired_within_d_of_its_newest_counter(
    reads: list[tuple[float, int, bool]],
) -> None:
    view, now, newest, first_seen = sights(), 0.0, 0, 0.0
    for wait, counter, consistent in reads:
        now += wait
        see(view, now, lease(counter), consistent=consistent)
        if counter > newest:
            newest, first_seen = counter, now
        assert view.leases["s0"].row.counter == newest
        if view.is_expired("s0", now):
            assert now - first_seen >= D


def test_a_worker_is_unknown_until_something_of_it_moves() -> None:
    view = sights()
    view.see_worker(0.0, WorkerRow(key="w", beat=7))
    assert view.liveness("w", 1.0) == "unknown"
    assert not view.is_running("w", 1.0)

    view.see_worker(3.0, WorkerRow(key="w", beat=8))

    assert view.liveness("w", 4.0) == "live"
    assert view.is_running("w", 4.0)
    assert view.liveness("w", 13.1) == "dead"


def test_a_worker_with_a_longer_duration_may_be_silent_for_longer() -> None:
    view = Sights(me="me", duration=3.0)
    view.see_worker(0.0, WorkerRow(key="w", beat=7, duration=12.0))
    view.see_worker(4.0, WorkerRow(key="w", beat=8, duration=12.0))

    assert view.liveness("w", 15.9) == "live"
    assert view.liveness("w", 16.1) == "dead"


def test_a_worker_that_never_moves_is_dead_after_d() -> None:
    view = sights()
    view.see_worker(0.0, WorkerRow(key="w", beat=7))
    view.see_worker(9.0, WorkerRow(key="w", beat=7))

    assert view.liveness("w", 10.1) == "dead"


def test_a_moving_lease_shows_that_its_owner_lives() -> None:
    view = sights()
    see(view, 0.0, lease(5, owner="w"))
    see(view, 3.0, lease(6, owner="w"))

    assert view.liveness("w", 4.0) == "live"


def test_an_offer_does_not_show_that_its_addressee_lives() -> None:
    view = sights()
    see(view, 0.0, lease(5, owner="v"))
    see(view, 1.0, lease(6, owner="w", offer=6))

    assert view.liveness("w", 1.5) == "dead"


def test_the_placeholder_is_dead_and_i_am_live() -> None:
    assert sights().liveness(PLACEHOLDER_OWNER, 0.0) == "dead"
    assert sights().liveness("me", 0.0) == "live"


def test_a_worker_that_left_is_known_to_have_left() -> None:
    view = sights()
    view.see_worker(0.0, WorkerRow(key="w", beat=7, state=WorkerState.LEAVING))
    view.keep_only_workers(set(), asked_at=1.0)

    assert view.has_left("w")
    assert not view.is_running("w", 1.0)


def test_a_partial_look_removes_nothing() -> None:
    view = sights()
    see(view, 5.0, lease(5))
    assert view.keep_only(set(), asked_at=4.0, consistent=True) == []
    assert view.keep_only(set(), asked_at=6.0, consistent=False) == []
    assert view.keep_only(set(), asked_at=6.0, consistent=True) == ["s0"]


def test_a_scan_that_may_be_older_than_a_worker_does_not_show_that_it_has_left() -> None:
    view = sights()
    view.see_worker(1.0, WorkerRow(key="a", beat=2, state=WorkerState.LEAVING))

    view.keep_only_workers(set(), asked_at=4.0, consistent=False)
    assert not view.has_left("a")

    view.keep_only_workers(set(), asked_at=5.0, consistent=True)
    assert view.has_left("a")
