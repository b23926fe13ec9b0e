"""Does user code live the life that its docstrings promise?"""

from __future__ import annotations

from dataclasses import replace

import pytest

from kcl_py.config import Backoff, OnError, WorkerConfig
from kcl_py.core.events import Traits
from kcl_py.core.leases.rows import Sentinel
from kcl_py.records import Position
from tests.core.consumer.house import AUTO, EXPLICIT, KEY, LOST, D, House, at, error

STEADY = Backoff(jitter=False)


def house_with(**on_error: object) -> House:
    return House(config=WorkerConfig(on_error=OnError(backoff=STEADY, **on_error)))  # type: ignore[arg-type]


def calls(house: House) -> list[str]:
    """The calls of the newest object, open or closed."""
    run = house.runs.get(KEY) or house.old_runs[-1]
    return run.calls


def state(house: House) -> str:
    return house.consumers.status(house.now)[KEY].state


# --------------------------------------------------------------------------------------- beginning


def test_a_lease_that_waits_for_parents_has_no_object_until_they_are_done() -> None:
    house = House()
    house.begin(waits=True)

    assert state(house) == "waiting_for_parents"
    assert not house.consumers.is_running(KEY)
    house.consumers.parents_done(house.now, KEY, 1)
    house.take()

    assert calls(house) == ["initialize"]
    assert house.consumers.is_running(KEY)


def test_an_object_is_told_its_token_and_where_it_starts() -> None:
    house = House()

    house.begin(checkpoint=at(7))

    facts = house.run().facts
    assert (facts.key, facts.shard_id, facts.token) == (KEY, KEY, 1)
    assert (facts.checkpointed, facts.fence) == (at(7), house.now + D)


@pytest.mark.parametrize(("finished", "told"), [(at(7), str(at(7))), (None, None)])
def test_the_log_says_behind_which_record_it_starts(
    finished: Position | None, told: str | None
) -> None:
    house = House()

    house.begin(checkpoint=finished or Sentinel.TRIM_HORIZON)

    [started] = [each for each in house.reports if each.name == "processor.started"]
    assert dict(started.fields)["at"] == told


def test_nothing_is_read_before_initialize_returned() -> None:
    house = House()
    house.begin()

    assert house.fetches == {}
    house.returns()

    assert KEY in house.fetches


def test_a_failed_initialize_is_closed_and_a_fresh_object_follows_after_the_back_off() -> None:
    house = house_with()
    house.begin()
    first = house.run()

    house.returns(problem=error())
    assert first.calls == ["initialize", "close"]
    house.returns()
    assert state(house) == "retrying"
    house.advance(0.2)

    assert first.is_closed
    assert house.run().run_id != first.run_id
    assert house.run().facts.token == first.facts.token
    assert house.consumers.status(house.now)[KEY].attempt == 2


def test_a_lease_lost_in_initialize_gives_the_lease_up_without_lease_lost() -> None:
    house = House()
    house.begin()

    house.returns(problem=LOST)
    house.returns()

    assert calls(house) == ["initialize", "close"]
    assert house.leases.log == [("give_up", KEY), ("code_returned", KEY)]


# ------------------------------------------------------------------------------------------ failing


def test_the_same_object_gets_the_same_records_again() -> None:
    house = house_with()
    house.start(3)

    house.returns(problem=error())
    assert state(house) == "retrying"
    house.advance(0.1)

    assert house.batch() == [1, 2, 3]
    assert house.attempt() == 2
    assert calls(house) == ["initialize", "process_records", "process_records"]


def test_what_comes_before_a_failed_record_is_finished_and_not_repeated() -> None:
    house = house_with()
    house.start(5)

    house.returns(problem=error(failed_at=at(4)))
    house.advance(0.2)

    assert house.leases.recorded[KEY] == at(3)
    assert house.batch() == [4, 5]


@pytest.mark.parametrize("culprit", [at(1), at(9), at(3, 1)])
def test_a_failed_record_that_says_nothing_finishes_nothing(culprit: object) -> None:
    house = house_with()
    house.start(5)

    house.returns(problem=error(failed_at=culprit))
    house.advance(0.2)

    assert house.leases.recorded == {}
    assert house.batch() == [1, 2, 3, 4, 5]


