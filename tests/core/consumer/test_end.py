"""Is a shard ended only after everything was delivered and finished, and never skipped?"""

from __future__ import annotations

from kcl_py.config import Backoff, OnError, WorkerConfig
from kcl_py.core.events import Traits
from tests.core.consumer.house import AUTO, CHILDREN, EXIT, EXPLICIT, KEY, LOST, House, at, error


def closed_house(count: int, *, traits: Traits = AUTO) -> House:
    """A closed shard of which every record was delivered and returned."""
    config = WorkerConfig(on_error=OnError(attempts=2, backoff=Backoff(jitter=False)))
    house = House(config=config)
    house.stream().put(count)
    house.stream().is_closed = True
    house.start(0, traits=traits)
    house.answer()
    if count:
        house.returns()
    return house


def children_created(house: House) -> None:
    house.consumers.children_created(house.now, KEY)
    house.take()


def test_the_end_comes_in_order_children_then_shard_ended_then_close_then_the_write() -> None:
    house = closed_house(3)
    run = house.run()
    assert house.leases.log == [("shard_read", KEY)]
    assert house.leases.children[KEY] == CHILDREN
    assert run.method is None

    children_created(house)
    house.returns()
    assert house.leases.told("ended") == []
    house.returns()

    assert run.calls == ["initialize", "process_records", "shard_ended", "close"]
    assert house.leases.told("ended") == [KEY]
    assert not house.consumers.is_running(KEY)
    assert house.consumers.status(house.now) == {}


def test_a_shard_without_records_ends_too() -> None:
    house = closed_house(0)
    run = house.run()

    children_created(house)
    house.returns()
    house.returns()

    assert run.calls == ["initialize", "shard_ended", "close"]
    assert house.leases.told("ended") == [KEY]


def test_an_empty_page_that_goes_on_is_not_the_end() -> None:
    house = House()
    house.start(0)
    for _ in range(5):
        house.answer()
        house.advance(1.1)

    assert house.leases.log == []
    assert KEY in house.fetches


def test_the_last_batch_says_that_nothing_follows() -> None:
    house = House()
    house.stream().put(3)
    house.stream().is_closed = True
    house.start(0)
    house.answer()

    delivery = house.run().delivery
    assert delivery is not None
    assert delivery.at_shard_end


def test_nothing_is_ended_while_the_last_batch_is_being_processed_or_failed() -> None:
    house = House()
    house.stream().put(3)
    house.stream().is_closed = True
    house.start(0)
    house.answer()
    house.advance(5)
    assert house.leases.log == []
    assert house.fetches == {}

    house.returns(problem=error())
    assert house.leases.log == []
    house.advance(31)
    assert house.batch() == [1, 2, 3]
    house.returns()

    assert house.leases.log == [("shard_read", KEY)]


def test_an_explicit_processor_may_checkpoint_the_rest_in_shard_ended() -> None:
    house = closed_house(3, traits=EXPLICIT)

    children_created(house)
    house.ask(at(3), wait=False)
    house.returns()
    house.returns()

    assert house.leases.told("ended") == [KEY]
    assert house.leases.recorded[KEY] == at(3)


def test_an_explicit_processor_that_leaves_records_unfinished_is_asked_again_and_turns_red() -> (
    None
):
    house = closed_house(3, traits=EXPLICIT)
    children_created(house)

    house.ask(at(2), wait=False)
    house.returns()
    assert house.run().method is None
    house.advance(0.2)
    assert house.run().method == "shard_ended"
    house.returns()
    assert "not checkpointed" in house.consumers.problems()[KEY]
    house.advance(31)
    house.ask(at(3), wait=False)
    house.returns()
    house.returns()

    assert house.leases.told("ended") == [KEY]


def test_an_error_in_shard_ended_is_retried_and_never_skipped() -> None:
    house = closed_house(1)
    children_created(house)
    for _ in range(20):
        house.returns(problem=error())
        house.advance(31)
        assert house.run().method == "shard_ended"

    assert house.leases.told("ended") == []
    assert not house.consumers.is_healthy


def test_a_drain_before_shard_ended_shuts_down_instead() -> None:
    house = closed_house(1)
    run = house.run()

    house.drain()
    children_created(house)
    house.returns()
    house.returns()

    assert run.calls == ["initialize", "process_records", "shutdown_requested", "close"]
    assert house.leases.told("drained") == [KEY]
    assert house.leases.told("ended") == []


def test_a_drain_while_shard_ended_runs_lets_the_shard_end() -> None:
    house = closed_house(1)
    children_created(house)

    house.drain()
    house.returns()
    house.returns()

    assert house.leases.told("ended") == [KEY]
    assert house.leases.told("drained") == []


def test_a_drain_while_shard_ended_fails_shuts_down() -> None:
    house = closed_house(1)
    children_created(house)

    house.drain()
    house.returns(problem=error())
    house.returns()
    house.returns()

    assert house.leases.told("drained") == [KEY]


def test_a_handoff_cancelled_while_shard_ended_runs_changes_nothing() -> None:
    house = closed_house(1)
    children_created(house)
    house.drain()

    house.resume()
    house.returns(problem=error())
    house.advance(0.2)

    assert house.run().method == "shard_ended"


def test_a_lease_lost_at_the_end_ends_nothing() -> None:
    house = closed_house(1)
    run = house.run()
    children_created(house)

    house.lose()
    house.returns()
    house.returns()
    house.returns()

    assert run.calls[-3:] == ["shard_ended", "lease_lost", "close"]
    assert house.leases.told("ended") == []
    assert house.leases.told("code_returned") == [KEY]


def test_a_lease_lost_while_the_object_closes_at_the_end_ends_nothing() -> None:
    house = closed_house(1)
    children_created(house)
    house.returns()

    house.lose()
    house.returns()

    assert house.leases.told("ended") == []
    assert house.leases.told("code_returned") == [KEY]


def test_lease_lost_raised_in_shard_ended_gives_up() -> None:
    house = closed_house(1)
    children_created(house)

    house.returns(problem=LOST)

    assert house.leases.told("give_up") == [KEY]


def test_system_exit_in_shard_ended_stops_the_worker_and_shuts_down() -> None:
    house = closed_house(1)
    children_created(house)
    house.returns(problem=EXIT)
    house.advance(60)

    house.drain(reason="stop")

    assert house.run().method == "shutdown_requested"
    assert house.leases.told("stop_worker") == ["SystemExit: 0"]


def test_a_shard_that_was_read_to_its_end_before_ends_again_in_the_next_epoch() -> None:
    house = House()
    house.stream().put(3)
    house.stream().is_closed = True
    house.begin(checkpoint=at(3))
    house.returns()
    house.answer()

    assert house.leases.log == [("shard_read", KEY)]
    children_created(house)
    assert house.run().calls == ["initialize", "shard_ended"]
