"""Does every question of user code get one right answer, and does the row never say too much?"""

from __future__ import annotations

import pytest

from kcl_py.config import Backoff, DeliveryConfig, OnError, WorkerConfig
from kcl_py.core.leases.rows import Pending
from kcl_py.errors import CheckpointOutOfRange, LeaseLost, Throttled, Unavailable
from tests.core.consumer.house import EXPLICIT, KEY, D, House, at, error


def explicit_house(count: int = 5) -> House:
    house = House(config=WorkerConfig(on_error=OnError(backoff=Backoff(jitter=False))))
    house.start(count, traits=EXPLICIT)
    return house


# ------------------------------------------------------------------------------------- checkpoints


def test_a_checkpoint_that_waits_is_urgent_and_answered_when_durable() -> None:
    house = explicit_house()

    request = house.ask(at(3))
    assert house.leases.urgent == [KEY]
    assert request not in house.answers
    house.renew()

    assert house.answers[request].durable == at(3)
    assert house.problem_of(request) is None
    assert house.run().checkpointed == at(3)


def test_a_checkpoint_that_does_not_wait_is_recorded_and_answered_at_once() -> None:
    house = explicit_house()

    request = house.ask(at(3), wait=False)

    assert house.leases.recorded[KEY] == at(3)
    assert house.leases.urgent == []
    assert house.answers[request].error is None
    assert house.answers[request].durable is None


def test_questions_share_one_write() -> None:
    house = explicit_house()
    requests = [house.ask(at(number)) for number in (1, 2, 4)]

    house.leases.recorded[KEY] = at(2)
    house.renew()
    assert [request in house.answers for request in requests] == [True, True, False]
    house.leases.recorded[KEY] = at(4)
    house.renew()

    assert [house.answers[request].durable for request in requests] == [at(2), at(2), at(4)]


def test_a_checkpoint_that_is_durable_already_is_answered_at_once() -> None:
    house = explicit_house()
    house.ask(at(3))
    house.renew()

    again = house.ask(at(3))

    assert house.answers[again].durable == at(3)
    assert house.leases.urgent == []


def test_a_checkpoint_before_the_last_one_is_out_of_range() -> None:
    house = explicit_house()
    house.ask(at(3), wait=False)

    refused = house.ask(at(2))

    problem = house.problem_of(refused)
    assert isinstance(problem, CheckpointOutOfRange)
    assert (problem.asked, problem.lowest, problem.highest) == (at(2), at(3), at(5))


def test_a_checkpoint_beyond_what_was_handed_over_is_out_of_range() -> None:
    house = explicit_house()

    refused = [house.ask(at(4), handed=at(3)), house.ask(at(9)), house.ask(at(9), handed=at(9))]

    assert all(isinstance(house.problem_of(one), CheckpointOutOfRange) for one in refused)
    assert house.leases.recorded == {}


def test_a_failed_write_is_told_and_stays_recorded() -> None:
    house = explicit_house()
    first = house.ask(at(2))
    house.consumers.checkpoint_failed(house.now, KEY, throttled=True)
    house.take()
    second = house.ask(at(3))
    house.consumers.checkpoint_failed(house.now, KEY, throttled=False)
    house.take()

    assert isinstance(house.problem_of(first), Throttled)
    assert isinstance(house.problem_of(second), Unavailable)
    house.renew()
    assert house.run().checkpointed == at(3)


def test_an_open_checkpoint_may_be_durable_when_the_lease_is_lost() -> None:
    house = explicit_house()
    request = house.ask(at(3))

    house.lose()

    problem = house.problem_of(request)
    assert isinstance(problem, LeaseLost)
    assert "may be durable" in str(problem)
    assert problem.lease_key == KEY


@pytest.mark.parametrize("wait", [False, True])
def test_nothing_is_recorded_past_the_fence(*, wait: bool) -> None:
    house = explicit_house()
    house.advance(D, renews=False)

    request = house.ask(at(3), wait=wait)

    assert isinstance(house.problem_of(request), LeaseLost)
    assert "may be durable" not in str(house.problem_of(request))
    assert house.leases.recorded == {}


def test_an_object_that_was_closed_or_never_was_may_not_checkpoint() -> None:
    house = explicit_house()
    old = house.run().run_id
    house.returns(problem=error())
    house.returns()
    between = house.ask(at(1), run_id=old, handed=at(5))
    house.advance(0.3)
    house.returns()
    after = house.ask(at(1), run_id=old, handed=at(5))
    never = house.ask(at(1), run_id=999_999, handed=at(5))

    assert all(isinstance(house.problem_of(one), LeaseLost) for one in (between, after, never))
    assert house.leases.recorded == {}


def test_an_object_may_checkpoint_until_it_is_closed() -> None:
    house = explicit_house()
    house.returns()
    house.drain()

    house.ask(at(3), wait=False)
    house.returns()
    house.ask(at(4), wait=False)
    house.returns()

    assert house.leases.recorded[KEY] == at(4)


