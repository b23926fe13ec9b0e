"""Does user code stop as its docstrings promise: drained, cancelled, lost, hung?"""

from __future__ import annotations

from dataclasses import replace

import pytest

from kcl_py.config import Backoff, DeliveryConfig, OnError, WorkerConfig
from kcl_py.core.events import Traits
from tests.core.consumer.house import EXIT, EXPLICIT, KEY, LOST, D, House, at, error

STEADY = Backoff(jitter=False)


def house_with(**on_error: object) -> House:
    return House(config=WorkerConfig(on_error=OnError(backoff=STEADY, **on_error)))  # type: ignore[arg-type]


def calls(house: House) -> list[str]:
    """The calls of the newest object, open or closed."""
    run = house.runs.get(KEY) or house.old_runs[-1]
    return run.calls


def state(house: House) -> str:
    return house.consumers.status(house.now)[KEY].state


# ---------------------------------------------------------------------------------------- draining


def test_a_drain_lets_the_call_return_then_shuts_down_then_closes_then_says_so() -> None:
    house = House()
    house.start(3)
    house.stream().put(3)

    house.drain()
    assert house.leases.told("drained") == []
    house.returns()
    assert house.leases.recorded[KEY] == at(3)
    house.returns()
    assert house.consumers.has_shutdown_begun(KEY)
    house.returns()

    assert calls(house) == ["initialize", "process_records", "shutdown_requested", "close"]
    assert house.leases.told("drained") == [KEY]
    assert not house.consumers.is_running(KEY)
    assert house.consumers.status(house.now) == {}


def test_a_drain_of_a_quiet_shard_shuts_down_at_once_and_stops_reading() -> None:
    house = House()
    house.start()
    house.answer()

    house.drain(reason="stop")
    house.advance(5)

    assert calls(house) == ["initialize", "shutdown_requested"]
    assert house.fetches == {}


def test_a_drain_before_anything_began_is_over_at_once() -> None:
    house = House()
    house.begin(waits=True)

    house.drain()

    assert house.runs == {}
    assert house.leases.told("drained") == [KEY]


def test_a_drain_during_initialize_lets_it_return() -> None:
    house = House()
    house.begin()

    house.drain()
    house.returns()
    house.returns()
    house.returns()

    assert calls(house) == ["initialize", "shutdown_requested", "close"]


def test_a_drain_during_a_failing_initialize_only_closes() -> None:
    house = House()
    house.begin()

    house.drain()
    house.returns(problem=error())
    house.returns()

    assert calls(house) == ["initialize", "close"]
    assert house.leases.told("drained") == [KEY]
    assert not house.consumers.has_shutdown_begun(KEY)


def test_a_drain_during_the_back_off_goes_straight_to_shutdown() -> None:
    house = house_with()
    house.start(3)
    house.returns(problem=error())

    house.drain()

    assert calls(house)[-1] == "shutdown_requested"
    house.advance(60)
    assert calls(house).count("process_records") == 1


def test_an_error_in_shutdown_requested_is_logged_and_the_drain_goes_on() -> None:
    house = House()
    house.start()
    house.drain()

    house.returns(problem=error())
    house.returns(problem=error())

    assert house.leases.told("drained") == [KEY]
    assert house.names()["processor.failed"] == 2


def test_a_drain_that_is_asked_for_again_is_answered_again() -> None:
    house = House()
    house.begin(waits=True)

    house.drain()
    house.drain(reason="stop")

    assert house.leases.told("drained") == [KEY, KEY]


# ----------------------------------------------------------------------------------------- resuming


def test_the_same_object_goes_on_when_a_handoff_is_cancelled_in_time() -> None:
    house = House(config=WorkerConfig(delivery=DeliveryConfig(batch_records=2)))
    house.stream().put(7)
    house.start()
    house.answer(limit=3)
    house.advance(0.3)
    house.answer(limit=2)
    run = house.run()

    house.drain()
    house.resume()
    seen = []
    for _ in range(4):
        seen.append(house.batch())
        house.returns()
        house.advance(1.1)
        if KEY in house.fetches:
            house.answer()

    assert seen == [[1, 2], [3], [4, 5], [6, 7]]
    assert house.run() is run


def test_a_batch_that_fails_after_the_handoff_was_cancelled_is_repeated() -> None:
    house = house_with()
    house.start(3)

    house.drain()
    house.resume()
    house.returns(problem=error())
    house.advance(0.2)

    assert house.batch() == [1, 2, 3]


def test_records_that_failed_before_a_cancelled_handoff_are_read_again() -> None:
    policy = OnError(backoff=STEADY, attempts=1, then="pause")
    house = House(config=WorkerConfig(on_error=policy))
    house.start(3, traits=Traits(checkpointing="auto", idle_after=0.5))
    house.returns(problem=error(failed_at=at(2)))
    house.renew()
    house.leases.rows[KEY] = replace(house.leases.rows[KEY], paused=False)
    house.renew()
    house.advance(0.6)
    assert house.batch() == []

    house.drain()
    house.resume()
    house.returns()
    house.advance(0.3)
    house.answer()

    assert house.batch() == [2, 3]


def test_a_handoff_cancelled_before_anything_began_waits_for_parents_again() -> None:
    house = House()
    house.begin(waits=True)
    house.drain()

    house.resume()
    assert state(house) == "waiting_for_parents"
    house.consumers.parents_done(house.now, KEY, 1)
    house.take()

    assert calls(house) == ["initialize"]


