"""Does `kcl leases` say who lives, and only what it has seen?"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kcl_py.cli.looking.table_view import TableView
from kcl_py.core.leases.rows import LeaseRow, Sentinel, StrangeRow, WorkerRow
from kcl_py.records import Position


def lease(key: str = "s0", counter: int = 1, **facts: object) -> LeaseRow:
    given_facts = {"owner": "a", "checkpoint": Position("7", 1), "duration": 10.0} | facts
    return LeaseRow(key=key, counter=counter, **given_facts)  # type: ignore[arg-type]


def worker(beat: int = 1, key: str = "a") -> WorkerRow:
    return WorkerRow(key=key, beat=beat)


def test_one_look_tells_nothing_about_life() -> None:
    view = TableView()
    view.look(0.0, [lease(), worker()])

    assert view.lease_facts()[0]["live"] == "unknown"
    assert not view.all_known


def test_a_beat_that_moved_is_life() -> None:
    view = TableView()
    view.look(0.0, [lease(), worker(1)])
    view.look(1.0, [lease(), worker(2)])

    assert view.lease_facts()[0]["live"] == "live"
    assert view.all_known


def test_a_renewal_is_life_without_a_worker_row() -> None:
    view = TableView()
    view.look(0.0, [lease()])
    view.look(1.0, [lease(counter=2)])

    assert view.liveness("a") == "live"


def test_a_lease_that_is_asked_for_says_nothing_of_who_asked() -> None:
    view = TableView()
    view.look(0.0, [lease(owner="b", checkpoint_owner="a"), worker(1, "b")])
    view.look(1.0, [lease(owner="b", checkpoint_owner="a", counter=2), worker(1, "b")])

    assert (view.liveness("a"), view.liveness("b")) == ("live", "unknown")


def test_standing_still_for_the_duration_is_death() -> None:
    view = TableView()
    view.look(0.0, [lease(), worker()])
    view.look(9.9, [lease(), worker()])
    assert view.liveness("a") == "unknown"

    view.look(10.0, [lease(), worker()])
    assert view.liveness("a") == "dead"


def test_a_worker_that_stops_beating_dies_after_it_lived() -> None:
    view = TableView()
    view.look(0.0, [worker(1)])
    view.look(1.0, [worker(2)])
    view.look(11.0, [worker(2)])

    assert view.liveness("a") == "dead"


@given(st.lists(st.tuples(st.floats(0.01, 5), st.integers(0, 3)), max_size=20))
def test_whoever_did_not_move_while_we_looked_is_never_called_live(
    looks: list[tuple[float, int]],
) -> None:
    view, now, value = TableView(), 0.0, 1
    view.look(now, [worker(value)])
    moved_at = None
    for pause, step in looks:
        now, value = now + pause, value + step
        moved_at = now if step else moved_at
        view.look(now, [worker(value)])

    is_live = moved_at is not None and now - moved_at < view.duration
    assert (view.liveness("a") == "live") == is_live


def test_ages_count_from_the_move_that_was_seen() -> None:
    view = TableView()
    view.look(0.0, [lease(counter=1)])
    view.look(2.0, [lease(counter=2)])
    view.look(5.0, [lease(counter=2)])

    [facts] = view.lease_facts()
    assert (facts["age"], facts["seen_moving"]) == (3.0, True)


def test_states_are_told_apart() -> None:
    rows = [
        lease("s0", checkpoint=Sentinel.SHARD_END, owner=None),
        lease("s1", owner=None, checkpoint=Sentinel.TRIM_HORIZON, parents=("s2",)),
        lease("s2", owner="b", checkpoint_owner="a"),
        lease("s3", owner="b", offer=1),
        lease("s4", owner=None),
        lease("s5", paused=True),
        lease("s6", parents=("s0",), checkpoint=Sentinel.TRIM_HORIZON),
        lease("s7", parents=("gone",), checkpoint=Sentinel.TRIM_HORIZON),
    ]
    view = TableView()
    view.look(0.0, rows)

    assert [facts["state"] for facts in view.lease_facts()] == [
        "finished", "waiting for parents", "handoff", "offered", "ownerless", "paused", "owned",
        "owned",
    ]  # fmt: skip
    assert [facts["offer"] for facts in view.lease_facts()][3] == "to b"
    assert [facts["handoff"] for facts in view.lease_facts()][2] == "to b"


def test_strange_rows_are_shown_beside_the_others() -> None:
    view = TableView()
    view.look(0.0, [lease(), StrangeRow(key="x", why="checkpoint is no position")])

    assert len(view.lease_facts()) == 1
    assert view.strange_facts() == [{"key": "x", "why": "checkpoint is no position"}]


def test_a_row_that_went_is_forgotten() -> None:
    view = TableView()
    view.look(0.0, [lease(), worker()])
    view.look(1.0, [worker(2)])

    assert view.lease_facts() == []