def test_a_fresh_object_may_not_checkpoint_what_only_the_old_one_was_given() -> None:
    house = explicit_house()
    house.returns(problem=error())
    house.returns()
    house.advance(0.3)
    house.returns()

    request = house.ask(at(3), handed=at(5))

    assert isinstance(house.problem_of(request), CheckpointOutOfRange)


def test_a_question_still_open_when_the_object_has_closed_is_answered() -> None:
    house = explicit_house()
    house.returns()
    house.drain()
    request = house.ask(at(3))
    house.returns()
    house.returns()

    assert isinstance(house.problem_of(request), LeaseLost)
    assert house.leases.recorded[KEY] == at(3)


# ------------------------------------------------------------------------------ how old it may get


def test_without_an_interval_a_finished_batch_rides_on_the_next_renewal() -> None:
    house = House()
    house.start(3)
    house.returns()
    house.advance(2)

    assert house.leases.recorded[KEY] == at(3)
    assert house.leases.urgent == []


def test_with_an_interval_the_oldest_unwritten_checkpoint_makes_a_write_urgent() -> None:
    config = WorkerConfig(delivery=DeliveryConfig(checkpoint_interval=0.5, batch_records=1))
    house = House(config=config)
    house.start(3)
    house.returns()
    house.advance(0.3)
    house.returns()
    assert house.leases.urgent == []
    house.advance(0.3)

    assert house.leases.urgent == [KEY]
    house.renew()
    house.advance(2)
    assert house.leases.urgent == []


# ------------------------------------------------------------------------------------ two phases


def test_a_prepared_checkpoint_is_answered_when_durable_and_moves_nothing() -> None:
    house = explicit_house()

    request = house.ask(at(3), kind="prepare", state=b"file")
    assert request not in house.answers
    house.renew()

    assert house.problem_of(request) is None
    assert house.leases.rows[KEY].pending == Pending(position=at(3), state=b"file")
    assert house.leases.recorded == {}


def test_prepared_checkpoints_are_written_one_after_the_other() -> None:
    house = explicit_house()

    one = house.ask(at(4), kind="prepare", state=b"1")
    two = house.ask(at(2), kind="prepare", state=b"2")
    house.renew()
    assert (one in house.answers, two in house.answers) == (True, False)
    house.renew()

    assert two in house.answers
    assert house.leases.rows[KEY].pending == Pending(position=at(2), state=b"2")


def test_a_commit_is_a_checkpoint() -> None:
    house = explicit_house()
    house.ask(at(3), kind="prepare")
    house.renew()

    request = house.ask(at(3), kind="commit")
    assert house.leases.told("commit") == [KEY]
    house.renew()

    assert house.answers[request].durable == at(3)


def test_a_prepare_that_fails_or_is_lost_is_answered() -> None:
    house = explicit_house()
    one = house.ask(at(3), kind="prepare")
    house.consumers.checkpoint_failed(house.now, KEY, throttled=True)
    house.take()
    two = house.ask(at(3), kind="prepare")
    house.lose()

    assert isinstance(house.problem_of(one), Throttled)
    assert isinstance(house.problem_of(two), LeaseLost)


def test_what_an_earlier_owner_prepared_is_offered_and_its_commit_moves_the_start() -> None:
    house = House()
    house.stream().put(5)
    house.begin(checkpoint=at(1), pending=Pending(position=at(3), state=b"s"))
    assert house.run().facts.pending == Pending(position=at(3), state=b"s")

    request = house.ask(at(3), kind="commit")
    house.renew()
    assert house.answers[request].durable == at(3)
    house.returns()
    house.answer()

    assert house.batch() == [4, 5]


def test_a_fresh_object_of_the_same_epoch_finds_what_the_old_one_prepared() -> None:
    house = explicit_house()
    house.ask(at(3), kind="prepare", state=b"s")
    house.renew()
    house.returns(problem=error())
    house.returns()
    house.advance(0.3)

    assert house.run().facts.pending == Pending(position=at(3), state=b"s")
    house.ask(at(3), kind="commit", wait=False)
    house.returns()
    house.answer()

    assert house.batch() == [4, 5]


def test_what_is_not_committed_in_initialize_moves_nothing() -> None:
    house = House()
    house.stream().put(5)
    house.begin(checkpoint=at(1), pending=Pending(position=at(3)))
    house.returns()

    too_late = house.ask(at(3), kind="commit", handed=at(1))
    house.answer()

    assert isinstance(house.problem_of(too_late), CheckpointOutOfRange)
    assert house.batch() == [2, 3, 4, 5]


def test_what_was_prepared_before_the_checkpoint_is_not_offered() -> None:
    house = House()
    house.begin(checkpoint=at(3), pending=Pending(position=at(3)))

    assert house.run().facts.pending is None


def test_the_start_does_not_move_for_what_was_not_prepared() -> None:
    house = House()
    house.stream().put(5)
    house.begin(checkpoint=at(1), pending=Pending(position=at(3)))

    refused = house.ask(at(4), kind="commit")

    assert isinstance(house.problem_of(refused), CheckpointOutOfRange)