def test_attempts_count_failures_since_anything_was_finished() -> None:
    house = house_with()
    house.start(5)
    attempts = []
    for culprit in (None, None, at(3), None):
        attempts.append(house.attempt())
        house.returns(problem=error(failed_at=culprit))
        house.advance(1)

    assert attempts == [1, 2, 3, 2]


def test_a_checkpoint_inside_a_batch_is_not_repeated_after_a_failure() -> None:
    house = house_with()
    house.start(5)

    house.ask(at(2), wait=False)
    house.returns(problem=error())
    house.advance(0.2)

    assert house.batch() == [3, 4, 5]
    assert house.attempt() == 2


def test_an_explicit_processor_that_fails_is_replaced_and_starts_behind_its_checkpoint() -> None:
    house = house_with()
    house.start(6, traits=EXPLICIT)
    first = house.run()
    house.ask(at(2), wait=False)

    house.returns(problem=error(failed_at=at(5)))
    house.returns()
    house.advance(0.3)
    house.returns()
    house.answer()

    assert first.calls == ["initialize", "process_records", "close"]
    assert house.run().run_id != first.run_id
    assert house.run().facts.token == first.facts.token
    assert house.batch() == [3, 4, 5, 6]


def test_back_off_grows_to_its_longest_and_the_shard_goes_red_after_all_attempts() -> None:
    house = house_with(attempts=3)
    house.start(1)
    waits = []
    for _ in range(5):
        before = house.now
        house.returns(problem=error())
        while house.run().method is None:
            house.advance(0.05)
        waits.append(round(house.now - before, 1))

    assert waits == pytest.approx([0.1, 0.2, 30.0, 30.0, 30.0], abs=0.1)
    assert house.consumers.problems() == {KEY: "failed 5 times: ValueError: no"}
    assert not house.consumers.is_healthy
    house.returns()
    assert house.consumers.is_healthy
    assert house.names()["processor.recovered"] == 1


def test_an_error_that_no_retry_mends_goes_straight_to_the_longest_back_off() -> None:
    house = house_with()
    house.start(1)

    house.returns(problem=error(may_retry=False))
    house.advance(29)

    assert house.run().method is None
    assert KEY in house.consumers.problems()


# ------------------------------------------------------------------------------------------ pausing


@pytest.mark.parametrize("explicit", [False, True])
def test_a_paused_shard_tries_nothing_until_its_row_says_so(*, explicit: bool) -> None:
    house = house_with(attempts=1, then="pause")
    house.start(3, traits=EXPLICIT if explicit else AUTO)
    house.returns(problem=error())
    if explicit:
        house.returns()

    house.advance(120)
    assert state(house) == "paused"
    assert house.leases.told("paused") == [KEY]
    assert house.fetches == {}
    assert house.consumers.buffered_bytes == 0
    house.leases.rows[KEY] = replace(house.leases.rows[KEY], paused=False)
    house.renew()
    if explicit:
        house.returns()
    house.answer()

    assert house.batch() == [1, 2, 3]


def test_a_new_epoch_of_a_paused_shard_tries_again_and_clears_the_mark() -> None:
    house = House()

    house.begin(paused=True)

    assert calls(house) == ["initialize"]
    assert house.leases.told("unpaused") == [KEY]


def test_draining_a_paused_shard_lets_its_object_shut_down() -> None:
    house = house_with(attempts=1, then="pause")
    house.start(3)
    house.returns(problem=error())

    house.drain()
    house.returns()
    house.returns()

    assert calls(house)[-2:] == ["shutdown_requested", "close"]
    assert house.leases.told("drained") == [KEY]


# --------------------------------------------------------------------------------------- quietness


def test_a_quiet_shard_gets_an_empty_batch_again_and_again_if_it_wants_to() -> None:
    house = House()
    house.start(1, traits=Traits(checkpointing="explicit", idle_after=5.0))
    house.returns()

    for _ in range(2):
        house.advance(4.9)
        assert house.run().method is None
        house.advance(0.2)
        assert house.batch() == []
        house.returns()


def test_without_idle_after_no_batch_is_ever_empty() -> None:
    house = House()
    house.start(1)
    house.returns()

    house.advance(600)

    assert house.run().method is None