def test_a_handoff_cancelled_during_initialize_goes_on() -> None:
    house = House()
    house.begin()
    house.drain()

    house.resume()
    house.returns()

    assert calls(house) == ["initialize"]
    assert KEY in house.fetches


def test_a_handoff_cancelled_while_a_failed_object_closes_makes_a_fresh_one() -> None:
    house = house_with()
    house.start(3, traits=EXPLICIT)
    house.returns(problem=error())
    house.drain()

    house.resume()
    house.returns()
    house.advance(0.2)

    assert calls(house) == ["initialize"]


def test_after_shutdown_requested_a_cancelled_handoff_means_a_fresh_object_in_a_new_epoch() -> None:
    house = House()
    house.start(3)
    house.drain()
    house.returns()
    first = house.run()

    house.resume(new_epoch=True)
    house.returns()
    house.returns()
    assert first.is_closed
    house.returns()
    house.stream().put(2)
    house.advance(1.1)
    house.answer()

    assert house.leases.told("drained") == []
    assert house.run().facts.token == first.facts.token + 1
    assert house.run().facts.checkpointed == at(3)
    assert house.batch() == [4, 5]


def test_a_new_epoch_begins_at_once_if_the_old_object_has_closed() -> None:
    house = House()
    house.start()
    house.drain()
    house.returns()
    house.returns()

    house.resume(new_epoch=True)

    assert calls(house) == ["initialize"]
    assert not house.consumers.has_shutdown_begun(KEY)


# ------------------------------------------------------------------------------------------- losing


def test_a_lost_lease_fences_at_once_and_says_so_when_the_call_returned() -> None:
    house = House()
    house.start(3)
    run = house.run()

    house.lose()
    assert run.fence == float("-inf")
    assert house.consumers.is_running(KEY)
    house.returns()
    house.returns()
    house.returns()

    assert run.calls == ["initialize", "process_records", "lease_lost", "close"]
    assert house.leases.recorded == {}
    assert house.leases.told("code_returned") == [KEY]
    assert house.consumers.status(house.now) == {}


def test_a_lease_lost_during_shutdown_is_told_too() -> None:
    house = House()
    house.start()
    house.drain()

    house.lose()
    house.returns()
    house.returns()
    house.returns()

    assert calls(house) == ["initialize", "shutdown_requested", "lease_lost", "close"]
    assert house.leases.log == [("code_returned", KEY)]


def test_a_lease_lost_without_an_object_is_over_at_once() -> None:
    house = House()
    house.begin(waits=True)

    house.lose()

    assert house.leases.log == []
    assert not house.consumers.is_running(KEY)


def test_a_result_past_the_fence_does_not_count() -> None:
    house = House()
    house.start(3)
    house.advance(D, renews=False)

    house.returns()
    assert house.leases.recorded == {}
    assert house.run().method is None
    house.lose()
    house.returns()
    house.returns()

    assert calls(house) == ["initialize", "process_records", "lease_lost", "close"]


def test_a_page_that_arrives_past_the_fence_is_not_delivered() -> None:
    house = House()
    house.start()
    house.stream().put(3)
    house.advance(D, renews=False)

    house.answer()

    assert calls(house) == ["initialize"]


def test_user_code_that_says_lease_lost_gives_the_lease_up() -> None:
    house = House()
    house.start(3)

    house.returns(problem=LOST)
    house.returns()
    house.returns()

    assert calls(house) == ["initialize", "process_records", "lease_lost", "close"]
    assert house.leases.log == [("give_up", KEY), ("code_returned", KEY)]
    assert house.leases.recorded == {}


# ------------------------------------------------------------------------------- leaving, hanging


@pytest.mark.parametrize("explicit", [False, True])
def test_system_exit_stops_the_worker_and_the_same_object_shuts_down(*, explicit: bool) -> None:
    house = House()
    house.start(3)
    house.traits[KEY] = EXPLICIT if explicit else house.traits[KEY]

    house.returns(problem=EXIT)
    assert house.leases.log == [("stop_worker", "SystemExit: 0")]
    house.advance(60)
    house.drain(reason="stop")
    house.returns()
    house.returns()

    assert calls(house) == ["initialize", "process_records", "shutdown_requested", "close"]
    assert house.leases.recorded == {}


def test_system_exit_in_initialize_closes_and_makes_no_fresh_object() -> None:
    house = House()
    house.begin()

    house.returns(problem=EXIT)
    house.returns()
    house.advance(60)
    house.drain(reason="stop")

    assert house.runs == {}
    assert house.leases.told("drained") == [KEY]


def test_slow_code_is_reported_and_hung_code_lets_the_lease_go() -> None:
    house = House()
    house.start(3)

    house.advance(299)
    assert house.names()["processor.slow"] == 1
    assert house.leases.log == []
    house.advance(2)

    assert house.names()["processor.hung"] == 1
    assert house.leases.log == [("hung", KEY)]
    assert house.consumers.problems() == {KEY: "process_records hangs"}


def test_code_that_returns_in_time_is_never_reported_as_slow() -> None:
    house = House()
    house.start(3)
    house.advance(29)
    house.returns()

    house.advance(60)

    assert house.names()["processor.slow"] == 0
